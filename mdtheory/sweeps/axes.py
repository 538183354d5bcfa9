"""The axes of a sweep, and how its points are cut into chunks."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.blocks import blocks
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import fail, fail_at, real_array
from mdtheory.models.parameters import value_label

Slices = tuple[slice, ...]

# As many points as the reduced solver takes at a time: enough that threads spend their time inside NumPy, and that
# handing a chunk to a process costs little beside solving it.
VECTORISED_CHUNK = 65_536
# Where each point is a solve of its own, chunks are small: about this many, of at most 64 points.
_MANY_CHUNKS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of a sweep.

    Attributes
    ----------
    name : str
        The path of a parameter, or a keyword of the user's function; also the name of the dimension.
    values : tuple
        The values as they are given to the problem: numbers, strings, booleans, losses, ...
    coordinate : array (size,)
        What the dataset calls them: numbers and booleans themselves, labels of everything else.
    broadcasts : bool
        Whether a whole array of its values can be given to the problem.
    """

    name: str
    values: tuple[Any, ...]
    coordinate: NDArray[Any]
    broadcasts: bool

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.values)

    def part(self, pick: slice) -> "Axis":
        """The values selected by a slice."""
        return Axis(self.name, self.values[pick], self.coordinate[pick], self.broadcasts)


def read_axes(axes: Mapping[str, Any], broadcasting: Iterable[str] | None) -> tuple[Axis, ...]:
    """Check the axes of a sweep; numbers broadcast in those `broadcasting`, and everywhere if that is None.

    Raises
    ------
    AssumptionError
        If an axis is empty, not one-dimensional, not finite, or two of its values have the same label.

    Examples
    --------
    >>> noise, scaling = read_axes({"noise": [0.1, 0.2], "scaling": ["absolute", "relative"]}, ["noise"])
    >>> noise.broadcasts, scaling.broadcasts
    (True, False)
    >>> read_axes({"noise": 0.1}, None)
    Traceback (most recent call last):
        ...
    mdtheory.foundation.errors.AssumptionError: noise = 0.1: must be one-dimensional: a list of values, np.linspace(...), np.geomspace(...)
    """
    if not isinstance(axes, Mapping) or not axes:
        raise fail("axes", axes, "must map names of parameters to values, for example {'noise': [0.1, 0.2]}")
    names = None if broadcasting is None else set(broadcasting)
    known = {name: names is not None and name in names for name in axes}
    return tuple(_axis(name, values, names is None or known[name], known[name]) for name, values in axes.items())


def plan(axes: tuple[Axis, ...], chunk: int) -> list[Slices]:
    """Cut the points of a sweep into chunks of at most `chunk` points, one slice for each axis.

    It depends on the axes alone: points that are solved together share a quadrature rule, so that the same chunks give
    the same numbers wherever they are solved. Axes that do not broadcast are cut into single values.

    Examples
    --------
    >>> grid = read_axes({"noise": [0.1, 0.2, 0.3], "scaling": ["absolute", "relative"]}, ["noise"])
    >>> plan(grid, 2)[:2]
    [(slice(0, 2, None), slice(0, 1, None)), (slice(2, 3, None), slice(0, 1, None))]
    """
    inner = tuple(axis.size for axis in axes if axis.broadcasts)
    outer = product(*(range(axis.size) for axis in axes if not axis.broadcasts))
    boxes = [_full(index, inner) for index in blocks(inner, chunk)]
    return [_woven(axes, iter(picks), iter(box)) for picks in outer for box in boxes]


def default_chunk(points: int, slow: bool) -> int:
    """The number of points in a chunk unless the user gives one; `slow` where each takes a solve of its own."""
    return VECTORISED_CHUNK if not slow else max(1, min(math.ceil(points / _MANY_CHUNKS), 64))


def _woven(axes: tuple[Axis, ...], picks: Any, box: Any) -> Slices:
    return tuple(next(box) if axis.broadcasts else _single(next(picks)) for axis in axes)


def _single(index: int) -> slice:
    return slice(index, index + 1)


def _full(index: tuple[int | slice, ...], shape: tuple[int, ...]) -> Slices:
    cut = tuple(part if isinstance(part, slice) else _single(part) for part in index)
    return cut + tuple(slice(0, size) for size in shape[len(cut) :])


def _axis(name: str, values: Any, broadcasts: bool, numeric: bool) -> Axis:
    if not isinstance(name, str):
        raise fail("axes", name, "must be named by strings")
    # Lists and tuples stay as they are: NumPy would turn [None, 0.1] or a list of vectors into something else.
    given = (
        list(values) if isinstance(values, Iterable) and not isinstance(values, (str, bytes, np.ndarray)) else values
    )
    array = _array_of(given)
    # What broadcasts is a number, or None where it may be omitted.
    if (
        numeric
        and array.ndim > 0
        and array.size
        and not (isinstance(given, list) and any(entry is None for entry in given))
    ):
        broadcastable = real_array(name, given)
        if broadcastable.ndim != 1:
            raise fail(name, values, "must be one-dimensional: a list of values, np.linspace(...), np.geomspace(...)")
    if array.ndim != 1 and not (array.ndim > 1 and isinstance(given, list)):
        raise fail(name, values, "must be one-dimensional: a list of values, np.linspace(...), np.geomspace(...)")
    if len(array) == 0:
        raise fail(name, values, "must hold at least one value")
    if array.ndim == 1 and array.dtype.kind in "iuf":
        if not np.all(np.isfinite(array)):
            raise fail_at(name, array, ~np.isfinite(array), "must be finite")
        whole = array.dtype.kind in "iu"
        coordinate: NDArray[Any] = array.astype(np.int64 if whole else np.float64)
        return Axis(name, tuple(coordinate.tolist()), coordinate, broadcasts)
    entries = tuple(given.tolist() if isinstance(given, np.ndarray) else given)
    if array.ndim == 1 and array.dtype.kind == "b":
        return Axis(name, tuple(map(bool, entries)), array, False)
    labels = [value_label(entry) for entry in entries]
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise AssumptionError(f"{name} = {twice!r}: is given twice")
    return Axis(name, entries, np.array(labels), False)


def _array_of(given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except ValueError:  # lists of different lengths
        return np.array([None] * len(given), dtype=object)
