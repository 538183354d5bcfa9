"""The joint problem as data: what the solvers know of each point, flattened."""

from dataclasses import dataclass, replace

import numpy as np

from mdtheory.expectation import Selection, flatten, restrict
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.spreads import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A flat block of K points.

    Attributes
    ----------
    loss : Loss
        With parameters that are scalars or (K,).
    num_classes : int
    spread : Spread
    clean, flip : array (K,), or (K, 2) for two classes that differ
        The shares of examples with their own label and with another: 1 - e and e, times the share of the class where classes differ.
    rate : array of the same shape
        The length of a step of the noisy features, in the space of the logits, times this is the dilation there.
    weight_cost, feature_decay : array (K,)
        ``lambda_W (N - 1)``, so that W costs this times its scale squared, and lambda_H.
    """

    loss: Loss
    num_classes: int
    spread: Spread
    clean: FloatArray
    flip: FloatArray
    rate: FloatArray
    weight_cost: FloatArray
    feature_decay: FloatArray

    @property
    def weight(self) -> FloatArray:
        """``2 mu sqrt(N - 1)``, in front of the norm, once the scale of W is the best."""
        return np.asarray(2.0 * np.sqrt(self.weight_cost) * np.sqrt(self.feature_decay))

    def take(self, selection: Selection) -> "Points":
        """The points selected by a slice, a mask or indices."""
        return Points(
            loss=restrict(self.loss, selection),
            num_classes=self.num_classes,
            spread=self.spread,
            clean=self.clean[selection],
            flip=self.flip[selection],
            rate=self.rate[selection],
            weight_cost=self.weight_cost[selection],
            feature_decay=self.feature_decay[selection],
        )

    def at_distance(self, distance: FloatArray) -> "Points":
        """The points of the absolute scaling, with class means at this distance (K,): a step costs as much more."""
        return replace(self, rate=self.rate * (distance if self.rate.ndim == 1 else distance[:, None]))

    @classmethod
    def of(cls, problem: LimitedExpressivity) -> "Points":
        """All points of a problem, in the order of its flattened shape."""
        shape = problem.shape
        size = int(np.prod(shape))
        weight_decay = _flat(np.asarray(problem.weight_decay, dtype=np.float64), shape)
        classes = problem.class_axis

        def per_class(values: FloatArray) -> FloatArray:
            return np.broadcast_to(values, shape + classes).reshape(size, *classes)

        return cls(
            loss=flatten(problem.loss, shape),
            num_classes=problem.num_classes,
            spread=problem.spread,
            clean=per_class(problem.clean_share),
            flip=per_class(problem.flip_share),
            rate=per_class(problem.rate),
            weight_cost=weight_decay * (problem.num_classes - 1.0),
            feature_decay=_flat(np.asarray(problem.feature_decay, dtype=np.float64), shape),
        )


def _flat(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    return np.broadcast_to(values, shape).ravel()
