"""The cells of a diagram in colour: numbers, phases, and cells about which nothing is known."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.drawing.axes import PictureAxis, few_ticks, label_of, spans_decades
from mdtheory.foundation.validation import FloatArray, fail

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.patches import Patch

# How phases and cells without an answer look: fill, hatch and words. Blue against orange, dark where clusters overlap:
# told apart by all eyes, and in print without colour by the boundaries between them.
_LOOKS = {
    "memorized": ("#B5D5EC", "", "memorised"),
    "memorized_overlapping": ("#3F7FB5", "", "memorised, overlapping"),
    "not_memorized": ("#FBDDB0", "", "not memorised"),
    "not_memorized_overlapping": ("#D9822B", "", "not memorised, overlapping"),
    "collapsed": ("0.80", "", "collapsed to zero"),
    "undefined": ("0.96", "....", "undefined"),
    "failed": ("1.0", "xxxx", "not solved"),
    "undecided": ("none", "////////", "undecided"),
    "zero": ("1.0", "", "zero"),
}
_OTHER_FILLS = ("#CFE3F2", "#F0B465", "#6FA8D6", "#B5651D", "#F7E7C6", "#2F5F8F", "#B9B9B9", "#5A5A5A")
# So many different integers are classes and not a quantity.
_FEW = len(_OTHER_FILLS)
_UNSOLVED = ("collapsed", "undefined", "failed")
# A logarithmic scale of colours ends here below its top: beyond it, one colour and an arrow.
_DEEPEST = 1e-6


def paint_numbers(
    ax: "Axes",
    variable: "xr.DataArray",
    across: PictureAxis,
    up: PictureAxis,
    scale: str,
    limits: tuple[float, float] | None,
) -> "list[Patch]":
    """Cells in the colours of their numbers, and a colour bar; the legend of zeros, which a logarithmic scale lacks."""
    from matplotlib.colors import LogNorm

    values = _grid(variable, across, up)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return []
    if scale == "auto":
        scale = _scale_of(finite, bool(variable.attrs.get("log", True)))
    cmap, norm = _colours(finite, scale, limits)
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 0.0)
    zero = (values == 0) & isinstance(norm, LogNorm)
    below, above = bool(np.any((values < low) & ~zero)), bool(np.any(values > high))
    # Infinity belongs to the end of the scale, which would leave it blank.
    inside = np.ma.masked_where(np.isnan(values) | zero, np.clip(values, low, high))
    mesh = ax.pcolormesh(across.edges, up.edges, inside, cmap=cmap, norm=norm, rasterized=True)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]
    bar = ax.figure.colorbar(mesh, ax=ax, extend=extend, pad=0.02, aspect=24)
    bar.set_label(label_of(variable.attrs, str(variable.name)))
    if isinstance(norm, LogNorm):
        few_ticks(bar.ax.yaxis, low, high)
    return [_patch(look("zero", 0))] if np.any(zero) else []


def paint_flags(ax: "Axes", variable: "xr.DataArray", across: PictureAxis, up: PictureAxis) -> "list[Patch]":
    """Cells in the flat colours of their flags; the legend of those that occur."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    flags, values = flags_of(variable), _grid(variable, across, up)
    names = {code: name for name, code in flags.items()}
    codes = [code for code in sorted(names) if np.any(values == code)]
    if not codes:
        return []
    looks = [look(names[code], i) for i, code in enumerate(codes)]
    ax.pcolormesh(
        *(across.edges, up.edges, np.ma.masked_where(~np.isin(values, codes), np.searchsorted(codes, values))),
        cmap=ListedColormap([fill for fill, _, _ in looks]),
        norm=BoundaryNorm(np.arange(len(codes) + 1) - 0.5, len(codes)) if len(codes) > 1 else None,
        rasterized=True,
    )
    for code, (_, hatch, _) in zip(codes, looks, strict=True):
        if hatch:
            _cover(ax, values == code, across, up, names[code])
    return [_patch(one) for one in looks]


def paint_unsolved(ax: "Axes", dataset: "xr.Dataset", across: PictureAxis, up: PictureAxis) -> "list[Patch]":
    """Cells without a solution, as their status says; the legend of those that occur."""
    status = dataset.get("status")
    if status is None or set(status.dims) != {across.name, up.name}:
        return []
    flags, values = flags_of(status), _grid(status, across, up)
    return [
        _cover(ax, values == flags[name], across, up, name)
        for name in _UNSOLVED
        if name in flags and np.any(values == flags[name])
    ]


