"""The neural-collapse configuration and what label noise does to it, in the plane of the two class means."""

from typing import TYPE_CHECKING

import numpy as np

from mdtheory.models.dilation.solution import MDSolution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Blue is class 1 and orange class 2, in the tones the phases have.
_FILLS = ("#A6CEE8", "#FBD5A0")
_TONES = ("#1F5F99", "#B35C00")


def draw(ax: "Axes", solution: MDSolution) -> None:
    """Discs, arrows, the line between the classes and the cone, with equal units on both axes."""
    from matplotlib.patches import Circle, Polygon

    c = solution.problem.configuration
    distance, level = float(c.mean_distance), float(c.centre_norm)
    radius = float(solution.dilation)
    reach = float(solution.noisy_margin / c.weight_distance)
    noisy_level = float(solution.noisy_level)
    means = ((0.5 * distance, level), (-0.5 * distance, level))
    noisy = ((reach, noisy_level), (-reach, noisy_level))
    limits = _limits(means, noisy, radius)
    if solution.problem.ufm.nonnegative:
        far = 10.0 * max(abs(value) for pair in limits for value in pair)
        corners = np.array([(0.0, 0.0), (far, far), (-far, far)])
        # As an artist, for a patch would stretch the limits.
        ax.add_artist(Polygon(corners, facecolor="0.945", edgecolor="0.75", linewidth=0.6, zorder=0))
    ax.axvline(0.0, color="0.35", linestyle=(0, (4, 2)), linewidth=0.9, zorder=2)
    for n, (mean, feature) in enumerate(zip(means, noisy, strict=True)):
        side = 1.0 if n == 0 else -1.0
        ax.add_patch(Circle(mean, radius, facecolor=_FILLS[n], alpha=0.75))
        ax.add_patch(Circle(mean, radius, facecolor="none", edgecolor=_TONES[n], linewidth=0.8, zorder=2))
        ax.plot(*mean, "o", color=_TONES[n], markersize=4, zorder=4)
        _say(ax, f"$h_{n + 1}$", mean, (9 * side, 0))
        _say_side(ax, n)
        _draw_radius(ax, mean, radius, side, distance)
        # A noisy example labelled n looks like the other class. Bent, for both arrows lie on nearly the same line.
        start = means[1 - n]
        if np.hypot(feature[0] - start[0], feature[1] - start[1]) > 1e-9 * distance:
            arrow = {"arrowstyle": "-|>", "color": _TONES[n], "linewidth": 1.0, "shrinkA": 2.0, "shrinkB": 2.5}
            arrow |= {"mutation_scale": 8, "connectionstyle": "arc3,rad=-0.28"}
            ax.annotate("", feature, start, arrowprops=arrow, zorder=3)
        ax.plot(*feature, "s", color=_TONES[n], markerfacecolor="white", markersize=4, zorder=5)
        _say(ax, f"$u_{n + 1}$", feature, (3 * side, 10 * side))
    ax.update_datalim(list(zip(*limits, strict=True)))
    ax.margins(0.0)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(r"along $h_1 - h_2$")
    ax.set_ylabel(r"along $h_1 + h_2$" if level > 0 else "at right angles")


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


def _limits(
    means: tuple[tuple[float, float], ...], noisy: tuple[tuple[float, float], ...], radius: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """All of it with a margin, the origin included."""
    points = np.array([*means, *noisy, (0.0, 0.0)])
    grow = np.array([radius, radius, 0.0, 0.0, 0.0])[:, None]
    low, high = np.min(points - grow, axis=0), np.max(points + grow, axis=0)
    margin = 0.08 * float(np.max(high - low))
    # Room above for what the sides are called.
    return (float(low[0] - margin), float(high[0] + margin)), (float(low[1] - margin), float(high[1] + 2 * margin))


def _say(ax: "Axes", text: str, point: tuple[float, float], offset: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.0, foreground="white", joinstyle="round")]
    ax.annotate(text, point, offset, textcoords="offset points", ha="center", va="center", path_effects=halo, zorder=6)
