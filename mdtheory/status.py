"""How far a solution can be trusted."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Status(IntEnum):
    """How far a solution can be trusted. An integer, so that arrays of it compare like scalars.

    Examples
    --------
    >>> Status.OBSERVED.message
    'best point found by an exhaustive scan of the stationary points; not proved globally optimal'
    """

    OPTIMAL = 0
    OBSERVED = 1
    APPROXIMATE = 2
    INACCURATE = 3
    BOUNDED = 4
    FAILED = 7

    @property
    def message(self) -> str:
        """What the status means, in a sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.OPTIMAL: "globally optimal, by theorem or by a duality gap at rounding level",
    Status.OBSERVED: "best point found by an exhaustive scan of the stationary points; not proved globally optimal",
    Status.APPROXIMATE: "an expansion: see `expansion_parameter` and `gap` for its accuracy",
    Status.INACCURATE: "the solver stopped with a duality gap above its target; see `gap`",
    Status.BOUNDED: "best of many local searches, not proved optimal; the optimum lies between `lower_bound` and `objective`",
    Status.FAILED: "no answer in the range of floating-point numbers, or the iteration did not settle; its fields are NaN",
}


def status_field(codes: NDArray[np.int64]) -> Status | NDArray[np.int64]:
    """One status, or an integer array of them."""
    return Status(int(codes)) if codes.ndim == 0 else codes
