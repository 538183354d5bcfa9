"""Focal loss."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import FloatArray, Real, fail, nonnegative
from mdtheory.losses.base import Curvature, Loss, as_logits, entropy_of, log_sum_exp, logistic, own_and_rest
from mdtheory.losses.cross_entropy import CrossEntropy
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics.bracketing import bisect
from mdtheory.numerics.branch_and_bound import Curve

if TYPE_CHECKING:
    import cvxpy
    import sympy

    from mdtheory.numerics.branch_and_bound import Curve

# What the loss is without focusing.
_ENTROPY = CrossEntropy()


@dataclass(frozen=True, eq=False)
class Focal(Loss):
    r"""Focal loss, ``-(1-p)^gamma log p`` with p the softmax probability of the own class.

    Not convex in the logits for gamma > 0. As a function of p the negative slope of the profile,
    :math:`G(p) = (1-p)^\gamma (1 - p - \gamma p \log p)`, rises to one maximum ``peak_probability`` and falls:
    a first-order jump of the margin exists exactly where that maximum lies above 1/N (never for N <= 17).

    Parameters
    ----------
    focusing : float or array
        The focusing parameter gamma >= 0; 0 is cross-entropy.

    Raises
    ------
    AssumptionError
        If `focusing` is negative or not finite.

    References
    ----------
    Lin et al., *Focal loss for dense object detection*, ICCV 2017.

    Examples
    --------
    >>> float(Focal(0.0).profile(1.0)) == float(np.log1p(np.exp(-1.0)))
    True
    """

    focusing: Real

    symbols: ClassVar[dict[str, str]] = {"focusing": "gamma"}
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("focusing", r"\gamma", "focusing parameter", help="focusing parameter, at least 0"),
    )
    analytic_strip: ClassVar[float] = np.pi
    steepest_dual: ClassVar[float] = 1.0

    if TYPE_CHECKING:

        def __init__(self, focusing: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "focusing", nonnegative("focusing", self.focusing))

    @property
    def is_convex(self) -> bool:
        """Focal loss is convex only where it is cross-entropy."""
        return bool(np.all(np.asarray(self.focusing) == 0))

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return self._of_log_odds(_log_odds(as_logits(logits), label)[0])

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        log_odds, rest, lse_rest = _log_odds(z, label)
        slope = -np.exp(log_slope(log_odds, np.asarray(self.focusing)))[..., None]
        weights = np.exp(np.where(rest, z - lse_rest[..., None], -np.inf))
        return np.where(rest, -slope * weights, slope)

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        if self.is_convex:
            return _ENTROPY.conjugate(dual, label)
        raise fail("loss", self, "has no useful conjugate: focal loss is not convex in the logits")

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature | None:
        return _ENTROPY.curvature(logits, label) if self.is_convex else None

    def dual_floor(self, label: ArrayLike, num_classes: int) -> FloatArray:
        return _ENTROPY.dual_floor(label, num_classes) if self.is_convex else super().dual_floor(label, num_classes)

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        if self.is_convex:
            return _ENTROPY.cvxpy_atom(logits, label)
        raise fail("loss", self, "has no cvxpy atom: focal loss is not convex in the logits; use a convex loss")

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return self._of_log_odds(_shifted(margin, num_classes))

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return -np.exp(log_slope(_shifted(margin, num_classes), np.asarray(self.focusing)))

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        log_p, log_q = log_probabilities(_shifted(margin, num_classes))
        gamma, p, q = np.asarray(self.focusing), np.exp(log_p), np.exp(log_q)
        # -G'(p) p q, with G'(p) = -q^(gamma-1) R(p).
        return np.asarray(p * np.exp(gamma * log_q) * (q * (1 + 2 * gamma + gamma * log_p) - gamma**2 * p * log_p))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        r"""The conjugate of the two-class convex hull; for more classes of a convex minorant, no less than f*.

        Two classes: phi is convex beyond the point where its slope is -1, and left of it the hull is the line of
        slope -1. More classes: focal loss is :math:`\Psi(x) = x(1-e^{-x})^\gamma` of the cross-entropy, and the tangent
        of Psi at any x with :math:`\Psi'(x) \le 1` lies below Psi; the one that touches where f' = `slope` is taken.
        """
        p, n, gamma = _together(slope, num_classes, self.focusing)
        inside = (p <= 0) & (p >= -1)
        target = np.where(inside, -p, 0.5)
        log_odds = np.minimum(log_odds_at_slope(target, gamma), 800.0)
        log_p, log_q = log_probabilities(log_odds)
        hull = -target * log_odds + np.exp(gamma * log_q) * log_p
        x = np.maximum(np.minimum(-log_p, tangent_limit(gamma)), 1e-300)
        tangent = psi_slope(x, gamma)
        # (A + B CE)*(-t) = B CE*(-t/B) - A.
        share = np.divide(target, tangent, where=target > 0, out=np.zeros_like(target))
        minorant = -tangent * entropy_of(np.minimum(share, 1.0), n) - psi(x, gamma) + tangent * x
        value = np.where(target > 0, np.where(n == 2, hull, minorant), 0.0)
        return np.asarray(np.where(inside, value, np.inf))

    def curve(self, at: tuple[int, ...], shape: tuple[int, ...]) -> "Curve":
        return _curve(float(np.broadcast_to(self.focusing, shape)[at]))

    def convex_hull(self) -> Loss:
        """Phi beyond the point where its slope is -1, and the line of slope -1 before it."""
        return _FocalHull(self.focusing)

    def hull_start(self) -> FloatArray:
        """The margin t at which phi'(t) = -1: phi equals its convex hull from there on."""
        return _hull_start(self.focusing) if isinstance(self.focusing, float) else _hull_starts(self.focusing)

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        return np.full(np.broadcast_shapes(np.shape(num_classes), np.shape(self.focusing)), np.inf)

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        n, kappa, gamma = _together(num_classes, cost.value, self.focusing)
        critical = _critical_cost(n, gamma)
        # Exactly at a jump 0 and the jump's top are both optimal; 0 is returned, as at a continuous threshold.
        log_odds = log_odds_at_slope(np.minimum(kappa, critical), gamma)
        margin = np.where(kappa < critical, np.maximum(log_odds + np.log(n - 1.0), 0.0), 0.0)
        # ds/s = -kappa/(s f'') dkappa/kappa: where that factor is large, rounding kappa has cost digits.
        curvature = Focal(gamma).profile_curvature(margin, n)
        sensitive = np.abs(kappa - critical) <= 1e-6 * critical
        sensitive |= (margin > 0) & (kappa > 30.0 * curvature * margin)
        if np.any(sensitive):
            import mpmath

            margin = np.array(margin)
            for at in zip(*np.nonzero(sensitive), strict=True) if n.ndim else [()]:
                with mpmath.workdps(50):
                    margin[at] = exact_margin(float(gamma[at]), float(n[at]), cost.exact(n.shape, at))
        return margin

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        return _critical_cost(*_together(num_classes, self.focusing))

    def peak_probability(self) -> FloatArray:
        """The probability at which the profile is steepest; the profile is convex beyond it."""
        return logistic(peak_log_odds(np.asarray(self.focusing, dtype=np.float64)))

    def certified_probability(self) -> FloatArray:
        """p1(gamma): a margin with own-class probability at least p1 is globally optimal by a tangent minorant."""
        return np.exp(-tangent_limit(np.asarray(self.focusing, dtype=np.float64)))

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        import sympy as sp

        (gamma,) = parameters
        p = 1 / (1 + (num_classes - 1) * sp.exp(-margin))
        return -((1 - p) ** gamma) * sp.log(p)

    def _of_log_odds(self, u: FloatArray) -> FloatArray:
        log_p, log_q = log_probabilities(u)
        return np.asarray(-np.exp(self.focusing * log_q) * log_p)


