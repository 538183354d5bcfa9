"""The convex programmes of a joint problem: which one it is, its answer, and values and bounds at any point of it.

An answer is a point x of the programme; with the absolute scaling the distance of the class means comes behind.
"""

from collections.abc import Callable

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Hinge
from mdtheory.models.joint.absolute import Minima, local_minima, regulariser
from mdtheory.models.joint.absolute_bound import least_value
from mdtheory.models.joint.convex_order import ConvexOrder
from mdtheory.models.joint.hinge import HingeTwoClasses
from mdtheory.models.joint.kinds import Programme, Reading
from mdtheory.models.joint.points import Points
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.symmetric import Symmetric
from mdtheory.models.joint.two_classes import NonnegativeTwoClasses, TwoClasses
from mdtheory.models.joint.unlike_classes import UnlikeClasses
from mdtheory.optimisers.norm_newton import lower_bound as norm_bound
from mdtheory.optimisers.norm_newton import norm

# Points that are solved together.
_BLOCK = 32768
# What quadrature and rounding leave of a mean, relative to the terms of the objective.
_INEXACT = 1e-13
# How close a bound of the absolute scaling comes: cells of a distance are many.
ABSOLUTE_TARGET = 1e-4


def programme_of(problem: LimitedExpressivity) -> Programme:
    """The programme of a problem."""
    if problem.num_classes > 2:
        return Symmetric()
    if isinstance(problem.loss, Hinge):
        return HingeTwoClasses()
    if problem.nonnegative:
        return NonnegativeTwoClasses(noisy_too=problem.nonnegative_noisy_features)
    return UnlikeClasses(bias=problem.bias) if problem.class_axis else TwoClasses()


def minimise(problem: LimitedExpressivity) -> FloatArray:
    """The answer (..., n); zero where everything has collapsed, NaN where the iteration has found nothing."""
    points = Points.of(problem)
    programme = programme_of(problem)
    start = np.broadcast_to(_starting_margin(problem), problem.shape).ravel()
    solver = _relative if problem.scaling == "relative" else _absolute
    answers = [solver(programme, points.take(part), start[part]) for part in _blocks(start.size)]
    return np.concatenate(answers).reshape(*problem.shape, -1)


def minima(problem: LimitedExpressivity) -> Minima:
    """The local minima of a problem with the absolute scaling, of its flattened points."""
    start = np.broadcast_to(_starting_margin(problem), problem.shape).ravel()
    return local_minima(programme_of(problem), Points.of(problem), start)


def _relative(programme: Programme, points: Points, start: FloatArray) -> FloatArray:
    found = programme.solve(points, start)
    return np.where(found.converged[:, None], found.point, np.nan)


def _absolute(programme: Programme, points: Points, start: FloatArray) -> FloatArray:
    """The best local minimum of each point, or zero where that is better; the distance comes last."""
    answer = np.zeros((start.size, programme.span.size + 1))
    noisy = np.any(points.flip.reshape(start.size, -1) > 0.0, axis=-1)
    # Without noise distances cost nothing.
    quiet = np.flatnonzero(~noisy)
    if quiet.size:
        some = points.take(quiet)
        answer[quiet, :-1] = _relative(programme, some, start[quiet])
        answer[quiet, -1] = _distance(programme, some, answer[quiet, :-1])
    noisy = np.flatnonzero(noisy)
    if not noisy.size:
        return answer
    found = local_minima(programme, points.take(noisy), start[noisy])
    best = programme.smooth_part(points, answer[:, :-1]).value
    for k in np.argsort(-found.value, kind="stable"):
        at = noisy[found.which[k]]
        if found.value[k] < best[at]:
            best[at], answer[at] = found.value[k], [*found.point[k], found.distance[k]]
    return answer


