"""The errors mdtheory raises on purpose."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AssumptionError(ValueError):
    """A parameter lies outside the domain on which the theory holds.

    The message names the parameter, its value and the domain.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> mdt.CrossEntropy(smoothing=1.5)
    Traceback (most recent call last):
        ...
    mdtheory.errors.AssumptionError: smoothing = 1.5: must lie in [0, 1)
    """


class CollapsedError(AssumptionError):
    """The class means have collapsed to zero, so that there is no memorization-dilation problem.

    Parameters
    ----------
    message : str
    alive : array of bool
        Where they have not, of the shape of the features model.
    """

    def __init__(self, message: str, alive: "NDArray[np.bool_]") -> None:
        super().__init__(message)
        self.alive = alive

    def __reduce__(self) -> "tuple[type[CollapsedError], tuple[str, NDArray[np.bool_]]]":
        return CollapsedError, (str(self), self.alive)


class SolverError(RuntimeError):
    """A numerical solver stopped without an answer that can be certified."""


class CertificateError(RuntimeError):
    """A certificate does not hold, belongs to another problem, or cannot be read."""
