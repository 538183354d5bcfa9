"""Rectangles of two parameters, and functions of the problem on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.errors import CollapsedError
from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.models import registry
from mdtheory.models.dilation.problem import Configuration, MemorizationDilation
from mdtheory.models.model import Problem
from mdtheory.models.parameters import canonical, is_count, paths, with_values
from mdtheory.models.registry import model_of, within

Factory = Callable[..., Any]
"""Takes the names of the axes as keywords and returns a problem."""
Residual = Callable[[Any], FloatArray]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a rectangle: a range of a parameter, traversed evenly in its values or their logarithms.

    Examples
    --------
    >>> Side.parse("noise", (1e-3, 1e-1, "log")).value(np.array([0.0, 0.5, 1.0])).round(6)
    array([0.001, 0.01 , 0.1  ])
    """

    path: str
    low: float
    high: float
    log: bool = False

    @classmethod
    def parse(cls, path: str, given: Sequence[Any]) -> "Side":
        """From ``(low, high)`` or ``(low, high, "log")``."""
        shape = 'must be (low, high) or (low, high, "log"), low < high'
        if (
            isinstance(given, str)
            or len(given) not in (2, 3)
            or (len(given) == 3 and given[2] not in ("log", "linear"))
        ):
            raise fail(path, given, shape)
        log = len(given) == 3 and given[2] == "log"
        try:
            low, high = float(given[0]), float(given[1])
        except (TypeError, ValueError):
            raise fail(path, given, shape) from None
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise fail(path, given, shape)
        if log and low <= 0:
            raise fail(path, given, "must be positive on a logarithmic axis")
        return cls(path, low, high, log)

    def value(self, share: FloatArray) -> FloatArray:
        """The values at shares of the side."""
        if self.log:
            value = self.low * np.exp(share * np.log(self.high / self.low))
        else:
            value = self.low + share * (self.high - self.low)
        value = np.where(share >= 1.0, self.high, value)
        return np.asarray(np.clip(value, self.low, self.high))


def sides(ranges: Mapping[str, Sequence[Any]]) -> tuple[Side, Side]:
    """The two sides of a rectangle; the first is drawn across."""
    if not isinstance(ranges, Mapping) or len(ranges) != 2:
        raise fail("ranges", ranges, "must hold two parameters: {x: (low, high), y: (low, high)}")
    x, y = (Side.parse(path, given) for path, given in ranges.items())
    if canonical(x.path) == canonical(y.path):
        raise fail("ranges", list(ranges), "must hold two different parameters")
    for side in (x, y):
        if is_count(side.path):
            raise fail(
                "ranges", side.path, "must vary continuously; a whole number has values, but no curves between them"
            )
    return x, y


Evaluate = Callable[[Mapping[str, FloatArray]], FloatArray]
"""From values of the parameters, arrays (k,), to what is traced there."""


def evaluator(
    problem: Problem[Any, Any] | Factory, residual: Residual, *, of: type[Problem[Any, Any]] | None = None
) -> Evaluate:
    """A function of parameter values, arrays (k,): the residual (k,), nan where the class means have collapsed.

    Parameters
    ----------
    problem : UFM, MemorizationDilation, MaxMargin or callable
        One point; or what builds problems from the values, from arrays or point by point.
    residual : callable
        Of a problem whose shape is (k,) or ().
    of : type, optional
        The type of problem it takes: the given one or the one inside it. By default it takes the given one.
    """
    if not isinstance(problem, Problem):
        if not callable(problem):
            raise fail("problem", problem, f"must be {registry.a_problem('a callable that returns one')}")
        return _of_factory(problem, residual, of)
    inner = None if of is None else within(problem, of)
    if inner is not None and inner is not problem:
        return _of_inner(problem, inner, residual)
    if not model_of(problem).broadcasts(problem):
        return _of_factory(lambda **values: with_values(problem, values), residual, of)
    if problem.point_shape != ():
        raise fail("problem", problem.point_shape, "must be one point: the axes supply the arrays")
    return lambda values: _of_living(lambda some: residual(with_values(problem, some)), values)


