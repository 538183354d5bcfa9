"""Draws that satisfy the assumptions, a search that maximises the violation, and shrinking of what it finds."""

import itertools
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mdtheory.claims.domains import Point, Value, simple_near, simple_values
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import Relation
from mdtheory.claims.simple_points import (
    constants,
    inside,
    line_points,
    mixed,
    named_domains,
    near_points,
    simple_points,
)
from mdtheory.claims.trial import BITS, UNDEFINED_HERE, Evaluator, Trial
from mdtheory.foundation.validation import fail

ATTEMPTS_PER_DRAW = 20
SEARCH_STARTS = 3
SEARCH_STEPS = 30
FREE_SEARCH_STEPS = 200
SHRINK_STEPS = 60
SIMPLE_POINTS = 300
LINES = 4
LINE_POINTS = 60
NEAR_POINTS = 12
ROUNDS = 2
MIXED_SHARE = 0.2
MOST_ATTEMPTS = 1000
MOST_UNKNOWN = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """Trials at draws that satisfied the assumptions, the first ``simple`` of them not random; and how many draws did not."""

    trials: tuple[Trial, ...]
    skipped: int
    simple: int = 0


def check_sampled(claim: Claim, *, samples: int = 1000, seed: int = 0) -> Evidence:
    """Try to refute a claim by draws, by a search from the worst of them, and report what was seen."""
    start = time.perf_counter()
    evaluator = Evaluator(claim)
    rng = generator(claim, seed)
    if claim.counterexample is not None and not claim.existence:
        if evaluator.admissible(claim.counterexample) is False:
            raise fail("counterexample", dict(claim.counterexample), "a point at which the assumptions hold")
        known = evaluator.trial(claim.counterexample)
        if known.truth is False:
            return _refuted(evaluator, known, "the stated counterexample", {}, start)
    sample = draw(evaluator, rng, min(samples, claim.most_samples or samples))
    failed = next((t for t in sample.trials if t.truth is False), None)
    searched: tuple[Trial, ...] = ()
    if failed is None and sample.trials:
        searched = search(evaluator, sample.trials, rng)
        failed = next((t for t in searched if t.truth is False), None)
    counts = counts_of(sample.trials + searched, sample.skipped)
    if failed is not None:
        return _refuted(evaluator, failed, "found by sampling", counts, start)
    return unrefuted(
        sample.trials + searched, counts, time.perf_counter() - start, sample.simple, exact=evaluator.exact
    )


def admissible_point(claim: Claim, seed: int = 0) -> Point | None:
    """Some point at which the assumptions certainly hold, if draws find one."""
    evaluator = Evaluator(claim)
    rng = generator(claim, seed)
    domains = named_domains(claim)
    drawn = ({name: domain.draw(rng) for name, domain in domains.items()} for _ in range(MOST_ATTEMPTS))
    return next(
        (point for point in itertools.chain(drawn, _simple(evaluator, MOST_ATTEMPTS)) if evaluator.admissible(point)),
        None,
    )


