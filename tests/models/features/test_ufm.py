"""The unconstrained features model against high precision, brute force and its own dual."""

import warnings

import numpy as np
import oracle
import pytest
import registered
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mdtheory as mdt
from mdtheory.losses import Loss
from mdtheory.models.features import bounds as features_bound
from mdtheory.questions.thresholds import collapse_threshold

# Rounding of an objective and of its bound.
ROUNDING = 1e-15
P1 = {0.5: 0.421457, 1.0: 0.367879, 2.0: 0.297637, 3.0: 0.252584, 5.0: 0.196803}


def oracle_loss(loss):
    names = {
        "CrossEntropy": "cross-entropy",
        "MeanSquaredError": "mse",
        "LabelRelaxation": "label-relaxation",
        "Focal": "focal",
        "Hinge": "hinge",
        "SquaredHinge": "squared-hinge",
    }
    return (names[type(loss).__name__], *(getattr(loss, name) for name in loss.parameter_names()))


def model(loss, classes, weight_decay, feature_decay=None, nonnegative=False, **options):
    return mdt.UFM(
        loss,
        num_classes=classes,
        weight_decay=weight_decay,
        feature_decay=weight_decay if feature_decay is None else feature_decay,
        nonnegative=nonnegative,
        **options,
    )


def exact_margin(problem):
    return oracle.ufm_margin(
        oracle_loss(problem.loss),
        problem.num_classes,
        problem.weight_decay,
        problem.feature_decay,
        problem.nonnegative,
        bias=problem.bias,
    )


def exact_objective(problem):
    return oracle.ufm_objective(
        oracle_loss(problem.loss),
        problem.num_classes,
        problem.weight_decay,
        problem.feature_decay,
        problem.nonnegative,
        bias=problem.bias,
    )


def assert_margin(problem, tolerance=1e-12):
    found, expected = mdt.solve(problem).margin, exact_margin(problem)
    assert abs(found - expected) <= tolerance * expected, (problem, found, expected)


def name_of(value):
    if not isinstance(value, Loss):
        return str(value)
    return "-".join([type(value).__name__, *(str(getattr(value, name)) for name in value.parameter_names())])


LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=1e-16),
    mdt.CrossEntropy(smoothing=0.1),
    mdt.CrossEntropy(smoothing=1 - 2**-40),
    mdt.MeanSquaredError(),
    mdt.MeanSquaredError(smoothing=0.3),
    mdt.MeanSquaredError(smoothing=1 - 2**-40),
    mdt.LabelRelaxation(1e-16),
    mdt.LabelRelaxation(0.1),
    mdt.LabelRelaxation(0.4999999),
    mdt.Focal(0.0),
    mdt.Focal(0.5),
    mdt.Focal(2.0),
    mdt.Focal(5.0),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
LOSSES += registered.losses(*LOSSES)
FEW = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=0.2),
    mdt.MeanSquaredError(smoothing=0.1),
    mdt.LabelRelaxation(0.15),
    mdt.Focal(1.0),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
SMOOTH = [loss for loss in FEW if loss.smooth_slope]
each_setting = pytest.mark.parametrize("nonnegative", [False, True], ids=["free", "nonnegative"])
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=name_of)
each_of_few = pytest.mark.parametrize("loss", FEW, ids=name_of)


# ------------------------------------------------------------------ margins


@each_setting
@each_loss
def test_margins_on_an_edge_heavy_grid(loss, nonnegative):
    for classes in (2, 3, 1000, 10**6):
        for weight_decay, feature_decay in ((1e-16, 1e-16), (1e-16, 1.0), (1e-9, 1e-3), (5e-3, 4e-3), (1.0, 1.0)):
            assert_margin(model(loss, classes, weight_decay, feature_decay, nonnegative))


@each_setting
@each_loss
@pytest.mark.parametrize("classes", [2, 5, 17, 18, 30, 10**6])
def test_margins_next_to_the_collapse_threshold(loss, classes, nonnegative):
    threshold = collapse_threshold(model(loss, classes, 1.0, nonnegative=nonnegative))
    for factor in (1 - 1e-9, 1 + 1e-9, 1 - 1e-4, 1.0):
        # A power of two apart, so that the two decays differ and their product is still that close.
        problem = model(loss, classes, 4.0 * threshold * factor, 0.25 * threshold, nonnegative)
        if isinstance(loss, mdt.Hinge) and problem.kappa == 1:
            continue
        assert_margin(problem)


