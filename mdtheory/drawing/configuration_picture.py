"""The neural-collapse configuration and what label noise does to it, in the plane of the two class means."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.solution import MDSolution
from mdtheory.models.joint.general_solution import ClassJointSolution
from mdtheory.models.joint.solution import JointSolution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]

# Blue is class 1, orange class 2 and green class 3, in the tones the phases have.
_FILLS = ("#A6CEE8", "#FBD5A0", "#BFE0B8")
_TONES = ("#1F5F99", "#B35C00", "#3B7D3B")


@dataclass(frozen=True, slots=True)
class Plane:
    """What is drawn: two class means, the noisy features of either label, and the dilations, in coordinates along h_1 - h_2 and across."""

    means: tuple[Point, Point]
    noisy: tuple[Point, Point]
    radii: tuple[float, float]
    nonnegative: bool

    @classmethod
    def of(cls, solution: MDSolution | JointSolution) -> "Plane":
        """That of two classes, from their explicit features."""
        if isinstance(solution, JointSolution):
            means, features = solution.class_means, solution.noisy_features
            noisy = np.stack([features[:, 0, 1], features[:, 1, 0]], axis=-1)
            nonnegative = solution.problem.nonnegative
        else:
            means, noisy = solution.class_means, solution.noisy_features
            nonnegative = solution.problem.ufm.nonnegative
        along = means[:, 0] - means[:, 1]
        length = float(np.linalg.norm(along))
        across = means[:, 0] + means[:, 1]
        across = across - (across @ along) / length**2 * along
        height = float(np.linalg.norm(across))
        if height < 1e-12 * length:
            # Free features have opposite means: any direction at right angles.
            across, height = np.zeros(across.shape), 1.0

        def point(feature: FloatArray) -> Point:
            return float(feature @ along) / length, float(feature @ across) / height

        radii = np.broadcast_to(solution.dilation, 2)
        return cls(
            (point(means[:, 0]), point(means[:, 1])),
            (point(noisy[:, 0]), point(noisy[:, 1])),
            (float(radii[0]), float(radii[1])),
            nonnegative,
        )


def draw(ax: "Axes", solution: MDSolution | JointSolution) -> None:
    """Discs, arrows, the line between the classes and the cone, with equal units on both axes."""
    from matplotlib.patches import Circle, Polygon

    plane = Plane.of(solution)
    means, noisy = plane.means, plane.noisy
    distance = float(np.hypot(*np.subtract(means[0], means[1])))
    limits = _limits(means, noisy, plane.radii)
    if plane.nonnegative:
        far = 10.0 * max(abs(value) for pair in limits for value in pair)
        corners = np.array([(0.0, 0.0), (far, far), (-far, far)])
        # As an artist, for a patch would stretch the limits.
        ax.add_artist(Polygon(corners, facecolor="0.945", edgecolor="0.75", linewidth=0.6, zorder=0))
    ax.axvline(_border(solution), color="0.35", linestyle=(0, (4, 2)), linewidth=0.9, zorder=2)
    for n, (mean, feature, radius) in enumerate(zip(means, noisy, plane.radii, strict=True)):
        side = 1.0 if n == 0 else -1.0
        ax.add_patch(Circle(mean, radius, facecolor=_FILLS[n], alpha=0.75))
        ax.add_patch(Circle(mean, radius, facecolor="none", edgecolor=_TONES[n], linewidth=0.8, zorder=2))
        ax.plot(*mean, "o", color=_TONES[n], markersize=4, zorder=4)
        _say(ax, f"$h_{n + 1}$", mean, (9 * side, 0))
        _say_side(ax, n)
        _draw_radius(ax, mean, radius, side, distance)
        # A noisy example labelled n looks like the other class. Bent, for both arrows lie on nearly the same line.
        _draw_arrow(ax, means[1 - n], feature, _TONES[n], distance)
        ax.plot(*feature, "s", color=_TONES[n], markerfacecolor="white", markersize=4, zorder=5)
        _say(ax, f"$u_{n + 1}$", feature, (3 * side, 10 * side))
    ax.update_datalim(list(zip(*limits, strict=True)))
    ax.margins(0.0)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(r"along $h_1 - h_2$")
    ax.set_ylabel(r"along $h_1 + h_2$" if plane.means[0][1] > 0 else "at right angles")


def draw_three(ax: "Axes", solution: MDSolution | JointSolution | ClassJointSolution) -> None:
    """Three classes in the plane that their logits see: discs, and an arrow for each pair that is memorised or tried to."""
    from matplotlib.patches import Circle

    # The longest axis of what the class means span, then the other.
    frame = np.linalg.svd(solution.class_means)[0][:, :2].T
    means, noisy = frame @ solution.class_means, np.einsum("id,dnm->inm", frame, solution.noisy_features)
    radii = np.broadcast_to(solution.dilation, 3)
    size = float(np.max(np.linalg.norm(means, axis=0)))
    for m in range(3):
        centre = (float(means[0, m]), float(means[1, m]))
        ax.add_patch(Circle(centre, float(radii[m]), facecolor=_FILLS[m], alpha=0.6))
        ax.add_patch(Circle(centre, float(radii[m]), facecolor="none", edgecolor=_TONES[m], linewidth=0.8, zorder=2))
        ax.plot(*centre, "o", color=_TONES[m], markersize=4, zorder=4)
        _say(ax, f"$h_{m + 1}$", centre, (0, 9))
        for n in {0, 1, 2} - {m}:
            feature = (float(noisy[0, n, m]), float(noisy[1, n, m]))
            _draw_arrow(ax, centre, feature, _TONES[n], size)
            ax.plot(*feature, "s", color=_TONES[n], markerfacecolor="white", markersize=3.5, zorder=5)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("along the longest axis")
    ax.set_ylabel("at right angles")


def _border(solution: MDSolution | JointSolution) -> float:
    """Where the classifier changes its mind, along h_1 - h_2: in the middle, but for a bias."""
    if isinstance(solution, MDSolution) or not solution.problem.class_axis:
        return 0.0
    w = solution.weights[0] - solution.weights[1]
    return float(-(solution.bias[0] - solution.bias[1]) / np.linalg.norm(w))


def _draw_arrow(ax: "Axes", start: Point, end: Point, colour: str, size: float) -> None:
    """Bent, from a class mean to where a noisy example is learnt, unless it has stayed there."""
    if np.hypot(end[0] - start[0], end[1] - start[1]) <= 1e-9 * size:
        return
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.0, "shrinkA": 2.0, "shrinkB": 2.5}
    arrow |= {"mutation_scale": 8, "connectionstyle": "arc3,rad=-0.28"}
    ax.annotate("", end, start, arrowprops=arrow, zorder=3)


def _draw_radius(ax: "Axes", mean: tuple[float, float], radius: float, side: float, distance: float) -> None:
    """The radius of a disc, with its name, where there is room for it."""
    if radius < 0.1 * distance:
        return
    x, y = mean[0] + side * radius * np.cos(0.9), mean[1] - side * radius * np.sin(0.9)
    ax.plot((mean[0], x), (mean[1], y), color="0.35", linewidth=0.7, zorder=2)
    _say(ax, "$r$", (0.5 * (mean[0] + x), 0.5 * (mean[1] + y)), (6 * side, 4 * side))


def _say_side(ax: "Axes", n: int) -> None:
    """Which class the classifier decides for on a side."""
    x, side = (0.98, "right") if n == 0 else (0.02, "left")
    ax.text(x, 0.975, f"classified as {n + 1}", transform=ax.transAxes, ha=side, va="top", fontsize=7, color=_TONES[n])


def _limits(means: tuple[Point, Point], noisy: tuple[Point, Point], radii: tuple[float, float]) -> tuple[Point, Point]:
    """All of it with a margin, the origin included."""
    points = np.array([*means, *noisy, (0.0, 0.0)])
    grow = np.array([*radii, 0.0, 0.0, 0.0])[:, None]
    low, high = np.min(points - grow, axis=0), np.max(points + grow, axis=0)
    margin = 0.08 * float(np.max(high - low))
    # Room above for what the sides are called.
    return (float(low[0] - margin), float(high[0] + margin)), (float(low[1] - margin), float(high[1] + 2 * margin))


def _say(ax: "Axes", text: str, point: tuple[float, float], offset: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.0, foreground="white", joinstyle="round")]
    ax.annotate(text, point, offset, textcoords="offset points", ha="center", va="center", path_effects=halo, zorder=6)
