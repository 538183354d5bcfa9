r"""Convex lower bounds on problems of three classes whose W has a shape in a given cell.

For ``K = W W'`` with a trace of one, in the plane of logits that sum to nothing, the objective with the best scale of W is

.. math::
    \sum_m \pi_m \Big\{T_{mm} E\ell(z_m + \rho_m K^{1/2}\xi, m) + \sum_n T_{nm}\ell(\zeta_{nm}, n)\Big\} + 2\mu\sqrt{Q}, \qquad
    \rho_m = \sum_n c_{nm}\|\zeta_{nm} - z_m\|_{K^{-1}},

with Q the weighted squares of all features, in the norm of :math:`K^{-1}`, and of the :math:`\rho_m`. If :math:`K_{lo} \le K \le K_{hi}` in a cell, lengths are at least those of
:math:`K_{hi}`, and the spread is above that of :math:`\rho_m K_{lo}^{1/2}\xi` in convex order. Where :math:`K_{lo}` would be zero, next to a W that sees one
direction only, the spread is above that of :math:`\sum_n c_{nm}(\zeta_{nm} - z_m)\,\xi_n`, with coordinates :math:`\xi_n` of it that have any correlation. Either is a
convex programme in the features. Norms are replaced by :math:`\sqrt{\|d\|^2 + \varepsilon^2} - \varepsilon`, which is less, so that all of it is smooth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.general import Setting
from mdtheory.models.joint.rules import rule
from mdtheory.optimisers.norm_newton import Derivatives

# Of the root of Q, as of the other norms.
_ROOT_ROUNDING = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeProgramme:
    """One programme for each of K cells; x = (h (3, 2), u (P, 2), bias (2,)), flat; no bias where the problem has none.

    Attributes
    ----------
    setting : Setting
    frame : array (K, 2, 2)
        A with ``A A' = K_hi``: logits are A times features.
    spread : array (K, 2, 2) or None
        B with ``B B' = K_lo``; None where the spread is that of the steps.
    mixing : array (K, P, 2)
        Vectors of length one for the pairs, whose products are the correlations of their coordinates within a class.
    """

    setting: Setting
    frame: FloatArray
    spread: FloatArray | None
    mixing: FloatArray

    def take(self, which: NDArray[np.intp]) -> "ShapeProgramme":
        """Those of some cells."""
        spread = None if self.spread is None else self.spread[which]
        return ShapeProgramme(setting=self.setting, frame=self.frame[which], spread=spread, mixing=self.mixing[which])

    @property
    def weight(self) -> float:
        """2 mu."""
        return 2.0 * float(np.sqrt(self.setting.weight_decay * self.setting.feature_decay))

    @property
    def metric(self) -> FloatArray:
        """The diagonal (n,) of the squares of all features, without the bias."""
        s = self.setting
        return np.repeat(np.concatenate([s.clean, s.flips]), 2)

    def with_features(self, x: FloatArray, matrix: FloatArray) -> FloatArray:
        """x with each feature multiplied by the matrix (K, 2, 2) of its cell."""
        split = self.metric.size
        turned = np.einsum("kij,kpj->kpi", matrix, x[:, :split].reshape(len(x), -1, 2))
        return np.concatenate([turned.reshape(len(x), -1), x[:, split:]], axis=-1)

    def furthest_bias(self, upper: float) -> float:
        """How long the bias of an optimum can be at most, if its value is: no label may cost more than `upper` on the mean of its examples."""
        s = self.setting
        shares = np.bincount(s.labels, s.flips, minlength=3) + s.clean
        logits = upper / self.weight / np.sqrt(shares)
        return float(np.max(3.0 * upper / shares + 3.0 * logits)) + 3.0

    def derivatives(self, x: FloatArray, rounding: float, order: int) -> Derivatives:
        """The objective of each cell at x (K, n)."""
        s, count = self.setting, len(x)
        pairs = s.labels.size
        ends = [6, 6 + 2 * pairs]
        h, u, bias = (part.reshape(count, -1, 2) for part in np.split(x, ends, axis=-1))
        bias = bias if s.problem.bias else np.zeros((count, 1, 2))
        total = _Sum.empty(x)
        # Noisy examples.
        logits = np.einsum("kij,kpj->kpi", self.frame, u) + bias
        value, gradient, hessian = logit_loss(s, logits, s.targets[s.labels])
        for p, share in enumerate(s.flips):
            row = self._logits(x.shape, 6 + 2 * p)
            total.add(share * value[:, p], share * gradient[:, p], share * hessian[:, p], row)
        # Clean examples, and the weighted squares.
        square = _Sum.empty(x)
        squares = self.metric
        square.value += x[:, : squares.size] ** 2 @ squares
        square.gradient[:, : squares.size] += 2.0 * x[:, : squares.size] * squares
        places = np.arange(squares.size)
        square.hessian[:, places, places] += 2.0 * squares
        for m, share in enumerate(s.clean):
            reach, slope, bend = self._reach(x, h, u, m, rounding)
            centre = np.einsum("kij,kj->ki", self.frame, h[:, m]) + bias[:, 0]
            row = self._logits(x.shape, 2 * m)
            if self.spread is None:
                steps = [self._step(x.shape, m, axis) for axis in (0, 1)]
                sizes = np.stack([np.einsum("kin,kn->ki", step, x) for step in steps], axis=1)
                value, gradient, hessian = self._along_steps(centre, sizes, m, order)
                total.add(share * value, share * gradient, share * hessian, np.concatenate([row, *steps], axis=1))
            else:
                value, gradient, hessian = self._in_the_plane(centre, reach, m, order)
                total.add(share * value, share * gradient, share * hessian, np.concatenate([row, slope[:, None]], 1))
                total.hessian += (share * gradient[:, 2])[:, None, None] * bend
            square.value += share * reach**2
            square.gradient += 2.0 * share * reach[:, None] * slope
            square.hessian += 2.0 * share * (slope[:, :, None] * slope[:, None, :] + reach[:, None, None] * bend)
        small = _ROOT_ROUNDING * rounding
        root = np.sqrt(square.value + small**2)
        weight = self.weight
        total.value += weight * (root - small)
        by_root = square.gradient / (2.0 * root[:, None])
        total.gradient += weight * by_root
        total.hessian += weight * (
            square.hessian / (2.0 * root[:, None, None])
            - by_root[:, :, None] * by_root[:, None, :] / root[:, None, None]
        )
        return Derivatives(total.value, total.gradient, total.hessian)

    def _logits(self, shape: tuple[int, ...], place: int) -> FloatArray:
        """The matrix (K, 2, n) from x to the logits of the feature that stands at a place."""
        found = np.zeros((shape[0], 2, shape[1]))
        found[:, :, place : place + 2] = self.frame
        if self.setting.problem.bias:
            found[:, :, -2:] = np.eye(2)
        return found

    def _step(self, shape: tuple[int, ...], m: int, axis: int) -> FloatArray:
        """The matrix (K, 2, n) from x to what multiplies a coordinate of the spread of a class: steps of its pairs, in logits."""
        s = self.setting
        found = np.zeros((shape[0], 2, shape[1]))
        for p in np.flatnonzero(s.classes == m):
            by = (self.mixing[:, p, axis] * s.rates[p])[:, None, None] * self.frame
            found[:, :, 6 + 2 * p : 8 + 2 * p] += by
            found[:, :, 2 * m : 2 * m + 2] -= by
        return found

    def _reach(
        self, x: FloatArray, h: FloatArray, u: FloatArray, m: int, rounding: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """rho of a class (K,), its gradient (K, n) and Hessian (K, n, n)."""
        s = self.setting
        value, gradient, hessian = np.zeros(len(x)), np.zeros(x.shape), np.zeros((*x.shape, x.shape[1]))
        own = slice(2 * m, 2 * m + 2)
        for p in np.flatnonzero(s.classes == m):
            there = slice(6 + 2 * p, 8 + 2 * p)
            apart = u[:, p] - h[:, m]
            length = np.sqrt(np.sum(apart**2, axis=-1) + rounding**2)
            slope = s.rates[p] * apart / length[:, None]
            outer = apart[:, :, None] * apart[:, None, :] / (length**2)[:, None, None]
            bend = s.rates[p] * (np.eye(2) - outer) / length[:, None, None]
            value += s.rates[p] * (length - rounding)
            gradient[:, there] += slope
            gradient[:, own] -= slope
            hessian[:, there, there] += bend
            hessian[:, own, own] += bend
            hessian[:, there, own] -= bend
            hessian[:, own, there] -= bend
        return value, gradient, hessian

    def _in_the_plane(
        self, centre: FloatArray, reach: FloatArray, m: int, order: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E loss at ``centre + reach B xi``, and its derivatives in centre and reach: (K,), (K, 3), (K, 3, 3)."""
        s = self.setting
        nodes, weights = rule(s.problem.spread, 2, order)
        assert self.spread is not None
        steps = np.einsum("kij,gj->kgi", self.spread, nodes)
        value, gradient, hessian = logit_loss(s, centre[:, None] + reach[:, None, None] * steps, s.targets[m])
        by = np.empty((len(centre), 3))
        by[:, :2] = np.einsum("g,kgi->ki", weights, gradient)
        by[:, 2] = np.einsum("g,kgi,kgi->k", weights, gradient, steps, optimize=True)
        turned = np.einsum("kgij,kgj->kgi", hessian, steps)
        twice = np.empty((len(centre), 3, 3))
        twice[:, :2, :2] = np.einsum("g,kgij->kij", weights, hessian)
        twice[:, :2, 2] = twice[:, 2, :2] = np.einsum("g,kgi->ki", weights, turned)
        twice[:, 2, 2] = np.einsum("g,kgi,kgi->k", weights, turned, steps, optimize=True)
        return value @ weights, by, twice

    def _along_steps(
        self, centre: FloatArray, steps: FloatArray, m: int, order: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E loss at ``centre + xi' steps`` with steps (K, 2, 2), and its derivatives in all of them: (K,), (K, 6), (K, 6, 6)."""
        s, count = self.setting, len(centre)
        nodes, weights = rule(s.problem.spread, 2, order)
        value, gradient, hessian = logit_loss(s, centre[:, None] + nodes @ steps, s.targets[m])
        factors = np.concatenate([np.ones((len(nodes), 1)), nodes], axis=1)
        by = (weights[:, None] * factors).T @ gradient
        pairs = weights[:, None, None] * factors[:, :, None] * factors[:, None, :]
        twice = np.tensordot(hessian, pairs, axes=([1], [0])).transpose(0, 3, 1, 4, 2)
        return value @ weights, by.reshape(count, 6), twice.reshape(count, 6, 6)


@dataclass(slots=True)
class _Sum:
    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray

    @classmethod
    def empty(cls, x: FloatArray) -> "_Sum":
        return cls(np.zeros(len(x)), np.zeros(x.shape), np.zeros((*x.shape, x.shape[1])))

    def add(self, value: FloatArray, gradient: FloatArray, hessian: FloatArray, matrix: FloatArray) -> None:
        """A function of ``matrix @ x``, by its derivatives there."""
        self.value += value
        self.gradient += np.einsum("kin,ki->kn", matrix, gradient)
        self.hessian += matrix.swapaxes(1, 2) @ hessian @ matrix


def logit_loss(setting: Setting, logits: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Losses of logits (..., 2) in the basis, their gradients (..., 2) and Hessians (..., 2, 2)."""
    basis = setting.basis
    value, gradient = setting.losses(logits, targets)
    if setting.squared:
        return value, gradient, np.broadcast_to(np.eye(2), (*logits.shape, 2))
    # The probabilities are the gradient plus the target.
    p = gradient @ basis.T + (targets - targets.mean(axis=-1, keepdims=True)) + 1.0 / len(basis)
    seen = p @ basis
    bent = np.einsum("...c,ci,cj->...ij", p, basis, basis) - seen[..., :, None] * seen[..., None, :]
    return value, gradient, bent
