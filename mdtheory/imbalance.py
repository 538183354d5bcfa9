r"""At which weight decay classes merge, vanish or lose a dimension when their proportions differ.

Every threshold is a value of :math:`\mu = \sqrt{\lambda_W\lambda_H}` of the model

.. math:: \min_{W,H,b}\ \sum_k \pi_k\big[\ell(Wh_k + b, y_k) + \lambda_H\|h_k\|^2\big] + \lambda_W\|W\|_F^2 .

Free features need dimension N - 1 or more (N for squared error without a bias).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.errors import SolverError
from mdtheory.losses import CrossEntropy, LabelRelaxation, Loss, MeanSquaredError
from mdtheory.soft_labels import label_matrix, proportions
from mdtheory.validation import FloatArray, Real, common_shape, fail, flag, integer, positive, real, scalar_or_array

# Rounding allowed for an objective and its bound, relative to one plus their size.
ROUNDING = 1e-14


def merge_threshold(
    loss: Loss,
    proportion: ArrayLike,
    *,
    loss_weight: ArrayLike = 1.0,
    logit_scale: ArrayLike = 1.0,
    feature_decay_weight: ArrayLike = 1.0,
) -> Real:
    r"""The mu at and above which equal classes coincide: minority collapse, for free features.

    Let two or more classes of the model

    .. math:: \sum_k \pi_k\big[\omega_k\,\ell(\Delta_k(Wh_k + b) + a, y_k) + \lambda_H\rho_k\|h_k\|^2\big]
              + \lambda_W\|W\|_F^2

    share the proportion :math:`\pi`, the loss weight :math:`\omega`, the logit scale :math:`\Delta`, the feature decay
    weight :math:`\rho` and the entry of the logit adjustment a. Their class means and their rows of W coincide at
    every global minimum iff

    .. math:: (1-\alpha)\,\omega\,\Delta\sqrt{\pi/\rho} \le 2\mu .

    Neither the other classes, nor the adjustment, nor a bias (free or penalised) matter; so adjusting logits by the
    log-proportions does not protect minorities. Inverse-frequency weights :math:`\omega = 1/(N\pi)` make the *largest*
    classes merge first; :math:`\omega\propto\pi^{-1/2}` treats all alike.

    Parameters
    ----------
    loss : CrossEntropy or MeanSquaredError
        Its smoothing is alpha.
    proportion : float or array
        The proportion of each of the equal classes, in (0, 1/2].
    loss_weight, logit_scale, feature_decay_weight : float or array, default 1
        Positive. The scale multiplies the logits of the samples of the class: an inverse (label-dependent)
        temperature. Decay of feature means averaged per class instead of per sample is ``1/(N proportion)``.

    Returns
    -------
    float or array
        Of the broadcast shape. With equal proportions 1/N it is the collapse-to-zero threshold of the balanced model.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or for another loss: there the threshold depends on the other classes.

    References
    ----------
    `derivations/merge_threshold.py`. Minority collapse: Fang, He, Long, Su, PNAS 2021; Hong and Ling, JMLR 2024.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> merge_threshold(mdt.CrossEntropy(), 0.04)
    0.1
    >>> merge_threshold(mdt.CrossEntropy(), [0.4, 0.05], loss_weight=[0.25, 2.0]).round(4)
    array([0.0791, 0.2236])
    """
    keep = 1.0 - np.asarray(_smoothing(loss))
    share = real("proportion", proportion, lambda x: (x > 0) & (x <= 0.5), "lie in (0, 1/2]: two classes share it")
    factors = {
        "loss_weight": positive("loss_weight", loss_weight),
        "logit_scale": positive("logit_scale", logit_scale),
        "feature_decay_weight": positive("feature_decay_weight", feature_decay_weight),
    }
    common_shape(**{"loss.smoothing": keep, "proportion": share}, **factors)
    signal = keep * np.asarray(factors["loss_weight"]) * factors["logit_scale"]
    return scalar_or_array(0.5 * signal * np.sqrt(np.divide(share, factors["feature_decay_weight"])))


def class_collapse_threshold(loss: Loss, proportion: ArrayLike, num_classes: ArrayLike) -> Real:
    r"""The mu at and above which a class mean is zero: nonnegative features, no bias, any proportions.

    The classes decouple, and the margin of a class with proportion :math:`\pi` costs
    :math:`2\mu\sqrt{(N-1)/(N\pi)}` per unit; it is zero iff that reaches the critical cost of the loss, minus the slope
    of its profile at zero. Cross-entropy: iff :math:`(1-\alpha)\sqrt{\pi(N-1)/N} \le 2\mu`. Squared error with one-hot
    labels decouples for free features too, and a class vanishes iff :math:`\sqrt\pi \le 2\mu`.

    Parameters
    ----------
    loss : Loss
        Convex. Squared error without smoothing only.
    proportion : float or array
        Proportion of the class, in (0, 1).
    num_classes : int or array of int
        N >= 2.

    Returns
    -------
    float or array
        Of the broadcast shape. At the threshold itself the hinge loss has other minimisers besides zero.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or the classes of this loss do not decouple.

    References
    ----------
    `derivations/unequal_weights_nonnegative.py`, `derivations/squared_loss.py`. Cross-entropy: Dang et al., ICML 2024.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> round(class_collapse_threshold(mdt.CrossEntropy(), 0.05, 5), 12)
    0.1
    """
    _require_loss(loss)
    share = np.asarray(real("proportion", proportion, lambda x: (x > 0) & (x < 1), "lie in (0, 1)"))
    n = np.asarray(integer("num_classes", num_classes, 2, 2**26), dtype=np.float64)
    named = {f"loss.{name}": getattr(loss, name) for name in loss.parameter_names()}
    shape = common_shape(proportion=share, num_classes=n, **named)
    if isinstance(loss, MeanSquaredError):
        if np.any(np.not_equal(loss.smoothing, 0.0)):
            raise fail("loss", loss, "must have no smoothing: smoothed squared error couples the classes")
        return scalar_or_array(np.broadcast_to(0.5 * np.sqrt(share), shape))
    if not loss.is_convex:
        raise fail("loss", loss, "must be convex in the logits")
    if loss.two_classes_only and np.any(n != 2):
        raise fail("num_classes", num_classes, f"must be 2 for {type(loss).__name__}")
    return scalar_or_array(0.5 * loss.critical_cost(n) * np.sqrt(share * n / (n - 1.0)))


def zero_collapse_threshold(
    loss: Loss, class_weights: ArrayLike, label_distribution: ArrayLike | None = None, *, bias: bool = False
) -> float:
    r"""The mu at and above which all logits ``W H`` are zero: free features, any proportions, any labels.

    Zero is optimal iff :math:`\|V D_\pi\|_{op} \le 2\mu` for the gradient V at zero logits, or with an unregularised
    bias at the best constant logits, :math:`D_\pi = \mathrm{diag}(\sqrt\pi)`. With labels Y after smoothing and
    :math:`\bar y = Y\pi`:

    ================================== ===================================
    cross-entropy                      :math:`V = 11'/N - Y`
    squared error                      :math:`V = -Y`
    either, with a bias                :math:`V = \bar y 1' - Y`
    another convex loss, one-hot       :math:`V = f'(0)\frac{N}{N-1}(I - J/N)`
    ================================== ===================================

    A hinge loss has many subgradients at zero; the last line is exact for it when the classes are balanced or N = 2.
    Other proportions are refused, except for label relaxation, which is smooth. The feature dimension does not matter.

    Parameters
    ----------
    loss : Loss
        Convex. Its smoothing acts on top of `label_distribution`.
    class_weights : array (K,)
        Proportions of the groups of samples, positive with sum 1.
    label_distribution : array (N, K), optional
        One column per group, a distribution over the classes; one-hot (K = N) if omitted. For cross-entropy and squared
        error only. For squared error the columns may hold any numbers.
    bias : bool, default False
        Whether there is an unregularised bias. Losses other than these two: balanced classes only, where it changes
        nothing.

    Returns
    -------
    float

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or the loss has no exact answer here.

    References
    ----------
    `derivations/zero_collapse.py`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> round(zero_collapse_threshold(mdt.CrossEntropy(smoothing=0.2), [0.25] * 4), 12)
    0.2
    >>> round(zero_collapse_threshold(mdt.CrossEntropy(), [0.7, 0.2, 0.1]), 6)
    0.360182
    >>> round(zero_collapse_threshold(mdt.CrossEntropy(), [0.7, 0.2, 0.1], bias=True), 6)
    0.289138
    """
    _require_loss(loss)
    if isinstance(loss, CrossEntropy | MeanSquaredError):
        share, labels = _smoothed_labels(loss, class_weights, label_distribution)
        if flag("bias", bias):
            centre = (labels @ share)[:, None]
            if isinstance(loss, CrossEntropy) and np.any(centre <= 0):
                raise fail("label_distribution", labels.shape, "must use every class: else the bias has no optimum")
        else:
            centre = np.full((1, 1), 1.0 / labels.shape[0] if isinstance(loss, CrossEntropy) else 0.0)
        return 0.5 * float(np.linalg.norm((centre - labels) * np.sqrt(share), 2))
    share = _share_of_each_class(class_weights)
    if label_distribution is not None:
        raise fail("label_distribution", np.shape(label_distribution), "is for cross-entropy and squared error only")
    n = share.size
    balanced = bool(np.all(np.abs(share * n - 1.0) <= 1e-12))
    if not loss.is_convex or not loss.shift_invariant:
        raise fail("loss", loss, "must be convex and unchanged by a common shift of the logits")
    if loss.two_classes_only and n != 2:
        raise fail("class_weights", share.tolist(), f"must have two entries for {type(loss).__name__}")
    # With three classes or more, a hinge has as many slopes at zero as there are rivals in the tie.
    differentiable = n == 2 or isinstance(loss, LabelRelaxation)
    if not balanced and (flag("bias", bias) or not differentiable):
        raise fail("class_weights", share.tolist(), f"must be equal for {type(loss).__name__} here: no exact answer")
    gradient = float(loss.critical_cost(n)) * n / (n - 1.0) * (np.eye(n) - 1.0 / n)
    return 0.5 * float(np.linalg.norm(gradient * np.sqrt(share), 2))


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
    share, labels = _smoothed_labels(loss, class_weights, label_distribution)
    z = np.asarray(real("logits", logits, np.isfinite, "be finite"))
    if z.shape != labels.shape:
        raise fail("logits", z.shape, f"must have the shape {labels.shape}")
    t = 2.0 * float(positive("mu", mu))
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
        From mu to logits (N, K), close to optimal. Needed for cross-entropy and a rank above 0.
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
    """
    _require_loss(loss)
    if not isinstance(loss, CrossEntropy | MeanSquaredError):
        raise fail("loss", loss, "must be CrossEntropy or MeanSquaredError")
    share, labels = _smoothed_labels(loss, class_weights, label_distribution)
    full = min(labels.shape[0] - isinstance(loss, CrossEntropy), labels.shape[1])
    target = integer("rank", rank, 0, full - 1)
    width = positive("relative_width", relative_width)
    if isinstance(loss, MeanSquaredError):
        exact = 0.5 * float(np.linalg.svd(labels * np.sqrt(share), compute_uv=False)[target])
        return exact, exact
    high = zero_collapse_threshold(loss, class_weights, label_distribution)
    if target == 0:
        return high, high
    if solver is None:
        raise fail("solver", solver, "must be given for cross-entropy and a rank above 0")

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
    return _narrow(verdict, low, high, float(width))


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