@each_setting
def test_margins_at_random_points(nonnegative):
    rng = np.random.default_rng(2024 + nonnegative)
    for _ in range(12):
        smoothing, gamma = rng.uniform(0, 1), rng.uniform(0, 6)
        classes = int(10 ** rng.uniform(np.log10(2), 6))
        weight_decay, feature_decay = 10 ** rng.uniform(-16, 0), 10 ** rng.uniform(-8, 0)
        for loss in (
            mdt.CrossEntropy(smoothing),
            mdt.MeanSquaredError(smoothing),
            mdt.LabelRelaxation(smoothing),
            mdt.Focal(gamma),
            mdt.SquaredHinge(),
            mdt.Hinge(),
        ):
            assert_margin(model(loss, classes, weight_decay, feature_decay, nonnegative))
            if not loss.shift_invariant:
                assert_margin(model(loss, classes, weight_decay, feature_decay, nonnegative, bias=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("bias", [False, True])
def test_mean_squared_error_depends_on_the_bias(smoothing, bias):
    for nonnegative in (False, True):
        problem = model(mdt.MeanSquaredError(smoothing), 4, 0.02, 0.03, nonnegative, bias=bias)
        mu = np.sqrt(0.02 * 0.03)
        cost = 8 / np.sqrt(3) * mu if nonnegative and bias else 4 * mu
        assert mdt.solve(problem).margin == pytest.approx(1 - smoothing - cost, rel=1e-14)
        assert_margin(problem)


@pytest.mark.parametrize(("classes", "decay"), [(2, 0.5), (5, 0.25)])
def test_hinge_at_the_critical_cost_reports_zero(classes, decay):
    sol = mdt.solve(model(mdt.Hinge(), classes, decay, nonnegative=True))
    assert sol.problem.kappa == 1
    assert (sol.margin, sol.objective, sol.lower_bound) == (0.0, 1.0, 1.0)


def test_extreme_decays_do_not_overflow():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for weight_decay, feature_decay in ((1e-300, 1e-300), (1e300, 1e-302), (1e-302, 1e300)):
            assert_margin(model(mdt.CrossEntropy(), 10, weight_decay, feature_decay))
        threshold = collapse_threshold(model(mdt.CrossEntropy(), 10, 1.0))
        near = (threshold * 2.0**997) * (1 - 1e-10), threshold * 2.0**-997
        assert_margin(model(mdt.CrossEntropy(), 10, *near))
        assert mdt.solve(model(mdt.CrossEntropy(), 2**26, 1e-20)).margin > 0


@given(
    smoothing=st.floats(0.0, 1.0, exclude_max=True),
    exponent=st.floats(-16.0, 0.0),
    ratio=st.floats(-8.0, 8.0),
    classes=st.integers(2, 10**6),
    nonnegative=st.booleans(),
)
@settings(max_examples=60)
def test_margins_at_any_point(smoothing, exponent, ratio, classes, nonnegative):
    decays = 10 ** (exponent + ratio), 10 ** (exponent - ratio)
    for loss in (mdt.CrossEntropy(smoothing), mdt.MeanSquaredError(smoothing)):
        assert_margin(model(loss, classes, *decays, nonnegative))


def test_label_relaxation_and_smoothed_cross_entropy_share_their_minimiser():
    """alpha' = (N-1) alpha / N."""
    for classes in (2, 3, 20):
        relaxed = mdt.LabelRelaxation((classes - 1) * 0.3 / classes)
        for nonnegative in (False, True):
            margins = [
                mdt.solve(model(loss, classes, 0.01, 0.02, nonnegative)).margin
                for loss in (relaxed, mdt.CrossEntropy(smoothing=0.3))
            ]
            assert margins[0] == pytest.approx(margins[1], rel=2e-15)
    weights = [0.5, 0.3, 0.2]
    margins = [
        mdt.solve(model(loss, 3, 0.01, 0.02, True, class_weights=weights)).margin
        for loss in (mdt.LabelRelaxation(0.2), mdt.CrossEntropy(smoothing=0.3))
    ]
    np.testing.assert_allclose(margins[0], margins[1], rtol=2e-15)


# ------------------------------------------------------------------ thresholds


@each_setting
@pytest.mark.parametrize("classes", [2, 4, 100])
def test_collapse_thresholds(classes, nonnegative):
    n = classes
    unit = 2 * np.sqrt(n - 1) if nonnegative else 2 * (n - 1) / np.sqrt(n)
    expected = {
        mdt.CrossEntropy(0.2): 0.8 * (n - 1) / n / unit,
        mdt.LabelRelaxation(0.2): ((n - 1) / n - 0.2) / unit,
        mdt.MeanSquaredError(0.2): 0.8 / (2 * np.sqrt(n)),
        mdt.Hinge(): 1 / unit,
        mdt.SquaredHinge(): 1 / unit,
    }
    for loss, mu in expected.items():
        assert collapse_threshold(model(loss, n, 0.1, nonnegative=nonnegative)) == pytest.approx(mu, rel=4e-15)


@each_loss
def test_the_minimiser_is_zero_at_and_above_the_threshold_only(loss):
    for classes in (2, 10, 40):
        threshold = collapse_threshold(model(loss, classes, 1.0))
        above, below = (mdt.solve(model(loss, classes, threshold * factor)) for factor in (1 + 1e-12, 1 - 1e-12))
        assert above.margin == 0
        assert below.margin > 0 or threshold == 0


def test_thresholds_broadcast_and_follow_class_weights():
    smoothing = np.array([0.0, 0.5])[:, None]
    counts = np.array([2, 3, 4])
    thresholds = collapse_threshold(model(mdt.CrossEntropy(smoothing), counts, 0.1))
    np.testing.assert_allclose(thresholds, (1 - smoothing) / (2 * np.sqrt(counts)), rtol=1e-15)
    weights = np.array([0.7, 0.2, 0.1])
    problem = model(mdt.CrossEntropy(0.1), 3, 0.05, nonnegative=True, class_weights=weights)
    mu = collapse_threshold(problem)
    # pi_n <= 4 mu^2 N / ((N-1)(1-alpha)^2)
    np.testing.assert_allclose(weights, 4 * mu**2 * 3 / (2 * 0.9**2), rtol=1e-14)
    for n in range(3):
        for factor in (1 - 1e-9, 1 + 1e-9):
            decays = mu[n] * factor, mu[n]
            near = model(mdt.CrossEntropy(0.1), 3, *decays, True, class_weights=weights)
            exact = oracle.ufm_margin(("cross-entropy", 0.1), 3, *decays, True, class_weight=weights[n])
            assert abs(mdt.solve(near).margin[n] - exact) <= 1e-12 * exact


# ------------------------------------------------------------------ focal loss


@pytest.mark.parametrize("classes", [10, 30])
def test_focal_loss_does_not_collapse_at_moderate_decay(classes):
    problem = model(mdt.Focal(2.0), classes, 5e-3, 4e-3)
    assert mdt.solve(problem).margin > 1
    assert_margin(problem)


@pytest.mark.parametrize("classes", [18, 30, 1000])
@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.0])
def test_the_first_order_jump_is_found(classes, gamma):
    threshold = collapse_threshold(model(mdt.Focal(gamma), classes, 1.0))
    below = mdt.solve(model(mdt.Focal(gamma), classes, threshold * (1 - 1e-12)))
    above = mdt.solve(model(mdt.Focal(gamma), classes, threshold * (1 + 1e-12)))
    jumps = mdt.Focal(gamma).peak_probability() * classes > 1
    assert above.margin == 0
    if jumps:
        assert below.margin > 1e-3  # a jump, not a square root
    assert below.objective == pytest.approx(above.objective, rel=1e-10)
    assert_margin(below.problem)