def generator(claim: Claim, seed: int) -> np.random.Generator:
    """A stream of its own for each claim, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(claim.id.encode())])


def draw(evaluator: Evaluator, rng: np.random.Generator, samples: int) -> Sample:
    """So many trials at admissible points, simple ones first; fewer if hardly any draw is admissible."""
    domains = named_domains(evaluator.claim)
    trials = [evaluator.trial(point) for point in _simple(evaluator, samples) if evaluator.admissible(point)]
    simple = len(trials)
    wanted = samples if evaluator.exact else samples - simple
    skipped = 0
    while len(trials) < simple + wanted and skipped < ATTEMPTS_PER_DRAW * samples:
        point: Point = {name: domain.draw(rng) for name, domain in domains.items()}
        if rng.random() < MIXED_SHARE:
            point = mixed(point, domains, rng)
        if not (evaluator.exact or evaluator.floats):
            point = inside(point, domains)
        if evaluator.admissible(point):
            trials.append(evaluator.trial(point))
        else:
            skipped += 1
    return Sample(tuple(trials), skipped, simple)


def _simple(evaluator: Evaluator, samples: int) -> list[Point]:
    """Simple points to begin with: of a formula many, which cost little; else a quarter of the draws."""
    if samples < 1:
        return []
    claim, fractions = evaluator.claim, evaluator.exact
    limit = SIMPLE_POINTS if evaluator.exact else -(-samples // 4)
    sides = [side for relation in evaluator.relations for side in (relation.left, relation.right)]
    mentioned = constants((*sides, *evaluator.assumptions))
    found = simple_points(named_domains(claim), limit, mentioned, fractions=fractions)
    if not (evaluator.exact or evaluator.floats):
        found = [inside(point, named_domains(claim)) for point in found]
    if not found:
        return []
    relations = evaluator.relations if evaluator.exact else ()
    bases = found[:: max(1, len(found) // LINES)][:LINES] if evaluator.exact else found[-1:]
    for base in bases:
        share = LINE_POINTS if evaluator.exact else limit // 4
        lines = line_points(claim, relations, evaluator.assumptions, base, fractions=fractions)
        found += list(itertools.islice(lines, share))
    return list({tuple(point.items()): point for point in found}.values())[: limit if not evaluator.exact else None]


def search(
    evaluator: Evaluator,
    trials: Sequence[Trial],
    rng: np.random.Generator,
    relations: Sequence[Relation] | None = None,
    starts: int = SEARCH_STARTS,
    steps: int | None = None,
) -> tuple[Trial, ...]:
    """Walks downhill in slack from the worst trials, then simple points near the worst; stops at the first violation."""
    found: list[Trial] = []
    for trial in _walks(evaluator, trials, rng, relations, starts, steps):
        found.append(trial)
        if trial.truth is False:
            return tuple(found)
    ranked = sorted((t for t in (*trials, *found) if not np.isnan(t.slack)), key=lambda t: t.slack)
    if evaluator.exact and ranked:
        found += _one_by_one(evaluator, ranked[0], relations)
        if found[-1].truth is False:
            return tuple(found)
    for point in _finish(evaluator, ranked, relations or evaluator.relations):
        if not (evaluator.exact or evaluator.floats):
            point = inside(point, named_domains(evaluator.claim))
        if evaluator.admissible(point):
            found.append(evaluator.trial(point, relations))
            if found[-1].truth is False:
                break
    return tuple(found)


def _walks(
    evaluator: Evaluator,
    trials: Sequence[Trial],
    rng: np.random.Generator,
    relations: Sequence[Relation] | None,
    starts: int,
    steps: int | None,
) -> Iterator[Trial]:
    domains = named_domains(evaluator.claim)
    if steps is None:
        # Formulas alone cost next to nothing; where draws are dear, so are steps.
        steps = SEARCH_STEPS if evaluator.claim.quantities else FREE_SEARCH_STEPS
        if evaluator.claim.most_samples is not None:
            steps = min(steps, 1 + evaluator.claim.most_samples // starts)
    ranked = sorted((t for t in trials if not np.isnan(t.slack)), key=lambda t: t.slack)
    for best in ranked[:starts]:
        size = 0.2
        for _ in range(steps):
            moved: Point = {
                name: domain.step(best.point[name], size, rng) if rng.random() < 0.6 else best.point[name]
                for name, domain in domains.items()
            }
            if not (evaluator.exact or evaluator.floats):
                moved = inside(moved, domains)
            if not evaluator.admissible(moved):
                size = max(0.5 * size, 1e-4)
                continue
            trial = evaluator.trial(moved, relations)
            yield trial
            if trial.slack < best.slack:
                best, size = trial, min(1.5 * size, 0.5)
            else:
                size = max(0.8 * size, 1e-4)


def _one_by_one(evaluator: Evaluator, worst: Trial, relations: Sequence[Relation] | None) -> list[Trial]:
    """From the worst trial each variable in turn to the end or the simple number near it where the slack is least."""
    claim, domains = evaluator.claim, named_domains(evaluator.claim)
    chosen = relations or evaluator.relations
    found = [worst]
    for _ in range(ROUNDS):
        before = worst
        for symbol in claim.variables:
            name = symbol.name
            ends = simple_values(domains[name])[:2]
            near = [{**worst.point, name: value} for value in (*ends, *simple_near(domains[name], worst.point[name]))]
            lines = line_points(claim, chosen, evaluator.assumptions, worst.point, fractions=True, along=symbol)
            for point in itertools.chain(near, itertools.islice(lines, LINE_POINTS)):
                if not evaluator.admissible(point):
                    continue
                found.append(evaluator.trial(point, relations))
                if found[-1].truth is False:
                    return found
                if found[-1].slack < worst.slack:
                    worst = found[-1]
        if worst is before:
            break
    return found


def _finish(evaluator: Evaluator, ranked: Sequence[Trial], relations: Sequence[Relation]) -> Iterator[Point]:
    """Simple points near the worst trials, and on lines through them."""
    claim, domains = evaluator.claim, named_domains(evaluator.claim)
    for worst in ranked[: SEARCH_STARTS if evaluator.exact else 1]:
        near = near_points(worst.point, domains, fractions=evaluator.exact)
        yield from near if evaluator.exact else near[: NEAR_POINTS if claim.most_samples is None else 2]
        if evaluator.exact:
            for base in (worst.point, *near[:2]):
                lines = line_points(claim, relations, evaluator.assumptions, base, fractions=True)
                yield from itertools.islice(lines, LINE_POINTS)


def shrink(evaluator: Evaluator, failed: Trial, relations: Sequence[Relation] | None = None) -> Trial:
    """The same violation at a simpler point: round numbers, small integers."""
    domains = named_domains(evaluator.claim)
    left = SHRINK_STEPS
    improved = True
    while improved and left > 0:
        improved = False
        for name, domain in domains.items():
            for value in domain.simpler(failed.point[name]):
                moved = {**failed.point, name: value}
                left -= 1
                if evaluator.admissible(moved):
                    trial = evaluator.trial(moved, relations)
                    if trial.truth is False:
                        failed, improved = trial, _simpler(value, failed.point[name])
                        break
                if left <= 0:
                    return failed
    return failed


def _simpler(value: Value, before: Value) -> bool:
    if isinstance(value, int) and isinstance(before, int):
        return value < before
    return len(repr(value)) < len(repr(before))


def counts_of(trials: Sequence[Trial], skipped: int) -> dict[str, int]:
    """How many trials were true, unknown and false, and how many draws were skipped."""
    return {
        "true": sum(t.truth is True for t in trials),
        "unknown": sum(t.truth is None for t in trials),
        "false": sum(t.truth is False for t in trials),
        "undefined": sum(t.truth is None and t.reason.startswith(UNDEFINED_HERE) for t in trials),
        "skipped": skipped,
    }


def _refuted(evaluator: Evaluator, failed: Trial, how: str, counts: dict[str, int], start: float) -> Evidence:
    claim = evaluator.claim
    smallest = failed if failed.point == claim.counterexample else shrink(evaluator, failed)
    again = Evaluator(claim, 2 * BITS)
    confirmed = again.admissible(smallest.point) and again.trial(smallest.point).truth is False
    seconds = time.perf_counter() - start
    if not confirmed:
        message = f"a violation {how} could not be confirmed with twice the precision"
        return Evidence(
            checker="sampled",
            verdict=Verdict.UNDECIDED,
            message=message,
            counts=counts,
            slack=failed.slack,
            where=failed.point,
            seconds=seconds,
        )
    message = f"{how}, verified in ball arithmetic with {BITS} and {2 * BITS} bits"
    if claim.estimated:
        message += f", where the error of {', '.join(claim.estimated)} is an estimate"
    return Evidence(
        checker="sampled",
        verdict=Verdict.REFUTED,
        message=message,
        counts=counts,
        slack=smallest.slack,
        where=smallest.point,
        counterexample=smallest.point,
        values=again.values(smallest.point),
        seconds=seconds,
    )


def unrefuted(
    trials: Sequence[Trial], counts: dict[str, int], seconds: float, simple: int = 0, *, exact: bool = False
) -> Evidence:
    """What trials without a violation show; the first ``simple`` are not random, and of formulas alone if ``exact``."""
    if not trials:
        return Evidence(
            checker="sampled",
            verdict=Verdict.VACUOUS,
            message=f"no draw satisfied the assumptions ({counts['skipped']} tried)",
            counts=counts,
            seconds=seconds,
        )
    finite = [t for t in trials if not np.isnan(t.slack)]
    worst = min(finite, key=lambda t: t.slack) if finite else None
    unknown = [t for t in trials if t.truth is None]
    text = f"{counts['true']} draws agree"
    if unknown:
        reasons = sorted({t.reason for t in unknown})
        text += f", {len(unknown)} unknown ({reasons[0]})"
    if worst is not None:
        text += f", worst slack {worst.slack:.3g}"
    return Evidence(
        checker="sampled",
        verdict=Verdict.SUPPORTED if _supported(trials, simple, exact=exact) else Verdict.UNDECIDED,
        message=text,
        counts=counts,
        slack=None if worst is None else worst.slack,
        where=None if worst is None else worst.point,
        seconds=seconds,
    )


def _supported(trials: Sequence[Trial], simple: int, *, exact: bool) -> bool:
    if not any(t.truth for t in trials):
        return False
    if exact and any(t.truth is None and not t.reason.startswith(UNDEFINED_HERE) for t in trials[:simple]):
        return False  # a formula that balls cannot tell from equality at a simple point is one to look at
    # A few undecided draws next to an equality are what balls are like; mostly undecided is no support. Simple points lie
    # where quantities end: they may break a claim, and need not support it.
    drawn = trials[simple:] or trials
    return sum(t.truth is None for t in drawn) <= MOST_UNKNOWN * len(drawn)
