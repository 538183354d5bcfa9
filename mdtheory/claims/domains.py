"""Where the variables of a claim live, and how draws favour the edges, where theorems break."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mdtheory.validation import fail

Value = int | float | tuple[float, ...]
"""A value of one variable. Floats are read as the binary numbers they are."""
Point = Mapping[str, Value]

EDGE_SHARE = 0.3
EDGE_WIDTH = 1e-3


class Domain(Protocol):
    """A set of values with a way to draw from it, to move in it, and to prefer simple values."""

    def draw(self, rng: np.random.Generator) -> Value:
        """One value; about a third of the draws lie at an edge or next to one."""

    def step(self, value: Value, size: float, rng: np.random.Generator) -> Value:
        """A value near ``value``; ``size`` in (0, 1] is a fraction of the domain."""

    def simpler(self, value: Value) -> list[Value]:
        """Values worth trying instead of ``value`` when a counterexample is shrunk, simplest first."""

    def contains(self, value: Value) -> bool:
        """Whether a value belongs to the domain."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Real numbers from ``low`` to ``high``, both included; drawn log-uniformly if ``log``."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds that are no interval."""
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low <= self.high):
            raise fail("domain", (self.low, self.high), "finite bounds, low <= high")
        if self.log and self.low <= 0:
            raise fail("domain", (self.low, self.high, "log"), "positive bounds for a logarithmic interval")

    def draw(self, rng: np.random.Generator) -> float:
        """One number; at or within a thousandth of an edge with probability 0.3."""
        share = rng.random()
        if rng.random() < EDGE_SHARE:
            share = rng.choice([0.0, 1.0, EDGE_WIDTH * share, 1.0 - EDGE_WIDTH * share])
        return self._at(share)

    def step(self, value: Value, size: float, rng: np.random.Generator) -> float:
        """A number near ``value``."""
        return self._at(min(1.0, max(0.0, self._share(_number(value)) + size * rng.normal())))

    def simpler(self, value: Value) -> list[Value]:
        """The value with one, two and three significant digits."""
        number = _number(value)
        rounded = [float(f"{number:.{digits}g}") for digits in (1, 2, 3)]
        return [other for other in rounded if other != number and self.contains(other)]

    def contains(self, value: Value) -> bool:
        """Whether the number lies between the bounds."""
        return not isinstance(value, tuple) and self.low <= value <= self.high

    def _at(self, share: float) -> float:
        if self.log:
            return float(min(self.high, max(self.low, self.low * (self.high / self.low) ** share)))
        return float(min(self.high, self.low + (self.high - self.low) * share))

    def _share(self, value: float) -> float:
        if self.high == self.low:
            return 0.0
        if self.log:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers from ``low`` to ``high``, both included; drawn log-uniformly, so that small ones are common."""

    low: int
    high: int

    def __post_init__(self) -> None:
        """Refuse bounds that are no range."""
        if self.low > self.high:
            raise fail("domain", (self.low, self.high), "low <= high")

    def draw(self, rng: np.random.Generator) -> int:
        """One number, an edge with probability 0.3."""
        if rng.random() < EDGE_SHARE:
            return int(rng.choice([self.low, self.high]))
        return self.low - 1 + int((self.high - self.low + 2) ** rng.random())

    def step(self, value: Value, size: float, rng: np.random.Generator) -> int:
        """A number near ``value``, never the same one if there is another."""
        width = max(1.0, size * (self.high - self.low))
        moved = round(_number(value) + width * rng.normal())
        return int(min(self.high, max(self.low, moved)))

    def simpler(self, value: Value) -> list[Value]:
        """The smallest number, then halfway to it, a quarter of the way, ..., and one less."""
        number = int(_number(value))
        steps = [(number - self.low) >> k for k in range(64)]
        return [number - step for step in dict.fromkeys(steps) if step > 0]

    def contains(self, value: Value) -> bool:
        """Whether the value is a whole number between the bounds."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Proportions:
    """Positive numbers that sum to one, as a tuple of ``size``; from nearly equal to very unequal."""

    size: int
    smallest: float = 1e-3

    def draw(self, rng: np.random.Generator) -> tuple[float, ...]:
        """A Dirichlet draw whose concentration is itself drawn between 0.3 and 30."""
        weights = rng.dirichlet(np.full(self.size, 0.3 * 100 ** rng.random()))
        return self._normalised(weights)

    def step(self, value: Value, size: float, rng: np.random.Generator) -> tuple[float, ...]:
        """Proportions multiplied by random factors."""
        return self._normalised(np.asarray(value) * np.exp(size * rng.normal(size=self.size)))

    def simpler(self, value: Value) -> list[Value]:
        """Equal proportions, then the same rounded to one and two digits."""
        candidates = [np.full(self.size, 1.0)] + [np.round(np.asarray(value), digits) for digits in (1, 2)]
        tried = [self._normalised(other) for other in candidates]
        return [other for other in dict.fromkeys(tried) if other != value]

    def contains(self, value: Value) -> bool:
        """Whether these are proportions of the right number, none below ``smallest``."""
        if not isinstance(value, tuple) or len(value) != self.size:
            return False
        return min(value) >= 0.999 * self.smallest and abs(sum(value) - 1) < 1e-12

    def _normalised(self, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, ...]:
        raised = self.smallest + (1 - self.size * self.smallest) * weights / weights.sum()
        return tuple(float(share) for share in raised / raised.sum())


def _number(value: Value) -> float:
    if isinstance(value, tuple):
        raise fail("value", value, "must be a single number")
    return float(value)