@dataclass(frozen=True, eq=False)
class _FocalHull(Focal):
    """The convex hull of two-class focal loss."""

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        start = self.hull_start()
        on_curve = np.maximum(margin, start)
        # On the curve the excess is exactly zero, also where the start is -inf.
        excess = np.maximum(np.subtract(start, margin), 0.0)
        return super().profile(on_curve, num_classes) + excess

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return super().profile_derivative(np.maximum(margin, self.hull_start()), num_classes)

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.where(np.greater(margin, self.hull_start()), super().profile_curvature(margin, num_classes), 0.0)

    def kinks(self) -> FloatArray | None:
        # Further out (without end, for cross-entropy) the two slopes differ by less than rounding.
        return np.maximum(self.hull_start(), -60.0)


@lru_cache(maxsize=64)
def _curve(focusing: float) -> "Curve":
    """For |t| <= 60; beyond, lines of slope -1 and 0 differ from the profile by less than 1e-22."""
    import sympy as sp

    t, gamma = sp.Symbol("t"), sp.Rational(*focusing.as_integer_ratio())
    expression = sp.exp(-gamma * sp.log(1 + sp.exp(t))) * sp.log(1 + sp.exp(-t))
    return Curve(expression, t, (-60.0, 60.0), tails=(-1.0, 0.0))


