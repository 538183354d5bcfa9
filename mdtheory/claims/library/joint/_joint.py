"""Quantities of the limited-expressivity model of two classes with cross-entropy, equal decays and a sphere in eight dimensions."""

import sympy as sp
from flint import arb, arb_mat

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import decay, noise, slope, smoothing
from mdtheory.claims.model import Quantity, Source
from mdtheory.models.dilation.balls import solve_noisy
from mdtheory.models.joint.balls import JointBalls, solve_joint
from mdtheory.spreads import Sphere

SOURCE = Source("this project", "limited-expressivity model of two classes")
ROUTE = "minimiser in balls: Krawczyk's test for the gradient of the convex programme"
SETTING = ("cross-entropy", "free features", "isotropic spread")
SPREAD = Sphere(8)

# Where nothing collapses, and balls around the minimiser are found in a tenth of a second.
VARIABLES = {
    decay: Interval(1e-4, 0.05, log=True),
    noise: Interval(0.01, 0.6, log=True),
    slope: Interval(0.01, 10.0, log=True),
}
SMOOTHED = {**VARIABLES, smoothing: Interval(0.0, 0.3)}
MOST = 24

margin, noisy_margin, dilation, value = sp.symbols("margin noisy_margin dilation value", real=True)
flip = noise / (1 + noise)
weight = sp.sqrt(2) * decay
"""The cost of a unit of margin."""


def solved(decay: float, noise: float, slope: float, smoothing: float = 0.0) -> JointBalls:
    """The optimum in balls."""
    return solve_joint(
        weight_decay=decay, feature_decay=decay, smoothing=smoothing, noise=noise, slope=slope, spread=SPREAD
    )


def joint(name: str, *, smoothed: bool = False) -> Quantity:
    """A field of the optimum, as a quantity of decay, noise and slope, and of the smoothing if it is `smoothed`."""

    def plain(decay: float, noise: float, slope: float) -> arb:
        return getattr(solved(decay, noise, slope), name)

    def with_smoothing(decay: float, noise: float, slope: float, smoothing: float) -> arb:
        return getattr(solved(decay, noise, slope, smoothing), name)

    return Quantity(at=with_smoothing if smoothed else plain, route=ROUTE)


def fixed_dilation(decay: float, noise: float, slope: float, smoothing: float = 0.0) -> arb:
    """The normalised dilation at the configuration of the features model, relative scaling."""
    return solve_noisy(
        weight_decay=decay,
        feature_decay=decay,
        smoothing=smoothing,
        noise=noise,
        slope=slope,
        noisy_decay=decay,
        spread=SPREAD,
        nonnegative=False,
        scaling="relative",
    ).normalized


def margin_or_zero(decay: float, noise: float, slope: float, smoothing: float) -> arb:
    """The margin; zero where the dual norm of the gradient at zero is at most the weight of the norm, in balls."""
    e, c = arb(noise) / (1 + arb(noise)), arb(noise) / arb(slope)
    p, pull = 1 - e, (1 - arb(smoothing)) / 2
    form = arb_mat([[p * (1 + c**2) / 2, p * c**2 / 2], [p * c**2 / 2, (p * c**2 + e) / 2]])
    gradient = arb_mat([[-p * pull], [-e * pull]])
    square = (gradient.transpose() * form.solve(gradient))[0, 0]
    if square <= 4 * arb(decay) ** 2:
        return arb(0)
    return solved(decay, noise, slope, smoothing).margin


def fixed_dilation_plain(decay: float, noise: float, slope: float) -> arb:
    """The same for cross-entropy without smoothing."""
    return fixed_dilation(decay, noise, slope)


def relative_distance(decay: float, noise: float, slope: float) -> arb:
    """``D/D_0``: ``D = 2 s/kap`` with ``kap^4 = 2 Q`` for equal decays, Q the mean square of margins; without noise Q = s_0^2."""
    found, c = solved(decay, noise, slope), arb(noise) / arb(slope)
    s, t, e = found.margin, found.noisy_margin, arb(noise) / (1 + arb(noise))
    square = (1 - e) * (s**2 + c**2 * (s + t) ** 2) + e * t**2
    plain = (1 / (arb(2).sqrt() * arb(decay)) - 1).log()
    return s / square.sqrt().sqrt() / plain.sqrt()
