r"""Newton's method for a smooth convex function plus a multiple of a norm, for many points at once.

.. math:: \min_x\ L(x) + k \sqrt{x' M x}

in a few variables. The minimiser is zero exactly where :math:`\nabla L(0)' M^{-1} \nabla L(0) \le k^2`. Anywhere else
the objective is smooth at it. At a point x the gradient of L gives a lower bound, :math:`L(x) - \nabla L(x)' x`,
wherever its dual norm is at most k: `lower_bound` has one at every point.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray

# Of either kind: of Newton's method for the whole objective, then of that for L alone, which takes the kink at zero exactly.
_NEWTON_STEPS, _PROXIMAL_STEPS = 25, 40
# Once a step is this short, relative to the point, no decrease of the objective shows any more.
_TINY = 1e-8
_MOST_HALVINGS = 30
# Of a unit diagonal, so that what is singular to rounding can be solved.
_NEARLY_SINGULAR, _SINGULAR = 1e-15, 1e-11
# What is left of a Newton step when a point counts as found.
_FOUND = 1e-13
_EPS = float(np.finfo(np.float64).eps)


class Derivatives(NamedTuple):
    """L (K,), its gradients (K, n) and its Hessians (K, n, n)."""

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray


Smooth = Callable[[FloatArray, NDArray[np.intp]], Derivatives]


class Found(NamedTuple):
    """Minimisers (K, n), and whether the iteration has converged there."""

    point: FloatArray
    converged: NDArray[np.bool_]


def minimise_with_norm(
    smooth: Smooth,
    weight: FloatArray,
    metric: FloatArray,
    start: FloatArray,
    *,
    tiny: float = _TINY,
    longest: float = np.inf,
    inexact: float = 0.0,
) -> Found:
    """Minimise ``L(x) + k ||x||_M`` for K problems of n variables.

    Parameters
    ----------
    smooth : callable
        From points (k, n) and the indices (k,) of their problems to the `Derivatives` of L there.
    weight : array (K,)
        k > 0.
    metric : array (K, n, n)
        M, positive definite.
    start : array (K, n)
        Not zero.
    tiny : float
        Steps that no longer shrink are rounding if they are at most this long, relative to the point.
    inexact : float
        What values of L may be off; where they say nothing, gradients decide.
    longest : float
        No step is tried that is longer, relative to the point: where a value far away is dear.

    Examples
    --------
    >>> def halfway(x, which):
    ...     return Derivatives(0.5 * np.sum((x - 2.0) ** 2, axis=-1), x - 2.0, np.broadcast_to(np.eye(2), (len(x), 2, 2)))
    >>> found = minimise_with_norm(halfway, np.array([np.sqrt(2.0), 3.0]), np.stack([np.eye(2)] * 2), np.ones((2, 2)))
    >>> found.point
    array([[1., 1.],
           [0., 0.]])
    """
    # What leaves the range of a double is no step that is taken.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _minimised(smooth, weight, metric, np.array(start, dtype=np.float64), tiny, longest, inexact)


def _minimised(
    smooth: Smooth,
    weight: FloatArray,
    metric: FloatArray,
    point: FloatArray,
    tiny: float,
    longest: float,
    inexact: float,
) -> Found:
    everything = np.arange(len(point))
    at_zero = smooth(np.zeros(point.shape), everything).gradient
    collapsed = dual_norm(at_zero, metric) <= weight
    point[collapsed] = 0.0
    converged = collapsed.copy()
    active = np.flatnonzero(~collapsed)
    if not active.size:
        return Found(point, converged)
    x = point[active]
    here = _whole(smooth, weight, metric, x, active)
    before, proximal = np.full(active.size, np.inf), np.zeros(active.size, dtype=bool)
    for count in range(_NEWTON_STEPS + _PROXIMAL_STEPS):
        usable = np.all([np.all(np.isfinite(part), axis=tuple(range(1, part.ndim))) for part in here], axis=0)
        active, x, before, proximal = active[usable], x[usable], before[usable], proximal[usable]
        here = Derivatives(*(part[usable] for part in here))
        if not active.size:
            break
        proximal = proximal | (count >= _NEWTON_STEPS)
        step = -solve_symmetric_systems(here.hessian, here.gradient)
        if np.any(proximal):
            some = active[proximal]
            beyond = _proximal(smooth(x[proximal], some), weight[some], metric[some], x[proximal])
            step[proximal] = beyond - x[proximal]
        length = np.abs(step).max(axis=-1) / np.maximum(np.abs(x).max(axis=-1), np.finfo(np.float64).tiny)
        # Short steps that no longer shrink are rounding: next to the kink it is more than that of the point.
        found = (length <= _FOUND) | ((length <= tiny) & (length > 0.5 * before))
        share = np.minimum(1.0, longest / np.maximum(length, np.finfo(np.float64).tiny))
        moved, ahead, stuck = _searched(smooth, weight, metric, x, active, here, step, share, inexact)
        point[active] = moved
        converged[active] |= found | (stuck & (length <= tiny))
        # Where Newton's method sees no way on, the kink may be in it.
        going = ~(found | (stuck & proximal))
        proximal = (proximal | stuck)[going]
        active, x, here = active[going], moved[going], Derivatives(*(part[going] for part in ahead))
        before = length[going]
    return Found(point, converged)


def dual_norm(gradient: FloatArray, metric: FloatArray) -> FloatArray:
    """``sqrt(g' M^-1 g)`` (K,)."""
    return np.asarray(np.sqrt(np.maximum(np.sum(gradient * solve_symmetric_systems(metric, gradient), axis=-1), 0.0)))


def norm(point: FloatArray, metric: FloatArray) -> FloatArray:
    """``sqrt(x' M x)`` (K,)."""
    return np.asarray(np.sqrt(np.maximum(np.einsum("ki,kij,kj->k", point, metric, point), 0.0)))


def lower_bound(
    value: FloatArray,
    gradient: FloatArray,
    point: FloatArray,
    weight: FloatArray,
    metric: FloatArray,
    reached: FloatArray | None = None,
) -> FloatArray:
    r"""A lower bound (K,) on ``min L + k ||.||_M`` for convex ``L >= 0``, from value and gradient of L at any point.

    Or of any linear function below L, with a value of the objective that is `reached` somewhere.

    ``L(y) >= L(x) + g'(y - x)`` leaves ``L(x) - g'x + min_y (g'y + k||y||)``. The minimum is zero if the dual norm of g is
    at most k. Else, if it is ``k(1 + d)``, the minimum over the ball ``k||y|| <= V <= L(x) + k||x||``, in which the optimum lies,
    is at least ``-d (L(x) + k||x||)``.
    """
    excess = np.maximum(dual_norm(gradient, metric) / weight - 1.0, 0.0)
    if reached is None:
        reached = value + weight * norm(point, metric)
    return np.asarray(value - np.sum(gradient * point, axis=-1) - excess * reached)


def _whole(
    smooth: Smooth, weight: FloatArray, metric: FloatArray, x: FloatArray, which: NDArray[np.intp]
) -> Derivatives:
    """The derivatives of the whole objective, away from zero."""
    part = smooth(x, which)
    shape = metric[which]
    pull = np.einsum("kij,kj->ki", shape, x)
    size = norm(x, shape)
    slope = (weight[which] / size)[:, None]
    across = shape - pull[:, :, None] * pull[:, None, :] / (size**2)[:, None, None]
    return Derivatives(
        part.value + weight[which] * size, part.gradient + slope * pull, part.hessian + slope[..., None] * across
    )


def _proximal(part: Derivatives, weight: FloatArray, metric: FloatArray, x: FloatArray) -> FloatArray:
    """The minimiser of the second-order expansion of L at x, plus the norm: it solves ``(H + l M) y = H x - g``, ``l ||y|| = k``."""
    # In variables in which M has a unit diagonal: those of the problem may be of any size.
    unit = 1.0 / np.sqrt(np.maximum(np.einsum("kii->ki", metric), np.finfo(np.float64).tiny))
    both = unit[:, :, None] * unit[:, None, :]
    root = np.linalg.cholesky(metric * both + _NEARLY_SINGULAR * np.eye(metric.shape[-1]))
    inverse = np.linalg.inv(root)
    hessian = np.nan_to_num(part.hessian * both)
    values, vectors = np.linalg.eigh(inverse @ hessian @ inverse.swapaxes(1, 2))
    values = np.maximum(values, 0.0)
    target = np.einsum("kij,kj->ki", hessian, x / unit) - part.gradient * unit
    target = np.einsum("kji,kj->ki", vectors, np.einsum("kij,kj->ki", inverse, target))
    # l ||y|| rises from zero to ||target||; with less than k there, zero is the minimiser.
    low, high = np.full(len(x), -700.0), np.full(len(x), 700.0)
    for _ in range(70):
        middle = 0.5 * (low + high)
        multiplier = np.exp(middle)[:, None]
        above = np.sqrt(np.sum((multiplier * target / (values + multiplier)) ** 2, axis=-1)) > weight
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    y = target / (values + np.exp(high)[:, None])
    y = np.where((np.linalg.norm(target, axis=-1) > weight)[:, None], y, 0.0)
    return np.asarray(unit * np.einsum("kji,kj->ki", inverse, np.einsum("kij,kj->ki", vectors, y)))


def _searched(
    smooth: Smooth,
    weight: FloatArray,
    metric: FloatArray,
    x: FloatArray,
    which: NDArray[np.intp],
    here: Derivatives,
    step: FloatArray,
    share: FloatArray,
    inexact: float,
) -> tuple[FloatArray, Derivatives, NDArray[np.bool_]]:
    """The points at the end of a share of a step that is halved until the objective falls, and where no step does."""
    slope = np.sum(step * here.gradient, axis=-1)
    moved, ahead = x.copy(), Derivatives(*(part.copy() for part in here))
    waiting = np.arange(len(x))
    share = share.copy()
    for _ in range(_MOST_HALVINGS):
        trial = x[waiting] + share[waiting, None] * step[waiting]
        alive = np.any(trial != 0.0, axis=-1)
        trial[~alive] = 0.5 * x[waiting][~alive]
        there = _whole(smooth, weight, metric, trial, which[waiting])
        allowed = here.value[waiting] + 1e-4 * share[waiting] * slope[waiting]
        noise = 1e-10 * np.abs(here.value[waiting]) + inexact
        # Close to the minimum values say nothing: there the slope along the step has to shrink.
        ahead_slope = np.abs(np.sum(step[waiting] * there.gradient, axis=-1))
        flat = (ahead_slope <= 0.5 * np.abs(slope[waiting])) & (there.value <= here.value[waiting] + noise)
        falls = (there.value <= allowed) | flat
        done = waiting[falls]
        moved[done] = trial[falls]
        for target, source in zip(ahead, there, strict=True):
            target[done] = source[falls]
        waiting = waiting[~falls]
        if not waiting.size:
            break
        share[waiting] *= 0.5
    stuck = np.zeros(len(x), dtype=bool)
    stuck[waiting] = True
    return moved, ahead, stuck


def solve_symmetric_systems(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """``A^-1 b`` of symmetric positive matrices (K, n, n), scaled to a unit diagonal; a trace of the identity keeps it solvable."""
    diagonal = np.maximum(np.einsum("kii->ki", matrix), np.finfo(np.float64).tiny)
    scale = 1.0 / np.sqrt(diagonal)
    scaled = matrix * scale[:, :, None] * scale[:, None, :]
    identity = np.eye(matrix.shape[-1])
    try:
        solved = np.linalg.solve(scaled + _NEARLY_SINGULAR * identity, (right * scale)[..., None])[..., 0]
    except np.linalg.LinAlgError:
        solved = np.linalg.solve(scaled + _SINGULAR * identity, (right * scale)[..., None])[..., 0]
    return np.asarray(solved * scale)
