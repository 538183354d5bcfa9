"""The limited-expressivity model with nonnegative features, the absolute scaling, and classes that differ: against explicit vectors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.models.joint import programme

CE = mdt.CrossEntropy()
# The coordinate of a uniform point of the sphere in R^8.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(120)
_WEIGHTS = _WEIGHTS * (1 - _NODES**2) ** 2.5
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def problem_of(loss=CE, *, decay=5e-3, flip=0.1, theirs=0.2, **changes):
    """With a flip probability, and the slope of an inequality between probabilities."""
    given = {"weight_decay": decay, "feature_decay": decay, "slope": np.asarray(theirs) / (1 - flip)}
    if "noise_matrix" not in changes:
        given["noise"] = flip / (1 - flip)
    return mdt.LimitedExpressivity(loss, **(given | changes))


def objective_of(problem, w, h, u, b=0.0):
    """Mean over examples at W (2, M), means h (2, M), u[m] of class m with the other label, and a bias of the margin of the first class."""
    share = np.full(2, 0.5) if problem.class_weights is None else problem.class_weights
    flips = np.broadcast_to(problem.flip, 2)
    apart, distance = w[0] - w[1], np.linalg.norm(h[0] - h[1])
    power = 1.0 if problem.scaling == "absolute" else 0.0
    total = problem.weight_decay * np.sum(w**2)
    phi = problem.loss.profile
    for m, sign in ((0, 1.0), (1, -1.0)):
        e = flips[m]
        r = e / (1 - e) / problem.slope * distance**power * np.linalg.norm(u[m] - h[m])
        clean = _WEIGHTS @ phi(sign * (apart @ h[m] + b) + r * np.linalg.norm(apart) * _NODES)
        clean += problem.feature_decay * (h[m] @ h[m] + r**2)
        noisy = phi(-sign * (apart @ u[m] + b)) + problem.feature_decay * u[m] @ u[m]
        total += share[m] * ((1 - e) * clean + e * noisy)
    return float(total)


def brute_force(problem, starts=6, dim=2):
    """The least objective of a search over all vectors, which knows of no symmetry."""

    def value(x):
        w, h, u = np.array(x[:-1]).reshape(3, 2, dim)
        if problem.nonnegative:
            h = np.abs(h)
        if problem.nonnegative_noisy_features:
            u = np.abs(u)
        return objective_of(problem, w, h, u, x[-1] if problem.bias else 0.0)

    rng = np.random.default_rng(1)
    best = np.inf
    for i in range(starts):
        start = rng.normal(size=6 * dim + 1) * (1.0 if i % 2 else 0.3)
        found = minimize(value, start, method="BFGS", options={"maxiter": 2000, "gtol": 1e-8})
        best = min(best, minimize(value, found.x, method="Nelder-Mead" if problem.nonnegative else "BFGS").fun)
    return best


UNLIKE = {"noise_matrix": [[0.9, 0.3], [0.1, 0.7]], "class_weights": [0.3, 0.7]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"nonnegative": True},
        {"nonnegative": True, "nonnegative_noisy_features": True},
        {"nonnegative": True, "nonnegative_noisy_features": True, "theirs": 0.06},
        {"scaling": "absolute"},
        {"scaling": "absolute", "theirs": 0.02, "flip": 0.25, "decay": 1e-3},
        {"scaling": "absolute", "theirs": 3.0, "loss": mdt.CrossEntropy(0.1)},
        {"scaling": "absolute", "nonnegative": True, "nonnegative_noisy_features": True, "theirs": 1.0},
        UNLIKE,
        UNLIKE | {"bias": True},
        UNLIKE | {"scaling": "absolute", "theirs": 1.0},
        UNLIKE | {"bias": True, "loss": mdt.MeanSquaredError(0.1)},
        {"class_weights": [0.2, 0.8], "bias": True, "loss": mdt.CrossEntropy(0.2)},
    ],
    ids=str,
)
def test_no_vectors_are_better(changes):
    problem = problem_of(**changes)
    sol = mdt.solve(problem)
    best = brute_force(problem)
    assert sol.objective <= best * (1 + 1e-9)
    assert sol.objective == pytest.approx(best, rel=1e-5)
    assert sol.lower_bound <= best


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nonnegative": True},
        {"nonnegative": True, "nonnegative_noisy_features": True},
        {"scaling": "absolute"},
        {"scaling": "absolute", "nonnegative": True},
        UNLIKE,
        UNLIKE | {"bias": True},
        UNLIKE | {"scaling": "absolute"},
    ],
    ids=str,
)
def test_the_explicit_features_have_the_objective_and_a_tight_constraint(changes):
    problem = problem_of(**changes)
    sol = mdt.solve(problem)
    h, u = sol.class_means.T, np.stack([sol.noisy_features[:, 1, 0], sol.noisy_features[:, 0, 1]])
    shift = sol.bias[0] - sol.bias[1] if problem.bias else 0.0
    assert objective_of(problem, sol.weights, h, u, shift) == pytest.approx(sol.objective, rel=1e-12)
    assert np.linalg.norm(h[0] - h[1]) == pytest.approx(sol.mean_distance, rel=1e-12)
    power = 1.0 if problem.scaling == "absolute" else 0.0
    noise = np.broadcast_to(problem.noise_per_class, 2)
    for m in (0, 1):
        moved = noise[m] * np.linalg.norm(u[m] - h[m]) * sol.mean_distance**power
        assert moved == pytest.approx(problem.slope * np.broadcast_to(sol.dilation, 2)[m], rel=1e-9)
    np.testing.assert_allclose(sol.normalized_dilation, sol.dilation / sol.mean_distance, rtol=1e-12)
    margins = np.array([(sol.weights @ h[m] + sol.bias) @ (np.array([1, -1]) * (1 - 2 * m)) for m in (0, 1)])
    np.testing.assert_allclose(np.broadcast_to(sol.margin, 2), margins, rtol=1e-12)
    if problem.nonnegative:
        assert np.all(h >= 0)
    if problem.nonnegative_noisy_features:
        assert np.all(u >= 0)


# ------------------------------------------------------------------------------ printed figures


def test_the_peak_and_the_threshold_of_nonnegative_features():
    sol = mdt.solve(problem_of(theirs=[0.0627262735, 0.0674085914], nonnegative=True))
    assert sol.normalized_dilation[0] == pytest.approx(0.7465213343, abs=1e-9)
    assert sol.noisy_margin[1] == pytest.approx(0.0, abs=1e-8)
    assert np.all(sol.family_gap < 1e-12)
    assert np.all(sol.status == mdt.Status.BOUNDED)


def test_the_first_order_transition_of_the_absolute_scaling():
    at = 0.0178524131 * np.array([1 - 1e-8, 1 + 1e-8])
    sol = mdt.solve(problem_of(flip=0.25, theirs=at, decay=1e-3, scaling="absolute"))
    np.testing.assert_allclose(sol.normalized_dilation, [37.3625, 1.570092], rtol=1e-6)
    np.testing.assert_allclose(sol.mean_distance, [0.00262570, 0.149712], rtol=5e-6)
    np.testing.assert_allclose(sol.objective, 0.5242276747, atol=1e-9)
    assert np.all(sol.relative_gap <= 1.01e-4)


# ------------------------------------------------------------------------------ limits and order


def test_classes_that_are_alike_in_every_respect_are_solved_as_such():
    plain = mdt.solve(problem_of())
    for changes in (
        {"noise_matrix": [[0.9, 0.1], [0.1, 0.9]]},
        {"class_weights": [0.3, 0.7]},
        {"noise_matrix": [[0.9, 0.1 + 1e-13], [0.1, 0.9 - 1e-13]]},
    ):
        sol = mdt.solve(problem_of(**changes))
        np.testing.assert_allclose(sol.normalized_dilation, plain.normalized_dilation, rtol=1e-9)
        assert sol.objective == pytest.approx(plain.objective, rel=1e-12)


@settings(max_examples=12)
@given(
    e1=st.floats(0.01, 0.4),
    e2=st.floats(0.01, 0.4),
    share=st.floats(0.1, 0.9),
    decay=st.floats(1e-3, 0.05),
    bias=st.booleans(),
)
def test_the_value_lies_between_observed_and_soft_labels_and_falls_with_the_slope(e1, e2, share, decay, bias):
    labels, weights = np.array([[1 - e1, e2], [e1, 1 - e2]]), np.array([share, 1 - share])
    common = {"weight_decay": decay, "feature_decay": decay, "bias": bias}
    sol = mdt.solve(
        mdt.LimitedExpressivity(CE, noise_matrix=labels, class_weights=weights, slope=[1e-4, 1e-2, 0.3, 1e4], **common)
    )
    assert np.all(np.diff(sol.objective) <= 1e-12)
    assert np.all(sol.status == mdt.Status.OPTIMAL)
    observed = mdt.solve(mdt.UFM(CE, num_classes=2, class_weights=labels @ weights, **common))
    soft = mdt.solve(mdt.UFM(CE, num_classes=2, class_weights=weights, label_distribution=labels, **common))
    assert sol.objective[0] == pytest.approx(soft.objective, rel=1e-4)
    assert sol.objective[-1] == pytest.approx(observed.objective, rel=1e-5)


@settings(max_examples=12)
@given(
    flip=st.floats(0.02, 0.4), theirs=st.floats(0.02, 2.0), decay=st.floats(1e-3, 0.02), alpha=st.sampled_from([0, 0.1])
)
def test_the_distance_is_the_best_and_every_bound_holds(flip, theirs, decay, alpha):
    problem = problem_of(mdt.CrossEntropy(alpha), flip=flip, theirs=theirs, decay=decay, scaling="absolute")
    sol = mdt.solve(problem)
    assert 0.0 <= sol.relative_gap <= 1.01e-4
    # At its own distance an answer is one of the relative scaling with a cap, which is never worse without it.
    if not sol.collapsed:
        free = replace(problem, scaling="relative", slope=problem.slope / sol.mean_distance)
        assert mdt.solve(free).lower_bound <= sol.objective
    for factor in (0.5, 0.9, 1.1, 2.0):
        moved = sol.answer * np.array([factor, 1.0, factor])
        assert programme.objective(problem, moved) >= sol.objective * (1 - 1e-12)


def test_merged_means_of_a_small_slope():
    """D, from the expansion at C -> 0 with t and the scale of W of features that have lost their classes."""
    flip, theirs, decay = 0.25, np.array([1e-3, 2e-3]), 1e-3
    sol = mdt.solve(problem_of(flip=flip, theirs=theirs, decay=decay, scaling="absolute"))
    kap, t = np.sqrt(2.0) * sol.weights[:, 0, 0] * 2, sol.noisy_margin
    expected = theirs**2 * 0.5 * kap / (4 * flip**2 * t**2 * (0.25 / 16 + decay / kap**2))
    np.testing.assert_allclose(sol.mean_distance, expected, rtol=2e-2)
    np.testing.assert_allclose(sol.normalized_dilation, flip * t / (kap * theirs), rtol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonnegative": True},
        {"nonnegative": True, "nonnegative_noisy_features": True},
        {"scaling": "absolute"},
        UNLIKE,
        UNLIKE | {"bias": True},
    ],
    ids=str,
)
def test_without_noise_it_is_the_unconstrained_features_model(changes):
    changes = dict(changes)
    if changes.pop("noise_matrix", None):
        changes["noise_matrix"] = np.eye(2)
    sol = mdt.solve(problem_of(flip=0.0, **changes))
    ufm = mdt.UFM(
        CE,
        num_classes=2,
        weight_decay=5e-3,
        feature_decay=5e-3,
        nonnegative=changes.get("nonnegative", False),
        bias=changes.get("bias", False),
    )
    balanced = mdt.solve(ufm)
    if "class_weights" not in changes:
        assert sol.objective == pytest.approx(balanced.objective, rel=1e-12)
        assert sol.relative_mean_distance == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(sol.normalized_dilation, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_matrix": [[0.9, 0.1], [0.3, 0.7]]}, "noise_matrix"),
        ({"noise_matrix": [[0.4, 0.6], [0.6, 0.4]]}, "no information"),
        ({"noise_matrix": np.eye(3)}, "noise_matrix"),
        ({"noise": None}, "noise"),
        ({"noise": 0.1, "noise_matrix": np.eye(2)}, "not both"),
        ({"nonnegative": True, "num_classes": 3}, "more than two classes"),
        ({"nonnegative": True} | UNLIKE, "equal size"),
        ({"nonnegative_noisy_features": True}, "needs nonnegative"),
        ({"scaling": "linear"}, "scaling"),
        ({"class_weights": [0.5, 0.6]}, "class_weights"),
        ({"class_weights": [0.2, 0.3, 0.5], "num_classes": 3, "slope": [0.1, 0.2]}, "one number"),
    ],
    ids=str,
)
def test_bad_input_is_named(changes, message):
    given = {"slope": 0.2, "weight_decay": 5e-3, "feature_decay": 5e-3}
    if "noise_matrix" not in changes:
        given["noise"] = 0.1
    with pytest.raises(mdt.AssumptionError, match=message) as error:
        mdt.LimitedExpressivity(CE, **(given | changes))
    assert "\n" not in str(error.value)
