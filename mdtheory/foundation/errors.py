"""The errors mdtheory raises on purpose; each says what it has to say in one line of less than 300 characters."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: The longest message.
LONGEST = 299
# What is kept of the end of a longer one: it says what would be right.
_END = 110


def one_line(text: str) -> str:
    """`text` on one line of at most `LONGEST` characters, the middle left out if need be."""
    # What is cut off below need not be split into words: messages may quote megabytes.
    if len(text) > 40 * LONGEST:
        text = text[: 20 * LONGEST] + " " + text[-20 * LONGEST :]
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - _END - 5].rstrip()} ... {line[-_END:].lstrip()}"


class _OneLine(Exception):
    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


class AssumptionError(_OneLine, ValueError):
    """A parameter lies outside the domain on which the theory holds.

    The message names the parameter, its value (of an array the first entry outside, and its place) and the domain, in
    one line of less than 300 characters.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> mdt.CrossEntropy(smoothing=1.5)
    Traceback (most recent call last):
        ...
    mdtheory.foundation.errors.AssumptionError: smoothing = 1.5: must lie in [0, 1)
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


class SolverError(_OneLine, RuntimeError):
    """A numerical solver stopped without an answer that can be certified."""


class CertificateError(_OneLine, RuntimeError):
    """A certificate does not hold, belongs to another problem, or cannot be read."""
