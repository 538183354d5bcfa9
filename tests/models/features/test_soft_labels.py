"""Soft and multiple labels that treat every class alike, against brute force over W, H and b."""

from dataclasses import replace

import numpy as np
import pytest
from brute_force import (
    VANISHES,
    VISIBLE,
    brute_force,
    cross_entropy,
    each_side,
)
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import logsumexp

import mdtheory as mdt
from mdtheory.models.features.soft_labels import (
    exchangeable_optimum,
    is_exchangeable,
    multilabel_optimum,
    pick_all_labels,
)

DECAYS = {"weight_decay": 0.1, "feature_decay": 0.1}


def mixup(n, ratios):
    """One-hot labels and all ordered mixtures of two classes with the given ratios, half of the samples each."""
    pairs = [(i, j, r) for r in ratios for i in range(n) for j in range(n) if i != j]
    mixed = np.array([r * np.eye(n)[i] + (1 - r) * np.eye(n)[j] for i, j, r in pairs]).T
    share = np.concatenate([np.full(n, 0.5 / n), np.full(len(pairs), 0.5 / len(pairs))])
    return np.concatenate([np.eye(n), mixed], axis=1), share, np.ones(share.size)


SOFT = {
    "mixup": mixup(3, (0.7, 0.9)),
    "pick all labels": pick_all_labels(4, {1: 0.5, 2: 0.3, 3: 0.2}),
    "smoothed": (0.8 * np.eye(4) + 0.05, np.full(4, 0.25), np.ones(4)),
}


@pytest.mark.parametrize("name", SOFT)
def test_exchangeable_labels_are_solved_by_one_scalar(name):
    columns, share, mass = SOFT[name]
    found = exchangeable_optimum(columns, share, masses=mass, weight_decay=0.02, feature_decay=0.02)
    value, z, _ = brute_force(cross_entropy, columns, share, 0.02)
    # The gradient of the brute force is 1e-9, so its value is right to rounding; its columns less so.
    assert found.objective == pytest.approx(value, rel=1e-13)
    assert np.allclose(found.logits, z - z.mean(axis=0), atol=1e-6)
    factors = 0.02 * ((found.weights**2).sum() + (share * found.class_means**2).sum())
    assert np.allclose(found.weights @ found.class_means, found.logits, atol=1e-13)
    assert value == pytest.approx(cross_entropy(found.logits, columns)[0] @ share + factors, rel=1e-13)


def soft_model(columns, share, **options):
    decays = {"weight_decay": 0.02, "feature_decay": 0.02}
    loss = options.pop("loss", mdt.CrossEntropy())
    return mdt.UFM(loss, num_classes=len(columns), label_distribution=columns, class_weights=share, **decays, **options)


@pytest.mark.parametrize("bias", [{}, {"bias": True}, {"bias": True, "bias_decay": 0.05}])
@pytest.mark.parametrize("name", ["mixup", "smoothed"])
def test_solve_takes_the_one_scalar(name, bias):
    columns, share, _ = SOFT[name]
    found = mdt.solve(soft_model(columns, share, **bias))
    value, z, _ = brute_force(cross_entropy, columns, share, 0.02)
    assert (found.method, found.status) == ("closed-form", mdt.Status.OPTIMAL)
    assert found.objective == pytest.approx(value, rel=1e-12)
    assert np.allclose(found.logits, z - z.mean(axis=0), atol=1e-6)
    other = mdt.solve(soft_model(columns, share, **bias), method="factorized")
    assert other.method == "factorized"
    assert found.lower_bound <= other.objective * (1 + 1e-12)
    assert other.lower_bound <= found.objective * (1 + 1e-12)


def test_smoothing_of_noisy_labels_is_part_of_the_one_scalar():
    columns, share, _ = SOFT["mixup"]
    found = mdt.solve(soft_model(columns, share, loss=mdt.CrossEntropy(smoothing=0.3)))
    value, _, _ = brute_force(cross_entropy, 0.7 * columns + 0.1, share, 0.02)
    assert found.method == "closed-form"
    assert found.objective == pytest.approx(value, rel=1e-12)


