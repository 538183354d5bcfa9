r"""Numbers that claims speak about, as balls that provably contain them.

Nothing here uses the closed forms under test: optima come from the convex solver with a certificate verified in ball
arithmetic, roots from the sign of a monotone residual, expectations from Arb's rigorous integration.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import acb, arb, ctx
from scipy.optimize import brentq

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.models.features.certificate import Certificate, certify
from mdtheory.models.features.nonnegative import solve_nonnegative
from mdtheory.models.features.problem import UFM, UFMMethod
from mdtheory.models.solving import solve
from mdtheory.spreads import Sphere, Spread, TwoPoint

Residual = Callable[[arb], arb]

SECANT_SHRINKS = 4096
"""A bracket around the secant's root is so much narrower, if the signs allow it."""
MOST_STEPS = 500
MOST_SCANNED = 60
NARROW_BITS = 60
"""Balls with so many accurate bits are as good as numbers."""


def root(residual: Residual, low: arb, high: arb, *, width: float = 1e-25) -> arb:
    """A ball around the root of an increasing function, by proved signs next to the secant's root and in the middle.

    Raises
    ------
    AssumptionError
        If the signs at the ends do not bracket a root.
    """
    at_low, at_high = residual(low), residual(high)
    if not (at_low <= 0 and at_high >= 0):
        raise AssumptionError(f"root: no proved change of sign between {low.str(6)} and {high.str(6)}")
    for _ in range(MOST_STEPS):
        span = high - low
        if not span > arb(width) * (1 + abs(low)):
            break
        secant = low - at_low * span / (at_high - at_low)
        decided = False
        for point in (secant - span / SECANT_SHRINKS, secant + span / SECANT_SHRINKS, (low + high) / 2):
            point = point.mid()
            if not (point > low and point < high):
                continue
            value = residual(point)
            if value < 0:
                low, at_low, decided = point, value, True
            elif value > 0:
                high, at_high, decided = point, value, True
        if not decided:
            break
    return low.union(high)


def around(residual: Residual, guess: float, scale: float) -> arb:
    """A tight ball around the root of an increasing function, near a guess that need not be right."""
    width = arb(1e-11) * arb(scale)
    middle = arb(guess)
    while width < arb(scale) / 8:
        low, high = middle - width, middle + width
        if residual(low) < 0 and residual(high) > 0:
            return low.union(high)
        width = 8 * width
    raise AssumptionError(f"root: no proved change of sign near {guess}")


def positive_root(residual: Residual) -> arb:
    """The root, of any size, of an increasing function that is negative at zero: as tight as signs can be proved."""
    high = _first(1.0, 2.0, lambda x: residual(arb(x)) > 0)
    low = _first(high, 1 / 16, lambda x: residual(arb(x)) < 0)
    guess = float(brentq(lambda x: float(residual(arb(x)).mid()), low, high, xtol=1e-15 * low, rtol=1e-13))
    near = around(residual, guess, guess)
    return root(residual, near.lower(), near.upper(), width=0)


def _first(start: float, factor: float, found: Callable[[float], bool]) -> float:
    """The first of start, start factor, ... where a sign is proved."""
    for step in range(MOST_SCANNED):
        if found(start * factor**step):
            return start * factor**step
    raise AssumptionError("root: no proved sign on one side")


# ---------------------------------------------------------------------- optima of the features model


def ufm_optimum(
    problem: UFM, method: UFMMethod = "factorized", tolerance: float | None = None, starts: int | None = None
) -> arb:
    """The optimal value of a features model: between bounds that a certificate proves in ball arithmetic.

    Nonnegative features take their local search and doubly nonnegative bound, also where a closed form is known.
    """
    proved = optimum_certificate(problem, method, tolerance, starts).verify(problem, rigorous=True)
    return arb(proved.lower).union(arb(proved.upper))


