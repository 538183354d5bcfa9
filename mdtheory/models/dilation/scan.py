r"""The memorization-dilation problem of a loss that is not convex: every stationary point, and the best of them.

Where the constraint is tight with multiplier nu > 0, the noisy margin t tells it,
``nu = -(lam t + kap^2 phi'(t)/2)/w`` with ``w = t + s``, and what is left is one equation,
``nu = eta c^2 F'(r)/(4 r)``. Nothing says that it is tight: a loss that is not convex may fall where the dilation grows,
or where the noisy feature turns back. So the candidates are the roots of that equation, the minima of the noisy part
alone, and the feature that stays where it is; each with the best dilation among those it allows; their objectives decide.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mdtheory.expectation import mean_loss
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.points import Points
from mdtheory.numerics.bracketing import bisect

# Steps of the displacement w: so many for each factor of ten, and so wide where the loss has its features.
_PER_DECADE = 12
_STEP = 0.02
_LEAST, _FARTHEST = 1e-250, 1e5
# The clean loss is tabulated between these scales of its margins: wider spreads than the last do not pay.
_SCALES = (1e-6, 300.0, 241)
# Below this scale the clean loss is a polynomial of degree four to all digits.
_NARROW = 1e-3
_MOST_ROOTS = 24


@dataclass(frozen=True, slots=True)
class _Feature:
    """Noisy features along one path; every field an array.

    ``shift`` and ``drop`` are the distances from the resting place in t and in the level, to full precision.
    """

    nu: FloatArray
    rho: FloatArray
    margin: FloatArray
    level: FloatArray
    shift: FloatArray
    drop: FloatArray


@dataclass(frozen=True, slots=True)
class _Clean:
    """The clean part of one problem: ``F'(r)/(4 r)`` and F(r) - F(0) on a grid of scales, local minima beyond zero."""

    log_scale: FloatArray
    stiffness: FloatArray
    cost: FloatArray
    minima: FloatArray