def objective(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """The objective (...) at an answer (..., n)."""
    return _by_blocks(_absolute_objective if problem.scaling == "absolute" else _relative_objective, problem, answer)


def lower_bound(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """A lower bound (...) on the programme's optimum, from the answer alone.

    What is left of a mean by quadrature and rounding, 1e-13 of the terms or what the means over many classes state, is taken off. With the
    absolute scaling it comes as close as `ABSOLUTE_TARGET`, relative to the objective.
    """
    return _by_blocks(_absolute_bound if problem.scaling == "absolute" else _relative_bound, problem, answer)


def bound_by_convex_order(problem: LimitedExpressivity) -> FloatArray:
    """A lower bound (...) on the optimum of more than two classes that are alike, over all configurations."""
    points, programme = Points.of(problem), ConvexOrder()
    start = np.broadcast_to(_starting_margin(problem), problem.shape).ravel()
    found = []
    for part in _blocks(start.size):
        some = points.take(part)
        # Any point gives a bound, also one at which the iteration has stopped short.
        found.append(_relative_bound(programme, some, np.nan_to_num(programme.solve(some, start[part]).point)))
    return np.concatenate(found).reshape(problem.shape)


def _by_blocks(
    function: Callable[[Programme, Points, FloatArray], FloatArray], problem: LimitedExpressivity, answer: FloatArray
) -> FloatArray:
    """A function of points that have an answer; NaN at the others."""
    points, programme = Points.of(problem), programme_of(problem)
    x = answer.reshape(-1, answer.shape[-1])
    missing = np.any(np.isnan(x), axis=-1)
    at = np.where(missing[:, None], 1.0, x)
    values = np.concatenate([function(programme, points.take(part), at[part]) for part in _blocks(len(x))])
    return np.where(missing, np.nan, values).reshape(problem.shape)


def _relative_objective(programme: Programme, points: Points, x: FloatArray) -> FloatArray:
    return np.asarray(programme.smooth_part(points, x).value + points.weight * norm(x, programme.metric(points)))


def _relative_bound(programme: Programme, points: Points, x: FloatArray) -> FloatArray:
    metric, smooth = programme.metric(points), programme.smooth_part(points, x)
    size = norm(x, metric)
    terms = smooth.value + points.weight * size
    pull = np.einsum("kij,kj->ki", metric, x) * (points.weight / np.where(size > 0, size, 1.0))[:, None]
    value, gradient = programme.minorant(points, x, smooth, pull)
    bound = norm_bound(value, gradient, x, points.weight, metric, terms) - programme.unsettled(points, x, terms)
    sizes = np.abs(terms) + np.sum(np.abs(gradient * x), axis=-1)
    return np.asarray(bound - _INEXACT * sizes - programme.inexact(points) * (1.0 + sizes))


def _absolute_objective(programme: Programme, points: Points, answer: FloatArray) -> FloatArray:
    x, distance = answer[:, :-1], answer[:, -1]
    alive = np.any(x != 0.0, axis=-1)
    cap = np.where(alive, distance, 1.0)
    there = points.at_distance(cap)
    cost = regulariser(programme, there, np.where(alive[:, None], x, 1.0), cap, programme.metric(there)).value
    return np.asarray(programme.smooth_part(there, x).value + np.where(alive, cost, 0.0))


def _absolute_bound(programme: Programme, points: Points, answer: FloatArray) -> FloatArray:
    x = answer[:, :-1]
    reached = _absolute_objective(programme, points, answer)
    distance = np.where(np.any(x != 0.0, axis=-1), answer[:, -1], 0.0)
    inexact = _INEXACT + programme.inexact(points)
    return least_value(programme, points, x, distance, reached, ABSOLUTE_TARGET, inexact)


def bias_shift(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """What the bias adds to the margins (..., 2) of two classes that differ; zero without one, or where classes are alike."""
    programme = programme_of(problem)
    if not isinstance(programme, UnlikeClasses) or not programme.bias:
        return np.zeros(())
    shift = programme.best_bias(*_flattened(problem, answer))
    return np.asarray(shift.reshape(problem.shape)[..., None] * np.array([1.0, -1.0]))


def scale(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """c (...), with ``W = c (I - 1/N)``: the balance of both penalties, or what the distance of the class means leaves."""
    programme, points, x = programme_of(problem), *_flattened(problem, answer)
    if problem.scaling == "absolute":
        distance = answer.reshape(-1, answer.shape[-1])[:, -1]
        found = np.where(distance > 0.0, x @ programme.span / np.where(distance > 0.0, distance, 1.0), 0.0)
    else:
        found = _balance(programme, points, x)
    return np.asarray(found).reshape(problem.shape)


def reading(problem: LimitedExpressivity, answer: FloatArray) -> Reading:
    """The answer in words: arrays (...), or (..., 2) where classes differ."""
    shape = problem.shape + problem.class_axis
    _, x = _flattened(problem, answer)
    return Reading(*(part.reshape(shape) for part in programme_of(problem).reading(x)))


def rates(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """What a step costs, at the distance of the class means: arrays (...), or (..., 2) where classes differ."""
    return _flattened(problem, answer)[0].rate.reshape(problem.shape + problem.class_axis)


def _flattened(problem: LimitedExpressivity, answer: FloatArray) -> tuple[Points, FloatArray]:
    """The points, at their distances, and x (K, n)."""
    points, flat = Points.of(problem), answer.reshape(-1, answer.shape[-1])
    if problem.scaling == "relative":
        return points, flat
    return points.at_distance(flat[:, -1]), flat[:, :-1]


def _balance(programme: Programme, points: Points, x: FloatArray) -> FloatArray:
    size = norm(x, programme.metric(points))
    return np.asarray(np.sqrt(np.sqrt(points.feature_decay) / np.sqrt(points.weight_cost) * size))


def _distance(programme: Programme, points: Points, x: FloatArray) -> FloatArray:
    """That of the class means (K,) at the best scale of W; zero where everything is zero."""
    found = _balance(programme, points, x)
    return np.where(found > 0.0, x @ programme.span / np.where(found > 0.0, found, 1.0), 0.0)


def _blocks(size: int) -> list[slice]:
    return [slice(begin, min(begin + _BLOCK, size)) for begin in range(0, max(size, 1), _BLOCK)]


def _starting_margin(problem: LimitedExpressivity) -> FloatArray:
    """The margin without noise, or half a unit where that is less."""
    ufm = problem.noiseless
    return np.asarray(np.maximum(ufm.loss.margin(ufm.margin_cost, ufm.num_classes), 0.5))
