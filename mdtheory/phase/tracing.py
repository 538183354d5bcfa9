r"""Zero curves of a function on a rectangle: found on a coarse grid, linked, then every vertex solved for.

Everything here is in *shares* of the rectangle: both coordinates run from 0 to 1. The function may be undefined (nan) in
part of it; curves end there. A curve is scanned for along both families of grid lines, so that vertical and horizontal
parts are found alike, linked cell by cell into polylines, resampled at equal distances, and every vertex is moved onto
the curve along its normal by bracketing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdtheory.validation import FloatArray

Field = Callable[[FloatArray, FloatArray], FloatArray]
"""A function of two arrays of shares, nan where it is undefined."""

_MAX_STEPS = 60
# How far a vertex may lie from the linked grid crossings, in cells.
_REACH = (0.25, 1.2)
# A grid with a larger share of zeros has a patch on which the function vanishes, not a curve.
_FLAT = 1e-11
_FLAT_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Curve:
    """A polyline of zeros.

    Attributes
    ----------
    vertices : array (k, 2)
        Shares.
    residuals : array (k,)
        The function at the vertices.
    errors : array (k,)
        Estimated distance to the curve, in shares.
    """

    vertices: FloatArray
    residuals: FloatArray
    errors: FloatArray


def trace(field: Field, *, points: int = 200, scan: int = 32, tolerance: float = 1e-10) -> tuple[Curve, ...]:
    """The zero curves of a function on the unit square.

    Parameters
    ----------
    field : callable
        Takes arrays (k,) of both shares and returns values (k,); a curve is where it changes sign.
    points : int
        Vertices of all curves together, about.
    scan : int
        Cells per side of the grid that curves are looked for on: pieces smaller than a cell may be missed.
    tolerance : float
        Distance of a vertex to the curve.

    Returns
    -------
    tuple of Curve
        The longest first.

    Examples
    --------
    >>> (circle,) = trace(lambda u, v: np.hypot(u - 0.5, v - 0.5) - 0.3, points=60)
    >>> bool(np.max(np.abs(np.hypot(*(circle.vertices - 0.5).T) - 0.3)) < 1e-10)
    True
    """
    chains = _chains(field, scan)
    lengths = np.array([_length(chain) for chain in chains])
    if not chains:
        return ()
    curves: list[Curve] = []
    samples = []
    for chain, length in zip(chains, lengths, strict=True):
        count = max(round(points * length / float(np.sum(lengths))), 5)
        samples.append(_resample(_extended(chain, 1.5 / scan), count))
    starts = np.concatenate([place for place, _ in samples])
    directions = np.concatenate([direction for _, direction in samples])
    vertices, residuals, errors = _project(field, starts, directions, 1.0 / scan, tolerance)
    first = 0
    for place, _ in samples:
        part = slice(first, first + len(place))
        first += len(place)
        curves += _split(vertices[part], residuals[part], errors[part])
    return tuple(sorted(curves, key=lambda curve: -_length(curve.vertices)))


def find_roots(
    function: Callable[[NDArray[np.intp], FloatArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    f_low: FloatArray,
    f_high: FloatArray,
    tolerance: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Chandrupatla's method for many brackets at once.

    Parameters
    ----------
    function : callable
        ``function(which, x)``: the values of the functions numbered `which` (j,) at x (j,).
    low, high, f_low, f_high : arrays (k,)
        Brackets, and the values at their ends, of opposite sign.
    tolerance : float
        Where the distance to the root is estimated to be a tenth of it, a root is done.

    Returns
    -------
    root, value, error : arrays (k,)
        The error is estimated from the local slope; nan where the function became undefined.

    Examples
    --------
    >>> ends = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    >>> goal = np.array([0.5, 2.0])
    >>> root, *_ = find_roots(lambda i, x: x**2 - goal[i], *ends, ends[0]**2 - goal, ends[1]**2 - goal, 1e-10)
    >>> root.round(8)
    array([0.70710678, 1.41421356])
    """
    # Columns: the latest point, the other end of the bracket, and the point before.
    x1, x2, x3 = (np.array(x, dtype=np.float64) for x in (high, low, low))
    f1, f2, f3 = (np.array(f, dtype=np.float64) for f in (f_high, f_low, f_low))
    root, value, error = (np.full(x1.shape, np.nan) for _ in range(3))
    active = np.arange(x1.size)
    share = _secant_share(f1, f2)
    for _ in range(_MAX_STEPS):
        if active.size == 0:
            break
        x = x1 + share * (x2 - x1)
        f = function(active, x)
        same = np.sign(f) == np.sign(f1)
        x3, f3 = np.where(same, x1, x2), np.where(same, f1, f2)
        x2, f2 = np.where(same, x2, x1), np.where(same, f2, f1)
        x1, f1 = x, f
        best, at, gap, done = _progress((x1, x2, x3), (f1, f2, f3), tolerance)
        root[active], value[active], error[active] = at, best, gap
        keep = ~done & np.isfinite(f)
        active = active[keep]
        x1, x2, x3, f1, f2, f3 = (a[keep] for a in (x1, x2, x3, f1, f2, f3))
        share = _next_share((x1, x2, x3), (f1, f2, f3), tolerance)
    return root, value, error


