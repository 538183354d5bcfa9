"""The report: every loss solved and cross-checked, a phase diagram and dilation curves, in one directory."""

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal

import numpy as np

from mdtheory.command import page
from mdtheory.command.phase import with_boundaries
from mdtheory.command.tables import aligned, describe, number
from mdtheory.drawing import canvas, pictures
from mdtheory.foundation.errors import AssumptionError, SolverError
from mdtheory.foundation.version import __version__
from mdtheory.losses import CrossEntropy, Focal, Hinge, LabelRelaxation, Loss, MeanSquaredError, SquaredHinge
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.features.problem import UFM
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.model import Record
from mdtheory.models.records import plain
from mdtheory.models.solving import solve
from mdtheory.networks.comparing import compare
from mdtheory.networks.measurement import Measurement
from mdtheory.phase.boundaries import boundary
from mdtheory.spreads import Sphere, Spread
from mdtheory.sweeps.sweeping import sweep

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from mdtheory.phase.boundaries import Boundary

NOISE_RANGE = (1e-3, 0.4)
SMOOTHING_RANGE = (0.0, 0.5)

HEADER = (
    *("loss", "margin", "|h|", "angle", "geometry", "dilation", "ND", "memorisation", "noisy margin"),
    *("test error", "gap", "status", "|r - cvxpy|", "joint ND", "joint D/D0"),
)
_RIGHT = tuple(name not in ("loss", "geometry", "status") for name in HEADER)


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
    scaling: Literal["absolute", "relative"] = "absolute"

    def problem(self, loss: Loss) -> MemorizationDilation:
        """The problem for a loss."""
        ufm = UFM(
            loss,
            num_classes=2,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
            nonnegative=self.nonnegative,
        )
        return MemorizationDilation(
            ufm,
            noise=self.noise,
            slope=self.slope,
            spread=self.spread,
            scaling=self.scaling,
            noisy_feature_decay=self.noisy_feature_decay,
        )

    def joint(self, loss: Loss) -> LimitedExpressivity:
        """The same with class means and classifier optimal together with the noisy features."""
        return LimitedExpressivity(
            loss,
            noise=self.noise,
            slope=self.slope,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
            spread=self.spread,
            scaling=self.scaling,
            nonnegative=self.nonnegative,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """Normalised dilation and noisy margin of smoothed cross-entropy over noise and smoothing.

    Attributes
    ----------
    slope : float
        The memorization-dilation slope it is computed for.
    dataset : xarray.Dataset
    boundary : Boundary
        Where the noisy margin vanishes.
    """

    slope: float
    dataset: "xr.Dataset"
    boundary: "Boundary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What :func:`write_report` found: the solutions by loss and the phase diagram."""

    solutions: list[Record]
    diagram: Diagram


def default_setting() -> Setting:
    """N = 2, nonnegative features, decays 0.005 (noisy: 1e-4), slope 1, noise 0.1, on the sphere in R^8."""
    return Setting(spread=Sphere(dim=8))


def default_losses() -> tuple[Loss, ...]:
    """The losses of the report, in its order."""
    return (
        CrossEntropy(),
        CrossEntropy(smoothing=0.1),
        MeanSquaredError(),
        MeanSquaredError(smoothing=0.1),
        LabelRelaxation(relaxation=0.1),
        Focal(focusing=2.0),
        Hinge(),
        SquaredHinge(),
    )


def write_report(
    directory: Path,
    setting: Setting,
    progress: Callable[[str], None] = lambda _: None,
    *,
    network: Measurement | None = None,
) -> Written:
    """Write the report into `directory`, created if need be; of a network too, measured with the decays of the setting.

    Raises
    ------
    AssumptionError
        If one of the problems is undefined; nothing is written then.
    OSError
        If the directory cannot be written; nothing is computed then.
    """
    started = time.perf_counter()
    losses = default_losses()
    problems = [setting.problem(loss) for loss in losses]
    _prepare(directory)
    progress(f"solving {len(losses)} losses, each also with cvxpy")
    solutions = [
        solve_and_check(problem) | joint_of(setting, loss) for problem, loss in zip(problems, losses, strict=True)
    ]
    parameters = describe_setting(setting)
    (directory / "solutions.json").write_text(to_json(parameters, solutions), encoding="utf-8")
    progress("phase diagram")
    diagram = phase_diagram(setting)
    _save_data(directory / "phase.nc", diagram)
    phase_png = _save_figure(directory / "phase", _draw_diagram(diagram))
    progress("dilation against noise")
    curves = dilation_curves(setting, losses)
    _save_curves(directory / "dilation.csv", curves, losses)
    dilation_png = _save_figure(directory / "dilation", _draw_curves(curves, setting))
    figures = [(phase_png, phase_caption(diagram, setting)), (dilation_png, page.DILATION_CAPTION)]
    sections = [] if network is None else _of_network(directory, setting, losses, network)
    table = HEADER, [_cells(record) for record in solutions], _RIGHT
    html = page.render(parameters, table, solutions, figures, sections)
    (directory / "index.html").write_text(html, encoding="utf-8")
    record = manifest({**parameters, "phase_slope": diagram.slope}, time.perf_counter() - started)
    (directory / "manifest.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    progress(f"wrote {directory / 'index.html'} in {record['wall_time_seconds']:.1f} s")
    return Written(solutions=solutions, diagram=diagram)


def _of_network(directory: Path, setting: Setting, losses: Sequence[Loss], network: Measurement) -> list[str]:
    """What was measured, beside the features model; and what memorising would do to each loss with the network's class means and spread."""
    (directory / "network.json").write_text(network.to_json() + "\n", encoding="utf-8")
    sections = ["<h2>A measured network</h2>", network._repr_html_()]
    if not np.isnan(network.weight_decay):
        sections += [
            "<h3>Beside the features model</h3>",
            compare(network, nonnegative=setting.nonnegative)._repr_html_(),
        ]
    try:
        seen, spread = network.configuration(), network.spread()
    except AssumptionError as reason:
        return [*sections, f"<p>{escape(str(reason))}</p>"]
    rows = []
    for loss in losses:
        try:
            problem = replace(setting.problem(loss), given_configuration=seen, spread=spread)
        except AssumptionError:
            continue
        found = solve(problem)
        numbers = (found.normalized_dilation, found.noisy_margin, found.test_error)
        rows.append((loss.label, *(number(value) for value in numbers), str(found.status).lower()))
    header = ("loss", "ND", "noisy margin", "test error", "status")
    caption = (
        f"<h3>Losses on the class means and the spread of this network</h3><p>Noise {number(setting.noise)} and slope {number(setting.slope)}: "
        "margin, distance and the law of unseen examples are the network's for every loss. Losses that are not convex, have a kink, have their minimum "
        "below the margin measured, or look at shifts of the logits are left out.</p>"
    )
    return [*sections, caption, page.table(header, rows, (False, True, True, True, False))]


def solve_and_check(problem: MemorizationDilation) -> Record:
    """The solution of one problem as a record, with the dilation of an independent conic programme beside it."""
    solution = solve(problem)
    record = {"label": problem.ufm.loss.label, **describe(solution), "convex_dilation": None, "difference": None}
    try:
        convex = solve(problem, method="convex")
    except AssumptionError:
        return {**record, "cross_check": "not applicable" if problem.ufm.loss.is_convex else "not convex"}
    except SolverError:
        return {**record, "cross_check": "solver failed"}
    except ImportError:
        return {**record, "cross_check": "not installed"}
    difference = abs(float(convex.dilation) - float(solution.dilation))
    return {**record, "convex_dilation": plain(convex.dilation), "difference": difference, "cross_check": "cvxpy"}


def joint_of(setting: Setting, loss: Loss) -> Record:
    """What dilates, and how far class means give way, where they are optimal together with the noisy features; None for a loss not covered.

    All features decay alike there, so that `noisy_feature_decay` does not count.
    """
    try:
        solution = solve(setting.joint(loss))
    except AssumptionError:
        return {"joint_normalized_dilation": None, "joint_relative_mean_distance": None}
    return {
        "joint_normalized_dilation": plain(solution.normalized_dilation),
        "joint_relative_mean_distance": plain(solution.relative_mean_distance),
    }


def summary(solutions: Sequence[Record]) -> str:
    """The solutions as an aligned table, one line for each loss."""
    return aligned([HEADER, *(_cells(record) for record in solutions)], _RIGHT)


def to_json(parameters: Record, solutions: Sequence[Record]) -> str:
    """Parameters and solutions, class means and noisy features included, as JSON."""
    return json.dumps({"parameters": parameters, "solutions": list(solutions)}, indent=2, allow_nan=False) + "\n"


def describe_setting(setting: Setting) -> Record:
    """The parameters all losses share."""
    return {
        "num_classes": 2,
        **{
            name: getattr(setting, name)
            for name in (
                "nonnegative",
                "weight_decay",
                "feature_decay",
                "noisy_feature_decay",
                "noise",
                "slope",
                "scaling",
            )
        },
        "spread": setting.spread.name(),
        "dim": setting.spread.dim,
    }


def phase_diagram(setting: Setting, size: int = 200) -> Diagram:
    """The diagram at the slope of the setting or, if the boundary is not in view there, at another one."""
    slope = _slope_with_boundary(setting)
    problem = replace(setting, slope=slope).problem(CrossEntropy())
    grid = {"loss.smoothing": np.linspace(*SMOOTHING_RANGE, size), "noise": np.geomspace(*NOISE_RANGE, size)}
    dataset = sweep(problem, grid, ("normalized_dilation", "noisy_margin"), progress=False)
    line = boundary(
        problem,
        "memorization",
        {"noise": (*NOISE_RANGE, "log"), "loss.smoothing": SMOOTHING_RANGE},
        label="noisy margin $t = 0$",
    )
    return Diagram(slope=slope, dataset=dataset, boundary=line)


def dilation_curves(setting: Setting, losses: Sequence[Loss], size: int = 120) -> "xr.Dataset":
    """The dilation of every loss against the noise."""
    axes = {"loss": list(losses), "noise": np.geomspace(*NOISE_RANGE, size)}
    return sweep(setting.problem(CrossEntropy()), axes, ("dilation",), progress=False)


def phase_caption(diagram: Diagram, setting: Setting) -> str:
    """What the phase diagram shows, and for which slope."""
    text = (
        f"Normalised dilation of smoothed cross-entropy over noise and label smoothing, for slope C = {diagram.slope:g}"
    )
    if diagram.slope != setting.slope:
        text += f" (not the {setting.slope:g} of the table, where the boundary lies at least partly out of view)"
    if not diagram.boundary.segments:
        return text + ". The margin t of a noisy example for its wrong label does not change sign within the picture."
    return text + (
        ". The line is where the margin t of a noisy example for its wrong label vanishes: to its left noisy examples "
        "are memorised, to its right they are not."
    )


def manifest(parameters: Record, seconds: float) -> Record:
    """Versions, parameters, wall time and date of a report."""
    packages = ("numpy", "scipy", "cvxpy", "matplotlib")
    return {
        "date_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_time_seconds": round(seconds, 3),
        "versions": {
            "mdtheory": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
        "parameters": parameters,
    }


def _cells(record: Record) -> list[str]:
    angle = record["class_mean_angle"]
    check = record["cross_check"]
    return [
        record["label"],
        number(record["margin"]),
        number(record["class_mean_norm"]),
        "undefined" if angle is None else f"{angle:.2f} deg",
        record["geometry"],
        *(number(record[name]) for name in ("dilation", "normalized_dilation", "memorization", "noisy_margin")),
        *(number(record[name], 3) for name in ("test_error", "gap")),
        record["status"],
        number(record["difference"], 2) if check == "cvxpy" else check,
        *(
            "not covered" if record[name] is None else number(record[name])
            for name in ("joint_normalized_dilation", "joint_relative_mean_distance")
        ),
    ]


def _prepare(directory: Path) -> None:
    """Create the directory and make sure that files can be written before anything is computed."""
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=directory):
        pass


def _slope_with_boundary(setting: Setting) -> float:
    """A slope, that of the setting if possible, at which the noisy margin changes sign within the picture everywhere.

    The noisy margin falls as the noise grows, so that the two ends of the noise tell.
    """
    grid = {"loss.smoothing": np.linspace(*SMOOTHING_RANGE, 11), "noise": NOISE_RANGE}
    for factor in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0):
        slope = setting.slope * factor
        margins = sweep(
            replace(setting, slope=slope).problem(CrossEntropy()), grid, ("noisy_margin",), progress=False
        ).noisy_margin.values
        margins = margins[np.all(np.isfinite(margins), axis=1)]
        if np.all((margins[:, 0] > 0) & (margins[:, 1] < 0)):
            return slope
    return setting.slope


def _draw_diagram(diagram: Diagram) -> "Axes":
    ax: Axes = canvas.panels(width="two-columns", height=4.2)[0, 0]
    pictures.plot(diagram.dataset, x="noise", boundaries=[diagram.boundary], ax=ax)
    with canvas.style():
        ax.set_title(f"Cross-entropy, slope $C = {diagram.slope:g}$")
    return ax


def _draw_curves(curves: "xr.Dataset", setting: Setting) -> "Axes":
    ax: Axes = canvas.panels(width="two-columns", height=3.6)[0, 0]
    pictures.plot_losses(curves, x="noise", quantity="dilation", ax=ax, width="two-columns")
    with canvas.style():
        ax.set_title(f"Dilation against noise, slope $C = {setting.slope:g}$")
    return ax


def _save_figure(stem: Path, drawing: "Axes") -> bytes:
    """Write stem.png and stem.svg, and return the PNG."""
    canvas.save(drawing, stem.with_suffix(".svg"), stem.with_suffix(".png"), dpi=200)
    return stem.with_suffix(".png").read_bytes()


def _save_data(path: Path, diagram: Diagram) -> None:
    with_boundaries(diagram.dataset, [diagram.boundary]).to_netcdf(path, engine="scipy")


def _save_curves(path: Path, curves: "xr.Dataset", losses: Sequence[Loss]) -> None:
    header = ",".join(["noise", *(f'"{loss.label}"' for loss in losses)])
    columns = np.column_stack([curves.noise.values, curves.dilation.transpose("noise", "loss").values])
    rows = (",".join(repr(float(x)) for x in row) for row in columns)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