def hatch_undecided(ax: "Axes", regions: "xr.Dataset", across: PictureAxis, up: PictureAxis) -> "list[Patch]":
    """Hatch the cells whose region could not be decided; the legend if there are some."""
    evidence = regions.get("evidence")
    if evidence is None:
        return []
    if set(evidence.dims) != {across.name, up.name}:
        raise fail("regions", tuple(evidence.dims), f"must be over the parameters {(across.name, up.name)!r}")
    flags, values = flags_of(evidence), _grid(evidence, across, up)
    undecided = values == flags.get("undecided", np.nan)
    return [_cover(ax, undecided, across, up, "undecided")] if np.any(undecided) else []


def is_flagged(variable: "xr.DataArray") -> bool:
    """Whether a variable is one of names: by its attributes, or because it holds a few different integers."""
    if "flag_meanings" in variable.attrs:
        return True
    return variable.dtype.kind in "bi" and np.unique(variable.values).size <= _FEW


def flags_of(variable: "xr.DataArray") -> dict[str, int]:
    """The flags of a variable by name, from its CF attributes; without them, its values."""
    if "flag_meanings" not in variable.attrs:
        words = str(variable.attrs.get("long_name", variable.name))
        return {f"{words} {value}": int(value) for value in np.unique(variable.values)}
    meanings = variable.attrs.get("flag_meanings", "")
    names = meanings.split() if isinstance(meanings, str) else list(meanings)
    codes = np.atleast_1d(variable.attrs.get("flag_values", np.arange(len(names))))
    return {str(name): int(code) for name, code in zip(names, codes, strict=True)}


def look(name: str, number: int) -> tuple[str, str, str]:
    """Fill, hatch and words of a flag."""
    return _LOOKS.get(name, (_OTHER_FILLS[number % len(_OTHER_FILLS)], "", name.replace("_", " ")))


def _grid(variable: "xr.DataArray", across: PictureAxis, up: PictureAxis) -> FloatArray:
    return np.asarray(variable.transpose(up.name, across.name).values, dtype=np.float64)


def _scale_of(finite: FloatArray, log: bool) -> str:
    if np.min(finite) < 0 < np.max(finite):
        return "diverging"
    return "log" if log and spans_decades(finite) else "linear"


def _colours(finite: FloatArray, scale: str, limits: tuple[float, float] | None) -> "tuple[Colormap, Normalize]":
    """The map and the scale: sequential, logarithmic, or diverging with equal steps on both sides of zero."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    low, high = limits if limits is not None else (float(np.min(finite)), float(np.max(finite)))
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise fail("limits", limits, "must be two numbers in order")
    if scale == "log":
        above = finite[finite > 0]
        if low <= 0:
            low = float(np.min(above)) if above.size else high
        if high <= 0:
            raise fail("scale", "log", "needs positive values")
        low = max(low, _DEEPEST * high)
        return colormaps["cividis"], LogNorm(*_apart(low, high, 1.01))
    if scale == "diverging":
        reach = max(abs(low), abs(high)) or 1.0
        span = np.linspace(0.5 + 0.5 * low / reach, 0.5 + 0.5 * high / reach, 512)
        return ListedColormap(colormaps["PuOr_r"](span)), Normalize(*_apart(low, high))
    return colormaps["cividis"], Normalize(*_apart(low, high))


def _apart(low: float, high: float, factor: float = 1.0) -> tuple[float, float]:
    """Limits that differ, for a field that is constant."""
    if high > low:
        return low, high
    return (low / factor, high * factor) if factor > 1.0 else (low - 0.5, high + 0.5)


def _cover(ax: "Axes", mask: NDArray[np.bool_], across: PictureAxis, up: PictureAxis, name: str) -> "Patch":
    """Fill and hatch the cells of a mask as one patch; a patch for the legend."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    fill, hatch, _ = one = look(name, 0)
    vertices: list[tuple[float, float]] = []
    for row, column, stop in _runs(mask):
        x0, x1, y0, y1 = across.edges[column], across.edges[stop], up.edges[row], up.edges[row + 1]
        vertices += [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * (len(vertices) // 5)
    cells = PathPatch(Path(vertices, codes), facecolor=fill, hatch=hatch, edgecolor="0.35", linewidth=0.0, zorder=1.5)
    ax.add_patch(cells)
    return _patch(one)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Rows of neighbouring cells of a mask, as (row, first column, column after the last)."""
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, stops = np.nonzero(steps == -1)
    return [(int(r), int(a), int(b)) for r, a, b in zip(rows, starts, stops, strict=True)]


def _patch(one: tuple[str, str, str]) -> "Patch":
    from matplotlib.patches import Patch

    fill, hatch, words = one
    options: dict[str, Any] = {"facecolor": fill, "hatch": hatch, "edgecolor": "0.35", "linewidth": 0.4}
    return Patch(**options, label=words)
