"""The nuclear-norm minimiser against closed forms, dual bounds and the conditions of optimality."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax, xlogy

from mdtheory.foundation.errors import AssumptionError
from mdtheory.optimisers.nuclear import minimise_nuclear

TARGET = 1e-9


@dataclass(frozen=True)
class CrossEntropy:
    """sum_k pi_k CE(y_k, x_k/sqrt(pi_k) + b) + bias_decay ||b||^2; without a bias the tuple has one block."""

    labels: np.ndarray
    proportions: np.ndarray
    bias_decay: float = 0.0

    def logits(self, x):
        return x[0] / np.sqrt(self.proportions) + (x[1] if len(x) > 1 else 0.0)

    def value(self, x):
        mean = -np.sum(self.proportions * np.sum(self.labels * log_softmax(self.logits(x), axis=0), axis=0))
        return float(mean) + self.bias_decay * sum(float(np.sum(b**2)) for b in x[1:])

    def gradient(self, x):
        slope = softmax(self.logits(x), axis=0) - self.labels
        bias = tuple(slope @ self.proportions[:, None] + 2.0 * self.bias_decay * b for b in x[1:])
        return (slope * np.sqrt(self.proportions), *bias)

    def curvature(self, x):
        return Softmax(softmax(self.logits(x), axis=0), self.proportions, self.bias_decay, len(x) > 1)

    def certify(self, x, weight):
        """Objective and dual bound; a decayed bias is not covered."""
        upper = self.value(x) + weight * np.linalg.norm(x[0], "nuc")
        gradient, root = self.gradient(x)[0], np.sqrt(self.proportions)
        if len(x) > 1:
            gradient = gradient - np.outer(gradient @ root, root)
        u, s, v = np.linalg.svd(gradient, full_matrices=False)
        candidates = [min(1.0, weight / max(s[0], 1e-300)) * s]
        candidates += [np.where(s > weight * (1.0 - slack), weight, s) for slack in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)]
        duals = [self.labels + (u * values) @ v / root for values in candidates]
        # Rounding at labels that are exactly zero; the bound moves by its size times its logarithm.
        feasible = [np.maximum(q, 0.0) for q in duals if q.min() >= -1e-15]
        return upper, max((-float(np.sum(self.proportions * xlogy(q, q))) for q in feasible), default=-np.inf)


@dataclass(frozen=True)
class Softmax:
    """The Hessian of the cross-entropy at given probabilities."""

    probability: np.ndarray
    proportions: np.ndarray
    bias_decay: float
    bias: bool

    def apply(self, direction):
        root = np.sqrt(self.proportions)
        dz = direction[0] / root + (direction[1] if self.bias else 0.0)
        image = self.probability * dz
        image = image - self.probability * image.sum(axis=0)
        bias = tuple(image @ self.proportions[:, None] + 2.0 * self.bias_decay * b for b in direction[1:])
        return (image * root, *bias)

    @property
    def diagonal(self):
        h = self.probability * (1.0 - self.probability)
        return (h, h @ self.proportions[:, None] + 2.0 * self.bias_decay) if self.bias else (h,)


@dataclass(frozen=True)
class SquaredDistance:
    """sum_i stiffness/2 ||x_i - goal_i||^2, flat within `dead` of the goal in every entry."""

    goal: tuple
    dead: float = 0.0
    stiffness: float = 1.0

    def excess(self, x):
        return [np.sign(a - g) * np.maximum(np.abs(a - g) - self.dead, 0.0) for a, g in zip(x, self.goal, strict=True)]

    def value(self, x):
        return 0.5 * self.stiffness * sum(float(np.sum(e**2)) for e in self.excess(x))

    def gradient(self, x):
        return tuple(self.stiffness * e for e in self.excess(x))

    def curvature(self, x):
        return Diagonal(tuple(self.stiffness * (np.abs(e) > 0.0) for e in self.excess(x)))


@dataclass(frozen=True)
class Diagonal:
    diagonal: tuple

    def apply(self, direction):
        return tuple(h * d for h, d in zip(self.diagonal, direction, strict=True))


def labels_of(kind, classes, groups, rng):
    own = np.eye(classes)[:, np.arange(groups) % classes]
    if kind == "soft":
        return rng.dirichlet(np.ones(classes), size=groups).T
    if kind == "sparse":
        soft = rng.dirichlet(np.full(classes, 0.3), size=groups).T
        soft[soft < 0.5 / classes] = 0.0
        return soft / soft.sum(axis=0)
    if kind == "mixed":
        return 0.8 * own + 0.2 * rng.dirichlet(np.ones(classes), size=groups).T
    return own


def minimise(term, weights, shapes, target=TARGET, **options):
    start = tuple(np.zeros(shape) for shape in shapes)
    certify = options.pop("certify", None) or (lambda x: term.certify(x, weights[0]))
    return minimise_nuclear(term, weights, start, certify=certify, target=target, **options)


def relative_gap(term, x, weight):
    upper, lower = term.certify(x, weight)
    return (upper - lower) / upper


def random_term(kind, classes, groups, seed, rarest=1e-4):
    rng = np.random.default_rng(seed)
    proportions = rng.dirichlet(np.ones(groups)) + rarest
    return CrossEntropy(labels_of(kind, classes, groups, rng), proportions / proportions.sum())


def never(x):
    return 0.0, -np.inf


# ------------------------------------------------------------------ closed forms


@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (3, 8), (8, 3), (1, 5), (5, 1)])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.5, 50.0])
def test_squared_distance_shrinks_singular_values(shape, weight):
    goal = np.random.default_rng(3).normal(size=shape)
    (x,) = minimise(SquaredDistance((goal,), stiffness=2.0), (weight,), (shape,), certify=never)
    u, s, v = np.linalg.svd(goal, full_matrices=False)
    np.testing.assert_allclose(x, (u * np.maximum(s - weight / 2.0, 0.0)) @ v, atol=1e-12 * s[0])


@pytest.mark.parametrize("start", [1e-3, 1.0, 30.0])
def test_any_start_leads_to_the_minimiser(start):
    rng = np.random.default_rng(4)
    goal, first = rng.normal(size=(5, 7)), start * rng.normal(size=(5, 7))
    (x,) = minimise_nuclear(SquaredDistance((goal,)), (1.0,), (first,), certify=never, target=TARGET)
    u, s, v = np.linalg.svd(goal, full_matrices=False)
    np.testing.assert_allclose(x, (u * np.maximum(s - 1.0, 0.0)) @ v, atol=1e-12 * s[0])


@pytest.mark.parametrize("classes", [2, 3, 10, 20])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("mu", [1e-5, 1e-3, 1e-2])
def test_balanced_cross_entropy_has_the_margin_of_the_closed_form(classes, smoothing, mu):
    term = CrossEntropy((1.0 - smoothing) * np.eye(classes) + smoothing / classes, np.full(classes, 1.0 / classes))
    (x,) = minimise(term, (2.0 * mu,), ((classes, classes),), target=1e-13)
    rest = (classes - 1.0) * (smoothing / classes + 2.0 * mu / np.sqrt(classes))
    margin = np.log((classes - 1.0) * (1.0 - rest) / rest)
    expected = margin * (np.eye(classes) - 1.0 / classes)
    # The gap controls the square of the distance, weighted by the smallest curvature, that of the wrong classes.
    curvature = rest / (classes - 1.0) / classes
    bound = np.sqrt(2.0 * max(1e-13, 1e-15 / mu) * term.value((x,)) / curvature) + 1e-7
    np.testing.assert_allclose(term.logits((x,)), expected, atol=bound)


def test_large_weight_gives_exactly_zero():
    term = random_term("soft", 8, 8, 0)
    threshold = np.linalg.norm(term.gradient((np.zeros((8, 8)),))[0], 2)
    (above,) = minimise(term, (1.000001 * threshold,), ((8, 8),))
    (below,) = minimise(term, (0.999 * threshold,), ((8, 8),))
    assert np.all(above == 0.0)
    assert np.linalg.matrix_rank(below) == 1


# ------------------------------------------------------------------ certified gaps


@settings(max_examples=60)
@given(
    kind=st.sampled_from(["soft", "sparse", "mixed", "one-hot"]),
    classes=st.integers(2, 12),
    groups=st.integers(1, 16),
    exponent=st.floats(-4.0, -1.0),
    seed=st.integers(0, 2**20),
)
def test_gap_is_closed_on_random_instances(kind, classes, groups, exponent, seed):
    term, weight = random_term(kind, classes, groups, seed), 2.0 * 10.0**exponent
    (x,) = minimise(term, (weight,), ((classes, groups),))
    assert relative_gap(term, (x,), weight) <= TARGET


@pytest.mark.parametrize("kind", ["soft", "mixed", "one-hot"])
@pytest.mark.parametrize("seed", [0, 1])
def test_gap_is_closed_at_tiny_decays(kind, seed):
    term = random_term(kind, 20, 20, seed)
    (x,) = minimise(term, (2e-5,), ((20, 20),))
    assert relative_gap(term, (x,), 2e-5) <= TARGET


@settings(max_examples=30)
@given(
    kind=st.sampled_from(["soft", "mixed", "one-hot"]),
    classes=st.integers(2, 8),
    extra=st.integers(0, 6),
    exponent=st.floats(-4.0, -1.0),
    seed=st.integers(0, 2**20),
)
def test_gap_is_closed_with_an_unpenalised_bias(kind, classes, extra, exponent, seed):
    groups, weight = classes + extra, 2.0 * 10.0**exponent
    term = random_term(kind, classes, groups, seed, rarest=1e-2)
    x = minimise(term, (weight, 0.0), ((classes, groups), (classes, 1)))
    assert relative_gap(term, x, weight) <= TARGET


@pytest.mark.parametrize("mu", [1e-5, 1e-4, 1e-3, 1e-2, 3e-2])
def test_imbalance_with_minority_collapse(mu):
    proportions = np.repeat([10.0, 1.0], 5) / 55.0
    term = CrossEntropy(np.eye(10), proportions)
    (x,) = minimise(term, (2.0 * mu,), ((10, 10),))
    assert relative_gap(term, (x,), 2.0 * mu) <= TARGET


@pytest.mark.parametrize(("classes", "groups"), [(5, 30), (30, 5), (20, 20)])
@pytest.mark.parametrize("kind", ["soft", "sparse", "one-hot"])
def test_rectangular_instances(classes, groups, kind):
    term = random_term(kind, classes, groups, 7)
    (x,) = minimise(term, (2e-4,), ((classes, groups),))
    assert relative_gap(term, (x,), 2e-4) <= TARGET


def test_two_hundred_classes():
    term = random_term("soft", 200, 200, 1)
    (x,) = minimise(term, (2e-4,), ((200, 200),))
    assert relative_gap(term, (x,), 2e-4) <= TARGET


# ------------------------------------------------------------------ conditions of optimality


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["soft", "mixed", "one-hot"]),
    size=st.integers(2, 8),
    bias_decay=st.floats(1e-3, 1.0),
    exponent=st.floats(-3.0, -1.0),
    seed=st.integers(0, 2**20),
)
def test_subgradient_conditions_with_a_decayed_bias(kind, size, bias_decay, exponent, seed):
    plain, weight = random_term(kind, size, size, seed, rarest=1e-2), 2.0 * 10.0**exponent
    term = CrossEntropy(plain.labels, plain.proportions, bias_decay)
    x = minimise(term, (weight, 0.0), ((size, size), (size, 1)), certify=never)
    slope, bias_slope = term.gradient(x)
    # Values are exact to rounding, gradients to its square root.
    tolerance = 1e-6
    assert np.linalg.norm(slope, 2) <= weight + tolerance
    assert abs(np.vdot(slope, x[0]) + weight * np.linalg.norm(x[0], "nuc")) <= tolerance * (1.0 + np.linalg.norm(x[0]))
    assert np.linalg.norm(bias_slope) <= tolerance


def test_flat_loss_reaches_its_dual_bound():
    rng = np.random.default_rng(5)
    term, weight = SquaredDistance((rng.normal(size=(6, 9)), rng.normal(size=(6, 1))), dead=0.4), 0.8

    def certify(x):
        gradient = term.gradient(x)
        dual = gradient[0] * min(1.0, weight / np.linalg.norm(gradient[0], 2))
        # inf over x of f(x) - <dual, x>: the conjugate of the dead-zone square, entry by entry.
        lower = -float(np.sum(0.5 * dual**2 + term.dead * np.abs(dual) + dual * term.goal[0]))
        return term.value(x) + weight * np.linalg.norm(x[0], "nuc"), lower

    x = minimise(term, (weight, 0.0), ((6, 9), (6, 1)), target=1e-8, certify=certify)
    upper, lower = certify(x)
    assert lower - 1e-14 <= upper <= lower * (1.0 + 1e-8)


# ------------------------------------------------------------------ blocks


@dataclass(frozen=True)
class Reduced:
    """A balanced cross-entropy on ``a J/N + b (I - J/N)``: two 1 x 1 blocks, nuclear weights c and (N-1) c."""

    full: CrossEntropy

    def matrix(self, x):
        mean = np.full(self.full.labels.shape, 1.0 / len(self.full.labels))
        return (x[0] * mean + x[1] * (np.eye(len(mean)) - mean),)

    def coordinates(self, matrix):
        n = len(matrix)
        mean = float(matrix.sum()) / n
        return np.array([[mean]]), np.array([[float(np.trace(matrix)) - mean]])

    def value(self, x):
        return self.full.value(self.matrix(x))

    def gradient(self, x):
        return self.coordinates(self.full.gradient(self.matrix(x))[0])

    def curvature(self, x):
        hessian = self.full.curvature(self.matrix(x))

        def apply(direction):
            return self.coordinates(hessian.apply(self.matrix(direction))[0])

        zero, one = np.zeros((1, 1)), np.ones((1, 1))
        return Applied(apply, (apply((one, zero))[0], apply((zero, one))[1]))


@dataclass(frozen=True)
class Applied:
    apply: object
    diagonal: tuple


@pytest.mark.parametrize("mu", [1e-4, 1e-2, 1.0])
def test_symmetric_blocks_agree_with_the_full_matrix(mu):
    classes = 6
    full = CrossEntropy(0.9 * np.eye(classes) + 0.1 / classes, np.full(classes, 1.0 / classes))
    reduced, weight = Reduced(full), 2.0 * mu
    blocks = minimise(
        reduced,
        (weight, (classes - 1.0) * weight),
        ((1, 1), (1, 1)),
        certify=lambda x: full.certify(reduced.matrix(x), weight),
        target=1e-12,
    )
    (x,) = minimise(full, (weight,), ((classes, classes),), target=1e-12)
    assert relative_gap(full, reduced.matrix(blocks), weight) <= 1e-12
    # Both gaps are below 1e-12; the square root of that over the curvature bounds the distance.
    np.testing.assert_allclose(reduced.matrix(blocks)[0], x, atol=1e-4)


def test_blocks_of_a_separable_problem_are_solved_side_by_side():
    rng = np.random.default_rng(8)
    shapes, weights = ((4, 3), (2, 6), (1, 1), (3, 1)), (0.7, 0.4, 5.0, 0.0)
    goal = tuple(rng.normal(size=shape) for shape in shapes)
    found = minimise(SquaredDistance(goal), weights, shapes, certify=never)
    for x, y, weight in zip(found, goal, weights, strict=True):
        u, s, v = np.linalg.svd(y, full_matrices=False)
        np.testing.assert_allclose(x, (u * np.maximum(s - weight, 0.0)) @ v, atol=1e-12)


# ------------------------------------------------------------------ the call itself


def test_certificate_is_asked_for_sparingly():
    term, calls = random_term("soft", 20, 20, 2), []

    def certify(x):
        calls.append(x)
        return term.certify(x, 2e-3)

    lines = []
    minimise(term, (2e-3,), ((20, 20),), certify=certify, progress=lines.append)
    assert 1 <= len(calls) <= 3
    assert len(lines) > len(calls)
    assert all(word in lines[0] for word in ("iteration 0", "value", "residual"))


def test_limit_returns_the_best_point_so_far():
    term, weight = random_term("mixed", 10, 10, 3), 2e-3
    values = []
    for limit in (1, 2, 4, 8):
        x = minimise(term, (weight,), ((10, 10),), max_iterations=limit)
        values.append(term.certify(x, weight)[0])
    assert all(later <= earlier for earlier, later in pairwise(values))
    assert values[0] < term.certify((np.zeros((10, 10)),), weight)[0]


def test_interrupt_passes_through():
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimise(random_term("soft", 4, 4, 0), (1e-2,), ((4, 4),), progress=interrupt)


@pytest.mark.parametrize(
    ("weights", "start", "options", "named"),
    [
        ((1.0, 1.0), (np.zeros((2, 2)),), {}, "weights"),
        ((-1.0,), (np.zeros((2, 2)),), {}, "weights"),
        ((1.0,), (np.full((2, 2), np.nan),), {}, "start"),
        ((1.0,), (np.zeros(3),), {}, "start"),
        ((1.0,), (np.zeros((2, 2)),), {"target": -1.0}, "target"),
        ((1.0,), (np.zeros((2, 2)),), {"max_iterations": 0}, "max_iterations"),
    ],
)
def test_bad_input_is_named(weights, start, options, named):
    with pytest.raises(AssumptionError, match=named):
        minimise_nuclear(
            SquaredDistance((np.ones((2, 2)),)), weights, start, certify=never, **{"target": TARGET, **options}
        )
