r"""The conic programmes behind both problems, in cvxpy: slow, one point at a time, and free of every reduction.

The unconstrained features model is solved in its logits, without assuming permutation symmetry; the
memorization-dilation problem in (u_1, u_2, r), without assuming that u_2 mirrors u_1 or that the constraint is tight.
Both exist to check the closed forms and the reduction. The conic answer is symmetrised, which does not increase a
convex objective, and its status comes from the duality gap recomputed from the answer, not from the conic solver.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from mdtheory.errors import SolverError
from mdtheory.losses import CrossEntropy, Hinge, LabelRelaxation, Loss, SquaredHinge
from mdtheory.losses.base import binary_entropy
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solutions import MDSolution, UFMSolution
from mdtheory.solvers.closed_form import solve_expansion
from mdtheory.status import Status
from mdtheory.validation import FloatArray, fail

MAX_CONVEX_CLASSES = 60
TARGET_GAP = 1e-6
_MAX_RULES = 12
# Margins spread by less than this see only the curvature of the loss, to a relative 1e-6.
_QUADRATIC_SPREAD = 1e-3
# Quadrature nodes of less weight than this only spoil the conditioning.
_LEAST_WEIGHT = 1e-20
_NOT_BALANCED = "has a closed form only: method 'convex' needs balanced classes"


def _clarabel(tolerance: float, reduced: float, regularization: float = 1e-8) -> dict[str, Any]:
    names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
    settings = {"max_iter": 400, "static_regularization_constant": regularization} | dict.fromkeys(names, tolerance)
    return {"solver": cp.CLARABEL} | settings | {f"reduced_{name}": reduced for name in names}


# In this order, until one gives an answer; what the answer is worth is decided by its duality gap.
_ATTEMPTS: tuple[dict[str, Any], ...] = (
    _clarabel(1e-12, 1e-9, regularization=1e-10),
    _clarabel(1e-12, 1e-8, regularization=1e-11),
    _clarabel(1e-9, 1e-6),
    {"solver": cp.SCS, "eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000},
)


def solve_ufm_convex(problem: UFM) -> UFMSolution:
    """Solve a balanced UFM as a convex programme in the logits.

    Parameters
    ----------
    problem : UFM
        One point, at most 60 classes, convex loss, no class weights.

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
    logits, _ = ufm_programme(problem)
    n = logits.shape[0]
    trace = np.trace(logits)
    margin = trace / n - (np.sum(logits) - trace) / (n * (n - 1))
    return UFMSolution(problem, max(float(margin), 0.0), "convex", target_gap=TARGET_GAP)


def ufm_programme(problem: UFM) -> tuple[FloatArray, float]:
    r"""The optimal centred logits WH (N, N), not symmetrised, and the optimal value.

    With ``X = Z/sqrt(N)`` the decay is ``mu tr P`` over PSD block matrices ``P = [[T, X], [X', G]]``: for free features
    its minimum is ``2 mu ||X||_*``; for nonnegative features G, the Gram matrix, is also entrywise nonnegative.
    """
    if problem.class_weights is not None:
        raise fail("class_weights", np.asarray(problem.class_weights).tolist(), _NOT_BALANCED)
    _check_one_point(problem)
    n = int(problem.num_classes)
    if n > MAX_CONVEX_CLASSES:
        raise fail("num_classes", n, f"must be at most {MAX_CONVEX_CLASSES} for method 'convex'")
    block = cp.Variable((2 * n, 2 * n), PSD=True)
    logits = np.sqrt(n) * block[:n, n:]
    constraints = [block[n:, n:] >= 0] if problem.nonnegative else []
    bias = cp.Variable(n) if problem.bias else np.zeros(n)
    loss: Any = 0.0
    for label in range(n):
        value, extra = problem.loss.cvxpy_atom(logits[:, label] + bias, label)
        loss, constraints = loss + value / n, constraints + extra
    programme = cp.Problem(cp.Minimize(loss + float(problem.mu) * cp.trace(block)), constraints)
    _minimise(programme)
    return np.asarray(logits.value), float(programme.value)


