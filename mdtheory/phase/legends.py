"""Legends outside the axes that fit the width of their panel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# In inches: from the left edge of the axes to where a legend starts, what the labels of the axis take below.
_LEFT, _BELOW = 0.42, 0.42


def fitted_legend(ax: "Axes", handles: "Sequence[Artist]", *, above: bool) -> None:
    """A legend above or below the axes, in as many columns as the panel is wide."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure
    offset = ScaledTranslation(-_LEFT, 0.03 if above else -_BELOW, figure.dpi_scale_trans)
    ax.legend(
        handles=list(handles),
        loc="lower left" if above else "upper left",
        bbox_to_anchor=(0.0, 1.0 if above else 0.0),
        bbox_transform=ax.transAxes + offset,
        ncols=_columns([str(handle.get_label()) for handle in handles], _panel_width(ax), 1.4 if above else 2.6),
        handlelength=1.4 if above else 2.6,
        columnspacing=1.0,
        handletextpad=0.6,
        borderaxespad=0.0,
    )


def _columns(labels: Sequence[str], room: float, handle: float) -> int:
    """How many columns of labels fit, in inches, as matplotlib fills them: column by column."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    size = FontProperties(size=rcParams["legend.fontsize"]).get_size_in_points()
    widths = [TextPath((0, 0), label, size=size).get_extents().width + (handle + 1.6) * size for label in labels]
    for count in range(min(len(labels), 4), 1, -1):
        if sum(np.max(part) for part in np.array_split(widths, count)) / 72.0 < room:
            return count
    return 1


def _panel_width(ax: "Axes") -> float:
    """The share of the figure's width that belongs to some axes, in inches."""
    spec = ax.get_subplotspec()
    columns = 1 if spec is None else spec.get_gridspec().ncols
    return float(ax.figure.bbox.width / ax.figure.dpi / columns)
