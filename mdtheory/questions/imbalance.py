r"""At which weight decay classes merge or vanish when their proportions differ.

Every threshold is a value of :math:`\mu = \sqrt{\lambda_W\lambda_H}` of the model

.. math:: \min_{W,H,b}\ \sum_k \pi_k\big[\ell(Wh_k + b, y_k) + \lambda_H\|h_k\|^2\big] + \lambda_W\|W\|_F^2 .

Free features need dimension N - 1 or more (N for squared error without a bias).
"""

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    columns,
    common_shape,
    fail,
    flag,
    integer,
    positive,
    proportions,
    real,
    scalar_or_array,
)
from mdtheory.losses import CrossEntropy, LabelRelaxation, Loss, MeanSquaredError
from mdtheory.models.features.soft_labels import label_matrix


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
    # Beyond the range of doubles the threshold is infinite, or zero.
    with np.errstate(over="ignore", under="ignore"):
        signal = keep * np.sqrt(share) / np.sqrt(factors["feature_decay_weight"])
        return scalar_or_array(0.5 * signal * factors["loss_weight"] * np.asarray(factors["logit_scale"]))


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
    require_loss(loss)
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
    Other proportions are refused, except for label relaxation, which is smooth. The feature dimension does not matter,
    except for the hinge losses with three classes or more: the threshold is that of N - 1 dimensions or more.

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
    require_loss(loss)
    if isinstance(loss, CrossEntropy | MeanSquaredError):
        share, labels = smoothed_labels(loss, class_weights, label_distribution)
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


def smoothed_labels(
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
        simplex = isinstance(loss, CrossEntropy)
        labels = (columns if simplex else label_matrix)("label_distribution", label_distribution)
        share = proportions("class_weights", class_weights, labels.shape[1])
    return share, (1.0 - alpha) * labels + alpha / labels.shape[0]


def _share_of_each_class(class_weights: ArrayLike) -> FloatArray:
    weights = proportions("class_weights", class_weights)
    if weights.size < 2:
        raise fail("class_weights", weights, "must have at least two entries")
    return weights


def _smoothing(loss: Loss) -> Real:
    require_loss(loss)
    if not isinstance(loss, CrossEntropy | MeanSquaredError):
        raise fail("loss", loss, "must be CrossEntropy or MeanSquaredError")
    return loss.smoothing


def require_loss(loss: object) -> None:
    """Refuse anything that is not a loss."""
    if not isinstance(loss, Loss):
        raise fail("loss", loss, "must be a Loss, for example CrossEntropy()")
