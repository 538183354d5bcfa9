r"""Functions of a problem that change sign at a phase boundary, explicit wherever the theory allows.

The stationarity of the memorization-dilation problem is monotone in the dilation, so on which side of a boundary a
problem lies is decided by one sign, without solving the problem. Each function is an imbalance ``(a - b)/(a + b)`` of
two nonnegative numbers, or a derivative of one: dimensionless, and of moderate slope
(`derivations/phase_signs.py`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.losses import CrossEntropy, Hinge, MeanSquaredError
from mdtheory.models.dilation.points import Points, Response, points_of
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.dilation.solving import kernel, response
from mdtheory.models.features.problem import UFM
from mdtheory.models.solving import solve
from mdtheory.questions.imbalance import class_collapse_threshold, merge_threshold, zero_collapse_threshold
from mdtheory.questions.thresholds import at_margin_zero, collapse_threshold

# ------------------------------------------------------------------------------ the features model


def collapse(ufm: UFM) -> FloatArray:
    r"""Positive where every margin is zero: the imbalance of :math:`\mu` and its threshold.

    Closed form. A problem that is not symmetric needs free features (`mdtheory.zero_collapse_threshold`).
    """
    if ufm.symmetric:
        threshold = np.asarray(collapse_threshold(ufm))
        if ufm.class_weights is not None:
            threshold = np.max(threshold, axis=-1)
    elif ufm.nonnegative:
        raise fail("nonnegative", True, "must be False for the threshold of a problem that is not symmetric")
    else:
        weights = ufm.proportions
        labels = ufm.label_distribution
        threshold = np.asarray(zero_collapse_threshold(ufm.loss, weights, labels, bias=ufm.bias))
    return imbalance(ufm.mu, threshold)


def minority_collapse(ufm: UFM) -> FloatArray:
    r"""Positive where the smallest classes have merged, or their mean is zero: the imbalance of :math:`\mu` and its threshold.

    Closed form: `class_collapse_threshold` for nonnegative features and for the squared error without a bias, where a
    class vanishes by itself; `merge_threshold` else, which needs two or more classes that are equally small.
    """
    if ufm.label_distribution is not None:
        raise fail("label_distribution", "given", "must be the classes' own labels for a minority to collapse")
    shares = ufm.proportions
    smallest = np.min(shares, axis=-1)
    alone = ufm.nonnegative if ufm.loss.shift_invariant else not ufm.bias
    if alone and ufm.bias and ufm.loss.shift_invariant:
        raise fail("bias", True, "must be False: with nonnegative features and a bias the classes do not decouple")
    if alone:
        return imbalance(ufm.mu, class_collapse_threshold(ufm.loss, smallest, ufm.num_classes))
    if np.any(np.sum(shares <= smallest[..., None] * (1.0 + 1e-12), axis=-1) < 2):
        raise fail(
            "class_weights",
            shares.tolist(),
            "two or more classes must share the smallest weight: one alone does not merge",
        )
    return imbalance(ufm.mu, merge_threshold(ufm.loss, smallest))


# ------------------------------------------------------------------------------ memorization and dilation


def has_explicit_signs(problem: MemorizationDilation) -> bool:
    """Whether one sign of the stationarity tells the side of a boundary: for two classes and convex losses with a slope."""
    two = bool(np.all(np.equal(problem.ufm.num_classes, 2)))
    return two and problem.ufm.loss.is_convex and not isinstance(problem.ufm.loss, Hinge)


def memorization(problem: MemorizationDilation) -> FloatArray:
    r"""Positive where noisy examples are *not* memorised, t < 0.

    The multiplier that makes t = 0 is :math:`\nu = -\kappa^2\varphi'(0)/(2s)`; with its memorization :math:`\rho` and
    dilation r = eta rho D^q/C, the sign is that of :math:`F'(r)D^q/C - 4\nu\rho`, whose imbalance is returned.
    Losses that are not convex, the hinge, and more than two classes are solved instead: -t/s.
    """
    if not has_explicit_signs(problem):
        solution = solve(problem)
        return np.asarray(-np.asarray(solution.noisy_margin) / problem.configuration.margin)
    points = points_of(problem)
    nu, rho = at_margin_zero(points)
    first, _ = points.slope(points.noise * points.rate * rho)
    return imbalance(first * points.rate, 4.0 * nu * rho)


def dilation_above(problem: MemorizationDilation, level: ArrayLike) -> FloatArray:
    r"""Positive where the normalised dilation is above `level`, a number or an array like the problem.

    At r = level D the constraint asks for the multiplier :math:`\nu = \eta c^2F'(r)/(4r)`, c = D^q/C, and allows the
    memorization r/(eta c). The dilation is above the level iff the noisy feature of that multiplier goes further. For
    a function of the margin alone this is the sign of the force at the margin t that exhausts the memorization,
    :math:`-\kappa^2\varphi'(t)/2 - (\lambda+\nu)t - \nu s`; else the memorization itself is compared. Losses that are
    not convex, and the hinge, are solved instead.
    """
    if not has_explicit_signs(problem):
        return imbalance(solve(problem).normalized_dilation, level)
    points, levels = points_of(problem), np.broadcast_to(level, problem.shape).ravel()
    noisy = points.noise > 0
    answer = np.full(noisy.shape, -1.0)
    if np.all(noisy):
        answer = _force_imbalance(points, levels)
    elif np.any(noisy):
        answer[noisy] = _force_imbalance(points.take(noisy), levels[noisy])
    return answer.reshape(problem.shape)


def _force_imbalance(points: Points, level: FloatArray) -> FloatArray:
    classes = points.classes
    r = level * classes.mean_distance
    allowed = r / (points.noise * points.rate)
    first, _ = points.slope(r)
    nu = 0.25 * first * points.rate / allowed
    if points.constrained or not points.loss.shift_invariant:
        return imbalance(response(points, nu).rho, allowed)
    total = points.decay + nu
    drop = np.where(points.decay > 0, points.decay / np.where(total > 0, total, 1.0), 0.0) * classes.centre_norm
    w = classes.weight_distance * np.sqrt(np.maximum((allowed - drop) * (allowed + drop), 0.0))
    slope, _ = points.loss.slope_and_curvature(w - classes.margin)
    force, pull, hold = (-0.5 * classes.weight_distance**2 * slope, points.decay * classes.margin, total * w)
    return np.asarray((pull + force - hold) / (pull + np.abs(force) + hold))


def error_level(problem: MemorizationDilation, level: float) -> float:
    """The normalised dilation at which the error rate of unseen clean examples reaches `level`; zero: leaves zero."""
    problem.check_by_formula()
    spread = problem.spread
    if not 0.0 <= level < 0.5:
        raise fail("level", level, "must lie in [0, 1/2): the test error reaches no more")
    if level == 0.0:
        if not np.isfinite(spread.radius):
            raise fail("level", level, f"must be positive for {type(spread).__name__}, whose test error is never zero")
        return 0.5 / spread.radius
    log_low, log_high = -800.0, 800.0
    while log_high - log_low > 1e-15 * max(abs(log_low), abs(log_high)):
        middle = 0.5 * (log_low + log_high)
        if middle in (log_low, log_high):
            break
        below = float(np.asarray(spread.test_error(np.exp(np.clip(middle, -700.0, 700.0))))) < level
        log_low, log_high = (middle, log_high) if below else (log_low, middle)
    return float(np.exp(0.5 * (log_low + log_high)))


def dilation_ordering(problem: MemorizationDilation, other: MemorizationDilation) -> FloatArray:
    """Positive where `problem` dilates more than `other`: :func:`dilation_above` of the first at the dilation of the second."""
    return dilation_above(problem, solve(other).normalized_dilation)


def slope_response(problem: MemorizationDilation) -> FloatArray:
    r"""Positive where the dilation falls with the slope C, negative where it rises.

    With the multiplier nu of the solution, :math:`rF'(r) = 4\eta\nu\rho^2` and :math:`rF'(r)` increases in r; so the
    dilation is extremal in C where :math:`\nu\rho(\nu)^2` is in nu. Returned is its elasticity,
    :math:`1 + 2\,d\log\rho/d\log\nu`, in [-1, 1].
    """
    problem.check_by_formula()
    loss = problem.ufm.loss
    if not loss.is_convex or not loss.smooth_slope:
        raise fail("loss", loss, "must be convex with a continuous slope for a smooth dependence on the slope C")
    points = points_of(problem)
    if np.any(points.noise == 0):
        raise fail("noise", 0.0, "must be positive: without noise there is no dilation")
    r, rho, *_ = kernel(loss)(points)
    first, _ = points.slope(r)
    nu = 0.25 * first * points.rate / rho
    answer = response(points, nu)
    if isinstance(answer, Response):
        return 1.0 + 2.0 * answer.elasticity
    # A rational function: five points differentiate it to rounding.
    step = 1e-3
    logs = [np.log(response(points, nu * np.exp(k * step)).rho) for k in (-2, -1, 1, 2)]
    return np.asarray(1.0 + 2.0 * (logs[0] - 8.0 * logs[1] + 8.0 * logs[2] - logs[3]) / (12.0 * step))


def smoothing_response(problem: MemorizationDilation) -> FloatArray:
    r"""Positive where the normalised dilation rises with the smoothing.

    The derivative of :func:`dilation_above`, at the dilation of the problem, in the logarithm of e = alpha/2 + kappa: by
    five points, a thousandth of e apart or less; where those would leave alpha >= 0 they are moved inside. Cross-entropy
    and squared error, which collapse alike.
    """
    problem.check_by_formula()
    loss = problem.ufm.loss
    if not isinstance(loss, (CrossEntropy, MeanSquaredError)):
        raise fail("loss", loss, "must be CrossEntropy or MeanSquaredError: it needs a smoothing")
    alpha, kappa = np.broadcast_arrays(np.asarray(loss.smoothing), np.asarray(problem.ufm.kappa))
    # It collapses at alpha = 1 - 2 kappa.
    share, room = 0.5 * alpha + kappa, 1.0 - 2.0 * kappa - alpha
    step = np.minimum(2e-3 * share, 0.2 * room)
    centre = np.maximum(alpha, 2.0 * step)
    level = solve(_smoothed(problem, centre)).normalized_dilation
    nodes = centre + step * np.array([-2.0, -1.0, 1.0, 2.0]).reshape(4, *(1,) * alpha.ndim)
    above = dilation_above(_smoothed(problem, nodes), level)
    rate = (above[0] - 8.0 * above[1] + 8.0 * above[2] - above[3]) / (6.0 * step / share)
    return np.asarray(np.where(room > 1e-9, rate, np.nan))


def _smoothed(problem: MemorizationDilation, smoothing: FloatArray) -> MemorizationDilation:
    return replace(problem, ufm=replace(problem.ufm, loss=problem.ufm.loss.with_parameters(smoothing=smoothing)))


def small_noise_ratio(problem: MemorizationDilation, kappa: ArrayLike) -> FloatArray:
    r"""Positive where the smoothed loss dilates more than cross-entropy as the noise vanishes: free features, relative scaling.

    With h(e) = e (1-e) log((1-e)/e), the difference :math:`(\log h(\alpha/2+\kappa) - \log h(\kappa))/\alpha`.
    """
    problem.check_by_formula()
    loss = problem.ufm.loss
    if not isinstance(loss, CrossEntropy):
        raise fail("loss", loss, "must be CrossEntropy for the boundary of small noise")
    if problem.ufm.nonnegative or problem.scaling != "relative" or problem.spread.dim == 1:
        raise fail("problem", problem, "must have free features, relative scaling and dimension 2 or more here")
    if np.any(np.not_equal(problem.decay, problem.ufm.feature_decay)):
        raise fail("noisy_feature_decay", problem.noisy_feature_decay, "must be the feature decay here")
    alpha, kappa = np.broadcast_arrays(np.asarray(loss.smoothing), np.asarray(kappa))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((_log_bump(0.5 * alpha + kappa) - _log_bump(kappa)) / alpha)


def _log_bump(e: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(e) + np.log1p(-e) + np.log(np.log1p(-e) - np.log(e)))


def imbalance(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """``(a - b)/(a + b)`` of nonnegative numbers; 0 where both vanish."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    total = a + b
    return np.asarray((a - b) / np.where(total > 0, total, 1.0))
