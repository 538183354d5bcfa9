"""`sweep`: the solutions of a problem over a grid of its parameters, as a labelled array."""

import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import (
    FloatArray,
    choice,
    fail,
    fits_in_memory,
    instance,
    integer,
    one_number,
    positive,
)
from mdtheory.losses import Loss
from mdtheory.models.model import Model
from mdtheory.models.parameters import (
    Problem,
    canonical,
    check_entries,
    check_paths,
    output,
    parameter,
    part_of,
    replacements,
    takes_arrays,
)
from mdtheory.models.registry import model_of
from mdtheory.sweeps.axes import Axis, Slices, default_chunk, plan, read_axes
from mdtheory.sweeps.chunks import Cell, Chunk, Output, Task
from mdtheory.sweeps.execution import Where, run, worker_count
from mdtheory.sweeps.fingerprint import code_digest, description, provenance, versions
from mdtheory.sweeps.progress import Counting, Progress, counting
from mdtheory.sweeps.store import Store

if TYPE_CHECKING:
    import xarray as xr

Outputs = Sequence[str] | Mapping[str, str | Callable[[Any], Any]] | None

# How many points of a user's function are tried to see what it returns.
_TRIES = 1000


def sweep(
    problem: Problem | Callable[..., Problem],
    axes: Mapping[str, Any],
    outputs: Outputs = None,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    executor: Where = None,
    store: str | os.PathLike[str] | None = None,
    chunk: int | None = None,
    progress: Progress = None,
    vectorized: bool = False,
) -> "xr.Dataset":
    r"""Solve a problem over a grid of its parameters.

    Where the solver broadcasts, whole chunks of the grid are solved at a time, otherwise point by point. A cell that
    cannot be solved holds NaN in every output, and ``ds.status`` says why.

    Parameters
    ----------
    problem : UFM, MemorizationDilation, MaxMargin or callable
        A callable is given one value of every axis, by the name of the axis, and returns a problem: for axes that are
        no parameter of the problem, such as an imbalance ratio. With processes it must be importable.
    axes : mapping of str to array_like
        One-dimensional values by the name of a parameter: ``noise``, ``slope``, ``decay`` (weight and feature decay
        alike), ``loss.smoothing``, ``spread.dim``, and so on, or ``loss`` with a list of losses, ``scaling`` with a
        list of strings. They become the dimensions of the dataset, in this order.
    outputs : sequence of str, or mapping, optional
        Fields of the solution that hold one number for every point; or a mapping from names to fields or to functions
        of the solution. By default dilation, normalized_dilation, memorization, noisy_margin and test_error; for a
        features model its objective and gap, and if it is symmetric the margin; for a max-margin problem its
        objective and gap.
    method, tolerance
        As for `solve`.
    executor : None, int or concurrent.futures.Executor, optional
        Where to solve: in this process, in that many processes, or in any executor, such as that of dask,
        ``Client.get_executor()``. The numbers are the same to the last bit on machines of one kind.
    store : path, optional
        A directory for finished chunks. A sweep that was interrupted, however it was, goes on from there.
    chunk : int, optional
        The largest number of points handed out and stored together, by default 65536, and a few where every point is a
        solve of its own. Points solved together share a quadrature rule, so that it may change the last digits.
    progress : None, bool or callable, optional
        True shows a line on stderr, None only if that is a terminal; a callable is given lines of text.
    vectorized : bool, default False
        Whether the callable `problem` takes arrays that broadcast, and makes a problem whose parameters do.

    Returns
    -------
    xarray.Dataset
        The outputs and ``status`` (int8, a `mdtheory.phase.Cell`; its attributes name the codes), over the axes.
        Coordinates carry long_name, symbol, units (all are dimensionless: "1") and log; the attributes of the dataset
        say what was computed and with which versions, and count the cells of each status.

    Raises
    ------
    AssumptionError
        If an axis is no parameter of the problem, an output no number for every point, or the store another sweep's.

    Examples
    --------
    >>> import numpy as np, mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0, noisy_feature_decay=1e-4)
    >>> ds = mdt.sweep(md, {"noise": [0.05, 0.1], "loss.smoothing": np.linspace(0.0, 1.0, 5)}, ["normalized_dilation"])
    >>> ds.normalized_dilation.sel({"noise": 0.1, "loss.smoothing": 0.0}).item()   # doctest: +ELLIPSIS
    0.29169...
    >>> ds.status.dims, ds.attrs["cells_optimal"], ds.attrs["cells_undefined"]    # a smoothing of 1 is none
    (('noise', 'loss.smoothing'), 8, 2)
    """
    if executor is not None and not isinstance(executor, Executor):
        worker_count(executor)
    plans = _planned(problem, axes, outputs, method, tolerance, chunk, vectorized)
    if isinstance(executor, int):
        _check_travels(plans.task(0), executor)
    if store is not None and not isinstance(store, (str, os.PathLike)):
        raise fail("store", store, "must be the path of a directory")
    counter = counting(plans.cells, progress)
    kept = None if store is None else Store(Path(store), plans.identity())
    try:
        values, status, reasons = _filled(plans, executor, kept, counter)
    finally:
        if kept is not None:
            kept.close()
    counter.finish()
    return _dataset(plans, values, status, reasons, counter)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Plan:
    """What is to be computed, and in which pieces; `slow` where the time is not spent inside NumPy."""

    problem: Problem | Callable[..., Problem]
    kind: type
    axes: tuple[Axis, ...]
    outputs: tuple[Output, ...]
    method: str
    tolerance: float | None
    vectorised: bool
    slow: bool
    chunk: int
    boxes: list[Slices]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.size for axis in self.axes)

    @property
    def cells(self) -> int:
        return prod(self.shape)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.outputs)

    def part(self, number: int) -> tuple[Axis, ...]:
        """The axes within a chunk."""
        return tuple(axis.part(pick) for axis, pick in zip(self.axes, self.boxes[number], strict=True))

    def task(self, number: int) -> Task:
        return Task(self.problem, self.part(number), self.outputs, self.method, self.tolerance, self.vectorised)

    def identity(self) -> dict[str, Any]:
        """Everything the numbers depend on."""
        return {
            "problem": description(self.problem),
            "axes": [[axis.name, description(axis.values)] for axis in self.axes],
            "outputs": description(self.outputs),
            "method": [self.method, description(self.tolerance)],
            "chunk": [self.chunk, self.vectorised],
            "versions": [versions(), code_digest()],
        }


