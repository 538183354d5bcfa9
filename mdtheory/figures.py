"""The figures of the report: data first, drawing below (matplotlib is loaded only to draw)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mdtheory.losses import CrossEntropy, Loss
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solve import solve
from mdtheory.spreads import Spread
from mdtheory.tables import loss_label
from mdtheory.validation import FloatArray, Real

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISE_RANGE = (1e-3, 0.4)
SMOOTHING_RANGE = (0.0, 0.5)
BOUNDARY_RANGE = (1e-6, 1.0)

# Okabe and Ito's colours, with grey for their yellow, which is too faint for a line.
_COLOURS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#7F7F7F")
_DASHES = ("-", "--", "-", "--", "-.", ":", (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All parameters of a memorization-dilation problem but its loss; the defaults are those of the report."""

    noise: float = 0.1
    slope: float = 1.0
    weight_decay: float = 5e-3
    feature_decay: float = 5e-3
    noisy_feature_decay: float = 1e-4
    nonnegative: bool = True
    spread: Spread
    scaling: str = "absolute"

    def problem(self, loss: Loss, *, noise: Real | None = None) -> MemorizationDilation:
        """The problem for a loss, optionally at other noise levels."""
        ufm = UFM(
            loss,
            num_classes=2,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
            nonnegative=self.nonnegative,
        )
        return MemorizationDilation(
            ufm,
            noise=self.noise if noise is None else noise,
            slope=self.slope,
            spread=self.spread,
            scaling=self.scaling,
            noisy_feature_decay=self.noisy_feature_decay,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Normalised dilation of smoothed cross-entropy over noise and smoothing.

    Attributes
    ----------
    slope : float
        The memorization-dilation slope it is computed for.
    smoothing : array (a,)
    noise : array (e,)
    normalized_dilation, noisy_margin : array (a, e)
    boundary : array (a,)
        The noise at which the noisy margin vanishes, nan where it does not change sign.
    """

    slope: float
    smoothing: FloatArray
    noise: FloatArray
    normalized_dilation: FloatArray
    noisy_margin: FloatArray
    boundary: FloatArray

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Where the boundary lies within the range of noise shown."""
        return (self.boundary > NOISE_RANGE[0]) & (self.boundary < NOISE_RANGE[1])


def phase_problem(setting: Setting, size: int = 200) -> MemorizationDilation:
    """The problem on the grid of the phase diagram: smoothing down, noise across."""
    smoothing = np.linspace(*SMOOTHING_RANGE, size)
    return setting.problem(CrossEntropy(smoothing[:, None]), noise=np.geomspace(*NOISE_RANGE, size))


def phase(setting: Setting, size: int = 200) -> Phase:
    """Solve the grid, at the slope of the setting or, if no boundary is in view there, at another one."""
    chosen, boundary = _slope_with_boundary(setting, np.linspace(*SMOOTHING_RANGE, size))
    problem = phase_problem(chosen, size)
    solution = solve(problem)
    return Phase(
        slope=chosen.slope,
        smoothing=np.linspace(*SMOOTHING_RANGE, size),
        noise=np.asarray(problem.noise),
        normalized_dilation=np.asarray(solution.normalized_dilation),
        noisy_margin=np.asarray(solution.noisy_margin),
        boundary=boundary,
    )


def memorization_boundary(setting: Setting, smoothing: FloatArray) -> FloatArray:
    """The noise in [1e-6, 1] at which the noisy margin of smoothed cross-entropy changes sign, nan where it does not.

    Bisection in the logarithm of the noise, of all points at once.
    """
    loss = CrossEntropy(smoothing)

    def margin(log_noise: FloatArray) -> FloatArray:
        noise = np.minimum(np.exp(log_noise), BOUNDARY_RANGE[1])
        return np.asarray(solve(setting.problem(loss, noise=noise)).noisy_margin)

    low, high = (np.full(smoothing.shape, np.log(end)) for end in BOUNDARY_RANGE)
    exists = (margin(low) > 0) & (margin(high) < 0)
    if not np.any(exists):
        return np.full(smoothing.shape, np.nan)
    for _ in range(44):
        middle = 0.5 * (low + high)
        memorised = margin(middle) > 0
        low, high = np.where(memorised, middle, low), np.where(memorised, high, middle)
    return np.asarray(np.where(exists, np.exp(0.5 * (low + high)), np.nan))


def dilation_curves(setting: Setting, losses: Sequence[Loss], size: int = 120) -> tuple[FloatArray, FloatArray]:
    """Noise levels (size,) and the dilation (losses, size) of every loss at them."""
    noise = np.geomspace(*NOISE_RANGE, size)
    return noise, np.stack([np.asarray(solve(setting.problem(loss, noise=noise)).dilation) for loss in losses])


def _slope_with_boundary(setting: Setting, smoothing: FloatArray) -> tuple[Setting, FloatArray]:
    coarse = np.linspace(smoothing[0], smoothing[-1], 11)
    for factor in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0):
        candidate = replace(setting, slope=setting.slope * factor)
        curve = memorization_boundary(candidate, coarse)
        if np.all((curve > NOISE_RANGE[0]) & (curve < NOISE_RANGE[1])):
            return candidate, memorization_boundary(candidate, smoothing)
    return setting, memorization_boundary(setting, smoothing)


