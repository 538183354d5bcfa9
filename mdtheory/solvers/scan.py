"""The memorization-dilation problem of a loss that is not convex: every stationary point, and the best of them."""

import numpy as np

from mdtheory.expectation import mean_loss
from mdtheory.solvers.reduced import Points
from mdtheory.validation import FloatArray

_GRID = 801


def scan_points(points: Points) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level of the best stationary point, at a block of points.

    The noisy margin t determines its multiplier, ``nu = -(lam t + kap^2 phi'(t)/2)/(t + s)``, with or without
    convexity. Stationary points are the sign changes of ``F'(r) - 4 nu rho/c`` over ``t + s > 0``: a grid that is
    logarithmic at both ends finds them, bisection refines them, and their objectives decide.
    """
    columns = [_best(points.take(slice(i, i + 1))) for i in range(points.s.size)]
    return tuple(np.array(column) for column in zip(*columns, strict=True))


def _best(point: Points) -> tuple[float, float, float, float]:
    if point.constrained:
        candidates = [*_stationary(point, face=False), *_stationary(point, face=True)]
    else:
        candidates = _stationary(point, face=False)
    values = [_objective(point, *candidate) for candidate in candidates]
    return candidates[int(np.argmin(values))]


def _stationary(point: Points, *, face: bool) -> list[tuple[float, float, float, float]]:
    end = _last_margin(point, face)
    start = np.array(0.0) if face else -point.s[0]
    width = float(end - start)
    ends = np.geomspace(1e-12, 0.5, _GRID // 2)
    grid = start + width * np.concatenate([ends, 1.0 - ends[::-1][1:]])
    residual, _ = _residual(_repeat(point, grid.size), grid, face)
    good = np.isfinite(residual)
    grid, residual = grid[good], residual[good]
    crossing = np.flatnonzero((residual[:-1] < 0) & (residual[1:] >= 0))
    low, high = grid[crossing], grid[crossing + 1]
    # Without a crossing the objective falls all the way: the end of the range is the limit point.
    if crossing.size == 0:
        low = high = grid[-1:]
    copies = _repeat(point, low.size)
    for _ in range(80):
        middle = 0.5 * (low + high)
        below = _residual(copies, middle, face)[0] < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    t = 0.5 * (low + high)
    _, (rho, level) = _residual(copies, t, face)
    keep = np.ones(t.shape, dtype=bool)
    if point.constrained and not face:
        keep = level >= t / point.kap - 1e-12
    r = point.eta * point.c * rho
    rows = zip(r[keep], rho[keep], t[keep], level[keep], strict=True)
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in rows]


def _residual(points: Points, t: FloatArray, face: bool) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    slope = points.loss.profile_derivative(t)
    if face:
        c = points.kap / np.sqrt(2.0)
        nu = np.maximum(-points.lam - 0.5 * c**2 * slope / t, 0.0)
        rho, level = np.hypot(points.distance / np.sqrt(2.0), t / c), t / points.kap
    else:
        w = t + points.s
        nu = np.maximum(-(points.lam * t + 0.5 * points.kap**2 * slope) / w, 0.0)
        total = points.lam + nu
        drop = np.where(total > 0, points.lam / np.where(total > 0, total, 1.0), 0.0) * points.centre
        rho, level = np.hypot(w / points.kap, drop), points.centre - drop
    first, _ = points.slope(points.eta * points.c * rho)
    return first - 4.0 * nu * rho / points.c, (rho, level)


def _last_margin(point: Points, face: bool) -> float:
    """A margin beyond which the multiplier is negative, or negligible."""
    stiff = 0.5 * point.kap[0] ** 2 * (0.5 if face else 1.0)
    t = 1.0
    while t < 700.0 and point.lam[0] * t + stiff * float(point.loss.profile_derivative(np.array([t]))[0]) < 0:
        t *= 1.25
    return t


def _objective(point: Points, r: float, rho: float, t: float, level: float) -> float:
    clean = 2.0 * float(mean_loss(point.loss, point.spread, point.s, point.kap * r)[0]) + 2.0 * point.lam[0] * r**2
    noisy = float(point.loss.profile(np.array([t]))[0]) + point.lam[0] * ((t / point.kap[0]) ** 2 + level**2)
    return float(clean + 2.0 * point.eta[0] * noisy)


def _repeat(point: Points, count: int) -> Points:
    return point.take(np.zeros(count, dtype=np.intp))
