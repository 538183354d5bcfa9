r"""A proved lower bound on the memorization-dilation problem of a loss that need not be convex, by branch and bound.

For fixed dilation r and noisy margin t the level of the noisy feature is a convex problem. On a cell of r and t, for any
:math:`\theta \ge 0`, any e with |e| <= 1 and any :math:`v \ge 0`, the objective is at least

.. math:: \min_r\,[F(r) - \theta r] + \min_t\,[2\eta\varphi(t) + 2\eta\lambda t^2/\kappa^2
          + (\theta\eta c\,e_1(t+s) + v|t|)/\kappa] + \min_{l \ge 0}\,[2\eta\lambda l^2 + \theta\eta c\,e_2(l-m) - v l]

with c = D^q/C, because :math:`r \ge \eta c\,|u - h_2|` and, with u >= 0, :math:`l \ge |t|/\kappa`. F and :math:`\varphi` are
bounded on the cell by parabolas from balls (`mdtheory.numerics.branch_and_bound`), so that each minimum is known. Cells that may
hold something better than the answer are halved. See `derivations/nonconvex_dilation.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.problem import Configuration, MemorizationDilation
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.branch_and_bound import Cell, Curve, Piece, parabola_minimum
from mdtheory.spreads import Spread

_BITS = 128
# Work that is worth it: cells in all, and cells of r, each of which costs two integrals in balls.
_MAX_CELLS = 20_000
_MAX_DILATIONS = 200
# Evaluations of the loss in integrals, a few microseconds each.
_MAX_EFFORT = 150_000
_PANELS = 64
_FIRST_MARGINS = 48
# Each takes up to a few seconds.
_MOST_POINTS = 32
# Each takes some milliseconds.
_MOST_MEANS = 256
# The bound is closed at this share of the size of the objective's terms, and rounded by more than their sums can lose.
_CLOSED = 1e-11
_ROUNDING = 4e-15
# Means in balls are good enough at this relative radius.
_SHARP = 1e-13
# Evaluations of an integrand that the mean at an answer is worth, some ten microseconds each.
_PATIENCE = 60_000
# Scales at which quadrature needs no proof: the clean loss is a parabola.
_NARROW = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """One problem; c is D^q/C."""

    margin: float
    weight_distance: float
    centre: float
    noise: float
    rate: float
    decay: float
    fixed: float
    cone: bool


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Parabolas below F (in r) or phi (in t), one for each cell, as columns."""

    left: FloatArray
    right: FloatArray
    middle: FloatArray
    value: FloatArray
    slope_low: FloatArray
    slope_high: FloatArray
    bend: FloatArray

    @classmethod
    def of(cls, cells: list[Cell]) -> "_Pieces":
        rows = [(c.left, c.right, c.middle, c.value, *c.slope, c.bend[0]) for c in cells]
        return cls(*np.array(rows).T)

    def least(self, index: Any, factor: float, linear: FloatArray, square: float) -> tuple[FloatArray, FloatArray]:
        """Bounds of ``factor f(x) + linear x + square x^2`` on the cells, and the values at their middles."""
        middle, half = self.middle[index], 0.5 * (self.right[index] - self.left[index]) * (1.0 + 1e-15)
        value = factor * self.value[index] + linear * middle + square * middle**2
        tilt = linear + 2.0 * square * middle
        low, high = factor * self.slope_low[index] + tilt, factor * self.slope_high[index] + tilt
        bend = factor * self.bend[index] + 2.0 * square
        size = np.abs(factor * self.value[index]) + np.abs(linear * middle) + square * middle**2
        size = size + half * (
            np.maximum(np.abs(factor * self.slope_low[index]), np.abs(linear)) + np.abs(low) + np.abs(high)
        )
        return value + parabola_minimum(low, high, bend, half) - _ROUNDING * size, value


