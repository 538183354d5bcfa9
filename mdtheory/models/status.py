"""How far a solution can be trusted."""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Status(IntEnum):
    """How far a solution can be trusted. An integer, so that arrays of it compare like scalars.

    Examples
    --------
    >>> print(Status.OPTIMAL)
    OPTIMAL
    >>> Status.OBSERVED.message
    'best point found by a search; not proved globally optimal: see `gap`'
    """

    OPTIMAL = 0
    OBSERVED = 1
    APPROXIMATE = 2
    INACCURATE = 3
    BOUNDED = 4
    # 5 and 6 are cells of a sweep that have no solution at all, see `mdtheory.phase.Cell`.
    FAILED = 7

    def __str__(self) -> str:
        return self.name

    @property
    def message(self) -> str:
        """What the status means, in a sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.OPTIMAL: "globally optimal: the gap between the objective and a recomputed lower bound is closed to the tolerance",
    Status.OBSERVED: "best point found by a search; not proved globally optimal: see `gap`",
    Status.APPROXIMATE: "an expansion: see `expansion_parameter` and `gap` for its accuracy",
    Status.INACCURATE: "the gap to the recomputed lower bound is above the tolerance; see `gap`",
    Status.BOUNDED: "best of many local searches or of a symmetric family, not proved optimal; the optimum lies between `lower_bound` and `objective`",
    Status.FAILED: "no answer in the range of floating-point numbers, or the iteration did not settle; its fields are NaN",
}


def status_field(codes: NDArray[np.int64]) -> Status | NDArray[np.int64]:
    """One status, or an integer array of them."""
    return Status(int(codes)) if codes.ndim == 0 else codes


def settled(
    relative_gap: NDArray[np.float64], tolerance: float, when_open: Callable[[], Status]
) -> Status | NDArray[np.int64]:
    """OPTIMAL where a recomputed gap is closed, from either side, else `when_open`; FAILED where it is not a number."""
    closed = np.abs(relative_gap) <= tolerance
    if np.all(closed):
        return status_field(np.zeros(closed.shape, dtype=np.int64))
    codes = np.where(closed, np.int64(Status.OPTIMAL), np.int64(when_open()))
    return status_field(np.where(np.isnan(relative_gap), np.int64(Status.FAILED), codes))