def test_no_jump_up_to_17_classes():
    for gamma in (0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 8.0):
        assert mdt.Focal(gamma).peak_probability() < 1 / 17
        threshold = collapse_threshold(model(mdt.Focal(gamma), 17, 1.0))
        assert mdt.solve(model(mdt.Focal(gamma), 17, threshold * (1 - 1e-10))).margin < 1e-3


@pytest.mark.parametrize(("gamma", "p1"), P1.items())
@pytest.mark.parametrize("classes", [2, 3, 30])
def test_focal_loss_is_called_optimal_only_where_it_is_proved(gamma, p1, classes):
    sol = mdt.solve(model(mdt.Focal(gamma), classes, np.geomspace(1e-6, 1.0, 61)))
    covered = (np.asarray(sol.probability) > p1 + 1e-6) | (classes == 2)
    clear = np.abs(np.asarray(sol.probability) - p1) > 1e-6
    np.testing.assert_array_equal((sol.status == mdt.Status.OPTIMAL)[clear], covered[clear])
    np.testing.assert_array_equal((sol.status == mdt.Status.OBSERVED)[clear], ~covered[clear])
    proved = sol.status == mdt.Status.OPTIMAL
    assert np.all(np.abs(sol.gap[proved]) <= 2e-15 * (1 + sol.objective[proved]))
    assert np.all(sol.gap >= -2e-15)
    assert np.all(np.isfinite(sol.lower_bound))


