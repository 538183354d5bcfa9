r"""Numbers that claims speak about, as balls that provably contain them.

Nothing here uses the closed forms under test: optima come from the convex solver with a certificate verified in ball
arithmetic, roots from the sign of a monotone residual, expectations from Arb's rigorous integration.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import acb, arb, ctx

from mdtheory.certificates.certificate import Certificate, certify
from mdtheory.errors import AssumptionError
from mdtheory.losses import CrossEntropy, Loss
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solve import solve
from mdtheory.solvers.nonnegative import solve_nonnegative
from mdtheory.spreads import Sphere, Spread, TwoPoint

Residual = Callable[[arb], arb]


def root(residual: Residual, low: arb, high: arb, *, width: float = 1e-25) -> arb:
    """A ball around the root of an increasing function, by bisection on proved signs.

    Raises
    ------
    AssumptionError
        If the signs at the ends do not bracket a root.
    """
    if not (residual(low) <= 0 and residual(high) >= 0):
        raise AssumptionError(f"root: no proved change of sign between {low.str(6)} and {high.str(6)}")
    while (high - low) > arb(width) * (1 + abs(low)):
        middle = ((low + high) / 2).mid()
        value = residual(middle)
        if value < 0:
            low = middle
        elif value > 0:
            high = middle
        else:
            break
        if not low < high:
            break
    return low.union(high)


def around(residual: Residual, guess: float, scale: float) -> arb:
    """A tight ball around the root of an increasing function, near a guess that need not be right."""
    width = arb(1e-11) * arb(scale)
    middle = arb(guess)
    for _ in range(40):
        low, high = middle - width, middle + width
        if residual(low) < 0 and residual(high) > 0:
            return low.union(high)
        width = 8 * width
        if width > 4 * arb(scale):
            break
    raise AssumptionError(f"root: no proved change of sign near {guess}")


# ---------------------------------------------------------------------- optima of the features model


def ufm_optimum(problem: UFM, method: str = "factorized", tolerance: float | None = None) -> arb:
    """The optimal value of a features model: between bounds that a certificate proves in ball arithmetic.

    Nonnegative features take their local search and doubly nonnegative bound, also where a closed form is known.
    """
    proved = optimum_certificate(problem, method, tolerance).verify(problem, rigorous=True)
    return arb(proved.lower).union(arb(proved.upper))


def optimum_certificate(problem: UFM, method: str = "factorized", tolerance: float | None = None) -> Certificate:
    """The certificate of the answer of a numerical method that knows no closed form."""
    if problem.nonnegative:
        found = solve_nonnegative(problem, starts=None, seed=0, tolerance=tolerance or 1e-9)
        return certify(problem, found.weights, found.class_means, found.bias, found.dual, found.multiplier)
    answer: Any = solve(problem, method=method, tolerance=tolerance)
    certificate: Certificate = answer.certificate
    return certificate


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
    """The neural-collapse configuration of two classes, in balls: see `mdtheory.problems.memorization_dilation`."""

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

    def memorization(self, t: arb) -> arb:
        """rho(t)."""
        c = self.classes
        travelled = (t + c.margin) / c.weight_distance
        if self.decay.is_zero() or c.centre_square.is_zero():
            return travelled
        share = self.decay / (self.decay + self.multiplier(t))
        return (share**2 * c.centre_square + travelled**2).sqrt()

    def dilation(self, t: arb) -> arb:
        """r(t)."""
        return self.noise * self.memorization(t) * self.classes.mean_distance**self.exponent / self.slope

    def residual(self, t: arb) -> arb:
        """Increases in t; zero at the solution."""
        c = self.classes
        rho, r = self.memorization(t), self.dilation(t)
        slope = 2 * c.weight_distance * self.pull(c.margin, c.weight_distance * r) + 4 * self.decay * r
        return slope * c.mean_distance**self.exponent / self.slope - 4 * self.multiplier(t) * rho

    def solution(self, guess: float) -> Dilation:
        """The solution near a guess of t, enclosed by proved signs of the residual."""
        size = abs(guess) + float(self.classes.margin.mid())
        t = around(self.residual, guess, max(abs(guess + float(self.classes.margin.mid())), 1e-6 * size))
        r = self.dilation(t)
        return Dilation(
            noisy_margin=t, memorization=self.memorization(t), dilation=r, normalized=r / self.classes.mean_distance
        )


def smoothed_slope(smoothing: arb) -> Callable[[arb], arb]:
    """phi' of cross-entropy with label smoothing on two classes."""
    return lambda t: smoothing / 2 - 1 / (1 + t.exp())


def logistic_pull(spread: Spread) -> Callable[[arb, arb], arb]:
    r"""``E zeta phi'(s + K zeta)`` for cross-entropy (any smoothing): ``E |zeta| sinh(K|zeta|)/(cosh s + cosh K|zeta|)/2``.

    It decreases in s and increases in K, so balls are bounded by their ends.
    """
    if not isinstance(spread, (Sphere, TwoPoint)):
        raise AssumptionError(f"spread = {spread!r}: only Sphere and TwoPoint are evaluated in ball arithmetic")
    exact = _two_point_pull if isinstance(spread, TwoPoint) or spread.dim == 1 else _sphere_pull

    def pull(s: arb, k: arb) -> arb:
        if s.is_exact() and k.is_exact():
            return exact(spread.dim, s, k)
        low = exact(spread.dim, s.upper(), k.lower().max(arb(0)))
        return low.union(exact(spread.dim, s.lower(), k.upper()))

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
    ufm = UFM(
        CrossEntropy(smoothing),
        num_classes=2,
        weight_decay=weight_decay,
        feature_decay=feature_decay,
        nonnegative=nonnegative,
    )
    problem = MemorizationDilation(
        ufm, noise=noise, slope=slope, spread=spread, scaling=scaling, noisy_feature_decay=noisy_decay
    )
    guess: Any = solve(problem).noisy_margin
    balls = [arb(x) for x in (weight_decay, feature_decay, smoothing)]
    return NoisyProblem(
        classes=TwoClasses.cross_entropy(*balls, nonnegative=nonnegative),
        noise=arb(noise),
        slope=arb(slope),
        decay=arb(noisy_decay),
        exponent=1 if scaling == "absolute" else 0,
        slope_of_loss=smoothed_slope(balls[2]),
        pull=logistic_pull(spread),
    ).solution(float(guess))


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
