"""What a derivation says that it proves, as data, and whether that is what a claim says.

A derivation has a literal ``PROVES`` at its top level: for each claim the hypotheses of its theorem, the assumptions on the
variables, the relations, and what each quantity means. It is read from the source, never imported. A claim may assume more
than its derivation and say less; it may not drop a hypothesis, change a relation or reach beyond the assumptions.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sympy as sp

from mdtheory.claims.domains import Domain, Integers, Interval, Proportions, components
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import OPERATORS, Relation
from mdtheory.foundation.errors import AssumptionError
from mdtheory.numerics.decimals import with_rationals

_PACKAGE = Path(__file__).resolve().parents[1]
DERIVATION_FOLDERS = (_PACKAGE.parent / "derivations", _PACKAGE / "_derivations")

NAME = "PROVES"
FIELDS = ("hypotheses", "assumptions", "definitions", "conclusion", "quantities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a derivation declares about one claim.

    Attributes
    ----------
    conclusion : tuple of str
        The relations it proves, ``"left >= right"``; limits as ``"left ~ right, x to zero, rate 1"``.
    hypotheses : tuple of str
        The setting of the theorem in the words of `Claim.hypotheses`.
    assumptions : tuple of str
        Relationals in the variables and quantities. The claim must assume each, or its domains must imply it.
    definitions : mapping
        Abbreviations used in the conclusion and the assumptions.
    quantities : mapping
        What each quantity of the claim means.
    """

    conclusion: tuple[str, ...]
    hypotheses: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    definitions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    quantities: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def derivation_path(name: str) -> Path | None:
    """Where a derivation lies: at an absolute path, beside the package in a checkout, inside it when installed."""
    if Path(name).is_absolute():
        return Path(name) if Path(name).is_file() else None
    for folder in DERIVATION_FOLDERS:
        path = folder / Path(name).name
        if path.is_file():
            return path
    return None


def declarations(derivation: Path) -> Mapping[str, Declaration]:
    """What a derivation declares, by the ids of claims; nothing if it has no ``PROVES``.

    Raises
    ------
    AssumptionError
        If ``PROVES`` is no literal of the form described in ``derivations/README.md``.
    """
    return _declarations(derivation.read_text(encoding="utf-8"), derivation.name)


def shortfall(claim: Claim, declared: Declaration) -> str | None:
    """Why a declaration does not cover a claim, on one line; None if it does."""
    missing = [word for word in declared.hypotheses if word not in claim.hypotheses]
    if missing:
        return f"the claim drops the hypothesis {missing[0]!r}"
    unnamed = sorted(str(q) for q in _quantities_used(claim) if q.name not in declared.quantities)
    if unnamed:
        return f"it does not say what {unnamed[0]} means"
    reader = _Reader(claim, declared)
    for text in declared.assumptions:
        if not reader.assumed(text):
            return f"the claim does not assume {text}"
    proved = [reader.relation(text) for text in declared.conclusion]
    for i, relation in enumerate(claim.relations, 1):
        stated = relation.with_sides(*(_expanded(claim, e) for e in (relation.left, relation.right)))
        if not any(_same(stated, other) for other in proved):
            return f"it does not conclude relation {i} of the claim"
    return None


def beyond(claim: Claim, own: Claim) -> str | None:
    """What a claim says that is not said by the library's own claim of the same id, on one line; None if nothing."""
    if claim is own:
        return None
    for name in ("statement", "title", "derivation"):
        if getattr(claim, name) != getattr(own, name):
            return f"another {name}"
    if set(own.hypotheses) - set(claim.hypotheses):
        return "fewer hypotheses"
    if set(own.assumptions) - set(claim.assumptions):
        return "fewer assumptions"
    if dict(claim.definitions) != dict(own.definitions):
        return "other definitions"
    if set(claim.relations) - set(own.relations):
        return "another relation"
    if set(claim.variables) != set(own.variables):
        return "other variables"
    for symbol, domain in claim.variables.items():
        if not _inside(domain, own.variables[symbol]):
            return f"more values of {symbol}"
    for symbol in _quantities_used(claim):
        if symbol not in own.quantities or claim.quantities[symbol].at != own.quantities[symbol].at:
            return f"another quantity {symbol}"
    return None


