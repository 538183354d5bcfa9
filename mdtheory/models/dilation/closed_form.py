"""Closed forms of the dilation where it is rational (squared error) or piecewise so (hinge)."""

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.points import Points, Position


def quadratic_points(points: Points) -> tuple[FloatArray, ...]:
    """Squared error: F' is linear, so the expansion is exact and everything is rational."""
    stiffness = points.initial_stiffness()
    log_nu = points.log_gain + np.log(stiffness)
    # Beyond this rho is proportional to 1/nu, and r = eta c rho does not depend on the noise.
    size = 0.25 * points.classes.weight_distance**2 + 0.25 * points.classes.weight_sum**2 + points.decay
    most = 1e120 * np.minimum(size, 1e180)
    excess = np.maximum(log_nu - np.log(most), 0.0)
    with np.errstate(over="ignore"):
        plain = points.noise * points.rate * points.rate * stiffness
    nu = np.where(points.extreme, np.exp(np.clip(log_nu, -745.0, 709.0)), plain)
    answer = quadratic_response(points, np.where(excess > 0, most, nu))
    with np.errstate(divide="ignore", under="ignore"):
        log_rho = np.log(answer.rho) - excess
    rho = np.where(excess > 0, np.exp(log_rho), answer.rho)
    # Where the decay is as large as the largest multiplier, the answer is out of reach.
    lost = (excess > 0) & (size > 1e180)
    dilation = points.dilation_of(rho, log_rho)
    dilation = np.where(excess > 0, np.exp(points.log_noise + points.log_rate + log_rho), dilation)
    return tuple(np.where(lost, np.nan, row) for row in (dilation, rho, answer.margin, answer.level))


def quadratic_response(points: Points, nu: FloatArray) -> Position:
    """The noisy feature of the squared error for a given multiplier.

    In the coordinates along h_1 - h_2 (scaled to t) and along the mean (scaled to the logit sum) both equations are
    linear. A mean that is not seen by the loss, or a zero mean, only decays.
    """
    classes = points.classes
    goal = points.loss.profile_minimizer()
    total = points.decay + nu
    quarter = 0.25 * classes.weight_distance**2
    w = (points.decay * classes.margin + quarter * (classes.margin + goal)) / (quarter + total)
    sum_quarter = 0.25 * classes.weight_sum**2
    sighted = classes.weight_sum > 0
    stiffness = sum_quarter + total
    fall = (points.decay * classes.mean_margin - sum_quarter * classes.mean_shortfall) / np.where(
        stiffness > 0, stiffness, 1.0
    )
    drop_sum = fall / np.where(sighted, classes.weight_sum, 1.0)
    blind = np.where(total > 0, points.decay / np.where(total > 0, total, 1.0), 0.0) * classes.centre_norm
    drop = np.where(sighted, drop_sum, blind)
    t, level = w - classes.margin, classes.centre_norm - drop
    if points.constrained:
        t, level, moved = _quadratic_face(points, total, nu, t, level)
        w = np.where(moved, t + classes.margin, w)
        drop = np.where(moved, classes.centre_norm - level, drop)
    return Position(np.hypot(w / classes.weight_distance, drop), t, level)


