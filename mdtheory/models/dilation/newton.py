r"""The noisy feature of a loss that is a function of the margin alone, and Newton's iteration for its multiplier.

With c = D^q/C the constraint is tight, ``r = eta c rho``, and the multiplier nu of the ball solves

    nu = eta c^2 F'(r)/(4 r),   where  w = offset - step phi'(w - s),  t = w - s,
    offset = lam s/(lam + nu),  step = kap^2/(2 (lam + nu)),  rho^2 = (lam/(lam+nu))^2 m^2 + (w/kap)^2.

log nu minus the logarithm of the right-hand side increases in log nu with a slope near one, so a safeguarded Newton
iteration in log nu needs few evaluations of the expectation F'. Where nu, c or eta c^2 leave the range of a double
(slopes to 1e-300, noise to 1e-300), the logarithms themselves are the numbers that are computed with.
"""

from dataclasses import replace

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.dilation.distant import distant_response
from mdtheory.models.dilation.points import Points, Response

# Every third step halves the bracket, which is at most 1e4 wide: fewer steps than these leave it at rounding.
_MAX_STEPS = 250
# Multipliers and factors whose logarithms are within this are computed with as they are.
_ORDINARY = 230.0


def newton_points(points: Points) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level at a block of points with positive noise, for a convex loss.

    A point without an answer in the range of a double, or at which the iteration did not settle, is NaN.
    """
    log_nu, start = _log_multiplier(points)
    return rows_of(points, respond_at(points, log_nu, start))


def expansion_points(points: Points) -> tuple[FloatArray, ...]:
    """With F'(r) = F2 r the multiplier is known, ``nu = F2 eta c^2/4``, and the noisy margin follows from it."""
    log_nu = points.log_gain + np.log(np.maximum(points.initial_stiffness(), 1e-300))
    return rows_of(points, respond_at(points, log_nu))


