"""What a claim, a box and a quantity may consist of; each field is refused in one line that says what it must be."""

import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from mdtheory.claims.agreement import (
    contradicted,
    representatives,
    require_admissible,
    require_point,
    require_symbol_fits,
)
from mdtheory.claims.domains import Domain, Integers, Interval, Proportions, components
from mdtheory.claims.relation import Relation
from mdtheory.foundation.frozen import FixedDict
from mdtheory.foundation.validation import fail
from mdtheory.numerics.decimals import decimal

if TYPE_CHECKING:
    from mdtheory.claims.model import Box, Claim, Quantity

MOST_RESOLUTION = 0.1
CONDITIONS = (sp.core.relational.Relational, sp.logic.boolalg.BooleanFunction, sp.logic.boolalg.BooleanAtom)
"""What an assumption can be: sympy counts bare symbols among its booleans."""
EXCLUSIVE = (
    ("free features", "nonnegative features"),
    ("no bias", "unregularised bias", "penalised bias"),
    ("absolute scaling", "relative scaling"),
    ("noisy features with the decay of all", "noisy features without decay"),
    ("a feature for every example", "a feature for every true class"),
    ("linear network", "ReLU network"),
    ("spread on a sphere", "spread in a ball", "two-point spread", "Gaussian spread"),
)
"""Of each of these hypotheses a setting has one at most: what needs two is said of nothing."""
DOMAIN_METHODS = ("draw", "step", "simpler", "contains")


def require_types(claim: "Claim", *, source: type, verdict: type[Enum], box: type, quantity: type) -> None:
    """Refuse fields of the wrong type; lists become tuples."""
    for name in ("id", "title", "statement", "notes"):
        require(name, getattr(claim, name), str, "a string")
    require("source", claim.source, source, 'a Source, such as Source("this project")')
    require("expected", claim.expected, verdict, "a Verdict, such as Verdict.SUPPORTED")
    if claim.expected.name == "ERROR":
        raise fail("expected", claim.expected.name, "what a check can find about the statement")
    for name in ("symbolic", "existence"):
        require(name, getattr(claim, name), bool, "True or False")
    for name, kind, what in (("derivation", str, "the path of a proof"), ("box", box, "a Box"),
                             ("counterexample", Mapping, "a mapping from variables to values")):  # fmt: skip
        if getattr(claim, name) is not None:
            require(name, getattr(claim, name), kind, f"{what}, or None")
    require_number("resolution", claim.resolution, 0.0, MOST_RESOLUTION)
    if claim.most_samples is not None:
        require_whole("most_samples", claim.most_samples, 1)
    _tuple(claim, "relations", Relation, "a tuple of Relation, such as (at_least(x, 0),)")
    _tuple(claim, "assumptions", CONDITIONS, "a tuple of sympy relationals, such as (sp.Gt(x, 0),)")
    require_mapping("variables", claim.variables, sp.Symbol, "a domain, such as Interval(0, 1)", is_domain)
    require_mapping("quantities", claim.quantities, sp.Symbol, "a Quantity", lambda v: isinstance(v, quantity))
    require_mapping("definitions", claim.definitions, sp.Symbol, "a sympy expression", _is_expression)
    require_mapping("equivalent", claim.equivalent, str, "a reason", lambda v: isinstance(v, str))
    _require_distinct_names(claim)
    freeze(claim, "variables", "quantities", "definitions", "equivalent")
    if claim.counterexample is not None:
        freeze(claim, "counterexample")


def require_consistent(claim: "Claim") -> None:
    """Refuse a claim whose symbols, domains, relations, box and stated point contradict each other."""
    for symbol, domain in claim.variables.items():
        if isinstance(domain, Proportions):
            if any(symbol in part.free_symbols for part in _expressions(claim)):
                raise fail("variables", symbol.name, f"several numbers: its entries are {symbol.name}_1, ...")
            entries = set(components(symbol, domain))
            if not claim.quantities and not any(entries & part.free_symbols for part in _expressions(claim)):
                # Sympy may have simplified with what another symbol of the name of an entry assumes.
                raise fail("variables", symbol.name, f"no entry {symbol.name}_1, ... occurs (any more)")
        else:
            require_symbol_fits(symbol, domain)
    for group in EXCLUSIVE:
        together = [word for word in group if word in claim.hypotheses]
        if len(together) > 1:
            raise fail("hypotheses", together, "one of these at most: no setting has both")
    for relation in claim.relations:
        _require_limit(claim, relation)
    if claim.symbolic and claim.quantities:
        names = ", ".join(sorted(symbol.name for symbol in claim.quantities))
        raise fail("symbolic", True, f"no quantity, for sympy knows only the assumptions of its symbol ({names})")
    _require_stated_point(claim)
    if claim.box is not None:
        _require_box_fits(claim, claim.box)