def _planned(
    problem: Problem | Callable[..., Problem],
    axes: Mapping[str, Any],
    outputs: Outputs,
    method: str,
    tolerance: float | None,
    chunk: int | None,
    vectorized: bool,
) -> _Plan:
    names = tuple(axes) if isinstance(axes, Mapping) else ()
    if callable(problem):
        read = read_axes(axes, None)
        sample, vectorised, slow = _sample(problem, read), bool(vectorized), not vectorized
    else:
        if vectorized:
            raise fail("vectorized", vectorized, "is for a function that makes the problem")
        model, varied = model_of(problem), frozenset(canonical(name) for name in names if isinstance(name, str))
        vectorised = model.sweeps_at_once(problem, varied, method)
        others = replacements(problem, axes) if isinstance(axes, Mapping) else []
        broadcasting = [name for name in names if takes_arrays(problem, name, others)] if vectorised else None
        read = read_axes(axes, broadcasting)
        check_paths(problem, names, others)
        check_entries(read)
        if problem.point_shape != ():
            raise fail("problem", problem.shape, "must be one point: the axes supply the arrays")
        sample, slow = problem, not vectorised or _takes_apart(model, problem, read, others)
    choice("method", method, model_of(sample).methods)
    if tolerance is not None:
        one_number("tolerance", tolerance, positive)
    named = _named_outputs(outputs, sample, names)
    fits_in_memory("axes", tuple(axis.size for axis in read), len(named) + 1)
    points = prod(axis.size for axis in read)
    size = default_chunk(points, slow) if chunk is None else int(integer("chunk", chunk, 1, 2**31))
    return _Plan(
        problem=problem,
        kind=type(sample),
        axes=read,
        outputs=named,
        method=method,
        tolerance=tolerance,
        vectorised=vectorised,
        slow=slow,
        chunk=size,
        boxes=plan(read, size),
    )


