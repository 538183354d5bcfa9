"""The report: every loss solved and cross-checked, a phase diagram and dilation curves, in one directory."""

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np

from mdtheory import page
from mdtheory.errors import AssumptionError, SolverError
from mdtheory.figures import Phase, Setting, dilation_curves, draw_dilation, draw_phase, phase, phase_problem
from mdtheory.losses import CrossEntropy, Focal, Hinge, LabelRelaxation, Loss, MeanSquaredError, SquaredHinge
from mdtheory.problems import MemorizationDilation
from mdtheory.solve import solve
from mdtheory.spreads import Sphere
from mdtheory.tables import SPREADS, Record, aligned, describe, loss_label, number, plain
from mdtheory.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADER = (
    *("loss", "margin", "|h|", "angle", "geometry", "dilation", "ND", "memorisation", "noisy margin"),
    *("test error", "gap", "status", "|r - cvxpy|"),
)
_RIGHT = tuple(name not in ("loss", "geometry", "status") for name in HEADER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What :func:`write_report` found: the solutions by loss and the phase diagram."""

    solutions: list[Record]
    phase: Phase


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


def write_report(directory: Path, setting: Setting, progress: Callable[[str], None] = lambda _: None) -> Written:
    """Write the report into `directory`, created if need be.

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
    phase_problem(setting)
    _prepare(directory)
    progress(f"solving {len(losses)} losses, each also with cvxpy")
    solutions = [solve_and_check(problem) for problem in problems]
    parameters = describe_setting(setting)
    (directory / "solutions.json").write_text(to_json(parameters, solutions), encoding="utf-8")
    progress("phase diagram")
    diagram = phase(setting)
    _save_phase(directory / "phase.npz", diagram)
    phase_png = _save_figure(directory / "phase", draw_phase(diagram))
    progress("dilation against noise")
    noise, dilation = dilation_curves(setting, losses)
    _save_curves(directory / "dilation.csv", noise, dilation, losses)
    dilation_png = _save_figure(directory / "dilation", draw_dilation(noise, dilation, losses, setting))
    figures = [(phase_png, phase_caption(diagram, setting)), (dilation_png, page.DILATION_CAPTION)]
    html = page.render(parameters, (HEADER, [_cells(record) for record in solutions], _RIGHT), solutions, figures)
    (directory / "index.html").write_text(html, encoding="utf-8")
    record = manifest({**parameters, "phase_slope": diagram.slope}, time.perf_counter() - started)
    (directory / "manifest.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    progress(f"wrote {directory / 'index.html'} in {record['wall_time_seconds']:.1f} s")
    return Written(solutions=solutions, phase=diagram)


def solve_and_check(problem: MemorizationDilation) -> Record:
    """The solution of one problem as a record, with the dilation of an independent conic programme beside it."""
    solution = solve(problem)
    record = {"label": loss_label(problem.ufm.loss), **describe(solution), "convex_dilation": None, "difference": None}
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
        "spread": next(name for name, kind in SPREADS.items() if type(setting.spread) is kind),
        "dim": setting.spread.dim,
    }


def phase_caption(diagram: Phase, setting: Setting) -> str:
    """What the phase diagram shows, and for which slope."""
    text = (
        f"Normalised dilation of smoothed cross-entropy over noise and label smoothing, for slope C = {diagram.slope:g}"
    )
    if diagram.slope != setting.slope:
        text += f" (not the {setting.slope:g} of the table, where the boundary lies at least partly out of view)"
    if not np.any(diagram.visible):
        return text + ". The margin t of a noisy example for its wrong label does not change sign within the picture."
    return text + (
        ". The line is where the margin t of a noisy example for its wrong label vanishes: to its left noisy examples "
        "are memorised, to its right they are not."
    )


def manifest(parameters: Record, seconds: float) -> Record:
    """Versions, parameters, wall time and date of a report."""
    from mdtheory import __version__

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
    ]


def _prepare(directory: Path) -> None:
    """Create the directory and make sure that files can be written before anything is computed."""
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=directory):
        pass


def _save_figure(stem: Path, figure: "Figure") -> bytes:
    """Write stem.png and stem.svg, and return the PNG."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "mdtheory"}):
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    stem.with_suffix(".png").write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _save_phase(path: Path, diagram: Phase) -> None:
    np.savez_compressed(
        path,
        slope=diagram.slope,
        smoothing=diagram.smoothing,
        noise=diagram.noise,
        normalized_dilation=diagram.normalized_dilation,
        noisy_margin=diagram.noisy_margin,
        boundary=diagram.boundary,
    )


def _save_curves(path: Path, noise: FloatArray, dilation: FloatArray, losses: Sequence[Loss]) -> None:
    header = ",".join(["noise", *(f'"{loss_label(loss)}"' for loss in losses)])
    rows = (",".join(repr(float(x)) for x in row) for row in np.column_stack([noise, dilation.T]))
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
