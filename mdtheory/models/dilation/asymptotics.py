r"""Leading terms of the normalised dilation for small noise and for a small memorization-dilation slope.

Notation: eta the noise, ``c = D^q/C``, s the margin, ``D = ||h_1 - h_2||``, ``kap = ||w_1 - w_2||``, lam the decay of
noisy features, m the norm of the mean of the class means, and ``F2 = 2 (phi''(s) kap^2/d + 2 lam)``, the curvature of
the clean loss in the dilation.
"""

import numpy as np

from mdtheory.foundation.validation import FloatArray, Real, fail, instance, scalar_or_array
from mdtheory.losses import CrossEntropy
from mdtheory.models.dilation.points import points_of
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.special import lambert_r_log

# A step of the noisy margin towards its minimiser beyond which it has arrived.
_LONGEST_STEP = 1e290


def small_noise_dilation(problem: MemorizationDilation, order: int = 1) -> Real:
    r"""The normalised dilation to first or second order in the noise.

    .. math::
        \frac{r}{D} = \frac{\eta c}{D}\Big[\rho_\infty - \frac{F_2\,\eta c^2}{4} R + O(\eta^2)\Big],\qquad
        R = \frac{1}{\rho_\infty}\Big[\frac{m^2}{\lambda}
            + \frac{(t+s)^2}{\kappa^2(\lambda + \kappa^2\varphi''(t)/2)}\Big],

    where :math:`\rho_\infty^2 = m^2 + (t+s)^2/\kappa^2` and t solves :math:`\lambda t + \kappa^2\varphi'(t)/2 = 0`.
    Without decay, t is the margin that minimises :math:`\varphi`, and the terms in m are absent. The squared error
    without a bias has, in addition, its pull on the logit sum.

    Parameters
    ----------
    problem : MemorizationDilation
    order : {1, 2}

    Returns
    -------
    float or array
        The leading term, of the shape of the problem.

    Raises
    ------
    AssumptionError
        If the order is not 1 or 2; the loss is not convex, or the hinge (whose multiplier does not vanish with the
        noise); noisy features are nonnegative; or, without decay, the loss has no finite minimiser (cross-entropy
        without smoothing: use `cross_entropy_small_noise`).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(0.1), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=1e-6, slope=1.0, noisy_feature_decay=1e-4)
    >>> ratio = small_noise_dilation(md, order=2) / mdt.solve(md).normalized_dilation
    >>> bool(abs(ratio - 1) < 1e-6)
    True
    """
    _needs_smooth_convex(problem)
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order not in (1, 2):
        raise fail("order", order, "must be 1 or 2")
    if problem.nonnegative_noisy_features:
        raise fail("nonnegative_noisy_features", True, "must be False in the expansion for small noise")
    loss, c = problem.ufm.loss, problem.configuration
    lam, s = (np.broadcast_to(x, problem.shape) for x in (problem.decay, c.margin))
    stiff = np.broadcast_to(0.5 * np.asarray(c.weight_distance) ** 2, problem.shape)
    decays = lam > 0
    free = loss.profile_minimizer()
    if np.any(~decays & ~np.isfinite(free)):
        raise fail(
            "noisy_feature_decay",
            0.0,
            "must be positive for a loss without a finite minimiser; see cross_entropy_small_noise",
        )
    with np.errstate(over="ignore"):
        step = np.minimum(np.where(decays, stiff / np.where(decays, lam, 1.0), 1.0), _LONGEST_STEP)
    w = np.where(decays, loss.displacement(s, step, s), np.where(np.isfinite(free), free, 0.0) + s)
    # At a kink of phi' the noisy margin comes from the left.
    t, kink = np.where(decays, w - s, free), loss.kinks()
    curvature = loss.profile_curvature(t if kink is None else np.minimum(t, kink - 1e-12 * np.maximum(kink, 1.0)))
    # Across: the coordinate along the mean, where only the squared error without a bias pulls.
    sum_stiff = 0.5 * np.asarray(c.weight_sum) ** 2 if problem.ufm.pays_for_mean else np.zeros(problem.shape)
    total = lam + 0.5 * sum_stiff
    sum_pull = -np.asarray(c.weight_sum) * c.mean_shortfall if problem.ufm.pays_for_mean else 0.0
    drop = (lam * c.centre_norm + 0.25 * sum_pull) / np.where(total > 0, total, 1.0)
    along = w / c.weight_distance
    rho = np.hypot(along, drop)
    if order == 2:
        fall = along**2 / (lam + stiff * curvature) + drop**2 / np.where(total > 0, total, 1.0)
        with np.errstate(over="ignore"):
            gain = np.asarray(problem.noise) * problem.rate * problem.rate
            rho = rho - 0.25 * _clean_curvature(problem) * fall / rho * gain
    return scalar_or_array(np.asarray(problem.noise) * problem.rate * rho / c.mean_distance)


