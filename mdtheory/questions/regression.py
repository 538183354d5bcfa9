r"""Squared error with any real targets: the features model is a soft-thresholded singular value decomposition."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, fail, flag, one_integer, one_number, positive, proportions, real


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegressionOptimum(Frozen):
    r"""The global minimum of the unconstrained features model with squared error.

    Attributes
    ----------
    predictions : array (D, K)
        ``W H + b``.
    weights : array (D, M)
        W.
    class_means : array (M, K)
        H, one column per sample (or group of samples).
    bias : array (D,)
        b; zero without a bias.
    target_singular_values : array
        Singular values of the weighted (with a bias: centred) targets, largest first.
    singular_values : array
        Those of ``W H`` weighted the same way: shrunk by 2 mu, and zero beyond the feature dimension.
    objective : float
        The minimum.
    rank : int
        Rank of ``W H``.
    """

    predictions: FloatArray
    weights: FloatArray
    class_means: FloatArray
    bias: FloatArray
    target_singular_values: FloatArray
    singular_values: FloatArray
    objective: float
    rank: int


def regression_optimum(
    targets: ArrayLike,
    sample_weights: ArrayLike | None = None,
    *,
    weight_decay: float,
    feature_decay: float,
    bias: bool = False,
    feature_dim: int | None = None,
) -> RegressionOptimum:
    r"""The global minimum over W, H (and b) of squared error with any targets, for every feature dimension.

    .. math:: \min_{W,H,b} \sum_k \pi_k\big[\tfrac12\|Wh_k + b - y_k\|^2 + \lambda_H\|h_k\|^2\big] + \lambda_W\|W\|_F^2

    With :math:`q = \sqrt\pi` and :math:`\mu = \sqrt{\lambda_W\lambda_H}`, take the singular value decomposition
    ``U S V'`` of ``Y diag(q)``, or with an unregularised bias of ``Y diag(q) (I - q q')``. Then
    ``W H diag(q) = U (S - 2 mu)_+ V'`` with the M largest singular values kept, and ``b = Y pi``. The Gram matrix of
    the weights is :math:`WW' = \sqrt{\lambda_H/\lambda_W}\,U(S - 2\mu)_+U'`. The minimiser is unique up to rotations
    of the features, unless the last value kept equals the first one dropped.

    Parameters
    ----------
    targets : array (D, K)
        Y, one column per sample: one-hot or soft labels, mixup, noisy labels, real-valued regression targets.
    sample_weights : array (K,), optional
        The weights pi, positive with sum 1; equal if omitted.
    weight_decay, feature_decay : float
        Positive; no factor 1/2, and the feature decay is per sample.
    bias : bool, default False
        Whether there is an unregularised bias.
    feature_dim : int, optional
        M; the smaller dimension of `targets` if omitted, which is as good as any larger one.

    Returns
    -------
    RegressionOptimum

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain.

    References
    ----------
    `derivations/label_matrix_regression.py`. Andriopoulos, Dong, Guo, Zhao, Ross, *The prevalence of neural collapse
    in neural multivariate regression*, NeurIPS 2024, has the case of a bias and equal weights.

    Examples
    --------
    >>> found = regression_optimum([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]], weight_decay=0.5, feature_decay=0.5)
    >>> (found.predictions.round(3) + 0.0)[:, :2]
    array([[1.268, 0.   ],
           [0.   , 0.268]])
    """
    y = np.asarray(real("targets", targets, np.isfinite, "be finite"))
    if y.ndim != 2 or min(y.shape) < 1:
        raise fail("targets", y.shape, "must be a matrix, outputs by samples")
    share = proportions("sample_weights", sample_weights, y.shape[1])
    decays = one_number("weight_decay", weight_decay, positive), one_number("feature_decay", feature_decay, positive)
    limit = _dimension(feature_dim, min(y.shape))
    q = np.sqrt(share)
    # Deviations from the weighted mean, because subtracting Y q q' afterwards would cancel.
    centre = y @ share if flag("bias", bias) else np.zeros(y.shape[0])
    left, spectrum, right = np.linalg.svd((y - centre[:, None]) * q, full_matrices=False)
    t = 2.0 * np.sqrt(decays[0]) * np.sqrt(decays[1])
    kept = min(limit, spectrum.size)
    shrunk = np.where(np.arange(spectrum.size) < kept, np.maximum(spectrum - t, 0.0), 0.0)
    alive = int(np.count_nonzero(shrunk))
    root, balance = np.sqrt(shrunk[:alive]), decays[1] ** 0.25 / decays[0] ** 0.25
    weights, class_means = np.zeros((y.shape[0], limit)), np.zeros((limit, y.shape[1]))
    weights[:, :alive] = balance * left[:, :alive] * root
    class_means[:alive] = root[:, None] * right[:alive] / (balance * q)
    objective = np.sum(t * (0.5 * t + shrunk[:alive])) + 0.5 * np.sum(spectrum[alive:] ** 2)
    return RegressionOptimum(
        predictions=weights @ class_means + centre[:, None],
        weights=weights,
        class_means=class_means,
        bias=centre,
        target_singular_values=spectrum,
        singular_values=shrunk,
        objective=float(objective),
        rank=alive,
    )


def regression_spectrum(class_weights: ArrayLike, *, bias: bool = True) -> FloatArray:
    r"""Singular values of weighted one-hot labels, which squared error shrinks by 2 mu.

    Without a bias they are :math:`\sqrt{\pi_k}`. With an unregularised bias they are the N - 1 square roots of the
    roots of the secular equation :math:`\sum_k \pi_k/(\pi_k - x) = 0`, one between each two consecutive proportions
    (and equal to them where they coincide). The optimum has rank r or less iff the value number r + 1 is at most 2 mu.

    Parameters
    ----------
    class_weights : array (N,)
        Proportions, positive with sum 1.
    bias : bool, default True

    Returns
    -------
    array (N - 1,), or (N,) without a bias
        Largest first.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain.

    References
    ----------
    `derivations/label_matrix_regression.py`.

    Examples
    --------
    >>> regression_spectrum([0.5, 0.3, 0.2]).round(6)
    array([0.622979, 0.481557])
    """
    weights = proportions("class_weights", class_weights)
    if weights.size < 2:
        raise fail("class_weights", weights, "must have at least two entries")
    if not flag("bias", bias):
        return np.asarray(np.sqrt(np.sort(weights)[::-1]))
    values, counts = np.unique(weights, return_counts=True)
    roots = np.concatenate([_secular_roots(values, counts), np.repeat(values, counts - 1)])
    return np.asarray(np.sqrt(np.sort(roots)[::-1]))


def _secular_roots(values: FloatArray, counts: NDArray[np.int64]) -> FloatArray:
    """The root of ``sum counts v/(v - x) = 0`` in each gap of the increasing `values`, by bisection.

    The sum increases from minus to plus infinity on each gap. The unknown is the distance from the left end, so that
    differences of nearly equal proportions stay exact.
    """
    differences = values - values[:-1, None]
    gap = np.diff(values)
    low, high = np.zeros(gap.shape), gap.copy()
    while np.any(high - low > 2.0**-52 * (values[:-1] + low)):
        middle = 0.5 * (low + high)
        if np.all((middle <= low) | (middle >= high)):
            break  # next to each other: proportions near the least double
        # A distance of zero is a pole met by rounding, at the right end, where the sum is positive.
        with np.errstate(divide="ignore"):
            is_above = np.sum(counts * values / (differences - middle[:, None]), axis=1) > 0
        high = np.where(is_above, middle, high)
        low = np.where(is_above, low, middle)
    return np.asarray(values[:-1] + 0.5 * (low + high))


def _dimension(feature_dim: int | None, default: int) -> int:
    return default if feature_dim is None else one_integer("feature_dim", feature_dim, 1, 2**31)
