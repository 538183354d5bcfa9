"""Mutants: a claim with one small thing wrong. A checker worth trusting refutes them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sympy as sp

from mdtheory.claims.domains import Integers
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import Operator, Relation
from mdtheory.claims.sampled import Sample, draw, generator, search
from mdtheory.claims.simple_points import named_domains
from mdtheory.claims.symbolic import reduces_to_zero
from mdtheory.claims.trial import Evaluator, Trial

NUDGE = sp.Rational(21, 20)
POOL = 120
OUTSIDE_DRAWS = 400
KINDS = (
    "constant nudged",
    "integer shifted",
    "half dropped",
    "term dropped",
    "square root dropped",
    "inequality flipped",
    "decays swapped",
    "assumption removed",
)
DECAYS = ("weight_decay", "feature_decay")

_FLIPPED: dict[Operator, Operator] = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed claim: other relations, or fewer assumptions."""

    name: str
    kind: str
    where: str
    relations: tuple[Relation, ...]
    assumptions: tuple[sp.Basic, ...]
    changed: sp.Expr | None = None

    @property
    def text(self) -> str:
        """What is changed. Formulas are printed when asked for: of a long one that takes longer than changing it."""
        return self.where if self.changed is None else f"{self.where}: {self.changed}"


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What became of a mutant.

    ``outcome`` is "refuted" (the reason is the point; of an existence claim, that its witness fails), "survivor" (too close
    to tell), "equivalent" (says the same, or is true as well), or, for a removed assumption, "sharp", "needed" (without it
    nothing is defined) or "not known sharp".
    """

    name: str
    kind: str
    text: str
    outcome: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def mutants(claim: Claim) -> list[Mutant]:
    """All mutants of a claim, in an order that does not change."""
    evaluator = Evaluator(claim)
    found: list[Mutant] = []
    seen = {evaluator.relations}
    counter: dict[str, int] = {}
    for kind, relations, where, changed in _changed_relations(claim, evaluator.relations):
        if relations in seen:
            continue
        seen.add(relations)
        counter[kind] = counter.get(kind, 0) + 1
        name = f"{kind.replace(' ', '-')}-{counter[kind]}"
        found.append(Mutant(name, kind, where, relations, evaluator.assumptions, changed))
    for i, assumption in enumerate(evaluator.assumptions, 1):
        rest = tuple(a for a in evaluator.assumptions if a is not assumption)
        name, where = f"assumption-removed-{i}", f"without {claim.assumptions[i - 1]}"
        found.append(Mutant(name, "assumption removed", where, evaluator.relations, rest))
    return found


def attack(claim: Claim, *, seed: int = 0, per_kind: int | None = None) -> list[MutantResult]:
    """Try to refute the mutants of a claim (at most ``per_kind`` of each kind)."""
    chosen = _chosen(mutants(claim), per_kind)
    if claim.expected is Verdict.REFUTED:
        # Whatever a false claim is changed into says nothing, except its opposite: it is not false everywhere.
        chosen = [m for m in chosen if m.kind == "inequality flipped"]
    evaluator = Evaluator(claim)
    rng = generator(claim, seed)
    if claim.existence:
        assert claim.counterexample is not None
        chosen = [m for m in chosen if m.kind != "assumption removed"]
        sample = Sample((evaluator.trial(claim.counterexample),), 0)
    else:
        sample = draw(evaluator, rng, min(POOL, claim.most_samples or POOL))
    results = []
    for mutant in chosen:
        if mutant.kind == "assumption removed":
            results.append(_outside(claim, mutant, seed))
        else:
            results.append(_attack_relations(claim, evaluator, mutant, sample, seed))
    return results


def rate(results: Sequence[MutantResult]) -> tuple[int, int]:
    """How many of the non-equivalent mutants were refuted; removed assumptions measure sharpness and do not count."""
    counted = [r for r in results if r.outcome in ("refuted", "survivor")]
    return sum(r.outcome == "refuted" for r in counted), len(counted)


def _chosen(found: list[Mutant], per_kind: int | None) -> list[Mutant]:
    if per_kind is None:
        return found
    return [m for kind in KINDS for m in [x for x in found if x.kind == kind][:per_kind]]


# ---------------------------------------------------------------------- making them


def _changed_relations(
    claim: Claim, relations: tuple[Relation, ...]
) -> Iterator[tuple[str, tuple[Relation, ...], str, sp.Expr | None]]:
    integers = {s for s, domain in claim.variables.items() if isinstance(domain, Integers)}
    for i, relation in enumerate(relations):
        for side in ("left", "right"):
            original = getattr(relation, side)
            for kind, changed in _changes(original, integers):
                one = relation.with_sides(changed, relation.right) if side == "left" else None
                one = one or relation.with_sides(relation.left, changed)
                yield kind, (*relations[:i], one, *relations[i + 1 :]), f"{side} side {i + 1}", changed
        if relation.operator == "==" and relation.left.is_Symbol and relation.right.is_Symbol:
            # No formula to change: the same quantity twice, but for the factor 1.
            one = relation.with_sides(NUDGE * relation.left, relation.right)
            yield "constant nudged", (*relations[:i], one, *relations[i + 1 :]), f"left side {i + 1}", one.left
        if relation.operator in _FLIPPED:
            flipped = _FLIPPED[relation.operator]
            one = Relation(relation.left, flipped, relation.right)
            where = f"relation {i + 1} with {flipped}"
            yield "inequality flipped", (*relations[:i], one, *relations[i + 1 :]), where, None
        swapped = _swap_decays(relation)
        if swapped is not None:
            yield "decays swapped", (*relations[:i], swapped, *relations[i + 1 :]), f"relation {i + 1}", None


def _changes(expression: sp.Expr, integers: set[sp.Symbol]) -> Iterator[tuple[str, sp.Expr]]:
    """Every expression that differs in one node."""
    for path, node in _nodes(expression, ()):
        for kind, changed in _node_changes(node, integers):
            try:
                mutated = _replaced(expression, path, changed)
            except ValueError:  # sympy cannot order it within a maximum: no formula
                continue
            yield kind, mutated


def _node_changes(node: sp.Basic, integers: set[sp.Symbol]) -> Iterator[tuple[str, sp.Expr]]:
    if node in integers:
        yield "integer shifted", node + 1
    if node.is_Rational and node not in (0, -1):
        yield "constant nudged", node * NUDGE
        if node == sp.Rational(1, 2):
            yield "half dropped", sp.Integer(1)
    if isinstance(node, sp.Add):
        for term in node.args:
            yield "term dropped", node - term
    if isinstance(node, sp.Mul) and node.args[0] in (sp.Rational(1, 2), -sp.Rational(1, 2)):
        yield "half dropped", 2 * node
    if isinstance(node, sp.Pow) and abs(node.exp) == sp.Rational(1, 2):
        yield "square root dropped", node.base ** (2 * node.exp)


def _nodes(expression: sp.Basic, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], sp.Basic]]:
    yield path, expression
    if isinstance(expression, sp.Piecewise):
        return  # its branches are other formulas; the conditions of a threshold are claims of their own
    for i, part in enumerate(expression.args):
        if isinstance(expression, sp.Pow) and i == 1 and part.is_Rational:
            continue  # exponents: dropping square roots is a kind of its own
        yield from _nodes(part, (*path, i))


def _replaced(expression: sp.Basic, path: tuple[int, ...], changed: sp.Basic) -> sp.Basic:
    if not path:
        return changed
    parts = list(expression.args)
    parts[path[0]] = _replaced(parts[path[0]], path[1:], changed)
    return expression.func(*parts)


def _swap_decays(relation: Relation) -> Relation | None:
    by_name = {s.name: s for s in relation.symbols if s.name in DECAYS}
    if len(by_name) < 2:
        return None
    one, other = (by_name[name] for name in DECAYS)
    exchange = {one: other, other: one}
    return relation.with_sides(
        relation.left.subs(exchange, simultaneous=True), relation.right.subs(exchange, simultaneous=True)
    )


# ---------------------------------------------------------------------- refuting them


def _attack_relations(claim: Claim, evaluator: Evaluator, mutant: Mutant, sample: Sample, seed: int) -> MutantResult:
    def result(outcome: str, reason: str) -> MutantResult:
        return MutantResult(mutant.name, mutant.kind, mutant.text, outcome, reason)

    declared = claim.equivalent.get(mutant.name)
    if declared is not None:
        return result("equivalent", declared)
    trials: list[Trial] = []
    for known in sample.trials:
        trial = evaluator.trial(known.point, mutant.relations)
        if trial.truth is False:
            # Another witness might do for a changed existence claim: what the check refutes is this one.
            return result("refuted", "its witness fails" if claim.existence else f"at {_text(trial)}")
        trials.append(trial)
    if not claim.existence:
        for trial in search(evaluator, trials, generator(claim, seed + 1), mutant.relations, starts=3, steps=40):
            if trial.truth is False:
                return result("refuted", f"at {_text(trial)}, found by search")
            trials.append(trial)
    if any(t.truth for t in sample.trials) and all(t.slack != t.slack for t in trials):
        return result("refuted", "its formula is not a real number at any draw")
    if _same(evaluator.relations, mutant.relations):
        return result("equivalent", "sympy reduces it to the claim")
    slacks = [t.slack for t in trials if t.slack == t.slack]
    return result("survivor", f"too close to tell: smallest slack {min(slacks):.3g}" if slacks else "nothing decided")


def _same(relations: Sequence[Relation], others: Sequence[Relation]) -> bool:
    for one, other in zip(relations, others, strict=True):
        if one.operator != other.operator:
            return False
        if one != other and not reduces_to_zero((one.left - one.right) - (other.left - other.right)):
            return False
    return True


def _outside(claim: Claim, mutant: Mutant, seed: int) -> MutantResult:
    """Whether the claim fails somewhere outside one of its assumptions."""
    evaluator = Evaluator(claim, declared=False)
    rng = generator(claim, seed + 2)
    removed = [a for a in evaluator.assumptions if a not in mutant.assumptions]
    domains = named_domains(claim)
    undefined = tried = 0
    for _ in range(OUTSIDE_DRAWS):
        point = {name: domain.draw(rng) for name, domain in domains.items()}
        if evaluator.admissible(point, removed) is not False or not evaluator.admissible(point, mutant.assumptions):
            continue
        trial = evaluator.trial(point)
        tried += 1
        undefined += trial.truth is None
        if trial.truth is False:
            return MutantResult(mutant.name, mutant.kind, mutant.text, "sharp", f"fails at {_text(trial)}")
    if tried and undefined == tried:
        return MutantResult(mutant.name, mutant.kind, mutant.text, "needed", "outside it a quantity is not defined")
    reason = f"holds at {tried - undefined} draws outside" if tried else "no draw lies outside"
    return MutantResult(mutant.name, mutant.kind, mutant.text, "not known sharp", reason)


def _text(trial: Trial) -> str:
    return ", ".join(f"{name}={value}" for name, value in trial.point.items())
