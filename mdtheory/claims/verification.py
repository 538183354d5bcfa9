"""A user's function beyond double precision: in ball arithmetic, or at 50 digits, or not at all."""

import math
import types
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from flint import arb

from mdtheory.ball_precision import precision
from mdtheory.claims.domains import Point
from mdtheory.claims.trial import BITS
from mdtheory.errors import AssumptionError

DIGITS = 50


def verified(slack: Callable[..., Any], point: Point) -> str | None:
    """How the violation was verified, or None if it could not be."""
    in_balls = f"verified in ball arithmetic with {2 * BITS} bits"
    with precision(2 * BITS):
        value = slack(**point)
        if isinstance(value, arb):
            return in_balls if value < 0 else None
    try:
        with precision(2 * BITS):
            value = slack(**{name: Ball.of(entry) for name, entry in point.items()})
        if isinstance(value, Ball):
            return in_balls if value.ball < 0 else None
    except Exception:
        pass  # the function does not take balls; at 50 digits it may
    try:
        digits = _digits()
        exact = {n: digits.mpf(x) if isinstance(x, float) else x for n, x in point.items()}
        value = _with_digits(slack, digits)(**exact)
        if isinstance(value, digits.mpf):
            return f"verified at {DIGITS} digits" if value < 0 else None
    except Exception:
        pass  # nor that: only double precision is left
    return None


def _digits() -> Any:
    """Mpmath at 50 digits, with numbers that cannot be made floats: what computes in doubles fails instead."""

    def refuse(number: Any) -> float:
        raise TypeError("this number must not lose its digits")

    context = mpmath.MPContext()
    context.dps = DIGITS
    context.mpf.__float__ = refuse
    return context


def _with_digits(function: Callable[..., Any], digits: Any) -> Callable[..., Any]:
    """The function with `math`, `numpy` and `mpmath` replaced by those digits, as far as it names them itself."""
    if not isinstance(function, types.FunctionType):
        return function
    swapped = {}
    for name, value in function.__globals__.items():
        if value is math or value is np or value is mpmath:
            swapped[name] = digits
        elif isinstance(value, types.BuiltinFunctionType) and value.__module__ == "math":
            swapped[name] = getattr(digits, value.__name__, value)
        else:
            swapped[name] = value
    return types.FunctionType(
        function.__code__, swapped, function.__name__, function.__defaults__, function.__closure__
    )


class Ball:
    """A ball that never becomes a float: functions that would drop its radius fail instead."""

    __slots__ = ("ball",)

    def __init__(self, ball: arb) -> None:
        self.ball = ball

    @classmethod
    def of(cls, value: object) -> "Ball":
        return value if isinstance(value, Ball) else cls(arb(value))

    def __getattr__(self, name: str) -> Callable[[], "Ball"]:
        # NumPy's functions call the method of their name on objects they do not know.
        method = getattr(self.ball, name)
        return lambda *rest: Ball(method(*(Ball.of(x).ball for x in rest)))

    def __neg__(self) -> "Ball":
        return Ball(-self.ball)

    def __abs__(self) -> "Ball":
        return Ball(abs(self.ball))

    def __bool__(self) -> bool:
        raise AssumptionError("a ball has no truth value")

    def _certain(self, holds: bool, fails: bool) -> bool:
        if not holds and not fails:
            raise AssumptionError("the balls cannot tell")
        return holds

    def __lt__(self, other: object) -> bool:
        right = Ball.of(other).ball
        return self._certain(bool(self.ball < right), bool(self.ball >= right))

    def __gt__(self, other: object) -> bool:
        right = Ball.of(other).ball
        return self._certain(bool(self.ball > right), bool(self.ball <= right))

    __hash__ = None  # type: ignore[assignment]  # as for every mutable or uncertain value

    def __eq__(self, other: object) -> bool:
        right = Ball.of(other).ball
        return self._certain(bool(self.ball == right), bool(self.ball != right))

    def __le__(self, other: object) -> bool:
        return not self > other

    def __ge__(self, other: object) -> bool:
        return not self < other


def _arithmetic(name: str, *, swapped: bool) -> Callable[[Ball, object], Ball]:
    def apply(self: Ball, other: object) -> Ball:
        left, right = self.ball, Ball.of(other).ball
        if swapped:
            left, right = right, left
        return Ball(getattr(left, f"__{name}__")(right))

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Ball, f"__{_name}__", _arithmetic(_name, swapped=False))
    setattr(Ball, f"__r{_name}__", _arithmetic(_name, swapped=True))
