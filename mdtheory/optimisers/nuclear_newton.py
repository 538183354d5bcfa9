"""Newton's equation for a smooth function plus nuclear norms on the tangent space, by preconditioned conjugate gradients."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.optimisers.nuclear_basis import Basis, SpectralBasis

Blocks = tuple[NDArray[np.float64], ...]


class Curvature(Protocol):
    """The Hessian of a smooth convex term at one point."""

    def apply(self, direction: Blocks) -> Blocks:
        """The Hessian times a direction."""

    @property
    def diagonal(self) -> Blocks:
        """The diagonal of the Hessian."""


class Tangents:
    """Flat vectors on the product of the tangent spaces of all blocks."""

    def __init__(self, bases: Sequence[Basis]) -> None:
        self.bases = tuple(bases)
        ends = np.cumsum([0, *(basis.size for basis in bases)])
        self.slices = [slice(start, stop) for start, stop in pairwise(ends)]
        self.size = int(ends[-1])
        # Half the time, and Newton directions need no more digits; small blocks are bound by the overhead instead.
        self.working: Any = np.float32 if self.size > 20_000 else np.float64

    def project(self, blocks: Blocks, dtype: Any = np.float64) -> FloatArray:
        """The tangential part of a tuple of matrices."""
        out: FloatArray = np.empty(self.size, dtype=dtype)
        for basis, part, block in zip(self.bases, self.slices, blocks, strict=True):
            basis.project(block, out[part])
        return out

    def expand(self, vector: FloatArray) -> Blocks:
        """The matrices of a flat vector."""
        return tuple(basis.expand(vector[part]) for basis, part in zip(self.bases, self.slices, strict=True))

    def steepest(self, gradient: Blocks) -> FloatArray:
        """Minus the gradient of the term and the penalties along the tangent space."""
        out = self.project(gradient)
        for basis, part in zip(self.bases, self.slices, strict=True):
            basis.add_subgradient(out[part])
        return -out

    def diagonal(self, curvature: Curvature) -> FloatArray:
        """The diagonal of the term's Hessian in the coordinates of the tangent space."""
        parts = [basis.diagonal(h, self.working) for basis, h in zip(self.bases, curvature.diagonal, strict=True)]
        return np.concatenate(parts)


def operator(
    tangents: Tangents, curvature: Curvature, damping: float, shift: float
) -> Callable[[FloatArray], FloatArray]:
    """The damped Hessian of term and penalties on flat vectors of working precision."""
    if tangents.working is np.float32:
        tangents = Tangents([basis.single() for basis in tangents.bases])

    def apply(vector: FloatArray) -> FloatArray:
        direction = tangents.expand(vector)
        image = curvature.apply(tuple(np.asarray(d, dtype=np.float64) for d in direction))
        out = tangents.project(tuple(np.asarray(h, dtype=vector.dtype) for h in image), vector.dtype.type)
        for basis, part in zip(tangents.bases, tangents.slices, strict=True):
            basis.add_curvature(vector[part], damping, out[part])
        out += vector.dtype.type(shift) * vector
        return out

    return apply


def preconditioner(
    tangents: Tangents, diagonal: FloatArray, damping: float, *, dtype: Any = np.float64
) -> Callable[[FloatArray], FloatArray]:
    """The inverse of the Hessian's diagonal plus the whole curvature of the penalties, which couples entries in pairs."""
    inverses = [
        _pair_inverse(basis, diagonal[part], damping, dtype)
        for basis, part in zip(tangents.bases, tangents.slices, strict=True)
    ]

    def apply(vector: FloatArray) -> FloatArray:
        out = np.empty_like(vector)
        for inverse, part in zip(inverses, tangents.slices, strict=True):
            inverse(vector[part], out[part])
        return out

    return apply


def conjugate_gradients(
    operate: Callable[[FloatArray], FloatArray],
    precondition: Callable[[FloatArray], FloatArray],
    right_side: FloatArray,
    *,
    tolerance: float,
    max_iterations: int,
) -> tuple[FloatArray, int]:
    """Solve until the preconditioned residual has fallen to `tolerance`; returns the iterate and the number of steps."""
    residual = right_side.copy()
    solution = np.zeros_like(residual)
    direction = precondition(residual)
    energy = start = float(residual @ direction)
    for count in range(1, max_iterations + 1):
        image = operate(direction)
        bend = float(direction @ image)
        if not bend > 0.0:
            return solution, count
        length = residual.dtype.type(energy / bend)
        solution += length * direction
        image *= length
        residual -= image
        image = precondition(residual)
        before, energy = energy, float(residual @ image)
        if not energy > tolerance**2 * start:
            break
        direction *= residual.dtype.type(energy / before)
        direction += image
    return solution, count


def _pair_inverse(basis: Basis, h: FloatArray, damping: float, dtype: Any) -> Callable[[FloatArray, FloatArray], None]:
    if not isinstance(basis, SpectralBasis):
        plain: FloatArray = np.asarray(1.0 / h, dtype=dtype)
        return lambda vector, out: np.copyto(out, plain * vector)
    ha, hc, hb, outside = basis.parts(h)
    s, c = basis.singular[:, None], basis.weight
    stiff = c * (1.0 + damping)
    # Determinants are expanded: the squares of large curvatures cancel.
    excess = c * c * damping * (2.0 + damping)
    total = s + basis.singular
    square = ha * ha.T + (ha + ha.T) * stiff / total + excess / total**2
    strip = hc * hb + (hc + hb) * stiff / s + (excess + (c - basis.dual) * (c + basis.dual)) / s**2
    own, cross = _cast(dtype, (ha.T + stiff / total) / square, c / total / square)
    right, left, mixed = _cast(dtype, (hb + stiff / s) / strip, (hc + stiff / s) / strip, basis.dual / s / strip)
    (beyond,) = _cast(dtype, np.ones(0) if outside is None else 1.0 / (outside + stiff / s))

    def inverse(vector: FloatArray, out: FloatArray) -> None:
        a, c, b, o = basis.parts(vector)
        to_a, to_c, to_b, to_o = basis.parts(out)
        to_a[...] = own * a + cross * a.T
        to_c[...] = right * c + mixed * b
        to_b[...] = mixed * c + left * b
        if o is not None and to_o is not None:
            to_o[...] = beyond * o

    return inverse


def _cast(dtype: Any, *arrays: FloatArray) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(array, dtype=dtype) for array in arrays)
