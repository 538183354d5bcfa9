"""Label relaxation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory import double_double as dd
from mdtheory.losses.base import (
    Curvature,
    Loss,
    as_logits,
    binary_entropy,
    log_sum_exp,
    logistic,
    margin_from_remaining,
    own_and_rest,
    x_log_x,
)
from mdtheory.margin_cost import MarginCost
from mdtheory.validation import FloatArray, Real, real

if TYPE_CHECKING:
    import cvxpy
    import sympy


@dataclass(frozen=True, eq=False)
class LabelRelaxation(Loss):
    r"""Label relaxation: the divergence from the nearest distribution that gives the label at least ``1 - alpha``.

    ``(1-alpha) log((1-alpha)/p) + alpha log(alpha/(1-p))`` while the own-class probability p is below
    ``1 - alpha``, and 0 beyond. A convex nonincreasing function of ``u = z_n - lse(z_j, j != n)``. Two classes:
    :math:`\varphi(t) = \log(1+e^t) - (1-\alpha)t - H_2(\alpha)` up to
    :math:`t_\infty = \log((1-\alpha)/\alpha)`.

    Parameters
    ----------
    relaxation : float or array
        The relaxation alpha in (0, 1).

    Raises
    ------
    AssumptionError
        If `relaxation` is outside (0, 1).

    References
    ----------
    Lienen and Hüllermeier, *From label smoothing to label relaxation*, AAAI 2021.

    Examples
    --------
    >>> LabelRelaxation(0.1).value([5.0, 0.0], 0).item()     # p > 0.9 already
    0.0
    """

    relaxation: Real

    symbols: ClassVar[dict[str, str]] = {"relaxation": "alpha"}
    analytic_strip: ClassVar[float] = np.pi

    def __post_init__(self) -> None:
        value = real("relaxation", self.relaxation, lambda x: (x > 0) & (x < 1), "lie in (0, 1)")
        object.__setattr__(self, "relaxation", value)

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return self._of_log_odds(_log_odds(as_logits(logits), label))

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        own, rest = own_and_rest(z, label)
        lse_rest = log_sum_exp(z, where=rest)
        slope = self._slope_of_log_odds(own - lse_rest)[..., None]
        weights = np.where(rest, np.exp(np.where(rest, z, -np.inf) - lse_rest[..., None]), 0.0)
        return np.where(rest, -slope * weights, slope)

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature:
        z = as_logits(logits)
        own, rest = own_and_rest(z, label)
        lse_rest = log_sum_exp(z, where=rest)
        u = own - lse_rest
        weights = np.where(rest, np.exp(np.where(rest, z, -np.inf) - lse_rest[..., None]), 0.0)
        slope = self._slope_of_log_odds(u)
        bend = np.where(u < self.profile_minimizer(), logistic(u) * logistic(-u), 0.0)
        return Curvature(-slope[..., None] * weights, ((slope, weights), (bend, np.where(rest, -weights, 1.0))))

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        v = as_logits(dual)
        own, rest = own_and_rest(v, label)
        tau = -own
        others = np.where(rest, v, 0.0)
        inside = (
            (np.abs(np.sum(v, axis=-1)) <= 1e-12)
            & np.all(others >= -1e-12, axis=-1)
            & (tau >= -1e-12)
            & (tau <= 1.0 - self.relaxation + 1e-12)
        )
        tau = np.clip(tau, 0.0, 1.0 - np.asarray(self.relaxation))
        spread = np.sum(x_log_x(np.maximum(others, 0.0)), axis=-1) - x_log_x(tau)
        value = binary_entropy(self.relaxation) - binary_entropy(np.minimum(self.relaxation + tau, 1.0)) + spread
        return np.asarray(np.where(inside, value, np.inf))

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        import cvxpy as cp

        alpha = float(self.relaxation)
        rest = [j for j in range(logits.size) if j != label]
        log_odds = cp.Variable()
        constraints = [
            cp.log_sum_exp(logits[rest]) <= logits[label] - log_odds,
            log_odds <= np.log((1 - alpha) / alpha),
        ]
        return cp.logistic(log_odds) - (1 - alpha) * log_odds - float(binary_entropy(alpha)), constraints

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return self._of_log_odds(_shifted(margin, num_classes))

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return self._slope_of_log_odds(_shifted(margin, num_classes))

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        u = _shifted(margin, num_classes)
        return np.asarray(np.where(u < self.profile_minimizer(), logistic(u) * logistic(-u), 0.0))

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        p = np.asarray(slope, dtype=np.float64)
        inside = (p <= 0) & (p >= np.asarray(self.relaxation) - 1.0)
        q = np.clip(self.relaxation - p, 0.0, 1.0)
        value = p * np.log(np.subtract(num_classes, 1.0)) + binary_entropy(self.relaxation) - binary_entropy(q)
        return np.asarray(np.where(inside, value, np.inf))

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        alpha = np.asarray(self.relaxation)
        return np.asarray(np.log1p(-alpha) - np.log(alpha) + np.log(np.subtract(num_classes, 1.0)))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        return margin_from_remaining(
            cost.remaining(self.critical_cost(n), _exact_initial_slope, self.relaxation, n),
            self.relaxation + cost.value,
            n,
        )

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        n = np.asarray(num_classes, dtype=np.float64)
        return np.asarray(np.maximum((n - 1.0) / n - self.relaxation, 0.0))

    def kinks(self) -> FloatArray | None:
        return self.profile_minimizer()

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        import sympy as sp

        (alpha,) = parameters
        u = margin - sp.log(num_classes - 1)
        entropy = -alpha * sp.log(alpha) - (1 - alpha) * sp.log(1 - alpha)
        below = sp.log(1 + sp.exp(u)) - (1 - alpha) * u - entropy
        return sp.Piecewise((below, u < sp.log((1 - alpha) / alpha)), (0, True))

    def _of_log_odds(self, u: FloatArray) -> FloatArray:
        alpha = np.asarray(self.relaxation)
        # log(1 + e^u) - (1 - alpha) u, from the side on which nothing large cancels.
        linear = np.where(u > 0, alpha * u, (alpha - 1.0) * u)
        below = np.log1p(np.exp(-np.abs(u))) + linear - binary_entropy(alpha)
        return np.asarray(np.where(u < self.profile_minimizer(), np.maximum(below, 0.0), 0.0))

    def _slope_of_log_odds(self, u: FloatArray) -> FloatArray:
        # sigma(u) - sigma(t_inf) = (1 - alpha) sigma(-u) (e^-(t_inf - u) - 1): it vanishes at the kink exactly.
        distance = np.maximum(self.profile_minimizer() - u, 0.0)
        return np.asarray((1.0 - np.asarray(self.relaxation)) * logistic(-u) * np.expm1(-distance))


def _shifted(margin: ArrayLike, num_classes: ArrayLike) -> FloatArray:
    return np.asarray(np.subtract(margin, np.log(np.subtract(num_classes, 1.0))))


def _log_odds(logits: FloatArray, label: ArrayLike) -> FloatArray:
    own, rest = own_and_rest(logits, label)
    return own - log_sum_exp(logits, where=rest)


def _exact_initial_slope(relaxation: FloatArray, n: FloatArray) -> dd.Pair:
    """``-f'(0) = (N-1)/N - alpha``."""
    return dd.add(dd.divide(dd.pair(n - 1.0), dd.pair(n)), dd.pair(-relaxation))