@lru_cache(maxsize=64)
def _hull_start(focusing: float) -> FloatArray:
    start = _hull_starts(np.asarray(focusing))
    start.setflags(write=False)
    return start


def _hull_starts(focusing: Real) -> FloatArray:
    gamma = np.asarray(focusing, dtype=np.float64)
    return np.asarray(np.where(gamma > 0, log_odds_at_slope(np.ones(gamma.shape), gamma), -np.inf))


def _critical_cost(n: FloatArray, gamma: FloatArray) -> FloatArray:
    """``-f'(0)``, or the slope of the steepest chord from s = 0 where the profile starts out concave."""
    log_rest = np.log(n - 1.0)
    cost = np.array(np.exp(log_slope(-log_rest, gamma)))
    inflection = peak_log_odds(gamma) + log_rest
    jumps = inflection > 0
    if np.any(jumps):
        loss, classes, low = Focal(gamma[jumps]), n[jumps], inflection[jumps]
        initial = loss.profile(0.0, classes)

        def touching(s: FloatArray) -> FloatArray:
            """``f(0) - f(s) + s f'(s)``: zero where the chord touches; it rises beyond the inflection."""
            return initial - loss.profile(s, classes) + s * loss.profile_derivative(s, classes)

        top = bisect(touching, low, low + np.log(classes) + 60.0)
        cost[jumps] = -loss.profile_derivative(top, classes)
    return cost


def _together(*values: ArrayLike) -> tuple[FloatArray, ...]:
    return np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values))


def _shifted(margin: ArrayLike, num_classes: ArrayLike) -> FloatArray:
    return np.asarray(np.subtract(margin, np.log(np.subtract(num_classes, 1.0))))


