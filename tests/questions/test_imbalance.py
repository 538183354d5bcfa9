"""At which decay unequal classes merge or vanish, against brute force over W, H and b."""

import numpy as np
import pytest
from brute_force import (
    EACH_SIDE,
    SMOOTH,
    VANISHES,
    VISIBLE,
    brute_force,
    cross_entropy,
    each_side,
    each_smooth,
    label_relaxation,
    random_labels,
    smoothed,
    spread,
    squared_error,
    with_or_without_bias,
)

import mdtheory as mdt
from mdtheory.questions.imbalance import class_collapse_threshold, merge_threshold, zero_collapse_threshold

CE = mdt.CrossEntropy()


# -------------------------------------------------------------------------------- equal classes


@each_smooth
@with_or_without_bias
@pytest.mark.parametrize(
    ("share", "equal"),
    [([0.4, 0.3, 0.15, 0.15], [2, 3]), ([0.7, 0.1, 0.1, 0.1], [1, 2, 3]), ([0.1, 0.1, 0.2, 0.2, 0.4], [0, 1])],
)
def test_equal_classes_coincide_exactly_from_the_merge_threshold_on(name, share, equal, bias):
    brute, loss = SMOOTH[name]
    for factor in EACH_SIDE:
        decay = factor * merge_threshold(loss, share[equal[0]])
        _, z, h = brute_force(brute, smoothed(loss, len(share)), share, decay, bias=bias)
        for columns in (z[:, equal], z[equal].T, h[:, equal]):
            assert spread(columns) < VANISHES if factor > 1 else spread(columns) > VISIBLE


@with_or_without_bias
@pytest.mark.parametrize("seed", range(3))
def test_the_merge_threshold_knows_weights_scales_decays_and_smoothing(seed, bias):
    rng = np.random.default_rng(seed)
    share, groups = np.array([0.35, 0.25, 0.2, 0.2]), np.array([0, 1, 2, 2])
    options = {key: rng.uniform(0.5, 2, 3)[groups] for key in ("loss_weight", "logit_scale", "feature_decay_weight")}
    loss = mdt.CrossEntropy(smoothing=rng.uniform(0, 0.4))
    threshold = merge_threshold(loss, 0.2, **{key: value[-1] for key, value in options.items()})
    options["adjustment"] = rng.normal(size=3)[groups]
    for factor in EACH_SIDE:
        _, z, h = brute_force(cross_entropy, smoothed(loss, 4), share, factor * threshold, bias=bias, options=options)
        for columns in (z[:, 2:], h[:, 2:]):
            assert spread(columns) < VANISHES if factor > 1 else spread(columns) > VISIBLE


def test_adjusting_logits_by_the_proportions_does_not_move_the_merge_threshold():
    share = np.array([0.6, 0.2, 0.2])
    threshold = merge_threshold(mdt.CrossEntropy(), 0.2)
    found = [
        [
            spread(brute_force(cross_entropy, np.eye(3), share, f * threshold, options={"adjustment": a})[1][:, 1:])
            for f in EACH_SIDE
        ]
        for a in (np.zeros(3), np.log(share))
    ]
    for below, above in found:
        assert below > VISIBLE
        assert above < VANISHES
    # The adjustment does change the model, so this was not the same computation twice.
    assert abs(found[0][0] - found[1][0]) > 1e-4


def test_inverse_frequency_weights_merge_the_majority_first():
    share = np.array([0.4, 0.4, 1 / 15, 1 / 15, 1 / 15])
    weights = 1 / (5 * share)
    large, small = 2 * merge_threshold(mdt.CrossEntropy(), share[[0, 2]], loss_weight=weights[[0, 2]])
    assert (round(large, 3), round(small, 3)) == (0.316, 0.775)
    _, z, _ = brute_force(cross_entropy, np.eye(5), share, 0.5 * 1.03 * large, options={"loss_weight": weights})
    assert spread(z[:, :2]) < VANISHES
    assert spread(z[:, 2:]) > 0.1


