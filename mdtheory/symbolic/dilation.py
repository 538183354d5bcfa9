"""Closed forms of the memorization-dilation problem."""

from dataclasses import dataclass
from typing import Any

import sympy as sp

from mdtheory.foundation.validation import choice, fail, flag
from mdtheory.losses import CrossEntropy, Hinge, LabelRelaxation, MeanSquaredError, SquaredHinge
from mdtheory.symbolic.features_model import (
    cost,
    critical_cost,
    first_piece,
    pays_for_mean,
    positive_margin,
    profile,
    scales,
)
from mdtheory.symbolic.r_lambert import LambertR
from mdtheory.symbolic.symbols import C, LossLike, N, d, eta, exact, lambda_H, lambda_W, loss_parameters
from mdtheory.symbolic.symbols import s as margin_symbol


def dilation_expansion(
    loss: LossLike,
    *,
    nonnegative: bool = False,
    bias: bool = False,
    scaling: Any = "absolute",
    noisy_feature_decay: Any = 0,
) -> Any:
    r"""The normalised dilation r/D, to second order of the clean loss in the dilation.

    With the multiplier :math:`\nu = F_2\eta D^{2q}/(4C^2)`, :math:`F_2 = 2(\varphi''(s)\kappa_w^2/d + 2\lambda)` and
    :math:`\kappa_w = \|w_1 - w_2\|`, it is :math:`\eta\rho D^{q-1}/C`, where

    .. math:: \rho^2 = \Big(\frac{\lambda}{\lambda+\nu}\Big)^2 \Big\|\frac{h_1+h_2}{2}\Big\|^2
              + \Big(\frac{t+s}{\kappa_w}\Big)^2

    and the noisy margin t solves :math:`(\lambda+\nu)t + \tfrac12\kappa_w^2\varphi'(t) + \nu s = 0`: an r-Lambert
    function for cross-entropy and label relaxation, rational for the squared error and the squared hinge. The relative
    error is :math:`O((\kappa_w r)^2)`; there is none for the squared error and the hinge.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative, bias : bool, default False
        Setting of the features model, as in `margin`.
    scaling : {"absolute", "relative"} or sympy expression, default "absolute"
        q = 1, q = 0, or q itself.
    noisy_feature_decay : float or sympy expression, default 0
        The decay :math:`\lambda \ge 0` of noisy features; pass ``lambda_H`` for the decay of the features model.

    Returns
    -------
    sympy expression
        For a spread in d dimensions with :math:`E\zeta^2 = 1/d` (every spread); the hinge needs :math:`E|\zeta|`, for
        which it takes the sphere. Undefined (nan) where the class means have collapsed to zero.

    Raises
    ------
    AssumptionError
        If the decay is negative, the scaling unknown, or there is no closed form: focal loss, and the hinge with a
        decay that is not zero.

    See Also
    --------
    mdtheory.solve : with ``method="expansion"`` computes the same number.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import C, d, dilation_expansion, eta, lambda_H, lambda_W
    >>> nd = dilation_expansion(mdt.CrossEntropy(), nonnegative=True, noisy_feature_decay=1e-4)
    >>> values = {lambda_W: "1/200", lambda_H: "1/200", eta: "1/100", C: 1, d: 8}
    >>> nd.subs(values).evalf(20)
    0.036833068668501661657
    """
    kind, _ = loss_parameters(loss)
    problem = _TwoClasses.of(loss, nonnegative, bias, scaling, noisy_feature_decay)
    if kind is Hinge:
        return problem.where_defined(problem.hinge_dilation())
    multiplier = problem.initial_curvature() * eta * problem.rate**2 / 4
    return problem.where_defined(problem.to_dilation(problem.memorization(multiplier)))