def test_convex_losses_are_optimal():
    for loss in FEW:
        if loss.is_convex:
            assert mdt.solve(model(loss, 3, 0.01)).status is mdt.Status.OPTIMAL


# ------------------------------------------------------------------ objective and bound


@each_setting
@each_loss
def test_the_objective_is_exact_and_the_bound_meets_it(loss, nonnegative):
    for classes in (2, 10, 10**6):
        for decay in (1e-8, 1e-3, 0.05, 0.3):
            for bias in {False, not loss.shift_invariant}:
                sol = mdt.solve(model(loss, classes, decay, 0.5 * decay, nonnegative, bias=bias))
                exact = float(exact_objective(sol.problem))
                assert sol.objective == pytest.approx(exact, rel=4 * ROUNDING, abs=ROUNDING)
                scale = 4 * ROUNDING * (1 + abs(exact))
                assert sol.lower_bound <= sol.objective + scale
                if sol.status == mdt.Status.OPTIMAL:
                    assert abs(sol.gap) <= scale


@each_setting
@each_loss
def test_the_bound_holds_for_wrong_margins(loss, nonnegative):
    margins = np.concatenate([[0.0], np.geomspace(1e-6, 60.0, 200)])
    for classes in (2, 3, 40):
        for decay in (1e-4, 0.02, 0.2):
            problem = model(loss, classes, np.full(margins.shape, decay), nonnegative=nonnegative)
            exact = float(exact_objective(model(loss, classes, decay, nonnegative=nonnegative)))
            bound = features_bound.ufm_lower_bound(problem, margins)
            assert np.max(bound) <= exact + 4 * ROUNDING * (1 + abs(exact))
            assert np.min(features_bound.ufm_objective(problem, margins)) >= exact - 4 * ROUNDING * (1 + abs(exact))


def direct_objective(problem, weights, means, bias=0.0):
    n = problem.num_classes
    pi = np.full(n, 1 / n) if problem.class_weights is None else problem.class_weights
    logits = (weights @ means + bias).T
    penalty = problem.weight_decay * np.sum(weights**2) + problem.feature_decay * pi @ np.sum(means**2, axis=0)
    return pi @ problem.loss.value(logits, np.arange(n)) + penalty


