"""What every answer says about itself: bounds, the gap between them, and a status that follows from the gap alone."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, scalar_or_array
from mdtheory.models.status import Status, settled

if TYPE_CHECKING:
    pass


# A float for one point and an array for many, which no type says: whatever is done with it is well typed for either.
Number = float | Any


class Solution(Frozen, ABC):
    """An answer that carries its own proof of quality.

    Scalar fields are floats for one point, and arrays of the broadcast shape of the problem's parameters for many.

    Attributes
    ----------
    problem : UFM, MemorizationDilation or MaxMargin
    method : str
        What found the answer.
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: Any
    method: str
    tolerance: float
    # The fields besides the bounds that a representation shows.
    _shown: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def objective(self) -> Number:
        """The objective at the answer: an upper bound on the optimum."""

    @property
    @abstractmethod
    def lower_bound(self) -> Number:
        """A lower bound on the optimum, recomputed from the answer; minus infinity where none is known."""

    @property
    def gap(self) -> Number:
        """``objective - lower_bound``, not below zero: of rounding size where the answer is optimal."""
        return scalar_or_array(np.maximum(np.subtract(self.objective, self.lower_bound), 0.0))

    @property
    def relative_gap(self) -> Number:
        """The gap over the size of the objective; the gap itself where the objective is zero."""
        return scalar_or_array(self.gap / self._size)

    @property
    def status(self) -> Status | Any:
        """How far the answer can be trusted: OPTIMAL where the gap is closed, see `Status`; one, or an array of them."""
        # Of either sign: a lower bound that is clearly above the objective is no proof of anything.
        gap = np.subtract(self.objective, self.lower_bound)
        return settled(np.asarray(gap / self._size), self.tolerance, self._when_open)

    def _when_open(self) -> Status:
        """The status where the gap is not closed."""
        return Status.INACCURATE

    @property
    def _size(self) -> FloatArray:
        size = np.abs(self.objective)
        return np.where(size > 0, size, 1.0)

    def __repr__(self) -> str:
        names = (*self._shown, "objective", "gap", "status")
        shown = ", ".join(f"{name}={_brief(self, name)}" for name in names)
        return f"{type(self).__name__}({shown}, method={self.method!r})"


def _brief(solution: Solution, name: str) -> str:
    """A field in a few characters, whatever it is."""
    try:
        value = getattr(solution, name)
    except (AssumptionError, ArithmeticError, np.linalg.LinAlgError):
        return "undefined"
    if isinstance(value, np.ndarray):
        return f"<{value.shape} array>"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
