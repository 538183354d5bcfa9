"""The symbols of the formulas, and losses as symbols."""

import inspect
from typing import Any

import numpy as np
import sympy as sp

from mdtheory.foundation.validation import fail
from mdtheory.losses import Loss

N = sp.Symbol("N", integer=True, positive=True)
alpha, gamma = sp.symbols("alpha gamma", positive=True)
lambda_W, lambda_H = sp.symbols("lambda_W lambda_H", positive=True)
eta, C = sp.symbols("eta C", positive=True)
d = sp.Symbol("d", integer=True, positive=True)
lam = sp.Symbol("lambda", positive=True)
q = sp.Symbol("q", nonnegative=True)
s = sp.Symbol("s", positive=True)

#: A loss instance or a loss class.
LossLike = Loss | type[Loss]


def loss_parameters(loss: LossLike) -> tuple[type[Loss], tuple[Any, ...]]:
    """The class of `loss`, and its parameters: symbols for a class, exact rationals for an instance."""
    if isinstance(loss, Loss):
        return type(loss), tuple(exact(f"loss.{name}", value) for name, value in loss.formula_parameters.items())
    if isinstance(loss, type) and issubclass(loss, Loss) and not inspect.isabstract(loss):
        if not loss.has_general_formula:
            raise fail("loss", loss, "must be an instance: it has no formula without its expression")
        return loss, tuple(sp.Symbol(loss.symbols[name], positive=True) for name in loss.parameter_names())
    raise fail("loss", loss, "must be a loss or a loss class, for example CrossEntropy(0.1) or CrossEntropy")


def exact(name: str, value: object) -> Any:
    """A sympy expression as it is, a real number as the rational its decimal representation stands for."""
    if isinstance(value, sp.Expr):
        return value
    try:
        array = np.asarray(value)
    except Exception:  # whatever an array-like of someone else's raises
        array = np.asarray(None)
    if array.ndim or array.dtype.kind not in "iuf" or not np.isfinite(array):
        raise fail(name, value, "must be one real number in a formula; use the loss class for a symbol")
    return sp.Rational(repr(array.item()))
