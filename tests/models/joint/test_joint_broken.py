"""The limited-expressivity model of classes that are not alike: printed figures, a conic solver, explicit features, limits, and what is refused."""

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest

import mdtheory as mdt
from mdtheory.models.joint import programme
from mdtheory.models.joint.rules import rule

CE, MSE = mdt.CrossEntropy(), mdt.MeanSquaredError()
NOISE = np.array([[0.8, 0.1, 0.05], [0.15, 0.7, 0.05], [0.05, 0.2, 0.9]])
SHARES = np.array([0.5, 0.3, 0.2])


def problem_of(loss=CE, n=3, theirs=0.1, **changes):
    """As printed: flips of .4 in all, the slope of an inequality between probabilities."""
    given = {"weight_decay": 3e-3, "feature_decay": 3e-3, "spread": mdt.Gaussian(8), "bias": loss is not CE}
    if "noise_matrix" not in changes:
        given["noise"] = 2 / 3
    return mdt.LimitedExpressivity(loss, num_classes=n, **(given | {"slope": theirs / 0.6} | changes))


def unlike(loss=CE, **changes):
    return problem_of(loss, noise_matrix=NOISE, class_weights=SHARES, **({"slope": 0.3} | changes))


# ------------------------------------------------------------------------------ printed figures


@pytest.mark.parametrize(("loss", "value", "symmetric"), [(MSE, 0.249471943, 0.254130224), (CE, 0.796719, 0.842828)])
def test_one_class_apart_is_better_for_small_slopes(loss, value, symmetric):
    sol = mdt.solve(problem_of(loss))
    digits = 1e-9 if loss is MSE else 1e-6
    assert sol.objective == pytest.approx(value, abs=digits)
    assert mdt.solve(problem_of(loss), method="symmetric").objective == pytest.approx(symmetric, abs=digits)
    assert sol.status is mdt.Status.BOUNDED
    assert sol.lower_bound < sol.objective
    # One class is apart: one long axis, and the other two are not memorised as one another.
    assert sol.axes[1] > 4 * sol.axes[0]
    still = sol.memorization < 1e-12
    assert np.sum(still) == 3 + 2
    assert sol.inexact < 1e-9


@pytest.mark.parametrize("loss", [MSE, CE], ids=str)
def test_for_large_slopes_all_classes_are_alike(loss):
    sol = mdt.solve(problem_of(loss, theirs=0.3))
    assert isinstance(sol, mdt.JointSolution)
    assert sol.relative_to == "configurations with all classes alike"


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "slope", "digits"), [(MSE, 0.157010010, 1e-9), (CE, 0.166674, 1e-6)], ids=str)
def test_symmetry_breaks_at_a_first_order_transition(loss, slope, digits):
    found = mdt.symmetry_breaking_slope(problem_of(loss))
    assert 0.6 * found == pytest.approx(slope, abs=digits)
    assert isinstance(mdt.solve(problem_of(loss, slope=found * (1 - 1e-3))), mdt.ClassJointSolution)
    assert isinstance(mdt.solve(problem_of(loss, slope=found * (1 + 1e-3))), mdt.JointSolution)


# ------------------------------------------------------------------------------ another route


def explicit_objective(problem, sol, order=150):
    """From the matrices, dilations from the constraint, by a rule of Gauss and Hermite in the plane that logits see."""
    n, w, h, u = 3, sol.weights, sol.class_means, sol.noisy_features
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    plane = np.linalg.svd(w)[2][:2].T
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2) / np.sqrt(problem.spread.dim)
    shares = np.outer(weights, weights).ravel() / (2 * np.pi)
    total, loss = problem.weight_decay * np.sum(w**2), problem.loss
    centre = sol.bias + (1 / 3 if loss is MSE else 0.0)
    pi, matrix = problem.proportions, problem.transition
    for m in range(n):
        others = [k for k in range(n) if k != m]
        r = sum(matrix[k, m] / matrix[m, m] * np.linalg.norm(u[:, k, m] - h[:, m]) for k in others) / problem.slope
        assert sol.dilation[m] == pytest.approx(r, rel=1e-9, abs=1e-12)
        scatter = (w @ (h[:, m, None] + r * plane @ grid.T)).T + centre
        clean = shares @ loss.value(scatter, m) + problem.feature_decay * (h[:, m] @ h[:, m] + r**2)
        noisy = sum(
            matrix[k, m] * (loss.value(w @ u[:, k, m] + centre, k) + problem.feature_decay * u[:, k, m] @ u[:, k, m])
            for k in others
        )
        total += pi[m] * (matrix[m, m] * clean + noisy)
    return total