@given(
    loss=st.sampled_from(FEW),
    classes=st.integers(2, 5),
    exponents=st.tuples(st.floats(-4.0, -0.5), st.floats(-4.0, -0.5)),
    nonnegative=st.booleans(),
    bias=st.booleans(),
    size=st.floats(-4.0, 0.5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150)
def test_no_perturbation_of_the_matrices_helps(loss, classes, exponents, nonnegative, bias, size, seed):
    problem = model(loss, classes, 10 ** exponents[0], 10 ** exponents[1], nonnegative, bias=bias)
    sol = mdt.solve(problem)
    rng = np.random.default_rng(seed)
    weights = sol.weights + 10**size * rng.normal(size=sol.weights.shape)
    means = sol.class_means + 10**size * rng.normal(size=sol.class_means.shape)
    if nonnegative:
        means = np.maximum(means, 0.0)
    offset = 0.0
    if bias:
        offset = 10**size * rng.normal(size=(classes, 1)) + (0.0 if loss.shift_invariant else 1 / classes)
    assert direct_objective(problem, weights, means, offset) >= sol.objective * (1 - 1e-14)


@each_setting
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", SMOOTH, ids=name_of)
def test_brute_force_reaches_the_optimum_and_never_beats_it(loss, nonnegative, bias):
    for classes, decays in ((2, (0.02, 0.01)), (3, (5e-3, 8e-3)), (4, (0.05, 0.01))):
        if classes > (2 if isinstance(loss, mdt.SquaredHinge) else 3 if bias else 4):
            continue
        problem = model(loss, classes, *decays, nonnegative, bias=bias)
        best, _ = oracle.brute_force_ufm(
            oracle_loss(loss), classes, *decays, nonnegative, bias=bias, starts=2, seed=classes
        )
        found = mdt.solve(problem).objective
        assert best >= found * (1 - 1e-13)
        assert best == pytest.approx(found, rel=1e-8)


# ------------------------------------------------------------------ matrices


@each_setting
@pytest.mark.parametrize("bias", [False, True])
@each_of_few
def test_matrices_attain_the_objective_and_the_margin(loss, nonnegative, bias):
    for classes in (2, 3, 6):
        for dimension in (None, classes, classes + 3):
            problem = model(loss, classes, 0.004, 0.03, nonnegative, bias=bias, feature_dim=dimension)
            sol = mdt.solve(problem)
            width = dimension or classes
            assert sol.class_means.shape == (width, classes)
            assert sol.weights.shape == (classes, width)
            offset = 1 / classes if bias and not loss.shift_invariant else 0.0
            np.testing.assert_allclose(sol.weights @ sol.class_means + offset, sol.logits, rtol=1e-14, atol=1e-15)
            own = np.diagonal(sol.logits)
            for n in range(classes):
                np.testing.assert_allclose(own[n] - np.delete(sol.logits[:, n], n), sol.margin, rtol=1e-13)
            assert direct_objective(problem, sol.weights, sol.class_means, offset) == pytest.approx(
                sol.objective, rel=1e-13
            )
            if nonnegative:
                assert np.all(sol.class_means >= 0)


@each_setting
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_scales_and_gram_matrices(classes, nonnegative):
    lam_w, lam_h, n = 0.002, 0.05, classes
    sol = mdt.solve(model(mdt.CrossEntropy(0.05), n, lam_w, lam_h, nonnegative))
    s = sol.margin
    a = ((n - 1 if nonnegative else n) * lam_w / lam_h) ** 0.25 * np.sqrt(s)
    centred = np.eye(n) - 1 / n
    gram = a**2 * (np.eye(n) if nonnegative else centred)
    np.testing.assert_allclose(sol.class_means.T @ sol.class_means, gram, rtol=1e-13, atol=1e-15 * a**2)
    np.testing.assert_allclose(sol.weights @ sol.weights.T, (s / a) ** 2 * centred, rtol=1e-13, atol=1e-15)
    assert np.linalg.norm(sol.class_means[:, 0] - sol.class_means[:, 1]) == pytest.approx(np.sqrt(2) * a)
    assert np.linalg.norm(sol.weights[0] - sol.weights[1]) == pytest.approx(np.sqrt(2) * s / a)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_a_simplex_fits_one_dimension_less(classes):
    wide = mdt.solve(model(mdt.CrossEntropy(), classes, 0.01))
    tight = mdt.solve(model(mdt.CrossEntropy(), classes, 0.01, feature_dim=classes - 1))
    assert tight.class_means.shape == (classes - 1, classes)
    np.testing.assert_allclose(tight.logits, wide.logits, atol=1e-14)
    np.testing.assert_allclose(
        tight.class_means.T @ tight.class_means, wide.class_means.T @ wide.class_means, atol=1e-13
    )
    assert tight.objective == wide.objective


def test_geometry_names():
    ce, mse = mdt.CrossEntropy(), mdt.MeanSquaredError
    names = {
        "simplex-etf": model(ce, 4, 0.01),
        "orthogonal-frame": model(ce, 4, 0.01, nonnegative=True),
        "collapsed-to-zero": model(ce, 4, 1.0),
        "equal-means": model(mse(0.9), 4, 0.03),
        "equiangular-frame": model(mse(0.3), 4, 0.03),
        "partly-collapsed": model(ce, 3, 0.1, nonnegative=True, class_weights=[0.9, 0.09, 0.01]),
    }
    for name, problem in names.items():
        assert mdt.solve(problem).geometry == name
    assert mdt.solve(model(mse(), 4, 0.03)).geometry == "orthogonal-frame"
    assert mdt.solve(model(mse(), 4, 0.03, bias=True)).geometry == "simplex-etf"
    assert mdt.solve(model(mse(), 4, 1.0)).geometry == "collapsed-to-zero"
    several = mdt.solve(model(ce, 4, np.array([0.01, 1.0]))).geometry
    assert several.tolist() == ["simplex-etf", "collapsed-to-zero"]


def test_the_angle_of_the_squared_error():
    """cos(h_1, h_2) = (B - A)/(B + (N-1) A)."""
    n, mu = 4, 0.03
    sol = mdt.solve(model(mdt.MeanSquaredError(0.3), n, mu))
    a, b = 1 - 0.3 - 2 * np.sqrt(n) * mu, 1 - 2 * np.sqrt(n) * mu
    gram = sol.class_means.T @ sol.class_means
    assert gram[0, 1] / gram[0, 0] == pytest.approx((b - a) / (b + (n - 1) * a), rel=1e-13)
    np.testing.assert_allclose(sol.logits, a * (np.eye(n) - 1 / n) + b / n, rtol=1e-13)


def test_collapsed_matrices_are_zero():
    for nonnegative in (False, True):
        sol = mdt.solve(model(mdt.CrossEntropy(), 3, 1.0, nonnegative=nonnegative))
        assert not np.any(sol.weights)
        assert not np.any(sol.class_means)


def test_stacks_of_matrices():
    sol = mdt.solve(model(mdt.CrossEntropy(), 3, np.array([0.01, 0.02, 1.0]), np.full((2, 1), 0.03)))
    assert sol.class_means.shape == (2, 3, 3, 3)
    one = mdt.solve(model(mdt.CrossEntropy(), 3, 0.02, 0.03))
    np.testing.assert_array_equal(sol.class_means[1, 1], one.class_means)
    np.testing.assert_array_equal(sol.weights[0, 1], one.weights)


def test_matrices_that_cannot_be_formed_are_refused():
    with pytest.raises(mdt.AssumptionError, match="num_classes = 1000000: explicit matrices would take"):
        _ = mdt.solve(model(mdt.CrossEntropy(), 10**6, 1e-4)).class_means
    with pytest.raises(mdt.AssumptionError, match="must be one integer for matrices"):
        _ = mdt.solve(model(mdt.CrossEntropy(), np.array([2, 3]), 1e-4)).weights


# ------------------------------------------------------------------ class weights


@pytest.mark.parametrize("loss", [x for x in FEW if x.shift_invariant], ids=name_of)
def test_class_weights_against_high_precision_and_the_matrices(loss):
    for weights, decay in (([0.6, 0.3, 0.1], 0.02), ([0.2, 0.5, 0.3], 0.08), ([0.98, 0.01, 0.01], 0.05)):
        problem = model(loss, 3, decay, 0.7 * decay, True, class_weights=weights)
        sol = mdt.solve(problem)
        for n, weight in enumerate(weights):
            exact = oracle.ufm_margin(oracle_loss(loss), 3, decay, 0.7 * decay, True, class_weight=weight)
            assert abs(sol.margin[n] - exact) <= 1e-12 * exact
        assert np.all(sol.class_means >= 0)
        np.testing.assert_allclose(np.diagonal(sol.logits) * 1.5, sol.margin, rtol=1e-13)
        assert direct_objective(problem, sol.weights, sol.class_means) == pytest.approx(sol.objective, rel=1e-13)
        assert sol.lower_bound <= sol.objective + 2 * ROUNDING
        if loss.is_convex:
            assert sol.gap <= 2 * ROUNDING


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(0.1), mdt.LabelRelaxation(0.1), mdt.Focal(1.0)], ids=name_of)
def test_class_weights_against_brute_force(loss):
    weights = [0.6, 0.3, 0.1]
    for decays in ((0.02, 0.01), (0.1, 0.05)):
        best, logits = oracle.brute_force_ufm(oracle_loss(loss), 3, *decays, True, proportions=weights, starts=4)
        sol = mdt.solve(model(loss, 3, *decays, True, class_weights=weights))
        assert best >= sol.objective * (1 - 1e-13)
        assert best == pytest.approx(sol.objective, rel=1e-8)
        np.testing.assert_allclose(logits, sol.logits, atol=1e-3)


