r"""Lower bounds on a joint problem with the absolute scaling, by branch and bound over the distance of the class means.

In a cell ``D_1 <= D <= D_2`` the rate is at least that of D_1 and the cap D_2 loosens nothing: a convex programme, whose optimum any of its
points bounds. With the gradient g of the loss at x, and :math:`0 \le m D_2^2 \le a`, :math:`a = \lambda_W (N-1)`, it is at least

.. math::
    L(x) - g'x + \min_{0 \le v \le V/a} \Big(a - m D_2^2 - \frac{p}{4}\Big) v + \frac{m q^2 v^2}{4 (1 + m r v)},
    \qquad (p, q, r) = \tfrac1{\lambda_H}(g'M^{-1}g,\ \ell'M^{-1}g,\ \ell'M^{-1}\ell),

where V is any value that is reached: W alone costs a v. The minimum over y is in closed form for given v and m, the multiplier of the cap.
"""

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.absolute import capped, is_binding, largest_distance, regulariser
from mdtheory.models.joint.kinds import Programme
from mdtheory.models.joint.points import Points
from mdtheory.optimisers.norm_newton import solve_symmetric_systems

# Cells at first, between the largest distance and this much of the best one, and how often they are halved.
_CELLS, _CLOSEST, _ROUNDS = 12, 1e-2, 40
# Cells at a time, of all points, or 64 of each where they are many.
_MOST_CELLS = 4096


def least_value(
    programme: Programme,
    points: Points,
    answer: FloatArray,
    distance: FloatArray,
    value: FloatArray,
    target: float,
    inexact: float,
) -> FloatArray:
    """A lower bound (K,) on the optimum, a share `target` below the value (K,) that is reached at an answer and distance.

    It is lower where cells get too many. The objective may be off by `inexact`, relative to one plus its size.
    """
    goal = value - target * np.abs(value)
    ends = _first_cells(programme, points, distance)
    which = np.repeat(np.arange(value.size), ends.shape[-1] - 1)
    low, high = ends[:, :-1].ravel(), ends[:, 1:].ravel()
    below = np.full(which.size, -np.inf)
    for _ in range(_ROUNDS):
        found = _of_cells(programme, points.take(which), low, high, answer[which], distance[which], value[which])
        below = np.maximum(below, found - inexact * (1.0 + np.abs(value[which])))
        going = below < goal[which]
        which, low, high, below = which[going], low[going], high[going], below[going]
        if not which.size or 2 * which.size > max(_MOST_CELLS, 64 * value.size):
            break
        middle = np.where(low > 0.0, np.sqrt(low * high), 0.1 * high)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        which, below = np.tile(which, 2), np.tile(below, 2)
    # Beyond the largest distance nothing is better than features that are zero.
    least = np.minimum(goal, programme.smooth_part(points, np.zeros(answer.shape)).value)
    np.minimum.at(least, which, below)
    # Losses and decays are not negative.
    return np.maximum(least, 0.0)


def _first_cells(programme: Programme, points: Points, distance: FloatArray) -> FloatArray:
    """Ends (K, cells + 1) from zero to the largest distance."""
    furthest = largest_distance(programme, points)
    closest = _CLOSEST * np.where(distance > 0.0, np.minimum(distance, furthest), furthest)
    return np.concatenate([np.zeros((1, furthest.size)), np.geomspace(closest, furthest, _CELLS)]).T


def _of_cells(
    programme: Programme,
    points: Points,
    low: FloatArray,
    high: FloatArray,
    answer: FloatArray,
    distance: FloatArray,
    value: FloatArray,
) -> FloatArray:
    """Lower bounds (K,) of cells, from a start each: the best answer, with its margin changed as its distance."""
    factor = high / np.where(distance > 0.0, distance, high)
    begun = np.where(programme.span != 0.0, answer * factor[:, None], answer)
    fresh = programme.first(points.at_distance(high), np.ones(high.size))
    usable = (begun @ programme.span > 0.0) & np.all(np.isfinite(begun), axis=-1)
    x = capped(programme, points, low, high, np.where(usable[:, None], begun, fresh)).point
    return bound_at(programme, points.at_distance(low), x, high, value)


def bound_at(programme: Programme, points: Points, x: FloatArray, cap: FloatArray, value: FloatArray) -> FloatArray:
    """The bound of the module's docstring (K,) at any x (K, n)."""
    a, decay, span = points.weight_cost, points.feature_decay, programme.span
    metric = programme.metric(points)
    loss = programme.smooth_part(points, x)
    alive = np.any(x != 0.0, axis=-1)
    safe = np.where(alive[:, None], x, 1.0)
    pull = regulariser(programme, points, safe, cap, metric).gradient
    least_loss, gradient = programme.minorant(points, x, loss, pull)
    square, reach = np.einsum("ki,kij,kj->k", safe, metric, safe), safe @ span
    binding = is_binding(points, square, reach, cap) & alive
    # Stationary in v at the answer; zero where the cap does not bind.
    scale = np.where(binding, (reach / cap) ** 2, 1.0)
    multiplier = np.where(binding, np.clip(a - decay * square / scale**2, 0.0, a), 0.0) / cap**2
    spanned = solve_symmetric_systems(metric, np.broadcast_to(span, x.shape))
    p = np.sum(gradient * solve_symmetric_systems(metric, gradient), axis=-1) / decay
    q, r = np.sum(spanned * gradient, axis=-1) / decay, spanned @ span / decay
    slope, largest = a - multiplier * cap**2 - 0.25 * p, value / a
    # The slope in v is this plus q^2/(4 r) (1 - (1 + m r v)^-2), which grows.
    lifted = 0.25 * q**2 / r
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        turning = (np.sqrt(lifted / (lifted + slope)) - 1.0) / (multiplier * r)
    turning = np.where((slope < 0.0) & (lifted + slope > 0.0) & (multiplier > 0.0), turning, largest)
    v = np.where(slope >= 0.0, 0.0, np.minimum(turning, largest))
    least = slope * v + 0.25 * multiplier * q**2 * v**2 / (1.0 + multiplier * r * v)
    return np.asarray(least_loss - np.sum(gradient * x, axis=-1) + least - programme.unsettled(points, x, value))
