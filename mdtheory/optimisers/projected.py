"""Limited-memory quasi-Newton descent with some variables bounded below by zero.

SciPy's L-BFGS-B calls threaded LAPACK on matrices of a few rows, which on a busy machine takes a hundred times as long
as the iteration itself; here every product is of two vectors.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray

_MEMORY = 15
_SUFFICIENT = 1e-4
_HALVINGS = 40
# Stop after so many steps in a row that gain only rounding.
_IDLE_STEPS = 4
_ROUNDING = 1e-15

Pairs = deque[tuple[FloatArray, FloatArray]]


def minimise_projected(
    target: Callable[[FloatArray], tuple[float, FloatArray]],
    point: FloatArray,
    bounded: NDArray[np.bool_],
    *,
    steps: int,
    gradient_norm: float,
) -> FloatArray:
    """A local minimum of a smooth function over points that are nonnegative where `bounded`.

    Two-metric projection: the L-BFGS direction in the variables that are free to move, then a projected backtracking
    line search.

    Parameters
    ----------
    target : callable
        From a point (n,) to its value and gradient.
    point : array (n,)
        A feasible start.
    bounded : array of bool (n,)
    steps : int
        At most so many.
    gradient_norm : float
        Largest entry of the projected gradient at which to stop.

    References
    ----------
    Bertsekas, *Projected Newton methods for optimization problems with simple constraints*, SIAM J. Control 1982.

    Examples
    --------
    >>> goal = np.array([1.0, -1.0])
    >>> found = minimise_projected(lambda x: (float(np.sum((x - goal) ** 2)), 2 * (x - goal)), np.ones(2),
    ...                            np.array([True, True]), steps=50, gradient_norm=1e-12)
    >>> np.round(found, 9)
    array([1., 0.])
    """
    value, gradient = target(point)
    pairs: Pairs = deque(maxlen=_MEMORY)
    idle = 0
    for _ in range(steps):
        free = ~(bounded & (point <= 0) & (gradient > 0))
        if np.max(np.abs(np.where(bounded, np.minimum(point, gradient), gradient))) <= gradient_norm:
            break
        pull = np.where(free, gradient, 0.0)
        direction = _quasi_newton(pull, pairs, free)
        if not float(direction @ pull) < -1e-12 * float(np.sqrt((direction @ direction) * (pull @ pull))):
            pairs.clear()
            direction = -pull / max(1.0, float(np.sqrt(pull @ pull)))
        moved, new_value, new_gradient = _search(target, point, value, gradient, direction, bounded)
        if new_value > value:
            if not pairs:
                break
            pairs.clear()
            continue
        step, change = moved - point, new_gradient - gradient
        if float(step @ change) > 1e-12 * float(np.sqrt((step @ step) * (change @ change))):
            pairs.append((step, change))
        idle = idle + 1 if value - new_value <= _ROUNDING * abs(value) else 0
        point, value, gradient = moved, new_value, new_gradient
        if idle >= _IDLE_STEPS:
            break
    return point


def _quasi_newton(pull: FloatArray, pairs: Pairs, free: NDArray[np.bool_]) -> FloatArray:
    """The two-loop recursion on the free variables."""
    direction = -pull
    trail = []
    scale = 1.0 / max(1.0, float(np.sqrt(pull @ pull)))
    newest = True
    for step, change in reversed(pairs):
        s, y = np.where(free, step, 0.0), np.where(free, change, 0.0)
        curvature = float(s @ y)
        if curvature <= 1e-14 * float(y @ y):
            continue
        if newest:
            scale, newest = curvature / float(y @ y), False
        share = float(s @ direction) / curvature
        direction = direction - share * y
        trail.append((s, y, curvature, share))
    direction = scale * direction
    for s, y, curvature, share in reversed(trail):
        direction = direction + (share - float(y @ direction) / curvature) * s
    return np.asarray(direction)


def _search(
    target: Callable[[FloatArray], tuple[float, FloatArray]],
    point: FloatArray,
    value: float,
    gradient: FloatArray,
    direction: FloatArray,
    bounded: NDArray[np.bool_],
) -> tuple[FloatArray, float, FloatArray]:
    """The first point along the projected ray that falls enough; above `value` if there is none."""
    size = 1.0
    for _ in range(_HALVINGS):
        moved = point + size * direction
        moved = np.where(bounded, np.maximum(moved, 0.0), moved)
        new_value, new_gradient = target(moved)
        expected = float(gradient @ (moved - point))
        if new_value <= value + _SUFFICIENT * expected + _ROUNDING * abs(value) and new_value <= value:
            return moved, new_value, new_gradient
        # The parabola through value, slope and the new value, kept within a tenth and a half.
        fall = new_value - value - expected
        size *= float(np.clip(-0.5 * expected / fall, 0.1, 0.5)) if fall > 0 and np.isfinite(fall) else 0.5
    return point, np.inf, gradient
