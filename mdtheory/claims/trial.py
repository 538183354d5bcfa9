"""One claim at one point: do the assumptions hold, do the relations, and by how much."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp
from flint import arb

from mdtheory.ball_precision import precision
from mdtheory.claims.domains import Point, Value
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import Relation
from mdtheory.errors import AssumptionError, SolverError
from mdtheory.expressions import compiled, exact, sign, truth

BITS = 128
LIMIT_STEPS = (1, 4, 16)
RATE_MARGIN = 0.25
"""How far below the claimed rate an observed order may lie: higher orders still contribute at finite steps."""

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


class Evaluator:
    """Evaluates relations at points and remembers the quantities there, so that mutants of a claim cost little."""

    def __init__(self, claim: Claim, bits: int = BITS) -> None:
        """Prepare a claim for evaluation with so many bits."""
        self.claim = claim
        self.bits = bits
        self.relations = tuple(r.with_sides(claim.expand(r.left), claim.expand(r.right)) for r in claim.relations)
        self.assumptions = tuple(claim.expand(a) for a in claim.assumptions)
        self._known: dict[Key, dict[str, arb]] = {}

    def admissible(self, point: Point, assumptions: Sequence[sp.Basic] | None = None) -> bool | None:
        """Whether all assumptions hold at the point."""
        chosen = self.assumptions if assumptions is None else assumptions
        unknown = False
        for assumption in chosen:
            # In order: a quantity of a later assumption may be undefined where an earlier one fails.
            try:
                with precision(self.bits):
                    value = truth(assumption, self._balls(point, assumption.free_symbols))
            except (AssumptionError, SolverError, ZeroDivisionError):
                value = None
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
        except (AssumptionError, SolverError, ZeroDivisionError) as error:
            return Trial(point, None, math.nan, f"undefined: {error}")
        verdict: bool | None = True
        if any(value is False for value, _ in judged):
            verdict = False
        elif any(value is None for value, _ in judged):
            verdict = None
        slack = min((s for _, s in judged), key=lambda s: -math.inf if math.isnan(s) else s)
        return Trial(point, verdict, slack, "" if verdict is not None else "the balls cannot tell")

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
        return judge(relation, left, right, self.claim.resolution)

    def _judge_limit(self, relation: Relation, point: Point) -> tuple[bool | None, float]:
        assert relation.variable is not None
        name = relation.variable.name
        errors = []
        for step in LIMIT_STEPS:
            start = point[name]
            if isinstance(start, tuple):
                raise AssumptionError(f"{name}: the variable of a limit must be a number")
            moved = {**point, name: start / step if relation.toward == "zero" else start * step}
            balls = self._balls(moved, relation.symbols)
            left, right = compiled(relation.left)(balls), compiled(relation.right)(balls)
            errors.append(abs(left / right - 1))
        # The order between the last two steps, in powers of the step.
        if not errors[2] > 0:
            # Agreement to within the uncertainty: confirmed if that is far below what the rate leaves.
            allowed = errors[1].upper() * arb(4) ** arb(RATE_MARGIN - relation.rate)
            return (True, 1.0) if errors[2] <= allowed else (None, math.nan)
        order = (errors[1] / errors[2]).log() / arb(4).log()
        threshold = arb(relation.rate) - arb(RATE_MARGIN)
        excess = order - threshold
        known = sign(excess)
        return (None if known is None else known > 0), _number(excess)

    def _balls(self, point: Point, symbols: set[sp.Symbol]) -> Mapping[str, arb]:
        key: Key = tuple(sorted(point.items()))
        known = self._known.setdefault(key, {})
        if not known:
            known.update(point_balls(point))
        for symbol, quantity in self.claim.quantities.items():
            if symbol in symbols and symbol.name not in known:
                with precision(self.bits):
                    known[symbol.name] = quantity.at(**_chosen(quantity.at, point))
        return known


def judge(relation: Relation, left: arb, right: arb, resolution: float) -> tuple[bool | None, float]:
    """Whether ``left operator right`` for all values in the balls, and the relative slack of the midpoints."""
    difference = left - right
    if not difference.is_finite():
        return None, math.nan
    scale = abs(left).max(abs(right)).upper()
    if relation.operator == "iff-positive":
        one, other = sign(left), sign(right)
        closest = min(abs(_number(left)), abs(_number(right)))
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


def point_balls(point: Point) -> dict[str, arb]:
    """Every variable as a ball of radius zero; entries of a tuple ``pi`` are ``pi_1, pi_2, ...``."""
    balls: dict[str, arb] = {}
    for name, value in point.items():
        if isinstance(value, tuple):
            balls.update({f"{name}_{i}": exact(entry) for i, entry in enumerate(value, 1)})
        else:
            balls[name] = exact(value)
    return balls


def _chosen(function: object, point: Point) -> dict[str, Value]:
    """The entries of the point that the function names as arguments."""
    code = getattr(function, "__code__", None)
    if code is None:
        return dict(point)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {name: value for name, value in point.items() if name in names}


def _number(ball: arb) -> float:
    return float(ball.mid())
