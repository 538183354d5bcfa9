"""The limited-expressivity model: against explicit vectors, printed figures, its limits, and its own matrices."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.models.joint.solution import JointSolution

CE = mdt.CrossEntropy()


def joint(loss=CE, *, flip=None, theirs=None, decay=5e-3, **changes):
    """With a flip probability and the slope of an inequality between probabilities, as the printed figures have them."""
    given = {"noise": 0.1, "slope": 1.0}
    if flip is not None:
        given["noise"] = np.asarray(flip) / (1 - np.asarray(flip))
    if theirs is not None:
        given["slope"] = np.asarray(theirs) / (1 - np.asarray(flip))
    given |= {"weight_decay": decay, "feature_decay": decay, **changes}
    return mdt.LimitedExpressivity(loss, **given)


def solved(*arguments, **changes):
    return mdt.solve(joint(*arguments, **changes))


# ------------------------------------------------------------------------------ explicit vectors


def softplus(t):
    return np.logaddexp(0.0, -t)


def half_square(t):
    return 0.5 * np.maximum(1.0 - t, 0.0) ** 2


def sphere_rule(dim, order=1000):
    """Nodes and weights for a coordinate on the sphere in R^d, many enough for a kink of the slope."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    weights = weights * (1 - nodes**2) ** (0.5 * (dim - 3))
    return nodes, weights / weights.sum()


SPHERE = sphere_rule(8)


def objective_of(phi, problem, w, h, u):
    """Mean over examples, at W (2, M), means h (2, M) and u[m] (2, M) of class m with the other label."""
    nodes, weights = SPHERE
    e = float(problem.flip)
    apart = w[0] - w[1]
    total = problem.weight_decay * np.sum(w**2)
    for m, sign in ((0, 1.0), (1, -1.0)):
        r = problem.noise / problem.slope * np.linalg.norm(u[m] - h[m])
        clean = weights @ phi(sign * apart @ h[m] + r * np.linalg.norm(apart) * nodes)
        clean += problem.feature_decay * (h[m] @ h[m] + r**2)
        noisy = phi(-sign * apart @ u[m]) + problem.feature_decay * u[m] @ u[m]
        total += 0.5 * ((1 - e) * clean + e * noisy)
    return total


def brute_force(phi, problem, starts=3, dim=3):
    """The least objective that a search over all vectors finds, which knows of no symmetry."""

    def value(x):
        w, h, u = x.reshape(3, 2, dim)
        return objective_of(phi, problem, w, h, u)

    rng = np.random.default_rng(0)
    found = [
        minimize(value, rng.normal(size=6 * dim), method="BFGS", options={"maxiter": 3000, "gtol": 1e-8})
        for _ in range(starts)
    ]
    return min(result.fun for result in found)


@pytest.mark.slow
@pytest.mark.parametrize(("flip", "theirs", "decay"), [(0.1, 0.06, 5e-3), (0.2, 0.5, 0.02), (0.05, 2.0, 0.05)])
@pytest.mark.parametrize(("phi", "loss"), [(softplus, CE), (half_square, mdt.SquaredHinge())], ids=["ce", "hinge^2"])
def test_two_classes_against_a_search_over_all_vectors(phi, loss, flip, theirs, decay):
    problem = joint(loss, flip=flip, theirs=theirs, decay=decay)
    sol = mdt.solve(problem)
    if loss is not CE:
        phi = lambda t: loss.profile(t)  # noqa: E731  whatever its scale
    best = brute_force(phi, problem)
    assert sol.status is mdt.Status.OPTIMAL
    # The kink of a slope leaves 1e-8 to the quadrature of the search.
    assert sol.lower_bound <= best * (1 + 1e-8)
    assert sol.objective == pytest.approx(best, rel=1e-7)


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("loss", [CE, mdt.CrossEntropy(0.2), mdt.MeanSquaredError(0.1)], ids=str)
def test_the_explicit_features_have_the_objective_and_a_tight_constraint(n, loss):
    spread = mdt.Gaussian(12)
    problem = joint(loss, num_classes=n, noise=0.3, slope=0.4, decay=2e-3, spread=spread, bias=not loss.shift_invariant)
    sol = mdt.solve(problem)
    e, (w, h, u) = float(problem.flip), (sol.weights, sol.class_means, sol.noisy_features)
    centre = 0.0 if loss.shift_invariant else 1.0 / n
    reached, variance = problem.weight_decay * np.sum(w**2), 0.0
    rng = np.random.default_rng(0)
    xi = rng.normal(size=(20000, n)) / np.sqrt(spread.dim)
    xi = np.concatenate([xi, -xi])
    scatter = xi - xi.mean(axis=1, keepdims=True)
    for m in range(n):
        others = [k for k in range(n) if k != m]
        moved = sum(np.linalg.norm(u[:, k, m] - h[:, m]) for k in others) * problem.noise / (n - 1)
        assert moved == pytest.approx(problem.slope * sol.dilation, rel=1e-9)
        # W is a multiple of the centring, so that W r xi is r c times what xi has of it.
        c = w[0, 0] / (1 - 1 / n)
        values = loss.value(w @ h[:, m] + centre + sol.dilation * c * scatter, m)
        pairs = values.reshape(2, -1).mean(axis=0)
        variance += ((1 - e) / n) ** 2 * np.var(pairs) / pairs.size
        clean = np.mean(values) + problem.feature_decay * (h[:, m] @ h[:, m] + sol.dilation**2)
        noisy = [
            loss.value(w @ u[:, k, m] + centre, k) + problem.feature_decay * u[:, k, m] @ u[:, k, m] for k in others
        ]
        reached += ((1 - e) * clean + e * np.mean(noisy)) / n
    assert np.sqrt(variance) < 0.02 * reached
    assert reached == pytest.approx(sol.objective, abs=5 * np.sqrt(variance) + 1e-12)