def _quadratic_face(
    points: Points, total: FloatArray, nu: FloatArray, t: FloatArray, level: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Move to the face u = x e_own, x >= 0, where the rational solution left the cone u >= 0."""
    classes = points.classes
    root = np.sqrt(2.0)
    outside = level < t / classes.weight_distance
    # On the face t = kap x/sqrt2 and the logit sum is kp x/sqrt2: one quadratic in x. The mean of h_2 pulls by its
    # coordinate along e_own, (level - D/2)/sqrt2.
    half = classes.weight_distance / root, classes.weight_sum / root
    stiffness = 0.25 * (half[0] ** 2 + half[1] ** 2) + total
    own = (classes.centre_norm - 0.5 * classes.mean_distance) / root
    pull = (
        0.25 * (half[0] * points.loss.profile_minimizer() + np.where(classes.weight_sum > 0, half[1], 0.0)) + nu * own
    )
    x = np.maximum(pull / stiffness, 0.0)
    return np.where(outside, half[0] * x, t), np.where(outside, x / root, level), outside


def hinge_points(points: Points) -> tuple[FloatArray, ...]:
    """Hinge loss: F'(r) = kap E|zeta| + 4 lam r exactly, because the margin sits on the kink."""
    classes = points.classes
    if points.constrained:
        return _hinge_on_cone(points)
    kap, lam, c, eta = classes.weight_distance, points.decay, points.rate, points.noise
    with np.errstate(over="ignore"):
        pressure = kap * points.spread.mean_absolute * c
    pull = np.hypot(lam * classes.centre_norm, 0.5 * kap + lam / kap)
    active = pressure < 4.0 * pull
    c = np.where(active, c, 0.0)
    with np.errstate(over="ignore"):
        growth = eta * c * c
    gain = np.where(growth > 1e200, 1.0 / np.where(growth > 1e200, c, 1.0), eta * c / (1.0 + np.minimum(growth, 1e200)))
    # Before the kink: lam + nu = pull/rho in 4 rho (nu - lam eta c^2) = pressure. With lam = 0 nothing holds it there.
    spare = np.where(active, 4.0 * pull - np.where(active, pressure, 0.0), 0.0)
    decay = np.where(lam > 0, 4.0 * lam, 1.0)
    with np.errstate(over="ignore"):
        share = 0.25 * spare / pull / (1.0 + growth)
        w = np.where(lam > 0, (0.5 * kap**2 + lam) * share / np.where(lam > 0, lam, 1.0), np.inf)
    short = active & (w <= 2.0)
    flat = active & ~short
    share = np.where(short, share, 0.0)
    falls = flat & (lam > 0)
    if np.any(falls):
        held = points.take(falls)
        share[falls] = held.decay / (held.decay + _flat_multiplier(held, pressure[falls]))
    w = np.where(short, w, np.where(flat, 2.0, 0.0))
    drop = share * classes.centre_norm
    rho = np.hypot(w / kap, drop)
    with np.errstate(over="ignore"):
        dilation = np.where(short, gain * spare / decay, np.where(flat, eta * c * rho, 0.0))
    return dilation, rho, w - 1.0, classes.centre_norm - drop


def _flat_multiplier(points: Points, pressure: FloatArray) -> FloatArray:
    """The multiplier with the noisy margin on the kink: ``K = 4 rho (nu - lam eta c^2)``, increasing in nu."""
    lam, floor = points.decay, points.decay * points.noise * points.rate**2
    travelled = 2.0 / points.classes.weight_distance

    def radius(nu: FloatArray) -> FloatArray:
        total = np.where(lam + nu > 0, lam + nu, 1.0)
        return np.hypot(lam / total * points.classes.centre_norm, travelled)

    # rho lies between `travelled` and its value at nu = 0, which brackets nu; the map is a contraction in between.
    low, high = floor + 0.25 * pressure / radius(floor), floor + 0.25 * pressure / travelled
    for _ in range(200):
        nu = 0.5 * (low + high)
        below = 4.0 * radius(nu) * (nu - floor) < pressure
        low, high = np.where(below, nu, low), np.where(below, high, nu)
        if np.all(high - low <= 4e-16 * high):
            break
    return np.asarray(0.5 * (low + high))


def _hinge_on_cone(points: Points) -> tuple[FloatArray, ...]:
    """Hinge loss with u >= 0: ``4 nu rho - 4 lam eta c^2 rho`` increases in nu and must equal ``kap E|zeta| c``."""
    classes = points.classes
    with np.errstate(over="ignore"):
        pressure = classes.weight_distance * points.spread.mean_absolute * points.rate
        reach = np.minimum(points.rate, 1e150)
        floor = np.minimum(points.decay * points.noise * reach * reach, 1e300)
    low, high = np.full(pressure.shape, -745.0), np.full(pressure.shape, 700.0)
    for _ in range(200):
        log_nu = 0.5 * (low + high)
        nu = np.exp(log_nu)
        with np.errstate(over="ignore"):
            below = 4.0 * hinge_response(points, nu).rho * (nu - floor) < pressure
        low, high = np.where(below, log_nu, low), np.where(below, high, log_nu)
    nu = np.exp(0.5 * (low + high))
    answer = hinge_response(points, nu)
    moved = nu < np.exp(600.0)
    rho = np.where(moved, answer.rho, 0.0)
    margin, level = (
        np.where(moved, answer.margin, -classes.margin),
        np.where(moved, answer.level, classes.centre_norm),
    )
    return points.noise * np.where(moved, points.rate, 0.0) * rho, rho, margin, level


def hinge_response(points: Points, nu: FloatArray) -> Position:
    """The noisy feature of the hinge loss for multiplier nu, in the cone u >= 0."""
    classes = points.classes
    total = points.decay + nu
    with np.errstate(over="ignore"):
        w = np.minimum((points.decay + 0.5 * classes.weight_distance**2) / total, 2.0)
        on_face = np.minimum(0.25 * classes.weight_distance**2 / total, 1.0)
    drop = points.decay / total * classes.centre_norm
    t, level = w - 1.0, classes.centre_norm - drop
    outside = level < t / classes.weight_distance
    c = classes.weight_distance / np.sqrt(2.0)
    rho = np.where(
        outside,
        np.hypot(classes.mean_distance / np.sqrt(2.0), on_face / c),
        np.hypot(w / classes.weight_distance, drop),
    )
    level = np.where(outside, on_face / c / np.sqrt(2.0), level)
    return Position(rho, np.where(outside, on_face, t), level)