def test_labels_of_equal_frequencies_that_do_not_treat_classes_alike_have_no_closed_form():
    cycle = 0.7 * np.eye(4) + 0.3 * np.roll(np.eye(4), 1, axis=0)
    problem = soft_model(cycle, np.full(4, 0.25))
    found = mdt.solve(problem)
    assert (found.method, found.status) == ("factorized", mdt.Status.OPTIMAL)
    with pytest.raises(mdt.AssumptionError, match=r"^method = 'closed-form': needs .*treat every class alike"):
        mdt.solve(problem, method="closed-form")


def test_decays_too_small_for_the_one_scalar_are_left_to_the_general_method():
    problem = replace(
        soft_model(*SOFT["smoothed"][:2]), loss=mdt.CrossEntropy(), label_distribution=0.7 * np.eye(4) + 0.075
    )
    problem = replace(problem, weight_decay=1e-300, feature_decay=1e-300)
    found = mdt.solve(problem)
    # At no decay the optimum is the mean entropy of the labels.
    assert (found.method, found.status) == ("factorized", mdt.Status.OPTIMAL)
    assert found.objective == pytest.approx(-0.775 * np.log(0.775) - 3 * 0.075 * np.log(0.075), rel=1e-12)
    with pytest.raises(mdt.SolverError, match="decays are too small"):
        mdt.solve(problem, method="closed-form")


def test_the_one_scalar_needs_all_but_one_dimension():
    columns, share, _ = SOFT["smoothed"]
    assert mdt.solve(soft_model(columns, share, feature_dim=3)).method == "closed-form"
    assert mdt.solve(soft_model(columns, share, feature_dim=2), starts=2).method == "multi-start"


@pytest.mark.parametrize("name", SOFT)
@each_side
def test_exchangeable_labels_vanish_at_their_threshold(name, factor):
    columns, share, mass = SOFT[name]
    threshold = exchangeable_optimum(columns, share, masses=mass, weight_decay=1, feature_decay=1).collapse_threshold
    _, z, _ = brute_force(cross_entropy, columns, share, factor * threshold)
    assert np.max(np.abs(z)) < VANISHES if factor > 1 else np.max(np.abs(z)) > VISIBLE
    found = exchangeable_optimum(
        columns, share, masses=mass, weight_decay=factor * threshold, feature_decay=factor * threshold
    )
    assert np.allclose(found.logits, z - z.mean(axis=0), atol=1e-5)
    assert found.lower_bound == pytest.approx(found.objective, rel=1e-14)


@given(st.sampled_from(sorted(SOFT)), st.floats(-12, -1), st.floats(-12, -1))
def test_exchangeable_solutions_certify_themselves(name, log_weight, log_feature):
    columns, share, mass = SOFT[name]
    decays = {"weight_decay": 10**log_weight, "feature_decay": 10**log_feature}
    found = exchangeable_optimum(columns, share, masses=mass, **decays)
    mu = 10 ** (0.5 * (log_weight + log_feature))
    # First order in the norm of the dual point, which is right to a few rounding errors of 1 relative to 2 mu.
    assert abs(found.objective - found.lower_bound) <= 1e-14 + 1e-15 * np.abs(np.log(mu))
    if found.collapse_threshold > mu:
        residual = columns - mass * np.exp(found.logits - logsumexp(found.logits, axis=0))
        assert np.allclose(residual, found.residual_slope * found.logits, rtol=0, atol=1e-14)
        norm = np.sqrt(share @ (found.logits**2).sum(axis=0) / (len(columns) - 1))
        assert found.residual_slope * norm == pytest.approx(2 * mu, rel=1e-12)


