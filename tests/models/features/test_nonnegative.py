"""Nonnegative features with any labels and proportions: the bounds, and where they meet."""

import numpy as np
import pytest
import registered
from scipy.optimize import minimize, nnls

import mdtheory as mdt
from mdtheory.models.features.duality import lower_bound, objective
from mdtheory.models.features.factors import local_minimum
from mdtheory.models.features.nonnegative import solve_nonnegative
from mdtheory.optimisers.projected import minimise_projected

LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=0.1),
    mdt.MeanSquaredError(),
    mdt.LabelRelaxation(0.1),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
LOSSES += [loss for loss in registered.losses(*LOSSES) if loss.is_convex]


def problem_of(loss, labels, *, decays=(0.02, 0.02), **options):
    return mdt.UFM(
        loss,
        num_classes=len(labels),
        weight_decay=decays[0],
        feature_decay=decays[1],
        nonnegative=True,
        label_distribution=np.asarray(labels, dtype=float),
        **options,
    )


def bounds(problem, found):
    """Lower and upper bound, recomputed from the answer."""
    assert np.min(found.class_means) >= 0
    upper = objective(problem, found.weights, found.class_means, found.bias)
    return lower_bound(problem, found.dual, found.multiplier), upper


def random_labels(seed, rows, columns):
    labels = np.random.default_rng(seed).dirichlet(np.full(rows, 0.7), columns).T
    return labels / np.sum(labels, axis=0)


def pentagon(loss=None):
    row = np.array([0.6, 0.2, 0.0, 0.0, 0.2])
    return problem_of(loss or mdt.CrossEntropy(), np.array([np.roll(row, k) for k in range(5)]).T)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_one_hot_labels_give_the_closed_form_of_the_margins(loss):
    weights = [0.5, 0.3, 0.195, 0.005]
    if isinstance(loss, mdt.MeanSquaredError):
        weights = [0.25] * 4
    decays = {"weight_decay": 0.02, "feature_decay": 0.005}
    symmetric = mdt.UFM(loss, num_classes=4, nonnegative=True, class_weights=weights, **decays)
    if isinstance(loss, mdt.MeanSquaredError):
        symmetric = mdt.UFM(loss, num_classes=4, nonnegative=True, **decays)
    problem = problem_of(loss, np.eye(4), decays=(0.02, 0.005), class_weights=weights)
    expected = mdt.solve(symmetric)
    value = float(np.sum(expected.objective))
    found = solve_nonnegative(problem, starts=2, tolerance=1e-7)
    lower, upper = bounds(problem, found)
    assert abs(upper - value) <= 1e-7
    assert abs(lower - value) <= 1e-7
    if not isinstance(loss, (mdt.Hinge, mdt.SquaredHinge)):
        assert found.method == "closed-form"
        gram = found.class_means.T @ found.class_means
        np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0.0, atol=1e-12)


def test_a_pentagon_of_labels_leaves_a_gap_between_completely_positive_and_doubly_nonnegative():
    """Its relaxed Gram matrix is doubly nonnegative but not completely positive, so that the gap is real."""
    lower, upper = bounds(pentagon(), solve_nonnegative(pentagon(), starts=20))
    assert upper == pytest.approx(1.210489, abs=1e-6)
    assert lower == pytest.approx(1.205898, abs=1.5e-6)


