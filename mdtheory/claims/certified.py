"""Branch and bound in ball arithmetic: a claim on every point of a box, not on samples of it."""

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from mdtheory.claims.agreement import either_reading
from mdtheory.claims.domains import Point, placed
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.model import Box, Claim, Verdict
from mdtheory.claims.relation import Relation
from mdtheory.claims.trial import (
    UNDEFINED,
    UNDEFINED_HERE,
    ContradictionError,
    Evaluator,
    as_ball,
    chosen,
    judge,
    require_declared,
)
from mdtheory.claims.wellformed import is_list, side_ends
from mdtheory.foundation.validation import fail
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.expressions import compiled, truth

BITS = 64
FRONTIER = 4096
"""So many open cells are worked on breadth first, which finds violations early; beyond that depth first, to save memory."""

MOST_COMPARED = 8
"""At so many points what a quantity is over balls is compared with what it is at them."""

UNPROVABLE = ("==", "~")
"""Relations that no enclosure of the sides proves."""

Cell = dict[str, tuple[arb, arb]]
Balls = dict[str, arb]


@dataclass(slots=True)
class _Tally:
    proved: int = 0
    outside: int = 0
    split: int = 0

    @property
    def boxes(self) -> int:
        return self.proved + self.outside + self.split


def check_certified(claim: Claim, *, progress: Callable[[str], None] | None = None) -> Evidence:
    """Prove the claim on its box, by splitting until every part is decided; ball arithmetic throughout."""
    if claim.box is None:
        raise fail("box", None, f"claim {claim.id!r} states no box to certify")
    if claim.estimated:
        raise fail("box", claim.id, f"needs quantities with proved errors, unlike {_names(claim)}")
    start = time.perf_counter()
    box, tally = claim.box, _Tally()
    decide = box.decide or _relations_on(claim)
    _require_enclosures(claim, box)
    with precision(BITS):
        refuted = _prove(claim, box, decide, tally, progress)
    seconds = time.perf_counter() - start
    counts = {"boxes": tally.boxes, "proved": tally.proved, "outside": tally.outside}
    details = {"box": {name: list(side) for name, side in box.sides.items()}, "bits": BITS, "log": list(box.log)}
    if refuted is not None:
        return _refutation(claim, refuted, counts, details, seconds)
    if tally.boxes >= box.budget:
        verdict, text = Verdict.UNDECIDED, f"not settled after {tally.boxes} boxes"
    elif tally.proved == 0:
        verdict, text = Verdict.VACUOUS, "the assumptions fail on the whole box"
    else:
        speed = tally.boxes / max(seconds, 1e-9)
        verdict, text = Verdict.CERTIFIED, f"on {box_text(box)}: {tally.boxes} boxes, {speed:.0f} a second"
    return Evidence(checker="certified", verdict=verdict, message=text, counts=counts, details=details, seconds=seconds)


def check_witness(claim: Claim) -> Evidence:
    """Prove an existence claim: its relations hold at the stated point, in ball arithmetic."""
    start = time.perf_counter()
    if claim.counterexample is None:
        raise fail("counterexample", None, f"claim {claim.id!r} is an existence claim and needs its witness")
    evaluator = Evaluator(claim)
    admissible = evaluator.admissible(claim.counterexample)
    trial = evaluator.trial(claim.counterexample)
    if not admissible:
        verdict, text = Verdict.VACUOUS, "the witness does not satisfy the assumptions"
    elif trial.truth is True:
        verdict, text = _of_witness(claim, evaluator, claim.counterexample)
    elif trial.truth is False:
        verdict, text = Verdict.REFUTED, "the witness violates a relation"
    else:
        verdict, text = Verdict.UNDECIDED, f"the witness is not decided: {trial.reason}"
    return Evidence(
        checker="witness",
        verdict=verdict,
        message=text,
        slack=None if trial.slack != trial.slack else trial.slack,
        where=claim.counterexample,
        values={} if trial.reason.startswith(UNDEFINED_HERE) else evaluator.values(claim.counterexample),
        seconds=time.perf_counter() - start,
    )


