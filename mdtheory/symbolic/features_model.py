"""Closed forms of the balanced unconstrained features model."""

from typing import Any

import sympy as sp

from mdtheory.foundation.validation import fail, flag
from mdtheory.losses import CrossEntropy, Focal, Hinge, LabelRelaxation, MeanSquaredError, SquaredHinge
from mdtheory.symbolic.symbols import LossLike, N, exact, lambda_H, lambda_W, loss_parameters, s


def kappa(nonnegative: bool = False) -> Any:
    r"""The cost of a unit of margin.

    .. math:: \kappa = \frac{2(N-1)\mu}{\sqrt N}\ \text{(free)}, \qquad \kappa = 2\sqrt{N-1}\,\mu\ \text{(nonnegative)},
              \qquad \mu = \sqrt{\lambda_W\lambda_H}.

    For the squared error without a bias it is the free one in both settings.

    Parameters
    ----------
    nonnegative : bool, default False
        Whether features are nonnegative.

    Returns
    -------
    sympy expression
        In N, lambda_W and lambda_H.

    Raises
    ------
    AssumptionError
        If `nonnegative` is not a bool.

    Examples
    --------
    >>> from mdtheory.symbolic import kappa
    >>> kappa(nonnegative=True)
    2*sqrt(lambda_H)*sqrt(lambda_W)*sqrt(N - 1)
    """
    mu = sp.sqrt(lambda_W) * sp.sqrt(lambda_H)
    return 2 * sp.sqrt(N - 1) * mu if flag("nonnegative", nonnegative) else mu * (N - 1) * 2 / sp.sqrt(N)


def margin(loss: LossLike, *, nonnegative: bool = False, bias: bool = False) -> Any:
    r"""The margin of the minimiser.

    The s >= 0 that minimises :math:`f(s) + \kappa s`. Where it is positive it is

    ================  ===================================================================
    cross-entropy     ``log((N-1)(1-e)/e)`` with ``e = (N-1) alpha/N + kappa``
    label relaxation  ``log((N-1)(1-e)/e)`` with ``e = alpha + kappa``
    squared error     ``1 - alpha - N kappa/(N-1)``
    hinge             1
    squared hinge     ``1 - kappa``
    ================  ===================================================================

    and it is zero from the threshold on. Of the hinge's margins at kappa = 1, all of [0, 1], it is 0.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative : bool, default False
        Whether features are nonnegative.
    bias : bool, default False
        Whether there is an unregularised bias; it matters for the squared error only.

    Returns
    -------
    sympy expression
        With both branches, as a Piecewise or a Max.

    Raises
    ------
    AssumptionError
        For a loss without a closed form, such as focal loss.

    See Also
    --------
    margin_equation : the equation the margin solves, for every differentiable profile.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import N, lambda_H, lambda_W, margin
    >>> values = {N: 2, lambda_W: "1/200", lambda_H: "1/200"}
    >>> margin(mdt.CrossEntropy(), nonnegative=True).subs(values)
    log(99)
    >>> margin(mdt.SquaredHinge(), nonnegative=True)
    Max(0, -2*sqrt(lambda_H)*sqrt(lambda_W)*sqrt(N - 1) + 1)
    """
    kind, _ = loss_parameters(loss)
    root = positive_margin(loss, nonnegative=nonnegative, bias=bias)
    if kind in (MeanSquaredError, SquaredHinge):
        return sp.Max(0, root)
    return _branches(loss, root, sp.S.Zero, nonnegative, bias)


def margin_equation(loss: LossLike, *, nonnegative: bool = False, bias: bool = False) -> Any:
    r"""The equation :math:`f'(s) + \kappa = 0` of a positive margin s.

    For a convex profile its root is the margin, and the margin is zero where there is no positive root. Focal loss has
    a convex profile for every gamma when N <= 17; beyond that compare the roots with s = 0.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative, bias : bool, default False
        As in `margin`.

    Returns
    -------
    sympy Eq
        In the symbol s.

    Raises
    ------
    AssumptionError
        For the hinge loss: its slope jumps over the root, at s = 1 if kappa < 1.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> import sympy as sp
    >>> from mdtheory.symbolic import N, lambda_H, lambda_W, margin_equation, s
    >>> values = {N: 2, lambda_W: "1/200", lambda_H: "1/200"}
    >>> equation = margin_equation(mdt.Focal(2), nonnegative=True).subs(values)
    >>> sp.nsolve(equation.lhs, s, 2, prec=20)
    1.7178883166585965517
    """
    kind, _ = loss_parameters(loss)
    if not kind.smooth_slope:
        raise fail("loss", loss, "has a kink in its profile, so f'(s) + kappa = 0 has no root; see margin")
    slope = sp.diff(profile(loss, s), s) + cost(loss, nonnegative, bias)
    return sp.Eq(slope.subs(N, 2) if kind.two_classes_only else slope, 0)


