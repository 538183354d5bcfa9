r"""The dilation where clean examples lie more to one side: with a drift the clean loss F rises or falls already at r = 0.

The constraint is :math:`r \ge \eta c\rho`, c = D^q/C. A noisy feature held by a multiplier nu feels the force :math:`2\nu\rho(\nu)`, which rises with nu
while :math:`\rho` falls. Where the constraint is tight,

.. math:: 2\nu\rho = \frac{c}{2} F'(\eta c\rho),

whose difference rises in nu: one root. Where the force at any nu is less than that at r = 0, nothing is memorised: r = 0. Where F falls still at the
dilation of free noisy features, r is the minimiser of F, and the constraint is loose.
"""

import numpy as np

from mdtheory.expectation import slopes
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.newton import respond_at
from mdtheory.models.dilation.points import Points

# Of log nu in the range of a double, and of r.
_HALVINGS = 100
_LARGEST = 690.0


def skew_points(points: Points) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level at a block of points with a convex loss; NaN where a number overflows."""
    low, high = np.full(points.noise.shape, -_LARGEST), np.full(points.noise.shape, _LARGEST)
    for _ in range(_HALVINGS):
        log_nu = 0.5 * (low + high)
        heavy = _pull(points, log_nu) > 0.0
        low, high = np.where(heavy, low, log_nu), np.where(heavy, log_nu, high)
    log_nu = 0.5 * (low + high)
    answer = respond_at(points, log_nu)
    still = log_nu > _LARGEST - 1.0
    rho = np.where(still, 0.0, answer.rho)
    rows = np.stack(
        [
            points.noise * points.rate * rho,
            rho,
            np.where(still, -points.classes.margin, answer.margin),
            np.where(still, points.classes.centre_norm, answer.level),
        ]
    )
    loose = log_nu < 1.0 - _LARGEST
    falls = np.zeros(loose.shape, dtype=bool)
    falls[loose] = _force(points.take(loose), rows[0, loose]) < 0.0
    if np.any(falls):
        rows[0, falls] = _least(points.take(falls), rows[0, falls])
    rows[:, ~np.all(np.isfinite(rows), axis=0)] = np.nan
    return tuple(rows)


def _pull(points: Points, log_nu: FloatArray) -> FloatArray:
    """``2 nu rho - (c/2) F'(eta c rho)``."""
    rho = respond_at(points, log_nu).rho
    with np.errstate(over="ignore", invalid="ignore"):
        force = _force(points, points.noise * points.rate * rho)
        return np.asarray(2.0 * np.exp(log_nu) * rho - 0.5 * points.rate * force)


def _force(points: Points, r: FloatArray) -> FloatArray:
    """F'(r), which is not zero at r = 0."""
    kap = points.classes.weight_distance
    first, _ = slopes(points.loss, points.spread, points.classes.margin, kap * r, points.room)
    return np.asarray(2.0 * kap * first + 4.0 * points.decay * r)


def _least(points: Points, below: FloatArray) -> FloatArray:
    """The r at which F' vanishes, above one where it is negative."""
    low, high = below, 2.0 * below + 1.0
    while np.any(rising := (_force(points, high) < 0.0) & (high < 1e100)):
        high = np.where(rising, 4.0 * high, high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        falls = _force(points, middle) < 0.0
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    return np.where(high < 1e100, high, np.nan)
