"""Legends below the axes that fit the width of their panel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# In inches: from the left edge of the axes to where a legend starts, and what ticks and labels take below the axes.
_LEFT, _BELOW, _LINE = 0.42, 0.42, 0.13


def legend_below(ax: "Axes", handles: "Sequence[Artist]", *, handle_length: float = 2.2, grow: bool = False) -> None:
    """A legend below the labels of the axes, in as many columns as the panel is wide.

    The figure grows by its height if so asked, so that the panel keeps its size.
    """
    from matplotlib.figure import Figure
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure
    below = _BELOW + _LINE * ax.get_xlabel().count("\n")
    labels = [str(handle.get_label()) for handle in handles]
    columns = _columns(labels, _panel_width(ax), handle_length)
    ax.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=ax.transAxes + ScaledTranslation(-_LEFT, -below, figure.dpi_scale_trans),
        ncols=columns,
        handlelength=handle_length,
        columnspacing=1.0,
        handletextpad=0.6,
        borderaxespad=0.0,
    )
    if grow and isinstance(figure, Figure):
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + 0.08 + _LINE * -(-len(labels) // columns))


def _columns(labels: Sequence[str], room: float, handle: float) -> int:
    """How many columns of labels fit, in inches, as matplotlib fills them: column by column."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    size = FontProperties(size=rcParams["legend.fontsize"]).get_size_in_points()
    widths = [TextPath((0, 0), label, size=size).get_extents().width + (handle + 1.6) * size for label in labels]
    for count in range(min(len(labels), 4), 1, -1):
        if sum(np.max(part) for part in np.array_split(widths, count)) / 72.0 < room - 0.1:
            return count
    return 1


def _panel_width(ax: "Axes") -> float:
    """The share of the figure's width that belongs to some axes, in inches."""
    spec = ax.get_subplotspec()
    columns = 1 if spec is None else spec.get_gridspec().ncols
    return float(ax.figure.bbox.width / ax.figure.dpi / columns)
