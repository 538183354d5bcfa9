"""Whether what a claim says about its symbols, domains and stated points can be true together.

Sympy simplifies with the assumptions of symbols the moment an expression is made: with x positive, ``|x| = x`` is already
``x = x``. So a symbol may assume only what every value of its domain has; anything else is a contradiction, and no
check of what is left of the relations could find it.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Integers, Interval, Point, Proportions, components
from mdtheory.foundation.validation import fail
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.decimals import decimal
from mdtheory.numerics.expressions import Balls, rational_ball, read, truth

BITS = 128
LISTED = 1000
"""Ranges of so many integers are gone through one by one."""
DRAWS = 64


def require_symbol_fits(symbol: sp.Symbol, domain: Domain) -> None:
    """Refuse a symbol whose assumptions exclude a value of its domain."""
    for number in representatives(domain):
        violated = contradicted(symbol, number)
        if violated is not None:
            raise fail(
                "variables", symbol.name, f"the symbol is declared {violated}, but its domain {domain} holds {number}"
            )


def contradicted(symbol: sp.Symbol, number: sp.Expr) -> str | None:
    """The first assumption of a symbol that an exact number does not satisfy, as ``positive=True``."""
    declared = {**getattr(symbol, "_assumptions_orig", {}), **symbol.assumptions0}
    for name, wanted in declared.items():
        actual = getattr(number, f"is_{name}", None)
        if actual is not None and actual is not wanted:
            return f"{name}={wanted}"
    return None


def contradicted_by_ball(symbol: sp.Symbol, ball: arb) -> str | None:
    """The same for a number known as a ball: only what is certain counts."""
    declared = symbol.assumptions0
    for name, excluded in _CERTAINLY_NOT.items():
        wanted = declared.get(name)
        if wanted is not None and excluded[wanted](ball):
            return f"{name}={wanted}"
    return None


def require_point(name: str, point: object, domains: Mapping[str, Domain]) -> None:
    """Refuse a stated point that lacks a variable, has another one, or lies outside a domain."""
    if not isinstance(point, Mapping):
        raise fail(name, point, "a mapping from the name of each variable to its value")
    for variable in point:
        if variable not in domains:
            raise fail(f"{name}[{variable!r}]", point[variable], f"only the variables {', '.join(domains)}")
    for variable, domain in domains.items():
        if variable not in point:
            raise fail(name, dict(point), f"a value for {variable} too")
        value = point[variable]
        if not is_plain(value):
            raise fail(f"{name}[{variable!r}]", value, f"a Python int, float or tuple of floats in {domain}")
        if not domain.contains(value):
            raise fail(f"{name}[{variable!r}]", value, f"a value of its domain {domain}")


def require_admissible(name: str, point: Point, assumptions: Mapping[sp.Basic, sp.Basic]) -> None:
    """Refuse a stated point at which an assumption about the variables, as stated and in full, certainly fails."""
    with precision(BITS):
        balls = either_reading(point)
        for stated, meant in assumptions.items():
            if truth(meant, balls) is False:
                raise fail(name, dict(point), f"a point at which the assumption {stated} holds")


def is_plain(value: object) -> bool:
    """Whether a value is a number that a point may hold: nothing that merely behaves like one."""
    if isinstance(value, tuple):
        return all(type(entry) in (int, float, Fraction) for entry in value)
    return type(value) in (int, float, Fraction)


# ---------------------------------------------------------------------- the values that floats stand for


def decimal_reading(point: Point) -> Balls:
    """Every variable as the decimal that its float shows; proportions as shares of their exact sum.

    Entries of a tuple ``pi`` are ``pi_1, pi_2, ...``.
    """
    return _balls(point, read, lambda entries: [decimal(entry) for entry in entries])


def binary_reading(point: Point) -> Balls:
    """Every variable as the binary number that its float is, which functions of floats compute with."""
    return _balls(point, _as_binary, lambda entries: [Fraction(entry) for entry in entries], shares=False)


def either_reading(point: Point) -> Balls:
    """Balls that contain both readings of every variable."""
    binary = binary_reading(point)
    return {
        name: ball if ball.is_exact() and ball == binary[name] else ball.union(binary[name])
        for name, ball in decimal_reading(point).items()
    }


def exact_values(point: Point) -> dict[str, Fraction]:
    """The decimal reading as fractions."""
    values: dict[str, Fraction] = {}
    for name, value in point.items():
        if isinstance(value, tuple):
            entries = [decimal(entry) for entry in value]
            total = sum(entries)
            values.update({f"{name}_{i}": entry / total for i, entry in enumerate(entries, 1)})
        else:
            values[name] = decimal(value)
    return values


def _as_binary(value: float | int | Fraction) -> arb:
    return rational_ball(value) if isinstance(value, Fraction) else arb(value)


def _balls(
    point: Point,
    one: Callable[[float | int | Fraction], arb],
    several: Callable[[tuple[float, ...]], list[Fraction]],
    *,
    shares: bool = True,
) -> dict[str, arb]:
    balls: dict[str, arb] = {}
    for name, value in point.items():
        if isinstance(value, tuple):
            entries = several(value)
            total = sum(entries) if shares else Fraction(1)
            balls.update({f"{name}_{i}": rational_ball(entry / total) for i, entry in enumerate(entries, 1)})
        else:
            balls[name] = one(value)
    return balls


# ---------------------------------------------------------------------- what values a domain holds


def interval_balls(variables: Mapping[sp.Symbol, Domain]) -> dict[str, tuple[arb, arb]]:
    """Balls around both ends of every variable; raises AssumptionError for a domain of one's own."""
    found = {}
    for symbol, domain in variables.items():
        if isinstance(domain, (Interval, Integers)):
            found[symbol.name] = read(domain.low), read(domain.high)
        elif isinstance(domain, Proportions):
            found.update({part.name: (read(domain.smallest), arb(1)) for part in components(symbol, domain)})
        else:
            raise fail("variables", symbol.name, "an interval, whole numbers or proportions")
    return found


