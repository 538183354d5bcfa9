"""Mean squared error with label smoothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, Real, unit_interval
from mdtheory.losses.base import Column, Curvature, TargetLoss, smoothed_slope
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics import ball_arithmetic as balls

if TYPE_CHECKING:
    import cvxpy
    import sympy


@dataclass(frozen=True, eq=False)
class MeanSquaredError(TargetLoss):
    r"""Mean squared error with label smoothing, ``1/2 ||z - y_n||^2`` with ``y_n = (1-alpha) e_n + alpha/N``.

    It is not shift invariant. Its profile, ``(N-1)/(2N) (s - (1-alpha))^2``, is the loss at
    ``z = s (e_n - 1/N) + 1/N``, where an unregularised bias has supplied the mean logit. Two classes:
    :math:`\varphi(t) = (t - (1-\alpha))^2/4`, to which :math:`(z_1 + z_2 - 1)^2/4` is added without a bias.

    Parameters
    ----------
    smoothing : float or array, default 0
        Label smoothing alpha in [0, 1).

    Raises
    ------
    AssumptionError
        If `smoothing` is outside [0, 1).

    References
    ----------
    Tirer and Bruna, *Extended unconstrained features model*, ICML 2022 (the loss and its collapse).

    Examples
    --------
    >>> MeanSquaredError(smoothing=0.25).profile_minimizer().item()
    0.75
    """

    smoothing: Real = 0.0

    symbols: ClassVar[dict[str, str]] = {"smoothing": "alpha"}
    shift_invariant: ClassVar[bool] = False
    strong_convexity: ClassVar[float] = 1.0

    if TYPE_CHECKING:

        def __init__(self, smoothing: ArrayLike = 0.0) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "smoothing", unit_interval("smoothing", self.smoothing))

    def target_value(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        return np.asarray(0.5 * np.sum((logits - target) ** 2, axis=-1))

    def target_gradient(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        return logits - target

    def target_conjugate(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        return np.asarray(np.sum(dual * (0.5 * dual + target), axis=-1))

    def target_value_scale(self, logits: FloatArray, sizes: FloatArray, target: FloatArray) -> FloatArray:
        residual, numbers = np.abs(logits - target), sizes + target
        rounding = np.finfo(np.float64).eps * numbers
        return np.asarray(np.sum(0.5 * residual**2 + (residual + rounding) * numbers, axis=-1))

    def target_conjugate_scale(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        return np.asarray(np.sum(np.abs(dual) * (np.abs(dual) + target), axis=-1))

    def logits_reach(self, logits: FloatArray, centre: FloatArray, budget: FloatArray) -> FloatArray:
        noise = 8.0 * np.finfo(np.float64).eps * logits.shape[-1] * (1.0 + np.linalg.norm(logits, axis=-1))
        return np.asarray(np.sqrt(2.0 * budget) + np.linalg.norm(logits - centre, axis=-1) + noise)

    def ball_target_value(self, logits: Column, target: Column) -> Any:
        residual = [z - y for z, y in zip(logits, target, strict=True)]
        return balls.dot(residual, residual) / 2

    def ball_target_conjugate(self, dual: Column, target: Column) -> Any:
        return balls.total([v * (v / 2 + y) for v, y in zip(dual, target, strict=True)])

    def ball_target_floor(self, target: Column) -> list[Any]:
        return [None] * len(target)

    def target_atom(self, logits: "cvxpy.Expression", target: FloatArray) -> "cvxpy.Expression":
        import cvxpy as cp

        return 0.5 * cp.sum_squares(logits - target)

    def curvature(self, logits: ArrayLike, label: ArrayLike | None = None) -> Curvature:
        return Curvature(np.ones(np.shape(logits)))

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        residual = np.asarray(margin) - self._target_margin
        return np.asarray(0.5 * _share(num_classes) * residual**2)

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return np.asarray(_share(num_classes) * (np.asarray(margin) - self._target_margin))

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return _share(num_classes) + np.zeros(np.broadcast_shapes(np.shape(margin), np.shape(self.smoothing)))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        p = np.asarray(slope, dtype=np.float64)
        return np.asarray(p * (0.5 * p / _share(num_classes) + self._target_margin))

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        return np.asarray(self._target_margin)

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        return np.asarray(
            np.maximum(cost.remaining(self.critical_cost(n), smoothed_slope, self.smoothing, n), 0.0) * (n / (n - 1.0))
        )

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        return np.asarray((1.0 - np.asarray(self.smoothing)) * ((n - 1.0) / n))

    def room(self, margin: FloatArray, cost: FloatArray) -> FloatArray:
        return np.asarray(np.broadcast_to(2.0 * cost, np.shape(margin)))

    def before_minimizer(self, distance: FloatArray) -> FloatArray:
        return np.asarray(0.25 * distance**2)

    def slopes_before_minimizer(self, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
        return -0.5 * distance, np.full(np.shape(distance), 0.5)

    def paired_slopes(self, centre: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
        return offset * 1.0, np.ones(np.broadcast_shapes(np.shape(centre), np.shape(offset)))

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        (alpha,) = parameters
        return (num_classes - 1) / (2 * num_classes) * (margin - (1 - alpha)) ** 2

    @property
    def _target_margin(self) -> FloatArray:
        return np.asarray(np.subtract(1.0, self.smoothing))


def _share(num_classes: ArrayLike) -> FloatArray:
    n = np.asarray(num_classes, dtype=np.float64)
    return (n - 1.0) / n
