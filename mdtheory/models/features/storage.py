"""Certificates as JSON files: a problem, and arrays and numbers by name."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mdtheory.foundation import strict_json
from mdtheory.foundation.errors import AssumptionError, CertificateError
from mdtheory.foundation.validation import fail
from mdtheory.losses import LOSSES
from mdtheory.models.features.problem import UFM

FORMAT = "mdtheory certificate"
VERSION = 1
# Files name a loss by its class.
_STORED = {kind.__name__: kind for kind in LOSSES.values()}

# What a certificate holds besides its problem, and in how many dimensions.
CONTENTS = {"weights": 2, "class_means": 2, "bias": 1, "dual": 2, "multiplier": 2, "lower": 0, "upper": 0}
_PROBLEM = (
    "num_classes",
    "weight_decay",
    "feature_decay",
    "nonnegative",
    "bias",
    "bias_decay",
    "class_weights",
    "label_distribution",
    "feature_dim",
)


def save(problem: UFM, values: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Write a problem and what a certificate holds besides, with the digits that restore every float exactly."""
    loss = problem.loss
    if _STORED.get(type(loss).__name__) is not type(loss):
        raise fail("loss", loss, f"must be one of {', '.join(_STORED)} to be stored by name")
    record = {
        "format": FORMAT,
        "version": VERSION,
        "problem": {
            "loss": {"name": type(loss).__name__} | {name: getattr(loss, name) for name in loss.parameter_names()},
            **{name: _plain(getattr(problem, name)) for name in _PROBLEM},
        },
        **{name: _plain(values[name]) for name in CONTENTS},
    }
    Path(path).write_text(json.dumps(record, allow_nan=False) + "\n", encoding="utf-8")


def load(path: str | PathLike[str]) -> tuple[UFM, dict[str, Any]]:
    """Read what `save` wrote; whatever is wrong with the file raises `CertificateError`."""
    try:
        record = strict_json.read(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CertificateError(f"{path}: not a readable certificate ({reason})") from None
    try:
        return _from_record(record)
    except (CertificateError, AssumptionError) as error:
        raise CertificateError(f"{path}: {str(error).splitlines()[0]}") from None


def _from_record(record: Any) -> tuple[UFM, dict[str, Any]]:
    _same_keys("certificate", record, ("format", "version", "problem", *CONTENTS))
    if record["format"] != FORMAT or type(record["version"]) is not int or record["version"] != VERSION:
        raise CertificateError(f"format: must be {FORMAT!r}, version {VERSION}")
    _same_keys("problem", record["problem"], ("loss", *_PROBLEM))
    problem = dict(record["problem"])
    loss = _loss(problem.pop("loss"))
    for name in ("num_classes", "weight_decay", "feature_decay", "bias_decay"):
        _numbers(name, problem[name], 0)
    if type(problem["num_classes"]) is not int:
        raise CertificateError("num_classes: must be an integer")
    for name, dimensions in (("class_weights", 1), ("label_distribution", 2)):
        if problem[name] is not None:
            _numbers(name, problem[name], dimensions)
    values = {}
    for name, dimensions in CONTENTS.items():
        values[name] = record[name]
        if name != "multiplier" or record[name] is not None:
            _numbers(name, record[name], dimensions)
    return UFM(loss, **problem), values


def _loss(record: Any) -> Any:
    kinds, name = _STORED, record.get("name") if isinstance(record, dict) else None
    if not isinstance(name, str) or name not in kinds:
        raise CertificateError(f"loss: must be one of {', '.join(kinds)}")
    _same_keys("loss", record, ("name", *kinds[name].parameter_names()))
    parameters = {key: value for key, value in record.items() if key != "name"}
    for key, value in parameters.items():
        _numbers(key, value, 0)
    return kinds[name](**parameters)


def _same_keys(name: str, record: Any, expected: tuple[str, ...]) -> None:
    if not isinstance(record, dict) or set(record) != set(expected):
        raise CertificateError(f"{name}: must be a record of {', '.join(expected)}")


def _numbers(name: str, value: Any, dimensions: int) -> None:
    """Numbers in lists nested to the given depth; no strings, flags or nulls, which arrays would convert silently."""
    if dimensions > 0:
        if not isinstance(value, list):
            raise CertificateError(f"{name}: must be a list")
        for entry in value:
            _numbers(name, entry, dimensions - 1)
    elif type(value) not in (int, float) or not abs(value) < float("inf"):
        raise CertificateError(f"{name}: must hold finite numbers only")


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
