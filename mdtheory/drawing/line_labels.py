"""Text along a curve, placed when it is drawn: next to its line, inside the axes, clear of other lines and labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform

from mdtheory.foundation.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

# In points: distance of a label from its line, from the frame and from other lines, and how far apart positions tried are.
_GAP, _MARGIN, _CLEARANCE, _STEP = 1.5, 2.0, 1.5, 2.0
# More clearance than this, in points, is worth nothing.
_ENOUGH = 14.0


def label_lines(ax: "Axes", labels: Sequence[tuple[str, Sequence[FloatArray]]]) -> list["LineLabel"]:
    """Label curves, each given as polylines (k, 2) in the coordinates of the data.

    The labels find their places anew whenever the figure is drawn, so they fit any size, limits and layout.
    """
    crowd = _Crowd([np.asarray(line) for _, lines in labels for line in lines if len(line) > 1], [])
    made = [LineLabel(text, [np.asarray(line) for line in lines if len(line) > 1], crowd) for text, lines in labels]
    for label in made:
        ax.add_artist(label)
        label.set_in_layout(False)
    crowd.labels.extend(made)
    return made


@dataclass(frozen=True, slots=True)
class _Crowd:
    """All that the labels of some axes have to keep clear of."""

    lines: list[FloatArray]
    labels: list["LineLabel"]


class LineLabel(Text):
    """The label of a curve."""

    def __init__(self, text: str, lines: list[FloatArray], crowd: _Crowd) -> None:
        super().__init__(0, 0, text, ha="center", va="center", rotation_mode="anchor", color="black", zorder=6)
        self.set_path_effects([withStroke(linewidth=2.2, foreground="white", joinstyle="round")])
        self.lines = lines
        self.corners: FloatArray | None = None
        self._crowd = crowd

    def draw(self, renderer: "RendererBase", *args: Any, **kwargs: Any) -> None:
        """Find the place, then draw; without a visible piece of the line nothing is drawn."""
        self.corners = None
        # Placed in pixels, whatever transform `add_artist` has set.
        self.set_transform(IdentityTransform())
        self.set_clip_on(False)
        self.set_rotation(0)
        self.set_position((0, 0))
        box = self.get_window_extent(renderer)
        place = self._place(box.width, box.height, float(np.asarray(renderer.points_to_pixels(1.0))))
        if place is None:
            return
        self.set_position((float(place.centre[0]), float(place.centre[1])))
        self.set_rotation(float(np.degrees(place.angle)))
        self.corners = place.corners(0.0)
        super().draw(renderer, *args, **kwargs)

    def _place(self, width: float, height: float, point: float) -> "_Place | None":
        if not self.lines or self.axes is None:
            return None
        to_pixels, frame = self.axes.transData, self.axes.bbox
        own = [_resampled(to_pixels.transform(line), _STEP * point) for line in self.lines]
        others = [_resampled(to_pixels.transform(line), _STEP * point) for line in self._crowd.lines]
        taken = [_outline(label.corners, _STEP * point) for label in self._earlier() if label.corners is not None]
        obstacles = np.concatenate([*others, *taken])
        low = np.array([frame.x0, frame.y0]) + _MARGIN * point
        high = np.array([frame.x1, frame.y1]) - _MARGIN * point

        def best(places: list[_Place]) -> _Place | None:
            fitting = [p for p in places if np.all(p.corners(0.0) >= low) and np.all(p.corners(0.0) <= high)]
            return max(fitting, key=lambda place: _score(place, obstacles, point), default=None)

        along = best([place for line in own for place in _along(line, width, height, point)])
        return along or best([place for line in own for place in _beside(line, width, height, point, (low, high))])

    def _earlier(self) -> list["LineLabel"]:
        return self._crowd.labels[: self._crowd.labels.index(self)]


@dataclass(frozen=True, slots=True)
class _Place:
    """A rectangle turned by `angle`; `bend` is how much the line curves along it."""

    centre: FloatArray
    angle: float
    width: float
    height: float
    bend: float

    def local(self, points: FloatArray) -> FloatArray:
        """Points (k, 2) in the frame of the rectangle."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.asarray((points - self.centre) @ np.array([[c, -s], [s, c]]))

    def corners(self, margin: float) -> FloatArray:
        """The four corners, in pixels."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        half = np.array([0.5 * self.width + margin, 0.5 * self.height + margin])
        square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * half
        return np.asarray(square @ np.array([[c, s], [-s, c]]) + self.centre)


def _score(place: _Place, obstacles: FloatArray, point: float) -> float:
    """More is better: clear of everything, straight and level."""
    local = np.abs(place.local(obstacles)) - 0.5 * np.array([place.width, place.height])
    outside = np.hypot(*np.maximum(local, 0.0).T)
    inside = np.all(local < _CLEARANCE * point * 0.5, axis=1)
    # The nearest obstacle is the line itself; what counts is what the rest of the picture leaves.
    room = np.partition(outside, min(len(outside) - 1, int(2 * place.width / (_STEP * point))))
    nearest = float(room[min(len(outside) - 1, int(2 * place.width / (_STEP * point)))])
    clear = min(nearest / point, _ENOUGH)
    return clear - 3.0 * place.bend / point - 4.0 * abs(place.angle) / np.pi - 50.0 * float(np.count_nonzero(inside))


def _along(line: FloatArray, width: float, height: float, point: float) -> list[_Place]:
    """Places above and below a polyline whose points are equally far apart."""
    if len(line) < 2:
        return []
    step = max(float(np.hypot(*(line[1] - line[0]))), 1e-9)
    window = min(int(width / step) + 1, len(line) - 1)
    places = []
    for start in range(0, len(line) - window, max(1, (len(line) - window) // 80)):
        piece = line[start : start + window + 1]
        chord = piece[-1] - piece[0]
        length = float(np.hypot(*chord))
        if length < 0.5 * step:
            continue
        leftwards = chord[0] < 0 if abs(chord[0]) > 1e-6 * length else chord[1] < 0
        along = (-chord if leftwards else chord) / length
        angle = float(np.arctan2(along[1], along[0]))
        normal = np.array([-along[1], along[0]])
        middle = 0.5 * (piece[0] + piece[-1])
        offsets = (piece - middle) @ normal
        for side in (1.0, -1.0):
            away = float(np.max(side * offsets)) + _GAP * point + 0.5 * height
            bend = float(np.ptp(offsets)) + max(width - length, 0.0)
            places.append(_Place(middle + side * away * normal, angle, width, height, bend))
    return places


def _beside(
    line: FloatArray, width: float, height: float, point: float, frame: tuple[FloatArray, FloatArray]
) -> list[_Place]:
    """Level places to all sides of the visible points of a line that is too short, or too near the frame, to write along."""
    low, high = frame
    margin = _MARGIN * point
    visible = line[np.all((line >= low - margin) & (line <= high + margin), axis=1)]
    if len(visible) == 0 or np.all(np.ptp(visible, axis=0) < point):
        return []
    half, gap = 0.5 * np.array([width, height]), _GAP * point
    away = [np.array([i, j]) * (half + gap) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    some = visible[:: max(1, len(visible) // 20)]
    # Rounding must not push a place that touches the frame out of it.
    least, most = low + half + 1e-6, high - half - 1e-6
    if np.any(least > most):
        return []
    return [_Place(np.clip(spot + offset, least, most), 0.0, width, height, 0.0) for spot in some for offset in away]


def _resampled(line: FloatArray, step: float) -> FloatArray:
    """Points on a polyline, `step` apart."""
    line = line[np.all(np.isfinite(line), axis=1)]
    if len(line) < 2:
        return line.reshape(-1, 2)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, arc[-1], min(max(int(arc[-1] / step), 1), 4000) + 1)
    return np.stack([np.interp(at, arc, line[:, 0]), np.interp(at, arc, line[:, 1])], axis=1)


def _outline(corners: FloatArray, step: float) -> FloatArray:
    """Points all over a placed label."""
    (a, b, _, d) = corners
    across, up = max(int(np.hypot(*(b - a)) / step), 1), max(int(np.hypot(*(d - a)) / step), 1)
    i, j = np.meshgrid(np.linspace(0, 1, across + 1), np.linspace(0, 1, up + 1))
    return np.asarray(a + i.ravel()[:, None] * (b - a) + j.ravel()[:, None] * (d - a))
