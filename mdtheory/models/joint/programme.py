"""The convex programme of a joint problem, of two classes or of many: its solver, and values and bounds at any point of it.

Its variables: for two classes the margin s and the sum w of clean and noisy margin; for more the margin s, and p and y of the noisy
logits ``(s - p) e_m + y e_n``. Either way a noisy feature is a *step* away from its class mean.
"""

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint import symmetric, two_classes
from mdtheory.models.joint.class_losses import centred_form
from mdtheory.models.joint.points import Points
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.optimisers.norm_newton import lower_bound, norm

# Points that are solved together.
_BLOCK = 32768
# What quadrature and rounding leave of a mean, relative to the terms of the objective.
_INEXACT = 1e-13


def minimise(problem: LimitedExpressivity) -> FloatArray:
    """The minimiser (..., n); zero where everything has collapsed, NaN where the iteration has found nothing."""
    points = Points.of(problem)
    programme = _programme(problem)
    start = np.broadcast_to(_starting_margin(problem), problem.shape).ravel()
    answers = []
    for part in _blocks(start.size):
        found = programme.solve(points.take(part), start[part])
        answers.append(np.where(found.converged[:, None], found.point, np.nan))
    return np.concatenate(answers).reshape(*problem.shape, -1)


def bounds(problem: LimitedExpressivity, answer: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The objective (...) at an answer (..., n), and a lower bound on the programme's optimum, from the answer alone.

    What is left of a mean by quadrature and rounding, 1e-13 of the terms or what the means over many classes state, is taken off the bound.
    """
    points = Points.of(problem)
    programme = _programme(problem)
    x = answer.reshape(-1, answer.shape[-1])
    objective, below = np.empty(len(x)), np.empty(len(x))
    for part in _blocks(len(x)):
        some = points.take(part)
        metric = programme.metric(some)
        missing = np.any(np.isnan(x[part]), axis=-1, keepdims=True)
        at = np.where(missing, 1.0, x[part])
        smooth = programme.smooth_part(some, at, np.arange(len(at)))
        terms = smooth.value + some.weight * norm(at, metric)
        bound = lower_bound(smooth.value, smooth.gradient, at, some.weight, metric)
        sizes = np.abs(terms) + np.sum(np.abs(smooth.gradient * at), axis=-1)
        inexact = _INEXACT * sizes + programme.inexact(some) * (1.0 + sizes)
        objective[part] = np.where(missing[:, 0], np.nan, terms)
        below[part] = np.where(missing[:, 0], np.nan, bound - inexact)
    return objective.reshape(problem.shape), below.reshape(problem.shape)


def squared_logits(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """Q (...), the mean square of the centred logits, clean ones with their spread."""
    metric = _programme(problem).metric(Points.of(problem))
    x = answer.reshape(-1, answer.shape[-1])
    return np.asarray(norm(x, metric) ** 2).reshape(problem.shape)


def steps(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """(..., 2): how far the logits of a noisy feature are from those of its class mean, along e_m and e_n."""
    if problem.num_classes == 2:
        half = 0.5 * answer[..., 1]
        return np.stack([-half, half], axis=-1)
    return np.stack([-answer[..., 1], answer[..., 2]], axis=-1)


def step_lengths(problem: LimitedExpressivity, answer: FloatArray) -> FloatArray:
    """(...): the length of these steps in the space of the logits."""
    step = steps(problem, answer)
    form = centred_form(problem.num_classes)
    return np.asarray(np.sqrt(np.maximum(np.sum((step @ form) * step, axis=-1), 0.0)))


class _TwoClasses:
    solve = staticmethod(two_classes.solve_two_classes)
    metric = staticmethod(two_classes.metric)
    smooth_part = staticmethod(two_classes.smooth_part)

    @staticmethod
    def inexact(points: Points) -> float:
        # The rules over spheres of many dimensions lose digits: 1.5e-10 and 8e-10 were seen at d = 1e5 and 1e6.
        return _INEXACT * points.spread.dim / 50.0


class _Symmetric:
    solve = staticmethod(symmetric.solve_symmetric)
    metric = staticmethod(symmetric.metric)
    smooth_part = staticmethod(symmetric.smooth_part)
    inexact = staticmethod(symmetric.inexact)


def _programme(problem: LimitedExpressivity) -> type[_TwoClasses] | type[_Symmetric]:
    return _TwoClasses if problem.num_classes == 2 else _Symmetric


def _blocks(size: int) -> list[slice]:
    return [slice(begin, min(begin + _BLOCK, size)) for begin in range(0, size, _BLOCK)]


def _starting_margin(problem: LimitedExpressivity) -> FloatArray:
    """The margin without noise, or half a unit where that is less."""
    ufm = problem.noiseless
    return np.asarray(np.maximum(ufm.loss.margin(ufm.margin_cost, ufm.num_classes), 0.5))
