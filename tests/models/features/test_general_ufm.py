"""Unconstrained features models that are not symmetric: any proportions, labels, losses and biases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.models.features import duality
from mdtheory.models.features.free import solve_free
from mdtheory.models.features.logits_problem import logits_problem
from mdtheory.models.features.symmetry import reduction

LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(0.1),
    mdt.MeanSquaredError(0.2),
    mdt.LabelRelaxation(0.1),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
BIASES = [{}, {"bias": True}, {"bias": True, "bias_decay": 0.05}]


def model(loss, classes, decay=0.01, other=None, **options):
    feature_decay = decay if other is None else other
    return mdt.UFM(loss, num_classes=classes, weight_decay=decay, feature_decay=feature_decay, **options)


def proportions(classes, seed, concentration=3.0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, concentration))


def soft_labels(classes, groups, seed):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.7), groups).T


def factorised_minimum(problem, starts=4):
    """The objective minimised over explicit W, H and b: no convexity, no nuclear norm."""
    n, k = problem.num_classes, problem.num_groups
    weights, loss = problem.proportions, duality.label_loss(problem)

    def value(flat):
        w, h, b = flat[: n * n].reshape(n, n), flat[n * n : n * (n + k)].reshape(n, k), flat[n * (n + k) :]
        b = b * problem.bias
        dz = loss.gradient(w @ h + b[:, None]) * weights
        gradient = (
            dz @ h.T + 2 * problem.weight_decay * w,
            w.T @ dz + 2 * problem.feature_decay * h * weights,
            (dz.sum(axis=1) + 2 * problem.bias_decay * b) * problem.bias,
        )
        return duality.objective(problem, w, h, b), np.concatenate([g.ravel() for g in gradient])

    best = np.inf
    for seed in range(starts):
        start = np.random.default_rng(seed).normal(size=n * (n + k) + n)
        best = min(
            best,
            minimize(
                value, start, jac=True, method="L-BFGS-B", options={"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-10}
            ).fun,
        )
    return best


# ------------------------------------------------------------------------------ against independent routes


@pytest.mark.parametrize("bias", BIASES, ids=str)
@pytest.mark.parametrize(
    "loss", [loss for loss in LOSSES if not isinstance(loss, (mdt.Hinge, mdt.SquaredHinge))], ids=repr
)
def test_agrees_with_minimisation_over_the_factors(loss, bias):
    for labels in (None, soft_labels(3, 4, 1)):
        groups = 3 if labels is None else 4
        problem = model(loss, 3, 0.02, 0.008, class_weights=proportions(groups, 2), label_distribution=labels, **bias)
        found = mdt.solve(problem)
        assert found.status == mdt.Status.OPTIMAL
        assert factorised_minimum(problem) == pytest.approx(found.objective, rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("bias", BIASES, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_agrees_with_the_conic_programme(loss, bias):
    for classes, labels in ((4, None), (3, soft_labels(3, 5, 3))):
        groups = classes if labels is None else labels.shape[1]
        problem = model(loss, classes, class_weights=proportions(groups, 4), label_distribution=labels, **bias)
        found, conic = mdt.solve(problem), mdt.solve(problem, method="convex")
        assert conic.method == "convex"
        assert conic.status == mdt.Status.OPTIMAL
        assert found.status == mdt.Status.OPTIMAL
        # Both carry their own bound, so their objectives differ by less than the larger gap.
        assert abs(found.objective - conic.objective) <= found.gap + conic.gap + 1e-14
        assert found.lower_bound <= conic.objective + 1e-14
        if loss.curvature(np.zeros(2), 0) is not None and not isinstance(loss, mdt.LabelRelaxation):
            np.testing.assert_allclose(found.logits, conic.logits, atol=2e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("bias", [False, True])
def test_balanced_problems_agree_with_their_closed_form(loss, bias):
    exact = mdt.solve(model(loss, 5, 0.004, bias=bias))
    for reduce in (False, True):
        problem = model(loss, 5, 0.004, bias=bias, class_weights=np.full(5, 0.2))
        found = solve_free(problem, method="factorized", tolerance=None, reduce=reduce)
        assert found.status == mdt.Status.OPTIMAL
        assert found.lower_bound - 1e-14 <= exact.objective <= found.objective + 1e-14
        assert found.margin == pytest.approx(np.full(5, exact.margin), abs=3e-4)


@given(
    st.integers(2, 6),
    st.integers(0, 10**6),
    st.floats(-4, -1),
    st.sampled_from([mdt.CrossEntropy(), mdt.CrossEntropy(0.05), mdt.LabelRelaxation(0.2), mdt.MeanSquaredError()]),
    st.sampled_from(range(3)),
    st.booleans(),
)
def test_certified_for_any_proportions_labels_and_decays(classes, seed, exponent, loss, bias, soft):
    labels = soft_labels(classes, classes + 1, seed) if soft else None
    weights = proportions(classes + soft, seed, 1.0)
    problem = model(
        loss, classes, 10**exponent, class_weights=weights / weights.sum(), label_distribution=labels, **BIASES[bias]
    )
    found = mdt.solve(problem)
    assert found.relative_gap <= 1e-8
    # The bound again, from the full matrices and by code that knows nothing of blocks.
    assert duality.lower_bound(problem, found.dual) == pytest.approx(found.lower_bound, rel=1e-9, abs=1e-13)
    assert duality.objective(problem, found.weights, found.class_means, found.bias) == pytest.approx(
        found.objective, rel=1e-9, abs=1e-13
    )


# ------------------------------------------------------------------------------ optimality, for every loss


@pytest.mark.parametrize("bias", BIASES, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_optimality_conditions(loss, bias):
    problem = model(loss, 5, 0.01, class_weights=proportions(5, 7), **bias)
    found = mdt.solve(problem)
    scaled = found.dual * np.sqrt(problem.class_weights)
    logits = (found.logits - found.bias[:, None]) * np.sqrt(problem.class_weights)
    threshold = 2 * problem.mu
    slack = np.sqrt(max(found.gap, 1e-16))
    assert np.linalg.norm(scaled, 2) <= threshold * (1 + 1e-12)
    nuclear = np.linalg.norm(logits, "nuc")
    assert -np.sum(scaled * logits) == pytest.approx(threshold * nuclear, abs=max(found.gap, 1e-14))
    if bias and problem.bias_decay == 0:
        np.testing.assert_allclose(found.dual @ problem.class_weights, 0, atol=1e-12)
    if bias and problem.bias_decay > 0:
        pull = -found.dual @ problem.class_weights / (2 * problem.bias_decay)
        np.testing.assert_allclose(found.bias, pull, atol=slack / np.sqrt(problem.bias_decay))


def test_solver_stops_at_zero_exactly_at_the_threshold_of_total_collapse():
    weights = proportions(4, 11)
    critical = np.linalg.norm((np.full((4, 4), 0.25) - np.eye(4)) * np.sqrt(weights), 2) / 2
    for factor, collapsed in ((1.001, True), (0.999, False)):
        found = mdt.solve(model(mdt.CrossEntropy(), 4, factor * critical, class_weights=weights))
        assert (found.geometry == "collapsed-to-zero") == collapsed
        assert (found.rank == 0) == collapsed


# ------------------------------------------------------------------------------ symmetry


@pytest.mark.parametrize("bias", BIASES, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_averaging_interchangeable_classes_is_exact(loss, bias):
    weights = np.array([0.3, 0.1, 0.1, 0.3, 0.1, 0.1])
    problem = model(loss, 6, 0.005, class_weights=weights, **bias)
    averaged = solve_free(problem, method="auto", tolerance=None)
    direct = solve_free(problem, method="auto", tolerance=None, reduce=False)
    assert averaged.logits_problem.frame.sizes.tolist() == [2, 4]
    assert direct.logits_problem.frame.trivial
    assert averaged.status == direct.status == mdt.Status.OPTIMAL
    assert abs(averaged.objective - direct.objective) <= averaged.gap + direct.gap + 1e-14
    assert duality.lower_bound(problem, averaged.dual) == pytest.approx(averaged.lower_bound, abs=1e-13)
    np.testing.assert_allclose(averaged.singular_values, direct.singular_values, atol=2e-4)


def test_interchangeable_classes_are_found():
    labels = 0.8 * np.eye(5) + 0.2 * np.array(
        [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0.5, 0.5], [0, 0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5, 0]]
    )
    problem = model(mdt.CrossEntropy(), 5, label_distribution=labels)
    assert reduction(problem).groups.tolist() == [0, 0, 1, 1, 1]
    labels[2, 3], labels[4, 3] = 0.06, 0.14
    assert reduction(model(mdt.CrossEntropy(), 5, label_distribution=labels)).groups.tolist() == [0, 0, 1, 2, 3]
    assert reduction(problem, reduce=False).trivial


def test_a_circulant_has_no_interchangeable_classes():
    row = np.array([0.6, 0.3, 0.1, 0.0])
    labels = np.array([np.roll(row, i) for i in range(4)]).T
    assert reduction(model(mdt.CrossEntropy(), 4, label_distribution=labels)).trivial


@given(st.integers(0, 10**6))
def test_reduction_is_an_isometry(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, size=rng.integers(2, 4))
    sizes[0] += 1
    groups = rng.permutation(np.repeat(np.arange(sizes.size), sizes))
    weights = (np.arange(sizes.size) + 1.0)[groups]
    frame = reduction(model(mdt.CrossEntropy(), groups.size, class_weights=weights / weights.sum()))
    blocks = tuple(rng.normal(size=shape) for shape in frame.block_shapes)
    columns = frame.columns(blocks)
    matrix = frame.full(columns) * np.sqrt(frame.proportions)
    assert np.sum(matrix**2) == pytest.approx(sum(np.sum(block**2) for block in blocks))
    np.testing.assert_allclose(frame.singular_values(blocks), np.linalg.svd(matrix, compute_uv=False), atol=1e-12)
    for block, back in zip(blocks, frame.blocks(columns), strict=True):
        np.testing.assert_allclose(back, block, atol=1e-12)


def test_a_thousand_classes_in_two_groups():
    weights = np.r_[np.full(900, 0.7 / 900), np.full(100, 0.3 / 100)]
    found = mdt.solve(model(mdt.CrossEntropy(), 1000, 2e-5, class_weights=weights), tolerance=1e-10)
    assert found.relative_gap <= 1e-10
    assert [block.size for block in found.point] == [4, 1, 1]
    assert found.rank == 999


def test_a_million_classes_in_two_groups_never_form_a_matrix():
    weights = np.r_[np.full(10**6 - 10, 0.5 / (10**6 - 10)), np.full(10, 0.05)]
    found = mdt.solve(model(mdt.CrossEntropy(), 10**6, 1e-5, class_weights=weights))
    assert found.relative_gap <= 1e-9
    with pytest.raises(mdt.AssumptionError, match=r"num_classes = 1000000: explicit matrices would take"):
        found.logits  # noqa: B018


# ------------------------------------------------------------------------------ what users see


def test_factors_reproduce_the_logits_and_balance_the_decays():
    problem = model(mdt.CrossEntropy(), 5, 0.02, 0.003, class_weights=proportions(5, 3), feature_dim=7)
    found = mdt.solve(problem)
    assert found.weights.shape == (5, 7)
    assert found.class_means.shape == (7, 5)
    np.testing.assert_allclose(found.weights @ found.class_means, found.logits, atol=1e-12)
    decay = problem.feature_decay * np.sum(found.class_means**2 @ problem.class_weights)
    assert problem.weight_decay * np.sum(found.weights**2) == pytest.approx(decay, rel=1e-12)


def test_a_width_of_the_rank_is_enough_and_no_more():
    problem = model(mdt.CrossEntropy(), 4, 0.01, class_weights=proportions(4, 5))
    assert mdt.solve(problem).rank == 3
    enough = mdt.solve(model(mdt.CrossEntropy(), 4, 0.01, class_weights=proportions(4, 5), feature_dim=3))
    assert enough.method == "factorized"
    assert enough.class_means.shape == (3, 4)
    narrow = mdt.solve(model(mdt.CrossEntropy(), 4, 0.01, class_weights=proportions(4, 5), feature_dim=2))
    assert narrow.status == mdt.Status.BOUNDED
    assert narrow.objective > enough.objective + 1e-4
    assert narrow.lower_bound == pytest.approx(enough.objective, rel=1e-8)


def test_unregularised_bias_costs_nothing_and_a_tiny_decay_is_close_to_it():
    weights = proportions(4, 9)
    values = [
        mdt.solve(model(mdt.CrossEntropy(), 4, class_weights=weights, **bias)).objective
        for bias in ({"bias": True}, {"bias": True, "bias_decay": 1e-6}, {"bias": True, "bias_decay": 0.1}, {})
    ]
    assert values == sorted(values)
    assert values[1] - values[0] < 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "closed-form"}, "method = 'closed-form': needs a symmetric problem, or the squared error"),
        ({"tolerance": 0.0}, "tolerance = 0.0: must be positive"),
        ({"tolerance": np.nan}, "tolerance = nan: must be positive"),
        ({"starts": 0}, "starts = 0"),
        ({"seed": 0.5}, "seed = 0.5"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.solve(model(mdt.CrossEntropy(), 3, class_weights=[0.5, 0.3, 0.2]), **options)


def test_sizes_that_do_not_fit_are_refused_before_anything_is_allocated():
    weights = np.arange(1.0, 20_001.0)
    problem = model(mdt.CrossEntropy(), 20_000, class_weights=weights / weights.sum())
    with pytest.raises(mdt.AssumptionError, match="num_classes = 20000: the solver would need"):
        mdt.solve(problem)


def test_factorized_method_needs_one_convex_point():
    with pytest.raises(mdt.AssumptionError, match=r"shape = \(2,\): method 'factorized' takes one point"):
        mdt.solve(model(mdt.CrossEntropy(), 3, np.array([0.1, 0.2])), method="factorized")
    with pytest.raises(mdt.AssumptionError, match=r"loss = Focal.*must be convex"):
        mdt.solve(model(mdt.Focal(2.0), 3), method="factorized")


def test_an_interrupted_solve_returns_nothing(monkeypatch):
    calls = []

    def interrupt(*arguments, **options):
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        type(logits_problem(model(mdt.CrossEntropy(), 3, class_weights=[0.5, 0.3, 0.2]))), "curvature", interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        mdt.solve(model(mdt.CrossEntropy(), 3, class_weights=[0.5, 0.3, 0.2]))
    assert calls
