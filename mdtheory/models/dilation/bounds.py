r"""Objective and lower bound of a memorization-dilation problem, recomputed from an answer alone; no solver is imported here.

Every bound is weak duality: it holds for any answer, however wrong, and meets the objective at the optimum.
Bounds are computed in double precision, so a gap of a few rounding errors of the objective may have either sign.
"""

import numpy as np
from numpy.typing import NDArray

from mdtheory.expectation import mean_loss, mean_stiffness
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.models.dilation.global_bound import proved_means
from mdtheory.models.dilation.problem import MemorizationDilation

# A dilation below this may have lost the force that goes with it.
_UNDERFLOW = 1e-290
# A smaller th gives a bound too, and one above this is never needed.
_LARGEST_FORCE = 1e150


# ``E phi`` at a dilation, and ``E zeta phi'/scale`` at its scale.
Means = tuple[FloatArray, FloatArray]


def md_means(problem: MemorizationDilation, dilation: FloatArray) -> Means:
    r"""The means of the loss over the spread that objective and bound share, and that cost most of both.

    Parameters
    ----------
    problem : MemorizationDilation
    dilation : array
        r.

    Returns
    -------
    tuple of array
        :math:`E\varphi(s + \kappa r\zeta)` and :math:`E[\zeta\varphi'(s + K\zeta)]/K` at the scale :math:`K = \kappa r`.
    """
    loss = problem.ufm.loss
    return _means(problem, loss, _scale(problem, loss, dilation), dilation)


def md_objective(
    problem: MemorizationDilation,
    dilation: FloatArray,
    margin: FloatArray,
    level: FloatArray,
    *,
    means: Means | None = None,
) -> FloatArray:
    """The objective (both classes, clean and noisy) at a dilation and symmetric noisy features.

    Parameters
    ----------
    dilation : array
        r.
    margin : array
        Noisy margin t: the coordinate of u along ``h_1 - h_2`` is ``t/kap``.
    level : array
        Coordinate of u along the mean ``(h_1 + h_2)/2``.
    means : tuple of array, optional
        `md_means` of this dilation, where they are at hand.
    """
    c, lam = problem.configuration, problem.decay
    # Without decay the noisy feature may lie too far out for its square.
    along, across = np.where(lam > 0, margin / c.weight_distance, 0.0), np.where(lam > 0, level, 0.0)
    noisy = problem.ufm.loss.profile(margin) + lam * (along**2 + across**2)
    if problem.ufm.pays_for_mean:
        noisy = noisy + 0.25 * (c.weight_sum * level - 1.0) ** 2
    mean, _ = md_means(problem, dilation) if means is None else means
    return np.asarray(_clean_part(problem, dilation, mean) + 2.0 * np.asarray(problem.noise) * noisy)


def md_lower_bound(
    problem: MemorizationDilation,
    dilation: FloatArray,
    margin: FloatArray,
    level: FloatArray,
    *,
    means: Means | None = None,
) -> FloatArray:
    r"""Lower bound on the memorization-dilation objective, from a tangent in r and one in the noisy logits.

    With ``th = F'(r) D^q/(2C)`` and slopes ``p`` of the loss in t (and ``p'`` in the logit sum where the mean matters),

    .. math:: F(r) - rF'(r) + 2\eta\Big[-ps + p's_0 - \varphi^*(p) - \psi^*(p') + \lambda\|h\|^2 - v\,h
              - \frac{((b - th)_+)^2}{4\lambda}\Big], \quad b = \|p(w_1-w_2) + p'(w_1+w_2) + 2\lambda h_2 - v\|

    where v >= 0 is the multiplier of ``u >= 0`` (zero without that constraint). Without decay ``b <= th`` is needed,
    and the slopes are scaled down to it. `means` are the `md_means` of this dilation, where they are at hand.
    """
    loss, lam = problem.ufm.loss.convex_hull(), problem.decay
    dilation = np.where(np.isnan(dilation), 0.0, dilation)  # where the margin is NaN too, and with it the bound
    if loss is None or not problem.ufm.loss.coherent:
        return np.full(problem.shape, -np.inf)
    # Those of a convex hull are others.
    clean, th = _tangent(problem, loss, dilation, means if loss is problem.ufm.loss else None)
    candidates = [_slopes(problem, loss, th, margin, level)]
    if _room(problem, loss) is not None:
        candidates.append(_balanced_slopes(problem, loss, th, margin, level))
    if not np.all(lam > 0):
        none = np.zeros(np.broadcast_shapes(np.shape(margin), np.shape(th)))
        candidates.append((none, none))
    along, across, _ = _dual_vector(problem, *candidates[0], th, margin, level)
    length = np.hypot(along, across)
    lost = (dilation < _UNDERFLOW) & (length > th) & (np.asarray(problem.noise) > 0)
    if loss.smooth_slope and np.any(lost):
        # The dilation underflows, but not the force that belongs to it: the tangent at another tiny r is as good.
        other, force = _dilation_of_pull(problem, loss, length)
        lost = lost & (other < 1e10 * _UNDERFLOW)
        clean = clean - np.where(lost, other, 0.0) * np.where(lost, force, 0.0)
        th = np.where(lost, length, th)
    value = np.full(problem.shape, -np.inf)
    for p, sum_slope in candidates:
        value = np.maximum(value, _noisy_bound(problem, loss, th, p, sum_slope, margin, level))
        # Slopes scaled down to b <= th cost little where b exceeds th by rounding alone, however small the decay.
        first = _factor(problem, th, p, sum_slope, margin, level)
        factor = first * _factor(problem, th, p * first, sum_slope * first, margin, level)
        if np.any(factor < 1):
            value = np.maximum(value, _noisy_bound(problem, loss, th, p * factor, sum_slope * factor, margin, level))
    bound = np.asarray(clean + 2.0 * np.asarray(problem.noise) * value)
    if np.all(np.isfinite(bound)):
        return bound
    return _with_lifted_tangent(problem, loss, dilation, candidates[0], margin, level, bound)