def test_equal_class_weights_are_the_balanced_problem():
    for loss in (mdt.CrossEntropy(0.1), mdt.Focal(2.0)):
        balanced = mdt.solve(model(loss, 4, 0.01, nonnegative=True))
        weighted = mdt.solve(model(loss, 4, 0.01, nonnegative=True, class_weights=[0.25] * 4))
        np.testing.assert_allclose(weighted.margin, balanced.margin, rtol=1e-14)
        assert weighted.objective == pytest.approx(balanced.objective, rel=1e-14)
        np.testing.assert_allclose(weighted.class_means, balanced.class_means, rtol=1e-13)
        np.testing.assert_allclose(weighted.weights, balanced.weights, rtol=1e-13, atol=1e-16)


# ------------------------------------------------------------------ broadcasting


@each_setting
@pytest.mark.parametrize("make", [mdt.CrossEntropy, mdt.MeanSquaredError, mdt.LabelRelaxation, mdt.Focal])
def test_broadcasting_equals_looping(make, nonnegative):
    parameter = np.array([0.05, 0.3, 0.6])[:, None, None]
    counts = np.array([2, 3, 18, 40])[:, None]
    decays = np.geomspace(1e-10, 0.4, 5)
    sol = mdt.solve(model(make(parameter), counts, decays, 0.003, nonnegative))
    assert sol.margin.shape == sol.objective.shape == sol.lower_bound.shape == sol.status.shape == (3, 4, 5)
    for i, j, k in np.ndindex(3, 4, 5):
        one = mdt.solve(model(make(parameter[i, 0, 0]), int(counts[j, 0]), decays[k], 0.003, nonnegative))
        assert one.margin == sol.margin[i, j, k]
        assert one.objective == sol.objective[i, j, k]
        assert one.lower_bound == sol.lower_bound[i, j, k]
        assert one.status == sol.status[i, j, k]
        assert one.geometry == sol.geometry[i, j, k]


