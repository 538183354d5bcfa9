"""Problems and solutions as plain records, ready for JSON."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.wording import shown
from mdtheory.models.model import Record
from mdtheory.models.solution import Solution

MAX_ENTRIES = 2**16
"""Larger matrices are left out of records."""


def plain(value: Any) -> Any:
    """Arrays as nested lists and NumPy scalars as Python's; what JSON cannot hold as strings."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else shown(value)


def values(solution: Solution, names: Sequence[str], *, small: bool = True) -> Record:
    """Fields of a solution; None for one that is undefined, and for all where the matrices are not small."""
    return {name: plain(_or_none(lambda name=name: getattr(solution, name))) if small else None for name in names}  # type: ignore[misc]  # a default argument has no inferred type


def counted(given: Record, *names: str) -> Record:
    """Values from the shell with the number of classes that one of the lists says, two if none does, unless it is given."""
    sizes = [len(given[name]) for name in names if name in given]
    return {"num_classes": sizes[0] if sizes else 2, **given}


def _or_none(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except AssumptionError:
        return None