@pytest.mark.parametrize(("loss", "cosine"), [(mdt.MeanSquaredError(), 0.2697), (mdt.CrossEntropy(), 0.1913)])
def test_with_a_bias_the_majority_collapses_to_zero_and_the_minorities_lean_together(loss, cosine):
    decays = {"weight_decay": 0.02, "feature_decay": 0.02}
    problem = mdt.UFM(loss, num_classes=3, nonnegative=True, bias=True, class_weights=[0.6, 0.2, 0.2], **decays)
    found = solve_nonnegative(problem, starts=10)
    lower, upper = bounds(problem, found)
    means = found.class_means
    assert upper - lower <= 1e-9
    # A gap g leaves lengths of order sqrt(g/lambda) open.
    assert np.linalg.norm(means[:, 0]) <= np.sqrt(1e-9 / (0.02 * 0.6))
    lengths = np.linalg.norm(means, axis=0)
    assert means[:, 1] @ means[:, 2] / (lengths[1] * lengths[2]) == pytest.approx(cosine, abs=5e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("bias", [False, True])
def test_up_to_four_groups_the_bounds_meet(loss, bias):
    for seed, (rows, columns) in enumerate([(3, 3), (3, 4)]):
        proportions = np.random.default_rng(seed).dirichlet(np.full(columns, 3.0))
        options = {"bias": bias, "bias_decay": 0.01 * bias, "class_weights": proportions / np.sum(proportions)}
        problem = problem_of(loss, random_labels(seed, rows, columns), decays=(0.02, 0.01), **options)
        lower, upper = bounds(problem, solve_nonnegative(problem, starts=4, tolerance=1e-8))
        assert -1e-12 <= upper - lower <= 1e-7 * upper


def test_squared_error_of_labels_without_a_common_class_is_soft_thresholded_column_by_column():
    labels = np.array([[0.7, 0.0, 0.0], [0.3, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.5]])
    proportions = np.array([0.2, 0.799, 0.001])
    problem = problem_of(mdt.MeanSquaredError(), labels, class_weights=proportions)
    found = solve_nonnegative(problem)
    lengths = np.linalg.norm(labels, axis=0)
    # 2 mu / sqrt(pi) is subtracted from the length of each column.
    kept = np.maximum(1.0 - 0.04 / (np.sqrt(proportions) * lengths), 0.0)
    assert kept[2] == 0
    assert found.method == "closed-form"
    np.testing.assert_allclose(found.weights @ found.class_means, kept * labels, atol=1e-12)
    lower, upper = bounds(problem, found)
    assert abs(upper - lower) <= 1e-14


def test_two_classes_that_vanish_alone_do_not_vanish_together():
    """Orthogonal columns of logits are not enough for the classes to decouple when some of them are zero."""
    proportions = np.array([0.25, 0.25, 0.5])
    labels = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    problem = problem_of(mdt.MeanSquaredError(), labels, decays=(0.25, 0.25), class_weights=proportions)
    lower, upper = bounds(problem, solve_nonnegative(problem))
    kept = 1.0 - 0.5 / np.sqrt(0.5)
    merged = 0.25 * (1.0 - kept) ** 2 + 0.5 * np.sqrt(0.5) * kept
    alone = 0.25
    assert merged < alone
    assert upper == pytest.approx(2.0 * merged, abs=1e-9)
    assert lower == pytest.approx(2.0 * merged, abs=1e-9)


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(), mdt.MeanSquaredError()])
def test_soft_labels_agree_with_a_plain_search_over_weights_and_features(loss):
    labels, proportions = random_labels(7, 3, 2), np.array([0.3, 0.7])
    problem = problem_of(loss, labels, decays=(0.03, 0.01), class_weights=proportions, bias=True, bias_decay=0.05)

    def cost(x):
        weights, means, bias = x[:9].reshape(3, 3), x[9:15].reshape(3, 2), x[15:]
        z = weights @ means + bias[:, None]
        if isinstance(loss, mdt.CrossEntropy):
            losses = np.log(np.sum(np.exp(z), axis=0)) - np.sum(labels * z, axis=0)
        else:
            losses = 0.5 * np.sum((z - labels) ** 2, axis=0)
        features = 0.01 * np.sum(means**2, axis=0)
        return proportions @ (losses + features) + 0.03 * np.sum(weights**2) + 0.05 * bias @ bias

    rng = np.random.default_rng(0)
    limits = [(None, None)] * 9 + [(0, None)] * 6 + [(None, None)] * 3
    tries = [minimize(cost, np.abs(rng.standard_normal(18)), bounds=limits, options={"ftol": 1e-14}) for _ in range(6)]
    lower, upper = bounds(problem, solve_nonnegative(problem))
    assert min(t.fun for t in tries) == pytest.approx(upper, abs=1e-7)
    assert upper - lower <= 1e-9