def solve_md_convex(problem: MemorizationDilation) -> MDSolution:
    """Solve a memorization-dilation problem as a conic programme in both noisy features and the dilation.

    Parameters
    ----------
    problem : MemorizationDilation
        One point, convex loss, positive noise.

    Raises
    ------
    AssumptionError
        If the problem is not of that kind.
    SolverError
        If no conic solver gives an answer.

    Notes
    -----
    The objective is accurate to about 1e-9. Where it is flatter than that (noise below about 1e-4, above all without
    decay of the noisy features) the dilation has few correct digits although the gap is small.
    """
    answer = md_programme(problem)
    c = problem.configuration
    # The swap of the classes maps (u_1, u_2) to (mirror u_2, mirror u_1).
    along = 0.5 * (answer.noisy[0, 0] - answer.noisy[1, 0])
    margin, level = float(along * c.weight_distance), float(0.5 * np.sum(answer.noisy[:, 1]))
    candidates = [_feasible(problem, margin, level, face=False)]
    kink = float(problem.ufm.loss.profile_minimizer())
    near_kink = not problem.ufm.loss.smooth_slope and abs(margin - kink) <= 1e-4
    if near_kink:
        candidates.append(_feasible(problem, kink, level, face=False))
    if problem.nonnegative_noisy_features and abs(level - abs(along)) <= 1e-4 * float(c.mean_distance):
        candidates.append(_feasible(problem, margin, level, face=True))
        if near_kink:
            candidates.append(_feasible(problem, kink, level, face=True))
    if not problem.ufm.loss.smooth_slope:
        candidates.append(_feasible(problem, -float(c.margin), float(c.centre_norm), face=False))
    # A conic answer stops just short of kinks and faces; where one lies on them, the bound shows it.
    return min(candidates, key=lambda solution: float(solution.gap))


@dataclass(frozen=True, slots=True)
class MDAnswer:
    """What the conic solver found, before any symmetry is used.

    Attributes
    ----------
    noisy : array (2, 2)
        Row n is u_n: its coordinates along ``h_1 - h_2`` and along ``h_1 + h_2``.
    dilation : float
    value : float
        The optimal value, on the scale of the objective.
    rules : int
        Quadrature rules tried.
    """

    noisy: FloatArray
    dilation: float
    value: float
    rules: int


def md_programme(problem: MemorizationDilation) -> MDAnswer:
    r"""Solve the conic programme, adapting the quadrature rule to the dilation it finds.

    Lengths are in units of D and the dilation is ``r = eta D^q/C D x``, so that the cones read ``||v_n|| <= x`` with
    ``v_1 = (u_1 - h_2)/D``; the objective is divided by eta after its value at r = 0 is taken off the clean part.
    """
    _check_one_point(problem)
    if problem.noise == 0:
        raise fail("noise", 0.0, "must be positive for the conic programme")
    loss, kap = problem.ufm.loss, float(problem.configuration.weight_distance)
    loss.cvxpy_atom(cp.Variable(2), 0)  # a loss without one says so here
    reach = 1.5 * kap * float(solve_expansion(problem).dilation)
    rule = _Rule(problem, max(reach, 1e-12))
    for count in range(1, _MAX_RULES + 1):
        answer = MDAnswer(*_solve_with_rule(problem, rule), count)
        if rule.serves(kap * answer.dilation):
            break
        # A mismatch that is left after the last rule shows in the duality gap.
        rule = _Rule(problem, max((1.0 if rule.kinked else 1.5) * kap * answer.dilation, 1e-12))
    return answer


class _Rule:
    """Nodes and weights for clean margins ``s + K zeta``, K up to `reach`, and whether they serve a given K."""

    def __init__(self, problem: MemorizationDilation, reach: float) -> None:
        loss, spread, s = problem.ufm.loss, problem.spread, problem.configuration.margin
        self.reach = reach
        self.kinked = loss.kinks() is not None
        self.distance = 0.0 if not self.kinked else abs(float(np.asarray(loss.kinks())) - float(s))
        self.radius = min(spread.radius, 9.5 / np.sqrt(spread.dim))
        self.quadratic = not np.isfinite(loss.analytic_strip) and not self.kinked
        if not self.quadratic and reach <= _QUADRATIC_SPREAD:
            self.quadratic = not self.kinked or self.distance > reach * self.radius
        if self.quadratic:
            return
        if self.kinked:
            position = np.clip(self.distance / reach, 0.0, self.radius)
            nodes, weights = spread.split_rule(np.asarray(position), np.asarray(reach))
        else:
            half, pair = spread.smooth_rule(np.asarray(s), np.asarray(reach), loss.analytic_strip)
            nodes, weights = np.concatenate([-half, half]), 0.5 * np.concatenate([pair, pair])
        kept = weights > _LEAST_WEIGHT
        self.nodes, self.weights = nodes[kept], weights[kept]

    def serves(self, scale: float) -> bool:
        """Whether the rule is accurate at the scale K = kap r."""
        if self.quadratic and not self.kinked:
            return scale <= self.reach or self.reach > _QUADRATIC_SPREAD or scale <= _QUADRATIC_SPREAD
        beyond = self.distance >= max(scale, self.reach) * self.radius
        if self.kinked and not beyond and self.distance > 0:
            return abs(scale - self.reach) <= 1e-5 * self.reach
        return scale <= self.reach


