"""The answer to a symmetric features model: a margin, and everything that follows from it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, scalar_or_array
from mdtheory.models.features import bounds as features_bound
from mdtheory.models.features.geometry import (
    bias_vector,
    class_mean_columns,
    dual_columns,
    gram_multiplier,
    weight_rows,
    weighted_singular_values,
)
from mdtheory.models.features.problem import UFM
from mdtheory.models.features.solution import UFMSolution
from mdtheory.models.solution import Number
from mdtheory.models.status import Status

# Far above the rounding errors of the bounds in closed form, and far below what is worth knowing.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class MarginSolution(UFMSolution):
    r"""The minimiser of an unconstrained features model.

    Scalar fields have the broadcast shape of the problem's parameters (with class weights, per-class fields have a
    trailing class axis); matrices get that shape in front. Everything but the margin is derived from it on access.

    Attributes
    ----------
    problem : UFM
    margin : float or array
        s, the own logit minus any other; negative only where a loss that is not convex is best on the wrong side.
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: UFM
    margin: Number
    method: str
    tolerance: float = TOLERANCE

    _shown: ClassVar[tuple[str, ...]] = ("margin", "geometry")

    @property
    def probability(self) -> Number:
        """Softmax probability of the own class at the symmetric logits, ``1/(1 + (N-1) e^-s)``."""
        rest = np.subtract(self._classes, 1.0)
        return scalar_or_array(1.0 / (1.0 + rest * np.exp(-np.asarray(self.margin))))

    @cached_property
    def objective(self) -> Number:
        """The optimal value: mean loss plus decay."""
        return scalar_or_array(features_bound.ufm_objective(self.problem, np.asarray(self.margin)))

    @cached_property
    def lower_bound(self) -> Number:
        """A lower bound on the optimum, from a dual point built from the answer alone."""
        return scalar_or_array(features_bound.ufm_lower_bound(self.problem, np.asarray(self.margin)))

    def _when_open(self) -> Status:
        return Status.INACCURATE if self.problem.loss.is_convex else Status.OBSERVED

    @property
    def mean_gain(self) -> Number:
        """B, the logit sum of a class mean: zero for shift-invariant losses, 1 for the squared error with a bias."""
        if self.problem.loss.shift_invariant:
            return 0.0
        if self.problem.bias:
            return 1.0
        n = np.asarray(self.problem.num_classes, dtype=np.float64)
        return scalar_or_array(np.maximum(1.0 - 2.0 * np.sqrt(n) * np.asarray(self.problem.mu), 0.0))

    @property
    def geometry(self) -> str | Any:
        """Name of the arrangement of the class means.

        "simplex-etf", "orthogonal-frame", "collapsed-to-zero", "equal-means" (equal and nonzero),
        "equiangular-frame" (any other common angle), or, with class weights, "partly-collapsed".
        """
        problem, alive = self.problem, np.asarray(self.margin) != 0
        name = "orthogonal-frame" if problem.nonnegative else "simplex-etf"
        if problem.class_weights is not None:
            some, every = np.any(alive, axis=-1), np.all(alive, axis=-1)
            names = np.where(every, name, np.where(some, "partly-collapsed", "collapsed-to-zero"))
        elif problem.pays_for_mean:
            gain = np.asarray(self.mean_gain)
            frame = np.where(np.isclose(gain, self.margin, rtol=1e-15, atol=0), "orthogonal-frame", "equiangular-frame")
            names = np.where(alive, frame, np.where(gain > 0, "equal-means", "collapsed-to-zero"))
        else:
            names = np.where(alive, name, "collapsed-to-zero")
        return str(names) if names.ndim == 0 else names

    @property
    def class_means(self) -> FloatArray:
        """H (..., M, N): column n is the class mean h_n, so that ``weights @ class_means`` are the centred logits."""
        return class_mean_columns(self)

    @property
    def weights(self) -> FloatArray:
        """W (..., N, M): row n is the classifier w_n."""
        return weight_rows(self)

    @property
    def logits(self) -> FloatArray:
        """Z (..., N, N): column n holds the logits of class n, with the bias where there is one."""
        logits = self.weights @ self.class_means
        if not self.problem.loss.shift_invariant and self.problem.bias:
            return logits + 1.0 / np.asarray(self.problem.num_classes, dtype=np.float64)[..., None, None]
        return np.asarray(logits)

    @property
    def bias(self) -> FloatArray:
        """b (..., N): the unregularised bias of the squared error is 1/N, every other one zero."""
        return bias_vector(self)

    @cached_property
    def singular_values(self) -> FloatArray:
        """The singular values (..., N) of ``Z diag(sqrt pi)``, without the bias, in decreasing order."""
        return weighted_singular_values(self)

    @property
    def rank(self) -> int | Any:
        """The rank of the logits without the bias: N - 1 if no margin is zero, one more with a mean logit."""
        alive = np.asarray(self.margin) != 0
        most = np.asarray(self.problem.num_classes, dtype=np.int64) - 1
        if self.problem.class_weights is not None:
            rank = np.minimum(np.sum(alive, axis=-1), most)
        else:
            rank = alive * most + (self.problem.pays_for_mean & (np.asarray(self.mean_gain) > 0))
        return int(rank) if np.ndim(rank) == 0 else np.asarray(rank, dtype=np.int64)

    @property
    def dual(self) -> FloatArray:
        """The dual point V (..., N, N) of `lower_bound`, one column for each class, where the loss is convex.

        Raises
        ------
        AssumptionError
            If the loss is not convex: then the lower bound is not that of a dual point.
        """
        if not self.problem.loss.is_convex:
            raise fail("loss", self.problem.loss, "must be convex in the logits for a dual point")
        return dual_columns(self)

    @property
    def multiplier(self) -> FloatArray | None:
        """The multiplier (..., N, N) of the nonnegative Gram matrix; None for free features."""
        return gram_multiplier(self) if self.problem.nonnegative else None

    @property
    def _classes(self) -> FloatArray:
        n = np.asarray(self.problem.num_classes, dtype=np.float64)
        return n if self.problem.class_weights is None else n[..., None]
