"""Optima between a lower and an upper bound, in balls, and the best from several starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from flint import arb

GAP = 1e-13
"""Bounds so close, relative to the value, need no other start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The optimal value between bounds, and the point that attains the upper one."""

    lower: arb
    upper: arb
    point: tuple[arb, ...]

    @property
    def value(self) -> arb:
        """The value as a ball."""
        return self.lower.union(self.upper)


def best_of(attempts: Iterable[Optimum]) -> Optimum:
    """The first attempt whose bounds nearly meet, or the one with the least upper bound; made one by one."""
    best: Optimum | None = None
    for found in attempts:
        if best is None or found.upper < best.upper:
            best = found
        if found.upper - found.lower < GAP * found.upper:
            break
    assert best is not None
    return best