@lru_cache(maxsize=256)
def _declarations(source: str, name: str) -> Mapping[str, Declaration]:
    try:
        nodes = [node for node in ast.parse(source).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    except SyntaxError as error:
        raise AssumptionError(f"{name}:{error.lineno}: syntax error: {error.msg}") from None
    named = [node for node in nodes if NAME in _targets(node)]
    if not named:
        return MappingProxyType({})
    if len(named) > 1:
        raise _malformed(name, "is assigned more than once")
    try:
        value = None if named[0].value is None else ast.literal_eval(named[0].value)
    except (ValueError, TypeError):
        raise _malformed(name, "must be a literal: nothing in it is evaluated") from None
    if not isinstance(value, dict):
        raise _malformed(name, "must be a dictionary from claim ids to declarations")
    for part in ast.walk(named[0]):
        keys = [ast.literal_eval(key) for key in part.keys if key is not None] if isinstance(part, ast.Dict) else []
        for key in keys:
            if keys.count(key) > 1:
                raise _malformed(name, f"names {key!r} twice")
    return MappingProxyType({claim_id: _declaration(name, claim_id, entry) for claim_id, entry in value.items()})


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _declaration(name: str, claim_id: object, entry: object) -> Declaration:
    if not isinstance(claim_id, str) or not isinstance(entry, dict):
        raise _malformed(name, f"has the entry {claim_id!r}, which is no id with a dictionary")
    unknown = [key for key in entry if key not in FIELDS]
    if unknown:
        raise _malformed(name, f"has an unknown field {unknown[0]!r} at {claim_id!r}; known: {', '.join(FIELDS)}")
    if not entry.get("conclusion"):
        raise _malformed(name, f"has no conclusion at {claim_id!r}")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key in ("definitions", "quantities"):
            if not isinstance(value, dict) or not _texts([*value, *value.values()]):
                raise _malformed(name, f"needs texts by name for {key!r} at {claim_id!r}")
            values[key] = MappingProxyType(value)
        elif not isinstance(value, tuple | list) or not _texts(value):
            raise _malformed(name, f"needs a tuple of texts for {key!r} at {claim_id!r}")
        else:
            values[key] = tuple(value)
    return Declaration(**values)


def _texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)


def _malformed(name: str, what: str) -> AssumptionError:
    return AssumptionError(f"{name}: {NAME} {what}")


# ---------------------------------------------------------------------- reading formulas


class _Reader:
    """Reads the formulas of a declaration with the symbols of a claim."""

    def __init__(self, claim: Claim, declared: Declaration) -> None:
        self.claim = claim
        self.symbols: dict[str, sp.Symbol] = {s.name: s for s in (*claim.variables, *claim.quantities)}
        for symbol, domain in claim.variables.items():
            self.symbols.update({part.name: part for part in components(symbol, domain)})
        self.shorts = {name: sp.Symbol(f"_{name}") for name in declared.definitions}
        self.definitions = {
            self.shorts[name]: _parsed(text, {**self.symbols, **self.shorts})
            for name, text in declared.definitions.items()
        }

    def relation(self, text: str) -> Relation:
        """A relation with all abbreviations replaced."""
        body, variable, toward, rate = _limit(text)
        left, operator, right = _split(body)
        sides = self.formula(left), self.formula(right)
        if operator != "~":
            return Relation(sides[0], operator, sides[1])  # type: ignore[arg-type]  # one of OPERATORS
        symbol = self.symbols.get(variable, sp.Symbol(variable))
        return Relation(sides[0], "~", sides[1], symbol, rate, toward)  # type: ignore[arg-type]  # compared as a text

    def formula(self, text: str) -> sp.Basic:
        """An expression in the variables and quantities of the claim."""
        return _expand(_parsed(text, {**self.symbols, **self.shorts}), tuple(self.definitions.items()))

    def assumed(self, text: str) -> bool:
        """Whether the domains of the claim imply this, or it is among its assumptions."""
        # Symbols without assumptions: that sympy takes x for positive says nothing about the domain of x.
        plain = _parsed(text, {name: sp.Symbol(name) for name in (*self.symbols, *self.shorts)})
        if _implied(plain, dict(_ends(self.claim))):
            return True
        wanted = self.formula(text)
        stated = [_expanded(self.claim, a) for a in self.claim.assumptions]
        return any(wanted == own or getattr(own, "reversed", None) == wanted for own in stated)


def _parsed(text: str, names: Mapping[str, sp.Symbol]) -> sp.Basic:
    return _read(text, tuple(names.items()))


@lru_cache(maxsize=4096)
def _read(text: str, names: tuple[tuple[str, sp.Symbol], ...]) -> sp.Basic:
    if "__" in text or not set(text).isdisjoint("'\"\\;:@`"):
        raise AssumptionError(f"{NAME}: cannot read {text!r}, which is no formula")
    for sign, relational in ((" == ", sp.Eq), (" != ", sp.Ne)):
        left, found, right = text.partition(sign)
        if found:
            return relational(_read(left, names), _read(right, names))
    try:
        return sp.sympify(text, locals=dict(names), rational=True)
    except (sp.SympifyError, TypeError, AttributeError, SyntaxError) as error:
        raise AssumptionError(f"{NAME}: cannot read {text!r} ({type(error).__name__})") from None