def _smoothed_labels(
    loss: CrossEntropy | MeanSquaredError, class_weights: ArrayLike, label_distribution: ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """Proportions (K,), and the label matrix (N, K) after smoothing."""
    alpha = loss.smoothing
    if np.ndim(alpha) != 0:
        raise fail("loss.smoothing", alpha, "must be one number")
    if label_distribution is None:
        share = _share_of_each_class(class_weights)
        labels = np.eye(share.size)
    else:
        labels = label_matrix("label_distribution", label_distribution)
        share = proportions("class_weights", class_weights, labels.shape[1])
        if isinstance(loss, CrossEntropy) and np.any(labels < 0):
            raise fail("label_distribution", float(np.min(labels)), "must be nonnegative for cross-entropy")
        excess = float(np.max(np.abs(np.sum(labels, axis=0) - 1.0)))
        if isinstance(loss, CrossEntropy) and excess > 1e-12:
            raise fail("label_distribution", labels.shape, f"must have columns with sum 1 (off by {excess:.3g})")
    return share, (1.0 - alpha) * labels + alpha / labels.shape[0]


def _share_of_each_class(class_weights: ArrayLike) -> FloatArray:
    weights = np.asarray(positive("class_weights", class_weights))
    if weights.ndim != 1 or weights.size < 2:
        raise fail("class_weights", weights.shape, "must be a vector with at least two entries")
    return proportions("class_weights", weights, weights.size)


def _smoothing(loss: Loss) -> Real:
    _require_loss(loss)
    if not isinstance(loss, CrossEntropy | MeanSquaredError):
        raise fail("loss", loss, "must be CrossEntropy or MeanSquaredError")
    return loss.smoothing


def _require_loss(loss: object) -> None:
    if not isinstance(loss, Loss):
        raise fail("loss", loss, "must be a Loss, for example CrossEntropy()")
