"""Focal loss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.losses.base import Loss, as_logits, entropy_of, log_sum_exp, own_and_rest
from mdtheory.losses.scalar import bisect
from mdtheory.margin_cost import MarginCost
from mdtheory.validation import FloatArray, Real, fail, nonnegative

if TYPE_CHECKING:
    import cvxpy
    import sympy


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
    analytic_strip: ClassVar[float] = np.pi

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
        slope = -np.exp(self._log_slope(log_odds))[..., None]
        weights = np.exp(np.where(rest, z - lse_rest[..., None], -np.inf))
        return np.where(rest, -slope * weights, slope)

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        raise fail("loss", self, "has no useful conjugate: focal loss is not convex in the logits")

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        raise fail("loss", self, "has no cvxpy atom: focal loss is not convex in the logits; use a convex loss")

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return self._of_log_odds(_shifted(margin, num_classes))

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return -np.exp(self._log_slope(_shifted(margin, num_classes)))

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        log_p, log_q = _log_probabilities(_shifted(margin, num_classes))
        gamma, p, q = np.asarray(self.focusing), np.exp(log_p), np.exp(log_q)
        # -G'(p) p q, with G'(p) = -q^(gamma-1) R(p).
        return np.asarray(p * np.exp(gamma * log_q) * (q * (1 + 2 * gamma + gamma * log_p) - gamma**2 * p * log_p))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        r"""The conjugate of the two-class convex hull; for more classes of the minorant ``A + B CE`` (see below).

        Two classes: phi is convex beyond the point where its slope is -1, and left of it the hull is the line of
        slope -1. More classes: the tangent of :math:`\Psi(x) = x(1-e^{-x})^\gamma`, with focal = Psi(CE), at any
        x with :math:`\Psi'(x) \le 1` minorises Psi; the conjugate of the best such minorant is taken.
        """
        p, n = np.broadcast_arrays(np.asarray(slope, dtype=np.float64), np.asarray(num_classes, dtype=np.float64))
        inside = (p <= 0) & (p >= -1)
        target = np.where(inside, -p, 0.5)
        if np.all(n == 2):
            margin = self._margin_at_slope(target, n)
            finite = np.isfinite(margin)
            value = np.where(finite, -target * np.where(finite, margin, 0.0) - Focal.profile(self, margin, n), 0.0)
        else:
            value = self._minorant_conjugate(target, n)
        return np.asarray(np.where(inside, value, np.inf))

    def convex_hull(self) -> Loss:
        """Phi beyond the point where its slope is -1, and the line of slope -1 before it."""
        return _FocalHull(self.focusing)

    def hull_start(self) -> FloatArray:
        """The margin t at which phi'(t) = -1: phi equals its convex hull from there on."""
        gamma = np.asarray(self.focusing, dtype=np.float64)
        start = self._margin_at_slope(np.ones(gamma.shape), np.full(gamma.shape, 2.0))
        return np.asarray(np.where(gamma > 0, start, -np.inf))

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        return np.full(np.broadcast_shapes(np.shape(num_classes), np.shape(self.focusing)), np.inf)

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        n, kappa, gamma = np.broadcast_arrays(np.asarray(num_classes, dtype=np.float64), cost.value, self.focusing)
        loss = self.with_parameters(focusing=gamma)
        critical = loss.critical_cost(n)
        margin = loss._margin_at_slope(np.minimum(kappa, critical), n)
        # Exactly at the jump 0 and the jump's top are both optimal; report 0, as at a continuous threshold.
        margin = np.where(kappa < critical, np.maximum(margin, 0.0), 0.0)
        return _polish_near_threshold(loss, cost, margin, critical, n)

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        n, gamma = np.broadcast_arrays(np.asarray(num_classes, dtype=np.float64), np.asarray(self.focusing, np.float64))
        loss = self.with_parameters(focusing=gamma)
        slope = -loss.profile_derivative(np.zeros(n.shape), n)
        jumps = loss.peak_probability() * n > 1.0
        if not np.any(jumps):
            return np.asarray(slope)
        # The steepest chord from s = 0: f(0) - f(s) = -s f'(s), beyond the inflection.
        chord = lambda s: loss.profile(np.zeros(n.shape), n) - loss.profile(s, n) + s * loss.profile_derivative(s, n)
        inflection = np.maximum(logit(loss.peak_probability()) + np.log(n - 1.0), 0.0)
        top = bisect(lambda s: -chord(s), inflection, inflection + np.log(n) + 60.0)
        return np.asarray(np.where(jumps, -loss.profile_derivative(top, n), slope))

    def peak_probability(self) -> FloatArray:
        """The probability at which the profile is steepest; the profile is convex beyond it."""
        gamma = np.asarray(self.focusing, dtype=np.float64)

        def rising(log_p: FloatArray) -> FloatArray:
            return np.asarray(1 + 2 * gamma + gamma * log_p + gamma**2 * log_p / np.expm1(-log_p))

        peak = np.exp(bisect(rising, np.full(gamma.shape, -700.0), np.full(gamma.shape, -1e-9)))
        return np.asarray(np.where(gamma > 0, peak, 0.0))

    def certified_probability(self) -> FloatArray:
        """p1(gamma): a margin with own-class probability at least p1 is globally optimal by a tangent minorant."""
        gamma = np.asarray(self.focusing, dtype=np.float64)
        return np.asarray(np.where(gamma > 0, np.exp(-self._hull_cross_entropy(gamma)), 0.0))

    @classmethod
    def symbolic_profile(cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr") -> "sympy.Expr":
        import sympy as sp

        (gamma,) = parameters
        p = 1 / (1 + (num_classes - 1) * sp.exp(-margin))
        return -((1 - p) ** gamma) * sp.log(p)

    def _of_log_odds(self, u: FloatArray) -> FloatArray:
        log_p, log_q = _log_probabilities(u)
        return np.asarray(-np.exp(self.focusing * log_q) * log_p)

    def _log_slope(self, u: FloatArray) -> FloatArray:
        """``log G`` at log-odds u, with full relative accuracy of G for p near one."""
        log_p, log_q = _log_probabilities(u)
        # 1 - p - gamma p log p = q (1 + gamma p (-log p)/q), and (-log p)/q -> 1.
        ratio = np.exp(log_p + np.log(-log_p, where=log_p < 0, out=np.full_like(log_p, -np.inf)) - log_q)
        ratio = np.where(log_p < 0, ratio, 1.0)
        return np.asarray((1.0 + self.focusing) * log_q + np.log1p(self.focusing * ratio))

    def _margin_at_slope(self, target: FloatArray, n: FloatArray) -> FloatArray:
        """The margin beyond the peak of -f' at which -f' equals `target` (inf at 0)."""
        positive = np.where(target > 0, target, 0.5)
        peak = np.where(np.asarray(self.focusing) > 0, self.peak_probability(), 1e-300)
        low = np.maximum(logit(peak), -700.0)
        high = np.maximum(-np.log(positive), 0.0) + np.log1p(self.focusing) + 2.0 + 0.0 * low
        u = bisect(lambda u: np.log(positive) - self._log_slope(u), low + 0.0 * high, high)
        return np.asarray(np.where(target > 0, u + np.log(n - 1.0), np.inf))

    def _hull_cross_entropy(self, bound: FloatArray) -> FloatArray:
        """The first x with Psi'(x) = 1."""
        gamma = np.asarray(self.focusing, dtype=np.float64)
        slope = lambda x: self._psi_slope(x) - 1.0
        # Psi' rises from 0 to above 1 before it returns to 1: it exceeds 1 by x = 2 + log(1 + gamma).
        return bisect(slope, np.full(gamma.shape, 1e-9), 2.0 + np.log1p(gamma))

    def _psi_slope(self, x: FloatArray) -> FloatArray:
        gamma, q = np.asarray(self.focusing), -np.expm1(-x)
        return np.asarray(q**gamma * (1.0 + gamma * x * np.exp(-x) / q))

    def _minorant_conjugate(self, target: FloatArray, n: FloatArray) -> FloatArray:
        margin = self._margin_at_slope(target, n)
        finite = np.isfinite(margin)
        cross_entropy = np.logaddexp(0.0, np.log(n - 1.0) - np.where(finite, margin, 0.0))
        x = np.minimum(np.where(finite, cross_entropy, 1e-300), self._hull_cross_entropy(np.asarray(self.focusing)))
        slope = np.where(np.asarray(self.focusing) > 0, self._psi_slope(x), 1.0)
        intercept = x * (-np.expm1(-x)) ** np.asarray(self.focusing) - slope * x
        # (A + B CE)*(-t) = B CE*(-t/B) - A.
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(target > 0, target / slope, 0.0)
        return np.asarray(-slope * entropy_of(np.minimum(share, 1.0), n) - intercept)


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
        return self.hull_start()


def logit(p: ArrayLike) -> FloatArray:
    """``log(p/(1-p))``."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p) - np.log1p(-np.asarray(p)))


def _polish_near_threshold(
    loss: Focal, cost: MarginCost, margin: FloatArray, critical: FloatArray, n: FloatArray
) -> FloatArray:
    """Redo in 50 digits the few points where kappa and the initial slope agree to more than six digits."""
    kappa = np.broadcast_to(cost.value, n.shape)
    close = np.abs(kappa - critical) < 1e-4 * critical
    if not np.any(close):
        return margin
    import mpmath

    result = np.array(margin)
    for index in np.argwhere(close):
        at = tuple(index)
        with mpmath.workdps(50):
            factors = (cost.weight_decay, cost.feature_decay, cost.numerator, cost.denominator)
            lam_w, lam_h, top, bottom = (mpmath.mpf(float(np.broadcast_to(x, n.shape)[at])) for x in factors)
            exact = 2 * mpmath.sqrt(lam_w * lam_h * top / bottom)
            result[at] = _exact_margin(float(np.asarray(loss.focusing)[at]), int(n[at]), exact, float(result[at]))
    return result


def _exact_margin(gamma: float, n: int, kappa: "Any", start: float) -> float:
    import mpmath

    def profile(s: "Any") -> "Any":
        p = 1 / (1 + (n - 1) * mpmath.exp(-s))
        return -((1 - p) ** gamma) * mpmath.log(p)

    def slope(s: "Any") -> "Any":
        p = 1 / (1 + (n - 1) * mpmath.exp(-s))
        return -((1 - p) ** gamma) * (1 - p - gamma * p * mpmath.log(p))

    rate = float(Focal(gamma).profile_curvature(0.0, n))
    guess = start if start > 0 else max(float(-(slope(mpmath.mpf(0)) + kappa)) / rate, 0.0) if rate > 0 else 0.0
    if guess == 0.0:
        peak = float(Focal(gamma).peak_probability())
        if peak * n <= 1 or start > 0:
            return 0.0
        critical_margin = Focal(gamma)._margin_at_slope(np.asarray(float(kappa)), np.asarray(float(n)))
        guess = float(critical_margin)
    root = mpmath.findroot(lambda s: slope(s) + kappa, guess)
    better = root > 0 and profile(root) + kappa * root < profile(mpmath.mpf(0))
    return float(root) if better else 0.0


def _shifted(margin: ArrayLike, num_classes: ArrayLike) -> FloatArray:
    return np.asarray(np.subtract(margin, np.log(np.subtract(num_classes, 1.0))))


def _log_probabilities(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``log p`` and ``log(1-p)`` at log-odds u."""
    return -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u)


def _log_odds(logits: FloatArray, label: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    own, rest = own_and_rest(logits, label)
    lse_rest = log_sum_exp(logits, where=rest)
    return own - lse_rest, rest, lse_rest
