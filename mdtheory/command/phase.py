"""The command `mdtheory phase`: one diagram, from words to a file."""

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdtheory.command.arguments import option_of, problem_from
from mdtheory.command.axis_text import AxisText, parse_axis, parse_boundary
from mdtheory.drawing import canvas
from mdtheory.drawing.pictures import plot
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import fail
from mdtheory.losses import Loss
from mdtheory.models import registry
from mdtheory.models.model import Model
from mdtheory.models.parameters import Problem, canonical, with_values
from mdtheory.phase.boundaries import boundary
from mdtheory.phase.labelling import regions
from mdtheory.sweeps.sweeping import sweep

if TYPE_CHECKING:
    import xarray as xr

    from mdtheory.phase.boundaries import Boundary

_SCALES = ("auto", "linear", "log", "diverging")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the diagram itself; those of the problem are the command line's."""
    for name, example in (("x", "noise:1e-3:0.4:200:log"), ("y", "loss.smoothing:0:0.5:200")):
        across = "across" if name == "x" else "up"
        parser.add_argument(
            f"--{name}", required=True, metavar="NAME:LOW:HIGH:COUNT[:log]", help=f"parameter {across}: {example}"
        )
    parser.add_argument(
        *("-o", "--output"), required=True, type=Path, metavar="FILE", help="the picture: .png, .svg or .pdf"
    )
    parser.add_argument(
        "--model",
        choices=tuple(model.name for model in registry.MODELS),
        default="md",
        help="the type of the problem (default: md, memorization-dilation)",
    )
    parser.add_argument(
        "--quantity",
        metavar="NAME",
        help="what is drawn: a field of the solution, or phase (default: "
        + ", ".join(f"{model.quantity} of {model.name}" for model in registry.MODELS)
        + ")",
    )
    parser.add_argument(
        "--boundary",
        action="append",
        default=[],
        metavar="KIND[=LEVEL]",
        help="a boundary to trace, any number: memorization, test-error=0.01, equal-dilation=cross-entropy, ...",
    )
    parser.add_argument("--certify", action="store_true", help="with --quantity phase: prove every cell")
    parser.add_argument("--data", type=Path, metavar="FILE", help="write the numbers and boundaries as netCDF (.nc)")
    parser.add_argument("--scale", choices=_SCALES, default="auto", help="of the colours (default: auto)")
    parser.add_argument("--width", choices=tuple(canvas.WIDTHS), default="one-column", help="default: one-column")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: threads of one); phases need none")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the chunks an interrupted run left in FILE.chunks"
    )


def run(arguments: argparse.Namespace, model: Model[Any]) -> str:
    """Compute, draw and write the diagram; what there is to say about it, in a few lines.

    Parameters
    ----------
    arguments : argparse.Namespace
        As parsed by a parser with `add_arguments`.
    model : Model
        The type of the problem.

    Raises
    ------
    AssumptionError
        If an axis or a boundary cannot be understood, or does not belong to the problem.
    OSError
        If a file cannot be written.
    """
    canvas.check_suffix(arguments.output)
    if arguments.data is not None and arguments.data.suffix != ".nc":
        raise fail("data", str(arguments.data), "must end in .nc")
    axes = tuple(parse_axis(name, getattr(arguments, name)) for name in ("x", "y"))
    if axes[0].name == axes[1].name:
        raise fail("y", axes[1].name, "must be another parameter than that of x")
    traced = [parse_boundary(text) for text in arguments.boundary]
    request = _Request(
        problem=_problem(arguments, model, axes),
        axes=axes,
        quantity=arguments.quantity or model.quantity,
        certify=arguments.certify,
        jobs=arguments.jobs,
        chunks=arguments.output.with_name(arguments.output.name + ".chunks"),
        resume=arguments.resume,
    )
    # Boundaries first: they cost little and say at once what is wrong with them.
    lines = [request.boundary(*entry) for entry in traced]
    for path in (arguments.output, arguments.data):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    dataset = request.dataset()
    _draw(arguments, request, dataset, lines)
    if arguments.data is not None:
        with_boundaries(dataset, lines).to_netcdf(arguments.data, engine="scipy")
    shutil.rmtree(request.chunks, ignore_errors=True)
    return "\n".join([_cells(dataset, arguments), *(_line(line) for line in lines)])