# ------------------------------------------------------------------------------ drawing


def draw_phase(data: Phase) -> "Figure":
    """The phase diagram, with the boundary of memorisation."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.8), layout="constrained")
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(
        data.noise,
        data.smoothing,
        data.normalized_dilation,
        cmap="cividis",
        norm=LogNorm(),
        shading="gouraud",
        rasterized=True,
    )
    figure.colorbar(mesh, ax=axes, label=r"normalised dilation  $\mathrm{ND} = r\,/\,\|h_1 - h_2\|$")
    axes.set_xscale("log")
    axes.set(
        xlim=NOISE_RANGE,
        ylim=SMOOTHING_RANGE,
        xlabel=r"noise $\eta$",
        ylabel=r"label smoothing $\alpha$",
        title=f"Cross-entropy, slope $C = {data.slope:g}$",
    )
    if np.any(data.visible):
        axes.plot(data.boundary, data.smoothing, color="white", linewidth=3.5)
        axes.plot(data.boundary, data.smoothing, color="black", linewidth=1.6)
        _label_sides(figure, data)
    return figure


def draw_dilation(noise: FloatArray, dilation: FloatArray, losses: Sequence[Loss], setting: Setting) -> "Figure":
    """Dilation against noise for every loss, the legend in the order of the curves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for i in np.argsort(-dilation[:, -1]):
        style = i % len(_COLOURS)
        axes.loglog(
            noise,
            dilation[i],
            color=_COLOURS[style],
            linestyle=_DASHES[style],
            linewidth=1.8,
            label=loss_label(losses[i]),
        )
    axes.set(
        xlim=NOISE_RANGE,
        xlabel=r"noise $\eta$",
        ylabel=r"dilation $r$",
        title=f"Dilation against noise, slope $C = {setting.slope:g}$",
    )
    axes.grid(which="major", color="0.88", linewidth=0.8)
    figure.legend(loc="outside right upper", frameon=False, handlelength=3.2)
    return figure


def _label_sides(figure: "Figure", data: Phase) -> None:
    """Write "memorised" left of the boundary and "not memorised" along its right, clear of the line."""
    axes = figure.axes[0]
    inside = data.boundary[data.visible]
    low, high = NOISE_RANGE
    left, right = np.sqrt(low * np.min(inside)), np.sqrt(np.max(inside) * high)
    height = 0.5 * sum(SMOOTHING_RANGE)
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    for x, text, rotation in ((left, "memorised, $t > 0$", 0), (right, "not memorised, $t < 0$", 90)):
        axes.text(x, height, text, rotation=rotation, ha="center", va="center", fontsize=11, bbox=box)
