"""Points at which theorems break: corners, ties, simple numbers, ends of assumptions, and zeros along a line."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from mdtheory.claims.domains import (
    Domain,
    Integers,
    Interval,
    Point,
    Proportions,
    Value,
    placed,
    simple_near,
    simple_values,
    simplest,
)
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import Relation
from mdtheory.foundation.validation import FloatArray
from mdtheory.numerics.decimals import decimal, with_rationals

MOST_CORNERS = 64
GRID = 129
BISECTIONS = 60
MOST_OPERATIONS = 200
MOST_DEGREE = 12
MOST_ON_LINE = 5
"""So many zeros and turning points of one function along one line are followed up."""

Domains = Mapping[str, Domain]


def named_domains(claim: Claim) -> dict[str, Domain]:
    """The domain of each variable by name."""
    return {symbol.name: domain for symbol, domain in claim.variables.items()}


def constants(expressions: Iterable[sp.Basic]) -> list[float | Fraction]:
    """The numbers that formulas mention, which is where assumptions end and cases meet."""
    found = {number for expression in expressions for number in expression.atoms(sp.Rational) if number.is_finite}
    ordered = sorted(found, key=lambda q: (q.q, abs(q.p), q.p))
    return [simplest(Fraction(int(q.p), int(q.q))) for q in ordered]


def simple_points(
    domains: Domains, limit: int, mentioned: Sequence[float | Fraction] = (), *, fractions: bool
) -> list[Point]:
    """At most so many points, the most telling first.

    Parameters
    ----------
    domains : mapping
        From names to domains.
    limit : int
    mentioned : sequence
        Numbers to try besides those of the domains.
    fractions : bool
        Whether values may be fractions that no float shows.
    """
    values = {name: _values(domain, mentioned, fractions=fractions) for name, domain in domains.items()}
    if limit < 1 or not values or not all(values.values()):
        return []
    middle = {name: listed[min(len(listed) - 1, 3)] for name, listed in values.items()}
    kinds = [
        itertools.islice(_corners(values), MOST_CORNERS),
        _ties(values, middle),
        _one_at_a_time(values, middle),
        _product(values, limit),
    ]
    found: dict[tuple[tuple[str, Value], ...], Point] = {}
    for point in _in_turn(kinds):
        moved = {name: placed(domains[name], value) for name, value in point.items()}
        fitting = {name: value for name, value in moved.items() if value is not None}
        if len(fitting) < len(moved):
            continue
        found.setdefault(tuple(fitting.items()), fitting)
        if len(found) >= limit:
            break
    return list(found.values())


def mixed(point: Point, domains: Domains, rng: np.random.Generator) -> Point:
    """A draw with two variables tied, or some of them at simple values."""
    names = list(domains)
    moved = dict(point)
    if len(names) > 1 and rng.random() < 0.5:
        one, other = (names[i] for i in rng.choice(len(names), 2, replace=False))
        tied = placed(domains[other], point[one])
        if tied is not None:
            return {**moved, other: tied}
    for name in names:
        listed = _allowed(simple_values(domains[name]), fractions=False)
        if listed and rng.random() < 0.5:
            moved[name] = listed[int(rng.integers(min(len(listed), 12)))]
    return moved


def inside(point: Point, domains: Domains) -> Point:
    """The point with ends that as binary numbers lie beyond the decimals they show moved to the next float inside."""
    moved = dict(point)
    for name, domain in domains.items():
        value = point[name]
        if isinstance(domain, Interval) and isinstance(value, float) and value in (domain.low, domain.high):
            if Fraction(value) > decimal(domain.high):
                moved[name] = math.nextafter(value, -math.inf)
            elif Fraction(value) < decimal(domain.low):
                moved[name] = math.nextafter(value, math.inf)
    return moved


def near_points(point: Point, domains: Domains, *, fractions: bool) -> list[Point]:
    """Simple points near a point: everything rounded alike, one variable rounded, variables tied."""
    near = {name: _allowed(simple_near(domains[name], value), fractions) for name, value in point.items()}
    found: list[Point] = []
    for i in range(1, max(map(len, near.values()), default=0)):
        found.append(
            {name: listed[min(i, len(listed) - 1)] if listed else point[name] for name, listed in near.items()}
        )
    for name, other in itertools.permutations(point, 2):
        tied = placed(domains[other], point[name])
        if tied is not None:
            found.append({**point, other: tied})
    for name, listed in near.items():
        found += [{**point, name: value} for value in listed]
    return list({tuple(p.items()): p for p in found}.values())


def line_points(
    claim: Claim,
    relations: Sequence[Relation],
    assumptions: Sequence[sp.Basic],
    base: Point,
    *,
    fractions: bool,
    along: sp.Symbol | None = None,
) -> Iterator[Point]:
    """Points on lines through a point, parallel to the axes (or one of them): simple numbers near zeros and turning points.

    Of the differences of both sides of relations and assumptions, as far as they mention variables only.
    """
    domains = named_domains(claim)
    symbols = tuple(claim.variables)
    for difference in dict.fromkeys((*_of_relations(relations), *_of_assumptions(assumptions))):
        if not difference.free_symbols or not difference.free_symbols <= set(symbols):
            continue
        function = _numeric(difference, symbols)
        for symbol in sorted(difference.free_symbols if along is None else difference.free_symbols & {along}, key=str):
            domain = domains[symbol.name]
            if function is None or isinstance(domain, Proportions) or not isinstance(domain, (Interval, Integers)):
                continue
            yield from ({**base, symbol.name: root} for root in _roots(difference, symbol, domain, base, fractions))
            with np.errstate(all="ignore"):
                telling = _telling(function, symbol.name, domain, base)
            for number in telling:
                value: Value = round(number) if isinstance(domain, Integers) else number
                for near in _allowed(simple_near(domain, value), fractions):
                    yield {**base, symbol.name: near}


# ---------------------------------------------------------------------- combinations


def _values(domain: Domain, mentioned: Sequence[float | Fraction], *, fractions: bool) -> list[Value]:
    listed = simple_values(domain)
    # Numbers of the formulas come right after the ends.
    more: list[Value] = []
    for number in mentioned if isinstance(domain, (Interval, Integers)) else ():
        for value in (number, -number):
            plain: Value = int(value) if isinstance(domain, Integers) and value == int(value) else value
            if domain.contains(plain):
                more.append(plain)
    return _allowed(dict.fromkeys([*listed[:2], *more, *listed[2:]]), fractions)


def _allowed(values: Iterable[Value], fractions: bool) -> list[Value]:
    """Fractions as they are, or for functions of floats as the floats next to them."""
    if fractions:
        return list(values)
    return list(dict.fromkeys(float(value) if isinstance(value, Fraction) else value for value in values))


def _corners(values: Mapping[str, list[Value]]) -> Iterator[Point]:
    ends = {name: listed[:2] for name, listed in values.items()}
    total = 2 ** len(ends)
    if total <= MOST_CORNERS:
        yield from (dict(zip(ends, corner, strict=True)) for corner in itertools.product(*ends.values()))
        return
    rng = np.random.default_rng(0)
    for choice in (0, -1):
        yield {name: pair[choice] for name, pair in ends.items()}
    while True:
        yield {name: pair[int(rng.integers(len(pair)))] for name, pair in ends.items()}


def _ties(values: Mapping[str, list[Value]], middle: Point) -> Iterator[Point]:
    common = [value for value in next(iter(values.values())) if all(value in listed for listed in values.values())]
    if len(values) > 1:
        yield from (dict.fromkeys(values, value) for value in common)
    for one, other in itertools.combinations(values, 2):
        if len(values) > 2:
            shared = [value for value in values[one] if value in values[other]][:6]
            yield from ({**middle, one: value, other: value} for value in shared)


def _one_at_a_time(values: Mapping[str, list[Value]], middle: Point) -> Iterator[Point]:
    for rank in range(max(map(len, values.values()))):
        for name, listed in values.items():
            if rank < len(listed):
                yield {**middle, name: listed[rank]}


def _product(values: Mapping[str, list[Value]], limit: int) -> Iterator[Point]:
    each = max(2, int(limit ** (1.0 / len(values))))
    for chosen in itertools.product(*(listed[:each] for listed in values.values())):
        yield dict(zip(values, chosen, strict=True))


def _in_turn(kinds: Sequence[Iterator[Point]]) -> Iterator[Point]:
    waiting = list(kinds)
    while waiting:
        for kind in list(waiting):
            point = next(kind, None)
            if point is None:
                waiting.remove(kind)
            else:
                yield point


# ---------------------------------------------------------------------- along lines


def _of_relations(relations: Sequence[Relation]) -> Iterator[sp.Expr]:
    for relation in relations:
        if relation.operator == "iff-positive":
            yield from (relation.left, relation.right)
        elif relation.operator != "~":
            yield relation.left - relation.right


def _of_assumptions(assumptions: Sequence[sp.Basic]) -> Iterator[sp.Expr]:
    for assumption in assumptions:
        for part in assumption.atoms(sp.core.relational.Relational):
            yield part.lhs - part.rhs


def _roots(
    difference: sp.Expr, symbol: sp.Symbol, domain: Interval | Integers, base: Point, fractions: bool
) -> list[Value]:
    """Rational zeros and turning points along one axis, exactly, where the function is a polynomial there."""
    single = {s: base[s.name] for s in difference.free_symbols - {symbol}}
    others = {s: sp.Rational(str(decimal(v))) for s, v in single.items() if not isinstance(v, tuple)}
    along = with_rationals(difference).xreplace(others)
    if along.free_symbols != {symbol} or not along.is_polynomial(symbol) or along.count_ops() > MOST_OPERATIONS:
        return []
    polynomial = sp.Poly(along, symbol)
    if (not polynomial.domain.is_QQ and not polynomial.domain.is_ZZ) or polynomial.degree() > MOST_DEGREE:
        return []
    exactly = [root for part in (polynomial, polynomial.diff()) if not part.is_zero for root in part.ground_roots()]
    values = [simplest(Fraction(int(root.p), int(root.q))) for root in exactly]
    placed_there = (placed(domain, value) for value in _allowed(values, fractions))
    return [value for value in placed_there if value is not None]


@lru_cache(maxsize=512)
def _numeric(difference: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., Any] | None:
    try:
        compiled: Callable[..., Any] = sp.lambdify(symbols, difference, modules="numpy")
    except Exception:  # sympy has no code for it: then there are no lines
        return None
    return compiled


def _telling(function: Callable[..., Any], name: str, domain: Interval | Integers, base: Point) -> list[float]:
    """Approximate zeros and turning points of a function along one axis."""

    def along(t: Any) -> FloatArray:
        values = [t if key == name else np.float64(np.nan if isinstance(v, tuple) else v) for key, v in base.items()]
        found = np.asarray(function(*values), dtype=np.float64)
        return np.broadcast_to(found, np.shape(t)).astype(np.float64)

    try:
        low, high = float(domain.low), float(domain.high)
    except OverflowError:  # whole numbers beyond the range of doubles
        return []
    logarithmic = isinstance(domain, Interval) and domain.log
    share = np.linspace(0.0, 1.0, GRID)
    grid = np.geomspace(low, high, GRID) if logarithmic else low * (1.0 - share) + high * share
    try:
        y = along(grid)
    except (TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError, NameError):
        return []
    crossing = [(i, i + 1, False) for i in np.flatnonzero(np.signbit(y[:-1]) != np.signbit(y[1:]))]
    rises = np.diff(y)
    turning = [(i, i + 2, True) for i in np.flatnonzero(np.signbit(rises[:-1]) != np.signbit(rises[1:]))]
    turning.sort(key=lambda cell: abs(y[cell[0] + 1]))
    cells = [*crossing[:MOST_ON_LINE], *turning[:MOST_ON_LINE]]
    found = [_refined(along, float(grid[i]), float(grid[j]), turns=turns) for i, j, turns in cells]
    return [number for number in found if math.isfinite(number)]


def _refined(along: Callable[[Any], FloatArray], low: float, high: float, *, turns: bool) -> float:
    """The zero of a function, or (by its differences) its turning point, between two numbers."""
    step = 1e-5 * high - 1e-5 * low

    def sign(t: float) -> bool:
        if not turns:
            return bool(np.signbit(along(np.float64(t))))
        left, right = along(np.array([t - step, t + step]))
        return bool(np.signbit(right - left))

    at_low = sign(low)
    for _ in range(BISECTIONS):
        middle = 0.5 * low + 0.5 * high
        if middle in (low, high):
            break
        if sign(middle) == at_low:
            low = middle
        else:
            high = middle
    return 0.5 * low + 0.5 * high
