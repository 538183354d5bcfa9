"""Numbers for a user's function that carry proved error bounds: Arb balls with the arithmetic of Python and NumPy.

What a ball cannot do with the meaning it has for floats is refused, and the refusal is remembered: a function that catches
errors must not turn it into a branch that floats never take.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
from flint import arb

from mdtheory.foundation.errors import AssumptionError
from mdtheory.numerics.decimals import decimal
from mdtheory.numerics.expressions import rational_ball, read, whole_power

LONG = 16
"""Floats of so many digits are hardly ever written out."""
ROUNDED = 1e-15

_REFUSED: ContextVar[list[str] | None] = ContextVar("refused", default=None)


@contextmanager
def refusals() -> Iterator[list[str]]:
    """The list of what was refused inside the block."""
    found: list[str] = []
    token = _REFUSED.set(found)
    try:
        yield found
    finally:
        _REFUSED.reset(token)


def refuse(what: str, error: type[Exception] = TypeError) -> NoReturn:
    """Raise, and remember it."""
    found = _REFUSED.get()
    if found is not None:
        found.append(what)
    raise error(what)


class Ball:
    """A ball that never becomes a float: functions that would drop its radius fail instead.

    A float becomes a ball around both of its readings, the binary number that it is and the decimal that it shows. Both are in the same order
    as floats, so that two balls with a ``source`` are compared by it.
    """

    __slots__ = ("ball", "source")
    __hash__ = None  # type: ignore[assignment]  # as for every uncertain value

    def __init__(self, ball: arb, source: float | None = None) -> None:
        self.ball = ball
        self.source = source

    @classmethod
    def of(cls, value: object) -> "Ball":
        """A number as a ball."""
        if isinstance(value, Ball):
            return value
        if isinstance(value, arb):
            return cls(value)
        if isinstance(value, (int, np.integer)):
            return cls(arb(int(value)))
        if isinstance(value, (float, np.floating)):
            return cls(_constant(float(value)), float(value))
        if isinstance(value, Fraction):
            return cls(rational_ball(value))
        return refuse(f"no real number: {type(value).__name__}")

    @classmethod
    def given(cls, value: float | int | Fraction) -> "Ball":
        """The value of a variable: a float of any length is meant as it is."""
        return cls(_either_reading(value), value) if isinstance(value, float) else cls.of(value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> "Ball":
        rule = UFUNCS.get(ufunc)
        if rule is None or method != "__call__" or options:
            refuse(f"numpy.{ufunc.__name__} has no ball of the same meaning")
        return rule(*inputs)

    def __array_function__(self, function: Any, *rest: Any) -> NoReturn:
        refuse(f"numpy.{function.__name__} has no ball of the same meaning")

    def __array__(self, *rest: Any, **options: Any) -> NoReturn:
        refuse("a ball in an array")

    def __float__(self) -> float:
        refuse("a ball is no float")

    def __int__(self) -> int:
        refuse("a ball is no int")

    def __index__(self) -> int:
        refuse("a ball is no index")

    def __complex__(self) -> complex:
        refuse("a ball is not complex")

    def __round__(self, digits: int | None = None) -> NoReturn:
        refuse("a ball cannot be rounded")

    def __bool__(self) -> bool:
        refuse("a ball has no truth value", AssumptionError)

    def __str__(self) -> str:
        refuse("a ball has no text")

    def __format__(self, form: str) -> str:
        refuse("a ball has no text")

    def __neg__(self) -> "Ball":
        return Ball(-self.ball)

    def __pos__(self) -> "Ball":
        return self

    def __abs__(self) -> "Ball":
        return Ball(abs(self.ball))

    def __floor__(self) -> "Ball":
        return Ball(self.ball.floor())

    def __ceil__(self) -> "Ball":
        return Ball(self.ball.ceil())

    def __trunc__(self) -> "Ball":
        return Ball(_truncated(self.ball))

    def __lt__(self, other: object) -> bool:
        right = Ball.of(other)
        if self.source is not None and right.source is not None:
            return self.source < right.source
        return _certain(bool(self.ball < right.ball), bool(self.ball >= right.ball))

    def __gt__(self, other: object) -> bool:
        right = Ball.of(other)
        if self.source is not None and right.source is not None:
            return self.source > right.source
        return _certain(bool(self.ball > right.ball), bool(self.ball <= right.ball))

    def __le__(self, other: object) -> bool:
        return not self > other

    def __ge__(self, other: object) -> bool:
        return not self < other

    def __eq__(self, other: object) -> bool:
        right = Ball.of(other)
        if self.source is not None and right.source is not None:
            return self.source == right.source
        return _certain(bool(self.ball == right.ball), bool(self.ball != right.ball))

    def __ne__(self, other: object) -> bool:
        return not self == other


def _either_reading(value: float) -> arb:
    binary = arb(value)
    if not math.isfinite(value) or Fraction(value) == decimal(value):
        return binary
    return binary.union(read(value))


def _constant(value: float) -> arb:
    """A float of the function's own. One of many digits may be what Python made of ``0.1*3`` or ``1/3`` before it ran."""
    ball = _either_reading(value)
    return ball + arb(0, ROUNDED * max(1.0, abs(value))) if is_long(value) else ball