def test_weights_with_scales_restore_the_balanced_optimum():
    share = np.array([0.5, 0.3, 0.2])
    options = {"loss_weight": 1 / (3 * share), "logit_scale": np.sqrt(3 * share)}
    _, z, _ = brute_force(cross_entropy, np.eye(3), share, 0.05, options=options)
    balanced = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=0.05, feature_decay=0.05))
    assert np.allclose(z * options["logit_scale"], balanced.margin * (np.eye(3) - 1 / 3), atol=1e-6)


def test_the_merge_threshold_of_balanced_classes_is_their_collapse_threshold():
    for loss in (mdt.CrossEntropy(smoothing=0.3), mdt.MeanSquaredError(smoothing=0.1)):
        ufm = mdt.UFM(loss, num_classes=7, weight_decay=1.0, feature_decay=1.0)
        assert merge_threshold(loss, 1 / 7) == pytest.approx(mdt.collapse_threshold(ufm), rel=1e-14)


# -------------------------------------------------------------------------------- vanishing classes


@pytest.mark.parametrize(
    ("brute", "loss"),
    [
        (cross_entropy, mdt.CrossEntropy()),
        (cross_entropy, mdt.CrossEntropy(smoothing=0.2)),
        (label_relaxation, mdt.LabelRelaxation(0.2)),
        (squared_error, mdt.MeanSquaredError()),
    ],
)
@each_side
def test_a_nonnegative_class_vanishes_exactly_from_its_threshold_on(brute, loss, factor):
    share = [0.6, 0.25, 0.15]
    decay = factor * class_collapse_threshold(loss, share[2], 3)
    target = smoothed(loss, 3) if isinstance(loss, mdt.CrossEntropy) else np.eye(3)
    _, z, _ = brute_force(brute, target, share, decay, nonnegative=True, starts=4)
    largest = np.max(np.abs(z[:, 2]))
    assert largest < VANISHES if factor > 1 else largest > VISIBLE
    assert np.max(np.abs(z[:, 1])) > 0.02


@each_side
def test_a_free_class_vanishes_under_squared_error_at_the_same_place(factor):
    decay = factor * class_collapse_threshold(mdt.MeanSquaredError(), 0.15, 3)
    _, z, _ = brute_force(squared_error, np.eye(3), [0.6, 0.25, 0.15], decay)
    assert np.max(np.abs(z[:, 2])) < VANISHES if factor > 1 else np.max(np.abs(z[:, 2])) > VISIBLE


def test_class_thresholds_are_where_the_solver_collapses_classes():
    share = np.array([0.5, 0.3, 0.2])
    for loss in (mdt.CrossEntropy(smoothing=0.1), mdt.LabelRelaxation(0.3), mdt.Hinge(), mdt.SquaredHinge()):
        thresholds = class_collapse_threshold(loss, share, 3)
        for factor in (1 - 1e-9, 1 + 1e-9):
            for k in range(3):
                decay = factor * thresholds[k]
                ufm = mdt.UFM(
                    loss, num_classes=3, weight_decay=decay, feature_decay=decay, nonnegative=True, class_weights=share
                )
                assert (mdt.solve(ufm).margin[k] == 0) == (factor > 1)


# -------------------------------------------------------------------------------- total collapse


@each_smooth
@with_or_without_bias
@pytest.mark.parametrize("seed", range(2))
def test_everything_vanishes_exactly_from_the_zero_threshold_on(name, seed, bias):
    brute, loss = SMOOTH[name]
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(4, 3.0))
    labels = None if seed == 0 else random_labels(rng, 3, 4)
    targets = np.eye(4) if labels is None else labels
    targets = (1 - loss.smoothing) * targets + loss.smoothing / len(targets)
    threshold = zero_collapse_threshold(loss, share, labels, bias=bias)
    for factor in EACH_SIDE:
        _, z, _ = brute_force(brute, targets, share, factor * threshold, bias=bias, dim=4)
        assert np.max(np.abs(z)) < VANISHES if factor > 1 else np.max(np.abs(z)) > VISIBLE


@each_side
def test_everything_vanishes_under_label_relaxation(factor):
    share = [0.5, 0.3, 0.2]
    decay = factor * zero_collapse_threshold(mdt.LabelRelaxation(0.2), share)
    _, z, _ = brute_force(label_relaxation, np.eye(3), share, decay)
    assert np.max(np.abs(z)) < VANISHES if factor > 1 else np.max(np.abs(z)) > VISIBLE


