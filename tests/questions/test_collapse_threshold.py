"""`collapse_threshold` answers for every features model, as the solver does on either side, or refuses."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt
from mdtheory.questions.thresholds import _largest_on_cone

T = sp.Symbol("t")
SHARES = [0.5, 0.3, 0.2]
LABELS = [[0.7, 0.2, 0.25], [0.2, 0.8, 0.05], [0.1, 0.0, 0.7]]
WIDE = [[0.7, 0.2, 0.25, 0.1], [0.2, 0.8, 0.05, 0.5], [0.1, 0.0, 0.7, 0.4]]


def ufm(loss, classes=3, **changes):
    return mdt.UFM(loss, num_classes=classes, **({"weight_decay": 1e-3, "feature_decay": 1e-3} | changes))


CASES = {
    "issue": ufm(mdt.CrossEntropy(), 4, label_distribution=0.7 * np.eye(4) + 0.075),
    "weights": ufm(mdt.CrossEntropy(0.1), class_weights=SHARES),
    "labels": ufm(mdt.CrossEntropy(), label_distribution=WIDE),
    "bias": ufm(mdt.CrossEntropy(), class_weights=SHARES, label_distribution=LABELS, bias=True),
    "bias-decay": ufm(
        mdt.CrossEntropy(0.1), class_weights=SHARES, label_distribution=LABELS, bias=True, bias_decay=0.05
    ),
    "small-bias-decay": ufm(mdt.CrossEntropy(), class_weights=[0.9, 0.08, 0.02], bias=True, bias_decay=1e-6),
    "squared": ufm(mdt.MeanSquaredError(), class_weights=SHARES, label_distribution=LABELS),
    "squared-bias-decay": ufm(mdt.MeanSquaredError(0.2), bias=True, bias_decay=0.03),
    "relaxation": ufm(mdt.LabelRelaxation(0.1), class_weights=SHARES, label_distribution=LABELS),
    "two-hinge": ufm(mdt.Hinge(), 2, class_weights=[0.7, 0.3]),
    "own-loss": ufm(mdt.MarginLoss(sp.log(1 + sp.exp(-T)) + sp.exp(-T) / 10), 2, class_weights=[0.7, 0.3]),
    "narrow": ufm(mdt.CrossEntropy(), 4, feature_dim=1),
    "frame": ufm(mdt.CrossEntropy(), nonnegative=True, label_distribution=LABELS, class_weights=SHARES),
    "frame-bias": ufm(mdt.CrossEntropy(), nonnegative=True, class_weights=SHARES, bias=True),
    "frame-squared": ufm(mdt.MeanSquaredError(0.2), nonnegative=True, class_weights=SHARES),
    "frame-relaxation": ufm(mdt.LabelRelaxation(0.1), nonnegative=True, label_distribution=LABELS),
    "frame-narrow": ufm(mdt.CrossEntropy(), nonnegative=True, feature_dim=1),
}


def size(problem, mu):
    """The largest logit without the bias at this mu, split unevenly over both decays."""
    sol = mdt.solve(replace(problem, weight_decay=2.0 * mu, feature_decay=0.5 * mu))
    return float(np.max(np.abs(sol.weights @ sol.class_means)))


@pytest.mark.parametrize("name", CASES)
def test_logits_vanish_at_the_threshold_and_not_below(name):
    threshold = mdt.collapse_threshold(CASES[name])
    assert type(threshold) is float
    assert size(CASES[name], 0.98 * threshold) > 1e-3
    assert size(CASES[name], 1.01 * threshold) < 1e-6


def test_the_threshold_of_uniform_label_noise_is_known():
    # Noise of the labels is smoothing: (1 - alpha)/(2 sqrt N).
    assert mdt.collapse_threshold(CASES["issue"]) == pytest.approx(0.7 / 4, rel=1e-14)


def test_it_agrees_with_the_threshold_from_proportions_and_labels():
    for loss, bias, labels in itertools.product(
        (mdt.CrossEntropy(0.1), mdt.MeanSquaredError()), (False, True), (None, LABELS)
    ):
        problem = ufm(loss, class_weights=SHARES, label_distribution=labels, bias=bias)
        expected = mdt.zero_collapse_threshold(loss, SHARES, labels, bias=bias)
        assert mdt.collapse_threshold(problem) == pytest.approx(expected, rel=1e-13)


def test_a_symmetric_problem_written_out_has_the_same_threshold():
    for loss, nonnegative in itertools.product((mdt.CrossEntropy(0.2), mdt.LabelRelaxation(0.1)), (False, True)):
        plain = ufm(loss, 4, nonnegative=nonnegative)
        written = ufm(loss, 4, nonnegative=nonnegative, label_distribution=np.eye(4), class_weights=np.full(4, 0.25))
        assert not written.symmetric
        assert mdt.collapse_threshold(written) == pytest.approx(mdt.collapse_threshold(plain), rel=1e-13)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_largest_value_on_the_cone_is_that_of_a_fine_grid(size):
    generator = np.random.default_rng(size)
    for _ in range(20):
        matrix = generator.normal(size=(3, size))
        gram = matrix.T @ matrix
        points = np.abs(generator.normal(size=(40_000, size))) * generator.integers(0, 2, size=(40_000, size))
        points = points[np.any(points > 0, axis=1)]
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        grid = float(np.max(np.einsum("ij,jk,ik->i", points, gram, points)))
        found = _largest_on_cone(gram)
        assert grid <= found * (1 + 1e-12)
        assert found <= grid * 1.02


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (ufm(mdt.Hinge(), class_weights=SHARES), "loss = Hinge.*many gradients at zero logits"),
        (ufm(mdt.SquaredHinge(), 4, feature_dim=1), "loss = SquaredHinge.*many gradients at zero logits"),
        (
            ufm(mdt.LabelRelaxation(0.1), class_weights=SHARES, bias=True),
            "bias = True: must be False for LabelRelaxation",
        ),
        (ufm(mdt.Focal(0.0), class_weights=SHARES, bias=True), "bias = True: must be False for Focal"),
        (3, "problem = 3: must be a UFM"),
    ],
    ids=["hinge", "narrow-squared-hinge", "relaxation-bias", "focal-bias", "no-problem"],
)
def test_what_has_no_exact_answer_is_refused_in_one_line(problem, message):
    with pytest.raises(mdt.AssumptionError, match=message) as error:
        mdt.collapse_threshold(problem)
    assert "\n" not in str(error.value)


def test_many_groups_with_angles_of_both_kinds_are_refused():
    generator = np.random.default_rng(0)
    labels = generator.dirichlet(np.ones(3), size=20).T
    problem = ufm(mdt.CrossEntropy(), nonnegative=True, label_distribution=labels)
    with pytest.raises(mdt.AssumptionError, match="num_groups = 20: must be at most 14"):
        mdt.collapse_threshold(problem)
    # Squared error without smoothing: no angle is obtuse, and any number will do.
    squared = mdt.collapse_threshold(ufm(mdt.MeanSquaredError(), nonnegative=True, label_distribution=labels))
    free = mdt.collapse_threshold(ufm(mdt.MeanSquaredError(), label_distribution=labels))
    assert squared == pytest.approx(free, rel=1e-13)