def optimum_certificate(
    problem: UFM, method: UFMMethod = "factorized", tolerance: float | None = None, starts: int | None = None
) -> Certificate:
    """The certificate of the answer of a numerical method that knows no closed form."""
    if problem.nonnegative:
        found = solve_nonnegative(problem, starts=starts, seed=0, tolerance=tolerance or 1e-9)
        return certify(problem, found.weights, found.class_means, found.bias, found.dual, found.multiplier)
    return solve(problem, method=method, tolerance=tolerance).certificate


def features_model(
    loss: Loss,
    num_classes: int,
    weight_decay: float,
    feature_decay: float,
    *,
    nonnegative: bool = False,
    class_weights: Sequence[float] | None = None,
    labels: Any = None,
    bias: bool = False,
) -> UFM:
    """A `UFM` from the plain numbers of a point."""
    return UFM(
        loss,
        num_classes=num_classes,
        weight_decay=weight_decay,
        feature_decay=feature_decay,
        nonnegative=nonnegative,
        class_weights=None if class_weights is None else np.asarray(class_weights),
        label_distribution=labels,
        bias=bias,
    )


# ---------------------------------------------------------------------- memorization and dilation, two classes


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoClasses:
    """The neural-collapse configuration of two classes, in balls: see `mdtheory.models.dilation.problem`."""

    margin: arb
    mean_distance: arb
    weight_distance: arb
    centre_square: arb

    @classmethod
    def cross_entropy(cls, weight_decay: arb, feature_decay: arb, smoothing: arb, *, nonnegative: bool) -> "TwoClasses":
        """For cross-entropy with label smoothing: ``p = 1 - alpha/2 - kappa``, the root of the slope of the profile."""
        mu = (weight_decay * feature_decay).sqrt()
        rest = smoothing / 2 + (2 * mu if nonnegative else arb(2).sqrt() * mu)
        return cls.from_margin((1 / rest - 1).log(), weight_decay, feature_decay, nonnegative=nonnegative)

    @classmethod
    def from_margin(cls, margin: arb, weight_decay: arb, feature_decay: arb, *, nonnegative: bool) -> "TwoClasses":
        """The configuration whose margin is known."""
        ratio = (weight_decay / feature_decay).sqrt() * (1 if nonnegative else arb(2).sqrt())
        distance = (2 * ratio * margin).sqrt()  # sqrt2 a, a^2 = ratio s
        weights = 2 * margin / distance  # s = kap D/2
        centre = distance**2 / 4 if nonnegative else arb(0)
        return cls(margin=margin, mean_distance=distance, weight_distance=weights, centre_square=centre)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dilation:
    """The solution of a memorization-dilation problem, in balls."""

    noisy_margin: arb
    memorization: arb
    dilation: arb
    normalized: arb


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyProblem:
    r"""Stationarity of the memorization-dilation problem, in the noisy margin t.

    With ``nu(t) = -(lam t + kap^2 phi'(t)/2)/(t + s)`` and ``rho(t)`` the memorization it belongs to, the residual

    .. math:: F'(\eta\rho D^q/C)\,D^q/C - 4\nu\rho

    increases in t and vanishes at the solution (`derivations/md_reduction.py`).

    Attributes
    ----------
    slope_of_loss : callable
        phi'.
    pull : callable
        ``pull(s, K)``: ``E zeta phi'(s + K zeta)``, a ball.
    """

    classes: TwoClasses
    noise: arb
    slope: arb
    decay: arb
    exponent: int
    slope_of_loss: Callable[[arb], arb]
    pull: Callable[[arb, arb], arb]

    def multiplier(self, t: arb) -> arb:
        """nu(t)."""
        c = self.classes
        return -(self.decay * t + c.weight_distance**2 / 2 * self.slope_of_loss(t)) / (t + c.margin)

    def memorization(self, t: arb, multiplier: arb | None = None) -> arb:
        """rho(t); ``multiplier`` is nu(t) where it is known."""
        c = self.classes
        travelled = (t + c.margin) / c.weight_distance
        if self.decay.is_zero() or c.centre_square.is_zero():
            return travelled
        share = self.decay / (self.decay + (self.multiplier(t) if multiplier is None else multiplier))
        return (share**2 * c.centre_square + travelled**2).sqrt()

    def dilation(self, t: arb) -> arb:
        """r(t)."""
        return self.noise * self.memorization(t) * self.classes.mean_distance**self.exponent / self.slope

    def force(self, dilation: arb) -> arb:
        """F'(r): what the clean examples oppose to dilation."""
        c = self.classes
        return 2 * c.weight_distance * self.pull(c.margin, c.weight_distance * dilation) + 4 * self.decay * dilation

    def residual(self, t: arb) -> arb:
        """Increases in t; zero at the solution."""
        c = self.classes
        multiplier = self.multiplier(t)
        rho, rate = self.memorization(t, multiplier), c.mean_distance**self.exponent / self.slope
        return self.force(self.noise * rho * rate) * rate - 4 * multiplier * rho

    def at_margin(self, t: arb) -> Dilation:
        """Everything at a noisy margin."""
        r = self.dilation(t)
        return Dilation(
            noisy_margin=t, memorization=self.memorization(t), dilation=r, normalized=r / self.classes.mean_distance
        )

    def solution(self, guess: float | None = None) -> Dilation:
        """The solution, enclosed by proved signs of the residual: near a guess of t, or wherever it is, in a tight ball."""
        s = self.classes.margin
        if not s > 0:
            raise AssumptionError("margin: must be positive; the class means have collapsed to zero")
        if guess is None:
            return self.at_margin(positive_root(lambda travelled: self.residual(travelled - s)) - s)
        least = 1e-6 * (abs(guess) + float(s.mid()))
        return self.at_margin(around(self.residual, guess, max(abs(guess + float(s.mid())), least)))