@pytest.mark.parametrize("share", [[0.8, 0.2], [1 / 3, 1 / 3, 1 / 3]])
@pytest.mark.parametrize("loss", [mdt.Hinge(), mdt.SquaredHinge()])
@each_side
def test_hinges_vanish_where_their_subgradients_at_zero_allow_it(loss, share, factor):
    import cvxpy as cp

    n = len(share)
    decay = factor * zero_collapse_threshold(loss, share)
    z = cp.Variable((n, n))
    atoms = [loss.cvxpy_atom(z[:, k], k)[0] for k in range(n)]
    penalty = 2 * decay * cp.normNuc(z @ np.diag(np.sqrt(share)))
    objective = sum(weight * atom for weight, atom in zip(share, atoms, strict=True)) + penalty
    value = cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9)
    at_zero = 0.5 if isinstance(loss, mdt.SquaredHinge) else 1.0
    # Below, the squared hinge gains the square of 3 % over two.
    assert abs(value - at_zero) < 1e-7 if factor > 1 else value < at_zero - 4e-4


def test_the_zero_threshold_of_balanced_classes_is_the_collapse_threshold():
    for n in (2, 5):
        for loss in (
            mdt.CrossEntropy(smoothing=0.1),
            mdt.LabelRelaxation(0.2),
            mdt.Hinge(),
            mdt.SquaredHinge(),
        ):
            ufm = mdt.UFM(loss, num_classes=n, weight_decay=1.0, feature_decay=1.0)
            assert zero_collapse_threshold(loss, np.full(n, 1 / n)) == pytest.approx(mdt.collapse_threshold(ufm))
        assert zero_collapse_threshold(mdt.MeanSquaredError(0.3), np.full(n, 1 / n)) == pytest.approx(0.5 / n**0.5)
        ufm = mdt.UFM(mdt.MeanSquaredError(0.3), num_classes=n, weight_decay=1.0, feature_decay=1.0, bias=True)
        found = zero_collapse_threshold(mdt.MeanSquaredError(0.3), np.full(n, 1 / n), bias=True)
        assert found == pytest.approx(mdt.collapse_threshold(ufm))


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: merge_threshold(CE, 0.6), r"proportion = 0.6: must lie in \(0, 1/2\]"),
        (lambda: merge_threshold(mdt.Hinge(), 0.2), "loss = Hinge"),
        (lambda: merge_threshold("ce", 0.2), "loss = 'ce'"),
        (lambda: merge_threshold(CE, 0.2, loss_weight=0), "loss_weight = 0.0"),
        (lambda: merge_threshold(CE, [0.2, 0.1], logit_scale=[1, 1, 1]), "shapes"),
        (lambda: class_collapse_threshold(mdt.MeanSquaredError(0.1), 0.2, 3), "must have no smoothing"),
        (lambda: class_collapse_threshold(mdt.Focal(2.0), 0.2, 3), "must be convex"),
        (lambda: class_collapse_threshold(CE, 1.0, 3), "proportion = 1.0"),
        (lambda: zero_collapse_threshold(CE, [0.5, 0.51]), "must sum to 1"),
        (lambda: zero_collapse_threshold(CE, [[0.5, 0.5]]), "must be a vector"),
        (
            lambda: zero_collapse_threshold(CE, [1.0], [[0.5], [0.51]]),
            r"column 0 must sum to 1 \(it misses it by 0.01\)",
        ),
        (lambda: zero_collapse_threshold(CE, [1.0], [[1.0], [0.0]], bias=True), "must use every class"),
        (lambda: zero_collapse_threshold(mdt.Hinge(), [0.5, 0.3, 0.2]), "must be equal for Hinge"),
        (lambda: zero_collapse_threshold(mdt.LabelRelaxation(0.1), [0.6, 0.4], bias=True), "must be equal"),
        (lambda: zero_collapse_threshold(mdt.Hinge(), [0.5, 0.5], np.eye(2)), "label_distribution"),
        (lambda: zero_collapse_threshold(mdt.Focal(2.0), [0.5, 0.5]), "must be convex"),
        (lambda: zero_collapse_threshold(mdt.CrossEntropy([0.1, 0.2]), [0.5, 0.5]), "must be one number"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
