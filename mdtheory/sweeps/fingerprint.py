"""Exact descriptions of what a sweep computes: equal where, and only where, the numbers are to be the same."""

import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mdtheory.foundation.frozen import written as written_record
from mdtheory.foundation.validation import fail
from mdtheory.foundation.version import __version__


def description(value: Any) -> Any:
    """A value as JSON that tells it from any other value: floats to the last bit, arrays by a digest.

    Functions are told apart by their compiled code, defaults and closures, so that editing one changes it.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> description(mdt.CrossEntropy(smoothing=0.1))
    ['CrossEntropy', {'smoothing': '0x1.999999999999ap-4'}]
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value).hex()
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype == object:
            return [description(entry) for entry in array.tolist()]
        return ["array", array.dtype.str, list(array.shape), _digest(np.ascontiguousarray(array).tobytes())]
    if isinstance(value, (list, tuple)):
        return [description(entry) for entry in value]
    if isinstance(value, Mapping):
        return [[description(key), description(entry)] for key, entry in value.items()]
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.init and field.name != "_"]
        return [type(value).__qualname__, {name: description(getattr(value, name)) for name in names}]
    return _described_object(value)


@cache
def code_digest() -> str:
    """A digest of the whole package: the same version may not be the same code."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    return _digest(b"".join(path.read_bytes() for path in files))


def versions() -> dict[str, str]:
    """The versions of the packages that make the numbers."""
    return {"mdtheory": __version__, **{name: version(name) for name in ("numpy", "scipy", "cvxpy", "clarabel")}}


def provenance(problem: Any) -> dict[str, str]:
    """What a dataset was computed from: the problem, or the function that makes it, and the versions."""
    named = hasattr(problem, "__qualname__")
    written = f"{problem.__module__}.{problem.__qualname__}" if named else written_record(problem, longest=1000)
    return {"problem": written, "versions": ", ".join(f"{name} {number}" for name, number in versions().items())}


def digest(value: Any) -> str:
    """A digest of a description."""
    return _digest(json.dumps(value, sort_keys=True, allow_nan=False).encode())


def _described_object(value: Any) -> Any:
    if isinstance(value, partial):
        return ["partial", description(value.func), description(value.args), description(value.keywords)]
    if isinstance(value, types.MethodType):
        return ["method", description(value.__func__), description(value.__self__)]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return ["function", *(description(part) for part in (value.__defaults__, value.__kwdefaults__, cells)),
                _code(value.__code__)]  # fmt: skip
    if isinstance(value, (types.BuiltinFunctionType, np.ufunc, type)):
        return ["named", getattr(value, "__module__", None) or "", getattr(value, "__qualname__", value.__name__)]
    if type(value).__module__.startswith("sympy."):
        import sympy

        return ["sympy", sympy.srepr(value)]
    raise fail("store", value, "cannot be told from others across processes; use numbers, losses and functions")


def _code(code: types.CodeType) -> Any:
    constants = [_code(part) if isinstance(part, types.CodeType) else repr(part) for part in code.co_consts]
    return [code.co_name, code.co_code.hex(), list(code.co_names), constants]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
