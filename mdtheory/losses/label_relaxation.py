"""Label relaxation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import FloatArray, Real, real
from mdtheory.losses.base import (
    Column,
    Curvature,
    Loss,
    as_logits,
    binary_entropy,
    log_sum_exp,
    logistic,
    margin_from_remaining,
    one_hot,
    own_and_rest,
    softmax_pair,
    x_log_x,
)
from mdtheory.losses.hinge import simplex_dual
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics import ball_arithmetic as balls
from mdtheory.numerics import double_double as dd

if TYPE_CHECKING:
    import cvxpy
    import sympy


@dataclass(frozen=True, eq=False)
class LabelRelaxation(Loss):
    r"""Label relaxation: the divergence from the nearest distribution that gives the label at least ``1 - alpha``.

    ``(1-alpha) log((1-alpha)/p) + alpha log(alpha/(1-p))`` while the own-class probability p is below
    ``1 - alpha``, and 0 beyond. A convex nonincreasing function of ``u = z_n - lse(z_j, j != n)``. Two classes:
    :math:`\varphi(t) = \log(1+e^t) - (1-\alpha)t - H_2(\alpha)` up to
    :math:`t_\infty = \log((1-\alpha)/\alpha)`.

    Parameters
    ----------
    relaxation : float or array
        The relaxation alpha in (0, 1).

    Raises
    ------
    AssumptionError
        If `relaxation` is outside (0, 1).

    References
    ----------
    Lienen and Hüllermeier, *From label smoothing to label relaxation*, AAAI 2021.

    Examples
    --------
    >>> LabelRelaxation(0.1).value([5.0, 0.0], 0).item()     # p > 0.9 already
    0.0
    """

    relaxation: Real

    symbols: ClassVar[dict[str, str]] = {"relaxation": "alpha"}
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("relaxation", r"\alpha", "label relaxation", help="label relaxation in (0, 1)"),
    )
    analytic_strip: ClassVar[float] = np.pi

    if TYPE_CHECKING:

        def __init__(self, relaxation: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        value = real("relaxation", self.relaxation, lambda x: (x > 0) & (x < 1), "lie in (0, 1)")
        object.__setattr__(self, "relaxation", value)

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return self._of_log_odds(_log_odds(as_logits(logits), label))

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        own, rest = own_and_rest(z, label)
        lse_rest = log_sum_exp(z, where=rest)
        slope = self._slope_of_log_odds(own - lse_rest)[..., None]
        weights = np.where(rest, np.exp(np.where(rest, z, -np.inf) - lse_rest[..., None]), 0.0)
        return np.where(rest, -slope * weights, slope)

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature:
        z = as_logits(logits)
        own, rest = own_and_rest(z, label)
        lse_rest = log_sum_exp(z, where=rest)
        u = own - lse_rest
        weights = np.where(rest, np.exp(np.where(rest, z, -np.inf) - lse_rest[..., None]), 0.0)
        slope = self._slope_of_log_odds(u)
        bend = np.where(u < self.profile_minimizer(), logistic(u) * logistic(-u), 0.0)
        return Curvature(-slope[..., None] * weights, ((slope, weights), (bend, np.where(rest, -weights, 1.0))))

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        v, alpha = as_logits(dual), np.asarray(self.relaxation)
        tau, inside = simplex_dual(v, label)
        inside &= tau <= (1.0 - alpha) * (1.0 + 8.0 * np.finfo(np.float64).eps)
        tau = np.minimum(tau, 1.0 - alpha)
        _, rest = own_and_rest(v, label)
        spread = np.sum(x_log_x(np.where(rest, np.maximum(v, 0.0), 0.0)), axis=-1) - x_log_x(tau)
        return np.asarray(np.where(inside, spread - _entropy_rise(alpha, tau), np.inf))

    @property
    def steepest_dual(self) -> FloatArray:  # type: ignore[override]  # an instance fact here, a class fact elsewhere
        """``1 - alpha``."""
        return np.asarray(np.subtract(1.0, self.relaxation))

    def dual_floor(self, label: ArrayLike, num_classes: int) -> FloatArray:
        return np.where(one_hot(label, num_classes) > 0, -self.steepest_dual[..., None], 0.0)

    def conjugate_scale(self, dual: FloatArray, label: ArrayLike) -> FloatArray:
        alpha, size = np.asarray(self.relaxation), np.abs(dual)
        tau = np.sum(size, axis=-1)
        logs = np.abs(np.log(alpha)) + np.abs(np.log1p(-alpha))
        spread = np.sum(np.abs(x_log_x(size)), axis=-1) + np.abs(x_log_x(tau))
        return np.asarray(spread + tau * (3.0 + logs + tau / alpha))

    def ball_value(self, logits: Column, label: int) -> Any:
        from flint import arb

        alpha = arb(float(np.asarray(self.relaxation)))
        others = [z for j, z in enumerate(logits) if j != label]
        # The loss is constant beyond the log-odds at which it reaches zero.
        u, kink = logits[label] - balls.log_sum_exp(others), (1 - alpha).log() - alpha.log()
        if u >= kink:
            return arb(0)
        u = u.min(kink)
        entropy = -balls.x_log_x(alpha) - balls.x_log_x(1 - alpha)
        return balls.log_sum_exp([arb(0), u]) - (1 - alpha) * u - entropy

    def ball_conjugate(self, dual: Column, label: int) -> Any:
        from flint import arb

        alpha = arb(float(np.asarray(self.relaxation)))
        others = [v for j, v in enumerate(dual) if j != label]
        tau = balls.total(others)
        spread = balls.total([balls.x_log_x(v) for v in others]) - balls.x_log_x(tau)
        left = (1 - alpha - tau).max(arb(0))
        shrink = tau / (1 - alpha)
        fall = left * (-shrink).log1p() if shrink < 1 else balls.x_log_x(left) - left * (1 - alpha).log()
        rise = (alpha + tau) * (tau / alpha).log1p() + tau * (alpha.log() - (-alpha).log1p())
        return rise + fall + spread

    def ball_floor(self, label: int, num_classes: int) -> list[Any]:
        from flint import arb

        alpha = arb(float(np.asarray(self.relaxation)))
        return [alpha - 1 if j == label else arb(0) for j in range(num_classes)]

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        alpha = float(self.relaxation)
        rest = [j for j in range(logits.size) if j != label]
        log_odds = cp.Variable()
        constraints = [
            cp.log_sum_exp(logits[rest]) <= logits[label] - log_odds,
            log_odds <= np.log((1 - alpha) / alpha),
        ]
        return cp.logistic(log_odds) - (1 - alpha) * log_odds - float(binary_entropy(alpha)), constraints

    def profile_atom(self, margins: "cvxpy.Expression") -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        # phi falls up to its minimiser and is flat beyond: any u below both the margin and the minimiser bounds it.
        alpha, u = float(np.asarray(self.relaxation)), cp.Variable(margins.size)
        values = cp.logistic(u) - (1.0 - alpha) * u - float(binary_entropy(alpha))
        return values, [u <= margins, u <= float(self.profile_minimizer())]

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        distance = self.profile_minimizer(num_classes) - np.asarray(margin, dtype=np.float64)
        return self._value_before_minimizer(_shifted(margin, num_classes), distance)

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        distance = self.profile_minimizer(num_classes) - np.asarray(margin, dtype=np.float64)
        return self._slope_before_minimizer(_shifted(margin, num_classes), distance)

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        u = _shifted(margin, num_classes)
        return np.asarray(np.where(u < self.profile_minimizer(), logistic(u) * logistic(-u), 0.0))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        p = np.asarray(slope, dtype=np.float64)
        inside = (p <= 0) & (p >= np.asarray(self.relaxation) - 1.0)
        value = p * self.profile_minimizer(num_classes) + _divergence(np.asarray(self.relaxation), -p)
        return np.asarray(np.where(inside, value, np.inf))

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        alpha, n = np.asarray(self.relaxation), np.asarray(num_classes, dtype=np.float64)
        split = np.log1p(-alpha) - np.log(alpha) + np.log(n - 1.0)
        # The two parts cancel where the minimiser is near zero, and the exact initial slope is what is left of them.
        ratio = n * _initial_slope(alpha, n) / np.maximum(alpha, 0.25 * (n - 1.0) / n)
        return np.asarray(np.where(np.abs(split) < 0.5, np.log1p(np.maximum(ratio, -0.5)), split))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        return margin_from_remaining(
            cost.remaining(self.critical_cost(n), _exact_initial_slope, self.relaxation, n),
            self.relaxation + cost.value,
            n,
        )

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        return np.maximum(_initial_slope(np.asarray(self.relaxation), np.asarray(num_classes, dtype=np.float64)), 0.0)

    def kinks(self) -> FloatArray | None:
        return self.profile_minimizer()

    def room(self, margin: FloatArray, cost: FloatArray) -> FloatArray:
        # The odds of the other class are those at the kink times this exponential.
        alpha = np.asarray(self.relaxation)
        below = np.minimum(cost, 0.5 * (1.0 - alpha))
        return np.asarray(np.log1p(below / alpha / (1.0 - alpha - below)))

    def before_minimizer(self, distance: FloatArray) -> FloatArray:
        return self._value_before_minimizer(self.profile_minimizer() - distance, distance)

    def slopes_before_minimizer(self, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
        u = self.profile_minimizer() - distance
        curvature = np.where(distance > 0, logistic(u) * logistic(-u), 0.0)
        return self._slope_before_minimizer(u, distance), curvature

    def paired_slopes_at(self, centre: FloatArray) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
        # Below the kink the slope is that of cross-entropy and a constant.
        return softmax_pair(centre)

    def paired_slopes(self, centre: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
        difference, curvature = softmax_pair(centre)(offset)
        below = centre < self.profile_minimizer()
        return np.where(below, difference, 0.0), np.where(below, curvature, 0.0)

    def log_force(self, margin: FloatArray) -> FloatArray:
        distance = np.maximum(self.profile_minimizer() - margin, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(
                np.log1p(-np.asarray(self.relaxation)) - np.logaddexp(0.0, margin) + np.log(-np.expm1(-distance))
            )

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        import sympy as sp

        (alpha,) = parameters
        u = margin - sp.log(num_classes - 1)
        entropy = -alpha * sp.log(alpha) - (1 - alpha) * sp.log(1 - alpha)
        below = sp.log(1 + sp.exp(u)) - (1 - alpha) * u - entropy
        return sp.Piecewise((below, u < sp.log((1 - alpha) / alpha)), (0, True))

    def _of_log_odds(self, u: FloatArray) -> FloatArray:
        return self._value_before_minimizer(u, self.profile_minimizer() - u)

    def _slope_of_log_odds(self, u: FloatArray) -> FloatArray:
        return self._slope_before_minimizer(u, self.profile_minimizer() - u)

    def _value_before_minimizer(self, u: FloatArray, distance: FloatArray) -> FloatArray:
        alpha, x = np.asarray(self.relaxation), np.maximum(distance, 0.0)
        # log(1 + e^u) - (1 - alpha) u, from the side on which nothing large cancels.
        linear = np.where(u > 0, alpha * u, (alpha - 1.0) * u)
        value = np.array(np.maximum(np.log1p(np.exp(-np.abs(u))) + linear - binary_entropy(alpha), 0.0))
        near = np.broadcast_to(x < 0.3, value.shape)
        if np.any(near):
            alpha, x = (np.broadcast_to(a, value.shape)[near] for a in (alpha, x))
            value[near] = _bernoulli_cumulant(alpha, x)
        return value

    def _slope_before_minimizer(self, u: FloatArray, distance: FloatArray) -> FloatArray:
        # sigma(u) - sigma(t_inf) = (1 - alpha) sigma(-u) (e^-(t_inf - u) - 1): it vanishes at the kink exactly.
        fall = np.expm1(-np.maximum(distance, 0.0))
        return np.asarray((1.0 - np.asarray(self.relaxation)) * logistic(-u) * fall)


def _bernoulli_cumulant(alpha: FloatArray, x: FloatArray) -> FloatArray:
    """``log(alpha + (1-alpha) e^-x) + (1-alpha) x`` for small x >= 0, of second order in x, without cancellation."""
    plain = np.where(
        alpha <= 0.5,
        np.log1p(alpha * np.expm1(x)) - alpha * x,
        np.log1p((1.0 - alpha) * np.expm1(-x)) + (1.0 - alpha) * x,
    )
    variance, skew = alpha * (1.0 - alpha), 2.0 * alpha - 1.0
    terms = (
        np.ones(x.shape),
        -skew,
        1.0 - 6.0 * variance,
        -skew * (1.0 - 12.0 * variance),
        1.0 - 30.0 * variance * (1.0 - 4.0 * variance),
    )
    series, factor = np.zeros(x.shape), 0.5 * x * x
    for order, term in enumerate(terms, start=3):
        series += factor * term
        factor = factor * x / order
    return np.where(x < 0.01, variance * series, plain)


def _entropy_rise(alpha: FloatArray, rise: FloatArray) -> FloatArray:
    """``H_2(alpha + rise) - H_2(alpha)`` for rises in [0, 1 - alpha], with full relative accuracy for small ones."""
    rise = np.clip(rise, 0.0, 1.0 - alpha)
    return np.asarray(rise * (np.log1p(-alpha) - np.log(alpha)) - _divergence(alpha, rise))


def _divergence(alpha: FloatArray, rise: FloatArray) -> FloatArray:
    """The divergence of Bernoulli(alpha + rise) from Bernoulli(alpha), of second order in the rise."""
    rise = np.clip(rise, 0.0, 1.0 - alpha)
    return np.asarray(alpha * _second_order(rise / alpha) + (1.0 - alpha) * _second_order(-rise / (1.0 - alpha)))


def _second_order(x: FloatArray) -> FloatArray:
    """``(1 + x) log(1 + x) - x`` for x >= -1."""
    plain = (1.0 + x) * np.log1p(x, where=x > -1.0, out=np.zeros(x.shape)) - x
    small = np.where(np.abs(x) < 0.01, x, 0.0)
    series = np.zeros(x.shape)
    for order in range(9, 1, -1):
        series = 1.0 / (order * (order - 1.0)) - small * series
    return np.where(np.abs(x) < 0.01, small * small * series, plain)


def _shifted(margin: ArrayLike, num_classes: ArrayLike) -> FloatArray:
    return np.asarray(np.subtract(margin, np.log(np.subtract(num_classes, 1.0))))


def _log_odds(logits: FloatArray, label: ArrayLike) -> FloatArray:
    own, rest = own_and_rest(logits, label)
    return own - log_sum_exp(logits, where=rest)


def _initial_slope(relaxation: FloatArray, n: FloatArray) -> FloatArray:
    high, low = _exact_initial_slope(relaxation, n)
    return np.asarray(high + low)


def _exact_initial_slope(relaxation: FloatArray, n: FloatArray) -> dd.Pair:
    """``-f'(0) = (N-1)/N - alpha``."""
    # ((N-1) - N alpha)/N: the product and the difference are exact, so that every digit of a small slope is right.
    high, low = dd.two_product(n, np.asarray(relaxation))
    return dd.divide(dd.add(dd.pair(n - 1.0), (-high, -low)), dd.pair(n))
