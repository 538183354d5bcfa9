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

from mdtheory.foundation.validation import FloatArray
from mdtheory.numerics.root_finding import find_roots

Field = Callable[[FloatArray, FloatArray], FloatArray]
"""A function of two arrays of shares, nan where it is undefined."""

# How far a vertex may lie from the linked grid crossings, in cells; the short ones for vertices at an edge of the domain.
_REACH = (0.25, 1.2, 0.05, 0.01)
# A cell with smaller values at all corners is one on which the function vanishes: no curve.
_FLAT = 1e-11
# An edge of the domain is located to this power of a tenth of a cell.
_DIGITS = 3


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


# ------------------------------------------------------------------------------ scan and link


def _chains(field: Field, scan: int) -> list[FloatArray]:
    """Polylines through the crossings of the grid lines."""
    side = np.linspace(0.0, 1.0, scan + 1)
    u, v = (w.ravel() for w in np.meshgrid(side, side, indexing="ij"))
    values, flat = _without_flat_cells(field(u, v).reshape(scan + 1, scan + 1))
    # Edges (i, j)-(i+1, j), then edges (i, j)-(i, j+1).
    nodes = np.stack(np.meshgrid(*(np.arange(scan + 1),) * 2, indexing="ij"), axis=-1)
    low = np.concatenate([nodes[:-1].reshape(-1, 2), nodes[:, :-1].reshape(-1, 2)])
    step = np.repeat(np.eye(2, dtype=int), [scan * (scan + 1)] * 2, axis=0)
    base, along = low / scan, step / scan
    f_low, f_high = values[tuple(low.T)], values[tuple((low + step).T)]
    ends = np.zeros(len(low)), np.ones(len(low))

    def on_edges(which: NDArray[np.intp], t: FloatArray) -> FloatArray:
        place = base[which] + t[:, None] * along[which]
        return field(place[:, 0], place[:, 1])

    def off_patches(which: NDArray[np.intp], t: FloatArray) -> FloatArray:
        found = on_edges(which, t)
        return np.where(np.abs(found) < _FLAT, np.nan, found) if flat else found

    _end_at_domain(off_patches, ends, (f_low, f_high))
    crossing = np.flatnonzero(np.isfinite(f_low) & np.isfinite(f_high) & ((f_low >= 0) != (f_high >= 0)))
    if crossing.size == 0:
        return []
    t, *_ = find_roots(
        lambda which, t: on_edges(crossing[which], t),
        ends[0][crossing],
        ends[1][crossing],
        f_low[crossing],
        f_high[crossing],
        0.02,
    )
    t = np.where(np.isfinite(t), t, 0.5 * (ends[0] + ends[1])[crossing])
    number = np.full(len(low), -1)
    number[crossing] = np.arange(crossing.size)
    split = scan * (scan + 1)
    numbers = [number[:split].reshape(scan, scan + 1), number[split:].reshape(scan + 1, scan)]
    return _link(base[crossing] + t[:, None] * along[crossing], _pairs(field, values >= 0, numbers, scan))


def _without_flat_cells(values: FloatArray) -> tuple[FloatArray, bool]:
    """The values, nan at the corners of cells on which they vanish, and whether there are any."""
    tiny = np.abs(values) < _FLAT
    flat = tiny[1:, 1:] & tiny[1:, :-1] & tiny[:-1, 1:] & tiny[:-1, :-1]
    if not np.any(flat):
        return values, False
    return np.where(tiny, np.nan, values), True


def _end_at_domain(
    on_edges: Callable[[NDArray[np.intp], FloatArray], FloatArray],
    ends: tuple[FloatArray, FloatArray],
    values: tuple[FloatArray, FloatArray],
) -> None:
    """Move the undefined end of an edge to where the function is last defined, in place."""
    for this, that in ((0, 1), (1, 0)):
        open_ = np.flatnonzero(np.isnan(values[this]) & np.isfinite(values[that]))
        if open_.size == 0:
            continue
        known, unknown = ends[that][open_], ends[this][open_]
        shares = np.linspace(0.1, 0.9, 9)
        rows = np.arange(open_.size)
        for _ in range(_DIGITS):
            places = known[:, None] + shares * (unknown - known)[:, None]
            found = on_edges(np.repeat(open_, shares.size), places.ravel()).reshape(places.shape)
            # As far as it is defined without a gap.
            count = np.sum(np.cumprod(np.isfinite(found), axis=1), axis=1).astype(int)
            moved = count > 0
            places = np.column_stack([known, places, unknown])
            values[this][open_[moved]] = found[rows[moved], count[moved] - 1]
            known, unknown = places[rows, count], places[rows, count + 1]
            ends[this][open_] = known


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