def dilation_bound(
    problem: MemorizationDilation, at: tuple[int, ...], answer: tuple[float, float], value: float
) -> float:
    """A lower bound on the optimum of one point of a problem; -inf where none was proved.

    Parameters
    ----------
    problem : MemorizationDilation
        Its loss is a function of the margin and shows its curve.
    at : tuple of int
        The point, as an index of the problem's shape.
    answer : (float, float)
        Dilation and noisy margin of a good answer: where the cells are made small first.
    value : float
        The objective there.

    Returns
    -------
    float
    """
    shape, c = problem.shape, problem.configuration
    curve = problem.ufm.loss.curve(at, shape)
    if curve is None or not np.isfinite(value):
        return -np.inf
    numbers = _numbers(problem, c, at)
    if not (numbers.noise > 0 and 1e-100 < numbers.rate < 1e100 and numbers.noise > 1e-100):
        return -np.inf
    with precision(_BITS):
        clean = _Clean(curve, problem.spread, numbers)
        if clean.mean(0.0) is None:
            return -np.inf
        return _branch(curve, clean, numbers, answer, value)


def sharpened(
    problem: MemorizationDilation, dilation: FloatArray, margin: FloatArray, objective: FloatArray, bound: FloatArray
) -> FloatArray:
    """The bound of a loss that is not convex, improved by branch and bound where it leaves a gap.

    Parameters
    ----------
    dilation, margin, objective, bound : array
        Of the answer, of the problem's shape; more than 32 open points are left as they are.
    """
    sharp = np.array(np.broadcast_to(bound, problem.shape))
    values = np.broadcast_to(objective, problem.shape)
    open_ = ~(values - sharp <= _CLOSED * np.abs(values)) & np.isfinite(values)
    if np.count_nonzero(open_) <= _MOST_POINTS:
        for at in np.argwhere(open_):
            point = tuple(int(i) for i in at)
            answer = (
                float(np.broadcast_to(dilation, problem.shape)[point]),
                float(np.broadcast_to(margin, problem.shape)[point]),
            )
            sharp[point] = max(float(sharp[point]), dilation_bound(problem, point, answer, float(values[point])))
    return sharp


