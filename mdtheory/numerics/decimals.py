"""One rule for decimals: a number with a point means what its shortest decimal says.

``0.1`` in a formula, as the end of a domain or as the value of a variable is one tenth, and not the binary number beside
it. Only functions that are called with floats (a `Quantity`, a callable) see the binary number.
"""

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import sympy

    Expression = TypeVar("Expression", bound=sympy.Basic)

DOUBLE_BITS = 53


def decimal(value: float | int | Fraction) -> Fraction:
    """The exact number that a Python float, int or fraction stands for: of a float, what its repr shows.

    >>> from mdtheory.numerics.decimals import decimal
    >>> decimal(0.1)
    Fraction(1, 10)
    """
    return Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)


@lru_cache(maxsize=4096)
def decimal_of(number: "sympy.Float") -> Fraction:
    """The exact number that a sympy Float stands for: the shortest decimal that rounds to it at its own precision.

    For the usual 53 bits that is what Python's repr shows (``str`` keeps 15 digits and may name another number).

    >>> import sympy as sp
    >>> from mdtheory.numerics.decimals import decimal_of
    >>> decimal_of(sp.Float(0.1)), decimal_of(sp.Float("0.1", 40))
    (Fraction(1, 10), Fraction(1, 10))
    >>> decimal_of(sp.Float(1.0000000000000002)) > 1
    True
    """
    import sympy as sp
    from mpmath.libmp import from_str, repr_dps, to_str

    bits = int(number._prec)
    if bits == DOUBLE_BITS and sp.Float(float(number))._mpf_ == number._mpf_:
        return Fraction(repr(float(number)))
    most = int(repr_dps(bits))
    for digits in range(1, most):
        text = str(to_str(number._mpf_, digits))
        if from_str(text, bits, "n") == number._mpf_:
            return Fraction(text)
    return Fraction(str(to_str(number._mpf_, most)))


def with_rationals(expression: "Expression") -> "Expression":
    """The expression with every Float replaced by the rational number it stands for."""
    import sympy as sp

    floats = expression.atoms(sp.Float)
    if not floats:
        return expression
    exact = {number: decimal_of(number) for number in floats if number.is_finite}
    replaced: Expression = expression.xreplace({f: sp.Rational(q.numerator, q.denominator) for f, q in exact.items()})
    return replaced