def with_boundaries(dataset: "xr.Dataset", lines: "list[Boundary]") -> "xr.Dataset":
    """The data set with every boundary as three more variables, x, y and residual, its segments separated by NaN."""
    for i, line in enumerate(lines):
        name, dim = f"boundary_{i}", f"boundary_{i}_point"
        gap = np.full((1, 3), np.nan)
        pieces = [np.column_stack(pair) for pair in zip(line.segments, line.residuals, strict=True)]
        parts = [part for piece in pieces for part in (piece, gap)][:-1]
        points = np.concatenate(parts) if parts else np.empty((0, 3))
        attrs = {"kind": line.kind, "label": line.label, "how": line.how, "worst_error": line.worst_error}
        own = {"x": {"parameter": line.x}, "y": {"parameter": line.y}, "residual": {"long_name": line.residual_meaning}}
        dataset = dataset.assign(
            {f"{name}_{part}": (dim, points[:, k], {**attrs, **own[part]}) for k, part in enumerate(own)}
        )
    return dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A diagram that can be computed."""

    problem: Problem
    axes: tuple[AxisText, ...]
    quantity: str
    certify: bool
    jobs: int | None
    chunks: Path
    resume: bool

    def boundary(self, kind: str, level: float | None, other: Loss | None) -> "Boundary":
        """A boundary in the rectangle of the axes."""
        ranges = {axis.name: axis.range for axis in self.axes}
        return boundary(self.problem, kind, ranges, level=level, other=other)

    def dataset(self) -> "xr.Dataset":
        """The numbers of the picture, rows up."""
        grid = {axis.name: axis.values for axis in reversed(self.axes)}
        if self.quantity == "phase":
            if self.jobs is not None or self.resume:
                raise fail("quantity", "phase", "is labelled in one process, without --jobs and --resume")
            return regions(self.problem, grid, certify=self.certify)  # type: ignore[arg-type]  # refuses others itself
        if self.certify:
            raise fail("certify", True, "needs --quantity phase")
        if not self.resume and any(self.chunks.glob("*.nc")):
            raise AssumptionError(f"{self.chunks}: an interrupted run left it; give --resume to go on, or delete it")
        return sweep(self.problem, grid, [self.quantity], executor=self.jobs, store=self.chunks)


def _problem(arguments: argparse.Namespace, model: Model[Any], axes: tuple[AxisText, ...]) -> Problem:
    """The problem, with a required parameter of the loss taken from its axis where it is not given."""
    given = vars(arguments)
    for axis in axes:
        option = option_of(model, canonical(axis.name), given)
        if option is not None and given[option] is None:
            given[option] = axis.values[len(axis.values) // 2].item()
    problem = problem_from(model, given)
    # An unknown parameter is refused here, before anything is computed.
    with_values(problem, {axis.name: axis.values[len(axis.values) // 2].item() for axis in axes})
    return problem


def _draw(arguments: argparse.Namespace, request: _Request, dataset: "xr.Dataset", lines: "list[Boundary]") -> None:
    x, y = (axis.name for axis in request.axes)
    drawn = plot(
        dataset,
        x=x,
        y=y,
        quantity=request.quantity,
        boundaries=lines,
        width=arguments.width,
        scale=arguments.scale,
    )
    canvas.save(drawn, arguments.output)


def _cells(dataset: "xr.Dataset", arguments: argparse.Namespace) -> str:
    """The file, its size in cells, and how the cells were answered."""
    shape = " x ".join(str(size) for size in reversed(dataset["status" if "status" in dataset else "phase"].shape))
    counts = {name.removeprefix("cells_"): count for name, count in dataset.attrs.items() if name.startswith("cells_")}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"{arguments.output}: {shape} cells: {listed}"


def _line(line: "Boundary") -> str:
    if not line.segments:
        return f"boundary {line.kind}: none in the picture"
    count, points = len(line.segments), sum(len(segment) for segment in line.segments)
    plural = "" if count == 1 else "s"
    return f"boundary {line.kind}: {count} segment{plural}, {points} points, within {line.worst_error:.1g}, {line.how}"