def smoothed_slope(smoothing: arb) -> Callable[[arb], arb]:
    """phi' of cross-entropy with label smoothing on two classes."""
    return lambda t: smoothing / 2 - 1 / (1 + t.exp())


def logistic_pull(spread: Spread) -> Callable[[arb, arb], arb]:
    r"""``E zeta phi'(s + K zeta)`` for cross-entropy (any smoothing): ``E |zeta| sinh(K|zeta|)/(cosh s + cosh K|zeta|)/2``.

    It decreases in the size of s and increases in K >= 0, so balls are bounded by their ends.
    """
    if not isinstance(spread, (Sphere, TwoPoint)):
        raise AssumptionError(f"spread = {spread!r}: only Sphere and TwoPoint are evaluated in ball arithmetic")
    exact = _two_point_pull if isinstance(spread, TwoPoint) or spread.dim == 1 else _sphere_pull

    def pull(s: arb, k: arb) -> arb:
        if s.rel_accuracy_bits() > NARROW_BITS and k.rel_accuracy_bits() > NARROW_BITS:
            return exact(spread.dim, s, k)
        size = abs(s)
        low = exact(spread.dim, size.upper(), k.lower().max(arb(0)))
        return low.union(exact(spread.dim, size.lower().max(arb(0)), k.upper()))

    return pull


def solve_noisy(
    *,
    weight_decay: float,
    feature_decay: float,
    smoothing: float,
    noise: float,
    slope: float,
    noisy_decay: float,
    spread: Spread,
    nonnegative: bool,
    scaling: str = "absolute",
) -> Dilation:
    """The memorization-dilation solution for cross-entropy with smoothing, in balls around exact binary parameters."""
    return _solve_noisy(
        weight_decay, feature_decay, smoothing, noise, slope, noisy_decay, spread, nonnegative, scaling, ctx.prec
    )


