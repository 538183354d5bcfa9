r"""The unconstrained features model as a conic programme in its logits, in cvxpy: slow, and free of every reduction.

Permutation symmetry is not assumed, so that the programme checks the closed forms. The conic answer of a symmetric
problem is symmetrised, which does not increase a convex objective, and its status comes from the duality gap
recomputed from the answer, not from the conic solver.
"""

from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, one_point
from mdtheory.losses.base import TargetLoss
from mdtheory.models.features.duality import label_loss
from mdtheory.models.features.logits_problem import logits_problem
from mdtheory.models.features.logits_solution import LogitsSolution
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.features.problem import UFM
from mdtheory.optimisers.conic import TARGET_GAP, minimise_conic

MAX_CONVEX_CLASSES = 60
_NOT_BALANCED = "has a closed form only: method 'convex' needs balanced classes"


def solve_ufm_convex(problem: UFM) -> MarginSolution:
    """Solve a balanced UFM as a convex programme in the logits.

    Parameters
    ----------
    problem : UFM
        One balanced symmetric point, at most 60 classes, convex loss.

    Raises
    ------
    AssumptionError
        If the problem is not of that kind.
    SolverError
        If no conic solver gives an answer.

    Notes
    -----
    Nonnegative features are relaxed to a doubly nonnegative Gram matrix (PSD and entrywise nonnegative), which is exact
    wherever the closed form attains its bound.
    """
    if problem.class_weights is not None:
        raise fail("class_weights", np.asarray(problem.class_weights).tolist(), _NOT_BALANCED)
    logits = ufm_programme(problem).logits
    n = logits.shape[0]
    trace = np.trace(logits)
    margin = trace / n - (np.sum(logits) - trace) / (n * (n - 1))
    return MarginSolution(problem, max(float(margin), 0.0), "convex", tolerance=TARGET_GAP)


def solve_free_convex(problem: UFM, tolerance: float) -> LogitsSolution:
    """Solve a UFM with free features, any proportions and labels, as a conic programme in all its logits.

    Parameters
    ----------
    problem : UFM
        One point, at most 60 classes and groups, convex loss.
    tolerance : float
        The relative gap up to which the answer is called optimal.

    Raises
    ------
    AssumptionError
        If the problem is not of that kind.
    SolverError
        If no conic solver gives an answer.
    """
    answer = ufm_programme(problem)
    logits = logits_problem(problem, reduce=False)
    point = logits.with_bias((answer.logits * np.sqrt(problem.proportions),), answer.bias)
    return LogitsSolution.at(logits, point, "convex", tolerance, answer.dual)


@dataclass(frozen=True, slots=True)
class UFMAnswer:
    """What the conic solver found.

    Attributes
    ----------
    logits : array (N, K)
        WH, without the bias and not symmetrised.
    bias : array (N,)
    value : float
        The optimal value.
    dual : array (N, terms)
        The dual point, one vector for each term of the loss, read off the multipliers.
    """

    logits: FloatArray
    bias: FloatArray
    value: float
    dual: FloatArray


def ufm_programme(problem: UFM) -> UFMAnswer:
    r"""Solve the conic programme.

    With ``X = Z diag(sqrt pi)`` the decay is ``mu tr P`` over PSD block matrices ``P = [[T, X], [X', G]]``: for free
    features its minimum is ``2 mu ||X||_*``; for nonnegative features G, the Gram matrix, is also entrywise nonnegative.
    """
    one_point(problem.shape, "method 'convex' takes one point at a time")
    n, count = int(problem.num_classes), problem.num_groups
    if max(n, count) > MAX_CONVEX_CLASSES:
        name = "num_classes" if n > MAX_CONVEX_CLASSES else "num_groups"
        raise fail(name, max(n, count), f"must be at most {MAX_CONVEX_CLASSES} for method 'convex'")
    block = cp.Variable((n + count, n + count), symmetric=True)
    weights, labels = problem.proportions, problem.labels
    logits = block[:n, n:] @ np.diag(1.0 / np.sqrt(weights))
    semidefinite = block >> 0
    constraints = [semidefinite, *([block[n:, n:] >= 0] if problem.nonnegative else [])]
    bias = cp.Variable(n) if problem.bias else np.zeros(n)
    objective: Any = float(problem.mu) * cp.trace(block)
    if problem.bias_decay > 0:
        objective = objective + problem.bias_decay * cp.sum_squares(bias)
    loss = label_loss(problem)
    copies: list[Any] = []
    for k in range(count):
        column = logits[:, k] + bias
        if isinstance(problem.loss, TargetLoss) and problem.loss.sees_targets:
            objective = objective + weights[k] * problem.loss.target_atom(column, problem.loss.target(labels[:, k]))
            continue
        for j in np.flatnonzero(labels[:, k]):
            # A term sees a copy of its column: the multiplier of that equation is the term's dual vector.
            copy = cp.Variable(n)
            copies.append(copy == column)
            value, extra = problem.loss.cvxpy_atom(copy, int(j))
            objective, constraints = objective + weights[k] * labels[j, k] * value, [*constraints, copies[-1], *extra]
    programme = cp.Problem(cp.Minimize(objective), constraints)
    minimise_conic(programme)
    if copies:
        terms = np.column_stack([-np.asarray(equation.dual_value) for equation in copies])
        dual = loss.into_domain(terms / loss.term_weights)
    else:
        # Stationarity in the off-diagonal block of P: the multiplier's own is -V diag(sqrt pi)/2.
        columns = 2.0 * np.asarray(semidefinite.dual_value)[:n, n:] / np.sqrt(weights)
        dual = loss.into_domain(columns)
    solved_bias = np.asarray(bias.value if isinstance(bias, cp.Variable) else bias)
    if problem.loss.shift_invariant:
        # The conic solver leaves a shift of all logits, which nothing determines, where it fell.
        solved_bias = solved_bias - np.mean(solved_bias)
    return UFMAnswer(np.asarray(logits.value), solved_bias, float(programme.value), dual)
