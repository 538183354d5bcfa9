"""One claim at one point: do the assumptions hold, do the relations, and by how much."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import sympy as sp
from flint import arb

from mdtheory.claims.agreement import (
    binary_reading,
    contradicted_by_ball,
    decimal_reading,
    either_reading,
    exact_values,
)
from mdtheory.claims.domains import Point, Value
from mdtheory.claims.exactly import HOLDS, exact_sign, exact_truth, rational_values
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import Relation
from mdtheory.foundation.errors import AssumptionError, SolverError
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.expressions import compiled, exact, sign, truth

BITS = 128
LIMIT_STEPS = (1, 4, 16)
FAR_STEPS = (10**4, 10**8)
"""Formulas cost nothing, and a wrong limit shows only where the error of the right one is small."""
RATE_MARGIN = 0.25
"""How far below the claimed rate an observed order may lie: higher orders still contribute at finite steps."""

MOST_EXACT = 400
"""So many comparisons that balls leave open are tried in rational arithmetic."""
MOST_THOROUGH = 80
UNDEFINED = (AssumptionError, SolverError, ZeroDivisionError)
UNDEFINED_HERE = "undefined"

Key = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one point says about a claim.

    Attributes
    ----------
    point : mapping
    truth : bool or None
        None where the balls cannot tell, or a quantity is not defined.
    slack : float
        Relative, negative where the claim fails; guides searches and proves nothing.
    reason : str
        Why the truth is unknown, if it is.
    """

    point: Point
    truth: bool | None
    slack: float
    reason: str = ""


class ContradictionError(RuntimeError):
    """A value that a claim's own declarations exclude: the claim cannot be checked as it stands."""


