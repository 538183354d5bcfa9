"""Where the texts of a figure end up."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from mdtheory.drawing.line_labels import LineLabel


def settled(figure):
    """The renderer of a figure that has found its layout."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    return renderer


def texts_outside(figure):
    """Texts that stick out of the figure."""
    renderer = settled(figure)
    outside = []
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip():
            continue
        if isinstance(text, LineLabel) and text.corners is None:
            continue
        box = text.get_window_extent(renderer)
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > figure.bbox.x1 + 0.5 or box.y1 > figure.bbox.y1 + 0.5:
            outside.append(text.get_text())
    # Ticks beyond the limits exist and are not drawn.
    ticks = {label.get_text() for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels()}
    return [text for text in outside if text not in ticks]
