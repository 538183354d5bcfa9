r"""The memorization-dilation problem as a conic programme in (u_1, u_2, r), in cvxpy: slow, one point at a time.

It is not assumed that u_2 mirrors u_1 or that the constraint is tight, so that the programme checks the reduction. The
conic answer is symmetrised, which does not increase a convex objective, and its status comes from the duality gap
recomputed from the answer, not from the conic solver.
"""

from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, one_point
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.dilation.solution import MDSolution
from mdtheory.models.dilation.solving import solve_expansion
from mdtheory.optimisers.conic import TARGET_GAP, minimise_conic

_MAX_RULES = 12
# Margins spread by less than this see only the curvature of the loss, to a relative 1e-6.
_QUADRATIC_SPREAD = 1e-3
# Quadrature nodes of less weight than this only spoil the conditioning.
_LEAST_WEIGHT = 1e-20


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
    one_point(problem.shape, "method 'convex' takes one point at a time")
    if not problem.spread.is_symmetric:
        raise fail("spread", problem.spread.label, "must be symmetric for the conic programme")
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
        values, extra = loss.profile_atom(s + offsets * x)
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
    minimise_conic(programme)

    noiseless = 2.0 * float(loss.profile(s)) + 2.0 * lam * (0.25 * distance**2 + centre**2)
    if problem.ufm.pays_for_mean:
        noiseless += 0.5 * float(c.mean_shortfall) ** 2
    dilation = unit * max(float(x.value), 0.0)
    return np.asarray(features.value), dilation, noiseless + eta * float(programme.value)


def _feasible(problem: MemorizationDilation, margin: float, level: float, *, face: bool) -> MDSolution:
    """The feasible answer with these noisy features; the least dilation they allow is the best, as F increases."""
    c = problem.configuration
    along = margin / float(c.weight_distance)
    if problem.nonnegative_noisy_features:
        level = abs(along) if face else max(level, abs(along))
    rho = float(np.hypot(along + 0.5 * float(c.mean_distance), level - float(c.centre_norm)))
    dilation = float(problem.noise) * float(problem.rate) * rho
    answer = (dilation, rho, margin, level)
    return MDSolution(problem, *answer, "convex", tolerance=TARGET_GAP)
