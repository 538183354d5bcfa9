"""What a claim compares: two sympy expressions and a relation between them."""

from dataclasses import dataclass, replace
from typing import Literal

import sympy as sp

from mdtheory.validation import fail

Operator = Literal["==", ">=", ">", "<=", "<", "iff-positive", "~"]
OPERATORS: tuple[Operator, ...] = ("==", ">=", ">", "<=", "<", "iff-positive", "~")


@dataclass(frozen=True, slots=True)
class Relation:
    """``left operator right``.

    ``==, >=, >, <=, <`` are what they say. ``iff-positive``: left > 0 exactly when right > 0 (a threshold). ``~``: as
    ``variable`` tends to ``toward`` (0 or infinity) the relative difference falls like the power ``rate`` of it.
    """

    left: sp.Expr
    operator: Operator
    right: sp.Expr
    variable: sp.Symbol | None = None
    rate: float = 0.0
    toward: Literal["zero", "infinity"] = "zero"

    def __post_init__(self) -> None:
        """Refuse unknown operators and limits without a variable."""
        if self.operator not in OPERATORS:
            raise fail("operator", self.operator, f"one of {', '.join(OPERATORS)}")
        if (self.operator == "~") != (self.variable is not None):
            raise fail("variable", self.variable, "a symbol for the operator '~', None for the others")

    @property
    def symbols(self) -> set[sp.Symbol]:
        """The free symbols of both sides."""
        found: set[sp.Symbol] = self.left.free_symbols | self.right.free_symbols
        return found

    def with_sides(self, left: sp.Expr, right: sp.Expr) -> "Relation":
        """The same relation between other expressions."""
        return replace(self, left=left, right=right)

    def latex(self) -> str:
        """The relation, typeset."""
        sign = {"==": "=", ">=": r"\ge", "<=": r"\le", "iff-positive": r">0 \iff 0<", "~": r"\sim"}
        return f"{sp.latex(self.left)} {sign.get(self.operator, self.operator)} {sp.latex(self.right)}"


def equal(left: object, right: object) -> Relation:
    """``left == right``."""
    return Relation(sp.sympify(left), "==", sp.sympify(right))


def at_least(left: object, right: object) -> Relation:
    """``left >= right``."""
    return Relation(sp.sympify(left), ">=", sp.sympify(right))


def at_most(left: object, right: object) -> Relation:
    """``left <= right``."""
    return Relation(sp.sympify(left), "<=", sp.sympify(right))


def greater(left: object, right: object) -> Relation:
    """``left > right``."""
    return Relation(sp.sympify(left), ">", sp.sympify(right))


def less(left: object, right: object) -> Relation:
    """``left < right``."""
    return Relation(sp.sympify(left), "<", sp.sympify(right))


def positive_iff(left: object, right: object) -> Relation:
    """``left > 0`` exactly when ``right > 0``."""
    return Relation(sp.sympify(left), "iff-positive", sp.sympify(right))


def asymptotic(
    left: object, right: object, variable: sp.Symbol, *, rate: float, toward: Literal["zero", "infinity"] = "zero"
) -> Relation:
    """``left/right - 1`` tends to zero at least like ``variable**rate`` (``variable**-rate`` towards infinity)."""
    return Relation(sp.sympify(left), "~", sp.sympify(right), variable, rate, toward)
