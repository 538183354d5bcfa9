"""What the unconstrained features model charges for a unit of margin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.numerics import double_double as dd

# A difference above this share of the slope loses at most four bits, and plain doubles are accurate.
_CANCELLATION = 1.0 / 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginCost:
    r"""The cost kappa of a unit of margin, :math:`\kappa^2 = 4\lambda_W\lambda_H\,\text{numerator}/\text{denominator}`.

    It keeps its factors, because near the collapse-to-zero threshold the margin is governed by a difference
    ``slope - kappa`` that has to be formed before anything is rounded.

    Parameters
    ----------
    weight_decay, feature_decay : array
        The decays, nonnegative.
    numerator, denominator : array
        Positive factors; integers below 2^53 are exact.
    proportion : array, default 1
        A further positive factor of the denominator.
    """

    weight_decay: FloatArray
    feature_decay: FloatArray
    numerator: FloatArray
    denominator: FloatArray
    proportion: FloatArray | float = 1.0

    @property
    def value(self) -> FloatArray:
        """Kappa itself, rounded to double precision."""
        factor = self.numerator / (self.denominator * self.proportion)
        return 2.0 * root_of_product(self.weight_decay, self.feature_decay, factor)

    def remaining(self, slope: FloatArray, exact_slope: Callable[..., dd.Pair], *arguments: ArrayLike) -> FloatArray:
        """``slope - kappa`` with a relative error near machine precision, however close the two are.

        Parameters
        ----------
        slope : array
            A positive slope, rounded.
        exact_slope : callable
            The same slope as a double-double number, as a function of `arguments`; called where the two are close.
        *arguments : arrays
            They broadcast against the slope.
        """
        remaining = np.asarray(slope - self.value)
        close = np.abs(remaining) < _CANCELLATION * slope
        if np.any(close):
            close = np.broadcast_to(close, remaining.shape)
            selected = exact_slope(*(np.broadcast_to(x, remaining.shape)[close] for x in arguments))
            remaining[close] = self._select(close)._exactly_remaining(selected)
        return remaining

    def _exactly_remaining(self, slope: dd.Pair) -> FloatArray:
        # slope - kappa = (slope^2 - kappa^2) / (slope + kappa): the squares are free of roots.
        decays = _scaled_product(4.0, self.weight_decay, self.feature_decay)
        below = dd.two_product(self.denominator, np.asarray(self.proportion))
        squared = dd.divide(dd.multiply(decays, dd.pair(self.numerator)), below)
        difference = dd.add(dd.multiply(slope, slope), (-squared[0], -squared[1]))
        return np.asarray((difference[0] + difference[1]) / (slope[0] + self.value))

    def exact(self, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
        """Kappa of one entry of the broadcast `shape`, in the working precision of mpmath."""
        from mpmath import mp

        factors = (self.weight_decay, self.feature_decay, self.numerator, self.denominator, self.proportion)
        weight, feature, above, below, share = (mp.mpf(float(np.broadcast_to(x, shape)[at])) for x in factors)
        return 2 * mp.sqrt(weight * feature * above / (below * share))

    def _select(self, mask: NDArray[np.bool_]) -> "MarginCost":
        names = ("weight_decay", "feature_decay", "numerator", "denominator", "proportion")
        return MarginCost(**{name: np.broadcast_to(getattr(self, name), mask.shape)[mask] for name in names})


def root_of_product(a: FloatArray, b: FloatArray, factor: FloatArray | float = 1.0) -> FloatArray:
    """``sqrt(a b factor)`` for a moderate `factor`, however large or small a and b are; exact for exact squares."""
    (a, a_exponent), (b, b_exponent) = np.frexp(a), np.frexp(b)
    exponent = a_exponent + b_exponent
    odd = exponent % 2
    return np.asarray(np.ldexp(np.sqrt(np.ldexp(a * b * factor, odd)), (exponent - odd) // 2))


def _scaled_product(factor: float, a: FloatArray, b: FloatArray) -> dd.Pair:
    """``factor a b`` exactly where it is of moderate size, however large or small a and b are."""
    (a, a_exponent), (b, b_exponent) = np.frexp(a), np.frexp(b)
    high, low = dd.two_product(a, factor * b)
    return np.ldexp(high, a_exponent + b_exponent), np.ldexp(low, a_exponent + b_exponent)