# ------------------------------------------------------------------------------ printed figures


def test_the_peak_of_the_dilation_and_where_memorising_is_given_up():
    sol = solved(flip=0.1, theirs=[0.0627315520, 0.0673699226])
    assert sol.normalized_dilation[0] == pytest.approx(0.7471605429, abs=1e-10)
    assert sol.noisy_margin[1] == pytest.approx(0.0, abs=1e-7)
    around = solved(flip=0.1, theirs=[0.0617, 0.0637]).normalized_dilation
    assert np.all(around < sol.normalized_dilation[0])


def test_dilation_is_not_monotone_in_the_noise():
    sol = solved(flip=[0.03, 0.1, 0.0257813, 0.168954], theirs=0.02)
    expected = [0.462659, 0.311220, 0.469882, 0.286997]
    np.testing.assert_allclose(sol.normalized_dilation, expected, atol=1e-6)


def test_margins_overshoot_and_means_draw_together():
    sol = solved(flip=0.1, theirs=[0.101118, 0.035265])
    assert sol.margin[0] == pytest.approx(6.357336, abs=1e-6)
    assert sol.noiseless.margin == pytest.approx(4.944648, abs=1e-6)
    assert sol.mean_distance[1] == pytest.approx(2.277516, abs=1e-6)
    assert sol.mean_distance[1] / sol.relative_mean_distance[1] == pytest.approx(3.739729, abs=1e-6)


def test_smoothing_and_cross_entropy_change_places():
    both = [solved(mdt.CrossEntropy(a), flip=0.1, theirs=[0.125, 0.125692, 0.13]).normalized_dilation for a in (0, 0.1)]
    assert both[0][0] > both[1][0]
    assert both[0][1] == pytest.approx(both[1][1], rel=1e-6)
    np.testing.assert_allclose([both[0][2], both[1][2]], [0.522712, 0.524513], atol=1e-6)


def test_three_classes_alike():
    more = {"num_classes": 3, "spread": mdt.Gaussian(8), "decay": 0.003, "flip": 0.4, "theirs": 0.1}
    squared = mdt.solve(joint(mdt.MeanSquaredError(), bias=True, **more), method="symmetric")
    entropy = mdt.solve(joint(**more), method="symmetric")
    assert squared.objective == pytest.approx(0.254130224, abs=1e-9)
    assert entropy.objective == pytest.approx(0.842828, abs=1e-6)
    # Classes that are not alike do better: .249471943 and .796719.
    for sol, better in ((squared, 0.249471943), (entropy, 0.796719)):
        assert sol.status is mdt.Status.BOUNDED
        assert sol.lower_bound < better < sol.objective
        assert sol.family_gap < 1e-9
        assert sol.relative_to == "configurations with all classes alike"


# ------------------------------------------------------------------------------ collapse


def collapse_mu(flip, theirs, slope_at_zero=0.5):
    """mu at which everything vanishes, from the dual norm of the gradient at zero."""
    square = (theirs**2 + flip * (1 - 2 * flip) ** 2) / (theirs**2 + flip)
    return slope_at_zero * np.sqrt(0.5 * square)


