"""Free features in fewer dimensions than the convex optimum needs."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

import mdtheory as mdt
from mdtheory.models.features.bottleneck import solve_bottleneck
from mdtheory.models.features.duality import lower_bound, objective
from mdtheory.models.features.factors import local_minimum
from mdtheory.models.features.free import solve_free


def problem_of(loss, num_classes, dim, *, decays=(0.002, 0.002), **options):
    return mdt.UFM(
        loss, num_classes=num_classes, weight_decay=decays[0], feature_decay=decays[1], feature_dim=dim, **options
    )


def bounds(problem, found):
    """Lower and upper bound, recomputed from the answer."""
    assert found.class_means.shape[0] == problem.feature_dim
    upper = objective(problem, found.weights, found.class_means, found.bias)
    return lower_bound(problem, found.dual, found.multiplier), upper


@pytest.mark.parametrize("num_classes", range(3, 9))
def test_in_the_plane_class_means_form_a_regular_polygon(num_classes):
    problem = problem_of(mdt.CrossEntropy(), num_classes, 2)
    found = solve_bottleneck(problem, starts=10)
    lengths = np.linalg.norm(found.class_means, axis=0)
    angles = np.sort(np.arctan2(found.class_means[1], found.class_means[0]))
    np.testing.assert_allclose(lengths, np.mean(lengths), rtol=1e-6)
    np.testing.assert_allclose(np.diff(angles), 2.0 * np.pi / num_classes, atol=1e-6)


@pytest.mark.parametrize("num_classes", range(3, 9))
def test_the_radius_of_the_polygon_balances_the_loss_and_the_decay(num_classes):
    r"""``Z_ij = rho cos(2 pi (i-j)/N)`` has nuclear norm ``rho N``: loss and decay ``2 mu sqrt(N) rho`` balance."""
    turns = np.cos(2.0 * np.pi * np.arange(num_classes) / num_classes)
    mu = 0.002

    def imbalance(rho):
        weights = np.exp(rho * (turns - 1.0))
        return weights @ turns / np.sum(weights) - (1.0 - 2.0 * mu * np.sqrt(num_classes))

    rho = brentq(imbalance, 1e-3, 1e4, xtol=1e-13, rtol=1e-14)
    value = np.log(np.sum(np.exp(rho * (turns - 1.0)))) + 2.0 * mu * np.sqrt(num_classes) * rho
    problem = problem_of(mdt.CrossEntropy(), num_classes, 2)
    found = solve_bottleneck(problem, starts=10)
    lower, upper = bounds(problem, found)
    assert upper == pytest.approx(value, rel=1e-12)
    assert lower <= upper * (1.0 + 1e-14)
    logits = found.weights @ found.class_means
    np.testing.assert_allclose(np.diag(logits), rho, rtol=1e-7)
    np.testing.assert_allclose(np.sort(logits[:, 0]), rho * np.sort(turns), atol=1e-7 * rho)


@pytest.mark.parametrize("bias", [False, True])
def test_squared_error_keeps_the_largest_singular_values(bias):
    weights, labels = [0.4, 0.3, 0.2, 0.06, 0.04], np.random.default_rng(1).dirichlet(np.ones(4), 5).T
    labels /= np.sum(labels, axis=0)
    options = {"class_weights": weights, "label_distribution": labels, "bias": bias}
    problem = problem_of(mdt.MeanSquaredError(), 4, 2, decays=(0.02, 0.005), **options)
    found = solve_bottleneck(problem)
    lower, upper = bounds(problem, found)
    searched = local_minimum(problem, 2, starts=20)
    assert found.method == "closed-form"
    assert upper == pytest.approx(searched.objective, rel=1e-12)
    assert lower < upper


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(), mdt.MeanSquaredError()], ids=["cross-entropy", "squared-error"])
def test_one_dimension_agrees_with_a_plain_search(loss):
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    options = {"class_weights": weights, "bias": True, "bias_decay": 0.01}
    problem = problem_of(loss, 4, 1, decays=(0.01, 0.03), **options)

    def cost(x):
        w, h, b = np.split(x, 3)
        z = np.outer(w, h) + b[:, None]
        if isinstance(loss, mdt.CrossEntropy):
            losses = np.log(np.sum(np.exp(z), axis=0)) - np.diag(z)
        else:
            losses = 0.5 * np.sum((z - np.eye(4)) ** 2, axis=0)
        return weights @ (losses + 0.03 * h**2) + 0.01 * w @ w + 0.01 * b @ b

    rng = np.random.default_rng(0)
    tries = [minimize(cost, 2.0 * rng.standard_normal(12), method="BFGS", options={"gtol": 1e-7}) for _ in range(12)]
    lower, upper = bounds(problem, solve_bottleneck(problem, starts=30))
    assert min(t.fun for t in tries) == pytest.approx(upper, abs=1e-9)
    assert lower < upper


@pytest.mark.parametrize(
    "loss", [mdt.CrossEntropy(smoothing=0.1), mdt.LabelRelaxation(0.1), mdt.Hinge(), mdt.SquaredHinge()], ids=repr
)
def test_every_dimension_costs_less_than_the_last_and_never_less_than_the_bound(loss):
    uppers = []
    for dim in (1, 2, 3):
        problem = problem_of(loss, 4, dim, decays=(0.02, 0.02), class_weights=[0.4, 0.3, 0.2, 0.1])
        lower, upper = bounds(problem, solve_bottleneck(problem, starts=4))
        assert lower <= upper + 1e-12
        uppers.append(upper)
    assert uppers[0] > uppers[1] > uppers[2]
    # Three dimensions are enough for four classes, and nothing is lost.
    assert uppers[2] - lower <= 1e-7


def test_a_given_dual_point_is_used():
    problem = problem_of(mdt.CrossEntropy(), 5, 2)
    wide = problem_of(mdt.CrossEntropy(), 5, 5)
    relaxed = solve_free(wide, method="auto", tolerance=1e-12, reduce=False)
    lower, upper = bounds(problem, solve_bottleneck(problem, starts=2, convex_dual=relaxed.dual))
    assert lower == pytest.approx(mdt.solve(wide).objective, abs=1e-9)
    assert lower < upper


def test_more_dimensions_than_needed_are_filled_with_zeros():
    problem = problem_of(mdt.MeanSquaredError(), 3, 5, class_weights=[0.5, 0.3, 0.2])
    lower, upper = bounds(problem, solve_bottleneck(problem))
    assert abs(upper - lower) <= 1e-14


@pytest.mark.parametrize(
    ("options", "name"),
    [({"feature_dim": None}, "feature_dim"), ({"nonnegative": True}, "nonnegative"), ({"many": True}, "one point")],
)
def test_other_problems_are_turned_away(options, name):
    if "many" in options:
        problem = mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=[0.1, 0.2], feature_decay=0.1, feature_dim=2)
    else:
        arguments = {"num_classes": 3, "weight_decay": 0.1, "feature_decay": 0.1, "feature_dim": 2} | options
        problem = mdt.UFM(mdt.CrossEntropy(), **arguments)
    with pytest.raises(mdt.AssumptionError, match=name):
        solve_bottleneck(problem)
