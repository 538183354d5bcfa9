"""Solutions as plain records (ready for JSON) and as aligned text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from mdtheory.errors import AssumptionError
from mdtheory.losses import CrossEntropy, Focal, Hinge, LabelRelaxation, Loss, MeanSquaredError, SquaredHinge
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solution import Solution, UFMSolution
from mdtheory.solutions import MarginSolution, MDSolution
from mdtheory.spreads import Ball, Gaussian, Sphere, Spread, TwoPoint
from mdtheory.status import Status
from mdtheory.validation import FloatArray

LOSSES: dict[str, type[Loss]] = {
    "cross-entropy": CrossEntropy,
    "mean-squared-error": MeanSquaredError,
    "label-relaxation": LabelRelaxation,
    "focal": Focal,
    "hinge": Hinge,
    "squared-hinge": SquaredHinge,
}
SPREADS: dict[str, type[Spread]] = {"sphere": Sphere, "gaussian": Gaussian, "ball": Ball, "two-point": TwoPoint}

Record = dict[str, Any]

_MAX_ENTRIES = 2**16
_MAX_PRINTED = (12, 16)


def loss_name(loss: Loss) -> str:
    """The name of a loss as given on the command line."""
    return next(name for name, kind in LOSSES.items() if type(loss) is kind)


def loss_label(loss: Loss) -> str:
    """Name and parameters of a loss with scalar parameters.

    Examples
    --------
    >>> loss_label(CrossEntropy()), loss_label(CrossEntropy(smoothing=0.1))
    ('cross-entropy', 'cross-entropy, smoothing 0.1')
    """
    parameters = ((name, getattr(loss, name)) for name in loss.parameter_names())
    return ", ".join([loss_name(loss), *(f"{name} {value:g}" for name, value in parameters if value != 0)])


def describe(solution: UFMSolution | MDSolution) -> Record:
    """Everything one solution says, as a record of numbers, strings and nested lists.

    A quantity that is undefined at this solution is None, an infinite one the string "inf".
    """
    if isinstance(solution, UFMSolution):
        return _describe_general(solution)
    return _describe_ufm(solution) if isinstance(solution, MarginSolution) else _describe_md(solution)


def describe_problem(problem: UFM | MemorizationDilation) -> Record:
    """The parameters of a problem, one entry each."""
    ufm = problem if isinstance(problem, UFM) else problem.ufm
    loss = {"loss": loss_name(ufm.loss), **{name: getattr(ufm.loss, name) for name in ufm.loss.parameter_names()}}
    record = {
        **loss,
        **{field.name: getattr(ufm, field.name) for field in fields(UFM) if field.name not in ("loss", "_")},
    }
    if isinstance(problem, MemorizationDilation):
        names = ("noise", "slope", "scaling", "noisy_feature_decay", "nonnegative_noisy_features")
        record |= {name: getattr(problem, name) for name in names} | {"noisy_feature_decay": problem.decay}
        record["spread"] = next(name for name, kind in SPREADS.items() if type(problem.spread) is kind)
        record["dim"] = problem.spread.dim
    return {name: plain(value) for name, value in record.items()}


def plain(value: Any) -> Any:
    """Arrays as nested lists and NumPy scalars as Python's; numbers JSON cannot hold as strings."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def number(value: Any, digits: int = 6) -> str:
    """A number, list or word for a table.

    Examples
    --------
    >>> number(0.5), number(1e-17, 2), number(None), number([1.0, 2.0])
    ('0.5', '1e-17', 'undefined', '1, 2')
    """
    if value is None:
        return "undefined"
    if _is_matrix(value):
        return f"{len(value)} x {len(value[0])} array"
    if isinstance(value, list):
        return ", ".join(number(entry, digits) for entry in value)
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Rows of cells in columns two blanks apart, flush right where `right`."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def solution_text(record: Record) -> str:
    """A record of :func:`describe` as aligned text: parameters, scalars, then matrices that are small enough."""
    parameters = {name: "default" if value is None else value for name, value in record["problem"].items()}
    blocks = [_pairs(parameters)]
    matrices = {name: value for name, value in record.items() if _is_matrix(value)}
    hidden = {"problem", *matrices, *(name for name in _MATRICES if record.get(name) is None)}
    blocks.append(_pairs({name: value for name, value in record.items() if name not in hidden}, digits=12))
    for name, matrix in matrices.items():
        if len(matrix) <= _MAX_PRINTED[0] and len(matrix[0]) <= _MAX_PRINTED[1]:
            rows = [[number(entry) for entry in row] for row in matrix]
            blocks.append(f"{name} {_MATRICES[name]}\n" + aligned(rows, [True] * len(rows[0])))
    return "\n\n".join(blocks)


