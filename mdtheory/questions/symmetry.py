"""Below which slope the classes of a limited-expressivity problem are no longer alike."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from mdtheory.foundation.validation import fail, instance, one_point
from mdtheory.models.joint.general import Features, follow
from mdtheory.models.joint.general_solution import ClassJointSolution
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.solving import solve

# Slopes are looked at from the largest down, so many a decade, in units of the noise.
_LARGEST, _SMALLEST, _PER_DECADE = 30.0, 1e-2, 6
# Of the axes of W relative to the longest: closer than this, all classes are alike.
_ALIKE = 1e-3
_CLOSE, _FURTHEST = 1.0 + 1e-3, 1e6


def symmetry_breaking_slope(problem: LimitedExpressivity) -> float:
    r"""The slope below which some configuration with classes that differ is better than the best with all of them alike.

    Which pairs of classes have their mislabelled examples memorised costs nothing to first order, so that for small slopes a classifier with
    one class apart wins, and the examples of the others are not memorised as one another. The transition is of first order: both
    are local minima around it, and where they are as good is the root that is returned.

    Parameters
    ----------
    problem : LimitedExpressivity
        Of one point and 3 to 10 classes that are alike (6, for cross-entropies). Its own slope does not matter.

    Returns
    -------
    float
        C, the largest that a grid from 30 times the noise down to a hundredth of it brackets; NaN where none of its points has a better answer.

    Raises
    ------
    AssumptionError
        If `problem` is no such `LimitedExpressivity`.

    Notes
    -----
    That no better configuration exists above is what local searches say, and is not proved: it is a lower bound on the true slope.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.MeanSquaredError(), num_classes=3, noise=2/3, slope=1.0, weight_decay=3e-3, feature_decay=3e-3, bias=True)
    >>> round(0.6 * symmetry_breaking_slope(joint), 8)      # the slope of an inequality between probabilities
    0.15701001
    """
    instance("problem", problem, LimitedExpressivity, "a LimitedExpressivity")
    one_point(replace(problem, slope=1.0).shape)
    if problem.num_classes == 2 or not problem.classes_alike:
        raise fail("problem", problem, "must have more than two classes, and all of them alike")
    one = replace(problem, slope=1.0)
    one.check_searchable()
    noise = float(problem.noise_per_class)
    if noise == 0.0:
        return float("nan")
    steps = int(np.ceil(_PER_DECADE * np.log10(_LARGEST / _SMALLEST)))
    grid = noise * np.geomspace(_LARGEST, _SMALLEST, steps)
    for above, below in pairwise(grid):
        found = solve(replace(problem, slope=below), method="search")
        if isinstance(found, ClassJointSolution):
            return _transition(problem, found.features, float(below), float(above))
    return float("nan")


def _transition(problem: LimitedExpressivity, broken: Features, below: float, above: float) -> float:
    """Where the broken branch is as good as the symmetric one, between a slope at which it is better and one at which it was not seen to be."""
    from scipy.optimize import brentq  # slow to import, and needed here only

    branch = {below: broken}

    def advantage(slope: float) -> float:
        at = replace(problem, slope=slope)
        nearest = min(branch, key=lambda known: abs(np.log(known / slope)))
        found = ClassJointSolution.at(at, follow(at, branch[nearest]))
        symmetric = solve(at, method="symmetric").objective
        if np.ptp(found.axes) < _ALIKE * found.axes[-1]:
            # The branch has ended: there is nothing left that is better.
            return -float(symmetric)
        branch[slope] = found.features
        return float(symmetric - found.objective)

    low, high = below, above
    while advantage(high) > 0.0:
        low, high = high, high * 1.5
        if high > _FURTHEST * below:
            return float("nan")
    # By halves first: a step too long loses the branch.
    while high > low * _CLOSE:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if advantage(middle) > 0.0 else (low, middle)
    return float(brentq(advantage, low, high, xtol=1e-11 * low, rtol=1e-11))