@lru_cache(maxsize=50_000)
def _solve_noisy(
    weight_decay: float,
    feature_decay: float,
    smoothing: float,
    noise: float,
    slope: float,
    noisy_decay: float,
    spread: Spread,
    nonnegative: bool,
    scaling: str,
    bits: int,
) -> Dilation:
    balls = [arb(x) for x in (weight_decay, feature_decay, smoothing)]
    problem = NoisyProblem(
        classes=TwoClasses.cross_entropy(*balls, nonnegative=nonnegative),
        noise=arb(noise),
        slope=arb(slope),
        decay=arb(noisy_decay),
        exponent=1 if scaling == "absolute" else 0,
        slope_of_loss=smoothed_slope(balls[2]),
        pull=logistic_pull(spread),
    )
    return problem.solution(_guess(problem, smoothing, spread))


def _guess(problem: NoisyProblem, smoothing: float, spread: Spread) -> float:
    """The noisy margin in double precision, from the same equation with a Gauss rule; proves nothing."""
    c = problem.classes
    s, weights, centre = (float(x.mid()) for x in (c.margin, c.weight_distance, c.centre_square))
    if not s > 0:
        raise AssumptionError("margin: must be positive; the class means have collapsed to zero")
    lam, rate = float(problem.decay.mid()), float((c.mean_distance**problem.exponent / problem.slope).mid())
    noise = float(problem.noise.mid())
    zeta, density = _gauss_rule(spread.dim, isinstance(spread, TwoPoint) or spread.dim == 1)

    def residual(log_w: float) -> float:
        w = math.exp(log_w)
        t = w - s
        multiplier = -(lam * t + weights**2 / 2 * (smoothing / 2 - 1 / (1 + math.exp(t)))) / w
        share = lam / (lam + multiplier) if lam > 0 else 0.0
        rho = math.sqrt(share * share * centre + (w / weights) ** 2)
        r = noise * rate * rho
        x = weights * r * zeta
        tilt = (1 - np.exp(-2 * x)) / (np.exp(s - x) + np.exp(-s - x) + 1 + np.exp(-2 * x))
        slope = weights * float(density @ (zeta * tilt)) + 4 * lam * r
        return slope * rate - 4 * multiplier * rho if lam + multiplier > 0 else math.inf

    high = math.log(s)
    while residual(high) < 0:
        high += 1.0
    low = high - 1.0
    while residual(low) > 0:
        low -= 3.0
    return math.exp(float(brentq(residual, low, high, xtol=1e-15, rtol=1e-14))) - s


@lru_cache(maxsize=256)
def _gauss_rule(dim: int, two_points: bool) -> tuple[FloatArray, FloatArray]:
    """Nodes zeta > 0 and weights for ``E f(|zeta|)``, in the angle with zeta = sin(angle)."""
    if two_points:
        return np.array([1 / math.sqrt(dim)]), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    angle = np.pi / 4 * (nodes + 1)
    density = weights * np.cos(angle) ** (dim - 2)
    return np.sin(angle), density / density.sum()


def _two_point_pull(dim: int, s: arb, k: arb) -> arb:
    zeta = 1 / arb(dim).sqrt()
    return zeta * (k * zeta).sinh() / (s.cosh() + (k * zeta).cosh()) / 2


def _sphere_pull(dim: int, s: arb, k: arb) -> arb:
    """Integrate over the angle: zeta = sin(angle) has the entire density ``c cos^(d-2)``."""
    if k.is_zero():
        return arb(0)
    cosh_s, scale = acb(s.cosh()), acb(k)

    def integrand(angle: acb, analytic: bool) -> acb:
        zeta = angle.sin()
        x = scale * zeta
        return zeta * x.sinh() / (cosh_s + x.cosh()) * angle.cos() ** (dim - 2)

    value = acb.integral(integrand, acb(0), acb.pi() / 2, rel_tol=arb(2) ** -48)
    half = arb(dim) / 2
    norm = half.gamma() / (arb.pi().sqrt() * (half - arb(1) / 2).gamma())
    return norm * value.real
