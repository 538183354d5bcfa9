"""Diagrams of a swept problem: a quantity over two parameters, losses against one, and the configuration itself."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mdtheory.drawing import canvas, painting
from mdtheory.drawing.axes import (
    PictureAxis,
    label_of,
    prepare,
    prepare_one,
    spans_decades,
    thinned,
    variable_over_two,
)
from mdtheory.drawing.configuration_picture import draw, draw_three
from mdtheory.drawing.legends import legend_below
from mdtheory.foundation.validation import FloatArray, choice, fail, real_array
from mdtheory.models.dilation.solution import MDSolution
from mdtheory.models.joint.general_solution import ClassJointSolution
from mdtheory.models.joint.solution import JointSolution

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    from mdtheory.phase.boundaries import Boundary

Scale = Literal["auto", "linear", "log", "diverging"]
Width = Literal["one-column", "two-columns"]
SCALES: tuple[str, ...] = get_args(Scale)

_SYMBOLS = {"smoothing": r"\alpha", "relaxation": r"\alpha", "focusing": r"\gamma"}
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (6, 1.6, 1.2, 1.6)), (0, (1.4, 1.4)))
_LOSS_DASHES: tuple[Any, ...] = (
    *("-", (0, (5, 1.6)), "-", (0, (5, 1.6))),
    *((0, (6, 1.6, 1.2, 1.6)), (0, (1.2, 1.2)), (0, (8, 2)), (0, (3, 1))),
)


def plot(
    dataset: "xr.Dataset",
    *,
    x: str | None = None,
    y: str | None = None,
    quantity: str = "normalized_dilation",
    boundaries: "Sequence[Boundary]" = (),
    regions: "xr.Dataset | None" = None,
    ax: "Axes | None" = None,
    width: Width = "one-column",
    scale: Scale = "auto",
    limits: tuple[float, float] | None = None,
) -> "Axes":
    """A phase diagram: one quantity over two parameters, with boundaries drawn and labelled on top.

    Cells are drawn as they are, without interpolation (of grids beyond 1500 values a side, cells are left out). Cells without a solution are grey (collapsed), dotted
    (undefined) or crossed (not solved), and undecided regions are hatched; a legend below the axes says which.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of `sweep` or `regions`, with two dimensions.
    x, y : str, optional
        Dimensions across and up; by default the last and the first.
    quantity : str, default "normalized_dilation"
        A variable of the data set. One with flag meanings ("phase", "status", "evidence"), or of a few integers, is
        drawn in flat colours.
    boundaries : sequence of Boundary
        Over the same two parameters, in either order.
    regions : xarray.Dataset, optional
        Of `regions`: its undecided cells are hatched.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of one panel (see `panels`).
    width : {"one-column", "two-columns"}
        Of that figure.
    scale : {"auto", "linear", "log", "diverging"}
        Of the colours. "auto" takes a diverging one with its neutral colour at zero where both signs occur, and a
        logarithmic one where values span a factor of 30, unless the attributes of the quantity say ``log = 0``.
    limits : (float, float), optional
        Of the colours; values beyond are drawn in the colour at the end.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    AssumptionError
        If the data set lacks the quantity or has other than two dimensions, a boundary is over other parameters, or
        an option is not one of those above.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> noise, smoothing = np.geomspace(1e-3, 0.4, 40), np.linspace(0, 0.5, 30)
    >>> values = noise * (1 - smoothing[:, None])
    >>> ds = xr.Dataset({"normalized_dilation": (("loss.smoothing", "noise"), values)},
    ...                 {"noise": noise, "loss.smoothing": smoothing})
    >>> ax = plot(ds, x="noise", y="loss.smoothing")
    >>> ax.get_xscale(), ax.get_yscale()
    ('log', 'linear')
    """
    choice("scale", scale, SCALES)
    if limits is not None and real_array("limits", limits).shape != (2,):
        raise fail("limits", limits, "must be two numbers in order")
    dataset, regions = thinned(dataset), regions if regions is None else thinned(regions)
    variable, across, up = variable_over_two(dataset, quantity, x, y)
    if not isinstance(boundaries, (list, tuple)):
        raise fail("boundaries", boundaries, "must be a list of boundaries, as mdtheory.phase.boundary makes them")
    for boundary in boundaries:
        if not all(hasattr(boundary, name) for name in ("x", "y", "segments", "label")):
            raise fail("boundaries", boundary, "must be a list of boundaries, as mdtheory.phase.boundary makes them")
    lines = [_polylines(boundary, across, up) for boundary in boundaries]
    with canvas.style():
        own = ax is None
        ax = _axes(ax, width)
        legend: list[Patch] = []
        if painting.is_flagged(variable) and scale == "auto":
            legend += painting.paint_flags(ax, variable, across, up)
        else:
            legend += painting.paint_numbers(ax, variable, across, up, scale, limits)
            legend += painting.paint_unsolved(ax, dataset, across, up)
        legend += painting.hatch_undecided(ax, dataset if regions is None else regions, across, up)
        prepare(ax, across, up)
        _draw_lines(ax, [(boundary.label, line) for boundary, line in zip(boundaries, lines, strict=True)])
        if legend:
            legend_below(ax, legend, handle_length=1.4, grow=own)
    return ax


def plot_losses(
    dataset: "xr.Dataset",
    *,
    x: str | None = None,
    quantity: str = "dilation",
    ax: "Axes | None" = None,
    width: Width = "one-column",
    legend: bool = True,
) -> "Axes":
    """A quantity against one parameter, one line for each loss, the legend in the order of the lines' ends.

    Parameters
    ----------
    dataset : xarray.Dataset
        With the dimension "loss" and one other.
    x : str, optional
        That other dimension.
    quantity : str, default "dilation"
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of one panel.
    width : {"one-column", "two-columns"}
        Of the figure: the legend is below the panel in one column and right of it in two.
    legend : bool, default True

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    AssumptionError
        If the data set lacks the quantity, or has other dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> noise = np.geomspace(1e-3, 0.4, 40)
    >>> ds = xr.Dataset({"dilation": (("loss", "noise"), [noise, 2 * noise])},
    ...                 {"noise": noise, "loss": ["hinge", "cross-entropy"]})
    >>> ax = plot_losses(ds, x="noise")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['cross-entropy', 'hinge']
    """
    variable, across, _ = variable_over_two(dataset, quantity, x, "loss")
    values = np.asarray(variable.transpose("loss", across.name).values, dtype=np.float64)
    labels = [str(name) for name in dataset["loss"].values]
    choice("width", width, tuple(canvas.WIDTHS))
    with canvas.style():
        own = ax is None
        ax = _axes(ax, width)
        for i in np.argsort(-_last_finite(values), kind="stable"):
            dashes = _LOSS_DASHES[i % len(_LOSS_DASHES)]
            ax.plot(across.positions, values[i], color=f"C{i % 8}", linestyle=dashes, label=_in_symbols(labels[i]))
        prepare_one(ax, "x", across)
        if spans_decades(values[np.isfinite(values)]):
            ax.set_yscale("log")
        ax.set_ylabel(label_of(variable.attrs, quantity))
        ax.grid(which="major")
        if legend and width == "two-columns":
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        elif legend:
            legend_below(ax, list(ax.get_lines()), grow=own)
    return ax


def plot_configuration(
    solution: MDSolution | JointSolution | ClassJointSolution, *, ax: "Axes | None" = None, width: Width = "one-column"
) -> "Axes":
    r"""The class means, the noisy features and the dilation in the plane of the two means.

    Across is the coordinate along h_1 - h_2, up that along h_1 + h_2 (with free features, whose means are opposite, any
    direction at right angles). Discs of radius r around the class means stand for the clean examples, an arrow leads
    from the class mean a noisy example looks like to where it is learnt, and the classifier decides by the side of the
    vertical line: a noisy example is memorised where the arrow crosses it. With nonnegative features the cone they lie in is
    shaded.

    Parameters
    ----------
    solution : MDSolution, JointSolution or ClassJointSolution
        Of one point, with two classes; of a limited-expressivity problem also with three, in the plane of their means: then each arrow
        has the colour of the label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of one panel.
    width : {"one-column", "two-columns"}
        Of that figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    AssumptionError
        If the solution is not of one point, or its noisy features run off to infinity.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> ax = plot_configuration(mdt.solve(mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0)))
    >>> ax.get_aspect()
    1.0
    """
    if not isinstance(solution, (MDSolution, JointSolution, ClassJointSolution)) or solution.problem.shape != ():
        raise fail("solution", type(solution).__name__, "must be the MDSolution or JointSolution of one point")
    joint = not isinstance(solution, MDSolution)
    count = solution.class_means.shape[-1]
    if count != 2 and not (joint and count == 3):
        raise fail(
            "num_classes", count, "must be 2, or 3 in a limited-expressivity problem, for a picture in the plane"
        )
    if joint and not np.any(solution.class_means):
        raise fail("solution", "collapsed", "must have class means that are not zero")
    if not np.all(np.isfinite(solution.noisy_margin)):
        raise fail("noisy_margin", solution.noisy_margin, "must be finite: the noisy features run off to infinity")
    with canvas.style():
        ax = canvas.panels(width=width)[0, 0] if ax is None else ax
        if isinstance(solution, ClassJointSolution) or count == 3:
            draw_three(ax, solution)
        else:
            draw(ax, solution)
    return ax


def _axes(ax: "Axes | None", width: str) -> "Axes":
    """The axes given, or those of a new figure."""
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        raise fail("ax", ax, "must be axes of matplotlib, or None for a new figure")
    return canvas.panels(width=width)[0, 0] if ax is None else ax


def _polylines(boundary: "Boundary", across: PictureAxis, up: PictureAxis) -> list[FloatArray]:
    """The polylines of a boundary, in the order of the axes."""
    names = (boundary.x, boundary.y)
    if names == (across.name, up.name):
        return [np.asarray(segment) for segment in boundary.segments]
    if names == (up.name, across.name):
        return [np.asarray(segment)[:, ::-1] for segment in boundary.segments]
    raise fail("boundary", names, f"must be over the parameters of the picture, {(across.name, up.name)!r}")


def _draw_lines(ax: "Axes", curves: list[tuple[str, list[FloatArray]]]) -> None:
    """Black lines on white ones, so that they are seen on any colour, each with its label."""
    from mdtheory.drawing.line_labels import label_lines

    for i, (_, lines) in enumerate(curves):
        for line in lines:
            ax.plot(line[:, 0], line[:, 1], color="white", linewidth=2.6, zorder=3)
            ax.plot(line[:, 0], line[:, 1], color="black", linestyle=_DASHES[i % len(_DASHES)], linewidth=1.2, zorder=4)
    label_lines(ax, [(label, lines) for label, lines in curves if label])


def _in_symbols(label: str) -> str:
    """The name of a loss with its parameters as symbols, which is shorter."""
    return re.sub(
        r"\b(smoothing|relaxation|focusing) (\S+)", lambda found: f"${_SYMBOLS[found[1]]} = {found[2]}$", label
    )


def _last_finite(values: FloatArray) -> FloatArray:
    """The last number of every row that is one."""
    good = np.isfinite(values)
    last = values.shape[1] - 1 - np.argmax(good[:, ::-1], axis=1)
    return np.where(np.any(good, axis=1), values[np.arange(len(values)), last], -np.inf)
