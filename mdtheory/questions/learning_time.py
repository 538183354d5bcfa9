r"""When classes are learnt, and when noisy labels are memorised: gradient flow in closed form or by one integral."""

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, Real, fail, instance, one_number, positive, scalar_or_array
from mdtheory.losses import MeanSquaredError
from mdtheory.models.dilation.points import Points, points_of
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.features.problem import UFM

# Of the integral over the margin, relative to itself.
_TOLERANCE = 1e-11


def learning_times(problem: UFM, *, start: float = 1e-3, rate: ArrayLike = 1.0) -> FloatArray:
    r"""When each class is half learnt by gradient flow on the squared error, from a small balanced and aligned start.

    The flow moves W at the rate :math:`\eta_W` and :math:`H\,\mathrm{diag}(\sqrt\pi)` at :math:`\eta_H`, with :math:`\eta_W\lambda_W = \eta_H\lambda_H` and
    :math:`\varepsilon = \sqrt{\eta_W\eta_H}`. From singular vectors of the labels and :math:`W^\top W/\eta_W = H\,\mathrm{diag}(\pi) H^\top/\eta_H`, which is kept, the singular value of
    class n follows

    .. math:: \dot x = 2\varepsilon x(s_n - x), \quad s_n = \sqrt{\pi_n} - 2\mu, \qquad T_n = \frac{\log(s_n/x_0 - 1)}{2\varepsilon s_n} .

    Parameters
    ----------
    problem : UFM
        Squared error without a bias and without smoothing, free features of any dimension from N up, its own labels, any class weights.
    start : float, default 1e-3
        :math:`x_0`, the singular value of ``Z diag(sqrt pi)`` of every class at time zero.
    rate : float or array, default 1
        :math:`\varepsilon`.

    Returns
    -------
    array (..., N)
        Time until half of :math:`s_n` is reached: zero where the start is there already, infinite where the class dies (:math:`s_n \le 0`).

    Raises
    ------
    AssumptionError
        If the problem is of another kind, or a number is not positive.

    References
    ----------
    Fukumizu 1998 and Braun et al., NeurIPS 2022, as recalled, without decay.

    Examples
    --------
    The majority is learnt first:

    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.MeanSquaredError(), num_classes=3, weight_decay=0.1, feature_decay=0.1, class_weights=[0.7, 0.26, 0.04])
    >>> learning_times(ufm).round(2)
    array([5.07, 9.25,  inf])
    """
    instance("problem", problem, UFM, "a UFM")
    loss = problem.loss
    if not isinstance(loss, MeanSquaredError) or np.any(np.asarray(loss.smoothing) > 0):
        raise fail("loss", loss, "must be the squared error without smoothing for learning times in closed form")
    if problem.bias or problem.nonnegative or problem.label_distribution is not None:
        raise fail("problem", problem, "must have free features, no bias and its own labels for learning times")
    classes = problem.num_classes
    if not isinstance(classes, int) or problem.point_shape != () or (problem.feature_dim or classes) < classes:
        raise fail("problem", problem, "must be one point with room for a feature of its own for every class")
    x0 = one_number("start", start, positive)
    speed = np.asarray(positive("rate", rate))[..., None]
    goal = np.sqrt(problem.proportions) - 2.0 * float(problem.mu)
    alive = goal > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.log(np.maximum(np.where(alive, goal, 1.0) / x0 - 1.0, 1.0)) / (2.0 * np.where(alive, goal, 1.0))
    return np.asarray(np.where(alive, time, np.inf) / speed)


def memorization_time(problem: MemorizationDilation, *, rate: ArrayLike = 1.0) -> Real:
    r"""How long gradient flow takes to memorise a noisy label at a fixed configuration, with the dilation it causes.

    The feature of a noisy example starts at the mean of its right class and moves at the rate :math:`\eta_u`; clean examples dilate as much as the constraint asks for at
    every moment (a modelling choice: quasi-static). With c = D^q/C its margin for the wrong label follows

    .. math:: \dot\tau = -\eta_u\kappa^2\Big[\varphi'(\tau) + \frac{c}{2\kappa}F'(r)\Big], \quad r = \frac{\eta c}{\kappa}(\tau + s), \qquad \tau(0) = -s,

    and it is memorised when :math:`\tau = 0`. Both terms fall towards the answer of `solve`, so that the time is infinite where that has no positive margin. Without a price of
    dilation (C to infinity), :math:`\eta_u\kappa^2 T` is :math:`1 + s - e^{-s}` for cross-entropy, s for the hinge, :math:`\log(1 + s)` for the squared hinge.

    Parameters
    ----------
    problem : MemorizationDilation
        Two classes, a convex loss that no shift of the logits changes, a symmetric spread, no decay of noisy features.
    rate : float or array, default 1
        :math:`\eta_u`, positive.

    Returns
    -------
    float or array
        T, of the broadcast shape of the problem and the rate.

    Raises
    ------
    AssumptionError
        If the problem is of another kind, or the rate is not positive.

    Examples
    --------
    Smoothing delays memorising:

    >>> import mdtheory as mdt
    >>> def time(loss):
    ...     ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    ...     return memorization_time(mdt.MemorizationDilation(ufm, noise=0.05, slope=1e6, noisy_feature_decay=0.0))
    >>> round(time(mdt.CrossEntropy()), 3), round(time(mdt.CrossEntropy(smoothing=0.1)), 3)
    (0.849, 1.014)
    """
    instance("problem", problem, MemorizationDilation, "a MemorizationDilation")
    problem.check_two_classes()
    if not problem.spread.is_symmetric:
        raise fail("spread", problem.spread.label, "must be symmetric for a memorization time")
    loss = problem.ufm.loss
    if not loss.is_convex or problem.ufm.pays_for_mean:
        raise fail(
            "loss", loss, "must be convex, and blind to shifts of the logits or with a bias, for a memorization time"
        )
    if np.any(problem.decay > 0):
        raise fail("noisy_feature_decay", problem.decay, "must be zero for a memorization time")
    speed = np.asarray(positive("rate", rate))
    points = points_of(problem)
    found = np.array([_time_of(points.take(slice(i, i + 1))) for i in range(points.noise.size)])
    return scalar_or_array(found.reshape(problem.shape) / speed)


def _time_of(point: Points) -> float:
    """At the rate one, of a block of one point."""
    from scipy.integrate import quad  # slow to import, and needed here only

    margin, kappa = float(point.classes.margin[0]), float(point.classes.weight_distance[0])

    def pull(tau: float) -> float:
        force, _ = point.slope(np.maximum(point.noise * point.rate * (tau + margin) / kappa, 1e-300))
        slope, _ = point.loss.slope_and_curvature(np.array([tau]))
        return float(-slope[0] - 0.5 * point.rate[0] / kappa * force[0])

    def moment(x: float) -> float:
        # Where memorising nearly stops there is a peak at zero: the distance from there is an exponential.
        left = margin * float(np.exp(-x))
        return left / pull(-left)

    if not pull(0.0) > 0.0:
        return float("inf")
    total, _ = quad(moment, 0.0, 60.0, epsabs=0.0, epsrel=_TOLERANCE, limit=400)
    return float(total) / kappa**2
