"""The joint problem as data: what the solvers know of each point, flattened."""

from dataclasses import dataclass

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
    clean, flip, rate : array (K,)
        1 - e, e, and eta/C.
    weight : array (K,)
        ``2 mu sqrt(N - 1)``, in front of the norm.
    """

    loss: Loss
    num_classes: int
    spread: Spread
    clean: FloatArray
    flip: FloatArray
    rate: FloatArray
    weight: FloatArray

    def take(self, selection: Selection) -> "Points":
        """The points selected by a slice or mask."""
        return Points(
            loss=restrict(self.loss, selection),
            num_classes=self.num_classes,
            spread=self.spread,
            clean=self.clean[selection],
            flip=self.flip[selection],
            rate=self.rate[selection],
            weight=self.weight[selection],
        )

    @classmethod
    def of(cls, problem: LimitedExpressivity) -> "Points":
        """All points of a problem, in the order of its flattened shape."""
        shape = problem.shape
        noise = np.asarray(problem.noise)
        decays = np.sqrt(np.asarray(problem.weight_decay)) * np.sqrt(np.asarray(problem.feature_decay))
        return cls(
            loss=flatten(problem.loss, shape),
            num_classes=problem.num_classes,
            spread=problem.spread,
            clean=_flat(1.0 / (1.0 + noise), shape),
            flip=_flat(problem.flip, shape),
            rate=_flat(problem.rate, shape),
            weight=_flat(2.0 * decays * np.sqrt(problem.num_classes - 1.0), shape),
        )


def _flat(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    return np.broadcast_to(values, shape).ravel()
