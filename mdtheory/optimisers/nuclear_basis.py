r"""The nuclear norm near a matrix of known singular value decomposition, in the coordinates of its singular vectors."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from mdtheory.foundation.validation import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralBasis:
    r"""A matrix ``X = U_1 S V_1`` of rank r with its tangent space, and the curvature of the nuclear norm there.

    A tangent ``U_1 A V_1 + U_1 C V_2 + U_2 B' V_1 + U_1 O`` (the rows of O orthogonal to those of V) is stored as the
    flat vector of A (r, r), C (r, n-r), B (r, n-r) and, for a rectangular matrix, O (r, K). With ``sigma_j`` the
    singular values of the gradient outside the range of X, the second-order term of
    ``f + weight ||X||_*`` beyond f'' is

    .. math:: \frac c2\sum_{ij}\frac{(A_{ij}-A_{ji})^2}{2(s_i+s_j)}
              + \sum_{ij}\frac{c\,(C_{ij}^2+B_{ij}^2) - 2\sigma_j C_{ij}B_{ij}}{2 s_i} + \sum_{ij}\frac{c\,O_{ij}^2}{2s_i}.

    Attributes
    ----------
    left, right : array
        U (n, n) and V (n, K), n <= K; the first r columns and rows belong to X.
    singular : array
        s (r,), decreasing.
    dual : array
        sigma (n - r,), at most `weight`.
    flipped : bool
        Whether the block is the transpose of the matrix described here.
    """

    weight: float
    left: FloatArray
    right: FloatArray
    singular: FloatArray
    dual: FloatArray
    flipped: bool

    @property
    def rank(self) -> int:
        """The number of positive singular values."""
        return len(self.singular)

    @property
    def size(self) -> int:
        """Length of a flat tangent vector."""
        r, (n, columns) = self.rank, self.right.shape
        return int(r * (2 * n - r) + (r * columns if columns > n else 0))

    @property
    def penalty(self) -> float:
        """``weight ||X||_*``."""
        return self.weight * float(self.singular.sum())

    def matrix(self) -> FloatArray:
        """X itself."""
        r = self.rank
        return self._oriented((self.left[:, :r] * self.singular) @ self.right[:r])

    def single(self) -> "SpectralBasis":
        """The same basis in single precision."""
        names = ("left", "right", "singular", "dual")
        return replace(self, **{name: getattr(self, name).astype(np.float32) for name in names})

    def parts(self, vector: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None]:
        """Views of A, C, B and O in a flat tangent vector."""
        r, (n, columns) = self.rank, self.right.shape
        first, second, third = r * r, r * n, r * (2 * n - r)
        outside = vector[third:].reshape(r, columns) if columns > n else None
        c, b = vector[first:second].reshape(r, n - r), vector[second:third].reshape(r, n - r)
        return vector[:first].reshape(r, r), c, b, outside

    def project(self, matrix: FloatArray, out: FloatArray) -> None:
        """Tangential part of a matrix, written into a flat vector."""
        m = self._oriented(matrix)
        r, u, v = self.rank, self.left, self.right
        a, c, b, outside = self.parts(out)
        if 2 * r >= v.shape[0]:
            rows = u.T @ m
            core = rows @ v.T
            rows, top = rows[:r], core[:r]
            b[...] = core[r:, :r].T
        else:
            rows = u[:, :r].T @ m
            top = rows @ v.T
            b[...] = (m @ v[:r].T).T @ u[:, r:]
        a[...], c[...] = top[:, :r], top[:, r:]
        if outside is not None:
            outside[...] = rows - top @ v

    def expand(self, vector: FloatArray) -> FloatArray:
        """The matrix of a flat tangent vector."""
        r, u, v = self.rank, self.left, self.right
        a, c, b, outside = self.parts(vector)
        if 2 * r >= v.shape[0]:
            core = np.zeros((v.shape[0], v.shape[0]), dtype=vector.dtype)
            core[:r, :r], core[:r, r:], core[r:, :r] = a, c, b.T
            rows = core @ v
            if outside is not None:
                rows[:r] += outside
            return self._oriented(u @ rows)
        rows = a @ v[:r] + c @ v[r:]
        if outside is not None:
            rows += outside
        return self._oriented(u[:, :r] @ rows + (u[:, r:] @ b.T) @ v[:r])

    def add_subgradient(self, vector: FloatArray) -> None:
        """Add the gradient ``weight U_1 V_1`` of the penalty along the tangent space."""
        vector[: self.rank**2 : self.rank + 1] += self.weight

    def add_curvature(self, vector: FloatArray, damping: float, out: FloatArray) -> None:
        """Add the penalty's curvature; `damping` is that of the factors, in units of the weight."""
        a, c, b, outside = self.parts(vector)
        to_a, to_c, to_b, to_outside = self.parts(out)
        s, stiffness = self.singular[:, None], self.weight * (1.0 + damping)
        to_a += (stiffness * a - self.weight * a.T) / (s + self.singular)
        to_c += (stiffness * c - self.dual * b) / s
        to_b += (stiffness * b - self.dual * c) / s
        if outside is not None and to_outside is not None:
            to_outside += stiffness * outside / s

    def diagonal(self, curvature: FloatArray, dtype: Any) -> FloatArray:
        """Diagonal of a Hessian in this basis, from its diagonal in the entries of the matrix, as a flat vector.

        For preconditioning only: the largest entries are cut off if they are as few as the rows and columns. Spread over
        the basis they would stiffen many more directions than there are entries, whereas conjugate gradients deal well
        with a cluster of large eigenvalues.
        """
        h = self._oriented(curvature)
        few = 2 * max(h.shape)
        if few < h.size:
            h = np.minimum(h, 3.0 * float(np.partition(h, h.size - few, axis=None)[h.size - few]))
        out = np.empty(self.size)
        a, c, b, outside = self.parts(out)
        r, u, v = self.rank, self.left.astype(dtype, copy=False), self.right.astype(dtype, copy=False)
        rows = (u**2).T @ h.astype(dtype, copy=False)
        core = rows @ (v**2).T
        a[...], c[...], b[...] = core[:r, :r], core[:r, r:], core[r:, :r].T
        if outside is not None:
            # One number per row, so that a diagonal preconditioner keeps the rows orthogonal to those of V.
            outside[...] = rows[:r].mean(axis=1, keepdims=True)
        return out

    def factor_step(self, vector: FloatArray, dtype: Any) -> tuple[FloatArray, float, float]:
        r"""The tangent D as a step of the balanced factors: ``(W + a dW)(H + a dH) = X + a D + a^2 E``.

        Returns E, computed in the given precision, and the coefficients of a and a^2 in ``c/2 (||W + a dW||^2 + ||H + a dH||^2)``, which bounds
        ``c ||X + a D + a^2 E||_*`` from above and meets it at a = 0.
        """
        a, c, b, outside = self.parts(vector)
        r, root = self.rank, np.sqrt(self.singular)
        u, v = self.left.astype(dtype, copy=False), self.right.astype(dtype, copy=False)
        shared = a / (self.singular[:, None] + self.singular)
        top, bottom, inner, outer = shared * root, (b / root[:, None]).T, shared * root[:, None], c / root[:, None]
        square = sum(float(np.vdot(x, x)) for x in (top, bottom, inner, outer))
        rows = inner.astype(dtype) @ v[:r] + outer.astype(dtype) @ v[r:]
        if outside is not None:
            beyond = outside / root[:, None]
            rows += beyond
            square += float(np.vdot(beyond, beyond))
        second = (u[:, :r] @ top.astype(dtype) + u[:, r:] @ bottom.astype(dtype)) @ rows
        return self._oriented(second), self.weight * float(np.trace(a)), 0.5 * self.weight * square

    def stop_at_zero(self, vector: FloatArray) -> None:
        """Scale, in place, what belongs to a factor column ``sqrt(s_i)`` that the step would carry beyond zero."""
        a, c, b, outside = self.parts(vector)
        # The factors move by A_ii/(2 sqrt s_i), and reach zero together where A_ii = -2 s_i.
        fall = np.maximum(-np.diagonal(a) / (2.0 * self.singular), 1.0)
        scale = np.sqrt(1.0 / fall)[:, None]
        a *= scale * scale.T
        c *= scale
        b *= scale
        if outside is not None:
            outside *= scale

    def _oriented(self, matrix: FloatArray) -> FloatArray:
        return matrix.T if self.flipped else matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainBasis:
    """A block without a penalty: every direction is tangent, in the coordinates of its entries."""

    entries: FloatArray
    rank: int = 0
    penalty: float = 0.0

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.entries.size

    def matrix(self) -> FloatArray:
        """The block itself."""
        return self.entries

    def single(self) -> "PlainBasis":
        """The same block; there is nothing to convert."""
        return self

    def project(self, matrix: FloatArray, out: FloatArray) -> None:
        """Write the entries of a matrix into a flat vector."""
        out[...] = matrix.ravel()

    def expand(self, vector: FloatArray) -> FloatArray:
        """The matrix of a flat vector."""
        return vector.reshape(self.entries.shape)

    def add_subgradient(self, vector: FloatArray) -> None:
        """Nothing to add."""

    def add_curvature(self, vector: FloatArray, damping: float, out: FloatArray) -> None:
        """Nothing to add."""

    def diagonal(self, curvature: FloatArray, dtype: Any) -> FloatArray:
        """The diagonal of the Hessian as a flat vector."""
        return curvature.ravel()

    def factor_step(self, vector: FloatArray, dtype: Any) -> tuple[FloatArray, float, float]:
        """A straight line: no second-order term and no penalty."""
        return np.zeros(self.entries.shape), 0.0, 0.0

    def stop_at_zero(self, vector: FloatArray) -> None:
        """Nothing to stop."""