def small_noise(
    loss: LossLike,
    *,
    nonnegative: bool = False,
    bias: bool = False,
    scaling: Any = "absolute",
    noisy_feature_decay: Any = 0,
) -> Any:
    r"""The leading term of the normalised dilation as the noise goes to zero.

    It is :math:`\eta D^{q-1}\rho_\infty/C` with the memorization :math:`\rho_\infty` of a noisy example that nothing
    holds back. Cross-entropy without smoothing and without decay has none; its leading term is

    .. math:: \frac{\eta D^{q-1}}{C\kappa_w} W_0\Big(\frac{e^s}{\beta}\Big), \qquad
              \beta = \frac{F_2\eta D^{2q}}{2\kappa_w^2C^2}.

    Parameters
    ----------
    loss, nonnegative, bias, scaling, noisy_feature_decay
        As in `dilation_expansion`. With a loss class or a symbol the term is that of positive values.

    Returns
    -------
    sympy expression
        Undefined (nan) where the class means have collapsed to zero.

    Raises
    ------
    AssumptionError
        As in `dilation_expansion`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import C, eta, lambda_H, lambda_W, small_noise
    >>> term = small_noise(mdt.CrossEntropy(0.1), noisy_feature_decay=lambda_H)
    >>> term.subs({lambda_W: "1/100", lambda_H: "1/100", eta: "1/100", C: 1}).evalf(8)
    0.027533995
    """
    kind, parameters = loss_parameters(loss)
    problem = _TwoClasses.of(loss, nonnegative, bias, scaling, noisy_feature_decay)
    if kind is Hinge:
        return problem.where_defined(problem.hinge_dilation())
    if problem.decay.is_zero and kind is CrossEntropy and parameters[0].is_zero:
        beta = problem.initial_curvature() * eta * problem.rate**2 / (2 * problem.kap**2)
        return problem.where_defined(problem.to_dilation(sp.LambertW(sp.exp(problem.s) / beta) / problem.kap))
    if problem.decay.is_zero:
        return problem.where_defined(problem.to_dilation(problem.undecayed_memorization()))
    return problem.where_defined(problem.to_dilation(problem.memorization(sp.S.Zero)))


