"""Sympy expressions in ball arithmetic: every value is an `arb` that contains the true number.

Nothing here passes through float. A sign that the balls cannot tell is None, never a guess.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

import sympy as sp
from flint import acb, arb, fmpq

from mdtheory.foundation.validation import fail
from mdtheory.numerics.decimals import decimal, decimal_of

Balls = Mapping[str, arb]
Compiled = Callable[[Balls], arb]


def exact(value: float | int | Fraction) -> arb:
    """The ball of radius zero around a binary float or an int; of a fraction, a ball that contains it."""
    return rational_ball(value) if isinstance(value, Fraction) else arb(value)


def read(value: float | int | Fraction) -> arb:
    """A ball around the decimal that a float shows (`mdtheory.numerics.decimals`): exact where that is a binary number."""
    return rational_ball(decimal(value))


def rational_ball(value: Fraction) -> arb:
    """A ball that contains a rational number."""
    return arb(fmpq(value.numerator, value.denominator))


def interval(low: str | int, high: str | int) -> arb:
    """The smallest ball that contains both numbers, given as decimal strings or ints."""
    return arb(low).union(arb(high))


@lru_cache(maxsize=4096)
def compiled(expression: sp.Basic) -> Compiled:
    """A function from balls by symbol name to a ball."""
    if isinstance(expression, sp.Symbol):
        name = expression.name
        return lambda balls: balls[name]
    if expression.is_Rational:
        numerator, denominator = int(expression.p), int(expression.q)
        return lambda balls: arb(fmpq(numerator, denominator))
    if expression.is_Float:
        if not expression.is_finite:
            raise fail("expression", str(expression), "finite numbers only")
        stands_for = decimal_of(expression)
        return lambda balls: rational_ball(stands_for)
    if expression in _CONSTANTS:
        return _CONSTANTS[expression]
    if isinstance(expression, sp.Piecewise):
        return _piecewise(expression)
    parts = [compiled(part) for part in expression.args]
    if isinstance(expression, sp.Pow):
        return _power(expression, parts)
    rule = _RULES.get(type(expression))
    if rule is None:
        raise fail("expression", str(type(expression).__name__), f"one of {sorted(t.__name__ for t in _RULES)}")
    return lambda balls: rule([part(balls) for part in parts])


def sign(ball: arb) -> int | None:
    """1, 0 or -1 where the whole ball says so, else None."""
    if ball > 0:
        return 1
    if ball < 0:
        return -1
    return 0 if ball == 0 else None


def truth(relational: sp.Basic, balls: Balls) -> bool | None:
    """Whether a sympy relational (or And, Or, Not of them) holds for all values in the balls; None if unknown."""
    if relational in (sp.true, sp.false):
        return bool(relational)
    if isinstance(relational, sp.And):
        return _all([truth(part, balls) for part in relational.args])
    if isinstance(relational, sp.Or):
        inverted = _all([_invert(truth(part, balls)) for part in relational.args])
        return _invert(inverted)
    if isinstance(relational, sp.Not):
        return _invert(truth(relational.args[0], balls))
    if not isinstance(relational, sp.core.relational.Relational):
        raise fail("assumption", str(relational), "a sympy relational")
    return _TESTS[type(relational)](compiled(relational.lhs)(balls), compiled(relational.rhs)(balls))


def whole_power(base: arb, exponent: int) -> arb:
    """An integer power, also of a ball around zero, for which ``**`` knows nothing."""
    if exponent < 1 or isinstance(base, acb) or not base.is_finite() or base.is_exact() or not base.contains(0):
        return base**exponent
    low, high = base.lower() ** exponent, base.upper() ** exponent  # of exact numbers
    return low.union(high) if exponent % 2 else arb(0).union(low).union(high)


def _certain(positive: bool, negative: bool) -> bool | None:
    return True if positive else False if negative else None


def _all(values: Sequence[bool | None]) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _invert(value: bool | None) -> bool | None:
    return None if value is None else not value


_TESTS: Mapping[type, Callable[[arb, arb], bool | None]] = {
    sp.StrictGreaterThan: lambda x, y: _certain(x > y, x <= y),
    sp.GreaterThan: lambda x, y: _certain(x >= y, x < y),
    sp.StrictLessThan: lambda x, y: _certain(x < y, x >= y),
    sp.LessThan: lambda x, y: _certain(x <= y, x > y),
    sp.Equality: lambda x, y: _certain(x == y, x != y),
    sp.Unequality: lambda x, y: _certain(x != y, x == y),
}


def _sum(values: Sequence[arb]) -> arb:
    total = arb(0)
    for value in values:
        total += value
    return total


def _product(values: Sequence[arb]) -> arb:
    total = arb(1)
    for value in values:
        total *= value
    return total


def _power(expression: sp.Pow, parts: list[Compiled]) -> Compiled:
    base, exponent = parts
    power = expression.args[1]
    if expression.args[0] == sp.E:
        return lambda balls: exponent(balls).exp()
    if power.is_Integer:
        whole = int(power)
        return lambda balls: whole_power(base(balls), whole)
    if power == sp.Rational(1, 2):
        return lambda balls: _raised(base(balls), exponent(balls), "sqrt")
    if power == sp.Rational(-1, 2):
        return lambda balls: _raised(base(balls), exponent(balls), "rsqrt")
    return lambda balls: _raised(base(balls), exponent(balls), "__pow__")


def _raised(base: arb, exponent: arb, method: str) -> arb:
    if isinstance(base, acb):
        return (exponent * _logarithm(base)).exp()
    return base**exponent if method == "__pow__" else getattr(base, method)()


def _logarithm(value: arb) -> arb:
    # Of a complex ball only where it is analytic: integrators ask for that.
    return value.log(analytic=True) if isinstance(value, acb) else value.log()


def _piecewise(expression: sp.Piecewise) -> Compiled:
    branches = [(compiled(value), condition) for value, condition in expression.args]

    def evaluate(balls: Balls) -> arb:
        found: arb | None = None
        for value, condition in branches:
            known = truth(condition, balls)
            if known is False:
                continue
            result = value(balls)
            found = result if found is None else found.union(result)
            if known:
                return found
        return arb("nan") if found is None else found

    return evaluate


def _maximum(values: Sequence[arb]) -> arb:
    largest = values[0]
    for value in values[1:]:
        largest = largest.max(value)
    return largest


def _minimum(values: Sequence[arb]) -> arb:
    smallest = values[0]
    for value in values[1:]:
        smallest = smallest.min(value)
    return smallest


def _lambert(value: arb, branch: arb | None = None) -> arb:
    if branch is not None:
        raise fail("expression", "LambertW with a branch", "its principal branch")
    return value.lambertw()


_CONSTANTS: Mapping[sp.Basic, Compiled] = {
    sp.pi: lambda balls: arb.pi(),
    sp.E: lambda balls: arb(1).exp(),
    sp.EulerGamma: lambda balls: arb.const_euler(),
}

_RULES: Mapping[type, Callable[[Sequence[arb]], arb]] = {
    sp.Add: _sum,
    sp.Mul: _product,
    sp.exp: lambda v: v[0].exp(),
    sp.log: lambda v: _logarithm(v[0]),
    sp.tanh: lambda v: v[0].tanh(),
    sp.sinh: lambda v: v[0].sinh(),
    sp.cosh: lambda v: v[0].cosh(),
    sp.sin: lambda v: v[0].sin(),
    sp.cos: lambda v: v[0].cos(),
    sp.tan: lambda v: v[0].tan(),
    sp.asin: lambda v: v[0].asin(),
    sp.acos: lambda v: v[0].acos(),
    sp.atan: lambda v: v[0].atan(),
    sp.asinh: lambda v: v[0].asinh(),
    sp.acosh: lambda v: v[0].acosh(),
    sp.atanh: lambda v: v[0].atanh(),
    sp.Abs: lambda v: abs(v[0]),
    sp.sign: lambda v: v[0].sgn(),
    sp.floor: lambda v: v[0].floor(),
    sp.ceiling: lambda v: v[0].ceil(),
    sp.Mod: lambda v: v[0] - v[1] * (v[0] / v[1]).floor(),
    sp.gamma: lambda v: v[0].gamma(),
    sp.loggamma: lambda v: v[0].lgamma(),
    sp.factorial: lambda v: (v[0] + 1).gamma(),
    sp.digamma: lambda v: v[0].digamma(),
    sp.erf: lambda v: v[0].erf(),
    sp.erfc: lambda v: v[0].erfc(),
    sp.erfi: lambda v: v[0].erfi(),
    sp.LambertW: lambda v: _lambert(*v),
    sp.Max: _maximum,
    sp.Min: _minimum,
}
