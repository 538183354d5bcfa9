"""Formulas at rational points, where balls cannot tell: at the zero of a square, at the end of an interval, on a tie."""

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

MOST_EXPONENT = 1000
"""Beyond it powers and factorials of rational numbers fill the memory."""
MOST_OPERATIONS = 60

Values = Mapping[sp.Symbol, sp.Rational]


def rational_values(symbols: set[sp.Symbol], values: Mapping[str, Fraction]) -> Values:
    """The rational number of each symbol."""
    return {s: sp.Rational(values[s.name].numerator, values[s.name].denominator) for s in symbols if s.name in values}


def exact_sign(expression: sp.Expr, values: Values, *, thorough: bool = True) -> int | None:
    """The sign of an expression at a rational point, by exact arithmetic; None where that does not tell.

    With ``thorough`` sympy may also simplify a number that is not rational.
    """
    if not _tame(expression, values):
        return None
    try:
        return _sign(expression.xreplace(dict(values)), thorough=thorough)
    except (TypeError, ValueError):  # sympy cannot order complex numbers
        return None


def _sign(number: sp.Expr, *, thorough: bool) -> int | None:
    if number.is_Rational:
        return int(sp.sign(number))
    if not number.is_number or number.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        return None
    if not thorough:
        return None
    if number.is_zero:
        return 0
    if number.count_ops() <= MOST_OPERATIONS and sp.simplify(sp.expand(number)) == 0:
        return 0
    return None


def exact_truth(relational: sp.Basic, values: Values) -> bool | None:
    """Whether a sympy relational (or And, Or, Not of them) holds at a rational point."""
    if relational in (sp.true, sp.false):
        return bool(relational)
    if isinstance(relational, (sp.And, sp.Or)):
        known = [exact_truth(part, values) for part in relational.args]
        decisive = isinstance(relational, sp.Or)
        return decisive if decisive in known else None if None in known else not decisive
    if isinstance(relational, sp.Not):
        inner = exact_truth(relational.args[0], values)
        return None if inner is None else not inner
    if not isinstance(relational, sp.core.relational.Relational):
        return None
    sign = exact_sign(relational.lhs - relational.rhs, values)
    return None if sign is None else HOLDS[relational.rel_op](sign)


HOLDS = {
    "==": lambda sign: sign == 0,
    "!=": lambda sign: sign != 0,
    ">=": lambda sign: sign >= 0,
    ">": lambda sign: sign > 0,
    "<=": lambda sign: sign <= 0,
    "<": lambda sign: sign < 0,
}
"""Whether a relation holds, from the sign of the difference of its sides."""


def _tame(expression: sp.Expr, values: Values) -> bool:
    """Whether all powers and factorials of the expression are small enough to be computed exactly."""
    for node in expression.atoms(sp.Pow, sp.gamma, sp.factorial, sp.loggamma):
        size = node.exp if isinstance(node, sp.Pow) else node.args[0]
        if size.atoms(sp.Pow) - {size} and size.free_symbols:
            return False  # a tower
        number = size.xreplace(dict(values))
        if number.is_Rational and abs(number) > MOST_EXPONENT:
            return False
    return True