@dataclass(frozen=True, slots=True)
class _TwoClasses:
    """The reduced problem on the configuration of two classes.

    Attributes
    ----------
    s, kap, distance, centre : sympy expression
        Margin, ||w_1 - w_2||, D and ||(h_1 + h_2)/2||.
    s0, kp : sympy expression
        Logit sum at a class mean and ||w_1 + w_2||; zero unless the squared error has no bias.
    rate, decay, condition
        D^q/C, lambda, and when the margin is positive.
    """

    loss: LossLike
    s: Any
    kap: Any
    distance: Any
    centre: Any
    s0: Any
    kp: Any
    rate: Any
    decay: Any
    condition: Any

    @classmethod
    def of(cls, loss: LossLike, nonnegative: bool, bias: bool, scaling: Any, decay: Any) -> "_TwoClasses":
        decay = exact("noisy_feature_decay", decay)
        if decay.is_negative:
            raise fail("noisy_feature_decay", decay, "must be nonnegative")
        margin = positive_margin(loss, nonnegative=nonnegative, bias=bias).subs(N, 2)
        scale = {k: v.subs(N, 2) for k, v in scales(loss, nonnegative=nonnegative, bias=bias, at=margin).items()}
        distance, kap = scale["mean_distance"], scale["weight_distance"]
        s0 = kp = sp.S.Zero
        centre = distance / 2 if flag("nonnegative", nonnegative) else sp.S.Zero
        if pays_for_mean(loss, bias):
            s0 = 1 - 2 * sp.sqrt(2) * sp.sqrt(lambda_W) * sp.sqrt(lambda_H)
            stretch = (2 * lambda_W / lambda_H) ** sp.Rational(1, 4)
            centre, kp = stretch * sp.sqrt(s0 / 2), sp.sqrt(2 * s0) / stretch
        return cls(
            loss=loss,
            s=margin,
            kap=kap,
            distance=distance,
            centre=centre,
            s0=s0,
            kp=kp,
            rate=distance ** _exponent(scaling) / C,
            decay=decay,
            condition=(cost(loss, nonnegative, bias) < critical_cost(loss)).subs(N, 2),
        )

    def where_defined(self, value: Any) -> Any:
        """`value`, undefined where the margin is zero."""
        return sp.Piecewise((value, self.condition))

    def to_dilation(self, memorization: Any) -> Any:
        """Normalised dilation for a memorization rho: ``eta rho D^q/(C D)``."""
        return eta * memorization * self.rate / self.distance

    def initial_curvature(self) -> Any:
        """F2 = F''(0)."""
        curvature = sp.diff(first_piece(profile(self.loss, margin_symbol)).subs(N, 2), margin_symbol, 2)
        bend = curvature.subs(margin_symbol, self.s) * self.kap**2 + self.kp**2 / 2
        return 2 * (bend / d + 2 * self.decay)

    def memorization(self, multiplier: Any) -> Any:
        """Rho for a multiplier; the multiplier and the decay are not both zero."""
        total = self.decay + multiplier
        travelled = self._noisy_margin(multiplier) + self.s
        if self.kp != 0:
            noisy_sum = (self.kp**2 / 4 + multiplier * self.s0) / (self.kp**2 / 4 + total)
            return sp.sqrt((travelled / self.kap) ** 2 + ((noisy_sum - self.s0) / self.kp) ** 2)
        if self.decay.is_zero or self.centre == 0:
            return travelled / self.kap
        return sp.sqrt((self.decay / total * self.centre) ** 2 + (travelled / self.kap) ** 2)

    def undecayed_memorization(self) -> Any:
        """Rho without decay and without a multiplier: the way to the smallest minimiser of the loss."""
        kind, parameters = loss_parameters(self.loss)
        goals: dict[Any, Any] = {
            CrossEntropy: lambda a: sp.log((2 - a) / a),
            LabelRelaxation: lambda a: sp.log((1 - a) / a),
            MeanSquaredError: lambda a: 1 - a,
            SquaredHinge: lambda: sp.S.One,
        }
        travelled = (goals[kind](*parameters) + self.s) / self.kap
        return sp.sqrt(travelled**2 + ((1 - self.s0) / self.kp) ** 2) if self.kp != 0 else travelled

    def hinge_dilation(self) -> Any:
        """The exact dilation of the hinge without decay: all or nothing, with a threshold in C."""
        if not self.decay.is_zero:
            raise fail(
                "noisy_feature_decay", self.decay, "must be 0 for a closed form with the hinge; use mdtheory.solve"
            )
        mean_absolute = sp.gamma(d / sp.S(2)) / (sp.sqrt(sp.pi) * sp.gamma((d + 1) / sp.S(2)))
        return sp.Piecewise((eta * self.rate, mean_absolute * self.rate < 2), (0, True))

    def _noisy_margin(self, multiplier: Any) -> Any:
        """The root t of ``(lambda + nu) t + kap^2/2 phi'(t) + nu s = 0``."""
        kind, parameters = loss_parameters(self.loss)
        total, half = self.decay + multiplier, self.kap**2 / 2
        if kind is MeanSquaredError:
            return (half * (1 - parameters[0]) / 2 - multiplier * self.s) / (half / 2 + total)
        if kind is SquaredHinge:
            return (half - multiplier * self.s) / (half + total)
        floor = parameters[0] / 2 if kind is CrossEntropy else parameters[0]
        tau = (half * floor + multiplier * self.s) / total
        return LambertR(half / total * sp.exp(tau), sp.exp(tau)) - tau


def _exponent(scaling: Any) -> Any:
    if isinstance(scaling, sp.Expr):
        return scaling
    choice("scaling", scaling, ("absolute", "relative"))
    return sp.S.One if scaling == "absolute" else sp.S.Zero
