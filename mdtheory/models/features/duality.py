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

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses.label_loss import LabelLoss
from mdtheory.models.features.problem import UFM

_EPS = float(np.finfo(np.float64).eps)
# Rounding is seen in a bound from here on, relative to it.
_VISIBLE = 1e-11


def label_loss(problem: UFM) -> LabelLoss:
    """The loss part of the objective, of logits (N, K)."""
    return LabelLoss(problem.loss, problem.labels, problem.proportions)


def objective(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> float:
    """The objective at explicit W (N, M), H (M, K) and b (N,): an upper bound on the optimum if they are feasible."""
    proportions = problem.proportions
    loss = label_loss(problem).value(weights @ class_means + bias[:, None])
    decay = float(problem.weight_decay) * float(np.sum(weights**2))
    decay += float(problem.feature_decay) * float(np.sum(class_means**2 @ proportions))
    return loss + decay + problem.bias_decay * float(bias @ bias)


def objective_error(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> float:
    """Above the rounding error of `objective`: of inner products of M numbers, and sums of N and K."""
    sizes = np.abs(weights) @ np.abs(class_means) + np.abs(bias)[:, None]
    logits = weights @ class_means + bias[:, None]
    numbers = label_loss(problem).value_scale(logits, sizes) + abs(objective(problem, weights, class_means, bias))
    count = sum(weights.shape) + class_means.shape[1] + 20
    return float(4.0 * _EPS * count * numbers + 4.0 * label_defect(problem) * (numbers + 1.0 + np.max(sizes)))


def lower_bound(problem: UFM, dual: FloatArray, multiplier: FloatArray | None = None) -> float:
    """The dual value of any point, after it is moved into the domain of the conjugates and scaled into the constraint.

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
    return dual_value(problem, feasible_dual(problem, dual, multiplier))


def feasible_dual(problem: UFM, dual: FloatArray, multiplier: FloatArray | None = None) -> FloatArray:
    """The dual point (N, terms) near the given one that satisfies every constraint, up to rounding."""
    dual = admissible_dual(problem, dual)
    size = dual_size(problem, label_loss(problem).combine(dual), multiplier)
    return dual * shrink_factor(problem, size)


def shrink_factor(problem: UFM, size: float) -> float:
    """What brings a dual point of the given size into the constraint ``size <= 2 mu``."""
    allowed = 2.0 * float(problem.mu)
    return 1.0 if size <= allowed else allowed / size


def admissible_dual(problem: UFM, dual: FloatArray) -> FloatArray:
    """The point in the domain of the conjugates, and of mean zero where an unregularised bias demands it."""
    loss = label_loss(problem)
    point = loss.into_domain(dual)
    if problem.bias and problem.bias_decay == 0:
        point = balanced_dual(loss, point, lambda columns: columns @ loss.weights)
    return point


def dual_value(problem: UFM, dual: FloatArray) -> float:
    """The value of a feasible dual point."""
    loss = label_loss(problem)
    value = loss.dual_value(dual)
    if problem.bias_decay > 0:
        pull = loss.combine(dual) @ problem.proportions
        value -= float(pull @ pull) / (4.0 * problem.bias_decay)
    return value


def bound_error(problem: UFM, dual: FloatArray) -> float:
    """Above the rounding error of `dual_value` at a feasible point, and what its exact repair in ball arithmetic costs."""
    loss, value = label_loss(problem), dual_value(problem, dual)
    if not np.isfinite(value):
        return np.inf
    numbers = loss.dual_scale(dual) + abs(value)
    if problem.bias_decay > 0:
        columns, proportions = loss.combine(dual), problem.proportions
        pull, size = np.abs(columns @ proportions), np.abs(columns) @ proportions
        numbers += float(np.sum(size * (pull + _EPS * size))) / (2.0 * problem.bias_decay)
    n, groups = int(problem.num_classes), problem.num_groups
    if not loss.one_term_per_column:
        # The terms of a column may cancel: then the scale that brings the norm into its constraint inherits their rounding.
        cancelled = loss.combine(np.abs(dual)) * np.sqrt(problem.proportions)
        numbers *= 1.0 + float(np.linalg.norm(cancelled)) / (2.0 * float(problem.mu))
    rounding = 8.0 * _EPS * (n + groups + 20)
    if problem.bias and problem.bias_decay == 0:
        frequency = problem.labels @ problem.proportions
        rounding *= 1.0 + 1.0 / (n * max(float(np.min(frequency)), 1e-4))
    return float(rounding * numbers + 40.0 * label_defect(problem) * (1.0 + numbers + np.log(n)))


def without_noise(bound: float, error: float) -> float:
    """A lower bound in doubles, less its rounding error where that is more than the last digits of it."""
    return bound - error if error > _VISIBLE * abs(bound) else bound


def label_defect(problem: UFM) -> float:
    """How far the label columns are from the sum one that the theory gives them."""
    return float(np.max(np.abs(np.sum(problem.labels, axis=0) - 1.0)))


def dual_size(problem: UFM, columns: FloatArray, multiplier: FloatArray | None = None) -> float:
    """The size S of V (N, K) that the constraint bounds by ``2 mu``: an operator norm, or its nonnegative analogue."""
    scaled = columns * np.sqrt(problem.proportions)
    free = float(np.linalg.norm(scaled, 2))
    if not problem.nonnegative or free == 0:
        return free
    # Squares of very small and very large entries leave the doubles.
    unit = free if multiplier is None else max(free, float(np.sqrt(np.max(multiplier, initial=0.0))))
    gram = (scaled / unit).T @ (scaled / unit)
    forgiven = np.maximum(-gram, 0.0) if multiplier is None else forgiveness(multiplier / unit / unit)
    largest = max(float(np.linalg.eigvalsh(gram + forgiven)[-1]), 0.0)
    return min(free, unit * float(np.sqrt(largest)))


def forgiveness(multiplier: FloatArray) -> FloatArray:
    """The multiplier as the constraint takes it: symmetric, and nonnegative."""
    return np.asarray(np.maximum(0.5 * multiplier + 0.5 * multiplier.T, 0.0))


def balanced_dual(loss: LabelLoss, dual: FloatArray, mean: Callable[[FloatArray], FloatArray]) -> FloatArray:
    r"""A dual point with :math:`V\pi = 0` near the given one, as an unregularised bias demands.

    `mean` maps columns (N, K) to their mean :math:`V\pi` over all classes.

    Subtracting the mean :math:`V\pi` from every column does it, but can leave the domain of the conjugates; then the
    point is mixed with one inside it (`LabelLoss.inner_point`).
    """
    moved = dual - mean(loss.combine(dual))[:, None]
    bounded = np.isfinite(loss.floor)
    if not np.any(bounded):
        return np.asarray(moved)
    inner = loss.inner_point(mean)
    low = np.where(bounded, moved - loss.floor, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(bounded, inner - loss.floor, 1.0)
        short = np.where(low < 0, -low / np.where(room > 0, room, np.nan), 0.0)
    worst = float(np.max(short)) if np.all(np.isfinite(short)) else np.inf
    # (1-e) low + e room >= 0 from the least e on.
    share = 1.0 if worst == np.inf else worst / (1.0 + worst)
    return np.asarray((1.0 - share) * moved + share * inner)
