r"""The convex problem in the logits, after the averaging of interchangeable classes.

.. math:: \min_{X, b}\ \sum_k \pi_k \ell(x_k/\sqrt{\pi_k} + b, y_k) + 2\mu\|X\|_* + \lambda_b\|b\|^2

A *point* is the tuple of the blocks of X (see `symmetry.Reduction`), followed by the bias where there is one: a
column (G, 1) with one entry for each group, scaled by the square root of its size.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.losses.label_loss import LabelLoss
from mdtheory.models.features.duality import balanced_dual
from mdtheory.models.features.problem import UFM
from mdtheory.models.features.symmetry import Blocks, Reduction, reduction

# Working memory of a second-order method, in arrays of the size of the logits.
_WORKING_ARRAYS = 40
_MAX_BYTES = 2**32
# A singular value of the dual this close to its bound, relative to it, may be meant to be the bound.
_ACTIVE = (1e-9, 1e-6, 1e-3, 3e-2)
# Singular values below this, relative to the largest, have no direction.
_POLAR = 1e-10


@dataclass(frozen=True, eq=False)
class LogitsProblem(Frozen):
    """A UFM with free features as a function of points, and its dual as a function of dual columns.

    Attributes
    ----------
    problem : UFM
        One point, free features.
    frame : Reduction
    loss : LabelLoss
        Of the representative columns.
    """

    problem: UFM
    frame: Reduction
    loss: LabelLoss

    @property
    def threshold(self) -> float:
        """``2 mu``, what the nuclear norm costs."""
        return 2.0 * float(self.problem.mu)

    @cached_property
    def nuclear_costs(self) -> tuple[float, ...]:
        """What the nuclear norm of each part of a point costs; the bias pays nothing."""
        costs = tuple(self.threshold * weight for weight in self.frame.nuclear_weights)
        return (*costs, 0.0) if self.problem.bias else costs

    @property
    def zero(self) -> Blocks:
        """The point at which all logits are zero."""
        zeros = tuple(np.zeros(shape) for shape in self.frame.block_shapes)
        return (*zeros, np.zeros((self._root_sizes.size, 1))) if self.problem.bias else zeros

    def with_temperature(self, temperature: float) -> "LogitsProblem":
        """The same problem with its loss softened."""
        return replace(self, loss=replace(self.loss, temperature=temperature))

    def split(self, point: Blocks) -> tuple[Blocks, FloatArray]:
        """The blocks of X, and the bias of all N classes."""
        if not self.problem.bias:
            return point, np.zeros(self.frame.num_classes)
        per_group = point[-1][:, 0] / self._root_sizes
        return point[:-1], per_group if self.frame.groups is None else per_group[self.frame.groups]

    def with_bias(self, blocks: Blocks, bias: FloatArray) -> Blocks:
        """The point of blocks and a bias (N,), which is dropped where the problem has none."""
        if not self.problem.bias:
            return blocks
        return (*blocks, self._from_classes(bias) * self._root_sizes[:, None])

    def columns(self, point: Blocks) -> FloatArray:
        """The representative columns of the logits, (N, G), with the bias."""
        blocks, bias = self.split(point)
        return self.frame.columns(blocks) + bias[:, None]

    # ------------------------------------------------------------------ the smooth part, for a solver

    def value(self, point: Blocks) -> float:
        """Mean loss plus the decay of the bias."""
        decay = self.problem.bias_decay * float(np.sum(point[-1] ** 2)) if self.problem.bias_decay > 0 else 0.0
        return self.loss.value(self.columns(point)) + decay

    def gradient(self, point: Blocks) -> Blocks:
        """The gradient of `value`."""
        gradient = self._pull_back(self.loss.gradient(self.columns(point)))
        return self._with_bias_decay(gradient, point)

    def curvature(self, point: Blocks) -> "PointCurvature":
        """The Hessian of `value`, as an operator."""
        columns = self.columns(point)
        diagonal = self._diagonal(self.loss.hessian_diagonal(columns))
        return PointCurvature(self, self.loss.curvature(columns), diagonal)

    # ------------------------------------------------------------------ bounds

    def objective(self, point: Blocks) -> float:
        """The objective, with the true loss: an upper bound on the optimum."""
        exact = self.with_temperature(0.0) if self.loss.temperature else self
        return exact.value(point) + self._penalty(point)

    def _penalty(self, point: Blocks) -> float:
        pairs = zip(self.nuclear_costs, self.split(point)[0], strict=False)
        return sum(cost * _nuclear_norm(block) for cost, block in pairs)

    def objective_error(self, point: Blocks) -> float:
        """Above the rounding error of `objective`."""
        columns = self.columns(point)
        _, bias = self.split(point)
        sizes = np.max(np.abs(columns), axis=0) + np.abs(bias)[:, None]
        return self._rounding * (self.loss.value_scale(columns, sizes) + self._penalty(point) + abs(self.value(point)))

    def bound_error(self, dual: FloatArray) -> float:
        """Above the rounding error of the value of a feasible dual point."""
        numbers, sizes = self.loss.dual_scale(dual), self.loss.combine(np.abs(dual))
        if self.problem.bias_decay > 0:
            pull = self.frame.mean(sizes)
            numbers += float(pull @ pull) / (2.0 * self.problem.bias_decay)
        if self.loss.one_term_per_column:
            return self._rounding * numbers
        # The terms of a column may cancel: then the scale that brings the norm into its constraint inherits their rounding.
        cancelled = np.sqrt(sum(float(np.sum(block**2)) for block in self.frame.blocks(sizes)))
        return self._rounding * numbers * (1.0 + float(cancelled) / self.threshold)

    @property
    def _rounding(self) -> float:
        count = self.frame.num_classes + self.frame.representatives.size
        return float(8.0 * np.finfo(np.float64).eps * np.sqrt(count + 20))

    def dual_point(self, point: Blocks) -> tuple[float, FloatArray]:
        """The best lower bound found from the gradients at a point, and its feasible dual columns (N, terms).

        The gradients are scaled into the constraint; or, with an error of second order only, their singular values
        are clipped at ``2 mu`` and those near it set to it.
        """
        terms = self.loss.term_gradients(self.columns(point))
        columns = self.loss.combine(terms)
        clipped = (terms + self.loss.spread(c - columns) for c in self._clipped(columns, self.split(point)[0]))
        # Clipped ones are feasible but for rounding, so that their plain values rank them without a norm.
        best = max(clipped, key=self._unscaled_value)
        return max(self.feasible_dual(terms), self.feasible_dual(best), key=lambda candidate: candidate[0])

    def polar_dual(self, point: Blocks) -> tuple[float, FloatArray]:
        """The lower bound of ``-2 mu U V'`` from ``X = U S V'``, and that dual point.

        It needs no gradient: where the loss is so small that rounding is all that is left of its gradients.
        """
        first, *rest = self.split(point)[0]
        u, s, vt = np.linalg.svd(first, full_matrices=False)
        kept = np.where(s > _POLAR * np.max(s, initial=0.0), self.threshold, 0.0)
        inner = [-self.threshold * w * np.sign(x) for x, w in zip(rest, self.frame.nuclear_weights[1:], strict=True)]
        return self.feasible_dual(self.loss.spread(self.frame.columns((-(u * kept) @ vt, *inner))))

    def bounds(self, point: Blocks) -> tuple[float, float]:
        """Upper and lower bound on the optimum."""
        return self.objective(point), self.dual_point(point)[0]

    def dual_value(self, dual: FloatArray) -> float:
        """The lower bound of a dual point (N, terms), after it is scaled into the constraint."""
        return self.feasible_dual(dual)[0]

    def feasible_dual(self, dual: FloatArray) -> tuple[float, FloatArray]:
        """The lower bound of a dual point (N, terms), and the point scaled into the constraint."""
        dual = self.loss.into_domain(dual)
        if self.problem.bias and self.problem.bias_decay == 0:
            dual = balanced_dual(self.loss, dual, self.frame.mean)
        columns = self.loss.combine(dual)
        norms = [np.linalg.norm(block, 2) for block in self.frame.blocks(columns)]
        size = max(float(norm) / weight for norm, weight in zip(norms, self.frame.nuclear_weights, strict=True))
        scale = min(1.0, self.threshold / size) if size > 0 else 1.0
        dual = scale * dual
        return self._unscaled_value(dual), dual

    def _unscaled_value(self, dual: FloatArray) -> float:
        value = self.loss.dual_value(dual)
        if self.problem.bias_decay > 0:
            pull = self.frame.mean(self.loss.combine(dual))
            value -= float(pull @ pull) / (4.0 * self.problem.bias_decay)
        return value

    def _clipped(self, dual: FloatArray, blocks: Blocks) -> list[FloatArray]:
        if self.problem.bias and self.problem.bias_decay == 0:
            dual = dual - self.frame.mean(dual)[:, None]
        first, *rest = self.frame.blocks(dual)
        cap = self.threshold
        inner = [
            np.full((1, 1), -np.sign(x[0, 0]) * cap * w if x[0, 0] != 0 else np.clip(g[0, 0], -cap * w, cap * w))
            for g, x, w in zip(rest, blocks[1:], self.frame.nuclear_weights[1:], strict=True)
        ]
        u, s, vt = np.linalg.svd(first, full_matrices=False)
        levels = {tuple(np.where(s >= cap * (1.0 - margin), cap, s)) for margin in _ACTIVE}
        return [self.frame.columns(((u * np.array(level)) @ vt, *inner)) for level in levels]

    # ------------------------------------------------------------------ between columns and points

    @cached_property
    def _root_sizes(self) -> FloatArray:
        if self.frame.groups is None:
            return np.ones(self.frame.num_classes)
        return np.sqrt(self.frame.sizes)

    def _pull_back(self, columns: FloatArray) -> Blocks:
        """The adjoint of `columns`, whose columns are weighted."""
        blocks = self.frame.blocks(columns)
        if not self.problem.bias:
            return blocks
        return (*blocks, self._from_classes(self.frame.mean(columns)) * self._root_sizes[:, None])

    def _from_classes(self, vector: FloatArray) -> FloatArray:
        """One entry for each group, (G, 1), of a vector (N,) that is constant on groups."""
        return (vector if self.frame.groups is None else vector[self.frame.representatives])[:, None]

    def _with_bias_decay(self, gradient: Blocks, point: Blocks) -> Blocks:
        if self.problem.bias_decay == 0:
            return gradient
        return (*gradient[:-1], gradient[-1] + 2.0 * self.problem.bias_decay * point[-1])

    def _diagonal(self, columns: FloatArray) -> Blocks:
        """The diagonal of the Hessian; between groups its average over the group."""
        frame = self.frame
        if frame.groups is None:
            diagonal: Blocks = (columns,)
        else:
            totals = np.zeros((frame.sizes.size, frame.sizes.size))
            np.add.at(totals, frame.groups, columns)
            own = columns[frame.representatives, np.arange(frame.sizes.size)]
            plural = np.flatnonzero(frame.sizes > 1)
            diagonal = (totals / frame.sizes[:, None], *(np.full((1, 1), own[a]) for a in plural))
        if not self.problem.bias:
            return diagonal
        return (*diagonal, self._from_classes(frame.mean(columns)) + 2.0 * self.problem.bias_decay)


@dataclass(frozen=True, slots=True)
class PointCurvature:
    """A Hessian at a point: its action on directions, and its diagonal."""

    owner: LogitsProblem
    columns_map: Callable[[FloatArray], FloatArray]
    diagonal: Blocks

    def apply(self, direction: Blocks) -> Blocks:
        """The Hessian times a direction."""
        moved = self.owner._pull_back(self.columns_map(self.owner.columns(direction)))
        return self.owner._with_bias_decay(moved, direction)


def logits_problem(problem: UFM, *, reduce: bool = True) -> LogitsProblem:
    """A UFM with free features in its logits; `reduce` averages interchangeable classes.

    Raises
    ------
    AssumptionError
        If its second-order solution would not fit in memory.
    """
    frame = reduction(problem, reduce=reduce)
    _check_memory(frame)
    if problem.label_distribution is not None:
        columns = problem.label_distribution[:, frame.representatives]
    else:
        columns = 1.0 * (np.arange(frame.num_classes)[:, None] == frame.representatives)
    loss = LabelLoss(problem.loss, columns, frame.column_weights)
    if not frame.trivial and not loss.one_term_per_column:
        return logits_problem(problem, reduce=False)
    return LogitsProblem(problem, frame, loss)


def _nuclear_norm(block: FloatArray) -> float:
    if block.size == 1:
        return abs(float(block[0, 0]))
    return float(np.sum(np.linalg.svd(block, compute_uv=False)))


def _check_memory(frame: Reduction) -> None:
    size = 8 * _WORKING_ARRAYS * frame.num_classes * frame.representatives.size
    if size > _MAX_BYTES:
        domain = (
            f"the solver would need {size} bytes for {frame.representatives.size} columns, the limit is {_MAX_BYTES}"
        )
        raise fail("num_classes", frame.num_classes, domain)
