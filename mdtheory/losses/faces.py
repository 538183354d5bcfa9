"""What the faces of a loss take, checked in one place for every loss, a user's own included.

Arrays of doubles that the package's solvers hand to profile faces pass as they are: they may hold points that did not
converge. Everything else, numbers, lists, arrays of other types, becomes doubles or is refused by name.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from mdtheory.foundation.validation import fail, fail_at, finite, integer

# Squares of class counts must be exact doubles.
_MAX_CLASSES = 2**26
_SAFE = 1e100
_TOO_LARGE = "must be small enough for doubles to hold the value there"


def check_faces(kind: type) -> None:
    """Wrap the faces that a class defines itself."""
    for name, takes in TAKES.items():
        face = vars(kind).get(name)
        if callable(face) and not hasattr(face, "is_checked"):
            setattr(kind, name, _vector_face(face, *takes) if takes[-1] == "label" else _profile_face(face, takes))


def _profile_face(face: Callable[..., Any], takes: tuple[str, ...]) -> Callable[..., Any]:
    @wraps(face)
    def checked(self: Any, *given: Any, **named: Any) -> Any:
        plain = True
        arguments = dict(zip(takes, given, strict=False)) | named
        for name, value in arguments.items():
            clean = _classes(value) if name == "num_classes" else _margins(name, value)
            plain = plain and clean is value
            arguments[name] = clean
        if plain:
            return face(self, *given, **named)
        with np.errstate(all="ignore"):
            result = face(self, *arguments.values()) if not named else face(self, **arguments)
        if np.any(np.isnan(result)):
            raise fail(takes[0], arguments.get(takes[0]), _TOO_LARGE)
        return result

    checked.is_checked = True  # type: ignore[attr-defined]  # a mark
    return checked


def _vector_face(face: Callable[..., Any], vector: str, _: str) -> Callable[..., Any]:
    @wraps(face)
    def checked(self: Any, *given: Any, **named: Any) -> Any:
        arguments = dict(zip((vector, "label"), given, strict=False)) | named
        if set(arguments) != {vector, "label"} or len(given) > 2:
            return face(self, *given, **named)  # which says what is missing
        logits, label = _vector_and_label(vector, arguments[vector], arguments["label"])
        if max(np.max(logits, initial=0.0), -np.min(logits, initial=0.0)) < _SAFE:
            return face(self, logits, label)
        with np.errstate(all="ignore"):
            result = face(self, logits, label)
        if isinstance(result, (float, np.ndarray)) and np.any(np.isnan(result)):
            raise fail(vector, logits, _TOO_LARGE)
        return result

    checked.is_checked = True  # type: ignore[attr-defined]  # a mark
    return checked


def _vector_and_label(name: str, vector: Any, label: Any) -> tuple[Any, Any]:
    if not _of_doubles(vector):
        vector = np.asarray(finite(name, vector))
    elif not np.all(good := np.isfinite(vector)):
        raise fail_at(name, vector, ~good, "must be finite")
    if vector.ndim == 0 or vector.shape[-1] < 2:
        raise fail(name, vector, "must hold at least two classes on the last axis")
    if not (type(label) is int or (type(label) is np.ndarray and label.dtype.kind == "i")):
        label = integer("label", label, 0, vector.shape[-1] - 1)
    try:
        np.broadcast_shapes(vector.shape[:-1], np.shape(label))
    except ValueError:
        domain = f"must broadcast against the axes {vector.shape[:-1]} before the classes of the {name}"
        raise fail("label", np.shape(label), domain) from None
    return vector, label


def _margins(name: str, value: Any) -> Any:
    # Where squares stay in range, a number needs no care; solvers of one point use many.
    if _of_doubles(value) or (type(value) in (float, np.float64) and -_SAFE < value < _SAFE):
        return value
    return np.asarray(finite(name, value))


def _classes(value: Any) -> Any:
    if type(value) is int and 2 <= value <= _MAX_CLASSES:
        return value
    if type(value) is np.ndarray and value.dtype.kind in "if" and (value.size == 0 or np.min(value) >= 2):
        return value
    return integer("num_classes", value, 2, _MAX_CLASSES)


def _of_doubles(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype == np.float64


_PROFILE = ("margin", "num_classes")
TAKES = {
    "value": ("logits", "label"),
    "gradient": ("logits", "label"),
    "curvature": ("logits", "label"),
    "conjugate": ("dual", "label"),
    "profile": _PROFILE,
    "profile_derivative": _PROFILE,
    "profile_curvature": _PROFILE,
    "profile_conjugate": ("slope", "num_classes"),
    "profile_minimizer": ("num_classes",),
    "critical_cost": ("num_classes",),
}