def _of_inner(problem: Problem[Any, Any], inner: Problem[Any, Any], residual: Residual) -> Evaluate:
    known, own = paths(problem), paths(inner)

    def evaluate(values: Mapping[str, FloatArray]) -> FloatArray:
        for path in values:
            if canonical(path) not in known:
                raise fail("parameter", path, "must be one of " + ", ".join(known))
        inside = {path: value for path, value in values.items() if canonical(path) in own}
        return _spread_out(residual(with_values(inner, inside)), values)

    return evaluate


def _of_living(compute: Evaluate, values: Mapping[str, FloatArray]) -> FloatArray:
    """A function of the values at the points that have not collapsed, nan at the others."""
    try:
        return _spread_out(compute(values), values)
    except CollapsedError as error:
        alive = np.broadcast_to(error.alive, np.broadcast_shapes(*(np.shape(value) for value in values.values())))
        if np.all(alive):
            raise
    answer = np.full(alive.shape, np.nan)
    if np.any(alive):
        inside = {path: np.broadcast_to(value, alive.shape)[alive] for path, value in values.items()}
        answer[alive] = _of_living(compute, inside)
    return answer


def not_collapsed(problem: MemorizationDilation, values: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
    """Where the class means are not zero."""
    own = paths(problem.ufm)
    ufm = with_values(problem.ufm, {path: value for path, value in values.items() if canonical(path) in own})
    shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
    return np.asarray(np.broadcast_to(Configuration.of(ufm).margin > 0, shape))


def _of_factory(factory: Factory, residual: Residual, of: type[Problem[Any, Any]] | None) -> Evaluate:
    def of_problem(problem: Any) -> FloatArray:
        inner = None if of is None else within(problem, of)
        return residual(problem if inner is None else inner)

    def one(values: dict[str, float]) -> float:
        try:
            problem = factory(**values)
        except CollapsedError:
            return np.nan
        value = np.asarray(of_problem(_with_axis(problem)))
        if value.size != 1:
            raise fail("residual", value.shape, "must be one number for a problem of one point")
        return float(value.reshape(()))

    def point_by_point(values: Mapping[str, FloatArray]) -> FloatArray:
        rows = zip(*(value.tolist() for value in values.values()), strict=True)
        return np.array([one(dict(zip(values, row, strict=True))) for row in rows])

    def at_once(values: Mapping[str, FloatArray]) -> FloatArray | None:
        """From arrays, if the callable takes them and means the same by them as by numbers."""
        size = next(iter(values.values())).size
        try:
            problem = factory(**values)
            if not isinstance(problem, Problem) or problem.shape != (size,) or problem.point_shape != (size,):
                return None
            found = np.asarray(of_problem(problem), dtype=np.float64)
        except CollapsedError as error:
            if error.alive.shape != (size,) or not np.any(error.alive):
                return None
            found = np.full(size, np.nan)
            inside = at_once({path: value[error.alive] for path, value in values.items()})
            if inside is None:
                return None
            found[error.alive] = inside
            return found
        except (TypeError, ValueError):
            return None
        return found if found.shape == (size,) else None

    takes_arrays: list[bool] = []

    def evaluate(values: Mapping[str, FloatArray]) -> FloatArray:
        found = at_once(values) if takes_arrays != [False] else None
        if not takes_arrays:
            takes_arrays.append(found is not None and _agrees(found, values, point_by_point))
        return found if found is not None and takes_arrays[0] else point_by_point(values)

    return evaluate


def _agrees(
    found: FloatArray,
    values: Mapping[str, FloatArray],
    point_by_point: Evaluate,
) -> bool:
    """Whether a few values agree with those of single points."""
    few = np.unique(np.linspace(0, found.size - 1, 5).astype(int))
    single = point_by_point({path: value[few] for path, value in values.items()})
    return bool(np.allclose(found[few], single, rtol=1e-6, atol=1e-9, equal_nan=True))


def _with_axis(problem: Any) -> Any:
    """A problem of one point with an axis, where residuals of its type take arrays only."""
    axis = model_of(problem).spare_axis if isinstance(problem, Problem) and problem.shape == () else ""
    return with_values(problem, {axis: np.array([getattr(problem, axis)])}) if axis else problem


def _spread_out(value: FloatArray, values: Mapping[str, FloatArray]) -> FloatArray:
    shape = np.broadcast_shapes(*(np.shape(v) for v in values.values()))
    return np.asarray(np.broadcast_to(value, shape), dtype=np.float64)