def scan_points(points: Points) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level of the best point found, at a block of points."""
    columns = [_best(points.take(slice(i, i + 1))) for i in range(points.classes.margin.size)]
    return tuple(np.array(column) for column in zip(*columns, strict=True))


def _best(point: Points) -> tuple[float, float, float, float]:
    clean = _clean(point)
    paths = ("free", "own", "other") if point.constrained else ("free",)
    found = [_feature_at_rest(point)]
    for path in paths:
        found += _candidates(point, clean, path)
    names = [field.name for field in fields(_Feature)]
    feature = _Feature(**{name: np.concatenate([getattr(f, name) for f in found]) for name in names})
    values, scales = _values(point, clean, feature, exact=True)
    best = int(np.argmin(values))
    rho = feature.rho[best : best + 1]
    with np.errstate(divide="ignore"):
        tight = point.dilation_of(rho, np.log(rho))[0]
    r = scales[best] / point.classes.weight_distance[0] if scales[best] >= 0 else tight
    return float(r), float(rho[0]), float(feature.margin[best]), float(feature.level[best])


def _feature_at_rest(point: Points) -> _Feature:
    zero = np.zeros(1)
    return _Feature(zero, zero, -point.classes.margin, point.classes.centre_norm, zero, zero)


def _candidates(point: Points, clean: _Clean, path: str) -> list[_Feature]:
    found = []
    for side in (1.0, -1.0):
        grid = _displacements(point, path, side)
        feature = _feature(point, path, side * grid)
        pull = _pull(point, clean, feature)
        # Stationary where the pull balances the dilation, or where there is none.
        for slack, sign in ((False, np.sign(pull)), (True, np.sign(feature.nu))):
            change = np.flatnonzero((sign[:-1] != sign[1:]) & np.isfinite(sign[:-1]) & np.isfinite(sign[1:]))
            if change.size > _MOST_ROOTS:
                rough, _ = _values(point, clean, feature, exact=False)
                change = change[np.argsort(np.minimum(rough[change], rough[change + 1]))[:_MOST_ROOTS]]
            if change.size == 0:
                continue
            # The table is rough: the root itself may lie in a neighbouring cell.
            low, high = grid[np.maximum(change - 2, 0)], grid[np.minimum(change + 3, grid.size - 1)]
            found.append(_refined(point, path, side, low, high, slack=slack))
        found.append(_lowest_on_grid(point, clean, feature))
    if path == "free" and point.constrained:
        found = [_kept(f, f.level >= np.abs(f.margin) / point.classes.weight_distance * (1.0 - 1e-12)) for f in found]
    return found


def _lowest_on_grid(point: Points, clean: _Clean, feature: _Feature) -> _Feature:
    """The best point of the grid itself: an end of the range, or a minimum too narrow to show as a root."""
    values, _ = _values(point, clean, feature, exact=False)
    return _kept(feature, np.arange(values.size) == int(np.argmin(values)))


def _kept(feature: _Feature, mask: NDArray[np.bool_]) -> _Feature:
    return _Feature(**{field.name: getattr(feature, field.name)[mask] for field in fields(_Feature)})


def _displacements(point: Points, path: str, side: float) -> FloatArray:
    """A grid of distances from the resting place: of w in general, of u itself on a face."""
    classes = point.classes
    decades = np.log10(_FARTHEST / _LEAST)
    logarithmic = np.geomspace(_LEAST, _FARTHEST, int(_PER_DECADE * decades))
    # Where the margin is within 40 of zero the loss may have features.
    low, high = max(-40.0 * side - classes.margin[0] * side, 0.0), 40.0 + classes.margin[0]
    even = np.arange(low if low < high else 0.0, high, _STEP)[1:]
    grid = np.unique(np.concatenate([logarithmic, even]))
    if path == "other" and side < 0:
        # u = x e_other with 0 <= x < a, as a - x.
        grid = grid[grid <= _own_scale(point) * classes.mean_distance[0] / np.sqrt(2.0)]
    return grid


def _own_scale(point: Points) -> float:
    """Margin for a unit of u along a class mean."""
    return float(point.classes.weight_distance[0] / np.sqrt(2.0))


def _feature(point: Points, path: str, w: FloatArray) -> _Feature:
    """Noisy features displaced by w (in units of the margin), with the multiplier that would hold them there."""
    classes = point.classes
    lam, kap, c = point.decay[0], classes.weight_distance[0], _own_scale(point)
    if path == "free":
        t = w - classes.margin[0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            nu = -(lam * t + 0.5 * kap**2 * point.loss.profile_derivative(t)) / w
            share = np.where(nu > 0, lam / (lam + np.maximum(nu, 0.0)), 1.0 if lam > 0 else 0.0)
        drop = share * classes.centre_norm[0]
        return _Feature(nu, np.hypot(w / kap, drop), t, classes.centre_norm[0] - drop, w, drop)
    a = classes.mean_distance[0] / np.sqrt(2.0)
    if path == "own":
        # u = x e_own, x >= 0.
        x = np.abs(w) / c
        t = c * x
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            nu = -lam - 0.5 * c**2 * point.loss.profile_derivative(t) / t
        return _Feature(
            nu, np.hypot(a, x), t, x / np.sqrt(2.0), t + classes.margin[0], classes.centre_norm[0] - x / np.sqrt(2.0)
        )
    # u = x e_other; w > 0 shortens it.
    x = np.maximum(a - w / c, 0.0)
    t = -c * x
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        nu = (lam * x - 0.5 * c * point.loss.profile_derivative(t)) / np.where(w != 0, w / c, 1.0)
    shift = np.minimum(w, c * a)
    return _Feature(nu, np.abs(shift) / c, t, x / np.sqrt(2.0), shift, shift / classes.weight_distance[0])


def _pull(point: Points, clean: _Clean, feature: _Feature) -> FloatArray:
    """``log nu - log(eta c^2 F'(r)/(4 r))`` from the table; infinite where one of the two is not positive."""
    stiffness = np.interp(_log_scale(point, feature.rho), clean.log_scale, clean.stiffness)
    return _difference(point, feature.nu, stiffness)


def _difference(point: Points, nu: FloatArray, stiffness: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(nu) - point.log_gain - np.log(stiffness)
    value = np.where(stiffness <= 0, np.inf, value)
    return np.where(nu <= 0, -np.inf, value)


def _log_scale(point: Points, rho: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(point.classes.weight_distance) + point.log_noise + point.log_rate + np.log(rho))


def _refined(point: Points, path: str, side: float, low: FloatArray, high: FloatArray, *, slack: bool) -> _Feature:
    """The roots between neighbouring points of the grid: of the pull, or of the multiplier itself."""
    copies = _repeat(point, low.size)

    def excess(log_w: FloatArray) -> FloatArray:
        feature = _feature(point, path, side * np.exp(log_w))
        if slack:
            with np.errstate(over="ignore"):
                return feature.nu * np.exp(log_w)
        scale = np.exp(np.clip(_log_scale(point, feature.rho), -700.0, np.log(_SCALES[1])))
        return np.clip(_difference(point, feature.nu, copies.stiffness(scale)[0]), -1e3, 1e3)

    first = excess(np.log(low))
    falling = np.where(np.nan_to_num(first) > 0, -1.0, 1.0)
    with np.errstate(over="ignore"):
        root = bisect(lambda x: np.nan_to_num(falling * excess(x)), np.log(low), np.log(high))
    return _feature(point, path, side * np.exp(root))


def _clean(point: Points) -> _Clean:
    scales = np.geomspace(*_SCALES)
    # In pieces, since all points of one call share the quadrature rule of the widest.
    pieces = np.array_split(scales, 12)
    stiffness = np.concatenate([_repeat(point, part.size).stiffness(part)[0] for part in pieces])
    cost = np.concatenate([_risen(point, part) for part in pieces])
    rising = np.flatnonzero((stiffness[:-1] < 0) & (stiffness[1:] >= 0))
    minima = np.zeros(0)
    if rising.size:
        copies = _repeat(point, rising.size)
        ends = np.log(scales[rising]), np.log(scales[rising + 1])
        minima = np.exp(bisect(lambda x: copies.stiffness(np.exp(x))[0], *ends))
    if stiffness[-1] < 0:
        minima = np.append(minima, scales[-1])
    return _Clean(np.log(scales), stiffness, cost, minima)


def _risen(point: Points, scale: FloatArray) -> FloatArray:
    """``F(r) - F(0)`` at scales ``kap r``."""
    centre = np.full(scale.size + 1, point.classes.margin[0])
    values = mean_loss(point.loss, point.spread, centre, np.append(scale, 0.0))
    return np.asarray(
        2.0 * (values[:-1] - values[-1]) + 2.0 * point.decay[0] * (scale / point.classes.weight_distance[0]) ** 2
    )


def _values(point: Points, clean: _Clean, feature: _Feature, *, exact: bool) -> tuple[FloatArray, FloatArray]:
    """``(objective - objective at rest)/(2 eta)`` with the best dilation, and its scale where it is not the least one.

    The second is negative where the constraint is tight. What is not a number is infinitely bad.
    """
    classes = point.classes
    kap, s, lam = classes.weight_distance[0], classes.margin[0], point.decay[0]
    log_scale = _log_scale(point, feature.rho)
    dilation = _clean_cost(point, clean, log_scale, exact)
    scales = np.full(log_scale.shape, -1.0)
    for scale in clean.minima:
        other = _clean_cost(point, clean, np.full(1, np.log(scale)), exact)[0]
        better = (log_scale <= np.log(scale)) & (other < dilation)
        dilation, scales = np.where(better, other, dilation), np.where(better, scale, scales)
    shift, drop, t = feature.shift, feature.drop, feature.margin
    with np.errstate(over="ignore", invalid="ignore"):
        # phi(t) - phi(-s), by the slope in between where the difference of the two would be rounding.
        small = np.abs(shift) < 1e-6
        rise = np.where(
            small,
            point.loss.profile_derivative(0.5 * np.where(small, shift, 0.0) - s) * shift,
            point.loss.profile(t) - point.loss.profile(-s),
        )
        value = dilation + rise + lam * (shift * (t - s) / kap**2 - drop * (feature.level + classes.centre_norm[0]))
    return np.where(np.isnan(value), np.inf, value), scales


def _clean_cost(point: Points, clean: _Clean, log_scale: FloatArray, exact: bool) -> FloatArray:
    """``(F(r) - F(0))/(2 eta)`` at scales ``kap r``."""
    top = np.log(_SCALES[1])
    wide = (log_scale > np.log(_NARROW)) & (log_scale <= top)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        # For small r it is r^2/eta times F'(r')/(4 r') at r' = r/sqrt2, up to a term of order six.
        middle = np.interp(log_scale - 0.5 * np.log(2.0), clean.log_scale, clean.stiffness)
        cost = middle * np.exp(2.0 * (log_scale - np.log(point.classes.weight_distance)) - point.log_noise)
        if exact:
            for i in np.flatnonzero(wide):
                cost[i] = _risen(point, np.exp(log_scale[i : i + 1]))[0] / (2.0 * point.noise[0])
        else:
            rough = np.interp(log_scale, clean.log_scale, clean.cost) / (2.0 * point.noise[0])
            cost = np.where(wide, rough, cost)
    return np.where(log_scale > top, np.inf, cost)


def _repeat(point: Points, count: int) -> Points:
    return point.take(np.zeros(count, dtype=np.intp))
