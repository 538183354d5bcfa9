r"""Global minima of smooth functions of one variable, by branch and bound in ball arithmetic.

On a cell of middle m and half-width h the Taylor coefficients :math:`c_j` at m and over the cell, as balls, give

.. math:: \varphi''(m+\delta) \in 2c_2 + 6c_3\delta + Q\delta^2, \qquad
          \varphi(m+\delta) \ge \varphi(m) + \varphi'(m)\delta + \tfrac12 b\,\delta^2,

with Q a ball and b the least value of the first on the cell. The second bound is a parabola, whose minimum is known; a
tilt ``k t`` only moves its slope, so that a cell serves every k. Cells whose bound lies below the best value found are
halved. Where b >= 0 on neighbouring cells the tangent at the minimiser bounds all of them at once, exactly.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.decimals import with_rationals
from mdtheory.numerics.straight_line import straight_line

if TYPE_CHECKING:
    import sympy

_BITS = 128
_ORDER = 10
_FIRST_CELLS = 256
_BEND_CELLS = 512
_MAX_CELLS = 60_000
_INTEGRALS = 64
# Longer second derivatives are not brought to one fraction: that could take long.
_FACTORED_OPERATIONS = 60
# Cells narrower than this share of the interval are not halved: balls tell their values apart no longer.
_NARROWEST = 2.0**-70
# Curvatures above minus this share of their own size on the cell count as zero: with cells no wider than an eighth
# the function then departs from a convex one by less than a rounding error of its size there.
_CONVEX_SLACK = 1e-13
# The bound is called closed at this share of the value's own terms.
_CLOSED = 1e-13
# Sums of a few doubles, each rounded: four times what they can lose.
_ROUNDING = 3e-15


@dataclass(frozen=True, slots=True)
class Cell:
    """What balls say of a function on ``[left, right]``, in doubles rounded outwards."""

    left: float
    right: float
    middle: float
    value: float
    slope: tuple[float, float]
    bend: tuple[float, float]
    least: float

    @property
    def half(self) -> float:
        """Half the width, rounded up."""
        return float(np.nextafter(max(self.right - self.middle, self.middle - self.left), np.inf))


@dataclass(frozen=True, slots=True)
class Minimum:
    """A minimiser that was found, and a number that no value lies below.

    Attributes
    ----------
    argument, value : float
    bound : float
        Proved: at most the infimum; -inf where there is none.
    """

    argument: float
    value: float
    bound: float


class Curve:
    """A smooth function of one variable, from a sympy expression, with the cells on which it is known."""

    def __init__(
        self,
        expression: "sympy.Expr",
        symbol: "sympy.Symbol",
        interval: tuple[float, float],
        tails: tuple[float, float] | None = None,
    ) -> None:
        self.low, self.high = interval
        self._expand = _expansion(expression, symbol)
        self._functions = [_ball_function(form, symbol) for form in (expression, expression.diff(symbol))]
        self._form = expression, symbol
        self._tails = tails
        #: Evaluations of integrands and panels so far: what a caller's patience is measured in.
        self.effort = 0
        self._cells: list[Cell] = []
        self._table: dict[str, FloatArray] | None = None

    def at(self, argument: float) -> tuple[Any, Any, Any]:
        """Balls around the value, the slope and the curvature at a double."""
        with precision(_BITS):
            c = self._expand(argument, 0.0)
            return c[0], c[1], 2 * c[2]

    @cached_property
    def tails(self) -> tuple[float, float]:
        """The slopes with which the function is continued by lines, left and right of the interval."""
        if self._tails is not None:
            return self._tails
        return float(self.at(self.low)[1]), float(self.at(self.high)[1])

    def continued(self, argument: float) -> float:
        """The function, within the interval or on the lines beyond it, as a double."""
        inside = min(max(argument, self.low), self.high)
        slope = self.tails[0] if argument < self.low else self.tails[1]
        return float(self.at(inside)[0]) + slope * (argument - inside)

    def moments(self, centre: float, scale: Any, panels: "Sequence[Panel]") -> tuple[Any, Any] | None:
        """``E phi(centre + scale z)`` and ``E z phi'(centre + scale z)`` from moments of z; None across an end."""
        value, slope = _arb(0.0), _arb(0.0)
        self.effort += 10 * len(panels)
        powers = [_arb(1.0)]
        for _ in range(_ORDER):
            powers.append(powers[-1] * scale)
        last = _ORDER - 1
        for panel in panels:
            at = _arb(centre) + scale * panel.centre
            radius = _up(scale * panel.half * _arb(1.0 + 1e-12))
            middle = float(at)
            if middle - radius < self.low or middle + radius > self.high:
                ends = (self.low, self.tails[0]), (self.high, self.tails[1])
                if self.low < middle + radius and middle - radius < self.high:
                    return None
                end, tail = ends[0] if middle < self.low else ends[1]
                level = self.at(end)[0] + _arb(tail) * (at - _arb(end))
                value += level * panel.moments[0] + _arb(tail) * scale * panel.moments[1]
                slope += _arb(tail) * (panel.centre * panel.moments[0] + panel.moments[1])
                continue
            c, over = self._expand(at, 0.0), self._expand(at, radius)
            m = panel.moments
            for k in range(last):
                value += c[k] * powers[k] * m[k]
                if k:
                    slope += k * c[k] * powers[k - 1] * (panel.centre * m[k - 1] + m[k])
            rest, error = over[last].mid(), _arb(0.0, 1.0) * over[last].rad()
            value += powers[last] * (rest * m[last] + error * panel.half * m[last - 1])
            reach = panel.centre * m[last - 1] + m[last]
            slope += last * powers[last - 1] * (rest * reach + error * (abs(panel.centre) + panel.half) * m[last - 1])
        return value, slope

    def pieces(self, centre: float, scale: Any, order: int, patience: int = 20_000) -> list["Piece"]:
        """``phi(centre + scale z)``, for order 1 ``z phi'(centre + scale z)``, as functions of z in complex balls.

        Not a number after so many evaluations as `patience`.
        """
        from flint import acb

        middle, start = _arb(centre), self.effort
        function = self._functions[order]

        def inside(z: Any) -> Any:
            self.effort += 1
            if self.effort - start > patience:
                return acb("nan")
            value = function(middle + scale * z)
            return z * value if order else value

        if scale == 0:
            return [Piece(-np.inf, np.inf, inside)]
        # Each part has its own share of patience: a narrow feature uses up only that of its neighbourhood.
        ends = [(_arb(float(end)) - middle) / scale for end in np.linspace(self.low, self.high, _INTEGRALS + 1)]
        parts = [Piece(a, b, inside) for a, b in pairwise(ends)]
        for end, slope in zip((self.low, self.high), self.tails, strict=True):
            level = self.at(end)[0] if order == 0 else _arb(0.0)
            parts.append(_line(end, level, slope, middle, scale, order, left=end == self.low))
        return parts

    def least_bend(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """A lower bound of the curvature on the intervals [low, high]: zero beyond the function's own."""
        edges, bends = self._bends
        first = np.clip(np.searchsorted(edges, low, side="right") - 1, 0, bends.shape[1] - 1)
        last = np.clip(np.searchsorted(edges, high, side="left") - 1, first, bends.shape[1] - 1)
        level = np.floor(np.log2(last - first + 1.0)).astype(int)
        least = np.minimum(bends[level, first], bends[level, last - 2**level + 1])
        least = np.where((low < self.low) | (high > self.high), np.minimum(least, 0.0), least)
        return np.where((high < self.low) | (low > self.high), 0.0, least)

    @cached_property
    def _bends(self) -> tuple[FloatArray, FloatArray]:
        """Cells of equal width, and the least curvature on every run of 2^k of them that starts at each."""
        edges = np.linspace(self.low, self.high, _BEND_CELLS + 1)
        with precision(_BITS):
            row = np.array([self.cell(float(a), float(b)).bend[0] for a, b in pairwise(edges)])
        rows, step = [row], 1
        while 2 * step <= row.size:
            shifted = np.append(rows[-1][step:], np.full(step, np.inf))
            rows.append(np.minimum(rows[-1], shifted))
            step *= 2
        return edges, np.array(rows)

    def continued_cell(self, left: float, right: float) -> Cell:
        """A cell within the interval or beyond one of its ends, where the function is a line."""
        if left >= self.low and right <= self.high:
            return self.cell(left, right)
        end, slope = (self.low, self.tails[0]) if right <= self.low else (self.high, self.tails[1])
        middle = 0.5 * (left + right)
        value = self.at(end)[0] + _arb(slope) * (_arb(middle) - _arb(end))
        return Cell(left, right, middle, _down(value), (slope, slope), (0.0, 0.0), -np.inf)

    def is_convex(self) -> bool:
        """Whether the curvature is proved nonnegative on the whole interval; what is not decided is not proved.

        The slack follows the size of the curvature on the cell at hand.
        """
        with precision(_BITS):
            edges = np.linspace(self.low, self.high, 2 * _FIRST_CELLS + 1)
            for point in edges:
                if 2 * self._expand(float(point), 0.0)[2] < 0:
                    return False
            stack = [(float(a), float(b)) for a, b in pairwise(edges)]
            for _ in range(_MAX_CELLS):
                if not stack:
                    return True
                left, right = stack.pop()
                cell = self.cell(left, right)
                if np.isfinite(cell.bend[0]) and cell.bend[0] >= -_CONVEX_SLACK * abs(cell.bend[1]):
                    continue
                # Where the curvature is tiny next to the function, the series over a cell sees only its own dependency.
                if self._bend(_arb(cell.middle, cell.half)) >= 0:
                    continue
                if not left < cell.middle < right or 2 * self._expand(cell.middle, 0.0)[2] < 0:
                    return False
                stack += [(left, cell.middle), (cell.middle, right)]
        return False

    @cached_property
    def _bend(self) -> Callable[[Any], Any]:
        """The curvature over a ball, from its factored form."""
        function = straight_line(_factored_bend(*self._form), self._form[1])
        return lambda ball: function(ball) + _arb(0.0)

    def minimum(self, tilt: float, low: float, high: float) -> Minimum:
        """The least value of ``phi(t) + tilt t`` on ``[low, high]``, both of them ends of the interval or 0.

        Parameters
        ----------
        tilt : float
        low, high : float

        Returns
        -------
        Minimum
        """
        with precision(_BITS):
            for _ in range(60):
                table = self._tabulated()
                part = (table["left"] >= low) & (table["right"] <= high)
                lower = self._bounds(table, tilt)
                best, covered = self._best(table, tilt, lower, part)
                found, tangent = self._tangent(table, tilt, best, covered)
                tolerance = _CLOSED * (abs(found) + abs(tilt * best)) + 1e-300
                open_ = part & ~covered & (lower < found - tolerance)
                if not np.any(open_) or table["left"].size > _MAX_CELLS or not self._split(np.flatnonzero(open_)):
                    break
            rest = lower[part & ~covered]
            return Minimum(best, found, float(min(tangent, np.min(rest, initial=np.inf))))

    def cells(self) -> dict[str, FloatArray]:
        """All cells known so far, in order, as columns."""
        with precision(_BITS):
            return self._tabulated()

    def refine(self, indices: NDArray[np.intp]) -> bool:
        """Halve cells; whether there was anything to halve."""
        with precision(_BITS):
            self._tabulated()
            return self._split(indices)

    def _best(
        self, table: dict[str, FloatArray], tilt: float, lower: FloatArray, part: NDArray[np.bool_]
    ) -> tuple[float, NDArray[np.bool_]]:
        """The best argument, and the cells of its convex neighbourhood."""
        value = table["value"] + tilt * table["middle"]
        candidates = []
        # Where the value is least, and where it may be.
        for at in {int(np.argmin(np.where(part, column, np.inf))) for column in (value, lower)}:
            run = self._convex_run(table, at, part)
            inside = np.flatnonzero(run) if run[at] else np.array([at])
            low, high = float(table["left"][inside[0]]), float(table["right"][inside[-1]])
            argument, found = self._polished(tilt, low, high, float(table["middle"][at]))
            candidates.append((found, argument, run))
        _, argument, run = min(candidates, key=lambda candidate: candidate[:2])
        return argument, run

    def _polished(self, tilt: float, low: float, high: float, start: float) -> tuple[float, float]:
        """An end of [low, high], or the zero of ``phi' + tilt`` inside by safeguarded Newton, or the start; the value."""
        point = min(max(start, low), high)
        left, right = low, high
        for _ in range(80):
            c = self._expand(point, 0.0)
            slope, bend = float(c[1]) + tilt, 2.0 * float(c[2])
            if slope == 0.0 or not np.isfinite(slope):
                break
            if slope > 0:
                right = point
            else:
                left = point
            new = point - slope / bend if bend > 0 else 0.5 * (left + right)
            if not left <= new <= right:
                new = left if (slope > 0 and left == point) else 0.5 * (left + right)
            if abs(new - point) <= 2e-16 * abs(new):
                point = new
                break
            point = new
        candidates = [low, high, point, start]
        values = [float(self._expand(c, 0.0)[0] + tilt * _arb(c)) for c in candidates]
        best = int(np.nanargmin(values))
        return candidates[best], values[best]

    def _tangent(
        self, table: dict[str, FloatArray], tilt: float, argument: float, run: NDArray[np.bool_]
    ) -> tuple[float, float]:
        """The value at the argument, and the least value of its tangent over the cells of the run."""
        c = self._expand(argument, 0.0)
        value = c[0] + tilt * _arb(argument)
        if not np.any(run):
            return _up(value), np.inf
        slope = c[1] + tilt
        ends = [float(table["left"][run][0]), float(table["right"][run][-1])]
        # Curvatures that count as zero may be below it: allow for them.
        sag = _arb(float(np.min(np.minimum(table["bend_low"][run], 0.0)))) * _arb(ends[1] - ends[0]) ** 2 / 2
        return _up(value), min(_down(value + slope * (_arb(end) - argument) + sag) for end in ends)

    def _convex_run(self, table: dict[str, FloatArray], at: int, part: NDArray[np.bool_]) -> NDArray[np.bool_]:
        good = part & np.isfinite(table["bend_low"])
        good &= table["bend_low"] >= -_CONVEX_SLACK * np.abs(table["bend_high"])
        run = np.zeros(good.shape, dtype=bool)
        if good[at]:
            bad = np.flatnonzero(~good)
            place = int(np.searchsorted(bad, at))
            start = bad[place - 1] + 1 if place else 0
            stop = bad[place] if place < bad.size else good.size
            run[start:stop] = True
        return run

    def _bounds(self, table: dict[str, FloatArray], tilt: float) -> FloatArray:
        """A lower bound of the tilted function on every cell."""
        half, low, high = table["half"], table["slope_low"] + tilt, table["slope_high"] + tilt
        with np.errstate(all="ignore"):
            dip = parabola_minimum(low, high, table["bend_low"], half)
            reach = half * np.maximum(np.abs(low), np.abs(high))
            size = np.abs(table["value"]) + np.abs(tilt * table["middle"]) + reach + np.abs(dip)
            parabola = table["value"] + tilt * table["middle"] + dip - _ROUNDING * size
            line = np.minimum(tilt * table["left"], tilt * table["right"])
            flat = table["least"] + line - _ROUNDING * (np.abs(table["least"]) + np.abs(line))
            return np.fmax(np.where(np.isnan(parabola), -np.inf, parabola), flat)

    def _tabulated(self) -> dict[str, FloatArray]:
        if not self._cells:
            edges = np.linspace(self.low, self.high, _FIRST_CELLS + 1)
            edges = np.unique(np.append(edges, 0.0))
            self._cells = [self.cell(float(a), float(b)) for a, b in pairwise(edges)]
            self._table = None
        if self._table is None:
            c = self._cells
            rows = {
                "left": [x.left for x in c], "right": [x.right for x in c], "middle": [x.middle for x in c],
                "half": [x.half for x in c], "value": [x.value for x in c], "least": [x.least for x in c],
                "slope_low": [x.slope[0] for x in c], "slope_high": [x.slope[1] for x in c],
                "bend_low": [x.bend[0] for x in c], "bend_high": [x.bend[1] for x in c],
            }  # fmt: skip
            self._table = {name: np.array(row) for name, row in rows.items()}
        return self._table

    def _split(self, indices: NDArray[np.intp]) -> bool:
        chosen, cells, changed = set(indices.tolist()), [], False
        for i, cell in enumerate(self._cells):
            wide = cell.right - cell.left > _NARROWEST * (self.high - self.low)
            if i in chosen and wide and cell.left < cell.middle < cell.right:
                cells += [self.cell(cell.left, cell.middle), self.cell(cell.middle, cell.right)]
                changed = True
            else:
                cells.append(cell)
        self._cells, self._table = cells, None
        return changed

    def cell(self, left: float, right: float) -> Cell:
        """What is known on a part of the interval, in the precision of the caller."""
        middle = 0.5 * (left + right)
        half = float(np.nextafter(max(right - middle, middle - left), np.inf))
        c, over = self._expand(middle, 0.0), self._expand(middle, half)
        low, high = _curvature_range(c, over, half)
        return Cell(
            left, right, middle, _down(c[0]), (_down(c[1]), _up(c[1])), (low, high), _down(over[0])
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """Part of a law of z: an interval ``centre +- half`` and the moments about its centre, all balls."""

    centre: Any
    half: Any
    moments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A function of z on an interval of the real line, whose ends are balls or infinite."""

    low: Any
    high: Any
    function: Callable[[Any], Any]


def _line(end: float, level: Any, slope: float, middle: Any, scale: Any, order: int, *, left: bool) -> Piece:
    """The continuation beyond an end, as `Curve.pieces` has it."""
    start = (_arb(end) - middle) / scale

    def beyond(z: Any) -> Any:
        return z * _arb(slope) if order else level + _arb(slope) * (middle + scale * z - _arb(end))

    return Piece(-np.inf, start, beyond) if left else Piece(start, np.inf, beyond)


def parabola_minimum(low: FloatArray, high: FloatArray, bend: FloatArray, half: FloatArray) -> FloatArray:
    """The least of ``s d + bend d^2/2`` over ``|d| <= half`` and slopes s from `low` to `high`."""
    slope = np.maximum(np.abs(low), np.abs(high))
    with np.errstate(all="ignore"):
        inside = (bend > 0) & (slope < bend * half)
        return np.where(inside, -0.5 * slope**2 / bend, -slope * half + 0.5 * bend * half**2)


def _curvature_range(c: list[Any], over: list[Any], half: float) -> tuple[float, float]:
    """Bounds of phi'' on a cell, from the Taylor coefficients at its middle and over it."""
    step = _arb(0.0, half)
    last = _ORDER - 1
    rest = last * (last - 1) * over[last]
    for j in range(last - 1, 3, -1):
        rest = rest * step + j * (j - 1) * c[j]
    constant, linear = 2 * c[2], 6 * c[3]
    low = max(_quadratic_low(constant, linear, rest.lower(), half), _down(2 * over[2]))
    high = min(-_quadratic_low(-constant, -linear, (-rest).lower(), half), _up(2 * over[2]))
    return low, high


def _quadratic_low(constant: Any, linear: Any, square: Any, half: float) -> float:
    """The least value of ``constant + linear d + square d^2`` for ``|d| <= half``."""
    if not (constant.is_finite() and linear.is_finite() and square.is_finite()):
        return -np.inf
    if square > 0 and not abs(linear) >= 2 * square * half:
        return _down(constant - linear**2 / (4 * square))
    h = _arb(half)
    return min(_down(constant + linear * h + square * h * h), _down(constant - linear * h + square * h * h))


def _expansion(expression: "sympy.Expr", symbol: "sympy.Symbol") -> Callable[[float, float], list[Any]]:
    """A function from a middle and a radius to the Taylor coefficients, as balls, for every point of that ball."""
    from flint import arb, arb_series

    evaluate, zero = straight_line(_in_exponentials(expression), symbol), arb(0)

    def expand(middle: Any, radius: float) -> list[Any]:
        ball = arb(middle) + arb(0.0, radius) if radius else arb(middle)
        series = evaluate(arb_series([ball, 1], prec=_ORDER))
        if not isinstance(series, arb_series):
            return [series] + [zero] * (_ORDER - 1)
        coefficients = list(series.coeffs())
        return coefficients + [zero] * (_ORDER - len(coefficients))

    return expand


def _ball_function(expression: "sympy.Expr", symbol: "sympy.Symbol") -> Callable[[Any], Any]:
    return straight_line(_in_exponentials(expression), symbol)


def _factored_bend(expression: "sympy.Expr", symbol: "sympy.Symbol") -> "sympy.Expr":
    """The second derivative, each short term of the expression as one fraction: ``e^-t/(1 + e^-t)^2``, of one sign at sight."""
    import sympy as sp

    parts = []
    for term in sp.Add.make_args(_in_exponentials(expression)):
        bend = term.diff(symbol, 2)
        # Exponentials of anything but a line would be multiplied out: numbers of any size for balls.
        lines = all(part.args[0].diff(symbol, 2) == 0 for part in bend.atoms(sp.exp))
        if lines and bend.count_ops() <= _FACTORED_OPERATIONS:
            with suppress(sp.PolynomialError):  # as it stands it is right, if less sharp
                bend = sp.factor(sp.together(bend))
        parts.append(bend)
    return sp.Add(*parts)


def _in_exponentials(expression: "sympy.Expr") -> "sympy.Expr":
    """The expression with rational numbers for decimals, and without hyperbolic functions, which have no series."""
    import sympy as sp

    u = sp.Wild("u")
    for function, form in (
        (sp.tanh, 1 - 2 / (1 + sp.exp(2 * u))),
        (sp.sinh, (sp.exp(u) - sp.exp(-u)) / 2),
        (sp.cosh, (sp.exp(u) + sp.exp(-u)) / 2),
    ):
        expression = expression.replace(function(u), form)
    return with_rationals(expression)


def _arb(middle: float, radius: float = 0.0) -> Any:
    from flint import arb

    return arb(middle, radius)


def _down(ball: Any) -> float:
    end = ball.lower()
    low = float(end)
    return -np.inf if np.isnan(low) else low if _arb(low) <= end else float(np.nextafter(low, -np.inf))


def _up(ball: Any) -> float:
    end = ball.upper()
    high = float(end)
    return np.inf if np.isnan(high) else high if _arb(high) >= end else float(np.nextafter(high, np.inf))