def _of_witness(claim: Claim, evaluator: Evaluator, point: Point) -> tuple[Verdict, str]:
    """What it is worth that the relations hold at the witness."""
    if any(relation.operator in UNPROVABLE for relation in claim.relations):
        return Verdict.SUPPORTED, "at the witness sides agree within the resolution, which balls cannot make a proof"
    if claim.estimated:
        return Verdict.SUPPORTED, f"the witness satisfies all relations if the error of {_names(claim)} is as estimated"
    if not evaluator.exact and not evaluator.holds_for_both_readings(point):
        return (
            Verdict.SUPPORTED,
            "the witness satisfies all relations as a binary number, but not as the decimal it shows",
        )
    return Verdict.CERTIFIED, f"the witness satisfies all relations in ball arithmetic ({evaluator.bits} bits)"


def _names(claim: Claim) -> str:
    return ", ".join(claim.estimated)


def box_text(box: Box) -> str:
    """The box on one line."""
    parts = []
    for name, side in box.sides.items():
        whole = isinstance(side[0], int) and not (len(side) == 2 and isinstance(side[1], str))
        run = whole and len(side) > 3 and side == tuple(range(side[0], side[-1] + 1))
        listed = [side[0], "...", side[-1]] if run else side
        shown = "{" + ", ".join(map(str, listed)) + "}" if whole else f"[{side[0]}, {side[1]}]"
        parts.append(f"{name} in {shown}")
    return " x ".join(parts)


def _prove(
    claim: Claim,
    box: Box,
    decide: Callable[..., bool | None],
    tally: _Tally,
    progress: Callable[[str], None] | None,
) -> Balls | None:
    """Work through the box; returns a sub-box on which the claim is false everywhere, if one turns up."""
    closed = _closed_assumptions(claim)
    for whole, start in _starts(box):
        widths = {name: _width(box, name, side) for name, side in start.items()}
        cells = deque([start])
        while cells:
            if tally.boxes >= box.budget:
                return None
            cell = cells.popleft() if len(cells) <= FRONTIER else cells.pop()
            balls = {**whole, **{name: low.union(high) for name, (low, high) in cell.items()}}
            outside = any(truth(assumption, balls) is False for assumption in closed)
            known = True if outside else _decided(claim, decide(**balls))
            if known is False:
                return balls
            if known:
                tally.outside += outside
                tally.proved += not outside
            else:
                tally.split += 1
                if not cell:
                    tally.split = box.budget
                    return None
                cells.extend(_halves(box, cell, widths))
            if progress is not None and tally.boxes % 1000 == 0:
                progress(f"{claim.id}: {tally.boxes} boxes, {len(cells)} open")
    return None


def _closed_assumptions(claim: Claim) -> tuple[Any, ...]:
    """The assumptions that mention variables only: what is outside them need not be proved."""
    return tuple(a for a in map(claim.expand, claim.assumptions) if not a.free_symbols & set(claim.quantities))


def _decided(claim: Claim, answer: object) -> bool | None:
    """What `Box.decide` said, if it is one of the three things that it may say."""
    if answer is None or isinstance(answer, (bool, np.bool_)):
        return None if answer is None else bool(answer)
    raise TypeError(f"box of claim {claim.id!r}: decide must return True, False or None, not {answer!r}")


def _starts(box: Box) -> Iterator[tuple[Balls, Cell]]:
    """For each combination of the listed integers: those as exact balls, and the continuous sides."""
    listed = {n: side for n, side in box.sides.items() if is_list(side)}
    cell = {n: (arb(side[0]), arb(side[1])) for n, side in box.sides.items() if n not in listed}
    for values in itertools.product(*listed.values()):
        yield dict(zip(listed, map(arb, values), strict=True)), dict(cell)


def _width(box: Box, name: str, side: tuple[arb, arb]) -> float:
    low, high = float(side[0].mid()), float(side[1].mid())
    if name in box.log:
        return float((side[1] / side[0]).log().mid())
    return high - low


def _halves(box: Box, cell: Cell, widths: Mapping[str, float]) -> list[Cell]:
    """Split the side that is longest compared with where it started."""
    share = {n: _width(box, n, side) / widths[n] if widths[n] > 0 else 0.0 for n, side in cell.items()}
    name = max(share, key=lambda n: share[n] * box.effort.get(n, 1.0))
    low, high = cell[name]
    middle = (low * high).sqrt().mid() if name in box.log else ((low + high) / 2).mid()
    return [{**cell, name: (low, middle)}, {**cell, name: (middle, high)}]


