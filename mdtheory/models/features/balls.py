r"""Rigorous bounds on the optimum in ball arithmetic (Arb), from the exact binary values of the stored numbers.

Weights and label distributions are taken as they are stored; label columns are divided by their exact sum, and balanced
proportions are exactly 1/K. A dual point is projected onto its constraints inside the arithmetic, whatever it is: the
point whose value is enclosed satisfies them exactly, and nothing is forgiven. Losses state their own faces.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from mdtheory.foundation.errors import CertificateError
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses.base import TargetLoss, no_certificates
from mdtheory.models.features import duality
from mdtheory.models.features.problem import UFM
from mdtheory.numerics.ball_arithmetic import Column, column, dot, floats, matrix, total, weighted_mean
from mdtheory.numerics.ball_precision import precision

PRECISION = 128


def _bits(problem: UFM) -> int:
    """The precision: objectives are of the order of mu, and differences of numbers of order one must keep that."""
    return PRECISION + max(0, -2 * int(np.floor(np.log2(float(problem.mu)))))


def upper_holds(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray, claim: float) -> bool:
    """Whether the objective at the factors is provably at most `claim`."""
    with precision(_bits(problem)):
        return bool(objective(problem, weights, class_means, bias) <= arb(claim))


def lower_holds(problem: UFM, dual: FloatArray, multiplier: FloatArray | None, claim: float) -> bool:
    """Whether the dual value is provably at least `claim`."""
    with precision(_bits(problem)):
        return bool(dual_bound(problem, dual, multiplier) >= arb(claim))


def least_upper(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> float:
    """A double that the objective at the factors provably does not exceed, with room for one rounding."""
    with precision(_bits(problem)):
        value = float(objective(problem, weights, class_means, bias).upper())
    return float(np.nextafter(np.nextafter(value, np.inf), np.inf))


def greatest_lower(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> float:
    """A double that the dual value provably reaches, with room for one rounding."""
    with precision(_bits(problem)):
        value = float(dual_bound(problem, dual, multiplier).lower())
    return float(np.nextafter(np.nextafter(value, -np.inf), -np.inf))


def objective(problem: UFM, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> Any:
    """A ball around the objective at W (N, M), H (M, K) and b (N,)."""
    proportions, terms = _proportions(problem), _Terms(problem)
    columns = (matrix(weights) * matrix(class_means)).transpose().tolist()
    shift, flat = column(bias), column(weights)
    value = arb(float(problem.bias_decay)) * dot(shift, shift)
    value += arb(float(problem.weight_decay)) * dot(flat, flat)
    for k, logits in enumerate(columns):
        mean = column(class_means[:, k])
        cost = terms.loss_of(k, [z + b for z, b in zip(logits, shift, strict=True)])
        value += proportions[k] * (cost + arb(float(problem.feature_decay)) * dot(mean, mean))
    return value


def dual_bound(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> Any:
    """A ball around a lower bound on the optimum, from the dual point (N, terms) and, if given, L (K, K)."""
    terms = _Terms(problem)
    point = terms.into_domain([column(vector) for vector in dual.T])
    if problem.bias and problem.bias_decay == 0:
        point = terms.balanced(point)
    columns = terms.combined(point)
    square = _scale_square(problem, columns, multiplier)
    bound = terms.value(point, square.sqrt())
    if problem.bias_decay > 0:
        pull = weighted_mean(columns, _proportions(problem))
        bound -= square * dot(pull, pull) / (4 * arb(float(problem.bias_decay)))
    return bound


# ---------------------------------------------------------------------- the problem's data


def _proportions(problem: UFM) -> Column:
    if problem.class_weights is not None:
        return column(problem.class_weights)
    return [arb(1) / problem.num_groups] * problem.num_groups


def _labels(problem: UFM) -> list[Column]:
    """The label columns, each with the exact sum one."""
    columns = [column(values) for values in problem.labels.T]
    return [[x / total(values) for x in values] for values in columns]


class _Terms:
    """The terms of the loss, as in `LabelLoss`: for each its column, its weight, its floor and its anchor."""

    def __init__(self, problem: UFM) -> None:
        loss, labels, proportions = problem.loss, _labels(problem), _proportions(problem)
        if not loss.has_certificates:
            raise no_certificates(loss)
        self.loss, self.count, self.size = loss, len(labels), int(problem.num_classes)
        if isinstance(loss, TargetLoss) and loss.sees_targets:
            self.targets: list[Column] | None = [loss.ball_target(label) for label in labels]
            self.columns, self.shares = list(range(len(labels))), [arb(1)] * len(labels)
            self.anchors = [max(range(self.size), key=lambda j: float(t[j].mid())) for t in self.targets]
            self.floors = [loss.ball_target_floor(target) for target in self.targets]
        else:
            pairs = [(k, j) for k, label in enumerate(labels) for j in range(self.size) if not label[j].is_zero()]
            self.targets = None
            self.columns, self.anchors = [k for k, _ in pairs], [j for _, j in pairs]
            self.shares = [labels[k][j] for k, j in pairs]
            self.floors = [loss.ball_floor(j, self.size) for j in self.anchors]
        self.weights = [proportions[k] * share for k, share in zip(self.columns, self.shares, strict=True)]

    def loss_of(self, k: int, logits: Column) -> Any:
        """The loss of column k."""
        if self.targets is not None:
            return self.loss.ball_target_value(logits, self.targets[k])  # type: ignore[attr-defined]  # a loss of targets
        mine = [i for i, owner in enumerate(self.columns) if owner == k]
        return total([self.shares[i] * self.loss.ball_value(logits, self.anchors[i]) for i in mine])

    def value(self, point: list[Column], scale: Any) -> Any:
        """``-sum w l*(scale v)``; the scale is at most one, and every floor at most zero."""
        scaled = point if scale == 1 else [[scale * x for x in vector] for vector in point]
        if self.targets is not None:
            face: Callable[..., Any] = self.loss.ball_target_conjugate  # type: ignore[attr-defined]  # a loss of targets
            return -dot(self.weights, [face(v, t) for v, t in zip(scaled, self.targets, strict=True)])
        face = self.loss.ball_conjugate
        return -dot(self.weights, [face(v, j) for v, j in zip(scaled, self.anchors, strict=True)])

    def combined(self, point: list[Column]) -> list[Column]:
        """One dual vector for each column."""
        columns = [[arb(0)] * self.size for _ in range(self.count)]
        for k, share, vector in zip(self.columns, self.shares, point, strict=True):
            columns[k] = [a + share * x for a, x in zip(columns[k], vector, strict=True)]
        return columns

    def into_domain(self, point: list[Column]) -> list[Column]:
        """The projection of `LabelLoss.into_domain`, exactly."""
        lifted = [
            [x if low is None else x.max(low) for x, low in zip(vector, floor, strict=True)]
            for vector, floor in zip(point, self.floors, strict=True)
        ]
        if not self.loss.shift_invariant:
            return lifted
        return [self._summing_to_zero(*parts) for parts in zip(lifted, self.floors, self.anchors, strict=True)]

    def _summing_to_zero(self, vector: Column, floor: list[Any], anchor: int) -> Column:
        rest = total([x for j, x in enumerate(vector) if j != anchor])
        whole = [-rest if j == anchor else x for j, x in enumerate(vector)]
        low = floor[anchor]
        if low is None or -rest >= low:
            return whole
        factor = -low / rest.max(-low)
        return [factor * x for x in whole]

    def balanced(self, point: list[Column]) -> list[Column]:
        """The point of mean zero of `duality.balanced_dual`, provably above every floor."""
        moved = self._centred(point)
        if all(low is None for floor in self.floors for low in floor):
            return moved
        inner, short = self._inner(), arb(0)
        for vector, inside, floor in zip(moved, inner, self.floors, strict=True):
            for x, y, low in zip(vector, inside, floor, strict=True):
                if low is not None and not x >= low:
                    room = (y - low).lower()
                    short = short.max((low - x).upper() / room) if room > 0 else arb("inf")
        if short.is_zero():
            return moved
        # (1-e) x + e y reaches the floor from e = short/(1 + short) on; a little more outweighs the radii.
        share = arb(1)
        if short.is_finite():
            share = ((short / (1 + short)).upper() * arb("1.001") + arb(2) ** (24 - ctx.prec)).mid().min(arb(1))
        mixed = [
            [(1 - share) * x + share * y for x, y in zip(a, b, strict=True)] for a, b in zip(moved, inner, strict=True)
        ]
        above = (
            low is None or x >= low
            for v, f in zip(mixed, self.floors, strict=True)
            for x, low in zip(v, f, strict=True)
        )
        if not all(above):
            raise CertificateError("dual: the dual point cannot be moved into the domain of the conjugate")
        return mixed

    def _centred(self, point: list[Column]) -> list[Column]:
        whole = total(self.weights)
        mean = [x / whole for x in weighted_mean(point, self.weights)]
        return [[v - m for v, m in zip(vector, mean, strict=True)] for vector in point]

    def _inner(self) -> list[Column]:
        """A point of mean zero inside the domain: see `LabelLoss.inner_point`."""
        n = self.size
        if self.targets is not None:
            mean = [x / total(self.weights) for x in weighted_mean(self.targets, self.weights)]
            return [[m - y for m, y in zip(mean, target, strict=True)] for target in self.targets]
        frequency = [arb(0)] * n
        for label, weight in zip(self.anchors, self.weights, strict=True):
            frequency[label] += weight
        steepest = [-floor[j] for floor, j in zip(self.floors, self.anchors, strict=True) if floor[j] is not None]
        # Any positive number not above half the least frequency, times the steepest slope, serves.
        size = min([1.0, *(float(s.lower()) for s in steepest)]) * min(float(f.lower()) for f in frequency)
        size = 0.49 * max(size, 0.0)
        return [
            [(arb(1) / n - (1 if j == label else 0)) * size / frequency[label] for j in range(n)]
            for label in self.anchors
        ]


# ---------------------------------------------------------------------- the constraint


def _scale_square(problem: UFM, columns: list[Column], multiplier: FloatArray | None) -> Any:
    """A theta squared, at most 1, for which ``theta^2 (A'A + L) <= 4 lambda_W lambda_H I`` is proven, A = V D."""
    roots = [w.sqrt() for w in _proportions(problem)]
    rows = [[root * x for x in values] for root, values in zip(roots, columns, strict=True)]
    # In this unit nothing that becomes a double leaves their range.
    unit = max((abs(x).upper() for row in rows for x in row), default=arb(0))
    if multiplier is not None and np.max(multiplier, initial=0.0) > 0:
        unit = unit.max(arb(float(np.max(multiplier))).sqrt().upper())
    if not unit > 0:
        return arb(1)
    transposed = arb_mat([[x / unit for x in row] for row in rows])
    gram = transposed * transposed.transpose()
    approximate = floats(gram)
    forgiven = None
    if problem.nonnegative:
        forgiven = np.maximum(-approximate, 0.0)
        if multiplier is not None:
            forgiven = _in_unit(multiplier, unit)
        if np.linalg.eigvalsh(approximate + forgiven)[-1] >= np.linalg.eigvalsh(approximate)[-1]:
            forgiven = None
    if forgiven is not None:
        gram, approximate = gram + matrix(forgiven), approximate + forgiven
    elif len(rows) > len(rows[0]):
        gram = transposed.transpose() * transposed
        approximate = floats(gram)
    return _theta_square(problem, gram, approximate, unit)


def _in_unit(multiplier: FloatArray, unit: Any) -> FloatArray:
    """The multiplier over the unit squared, in doubles: any symmetric nonnegative matrix serves."""
    scaled = np.array([float((arb(x) / unit / unit).mid()) for x in multiplier.ravel().tolist()])
    return duality.forgiveness(scaled.reshape(multiplier.shape))


def _theta_square(problem: UFM, gram: Any, approximate: FloatArray, unit: Any) -> Any:
    allowed = 4 * arb(float(problem.weight_decay)) * arb(float(problem.feature_decay)) / unit / unit
    values, vectors = np.linalg.eigh(0.5 * (approximate + approximate.T))
    basis = matrix(vectors)
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
    table = (metric * square - rotated).tolist()
    return all(row[j] > total([abs(x) for k, x in enumerate(row) if k != j]) for j, row in enumerate(table))