def respond(points: Points, nu: FloatArray, start: FloatArray | None = None) -> Response:
    """The noisy feature for multiplier nu >= 0, for a loss that is a function of the margin alone."""
    classes = points.classes
    total = points.decay + nu
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(total > 0, 0.5 * classes.weight_distance**2 / total, np.inf)
        share = np.where(total > 0, points.decay / total, 0.0)
    w = points.loss.displacement(classes.margin, step, share * classes.margin, start)
    t = w - classes.margin
    drop = share * classes.centre_norm
    rho = np.sqrt((w / classes.weight_distance) ** 2 + drop**2)
    level = classes.centre_norm - drop
    # Implicit differentiation: (lam + nu + kap^2 phi''/2) dw = -w dnu and d(drop) = -drop/(lam + nu) dnu.
    _, curvature = points.loss.slope_and_curvature(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = w / (total + 0.5 * classes.weight_distance**2 * curvature)
        fall = w * rate / classes.weight_distance**2 + drop**2 / total
        elasticity = -nu * fall / rho**2
    answer = Response(rho, t, level, elasticity, -nu * rate)
    return _on_face(points, nu, answer) if points.constrained else answer


def respond_at(points: Points, log_nu: FloatArray, start: FloatArray | None = None) -> Response:
    """The same for the logarithm of a multiplier, wherever it lies."""
    distant = (np.abs(log_nu) > _ORDINARY) | points.extreme
    if not np.any(distant):
        return respond(points, np.exp(log_nu), start)
    rows = np.empty((6, log_nu.size))
    for mask, function in ((distant, distant_response), (~distant, _near_response)):
        if np.any(mask):
            part = function(points.take(mask), log_nu[mask], None if start is None else start[mask])
            rows[:, mask] = part.rho, part.margin, part.level, part.elasticity, part.velocity, part.log_rho
    return Response(*rows)


def rows_of(points: Points, answer: Response) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level; all NaN where one of them is not finite."""
    with np.errstate(divide="ignore"):
        log_rho = np.log(answer.rho) if answer.log_rho is None else answer.log_rho
    rows = np.stack([points.dilation_of(answer.rho, log_rho), answer.rho, answer.margin, answer.level])
    rows[:, ~np.all(np.isfinite(rows), axis=0)] = np.nan
    return tuple(rows)


def scale_of(points: Points, answer: Response) -> FloatArray:
    """``kap r`` of a response, within the range at which expectations are taken."""
    if answer.log_rho is None:
        return np.asarray(points.classes.weight_distance * points.noise * points.rate * answer.rho)
    log_scale = np.log(points.classes.weight_distance) + points.log_noise + points.log_rate + answer.log_rho
    # Not a number where a memorization overflows: then no multiplier is large enough.
    return np.asarray(np.exp(np.clip(np.where(np.isnan(log_scale), 100.0, log_scale), -700.0, 100.0)))


def _log_multiplier(points: Points) -> tuple[FloatArray, FloatArray | None]:
    """log nu at every point, and a guess of the displacement w there; NaN where the iteration does not settle."""
    log_gain = points.log_gain
    log_nu = log_gain + np.log(np.maximum(points.initial_stiffness(), 1e-300))
    low, high = np.full(log_nu.shape, -np.inf), np.full(log_nu.shape, np.inf)
    start: FloatArray | None = None
    # What is settled leaves the iteration once it is the larger part: a few steep points take many more steps.
    found, guess, index = np.full(log_nu.shape, np.nan), np.empty(log_nu.shape), np.arange(log_nu.size)
    for step in range(_MAX_STEPS):
        answer = respond_at(points, log_nu, start)
        first, second = points.stiffness(scale_of(points, answer))
        residual = log_nu - log_gain - np.log(first)
        derivative = 1.0 - (second / first - 1.0) * answer.elasticity
        low, high = np.where(residual < 0, log_nu, low), np.where(residual > 0, log_nu, high)
        change = -residual / np.maximum(derivative, 1e-3)
        # Without a bracket the steps grow until there is one.
        reach = 8.0 * 2.0 ** max(step - 4, 0) if step < 12 else 2048.0
        updated = log_nu + np.clip(change, -reach, reach)
        bracketed = np.isfinite(low) & np.isfinite(high)
        middle = 0.5 * (np.where(bracketed, low, 0.0) + np.where(bracketed, high, 0.0))
        outside = bracketed & ~((updated >= low) & (updated <= high))
        if step > 3 and step % 3 == 1:
            # Newton jumps to and fro across a steep fall of F'(r)/r; halving ends that.
            outside |= bracketed & (np.abs(change) > 1e-3)
        updated = np.where(outside, middle, updated)
        settled = (np.abs(updated - log_nu) < 1e-6) & ~outside | ~np.isfinite(residual)
        if step > 8:
            settled |= bracketed & (high - low <= 1e-15 * np.maximum(np.abs(middle), 10.0))
        if not points.constrained:
            start = answer.margin + points.classes.margin + answer.velocity * (updated - log_nu)
            guess[index] = start
        log_nu = updated
        found[index[settled]] = log_nu[settled]
        if np.all(settled):
            break
        if 2 * np.count_nonzero(settled) > settled.size:
            rest = ~settled
            points, index = points.take(rest), index[rest]
            log_gain, log_nu, low, high = log_gain[rest], log_nu[rest], low[rest], high[rest]
            start = None if start is None else start[rest]
    return found, None if points.constrained else guess


def _near_response(points: Points, log_nu: FloatArray, start: FloatArray | None) -> Response:
    answer = respond(points, np.exp(log_nu), start)
    return replace(answer, log_rho=np.log(answer.rho))


def _on_face(points: Points, nu: FloatArray, interior: Response) -> Response:
    """Replace responses that left the cone by those on its face, where u is a multiple of the own class mean."""
    classes = points.classes
    a, c = classes.mean_distance / np.sqrt(2.0), classes.weight_distance / np.sqrt(2.0)
    outside = interior.level < interior.margin / classes.weight_distance
    if not np.any(outside):
        return interior
    total = points.decay + nu
    # t (lam + nu) + (c^2/2) phi'(t) = 0 is the same equation with margin 0 and offset 0.
    zero = np.zeros(total.shape)
    with np.errstate(divide="ignore"):
        t = points.loss.displacement(zero, 0.5 * c**2 / total, zero)
    reach = t / c
    rho = np.hypot(a, reach)
    rate = reach / (total + 0.5 * c**2 * points.loss.profile_curvature(t))
    face = Response(rho, t, reach / np.sqrt(2.0), -nu * reach * rate / rho**2, -nu * rate * c)
    names = ("rho", "margin", "level", "elasticity", "velocity")
    return Response(*(np.where(outside, getattr(face, n), getattr(interior, n)) for n in names))
