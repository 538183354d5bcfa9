"""Unevaluated sums of two doubles, for the few places where a difference decides between zero and not.

A pair ``(high, low)`` stands for ``high + low`` with ``|low| <= ulp(high)/2``: about 32 significant digits.
The error-free transformations are those of Dekker (1971) and Knuth (TAOCP 2, 4.2.2).
"""

import numpy as np

from mdtheory.foundation.validation import FloatArray

Pair = tuple[FloatArray, FloatArray]
_SPLITTER = 2.0**27 + 1.0


def two_sum(a: FloatArray, b: FloatArray) -> Pair:
    """``a + b`` exactly.

    Examples
    --------
    >>> high, low = two_sum(1.0, 1e-20)
    >>> float(high), float(low)
    (1.0, 1e-20)
    """
    total = np.add(a, b)
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def two_product(a: FloatArray, b: FloatArray) -> Pair:
    """``a b`` exactly, for factors whose product neither overflows nor has an underflowing error term."""
    product = np.multiply(a, b)
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def add(x: Pair, y: Pair) -> Pair:
    """The sum of two pairs."""
    high, low = two_sum(x[0], y[0])
    return two_sum(high, low + x[1] + y[1])


def multiply(x: Pair, y: Pair) -> Pair:
    """The product of two pairs."""
    high, low = two_product(x[0], y[0])
    return two_sum(high, low + (x[0] * y[1] + x[1] * y[0]))


def divide(x: Pair, y: Pair) -> Pair:
    """The quotient of two pairs."""
    quotient = x[0] / y[0]
    product = multiply((quotient, np.zeros_like(quotient)), y)
    remainder = add(x, (-product[0], -product[1]))
    return two_sum(quotient, remainder[0] / y[0])


def pair(value: FloatArray) -> Pair:
    """A double as a pair."""
    high = np.asarray(value, dtype=np.float64)
    return high, np.zeros_like(high)


def _split(a: FloatArray) -> Pair:
    scaled = np.multiply(_SPLITTER, a)
    high = scaled - (scaled - a)
    return high, a - high