def proved_means(
    problem: MemorizationDilation, dilation: FloatArray, mean: FloatArray, stiffness: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``E phi`` and ``E zeta phi'/scale`` at an answer, from balls, where a quadrature trusts what the user states.

    A mean that balls enclose too widely becomes their upper end, and its stiffness NaN: no tangent is known there.

    Parameters
    ----------
    dilation, mean, stiffness : array
        Of the answer, and what quadrature says; spreads unknown to balls are left as they are, and more than
        256 points where they stay within the interval of the loss.
    """
    shape, c = problem.shape, problem.configuration
    mean, stiffness = (np.array(np.broadcast_to(x, shape)) for x in (mean, stiffness))
    scale, margin = np.broadcast_to(c.weight_distance * dilation, shape), np.broadcast_to(c.margin, shape)
    if mean.size > _MOST_MEANS:
        curve = problem.ufm.loss.curve((0,) * len(shape), shape)
        if curve is not None:
            # No quadrature for analytic functions is good across an end of the interval.
            reach = scale * problem.spread.reach
            across = (margin - reach < curve.low) | (margin + reach > curve.high)
            stiffness[across & (scale > _NARROW)] = np.nan
        return mean, stiffness
    with precision(_BITS):
        for index in np.ndindex(shape):
            curve = problem.ufm.loss.curve(index, shape)
            if curve is not None and _NARROW < scale[index] < np.inf:
                proved = _proved_mean(curve, problem.spread, float(margin[index]), float(scale[index]))
                if proved is not None:
                    mean[index], stiffness[index] = proved
    return mean, stiffness


def _proved_mean(curve: Curve, spread: Spread, margin: float, scale: float) -> tuple[float, float] | None:
    from flint import arb

    found = _clean_mean(curve, spread, margin, arb(scale), _PATIENCE)
    if found is None:
        return None
    value, slope = found
    if _sharp(found, scale) and float(slope.rad()) <= 1e3 * _SHARP * abs(float(slope)):
        return float(value), float(slope) / scale
    return (float(value.upper()), np.nan) if value.is_finite() else (np.inf, np.nan)


def _numbers(problem: MemorizationDilation, c: Configuration, at: tuple[int, ...]) -> _Numbers:
    def one(value: Any) -> float:
        return float(np.broadcast_to(value, problem.shape)[at])

    return _Numbers(
        margin=one(c.margin),
        weight_distance=one(c.weight_distance),
        centre=one(c.centre_norm),
        noise=one(problem.noise),
        rate=one(problem.rate),
        decay=one(problem.decay),
        fixed=2.0 * one(problem.decay) * one((0.5 * c.mean_distance) ** 2 + c.centre_norm**2),
        cone=problem.nonnegative_noisy_features,
    )


class _Clean:
    """``F(r)``, without the decay of the class means, in balls."""

    def __init__(self, curve: Curve, spread: Spread, numbers: _Numbers) -> None:
        self.curve, self.spread, self.n = curve, spread, numbers
        self._known: dict[tuple[float, float], Cell] = {}
        self._effort = curve.effort

    @property
    def work(self) -> int:
        """Cells made so far; beyond the most where their integrals were too dear."""
        return len(self._known) if self.curve.effort < self._effort + _MAX_EFFORT else _MAX_DILATIONS + 1

    def mean(self, r: float) -> tuple[Any, Any] | None:
        """F and F' at r."""
        from flint import arb

        n = self.n
        found = _clean_mean(self.curve, self.spread, n.margin, arb(n.weight_distance) * arb(r))
        if found is None:
            return None
        mean, slope = found
        return 2 * mean + 2 * arb(n.decay) * arb(r) ** 2, 2 * arb(n.weight_distance) * slope + 4 * arb(n.decay) * arb(r)

    def cell(self, left: float, right: float) -> Cell:
        """A parabola below F on [left, right]."""
        key = left, right
        if key not in self._known:
            middle = 0.5 * (left + right)
            found = self.mean(middle) if self.work <= _MAX_DILATIONS else None
            slope, value = (-np.inf, np.inf), -np.inf
            if found is not None and found[0].is_finite() and found[1].is_finite():
                value, slope = _less(float(found[0].lower())), (float(found[1].lower()), float(found[1].upper()))
                slope = _less(slope[0]), -_less(-slope[1])
            self._known[key] = Cell(left, right, middle, value, slope, (self.bend(left, right), np.inf), -np.inf)
        return self._known[key]

    def bend(self, left: float, right: float) -> float:
        """A lower bound of F'' on [left, right]: the least curvature of the loss in each panel of the spread."""
        edges, masses = self._panels
        inner, outer = left * self.n.weight_distance * edges[:-1], right * self.n.weight_distance * edges[1:]
        s = self.n.margin
        least = self.curve.least_bend(s + inner, s + outer) + self.curve.least_bend(s - outer, s - inner)
        # Where nothing is known of the curvature, nothing is lost by a panel without mass.
        least = np.where(masses > 0, least, 0.0)
        second = float(np.sum(masses * least)) - 1e-12 * float(np.sum(masses * np.abs(least)))
        return float(self.n.weight_distance**2 * second / self.spread.dim + 4.0 * self.n.decay)

    @cached_property
    def _panels(self) -> tuple[FloatArray, FloatArray]:
        reach = min(self.spread.radius, 9.0 / np.sqrt(self.spread.dim)) * (1.0 + 1e-15)
        edges = np.linspace(0.0, reach, _PANELS + 1)
        edges[-1] = self.spread.radius if np.isfinite(self.spread.radius) else 40.0 / np.sqrt(self.spread.dim)
        return edges, np.diff(self.spread.second_moment(edges))


def _clean_mean(
    curve: Curve, spread: Spread, margin: float, scale: Any, patience: int = 20_000
) -> tuple[Any, Any] | None:
    """``E phi(margin + scale zeta)`` and ``E zeta phi'(margin + scale zeta)`` as balls; None where the spread has none.

    Panels of moments first, finer ones where the loss has features that are narrower, then integrals.
    """
    found, width = None, float(scale)
    for fine in (1.0, 4.0, 16.0):
        parts = _by_panels(curve, spread, margin, scale, width * fine)
        if parts is None:
            break
        found = parts
        if _sharp(parts, width):
            return found
    unit = _size(curve, margin, width)
    integrals = []
    for order in (0, 1):
        integrals.append(spread.mean_in_balls(_divided(curve.pieces(margin, scale, order, patience), unit)))
        if integrals[-1] is None or not integrals[-1].is_finite():
            return found
    parts = integrals[0] * unit, integrals[1] * unit
    return found if found is not None and not _sharp(parts, width) else parts


def _size(curve: Curve, margin: float, width: float) -> float:
    """A power of two of the size of the loss around the margin: tolerances of integrals and tails are relative to it."""
    size = sum(abs(curve.continued(margin + sign * width)) for sign in (-1.0, 0.0, 1.0))
    return float(2.0 ** np.clip(np.round(np.log2(size)), -1000, 1000)) if 0 < size < np.inf else 1.0


def _divided(pieces: list[Piece], unit: float) -> list[Piece]:
    def over(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda z: function(z) / unit

    return [Piece(piece.low, piece.high, over(piece.function)) for piece in pieces]


def _sharp(parts: tuple[Any, Any], width: float) -> bool:
    mean, slope = parts
    if not (mean.is_finite() and slope.is_finite()):
        return False
    size = abs(float(mean)) + width * abs(float(slope))
    return max(float(mean.rad()), width * float(slope.rad())) <= _SHARP * size


def _by_panels(curve: Curve, spread: Spread, margin: float, scale: Any, width: float) -> tuple[Any, Any] | None:
    """The mean and the slope from Taylor polynomials, where the spread is narrow enough for a few of them."""
    from flint import arb

    found = spread.panels(width)
    if found is None:
        return None
    panels, missed = found
    parts = curve.moments(margin, scale, panels)
    if parts is None or missed == 0.0:
        return parts
    ends = [curve.continued(margin + sign * 40.0 * float(scale)) for sign in (1.0, -1.0)]
    error = missed * (_size(curve, margin, float(scale)) + sum(abs(end) for end in ends))
    return parts[0] + arb(0.0, error), parts[1] + arb(0.0, error * 100.0)


def _branch(curve: Curve, clean: _Clean, n: _Numbers, answer: tuple[float, float], value: float) -> float:
    radius = _last_dilation(curve, clean, n, value)
    if not np.isfinite(radius):
        return -np.inf
    dilations = _dilation_cells(clean, answer[0], radius)
    margins = _margin_cells(curve, n, answer[1], radius)
    hint = clean.mean(max(answer[0], 0.0))
    multiplier = max(float(hint[1]), 0.0) if hint is not None else 0.0
    size = (
        abs(value)
        + 2.0 * n.noise * abs(float(curve.at(float(np.clip(answer[1], curve.low, curve.high)))[0]))
        + 2.0 * n.fixed
    )
    goal = value - _CLOSED * size
    rows, columns = (index.ravel() for index in np.indices((len(dilations), len(margins))))
    done, lowest = 0, np.inf
    while rows.size:
        f, phi = _Pieces.of(dilations), _Pieces.of(margins)
        with np.errstate(invalid="ignore", over="ignore"):
            bound, split_r = _bounds(f, phi, n, rows, columns, multiplier, goal)
        open_ = bound < goal
        lowest = min(lowest, float(np.min(bound[~open_], initial=np.inf)))
        rows, columns, split_r, bound = rows[open_], columns[open_], split_r[open_], bound[open_]
        done += bound.size
        if done > _MAX_CELLS or clean.work > _MAX_DILATIONS:
            return min(lowest, float(np.min(bound, initial=np.inf)))
        rows, columns = _halved(clean, curve, dilations, margins, rows, columns, split_r)
        if rows.size and np.any(rows < 0):
            return min(lowest, float(np.min(bound, initial=np.inf)))
    return lowest if np.isfinite(lowest) else -np.inf


def _bounds(
    f: _Pieces, phi: _Pieces, n: _Numbers, rows: Any, columns: Any, multiplier: float, goal: float
) -> tuple[FloatArray, Any]:
    """The best bound of each cell, and whether r rather than t makes it loose."""
    own = np.maximum(0.5 * (f.slope_low[rows] + f.slope_high[rows]), 0.0)
    best, split_r = np.full(rows.shape, -np.inf), np.zeros(rows.shape, dtype=bool)
    # What no feature within the ball reaches is empty.
    w = np.minimum(np.abs(phi.left[columns] + n.margin), np.abs(phi.right[columns] + n.margin))
    w = np.where((phi.left[columns] + n.margin) * (phi.right[columns] + n.margin) < 0, 0.0, w)
    empty = w * (1.0 - 1e-14) > n.weight_distance / (n.noise * n.rate) * f.right[rows] * (1.0 + 1e-14)
    for theta in (np.zeros(rows.shape), own, np.full(rows.shape, multiplier)):
        bound, slack_r, slack_t = _bound(f, phi, n, rows, columns, theta)
        better = bound > best
        best = np.where(better, bound, best)
        if not np.any(theta):
            untilted = slack_r > slack_t
        # Where the two parabolas explain what is missing, the worse of them is halved; else the multiplier does not fit
        # the whole cell, and what varies more without one.
        choice = np.where(slack_r + slack_t > 0.3 * (goal - bound), slack_r > slack_t, untilted)
        split_r = np.where(better, choice, split_r)
    return np.where(empty, np.inf, best), split_r


def _bound(
    f: _Pieces, phi: _Pieces, n: _Numbers, rows: Any, columns: Any, theta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    kap, t = n.weight_distance, phi.middle[columns]
    along = (t + n.margin) / kap
    force = theta * n.noise * n.rate
    level = _level(n, along, force)
    edge = np.abs(t) / kap
    outside = (level < edge) if n.cone else np.zeros(t.shape, dtype=bool)
    level = np.where(outside, edge, level)
    length = np.hypot(along, level - n.centre)
    safe = np.where(length > 0, length, 1.0)
    e_1, e_2 = along / safe * (1.0 - 1e-15), (level - n.centre) / safe * (1.0 - 1e-15)
    stiff = 2.0 * n.noise * n.decay
    v = np.where(outside, np.maximum(2.0 * stiff * level + force * e_2, 0.0), 0.0)
    side = np.where(t >= 0, 1.0, -1.0)
    low_r, mid_r = f.least(rows, 1.0, -theta, 0.0)
    low_t, mid_t = phi.least(columns, 2.0 * n.noise, (force * e_1 + v * side) / kap, stiff / kap**2)
    pull = force * e_2 - v
    if stiff > 0:
        best = np.maximum(-pull / (2.0 * stiff), 0.0)
        across = stiff * best**2 + pull * best
    else:
        across = np.where(np.abs(pull) <= 1e-15 * force, 0.0, np.where(pull < 0, -np.inf, 0.0))
    rest = across - force * e_2 * n.centre + force * e_1 * n.margin / kap + n.fixed
    rounding = _ROUNDING * (np.abs(across) + force * (n.centre + n.margin / kap) + n.fixed)
    return low_r + low_t + rest - rounding, mid_r - low_r, mid_t - low_t


def _level(n: _Numbers, along: FloatArray, force: FloatArray) -> FloatArray:
    """The level that minimises ``2 eta lam l^2 + force |(along, l - m)|``: any other only loosens the bound."""
    if n.centre == 0.0:
        return np.zeros(along.shape)
    if n.decay == 0.0:
        return np.full(along.shape, n.centre)
    low, high = np.zeros(along.shape), np.full(along.shape, n.centre)
    for _ in range(40):
        middle = 0.5 * (low + high)
        length = np.hypot(along, middle - n.centre)
        rising = 4.0 * n.noise * n.decay * middle * length > force * (n.centre - middle)
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return np.asarray(0.5 * (low + high))


def _halved(
    clean: _Clean, curve: Curve, dilations: list[Cell], margins: list[Cell], rows: Any, columns: Any, split_r: Any
) -> tuple[Any, Any]:
    """The halves of all cells, as indices; the lists grow. An index of -1 says that a cell is too small to halve."""
    halves_r: dict[int, tuple[int, int]] = {}
    halves_t: dict[int, tuple[int, int]] = {}
    new_rows: list[int] = []
    new_columns: list[int] = []
    for row, column, along_r in zip(rows.tolist(), columns.tolist(), split_r.tolist(), strict=True):
        if along_r:
            if row not in halves_r:
                halves_r[row] = _pair(dilations, dilations[row], clean.cell)
            new_rows += halves_r[row]
            new_columns += [column, column]
        else:
            if column not in halves_t:
                halves_t[column] = _pair(margins, margins[column], curve.continued_cell)
            new_rows += [row, row]
            new_columns += halves_t[column]
    return np.array(new_rows, dtype=int), np.array(new_columns, dtype=int)


def _pair(cells: list[Cell], cell: Cell, make: Any) -> tuple[int, int]:
    if not cell.left < cell.middle < cell.right:
        return -1, -1
    cells += [make(cell.left, cell.middle), make(cell.middle, cell.right)]
    return len(cells) - 2, len(cells) - 1


def _last_dilation(curve: Curve, clean: _Clean, n: _Numbers, value: float) -> float:
    """A dilation beyond which nothing is better than the answer; inf where that is not known.

    Below the loss lies its least value on the interval, continued by its tangents.
    """
    kap, spread = n.weight_distance, clean.spread.mean_absolute
    a, b = curve.tails
    floor = min(curve.minimum(0.0, 0.0, curve.high).bound, curve.minimum(0.0, curve.low, 0.0).bound)
    constant = (
        (2.0 + 2.0 * n.noise) * floor
        + n.fixed
        - max(-a, 0.0) * (n.margin - curve.low)
        - max(b, 0.0) * (curve.high - n.margin)
    )
    # What a noisy margin beyond the interval may gain grows with the room that the dilation gives.
    linear = kap * spread * (b - a) + min(0.0, 2.0 * b * kap / n.rate) - max(0.0, 2.0 * a * kap / n.rate)
    missing = max(value - constant, 0.0) + 1e-9 * (abs(value) + abs(constant))
    square = 2.0 * n.decay
    if square > 0:
        root = np.sqrt(linear**2 + 4.0 * square * missing)
        # The larger root, without cancellation.
        return float(1.001 * (2.0 * missing / (linear + root) if linear > 0 else (root - linear) / (2.0 * square)))
    return float(1.001 * missing / linear) if linear > 0 else np.inf


def _dilation_cells(clean: _Clean, r: float, radius: float) -> list[Cell]:
    start = r if 0 < r < radius else radius * 2.0**-30
    edges = [0.0, 0.25 * start, 0.5 * start, 0.8 * start, 1.25 * start]
    edge = 2.0 * start
    while edge < radius:
        edges.append(edge)
        edge *= 2.0 if len(edges) < 60 else 16.0
    edges = [e for e in edges if e < radius] + [radius]
    return [clean.cell(float(a), float(b)) for a, b in pairwise(edges)]


def _margin_cells(curve: Curve, n: _Numbers, t: float, radius: float) -> list[Cell]:
    reach = n.weight_distance * radius / (n.noise * n.rate)
    low, high = -n.margin - reach, -n.margin + reach
    inner = np.linspace(max(low, curve.low), min(high, curve.high), _FIRST_MARGINS + 1)
    special = [low, high, -n.margin, t - 0.3, t + 0.3, 0.0, curve.low, curve.high]
    edges = np.unique(np.concatenate([inner, [x for x in special if low <= x <= high]]))
    return [curve.continued_cell(float(a), float(b)) for a, b in pairwise(edges)]


def _less(value: float) -> float:
    return float(np.nextafter(value, -np.inf))
