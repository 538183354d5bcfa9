"""Sympy expressions of one symbol as straight-line code for balls, series and complex balls: many evaluations, each fast.

What is shared is computed once. `mdtheory.numerics.expressions` reads more (piecewise, several symbols), and is slower.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mdtheory.foundation.validation import fail
from mdtheory.numerics.ball_precision import precision

if TYPE_CHECKING:
    import sympy

_METHODS = ("exp", "sin", "cos", "tan")


def straight_line(expression: "sympy.Expr", symbol: "sympy.Symbol") -> Callable[[Any], Any]:
    """The function x -> expression for x an `arb`, `arb_series` or `acb`; of an `acb` not finite where not analytic.

    Parameters
    ----------
    expression : sympy.Expr
        Of sums, products, powers, exp, log, sin, cos, tan, atan and exact constants.
    symbol : sympy.Symbol

    Raises
    ------
    AssumptionError
        If there is anything else in it.
    """
    import sympy as sp

    shared, (final,) = sp.cse(expression, symbols=sp.numbered_symbols("shared"), optimizations=[])
    writer = _Writer({symbol: "x"})
    lines = []
    for number, (name, part) in enumerate(shared):
        lines.append(f"    v{number} = {writer.written(part)}")
        writer.names[name] = f"v{number}"
    code = "\n".join(["def function(x):", *lines, f"    return {writer.written(final)}"])
    scope: dict[str, Any] = {"log": _logarithm, "atan": _arctangent, "power": _power, **writer.constants}
    exec(code, scope)
    function: Callable[[Any], Any] = scope["function"]
    return function


class _Writer:
    """Python source of an expression; constants go by name."""

    def __init__(self, names: "dict[sympy.Basic, str]") -> None:
        self.names = names
        self.constants: dict[str, Any] = {}

    def written(self, expression: "sympy.Basic") -> str:
        if expression in self.names:
            return self.names[expression]
        if expression.is_Integer:
            return f"({int(expression)})"
        if not expression.free_symbols:
            return self._constant(expression)
        if expression.is_Add or expression.is_Mul:
            sign = " + " if expression.is_Add else " * "
            return "(" + sign.join(self.written(part) for part in expression.args) + ")"
        if expression.is_Pow:
            base, exponent = expression.args
            if exponent.is_Integer:
                return f"({self.written(base)} ** {int(exponent)})"
            return f"power({self.written(base)}, {self.written(exponent)})"
        name = type(expression).__name__
        if name in _METHODS:
            return f"({self.written(expression.args[0])}).{name}()"
        if name in ("log", "atan"):
            return f"{name}({self.written(expression.args[0])})"
        raise fail("expression", name, "is not a function that can be put into balls")

    def _constant(self, expression: "sympy.Basic") -> str:
        from mdtheory.numerics.expressions import compiled

        name = f"c{len(self.constants)}"
        with precision(256):
            self.constants[name] = compiled(expression)({})
        return name


def _logarithm(value: Any) -> Any:
    from flint import acb

    return value.log(analytic=True) if isinstance(value, acb) else value.log()


def _arctangent(value: Any) -> Any:
    from flint import acb

    if isinstance(value, acb) and value.real.overlaps(0) and not abs(value.imag) < 1:
        return acb("nan")  # across a cut
    return value.atan()


def _power(base: Any, exponent: Any) -> Any:
    return (exponent * _logarithm(base)).exp()
