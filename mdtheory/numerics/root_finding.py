"""Roots of many functions of one variable at once, each with a proof that a sign changes there."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray

_MAX_STEPS = 60


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
        A root is done when the function changes sign within this distance of it.

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
        x1, x2, x3, f1, f2, f3, gap, at = (a[keep] for a in (x1, x2, x3, f1, f2, f3, gap, at))
        share = _next_share((x1, x2, x3), (f1, f2, f3))
        # Where the end nearer to the root looks close enough, the other end is brought close to it: a proof.
        probe = np.minimum(0.8 * tolerance / np.abs(x2 - x1), 0.5)
        probe = np.where(at == x1, probe, 1.0 - probe)
        share = np.where(gap <= 0.2 * tolerance, probe, share)
    return root, value, error


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
        slopes = [np.abs((f[0] - g) / (x[0] - y)) for g, y in zip(f[1:], x[1:], strict=True)]
        gap = np.minimum(np.abs(best) / np.minimum(*slopes), width)
    gap = np.where(best == 0, 0.0, np.where(np.isfinite(gap), gap, width))
    return best, at, gap, (width <= tolerance) | (best == 0)


def _next_share(x: tuple[FloatArray, ...], f: tuple[FloatArray, ...]) -> FloatArray:
    """Inverse quadratic interpolation where it is trustworthy, else halving."""
    (x1, x2, x3), (f1, f2, f3) = x, f
    with np.errstate(all="ignore"):
        xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
        trusted = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        quadratic = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
        share = np.where(trusted & np.isfinite(quadratic), quadratic, 0.5)
    return np.clip(share, 1e-12, 1.0 - 1e-12)
