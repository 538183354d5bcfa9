"""Vectorised bracketing for the scalar equations of the losses."""

from collections.abc import Callable

import numpy as np

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import FloatArray

# Roots are found to a relative width of two roundings, but never finer than for a root of this size.
_SMALLEST = 1e-6


def bisect(function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """The root of a function that changes from negative to positive once in ``[low, high]``, elementwise.

    ITP-like: regula falsi with the Illinois correction, secured by a bisection every third step. An entry that has
    converged is left alone, so that its value does not depend on its neighbours.
    """
    low, high = (np.array(x, dtype=np.float64) for x in np.broadcast_arrays(low, high))
    f_low, f_high = (np.array(np.broadcast_to(function(x), x.shape)) for x in (low, high))
    root, done = np.array(low), np.zeros(low.shape, dtype=bool)
    for step in range(300):
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = high - f_high * ((high - low) / (f_high - f_low))
        middle = 0.5 * (low + high)
        usable = (secant > low) & (secant < high) & (step % 3 != 2)
        point = np.where(done, root, np.where(usable, secant, middle))
        value = np.broadcast_to(function(point), point.shape)
        below = value < 0
        f_low, f_high = np.where(below, value, 0.5 * f_low), np.where(below, 0.5 * f_high, value)
        low, high = np.where(below, point, low), np.where(below, high, point)
        narrow = high - low <= 4e-16 * np.maximum(np.maximum(np.abs(low), np.abs(high)), _SMALLEST)
        root = np.where(done, root, np.where(value == 0, point, 0.5 * (low + high)))
        done = done | narrow | (value == 0)
        if np.all(done):
            return np.asarray(root)
    raise SolverError("a scalar equation did not converge in 300 bracketing steps")
