"""Roots of increasing functions in balls: every end is a proved sign."""

from collections.abc import Callable

from flint import arb
from scipy.optimize import brentq

from mdtheory.foundation.errors import AssumptionError

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
