"""Adaptive refinement: classify points only where the classification changes nearby."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import fail, fits_in_memory, integer, one_point
from mdtheory.models import registry
from mdtheory.models.model import Problem
from mdtheory.models.parameters import check_paths, parameter, with_values
from mdtheory.models.solving import solve
from mdtheory.phase.rectangle import Factory, Side, sides
from mdtheory.sweeps.fingerprint import provenance

if TYPE_CHECKING:
    import xarray


def refine(
    problem: Problem[Any, Any] | Factory,
    classify: Callable[[Any], int],
    ranges: Mapping[str, Sequence[Any]],
    *,
    coarse: int = 9,
    levels: int = 4,
    executor: Executor | None = None,
    of_solution: bool = True,
) -> "xarray.Dataset":
    r"""Find where a classification changes, for problems without a closed form: many points, few of them solved.

    A coarse grid is classified first. A cell whose corners disagree, and its neighbours, are halved in both directions,
    `levels` times; all other points take over the class of a corner of the cell they lie in. The number of solved points
    grows with the length of the boundaries instead of the area. An island that no grid point meets is missed.

    Parameters
    ----------
    problem : UFM, MemorizationDilation, MaxMargin or callable
        One point, whose two parameters are replaced; or a callable that takes the names of the axes as keywords and
        returns a problem.
    classify : callable
        From a solution (or, with ``of_solution=False``, from a problem) to a small integer, for example a rank.
    ranges : mapping
        ``{x: (low, high), y: (low, high, "log")}``.
    coarse : int, default 9
        Points per side of the coarse grid.
    levels : int, default 4
        Halvings: the result has ``(coarse - 1) 2^levels + 1`` points per side.
    executor : Executor, optional
        Solves points side by side.
    of_solution : bool, default True
        Whether `classify` takes the solution.

    Returns
    -------
    xarray.Dataset
        ``label`` (int16) over both parameters; ``solved`` (bool), where the class was computed rather than taken over;
        the attribute ``points_solved`` counts them.

    Raises
    ------
    AssumptionError
        If the ranges are not two parameters, or leave their domains.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=0.1, feature_decay=0.1)
    >>> def collapsed(solution):
    ...     return int(solution.margin == 0)
    >>> ds = refine(ufm, collapsed, {"loss.smoothing": (0.0, 0.9), "decay": (0.01, 0.4)}, coarse=5, levels=3)
    >>> ds.sizes["decay"], ds.attrs["points_solved"] < 0.5 * ds["label"].size
    (33, True)
    """
    x, y = sides(ranges)
    if isinstance(problem, Problem):
        check_paths(problem, (x.path, y.path))
        one_point(problem.point_shape)
    elif not callable(problem):
        raise fail("problem", problem, f"must be {registry.a_problem('a callable that returns one')}")
    if not callable(classify):
        raise fail("classify", classify, "must be callable with a solution")
    first = int(np.asarray(integer("coarse", coarse, 2, 2**12)))
    halvings = int(np.asarray(integer("levels", levels, 0, 12)))
    side = (first - 1) * 2**halvings + 1
    fits_in_memory("levels", (side, side), 1)
    labels, solved = np.zeros((side, side), dtype=np.int16), np.zeros((side, side), dtype=bool)
    task = _Task(problem, classify, x, y, of_solution)

    def visit(nodes: NDArray[np.intp]) -> None:
        nodes = nodes[~solved[tuple(nodes.T)]]
        shares = nodes / (side - 1)
        mapped = map(task, shares) if executor is None else executor.map(task, shares)
        labels[tuple(nodes.T)] = list(mapped)
        solved[tuple(nodes.T)] = True

    step = 2**halvings
    corners = np.arange(0, side, step)
    visit(np.stack(np.meshgrid(corners, corners, indexing="ij"), axis=-1).reshape(-1, 2))
    while step > 1:
        split = _mixed(labels[::step, ::step])
        _take_over(labels, solved, step)
        half = step // 2
        cells = np.argwhere(split) * step
        offsets = np.array([(i, j) for i in (0, half, step) for j in (0, half, step)])
        if len(cells):
            visit(np.unique((cells[:, None] + offsets).reshape(-1, 2), axis=0))
        step = half
    return _dataset(task, labels, solved)


@dataclass(frozen=True, slots=True)
class _Task:
    """Classify one point; picklable if its parts are."""

    problem: Any
    classify: Callable[[Any], int]
    x: Side
    y: Side
    of_solution: bool

    def __call__(self, share: NDArray[np.float64]) -> int:
        values = {side.path: float(side.value(np.asarray(s))) for side, s in zip((self.x, self.y), share, strict=True)}
        known = isinstance(self.problem, Problem)
        build = partial(with_values, self.problem, values) if known else partial(self.problem, **values)
        problem = build()
        label = self.classify(solve(problem) if self.of_solution else problem)
        if not isinstance(label, (int, float, np.number, np.bool_)) or label != np.rint(label) or abs(label) > 32_000:
            raise fail("classify", label, "must return a small integer")
        return int(label)


def _mixed(labels: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Cells whose corners disagree, and their neighbours."""
    corners = np.stack([labels[:-1, :-1], labels[1:, :-1], labels[:-1, 1:], labels[1:, 1:]])
    mixed = np.any(corners != corners[0], axis=0)
    wide = np.pad(mixed, 1)
    rows, columns = mixed.shape
    around = [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.asarray(np.any(around, axis=0))


def _take_over(labels: NDArray[np.int16], solved: NDArray[np.bool_], step: int) -> None:
    """Give the points half-way the class of the corner before them, unless they are solved."""
    half = step // 2
    index = (np.arange(0, labels.shape[0], half) // step) * step
    taken = labels[np.ix_(index, index)]
    known = solved[::half, ::half]
    labels[::half, ::half] = np.where(known, labels[::half, ::half], taken)


def _dataset(task: _Task, labels: NDArray[np.int16], solved: NDArray[np.bool_]) -> "xarray.Dataset":
    import xarray

    shares = np.linspace(0.0, 1.0, labels.shape[0])
    coordinates = {}
    for side in (task.x, task.y):
        about = parameter(side.path)
        attrs = {"long_name": about.label, "symbol": about.symbol, "units": about.unit, "log": int(side.log)}
        coordinates[side.path] = (side.path, side.value(shares), attrs)
    names = (task.x.path, task.y.path)
    return xarray.Dataset(
        {"label": (names, labels, {"long_name": "class"}), "solved": (names, solved, {"long_name": "computed here"})},
        coords=coordinates,
        attrs={**provenance(task.problem), "points_solved": int(np.sum(solved))},
    )