def test_a_bias_changes_nothing_where_a_shift_of_the_logits_does_not():
    for loss in FEW:
        margins = [mdt.solve(model(loss, 5, 0.01, bias=bias)).margin for bias in (False, True)]
        assert (margins[0] == margins[1]) or not loss.shift_invariant


def test_scalars_stay_scalars():
    sol = mdt.solve(model(mdt.CrossEntropy(), 3, 0.01))
    for name in ("margin", "objective", "lower_bound", "gap", "probability", "mean_gain"):
        assert isinstance(getattr(sol, name), float)
    assert isinstance(sol.geometry, str)
    assert isinstance(sol.problem.kappa, float)
    assert isinstance(sol.problem.mu, float)
    assert isinstance(collapse_threshold(sol.problem), float)


@given(loss=st.sampled_from(LOSSES), exponent=st.floats(-10.0, -0.5), step=st.floats(1e-6, 2.0))
def test_the_margin_falls_with_the_decay(loss, exponent, step):
    assume(not isinstance(loss, mdt.Hinge))
    margins = mdt.solve(model(loss, 20, 10.0 ** np.array([exponent, exponent + step]))).margin
    assert margins[0] >= margins[1]


# ------------------------------------------------------------------ validation

GOOD = {"num_classes": 3, "weight_decay": 0.01, "feature_decay": 0.01}
WEIGHTS = {"nonnegative": True, "class_weights": [0.5, 0.3, 0.2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "cross-entropy"}, r"loss = 'cross-entropy': must be a Loss"),
        ({"num_classes": 2.5}, r"num_classes = 2\.5: must be an integer from 2 to 67108864"),
        ({"num_classes": 1}, r"num_classes = 1(\.0)?: must be an integer from 2"),
        ({"num_classes": 2**26 + 1}, r"num_classes = 67108865(\.0)?: must be an integer from 2"),
        ({"num_classes": "3"}, r"num_classes = '3': must be a real number"),
        ({"num_classes": [2, np.nan]}, r"num_classes = nan: must be an integer"),
        ({"weight_decay": 0.0}, r"weight_decay = 0\.0: must be positive and finite"),
        ({"weight_decay": -1.0}, r"weight_decay = -1\.0: must be positive and finite"),
        ({"weight_decay": np.nan}, r"weight_decay = nan: must be positive and finite"),
        ({"feature_decay": np.inf}, r"feature_decay = inf: must be positive and finite"),
        ({"feature_decay": [0.1, -0.2]}, r"feature_decay = -0\.2: must be positive and finite"),
        ({"feature_decay": None}, r"feature_decay = None: must be a real number"),
        ({"nonnegative": 1}, r"nonnegative = 1: must be True or False"),
        ({"bias": "no"}, r"bias = 'no': must be True or False"),
        ({"weight_decay": np.ones(2), "feature_decay": np.ones(3)}, r"shapes = .*weight_decay \(2,\).*must broadcast"),
        ({"loss": mdt.CrossEntropy(np.zeros(2)), "num_classes": [2, 3, 4]}, r"loss\.smoothing \(2,\)"),
        ({"feature_dim": 0}, r"feature_dim = 0(\.0)?: must be an integer from 1"),
        ({"feature_dim": 2.5}, r"feature_dim = 2\.5: must be an integer"),
        ({"feature_dim": [3, 4]}, r"feature_dim = \[3, 4\]: must be one integer"),
        ({**WEIGHTS, "class_weights": [0.5, 0.5]}, r"class_weights = .*must have num_classes = 3 entries"),
        ({**WEIGHTS, "class_weights": 1.0}, r"class_weights = .*must have num_classes = 3 entries"),
        ({**WEIGHTS, "class_weights": [0.5, 0.3, 0.1]}, r"class_weights = .*must sum to 1"),
        ({**WEIGHTS, "class_weights": [0.5, 0.5, 0.0]}, r"class_weights = 0\.0: must lie in \(0, 1\]"),
        ({**WEIGHTS, "class_weights": [0.5, 0.5, np.nan]}, r"class_weights = nan: must lie in \(0, 1\]"),
        ({**WEIGHTS, "class_weights": [0.5, 0.3, 0.2 + 1e-9]}, r"must sum to 1 \(they miss it by 1e-09\)"),
        ({**WEIGHTS, "num_classes": [3, 3]}, r"class_weights = "),
        (
            {**WEIGHTS, "nonnegative": False, "weight_decay": [0.1, 0.2]},
            r"weight_decay = \(2,\): must be one number unless",
        ),
        (
            {**WEIGHTS, "nonnegative": False, "class_weights": np.full((2, 3), 1 / 3)},
            r"class_weights = \(2, 3\): must have one axis",
        ),
        (
            {**WEIGHTS, "nonnegative": False, "loss": mdt.Focal(2.0)},
            r"loss = Focal.*must be convex in the logits unless",
        ),
        ({"feature_dim": 1, "loss": mdt.Focal(2.0)}, r"loss = Focal.*must be convex in the logits unless"),
        ({"feature_dim": 2, "num_classes": [3, 4]}, r"num_classes = \(2,\): must be one number unless"),
        ({"bias_decay": 0.1}, r"bias_decay = 0\.1: must be 0 without a bias"),
        ({"bias_decay": -0.1, "bias": True}, r"bias_decay = -0\.1: must be nonnegative and finite"),
        ({"bias_decay": [0.1, 0.2], "bias": True}, r"bias_decay = .*must be one number"),
        ({"label_distribution": np.eye(4)}, r"label_distribution = \(4, 4\): must have num_classes = 3 rows"),
        ({"label_distribution": np.ones(3) / 3}, r"label_distribution = \(3,\): must have num_classes = 3 rows"),
        ({"label_distribution": np.eye(3) - 0.1}, r"label_distribution = -0\.1: must have entries in \[0, 1\]"),
        ({"label_distribution": np.full((3, 2), np.nan)}, r"label_distribution = nan: must have entries in \[0, 1\]"),
        ({"label_distribution": [[0.5, 1], [0.4, 0], [0, 0]]}, r"column 0 must sum to 1 \(it misses it by 0\.1\)"),
        ({"label_distribution": [[0.5, 1], [0.5, 0], [0, 0]], "bias": True}, r"row 2 is zero.*every class must occur"),
        ({"label_distribution": np.eye(3), "class_weights": [0.5, 0.5]}, r"must have num_groups = 3 entries"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"loss": mdt.CrossEntropy(), **GOOD, **change}
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.UFM(**arguments)