def _with_lifted_tangent(
    problem: MemorizationDilation,
    loss: Loss,
    dilation: FloatArray,
    slopes: tuple[FloatArray, FloatArray],
    margin: FloatArray,
    level: FloatArray,
    bound: FloatArray,
) -> FloatArray:
    """The bound where slopes may not be scaled down to b <= th: th is raised to b by a tangent at a larger r."""
    _, th = _tangent(problem, loss, dilation)
    along, across, _ = _dual_vector(problem, *slopes, th, margin, level)
    lack = np.hypot(along, across) / np.where(th > 0, th, np.inf) - 1.0
    rounding = np.broadcast_to((lack > 0) & (lack < 1e-6) & ~np.isfinite(bound), problem.shape)
    if not np.any(rounding):
        return bound
    clean, th = _tangent(problem, loss, dilation * (1.0 + np.where(rounding, 4.0 * lack, 0.0)))
    lifted = clean + 2.0 * np.asarray(problem.noise) * _noisy_bound(problem, loss, th, *slopes, margin, level)
    return np.where(rounding, np.maximum(bound, lifted), bound)


def _slopes(
    problem: MemorizationDilation, loss: Loss, th: FloatArray, margin: FloatArray, level: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The slopes p and p' of the loss at the noisy feature."""
    p = loss.profile_derivative(margin)
    if not loss.smooth_slope:
        p = _kink_slope(problem, th, margin, level, p)
    if problem.ufm.pays_for_mean:
        return p, 0.5 * (problem.configuration.weight_sum * level - 1.0)
    return p, np.zeros(np.shape(level))


def _balanced_slopes(
    problem: MemorizationDilation, loss: Loss, th: FloatArray, margin: FloatArray, level: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The slopes at which th and the decay hold the noisy feature: close to a minimiser they have more digits."""
    c, lam = problem.configuration, problem.decay
    direction, _ = _travelled(problem, margin, level)
    p = -(th * direction[0] + 2.0 * lam * (margin / c.weight_distance)) / c.weight_distance
    if problem.nonnegative_noisy_features and not problem.ufm.pays_for_mean:
        # On the boundary of u >= 0 the coordinate of the own class mean alone is in balance.
        own = th * (direction[0] + direction[1]) + 2.0 * lam * (margin / c.weight_distance + level)
        p = np.where(_on_boundary(problem, margin, level), -own / c.weight_distance, p)
    p = np.clip(p, np.minimum(loss.profile_derivative(-c.margin), 0.0), 0.0)
    if not problem.ufm.pays_for_mean:
        return p, np.zeros(np.shape(level))
    seen = c.weight_sum > 0
    sum_slope = -(th * direction[1] + 2.0 * lam * level) / np.where(seen, c.weight_sum, 1.0)
    return p, np.where(seen, np.clip(sum_slope, -0.5, 0.0), -0.5)


def _noisy_bound(
    problem: MemorizationDilation,
    loss: Loss,
    th: FloatArray,
    p: FloatArray,
    sum_slope: FloatArray,
    margin: FloatArray,
    level: FloatArray,
) -> FloatArray:
    """``-ps + p's_0 - phi*(p) - psi*(p') + lam ||h||^2 - v h - (b - th)_+^2/(4 lam)``."""
    c, lam = problem.configuration, problem.decay
    along, across, multiplier = _dual_vector(problem, p, sum_slope, th, margin, level)
    value = -p * c.margin - loss.profile_conjugate(p) + lam * ((0.5 * c.mean_distance) ** 2 + c.centre_norm**2)
    if problem.ufm.pays_for_mean:
        value = value - sum_slope * (c.mean_shortfall + sum_slope)
    spare = np.maximum(np.hypot(along, across) - th, 0.0)
    with np.errstate(over="ignore"):
        excess = np.where(spare > 0, spare * (0.25 * spare / np.where(lam > 0, lam, 1.0)), 0.0)
    # Without decay b <= th has to hold.
    excess = np.where((lam > 0) | (spare <= 1e-15 * th), excess, np.inf)
    return np.asarray(value - multiplier * c.mean_distance / np.sqrt(2.0) - excess)


def _factor(
    problem: MemorizationDilation,
    th: FloatArray,
    p: FloatArray,
    sum_slope: FloatArray,
    margin: FloatArray,
    level: FloatArray,
) -> FloatArray:
    """A factor of the slopes at most 1 that brings b towards th: Newton's step, as b is convex in the factor."""
    c = problem.configuration
    along, across, multiplier = _dual_vector(problem, p, sum_slope, th, margin, level)
    length = np.hypot(along, across)
    spare = np.maximum(length - th, 0.0)
    along_p, across_p = p * c.weight_distance, sum_slope * c.weight_sum
    # A positive v holds the coordinate across fixed.
    unit = np.where(length > 0, length, 1.0)
    along, across = along / unit, across / unit
    rise = np.where(multiplier > 0, 0.5 * (along_p + across_p) * (along + across), along_p * along + across_p * across)
    reducible = (spare > 0) & (rise > 0)
    with np.errstate(over="ignore"):
        step = spare / np.where(reducible, rise, 1.0)
    return np.where(reducible, np.maximum(1.0 - step - 4e-16, 0.0), 1.0)


def _tangent(
    problem: MemorizationDilation, loss: Loss, dilation: FloatArray, means: Means | None = None
) -> tuple[FloatArray, FloatArray]:
    """``F(r) - r F'(r)`` and ``th = F'(r) D^q/(2C)``, which exists where F' underflows and D^q/C overflows."""
    c = problem.configuration
    scale = _scale(problem, loss, dilation)
    mean, stiffness = _means(problem, loss, scale, dilation) if means is None else means
    unknown = np.isnan(stiffness)
    stiffness = np.where(unknown, 0.0, stiffness)
    floor = problem.decay + (0.25 * c.weight_sum**2 / problem.spread.dim if problem.ufm.pays_for_mean else 0.0)
    # F'(r) = 2 kap stiffness scale + 4 floor r
    clean = _clean_part(problem, dilation, mean)
    clean = clean - (2.0 * stiffness * scale * (c.weight_distance * dilation) + 4.0 * floor * dilation**2)
    with np.errstate(over="ignore"):
        force = (c.weight_distance * stiffness) * (scale / problem.slope) + 2.0 * floor * (dilation / problem.slope)
        force = force * (c.mean_distance if problem.scaling == "absolute" else 1.0)
    if not problem.spread.is_symmetric:
        # Where F falls, no multiplier pushes r up: the tangent is taken of all but the decay, whose parabola is kept.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            pull = 2.0 * force * (problem.slope / (c.mean_distance if problem.scaling == "absolute" else 1.0))
            falling = _clean_part(problem, dilation, mean) - np.where(pull < 0, pull**2 / (8.0 * problem.decay), 0.0)
        clean, force = np.where(force < 0, falling, clean), np.maximum(force, 0.0)
    return np.where(unknown, -np.inf, clean), np.minimum(force, _LARGEST_FORCE)


def _scale(problem: MemorizationDilation, loss: Loss, dilation: FloatArray) -> FloatArray:
    """``kap r``, at which the clean loss is expanded."""
    scale = np.asarray(problem.configuration.weight_distance * dilation)
    # With the margin on the kink, or a drift, F' is constant near r = 0+, where ``r F'/r`` would vanish.
    return scale if loss.smooth_slope and problem.spread.is_symmetric else np.maximum(scale, 1e-12)


def _dilation_of_pull(problem: MemorizationDilation, loss: Loss, pull: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The r at which ``th`` is `pull`, and F' there, for small r: zero where they underflow."""
    c = problem.configuration
    stiffness = mean_stiffness(loss, problem.spread, c.margin, np.zeros(np.shape(pull)), _room(problem, loss))
    floor = problem.decay + (0.25 * c.weight_sum**2 / problem.spread.dim if problem.ufm.pays_for_mean else 0.0)
    distance = c.mean_distance if problem.scaling == "absolute" else 1.0
    with np.errstate(over="ignore"):
        force = 2.0 * pull / distance * problem.slope
        return np.asarray(0.5 * force / (c.weight_distance**2 * stiffness + 2.0 * floor)), np.asarray(force)


def _room(problem: MemorizationDilation, loss: Loss) -> FloatArray | None:
    return loss.room(problem.configuration.margin, problem.margin_cost)


def _dual_vector(
    problem: MemorizationDilation,
    p: FloatArray,
    sum_slope: FloatArray,
    th: FloatArray,
    margin: FloatArray,
    level: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """``p (w_1-w_2) + p' (w_1+w_2) + 2 lam h_2 - v e_2`` along h_1 - h_2 and along the mean, and v >= 0."""
    c, lam = problem.configuration, problem.decay
    along = p * c.weight_distance - lam * c.mean_distance
    across = sum_slope * c.weight_sum + 2.0 * lam * c.centre_norm
    if not problem.nonnegative_noisy_features:
        return along, across, np.zeros(np.shape(along))
    # e_2 has coordinates (-1, 1)/sqrt2; v cancels the pull that would drive the second coordinate below zero.
    direction, length = _travelled(problem, margin, level)
    pull = (across - along) / np.sqrt(2.0) + (th + 2.0 * lam * length) * (direction[1] - direction[0]) / np.sqrt(2.0)
    v = np.where(_on_boundary(problem, margin, level), np.maximum(pull, 0.0), 0.0)
    return along + v / np.sqrt(2.0), across - v / np.sqrt(2.0), v


def _means(problem: MemorizationDilation, loss: Loss, scale: FloatArray, dilation: FloatArray) -> Means:
    """``E phi`` at the dilation, and ``E zeta phi'/scale`` at the scale: by quadrature, or proved where that needs proof."""
    c, room = problem.configuration, _room(problem, loss)
    known = np.where(np.isnan(dilation), 0.0, dilation)
    mean = mean_loss(loss, problem.spread, c.margin, c.weight_distance * known, room)
    stiffness = mean_stiffness(loss, problem.spread, c.margin, np.where(np.isnan(scale), 0.0, scale), room)
    return (mean, stiffness) if loss.strip_is_proved else proved_means(problem, known, mean, stiffness)


def _clean_part(problem: MemorizationDilation, dilation: FloatArray, mean: FloatArray) -> FloatArray:
    """F(r), for the mean of the loss there."""
    c, lam = problem.configuration, problem.decay
    dilation = np.where(np.isnan(dilation), 0.0, dilation)
    value = 2.0 * mean + 2.0 * lam * ((0.5 * c.mean_distance) ** 2 + c.centre_norm**2 + dilation**2)
    if problem.ufm.pays_for_mean:
        value = value + 0.5 * (c.mean_shortfall**2 + c.weight_sum**2 / problem.spread.dim * dilation**2)
    return value


def _kink_slope(
    problem: MemorizationDilation, th: FloatArray, margin: FloatArray, level: FloatArray, p: FloatArray
) -> FloatArray:
    """The subgradient at a kink that makes the noisy feature stationary, between the one-sided slopes.

    Where the answer also lies on the boundary of ``u >= 0``, the coordinate of the own class mean decides, which the
    multiplier of that constraint does not touch.
    """
    c, lam = problem.configuration, problem.decay
    at_kink = np.isclose(margin, problem.ufm.loss.profile_minimizer(), rtol=1e-9, atol=0.0)
    direction, _ = _travelled(problem, margin, level)
    pull = th * direction[0] + 2.0 * lam * margin / c.weight_distance
    if problem.nonnegative_noisy_features:
        pull = pull + np.where(_on_boundary(problem, margin, level), th * direction[1] + 2.0 * lam * level, 0.0)
    return np.where(at_kink, np.clip(-pull / c.weight_distance, -1.0, 0.0), p)


def _travelled(problem: MemorizationDilation, margin: FloatArray, level: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction (along h_1 - h_2, along the mean) and length of ``u - h_2``."""
    c = problem.configuration
    step = np.stack(np.broadcast_arrays(margin / c.weight_distance + 0.5 * c.mean_distance, level - c.centre_norm))
    length = np.hypot(step[0], step[1])
    return step / np.where(length > 0, length, 1.0), length


def _on_boundary(problem: MemorizationDilation, margin: FloatArray, level: FloatArray) -> NDArray[np.bool_]:
    """Whether the coordinate of u along the other class mean is zero."""
    c = problem.configuration
    return np.asarray(np.abs(level - margin / c.weight_distance) <= 1e-9 * c.mean_distance)