def _solve_with_rule(problem: MemorizationDilation, rule: _Rule) -> tuple[FloatArray, float, float]:
    c, loss, dim = problem.configuration, problem.ufm.loss, problem.spread.dim
    s, kap, kp = float(c.margin), float(c.weight_distance), float(c.weight_sum)
    distance, centre, eta = float(c.mean_distance), float(c.centre_norm), float(problem.noise)
    lam = float(problem.decay)
    unit = eta * float(problem.rate) * distance

    x = cp.Variable(nonneg=True)
    moves = cp.Variable((2, 2))
    constraints: list[Any] = []
    objective: Any = (2.0 * lam * unit**2 / eta) * cp.square(x)
    if problem.ufm.pays_for_mean:
        objective = objective + (0.5 * kp**2 * unit**2 / dim / eta) * cp.square(x)
    if rule.quadratic:
        curvature = float(loss.profile_curvature(s))
        objective = objective + (curvature * (kap * unit) ** 2 / dim / eta) * cp.square(x)
    else:
        offsets = kap * unit * rule.nodes
        values, extra = _vector_atom(loss, s + offsets * x, rule.nodes.size)
        at_zero = float(loss.profile(s)) * float(np.sum(rule.weights))
        objective = objective + (2.0 / eta) * (rule.weights @ values - at_zero)
        constraints += extra

    # Columns: along h_1 - h_2, along the mean. A noisy example labelled n starts at the other class mean.
    start = np.array([[-0.5 * distance, centre], [0.5 * distance, centre]])
    features = start + distance * moves
    classifier = 0.5 * np.array([[kap, kp], [-kap, kp]])
    bias = 0.5 if problem.ufm.bias and not loss.shift_invariant else 0.0
    for label in range(2):
        value, extra = loss.cvxpy_atom(classifier @ features[label] + bias, label)
        objective = objective + value + lam * cp.sum_squares(features[label])
        constraints += [*extra, cp.norm(moves[label], 2) <= x]
    if problem.nonnegative_noisy_features:
        constraints += [features[:, 1] >= features[:, 0], features[:, 1] >= -features[:, 0]]
    programme = cp.Problem(cp.Minimize(objective), constraints)
    _minimise(programme)

    noiseless = 2.0 * float(loss.profile(s)) + 2.0 * lam * (0.25 * distance**2 + centre**2)
    if problem.ufm.pays_for_mean:
        noiseless += 0.5 * (float(c.mean_margin) - 1.0) ** 2
    dilation = unit * max(float(x.value), 0.0)
    return np.asarray(features.value), dilation, noiseless + eta * float(programme.value)


def _vector_atom(loss: Loss, margins: cp.Expression, size: int) -> tuple[cp.Expression, list[Any]]:
    """``phi`` of a vector of margins: one vector atom where the loss is known, else its own atom at each margin."""
    if isinstance(loss, CrossEntropy):
        return cp.logistic(-margins) + 0.5 * float(loss.smoothing) * margins, []
    if isinstance(loss, LabelRelaxation):
        # phi falls up to its minimiser and is flat beyond: any u below both the margin and the minimiser bounds it.
        alpha, u = float(loss.relaxation), cp.Variable(size)
        values = cp.logistic(u) - (1.0 - alpha) * u - float(binary_entropy(alpha))
        return values, [u <= margins, u <= float(loss.profile_minimizer())]
    if isinstance(loss, Hinge):
        return cp.pos(1.0 - margins), []
    if isinstance(loss, SquaredHinge):
        return 0.5 * cp.square(cp.pos(1.0 - margins)), []
    atoms = [loss.cvxpy_atom(cp.hstack([0.5 * margins[i], -0.5 * margins[i]]), 0) for i in range(size)]
    return cp.hstack([value for value, _ in atoms]), [one for _, extra in atoms for one in extra]


def _feasible(problem: MemorizationDilation, margin: float, level: float, *, face: bool) -> MDSolution:
    """The feasible answer with these noisy features; the least dilation they allow is the best, as F increases."""
    c = problem.configuration
    along = margin / float(c.weight_distance)
    if problem.nonnegative_noisy_features:
        level = abs(along) if face else max(level, abs(along))
    rho = float(np.hypot(along + 0.5 * float(c.mean_distance), level - float(c.centre_norm)))
    dilation = float(problem.noise) * float(problem.rate) * rho
    answer = (dilation, rho, margin, level)
    solution = MDSolution(problem, *answer, "convex", Status.OPTIMAL)
    if float(solution.gap) <= TARGET_GAP * (1.0 + abs(float(solution.objective))):
        return solution
    return MDSolution(problem, *answer, "convex", Status.INACCURATE)


def _minimise(programme: cp.Problem) -> None:
    """Solve in place with the first conic solver that gives an answer."""
    for settings in _ATTEMPTS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # an inaccurate answer is judged by its gap
                programme.solve(**settings)
        except cp.SolverError:
            continue
        if programme.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            return
    raise SolverError(f"no conic solver gave an answer; the last said {programme.status!r}")


def _check_one_point(problem: UFM | MemorizationDilation) -> None:
    if problem.shape != ():
        raise fail("shape", problem.shape, "method 'convex' takes one point at a time; loop over the points")
