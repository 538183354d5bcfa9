r"""Free features in fewer dimensions than the convex optimum needs: a bound from either side.

The optimum over logits of rank at most M is no convex problem. Upper bounds are explicit factors, the best of many
local searches; the lower bound is the dual point of the convex problem, which holds for every dimension. For the
squared error the optimum itself is known: the M largest singular values of the convex one.
"""

from dataclasses import replace

import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, one_point
from mdtheory.models.features.duality import label_loss, lower_bound
from mdtheory.models.features.factors import Factors, local_minimum
from mdtheory.models.features.free import has_closed_form, solve_free
from mdtheory.models.features.logits_solution import FactorsSolution, LogitsSolution
from mdtheory.models.features.problem import UFM

_DEFAULT_STARTS = 50


def solve_bottleneck(
    problem: UFM,
    *,
    starts: int | None = None,
    seed: int = 0,
    tolerance: float = 1e-9,
    convex_dual: FloatArray | None = None,
) -> FactorsSolution:
    r"""Factors in M dimensions, and a dual point of the problem without the restriction.

    Parameters
    ----------
    problem : UFM
        One point, free features, convex loss, `feature_dim` given.
    starts : int, optional
        Random starts of the local search; 50 if omitted.
    seed : int
        Of the random starts.
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    convex_dual : array (N, terms), optional
        A dual point of the problem over features of any dimension; computed if omitted.

    Raises
    ------
    AssumptionError
        If the features are nonnegative, their dimension is not given, or the problem is not one point.

    Notes
    -----
    The squared error without a regularised bias is solved exactly (method "closed-form"): with
    ``T D = sum_i s_i u_i v_i'`` the von Neumann trace inequality leaves
    ``min sum_i (x_i - s_i)^2/2 + 2 mu x_i`` over at most M nonzero ``x_i >= 0``, solved by the M largest
    ``(s_i - 2 mu)_+``. The dual point ignores M; `mdtheory.models.features.narrow` has the bound that does not.

    Examples
    --------
    Five classes in the plane sit on a regular pentagon:

    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=5, weight_decay=0.001, feature_decay=0.001, feature_dim=2)
    >>> means = solve_bottleneck(ufm, starts=5).class_means
    >>> angles = np.sort(np.arctan2(means[1], means[0]))
    >>> np.round(np.diff(angles) * 5 / (2 * np.pi), 9)
    array([1., 1., 1., 1.])
    """
    if problem.nonnegative:
        raise fail("nonnegative", True, "must be False: nonnegative features have their own solver")
    if problem.feature_dim is None:
        raise fail("feature_dim", None, "must be given")
    one_point(problem.point_shape)
    dim = problem.feature_dim
    relaxed = None
    if convex_dual is None or has_closed_form(problem):
        relaxed = solve_free(replace(problem, feature_dim=None), method="auto", tolerance=None, reduce=False)
    if relaxed is not None and has_closed_form(problem):
        factors = _truncated(relaxed, dim)
        dual = relaxed.dual if convex_dual is None else convex_dual
        return FactorsSolution(problem, "closed-form", tolerance, factors, dual)
    given = [] if relaxed is None else [_truncated(relaxed, dim)]
    random = starts if starts is not None else _DEFAULT_STARTS
    found = local_minimum(problem, dim, starts=random, seed=seed, given=given)
    # Where M is large enough after all, the factors' own gradients close the gap.
    loss = replace(label_loss(problem), temperature=found.temperature)
    duals = [loss.term_gradients(found.factors.logits)]
    duals += [dual for dual in (convex_dual, relaxed.dual if relaxed is not None else None) if dual is not None]
    best = max(duals, key=lambda dual: lower_bound(problem, dual))
    return FactorsSolution(problem, "multi-start", tolerance, found.factors, best)


def _truncated(relaxed: LogitsSolution, dim: int) -> Factors:
    """The factors of the `dim` largest singular values of the logits, padded with zeros."""
    weights, means = relaxed.weights[:, :dim], relaxed.class_means[:dim]
    missing = dim - weights.shape[1]
    if missing > 0:
        weights, means = np.pad(weights, ((0, 0), (0, missing))), np.pad(means, ((0, missing), (0, 0)))
    return Factors(weights, means, relaxed.bias)