def cross_entropy_small_noise(problem: MemorizationDilation) -> Real:
    r"""The normalised dilation of cross-entropy without smoothing and without decay, as the noise vanishes.

    .. math:: \frac{r}{D} = \frac{\eta c}{\kappa D} W_0\Big(\frac{e^s}{\beta}\Big)\,(1 + o(1)),\qquad
        \beta = \frac{F_2\,\eta c^2}{2\kappa^2},

    with the Lambert function :math:`W_0`: noisy examples are memorised ever better, like log(1/eta), so that the
    dilation is not linear in the noise.

    Parameters
    ----------
    problem : MemorizationDilation

    Returns
    -------
    float or array

    Raises
    ------
    AssumptionError
        If the loss is not cross-entropy without smoothing, there is decay of noisy features, or noisy features are
        nonnegative.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=1e-6, slope=1.0, noisy_feature_decay=0.0)
    >>> bool(abs(cross_entropy_small_noise(md) / mdt.solve(md).normalized_dilation - 1) < 1e-7)
    True
    """
    instance("problem", problem, MemorizationDilation, "a MemorizationDilation")
    problem.check_by_formula()
    loss, c = problem.ufm.loss, problem.configuration
    if not isinstance(loss, CrossEntropy) or np.any(np.asarray(loss.smoothing) > 0):
        raise fail("loss", loss, "must be CrossEntropy(smoothing=0)")
    if np.any(problem.decay > 0):
        raise fail("noisy_feature_decay", float(np.max(problem.decay)), "must be 0")
    if problem.nonnegative_noisy_features:
        raise fail("nonnegative_noisy_features", True, "must be False in the expansion for small noise")
    noise = np.asarray(problem.noise)
    safe = np.where(noise > 0, noise, 1.0)
    kap = np.asarray(c.weight_distance)
    log_beta = np.log(_clean_curvature(problem)) + np.log(safe) + 2.0 * np.log(problem.rate / kap) - np.log(2.0)
    travelled = np.asarray(lambert_r_log(c.margin - log_beta, -np.inf))
    return scalar_or_array(noise * problem.rate * travelled / (kap * c.mean_distance))


def small_slope_dilation(problem: MemorizationDilation) -> Real:
    r"""The leading term of the normalised dilation as the memorization-dilation slope C goes to zero.

    .. math:: \frac{r}{D} = \frac{2 b}{F_2\, c\, D}\,(1 + o(1)),\qquad
        b = \|\varphi'(-s)(w_1 - w_2) + 2\lambda h_2\|,

    where b is the force on a noisy feature that stays at its class mean. It is proportional to C and free of the
    noise, which must be positive.

    Parameters
    ----------
    problem : MemorizationDilation

    Returns
    -------
    float or array

    Raises
    ------
    AssumptionError
        If the loss is not convex, or the hinge, which does not dilate below a positive slope; or the noise is zero.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=1e-5, noisy_feature_decay=0.0)
    >>> bool(abs(small_slope_dilation(md) / mdt.solve(md).normalized_dilation - 1) < 1e-5)
    True
    """
    _needs_smooth_convex(problem)
    if np.any(np.asarray(problem.noise) == 0):
        raise fail("noise", 0.0, "must be positive in the expansion for small slopes")
    c, lam = problem.configuration, problem.decay
    along = problem.ufm.loss.profile_derivative(-np.asarray(c.margin)) * c.weight_distance - lam * c.mean_distance
    across = 2.0 * lam * c.centre_norm
    if problem.ufm.pays_for_mean:
        across = across - 0.5 * c.mean_shortfall * c.weight_sum
    force = np.hypot(along, across)
    distance = c.mean_distance**2 if problem.scaling == "absolute" else c.mean_distance
    dilation = 2.0 * force / (_clean_curvature(problem) * distance) * problem.slope
    return scalar_or_array(np.broadcast_to(dilation, problem.shape))


def _clean_curvature(problem: MemorizationDilation) -> FloatArray:
    """F2."""
    return points_of(problem).initial_curvature().reshape(problem.shape)


def _needs_smooth_convex(problem: MemorizationDilation) -> None:
    instance("problem", problem, MemorizationDilation, "a MemorizationDilation")
    problem.check_by_formula()
    loss = problem.ufm.loss
    if not loss.smooth_slope or not loss.is_convex:
        raise fail("loss", loss, "must be convex with a continuous slope")
