"""Records whose arrays cannot be written to: as made, as unpickled, as copied, and as handed out by their properties.

A frozen dataclass forbids assigning to its fields, not writing into an array that a field holds; and an array comes out
of a pickle or of `copy.deepcopy` writeable whatever it was before. `Frozen` closes all these doors in one place.
"""

from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from functools import cached_property, wraps
from typing import Any, NoReturn

import numpy as np

# Arrays of more entries are described, not written out.
_FEW = 12


class Frozen:
    """Base of dataclasses that hold arrays.

    Arrays in fields, also inside tuples and dicts, and arrays that properties return are read-only. Copies and unpickled records
    keep what was computed already, read-only as well.

    Examples
    --------
    >>> from copy import deepcopy
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Record(Frozen):
    ...     values: np.ndarray
    >>> deepcopy(Record(np.zeros(2))).values[0] = 1.0
    Traceback (most recent call last):
        ...
    ValueError: assignment destination is read-only
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """One line, with long arrays as their shapes."""
        return written(self, longest=_FEW)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Else the decorator puts its own in the place of an inherited one.
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]  # on purpose, see above
        for name, value in list(vars(cls).items()):
            if isinstance(value, property) and value.fget is not None:
                setattr(cls, name, property(_returning_frozen(value.fget), value.fset, value.fdel, value.__doc__))
            elif isinstance(value, cached_property):
                value.func = _returning_frozen(value.func)
        if "__post_init__" in vars(cls):
            setattr(cls, "__post_init__", _then_frozen(vars(cls)["__post_init__"]))  # noqa: B010  for the type checker

    def __post_init__(self) -> None:
        """Called by the dataclass; a record with checks of its own needs no call to this one."""
        _freeze_fields(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), _state(self))


def written(value: Any, *, longest: float = np.inf) -> str:
    """A record's repr on one line: arrays as nested lists, those of more than `longest` entries as their shapes."""
    if isinstance(value, np.ndarray):
        return _joined(repr(value.tolist())) if value.size <= longest else f"<{value.shape} array>"
    if type(value) is tuple and any(isinstance(part, np.ndarray) for part in value):
        return f"({', '.join(written(part, longest=longest) for part in value)})"
    if isinstance(value, Frozen) and type(value).__repr__ is Frozen.__repr__:
        parts: tuple[Field[Any], ...] = fields(value) if is_dataclass(value) else ()
        shown = (f"{part.name}={written(getattr(value, part.name), longest=longest)}" for part in parts if part.repr)
        return f"{type(value).__name__}({', '.join(shown)})"
    return _joined(repr(value))


class FixedDict(dict[Any, Any]):
    """A dict that stays as it is.

    Examples
    --------
    >>> FixedDict({1: 0.5})[1] = 0.25
    Traceback (most recent call last):
        ...
    TypeError: this dict is read-only
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this dict is read-only")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickles and copies of dicts are filled entry by entry.
        return FixedDict, (dict(self),)


def read_only(value: Any) -> Any:
    """The value itself, with its arrays made read-only if it is an array, or a tuple of them; of a dict a fixed copy.

    An array that shares writeable memory with another is copied first.
    """
    if isinstance(value, np.ndarray):
        if value.flags.writeable:
            value = value if value.base is None else value.copy()
            value.setflags(write=False)
        return value
    if type(value) is dict:
        return FixedDict({key: read_only(part) for key, part in value.items()})
    if type(value) is tuple and any(isinstance(part, (np.ndarray, tuple)) for part in value):
        return tuple(read_only(part) for part in value)
    return value


def _joined(text: str) -> str:
    return " ".join(text.split()) if "\n" in text else text


def _state(record: Frozen) -> dict[str, Any]:
    kept = {field.name for field in fields(record) if hasattr(record, field.name)}  # type: ignore[arg-type]  # a dataclass
    return {name: getattr(record, name) for name in kept} | getattr(record, "__dict__", {})


def _restored(kind: type[Any], state: dict[str, Any]) -> Any:
    record = object.__new__(kind)
    for name, value in state.items():
        # As if it had been computed here: past the frozen dataclass, and past a cached property.
        object.__setattr__(record, name, read_only(value))
    return record


def _freeze_fields(record: Any) -> None:
    for field in fields(record):
        value = getattr(record, field.name, None)
        frozen = read_only(value)
        if frozen is not value:
            object.__setattr__(record, field.name, frozen)


def _returning_frozen(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if getattr(function, "returns_frozen", False):  # a class with slots is made twice
        return function

    @wraps(function)
    def wrapper(self: Any) -> Any:
        return read_only(function(self))

    wrapper.returns_frozen = True  # type: ignore[attr-defined]  # a mark
    return wrapper


def _then_frozen(function: Callable[[Any], None]) -> Callable[[Any], None]:
    """The function, after which all fields are frozen: no record has to remember it."""

    @wraps(function)
    def wrapper(self: Any) -> None:
        function(self)
        _freeze_fields(self)

    return wrapper
