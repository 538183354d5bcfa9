r"""Rigorous bounds on the optimum in ball arithmetic (Arb), from the exact binary values of the stored numbers.

Weights and label distributions are taken as they are stored; label columns are divided by their exact sum, and balanced
proportions are exactly 1/K. A dual point that violates its constraints by rounding errors only is projected onto them
inside the arithmetic, so that the point whose value is enclosed satisfies them exactly.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb, arb_mat

from mdtheory.ball_precision import precision
from mdtheory.certificates import duality
from mdtheory.errors import CertificateError
from mdtheory.losses import CrossEntropy, Hinge, LabelRelaxation, MeanSquaredError, SquaredHinge
from mdtheory.problems import UFM
from mdtheory.validation import FloatArray

PRECISION = 128

# Violations of the dual constraints up to here are rounding, and repaired; larger ones are refused.
_REPAIRABLE = 2e-12

Column = list[Any]


def upper_holds(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray, claim: float) -> bool:
    """Whether the objective at the factors is provably at most `claim`."""
    with precision(PRECISION):
        return bool(objective(problem, weights, class_means, bias) <= arb(claim))


def lower_holds(problem: UFM, dual: FloatArray, multiplier: FloatArray | None, claim: float) -> bool:
    """Whether the dual value is provably at least `claim`."""
    with precision(PRECISION):
        return bool(dual_bound(problem, dual, multiplier) >= arb(claim))


def objective(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> Any:
    """A ball around the objective at W (N, M), H (M, K) and b (N,)."""
    proportions, labels = _proportions(problem), _labels(problem)
    columns = _columns(_matrix(weights) * _matrix(class_means))
    shift = [arb(float(x)) for x in bias]
    total = arb(float(problem.bias_decay)) * _dot(shift, shift)
    flat = [arb(float(x)) for x in weights.ravel()]
    total += arb(float(problem.weight_decay)) * _dot(flat, flat)
    for k, column in enumerate(columns):
        logits = [z + b for z, b in zip(column, shift, strict=True)]
        mean = [arb(float(x)) for x in class_means[:, k]]
        cost = _column_loss(problem.loss, logits, labels[k])
        total += proportions[k] * (cost + arb(float(problem.feature_decay)) * _dot(mean, mean))
    return total


def dual_bound(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> Any:
    """A ball around a lower bound on the optimum, from the dual point (N, terms) and, if given, L (K, K)."""
    if isinstance(problem.loss, (CrossEntropy, MeanSquaredError)):
        point = _target_point(problem, dual)
    else:
        point = _term_point(problem, dual)
    columns, value = point
    square = _scale_square(problem, columns, multiplier)
    scale = square.sqrt()
    bound = value(scale)
    if problem.bias_decay > 0:
        pull = _weighted_mean(columns, _proportions(problem))
        bound -= square * _dot(pull, pull) / (4 * arb(float(problem.bias_decay)))
    return bound


# ---------------------------------------------------------------------- the problem's data


def _proportions(problem: UFM) -> Column:
    if problem.class_weights is not None:
        return [arb(float(x)) for x in problem.class_weights]
    return [arb(1) / problem.num_groups] * problem.num_groups


def _labels(problem: UFM) -> list[Column]:
    """The label columns, each with the exact sum one."""
    columns = [[arb(float(x)) for x in column] for column in duality.label_columns(problem).T]
    return [[x / _sum(column) for x in column] for column in columns]


def _target(loss: CrossEntropy | MeanSquaredError, label: Column) -> Column:
    alpha = arb(float(loss.smoothing))
    return [(1 - alpha) * y + alpha / len(label) for y in label]


# ---------------------------------------------------------------------- losses


def _column_loss(loss: Any, logits: Column, label: Column) -> Any:
    if isinstance(loss, MeanSquaredError):
        residual = [z - y for z, y in zip(logits, _target(loss, label), strict=True)]
        return _dot(residual, residual) / 2
    if isinstance(loss, CrossEntropy):
        return _log_sum_exp(logits) - _dot(_target(loss, label), logits)
    return _sum([y * _label_loss(loss, logits, n) for n, y in enumerate(label) if not y.is_zero()])


def _label_loss(loss: Any, logits: Column, label: int) -> Any:
    others = [z for j, z in enumerate(logits) if j != label]
    if isinstance(loss, LabelRelaxation):
        alpha = arb(float(loss.relaxation))
        # The loss is constant beyond the log-odds at which it reaches zero.
        u = (logits[label] - _log_sum_exp(others)).min((1 - alpha).log() - alpha.log())
        return _log_sum_exp([arb(0), u]) - (1 - alpha) * u - _binary_entropy(alpha)
    worst = others[0]
    for z in others[1:]:
        worst = worst.max(z)
    excess = (1 + worst - logits[label]).max(arb(0))
    return excess if isinstance(loss, Hinge) else excess * excess / 2


def _log_sum_exp(values: Column) -> Any:
    top = arb(max(float(v.mid()) for v in values))
    return top + _sum([(v - top).exp() for v in values]).log()


def _x_log_x(x: Any) -> Any:
    """For ``x >= 0``; a ball that reaches zero gets the range of a function that decreases up to 1/e."""
    if x.is_zero():
        return arb(0)
    if x > 0:
        return x * x.log()
    end = x.upper()
    if not end < arb(1) / 4:
        raise CertificateError("dual: an entry of the dual point is too uncertain")
    return arb(0).union(end * end.log()) if end > 0 else arb(0)


def _binary_entropy(p: Any) -> Any:
    return -_x_log_x(p) - _x_log_x(1 - p)


# ---------------------------------------------------------------------- dual points


def _target_point(problem: UFM, dual: FloatArray) -> tuple[list[Column], Callable[[Any], Any]]:
    """Feasible columns, and the value of ``theta`` times them, for a loss of targets."""
    loss, proportions = problem.loss, _proportions(problem)
    assert isinstance(loss, (CrossEntropy, MeanSquaredError))
    targets = [_target(loss, label) for label in _labels(problem)]
    columns = [[arb(float(x)) for x in column] for column in dual.T]
    free_bias = problem.bias and problem.bias_decay == 0
    if isinstance(loss, MeanSquaredError):
        if free_bias:
            columns = _centred(columns, proportions)

        def squared(scale: Any) -> Any:
            parts = [_dot(v, v) * scale * scale / 2 + scale * _dot(v, y) for v, y in zip(columns, targets, strict=True)]
            return -_dot(proportions, parts)

        return columns, squared
    q = [_distribution([v + y for v, y in zip(c, t, strict=True)]) for c, t in zip(columns, targets, strict=True)]
    if free_bias:
        moved = _centred(
            [[a - y for a, y in zip(c, t, strict=True)] for c, t in zip(q, targets, strict=True)], proportions
        )
        q = [[v + y for v, y in zip(c, t, strict=True)] for c, t in zip(moved, targets, strict=True)]
        inner = _weighted_mean(targets, proportions)
        total = _sum(proportions)
        inner = [x / total for x in inner]
        q = _mixed(q, [inner] * len(q), None)
    columns = [[a - y for a, y in zip(c, t, strict=True)] for c, t in zip(q, targets, strict=True)]

    def entropy(scale: Any) -> Any:
        # The scaled point theta q + (1 - theta) y is a mixture, hence nonnegative.
        exact = scale == 1
        rows = (
            q
            if exact
            else [
                [scale * a + (1 - scale) * y for a, y in zip(c, t, strict=True)]
                for c, t in zip(q, targets, strict=True)
            ]
        )
        return -_dot(proportions, [_sum([_x_log_x(x) for x in c]) for c in rows])

    return columns, entropy


def _distribution(column: Column) -> Column:
    """The column with rounding errors below zero removed, and the exact sum one."""
    clean = [_clipped(x) for x in column]
    total = _sum(clean)
    if not abs(total - 1) < _REPAIRABLE:
        raise CertificateError("dual: a column leaves the domain of the conjugate (its sum)")
    return [x / total for x in clean]


def _term_point(problem: UFM, dual: FloatArray) -> tuple[list[Column], Callable[[Any], Any]]:
    """Feasible columns, and the value of ``theta`` times them, for a loss of one label at a time."""
    loss, proportions, labels = problem.loss, _proportions(problem), _labels(problem)
    n = int(problem.num_classes)
    pairs = [(k, j) for k, label in enumerate(labels) for j in range(n) if not label[j].is_zero()]
    shares = [labels[k][j] for k, j in pairs]
    term_weights = [proportions[k] * share for (k, _), share in zip(pairs, shares, strict=True)]
    own = [j for _, j in pairs]
    terms = [
        _with_own(
            [_clipped(arb(float(x))) if j != label else arb(0) for j, x in enumerate(column)],
            label,
            float(column[label]),
        )
        for column, label in zip(dual.T, own, strict=True)
    ]
    if problem.bias and problem.bias_decay == 0:
        terms = _mixed(_centred(terms, term_weights), _inner_terms(loss, own, term_weights, n), own)
    terms = _within(terms, own, _steepest(loss))
    columns = [[arb(0)] * n for _ in labels]
    for (k, _), share, term in zip(pairs, shares, terms, strict=True):
        columns[k] = [a + share * x for a, x in zip(columns[k], term, strict=True)]

    def value(scale: Any) -> Any:
        return -_dot(
            term_weights, [_term_conjugate(loss, [scale * x for x in t], j) for t, j in zip(terms, own, strict=True)]
        )

    return columns, value


def _with_own(others: Column, label: int, stored: float) -> Column:
    """The column whose own entry is minus the sum of the others."""
    own = -_sum(others)
    if not abs(own - arb(stored)) < _REPAIRABLE:
        raise CertificateError("dual: a column leaves the domain of the conjugate (its sum)")
    return [own if j == label else x for j, x in enumerate(others)]


def _steepest(loss: Any) -> Any:
    """The largest tau in the domain of the conjugate, if there is one."""
    if isinstance(loss, Hinge):
        return arb(1)
    return 1 - arb(float(loss.relaxation)) if isinstance(loss, LabelRelaxation) else None


def _within(terms: list[Column], own: list[int], steepest: Any) -> list[Column]:
    """All terms, scaled by one number so that no tau exceeds `steepest`: a common factor keeps their mean at zero."""
    if steepest is None:
        return terms
    largest = steepest
    for term, label in zip(terms, own, strict=True):
        if not -term[label] <= steepest:
            largest = largest.max(-term[label])
    if not largest <= steepest + _REPAIRABLE:
        raise CertificateError("dual: a column leaves the domain of the conjugate (its slope)")
    factor = steepest / largest
    return terms if largest is steepest else [[factor * x for x in term] for term in terms]


def _inner_terms(loss: Any, own: list[int], term_weights: Column, n: int) -> list[Column]:
    """A point with mean zero inside the domain: see `duality.balanced_dual`."""
    frequency = [arb(0)] * n
    for label, weight in zip(own, term_weights, strict=True):
        frequency[label] += weight
    # Any positive number not above the least frequency serves.
    size = arb(0.5 * float(loss.critical_cost(n))) * min(float(f.lower()) for f in frequency) * arb(0.99)
    return [[(arb(1) / n - (1 if j == label else 0)) * size / frequency[label] for j in range(n)] for label in own]


def _term_conjugate(loss: Any, v: Column, label: int) -> Any:
    tau = -v[label]
    if isinstance(loss, Hinge):
        return -tau
    if isinstance(loss, SquaredHinge):
        return tau * (tau / 2 - 1)
    alpha = arb(float(loss.relaxation))
    spread = _sum([_x_log_x(x) for j, x in enumerate(v) if j != label]) - _x_log_x(tau)
    return _binary_entropy(alpha) - _binary_entropy((alpha + tau).min(arb(1))) + spread


def _clipped(x: Any) -> Any:
    if x >= 0:
        return x
    if not x > -_REPAIRABLE:
        raise CertificateError("dual: an entry leaves the domain of the conjugate (its sign)")
    return x.max(arb(0))


def _centred(columns: list[Column], weights: Column) -> list[Column]:
    total = _sum(weights)
    mean = [x / total for x in _weighted_mean(columns, weights)]
    if not all(abs(x) < _REPAIRABLE for x in mean):
        raise CertificateError("dual: the mean of the dual point must vanish, because the bias is not regularised")
    return [[v - m for v, m in zip(column, mean, strict=True)] for column in columns]


def _mixed(point: list[Column], inner: list[Column], own: Sequence[int] | None) -> list[Column]:
    """``(1-e) point + e inner`` with an e that makes the entries (off the own label) provably nonnegative."""
    worst = 0.0
    for k, (column, inside) in enumerate(zip(point, inner, strict=True)):
        for j, (x, y) in enumerate(zip(column, inside, strict=True)):
            if (own is None or own[k] != j) and not x >= 0:
                worst = max(worst, float((-x).upper()) / float(y.lower())) if y > 0 else np.inf
    if worst == 0.0:
        return point
    share = arb(min(1.0, (worst / (1.0 + worst)) * 1.001)) if np.isfinite(worst) else arb(1)
    mixed = [
        [(1 - share) * x + share * y for x, y in zip(a, b, strict=True)] for a, b in zip(point, inner, strict=True)
    ]
    if not all(x >= 0 for k, c in enumerate(mixed) for j, x in enumerate(c) if own is None or own[k] != j):
        raise CertificateError("dual: the dual point cannot be moved into the domain of the conjugate")
    return mixed


# ---------------------------------------------------------------------- the constraint


def _scale_square(problem: UFM, columns: list[Column], multiplier: FloatArray | None) -> Any:
    """A theta squared, at most 1, for which ``theta^2 (A'A + L) <= 4 lambda_W lambda_H I`` is proven, A = V D."""
    roots = [w.sqrt() for w in _proportions(problem)]
    rows = [[root * x for x in column] for root, column in zip(roots, columns, strict=True)]
    transposed = arb_mat(rows)
    gram = transposed * transposed.transpose()
    approximate = _floats(gram)
    forgiven = None
    if problem.nonnegative:
        forgiven = np.maximum(-approximate, 0.0) if multiplier is None else np.maximum(multiplier, 0.0)
        forgiven = 0.5 * (forgiven + forgiven.T)
        if np.linalg.eigvalsh(approximate + forgiven)[-1] >= np.linalg.eigvalsh(approximate)[-1]:
            forgiven = None
    if forgiven is not None:
        gram, approximate = gram + _matrix(forgiven), approximate + forgiven
    elif len(rows) > len(rows[0]):
        gram = transposed.transpose() * transposed
        approximate = _floats(gram)
    allowed = 4 * arb(float(problem.weight_decay)) * arb(float(problem.feature_decay))
    values, vectors = np.linalg.eigh(0.5 * (approximate + approximate.T))
    basis = _matrix(vectors)
    rotated = basis.transpose() * gram * basis
    metric = basis.transpose() * basis
    if _dominates(allowed, metric, rotated):
        return arb(1)
    for attempt in range(8):
        bound = arb(float(max(values[-1], 1e-300)) * (1.0 + 4.0**attempt * 1e-14 * len(values)))
        if _dominates(bound, metric, rotated):
            return (allowed / bound).min(arb(1))
    raise CertificateError("dual: its operator norm could not be bounded")


def _dominates(square: Any, metric: Any, rotated: Any) -> bool:
    """Whether ``square Q'Q - Q'GQ`` is provably positive definite, by Gershgorin's discs."""
    difference = metric * square - rotated
    table = difference.tolist()
    return all(row[j] > _sum([abs(x) for k, x in enumerate(row) if k != j]) for j, row in enumerate(table))


# ---------------------------------------------------------------------- small arithmetic


def _matrix(array: FloatArray) -> Any:
    return arb_mat(array.shape[0], array.shape[1], array.ravel().tolist())


def _columns(matrix: Any) -> list[Column]:
    return matrix.transpose().tolist()  # type: ignore[no-any-return]  # flint has no types


def _floats(matrix: Any) -> FloatArray:
    shape = matrix.nrows(), matrix.ncols()
    return np.array([float(x.mid()) for x in matrix.entries()]).reshape(shape)


def _sum(values: Column) -> Any:
    total = arb(0)
    for value in values:
        total = total + value
    return total


def _dot(left: Column, right: Column) -> Any:
    total = arb(0)
    for a, b in zip(left, right, strict=True):
        total = total + a * b
    return total


def _weighted_mean(columns: list[Column], weights: Column) -> Column:
    return (arb_mat(columns).transpose() * arb_mat([[w] for w in weights])).entries()  # type: ignore[no-any-return]  # flint has no types