@pytest.mark.parametrize("flip", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("theirs", [0.02, 0.1, 1.0])
def test_everything_vanishes_exactly_from_the_threshold_on(flip, theirs):
    mu = collapse_mu(flip, theirs)
    below, above = (solved(flip=flip, theirs=theirs, decay=mu * factor) for factor in (1 - 1e-4, 1 + 1e-4))
    assert not below.collapsed
    assert above.collapsed
    assert above.status is below.status is mdt.Status.OPTIMAL
    assert above.margin == above.dilation == above.noisy_margin == 0.0
    assert np.isnan(above.normalized_dilation)
    assert above.test_error == 0.5
    # At the onset.
    expected = flip * theirs / (theirs**2 + flip * (1 - 2 * flip))
    assert below.normalized_dilation == pytest.approx(expected, rel=2e-3)


def test_noise_collapses_what_clean_data_would_not():
    assert collapse_mu(0.1, 0.1) == pytest.approx(0.289984, abs=1e-6)
    assert solved(flip=0.1, theirs=0.1, decay=0.3).collapsed
    assert solved(noise=0.0, slope=1.0, decay=0.3).margin > 0


# ------------------------------------------------------------------------------ limits and order


@given(st.floats(0.01, 0.45), st.floats(1e-3, 0.1), st.sampled_from([0.0, 0.1, 0.3]))
def test_the_value_lies_between_observed_and_soft_labels_and_falls_with_the_slope(flip, decay, alpha):
    loss = mdt.CrossEntropy(alpha)
    sol = solved(loss, flip=flip, slope=np.geomspace(1e-4, 1e4, 12), decay=decay)
    plain = mdt.UFM(loss, num_classes=2, weight_decay=decay, feature_decay=decay)
    soft = replace(plain, label_distribution=np.array([[1 - flip, flip], [flip, 1 - flip]]))
    low, high = mdt.solve(plain).objective, mdt.solve(soft).objective
    assert np.all(sol.objective >= low * (1 - 1e-12))
    assert np.all(sol.objective <= high * (1 + 1e-9))
    assert np.all(np.diff(sol.objective) <= 1e-12)
    assert sol.objective[-1] == pytest.approx(low, rel=1e-5)
    assert sol.objective[0] == pytest.approx(high, rel=1e-4)
    assert set(np.atleast_1d(sol.status)) == {int(mdt.Status.OPTIMAL)}


def test_a_large_slope_leaves_the_noise_over_the_slope_whatever_the_loss():
    for loss in (CE, mdt.CrossEntropy(0.2), mdt.SquaredHinge(), mdt.LabelRelaxation(0.1)):
        sol = solved(loss, noise=0.2, slope=1e4)
        assert sol.normalized_dilation * 1e4 / 0.2 == pytest.approx(1.0, rel=1e-5)


def test_more_classes_lie_between_the_same_limits():
    for n in (3, 10):
        flip = 0.2
        sol = solved(flip=flip, slope=np.geomspace(1e-3, 1e4, 6), num_classes=n, spread=mdt.Gaussian(16))
        plain = mdt.UFM(CE, num_classes=n, weight_decay=5e-3, feature_decay=5e-3)
        labels = np.full((n, n), flip / (n - 1)) + np.eye(n) * (1 - flip - flip / (n - 1))
        high = mdt.solve(replace(plain, label_distribution=labels)).objective
        assert np.all(np.diff(sol.objective) < 0)
        assert sol.objective[0] == pytest.approx(high, rel=1e-3)
        assert sol.objective[-1] == pytest.approx(mdt.solve(plain).objective, rel=1e-5)
        assert mdt.solve(replace(sol.problem, slope=1e9)).status is mdt.Status.OPTIMAL


def test_without_noise_it_is_the_unconstrained_features_model():
    for n in (2, 5):
        sol = solved(noise=0.0, num_classes=n, spread=mdt.Gaussian(8))
        assert sol.objective == pytest.approx(sol.noiseless.objective, rel=1e-12)
        assert sol.margin == pytest.approx(sol.noiseless.margin, rel=1e-10)
        assert sol.status is mdt.Status.OPTIMAL


def test_a_joint_answer_is_no_worse_than_the_fixed_configuration():
    for slope in (0.05, 0.3, 2.0):
        problem = joint(noise=0.1, slope=slope)
        fixed = mdt.solve(mdt.MemorizationDilation(problem.noiseless, noise=0.1, slope=slope, scaling="relative"))
        # Its objective is a sum over both classes without the classifier's decay, of clean mass one each.
        mean = fixed.objective / (2 * 1.1) + 5e-3 * float(np.sum(fixed.weights**2))
        assert mdt.solve(problem).objective <= mean * (1 + 1e-12)


# ------------------------------------------------------------------------------ the answer as such


@pytest.mark.parametrize("loss", [CE, mdt.SquaredHinge(), mdt.LabelRelaxation(0.1)], ids=str)
def test_extreme_parameters_are_solved_or_said_to_fail_without_a_warning(loss):
    noise = np.array([0.0, 1e-300, 0.1, 0.999999])[:, None]
    for weight_decay, feature_decay in ((1e-300, 1e-3), (1e-12, 1e-12), (0.5, 0.5), (1e10, 1e10), (1e300, 1e-300)):
        slope = np.array([1e-12, 1e-3, 1.0, 1e300])
        sol = mdt.solve(joint(loss, noise=noise, slope=slope, weight_decay=weight_decay, feature_decay=feature_decay))
        solved, failed = (sol.status == int(code) for code in (mdt.Status.OPTIMAL, mdt.Status.FAILED))
        assert np.all(np.isfinite(sol.objective) == ~failed)
        assert np.all(sol.relative_gap[solved] <= sol.tolerance)
        for name in ("dilation", "memorization", "mean_distance", "relative_mean_distance", "test_error", "family_gap"):
            assert np.shape(getattr(sol, name)) == sol.problem.shape
        assert sol.class_means.shape == (4, 4, 2, 2)


def test_parameters_broadcast_and_every_point_is_that_of_its_own_problem():
    loss = mdt.CrossEntropy(np.array([0.0, 0.1, 0.3]))
    sol = solved(loss, noise=np.array([[0.05], [0.3]]), slope=0.2)
    assert sol.margin.shape == (2, 3)
    for i, noise in enumerate((0.05, 0.3)):
        for j, alpha in enumerate((0.0, 0.1, 0.3)):
            alone = solved(mdt.CrossEntropy(alpha), noise=noise, slope=0.2)
            assert sol.normalized_dilation[i, j] == pytest.approx(alone.normalized_dilation, rel=1e-10)
    assert sol.class_means.shape == (2, 3, 2, 2)
    assert sol.noisy_features.shape == (2, 3, 2, 2, 2)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_any_other_point_is_worse_and_its_bound_holds(ds, dw):
    best = solved(flip=0.1, theirs=0.1)
    other = JointSolution(best.problem, best.answer + np.array([ds, dw]), "by hand")
    assert other.objective >= best.objective * (1 - 1e-14)
    assert other.lower_bound <= best.objective
    if max(abs(ds), abs(dw)) > 1e-2:
        assert other.status is mdt.Status.INACCURATE


def test_the_test_error_of_many_classes_is_that_of_draws():
    sol = solved(num_classes=5, noise=0.5, slope=0.3, spread=mdt.Gaussian(10))
    rng = np.random.default_rng(0)
    xi = rng.normal(size=(400000, 5)) / np.sqrt(10)
    # c r xi with ||h_1 - h_2|| = sqrt(2) s / c.
    logits = sol.margin * np.eye(5)[0] + sol.normalized_dilation * np.sqrt(2) * sol.margin * xi
    share = np.mean(np.argmax(logits, axis=1) != 0)
    assert sol.test_error == pytest.approx(share, abs=5 * np.sqrt(share / 400000))
    with pytest.raises(mdt.AssumptionError, match="must be Gaussian for the test error"):
        _ = solved(mdt.MeanSquaredError(), num_classes=3, bias=True).test_error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 1.0}, r"noise = 1.0: must lie in \[0, 1\): at 1 the labels of 2 classes carry no information"),
        ({"noise": 2.0, "num_classes": 3, "spread": mdt.Gaussian(4)}, r"noise = 2.0: must lie in \[0, 2\)"),
        ({"slope": 0.0}, "slope = 0.0"),
        ({"slope": 1e-300}, r"noise/slope = 1e\+299: must be 1e\+60 at most"),
        ({"decay": -1.0}, "weight_decay = -1.0"),
        ({"num_classes": 10}, "spread = Sphere.*must have dimension 9 at least"),
        ({"num_classes": 1}, "num_classes = 1"),
        ({"loss": mdt.Hinge(), "scaling": "absolute"}, "must have a continuous slope"),
        ({"loss": mdt.Focal(2.0)}, "must be convex"),
        ({"loss": mdt.MeanSquaredError()}, "bias = False: must be True for a loss that changes with a shift"),
        ({"loss": "ce"}, "loss = 'ce': must be a Loss"),
        ({"noise": [0.1, 0.2], "slope": [1.0, 2.0, 3.0]}, "shapes"),
        (
            {"num_classes": 3, "spread": mdt.TwoPoint(8)},
            "must be Gaussian or Sphere for cross-entropy of more than two classes",
        ),
        ({"num_classes": 3, "loss": mdt.SquaredHinge(), "spread": mdt.Gaussian(8)}, "must be CrossEntropy or MeanSq"),
    ],
)
def test_bad_input_is_named(changes, message):
    changes = dict(changes)
    with pytest.raises(mdt.AssumptionError, match=message) as caught:
        solved(changes.pop("loss", CE), **changes)
    assert "\n" not in str(caught.value)
