"""The hinge losses with their maximum softened, so that second-order methods apply."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses.base import Curvature, as_logits, log_sum_exp, own_and_rest


@dataclass(frozen=True, slots=True)
class SoftHinge:
    r"""The hinge loss with its maximum softened, ``T lse_j((1[j != n] + z_j - z_n)/T)``: at most ``T log N`` above it.

    Parameters
    ----------
    temperature : float
        T > 0.
    """

    temperature: float

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        excess, _ = self._excess(logits, label)
        return np.asarray(self.temperature * log_sum_exp(excess / self.temperature))

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        excess, rest = self._excess(logits, label)
        return soft_maximum(excess, self.temperature) - ~rest

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature:
        q = soft_maximum(self._excess(logits, label)[0], self.temperature)
        return Curvature(q / self.temperature, ((np.full(q.shape[:-1], -1.0 / self.temperature), q),))

    def _excess(self, logits: ArrayLike, label: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
        z = as_logits(logits)
        own, rest = own_and_rest(z, label)
        return np.asarray(z - own[..., None] + rest), rest


@dataclass(frozen=True, slots=True)
class SoftSquaredHinge:
    r"""Half the square of ``(T lse_{j != n}((1 + z_j - z_n)/T))_+``.

    Parameters
    ----------
    temperature : float
        T > 0.
    """

    temperature: float

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return np.asarray(0.5 * self._parts(logits, label)[0] ** 2)

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        excess, direction = self._parts(logits, label)
        return excess[..., None] * direction

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature:
        excess, direction = self._parts(logits, label)
        q, bend = np.maximum(direction, 0.0), excess / self.temperature
        return Curvature(bend[..., None] * q, ((-bend, q), (np.where(excess > 0, 1.0, 0.0), direction)))

    def _parts(self, logits: ArrayLike, label: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The softened violation, at least 0, and its gradient."""
        z = as_logits(logits)
        own, rest = own_and_rest(z, label)
        others = np.where(rest, z, -np.inf)
        excess = 1.0 + self.temperature * log_sum_exp(others / self.temperature) - own
        return np.maximum(excess, 0.0), soft_maximum(others, self.temperature) - ~rest


def soft_maximum(array: FloatArray, temperature: float) -> FloatArray:
    """The softmax of ``array/T`` over the last axis."""
    scaled = (array - np.max(array, axis=-1, keepdims=True)) / temperature
    weights = np.exp(scaled)
    return np.asarray(weights / np.sum(weights, axis=-1, keepdims=True))
