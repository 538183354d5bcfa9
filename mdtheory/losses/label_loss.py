"""The mean loss of many columns of logits, each with its own label distribution."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.losses.base import Curvature, SmoothLoss, TargetLoss, anchors


@dataclass(frozen=True, eq=False)
class LabelLoss(Frozen):
    r"""``sum_k w_k loss(z_k, y_k)`` over the columns of logits Z (N, K), with label distributions Y (N, K).

    A `TargetLoss` takes the distribution as its target; any other loss is averaged over its labels, so that a column
    stands for several *terms*, one for each label of positive probability. A dual point has one vector for each term:
    an array (N, terms), which for targets and one-hot labels is an array (N, K).

    Parameters
    ----------
    loss : Loss
        Convex.
    labels : array (N, K)
        Columns in the simplex.
    weights : array (K,)
        w, positive.
    temperature : float, default 0
        If positive, a loss without a continuous gradient is softened (`Loss.softened`) in `value`, `gradient` and
        `curvature`. Dual points are those of the loss itself.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> mean = LabelLoss(mdt.CrossEntropy(), np.array([[0.9, 0.2], [0.1, 0.8]]), np.array([0.5, 0.5]))
    >>> round(mean.value(np.zeros((2, 2))), 6)      # log 2
    0.693147
    """

    loss: Loss
    labels: FloatArray
    weights: FloatArray
    temperature: float = 0.0

    def value(self, logits: FloatArray) -> float:
        """The weighted loss of logits (N, K)."""
        if self._target_loss:
            return float(self.weights @ self._target_loss.target_value(logits.T, self._targets))
        return float(self._terms.weights @ self._smooth.value(logits.T[self._terms.columns], self._terms.labels))

    def value_scale(self, logits: FloatArray, sizes: FloatArray) -> float:
        """The numbers whose rounding `value` inherits, where every logit is wrong by a few eps times its size (N, K)."""
        if self._target_loss:
            return float(self.weights @ self._target_loss.target_value_scale(logits.T, sizes.T, self._targets))
        rows, own = (logits.T[self._terms.columns], sizes.T[self._terms.columns]), self._terms.labels
        return float(self._terms.weights @ self.loss.value_scale(*rows, own))

    def gradient(self, logits: FloatArray) -> FloatArray:
        """The gradients of the columns' losses, *not* weighted, (N, K)."""
        return self.combine(self.term_gradients(logits))

    def term_gradients(self, logits: FloatArray) -> FloatArray:
        """The gradients of the terms, (N, terms): the natural dual point at the logits."""
        if self._target_loss:
            return self._target_loss.target_gradient(logits.T, self._targets).T
        return self._smooth.gradient(logits.T[self._terms.columns], self._terms.labels).T

    def combine(self, dual: FloatArray) -> FloatArray:
        """From one dual vector for each term to one for each column: their mean over the column's labels."""
        if self.one_term_per_column:
            return dual
        starts = np.searchsorted(self._terms.columns, np.arange(self.weights.size))
        return np.add.reduceat(dual * self._terms.shares, starts, axis=1)

    def spread(self, columns: FloatArray) -> FloatArray:
        """The terms (N, terms) that all equal their column (N, K); `combine` undoes it."""
        return columns if self.one_term_per_column else columns[:, self._terms.columns]

    def curvature(self, logits: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The Hessians of the columns' losses, *not* weighted, as a map of directions (N, K); see `hessian_diagonal`."""
        curvature = self._curvature(logits)
        if self.one_term_per_column:
            return lambda direction: curvature.apply(direction.T).T
        return lambda direction: self.combine(curvature.apply(direction.T[self._terms.columns]).T)

    def hessian_diagonal(self, logits: FloatArray) -> FloatArray:
        """The diagonals of the Hessians, (N, K)."""
        curvature = self._curvature(logits)
        diagonal = curvature.diagonal
        for scale, vector in curvature.factors:
            diagonal = diagonal + scale[..., None] * vector**2
        return self.combine(diagonal.T)

    def dual_value(self, dual: FloatArray) -> float:
        """``-sum w l*(v)`` over the terms of a dual point (N, terms); minus infinity outside the domain.

        Minus infinity also for a loss whose conjugate is not known to belong to its value (`Loss.coherent`).
        """
        if not self.loss.coherent:
            return -np.inf
        # Contiguous rows are summed pairwise: over a million classes the zero sums of dual vectors need it.
        rows = np.ascontiguousarray(dual.T)
        if self._target_loss:
            return -float(self.weights @ self._target_loss.target_conjugate(rows, self._targets))
        return -float(self._terms.weights @ self.loss.conjugate(rows, self._terms.labels))

    def dual_scale(self, dual: FloatArray) -> float:
        """The numbers whose rounding `dual_value` inherits, where every entry has a few eps."""
        rows = np.ascontiguousarray(dual.T)
        if self._target_loss:
            return float(self.weights @ self._target_loss.target_conjugate_scale(rows, self._targets))
        return float(self._terms.weights @ self.loss.conjugate_scale(rows, self._terms.labels))

    # ------------------------------------------------------------------ the domain of the conjugates

    def into_domain(self, dual: FloatArray) -> FloatArray:
        """A dual point (N, terms) in the domain of the conjugates, near the given one; see `Loss.dual_floor`.

        Entries below the floor are lifted to it, the anchors make the sums zero, and a vector whose anchor is then too
        low is shortened. The floor is at most zero, so that shortening never leaves the domain.
        """
        lifted = np.maximum(dual, self.floor)
        if not self.loss.shift_invariant:
            return lifted
        if not np.any(np.isfinite(self.floor)):
            return np.asarray(dual - np.mean(dual, axis=0))
        anchor = self.anchors
        sums = np.sum(np.ascontiguousarray(np.where(anchor, 0.0, lifted).T), axis=-1)
        room = -np.sum(np.where(anchor, self.floor, 0.0), axis=0)
        over = sums > room
        factor = np.where(over, room / np.where(over, sums, 1.0), 1.0)
        return np.asarray(np.where(anchor, -sums, lifted) * factor)

    def inner_point(self, mean: Callable[[FloatArray], FloatArray]) -> FloatArray:
        r"""A dual point (N, terms) of mean zero inside the domain of the conjugates; `mean` is :math:`V \mapsto V\pi`.

        For targets ``Q = V + Y`` has all columns equal to the mean target; for labels n, ``v_n`` is proportional to
        ``(1/N - e_n)/ybar_n``.
        """
        if self._target_loss:
            targets = self._targets.T
            return np.asarray(mean(targets)[:, None] - targets)
        frequency, labels = mean(self.labels), self._terms.labels
        n = frequency.size
        share = np.min(frequency) / frequency[labels]
        # Half of the steepest admissible slope leaves a mixture with it inside the domain.
        steepest = np.minimum(1.0, -np.sum(np.where(self.anchors, self.floor, 0.0), axis=0))
        return np.asarray((1.0 / n - (np.arange(n)[:, None] == labels)) * (0.5 * np.min(steepest) * share))

    @cached_property
    def floor(self) -> FloatArray:
        """The least entries of a dual point (N, terms)."""
        if self._target_loss:
            return self._target_loss.target_floor(self._targets).T
        return self.loss.dual_floor(self._terms.labels, self.labels.shape[0]).T

    @cached_property
    def anchors(self) -> NDArray[np.bool_]:
        """The entries (N, terms) that make the sums of dual vectors zero: the label of a term, the likeliest of a target."""
        if self._target_loss:
            return anchors(self._targets).T
        return np.asarray(np.arange(self.labels.shape[0])[:, None] == self._terms.labels)

    @cached_property
    def one_term_per_column(self) -> bool:
        """Whether every column has one dual vector."""
        return self._target_loss is not None or self._terms.columns.size == self.weights.size

    @property
    def term_labels(self) -> NDArray[np.int64]:
        """The label of each term; targets have none."""
        return self._terms.labels

    @property
    def term_weights(self) -> FloatArray:
        """The total weight of each term."""
        return self.weights if self._target_loss else self._terms.weights

    @property
    def smooth(self) -> bool:
        """Whether the gradient is continuous without softening."""
        return self.loss.curvature(np.zeros(2), 0) is not None

    @property
    def targets(self) -> FloatArray:
        """What the columns of `combine` are measured from: the targets (N, K), or the labels."""
        return self._targets.T if self._target_loss else self.labels

    @property
    def _target_loss(self) -> TargetLoss | None:
        """The loss, if it takes a whole column as its target."""
        return self.loss if isinstance(self.loss, TargetLoss) and self.loss.sees_targets else None

    @cached_property
    def _targets(self) -> FloatArray:
        assert self._target_loss is not None
        return self._target_loss.target(self.labels.T)

    @cached_property
    def _smooth(self) -> SmoothLoss:
        return self.loss.softened(self.temperature) if self.temperature > 0 else self.loss  # type: ignore[return-value]

    @cached_property
    def _terms(self) -> "_Terms":
        columns, labels = np.nonzero(self.labels.T)
        shares = self.labels[labels, columns]
        return _Terms(columns, labels, shares, self.weights[columns] * shares)

    def _curvature(self, logits: FloatArray) -> Curvature:
        if self._target_loss:
            curvature = self.loss.curvature(logits.T, np.zeros(logits.shape[1], dtype=np.int64))
        else:
            curvature = self._smooth.curvature(logits.T[self._terms.columns], self._terms.labels)
        assert curvature is not None
        return curvature


@dataclass(frozen=True, slots=True)
class _Terms:
    """Column, label, share in the column, and total weight of each term."""

    columns: NDArray[np.int64]
    labels: NDArray[np.int64]
    shares: FloatArray
    weights: FloatArray
