"""Solutions of problems that are not symmetric: logits, or explicit factors, with a dual point."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.models.features import duality
from mdtheory.models.features.factors import Factors
from mdtheory.models.features.logits_problem import LogitsProblem
from mdtheory.models.features.narrow import narrow_bound
from mdtheory.models.features.problem import UFM
from mdtheory.models.features.solution import UFMSolution
from mdtheory.models.features.symmetry import Blocks
from mdtheory.models.status import Status
from mdtheory.neural_collapse import arrangement

# Explicit matrices above this size are refused before they are allocated.
_MAX_BYTES = 2**31
# Singular values below this, relative to the largest, count as zero in the rank.
_RANK_TOLERANCE = 1e-7
# The objective must be known this well, relative to itself, before a gap says anything.
_KNOWN = 1e-9
# Less than this, relative to the objective, is what a product of factors is rounded by.
_ROUNDING = 1e-12
# Factors up to this size are multiplied out to see what objective they realise.
_MULTIPLIED = 200


class _GeneralSolution(UFMSolution):
    """What follows from the logits of a problem of one point."""

    @property
    def status(self) -> Status | NDArray[np.int64]:
        """OPTIMAL if the relative gap is within `tolerance`; else INACCURATE, or BOUNDED where the problem is not convex.

        A gap without correct digits is none: where rounding alone could have closed it, the status is not OPTIMAL.
        """
        found = super().status
        known = self._gap_error <= max(self.tolerance, _KNOWN) * float(self._size)
        return found if known or found != Status.OPTIMAL else self._when_open()

    @property
    def _gap_error(self) -> float:
        """Above the rounding error of the gap."""
        raise NotImplementedError

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
        return arrangement(self.class_means)

    @cached_property
    def _likeliest(self) -> NDArray[np.int64]:
        return np.asarray(np.argmax(self.problem.labels, axis=0), dtype=np.int64)

    @property
    def _own_logits(self) -> tuple[FloatArray, FloatArray]:
        logits = self.logits
        return logits, logits[self._likeliest, np.arange(logits.shape[1])]


@dataclass(frozen=True, eq=False, repr=False)
class LogitsSolution(_GeneralSolution):
    """Free features: a point of the convex problem in the logits.

    Attributes
    ----------
    problem : UFM
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    logits_problem : LogitsProblem
    point : tuple of arrays
        The blocks of ``X = Z diag(sqrt pi)``, and the bias where there is one.
    dual_columns : array (N, terms)
        Of the representative columns.
    """

    problem: UFM
    method: str
    tolerance: float
    logits_problem: LogitsProblem
    point: Blocks
    dual_columns: FloatArray

    @classmethod
    def at(
        cls, logits: LogitsProblem, point: Blocks, method: str, tolerance: float, dual: FloatArray | None = None
    ) -> "LogitsSolution":
        """A point with the best dual point found from its gradients, or the given one if that is better."""
        if logits.problem.bias and logits.problem.loss.shift_invariant and logits.problem.bias_decay == 0:
            # Nothing determines a shift of all logits; the one with mean zero is the least.
            blocks, bias = logits.split(point)
            point = logits.with_bias(blocks, bias - np.mean(bias))
        bound, found = max(logits.dual_point(point), logits.polar_dual(point), key=lambda candidate: candidate[0])
        if dual is not None:
            given, scaled = logits.feasible_dual(dual)
            found = scaled if given > bound else found
        return cls(logits.problem, method, tolerance, logits.with_temperature(0.0), point, found)

    @cached_property
    def objective(self) -> float:
        """The objective at the logits, from the nuclear norm: an upper bound on the optimum.

        That of `weights` and `class_means` where these, rounded or cut to `feature_dim`, realise a larger one.
        """
        value = self.logits_problem.objective(self.point)
        shape, dim = (int(self.problem.num_classes), self.problem.num_groups), self.problem.feature_dim
        if max(shape) > _MULTIPLIED and (dim is None or dim >= min(shape)):
            return value
        with np.errstate(under="ignore"):
            realised = duality.objective(self.problem, self.weights, self.class_means, self.bias)
        return realised if realised > value * (1.0 + _ROUNDING) else value

    @property
    def _gap_error(self) -> float:
        return self.logits_problem.objective_error(self.point) + self.logits_problem.bound_error(self.dual_columns)

    @cached_property
    def lower_bound(self) -> float:
        """A lower bound on the optimum, recomputed from the dual point."""
        dual = self.logits_problem.feasible_dual(self.dual_columns)
        return duality.without_noise(dual[0], self.logits_problem.bound_error(dual[1]))

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
        return np.asarray(scaled / np.sqrt(self.problem.proportions))

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
        scaled = frame.full(frame.columns(self._blocks)) * np.sqrt(self.problem.proportions)
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


@dataclass(frozen=True, eq=False, repr=False)
class FactorsSolution(_GeneralSolution):
    """Nonnegative features, or fewer dimensions than the convex optimum needs: explicit factors.

    Attributes
    ----------
    problem : UFM
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    factors : Factors
        W (N, M), H (M, K) and b (N,).
    dual_terms : array (N, terms)
    dual_multiplier : array (K, K) or None
    """

    problem: UFM
    method: str
    tolerance: float
    factors: Factors
    dual_terms: FloatArray
    dual_multiplier: FloatArray | None = None

    @cached_property
    def objective(self) -> float:
        """The objective at the factors: an upper bound on the optimum."""
        return duality.objective(self.problem, *self.factors)

    @cached_property
    def lower_bound(self) -> float:
        """A lower bound on the optimum, recomputed from the dual point: it holds for every dimension.

        For the squared error without a regularised bias there is one that knows the dimension.
        """
        point = duality.feasible_dual(self.problem, self.dual_terms, self.dual_multiplier)
        bound, error = duality.dual_value(self.problem, point), duality.bound_error(self.problem, point)
        return max(duality.without_noise(bound, error), narrow_bound(self.problem))

    def _when_open(self) -> Status:
        return Status.BOUNDED

    @property
    def _gap_error(self) -> float:
        point = duality.feasible_dual(self.problem, self.dual_terms, self.dual_multiplier)
        return duality.objective_error(self.problem, *self.factors) + duality.bound_error(self.problem, point)

    @property
    def logits(self) -> FloatArray:
        """Z + b (N, K): column k holds the logits of group k, with the bias."""
        return self.factors.logits

    @property
    def weights(self) -> FloatArray:
        """W (N, M): row n is the classifier w_n."""
        return self.factors.weights

    @property
    def class_means(self) -> FloatArray:
        """H (M, K): column k is the class mean h_k."""
        return self.factors.class_means

    @property
    def bias(self) -> FloatArray:
        """b (N,), zero without a bias."""
        return self.factors.bias

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
        scaled = weights @ means * np.sqrt(self.problem.proportions)
        return np.asarray(np.linalg.svd(scaled, compute_uv=False))