class Evaluator:
    """Evaluates relations at points and remembers the quantities there, so that mutants of a claim cost little.

    Formulas read a float of a point as the decimal it shows. A quantity is a function of floats, so a claim with quantities reads
    points as the binary numbers that they are; there a relation counts as violated only if it is for either reading.
    """

    floats: ClassVar[bool] = False
    """Whether points are floats and nothing else, so that the ends of a domain are the floats given."""

    def __init__(self, claim: Claim, bits: int = BITS, *, declared: bool = True) -> None:
        """Prepare a claim for evaluation with so many bits; refuses functions that have no balls.

        With ``declared`` a value that its symbol excludes fails the check; outside the assumptions it may well occur.
        """
        self.claim = claim
        self.bits = bits
        self.relations = tuple(r.with_sides(claim.expand(r.left), claim.expand(r.right)) for r in claim.relations)
        self.assumptions = tuple(claim.expand(a) for a in claim.assumptions)
        self.exact = not claim.quantities
        self._declared = declared
        self._abbreviations = tuple((s, claim.expand(s)) for s in claim.definitions)
        for relation in self.relations:
            compiled(relation.left)
            compiled(relation.right)
        self._known: dict[Key, dict[str, arb]] = {}
        self._exactly: dict[tuple[Relation, Key, bool], tuple[bool | None, float] | None] = {}

    def admissible(self, point: Point, assumptions: Sequence[sp.Basic] | None = None) -> bool | None:
        """Whether all assumptions hold at the point."""
        chosen = self.assumptions if assumptions is None else assumptions
        unknown = False
        for assumption in chosen:
            # In order: a quantity of a later assumption may be undefined where an earlier one fails.
            try:
                with precision(self.bits):
                    value = truth(assumption, self._balls(point, assumption.free_symbols))
            except UNDEFINED:
                value = None
            if value is None and self.exact:
                value = exact_truth(assumption, rational_values(assumption.free_symbols, exact_values(point)))
            if value is False:
                return False
            unknown |= value is None
        return None if unknown else True

    def trial(self, point: Point, relations: Sequence[Relation] | None = None) -> Trial:
        """Judge the relations (default: the claim's own) at a point that satisfies the assumptions."""
        chosen = self.relations if relations is None else relations
        try:
            with precision(self.bits):
                judged = [self._judge(relation, point) for relation in chosen]
                if self._declared:
                    self._require_declared(point)
                if not self.exact and any(value is False for value, _ in judged):
                    judged = [self._for_both_readings(r, point, j) for r, j in zip(chosen, judged, strict=True)]
        except UNDEFINED as error:
            return Trial(point, None, math.nan, f"{UNDEFINED_HERE}: {error}")
        verdict: bool | None = True
        if any(value is False for value, _ in judged):
            verdict = False
        elif any(value is None for value, _ in judged):
            verdict = None
        slack = min((s for _, s in judged), key=lambda s: -math.inf if math.isnan(s) else s)
        if verdict is not None:
            return Trial(point, verdict, slack)
        nowhere = any(value is None and math.isnan(s) for value, s in judged)
        return Trial(
            point, None, slack, f"{UNDEFINED_HERE}: a side is no number" if nowhere else "the balls cannot tell"
        )

    def holds_for_both_readings(self, point: Point) -> bool:
        """Whether relations and assumptions certainly hold, also if decimals are read as the binary numbers beside them."""
        balls = dict(either_reading(point))
        with precision(self.bits):
            known = self._balls(point, set(self.claim.quantities))
            balls.update({q.name: known[q.name] for q in self.claim.quantities})
            sides = ((r, compiled(r.left)(balls), compiled(r.right)(balls)) for r in self.relations)
            held = [judge(r, left, right, self.claim.resolution)[0] for r, left, right in sides]
            held += [truth(assumption, balls) for assumption in self.assumptions]
        return all(value is True for value in held)

    def values(self, point: Point) -> dict[str, str]:
        """The quantities of the claim at a point, and both sides of its relations, as decimal strings with radius."""
        with precision(self.bits):
            balls = self._balls(point, set(self.claim.quantities))
            found = {str(q): balls[q.name].str(15) for q in self.claim.quantities}
            for i, relation in enumerate(self.relations, 1):
                if relation.operator == "~":
                    continue
                sides = self._balls(point, relation.symbols)
                found[f"left side {i}"] = compiled(relation.left)(sides).str(15)
                found[f"right side {i}"] = compiled(relation.right)(sides).str(15)
        return found

    def _judge(self, relation: Relation, point: Point) -> tuple[bool | None, float]:
        if relation.operator == "~":
            return self._judge_limit(relation, point)
        balls = self._balls(point, relation.symbols)
        left, right = compiled(relation.left)(balls), compiled(relation.right)(balls)
        judged = judge(relation, left, right, self.claim.resolution)
        if not self.exact or judged[0] is False or (judged[0] is True and relation.operator != "=="):
            return judged
        return self._judge_exactly(relation, point, thorough=judged[0] is None) or judged

    def _judge_exactly(self, relation: Relation, point: Point, *, thorough: bool) -> tuple[bool | None, float] | None:
        """The verdict of rational arithmetic where balls leave it open, for so many points: it takes its time."""
        key = (relation, tuple(sorted(point.items())), thorough)
        if key not in self._exactly:
            # What is equal, as far as balls tell, is compared at so many points only; so are numbers that are not rational.
            seen = len(self._exactly)
            if seen >= MOST_EXACT and not thorough:
                return None
            self._exactly[key] = self._rationally(relation, point, thorough=thorough and seen < MOST_THOROUGH)
        return self._exactly[key]

    def _rationally(self, relation: Relation, point: Point, *, thorough: bool) -> tuple[bool | None, float] | None:
        values = rational_values(relation.symbols, exact_values(point))
        if relation.operator == "iff-positive":
            one, other = (exact_sign(side, values, thorough=thorough) for side in (relation.left, relation.right))
            return None if one is None or other is None else ((one > 0) == (other > 0), 0.0)
        sign = exact_sign(relation.left - relation.right, values, thorough=thorough)
        return None if sign is None else (HOLDS[relation.operator](sign), 0.0)

    def _for_both_readings(
        self, relation: Relation, point: Point, judged: tuple[bool | None, float]
    ) -> tuple[bool | None, float]:
        """A violation that the other reading of the point's decimals does not show is none."""
        if judged[0] is not False or relation.operator == "~":
            return judged
        balls = {**self._balls(point, relation.symbols), **either_reading(point)}
        left, right = compiled(relation.left)(balls), compiled(relation.right)(balls)
        return (False if judge(relation, left, right, self.claim.resolution)[0] is False else None), judged[1]

    def _judge_limit(self, relation: Relation, point: Point) -> tuple[bool | None, float]:
        judged = self._judge_rate(relation, point, 1)
        if judged[0] is True and self.exact:
            for far in FAR_STEPS:
                beyond = self._judge_rate(relation, point, far)
                if beyond[0] is False:
                    return beyond
        return judged

    def _judge_rate(self, relation: Relation, point: Point, far: int) -> tuple[bool | None, float]:
        assert relation.variable is not None
        name = relation.variable.name
        errors = []
        for step in (far * step for step in LIMIT_STEPS):
            start = point[name]
            if isinstance(start, tuple):
                raise AssumptionError(f"{name}: the variable of a limit must be a number")
            moved = {**point, name: start / step if relation.toward == "zero" else start * step}
            balls = self._balls(moved, relation.symbols)
            left, right = compiled(relation.left)(balls), compiled(relation.right)(balls)
            errors.append(abs(left / right - 1))
        threshold = arb(max(relation.rate - RATE_MARGIN, relation.rate / 2))
        # The order between the last two steps, in powers of the step.
        if not errors[2] > 0:
            # Agreement to within the uncertainty: confirmed if that is far below what the rate leaves.
            allowed = errors[1].upper() * arb(4) ** -threshold
            return (True, 1.0) if errors[2] <= allowed else (None, math.nan)
        order = (errors[1] / errors[2]).log() / arb(4).log()
        excess = order - threshold
        known = sign(excess)
        return (None if known is None else known > 0), _number(excess)

    def _balls(self, point: Point, symbols: set[sp.Symbol]) -> Mapping[str, arb]:
        key: Key = tuple(sorted(point.items()))
        known = self._known.setdefault(key, {})
        if not known:
            known.update(decimal_reading(point) if self.exact else binary_reading(point))
        for symbol, quantity in self.claim.quantities.items():
            if symbol in symbols and symbol.name not in known:
                with precision(self.bits):
                    value = quantity.at(**chosen(quantity.at, point))
                known[symbol.name] = as_ball(symbol, value)
        return known

    def _require_declared(self, point: Point) -> None:
        """Refuse a value that the assumptions of its symbol exclude: sympy has simplified with them."""
        known = self._balls(point, set())
        declared = [(symbol, known[symbol.name]) for symbol in self.claim.quantities if symbol.name in known]
        if all(q.name in known for _, expression in self._abbreviations for q in expression.free_symbols):
            declared += [(symbol, compiled(expression)(known)) for symbol, expression in self._abbreviations]
        for symbol, ball in declared:
            require_declared(symbol, ball, point)