def probability(loss: LossLike, *, nonnegative: bool = False, bias: bool = False, at: Any = None) -> Any:
    r"""The softmax probability of the own class, :math:`p = 1/(1 + (N-1)e^{-s})`.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative, bias : bool, default False
        As in `margin`.
    at : sympy expression, optional
        The margin; the one of the minimiser if omitted.

    Returns
    -------
    sympy expression
        ``1 - e`` and ``1/N`` as the branches for cross-entropy and label relaxation.

    Raises
    ------
    AssumptionError
        For a loss without a closed form, unless `at` is given.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import N, lambda_H, lambda_W, probability
    >>> probability(mdt.LabelRelaxation, nonnegative=True).subs({N: 2, lambda_W: "1/20", lambda_H: "1/20"})
    Piecewise((9/10 - alpha, alpha < 2/5), (1/2, True))
    """
    kind, _ = loss_parameters(loss)
    if at is None and kind in (CrossEntropy, LabelRelaxation):
        rest = _remainder(loss, cost(loss, nonnegative, bias))
        return _branches(loss, 1 - rest, 1 / N, nonnegative, bias)
    at = margin(loss, nonnegative=nonnegative, bias=bias) if at is None else exact("at", at)
    return 1 / (1 + (N - 1) * sp.exp(-at))


def threshold(loss: LossLike, *, nonnegative: bool = False, bias: bool = False) -> Any:
    r"""The collapse-to-zero threshold: the margin is zero iff :math:`\mu = \sqrt{\lambda_W\lambda_H}` reaches it.

    It is :math:`-f'(0)\mu/\kappa` for a convex profile. The squared error without a bias keeps equal and nonzero class
    means from here to :math:`\mu = 1/(2\sqrt N)`.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative, bias : bool, default False
        As in `margin`.

    Returns
    -------
    sympy expression
        In N and the loss's parameter. For focal loss a Piecewise that is undefined (nan) beyond N = 17, where the
        profile need not be convex and the margin may jump to zero before.

    Raises
    ------
    AssumptionError
        For a loss whose profile is not known to be convex.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import threshold
    >>> threshold(mdt.CrossEntropy), threshold(mdt.Hinge(), nonnegative=True)
    ((1 - alpha)/(2*sqrt(N)), 1/(2*sqrt(N - 1)))
    """
    per_mu = cost(loss, nonnegative, bias) / (sp.sqrt(lambda_W) * sp.sqrt(lambda_H))
    kind, parameters = loss_parameters(loss)
    if kind is Focal:
        (focusing,) = parameters
        rest = (N - 1) / N
        return sp.Piecewise((rest**focusing * (rest + focusing * sp.log(N) / N) / per_mu, N <= 17))
    value = critical_cost(loss) / per_mu
    return sp.Max(0, value) if kind is LabelRelaxation else value


def scales(loss: LossLike, *, nonnegative: bool = False, bias: bool = False, at: Any = None) -> dict[str, Any]:
    r"""The scales of class means and classifier.

    Class means differ by ``h_n - h_m = a (e_n - e_m)`` and classifiers by ``w_n - w_m = c (e_n - e_m)``, up to a
    rotation, with :math:`ca = s` and

    .. math:: a = \left(\frac{k\lambda_W}{\lambda_H}\right)^{1/4}\sqrt s, \qquad
              c = \left(\frac{\lambda_H}{k\lambda_W}\right)^{1/4}\sqrt s,

    where k = N for free features and the squared error without a bias, and k = N - 1 for nonnegative features.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative, bias : bool, default False
        As in `margin`.
    at : sympy expression, optional
        The margin; the one of the minimiser if omitted.

    Returns
    -------
    dict of sympy expressions
        ``feature_scale`` a, ``weight_scale`` c, ``mean_distance`` :math:`D = \|h_n - h_m\| = \sqrt2 a` and
        ``weight_distance`` :math:`\|w_n - w_m\| = \sqrt2 c`.

    Raises
    ------
    AssumptionError
        For a loss without a closed form, unless `at` is given.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import s, scales
    >>> scales(mdt.CrossEntropy, at=s)["feature_scale"]
    N**(1/4)*lambda_W**(1/4)*sqrt(s)/lambda_H**(1/4)
    """
    at = margin(loss, nonnegative=nonnegative, bias=bias) if at is None else exact("at", at)
    count = N - 1 if not pays_for_mean(loss, bias) and flag("nonnegative", nonnegative) else N
    stretch = (count * lambda_W / lambda_H) ** sp.Rational(1, 4)
    a, c = stretch * sp.sqrt(at), sp.sqrt(at) / stretch
    return {
        "feature_scale": a,
        "weight_scale": c,
        "mean_distance": sp.sqrt(2) * a,
        "weight_distance": sp.sqrt(2) * c,
    }


