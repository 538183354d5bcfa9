"""Cross-entropy with label smoothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, Real, unit_interval
from mdtheory.losses.base import (
    Column,
    Curvature,
    TargetLoss,
    anchors,
    as_logits,
    entropy_of,
    logistic,
    margin_from_remaining,
    smoothed_slope,
    softmax_pair,
    x_log_x,
)
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics import ball_arithmetic as balls

if TYPE_CHECKING:
    import cvxpy
    import sympy

# Smoothing from which a slope near margin 0 loses a digit to cancellation.
_STRONG = 0.9


_EPS = float(np.finfo(np.float64).eps)


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

    if TYPE_CHECKING:

        def __init__(self, smoothing: ArrayLike = 0.0) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "smoothing", unit_interval("smoothing", self.smoothing))

    def target_value(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        # The target sums to one, so a shift of the logits by their maximum cancels before anything large is formed.
        shifted = logits - logits.max(axis=-1, keepdims=True)
        # The largest term of the sum is one: what exceeds it keeps its digits however small it is.
        terms = np.exp(shifted)
        np.put_along_axis(terms, logits.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return np.asarray(np.log1p(terms.sum(axis=-1)) - (target * shifted).sum(axis=-1))

    def target_gradient(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        # p - 1 loses the digits that the other probabilities keep; the sum is zero.
        slope, anchor = _softmax(logits) - target, anchors(target)
        return np.where(anchor, -np.sum(np.where(anchor, 0.0, slope), axis=-1, keepdims=True), slope)

    def target_conjugate(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        q, anchor = dual + target, anchors(target)
        rounding = 4.0 * np.finfo(np.float64).eps
        inside = np.all(q >= -rounding * target, axis=-1)
        inside &= np.abs(np.sum(dual, axis=-1)) <= rounding * (q.shape[-1] + np.sum(np.abs(dual), axis=-1))
        rest = np.where(anchor, 0.0, np.maximum(q, 0.0))
        wrong = np.minimum(np.sum(rest, axis=-1), 1.0)
        # (1-w) log(1-w) of the largest entry from the small ones, so that a small entropy keeps its digits.
        own = (1.0 - wrong) * np.log1p(-wrong, where=wrong < 1, out=np.zeros_like(wrong))
        return np.asarray(np.where(inside, np.sum(x_log_x(rest), axis=-1) + own, np.inf))

    def target_floor(self, target: FloatArray) -> FloatArray:
        return -target

    def target_value_scale(self, logits: FloatArray, sizes: FloatArray, target: FloatArray) -> FloatArray:
        shifted = logits - logits.max(axis=-1, keepdims=True)
        size = np.sum(np.abs(self.target_gradient(logits, target)) * sizes, axis=-1)
        return np.asarray(self.target_value(logits, target) + size + np.sum(target * np.abs(shifted), axis=-1))

    def target_conjugate_scale(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        numbers = np.abs(dual) + np.where(anchors(target), 0.0, target)
        q = np.where(dual + target > 0, dual + target, 1.0)
        return np.asarray(np.sum(numbers * (1.0 + np.abs(np.log(q))), axis=-1))

    def logits_reach(self, logits: FloatArray, centre: FloatArray, budget: FloatArray) -> FloatArray:
        # KL(q || softmax z) <= budget with q the centre: the binary divergence of each entry confines its logarithm.
        shifted = logits - np.max(logits, axis=-1, keepdims=True)
        stored = shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
        low, high = _log_intervals(np.clip(centre, 0.0, 1.0), budget[..., None])
        reach = np.maximum(np.maximum(stored - low, high - stored), 0.0) + 64.0 * _EPS * (1.0 + np.abs(stored))
        return np.asarray(np.linalg.norm(reach, axis=-1))

    def ball_target_value(self, logits: Column, target: Column) -> Any:
        # The target sums to one: logits relative to one of them, so that a small loss is no difference of large numbers.
        top = max(range(len(logits)), key=lambda j: float(logits[j].mid()))
        rest = [y * (logits[top] - z) for j, (z, y) in enumerate(zip(logits, target, strict=True)) if j != top]
        return balls.soft_excess(logits, top) + balls.total(rest)

    def ball_target_conjugate(self, dual: Column, target: Column) -> Any:
        from flint import arb

        anchor = max(range(len(target)), key=lambda j: float(target[j].mid()))
        # Entries of the domain are nonnegative, whatever their balls say.
        rest = [(v + y).max(arb(0)) for j, (v, y) in enumerate(zip(dual, target, strict=True)) if j != anchor]
        wrong = balls.total(rest)
        return balls.total([balls.x_log_x(q) for q in rest]) + balls.complement_log(wrong.min(arb(1)))

    def ball_target_floor(self, target: Column) -> list[Any]:
        return [-y for y in target]

    def target_atom(self, logits: "cvxpy.Expression", target: FloatArray) -> "cvxpy.Expression":
        import cvxpy as cp

        return cp.log_sum_exp(logits) - target @ logits

    def profile_atom(self, margins: "cvxpy.Expression") -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        return cp.logistic(-margins) + 0.5 * float(np.asarray(self.smoothing)) * margins, []

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


def _log_intervals(q: FloatArray, budget: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The log-probabilities t with ``kl(q, e^t) <= budget``, rounded outward by bisection."""
    allowed = budget + 64.0 * _EPS
    with np.errstate(all="ignore"):
        log_q, rest = np.log(q), np.where(q < 1, (1.0 - q) * np.log1p(-q), 0.0)

        def divergence(t: FloatArray) -> FloatArray:
            own = np.where(q > 0, q * (log_q - t), 0.0)
            other = np.where(q < 1, rest - (1.0 - q) * np.log(-np.expm1(t)), 0.0)
            return np.asarray(own + other)

        low = np.where(q > 0, log_q - (allowed - rest) / q - 1.0, -np.inf)
        high, inside_low, inside_high = np.zeros(q.shape), log_q, np.where(q > 0, log_q, -745.0)
        for _ in range(100):
            middle = 0.5 * (low + inside_low)
            out = divergence(middle) > allowed
            low, inside_low = np.where(out, middle, low), np.where(out, inside_low, middle)
            middle = 0.5 * (high + inside_high)
            out = divergence(middle) > allowed
            high, inside_high = np.where(out, middle, high), np.where(out, inside_high, middle)
    return np.where(q > 0, low, -np.inf), high