def require_quantity(quantity: "Quantity") -> None:
    """Refuse fields of the wrong type."""
    if not callable(quantity.at):
        raise fail("at", quantity.at, "a function of the claim's variables that returns an arb")
    if quantity.over is not None and not callable(quantity.over):
        raise fail("over", quantity.over, "a function of balls that returns an arb, or None")
    for name in ("rigorous", "convex"):
        require(name, getattr(quantity, name), bool, "True or False")
    require("route", quantity.route, str, "a string")


def require_box(box: "Box") -> None:
    """Refuse sides that are neither an interval of decimals nor a list of whole numbers, and options of no meaning."""
    require_mapping("sides", box.sides, str, "a pair of decimal strings or a tuple of ints", lambda v: True)
    if not box.sides:
        raise fail("sides", dict(box.sides), "at least one side")
    for name, side in box.sides.items():
        _require_side(name, side)
    if box.decide is not None and not callable(box.decide):
        raise fail("decide", box.decide, "a function of balls that returns True, False or None")
    if not isinstance(box.log, tuple) or not set(box.log) <= set(box.sides):
        raise fail("log", box.log, f"a tuple of sides: {', '.join(box.sides)}")
    for name in box.log:
        if not side_ends(box.sides[name])[0] > 0:
            raise fail("log", name, "a side of positive numbers")
    require_mapping("effort", box.effort, str, "a positive number", lambda v: _is_number(v) and 0 < v < math.inf)
    if not set(box.effort) <= set(box.sides):
        raise fail("effort", sorted(box.effort), f"only sides: {', '.join(box.sides)}")
    require_whole("budget", box.budget, 1)
    require("slow", box.slow, bool, "True or False")
    freeze(box, "sides", "effort")


def is_list(side: tuple[Any, ...]) -> bool:
    """Whether a side lists whole numbers, instead of being an interval."""
    return all(type(entry) is int for entry in side)


def side_ends(side: tuple[Any, ...]) -> tuple[Fraction, Fraction]:
    """The smallest and the largest number of a side."""
    numbers = [Fraction(entry) for entry in side]
    return min(numbers), max(numbers)


# ---------------------------------------------------------------------- types


def require(name: str, value: object, kind: Any, what: str) -> None:
    """Refuse a value that is not of a type."""
    if not isinstance(value, kind):
        raise fail(name, value, f"must be {what}")


def require_number(name: str, value: object, above: float, most: float) -> None:
    """Refuse what is not a number in (above, most]."""
    if not _is_number(value) or not above < value <= most:  # type: ignore[operator]  # a number by then
        raise fail(name, value, f"must be a number above {above:g}, at most {most:g}")


def require_whole(name: str, value: object, low: int) -> None:
    """Refuse what is not an integer from `low` on."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < low:
        raise fail(name, value, f"must be an integer >= {low}")


def require_mapping(name: str, value: object, key: type, what: str, good: Callable[[Any], bool]) -> None:
    """Refuse what is not a mapping from one type to values that are good."""
    if not isinstance(value, Mapping):
        raise fail(name, value, f"must be a mapping from a {key.__name__} to {what}")
    for k, v in value.items():
        if not isinstance(k, key):
            raise fail(name, k, f"every key must be a {key.__name__}")
        if not good(v):
            raise fail(f"{name}[{str(k)!r}]", v, f"must be {what}")


def is_domain(value: object) -> bool:
    """Whether an object has the methods of a `Domain`."""
    return not isinstance(value, type) and all(callable(getattr(value, method, None)) for method in DOMAIN_METHODS)


def freeze(owner: object, *names: str) -> None:
    """Mappings of one's own become read-only copies: what has been compared with each other must stay so."""
    for name in names:
        object.__setattr__(owner, name, FixedDict(dict(getattr(owner, name))))


