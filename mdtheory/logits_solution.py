"""Solutions of problems that are not symmetric: logits, or explicit factors, with a dual point."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mdtheory.certificates import duality
from mdtheory.frozen import Frozen
from mdtheory.logits_problem import LogitsProblem
from mdtheory.problems import UFM
from mdtheory.status import Status
from mdtheory.symmetry import Blocks
from mdtheory.validation import FloatArray, fail

if TYPE_CHECKING:
    from mdtheory.certificates.certificate import Certificate

# Explicit matrices above this size are refused before they are allocated.
_MAX_BYTES = 2**31
# Singular values below this, relative to the largest, count as zero in the rank.
_RANK_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class UFMSolution(Frozen):
    r"""The answer to an unconstrained features model that is not symmetric, with a dual point that bounds the optimum.

    Matrices have one column for each of the K label groups. Everything is derived on access from the answer: a point
    of the convex problem in the logits (free features), or explicit factors (nonnegative or narrow features).

    Attributes
    ----------
    problem : UFM
    method : str
        "closed-form", "factorized", "convex", "doubly-nonnegative" or "multi-start".
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: UFM
    method: str
    tolerance: float

    # ------------------------------------------------------------------ the answer

    @property
    def logits(self) -> FloatArray:
        """Z + b (N, K): column k holds the logits of group k, with the bias."""
        raise NotImplementedError

    @property
    def bias(self) -> FloatArray:
        """b (N,), zero without a bias."""
        raise NotImplementedError

    @property
    def weights(self) -> FloatArray:
        """W (N, M): row n is the classifier w_n."""
        raise NotImplementedError

    @property
    def class_means(self) -> FloatArray:
        """H (M, K): column k is the class mean h_k."""
        raise NotImplementedError

    @property
    def dual(self) -> FloatArray:
        """A feasible dual point (N, terms): one vector for each term of the loss (`LabelLoss`)."""
        raise NotImplementedError

    @property
    def multiplier(self) -> FloatArray | None:
        """The multiplier (K, K) of the nonnegative Gram matrix; None for free features."""
        return None

    @property
    def singular_values(self) -> FloatArray:
        """The singular values of ``Z diag(sqrt pi)``, without the bias, in decreasing order."""
        raise NotImplementedError

    # ------------------------------------------------------------------ how good it is

    @property
    def objective(self) -> float:
        """The objective at the answer: an upper bound on the optimum."""
        raise NotImplementedError

    @property
    def lower_bound(self) -> float:
        """A lower bound on the optimum, from the dual point."""
        raise NotImplementedError

    @property
    def gap(self) -> float:
        """``objective - lower_bound``, not below zero."""
        return max(self.objective - self.lower_bound, 0.0)

    @property
    def relative_gap(self) -> float:
        """The gap over the objective."""
        return self.gap / abs(self.objective) if self.objective != 0 else self.gap

    @property
    def status(self) -> Status:
        """OPTIMAL if the relative gap is within `tolerance`; else INACCURATE, or BOUNDED where the problem is not convex."""
        return Status.OPTIMAL if self.relative_gap <= self.tolerance else Status.INACCURATE

    @cached_property
    def certificate(self) -> "Certificate":
        """The bounds as data that can be saved, loaded and verified without a solver."""
        from mdtheory.certificates.certificate import certify

        return certify(self.problem, self.weights, self.class_means, self.bias, self.dual, self.multiplier)

    @cached_property
    def logits_error(self) -> FloatArray:
        """For each group, (K,), a bound on the distance of its logits from the optimal ones, proved by the gap.

        Infinite for losses that are not strictly convex; see `mdtheory.certificates.certificate.logits_error`.
        """
        from mdtheory.certificates.certificate import logits_error

        return logits_error(self.certificate)[0]

    # ------------------------------------------------------------------ what follows from it

    @property
    def margin(self) -> FloatArray:
        """For each group, (K,), the logit of its likeliest label minus the largest other."""
        logits, own = self._own_logits
        others = np.where(np.arange(logits.shape[0])[:, None] == self._likeliest, -np.inf, logits)
        return np.asarray(own - np.max(others, axis=0))

    @property
    def probability(self) -> FloatArray:
        """For each group, (K,), the softmax probability of its likeliest label."""
        logits, own = self._own_logits
        top = np.max(logits, axis=0)
        return np.asarray(np.exp(own - top) / np.sum(np.exp(logits - top), axis=0))

    @property
    def rank(self) -> int:
        """The rank of the logits without the bias: the width a network needs to reach this answer.

        Singular values below 1e-7 of the largest count as zero; `mdtheory.rank_bounds` says what is proved about them.
        """
        values = self.singular_values
        return int(np.sum(values > _RANK_TOLERANCE * values[0])) if values.size and values[0] > 0 else 0

    @property
    def geometry(self) -> str:
        """Name of the arrangement of the class means.

        "collapsed-to-zero", "equal-means", "partly-collapsed" (some class means vanish), "merged" (some coincide),
        "orthogonal-frame", "simplex-etf", "equiangular-frame", "regular-polygon" or "general": see
        `neural_collapse.arrangement`.
        """
        from mdtheory.neural_collapse import arrangement

        return arrangement(self.class_means)

    @cached_property
    def _likeliest(self) -> NDArray[np.int64]:
        return np.asarray(np.argmax(duality.label_columns(self.problem), axis=0), dtype=np.int64)

    @property
    def _own_logits(self) -> tuple[FloatArray, FloatArray]:
        logits = self.logits
        return logits, logits[self._likeliest, np.arange(logits.shape[1])]


