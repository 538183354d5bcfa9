r"""The memorization-dilation problem by its exact one-dimensional reduction.

With c = D^q/C the constraint is tight, ``r = eta c rho``, and the multiplier nu of the ball solves

    nu = eta c^2 F'(r)/(4 r),   where  w = offset - step phi'(w - s),  t = w - s,
    offset = lam s/(lam + nu),  step = kap^2/(2 (lam + nu)),  rho^2 = (lam/(lam+nu))^2 m^2 + (w/kap)^2.

log nu minus the logarithm of the right-hand side increases in log nu with a slope near one, so a safeguarded Newton
iteration in log nu needs few evaluations of the expectation F'. Where nu, c or eta c^2 leave the range of a double
(slopes to 1e-300, noise to 1e-300), the logarithms themselves are the numbers that are computed with.
"""

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mdtheory.blocks import Index, blocks
from mdtheory.losses import Hinge, MeanSquaredError
from mdtheory.problems import MemorizationDilation
from mdtheory.solutions import MD_TOLERANCE, MDSolution
from mdtheory.solvers.points import Points, Response, block_of_points
from mdtheory.status import Status
from mdtheory.validation import FloatArray, scalar_or_array

# Large enough that threads spend their time inside NumPy rather than waiting for one another.
_BLOCK = 65_536
_MOST_THREADS = 4
# Every third step halves the bracket, which is at most 1e4 wide: fewer steps than these leave it at rounding.
_MAX_STEPS = 250
# Multipliers and factors whose logarithms are within this are computed with as they are.
_ORDINARY = 230.0


Kernel = Callable[[Points], tuple[FloatArray, ...]]


def solve_reduced(problem: MemorizationDilation) -> MDSolution:
    """Solve by the exact reduction: vectorised, with closed forms for the squared error and the hinge."""
    from mdtheory.solvers.closed_form import hinge_points, quadratic_points
    from mdtheory.solvers.scan import scan_points

    loss = problem.ufm.loss
    kernel: Kernel
    if isinstance(loss, MeanSquaredError):
        kernel = quadratic_points
    elif isinstance(loss, Hinge):
        kernel = hinge_points
    elif loss.is_convex:
        kernel = newton_points
    else:
        kernel = scan_points
    return assemble(problem, kernel, "reduced", Status.INACCURATE if loss.is_convex else Status.OBSERVED)


def assemble(
    problem: MemorizationDilation, kernel: Kernel, method: str, when_open: Status, tolerance: float = MD_TOLERANCE
) -> MDSolution:
    """Run `kernel` on blocks of points and shape the answer like the problem."""
    configuration, shape = problem.configuration, problem.shape
    rows = np.empty((4, *shape))

    def solve_block(index: Index) -> None:
        target = rows[(slice(None), *index)]
        points = block_of_points(problem, configuration, index, target[0].size)
        target[...] = _with_silent_points(points, kernel).reshape(target.shape)

    _run_side_by_side(solve_block, list(blocks(shape, _BLOCK)))

    def solution(rows: FloatArray) -> MDSolution:
        dilation, memorization, margin, level = (scalar_or_array(row) for row in rows)
        return MDSolution(problem, dilation, memorization, margin, level, method, when_open, tolerance)

    answer = solution(rows)
    if problem.ufm.loss.strip_is_proved:
        return answer
    # The search trusted a quadrature that trusts what the user states; the objective does not.
    at_rest = np.broadcast_arrays(0.0, 0.0, -configuration.margin, configuration.centre_norm, rows[0])[:4]
    worse = np.asarray(answer.objective) > np.asarray(solution(np.stack(at_rest)).objective)
    return solution(np.where(worse, at_rest, rows)) if np.any(worse) else answer


