"""Thresholds in closed form, or by one monotone equation: collapse to zero, and the noise that is still memorised."""

import numpy as np

from mdtheory.losses import Hinge, MeanSquaredError
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solvers.clean_force import log_scale_of_force
from mdtheory.solvers.closed_form import quadratic_response
from mdtheory.solvers.points import Points, points_of
from mdtheory.validation import FloatArray, Real, fail, instance, scalar_or_array


def collapse_threshold(problem: UFM) -> Real:
    r"""The :math:`\mu = \sqrt{\lambda_W\lambda_H}` at and above which the margin is zero.

    The decays of the problem themselves do not matter. The threshold is the loss's critical cost over the cost of
    a unit of margin at ``mu = 1``; cross-entropy collapses at ``(1-alpha)/(2 sqrt N)`` (free features) or
    ``(1-alpha) sqrt(N-1)/(2N)`` (nonnegative ones). For focal loss with many classes the margin jumps there.
    At the threshold itself the hinge loss has other minimisers besides zero.

    Parameters
    ----------
    problem : UFM

    Returns
    -------
    float or array
        Of the problem's shape, so with class weights one threshold per class. For the squared error without a bias it
        is the threshold of the margin; the mean of the features vanishes only at ``1/(2 sqrt N)``.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(smoothing=0.2), num_classes=4, weight_decay=1e-3, feature_decay=1e-3)
    >>> round(collapse_threshold(ufm), 12)
    0.2
    """
    instance("problem", problem, UFM, "a UFM")
    cost = problem.margin_cost
    unit = 2.0 * np.sqrt(cost.numerator / (cost.denominator * cost.proportion))
    threshold = problem.profile_loss.critical_cost(problem.num_classes) / unit
    mu: Real = scalar_or_array(np.broadcast_to(threshold, problem.shape))
    return mu


def critical_noise(problem: MemorizationDilation) -> Real:
    r"""The noise level below which noisy examples are memorised, at and above which they are not.

    As in `MemorizationDilation`, noise is the ratio of mislabelled to correctly labelled mass:
    `mdtheory.conventions.flip_probability` gives the share of wrong labels.

    The noisy margin t falls with the noise. It vanishes where :math:`F'(r) = 4\nu\rho C/D^q` with
    :math:`\nu = -\kappa^2\varphi'(0)/(2s)`, the memorization :math:`\rho` that belongs to it and
    :math:`r = \eta\rho D^q/C`: one equation, monotone in r.

    Parameters
    ----------
    problem : MemorizationDilation
        Its own noise does not matter.

    Returns
    -------
    float or array
        Of the broadcast shape; ``inf`` where noisy examples are memorised at every noise level up to 1, as they are
        for cross-entropy without decay of noisy features if :math:`C \ge E|\zeta| D^q/(1-\alpha)`.

    Raises
    ------
    AssumptionError
        If the loss is not convex, or is the hinge: there the margin does not pass through zero continuously.

    References
    ----------
    `derivations/phase_signs.py`, `derivations/noise_and_slope.py` (theorem 2).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=0.0)
    >>> critical = mdt.critical_noise(md)
    >>> at = mdt.MemorizationDilation(ufm, noise=critical, slope=0.2, noisy_feature_decay=0.0)
    >>> abs(mdt.solve(at).noisy_margin) < 1e-9
    True
    """
    instance("problem", problem, MemorizationDilation, "a MemorizationDilation")
    loss = problem.ufm.loss
    if not loss.is_convex or isinstance(loss, Hinge):
        raise fail("loss", loss, "must be convex with a continuous slope, so that the noisy margin passes through zero")
    points = points_of(problem)
    nu, rho = at_margin_zero(points)
    with np.errstate(under="ignore"):
        log_nu, log_full = np.log(nu), np.log(points.kap) + points.log_c + np.log(rho)
    # At noise eta the margin vanishes where ``eta c^2 F'(r)/(4r) = nu`` with ``kap r = eta full``.
    at_full = np.log(points.stiffness(np.exp(np.clip(log_full, -700.0, 100.0)))[0])
    within = 2.0 * points.log_c + at_full > log_nu
    noise = np.full(rho.shape, np.inf)
    if np.any(within):
        target = (log_nu - 2.0 * points.log_c + log_full)[within]
        log_scale = log_scale_of_force(points.take(within), target)
        noise[within] = np.exp(np.minimum(log_scale - log_full[within], 0.0))
    return scalar_or_array(noise.reshape(problem.shape))


def at_margin_zero(points: Points) -> tuple[FloatArray, FloatArray]:
    """The multiplier nu of the constraint at which the noisy margin is zero, and the memorization that belongs to it."""
    nu = np.asarray(-0.5 * points.kap**2 * points.loss.profile_derivative(0.0) / points.s)
    if isinstance(points.loss, MeanSquaredError):
        return nu, quadratic_response(points, nu).rho
    return nu, np.hypot(points.s / points.kap, points.lam / (points.lam + nu) * points.centre)
