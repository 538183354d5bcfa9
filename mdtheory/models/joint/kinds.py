r"""What a convex programme of the joint problem owes: with the scale of W at its best,

.. math:: \min_x\ L(x) + 2\sqrt{\lambda_W\lambda_H(N-1)}\,\sqrt{x' M x}

in a few variables. The first, or the first of each class, is the margin s of a class mean; the others say how far noisy features step away from it.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.points import Points
from mdtheory.optimisers.norm_newton import Derivatives, Found, minimise_with_norm


class Reading(NamedTuple):
    """What an answer says of each class: the margin s of its mean, and where a noisy feature stands.

    Arrays (K,), or (K, 2) where classes differ. A noisy feature of class m labelled n is ``(s + own) e_m + other e_n``, as a class mean is
    ``s e_m``; centred where features are free, and divided by the scale of W.
    """

    margin: FloatArray
    own: FloatArray
    other: FloatArray


class Programme(ABC):
    """One way to pose it. Points come flat, x as (K, n)."""

    # span @ x is the distance of two class means in the space of the logits.
    span: FloatArray
    # wall @ x may not be negative; None where nothing is constrained.
    wall: FloatArray | None = None

    @abstractmethod
    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        """A start (K, n) from margins (K,)."""

    @abstractmethod
    def metric(self, points: Points) -> FloatArray:
        """M (K, n, n): the weighted squares of all logits."""

    @abstractmethod
    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        """L, the loss of all examples; with few nodes where that is enough."""

    @abstractmethod
    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How L and ``x' M x`` (K,) grow with the logarithm of the rate."""

    @abstractmethod
    def reading(self, x: FloatArray) -> Reading:
        """The answer (K, n) in words."""

    def inexact(self, points: Points) -> float:
        """What L may be off, relative to one plus its size."""
        # The rules over spheres of many dimensions lose digits: 1.5e-10 and 8e-10 were seen at d = 1e5 and 1e6.
        return 1e-13 * points.spread.dim / 50.0

    def minorant(
        self, points: Points, x: FloatArray, smooth: Derivatives, pull: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The value at x and the gradient of a linear function below L wherever nothing is violated, given the gradient of the decays.

        Any multiplier >= 0 of a wall leaves it valid; the best one takes away what the wall holds.
        """
        if self.wall is None:
            return smooth.value, smooth.gradient
        pushed = np.maximum((smooth.gradient + pull) @ self.wall, 0.0) / (self.wall @ self.wall)
        pushed = np.where(np.any(x != 0.0, axis=-1), pushed, 0.0)
        return smooth.value - pushed * (x @ self.wall), smooth.gradient - pushed[:, None] * self.wall

    def unsettled(self, points: Points, x: FloatArray, value: FloatArray) -> FloatArray:
        """What a bound (K,) at x loses by variables that are not in x, given a value that is reached."""
        return np.zeros(len(x))

    def solve(self, points: Points, start: FloatArray) -> Found:
        """The minimisers (K, n) from margins (K,) to start with."""
        found = self._solve(points, self.first(points, start))
        if self.wall is None:
            return found
        beyond = np.flatnonzero(found.converged & (found.point @ self.wall < 0.0))
        if beyond.size:
            along = Restricted(self, self.wall)
            again = along.solve(points.take(beyond), start[beyond])
            found.point[beyond], found.converged[beyond] = along.points(again.point), again.converged
        return found

    def _solve(self, points: Points, first: FloatArray) -> Found:
        # Most steps are made with few nodes.
        near = self._minimised(points, first, rough=True)
        usable = near.converged & np.any(near.point != 0.0, axis=-1)
        return self._minimised(points, np.where(usable[:, None], near.point, first))

    def _minimised(self, points: Points, first: FloatArray, *, rough: bool = False) -> Found:
        def smooth(x: FloatArray, which: NDArray[np.intp]) -> Derivatives:
            return self.smooth_part(points.take(which), x, rough=rough)

        return minimise_with_norm(smooth, points.weight, self.metric(points), first)


class Restricted(Programme):
    """A programme at its wall, where one variable is a sum of others."""

    def __init__(self, whole: Programme, wall: FloatArray) -> None:
        gone = int(np.flatnonzero(wall)[-1])
        kept = [i for i in range(wall.size) if i != gone]
        basis = np.zeros((wall.size, len(kept)))
        basis[kept, range(len(kept))] = 1.0
        basis[gone] = -wall[kept] / wall[gone]
        self.whole, self.basis, self.kept = whole, basis, kept
        self.span = whole.span @ basis

    def points(self, y: FloatArray) -> FloatArray:
        """x (K, n) of the whole programme from its y (K, n - 1) here."""
        return np.asarray(y @ self.basis.T)

    def coordinates(self, x: FloatArray) -> FloatArray:
        """y of a point at the wall."""
        return x[:, self.kept]

    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        return self.coordinates(self.whole.first(points, margin))

    def metric(self, points: Points) -> FloatArray:
        return np.asarray(self.basis.T @ self.whole.metric(points) @ self.basis)

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        there = self.whole.smooth_part(points, self.points(x), rough=rough)
        return Derivatives(there.value, there.gradient @ self.basis, self.basis.T @ there.hessian @ self.basis)

    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.whole.by_rate(points, self.points(x))

    def reading(self, x: FloatArray) -> Reading:
        return self.whole.reading(self.points(x))
