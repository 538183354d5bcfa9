"""Solutions as plain records (ready for JSON) and as aligned text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from mdtheory.errors import AssumptionError
from mdtheory.losses import CrossEntropy, Focal, Hinge, LabelRelaxation, Loss, MeanSquaredError, SquaredHinge
from mdtheory.problems import UFM, MaxMargin, MemorizationDilation
from mdtheory.solution import Solution, UFMSolution
from mdtheory.solutions import MarginSolution, MDSolution
from mdtheory.solvers.max_margin import MaxMarginSolution
from mdtheory.spreads import Ball, Gaussian, Sphere, Spread, TwoPoint
from mdtheory.status import Status
from mdtheory.validation import FloatArray, fail
from mdtheory.wording import shown

LOSSES: dict[str, type[Loss]] = {
    kind.name(): kind for kind in (CrossEntropy, MeanSquaredError, LabelRelaxation, Focal, Hinge, SquaredHinge)
}
SPREADS: dict[str, type[Spread]] = {kind.name(): kind for kind in (Sphere, Gaussian, Ball, TwoPoint)}

Record = dict[str, Any]

_MAX_ENTRIES = 2**16
_MAX_PRINTED = (12, 16)


def describe(solution: Solution) -> Record:
    """Everything one solution says, as a record of numbers, strings and nested lists.

    A quantity that is undefined at this solution is None, an infinite one the string "inf".

    Raises
    ------
    AssumptionError
        If it is not a solution of `solve`.
    """
    if isinstance(solution, MarginSolution):
        return _described(solution, (*_MARGIN, *_BOUNDS, "rank"), solution)
    if isinstance(solution, UFMSolution):
        small = solution.problem.num_groups * int(solution.problem.num_classes) <= _MAX_ENTRIES
        record = _described(solution, _BOUNDS)
        return record | (_values(solution, _GENERAL) if small else dict.fromkeys(_GENERAL))
    if isinstance(solution, MDSolution):
        record = _described(solution, (*_NOISY, "expansion_parameter", *_BOUNDS), solution.configuration)
        finite = bool(np.all(np.isfinite(solution.noisy_margin)))
        return record | {"noisy_features": plain(solution.noisy_features) if finite else None}
    if isinstance(solution, MaxMarginSolution):
        small = solution.problem.num_classes**2 <= _MAX_ENTRIES
        matrices = _values(solution, _LIMIT) if small else dict.fromkeys(_LIMIT)
        return _described(solution, ("geometry", *_BOUNDS)) | matrices
    raise fail("solution", solution, "must be a solution of `solve`")


def describe_problem(problem: UFM | MemorizationDilation | MaxMargin) -> Record:
    """The parameters of a problem, one entry each; those of its loss and its spread beside its own."""
    if isinstance(problem, MaxMargin):
        record = _own(problem)
    else:
        ufm = problem if isinstance(problem, UFM) else problem.ufm
        record = {"loss": ufm.loss.name(), **_own(ufm.loss), **_own(ufm)}
    if isinstance(problem, MemorizationDilation):
        record |= _own(problem) | {"noisy_feature_decay": problem.decay}
        record |= {"spread": problem.spread.name(), **_own(problem.spread)}
    return {name: plain(value) for name, value in record.items()}


def plain(value: Any) -> Any:
    """Arrays as nested lists and NumPy scalars as Python's; what JSON cannot hold as strings."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else shown(value)


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
    matrices = {name: value for name, value in record.items() if name in _MATRICES and _is_matrix(value)}
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


_BOUNDS = ("objective", "lower_bound", "gap", "relative_gap")
_MARGIN = ("margin", "probability", "mean_gain")
_NOISY = ("dilation", "normalized_dilation", "memorization", "noisy_margin", "noisy_level", "test_error")
_GENERAL = ("geometry", "rank", "margin", "probability", "bias", "singular_values", "logits", "class_means", "weights")
_LIMIT = ("margins", "logits", "class_means", "weights")


def _own(record: Any) -> Record:
    """The fields of a problem, loss or spread that are not themselves such records."""
    parts = (Loss, Spread, UFM)
    given = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "_"}
    return {name: value for name, value in given.items() if not isinstance(value, parts)}


def _described(solution: Solution, names: Sequence[str], frame: MarginSolution | None = None) -> Record:
    """Problem, method, status and fields of a solution, and the class means of a symmetric configuration."""
    status = Status(int(np.max(solution.status)))
    record = {
        "problem": describe_problem(solution.problem),
        "method": solution.method,
        "status": status.name.lower(),
        "status_message": status.message,
    }
    if frame is not None:
        record |= {"geometry": plain(frame.geometry), "margin": plain(frame.margin)}
        if frame is solution:
            record |= {"kappa": plain(solution.problem.kappa)}
    return record | _values(solution, names) | ({} if frame is None else _frame(frame))


def _values(solution: Solution, names: Sequence[str]) -> Record:
    return {name: plain(_or_none(lambda name=name: getattr(solution, name))) for name in names}  # type: ignore[misc]  # a default argument has no inferred type


def _or_none(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except AssumptionError:
        return None


def _frame(solution: MarginSolution) -> Record:
    """Norms and common angle of the class means, and the matrices unless they are too large to be useful."""
    names = ("class_mean_norm", "class_mean_angle", "class_means", "weights")
    problem = solution.problem
    classes = int(np.max(problem.num_classes))
    if classes * max(classes, problem.feature_dim or 0) > _MAX_ENTRIES or np.ndim(problem.num_classes) > 0:
        return dict.fromkeys(names)
    means = solution.class_means
    norms = np.linalg.norm(means, axis=-2)
    equal = means.ndim == 2 and bool(np.ptp(norms) <= 1e-12 * np.max(norms))
    angle = _angle(means) if means.ndim == 2 else None
    values = (norms[0] if equal else norms, angle, means, solution.weights)
    return {name: plain(value) for name, value in zip(names, values, strict=True)}


def _angle(means: FloatArray) -> float | None:
    """The angle in degrees between two class means that are not zero; None with fewer than two of them."""
    alive = means[:, np.linalg.norm(means, axis=0) > 0]
    if alive.shape[1] < 2:
        return None
    a, b = (column / np.linalg.norm(column) for column in alive.T[:2])
    # Well conditioned at every angle, unlike the arc cosine.
    return float(np.degrees(2.0 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))