@dataclass(frozen=True, eq=False)
class LogitsSolution(UFMSolution):
    """Free features: a point of the convex problem in the logits.

    Attributes
    ----------
    logits_problem : LogitsProblem
    point : tuple of arrays
        The blocks of ``X = Z diag(sqrt pi)``, and the bias where there is one.
    dual_columns : array (N, terms)
        Of the representative columns.
    """

    logits_problem: LogitsProblem
    point: Blocks
    dual_columns: FloatArray

    @cached_property
    def objective(self) -> float:
        """The objective at the logits, from the nuclear norm: an upper bound on the optimum."""
        return self.logits_problem.objective(self.point)

    @cached_property
    def lower_bound(self) -> float:
        """A lower bound on the optimum, recomputed from the dual point."""
        return self.logits_problem.dual_value(self.dual_columns)

    @property
    def logits(self) -> FloatArray:
        """Z + b (N, K): column k holds the logits of group k, with the bias."""
        self._check_size()
        frame = self.logits_problem.frame
        return frame.full(frame.columns(self._blocks)) + self.bias[:, None]

    @property
    def bias(self) -> FloatArray:
        """b (N,), zero without a bias."""
        return self.logits_problem.split(self.point)[1]

    @cached_property
    def singular_values(self) -> FloatArray:
        """The singular values of ``Z diag(sqrt pi)``, without the bias, in decreasing order."""
        return self.logits_problem.frame.singular_values(self._blocks)

    @property
    def weights(self) -> FloatArray:
        """W (N, M) ``= (lambda_H/lambda_W)^(1/4) U S^(1/2)`` from ``Z diag(sqrt pi) = U S V'``."""
        u, s, _ = self._factors
        return np.asarray(u * np.sqrt(s) / self._balance)

    @property
    def class_means(self) -> FloatArray:
        """H (M, K) ``= (lambda_W/lambda_H)^(1/4) S^(1/2) V' diag(1/sqrt pi)``."""
        _, s, vt = self._factors
        scaled = np.sqrt(s)[:, None] * vt * self._balance
        return np.asarray(scaled / np.sqrt(duality.group_weights(self.problem)))

    @property
    def dual(self) -> FloatArray:
        """A feasible dual point (N, terms): one vector for each term of the loss (`LabelLoss`)."""
        self._check_size()
        return self.logits_problem.frame.full(self.dual_columns)

    @property
    def _blocks(self) -> Blocks:
        return self.logits_problem.split(self.point)[0]

    @property
    def _balance(self) -> float:
        return float((self.problem.weight_decay / self.problem.feature_decay) ** 0.25)

    @cached_property
    def _factors(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The singular value decomposition of X with exactly M columns."""
        self._check_size()
        frame = self.logits_problem.frame
        scaled = frame.full(frame.columns(self._blocks)) * np.sqrt(duality.group_weights(self.problem))
        u, s, vt = np.linalg.svd(scaled, full_matrices=False)
        # The square roots of rounding errors would be visible columns.
        s = np.where(s > max(scaled.shape) * np.finfo(np.float64).eps * s[0], s, 0.0)
        dim = self.problem.feature_dim if self.problem.feature_dim is not None else scaled.shape[0]
        missing = max(dim - s.size, 0)
        return (
            np.pad(u[:, :dim], ((0, 0), (0, missing))),
            np.pad(s[:dim], (0, missing)),
            np.pad(vt[:dim], ((0, missing), (0, 0))),
        )

    def _check_size(self) -> None:
        n, k = int(self.problem.num_classes), self.problem.num_groups
        size = 8 * n * max(k, self.problem.feature_dim or 0)
        if size > _MAX_BYTES:
            raise fail("num_classes", n, f"explicit matrices would take {size} bytes, the limit is {_MAX_BYTES}")


@dataclass(frozen=True, eq=False)
class FactorsSolution(UFMSolution):
    """Nonnegative features, or fewer dimensions than the convex optimum needs: explicit factors.

    Attributes
    ----------
    factors : tuple of arrays (N, M), (M, K), (N,)
        W, H and b.
    dual_terms : array (N, terms)
    dual_multiplier : array (K, K) or None
    """

    factors: tuple[FloatArray, FloatArray, FloatArray]
    dual_terms: FloatArray
    dual_multiplier: FloatArray | None = None

    @cached_property
    def objective(self) -> float:
        """The objective at the factors: an upper bound on the optimum."""
        return duality.objective(self.problem, *self.factors)

    @cached_property
    def lower_bound(self) -> float:
        """A lower bound on the optimum, recomputed from the dual point: it holds for every dimension."""
        return duality.lower_bound(self.problem, self.dual_terms, self.dual_multiplier)

    @property
    def status(self) -> Status:
        """OPTIMAL if the gap closes to the tolerance, else BOUNDED: the optimum lies between the two bounds.

        The squared error in few dimensions is optimal by theorem, although its lower bound ignores the dimension.
        """
        truncated = self.method == "closed-form" and not self.problem.nonnegative
        return Status.OPTIMAL if truncated or self.relative_gap <= self.tolerance else Status.BOUNDED

    @property
    def logits(self) -> FloatArray:
        """Z + b (N, K): column k holds the logits of group k, with the bias."""
        weights, means, bias = self.factors
        return np.asarray(weights @ means + bias[:, None])

    @property
    def weights(self) -> FloatArray:
        """W (N, M): row n is the classifier w_n."""
        return self.factors[0]

    @property
    def class_means(self) -> FloatArray:
        """H (M, K): column k is the class mean h_k."""
        return self.factors[1]

    @property
    def bias(self) -> FloatArray:
        """b (N,), zero without a bias."""
        return self.factors[2]

    @property
    def dual(self) -> FloatArray:
        """A dual point (N, terms): one vector for each term of the loss (`LabelLoss`)."""
        return self.dual_terms

    @property
    def multiplier(self) -> FloatArray | None:
        """The multiplier (K, K) of the nonnegative Gram matrix; None for free features."""
        return self.dual_multiplier

    @cached_property
    def singular_values(self) -> FloatArray:
        """The singular values of ``Z diag(sqrt pi)``, without the bias, in decreasing order."""
        weights, means, _ = self.factors
        scaled = weights @ means * np.sqrt(duality.group_weights(self.problem))
        return np.asarray(np.linalg.svd(scaled, compute_uv=False))
