"""The rank of the optimal logits, which is the width a network needs, and the decay at which it drops."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import FloatArray, fail, one_integer, one_number, one_point, positive, real
from mdtheory.losses import CrossEntropy, Loss, MeanSquaredError
from mdtheory.models.features.free import solve_free
from mdtheory.models.features.nonnegative import solve_nonnegative
from mdtheory.models.features.problem import UFM
from mdtheory.questions.imbalance import require_loss, smoothed_labels, zero_collapse_threshold

# Rounding allowed for an objective and its bound, relative to one plus their size.
ROUNDING = 1e-14
# Below what doubles can reach: the solver stops where it can get no further.
_BEST = 1e-16
# Relative width of an interval that bisection in doubles can still halve.
_NARROWEST = 1e-14
# A gap, relative to the objective, at which a local search has met the relaxation.
_ATTAINED = 1e-8


def required_width(problem: UFM) -> tuple[int, int]:
    r"""Bounds on the least feature dimension that does not change the optimum.

    Free features: it is the rank of the optimal logits. Nonnegative features: the Gram matrix of the class means is
    completely positive, and the dimension is its cp-rank. The doubly nonnegative relaxation (the lower bound of `solve`)
    is attained at the width `at_most` where a local search meets it to 1e-8 of the objective, which `feature_dim=None`,
    max(N, K), need not be wide enough for. Where that is not seen up to 2 max(N, K), `at_most` is what suffices for
    every completely positive matrix of order K, and bounds the width for the best of all widths, which may lie above
    the relaxation. The `feature_dim` of a nonnegative problem is not looked at.

    Parameters
    ----------
    problem : UFM
        One point. Free features: no bias; cross-entropy or squared error. Nonnegative features: any convex loss.

    Returns
    -------
    at_least, at_most : int
        Free features: equal except very near a threshold of the rank. Nonnegative features: `at_least` is proved by the
        gap, from the rank of the logits (without a bias, for cross-entropy and the squared error; else it is 0).

    Raises
    ------
    AssumptionError
        If the problem is not of that kind.

    References
    ----------
    `derivations/zero_collapse.py` (cross-entropy), `derivations/label_matrix_regression.py` (squared error). The cp-rank
    is at most K for K <= 4 (Maxfield and Minc 1962), 6 for K = 5 (Shaked-Monderer, Bomze, Jarre and Schachinger, SIAM J.
    Matrix Anal. Appl. 2013, abstract) and K(K+1)/2 - 1 (Barioli and Berman, Linear Algebra Appl. 2003, as recalled).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> required_width(mdt.UFM(mdt.CrossEntropy(), num_classes=4, weight_decay=0.11, feature_decay=0.11,
    ...                        class_weights=[0.45, 0.45, 0.06, 0.04]))
    (3, 3)
    """
    if not isinstance(problem, UFM):
        raise fail("problem", problem, "must be a UFM")
    one_point(problem.point_shape)
    if problem.nonnegative:
        return _attaining_width(problem)
    if problem.bias:
        raise fail("bias", True, "must be False for free features")
    if not isinstance(problem.loss, CrossEntropy | MeanSquaredError):
        raise fail("loss", problem.loss, "must be CrossEntropy or MeanSquaredError")
    share, mu = problem.proportions, float(problem.mu)
    if isinstance(problem.loss, MeanSquaredError):
        target = problem.loss.target(problem.labels.T).T
        values = np.linalg.svd(target * np.sqrt(share), compute_uv=False)
        slack = ROUNDING * values[0]
        return int(np.sum(values > 2.0 * mu + slack)), int(np.sum(values > 2.0 * mu - slack))
    labels = problem.label_distribution
    logits = _optimal_logits(problem.loss, share, labels, mu)
    return rank_bounds(problem.loss, share, logits, mu=mu, label_distribution=labels)


def _attaining_width(problem: UFM) -> tuple[int, int]:
    """The bounds of `required_width` for nonnegative features."""
    most = cp_rank_bound(problem.num_groups)
    wide = min(most, 2 * max(int(problem.num_classes), problem.num_groups))
    closed, at_least, used = _at_width(problem, wide)
    if not closed:
        return at_least, most
    # What is attained at one width is attained at every larger one.
    low, high = at_least, used
    while low < high:
        middle = (low + high) // 2
        if middle > 0 and _at_width(problem, middle)[0]:
            high = middle
        else:
            low = middle + 1
    return at_least, high


def _at_width(problem: UFM, width: int) -> tuple[bool, int, int]:
    """Whether the relaxation is met at a width, the proved rank of optimal logits, and how many features are used."""
    narrow = replace(problem, feature_dim=width)
    found = solve_nonnegative(narrow)
    closed = found.relative_gap <= _ATTAINED
    used = int(np.count_nonzero(np.any(found.class_means > 0, axis=1)))
    if not closed or problem.bias or not problem.loss.has_certificates:
        return closed, 0, used
    reach = found.logits_error
    logits, root = found.weights @ found.class_means, np.sqrt(problem.proportions)
    if problem.loss.shift_invariant:
        # Every optimum has centred columns: a shift of all logits costs, and changes nothing.
        logits = logits - np.mean(logits, axis=0)
    values = np.linalg.svd(logits * root, compute_uv=False)
    return closed, int(np.count_nonzero(values > float(np.linalg.norm(reach * root)) * (1.0 + ROUNDING))), used


def cp_rank_bound(order: int) -> int:
    """A number of nonnegative vectors that suffices for every completely positive matrix of an order; see `required_width`."""
    if order <= 4:
        return order
    return 6 if order == 5 else order * (order + 1) // 2 - 1


def rank_bounds(
    loss: Loss,
    class_weights: ArrayLike,
    logits: ArrayLike,
    *,
    mu: float,
    label_distribution: ArrayLike | None = None,
) -> tuple[int, int]:
    r"""Bounds on the rank of the optimal logits, proved from approximate ones: cross-entropy, free features, no bias.

    Let gap be the duality gap of `logits` Z, :math:`G = (\mathrm{softmax} Z - Y)D_\pi` and stars mark the optimum.
    Then :math:`\sum_k\pi_k\mathrm{KL}(s^*_k\|s_k) \le` gap, hence :math:`\|G - G^*\|_F^2 \le` gap (Pinsker), and the
    singular values of :math:`G^*` below 2 mu belong to the kernel of :math:`X^*`. For the lower bound the same
    inequality confines each :math:`\log s^*_{ik}` and so the distance of X from :math:`X^*`; singular values of X beyond
    it are not zero. Evaluated in double precision, with an allowance for rounding in the gap.

    Parameters
    ----------
    loss : CrossEntropy
    class_weights : array (K,)
        Proportions, positive with sum 1.
    logits : array (N, K)
        Any matrix; the closer to the optimum, the tighter the bounds.
    mu : float
        :math:`\sqrt{\lambda_W\lambda_H}`, positive.
    label_distribution : array (N, K), optional
        As in :func:`zero_collapse_threshold`.

    Returns
    -------
    at_least, at_most : int

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain.

    References
    ----------
    `derivations/zero_collapse.py` (the bounds on the softmax).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> rank_bounds(mdt.CrossEntropy(), [0.25] * 4, np.log(9.0) * np.eye(4), mu=1 / 12)
    (3, 3)
    """
    if not isinstance(loss, CrossEntropy):
        raise fail("loss", loss, "must be CrossEntropy")
    share, labels = smoothed_labels(loss, class_weights, label_distribution)
    z = np.asarray(real("logits", logits, np.isfinite, "be finite"))
    if z.shape != labels.shape:
        raise fail("logits", z.shape, f"must have the shape {labels.shape}")
    t = 2.0 * one_number("mu", mu, positive)
    # Every optimum has centred columns, and centring does not raise the objective.
    z = z - np.mean(z, axis=0)
    top = np.max(z, axis=0)
    log_softmax = z - top - np.log(np.sum(np.exp(z - top), axis=0))
    softmax, root = np.exp(log_softmax), np.sqrt(share)
    singular = np.linalg.svd(z * root, compute_uv=False)
    dual = np.linalg.svd((softmax - labels) * root, compute_uv=False)
    shrink = min(1.0, t / dual[0]) if dual[0] > 0 else 1.0
    q = np.maximum(shrink * softmax + (1.0 - shrink) * labels, 0.0)
    value = -np.sum(share * np.sum(labels * log_softmax, axis=0)) + t * np.sum(singular)
    bound = -np.sum(share * q * np.log(q, where=q > 0, out=np.zeros_like(q)))
    gap = max(float(value - bound), 0.0) + ROUNDING * (1.0 + float(value))
    at_most = min(int(np.count_nonzero(dual + np.sqrt(gap) >= t)), z.shape[0] - 1)
    # kl(a, b) >= (a-b)^2/(2 max(a, b)) for one entry against the rest.
    with np.errstate(divide="ignore", over="ignore"):
        drop = np.sqrt(2.0 * gap / share / softmax)
    if np.any(drop >= 1.0):
        return 0, at_most
    distance = np.sqrt(np.sum(share * np.log1p(-drop) ** 2))
    return int(np.count_nonzero(singular > distance * (1.0 + ROUNDING) + ROUNDING * singular[0])), at_most


def rank_threshold(
    loss: Loss,
    class_weights: ArrayLike,
    rank: int,
    *,
    solver: Callable[[float], ArrayLike] | None = None,
    label_distribution: ArrayLike | None = None,
    relative_width: float = 1e-3,
) -> tuple[float, float]:
    r"""An interval of mu in which the optimal logits drop to rank `rank` or less: free features, no bias.

    Unequal minorities never coincide, but at some decay the rank of the optimum falls. Squared error: exactly at half
    the singular value number rank + 1 of :math:`YD_\pi`. Cross-entropy has no closed form; its interval is found by
    bisection, each end certified by :func:`rank_bounds` whatever the solver returns: the rank exceeds `rank` at the
    lower end and does not at the upper one. That it crosses only once is not claimed.

    Parameters
    ----------
    loss : CrossEntropy or MeanSquaredError
    class_weights : array (K,)
        Proportions, positive with sum 1.
    rank : int
        From 0 to the largest possible rank minus 1: N - 1 for cross-entropy, N for squared error, at most K.
    solver : callable, optional
        From mu to logits (N, K), close to optimal. Default: :func:`mdtheory.solve` to the smallest gap it can reach.
    label_distribution : array (N, K), optional
        As in :func:`zero_collapse_threshold`.
    relative_width : float, default 1e-3
        Where to stop; the interval stays wider where the solver is not accurate enough to decide.

    Returns
    -------
    low, high : float
        Equal where there is a closed form.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain.
    SolverError
        If no mu down to 1e-9 of the collapse threshold has a certified rank above `rank`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> rank_threshold(mdt.MeanSquaredError(), [0.5, 0.46, 0.04], 2)
    (0.1, 0.1)
    >>> low, high = rank_threshold(mdt.CrossEntropy(), [0.45, 0.45, 0.06, 0.04], 2)
    >>> 4 * low**2 < 0.0485 < 4 * high**2       # not the mean of the minorities, 0.05
    True
    """
    require_loss(loss)
    if not isinstance(loss, CrossEntropy | MeanSquaredError):
        raise fail("loss", loss, "must be CrossEntropy or MeanSquaredError")
    share, labels = smoothed_labels(loss, class_weights, label_distribution)
    full = min(labels.shape[0] - isinstance(loss, CrossEntropy), labels.shape[1])
    target = one_integer("rank", rank, 0, full - 1)
    width = max(one_number("relative_width", relative_width, positive), _NARROWEST)
    if solver is not None and not callable(solver):
        raise fail("solver", solver, "must be a function from mu to logits")
    if isinstance(loss, MeanSquaredError):
        exact = 0.5 * float(np.linalg.svd(labels * np.sqrt(share), compute_uv=False)[target])
        return exact, exact
    high = zero_collapse_threshold(loss, class_weights, label_distribution)
    if target == 0:
        return high, high
    solver = partial(_optimal_logits, loss, share, label_distribution) if solver is None else solver

    def verdict(mu: float) -> int:
        """1 where the rank is certainly larger, -1 where it certainly is not, 0 where neither is proved."""
        at_least, at_most = rank_bounds(loss, class_weights, solver(mu), mu=mu, label_distribution=label_distribution)
        return int(at_least > target) - int(at_most <= target)

    low = 0.5 * high
    floor = 1e-9 * high
    while (found := verdict(low)) != 1:
        high, low = (low if found == -1 else high), 0.5 * low
        if low < floor:
            raise SolverError(f"no mu above {floor:.3g} has a certified rank above {target}")
    return _narrow(verdict, low, high, width)


def _narrow(verdict: Callable[[float], int], low: float, high: float, width: float) -> tuple[float, float]:
    """Bisection between certified ends; around an undecided point, each side on its own."""
    undecided = None
    while high - low > width * high:
        middle = 0.5 * (low + high)
        found = verdict(middle)
        if found == 0:
            undecided = middle
            break
        low, high = (middle, high) if found == 1 else (low, middle)
    if undecided is None:
        return low, high
    for wanted in (1, -1):
        certain, doubtful = (low if wanted == 1 else high), undecided
        while abs(doubtful - certain) > 0.25 * width * high:
            middle = 0.5 * (certain + doubtful)
            certain, doubtful = (middle, doubtful) if verdict(middle) == wanted else (certain, middle)
        low, high = (certain, high) if wanted == 1 else (low, certain)
    return low, high


def _optimal_logits(
    loss: CrossEntropy, share: FloatArray, label_distribution: ArrayLike | None, mu: float
) -> FloatArray:
    labels = None if label_distribution is None else np.asarray(label_distribution)
    problem = UFM(
        loss,
        num_classes=share.size if labels is None else labels.shape[0],
        weight_decay=mu,
        feature_decay=mu,
        class_weights=share,
        label_distribution=labels,
    )
    return solve_free(problem, method="factorized", tolerance=_BEST).logits
