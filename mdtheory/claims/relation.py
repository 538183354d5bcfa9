"""What a claim compares: two sympy expressions and a relation between them."""

import math
from copy import copy
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import sympy as sp

from mdtheory.foundation.validation import fail

Operator = Literal["==", ">=", ">", "<=", "<", "iff-positive", "~"]
OPERATORS: tuple[Operator, ...] = ("==", ">=", ">", "<=", "<", "iff-positive", "~")
Toward = Literal["zero", "infinity"]
TOWARD: tuple[Toward, ...] = get_args(Toward)


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
    toward: Toward = "zero"

    def __post_init__(self) -> None:
        """Refuse what is no relation between two real expressions; plain numbers become sympy's."""
        for name in ("left", "right"):
            object.__setattr__(self, name, _expression(name, getattr(self, name)))
        if self.operator not in OPERATORS:
            raise fail("operator", self.operator, f"one of {', '.join(OPERATORS)}")
        if self.variable is not None and not isinstance(self.variable, sp.Symbol):
            raise fail("variable", self.variable, "a symbol for the operator '~', None for the others")
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, float)) or not 0 <= self.rate < math.inf:
            raise fail("rate", self.rate, "a finite nonnegative number")
        if self.toward not in TOWARD:
            raise fail("toward", self.toward, f"one of {', '.join(TOWARD)}")
        if self.operator == "~" and self.rate == 0:
            raise fail("rate", self.rate, "a positive number: a limit that is approached at no rate cannot be told")
        if (self.operator == "~") != (self.variable is not None):
            raise fail("variable", self.variable, "a symbol for the operator '~', None for the others")

    @property
    def symbols(self) -> set[sp.Symbol]:
        """The free symbols of both sides."""
        found: set[sp.Symbol] = self.left.free_symbols | self.right.free_symbols
        return found

    def with_sides(self, left: sp.Expr, right: sp.Expr) -> "Relation":
        """The same relation between other expressions, which are not looked at: a mutant need not be real anywhere."""
        changed = copy(self)
        object.__setattr__(changed, "left", left)
        object.__setattr__(changed, "right", right)
        return changed

    def latex(self) -> str:
        """The relation, typeset."""
        sign = {"==": "=", ">=": r"\ge", "<=": r"\le", "iff-positive": r">0 \iff 0<", "~": r"\sim"}
        return f"{sp.latex(self.left)} {sign.get(self.operator, self.operator)} {sp.latex(self.right)}"


def equal(left: object, right: object) -> Relation:
    """``left == right``."""
    return Relation(_side("left", left), "==", _side("right", right))


def at_least(left: object, right: object) -> Relation:
    """``left >= right``."""
    return Relation(_side("left", left), ">=", _side("right", right))


def at_most(left: object, right: object) -> Relation:
    """``left <= right``."""
    return Relation(_side("left", left), "<=", _side("right", right))


def greater(left: object, right: object) -> Relation:
    """``left > right``."""
    return Relation(_side("left", left), ">", _side("right", right))


def less(left: object, right: object) -> Relation:
    """``left < right``."""
    return Relation(_side("left", left), "<", _side("right", right))


def positive_iff(left: object, right: object) -> Relation:
    """``left > 0`` exactly when ``right > 0``."""
    return Relation(_side("left", left), "iff-positive", _side("right", right))


def asymptotic(left: object, right: object, variable: sp.Symbol, *, rate: float, toward: Toward = "zero") -> Relation:
    """``left/right - 1`` tends to zero at least like ``variable**rate`` (``variable**-rate`` towards infinity)."""
    return Relation(_side("left", left), "~", _side("right", right), variable, rate, toward)


def _side(name: str, value: object) -> sp.Expr:
    """A side in sympy's terms: numbers, expressions, and strings that sympy reads."""
    try:
        side = _expression(name, sp.sympify(value))
    except (sp.SympifyError, TypeError, AttributeError, SyntaxError):
        raise fail(name, value, _FORM) from None
    if side.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise fail(name, side, "must be a real expression, finite where it is defined")
    return side


_FORM = "must be a sympy expression or a number"


def _expression(name: str, value: object) -> sp.Expr:
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        value = sp.sympify(value)
    if not isinstance(value, sp.Expr):
        raise fail(name, value, _FORM)
    return value
