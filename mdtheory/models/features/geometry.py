"""Explicit class means and classifiers from margins (NumPy only)."""

import math
from typing import TYPE_CHECKING

import numpy as np

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.features.bounds import ufm_dual_mean, ufm_dual_slope

if TYPE_CHECKING:
    from mdtheory.models.features.margin_solution import MarginSolution

# Matrices above this size are refused before they are allocated.
_MAX_BYTES = 2**31
# Above what rounding takes from a margin when factors are formed and multiplied out, relative to it.
_ROUNDING = 16.0 * float(np.finfo(np.float64).eps)


def class_mean_columns(solution: "MarginSolution") -> FloatArray:
    r"""H (..., M, N) with the class means as columns.

    Free and balanced: ``h_n = a (e_n - 1/N)`` with ``a = (N lambda_W/lambda_H)^(1/4) sqrt(s)``, in coordinates of the
    sum-zero space if M = N - 1. Nonnegative: ``h_n = a_n e_n`` with
    ``a_n^2 = sqrt(lambda_W/lambda_H) s_n sqrt((N-1)/(N pi_n))``. Squared error without a bias:
    ``h_n`` = column n of ``(N lambda_W/lambda_H)^(1/4) Z^(1/2)``.
    """
    n, m = _dimensions(solution)
    if solution.problem.class_weights is not None:
        return _weighted_means(solution, n, m)
    rows = _scaled_frame(solution, n, m) * _feature_scales(solution)[..., None, None]
    return np.asarray(np.swapaxes(rows, -1, -2))


def weight_rows(solution: "MarginSolution") -> FloatArray:
    """W (..., N, M) with the classifiers as rows; see :func:`class_mean_columns`.

    At a minimum with a kink they are longer by what rounding may take from the margin: on the near side of it the
    factors would cost rounding times the slope there, which is not little where the decays are tiny.
    """
    rows, loss = _exact_weight_rows(solution), solution.problem.profile_loss
    if loss.smooth_slope:
        return rows
    longer = 1.0 + _ROUNDING * (np.asarray(solution.margin) == loss.profile_minimizer(solution._classes))
    if solution.problem.class_weights is not None:
        # Each classifier takes part in the margins of all classes.
        longer = np.max(longer, axis=-1)
    return np.asarray(rows * longer[..., None, None])


def _exact_weight_rows(solution: "MarginSolution") -> FloatArray:
    n, m = _dimensions(solution)
    problem = solution.problem
    if problem.class_weights is not None:
        means = _weighted_means(solution, n, m)
        norms = np.linalg.norm(means, axis=-2)
        scale = np.divide(solution.margin, norms, where=norms > 0, out=np.zeros(norms.shape))
        return np.asarray(_centred(n) @ (np.eye(n, m) * scale[..., :, None]))
    features = _feature_scales(solution)
    scale = 1.0 / np.where(features > 0, features, 1.0) * (features > 0)
    if problem.pays_for_mean:
        return np.asarray(_scaled_frame(solution, n, m) * scale[..., None, None])
    if problem.nonnegative:
        margin = np.asarray(solution.margin)[..., None, None]
        rows = _centred(n) @ np.eye(n, m) * (np.sign(margin) * np.sqrt(np.abs(margin)))
        return np.asarray(rows * scale[..., None, None])
    # A negative margin, which only a loss that is not convex has, turns the classifier round.
    return np.asarray(
        np.sign(solution.margin)[..., None, None] * _scaled_frame(solution, n, m) * scale[..., None, None]
    )


def dual_columns(solution: "MarginSolution") -> FloatArray:
    r"""V (..., N, N): column n is ``-tau_n N/(N-1) (e_n - 1/N)``, the dual point of the lower bound.

    Where the mean logit costs, each column has the same multiple of the vector of ones besides.
    """
    n, _ = _dimensions(solution)
    problem = solution.problem
    tau = ufm_dual_slope(problem, np.asarray(solution.margin))
    own = tau[..., None, :] if problem.class_weights is not None else tau[..., None, None]
    columns = -own * (n / (n - 1.0)) * _centred(n)
    if problem.pays_for_mean:
        columns = columns + (_broadcast(solution, ufm_dual_mean(problem)) / n)[..., None, None]
    return np.asarray(columns)


def gram_multiplier(solution: "MarginSolution") -> FloatArray:
    """What the nonnegative Gram matrix forgives, ``max(-D V' V D, 0)`` without its diagonal, (..., N, N)."""
    scaled = dual_columns(solution) * _root_proportions(solution)[..., None, :]
    gram = np.swapaxes(scaled, -1, -2) @ scaled
    return np.maximum(np.where(np.eye(gram.shape[-1]) > 0, 0.0, -gram), 0.0)


def bias_vector(solution: "MarginSolution") -> FloatArray:
    """b (..., N): 1/N for the squared error with a bias, else zero."""
    n = _one_count(solution, 1)
    here = solution.problem.bias and not solution.problem.loss.shift_invariant
    return np.full((*_point_shape(solution), n), 1.0 / n if here else 0.0)


