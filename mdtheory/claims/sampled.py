"""Draws that satisfy the assumptions, a search that maximises the violation, and shrinking of what it finds."""

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdtheory.claims.domains import Domain, Value
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import Relation
from mdtheory.claims.trial import BITS, Evaluator, Trial

ATTEMPTS_PER_DRAW = 20
SEARCH_STARTS = 3
SEARCH_STEPS = 30
FREE_SEARCH_STEPS = 200
SHRINK_STEPS = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """Trials at draws that satisfied the assumptions, and how many draws did not."""

    trials: tuple[Trial, ...]
    skipped: int


def check_sampled(claim: Claim, *, samples: int = 1000, seed: int = 0) -> Evidence:
    """Try to refute a claim by draws, by a search from the worst of them, and report what was seen."""
    start = time.perf_counter()
    evaluator = Evaluator(claim)
    rng = generator(claim, seed)
    if claim.counterexample is not None and not claim.existence:
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
    return unrefuted(sample.trials + searched, counts, time.perf_counter() - start)


def generator(claim: Claim, seed: int) -> np.random.Generator:
    """A stream of its own for each claim, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(claim.id.encode())])


def draw(evaluator: Evaluator, rng: np.random.Generator, samples: int) -> Sample:
    """So many trials at admissible points; fewer if hardly any draw is admissible."""
    trials: list[Trial] = []
    skipped = 0
    domains = named_domains(evaluator.claim)
    while len(trials) < samples and skipped < ATTEMPTS_PER_DRAW * samples:
        point = {name: domain.draw(rng) for name, domain in domains.items()}
        if evaluator.admissible(point):
            trials.append(evaluator.trial(point))
        else:
            skipped += 1
    return Sample(tuple(trials), skipped)


def search(
    evaluator: Evaluator,
    trials: Sequence[Trial],
    rng: np.random.Generator,
    relations: Sequence[Relation] | None = None,
    starts: int = SEARCH_STARTS,
    steps: int | None = None,
) -> tuple[Trial, ...]:
    """Walks downhill in slack from the worst trials; stops at the first violation."""
    domains = named_domains(evaluator.claim)
    if steps is None:
        # Formulas alone cost next to nothing; where draws are dear, so are steps.
        steps = SEARCH_STEPS if evaluator.claim.quantities else FREE_SEARCH_STEPS
        if evaluator.claim.most_samples is not None:
            steps = min(steps, 1 + evaluator.claim.most_samples // starts)
    found: list[Trial] = []
    ranked = sorted((t for t in trials if not np.isnan(t.slack)), key=lambda t: t.slack)
    for best in ranked[:starts]:
        size = 0.2
        for _ in range(steps):
            moved = {
                name: domain.step(best.point[name], size, rng) if rng.random() < 0.6 else best.point[name]
                for name, domain in domains.items()
            }
            if not evaluator.admissible(moved):
                size = max(0.5 * size, 1e-4)
                continue
            trial = evaluator.trial(moved, relations)
            found.append(trial)
            if trial.truth is False:
                return tuple(found)
            if trial.slack < best.slack:
                best, size = trial, min(1.5 * size, 0.5)
            else:
                size = max(0.8 * size, 1e-4)
    return tuple(found)


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


def named_domains(claim: Claim) -> dict[str, Domain]:
    """The domain of each variable by name."""
    return {symbol.name: domain for symbol, domain in claim.variables.items()}


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


def unrefuted(trials: Sequence[Trial], counts: dict[str, int], seconds: float) -> Evidence:
    """What trials without a violation show."""
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
    unknown = counts["unknown"]
    # A few undecided draws next to an equality are what balls are like; mostly undecided is no support.
    supported = counts["true"] > 0 and unknown <= 0.05 * len(trials)
    reasons = sorted({t.reason for t in trials if t.truth is None})
    text = f"{counts['true']} draws agree"
    if unknown:
        text += f", {unknown} unknown ({reasons[0]})"
    if worst is not None:
        text += f", worst slack {worst.slack:.3g}"
    return Evidence(
        checker="sampled",
        verdict=Verdict.SUPPORTED if supported else Verdict.UNDECIDED,
        message=text,
        counts=counts,
        slack=None if worst is None else worst.slack,
        where=None if worst is None else worst.point,
        seconds=seconds,
    )
