"""Memorization and dilation of focal loss on two points, without decay of noisy features: a global minimum in balls.

The loss is not convex in the margin, so no sign of one slope orders the roots. In w, the way a noisy margin has gone from -s, the
objective is ``phi(s + b w) + phi(s - b w) + 2 eta phi(w - s)`` with ``b = eta D^q zeta/C``, and phi decreases: intervals are
excluded by their ends, what is left by the sign of the slope.
"""

from collections.abc import Callable
from functools import lru_cache

from flint import arb, ctx

from mdtheory.claims.library._focal import profile
from mdtheory.foundation.errors import AssumptionError
from mdtheory.models.dilation.balls import TwoClasses
from mdtheory.numerics.ball_roots import root

MOST_CELLS = 40_000
SHORT = 0.25
ROUND = 3e-2
"""A neighbourhood of the minimum of this relative size is searched by slopes."""


@lru_cache(maxsize=2000)
def configuration(focusing: float, weight_decay: float, feature_decay: float, bits: int) -> TwoClasses:
    """Nonnegative features; the profile of two classes is convex from zero on, so its slope has one root at most."""
    gamma, lw, lh = arb(focusing), arb(weight_decay), arb(feature_decay)
    cost = 2 * (lw * lh).sqrt()
    if not profile(2, gamma, arb(0))[1] + cost < 0:
        raise AssumptionError("margin: the class means have collapsed to zero")
    margin = root(lambda s: profile(2, gamma, s)[1] + cost, arb(0), arb(60))
    return TwoClasses.from_margin(margin, lw, lh, nonnegative=True)


def normalized_dilation(
    focusing: float, weight_decay: float, feature_decay: float, noise: float, slope: float, dim: int
) -> arb:
    """ND in absolute scaling."""
    return _normalized_dilation(focusing, weight_decay, feature_decay, noise, slope, dim, ctx.prec)


@lru_cache(maxsize=2000)
def _normalized_dilation(
    focusing: float, weight_decay: float, feature_decay: float, noise: float, slope: float, dim: int, bits: int
) -> arb:
    classes, gamma = configuration(focusing, weight_decay, feature_decay, bits), arb(focusing)
    s, eta = classes.margin, arb(noise)
    b = eta * classes.mean_distance / (arb(slope) * arb(dim).sqrt())

    def phi(t: arb) -> arb:
        return profile(2, gamma, t)[0]

    def value(low: arb, high: arb) -> arb:
        """A lower bound on an interval, and the value where both ends agree."""
        return phi(s + b * high) + phi(s - b * low) + 2 * eta * phi(high - s)

    def pull(w: arb) -> arb:
        here = [profile(2, gamma, t)[1] for t in (s + b * w, s - b * w, w - s)]
        return b * (here[0] - here[1]) + 2 * eta * here[2]

    return eta * _minimiser(value, pull, s, b) / (classes.weight_distance * arb(slope))


def _minimiser(value: Callable[[arb, arb], arb], pull: Callable[[arb], arb], s: arb, b: arb) -> arb:
    """A ball around the global minimiser over w >= 0; raises AssumptionError where it is not settled."""
    high = (2 * s + 8 + s / b).upper()
    guess = _rough(value, pull, float(high))
    best = value(arb(guess), arb(guess)).upper()
    while not value(high, arb(2) * high) > best:
        # Far out a clean example costs more than everything at the guess: its loss grows with the way.
        high = 2 * high
        if high > 1e6:
            raise AssumptionError("dilation: no end of the search is proved")

    def above(one: arb, two: arb) -> bool:
        """By the ends; or, where it is short, by the middle and the slope."""
        if value(one, two) > best or two - one > SHORT:
            return bool(value(one, two) > best)
        middle = ((one + two) / 2).mid()
        rest = abs(pull(one.union(two))).upper() * (two - one) / 2
        return bool(value(middle, middle) - rest > best)

    near = (arb(guess) * (1 - arb(ROUND)), arb(guess) * (1 + arb(ROUND)))
    for low, up in ((arb(0), near[0].mid()), (near[1].mid(), high)):
        _exclude(above, low, up)
    inner = (arb(guess) * (1 - arb(1e-12)), arb(guess) * (1 + arb(1e-12)))
    _exclude(lambda one, two: pull(one.union(two)) < 0, near[0].mid(), inner[0].mid())
    _exclude(lambda one, two: pull(one.union(two)) > 0, inner[1].mid(), near[1].mid())
    return inner[0].union(inner[1])


def _rough(value: Callable[[arb, arb], arb], pull: Callable[[arb], arb], high: float) -> float:
    """In the middle of balls: the best of a grid, then bisection of the slope. Proves nothing."""
    grid = [high * (i / 800) ** 2 for i in range(1, 801)]
    best = min(range(len(grid)), key=lambda i: float(value(arb(grid[i]), arb(grid[i])).mid()))
    low, up = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    for _ in range(80):
        middle = (low + up) / 2
        low, up = (middle, up) if float(pull(arb(middle)).mid()) < 0 else (low, middle)
    return (low + up) / 2


def _exclude(settled: Callable[[arb, arb], bool], low: arb, high: arb) -> None:
    """Split an interval until every part is settled."""
    cells, done = [(low, high)], 0
    while cells:
        one, two = cells.pop()
        if settled(one, two):
            continue
        done += 1
        if done > MOST_CELLS:
            raise AssumptionError("dilation: the global minimum is not settled")
        middle = ((one + two) / 2).mid()
        cells += [(one, middle), (middle, two)]