def _log_odds(logits: FloatArray, label: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
    own, rest = own_and_rest(logits, label)
    lse_rest = log_sum_exp(logits, where=rest)
    return own - lse_rest, rest, lse_rest


# --------------------------------------------------- the scalar equations, as functions of the log-odds u
#
# The negative slope of the profile is G(p) = (1-p)^gamma (1 - p - gamma p log p) with p = sigma(u); focal loss is
# Psi(x) = x (1 - e^-x)^gamma of the cross-entropy x = -log p.


def log_probabilities(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``log p`` and ``log(1-p)``."""
    return -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u)


def log_slope(u: FloatArray, gamma: FloatArray) -> FloatArray:
    """``log G``, with full relative accuracy of G for p near one."""
    log_p, log_q = log_probabilities(u)
    # 1 - p - gamma p log p = q (1 + gamma p (-log p)/q), and (-log p)/q -> 1.
    ratio = np.exp(log_p + np.log(-log_p, where=log_p < 0, out=np.full_like(log_p, -np.inf)) - log_q)
    ratio = np.where(log_p < 0, ratio, 1.0)
    return np.asarray((1.0 + gamma) * log_q + np.log1p(gamma * ratio))


def peak_log_odds(gamma: FloatArray) -> FloatArray:
    """The log-odds at which G is largest, where the profile turns from concave to convex; -inf for gamma = 0."""
    positive = np.where(gamma > 0, np.maximum(gamma, 1e-150), 1.0)

    def rising(log_p: FloatArray) -> FloatArray:
        """``-(1-p)^(1-gamma) G'(p)``, which rises from negative to positive."""
        return np.asarray(1.0 + 2.0 * positive + positive * log_p - positive**2 * log_p / _expm1(-log_p))

    log_p = bisect(rising, -((1.0 + positive) ** 2) / positive, np.full(positive.shape, -1e-12))
    return np.asarray(np.where(gamma > 0, log_p - np.log(-np.expm1(log_p)), -np.inf))


def log_odds_at_slope(target: FloatArray, gamma: FloatArray) -> FloatArray:
    """The log-odds beyond the peak of G at which G equals `target`: the peak if it is out of reach, inf at 0."""
    log_target = np.log(np.where(target > 0, target, 0.5))
    low = np.maximum(peak_log_odds(gamma), -700.0)
    high = np.maximum(-log_target, 0.0) + np.log1p(gamma) + 2.0
    u = bisect(lambda u: log_target - log_slope(u, gamma), low, high)
    return np.asarray(np.where(target > 0, u, np.inf))


def psi(x: FloatArray, gamma: FloatArray) -> FloatArray:
    """Focal loss as a function of the cross-entropy."""
    return np.asarray(x * (-np.expm1(-x)) ** gamma)


def psi_slope(x: FloatArray, gamma: FloatArray) -> FloatArray:
    """``Psi'(x)`` for x > 0."""
    q = -np.expm1(-x)
    return np.asarray(q**gamma * (1.0 + gamma * x * np.exp(-x) / q))


def tangent_limit(gamma: FloatArray) -> FloatArray:
    """The first x with ``Psi'(x) = 1``: a tangent of Psi left of it lies below Psi. Inf for gamma = 0."""
    positive = np.where(gamma > 0, gamma, 1.0)
    # Psi' rises from 0 to above 1 before it returns to 1: it exceeds 1 by x = 2 + log(1 + gamma).
    x = bisect(lambda x: psi_slope(x, positive) - 1.0, np.full(positive.shape, 1e-9), 2.0 + np.log1p(positive))
    return np.asarray(np.where(gamma > 0, x, np.inf))


def exact_margin(gamma: float, classes: float, kappa: Any) -> float:
    """The global minimiser s >= 0 of ``f(s) + kappa s`` in the working precision of mpmath."""
    from mpmath import mp

    rest, concave_until = mp.mpf(int(classes) - 1), float(peak_log_odds(np.asarray(gamma)))
    start = mp.mpf(concave_until) + mp.log(rest) if concave_until > -100.0 else mp.zero
    exponent = mp.mpf(gamma)

    def excess(s: Any) -> Any:
        p, q = _exact_probabilities(rest, s)
        return kappa - q**exponent * (q - exponent * p * mp.log(p))

    def objective(s: Any) -> Any:
        p, q = _exact_probabilities(rest, s)
        return kappa * s - q**exponent * mp.log(p)

    low = max(start, mp.zero)
    f_low = excess(low)
    if f_low >= 0:
        return 0.0
    high = low + 1
    while (f_high := excess(high)) < 0:
        high = 2 * high
    for step in range(400):
        secant = high - f_high * (high - low) / (f_high - f_low)
        point = secant if step % 3 != 2 and low < secant < high else (low + high) / 2
        value = excess(point)
        if value < 0:
            low, f_low, f_high = point, value, f_high / 2
        else:
            high, f_high, f_low = point, value, f_low / 2
        if value == 0 or high - low <= high * mp.mpf(10) ** -20:
            break
    # Where the profile starts concave the other candidate is s = 0; where both are optimal, 0 is returned.
    return float(high) if start <= 0 or objective(high) < objective(mp.zero) else 0.0


def _exact_probabilities(rest: Any, s: Any) -> tuple[Any, Any]:
    from mpmath import mp

    odds = mp.exp(s) / rest
    return odds / (1 + odds), 1 / (1 + odds)


def _expm1(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(np.expm1(x))