def objective(loss: LossLike, *, nonnegative: bool = False, bias: bool = False, at: Any = None) -> Any:
    r"""The value :math:`f(s) + \kappa s` of the features model.

    The squared error without a bias adds :math:`(B-1)^2/(2N) + 2\mu B/\sqrt N`, :math:`B = (1 - 2\sqrt N\mu)_+`.

    Parameters
    ----------
    loss : Loss or loss class
    nonnegative, bias : bool, default False
        As in `margin`.
    at : sympy expression, optional
        The margin; the one of the minimiser if omitted.

    Returns
    -------
    sympy expression
        The optimal value if `at` is omitted.

    Raises
    ------
    AssumptionError
        For a loss without a closed form, unless `at` is given.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import N, lambda_H, lambda_W, objective
    >>> objective(mdt.SquaredHinge(), nonnegative=True).subs({N: 2, lambda_W: "1/20", lambda_H: "1/20"})
    19/200
    """
    price = cost(loss, nonnegative, bias)
    extra = _mean_value() if pays_for_mean(loss, bias) else sp.S.Zero
    if at is not None:
        at = exact("at", at)
        return profile(loss, at) + price * at + extra
    root = positive_margin(loss, nonnegative=nonnegative, bias=bias)
    value = first_piece(profile(loss, s)).subs(s, root) + price * root
    return _branches(loss, value + extra, profile(loss, sp.S.Zero) + extra, nonnegative, bias)


def cost(loss: LossLike, nonnegative: bool, bias: bool) -> Any:
    """Kappa for this loss: the squared error without a bias pays the free cost in both settings."""
    return kappa(not pays_for_mean(loss, bias) and flag("nonnegative", nonnegative))


def pays_for_mean(loss: LossLike, bias: bool) -> bool:
    """Whether the mean logit matters and costs: a loss that is not shift invariant, without a bias."""
    return not flag("bias", bias) and not loss_parameters(loss)[0].shift_invariant


def profile(loss: LossLike, at: Any) -> Any:
    """The profile f at a margin."""
    kind, parameters = loss_parameters(loss)
    return kind.symbolic_profile(at, N, *parameters)


def first_piece(expression: Any) -> Any:
    """The branch of small margins, the one that holds a minimiser of ``f(s) + kappa s``."""
    return expression.args[0][0] if isinstance(expression, sp.Piecewise) else expression


def positive_margin(loss: LossLike, *, nonnegative: bool, bias: bool) -> Any:
    """The margin where it is positive."""
    price = cost(loss, nonnegative, bias)
    kind, parameters = loss_parameters(loss)
    if kind in (CrossEntropy, LabelRelaxation):
        rest = _remainder(loss, price)
        return sp.log((N - 1) * (1 - rest) / rest)
    if kind is MeanSquaredError:
        return 1 - parameters[0] - N * price / (N - 1)
    if kind is Hinge:
        return sp.S.One
    if kind is SquaredHinge:
        return 1 - price
    raise fail("loss", loss, "has no closed form for the margin; solve margin_equation, or use mdtheory.solve")


def critical_cost(loss: LossLike) -> Any:
    """``-f'(0)``: the margin is positive below this kappa."""
    kind, parameters = loss_parameters(loss)
    if kind in (CrossEntropy, MeanSquaredError):
        return (1 - parameters[0]) * (N - 1) / N
    if kind is LabelRelaxation:
        return (N - 1) / N - parameters[0]
    if kind in (Hinge, SquaredHinge):
        return sp.S.One
    raise fail("loss", loss, "has no closed form for the threshold; use mdtheory.solve")


def _remainder(loss: LossLike, price: Any) -> Any:
    """``1 - p`` at a positive margin, for cross-entropy and label relaxation."""
    kind, (parameter,) = loss_parameters(loss)
    return (parameter * (N - 1) / N if kind is CrossEntropy else parameter) + price


def _branches(loss: LossLike, positive: Any, zero: Any, nonnegative: bool, bias: bool) -> Any:
    return sp.Piecewise((positive, cost(loss, nonnegative, bias) < critical_cost(loss)), (zero, True))


def _mean_value() -> Any:
    mu = sp.sqrt(lambda_W) * sp.sqrt(lambda_H)
    gain = sp.Max(0, 1 - 2 * sp.sqrt(N) * mu)
    return (gain - 1) ** 2 / (2 * N) + 2 * mu * gain / sp.sqrt(N)
