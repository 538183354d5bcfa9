"""Claims about optima, on a fixed grid, with the duality gap of an optimiser that knows nothing of the claim."""

import itertools
import time

import numpy as np

from mdtheory.claims.domains import Point
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.simple_points import named_domains
from mdtheory.claims.trial import Evaluator

GRID_POINTS = 8


def check_convex(claim: Claim) -> Evidence:
    """Compare a claim with certified optima at points that are the same in every run."""
    start = time.perf_counter()
    evaluator = Evaluator(claim)
    grid = _grid(evaluator)
    trials = [evaluator.trial(point) for point in grid]
    convex = [q for q in claim.quantities.values() if q.convex]
    counts = {
        "true": sum(t.truth is True for t in trials),
        "unknown": sum(t.truth is None for t in trials),
        "false": sum(t.truth is False for t in trials),
    }
    failed = next((t for t in trials if t.truth is False), None)
    routes = "; ".join(sorted({q.route for q in convex}))
    if failed is not None:
        verdict, text = Verdict.REFUTED, "a certified optimum contradicts the claim"
    elif not trials:
        verdict, text = Verdict.VACUOUS, "no grid point satisfies the assumptions"
    elif counts["true"] >= 0.75 * len(trials):
        verdict, text = Verdict.SUPPORTED, f"{counts['true']} of {len(trials)} grid points agree ({routes})"
    else:
        verdict, text = Verdict.UNDECIDED, f"only {counts['true']} of {len(trials)} grid points are decided ({routes})"
    return Evidence(
        checker="convex",
        verdict=verdict,
        message=text,
        counts=counts,
        counterexample=None if failed is None else failed.point,
        values={} if failed is None else evaluator.values(failed.point),
        seconds=time.perf_counter() - start,
    )


def _grid(evaluator: Evaluator) -> list[Point]:
    """The first admissible points of a stream that is the same in every run."""
    rng = np.random.default_rng(0)
    domains = named_domains(evaluator.claim)
    draws = ({name: domain.draw(rng) for name, domain in domains.items()} for _ in range(50 * GRID_POINTS))
    return list(itertools.islice((p for p in draws if evaluator.admissible(p)), GRID_POINTS))
