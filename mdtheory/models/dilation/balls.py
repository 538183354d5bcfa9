r"""Memorization-dilation of two classes as balls that provably contain it.

Nothing here uses the closed forms under test: roots come from the sign of a monotone residual, expectations from Arb's
rigorous integration.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flint import acb, arb, ctx
from scipy.optimize import brentq

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray
from mdtheory.numerics.ball_roots import NARROW_BITS, around, positive_root
from mdtheory.spreads import Sphere, Spread, TwoPoint


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
