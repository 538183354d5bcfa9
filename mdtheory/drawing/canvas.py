"""The paper a diagram is drawn on: the style, the sizes of one and two columns, and files."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import choice, fail, integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WIDTHS = {"one-column": 3.4, "two-columns": 7.0}
SUFFIXES = (".png", ".svg", ".pdf")

# The height of a panel, in inches: a golden rectangle of a column, and what a wide panel still carries.
_PANEL_HEIGHTS = {"one-column": 2.7, "two-columns": 2.9}


def panels(
    rows: int = 1, columns: int = 1, *, width: str = "one-column", height: float | None = None
) -> NDArray[np.object_]:
    """Empty axes in the style of the diagrams, on a new figure of the width of one or two columns.

    Parameters
    ----------
    rows, columns : int, default 1
    width : {"one-column", "two-columns"}
        3.4 or 7 inches.
    height : float, optional
        Of the whole figure, in inches.

    Returns
    -------
    array (rows, columns) of matplotlib.axes.Axes
        The figure is their ``figure``. It is not registered with pyplot.

    Raises
    ------
    AssumptionError
        If the width is another or a count is not positive.

    Examples
    --------
    >>> axes = panels(1, 2, width="two-columns")
    >>> axes.shape, axes[0, 0].figure.get_size_inches().tolist()
    ((1, 2), [7.0, 2.9])
    """
    choice("width", width, tuple(WIDTHS))
    for name, count in (("rows", rows), ("columns", columns)):
        integer(name, count, 1, 100)
    if height is not None and not 0 < height < 100:
        raise fail("height", height, "must be positive, in inches")
    from matplotlib.figure import Figure

    size = (WIDTHS[width], height or _PANEL_HEIGHTS[width] * rows)
    with style():
        grid: NDArray[np.object_] = Figure(figsize=size).subplots(rows, columns, squeeze=False)
    return grid


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's parameters for the diagrams while the block runs.

    The file is part of the package, so ``matplotlib.style.use("mdtheory.drawing.mdtheory")`` sets them for good.
    """
    import matplotlib

    with matplotlib.rc_context(fname=Path(__file__).with_name("mdtheory.mplstyle")):
        yield


def save(drawing: "Axes | Figure", *paths: str | Path, dpi: float | None = None) -> None:
    """Write the figure of some axes as PNG, SVG or PDF, as the suffixes say; equal figures give equal files.

    Parameters
    ----------
    drawing : matplotlib.axes.Axes or matplotlib.figure.Figure
    *paths : path
        One file each.
    dpi : float, optional
        Dots per inch of a PNG, and of the coloured cells in an SVG or PDF; default 300.

    Raises
    ------
    AssumptionError
        If a suffix is another; nothing is written then.
    OSError
        If a file cannot be written.
    """
    for path in paths:
        check_suffix(path)
    figure = _figure_of(drawing)
    for path in paths:
        Path(path).write_bytes(render(figure, Path(path).suffix.lower().lstrip("."), dpi))


def check_suffix(path: str | Path) -> None:
    """Raise an AssumptionError unless the file is a PNG, SVG or PDF."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise fail("output", str(path), "must end in one of " + ", ".join(SUFFIXES))


def render(figure: "Figure", kind: str, dpi: float | None = None) -> bytes:
    """The figure as the bytes of a file of that kind."""
    # Without the date and the version of matplotlib the same figure is the same file.
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    buffer = BytesIO()
    with style():
        figure.savefig(buffer, format=kind, metadata=metadata[kind], dpi=300 if dpi is None else dpi)
    return buffer.getvalue()


def _figure_of(drawing: "Axes | Figure | SubFigure") -> "Figure":
    from matplotlib.figure import Figure

    figure = drawing if isinstance(drawing, Figure) else drawing.figure
    root = figure if isinstance(figure, Figure) else getattr(figure, "figure", None)
    if not isinstance(root, Figure):
        raise fail("drawing", drawing, "must be axes on a figure, or a figure")
    return root