# ------------------------------------------------------------------------------ one step of the root finder


def _secant_share(f1: FloatArray, f2: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        share = f1 / (f1 - f2)
    return np.where(np.isfinite(share), np.clip(share, 0.02, 0.98), 0.5)


def _progress(
    x: tuple[FloatArray, ...], f: tuple[FloatArray, ...], tolerance: float
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """The smaller of the two ends of each bracket, its place, the estimated error there, and whether it is enough."""
    nearer = np.abs(f[0]) <= np.abs(f[1])
    best, at = np.where(nearer, f[0], f[1]), np.where(nearer, x[0], x[1])
    width = np.abs(x[1] - x[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        # The gentler of the slopes to the two other points: a wall at one end must not flatter the estimate.
        slopes = [np.abs((f[0] - g) / (x[0] - y)) for g, y in zip(f[1:], x[1:], strict=True)]
        gap = np.minimum(np.abs(best) / np.minimum(*slopes), width)
    gap = np.where(best == 0, 0.0, np.where(np.isfinite(gap), gap, width))
    return best, at, gap, (gap <= 0.1 * tolerance) | (width <= 0.2 * tolerance)


def _next_share(x: tuple[FloatArray, ...], f: tuple[FloatArray, ...], tolerance: float) -> FloatArray:
    """Inverse quadratic interpolation where it is trustworthy, else halving."""
    (x1, x2, x3), (f1, f2, f3) = x, f
    with np.errstate(all="ignore"):
        xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
        trusted = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        quadratic = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
        share = np.where(trusted & np.isfinite(quadratic), quadratic, 0.5)
        # A step never smaller than this, so that both ends of the bracket close in.
        least = np.minimum(0.05 * tolerance / np.abs(x2 - x1), 0.5)
    return np.clip(share, least, 1.0 - least)


# ------------------------------------------------------------------------------ scan and link


def _chains(field: Field, scan: int) -> list[FloatArray]:
    """Polylines through the crossings of the grid lines."""
    side = np.linspace(0.0, 1.0, scan + 1)
    u, v = (w.ravel() for w in np.meshgrid(side, side, indexing="ij"))
    values = field(u, v).reshape(scan + 1, scan + 1)
    tiny = np.abs(values) < _FLAT
    if np.mean(tiny) > _FLAT_SHARE:
        values = np.where(tiny, np.nan, values)
    positive = values >= 0
    known = np.isfinite(values)
    # Edges (i, j)-(i+1, j), then edges (i, j)-(i, j+1).
    starts, steps = [], []
    number = [np.full((scan, scan + 1), -1), np.full((scan + 1, scan), -1)]
    count = 0
    for axis in (0, 1):
        head, tail = (np.take(positive, range(1, scan + 1), axis), np.take(positive, range(scan), axis))
        both = np.take(known, range(1, scan + 1), axis) & np.take(known, range(scan), axis)
        crossing = np.argwhere((head != tail) & both)
        number[axis][tuple(crossing.T)] = count + np.arange(len(crossing))
        count += len(crossing)
        starts.append(crossing)
        steps.append(np.tile(np.eye(2, dtype=int)[axis], (len(crossing), 1)))
    if count == 0:
        return []
    low, step = np.concatenate(starts), np.concatenate(steps)
    high = low + step
    f_low, f_high = values[tuple(low.T)], values[tuple(high.T)]
    base, along = low / scan, step / scan

    def on_edges(which: NDArray[np.intp], t: FloatArray) -> FloatArray:
        place = base[which] + t[:, None] * along[which]
        return field(place[:, 0], place[:, 1])

    zero, one = np.zeros(count), np.ones(count)
    t, *_ = find_roots(on_edges, zero, one, f_low, f_high, 0.02)
    t = np.where(np.isfinite(t), t, 0.5)
    return _link(base + t[:, None] * along, _pairs(field, positive, number, scan))


def _pairs(
    field: Field, positive: NDArray[np.bool_], number: list[NDArray[np.int_]], scan: int
) -> list[tuple[int, int]]:
    """Which crossings are joined: the two of a cell, or at a saddle those that its middle tells apart."""
    sides = np.stack([number[0][:, :-1], number[1][1:, :], number[0][:, 1:], number[1][:-1, :]], axis=-1)
    crossed = np.sum(sides >= 0, axis=-1)
    joined = [tuple(side[side >= 0]) for side in sides[crossed == 2]]
    saddles = np.argwhere(crossed == 4)
    if len(saddles):
        middle = field((saddles[:, 0] + 0.5) / scan, (saddles[:, 1] + 0.5) / scan) >= 0
        for (i, j), same in zip(saddles, middle == positive[tuple(saddles.T)], strict=True):
            bottom, right, top, left = sides[i, j]
            # If the middle agrees with the lower left corner, the curves cut off the other two corners.
            joined += [(bottom, right), (top, left)] if same else [(bottom, left), (top, right)]
    return [(int(a), int(b)) for a, b in joined]


def _link(places: FloatArray, pairs: list[tuple[int, int]]) -> list[FloatArray]:
    """Chains of joined crossings; a closed one ends where it starts."""
    neighbours: dict[int, list[int]] = {}
    for a, b in pairs:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    unseen = dict.fromkeys(sorted(neighbours, key=lambda n: (len(neighbours[n]), n)))
    chains = []
    while unseen:
        start = next(iter(unseen))
        chain, here = [start], start
        del unseen[start]
        while True:
            onward = [n for n in neighbours[here] if n in unseen]
            if not onward:
                break
            here = onward[0]
            del unseen[here]
            chain.append(here)
        if len(chain) > 2 and start in neighbours[here]:
            chain.append(start)
        chains.append(places[chain])
    return chains


# ------------------------------------------------------------------------------ resample and project


def _length(chain: FloatArray) -> float:
    return float(np.sum(np.hypot(*np.diff(chain, axis=0).T)))


def _is_closed(chain: FloatArray) -> bool:
    return len(chain) > 3 and bool(np.all(chain[0] == chain[-1]))


def _extended(chain: FloatArray, reach: float) -> FloatArray:
    """The chain, prolonged where it ends inside the square: the function is undefined somewhere beyond."""
    if _is_closed(chain):
        return chain
    return _prolonged(_prolonged(chain, reach)[::-1], reach)[::-1]


def _prolonged(chain: FloatArray, reach: float) -> FloatArray:
    end = chain[-1]
    if np.any((end <= 0) | (end >= 1)):
        return chain
    direction = end - chain[max(len(chain) - 3, 0)]
    size = float(np.hypot(*direction))
    if size == 0:
        return chain
    with np.errstate(divide="ignore"):
        room = np.where(direction > 0, (1.0 - end) / direction, np.where(direction < 0, -end / direction, np.inf))
    step = min(reach / size, float(np.min(room)))
    return np.vstack([chain, np.clip(end + step * direction, 0.0, 1.0)])


def _resample(chain: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Places at equal distances along a chain, and the directions in which to look for the curve from each."""
    distance = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(chain, axis=0).T))])
    at = np.linspace(0.0, distance[-1], count)
    places = np.stack([np.interp(at, distance, chain[:, k]) for k in (0, 1)], axis=-1)
    closed = _is_closed(chain)
    window = min(3, count - 1)
    if closed:
        ring = places[:-1]
        tangent = np.roll(ring, -window, axis=0) - np.roll(ring, window, axis=0)
        tangent = np.vstack([tangent, tangent[:1]])
    else:
        index = np.arange(count)
        tangent = places[np.minimum(index + window, count - 1)] - places[np.maximum(index - window, 0)]
    size = np.hypot(*tangent.T)[:, None]
    tangent = np.where(size > 0, tangent / np.where(size > 0, size, 1.0), [1.0, 0.0])
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)
    if not closed:
        for end in (0, -1):
            # On a side of the square, look along that side.
            on_side = (places[end] <= 0) | (places[end] >= 1)
            if np.any(on_side):
                normal[end] = [0.0, 1.0] if on_side[0] else [1.0, 0.0]
    return places, normal


def _project(
    field: Field, starts: FloatArray, directions: FloatArray, cell: float, tolerance: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Move every start along its direction onto the curve; nan where no change of sign is near."""
    backward, forward = (_room(starts, sign * directions) for sign in (-1.0, 1.0))

    def along(which: NDArray[np.intp], t: FloatArray) -> FloatArray:
        place = np.clip(starts[which] + t[:, None] * directions[which], 0.0, 1.0)
        return field(place[:, 0], place[:, 1])

    count = len(starts)
    everyone = np.arange(count)
    middle = along(everyone, np.zeros(count))
    low, high, f_low, f_high = (np.full(count, np.nan) for _ in range(4))
    open_ = everyone[np.isfinite(middle)]
    for reach in _REACH:
        left, right = -np.minimum(reach * cell, backward[open_]), np.minimum(reach * cell, forward[open_])
        both = along(np.concatenate([open_, open_]), np.concatenate([left, right]))
        f_left, f_right = both[: open_.size], both[open_.size :]
        centre = middle[open_]
        for end, f_end in ((left, f_left), (right, f_right)):
            found = np.isfinite(f_end) & ((f_end >= 0) != (centre >= 0)) & np.isnan(low[open_])
            pick = open_[found]
            low[pick], high[pick], f_low[pick], f_high[pick] = 0.0, end[found], centre[found], f_end[found]
        open_ = open_[np.isnan(low[open_])]
        if open_.size == 0:
            break
    solvable = np.flatnonzero(np.isfinite(low))
    t, residual, error = find_roots(
        lambda which, x: along(solvable[which], x),
        low[solvable],
        high[solvable],
        f_low[solvable],
        f_high[solvable],
        tolerance,
    )
    # At a pole the function grows where it changes sign.
    smallest = np.minimum(np.abs(f_low[solvable]), np.abs(f_high[solvable]))
    t = np.where(np.abs(residual) > 10.0 * smallest, np.nan, t)
    vertices, residuals, errors = np.full((count, 2), np.nan), np.full(count, np.nan), np.full(count, np.nan)
    vertices[solvable] = np.clip(starts[solvable] + t[:, None] * directions[solvable], 0.0, 1.0)
    residuals[solvable], errors[solvable] = residual, error
    return vertices, residuals, errors


def _room(places: FloatArray, directions: FloatArray) -> FloatArray:
    """How far one can go from each place before leaving the unit square."""
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(
            directions > 0,
            (1.0 - places) / directions,
            np.where(directions < 0, -places / directions, np.inf),
        )
    return np.asarray(np.maximum(np.min(room, axis=1), 0.0))


def _split(vertices: FloatArray, residuals: FloatArray, errors: FloatArray) -> list[Curve]:
    """The runs of vertices that were found, of at least two."""
    good = np.all(np.isfinite(vertices), axis=1) & np.isfinite(residuals)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    runs = zip(edges[::2], edges[1::2], strict=True)
    return [Curve(vertices[a:b], residuals[a:b], errors[a:b]) for a, b in runs if b - a > 1]
