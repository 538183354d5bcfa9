"""A user's function beyond double precision: in ball arithmetic, in whole numbers, at many digits, or not at all."""

import dis
import math
import types
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import mpmath
from flint import arb

from mdtheory.claims.ball_numbers import Ball, refusals, refuse
from mdtheory.claims.domains import Point
from mdtheory.claims.translation import InBalls, InDigits, translated
from mdtheory.claims.trial import BITS
from mdtheory.numerics.ball_precision import precision

DIGITS = (50, 100)
"""At both the value must be the same: what is zero in truth comes out as noise of another size. The second time floats are decimals."""
AGREE = 1e-6
"""Relative to one or the value: a number that differs more from that in doubles belongs to another function."""


def verified(slack: Callable[..., Any], point: Point) -> str | None:
    """How the violation was verified, or None if it could not be.

    Functions of `math` and NumPy are exchanged for balls only where these mean the same (`ball_numbers`); mpmath for itself with more
    digits. The outcome must also agree with that in doubles, to the accuracy that doubles have.
    """
    in_doubles = slack(**point)
    if isinstance(in_doubles, arb):
        with precision(2 * BITS):
            value = slack(**point)
        return _IN_BALLS if isinstance(value, arb) and value < 0 else None
    for route in (_in_balls, _in_whole_numbers, _at_digits):
        how = route(slack, point, in_doubles)
        if how is not None:
            return how
    return None


_IN_BALLS = f"verified in ball arithmetic with {2 * BITS} bits"


def _in_balls(slack: Callable[..., Any], point: Point, in_doubles: Any) -> str | None:
    with precision(2 * BITS), refusals() as refused:
        try:
            given = {name: _ball(entry) for name, entry in point.items()}
            value = translated(slack, InBalls())(**given)
        except Exception:  # the function does not take balls
            return None
        if refused or isinstance(value, bool) or not isinstance(value, (Ball, int, float, Fraction)):
            return None
        ball = Ball.of(value).ball  # a constant, of a branch whose conditions are certain
        return _IN_BALLS if ball < 0 and _agree(float(ball.mid()), in_doubles) else None


def _at_digits(slack: Callable[..., Any], point: Point, in_doubles: Any) -> str | None:
    found = []
    readings: tuple[Callable[[float], object], ...] = (float, repr)
    for digits, reading in zip(DIGITS, readings, strict=True):
        context = _digits(digits)
        with refusals() as refused:
            try:
                # Whole numbers too: of two of them Python's division makes a double.
                given = {
                    n: context.mpf(reading(x) if isinstance(x, float) else x) if type(x) in (float, int) else x
                    for n, x in point.items()
                }
                value = translated(slack, InDigits(context, reading))(**given)
            except Exception:  # nor mpmath's numbers
                return None
        if refused or not isinstance(value, context.mpf) or not value < 0:
            return None
        found.append(mpmath.mpf(value._mpf_))
    if abs(found[0] - found[1]) > AGREE * abs(found[1]) or not _agree(float(found[1]), in_doubles):
        return None
    return f"verified at {DIGITS[0]} and {DIGITS[1]} digits"


def _agree(value: float, in_doubles: Any) -> bool:
    try:
        expected = float(in_doubles)
    except OverflowError:  # an integer, which is exact
        return True
    return abs(value - expected) <= AGREE * max(1.0, abs(value))


def _ball(entry: Any) -> Any:
    return tuple(map(_ball, entry)) if isinstance(entry, tuple) else Ball.given(entry)


def _digits(digits: int) -> Any:
    """Mpmath at so many digits, with numbers that cannot be made floats: what computes in doubles fails instead."""

    def no_float(number: Any) -> float:
        refuse("this number must not lose its digits")

    context = mpmath.MPContext()
    context.dps = digits
    context.mpf.__float__ = no_float
    return context


# ---------------------------------------------------------------------- whole numbers

_WHOLE_BUILTINS = frozenset(
    ("range", "sum", "abs", "min", "max", "len", "divmod", "all", "any", "sorted", "enumerate", "zip", "list", "tuple")
)
_WHOLE_FUNCTIONS = (math.factorial, math.comb, math.perm, math.gcd, math.lcm, math.isqrt)


def _in_whole_numbers(slack: Callable[..., Any], point: Point, in_doubles: Any) -> str | None:
    """Python's integers are exact, if nothing else takes part."""
    if not all(type(entry) is int for entry in (*point.values(), in_doubles)) or not in_doubles < 0:
        return None
    if not isinstance(slack, types.FunctionType):
        return None
    stored = {str(step.argval) for step in dis.get_instructions(slack.__code__) if step.opname.startswith("STORE_")}
    counts = frozenset(
        name for name, entry in point.items() if type(entry) is int and entry >= 0 and name not in stored
    )
    return "verified in whole numbers" if _is_whole(slack, counts=counts) else None


def _is_whole(
    function: types.FunctionType, seen: frozenset[object] = frozenset(), counts: frozenset[str] = frozenset()
) -> bool:
    if function in seen:
        return True
    known: Mapping[str, Any] = {
        **function.__globals__,
        **dict(zip(function.__code__.co_freevars, (_content(c) for c in function.__closure__ or ()), strict=True)),
    }
    values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return all(isinstance(value, int) for value in values) and _is_whole_code(
        function.__code__, known, seen | {function}, counts
    )


def _is_whole_code(
    code: types.CodeType, known: Mapping[str, Any], seen: frozenset[object], counts: frozenset[str] = frozenset()
) -> bool:
    before = None
    for step in dis.get_instructions(code):
        if step.opname.startswith(("IMPORT", "BINARY_TRUE", "INPLACE_TRUE", "SETUP_", "LOAD_BUILD_CLASS")):
            return False
        if step.opname == "BINARY_OP" and step.argrepr in ("/", "/="):
            return False
        if (
            step.opname == "BINARY_OP"
            and step.argrepr in ("**", "**=")
            and (step.is_jump_target or not _is_power(before, counts))
        ):
            return False
        before = step
        named = step.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_ATTR", "LOAD_METHOD"))
        if named and not _is_whole_name(str(step.argval), step.opname, known, seen):
            return False
    return all(_is_whole_constant(constant, known, seen) for constant in code.co_consts)


def _is_power(before: dis.Instruction | None, counts: frozenset[str]) -> bool:
    """Whether the exponent is written out or one of the counts: with a negative one Python leaves the integers."""
    if before is None or not before.opname.startswith(("LOAD_CONST", "LOAD_FAST", "LOAD_SMALL_INT")):
        return False
    written = type(before.argval) is int and before.argval >= 0
    return written or (before.opname.startswith("LOAD_FAST") and before.argval in counts)


def _is_whole_name(name: str, opname: str, known: Mapping[str, Any], seen: frozenset[object]) -> bool:
    if opname.startswith(("LOAD_ATTR", "LOAD_METHOD")):
        return any(getattr(math, name, None) is function for function in _WHOLE_FUNCTIONS)
    if name not in known:
        return name in _WHOLE_BUILTINS or opname == "LOAD_DEREF"
    value = known[name]
    if isinstance(value, types.FunctionType):
        return _is_whole(value, seen)
    return isinstance(value, int) or value is math or any(value is function for function in _WHOLE_FUNCTIONS)


def _is_whole_constant(constant: object, known: Mapping[str, Any], seen: frozenset[object]) -> bool:
    if isinstance(constant, types.CodeType):
        return _is_whole_code(constant, known, seen)
    if isinstance(constant, (tuple, frozenset)):
        return all(_is_whole_constant(entry, known, seen) for entry in constant)
    return constant is None or isinstance(constant, (int, str))


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