def _relations_on(claim: Claim) -> Callable[..., bool | None]:
    evaluator = Evaluator(claim)
    if any(relation.operator in UNPROVABLE for relation in claim.relations):
        raise fail("box", claim.id, "needs Box.decide: balls around both sides prove no equality")
    needed = {s for r in evaluator.relations for s in r.symbols} & set(claim.quantities)
    for symbol in needed:
        if claim.quantities[symbol].over is None:
            raise fail("box", str(symbol), f"needs Quantity.over or Box.decide in claim {claim.id!r}")

    def decide(**balls: arb) -> bool | None:
        values = dict(balls)
        for symbol in needed:
            over = claim.quantities[symbol].over
            assert over is not None
            values[symbol.name] = as_ball(symbol, over(**balls))
            require_declared(symbol, values[symbol.name], "a part of the box")
        return _all_relations(evaluator.relations, values, claim.resolution)

    return decide


def _require_enclosures(claim: Claim, box: Box) -> None:
    """Fail where what a quantity is over a part of the box excludes what it is at a point of that part."""
    used = set().union(*(claim.expand(side).free_symbols for r in claim.relations for side in (r.left, r.right)))
    both = [(s, q.at, q.over) for s, q in claim.quantities.items() if q.over is not None and s in used]
    for point in itertools.islice(_points_of(claim, box), MOST_COMPARED) if both and box.decide is None else ():
        with precision(BITS):
            balls = either_reading(point)
            for symbol, at, over in both:
                try:
                    one, all_of_them = as_ball(symbol, at(**chosen(at, point))), as_ball(symbol, over(**balls))
                except UNDEFINED:
                    continue
                if one.is_finite() and all_of_them.is_finite() and not one.overlaps(all_of_them):
                    raise ContradictionError(
                        f"{symbol.name} is {one.str(6)} at {dict(point)}, but {all_of_them.str(6)} over balls around it"
                    )


def _points_of(claim: Claim, box: Box) -> Iterator[Point]:
    """The middle and corners of a box, as far as they lie in the domains."""
    domains = {symbol.name: domain for symbol, domain in claim.variables.items()}
    if not set(box.sides) <= set(domains):  # entries of proportions
        return
    telling = []
    for name, side in box.sides.items():
        low, high = (float(end) for end in side_ends(side))
        middle = math.sqrt(low) * math.sqrt(high) if name in box.log else (low + high) / 2
        inside = (placed(domains[name], value) for value in (side if is_list(side) else (middle, low, high)))
        telling.append([value for value in inside if value is not None])
    for values in itertools.product(*telling):
        yield dict(zip(box.sides, values, strict=True))


def _all_relations(relations: tuple[Relation, ...], values: Balls, resolution: float) -> bool | None:
    known = []
    for relation in relations:
        left, right = compiled(relation.left)(values), compiled(relation.right)(values)
        known.append(judge(relation, left, right, resolution)[0])
    if any(k is False for k in known):
        return False
    return True if all(known) else None


def _refutation(
    claim: Claim, balls: Balls, counts: dict[str, int], details: dict[str, Any], seconds: float
) -> Evidence:
    evaluator = Evaluator(claim)
    point = {name: _middle(ball) for name, ball in balls.items()}
    trial = evaluator.trial(point)
    # A box may reach beyond the domains; what fails there is not the claim.
    inside = all(s.name in point and d.contains(point[s.name]) for s, d in claim.variables.items())
    confirmed = inside and bool(evaluator.admissible(point)) and trial.truth is False
    return Evidence(
        checker="certified",
        verdict=Verdict.REFUTED if confirmed else Verdict.UNDECIDED,
        message="false on a whole sub-box" + ("" if confirmed else ", but its middle could not be confirmed"),
        counts=counts,
        slack=trial.slack,
        where=point,
        counterexample=point if confirmed else None,
        values=evaluator.values(point) if confirmed else {},
        details=details,
        seconds=seconds,
    )


def _middle(ball: arb) -> float | int:
    middle = ball.mid()
    return int(float(middle)) if ball.is_exact() and float(middle).is_integer() else float(middle)