@given(st.floats(-9, -1.3))
def test_label_sets_need_not_be_listed(log_decay):
    frequencies = {1: 0.5, 2: 0.3, 4: 0.2}
    decay = 10**log_decay
    columns, share, mass = pick_all_labels(6, frequencies)
    listed = exchangeable_optimum(columns, share, masses=mass, weight_decay=decay, feature_decay=decay)
    found = multilabel_optimum(6, frequencies, weight_decay=decay, feature_decay=decay)
    assert found.objective == pytest.approx(listed.objective, rel=1e-13)
    assert found.lower_bound == pytest.approx(listed.lower_bound, rel=1e-13)
    assert found.collapse_threshold == pytest.approx(listed.collapse_threshold, rel=1e-14)
    for size, margin in found.margins.items():
        column = np.flatnonzero(mass == size)[0]
        assert np.ptp(listed.logits[:, column]) == pytest.approx(margin, rel=1e-12)


def test_thousands_of_classes_with_label_sets_in_high_precision():
    found = multilabel_optimum(5000, {1: 0.6, 3: 0.4}, weight_decay=2e-4, feature_decay=1e-4)
    with mp.workdps(40):
        n, shares = 5000, {1: mp.mpf(0.6), 3: mp.mpf(0.4)}
        t2 = 4 * mp.mpf(2e-4) * mp.mpf(1e-4)

        def margin(size, theta):
            return mp.findroot(lambda a: mp.log(a) + mp.log(size * mp.exp(a) + n - size) - mp.log(n / theta), 8)

        def excess(theta):
            total = sum(w * margin(m, theta) ** 2 * m * (n - m) / mp.mpf(n) for m, w in shares.items())
            return theta**2 * total / (t2 * (n - 1)) - 1

        theta = mp.findroot(excess, found.residual_slope)
        assert abs(found.residual_slope / theta - 1) < 1e-14
        for size, value in found.margins.items():
            assert abs(value / margin(size, theta) - 1) < 1e-14


def test_single_labels_are_the_balanced_closed_form():
    for decay in (1e-12, 1e-3, 0.0099, 0.2):
        found = multilabel_optimum(50, {1: 1.0}, weight_decay=decay, feature_decay=decay)
        exact = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=50, weight_decay=decay, feature_decay=decay))
        assert found.margins[1] == pytest.approx(exact.margin, rel=1e-13)
        assert found.objective == pytest.approx(exact.objective, rel=1e-12)


@pytest.mark.parametrize(
    ("columns", "share", "expected"),
    [
        (np.eye(3), None, True),
        (np.eye(3), [0.5, 0.25, 0.25], False),
        (np.eye(3)[:, [0, 1, 2, 2]], [1 / 3, 1 / 3, 1 / 6, 1 / 6], True),
        (np.eye(3)[:, :2], None, False),
        (np.full((3, 1), 1 / 3), None, True),
        # Circulant noise is symmetric under rotations of the classes only.
        (np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]]), None, False),
        (mixup(3, (0.7,))[0], mixup(3, (0.7,))[1], True),
        # The same numbers, computed in two ways.
        (np.array([[0.9, 0.1], [1 - 0.9, 0.3 * 3]]), None, True),
    ],
)
def test_exchangeability_is_decided(columns, share, expected):
    assert is_exchangeable(columns, share) is expected


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exchangeable_optimum(np.eye(2), [0.6, 0.4], **DECAYS), "relabelling preserves"),
        (lambda: exchangeable_optimum(-np.eye(2), **DECAYS), r"must have entries in \[0, 1\] \(entry \[0, 0\]\)"),
        (lambda: exchangeable_optimum(0.9 * np.eye(2), **DECAYS), "column 0 must sum to 1"),
        (lambda: exchangeable_optimum(np.eye(2), masses=[1.0], **DECAYS), "masses"),
        (lambda: multilabel_optimum(3, {3: 1.0}, **DECAYS), "frequencies = 3.0"),
        (lambda: multilabel_optimum(3, {}, **DECAYS), "must be a dict"),
        (lambda: pick_all_labels(40, {20: 1.0}), "at most 200000 label sets"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