def is_long(value: float) -> bool:
    """Whether a float shows as many digits as only a computation leaves."""
    return math.isfinite(value) and len(repr(abs(value)).partition("e")[0].replace(".", "").strip("0")) >= LONG


def _certain(holds: bool, fails: bool) -> bool:
    if not holds and not fails:
        refuse("the balls cannot tell", AssumptionError)
    return holds


# ---------------------------------------------------------------------- functions of balls


def _lifted(function: Callable[..., arb], arguments: int) -> Callable[..., Ball]:
    """A function of so many balls, for whatever can be one."""

    def apply(*values: object) -> Ball:
        if len(values) != arguments:
            refuse("options that balls do not have")
        return Ball(function(*(Ball.of(value).ball for value in values)))

    return apply


def _truncated(x: arb) -> arb:
    if x >= 0:
        return x.floor()
    return x.ceil() if x <= 0 else x.floor().union(x.ceil())


def _cube_root(x: arb) -> arb:
    if x >= 0:
        return x.root(3)
    return -(-x).root(3) if x <= 0 else arb("nan")


def _log_gamma(x: arb) -> arb:
    return x.lgamma() if x > 0 else abs(x.gamma()).log()


def _factorial(x: arb) -> arb:
    return (x + 1).gamma() if x.is_exact() and x.is_integer() and x >= 0 else arb("nan")


def _log_add_exp(x: arb, y: arb) -> arb:
    return x.max(y) + (-abs(x - y)).exp().log1p()


def _heaviside(x: arb, at_zero: arb) -> arb:
    return arb(0) if x < 0 else arb(1) if x > 0 else at_zero if x == 0 else arb("nan")


def _power(x: arb, y: arb) -> arb:
    return whole_power(x, int(y.unique_fmpz())) if y.is_exact() and y.is_integer() else x**y


def _method(name: str) -> Callable[[arb], arb]:
    return lambda x: getattr(x, name)()


