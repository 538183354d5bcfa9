r"""The absolute scaling: what a step costs grows with the distance D of the class means, so that the problem is convex for a fixed D only.

With a *cap* on the distance, which loosens nothing, the square v of the scale of W is at least ``(span x)^2/D^2``, and

.. math::
    v(D) = \min_x\ L(x) + \min_{v \ge (\ell' x)^2/D^2}\ \lambda_H \frac{x' M x}{v} + \lambda_W (N-1) v

is convex in x: L and M are those of the rate at D. The optimum is the least v(D), of which there may be several local minima: separate
class means, and merged ones. All that a grid shows are refined, where the slope of v changes sign.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.kinds import Programme, Restricted
from mdtheory.models.joint.points import Points
from mdtheory.numerics.root_finding import find_roots
from mdtheory.optimisers.damped_newton import minimise_smooth
from mdtheory.optimisers.norm_newton import Derivatives, dual_norm

_GRID = 64
# Distances are looked at down to this much of the largest, and of what merged class means keep where steps are dear.
_CLOSEST = 1e-5
# Of the margin that a step leaves at least.
_KEPT = 0.1
# Of the logarithm of a distance.
_WIDTH = 1e-13


class Capped(NamedTuple):
    """Minimisers (K, n) for a cap on the distance, v, how v grows with the logarithm of the cap, and whether they are found."""

    point: FloatArray
    value: FloatArray
    slope: FloatArray
    found: NDArray[np.bool_]


class Minima(NamedTuple):
    """The local minima of v(D) of one block: whose they are (k,), at which distance, where, and their values."""

    which: NDArray[np.intp]
    distance: FloatArray
    point: FloatArray
    value: FloatArray


def regulariser(
    programme: Programme, points: Points, x: FloatArray, cap: FloatArray, metric: FloatArray
) -> Derivatives:
    """What both decays cost at the best scale of W under a cap (K,), and its derivatives; away from zero."""
    a, decay, span = points.weight_cost, points.feature_decay, programme.span
    pull = np.einsum("kij,kj->ki", metric, x)
    square, reach = np.sum(x * pull, axis=-1), x @ span
    binding = is_binding(points, square, reach, cap)
    safe, root = np.where(binding, reach, 1.0), np.sqrt(np.where(square > 0, square, 1.0))
    # lambda_H D^2 Q/z^2 + a z^2/D^2, and where the cap does not bind 2 sqrt(lambda_H a Q).
    over = decay * (cap / safe) ** 2
    along = 2.0 * a * reach / cap**2 - 2.0 * over * square / safe
    bound = Derivatives(
        over * square + a * (reach / cap) ** 2,
        2.0 * over[:, None] * pull + along[:, None] * span,
        2.0 * over[:, None, None] * metric
        - (4.0 * over / safe)[:, None, None] * (pull[:, :, None] * span + span[:, None] * pull[:, None, :])
        + (2.0 * a / cap**2 + 6.0 * over * square / safe**2)[:, None, None] * np.outer(span, span),
    )
    weight = points.weight
    across = metric - pull[:, :, None] * pull[:, None, :] / (root**2)[:, None, None]
    loose = Derivatives(weight * root, (weight / root)[:, None] * pull, (weight / root)[:, None, None] * across)
    return Derivatives(
        *(
            np.where(binding.reshape(-1, *(1,) * (one.ndim - 1)), one, other)
            for one, other in zip(bound, loose, strict=True)
        )
    )


def is_binding(points: Points, square: FloatArray, reach: FloatArray, cap: FloatArray) -> NDArray[np.bool_]:
    """Whether the best scale of W would leave the class means further apart than the cap."""
    return np.asarray(np.sqrt(points.weight_cost) * reach**2 > np.sqrt(points.feature_decay * square) * cap**2)


def capped(
    programme: Programme,
    points: Points,
    distance: FloatArray,
    cap: FloatArray,
    start: FloatArray,
    *,
    rough: bool = False,
) -> Capped:
    """Minimise at the rate of a distance (K,) under a cap (K,), from starts (K, n) with a positive margin."""
    found = _capped(programme, points, distance, cap, start, rough)
    if programme.wall is not None:
        beyond = np.flatnonzero(found.point @ programme.wall < 0.0)
        if beyond.size:
            along = Restricted(programme, programme.wall)
            some = points.take(beyond), distance[beyond], cap[beyond], along.coordinates(found.point[beyond])
            again = capped(along, *some, rough=rough)
            for target, source in zip(found, again._replace(point=along.points(again.point)), strict=True):
                target[beyond] = source
    return found


def _capped(
    programme: Programme, points: Points, distance: FloatArray, cap: FloatArray, start: FloatArray, rough: bool
) -> Capped:
    there = points.at_distance(distance)
    metric = programme.metric(there)
    x = np.array(start)
    # A start that was good at another distance may be far too wide at this one.
    fresh = programme.first(there, np.minimum(1.0, x @ programme.span))

    def reached(at: FloatArray) -> FloatArray:
        return (
            programme.smooth_part(there, at, rough=rough).value + regulariser(programme, there, at, cap, metric).value
        )

    x = np.where((reached(fresh) < reached(x))[:, None], fresh, x)
    nothing = programme.smooth_part(there, np.zeros(x.shape), rough=rough)
    found = dual_norm(nothing.gradient, metric) <= points.weight
    x[found] = 0.0
    active = np.flatnonzero(~found)

    def whole(at: FloatArray, which: NDArray[np.intp]) -> Derivatives:
        picked = active[which]
        some = there.take(picked)
        loss = programme.smooth_part(some, at, rough=rough)
        cost = regulariser(programme, some, at, cap[picked], metric[picked])
        return Derivatives(*(one + other for one, other in zip(loss, cost, strict=True)))

    def share_of(at: FloatArray, step: FloatArray) -> FloatArray:
        reach, along = at @ programme.span, step @ programme.span
        return np.where(along < 0.0, np.minimum(1.0, (1.0 - _KEPT) * reach / np.maximum(-along, 1e-300)), 1.0)

    x[active], found[active] = minimise_smooth(whole, x[active], share_of)
    return _measured(programme, there, metric, x, cap, found, nothing.value, rough)


def _measured(
    programme: Programme,
    there: Points,
    metric: FloatArray,
    x: FloatArray,
    cap: FloatArray,
    found: NDArray[np.bool_],
    nothing: FloatArray,
    rough: bool,
) -> Capped:
    alive = np.any(x != 0.0, axis=-1)
    square = np.einsum("ki,kij,kj->k", x, metric, x)
    reach = x @ programme.span
    loss, dilated = programme.by_rate(there, x)
    value = programme.smooth_part(there, x, rough=rough).value
    value = value + np.where(alive, regulariser(programme, there, x, cap, metric).value, 0.0)
    binding = is_binding(there, square, reach, cap) & alive
    over = there.feature_decay * (cap / np.where(binding, reach, 1.0)) ** 2
    capped_slope = over * (2.0 * square + dilated) - 2.0 * there.weight_cost * (reach / cap) ** 2
    loose_slope = 0.5 * there.weight * dilated / np.sqrt(np.where(square > 0, square, 1.0))
    slope = np.where(alive, loss + np.where(binding, capped_slope, loose_slope), 0.0)
    return Capped(x, np.where(alive, value, nothing), slope, found)


def local_minima(programme: Programme, points: Points, start: FloatArray) -> Minima:
    """Those between the distances of a grid, from starting margins (K,)."""
    furthest = largest_distance(programme, points)
    rate = points.rate if points.rate.ndim == 1 else points.rate.max(axis=-1)
    closest = furthest * _CLOSEST / np.maximum(1.0, rate * furthest) ** 2
    grid = np.geomspace(furthest, closest, _GRID)
    states, slopes = [], []
    x = np.zeros((start.size, programme.span.size))
    for i, distance in enumerate(grid):
        fresh = programme.first(points.at_distance(distance), start)
        begun = _moved(programme, x, distance / grid[max(i - 1, 0)], fresh)
        found = capped(programme, points, distance, distance, begun, rough=True)
        x = found.point
        states.append(x)
        slopes.append(found.slope)
    slope = np.stack(slopes)
    # Larger distances come first: a minimum lies where the slope is positive, then negative.
    above, which = np.nonzero((slope[:-1] > 0.0) & (slope[1:] < 0.0))
    if not which.size:
        return Minima(which, np.zeros(0), np.zeros((0, programme.span.size)), np.zeros(0))
    some = points.take(which)
    warm = np.array([states[i][k] for i, k in zip(above, which, strict=True)]).reshape(which.size, x.shape[-1])
    at = grid[above, which]

    def minimised(picked: NDArray[np.intp], log_distance: FloatArray) -> Capped:
        distance = np.exp(log_distance)
        begun = _moved(programme, warm[picked], distance / at[picked], warm[picked])
        found = capped(programme, some.take(picked), distance, distance, begun)
        alive = np.any(found.point != 0.0, axis=-1)
        warm[picked[alive]], at[picked[alive]] = found.point[alive], distance[alive]
        return found

    everything = np.arange(which.size)
    low, high = np.log(grid[above + 1, which]), np.log(grid[above, which])
    at_low, at_high = minimised(everything, low).slope, minimised(everything, high).slope
    root = np.where(np.abs(at_low) < np.abs(at_high), low, high)
    kept = np.flatnonzero((at_low < 0.0) & (at_high > 0.0))
    root[kept] = find_roots(
        lambda i, x: minimised(kept[i], x).slope, low[kept], high[kept], at_low[kept], at_high[kept], _WIDTH
    )[0]
    last = minimised(everything, root)
    return Minima(which, np.exp(root), last.point, np.where(last.found, last.value, np.inf))


def largest_distance(programme: Programme, points: Points) -> FloatArray:
    """No class means of an optimum are further apart (K,): their decay alone would cost more than features that are zero."""
    nothing = programme.smooth_part(points, np.zeros((points.weight_cost.size, programme.span.size))).value
    share = points.clean if points.clean.ndim == 1 else points.clean.min(axis=-1)
    return np.asarray(2.0 * np.sqrt(nothing / (share * points.feature_decay)))


def _moved(programme: Programme, x: FloatArray, factor: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Starts with margins times a factor; others where that leaves nothing."""
    begun = np.where(programme.span != 0.0, x * factor[:, None], x)
    usable = np.all(np.isfinite(begun), axis=-1) & (begun @ programme.span > 0.0)
    return np.asarray(np.where(usable[:, None], begun, otherwise))
