r"""Weak duality for any unconstrained features model, in double precision.

For free features the convex problem in the logits has the dual

.. math:: \max_V\ -\sum_k \pi_k \ell_k^*(v_k) - \frac{\|V\pi\|^2}{4\lambda_b}
          \quad\text{subject to}\quad \|V D\|_{op} \le 2\mu, \qquad D = \mathrm{diag}\sqrt\pi,

where an unregularised bias replaces the last term by the constraint :math:`V\pi = 0`, and no bias drops it. For
nonnegative features the constraint weakens to ``DV'VD + L <= 4 mu^2`` for some symmetric L with nonnegative entries,
because the dual cone of doubly nonnegative Gram matrices is PSD plus nonnegative. The bounds hold for every dimension
of the features.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mdtheory.label_loss import LabelLoss
from mdtheory.losses import CrossEntropy, MeanSquaredError
from mdtheory.problems import UFM
from mdtheory.validation import FloatArray


def mean_loss(problem: UFM) -> LabelLoss:
    """The loss part of the objective, of logits (N, K)."""
    return LabelLoss(problem.loss, label_columns(problem), group_weights(problem))


def label_columns(problem: UFM) -> FloatArray:
    """The label distributions Y (N, K)."""
    if problem.label_distribution is not None:
        return problem.label_distribution
    return np.eye(int(problem.num_classes))


def group_weights(problem: UFM) -> FloatArray:
    """The proportions pi (K,)."""
    if problem.class_weights is not None:
        return problem.class_weights
    return np.full(problem.num_groups, 1.0 / problem.num_groups)


def objective(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> float:
    """The objective at explicit W (N, M), H (M, K) and b (N,): an upper bound on the optimum if they are feasible."""
    proportions = group_weights(problem)
    loss = mean_loss(problem).value(weights @ class_means + bias[:, None])
    decay = float(problem.weight_decay) * float(np.sum(weights**2))
    decay += float(problem.feature_decay) * float(np.sum(class_means**2 @ proportions))
    return loss + decay + problem.bias_decay * float(bias @ bias)


def lower_bound(problem: UFM, dual: FloatArray, multiplier: FloatArray | None = None) -> float:
    """The dual value of any point, after it is scaled into the constraint.

    Parameters
    ----------
    problem : UFM
    dual : array (N, terms)
        One vector for each term of the loss (see `LabelLoss`): near the optimum, the gradients at the logits.
    multiplier : array (K, K), optional
        For nonnegative features, L: symmetric; entries below zero are set to zero. ``-min(DV'VD, 0)`` if omitted.

    Returns
    -------
    float
        A lower bound on the optimum, for every dimension of the features; minus infinity where the dual point cannot
        be made feasible.
    """
    loss = mean_loss(problem)
    if problem.bias and problem.bias_decay == 0:
        dual = balanced_dual(loss, dual, lambda columns: columns @ loss.weights)
    columns = loss.combine(dual)
    size = dual_size(problem, columns, multiplier)
    scale = min(1.0, 2.0 * float(problem.mu) / size) if size > 0 else 1.0
    value = loss.dual_value(scale * dual)
    if problem.bias_decay > 0:
        pull = scale * columns @ group_weights(problem)
        value -= float(pull @ pull) / (4.0 * problem.bias_decay)
    return value


def dual_size(problem: UFM, columns: FloatArray, multiplier: FloatArray | None = None) -> float:
    """The size S of V (N, K) that the constraint bounds by ``2 mu``: an operator norm, or its nonnegative analogue."""
    scaled = columns * np.sqrt(group_weights(problem))
    free = float(np.linalg.norm(scaled, 2))
    if not problem.nonnegative:
        return free
    gram = scaled.T @ scaled
    forgiven = np.maximum(-gram, 0.0) if multiplier is None else np.maximum(0.5 * (multiplier + multiplier.T), 0.0)
    largest = max(float(np.linalg.eigvalsh(gram + forgiven)[-1]), 0.0)
    return min(free, float(np.sqrt(largest)))


def balanced_dual(loss: LabelLoss, dual: FloatArray, mean: Callable[[FloatArray], FloatArray]) -> FloatArray:
    r"""A dual point with :math:`V\pi = 0` near the given one, as an unregularised bias demands.

    `mean` maps columns (N, K) to their mean :math:`V\pi` over all classes.

    Subtracting the mean :math:`V\pi` from every column does it, but can leave the domain of the conjugates; then the
    point is mixed with one inside it. For cross-entropy that is ``Q = V + Y`` with all columns equal to the mean label
    distribution; for losses of one label n at a time, ``v_n`` proportional to ``(1/N - e_n)/ybar_n``.
    """
    moved = dual - mean(loss.combine(dual))[:, None]
    if isinstance(loss.loss, MeanSquaredError):
        return np.asarray(moved)
    if isinstance(loss.loss, CrossEntropy):
        target = loss.loss.target(loss.labels.T).T
        inner = np.broadcast_to(mean(target)[:, None], target.shape)
        return _mixed(moved + target, inner) - target
    frequency = mean(loss.labels)
    labels = loss.term_labels
    n = frequency.size
    inner = (1.0 / n - (np.arange(n)[:, None] == labels)) * (np.min(frequency) / frequency[labels])
    free = np.arange(n)[:, None] != labels
    # Half of the steepest admissible slope leaves the mixture inside the domain.
    return _mixed(moved, 0.5 * float(loss.loss.critical_cost(n)) * inner, free)


def _mixed(point: FloatArray, inner: FloatArray, bounded: NDArray[np.bool_] | None = None) -> FloatArray:
    """``(1-e) point + e inner`` with the least e that makes the `bounded` entries (default: all) nonnegative."""
    bounded = np.ones(point.shape, dtype=np.bool_) if bounded is None else bounded
    negative = bounded & (point < 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        short = np.where(negative, -point / np.where(inner > 0, inner, np.nan), 0.0)
    worst = float(np.max(short)) if np.all(np.isfinite(short)) else np.inf
    share = 1.0 if worst == np.inf else worst / (1.0 + worst)
    return np.asarray((1.0 - share) * point + share * inner)