_MATRICES = {
    "logits": "(one column per group)",
    "class_means": "(one column per class)",
    "weights": "(one row per class)",
    "noisy_features": "(one column per label)",
}


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], list)


def _pairs(record: Record, digits: int = 6) -> str:
    return aligned([[name, number(value, digits)] for name, value in record.items()], [False, False])


def _describe_ufm(solution: MarginSolution) -> Record:
    return {
        "problem": describe_problem(solution.problem),
        "method": solution.method,
        **_status(solution),
        "geometry": plain(solution.geometry),
        "kappa": plain(solution.problem.kappa),
        "margin": plain(solution.margin),
        "probability": plain(solution.probability),
        "mean_gain": plain(solution.mean_gain),
        **_scalars(solution, ("objective", "lower_bound", "gap")),
        **_frame(solution),
    }


def _describe_general(solution: UFMSolution) -> Record:
    small = solution.problem.num_groups * int(solution.problem.num_classes) <= _MAX_ENTRIES
    return {
        "problem": describe_problem(solution.problem),
        "method": solution.method,
        **_status(solution),
        **{name: getattr(solution, name) for name in ("objective", "lower_bound", "gap", "relative_gap")},
        **({name: plain(getattr(solution, name)) for name in _GENERAL} if small else dict.fromkeys(_GENERAL)),
    }


_GENERAL = ("geometry", "rank", "margin", "probability", "bias", "singular_values", "logits", "class_means", "weights")


def _describe_md(solution: MDSolution) -> Record:
    names = ("dilation", "normalized_dilation", "memorization", "noisy_margin", "noisy_level", "test_error")
    configuration = solution.configuration
    finite = bool(np.all(np.isfinite(solution.noisy_margin)))
    return {
        "problem": describe_problem(solution.problem),
        "method": solution.method,
        **_status(solution),
        "geometry": plain(configuration.geometry),
        "margin": plain(configuration.margin),
        **_scalars(solution, (*names, "expansion_parameter", "objective", "lower_bound", "gap")),
        **_frame(configuration),
        "noisy_features": plain(solution.noisy_features) if finite else None,
    }


def _status(solution: Solution) -> Record:
    status = Status(int(np.max(solution.status)))
    return {"status": status.name.lower(), "status_message": status.message}


def _scalars(solution: MarginSolution | MDSolution, names: Sequence[str]) -> Record:
    return {name: plain(_or_none(lambda name=name: getattr(solution, name))) for name in names}  # type: ignore[misc]  # a default argument has no inferred type


def _or_none(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except AssumptionError:
        return None


def _frame(solution: MarginSolution) -> Record:
    """Norms and common angle of the class means, and the matrices unless they are too large to be useful."""
    problem = solution.problem
    classes = int(np.max(problem.num_classes))
    if classes * max(classes, problem.feature_dim or 0) > _MAX_ENTRIES:
        return dict.fromkeys(("class_mean_norm", "class_mean_angle", "class_means", "weights"))
    means = solution.class_means
    norms = np.linalg.norm(means, axis=-2)
    equal = bool(np.ptp(norms) <= 1e-12 * np.max(norms))
    return {
        "class_mean_norm": plain(norms[0] if equal else norms),
        "class_mean_angle": _angle(means),
        "class_means": plain(means),
        "weights": plain(solution.weights),
    }


def _angle(means: FloatArray) -> float | None:
    """The angle in degrees between two class means that are not zero; None with fewer than two of them."""
    alive = means[:, np.linalg.norm(means, axis=0) > 0]
    if alive.shape[1] < 2:
        return None
    a, b = (column / np.linalg.norm(column) for column in alive.T[:2])
    # Well conditioned at every angle, unlike the arc cosine.
    return float(np.degrees(2.0 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))