def require_declared(symbol: sp.Symbol, ball: arb, where: object) -> None:
    """Refuse a ball all of whose numbers violate an assumption of the symbol."""
    violated = contradicted_by_ball(symbol, ball)
    if violated is not None:
        raise ContradictionError(f"{symbol.name} is declared {violated}, but is {ball.str(6)} at {where}")


def as_ball(symbol: sp.Symbol, value: object) -> arb:
    """What a quantity's function returned, if it is a ball or exact."""
    if isinstance(value, arb):
        return value
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        return exact(value)
    raise TypeError(f"quantity {symbol.name}: must be an arb (a number without a radius proves nothing), not {value!r}")


def judge(relation: Relation, left: arb, right: arb, resolution: float) -> tuple[bool | None, float]:
    """Whether ``left operator right`` for all values in the balls, and the relative slack of the midpoints."""
    difference = left - right
    if not difference.is_finite():
        return None, math.nan
    scale = abs(left).max(abs(right)).upper()
    if relation.operator == "iff-positive":
        one, other = sign(left), sign(right)
        # A side that is zero on a whole region says nothing about how far the threshold is; the other one does.
        closest = min((abs(_number(side)) for side in (left, right) if not side.is_zero()), default=0.0)
        if one is None or other is None:
            return None, closest
        agree = (one > 0) == (other > 0)
        return agree, closest if agree else -closest
    # A comparison with zero has no scale but its own: there the difference itself guides the search.
    alone = left.is_zero() or right.is_zero()
    share = difference if alone else difference / scale if scale > 0 else arb(0)
    if relation.operator == "==":
        if not difference.contains(0):
            return False, -abs(_number(share))
        fine = difference.rad() <= arb(resolution) * scale
        return (True if fine else None), -abs(_number(share))
    if relation.operator in ("<=", "<"):
        share = -share
    strict = relation.operator in ("<", ">")
    if share > 0 or (not strict and share >= 0):
        return True, _number(share)
    if share < 0 or (strict and share <= 0):
        return False, _number(share)
    return None, _number(share)


def chosen(function: object, point: Point) -> dict[str, Value]:
    """The entries of the point that the function names as arguments."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARKEYWORDS:
        return dict(point)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {name: value for name, value in point.items() if name in names}


def _number(ball: arb) -> float:
    return float(ball.mid())
