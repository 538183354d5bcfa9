"""Small arithmetic on lists of Arb balls, and the few functions that the proof faces of the losses share."""

from typing import Any

import numpy as np
from flint import arb, arb_mat

from mdtheory.foundation.errors import CertificateError
from mdtheory.foundation.validation import FloatArray

Column = list[Any]


def column(values: FloatArray) -> Column:
    """Exact balls around doubles."""
    return [arb(x) for x in np.ravel(values).tolist()]


def matrix(array: FloatArray) -> Any:
    """An exact matrix of doubles."""
    return arb_mat(array.shape[0], array.shape[1], array.ravel().tolist())


def floats(balls: Any) -> FloatArray:
    """The midpoints of a matrix."""
    return np.array([float(x.mid()) for x in balls.entries()]).reshape(balls.nrows(), balls.ncols())


def total(values: Column) -> Any:
    """Their sum."""
    result = arb(0)
    for value in values:
        result = result + value
    return result


def dot(left: Column, right: Column) -> Any:
    """Their inner product."""
    result = arb(0)
    for a, b in zip(left, right, strict=True):
        result = result + a * b
    return result


def weighted_mean(columns: list[Column], weights: Column) -> Column:
    """The sum of the columns times the weights."""
    return (arb_mat(columns).transpose() * arb_mat([[w] for w in weights])).entries()  # type: ignore[no-any-return]  # flint has no types


def largest(values: Column) -> Any:
    """A ball around their maximum."""
    result = values[0]
    for value in values[1:]:
        result = result.max(value)
    return result


def soft_excess(values: Column, at: int) -> Any:
    """``log sum_j e^(x_j - x_at)``, without losing a sum that is close to one."""
    return total([(x - values[at]).exp() for j, x in enumerate(values) if j != at]).log1p()


def log_sum_exp(values: Column) -> Any:
    """``log sum e^x``."""
    top = max(range(len(values)), key=lambda j: float(values[j].mid()))
    return values[top] + soft_excess(values, top)


def x_log_x(x: Any) -> Any:
    """``x log x`` for ``x >= 0``; a ball that reaches zero gets the range of a function that decreases up to 1/e."""
    if x.is_zero():
        return arb(0)
    if x > 0:
        return x * x.log()
    end = x.upper()
    if not end < arb(1) / 4:
        raise CertificateError("dual: an entry of the dual point is too uncertain")
    return arb(0).union(end * end.log()) if end > 0 else arb(0)


def complement_log(x: Any) -> Any:
    """``(1 - x) log(1 - x)`` for ``0 <= x <= 1``, which is small where x is."""
    if x < 1:
        return (1 - x) * (-x).log1p()
    return x_log_x(1 - x)