def _tuple(claim: "Claim", name: str, kind: Any, what: str) -> None:
    value = getattr(claim, name)
    if isinstance(value, list):
        value = tuple(value)
        object.__setattr__(claim, name, value)
    require(name, value, tuple, what)
    for entry in value:
        if not isinstance(entry, kind):
            raise fail(name, entry, f"must be {what}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_expression(value: object) -> bool:
    return isinstance(value, sp.Expr) or _is_number(value)


# ---------------------------------------------------------------------- contradictions


def _expressions(claim: "Claim") -> Iterable[sp.Basic]:
    for relation in claim.relations:
        yield from (relation.left, relation.right)
    yield from claim.assumptions
    yield from (sp.sympify(definition) for definition in claim.definitions.values())


def _require_distinct_names(claim: "Claim") -> None:
    """Values are kept by name: two symbols of one name would be taken for each other."""
    seen: dict[str, str] = {}
    for kind in ("variables", "quantities", "definitions"):
        for symbol in getattr(claim, kind):
            if symbol.name in seen:
                raise fail(kind, symbol.name, f"a name that is not among the {seen[symbol.name]} already")
            seen[symbol.name] = kind
    declared = {
        symbol.name: symbol for kind in (claim.variables, claim.quantities, claim.definitions) for symbol in kind
    }
    for expression in _expressions(claim):
        for symbol in expression.free_symbols:
            other = declared.get(symbol.name)
            if other is not None and other != symbol:
                raise fail(
                    "variables", symbol.name, "used with other assumptions of the symbol than it is declared with"
                )


def _require_limit(claim: "Claim", relation: Relation) -> None:
    if relation.operator != "~":
        return
    if relation.variable not in claim.variables:
        raise fail("variable", str(relation.variable), "of a limit: one of the claim's variables")
    if isinstance(claim.variables[relation.variable], Proportions):
        raise fail("variable", str(relation.variable), "of a limit: a single number")


def _require_stated_point(claim: "Claim") -> None:
    if claim.existence:
        if claim.counterexample is None:
            raise fail("counterexample", None, f"the witness of existence claim {claim.id!r}")
        if claim.symbolic or claim.box is not None:
            raise fail("existence", True, "neither symbolic nor a box: such a claim is checked at its witness")
    if claim.counterexample is None:
        return
    what = "witness" if claim.existence else "counterexample"
    require_point(what, claim.counterexample, {symbol.name: domain for symbol, domain in claim.variables.items()})
    expanded = ((assumption, claim.expand(assumption)) for assumption in claim.assumptions)
    closed = {stated: meant for stated, meant in expanded if not meant.free_symbols & set(claim.quantities)}
    require_admissible(what, claim.counterexample, closed)


def _require_side(name: str, side: object) -> None:
    domain = 'a pair of decimal strings, such as ("0.1", "1"), low <= high, or a tuple of ints'
    if not isinstance(side, tuple) or not side:
        raise fail(f"sides[{name!r}]", side, domain)
    try:
        good = all(type(entry) in (str, int) for entry in side)
        ends = [Fraction(entry) for entry in side] if good else []
    except (ValueError, ZeroDivisionError):
        good = False
    if not good or (not is_list(side) and (len(side) != 2 or ends[0] > ends[1] or "/" in f"{side[0]}{side[1]}")):
        raise fail(f"sides[{name!r}]", side, domain)


def _require_box_fits(claim: "Claim", box: "Box") -> None:
    """A box may reach beyond the domains, which say where to draw; but not past what the symbols assume."""
    by_name = _single_variables(claim)
    missing = sorted(set(by_name) - set(box.sides)) or sorted(set(box.sides) - set(by_name))
    if missing:
        raise fail("sides", missing[0], f"one side for each variable: {', '.join(by_name)}")
    for name, side in box.sides.items():
        symbol, domain = by_name[name]
        if is_list(side) and isinstance(domain, Interval):
            raise fail(f"sides[{name!r}]", side, "a pair of decimal strings: a list of ints is no interval")
        low, high = side_ends(side)
        if isinstance(domain, (Interval, Integers)) and (high < decimal(domain.low) or low > decimal(domain.high)):
            raise fail(f"sides[{name!r}]", side, f"must meet the domain {domain}")
        for number in map(sp.Integer, side) if is_list(side) else _of_side(domain, low, high):
            violated = contradicted(symbol, number)
            if violated is not None:
                raise fail(f"sides[{name!r}]", side, f"holds {number}, but the symbol is declared {violated}")


def _of_side(domain: Domain, low: Fraction, high: Fraction) -> Iterable[sp.Expr]:
    if isinstance(domain, Integers):  # the real numbers between two integers are there for the proof only
        return representatives(Integers(math.ceil(low), math.floor(high)))
    return [sp.Rational(end.numerator, end.denominator) for end in (low, high)]


def _single_variables(claim: "Claim") -> dict[str, tuple[sp.Symbol, Domain]]:
    found = {}
    for symbol, domain in claim.variables.items():
        for part in components(symbol, domain) or (symbol,):
            found[part.name] = (part, domain)
    return found