def _run_side_by_side(task: Callable[[Index], None], indices: list[Index]) -> None:
    """Run independent tasks on a few threads: NumPy releases the interpreter lock inside its loops."""
    if len(indices) == 1:
        task(indices[0])
        return
    from concurrent.futures import ThreadPoolExecutor  # not needed for a single block, and slow to import

    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS, len(indices))) as pool:
        try:
            for future in [pool.submit(task, index) for index in indices]:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def respond(points: Points, nu: FloatArray, start: FloatArray | None = None) -> Response:
    """The noisy feature for multiplier nu >= 0, for a loss that is a function of the margin alone."""
    total = points.lam + nu
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(total > 0, 0.5 * points.kap**2 / total, np.inf)
        share = np.where(total > 0, points.lam / total, 0.0)
    w = points.loss.displacement(points.s, step, share * points.s, start)
    t = w - points.s
    drop = share * points.centre
    rho = np.sqrt((w / points.kap) ** 2 + drop**2)
    level = points.centre - drop
    # Implicit differentiation: (lam + nu + kap^2 phi''/2) dw = -w dnu and d(drop) = -drop/(lam + nu) dnu.
    _, curvature = points.loss.slope_and_curvature(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = w / (total + 0.5 * points.kap**2 * curvature)
        fall = w * rate / points.kap**2 + drop**2 / total
        elasticity = -nu * fall / rho**2
    answer = Response(rho, t, level, elasticity, -nu * rate)
    return _on_face(points, nu, answer) if points.constrained else answer


def respond_at(points: Points, log_nu: FloatArray, start: FloatArray | None = None) -> Response:
    """The same for the logarithm of a multiplier, wherever it lies."""
    from mdtheory.solvers.distant import distant_response

    distant = (np.abs(log_nu) > _ORDINARY) | points.extreme
    if not np.any(distant):
        return respond(points, np.exp(log_nu), start)
    rows = np.empty((6, log_nu.size))
    for mask, function in ((distant, distant_response), (~distant, _near_response)):
        if np.any(mask):
            part = function(points.take(mask), log_nu[mask], None if start is None else start[mask])
            rows[:, mask] = part.rho, part.margin, part.level, part.elasticity, part.velocity, part.log_rho
    return Response(*rows)


def _near_response(points: Points, log_nu: FloatArray, start: FloatArray | None) -> Response:
    answer = respond(points, np.exp(log_nu), start)
    return replace(answer, log_rho=np.log(answer.rho))


def scale_of(points: Points, answer: Response) -> FloatArray:
    """``kap r`` of a response, within the range at which expectations are taken."""
    if answer.log_rho is None:
        return np.asarray(points.kap * points.eta * points.c * answer.rho)
    log_scale = np.log(points.kap) + points.log_eta + points.log_c + answer.log_rho
    # Not a number where a memorization overflows: then no multiplier is large enough.
    return np.asarray(np.exp(np.clip(np.where(np.isnan(log_scale), 100.0, log_scale), -700.0, 100.0)))


def newton_points(points: Points) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level at a block of points with positive noise, for a convex loss.

    A point without an answer in the range of a double, or at which the iteration did not settle, is NaN.
    """
    log_nu, start = _log_multiplier(points)
    return rows_of(points, respond_at(points, log_nu, start))


def rows_of(points: Points, answer: Response) -> tuple[FloatArray, ...]:
    """Dilation, memorisation, noisy margin and level; all NaN where one of them is not finite."""
    with np.errstate(divide="ignore"):
        log_rho = np.log(answer.rho) if answer.log_rho is None else answer.log_rho
    rows = np.stack([points.dilation_of(answer.rho, log_rho), answer.rho, answer.margin, answer.level])
    rows[:, ~np.all(np.isfinite(rows), axis=0)] = np.nan
    return tuple(rows)


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
            start = answer.margin + points.s + answer.velocity * (updated - log_nu)
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


def _on_face(points: Points, nu: FloatArray, interior: Response) -> Response:
    """Replace responses that left the cone by those on its face, where u is a multiple of the own class mean."""
    a, c = points.distance / np.sqrt(2.0), points.kap / np.sqrt(2.0)
    outside = interior.level < interior.margin / points.kap
    if not np.any(outside):
        return interior
    total = points.lam + nu
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


def _with_silent_points(points: Points, kernel: Kernel) -> FloatArray:
    """Run `kernel` where there is noise; without noise there is no dilation, and the rest are the limits."""
    noisy = points.eta > 0
    # The multiplier of the hinge does not vanish with the noise, and its closed form holds without noise too.
    if np.all(noisy) or isinstance(points.loss, Hinge):
        return np.stack(kernel(points))
    rows = np.zeros((4, noisy.size))
    if np.any(noisy):
        rows[:, noisy] = np.stack(kernel(points.take(noisy)))
    silent = points.take(~noisy)
    rows[1:, ~noisy] = np.stack(kernel_limit(silent))
    return rows


def kernel_limit(points: Points) -> tuple[FloatArray, ...]:
    """Memorisation, noisy margin and level as the noise goes to zero: the multiplier vanishes."""
    from mdtheory.solvers.closed_form import quadratic_response
    from mdtheory.solvers.scan import scan_points

    zero = np.zeros(points.s.shape)
    if isinstance(points.loss, MeanSquaredError):
        answer = quadratic_response(points, zero)
        return answer.rho, answer.margin, answer.level
    decays = points.lam > 0
    rows = np.empty((3, points.s.size))
    if np.any(decays) and not points.loss.is_convex:
        # Several margins may be stationary: ask for the best at a noise too small to matter.
        tiny = np.full(zero.shape, 1e-100)
        rows[:, decays] = scan_points(replace(points, eta=tiny, log_eta=np.log(tiny)).take(decays))[1:]
    elif np.any(decays):
        answer = respond_at(points.take(decays), np.full(np.count_nonzero(decays), -np.inf))
        rows[:, decays] = answer.rho, answer.margin, answer.level
    if np.any(~decays):
        free = points.take(~decays)
        t = np.broadcast_to(free.loss.profile_minimizer(), free.s.shape)
        level = free.centre
        if free.constrained:
            level = np.maximum(level, t / free.kap)
        rows[:, ~decays] = np.hypot((t + free.s) / free.kap, level - free.centre), t, level
    return tuple(rows)
