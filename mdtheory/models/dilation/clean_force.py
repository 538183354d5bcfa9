r"""Where the clean loss pushes back with a given force, and how far the second-order expansion is off.

The force F'(r) grows with r. With ``kap r = K`` it is ``4 r h(K)``, ``h`` the stiffness.
"""

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.points import Points, points_of
from mdtheory.models.dilation.problem import MemorizationDilation

# Every third step halves the bracket once there is one.
_MOST_STEPS = 250


def log_scale_of_force(points: Points, target: FloatArray) -> FloatArray:
    """The root ``log K`` of ``log K + log h(K) = target`` for a convex loss; NaN where the iteration does not settle."""
    log_scale = target - np.log(np.maximum(points.initial_stiffness(), 1e-300))
    low, high = np.full(target.shape, -np.inf), np.full(target.shape, np.inf)
    settled: NDArray[np.bool_] = np.zeros(target.shape, dtype=bool)
    for step in range(_MOST_STEPS):
        first, second = points.stiffness(np.exp(np.clip(log_scale, -700.0, 100.0)))
        excess = log_scale + np.log(first) - target
        low, high = np.where(excess < 0, log_scale, low), np.where(excess > 0, log_scale, high)
        reach = 4.0 * 2.0 ** min(step, 9)
        moved = log_scale - np.clip(excess / np.maximum(second / first, 1e-3), -reach, reach)
        bracketed = np.isfinite(low) & np.isfinite(high)
        middle = 0.5 * (np.where(bracketed, low, 0.0) + np.where(bracketed, high, 0.0))
        outside = bracketed & (~((moved >= low) & (moved <= high)) | (step % 3 == 2))
        narrow = bracketed & (high - low <= 1e-15 * np.maximum(np.abs(middle), 1.0))
        moved = np.where(outside, middle, moved)
        close = ~outside & (np.abs(moved - log_scale) <= 1e-15 * np.maximum(np.abs(log_scale), 1.0))
        done = narrow | close | (excess == 0)
        log_scale = np.where(settled | (excess == 0), log_scale, moved)
        settled |= done
        if np.all(settled):
            return log_scale
    return np.where(settled, log_scale, np.nan)


def expansion_error(problem: MemorizationDilation, dilation: FloatArray, *, expanded: bool) -> FloatArray:
    r"""A bound on the relative error of the expansion's dilation, from the force F' of the loss itself.

    The expansion puts ``F_2 r`` for F'(r), which multiplies the multiplier nu by a wrong factor. The memorisation falls
    with nu and its product with nu rises, so that the exact dilation lies between the expansion's, r, and the
    :math:`\hat r` with :math:`F'(\hat r) = F_2 r`: the error is at most :math:`|r/\hat r - 1|`. Read off the exact
    dilation, it is at most :math:`|F'(r)/(F_2 r) - 1|`.

    Parameters
    ----------
    problem : MemorizationDilation
        With a convex loss; infinite for any other, where the monotony fails.
    dilation : array
        Of the problem's shape.
    expanded : bool
        Whether it is the expansion's own, or exact.
    """
    problem.check_by_formula()
    if not problem.ufm.loss.is_convex:
        return np.full(problem.shape, np.inf)
    if not problem.ufm.loss.smooth_slope:
        return np.zeros(problem.shape)
    points = points_of(problem)
    r = np.broadcast_to(dilation, problem.shape).ravel()
    known = np.isfinite(r) & (r > 0)
    error = np.where(np.isnan(r), np.nan, 0.0)
    if np.any(known):
        points, r = points.take(known), r[known]
        stiffness = points.initial_stiffness()
        with np.errstate(over="ignore"):
            log_scale = np.log(points.classes.weight_distance) + np.log(r)
        if expanded:
            found = log_scale_of_force(points, log_scale + np.log(stiffness))
            ratio = np.expm1(np.clip(log_scale - found, -700.0, 700.0))
        else:
            ratio = points.stiffness(np.exp(np.clip(log_scale, -700.0, 100.0)))[0] / stiffness - 1.0
        error[known] = np.abs(ratio)
    return np.asarray(error.reshape(problem.shape))
