"""Multiclass hinge loss and its square (Crammer and Singer)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses.base import Column, Curvature, Loss, as_logits, log_sum_exp, one_hot, own_and_rest
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics import ball_arithmetic as balls
from mdtheory.numerics import double_double as dd

if TYPE_CHECKING:
    import cvxpy
    import sympy


# What a few additions of doubles may be wrong by, relative to the largest.
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
# A violation this far below zero, relative to the logits, is none whatever was rounded.
_NEAR = 1e-10


class _UnitMargin(Loss):
    """What the hinge losses share: the margin 1 suffices, and the slope at zero is -1."""

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        return np.ones(np.shape(num_classes))

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        return np.ones(np.shape(num_classes))

    def kinks(self) -> FloatArray | None:
        return np.ones(())

    def dual_floor(self, label: ArrayLike, num_classes: int) -> FloatArray:
        return np.where(one_hot(label, num_classes) > 0, -self.steepest_dual, 0.0)


@dataclass(frozen=True, eq=False)
class Hinge(_UnitMargin):
    r"""Multiclass hinge loss, ``max_{j != n} (1 + z_j - z_n)_+``. Two classes: :math:`\varphi(t) = (1-t)_+`.

    Its margin is 1 below the critical cost kappa = 1 and 0 from there on (at kappa = 1 every margin in [0, 1]
    is optimal; 0 is returned). Subgradients are right-hand ones, and split ties to the first class.

    References
    ----------
    Crammer and Singer, *On the algorithmic implementation of multiclass kernel-based vector machines*, JMLR 2001.

    Examples
    --------
    >>> Hinge().value([0.5, 0.0, 0.0], 0).item()
    0.5
    """

    smooth_slope: ClassVar[bool] = False
    steepest_dual: ClassVar[float] = 1.0

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return np.maximum(violation(as_logits(logits), label), 0.0)

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        return violation_gradient(z, label) * (violation(z, label) > 0)[..., None]

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        tau, inside = simplex_dual(as_logits(dual), label)
        return np.asarray(np.where(inside & (tau <= 1.0 + _ROUNDING), -np.minimum(tau, 1.0), np.inf))

    def value_scale(self, logits: FloatArray, sizes: FloatArray, label: ArrayLike) -> FloatArray:
        size, excess = 1.0 + np.max(sizes, axis=-1), violation(logits, label)
        return np.where(excess > -_NEAR * size, size, 0.0)

    def conjugate_scale(self, dual: FloatArray, label: ArrayLike) -> FloatArray:
        return np.asarray(np.sum(np.abs(dual), axis=-1))

    def ball_value(self, logits: Column, label: int) -> Any:
        return _ball_violation(logits, label)

    def ball_conjugate(self, dual: Column, label: int) -> Any:
        return -_ball_slope(dual, label)

    def ball_floor(self, label: int, num_classes: int) -> list[Any]:
        from flint import arb

        return [arb(-1) if j == label else arb(0) for j in range(num_classes)]

    def softened(self, temperature: float) -> "SoftHinge":
        return SoftHinge(temperature)

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        return cp.pos(1 + cp.max(logits[[j for j in range(logits.size) if j != label]]) - logits[label]), []

    def profile_atom(self, margins: "cvxpy.Expression") -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        return cp.pos(1.0 - margins), []

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.maximum(np.subtract(1.0, margin), 0.0)

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.where(np.less(margin, 1.0), -1.0, 0.0)

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.zeros(np.shape(margin))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        p = np.asarray(slope, dtype=np.float64)
        return np.where((p >= -1.0) & (p <= 0.0), p, np.inf)

    def before_minimizer(self, distance: FloatArray) -> FloatArray:
        return np.maximum(distance, 0.0)

    def slopes_before_minimizer(self, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.where(np.greater(distance, 0.0), -1.0, 0.0), np.zeros(np.shape(distance))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        return np.where(cost.remaining(np.ones(np.shape(num_classes)), dd.pair, np.ones(())) > 0, 1.0, 0.0)

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        import sympy as sp

        return sp.Piecewise((1 - margin, margin < 1), (0, True))


@dataclass(frozen=True, eq=False)
class SquaredHinge(_UnitMargin):
    r"""Half the squared multiclass hinge loss. Two classes: :math:`\varphi(t) = (1-t)_+^2/2`.

    References
    ----------
    Crammer and Singer, JMLR 2001, with the penalty squared.

    Examples
    --------
    >>> SquaredHinge().value([0.5, 0.0, 0.0], 0).item()
    0.125
    """

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return np.asarray(0.5 * np.maximum(violation(as_logits(logits), label), 0.0) ** 2)

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        return violation_gradient(z, label) * np.maximum(violation(z, label), 0.0)[..., None]

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        tau, inside = simplex_dual(as_logits(dual), label)
        return np.asarray(np.where(inside, tau * (0.5 * tau - 1.0), np.inf))

    def value_scale(self, logits: FloatArray, sizes: FloatArray, label: ArrayLike) -> FloatArray:
        size, excess = 1.0 + np.max(sizes, axis=-1), np.maximum(violation(logits, label), 0.0)
        return np.asarray(0.5 * excess**2 + (excess + np.finfo(np.float64).eps * size) * size)

    def conjugate_scale(self, dual: FloatArray, label: ArrayLike) -> FloatArray:
        tau = np.sum(np.abs(dual), axis=-1)
        return np.asarray(tau * (1.0 + tau))

    def ball_value(self, logits: Column, label: int) -> Any:
        excess = _ball_violation(logits, label)
        return excess * excess / 2

    def ball_conjugate(self, dual: Column, label: int) -> Any:
        tau = _ball_slope(dual, label)
        return tau * (tau / 2 - 1)

    def ball_floor(self, label: int, num_classes: int) -> list[Any]:
        from flint import arb

        return [None if j == label else arb(0) for j in range(num_classes)]

    def softened(self, temperature: float) -> "SoftSquaredHinge":
        return SoftSquaredHinge(temperature)

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        hinge, constraints = Hinge().cvxpy_atom(logits, label)
        return 0.5 * cp.square(hinge), constraints

    def profile_atom(self, margins: "cvxpy.Expression") -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        return 0.5 * cp.square(cp.pos(1.0 - margins)), []

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.asarray(0.5 * np.maximum(np.subtract(1.0, margin), 0.0) ** 2)

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return -np.maximum(np.subtract(1.0, margin), 0.0)

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.where(np.less(margin, 1.0), 1.0, 0.0)

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        p = np.asarray(slope, dtype=np.float64)
        return np.asarray(np.where(p <= 0.0, p * (0.5 * p + 1.0), np.inf))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        return np.maximum(cost.remaining(np.ones(np.shape(num_classes)), dd.pair, np.ones(())), 0.0)

    def room(self, margin: FloatArray, cost: FloatArray) -> FloatArray:
        return np.asarray(np.broadcast_to(cost, np.shape(margin)))

    def before_minimizer(self, distance: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.maximum(distance, 0.0) ** 2)

    def slopes_before_minimizer(self, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
        return -np.maximum(distance, 0.0), np.where(np.greater(distance, 0.0), 1.0, 0.0)

    def paired_slopes(self, centre: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
        below = np.where(np.less(centre, 1.0), 2.0, 0.0)
        return below * offset, below + np.zeros(np.shape(offset))

    def paired_slopes_at(self, centre: FloatArray) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
        return lambda offset: (2.0 * offset, np.full(np.broadcast_shapes(np.shape(centre), np.shape(offset)), 2.0))

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        import sympy as sp

        return sp.Piecewise(((1 - margin) ** 2 / 2, margin < 1), (0, True))


def violation(logits: FloatArray, label: ArrayLike) -> FloatArray:
    """``1 + max_{j != n} z_j - z_n``."""
    own, rest = own_and_rest(logits, label)
    return np.asarray(1.0 + (np.max(np.where(rest, logits, -np.inf), axis=-1) - own))


def violation_gradient(logits: FloatArray, label: ArrayLike) -> FloatArray:
    """A subgradient of :func:`violation`: the first of the largest other logits, minus the own one."""
    _, rest = own_and_rest(logits, label)
    rival = np.argmax(np.where(rest, logits, -np.inf), axis=-1)
    return np.asarray((np.arange(logits.shape[-1]) == rival[..., None]) * 1.0 - ~rest)


def simplex_dual(dual: FloatArray, label: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """``tau = -v_n``, and whether v sums to zero with nonnegative entries off the label, up to rounding of its size."""
    _, rest = own_and_rest(dual, label)
    others = np.where(rest, dual, 0.0)
    allowed = _ROUNDING * dual.shape[-1] * np.max(np.abs(dual), axis=-1)
    inside = (np.abs(np.sum(dual, axis=-1)) <= allowed) & np.all(others >= -allowed[..., None], axis=-1)
    return np.sum(np.maximum(others, 0.0), axis=-1), inside


def _ball_violation(logits: Column, label: int) -> Any:
    """``max_{j != n} (1 + z_j - z_n)_+`` in balls."""
    from flint import arb

    worst = balls.largest([z for j, z in enumerate(logits) if j != label])
    return (1 + worst - logits[label]).max(arb(0))


def _ball_slope(dual: Column, label: int) -> Any:
    """tau in balls, from the entries off the label."""
    return balls.total([v for j, v in enumerate(dual) if j != label])


# ------------------------------------------------------ with a softened maximum, for second-order methods


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