def representatives(domain: Domain) -> Iterator[sp.Expr]:
    """Exact numbers of a domain, of every kind that an assumption can exclude."""
    if isinstance(domain, Interval):
        yield from _of_interval(decimal(domain.low), decimal(domain.high))
    elif isinstance(domain, Integers):
        yield from _of_integers(domain.low, domain.high)
    elif isinstance(domain, Proportions):
        smallest = decimal(domain.smallest)
        yield from _of_interval(smallest, 1 - (domain.size - 1) * smallest)
    else:
        rng = np.random.default_rng(0)
        for value in (domain.draw(rng) for _ in range(DRAWS)):
            for entry in value if isinstance(value, tuple) else (value,):
                yield _rational(decimal(entry))


def _of_interval(low: Fraction, high: Fraction) -> Iterator[sp.Expr]:
    ends = _rational(low), _rational(high)
    yield from ends
    if low == high:
        return
    between = [(2 * low + high) / 3, (low + high) / 2, (low + 2 * high) / 3, Fraction(0)]
    yield from (_rational(value) for value in between if low <= value <= high)
    yield ends[0] + (ends[1] - ends[0]) / sp.sqrt(2)
    yield ends[0] + (ends[1] - ends[0]) / sp.pi
    first, last = -(-low.numerator // low.denominator), high.numerator // high.denominator
    if first <= last:
        yield from _of_integers(first, last)


def _of_integers(low: int, high: int) -> Iterator[sp.Expr]:
    if high - low < LISTED:
        yield from map(sp.Integer, range(low, high + 1))
        return
    yield from (sp.Integer(value) for value in range(-8, 9) if low <= value <= high)
    yield from (sp.Integer(value) for start in (low, high - 40) for value in range(start, start + 41))
    prime = sp.nextprime(max(low, 1) - 1)
    if prime <= high:
        yield sp.Integer(prime)


def _rational(value: Fraction) -> sp.Expr:
    return sp.Rational(value.numerator, value.denominator)


def _never(ball: arb) -> bool:
    return False


def _always(ball: arb) -> bool:
    return True


def _no_integer(ball: arb) -> bool:
    return bool(ball.is_finite()) and not ball.contains_integer()


_CERTAINLY_NOT: Mapping[str, Mapping[bool, Callable[[arb], bool]]] = {
    "positive": {True: lambda b: bool(b <= 0), False: lambda b: bool(b > 0)},
    "negative": {True: lambda b: bool(b >= 0), False: lambda b: bool(b < 0)},
    "nonnegative": {True: lambda b: bool(b < 0), False: lambda b: bool(b >= 0)},
    "nonpositive": {True: lambda b: bool(b > 0), False: lambda b: bool(b <= 0)},
    "zero": {True: lambda b: bool(b != 0), False: lambda b: bool(b == 0)},
    "integer": {True: _no_integer, False: _never},
    "real": {True: _never, False: _always},
    "finite": {True: _never, False: _always},
}
