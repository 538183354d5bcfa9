"""Cross-entropy with label smoothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.losses.base import (
    Curvature,
    TargetLoss,
    as_logits,
    entropy_of,
    logistic,
    margin_from_remaining,
    smoothed_slope,
    softmax_pair,
    x_log_x,
)
from mdtheory.margin_cost import MarginCost
from mdtheory.validation import FloatArray, Real, unit_interval

if TYPE_CHECKING:
    import cvxpy
    import sympy

# Smoothing from which a slope near margin 0 loses a digit to cancellation.
_STRONG = 0.9


@dataclass(frozen=True, eq=False)
class CrossEntropy(TargetLoss):
    r"""Cross-entropy with label smoothing, ``lse(z) - <y_n, z>`` with ``y_n = (1-alpha) e_n + alpha/N``.

    Two classes: :math:`\varphi(t) = \log(1+e^{-t}) + \alpha t/2`. The margin equation
    ``1 - p = (N-1) alpha/N + kappa`` has the root ``s = log((N-1) p/(1-p))``.

    Parameters
    ----------
    smoothing : float or array, default 0
        Label smoothing alpha in [0, 1).

    Raises
    ------
    AssumptionError
        If `smoothing` is outside [0, 1).

    References
    ----------
    Nguyen et al., *Memorization-Dilation*, ICLR 2023, section 2.

    Examples
    --------
    >>> round(CrossEntropy(smoothing=0.1).profile_minimizer().item(), 12)     # log(1.9 / 0.1)
    2.944438979166
    """

    smoothing: Real = 0.0

    symbols: ClassVar[dict[str, str]] = {"smoothing": "alpha"}
    analytic_strip: ClassVar[float] = np.pi

    def __post_init__(self) -> None:
        object.__setattr__(self, "smoothing", unit_interval("smoothing", self.smoothing))

    def target_value(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        # The target sums to one, so a shift of the logits by their maximum cancels before anything large is formed.
        shifted = logits - logits.max(axis=-1, keepdims=True)
        return np.asarray(np.log(np.exp(shifted).sum(axis=-1)) - (target * shifted).sum(axis=-1))

    def target_gradient(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        return _softmax(logits) - target

    def target_conjugate(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        q = dual + target
        inside = np.all(q >= -1e-12, axis=-1) & (np.abs(np.sum(q, axis=-1) - 1.0) <= 1e-12)
        return np.asarray(np.where(inside, np.sum(x_log_x(np.maximum(q, 0.0)), axis=-1), np.inf))

    def target_atom(self, logits: "cvxpy.Expression", target: FloatArray) -> "cvxpy.Expression":
        import cvxpy as cp

        return cp.log_sum_exp(logits) - target @ logits

    def curvature(self, logits: ArrayLike, label: ArrayLike | None = None) -> Curvature:
        p = _softmax(as_logits(logits))
        return Curvature(p, ((np.full(p.shape[:-1], -1.0), p),))

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        s, rest = np.asarray(margin, dtype=np.float64), np.subtract(num_classes, 1.0)
        return np.asarray(np.logaddexp(0.0, np.log(rest) - s) + self.smoothing * s * rest / (rest + 1.0))

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        rest = np.subtract(num_classes, 1.0)
        wrong = logistic(np.log(rest) - margin)
        slope = self.smoothing * rest / (rest + 1.0) - wrong
        if np.any(np.asarray(self.smoothing) > _STRONG):
            return _near_uniform(slope, self.smoothing, np.asarray(margin), wrong, rest)
        return np.asarray(slope)

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        shifted = np.subtract(margin, np.log(np.subtract(num_classes, 1.0)))
        return logistic(shifted) * logistic(-shifted)

    def slope_and_curvature(self, margin: FloatArray) -> tuple[FloatArray, FloatArray]:
        wrong = 1.0 / (1.0 + np.exp(np.minimum(margin, 700.0)))
        slope = 0.5 * self.smoothing - wrong
        if np.any(np.asarray(self.smoothing) > _STRONG):
            slope = _near_uniform(slope, self.smoothing, margin, wrong, np.ones(()))
        return slope, wrong * (1.0 - wrong)

    def log_force(self, margin: FloatArray) -> FloatArray:
        log_wrong = -np.logaddexp(0.0, margin)
        with np.errstate(divide="ignore"):
            share = np.exp(np.minimum(np.log(self.smoothing) - np.log(2.0) - log_wrong, 0.0))
            return np.asarray(log_wrong + np.log1p(-share))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        rest = np.subtract(num_classes, 1.0)
        return -entropy_of(self.smoothing * rest / (rest + 1.0) - np.asarray(slope), num_classes)

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        with np.errstate(divide="ignore", over="ignore"):
            ratio = np.multiply(num_classes, np.divide(np.subtract(1.0, self.smoothing), self.smoothing))
            # The ratio overflows for subnormal smoothing, its logarithm does not.
            split = np.log(num_classes) - np.log(self.smoothing)
        return np.asarray(np.where(np.isfinite(ratio), np.log1p(ratio), split))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        complement = (n - 1.0) / n * self.smoothing + cost.value
        return margin_from_remaining(
            cost.remaining(self.critical_cost(n), smoothed_slope, self.smoothing, n), complement, n
        )

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        return np.asarray((1.0 - np.asarray(self.smoothing)) * ((n - 1.0) / n))

    def paired_slopes_at(self, centre: FloatArray) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
        return softmax_pair(centre)

    def paired_slopes(self, centre: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.paired_slopes_at(centre)(offset)

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        import sympy as sp

        (alpha,) = parameters
        return sp.log(1 + (num_classes - 1) * sp.exp(-margin)) + alpha * margin * (num_classes - 1) / num_classes


def _near_uniform(
    slope: FloatArray, smoothing: Real, margin: FloatArray, wrong: FloatArray, rest: FloatArray
) -> FloatArray:
    """The slope of the profile, by way of ``f'(0)`` near margin 0: with strong smoothing the plain difference cancels."""
    near = np.minimum(np.abs(margin), 1.0) * np.sign(margin)
    stable = (wrong * np.expm1(near) - (1.0 - np.asarray(smoothing)) * rest) / (rest + 1.0)
    return np.where(np.abs(margin) < 1.0, stable, slope)


def _softmax(logits: FloatArray) -> FloatArray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray(weights)
