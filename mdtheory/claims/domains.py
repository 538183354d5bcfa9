"""Where the variables of a claim live, and how draws favour the edges, where theorems break."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import sympy as sp

from mdtheory.foundation.validation import fail
from mdtheory.numerics.decimals import decimal

Value = int | float | Fraction | tuple[float, ...]
"""A value of one variable. In formulas a float is the decimal it shows; a function of floats gets the float itself."""
Point = Mapping[str, Value]

EDGE_SHARE = 0.3
EDGE_WIDTH = 1e-3
SMALL_RANGE = 64
MOST_LISTED = 4
"""Proportions of at most so many classes are listed in quarters and tenths."""
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


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
        for name in ("low", "high"):
            object.__setattr__(self, name, _real(name, getattr(self, name)))
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low <= self.high):
            raise fail("domain", (self.low, self.high), "finite bounds, low <= high")
        if not isinstance(self.log, bool):
            raise fail("log", self.log, "True or False")
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

    def simple(self) -> list[Value]:
        """Values at which theorems break: both ends, zero, one, small whole numbers, halves, the middle, round numbers."""
        found: list[float | Fraction] = [self.low, self.high, 0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, self._at(0.5)]
        if self.log:
            found += [10.0**k for k in range(-16, 17)]
        found += [sign * k / 2 for k in range(3, 21) for sign in (1, -1)]
        found += [sign * k / 4 for k in (1, 3, 5, 7) for sign in (1, -1)]
        found += [sign * Fraction(k, 3) for k in (1, 2, 4, 5) for sign in (1, -1)]
        found += [sign * k / 10 for k in range(1, 10) for sign in (1, -1)]
        found += [sign * 10.0**k for k in (2, 3, 6) for sign in (1, -1)]
        return _distinct(value for value in found if self.contains(value))

    def near(self, value: Value) -> list[Value]:
        """Simple numbers near a value: decimals of few digits and fractions of small denominator."""
        number = decimal(_number(value))
        found = [value, *self.simpler(value)]
        found += [simplest(number.limit_denominator(most)) for most in (1, 2, 4, 12, 64)]
        found += [float(round(_number(value), digits)) for digits in (1, 2, 3, 4, 6)]
        return _distinct(other for other in found if self.contains(other))

    def contains(self, value: Value) -> bool:
        """Whether the number lies between the bounds: all three are the decimals they show, which keeps the order of floats."""
        if isinstance(value, Fraction):
            return decimal(self.low) <= value <= decimal(self.high)
        return not isinstance(value, tuple) and bool(self.low <= value <= self.high)

    def _at(self, share: float) -> float:
        if self.log:
            ratio = self.high / self.low
            if not np.isfinite(ratio):
                drawn = float(np.exp(np.log(self.low) * (1.0 - share) + np.log(self.high) * share))
            else:
                drawn = self.low * ratio**share
            return float(min(self.high, max(self.low, drawn)))
        return float(min(self.high, max(self.low, self.low * (1.0 - share) + self.high * share)))

    def _share(self, value: float) -> float:
        if self.high == self.low:
            return 0.0
        if self.log:
            return float((np.log(value) - np.log(self.low)) / (np.log(self.high) - np.log(self.low)))
        half = 0.5 * self.high - 0.5 * self.low
        return (0.5 * value - 0.5 * self.low) / half if half > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers from ``low`` to ``high``, both included; drawn log-uniformly, so that small ones are common."""

    low: int
    high: int

    def __post_init__(self) -> None:
        """Refuse bounds that are no range."""
        for name in ("low", "high"):
            bound = getattr(self, name)
            if isinstance(bound, bool) or not isinstance(bound, (int, np.integer)):
                raise fail(name, bound, "must be an integer")
            object.__setattr__(self, name, int(bound))
        if self.low > self.high:
            raise fail("domain", (self.low, self.high), "low <= high")

    def draw(self, rng: np.random.Generator) -> int:
        """One number, an edge with probability 0.3."""
        if rng.random() < EDGE_SHARE:
            return self.low if rng.random() < 0.5 else self.high
        width = self.high - self.low + 2
        if width.bit_length() < 1000:
            return self.low - 1 + int(width ** rng.random())
        return self.low + (width >> int(width.bit_length() * rng.random()) if width else 0) - 1

    def step(self, value: Value, size: float, rng: np.random.Generator) -> int:
        """A number near ``value``, never the same one if there is another."""
        number = _whole(value)
        span = self.high - self.low
        width = max(1.0, size * min(span, 2**900))
        moved = number + round(width * rng.normal())
        return int(min(self.high, max(self.low, moved)))

    def simpler(self, value: Value) -> list[Value]:
        """The smallest number, then halfway to it, a quarter of the way, ..., and one less."""
        number = _whole(value)
        steps = [(number - self.low) >> k for k in range(64)]
        return [number - step for step in dict.fromkeys(steps) if step > 0]

    def simple(self) -> list[Value]:
        """Both ends and their neighbours, small numbers, primes, powers of two and ten and their neighbours, squares."""
        found = [self.low, self.high, 0, 1, -1, 2, 3, self.low + 1, self.high - 1]
        if self.high - self.low < SMALL_RANGE:
            return _distinct(value for value in (*found, *range(self.low, self.high + 1)) if self.contains(value))
        found += [*range(-3, 13), *PRIMES, *range(self.low, self.low + 6)]
        found += [base**k + step for base in (2, 10) for k in range(3, 64) for step in (0, -1, 1)]
        found += [k * k for k in range(4, 40)]
        return _distinct(value for value in found if self.contains(value))

    def near(self, value: Value) -> list[Value]:
        """The number and its neighbours."""
        number = _whole(value)
        return [other for other in (number, number - 1, number + 1) if self.contains(other)]

    def contains(self, value: Value) -> bool:
        """Whether the value is a whole number between the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Proportions:
    """Positive numbers that sum to one, as a tuple of ``size``; from nearly equal to very unequal.

    In formulas the entries are shares of their exact sum, so that they sum to one there.
    """

    size: int
    smallest: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse what no proportions satisfy."""
        if isinstance(self.size, bool) or not isinstance(self.size, (int, np.integer)) or self.size < 1:
            raise fail("size", self.size, "must be an integer >= 1")
        object.__setattr__(self, "size", int(self.size))
        object.__setattr__(self, "smallest", _real("smallest", self.smallest))
        if not 0 < self.smallest * self.size <= 1:
            raise fail("smallest", self.smallest, f"must lie in (0, 1/{self.size}]")

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

    def simple(self) -> list[Value]:
        """All equal; one far above or below the others, which tie; two ties; like 1 to n; like powers of a half."""
        n, tiny = self.size, self.smallest
        rest = max(1.0 - (n - 1) * tiny, tiny)
        shapes = [[1.0] * n, [rest] + [tiny] * (n - 1), [1.0] * (n - 1) + [n * tiny], [2.0] + [1.0] * (n - 1)]
        shapes += [[2.0] * (n - n // 2) + [1.0] * (n // 2), [2.0] * (n - 1) + [1.0], [float(n - k) for k in range(n)]]
        shapes += [[2.0 ** (n - k) for k in range(n)], [1.0] * max(n - 2, 0) + [0.5] * min(2, n)]
        orders = [order for shape in shapes for order in dict.fromkeys((tuple(shape), tuple(reversed(shape))))]
        for whole in (4, 10) if n <= MOST_LISTED else ():  # quarters, tenths
            orders += [tuple(map(float, parts)) for parts in _compositions(whole, n)]
        found = []
        for order in orders:
            shares = tuple(weight / sum(order) for weight in order)
            found.append(shares if self.contains(shares) else self._normalised(np.asarray(order)))
        return _distinct(found)

    def near(self, value: Value) -> list[Value]:
        """The proportions, simpler ones, and the same with neighbouring entries tied."""
        if not isinstance(value, tuple):
            return []
        tied = []
        for i, j in itertools.pairwise(np.argsort(value)):
            mean = 0.5 * (value[i] + value[j])
            tied.append(tuple(mean if k in (i, j) else entry for k, entry in enumerate(value)))
        tied += [_rounded(value, whole) for whole in (*range(2, 13), 20, 100, 1000)]
        return _distinct(other for other in (value, *self.simpler(value), *tied) if self.contains(other))

    def contains(self, value: Value) -> bool:
        """Whether these are proportions of the right number, none below ``smallest``."""
        if not isinstance(value, tuple) or len(value) != self.size:
            return False
        return bool(min(value) >= 0.999 * self.smallest and abs(sum(value) - 1) < 1e-12)

    def _normalised(self, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, ...]:
        raised = self.smallest + (1 - self.size * self.smallest) * weights / weights.sum()
        return tuple(float(share) for share in raised / raised.sum())


def _compositions(whole: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a whole number as a sum of so many positive ones, in order."""
    for cuts in itertools.combinations(range(1, whole), parts - 1):
        ends = (0, *cuts, whole)
        yield tuple(after - before for before, after in itertools.pairwise(ends))


def _rounded(shares: tuple[float, ...], whole: int) -> tuple[float, ...]:
    """The nearest shares that are multiples of one over a whole number, by largest remainders."""
    counts = [int(share * whole) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - shares[i] * whole)
    for i in by_remainder[: whole - sum(counts)]:
        counts[i] += 1
    return tuple(count / whole for count in counts)


def components(symbol: sp.Symbol, domain: Domain) -> tuple[sp.Symbol, ...]:
    """The symbols ``pi_1, pi_2, ...`` that stand for the entries of a variable ``pi`` with several numbers."""
    if not isinstance(domain, Proportions):
        return ()
    return tuple(sp.Symbol(f"{symbol.name}_{i}", positive=True) for i in range(1, domain.size + 1))


def simple_values(domain: Domain) -> list[Value]:
    """The simple values of a domain; none of a domain of one's own that does not say."""
    found: list[Value] = getattr(domain, "simple", list)()
    return found


def simple_near(domain: Domain, value: Value) -> list[Value]:
    """Simple values of a domain near a value of it."""
    found: list[Value] = getattr(domain, "near", domain.simpler)(value)
    return found


def placed(domain: Domain, value: Value) -> Value | None:
    """A value of another variable as one of this domain, of its type; None if it is none."""
    moved = value
    if isinstance(domain, Integers) and isinstance(value, (float, Fraction)) and value == int(value):
        moved = int(value)
    if isinstance(domain, Interval) and isinstance(value, int):
        moved = float(value) if abs(value) < 2**53 else value
    return moved if domain.contains(moved) else None


def simplest(number: Fraction) -> float | Fraction:
    """A float if one shows exactly this number, else the fraction."""
    try:
        shown = float(number)
    except OverflowError:
        return number
    return shown if decimal(shown) == number else number


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _number(value: Value) -> float:
    if isinstance(value, tuple):
        raise fail("value", value, "must be a single number")
    return float(value)


def _whole(value: Value) -> int:
    return value if isinstance(value, int) else int(_number(value))


def _real(name: str, value: object) -> float:
    """A bound as Python's own number; whole numbers stay whole."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise fail(name, value, "must be a real number")
    if isinstance(value, (np.integer, np.floating)):
        return float(value)
    return value
