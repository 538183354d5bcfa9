r"""Noisy features for multipliers outside the range of a double, in logarithms.

With ``T = log(lam + nu)`` the displacement solves ``w = share s + step q``, ``share = lam e^-T``,
``step = kap^2 e^-T/2``, ``q = -phi'(w - s)``. A step below e^-600 leaves q at its value at w = share s; one above e^600
is solved as ``log(w - share s) = log step + log q``.
"""

from dataclasses import dataclass

import numpy as np

from mdtheory.expectation import restrict
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.models.dilation.points import Points, Response

# Logarithms of steps beyond which the step itself is not formed.
_FAR = 600.0
# Logarithms of the smallest and largest double.
_LEAST, _MOST = -745.0, 709.7


@dataclass(frozen=True, slots=True)
class _Displacement:
    """w and log w, and ``1 + step phi''``, by which w responds to its offset."""

    size: FloatArray
    log_size: FloatArray
    resistance: FloatArray


def distant_response(points: Points, log_nu: FloatArray, start: FloatArray | None = None) -> Response:
    """The noisy feature for the logarithm of a multiplier; `start` is not used."""
    classes = points.classes
    # A displacement that overflows makes its point NaN.
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        log_lam, log_kap = np.log(points.decay), np.log(classes.weight_distance)
        log_total = np.logaddexp(log_lam, log_nu)
        log_step, log_share = 2.0 * log_kap - np.log(2.0) - log_total, log_lam - log_total
        mobile = np.exp(log_nu - log_total)
        found = _displace(points.loss, classes.margin, log_step, log_share)
        along, across = found.log_size - log_kap, log_share + np.log(classes.centre_norm)
        log_rho = np.maximum(0.5 * np.logaddexp(2.0 * along, 2.0 * across), -1e300)
        share = np.exp(2.0 * (along - log_rho)) / found.resistance + np.exp(2.0 * (across - log_rho))
        share = np.where(np.isinf(log_rho), 1.0, share)
        answer = Response(
            np.exp(log_rho),
            found.size - classes.margin,
            classes.centre_norm * -np.expm1(log_share),
            -mobile * share,
            np.where(np.isinf(found.size), 0.0, -mobile * found.size / found.resistance),
            log_rho,
        )
        return _distant_face(points, log_step, mobile, answer) if points.constrained else answer


def _distant_face(points: Points, log_step: FloatArray, mobile: FloatArray, interior: Response) -> Response:
    """As in `newton`: on the face the margin solves the same equation without offset, with half the step."""
    classes = points.classes
    outside = interior.level < interior.margin / classes.weight_distance
    none = np.zeros(log_step.shape)
    found = _displace(points.loss, none, log_step - np.log(2.0), np.full(none.shape, -np.inf))
    reach = found.size * np.sqrt(2.0) / classes.weight_distance
    rho = np.hypot(classes.mean_distance / np.sqrt(2.0), reach)
    log_rho = np.log(rho)
    face = (
        rho,
        found.size,
        reach / np.sqrt(2.0),
        -mobile * np.where(np.isinf(reach), 1.0, reach / rho) ** 2 / found.resistance,
        np.where(np.isinf(found.size), 0.0, -mobile * found.size / found.resistance),
        log_rho,
    )
    names = ("rho", "margin", "level", "elasticity", "velocity", "log_rho")
    return Response(*(np.where(outside, x, getattr(interior, name)) for name, x in zip(names, face, strict=True)))


def _displace(loss: Loss, s: FloatArray, log_step: FloatArray, log_share: FloatArray) -> _Displacement:
    offset = np.exp(log_share) * s
    small, large = log_step < -_FAR, log_step > _FAR
    size, log_size = np.empty(s.shape), np.empty(s.shape)
    if np.any(small):
        at = restrict(loss, small)
        log_force = at.log_force(offset[small] - s[small])
        log_size[small] = np.logaddexp(log_share[small] + np.log(s[small]), log_step[small] + log_force)
        size[small] = np.exp(log_size[small])
    if np.any(large):
        log_size[large] = _far_out(restrict(loss, large), s[large], log_step[large], offset[large])
        size[large] = np.exp(log_size[large])
    rest = ~(small | large)
    if np.any(rest):
        at = restrict(loss, rest)
        size[rest] = at.displacement(s[rest], np.exp(log_step[rest]), offset[rest])
        log_size[rest] = np.log(size[rest])
    bend = np.maximum(loss.profile_curvature(np.where(np.isfinite(size), size, 0.0) - s), 0.0)
    return _Displacement(size, log_size, 1.0 + np.exp(np.minimum(log_step + np.log(bend), 700.0)))


def _far_out(loss: Loss, s: FloatArray, log_step: FloatArray, offset: FloatArray) -> FloatArray:
    """log w by bisection; infinite where w overflows."""
    low, high = np.full(s.shape, _LEAST), np.full(s.shape, _MOST)
    for _ in range(120):
        middle = 0.5 * (low + high)
        below = middle < log_step + loss.log_force(offset + np.exp(middle) - s)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    log_size = np.log(offset + np.exp(0.5 * (low + high)))
    return np.where(low > _MOST - 1e-6, np.inf, log_size)
