"""Solutions as plain records (ready for JSON) and as aligned text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mdtheory.foundation.parameter import field_names
from mdtheory.models.model import Problem, Record
from mdtheory.models.records import plain
from mdtheory.models.registry import model_of, model_of_solution
from mdtheory.models.solution import Solution
from mdtheory.models.status import Status

_MAX_PRINTED = (12, 16)


def describe(solution: Solution) -> Record:
    """Everything one solution says, as a record of numbers, strings and nested lists.

    A quantity that is undefined at this solution is None, an infinite one the string "inf".

    Raises
    ------
    AssumptionError
        If it is not a solution of `solve`.
    """
    model = model_of_solution(solution)
    status = Status(int(np.max(solution.status)))
    record = {
        "problem": describe_problem(solution.problem),
        "method": solution.method,
        "status": status.name.lower(),
        "status_message": status.message,
    }
    return record | model.describe(solution)


def describe_problem(problem: Problem[Any, Any]) -> Record:
    """The parameters of a problem, one entry each; those of its loss and its spread beside its own.

    A parameter of a part goes by its own name; where the problem has one of that name, by both: ``spread.noise``.
    """
    model = model_of(problem)
    record: Record = {}
    for name in field_names(problem):
        value = getattr(problem, name)
        if name in model.inner:
            record |= describe_problem(value)
        elif name in model.parts:
            record |= _part(name, value, {*record, *model.own_names()})
        else:
            record[name] = plain(getattr(problem, model.in_effect.get(name, name)))
    return record


def _part(field: str, part: Any, taken: set[str]) -> Record:
    """The name of a loss or spread and its parameters."""
    own = {name: plain(getattr(part, name)) for name in field_names(part)}
    return {field: part.name(), **{f"{field}.{n}" if n in taken else n: value for n, value in own.items()}}


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
