"""Newton's method with a line search, for many smooth convex problems of a few variables at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.optimisers.norm_newton import Derivatives, Found, solve_symmetric_systems

_STEPS, _MOST_HALVINGS = 80, 40
# What is left of a step, relative to the point; steps that no longer shrink are rounding if they are at most the second.
_FOUND, _TINY, _STUCK = 1e-13, 1e-8, 1e-5

Objective = Callable[[FloatArray, NDArray[np.intp]], Derivatives]


def minimise_smooth(
    whole: Objective,
    start: FloatArray,
    share_of: Callable[[FloatArray, FloatArray], FloatArray] | None = None,
    *,
    inexact: float = 1e-13,
) -> Found:
    """Minimise K convex functions of n variables.

    Parameters
    ----------
    whole : callable
        From points (k, n) and the indices (k,) of their problems to the derivatives there.
    start : array (K, n)
        Not zero.
    share_of : callable, optional
        From points and steps (k, n) to the largest share (k,) of a step that may be tried: 1 if omitted.
    inexact : float
        What values may be off, relative to one plus their size; where they say nothing, gradients decide.

    Examples
    --------
    >>> def square(x, which):
    ...     return Derivatives(np.sum((x - 2.0) ** 2, axis=-1), 2.0 * (x - 2.0), np.broadcast_to(2.0 * np.eye(2), (len(x), 2, 2)))
    >>> minimise_smooth(square, np.ones((1, 2))).point
    array([[2., 2.]])
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _minimised(whole, np.array(start, dtype=np.float64), share_of, inexact)


def _minimised(
    whole: Objective, x: FloatArray, share_of: Callable[[FloatArray, FloatArray], FloatArray] | None, inexact: float
) -> Found:
    converged = np.zeros(len(x), dtype=bool)
    active = np.arange(len(x))
    if not active.size:
        return Found(x, converged)
    here, before = whole(x, active), np.full(len(x), np.inf)
    for _ in range(_STEPS):
        usable = np.all([np.all(np.isfinite(part), axis=tuple(range(1, part.ndim))) for part in here], axis=0)
        active, before, here = active[usable], before[usable], Derivatives(*(part[usable] for part in here))
        if not active.size:
            break
        step = -solve_symmetric_systems(here.hessian, here.gradient)
        size = np.linalg.norm(step, axis=-1) / np.linalg.norm(x[active], axis=-1)
        fall = np.sum(step * here.gradient, axis=-1)
        settled = (size <= _FOUND) | ((size <= _TINY) & (size > 0.5 * before)) | ~(fall < 0.0)
        share = np.ones(active.size) if share_of is None else share_of(x[active], step)
        x[active], here, stuck = _searched(whole, x[active], active, here, step, share, fall, inexact)
        converged[active] |= settled | (stuck & (size <= _STUCK))
        going = ~(settled | stuck)
        active, before, here = active[going], size[going], Derivatives(*(part[going] for part in here))
    return Found(x, converged)


def _searched(
    whole: Objective,
    x: FloatArray,
    which: NDArray[np.intp],
    here: Derivatives,
    step: FloatArray,
    share: FloatArray,
    fall: FloatArray,
    inexact: float,
) -> tuple[FloatArray, Derivatives, NDArray[np.bool_]]:
    """The points at the end of a share of a step that is halved until the objective falls, and where no step does."""
    moved, ahead = x.copy(), Derivatives(*(part.copy() for part in here))
    waiting, share = np.arange(len(x)), share.copy()
    for _ in range(_MOST_HALVINGS):
        there = whole(x[waiting] + share[waiting, None] * step[waiting], which[waiting])
        value = here.value[waiting]
        falls = there.value <= value + 1e-4 * share[waiting] * fall[waiting]
        # Close to the minimum values say nothing: there the slope along the step has to shrink.
        slope = np.abs(np.sum(step[waiting] * there.gradient, axis=-1))
        falls |= (slope <= 0.5 * np.abs(fall[waiting])) & (there.value <= value + inexact * (1.0 + np.abs(value)))
        done = waiting[falls]
        moved[done] = (x[waiting] + share[waiting, None] * step[waiting])[falls]
        for target, source in zip(ahead, there, strict=True):
            target[done] = source[falls]
        waiting = waiting[~falls]
        if not waiting.size:
            break
        share[waiting] *= 0.5
    stuck = np.zeros(len(x), dtype=bool)
    stuck[waiting] = True
    return moved, ahead, stuck