def weighted_singular_values(solution: "MarginSolution") -> FloatArray:
    """The singular values (..., N) of ``Z diag(sqrt pi)`` without the bias, in decreasing order.

    Balanced: ``s/sqrt N`` N - 1 times, and ``B/sqrt N`` or zero for the mean logit. With class weights those of
    ``(I - J/N) diag(sqrt(pi) s)``.
    """
    n = _one_count(solution, 1)
    if solution.problem.class_weights is not None:
        _dimensions(solution)
        scaled = np.asarray(solution.margin) * _root_proportions(solution)
        return np.asarray(np.linalg.svd(_centred(n) * scaled[..., None, :], compute_uv=False))
    values = np.empty((*_point_shape(solution), n))
    values[..., :-1] = np.abs(solution.margin)[..., None]
    values[..., -1] = solution.mean_gain if solution.problem.pays_for_mean else 0.0
    return np.asarray(-np.sort(-values, axis=-1) / np.sqrt(n))


def _root_proportions(solution: "MarginSolution") -> FloatArray:
    weights, n = solution.problem.class_weights, int(np.max(solution.problem.num_classes))
    return np.sqrt(np.full(n, 1.0 / n) if weights is None else weights)


def _point_shape(solution: "MarginSolution") -> tuple[int, ...]:
    shape = solution.problem.shape
    return shape if solution.problem.class_weights is None else shape[:-1]


def _broadcast(solution: "MarginSolution", value: FloatArray) -> FloatArray:
    return np.broadcast_to(value, _point_shape(solution))


def _scaled_frame(solution: "MarginSolution", n: int, m: int) -> FloatArray:
    """Rows whose Gram matrix is the centred logits (free), or sqrt(s) times the identity (nonnegative)."""
    root = np.sqrt(np.abs(solution.margin))[..., None, None]
    problem = solution.problem
    if problem.pays_for_mean:
        mean_root = np.sqrt(np.asarray(solution.mean_gain))[..., None, None]
        square = root * _centred(n) + mean_root * np.full((n, n), 1.0 / n)
        return np.asarray(square @ np.eye(n, m))
    if problem.nonnegative:
        return np.asarray(root * np.eye(n, m))
    frame = _centred(n) @ np.eye(n, m) if m >= n else sum_zero_basis(n)
    return np.asarray(root * frame)


def _feature_scales(solution: "MarginSolution") -> FloatArray:
    problem = solution.problem
    ratio = np.sqrt(np.asarray(problem.weight_decay)) / np.sqrt(np.asarray(problem.feature_decay))
    n = np.asarray(problem.num_classes, dtype=np.float64)
    count = n - 1.0 if problem.nonnegative and not problem.pays_for_mean else n
    scale = np.sqrt(ratio) * count**0.25
    return np.asarray(np.broadcast_to(scale, problem.shape))


def _weighted_means(solution: "MarginSolution", n: int, m: int) -> FloatArray:
    problem = solution.problem
    ratio = np.sqrt(np.asarray(problem.weight_decay)) / np.sqrt(np.asarray(problem.feature_decay))
    squared = ratio[..., None] * np.abs(solution.margin) * np.sqrt((n - 1.0) / (n * np.asarray(problem.class_weights)))
    return np.asarray(np.eye(m, n) * np.sqrt(squared)[..., None, :])


def _dimensions(solution: "MarginSolution") -> tuple[int, int]:
    m = solution.problem.feature_dim
    if m is None:
        m = int(np.max(solution.problem.num_classes))
    return _one_count(solution, m), m


def _one_count(solution: "MarginSolution", width: int) -> int:
    """The number of classes, if arrays of it times `width` numbers for every point fit in memory."""
    problem = solution.problem
    if np.ndim(problem.num_classes):
        raise AssumptionError(
            f"num_classes = array of shape {np.shape(problem.num_classes)}: must be one integer for matrices; "
            "solve one class count at a time"
        )
    n = int(problem.num_classes)
    size = 8 * n * width * max(math.prod(_point_shape(solution)), 1)
    if size > _MAX_BYTES:
        raise AssumptionError(
            f"num_classes = {n}: explicit matrices would take {size} bytes, the limit is {_MAX_BYTES}"
        )
    return n


def _centred(n: int) -> FloatArray:
    return np.eye(n) - 1.0 / n


def sum_zero_basis(n: int) -> FloatArray:
    """N rows in R^(N-1) whose Gram matrix is ``I - J/N``: orthonormal columns that span the sum-zero space."""
    k = np.arange(1, n, dtype=np.float64)
    rows = np.triu(np.ones((n, n - 1)))
    rows[np.arange(1, n), np.arange(n - 1)] = -k
    return np.asarray(rows / np.sqrt(k * (k + 1.0)))