@pytest.mark.parametrize(
    "problem", [problem_of(), problem_of(MSE), unlike(), unlike(MSE)], ids=["ce", "mse", "T", "mse T"]
)
def test_the_explicit_features_have_the_objective(problem):
    sol = mdt.solve(problem)
    assert explicit_objective(problem, sol) == pytest.approx(sol.objective, rel=1e-8)
    np.testing.assert_allclose(sol.logits, sol.weights @ sol.class_means)
    margins = sol.logits + sol.bias[:, None]
    for m in range(3):
        assert sol.margin[m] == pytest.approx(margins[m, m] - np.delete(margins[:, m], m).max(), rel=1e-12)
        assert sol.noisy_margin[m, m] == pytest.approx(sol.margin[m], rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("problem", [problem_of(MSE), unlike(MSE)], ids=["broken", "T"])
def test_for_its_shape_of_w_no_features_are_better(problem):
    """The squared error is exact: a conic solver gets W, and finds means, noisy features, dilations and bias by itself."""
    sol = mdt.solve(problem)
    n, w, d = 3, sol.weights, problem.spread.dim
    h, b, r = cp.Variable((n, n)), cp.Variable(n), cp.Variable(n)
    pi, matrix, lam = problem.proportions, problem.transition, problem.feature_decay
    cost, constraints = problem.weight_decay * np.sum(w**2), []
    for m in range(n):
        moved = 0
        for k in set(range(n)) - {m}:
            u = cp.Variable(n)
            moved += matrix[k, m] / matrix[m, m] * cp.norm(u - h[:, m]) / problem.slope
            cost += pi[m] * matrix[k, m] * (0.5 * cp.sum_squares(w @ u + b - np.eye(n)[k]) + lam * cp.sum_squares(u))
        constraints.append(r[m] >= moved)
        clean = 0.5 * cp.sum_squares(w @ h[:, m] + b - np.eye(n)[m]) + lam * cp.sum_squares(h[:, m])
        cost += pi[m] * matrix[m, m] * (clean + (0.5 * np.sum(w**2) / d + lam) * cp.square(r[m]))
    value = cp.Problem(cp.Minimize(cost), constraints).solve(solver=cp.CLARABEL)
    assert sol.objective == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("loss", [CE, MSE, mdt.CrossEntropy(0.1)], ids=str)
def test_values_lie_between_observed_and_soft_labels_and_fall_with_the_slope(loss):
    bias = loss is MSE
    values = [mdt.solve(unlike(loss, slope=c, bias=bias)).objective for c in (1e-4, 0.05, 0.3, 2.0, 1e3)]
    assert np.all(np.diff(values) <= 1e-9)
    common = {"num_classes": 3, "weight_decay": 3e-3, "feature_decay": 3e-3, "bias": bias}
    observed = mdt.solve(mdt.UFM(loss, class_weights=NOISE @ SHARES, **common)).objective
    soft = mdt.solve(mdt.UFM(loss, class_weights=SHARES, label_distribution=NOISE, **common)).objective
    assert observed - 1e-9 <= values[-1] <= observed * (1 + 1e-5)
    # A squared error of labels is that of their mean, and their variance.
    soft += 0.5 * SHARES @ (1 - np.sum(NOISE**2, axis=0)) if loss is MSE else 0.0
    assert soft * (1 - 1e-4) <= values[0] <= soft + 1e-9


@pytest.mark.parametrize("n", [4, 5])
def test_more_classes_break_too(n):
    problem = problem_of(MSE, n=n)
    sol = mdt.solve(problem, starts=2)
    assert sol.objective < mdt.solve(problem, method="symmetric").objective * (1 - 1e-3)
    assert sol.class_means.shape == (n, n)
    assert sol.noisy_features.shape == (n, n, n)


@pytest.mark.parametrize("spread", [mdt.Gaussian(9), mdt.Sphere(9), mdt.Sphere(3)], ids=str)
@pytest.mark.parametrize("dim", [2, 3])
def test_rules_have_the_moments_of_their_law(spread, dim):
    nodes, weights = rule(spread, dim, 10)
    d = spread.dim
    # E (a'xi)^2k of the sphere in d dimensions, and of the Gaussian, for a unit vector a.
    a = np.array([0.48, 0.6, 0.64])[:dim] / np.linalg.norm(np.array([0.48, 0.6, 0.64])[:dim])
    second, fourth = 1 / d, 3 / d**2 if isinstance(spread, mdt.Gaussian) else 3 / (d * (d + 2))
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ (nodes @ a) ** 2 == pytest.approx(second, rel=1e-12)
    assert weights @ (nodes @ a) ** 4 == pytest.approx(fourth, rel=1e-12)
    assert weights @ (nodes @ a) ** 3 == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "problem",
    [
        problem_of(MSE),
        unlike(slope=0.1, spread=mdt.Sphere(8)),
        unlike(MSE, slope=0.1, spread=mdt.Sphere(2)),
        problem_of(MSE, n=4),
    ],
    ids=["broken", "sphere", "circle", "four"],
)
def test_errors_are_those_of_draws(problem):
    sol = mdt.solve(problem, method="search", starts=1)
    n, d, count = problem.num_classes, problem.spread.dim, 200_000
    rng = np.random.default_rng(0)
    xi = rng.normal(size=(count, d))
    xi = xi / np.sqrt(d) if isinstance(problem.spread, mdt.Gaussian) else xi / np.linalg.norm(xi, axis=1, keepdims=True)
    # The coordinates of the features in what sums to zero, then in any others.
    plane = np.linalg.svd(np.eye(n) - 1 / n)[0][:, : n - 1]
    for m in range(n):
        features = sol.class_means[:, m] + sol.dilation[m] * xi[:, : n - 1] @ plane.T
        wrong = np.mean((features @ sol.weights.T + sol.bias).argmax(axis=1) != m)
        assert sol.test_error[m] == pytest.approx(wrong, abs=5 * np.sqrt(max(wrong, 1e-4) / count))


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: unlike(slope=[0.1, 0.2]), "one number"),
        (lambda: unlike(scaling="absolute"), "relative"),
        (lambda: problem_of(n=7, class_weights=[0.1] * 6 + [0.4]), "3 to 6"),
        (lambda: problem_of(noise_matrix=NOISE.T), "noise_matrix"),
        (lambda: problem_of(noise_matrix=[[0.4, 0.6, 0], [0.6, 0.4, 0], [0, 0, 1]]), "no information"),
        (lambda: mdt.solve(unlike(), method="symmetric"), "alike"),
        (lambda: mdt.solve(problem_of(slope=[0.1, 0.2]), method="search"), "one number"),
        (lambda: mdt.solve(problem_of(slope=[0.1, 0.2]), starts=3), "starts"),
        (lambda: mdt.symmetry_breaking_slope(unlike()), "alike"),
        (lambda: mdt.symmetry_breaking_slope(replace(problem_of(), num_classes=2)), "more than two"),
    ],
    ids=range(10),
)
def test_bad_input_is_named(make, message):
    with pytest.raises(mdt.AssumptionError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------ the bound by convex order


def test_the_bound_by_convex_order_is_as_close_as_printed():
    flip, theirs = 0.05, np.array([0.2, 0.5, 1.0])
    problem = mdt.LimitedExpressivity(
        CE,
        num_classes=3,
        noise=flip / (1 - flip),
        slope=theirs / (1 - flip),
        weight_decay=2.9e-3,
        feature_decay=2.9e-3,
        spread=mdt.Gaussian(8),
    )
    sol = mdt.solve(problem)
    np.testing.assert_allclose(sol.relative_gap, [0.050, 0.008, 0.002], atol=5e-4)


@pytest.mark.parametrize("loss", [CE, MSE, mdt.CrossEntropy(0.2)], ids=str)
@pytest.mark.parametrize("theirs", [0.05, 0.1, 0.2, 1.0])
def test_no_answer_is_below_the_bound_by_convex_order(loss, theirs):
    problem = problem_of(loss, theirs=theirs, bias=loss is MSE)
    bound = programme.bound_by_convex_order(problem)
    found = mdt.solve(problem, starts=2)
    assert bound <= found.objective
    # Better than what is known without noise.
    assert found.lower_bound == pytest.approx(float(bound), abs=1e-8)
    assert bound >= mdt.solve(problem, method="symmetric").noiseless.objective * (1 - 1e-9)


def test_for_two_classes_convex_order_loses_nothing():
    """By its own formula with N = 2: the steps along both classes are one."""
    problem = mdt.LimitedExpressivity(CE, noise=0.2, slope=[0.05, 0.3], weight_decay=5e-3, feature_decay=5e-3)
    np.testing.assert_allclose(programme.bound_by_convex_order(problem), mdt.solve(problem).objective, rtol=1e-9)