def test_narrow_features_are_respected_and_bounded():
    problem = problem_of(mdt.CrossEntropy(), random_labels(3, 4, 4), feature_dim=2)
    found = solve_nonnegative(problem, starts=4)
    lower, upper = bounds(problem, found)
    wide = problem_of(mdt.CrossEntropy(), random_labels(3, 4, 4))
    wide_lower, wide_upper = bounds(wide, solve_nonnegative(wide, starts=4))
    assert found.class_means.shape == (2, 4)
    assert lower <= wide_upper < upper
    assert lower == pytest.approx(wide_lower, abs=1e-7)


def test_many_groups_are_bounded_without_a_conic_solver(monkeypatch):
    import mdtheory.models.features.nonnegative as module

    def refuse(*arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr(module, "least_multiplier", refuse)
    problem = problem_of(mdt.CrossEntropy(), random_labels(5, 3, 41), feature_dim=5)
    found = solve_nonnegative(problem, starts=1)
    lower, upper = bounds(problem, found)
    assert found.method == "multi-start"
    assert 0 < lower <= upper <= np.log(3)


def test_the_answer_depends_on_the_seed_only():
    first, second = (local_minimum(pentagon(), 5, starts=3, seed=11) for _ in range(2))
    np.testing.assert_array_equal(first.factors.class_means, second.factors.class_means)
    assert first.gradient_norm <= 1e-9
    assert first.starts == 3


def test_factors_balance_weights_and_features():
    problem = problem_of(mdt.CrossEntropy(), random_labels(2, 4, 3), decays=(0.05, 0.002))
    found = local_minimum(problem, 3, starts=3)
    # Every single feature: lambda_W ||w||^2 = lambda_H sum pi h^2 at a stationary point.
    paid = 0.05 * np.sum(found.factors.weights**2, axis=0), 0.002 * np.mean(found.factors.class_means**2, axis=1)
    np.testing.assert_allclose(*paid, atol=1e-10)


def test_projected_descent_solves_nonnegative_least_squares():
    rng = np.random.default_rng(4)
    matrix, goal = rng.standard_normal((30, 12)), rng.standard_normal(30)

    def target(x):
        rest = matrix @ x - goal
        return 0.5 * float(rest @ rest), matrix.T @ rest

    found = minimise_projected(target, np.ones(12), np.ones(12, dtype=bool), steps=500, gradient_norm=1e-11)
    expected, _ = nnls(matrix, goal)
    assert 0 < np.sum(expected == 0) < 12
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_free_features_are_turned_away():
    free = mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=0.02, feature_decay=0.02)
    with pytest.raises(mdt.AssumptionError, match="nonnegative"):
        solve_nonnegative(free)


def test_many_points_at_once_are_turned_away():
    many = mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=[0.02, 0.03], feature_decay=0.02, nonnegative=True)
    with pytest.raises(mdt.AssumptionError, match="one point"):
        solve_nonnegative(many)
    with pytest.raises(mdt.AssumptionError, match="one point"):
        local_minimum(many, 3, starts=1)


def test_a_search_needs_a_start():
    with pytest.raises(mdt.AssumptionError, match="starts"):
        local_minimum(pentagon(), 5, starts=0)
    with pytest.raises(mdt.AssumptionError, match="dim"):
        local_minimum(pentagon(), 0, starts=1)


@pytest.mark.parametrize(
    "options", [{"nonnegative": True}, {"feature_dim": 1}, {"nonnegative": True, "feature_dim": 1}]
)
def test_labels_that_a_bias_fits_cost_nothing(options):
    # One label group, or several with equal labels: W = H = 0 and b = y cost nothing, and nothing costs less.
    label = np.array([[0.0], [0.0], [1.0], [0.0], [0.0]])
    for labels in (label, np.repeat(label, 3, axis=1)):
        ufm = mdt.UFM(
            mdt.MeanSquaredError(),
            num_classes=5,
            weight_decay=1.6e-5,
            feature_decay=2e-5,
            bias=True,
            label_distribution=labels,
            **options,
        )
        sol = mdt.solve(ufm)
        assert (sol.objective, sol.lower_bound, sol.rank) == (0.0, 0.0, 0)
        assert sol.status == mdt.Status.OPTIMAL