def _check_travels(task: Task, executor: int) -> None:
    try:
        pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        wanted = "functions must be importable by other processes: give them a name in a module"
        raise AssumptionError(f"executor = {executor}: {wanted} ({error})") from None


def _filled(
    plans: _Plan, executor: Where, store: Store | None, counter: Counting
) -> tuple[dict[str, FloatArray], NDArray[np.int8], dict[int, str]]:
    """The arrays of the whole grid, from the store where it has them."""
    values = {name: np.full(plans.shape, np.nan) for name in plans.names}
    status = np.full(plans.shape, Cell.FAILED, np.int8)
    reasons: dict[int, tuple[int, str]] = {}

    def place(number: int, chunk: Chunk, *, fresh: bool) -> None:
        box = plans.boxes[number]
        for name, array in values.items():
            array[box] = chunk.values[name]
        status[box] = chunk.status
        for code, why in chunk.reasons.items():
            reasons[code] = min(reasons.get(code, (number, why)), (number, why))
        counter.add(chunk.status, fresh=fresh)

    missing = []
    for number in range(len(plans.boxes)):
        shape = tuple(pick.stop - pick.start for pick in plans.boxes[number])
        kept = None if store is None else store.load(number, shape, plans.names)
        if kept is None:
            missing.append(number)
        else:
            place(number, kept, fresh=False)
    tasks = ((number, plans.task(number)) for number in missing)
    for number, chunk in run(tasks, executor, threads=not plans.slow and len(missing) > 1):
        if store is not None:
            store.save(number, chunk, plans.part(number))
        place(number, chunk, fresh=True)
    return values, status, {code: why for code, (_, why) in sorted(reasons.items())}


def _dataset(
    plans: _Plan,
    values: Mapping[str, FloatArray],
    status: NDArray[np.int8],
    reasons: Mapping[int, str],
    counter: Counting,
) -> "xr.Dataset":
    import xarray as xr

    dims = tuple(axis.name for axis in plans.axes)
    variables: dict[str, Any] = {
        name: (dims, array, _attributes(_written(what, name))) for (name, what), array in _zipped(plans, values)
    }
    flags = {
        "long_name": "how the cell was answered",
        "flag_values": np.array([cell.value for cell in Cell], dtype=np.int8),
        "flag_meanings": " ".join(cell.name.lower() for cell in Cell),
    }
    variables["status"] = (dims, status, flags)
    coordinates = {
        axis.name: (axis.name, axis.coordinate, {**_attributes(parameter(axis.name)), **_scale(axis)})
        for axis in plans.axes
    }
    return xr.Dataset(variables, coordinates, _provenance(plans, reasons, counter))


def _provenance(plans: _Plan, reasons: Mapping[int, str], counter: Counting) -> dict[str, Any]:
    """What was computed and how; nothing that differs between equal sweeps."""
    counts = counter.counts
    return {
        "title": f"{plans.kind.__name__} over {', '.join(axis.name for axis in plans.axes)}",
        **provenance(plans.problem),
        "method": plans.method,
        "tolerance": "default" if plans.tolerance is None else plans.tolerance,
        "chunk": plans.chunk,
        "cells": plans.cells,
        **{f"cells_{cell.name.lower()}": counts.get(cell, 0) for cell in Cell if cell in counts or not cell.solved},
        **{f"why_{Cell(code).name.lower()}": why for code, why in reasons.items()},
    }


def _zipped(plans: _Plan, values: Mapping[str, FloatArray]) -> Iterator[tuple[Output, FloatArray]]:
    return ((entry, values[entry[0]]) for entry in plans.outputs)


def _written(what: str | Callable[[Any], Any], name: str) -> Parameter:
    return output(what if isinstance(what, str) else name)


