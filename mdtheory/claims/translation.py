"""A user's function with `math`, NumPy and mpmath exchanged, where what takes their place means the same."""

import builtins
import functools
import math
import types
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NoReturn, Protocol

import mpmath
import numpy as np

from mdtheory.claims.ball_numbers import CONSTANTS, MATH, NUMPY, Ball, is_long, refuse


class World(Protocol):
    """What takes the place of modules and their functions."""

    def module(self, module: types.ModuleType) -> object:
        """For a module."""

    def function(self, function: object) -> object:
        """For a function of a module, a class, or another callable that is not written in Python."""

    def constant(self, name: str) -> object:
        """For pi, e, tau or Euler's constant, kept as a double under another name."""

    def number(self, value: float) -> object:
        """For any other double."""


class Closed:
    """Takes the place of what has none: to call it, or to look into it, is refused."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *rest: object, **options: object) -> NoReturn:
        refuse(f"{self._name} has nothing of the same meaning")

    def __getattr__(self, name: str) -> NoReturn:
        refuse(f"{self._name}.{name} has nothing of the same meaning")


class InBalls:
    """`math` and NumPy in balls, as far as `ball_numbers` lists them."""

    def module(self, module: types.ModuleType) -> object:
        """A module of the functions listed, and no others."""
        listed = {math: MATH, np: NUMPY}.get(module)
        return Closed(module.__name__) if listed is None else _Listed(module.__name__, listed)

    def function(self, function: object) -> object:
        """By identity, so that a new name changes nothing."""
        return _by_identity().get(id(function), Closed(_name(function)))

    def constant(self, name: str) -> object:
        """The number itself."""
        return CONSTANTS[name]()

    def number(self, value: float) -> object:
        """A ball."""
        return Ball.of(value)


class InHelpers(InBalls):
    """For functions that the user's function calls: what they take from `math` is for doubles only."""

    def module(self, module: types.ModuleType) -> object:
        """NumPy's functions take what is given."""
        return Closed("math") if module is math else super().module(module)


class InDigits:
    """Mpmath with more digits; all of it, since it stands for itself, and nothing else."""

    def __init__(self, digits: Any, reading: Callable[[float], object]) -> None:
        self.digits, self.reading = digits, reading

    def module(self, module: types.ModuleType) -> object:
        """The context with more digits."""
        return self.digits if module is mpmath else Closed(module.__name__)

    def function(self, function: object) -> object:
        """The same function of the context."""
        name = _name(function)
        return getattr(self.digits, name) if getattr(mpmath, name, None) is function else Closed(name)

    def constant(self, name: str) -> object:
        """A double of another module: nothing of mpmath's."""
        return Closed(name)

    def number(self, value: float) -> object:
        """Read as the variables are; one of many digits stands for nothing."""
        return Closed(repr(value)) if is_long(value) else self.digits.mpf(self.reading(value))


def translated(function: Callable[..., Any], world: World, *, helper: bool = False) -> Callable[..., Any]:
    """The function in another world: its globals, the variables around it and its defaults are exchanged."""
    if isinstance(function, functools.partial):
        inner = translated(function.func, world, helper=helper)
        arguments = [_exchanged(value, world) for value in function.args]
        return functools.partial(inner, *arguments, **_all_exchanged(function.keywords, world))
    if isinstance(function, types.MethodType):
        return types.MethodType(translated(function.__func__, world, helper=helper), function.__self__)
    if not isinstance(function, types.FunctionType):
        method = vars(type(function)).get("__call__")
        if isinstance(method, types.FunctionType):
            return types.MethodType(translated(method, world, helper=helper), function)
        return world.function(function)  # type: ignore[return-value]  # it is callable, if only to refuse
    names = _names(function.__code__)
    swapped = _all_exchanged({k: v for k, v in function.__globals__.items() if k in names}, world)
    swapped["__builtins__"] = _BUILTINS
    copy = types.FunctionType(
        _with_constants(function.__code__, world),
        swapped,
        function.__name__,
        tuple(_exchanged(value, world) for value in function.__defaults__ or ()) or None,
        tuple(_cell(cell, world) for cell in function.__closure__ or ()) or None,
    )
    copy.__kwdefaults__ = _all_exchanged(function.__kwdefaults__ or {}, world)
    return copy


def _with_constants(code: types.CodeType, world: World) -> types.CodeType:
    """The code with its floats exchanged, so that what is computed from them alone carries its rounding too."""
    return code.replace(co_consts=tuple(_constant(value, world) for value in code.co_consts))


def _constant(value: Any, world: World) -> Any:
    if isinstance(value, types.CodeType):
        return _with_constants(value, world)
    if isinstance(value, tuple):
        return tuple(_constant(entry, world) for entry in value)
    return world.number(value) if isinstance(value, float) else value


class _Listed:
    """A module that has the functions listed, and refuses the others."""

    def __init__(self, name: str, listed: Mapping[str, Callable[..., Ball]]) -> None:
        self._name, self._listed = name, listed

    def __getattr__(self, name: str) -> object:
        if name in CONSTANTS:
            return CONSTANTS[name]()
        if name in self._listed:
            return self._listed[name]
        return refuse(f"{self._name}.{name} has no ball of the same meaning")


def _exchanged(value: Any, world: World) -> Any:
    if isinstance(value, types.ModuleType):
        return world.module(value)
    if isinstance(value, types.FunctionType):
        # What is called may call others in turn: each is exchanged when it is called, for they may call each other.
        around = InHelpers() if isinstance(world, InBalls) else world
        return functools.wraps(value)(lambda *rest, **options: translated(value, around, helper=True)(*rest, **options))
    if isinstance(value, float) and value in _DOUBLES:
        return world.constant(_DOUBLES[value])
    if isinstance(value, float):
        return world.number(value)
    if type(value) in (list, tuple):
        return type(value)(_exchanged(entry, world) for entry in value)
    if value is Fraction or not callable(value):
        return value
    return world.function(value)


def _all_exchanged(values: Mapping[str, Any], world: World) -> dict[str, Any]:
    return {name: _exchanged(value, world) for name, value in values.items()}


def _cell(cell: types.CellType, world: World) -> types.CellType:
    try:
        return types.CellType(_exchanged(cell.cell_contents, world))
    except ValueError:  # empty
        return cell


def _names(code: types.CodeType) -> set[str]:
    """The global names that a function and those inside it use."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


@functools.lru_cache(maxsize=1)
def _by_identity() -> dict[int, Callable[..., Ball]]:
    pairs = [
        (getattr(module, name), rule) for module, listed in ((math, MATH), (np, NUMPY)) for name, rule in listed.items()
    ]
    return {id(function): rule for function, rule in pairs}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A builtin that looks at what kind of object it has: floats and balls would part ways."""

    @functools.wraps(function)
    def call(*rest: Any, **options: Any) -> Any:
        if any(isinstance(value, Ball) for value in rest):
            refuse(f"{function.__name__} of a ball")
        return function(*rest, **options)

    return call


_DOUBLES = {math.pi: "pi", math.e: "e", math.tau: "tau", float(np.euler_gamma): "euler_gamma"}
_KINDS = ("isinstance", "issubclass", "hasattr", "getattr", "callable", "id", "repr", "vars", "dir")
_BUILTINS: dict[str, Any] = {
    **vars(builtins),
    **{name: _guarded(getattr(builtins, name)) for name in _KINDS},
    **{name: Closed(name) for name in ("__import__", "eval", "exec", "compile", "globals", "locals", "open", "type")},
}
