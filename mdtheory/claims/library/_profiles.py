"""The focal loss along the symmetric logits, and minima of one variable, in balls."""

from collections.abc import Callable

from flint import arb, arb_series

from mdtheory.errors import AssumptionError


def focal_jet(log_odds: arb, focusing: arb, order: int) -> list[arb]:
    """The focal profile and its derivatives in the margin, where the own class has these log odds: by power series.

    The margin and the log odds ``log(p/(1-p))`` differ by ``log(N-1)``, so the number of classes does not matter.
    """
    x = arb_series([log_odds, 1], order + 1)
    rest = 1 / (1 + x.exp())
    loss = (focusing * rest.log()).exp() * (1 + (-x).exp()).log()
    return [loss[i] * arb(i).fac() for i in range(order + 1)]


def log_odds(probability: arb) -> arb:
    """``log(p/(1-p))``."""
    return (probability / (1 - probability)).log()


def cross_entropy_slope(log_odds: arb) -> arb:
    """The slope of ``-log p`` in the margin, by power series."""
    return (1 + (-arb_series([log_odds, 1], 2)).exp()).log()[1]


def least(lower: Callable[[arb, arb], arb], value: Callable[[arb], arb], high: arb, *, width: float = 1e-5) -> arb:
    """A ball around the minimum over ``0 <= x <= high`` of a function: bisection of all that may contain it.

    ``lower(a, b)`` bounds the function from below on [a, b]; the width of the ball is relative to its size.
    """
    best = value(high / 2).upper()
    parts = [(arb(0), high)]
    bound = lower(arb(0), high).lower()
    while parts:
        bounds = [lower(a, b).lower() for a, b in parts]
        bound = bounds[0]
        for other in bounds[1:]:
            bound = bound.min(other)
        if best - bound < arb(width) * abs(best) or len(parts) > 20_000:
            return bound.union(best)
        halves: list[tuple[arb, arb]] = []
        for (a, b), floor in zip(parts, bounds, strict=True):
            if floor > best:
                continue
            middle = ((a + b) / 2).mid()
            best = best.min(value(middle).upper())
            halves += [(a, middle), (middle, b)]
        parts = halves
    raise AssumptionError("minimum: nothing is left of the interval")
