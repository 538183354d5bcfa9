"""The memorization-dilation problem by its exact one-dimensional reduction, or by its second-order expansion.

What depends on the loss is chosen by its type, here alone: the kernel that solves a block of points, exactly or by the
expansion, and the noisy feature for a given multiplier.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch

import numpy as np

from mdtheory.foundation.blocks import Index, blocks
from mdtheory.foundation.validation import FloatArray, fail, scalar_or_array
from mdtheory.losses import Hinge, Loss, MeanSquaredError
from mdtheory.models.dilation.closed_form import hinge_points, quadratic_points, quadratic_response
from mdtheory.models.dilation.newton import expansion_points, newton_points, respond, respond_at
from mdtheory.models.dilation.points import Points, Position, block_of_points
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.dilation.scan import scan_points
from mdtheory.models.dilation.skew import skew_points
from mdtheory.models.dilation.solution import MD_TOLERANCE, MDSolution
from mdtheory.models.status import Status

# Large enough that threads spend their time inside NumPy rather than waiting for one another.
_BLOCK = 65_536
_MOST_THREADS = 4
# An error of the dilation hardly shows in the objective where there is little noise: an expansion has to do better.
_EXPANSION_TOLERANCE = 1e-13

# From a block of points to their dilation, memorisation, noisy margin and level.
Kernel = Callable[[Points], tuple[FloatArray, ...]]


def solve_reduced(problem: MemorizationDilation) -> MDSolution:
    """Solve by the exact reduction: vectorised, with closed forms for the squared error and the hinge."""
    loss = problem.ufm.loss
    if not problem.spread.is_symmetric:
        return assemble(problem, skew_points, "reduced", Status.INACCURATE)
    return assemble(problem, kernel(loss), "reduced", Status.INACCURATE if loss.is_convex else Status.OBSERVED)


def solve_expansion(problem: MemorizationDilation) -> MDSolution:
    """Second-order expansion of the clean loss in the dilation; exact for the squared error and the hinge."""
    loss = problem.ufm.loss
    if not problem.spread.is_symmetric:
        raise fail("method", "expansion", "needs a symmetric spread: a drift is of first order in the dilation")
    if not loss.is_convex:
        raise fail(
            "method", "expansion", "needs a convex loss: the response of the noisy feature is its proximal operator"
        )
    chosen = expansion_kernel(loss)
    if chosen is not expansion_points:
        return assemble(problem, chosen, "expansion", Status.INACCURATE)
    return assemble(problem, chosen, "expansion", Status.APPROXIMATE, _EXPANSION_TOLERANCE)


# ------------------------------------------------------------------------------ by loss


@singledispatch
def kernel(loss: Loss) -> Kernel:
    """What solves a block of points exactly: Newton's iteration, or the search through all stationary points."""
    return newton_points if loss.is_convex else scan_points


@singledispatch
def expansion_kernel(loss: Loss) -> Kernel:
    """What solves a block of points with the clean loss to second order; the exact kernel where that is exact."""
    return expansion_points


@singledispatch
def _response_kernel(loss: Loss) -> Callable[[Points, FloatArray], Position]:
    return respond


@kernel.register
@expansion_kernel.register
def _(loss: MeanSquaredError) -> Kernel:
    return quadratic_points


@kernel.register
@expansion_kernel.register
def _(loss: Hinge) -> Kernel:
    return hinge_points


@_response_kernel.register
def _(loss: MeanSquaredError) -> Callable[[Points, FloatArray], Position]:
    return quadratic_response


def response(points: Points, nu: FloatArray) -> Position:
    """The noisy feature for multiplier nu >= 0; with its derivatives, a `Response`, unless it is in closed form."""
    return _response_kernel(points.loss)(points, nu)


# ------------------------------------------------------------------------------ over all points


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


def _with_silent_points(points: Points, kernel: Kernel) -> FloatArray:
    """Run `kernel` where there is noise; without noise there is no dilation, and the rest are the limits."""
    noisy = points.noise > 0
    # The multiplier of the hinge does not vanish with the noise, and its closed form holds without noise too.
    if np.all(noisy) or kernel is hinge_points:
        return np.stack(kernel(points))
    rows = np.zeros((4, noisy.size))
    if np.any(noisy):
        rows[:, noisy] = np.stack(kernel(points.take(noisy)))
    silent = points.take(~noisy)
    rows[1:, ~noisy] = np.stack(kernel_limit(silent))
    return rows


def kernel_limit(points: Points) -> tuple[FloatArray, ...]:
    """Memorisation, noisy margin and level as the noise goes to zero: the multiplier vanishes."""
    zero = np.zeros(points.classes.margin.shape)
    if not points.loss.shift_invariant:
        answer = response(points, zero)
        return answer.rho, answer.margin, answer.level
    decays = points.decay > 0
    rows = np.empty((3, points.classes.margin.size))
    if np.any(decays) and not points.loss.is_convex:
        # Several margins may be stationary: ask for the best at a noise too small to matter.
        tiny = np.full(zero.shape, 1e-100)
        rows[:, decays] = scan_points(replace(points, noise=tiny, log_noise=np.log(tiny)).take(decays))[1:]
    elif np.any(decays):
        held = respond_at(points.take(decays), np.full(np.count_nonzero(decays), -np.inf))
        rows[:, decays] = held.rho, held.margin, held.level
    if np.any(~decays):
        free = points.take(~decays)
        t = np.broadcast_to(free.loss.profile_minimizer(), free.classes.margin.shape)
        level = free.classes.centre_norm
        if free.constrained:
            level = np.maximum(level, t / free.classes.weight_distance)
        rows[:, ~decays] = (
            np.hypot((t + free.classes.margin) / free.classes.weight_distance, level - free.classes.centre_norm),
            t,
            level,
        )
    return tuple(rows)
