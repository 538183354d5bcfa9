"""Questions about the limited-expressivity model: the worst slope, where memorising is given up, and which loss dilates less.

Each is answered for arrays of problems at once: a grid in one parameter brackets what is looked for, and what was bracketed is refined.
Nothing proves that a function of the slope has one peak or one zero (no draw has denied the peak); what lies between the points of the grid may be
missed, and the largest peak or the smallest zero *of the grid* is what is refined.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mdtheory.foundation.validation import FloatArray, Real, fail, instance, one_point, scalar_or_array
from mdtheory.losses import Loss
from mdtheory.losses.base import TargetLoss
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.solving import solve
from mdtheory.numerics.bracketing import bisect

# Slopes are looked at from the noise over this to the noise times this: full memorisation has ND = eta/C.
_DECADES = 1e4
_GRID = 65
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
_GOLDEN_STEPS = 45
_LARGEST_SMOOTHING = 0.9
# A jump is looked for among so many slopes at a time, until their logarithms are this close; the distance then changes by this factor.
_INNER, _HALVINGS, _NARROW, _JUMP = 7, 20, 2e-15, 1.01

Answer = Callable[[FloatArray], FloatArray]


def worst_slope(problem: LimitedExpressivity) -> Real:
    r"""The slope at which the normalised dilation is largest.

    A network that can memorise freely dilates little, one that cannot memorise does not either; in between is the worst slope.

    Parameters
    ----------
    problem : LimitedExpressivity
        Its own slope does not matter.

    Returns
    -------
    float or array
        C, of the broadcast shape of the other parameters; NaN where no label is wrong or everything has collapsed at every slope.

    Raises
    ------
    AssumptionError
        If `problem` is no `LimitedExpressivity` of classes that are alike, or its classes differ.

    Notes
    -----
    A peak is flat: C is right to about 1e-7, the dilation there to rounding.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=1/9, slope=1.0, weight_decay=5e-3, feature_decay=5e-3)
    >>> round(worst_slope(joint), 6)
    0.069702
    """
    start, shape = _start(problem)

    def dilation(log_slope: FloatArray) -> FloatArray:
        found = np.asarray(solve(replace(problem, slope=np.exp(log_slope))).normalized_dilation)
        return np.where(np.isnan(found), -np.inf, found)

    grid = _grid(start)
    values = np.stack([dilation(at) for at in grid])
    best = np.clip(np.argmax(values, axis=0), 1, _GRID - 2)
    low, high = (np.take_along_axis(grid, (best + step)[None], axis=0)[0] for step in (-1, 1))
    peak = np.exp(_largest(dilation, low, high))
    missing = (np.broadcast_to(problem.noise_per_class, shape) == 0) | np.all(np.isneginf(values), axis=0)
    return scalar_or_array(np.where(missing, np.nan, peak))


def giving_up_slope(problem: LimitedExpressivity) -> Real:
    """The slope below which noisy examples are not memorised: their margin for their label is zero.

    Parameters
    ----------
    problem : LimitedExpressivity
        Its own slope does not matter.

    Returns
    -------
    float or array
        C, of the broadcast shape of the other parameters; NaN where no label is wrong, or the margin has no zero on the grid.

    Raises
    ------
    AssumptionError
        If `problem` is no `LimitedExpressivity` of classes that are alike, or its classes differ.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=1/9, slope=1.0, weight_decay=5e-3, feature_decay=5e-3)
    >>> round(giving_up_slope(joint), 10)
    0.0748554696
    """
    start, shape = _start(problem)

    def margin(log_slope: FloatArray) -> FloatArray:
        return np.asarray(solve(replace(problem, slope=np.exp(log_slope))).noisy_margin)

    found = _first_zero(margin, _grid(start))
    return scalar_or_array(np.where(np.broadcast_to(problem.noise_per_class, shape) == 0, np.nan, np.exp(found)))


def giving_up_noise(problem: LimitedExpressivity) -> Real:
    """The least noise from which on noisy examples are not memorised: their margin for their label is zero.

    Parameters
    ----------
    problem : LimitedExpressivity
        Its own noise does not matter.

    Returns
    -------
    float or array
        eta, a ratio, of the broadcast shape of the other parameters; NaN where the margin has no zero on the grid, from 1e-6 to what leaves no
        information.

    Raises
    ------
    AssumptionError
        If `problem` is no `LimitedExpressivity`, or its classes differ.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=0.1, slope=0.0748554696, weight_decay=5e-3, feature_decay=5e-3)
    >>> round(giving_up_noise(joint), 6)      # 1/9, see `giving_up_slope`
    0.111111
    """
    _check(problem)
    if problem.noise is None:
        raise fail("noise_matrix", problem.noise_matrix, "must be given as noise")
    shape = replace(problem, noise=0.1).shape
    grid = np.log(np.geomspace(1e-6, (problem.num_classes - 1.0) * (1.0 - 1e-9), _GRID))

    def margin(log_noise: FloatArray) -> FloatArray:
        return np.asarray(solve(replace(problem, noise=np.exp(log_noise))).noisy_margin)

    found = _first_zero(margin, grid.reshape(-1, *(1,) * len(shape)) + np.zeros(shape))
    return scalar_or_array(np.exp(found))


def merging_slope(problem: LimitedExpressivity) -> Real:
    r"""The slope of a first-order transition of the absolute scaling, at which the class means jump apart.

    Below it the best class means have merged, D ~ C^2, and the noisy features alone are apart; above it they are separate. At the
    transition both are as good: the optimum has a kink, and the dilation a jump.

    Parameters
    ----------
    problem : LimitedExpressivity
        Of one point, with ``scaling="absolute"``. Its own slope does not matter.

    Returns
    -------
    float
        C; NaN where the distance of the means jumps nowhere on the grid: it may shrink without a jump.

    Raises
    ------
    AssumptionError
        If `problem` is no `LimitedExpressivity` of one point, with classes alike and the absolute scaling.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=1/3, slope=1.0, weight_decay=1e-3, feature_decay=1e-3, scaling="absolute")
    >>> round(0.75 * merging_slope(joint), 10)      # the slope of an inequality between probabilities
    0.0178524131
    """
    _check(problem)
    if problem.scaling != "absolute":
        raise fail("scaling", problem.scaling, "must be 'absolute': class means do not merge with the relative one")
    one_point(replace(problem, slope=1.0).shape)
    noise = float(problem.noise_per_class)
    if noise == 0.0:
        return float("nan")
    slopes = noise * np.geomspace(1.0 / _DECADES, _DECADES, _GRID)
    distance = np.asarray(solve(replace(problem, slope=slopes)).mean_distance)
    with np.errstate(divide="ignore", invalid="ignore"):
        jumps = np.diff(np.log(distance))
    jumps = np.where(np.isfinite(jumps), jumps, 0.0)
    at = int(np.argmax(jumps))
    low, high = np.log(slopes[at]), np.log(slopes[at + 1])
    merged, apart = distance[at], distance[at + 1]
    for _ in range(_HALVINGS):
        # A few slopes between both at once: a solver of arrays takes no longer for them.
        inner = np.linspace(low, high, _INNER + 2)[1:-1]
        found = np.asarray(solve(replace(problem, slope=np.exp(inner))).mean_distance)
        steps = np.concatenate([[merged], found, [apart]])
        if not np.all(steps > 0.0):
            return float("nan")
        k = int(np.argmax(np.diff(np.log(steps))))
        ends = np.concatenate([[low], inner, [high]])
        low, high, merged, apart = ends[k], ends[k + 1], steps[k], steps[k + 1]
        if high - low < _NARROW:
            break
    return float(np.exp(0.5 * (low + high))) if apart > _JUMP * merged else float("nan")


def equal_dilation_slope(problem: LimitedExpressivity, other: Loss) -> Real:
    """The smallest slope at which another loss has the same normalised dilation, each with configurations of its own.

    Parameters
    ----------
    problem : LimitedExpressivity
        Its own slope does not matter.
    other : Loss

    Returns
    -------
    float or array
        C, of the broadcast shape of the other parameters; NaN where the dilations do not cross on the grid.

    Raises
    ------
    AssumptionError
        If `problem` is no `LimitedExpressivity` of classes that are alike, or `other` is not covered.

    Examples
    --------
    Below it cross-entropy dilates more than with smoothing, above it less, at this noise and decay:

    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=1/9, slope=1.0, weight_decay=5e-3, feature_decay=5e-3)
    >>> round(equal_dilation_slope(joint, mdt.CrossEntropy(0.1)), 5)
    0.13966
    """
    start, _ = _start(problem)
    instance("other", other, Loss, "a Loss, for example CrossEntropy(0.1)")

    def log_ratio(log_slope: FloatArray) -> FloatArray:
        ours, theirs = (
            np.asarray(solve(replace(problem, loss=loss, slope=np.exp(log_slope))).normalized_dilation)
            for loss in (problem.loss, other)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(ours / theirs))

    return scalar_or_array(np.exp(_first_zero(log_ratio, _grid(start))))


def least_error_smoothing(problem: LimitedExpressivity) -> Real:
    """The label smoothing, from 0 to 0.9, with the least normalised dilation, and so with the least error on unseen examples.

    Parameters
    ----------
    problem : LimitedExpressivity
        With a loss that has a smoothing, which does not matter, as one number.

    Returns
    -------
    float or array
        Of the broadcast shape of the other parameters; NaN where everything has collapsed at every smoothing.

    Raises
    ------
    AssumptionError
        If `problem` is no `LimitedExpressivity` of classes that are alike, or its loss has no smoothing.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=0.1, slope=[0.05, 0.5], weight_decay=5e-3, feature_decay=5e-3)
    >>> least_error_smoothing(joint).round(3)
    array([0.9, 0. ])
    """
    _check(problem)
    loss = problem.loss
    if not isinstance(loss, TargetLoss):
        raise fail("loss", loss, "must be a loss with label smoothing, for example CrossEntropy()")
    shape = replace(problem, loss=loss.with_parameters(smoothing=0.0)).shape

    def less(smoothing: FloatArray) -> FloatArray:
        smoothed = loss.with_parameters(smoothing=np.clip(smoothing, 0.0, _LARGEST_SMOOTHING))
        found = np.asarray(solve(replace(problem, loss=smoothed)).normalized_dilation)
        return np.where(np.isnan(found), -np.inf, -found)

    grid = np.linspace(0.0, _LARGEST_SMOOTHING, _GRID).reshape(-1, *(1,) * len(shape)) + np.zeros(shape)
    values = np.stack([less(at) for at in grid])
    best = np.argmax(values, axis=0)
    low, high = (np.take_along_axis(grid, np.clip(best + step, 0, _GRID - 1)[None], axis=0)[0] for step in (-1, 1))
    refined = _largest(less, low, high)
    ends = [np.zeros(shape), np.full(shape, _LARGEST_SMOOTHING)]
    candidates = np.stack([refined, *ends])
    chosen = np.argmax(np.stack([less(at) for at in candidates]), axis=0)
    found = np.take_along_axis(candidates, chosen[None], axis=0)[0]
    return scalar_or_array(np.where(np.all(np.isneginf(values), axis=0), np.nan, found))


def _check(problem: LimitedExpressivity) -> None:
    instance("problem", problem, LimitedExpressivity, "a LimitedExpressivity")
    if problem.class_axis:
        raise fail("problem", problem, "must have classes that are alike: others have a dilation each")


def _start(problem: LimitedExpressivity) -> tuple[FloatArray, tuple[int, ...]]:
    """The logarithm of the noise (where there is some), around which slopes are looked at, and the shape."""
    _check(problem)
    shape = replace(problem, slope=1.0).shape
    noise = np.broadcast_to(problem.noise_per_class, shape)
    return np.log(np.where(noise > 0, noise, 1.0)), shape


def _grid(start: FloatArray) -> FloatArray:
    """(points, ...): logarithms of slopes."""
    offsets = np.linspace(-np.log(_DECADES), np.log(_DECADES), _GRID)
    return np.asarray(offsets.reshape(-1, *(1,) * start.ndim) + start)


def _first_zero(function: Answer, grid: FloatArray) -> FloatArray:
    """The first sign change of the grid, refined; NaN where there is none."""
    values = np.stack([function(at) for at in grid])
    with np.errstate(invalid="ignore"):
        changes = np.sign(values[1:]) * np.sign(values[:-1]) < 0
    where = np.argmax(changes, axis=0)
    some = np.any(changes, axis=0)
    low, high = (np.take_along_axis(grid, (where + step)[None], axis=0)[0] for step in (0, 1))
    rising = np.take_along_axis(values, where[None], axis=0)[0] < 0
    sign = np.where(rising, 1.0, -1.0)

    def oriented(at: FloatArray) -> FloatArray:
        found = sign * function(at)
        # Where nothing changes sign any end will do.
        return np.where(some & ~np.isnan(found), found, at - grid[0])

    return np.where(some, bisect(oriented, low, high), np.nan)


def _largest(function: Answer, low: FloatArray, high: FloatArray) -> FloatArray:
    """The place of the peak between two places, by golden sections."""
    low, high = np.array(low), np.array(high)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(_GOLDEN_STEPS):
        rises = at_left < at_right
        low, high = np.where(rises, left, low), np.where(rises, high, right)
        left_next, right_next = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        new = function(np.where(rises, right_next, left_next))
        at_left, at_right = np.where(rises, at_right, new), np.where(rises, new, at_left)
        left, right = left_next, right_next
    return np.asarray(0.5 * (low + high))