@pytest.mark.parametrize("method", ["newton", "reduced", None, 1])
def test_unknown_methods_are_refused(method):
    with pytest.raises(
        mdt.AssumptionError, match=r"method = .*must be one of 'auto', 'closed-form', 'convex', 'factorized'"
    ):
        mdt.solve(model(mdt.CrossEntropy(), 3, 0.01), method=method)


def test_something_else_than_a_problem_is_refused():
    with pytest.raises(mdt.AssumptionError, match="problem = 3: must be a UFM"):
        mdt.solve(3)


def test_problems_compare_by_value():
    assert model(mdt.CrossEntropy(0.1), 3, 0.01) == model(mdt.CrossEntropy(0.1), 3, 0.01)
    assert model(mdt.CrossEntropy(0.1), 3, 0.01) != model(mdt.CrossEntropy(0.2), 3, 0.01)
    assert hash(model(mdt.CrossEntropy(), 3, 0.01)) == hash(model(mdt.CrossEntropy(), 3, 0.02))


def test_parameters_are_read_only_copies():
    decays = np.array([0.01, 0.02])
    problem = model(mdt.CrossEntropy(), 3, decays)
    decays[0] = 5.0
    assert problem.weight_decay[0] == 0.01
    with pytest.raises(ValueError, match="read-only"):
        problem.weight_decay[0] = 1.0