def _limit(text: str) -> tuple[str, str, str, float]:
    """``left ~ right, x to zero, rate 1``: without the end, and the end."""
    body, *end = text.split(", ")
    if " ~ " not in f" {text} " or len(end) < 2:
        return text, "", "", 0.0
    *inner, limit, rate = end
    variable, _, toward = limit.partition(" to ")
    try:
        return ", ".join([body, *inner]), variable, toward, float(rate.removeprefix("rate "))
    except ValueError:
        raise AssumptionError(f"{NAME}: cannot read {text!r}, which should end in ', x to zero, rate 1'") from None


def _split(text: str) -> tuple[str, str, str]:
    """The two sides of a relation and its operator, which stands between spaces and outside parentheses."""
    words, depth, found = text.split(" "), 0, []
    for i, word in enumerate(words):
        if depth == 0 and word in OPERATORS:
            found.append(i)
        depth += word.count("(") + word.count("[") - word.count(")") - word.count("]")
    if len(found) != 1:
        raise AssumptionError(f"{NAME}: {text!r} needs one operator between spaces: {', '.join(OPERATORS)}")
    return " ".join(words[: found[0]]), words[found[0]], " ".join(words[found[0] + 1 :])


# ---------------------------------------------------------------------- comparing


def _expanded(claim: Claim, expression: sp.Basic) -> sp.Basic:
    """The expression as it is evaluated: abbreviations replaced, decimals exact."""
    return with_rationals(_expand(expression, tuple(claim.definitions.items())))


@lru_cache(maxsize=4096)
def _expand(expression: sp.Basic, definitions: tuple[tuple[sp.Symbol, sp.Expr], ...]) -> sp.Basic:
    known = dict(definitions)
    for _ in known:
        if not expression.free_symbols & set(known):
            break
        expression = expression.subs(known, simultaneous=True)
    return expression


def _same(stated: Relation, proved: Relation) -> bool:
    settings = ("operator", "variable", "rate", "toward")
    if any(getattr(stated, name) != getattr(proved, name) for name in settings):
        return False
    return bool(stated.left == proved.left and stated.right == proved.right)


def _quantities_used(claim: Claim) -> set[sp.Symbol]:
    """The quantities in the relations and assumptions, also by way of abbreviations."""
    parts = [*claim.assumptions, *(side for r in claim.relations for side in (r.left, r.right))]
    used: set[sp.Symbol] = set().union(*(part.free_symbols for part in parts))
    for _ in claim.definitions:
        used |= set().union(*(claim.definitions[s].free_symbols for s in used & set(claim.definitions)))
    return used & set(claim.quantities)


def _ends(claim: Claim) -> Iterator[tuple[str, tuple[Fraction, Fraction]]]:
    """The least interval around the values of each variable, as exact numbers."""
    for symbol, domain in claim.variables.items():
        if type(domain) in (Interval, Integers):
            assert isinstance(domain, Interval | Integers)
            yield symbol.name, (Fraction(domain.low), Fraction(domain.high))
        elif type(domain) is Proportions:
            for part in components(symbol, domain):
                yield part.name, (Fraction(domain.smallest) * Fraction(999, 1000), Fraction(1))


def _implied(condition: sp.Basic, ends: Mapping[str, tuple[Fraction, Fraction]]) -> bool:
    """Whether ``variable operator number`` holds on the whole domain; False for anything else."""
    if not isinstance(condition, sp.core.relational.Relational):
        return bool(condition == sp.true)
    left, right = condition.args
    if right.is_Symbol and left.is_number:
        condition, left, right = condition.reversed, right, left
    if not (left.is_Symbol and right.is_number and left.name in ends):
        return False
    low, high = (sp.Rational(end.numerator, end.denominator) for end in ends[left.name])
    if isinstance(condition, sp.Ne):
        return bool(right < low) or bool(right > high)
    end = low if isinstance(condition, sp.Gt | sp.Ge) else high
    return isinstance(condition, sp.Gt | sp.Ge | sp.Lt | sp.Le) and bool(condition.subs(left, end) == sp.true)


def _inside(domain: Domain, other: Domain) -> bool:
    """Whether every value of one domain is one of the other."""
    kinds = type(domain), type(other)  # exactly: a domain of one's own may hold anything
    if kinds[0] is kinds[1] and domain == other:
        return True
    if kinds in ((Interval, Interval), (Integers, Integers), (Integers, Interval)):
        assert isinstance(domain, Interval | Integers)
        assert isinstance(other, Interval | Integers)
        return other.low <= domain.low and domain.high <= other.high
    if kinds == (Proportions, Proportions):
        assert isinstance(domain, Proportions)
        assert isinstance(other, Proportions)
        return domain.size == other.size and domain.smallest >= other.smallest
    return False