Basis = SpectralBasis | PlainBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposed:
    """A matrix (n, K), n <= K after transposing, as ``left diag(singular) right``."""

    left: FloatArray
    singular: FloatArray
    right: FloatArray
    flipped: bool

    def shrunk(self, scale: float, step: float, weight: float) -> SpectralBasis:
        """The minimiser of ``weight ||X||_* + ||X - scale M||^2/(2 step)``: singular values shrunk by ``step weight``."""
        values = scale * self.singular
        rank = int(np.count_nonzero(values > step * weight))
        return SpectralBasis(
            weight=weight,
            left=self.left,
            right=self.right,
            singular=values[:rank] - step * weight,
            dual=np.minimum(values[rank:] / step, weight),
            flipped=self.flipped,
        )


def decompose(matrix: FloatArray) -> Decomposed:
    """Singular value decomposition with the short side first."""
    flipped = matrix.shape[0] > matrix.shape[1]
    oriented = matrix.T if flipped else matrix
    try:
        left, singular, right = scipy.linalg.svd(oriented, full_matrices=False, check_finite=False)
    except np.linalg.LinAlgError:
        # Divide and conquer fails on rare matrices; the older algorithm is slower and does not.
        left, singular, right = scipy.linalg.svd(
            oriented, full_matrices=False, check_finite=False, lapack_driver="gesvd"
        )
    return Decomposed(left=left, singular=singular, right=right, flipped=flipped)
