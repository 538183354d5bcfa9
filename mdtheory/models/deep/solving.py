"""Solvers of the deep linear features model."""

import numpy as np

from mdtheory.foundation.validation import fail
from mdtheory.models.deep.bounds import squared_error
from mdtheory.models.deep.codes import simplex
from mdtheory.models.deep.problem import DeepUFM
from mdtheory.models.deep.search import keeps, search
from mdtheory.models.deep.solution import DeepSolution
from mdtheory.models.model import Options

_STARTS = 6


def solve_deep(problem: DeepUFM, method: str, options: Options) -> DeepSolution:
    """The squared error by singular values, one layer as `UFM`, every other problem by a search."""
    exact = problem.is_squared_error and not problem.nonnegative
    if method == "singular-values" and not exact:
        raise fail("method", method, "needs the squared error and free features")
    if method == "search" and problem.layers == 1:
        raise fail("method", method, "needs two layers at least: one is solved as a UFM")
    if method != "search" and exact:
        logits = squared_error(problem)[1]
        return DeepSolution(problem, logits, _named(problem, logits), "singular-values")
    if problem.layers == 1:
        shallow = problem.shallow_solution(problem.cost)
        logits = np.asarray(shallow.logits)
        return DeepSolution(problem, logits, _named(problem, logits), shallow.method)
    starts = _STARTS if options.starts is None else options.starts
    found = search(problem, starts=starts, seed=options.seed or 0, progress=options.progress)
    return DeepSolution(problem, found.logits, found.name, "search")


def _named(problem: DeepUFM, logits: np.ndarray) -> str:
    if not np.any(logits):
        return "zero"
    return "simplex ETF" if problem.balanced and keeps(logits, simplex(problem.num_classes)) else ""