def _attributes(entry: Parameter) -> dict[str, Any]:
    return {"long_name": entry.label, "symbol": entry.symbol, "units": entry.unit, "log": int(entry.log)}


def _scale(axis: Axis) -> dict[str, int]:
    """Whether the values are spaced like those of a logarithmic axis, where that can be seen from them."""
    if axis.coordinate.dtype.kind not in "if":
        return {"log": 0}
    grid = np.asarray(axis.coordinate, dtype=np.float64)
    if np.any(grid <= 0):
        return {"log": 0}
    if axis.size < 3:
        return {}
    steps, ratios = np.diff(grid), np.diff(np.log(grid))
    even, geometric = (bool(np.allclose(d, d[0], rtol=1e-6, atol=0)) for d in (steps, ratios))
    return {"log": int(geometric)} if even != geometric else {}


def _takes_apart(model: Model[Any], problem: Problem, axes: Sequence[Axis], others: Sequence[Any]) -> bool:
    """Whether the solver takes arrays apart again, for some of the losses on the axes."""
    varied = {axis.name: axis.values for axis in axes if canonical(axis.name).startswith("loss.")}
    losses = [other for other in others if isinstance(other, Loss)] or [part_of(problem, "loss")]
    return any(model.one_by_one(changed) for loss in losses for changed in _variants(loss, varied))


def _variants(loss: Any, varied: Mapping[str, Sequence[Any]]) -> Iterator[Any]:
    """A loss with every value of its parameters on the axes that it takes."""
    if not varied:
        yield loss
    for name, values in varied.items():
        for value in values:
            try:
                yield replace(loss, **{canonical(name).removeprefix("loss."): value})
            except (AssumptionError, TypeError):
                continue


def _sample(function: Callable[..., Problem], axes: Sequence[Axis]) -> Problem:
    """The first problem a user's function makes of its axes."""
    reason: Exception | None = None
    for values in islice(product(*(axis.values for axis in axes)), _TRIES):
        try:
            made = function(**{axis.name: value for axis, value in zip(axes, values, strict=True)})
        except AssumptionError as error:
            reason = error
            continue
        model_of(made)  # refuses what is no problem
        return made
    raise AssumptionError(f"axes: no point has a problem; the last said: {reason}")


def _named_outputs(outputs: Outputs, sample: Problem, axes: Sequence[str]) -> tuple[Output, ...]:
    model = model_of(sample)
    if outputs is None:
        outputs = model.default_outputs(sample, frozenset(canonical(name) for name in axes))
    if isinstance(outputs, str) or not isinstance(outputs, (Sequence, Mapping)) or not outputs:
        raise fail("outputs", outputs, "must be a list of names, for example ['dilation'], or a mapping")
    pairs = outputs.items() if isinstance(outputs, Mapping) else ((name, name) for name in outputs)
    named: dict[str, str | Callable[[Any], Any]] = {}
    known = _fields(model)
    for name, what in pairs:
        instance("outputs", name, str, "named by strings")
        if not callable(what) and (not isinstance(what, str) or what not in known):
            raise fail("outputs", what, "must be one of " + ", ".join(known))
        if name in named or name == "status" or name in axes:
            raise AssumptionError(f"outputs = {name!r}: the name is taken")
        named[name] = what
    return tuple(named.items())


def _fields(model: Model[Any]) -> tuple[str, ...]:
    """What a solution of this type of problem has; whether it is a number shows when it is read."""
    skipped = {"problem", "method", "status", "configuration", "certificate"}
    names: dict[str, None] = {}
    for answer in model.solutions:
        for base in reversed(answer.__mro__[:-1]):
            names |= dict.fromkeys(name for name in vars(base) if isinstance(getattr(base, name, None), property))
            names |= dict.fromkeys(n for n, v in vars(base).items() if type(v).__name__ == "cached_property")
        if is_dataclass(answer):
            names |= dict.fromkeys(field.name for field in fields(answer))
    return tuple(name for name in names if not name.startswith("_") and name not in skipped)
