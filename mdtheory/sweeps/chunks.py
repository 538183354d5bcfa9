"""One chunk of a sweep: solved in one call where the solver broadcasts, and point by point otherwise."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.errors import AssumptionError, CollapsedError, SolverError
from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.models.parameters import Problem, with_values
from mdtheory.models.solving import solve
from mdtheory.models.status import Status
from mdtheory.sweeps.axes import Axis, Slices


class Cell(IntEnum):
    """How a cell was answered: the status of its solution, or why there is none.

    Examples
    --------
    >>> Cell.OPTIMAL.solved, Cell.COLLAPSED.solved
    (True, False)
    """

    OPTIMAL = Status.OPTIMAL
    OBSERVED = Status.OBSERVED
    APPROXIMATE = Status.APPROXIMATE
    INACCURATE = Status.INACCURATE
    BOUNDED = Status.BOUNDED
    COLLAPSED = 5
    UNDEFINED = 6
    FAILED = Status.FAILED

    @property
    def solved(self) -> bool:
        """Whether the cell holds numbers."""
        return self < Cell.COLLAPSED

    @property
    def message(self) -> str:
        """What the code means, in a sentence."""
        return Status(self).message if self.solved else _MESSAGES[self]


_MESSAGES = {
    Cell.COLLAPSED: "the class means have collapsed to zero: there is no memorization-dilation problem",
    Cell.UNDEFINED: "a parameter is outside its domain",
    Cell.FAILED: "the solver stopped without an answer",
}

Output = tuple[str, str | Callable[[Any], Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What a worker needs to solve one chunk.

    Attributes
    ----------
    problem : problem or callable
        With values of the axes replaced; or called with them as keywords.
    axes : tuple of Axis
        The part of the axes that is in the chunk.
    outputs : tuple of (str, str or callable)
        Names, and the field of the solution or the function of it that they stand for.
    method : str
    tolerance : float or None
        As for `solve`.
    vectorised : bool
        Whether to try the chunk in one call.
    """

    problem: Problem | Callable[..., Problem]
    axes: tuple[Axis, ...]
    outputs: tuple[Output, ...]
    method: str
    tolerance: float | None
    vectorised: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """One length for each axis."""
        return tuple(axis.size for axis in self.axes)

    def problem_at(self, values: Mapping[str, Any]) -> Problem:
        """The problem with these values of its parameters."""
        if callable(self.problem):
            return self.problem(**values)
        changed: Problem = with_values(self.problem, values)
        return changed


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """The answers of one chunk.

    Attributes
    ----------
    values : dict of str to array
        NaN where the cell has no answer.
    status : array of int8
        Of `Cell`.
    reasons : dict of int to str
        For every code of cells without an answer, why the first of them has none.
    """

    values: dict[str, FloatArray]
    status: NDArray[np.int8]
    reasons: dict[int, str] = field(default_factory=dict)


def solve_chunk(task: Task) -> Chunk:
    """Solve all points of a chunk; the answer depends on the task alone."""
    shape = task.shape
    names = [name for name, _ in task.outputs]
    chunk = Chunk({name: np.full(shape, np.nan) for name in names}, np.full(shape, Cell.UNDEFINED, np.int8))
    if task.vectorised and chunk.status.size > 1:
        _fill_box(task, chunk, tuple(slice(0, size) for size in shape))
    else:
        for point in np.ndindex(shape):
            _fill_point(task, chunk, point)
    _refuse_nan(chunk)
    return chunk


def _fill_box(task: Task, chunk: Chunk, box: Slices) -> None:
    """Solve a box of points in one call; where that fails, without the collapsed ones, or in halves."""
    shape = tuple(part.stop - part.start for part in box)
    if np.prod(shape) == 1:
        _fill_point(task, chunk, tuple(part.start for part in box))
        return
    values = dict(_box_values(task, box))
    answer, error = _attempt(task, values)
    if answer is not None:
        _store(chunk, box, answer, shape)
        return
    alive = error.alive if isinstance(error, CollapsedError) else None
    if alive is not None and not np.any(alive):
        chunk.status[box] = Cell.COLLAPSED
        chunk.reasons.setdefault(Cell.COLLAPSED, str(error))
        return
    if alive is not None and _fill_living(task, chunk, box, values, np.broadcast_to(alive, shape)):
        chunk.reasons.setdefault(Cell.COLLAPSED, str(error))
        return
    for half in _halves(box):
        _fill_box(task, chunk, half)


