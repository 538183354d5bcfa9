"""What the unconstrained features model charges for a unit of margin."""

from dataclasses import dataclass

import numpy as np

from mdtheory import double_double as dd
from mdtheory.validation import FloatArray

# Below this share of the initial slope a cost cannot cancel against it, and plain doubles are accurate.
_CANCELLATION = 0.5


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
    """

    weight_decay: FloatArray
    feature_decay: FloatArray
    numerator: FloatArray
    denominator: FloatArray

    @property
    def value(self) -> FloatArray:
        """Kappa itself, rounded to double precision."""
        mu = np.sqrt(self.weight_decay) * np.sqrt(self.feature_decay)
        return np.asarray(2.0 * mu * np.sqrt(self.numerator / self.denominator))

    def remaining(self, slope: dd.Pair) -> FloatArray:
        """``slope - kappa`` with a relative error near machine precision, however close the two are.

        Parameters
        ----------
        slope : pair of arrays
            A positive slope as a double-double number.
        """
        kappa = self.value
        high, low, kappa = np.broadcast_arrays(slope[0], slope[1], kappa)
        remaining = high - kappa
        close = (np.abs(remaining) < _CANCELLATION * high) & (high > 0)
        if np.any(close):
            remaining = np.array(remaining)
            remaining[close] = self._select(close)._exactly_remaining((high[close], low[close]))
        return remaining

    def _exactly_remaining(self, slope: dd.Pair) -> FloatArray:
        # slope - kappa = (slope^2 - kappa^2) / (slope + kappa): the squares are free of roots.
        decays = dd.two_product(self.weight_decay, 4.0 * self.feature_decay)
        squared = dd.divide(dd.multiply(decays, dd.pair(self.numerator)), dd.pair(self.denominator))
        difference = dd.add(dd.multiply(slope, slope), (-squared[0], -squared[1]))
        return np.asarray((difference[0] + difference[1]) / (slope[0] + self.value))

    def _select(self, mask: FloatArray) -> "MarginCost":
        fields = (self.weight_decay, self.feature_decay, self.numerator, self.denominator)
        weight_decay, feature_decay, numerator, denominator = (
            np.broadcast_to(field, mask.shape)[mask] for field in fields
        )
        return MarginCost(
            weight_decay=weight_decay, feature_decay=feature_decay, numerator=numerator, denominator=denominator
        )
