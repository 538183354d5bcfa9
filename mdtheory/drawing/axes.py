"""The axes of a diagram: where the values of a parameter lie, the edges of the cells between them, and labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, instance

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Values that span more than this factor are better seen on a logarithmic scale.
_WIDE = 30.0
# Cells a side: more than a figure of two columns has dots, and quickly drawn.
_MOST = 1500
# Characters that fit along an axis in one column.
_LINE = 38


@dataclass(frozen=True, slots=True)
class PictureAxis:
    """One parameter: its values (numbers of the categories, if it has some), edges of cells, scale and label."""

    name: str
    positions: FloatArray
    edges: FloatArray
    log: bool
    label: str
    categories: tuple[str, ...] = ()


def variable_over_two(
    dataset: "xr.Dataset", quantity: str, x: str | None, y: str | None
) -> "tuple[xr.DataArray, PictureAxis, PictureAxis]":
    """A variable of two dimensions and the axes across and up."""
    is_dataset(dataset)
    if not isinstance(quantity, str) or quantity not in dataset.data_vars:
        raise fail("quantity", quantity, "must be one of " + ", ".join(repr(str(name)) for name in dataset.data_vars))
    variable = dataset[quantity]
    dims = tuple(str(name) for name in variable.dims)
    if len(dims) != 2:
        raise fail("dims", dims, "must be two; choose from the others with dataset.isel or dataset.sel")
    for name, value in (("x", x), ("y", y)):
        if value is not None and (not isinstance(value, str) or value not in dims):
            raise fail(name, value, f"must be one of the dimensions {dims[0]!r} and {dims[1]!r}")
    if x is not None and x == y:
        raise fail("y", y, "must be another dimension than x")
    if x is None:
        x = dims[1] if y is None else next(name for name in dims if name != y)
    y = next(name for name in dims if name != x)
    return variable, axis_of(dataset, x), axis_of(dataset, y)


def is_dataset(dataset: object) -> None:
    """Refuse what is no data set; a variable of one is told how to become one."""
    import xarray as xr

    hint = ", such as .to_dataset(name='normalized_dilation') makes" if isinstance(dataset, xr.DataArray) else ""
    instance("dataset", dataset, xr.Dataset, f"an xarray.Dataset{hint}")


def thinned(dataset: "xr.Dataset") -> "xr.Dataset":
    """At most so many values a dimension as there are dots on the paper, the ends among them."""
    is_dataset(dataset)
    for name, size in dataset.sizes.items():
        if size <= _MOST:
            continue
        if name in dataset.coords and dataset[name].dtype.kind in "iuf":
            # What the spacing says is no longer seen when values are left out.
            dataset = dataset.assign_coords(
                {name: dataset[name].assign_attrs(log=int(axis_of(dataset, str(name)).log))}
            )
        dataset = dataset.isel({name: np.unique(np.rint(np.linspace(0, size - 1, _MOST)).astype(int))})
    return dataset


def axis_of(dataset: "xr.Dataset", name: str) -> PictureAxis:
    """The axis of one dimension, from its coordinate and what its attributes say."""
    if name not in dataset.coords:
        raise fail(name, "no coordinate", "every dimension of the data set must have its values as coordinate")
    coordinate = dataset[name]
    label = label_of(coordinate.attrs, name)
    if coordinate.dtype.kind not in "iuf":
        words = tuple(str(value) for value in coordinate.values)
        place = np.arange(len(words) + 1, dtype=np.float64) - 0.5
        return PictureAxis(name, place[:-1] + 0.5, place, False, label, words)
    values = np.asarray(coordinate.values, dtype=np.float64)
    if values.size > 1 and not (np.all(np.diff(values) > 0) or np.all(np.diff(values) < 0)):
        raise fail(name, "unordered", "the values of a coordinate must increase or decrease")
    log = _is_log_spaced(values, bool(coordinate.attrs.get("log", False)))
    return PictureAxis(name, values, np.exp(_edges(np.log(values))) if log else _edges(values), log, label)


def label_of(attrs: Mapping[Any, Any], name: str) -> str:
    """Words, symbol and unit (a dimensionless quantity has none), in two lines if too long for one."""
    words = str(attrs.get("long_name", name.replace("_", " ")))
    symbol, unit = str(attrs.get("symbol", "")), str(attrs.get("units", "1"))
    symbol = symbol if not symbol or symbol.startswith("$") else f"${symbol}$"
    return _wrapped([*words.split(), symbol, "" if unit in ("", "1") else f"({unit})"])


def spans_decades(finite: FloatArray) -> bool:
    """Whether values are better seen on a logarithmic scale."""
    if finite.size == 0 or np.min(finite) < 0:
        return False
    above = finite[finite > 0]
    return bool(above.size and np.max(above) > _WIDE * np.min(above))


def prepare(ax: "Axes", across: PictureAxis, up: PictureAxis) -> None:
    """Scales, limits and labels of both axes."""
    for name, axis in (("x", across), ("y", up)):
        prepare_one(ax, name, axis)


def prepare_one(ax: "Axes", name: str, axis: PictureAxis) -> None:
    """Scale, limits, ticks and label of the axis "x" or "y"."""
    low, high = axis.positions[0], axis.positions[-1]
    if axis.categories or low == high:
        low, high = axis.edges[0], axis.edges[-1]
    target: Axis = getattr(ax, f"{name}axis")
    if axis.log:
        getattr(ax, f"set_{name}scale")("log")
    getattr(ax, f"set_{name}lim")(min(low, high), max(low, high))
    getattr(ax, f"set_{name}label")(axis.label)
    if axis.categories:
        target.set_ticks(axis.positions, labels=axis.categories)
    elif axis.log:
        few_ticks(target, float(min(low, high)), float(max(low, high)))


def few_ticks(axis: "Axis", low: float, high: float) -> None:
    """Labels of a logarithmic axis: powers of ten, or over two decades or less also what lies between, as numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    decades = np.log10(high / low)
    if decades >= 2.0:
        axis.set_major_locator(LogLocator(numticks=6 if decades < 6 else 5))
        axis.set_minor_formatter(NullFormatter())
        return
    if decades > 0.5:
        exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        candidates = [step * 10.0**k for k in exponents for step in (1, 2, 5)]
    else:
        candidates = list(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]).tick_values(low, high))
    ticks = [tick for tick in candidates if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axis.set_minor_formatter(NullFormatter())


def _wrapped(words: list[str]) -> str:
    """Words in one line, or in two of about the same length where one would be longer than an axis in one column."""
    words = [word for word in words if word]
    # A formula is shorter than its source.
    lengths = np.cumsum([(4 if word.startswith("$") else len(word)) + 1 for word in words])
    if lengths[-1] <= _LINE or len(words) < 2:
        return " ".join(words)
    cut = int(np.argmin(np.abs(lengths[:-1] - 0.55 * lengths[-1]))) + 1
    return " ".join(words[:cut]) + "\n" + " ".join(words[cut:])


def _edges(values: FloatArray) -> FloatArray:
    if values.size == 1:
        return np.asarray(values[0] + np.array([-0.5, 0.5]))
    middles = 0.5 * (values[1:] + values[:-1])
    return np.concatenate([[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]])


def _is_log_spaced(values: FloatArray, preferred: bool) -> bool:
    """Whether an axis is logarithmic: as its values are spaced, and as the parameter prefers where that does not tell."""
    if values.size < 3 or np.any(values <= 0):
        return preferred and values.size > 1 and bool(np.all(values > 0))
    steps, ratios = np.diff(values), np.diff(np.log(values))
    if np.allclose(steps, steps[0], rtol=1e-6):
        return False
    return preferred or bool(np.allclose(ratios, ratios[0], rtol=1e-6))