def _fill_living(task: Task, chunk: Chunk, box: Slices, values: Mapping[str, Any], alive: NDArray[np.bool_]) -> bool:
    """Solve the points of a box that have not collapsed, as one flat array; False if that fails."""
    flat = {
        name: np.broadcast_to(value, alive.shape)[alive] if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
    answer, _ = _attempt(task, flat)
    if answer is None:
        return False
    count = (int(np.count_nonzero(alive)),)
    for name, value in answer.items():
        target = chunk.status[box] if name == "status" else chunk.values[name][box]
        target[alive] = _shaped(name, value, count)
    chunk.status[box][~alive] = Cell.COLLAPSED
    return True


def _fill_point(task: Task, chunk: Chunk, point: tuple[int, ...]) -> None:
    values = {axis.name: axis.values[index] for axis, index in zip(task.axes, point, strict=True)}
    answer, error = _attempt(task, values)
    if answer is not None:
        _store(chunk, point, answer, ())
        return
    if isinstance(error, CollapsedError):
        code = Cell.COLLAPSED
    else:
        code = Cell.UNDEFINED if isinstance(error, AssumptionError) else Cell.FAILED
    chunk.status[point] = code
    chunk.reasons.setdefault(code, str(error))


def _attempt(task: Task, values: Mapping[str, Any]) -> tuple[dict[str, Any] | None, Exception | None]:
    """All outputs and the status of the problem with these values, or why there are none."""
    try:
        problem = task.problem_at(values)
        solver: Any = solve  # the method was checked against the problem when the sweep was planned
        solution = solver(problem, method=task.method, tolerance=task.tolerance)
        read = {name: what(solution) if callable(what) else getattr(solution, what) for name, what in task.outputs}
        return {**read, "status": solution.status}, None
    except (AssumptionError, SolverError, ArithmeticError, np.linalg.LinAlgError) as error:
        return None, error


def _store(chunk: Chunk, where: tuple[Any, ...], answer: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    for name, value in answer.items():
        target = chunk.status if name == "status" else chunk.values[name]
        target[where] = _shaped(name, value, shape)


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """An output with one number for every point."""
    array = np.asarray(value)
    if array.dtype.kind in "biuf":
        with suppress(ValueError):
            return np.broadcast_to(array, shape)
    kind = "text" if array.dtype.kind == "U" else f"{array.dtype} of shape {array.shape}"
    raise fail("outputs", name, f"must be one number for every point, not {kind}; give a function of the solution")


def _box_values(task: Task, box: Slices) -> Iterator[tuple[str, Any]]:
    """Values of the axes, shaped to broadcast against each other; axes that do not broadcast have one value."""
    for position, (axis, part) in enumerate(zip(task.axes, box, strict=True)):
        if axis.broadcasts:
            shape = tuple(-1 if other == position else 1 for other in range(len(box)))
            yield axis.name, axis.coordinate[part].reshape(shape)
        else:
            yield axis.name, axis.values[part.start]


def _halves(box: Slices) -> tuple[Slices, Slices]:
    """Cut a box across its longest axis."""
    lengths = [part.stop - part.start for part in box]
    axis = int(np.argmax(lengths))
    middle = box[axis].start + lengths[axis] // 2
    low, high = slice(box[axis].start, middle), slice(middle, box[axis].stop)
    return (*box[:axis], low, *box[axis + 1 :]), (*box[:axis], high, *box[axis + 1 :])


def _refuse_nan(chunk: Chunk) -> None:
    """A solution that is not a number is a failure, in all outputs."""
    for name, values in chunk.values.items():
        bad = np.isnan(values) & (chunk.status < Cell.COLLAPSED)
        if np.any(bad):
            chunk.reasons.setdefault(Cell.FAILED, f"{name} = nan: the solution is not a number")
            chunk.status[bad] = Cell.FAILED
    failed = chunk.status == Cell.FAILED
    if np.any(failed):
        chunk.reasons.setdefault(Cell.FAILED, Status.FAILED.message)
        for values in chunk.values.values():
            values[failed] = np.nan