_METHODS = (
    *("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "ceil", "erf", "erfc", "gamma"),
)
ONE: Mapping[str, Callable[[arb], arb]] = {
    **{name: _method(name) for name in _METHODS},
    "exp2": lambda x: arb(2) ** x,
    "log2": lambda x: x.log() / arb(2).log(),
    "log10": lambda x: x.log() / arb(10).log(),
    "cbrt": _cube_root,
    "lgamma": _log_gamma,
    "trunc": _truncated,
    "fabs": abs,
    "sign": lambda x: x.sgn(),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "negative": lambda x: -x,
    "positive": lambda x: x,
    "sinc": lambda x: x.sinc_pi(),
    "radians": lambda x: x * arb.pi() / 180,
    "degrees": lambda x: x * 180 / arb.pi(),
    "factorial": _factorial,
}

TWO: Mapping[str, Callable[[arb, arb], arb]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "pow": _power,
    "floor_divide": lambda x, y: (x / y).floor(),
    "remainder": lambda x, y: x - y * (x / y).floor(),
    "fmod": lambda x, y: x - y * _truncated(x / y),
    "maximum": lambda x, y: x.max(y),
    "minimum": lambda x, y: x.min(y),
    "atan2": lambda y, x: arb.atan2(y, x),
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "logaddexp": _log_add_exp,
    "heaviside": _heaviside,
}

FUNCTIONS: Mapping[str, Callable[..., Ball]] = {
    **{name: _lifted(rule, 1) for name, rule in ONE.items()},
    **{name: _lifted(rule, 2) for name, rule in TWO.items()},
}


def _logarithm(x: object, base: object = None) -> Ball:
    top = FUNCTIONS["log"](x)
    return top if base is None else FUNCTIONS["divide"](top, FUNCTIONS["log"](base))


def _where(condition: object, chosen: object, other: object) -> Ball:
    if not isinstance(condition, (bool, np.bool_)):
        refuse("numpy.where of no truth value")
    return Ball.of(chosen if condition else other)


MATH_NAMES = (
    *("exp", "expm1", "exp2", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "ceil", "trunc", "fabs", "erf", "erfc", "gamma"),
    *("lgamma", "radians", "degrees", "factorial", "pow", "fmod", "atan2", "hypot"),
)
MATH: Mapping[str, Callable[..., Ball]] = {**{name: FUNCTIONS[name] for name in MATH_NAMES}, "log": _logarithm}
"""What `math` computes, in balls. Each is tested point by point against the original."""

_RENAMED = {
    **{"arc" + name[1:]: name for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")},
    "true_divide": "divide",
    "mod": "remainder",
    "power": "pow",
    "float_power": "pow",
    "absolute": "fabs",
    "abs": "fabs",
    "deg2rad": "radians",
    "rad2deg": "degrees",
}
_NUMPY_NAMES = (
    *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "square", "reciprocal", "negative"),
    *(
        "positive",
        "fabs",
        "sign",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
    ),
    *("atanh", "floor", "ceil", "trunc", "sinc", "radians", "degrees", "add", "subtract", "multiply", "divide", "pow"),
    *("floor_divide", "remainder", "fmod", "maximum", "minimum", "atan2", "hypot", "logaddexp", "heaviside"),
)
NUMPY: Mapping[str, Callable[..., Ball]] = {
    **{name: FUNCTIONS[name] for name in _NUMPY_NAMES if hasattr(np, name)},
    **{name: FUNCTIONS[meant] for name, meant in _RENAMED.items()},
    "where": _where,
}
"""What NumPy computes of numbers, in balls."""

CONSTANTS: Mapping[str, Callable[[], Ball]] = {
    "pi": lambda: Ball(arb.pi()),
    "e": lambda: Ball(arb(1).exp()),
    "tau": lambda: Ball(2 * arb.pi()),
    "euler_gamma": lambda: Ball(arb.const_euler()),
}
"""Numbers of `math` and NumPy that are no doubles in truth."""

UFUNCS: Mapping[Any, Callable[..., Ball]] = {
    getattr(np, name): rule for name, rule in NUMPY.items() if isinstance(getattr(np, name), np.ufunc)
}


def _operator(name: str, function: str, *, swapped: bool) -> Callable[[Ball, object], Any]:
    def apply(self: Ball, other: object) -> Any:
        if isinstance(other, complex) or not isinstance(
            other, (Ball, arb, int, float, Fraction, np.integer, np.floating)
        ):
            return NotImplemented
        return FUNCTIONS[function](other, self) if swapped else FUNCTIONS[function](self, other)

    return apply


for _name, _function in (
    *(("add", "add"), ("sub", "subtract"), ("mul", "multiply"), ("truediv", "divide"), ("pow", "pow")),
    *(("mod", "remainder"), ("floordiv", "floor_divide")),
):
    setattr(Ball, f"__{_name}__", _operator(_name, _function, swapped=False))
    setattr(Ball, f"__r{_name}__", _operator(_name, _function, swapped=True))

MODULES: Mapping[str, Mapping[str, Callable[..., Ball]]] = {"math": MATH, "numpy": NUMPY}
"""By the module whose functions they stand for."""
