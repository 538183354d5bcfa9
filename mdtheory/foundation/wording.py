"""Any value of a user's in a few words, for messages."""

import re
import reprlib
from typing import Any

import numpy as np

from mdtheory.foundation.errors import one_line

#: The most characters that a value takes in a message.
WIDEST = 120
# Arrays of more entries are described, not written out.
_FEW = 12


def shown(value: object) -> str:
    """`value` on one line of at most `WIDEST` characters, whatever its own repr does.

    Examples
    --------
    >>> shown([0.5, 0.3]), shown(np.zeros((3, 1000)))
    ('[0.5, 0.3]', 'array of shape (3, 1000), float64')
    >>> shown(list(range(1000)))
    '[0, 1, 2, 3, 4, 5, 6, 7, ...] (1000 entries)'
    """
    try:
        text = one_line(_SHORT.repr(value))
    except Exception:  # also a repr that raises, or a length
        text = f"a {type(value).__name__} object"
    if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) > _SHORT.maxlist:
        text = f"{_cut(text, WIDEST - 20)} ({len(value)} entries)"
    return _cut(text, WIDEST)


def in_short(value: object) -> str:
    """`value` for a label: numbers with six digits, anything else as :func:`shown`.

    Examples
    --------
    >>> in_short(2.0), in_short(1 / 3)
    ('2', '0.333333')
    """
    return f"{value:g}" if isinstance(value, (float, np.floating)) else shown(value)


def hyphenated(name: str) -> str:
    """The name of a class in words with hyphens.

    Examples
    --------
    >>> hyphenated("MeanSquaredError")
    'mean-squared-error'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def place(where: tuple[int, ...]) -> str:
    """Where in an array an entry stands, as `` (entry [0, 1])``; nothing for a number on its own."""
    return f" (entry {list(where)})" if where else ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 4].rstrip()} ..."


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 8
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 3, 80, WIDEST, 40

    def repr_int(self, x: int, level: int) -> str:
        # Beyond some thousand digits Python refuses to write an integer out.
        return f"an integer of {x.bit_length()} bits" if x.bit_length() > 128 else repr(x)

    def repr_ndarray(self, x: np.ndarray[Any, Any], level: int) -> str:
        if x.ndim == 0:
            return self.repr1(x.item(), level)
        if 0 < x.size <= _FEW:
            return self.repr1(x.tolist(), level)
        return f"array of shape {x.shape}, {x.dtype}"

    def repr_MaskedArray(self, x: np.ndarray[Any, Any], level: int) -> str:
        return f"masked array of shape {x.shape}, {x.dtype}"

    def repr_instance(self, x: Any, level: int) -> str:
        if isinstance(x, np.generic):
            return self.repr1(x.item(), level) if not isinstance(x.item(), np.generic) else str(x)
        try:
            text = repr(x)
        except Exception:  # whatever somebody else's class does
            text = " object at 0x"
        # Where an object lies in memory says nothing.
        return f"a {type(x).__name__} object" if " object at 0x" in text[: 2 * WIDEST] else text[: 2 * WIDEST]


_SHORT = _Short()
