"""Boundaries of phases, against independent routes to the same curves."""

from dataclasses import replace
from functools import partial

import mpmath
import numpy as np
import pytest
import registered
from flint import arb, ctx
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw

import mdtheory as mdt
from mdtheory.models.dilation.balls import NoisyProblem, TwoClasses, logistic_pull, smoothed_slope
from mdtheory.models.dilation.problem import Configuration
from mdtheory.models.parameters import with_values
from mdtheory.numerics.root_finding import find_roots
from mdtheory.phase import residuals
from mdtheory.phase.boundaries import KINDS, boundary
from mdtheory.phase.tracing import trace

LOG_NOISE = (1e-3, 0.4, "log")
LOG_SLOPE = (0.05, 5.0, "log")


def features(loss, **options):
    settings = {"num_classes": 2, "weight_decay": 5e-3, "feature_decay": 5e-3, "nonnegative": True, **options}
    return mdt.UFM(loss, **settings)


def noisy(loss=None, *, ufm=None, **options):
    settings = {"noise": 0.1, "slope": 0.2, "noisy_feature_decay": 1e-4, **options}
    return mdt.MemorizationDilation(ufm or features(loss or mdt.CrossEntropy(0.1)), **settings)


def vertices(curve):
    """All vertices, as {path: values}."""
    xy = np.concatenate(curve.segments)
    return {curve.x: xy[:, 0], curve.y: xy[:, 1]}


def on(problem, curve):
    return mdt.solve(with_values(problem, vertices(curve)))


# ------------------------------------------------------------------------------ tracing


def test_a_closed_curve_is_one_polyline_that_ends_where_it_starts():
    (circle,) = trace(lambda u, v: np.hypot(u - 0.5, v - 0.5) - 0.3, points=120)
    radius = np.hypot(*(circle.vertices - 0.5).T)
    assert np.max(np.abs(radius - 0.3)) < 1e-10
    assert len(circle.vertices) == 120
    np.testing.assert_array_equal(circle.vertices[0], circle.vertices[-1])
    gaps = np.hypot(*np.diff(circle.vertices, axis=0).T)
    assert np.max(gaps) < 1.1 * np.min(gaps)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("place", [0.31, 0.5, 1 / 3])
def test_straight_lines_along_either_axis_are_traced_from_side_to_side(swap, place):
    (line,) = trace(lambda u, v: (v if swap else u) - place, points=50)
    along = line.vertices[:, 0 if swap else 1]
    assert np.max(np.abs(line.vertices[:, 1 if swap else 0] - place)) < 1e-10
    assert {along[0], along[-1]} == {0.0, 1.0}


def test_every_branch_is_found_and_a_saddle_is_resolved():
    curves = trace(lambda u, v: np.sin(3 * np.pi * u) * np.cos(2 * np.pi * v) - 0.05, points=400)
    assert len(curves) == 5
    for curve in curves:
        u, v = curve.vertices.T
        assert np.max(np.abs(np.sin(3 * np.pi * u) * np.cos(2 * np.pi * v) - 0.05)) < 1e-9


def test_a_saddle_in_one_cell_is_linked_as_its_middle_says():
    # Two hyperbola branches that pass within a cell of each other: they must not be joined crosswise.
    middle = np.array([0.5 + 0.5 / 32, 0.5 + 0.5 / 32])
    curves = trace(lambda u, v: (u - middle[0]) * (v - middle[1]) - 1e-5, points=200)
    assert len(curves) == 2
    for curve in curves:
        assert len(np.unique(np.sign(curve.vertices - middle), axis=0)) == 1


def test_curves_end_where_the_function_is_undefined():
    def field(u, v):
        return np.where(u + v > 1.5, np.nan, v - 0.4 - 0.5 * u)

    (curve,) = trace(field, points=200)
    last = curve.vertices[np.argmax(curve.vertices[:, 0])]
    assert abs(last[0] - 1.1 / 1.5) < 0.01  # within a vertex of the end


def test_a_pole_is_no_boundary_but_a_zero_beside_it_is():
    curves = trace(lambda u, v: (u - 0.2) / (u - 0.71), points=50)
    assert len(curves) == 1
    assert np.max(np.abs(curves[0].vertices[:, 0] - 0.2)) < 1e-10


def test_a_jump_is_located_and_keeps_its_residual():
    (curve,) = trace(lambda u, v: np.where(u > 0.3 + 0.2 * v, 1.0, -0.5), points=30)
    assert np.max(np.abs(curve.vertices[:, 0] - 0.3 - 0.2 * curve.vertices[:, 1])) < 1e-10
    assert np.min(np.abs(curve.residuals)) == 0.5


def test_a_patch_of_zeros_is_no_boundary():
    assert trace(lambda u, v: 1e-14 * np.sin(1e3 * u + 1e3 * v) * (u + v < 2.5)) == ()


def test_nothing_is_found_where_nothing_changes_sign():
    assert trace(lambda u, v: 1.0 + u + v) == ()


def test_roots_behind_a_wall_are_accurate():
    # Flat to the left, steep to the right: estimates from slopes are wrong by a factor 3e5.
    root = np.linspace(0.1, 0.9, 9)

    def function(which, x):
        return np.where(x < root[which], 1e-3 * (x - root[which]), np.expm1(300.0 * (x - root[which])))

    which, zero, one = np.arange(9), np.zeros(9), np.ones(9)
    found, _, error = find_roots(function, zero, one, function(which, zero), function(which, one), 1e-10)
    assert np.max(np.abs(found - root)) < 1e-10
    assert np.max(error) <= 1e-10


# ------------------------------------------------------------------------------ the features model


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("n", [2, 7])
def test_collapse_of_cross_entropy_is_the_published_line(nonnegative, n):
    ufm = features(mdt.CrossEntropy(), num_classes=n, nonnegative=nonnegative)
    curve = boundary(ufm, "collapse", {"loss.smoothing": (0.0, 0.9), "decay": (1e-3, 1.0, "log")})
    at = vertices(curve)
    cost = 2 * n / np.sqrt(n - 1) if nonnegative else 2 * np.sqrt(n)
    np.testing.assert_allclose(at["loss.smoothing"] + cost * at["decay"], 1.0, atol=1e-10)
    assert curve.how == "closed form"
    assert curve.worst_error < 1e-10


@pytest.mark.parametrize(
    ("loss", "path", "ends"),
    [
        (mdt.LabelRelaxation(0.1), "loss.relaxation", (0.01, 0.49)),
        (mdt.MeanSquaredError(), "loss.smoothing", (0.0, 0.9)),
        (mdt.Focal(2.0), "loss.focusing", (0.0, 4.0)),
    ],
)
def test_the_margin_vanishes_on_one_side_of_the_collapse_line(loss, path, ends):
    ufm = features(loss, nonnegative=False)
    curve = boundary(ufm, "collapse", {path: ends, "decay": (1e-2, 1.0, "log")}, points=20)
    at = vertices(curve)
    for factor, collapsed in ((1 - 1e-8, False), (1 + 1e-8, True)):
        margin = mdt.solve(with_values(ufm, {**at, "decay": at["decay"] * factor})).margin
        np.testing.assert_array_equal(margin == 0, collapsed)


def test_collapse_of_unequal_classes_follows_the_operator_norm():
    ufm = features(mdt.CrossEntropy(), num_classes=3, nonnegative=False, class_weights=[0.6, 0.3, 0.1])
    curve = boundary(
        ufm, "collapse", {"weight_decay": (1e-2, 1.0, "log"), "feature_decay": (1e-2, 1.0, "log")}, points=40, scan=8
    )
    at = vertices(curve)
    threshold = mdt.zero_collapse_threshold(mdt.CrossEntropy(), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(at["weight_decay"] * at["feature_decay"], threshold**2, rtol=1e-9)


def imbalanced(loss, nonnegative, imbalance, decay):
    """Four classes, two of them `imbalance` times smaller."""
    weights = np.array([1.0, 1.0, 1 / imbalance, 1 / imbalance])
    return mdt.UFM(
        loss,
        num_classes=4,
        weight_decay=decay,
        feature_decay=decay,
        nonnegative=nonnegative,
        class_weights=weights / np.sum(weights),
    )


@pytest.mark.parametrize("nonnegative", [True, False])
def test_minority_collapse_separates_solved_problems(nonnegative):
    factory = partial(imbalanced, mdt.CrossEntropy(), nonnegative)
    ranges = {"imbalance": (1.0, 100.0, "log"), "decay": (1e-3, 0.5, "log")}
    curve = boundary(factory, "minority-collapse", ranges, points=24, scan=10)
    at = vertices(curve)
    assert curve.worst_error < 1e-10
    for imbalance, decay in list(zip(at["imbalance"], at["decay"], strict=True))[3:-3:6]:
        small = 0.5 / (1 + imbalance)
        threshold = 0.5 * np.sqrt(small * (0.75 if nonnegative else 1.0) / (1.0 if not nonnegative else 0.75**2))
        if nonnegative:
            threshold = mdt.class_collapse_threshold(mdt.CrossEntropy(), small, 4)
        assert abs(decay / threshold - 1) < 1e-9
        for factor, gone in ((0.97, False), (1.03, True)):
            solution = mdt.solve(factory(imbalance=float(imbalance), decay=float(decay * factor)))
            apart = np.linalg.norm(np.asarray(solution.class_means)[:, 2] - np.asarray(solution.class_means)[:, 3])
            assert (apart < 1e-3) == gone


def test_a_single_smallest_class_does_not_merge():
    ufm = features(mdt.CrossEntropy(), num_classes=3, nonnegative=False, class_weights=[0.6, 0.3, 0.1])
    with pytest.raises(mdt.AssumptionError, match="class_weights"):
        boundary(ufm, "minority-collapse", {"weight_decay": (1e-2, 1.0), "feature_decay": (1e-2, 1.0)}, scan=4)


# ------------------------------------------------------------------------------ memorization


def reference_noise(smoothing, slope, *, decay=5e-3, dim=8):
    """eta* with lam = 0, nonnegative features, q = 1, in 30 digits: F'(eta* D^2/(2C)) = C kap (1-alpha)/D."""
    with mpmath.workdps(30):
        alpha, big_c, lam = mpmath.mpf(smoothing), mpmath.mpf(slope), mpmath.mpf(decay)
        e = alpha / 2 + 2 * lam
        s = mpmath.log((1 - e) / e)
        distance = mpmath.sqrt(2 * s)
        kap = 2 * s / distance
        norm = mpmath.gamma(mpmath.mpf(dim) / 2) / (mpmath.sqrt(mpmath.pi) * mpmath.gamma(mpmath.mpf(dim - 1) / 2))

        def slope_of_f(r):
            def integrand(angle):
                z = mpmath.sin(angle)
                return z * (alpha / 2 - 1 / (1 + mpmath.exp(s + kap * r * z))) * mpmath.cos(angle) ** (dim - 2)

            return 2 * kap * norm * mpmath.quad(integrand, [-mpmath.pi / 2, 0, mpmath.pi / 2])

        goal = big_c * kap * (1 - alpha) / distance
        root = mpmath.findroot(lambda r: slope_of_f(r) - goal, (mpmath.mpf("0.3"), mpmath.mpf(2)), tol=1e-40)
        return float(2 * big_c * root / distance**2)


def test_critical_noise_agrees_with_thirty_digits():
    problem = noisy(noisy_feature_decay=0.0)
    at = vertices(boundary(problem, "memorization", {"noise": LOG_NOISE, "loss.smoothing": (0.0, 0.5)}, points=60))
    for k in (1, 20, 40, 58):
        smoothing = at["loss.smoothing"][k]
        expected = reference_noise(smoothing, 0.2)
        assert abs(at["noise"][k] / expected - 1) < 1e-9
        alone = with_values(problem, {"loss.smoothing": smoothing})
        assert abs(mdt.critical_noise(alone) / expected - 1) < 1e-13


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("scaling", ["absolute", "relative"])
@pytest.mark.parametrize("spread", [mdt.Sphere(5), mdt.TwoPoint(3)])
def test_the_ball_residual_changes_sign_at_the_memorization_boundary(nonnegative, scaling, spread):
    ufm = features(mdt.CrossEntropy(0.1), nonnegative=nonnegative)
    problem = noisy(ufm=ufm, scaling=scaling, spread=spread, noisy_feature_decay=2e-3)
    curve = boundary(problem, "memorization", {"noise": LOG_NOISE, "slope": (0.01, 5.0, "log")}, points=12)
    at = vertices(curve)
    assert at["noise"].size > 8
    with ctx.workprec(80):
        for noise, slope in zip(at["noise"], at["slope"], strict=True):
            for factor, memorized in ((1 - 1e-9, True), (1 + 1e-9, False)):
                proof = NoisyProblem(
                    classes=TwoClasses.cross_entropy(arb(5e-3), arb(5e-3), arb(0.1), nonnegative=nonnegative),
                    noise=arb(noise) * arb(factor),
                    slope=arb(slope),
                    decay=arb(2e-3),
                    exponent=1 if scaling == "absolute" else 0,
                    slope_of_loss=smoothed_slope(arb(0.1)),
                    pull=logistic_pull(spread),
                )
                # The residual increases in t and vanishes at the solution.
                residual = proof.residual(arb(0))
                assert bool(residual > 0) if memorized is False else bool(residual < 0)


LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(0.2),
    mdt.MeanSquaredError(0.1),
    mdt.LabelRelaxation(0.1),
    mdt.Hinge(),
    mdt.SquaredHinge(),
    mdt.Focal(1.0),
]
LOSSES += registered.losses(*LOSSES)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_signs_of_the_explicit_residuals_agree_with_solving(loss):
    rng = np.random.default_rng(5)
    count = 4 if isinstance(loss, mdt.Focal) else 40
    for nonnegative, constrained, bias in ((False, False, False), (True, False, True), (True, True, False)):
        decay = 10 ** rng.uniform(-4, -1.5, count)
        ufm = features(loss, weight_decay=decay, feature_decay=decay[::-1], nonnegative=nonnegative, bias=bias)
        problem = noisy(
            ufm=ufm,
            noise=10 ** rng.uniform(-3, -0.3, count),
            slope=10 ** rng.uniform(-1.5, 1, count),
            noisy_feature_decay=rng.choice([0.0, 1e-4, 1e-2], count),
            nonnegative_noisy_features=constrained,
            spread=mdt.UniformBall(4),
        )
        solution = mdt.solve(problem)
        np.testing.assert_array_equal(np.sign(residuals.memorization(problem)), -np.sign(solution.noisy_margin))
        for level in (0.1, 0.6):
            above = residuals.dilation_above(problem, level)
            np.testing.assert_array_equal(above > 0, np.asarray(solution.normalized_dilation) > level)


def test_without_noise_everything_is_memorised_and_nothing_dilates():
    problem = noisy(noise=np.array([0.0, 0.0]))
    assert np.all(residuals.memorization(problem) < 0)
    assert np.all(residuals.dilation_above(problem, 1e-3) < 0)


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(0.1), mdt.SquaredHinge(), mdt.MeanSquaredError()], ids=repr)
def test_the_noisy_margin_vanishes_on_the_memorization_boundary(loss):
    problem = noisy(loss)
    curve = boundary(problem, "memorization", {"noise": LOG_NOISE, "slope": (0.01, 5.0, "log")}, points=60)
    assert curve.segments
    assert np.max(np.abs(on(problem, curve).noisy_margin)) < 1e-8


# ------------------------------------------------------------------------------ dilation and error


def test_dilation_is_the_level_on_its_curve_also_close_to_collapse():
    problem = noisy()
    ranges = {"noise": LOG_NOISE, "loss.smoothing": (0.95, 0.985)}
    curve = boundary(problem, "normalized-dilation", ranges, level=0.3, scan=64)
    np.testing.assert_allclose(on(problem, curve).normalized_dilation, 0.3, rtol=1e-7)
    # With decay of noisy features the dilation has a peak before the collapse line alpha + 4 decay = 1: the curve turns
    # back, and then follows the line to the side of the picture.
    (segment,) = curve.segments
    np.testing.assert_allclose(segment[[0, -1]].T[0].max(), 0.4)
    assert np.min(segment[:, 0]) < 0.085
    assert 0.97999 < np.max(segment[:, 1]) < 0.98


def test_dilation_is_the_level_on_its_curve():
    problem = noisy()
    ranges = {"noise": LOG_NOISE, "loss.smoothing": (0.0, 0.5)}
    curve = boundary(problem, "normalized-dilation", ranges, level=0.3)
    np.testing.assert_allclose(on(problem, curve).normalized_dilation, 0.3, rtol=1e-9)


@pytest.mark.parametrize("spread", [mdt.Sphere(3), mdt.UniformBall(2), mdt.Gaussian(8)], ids=repr)
def test_the_test_error_is_the_level_on_its_curve(spread):
    problem = noisy(spread=spread)
    curve = boundary(problem, "test-error", {"noise": LOG_NOISE, "slope": LOG_SLOPE}, level=0.02, points=60)
    np.testing.assert_allclose(on(problem, curve).test_error, 0.02, rtol=1e-8)


@pytest.mark.parametrize("spread", [mdt.Sphere(8), mdt.UniformBall(4), mdt.TwoPoint(1)], ids=repr)
def test_the_test_error_leaves_zero_where_the_clusters_touch(spread):
    problem = noisy(spread=spread)
    ranges = {"noise": (1e-3, 0.99, "log"), "slope": (0.05, 1.0, "log")}
    at = vertices(boundary(problem, "test-error", ranges, points=60))
    outside = mdt.solve(with_values(problem, {**at, "noise": at["noise"] * (1 - 1e-4)}))
    inside = mdt.solve(with_values(problem, {**at, "noise": at["noise"] * (1 + 1e-4)}))
    np.testing.assert_array_equal(outside.test_error, 0.0)
    assert np.all(np.asarray(inside.test_error) > 0)


@pytest.mark.parametrize(
    ("problem", "ranges"),
    [
        (noisy(), {"noise": (1e-3, 0.9, "log"), "slope": (0.02, 5.0, "log")}),
        (
            noisy(ufm=features(mdt.CrossEntropy(0.1), nonnegative=False), scaling="relative", noisy_feature_decay=None),
            {"loss.smoothing": (0.0, 0.5), "decay": (1e-4, 0.1, "log")},
        ),
    ],
)
def test_dilations_agree_on_the_curve_of_equal_dilation_and_swap_across_it(problem, ranges):
    curve = boundary(problem, "equal-dilation", ranges, other=mdt.CrossEntropy(), points=60)
    assert curve.worst_error < 1e-10
    at = vertices(curve)

    def ratio(factor):
        mine = with_values(problem, {**at, curve.y: at[curve.y] * factor})
        theirs = with_values(mine, {"loss": mdt.CrossEntropy()})
        return np.log(np.divide(mdt.solve(mine).normalized_dilation, mdt.solve(theirs).normalized_dilation))

    assert np.max(np.abs(ratio(1.0))) < 1e-9
    # Along y the curve may turn round: a few vertices near the turn stay on one side.
    assert np.mean(np.sign(ratio(1 - 1e-4)) == -np.sign(ratio(1 + 1e-4))) > 0.9


def test_the_trivial_branch_of_equal_dilation_is_left_out():
    problem = noisy(
        ufm=features(mdt.CrossEntropy(0.1), nonnegative=False), scaling="relative", noisy_feature_decay=None
    )
    ranges = {"loss.smoothing": (0.0, 0.5), "decay": (1e-4, 0.1, "log")}
    curve = boundary(problem, "equal-dilation", ranges, other=mdt.CrossEntropy(), points=40)
    assert len(curve.segments) == 1
    assert np.sum(curve.segments[0][:, 0] < 0.01) <= 2


def test_label_relaxation_that_equals_smoothing_on_an_area_has_its_edge_for_boundary():
    # The two agree exactly where kap r zeta_max <= t_inf - s (theory), so the difference has one sign beyond.
    problem = noisy(mdt.LabelRelaxation(0.05), slope=1.0)
    curve = boundary(
        problem, "equal-dilation", {"noise": LOG_NOISE, "slope": (0.3, 3.0, "log")}, other=mdt.CrossEntropy(0.1)
    )
    assert curve.segments == ()


def test_small_noise_boundary_is_the_limit_of_the_exact_one():
    ufm = features(mdt.CrossEntropy(0.1), nonnegative=False)
    problem = noisy(ufm=ufm, scaling="relative", noisy_feature_decay=None, noise=1e-5, slope=1.0)
    ranges = {"loss.smoothing": (0.0, 0.5), "decay": (1e-3, 0.15, "log")}
    limit = boundary(problem, "equal-dilation-small-noise", ranges, points=80)
    exact = boundary(problem, "equal-dilation", ranges, other=mdt.CrossEntropy(), points=80)
    assert limit.how == "closed form"
    curve = exact.segments[0][np.argsort(exact.segments[0][:, 0])]
    smoothing, decay = vertices(limit).values()
    np.testing.assert_allclose(np.interp(smoothing[2:-2], *curve.T), decay[2:-2], rtol=2e-3)
    kappa = np.sqrt(2.0) * decay
    e = 0.5 * smoothing + kappa
    bump = [x * (1 - x) * np.log((1 - x) / x) for x in (e, kappa)]
    np.testing.assert_allclose(bump[0], bump[1], rtol=1e-9)


# ------------------------------------------------------------------------------ extrema


def test_the_largest_dilation_over_the_slope_of_cross_entropy_is_a_lambert_function():
    problem = noisy(mdt.CrossEntropy(), noisy_feature_decay=0.0)
    curve = boundary(problem, "slope-extremum", {"noise": LOG_NOISE, "slope": LOG_SLOPE}, points=60)
    at = vertices(curve)
    solution, points = on(problem, curve), residuals.points_of(with_values(problem, at))
    force, _ = points.slope(np.asarray(solution.dilation))
    w = lambertw(np.exp(points.classes.margin - 1.0)).real
    np.testing.assert_allclose(solution.dilation * force, 2.0 * at["noise"] * w, rtol=1e-12)
    # t* = 1 - s + W is first order in the error of C, the line above is not.
    np.testing.assert_allclose(solution.noisy_margin, 1.0 - points.classes.margin + w, atol=1e-8)


def test_the_largest_dilation_over_the_slope_of_the_squared_error_is_a_square_root():
    problem = noisy(ufm=features(mdt.MeanSquaredError(0.1), bias=True), noisy_feature_decay=0.0)
    at = vertices(boundary(problem, "slope-extremum", {"noise": LOG_NOISE, "slope": (1e-3, 5.0, "log")}, points=60))
    distance = float(Configuration.of(problem.ufm).mean_distance)
    np.testing.assert_allclose(at["slope"], distance * np.sqrt(at["noise"] / 8.0), rtol=1e-9)


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(0.1), mdt.SquaredHinge(), mdt.MeanSquaredError(0.2)], ids=repr)
def test_the_dilation_is_largest_in_the_slope_at_the_extremum(loss):
    problem = noisy(loss, noisy_feature_decay=2e-3)
    at = vertices(boundary(problem, "slope-extremum", {"noise": LOG_NOISE, "slope": (1e-3, 5.0, "log")}, points=30))
    assert at["slope"].size > 20
    dilation = [
        np.asarray(mdt.solve(with_values(problem, {**at, "slope": at["slope"] * f})).normalized_dilation)
        for f in (0.98, 1.0, 1.02)
    ]
    assert np.all(dilation[1] > np.maximum(dilation[0], dilation[2]))


def test_the_best_smoothing_is_where_a_minimiser_finds_it():
    problem = noisy(slope=1.0)
    curve = boundary(problem, "least-error-smoothing", {"noise": LOG_NOISE, "loss.smoothing": (0.0, 0.975)}, points=40)
    at = vertices(curve)
    for k in range(3, at["noise"].size, 12):

        def dilation(smoothing, noise=at["noise"][k]):
            return mdt.solve(with_values(problem, {"noise": noise, "loss.smoothing": smoothing})).normalized_dilation

        best = minimize_scalar(
            dilation,
            bounds=(at["loss.smoothing"][k] - 0.05, min(at["loss.smoothing"][k] + 0.05, 0.979)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert abs(best.x - at["loss.smoothing"][k]) < 1e-5


def test_the_response_to_smoothing_has_its_sign_without_any_too():
    noise = np.geomspace(1e-2, 0.9, 6)
    rates = residuals.smoothing_response(noisy(mdt.CrossEntropy(np.zeros(6)), noise=noise))
    low, high = (mdt.solve(noisy(mdt.CrossEntropy(a), noise=noise)).normalized_dilation for a in (0.0, 1e-6))
    assert {*np.sign(rates)} == {-1.0, 1.0}
    np.testing.assert_array_equal(np.sign(rates), np.sign(high - low))


def test_the_best_smoothing_is_traced_in_a_rectangle_that_holds_the_collapse_line():
    ranges = {"noise": (1e-2, 0.99, "log"), "loss.smoothing": (0.0, 0.995)}
    curve = boundary(noisy(), "least-error-smoothing", ranges, points=60)
    assert curve.segments
    assert all(np.max(segment[:, 1]) < 0.98 for segment in curve.segments)


@pytest.mark.parametrize("loss", [mdt.Hinge(), mdt.Focal(1.0)])
def test_residuals_of_losses_that_are_solved_are_what_they_are_said_to_be(loss):
    ranges = {"noise": LOG_NOISE, "slope": LOG_SLOPE}
    line = boundary(noisy(loss), "memorization", ranges, points=5, scan=4)
    assert (line.how, line.residual_meaning) == ("root finding", "minus the noisy margin over the margin")
    for (noise, slope), residual in zip(line.segments[0], line.residuals[0], strict=True):
        solution = mdt.solve(noisy(loss, noise=noise, slope=slope))
        expected = -solution.noisy_margin / solution.problem.configuration.margin
        assert residual == pytest.approx(float(expected), abs=1e-9)
    assert boundary(noisy(loss), "normalized-dilation", ranges, level=0.2, points=5, scan=4).how == "root finding"
    assert boundary(noisy(), "memorization", ranges, points=5, scan=4).how == "closed form"


def test_a_jump_of_the_hinge_is_located():
    problem = noisy(mdt.Hinge(), noisy_feature_decay=0.0)
    curve = boundary(problem, "memorization", {"noise": LOG_NOISE, "slope": (0.01, 5.0, "log")}, points=20)
    distance, mean = float(problem.configuration.mean_distance), problem.spread.mean_absolute
    np.testing.assert_allclose(curve.segments[0][:, 1], mean * distance / 2.0, rtol=1e-9)


# ------------------------------------------------------------------------------ what users may pass


def test_a_function_of_the_problem_may_stand_for_a_kind():
    def half(problem):
        return np.asarray(mdt.solve(problem).memorization) - 1.0

    problem = noisy()
    curve = boundary(problem, half, {"noise": LOG_NOISE, "slope": LOG_SLOPE}, points=30, label="$\\rho = 1$")
    np.testing.assert_allclose(on(problem, curve).memorization, 1.0, rtol=1e-8)
    assert (curve.kind, curve.label) == ("half", "$\\rho = 1$")


def test_a_function_may_build_the_problems():
    def with_ratio(ratio, noise):
        ufm = features(mdt.CrossEntropy(0.1), weight_decay=5e-3 * ratio, feature_decay=5e-3 / ratio)
        return noisy(ufm=ufm, noise=noise)

    ranges = {"ratio": (0.2, 5.0, "log"), "noise": LOG_NOISE}
    curve = boundary(with_ratio, "memorization", ranges, points=12, scan=6)
    at = vertices(curve)
    for ratio, noise in zip(at["ratio"], at["noise"], strict=True):
        direct = brentq(
            lambda x, r=ratio: mdt.solve(with_ratio(r, x)).noisy_margin, 0.9 * noise, 1.1 * noise, xtol=1e-13
        )
        assert abs(direct / noise - 1) < 1e-8


def test_a_function_that_takes_arrays_is_called_few_times():
    calls = []

    def with_ratio(ratio, decay):
        calls.append(np.shape(ratio))
        ufm = features(mdt.CrossEntropy(0.1), weight_decay=decay * ratio, feature_decay=decay / ratio)
        return noisy(ufm=ufm)

    ranges = {"ratio": (0.2, 5.0, "log"), "decay": (1e-3, 0.5, "log")}
    curve = boundary(with_ratio, "memorization", ranges)
    assert sum(map(len, curve.segments)) > 190
    assert len(calls) < 60
    direct = mdt.solve(with_ratio(*curve.segments[0].T))
    assert np.max(np.abs(direct.noisy_margin)) < 1e-8


def test_a_function_that_means_something_else_by_arrays_is_called_point_by_point():
    def with_mean(ratio, noise):
        # Correct for numbers only: arrays would be averaged.
        ufm = features(mdt.CrossEntropy(0.1), weight_decay=5e-3 * float(np.mean(ratio)))
        return noisy(ufm=ufm, noise=noise)

    curve = boundary(with_mean, "memorization", {"ratio": (0.2, 5.0, "log"), "noise": LOG_NOISE}, points=8, scan=4)
    for ratio, noise in curve.segments[0]:
        assert abs(mdt.solve(with_mean(ratio, noise)).noisy_margin) < 1e-8


def test_axes_that_do_not_matter_give_straight_lines():
    curve = boundary(noisy(), "collapse", {"noise": LOG_NOISE, "loss.smoothing": (0.5, 0.995)}, points=20)
    np.testing.assert_allclose(curve.segments[0][:, 1], 0.98, atol=1e-10)
    np.testing.assert_allclose(np.sort(curve.segments[0][[0, -1], 0]), LOG_NOISE[:2])


def test_a_boundary_out_of_view_has_no_segments():
    curve = boundary(noisy(slope=50.0), "memorization", {"noise": LOG_NOISE, "loss.smoothing": (0.0, 0.5)})
    assert (curve.segments, curve.residuals, curve.errors, curve.worst_error) == ((), (), (), 0.0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kind": "memorisation"}, "kind"),
        ({"ranges": {"noise": LOG_NOISE}}, "ranges"),
        ({"ranges": {"noise": LOG_NOISE, "alpha": (0.0, 0.5)}}, "parameter = 'alpha'"),
        ({"ranges": {"noise": (0.4, 1e-3), "slope": (0.1, 1.0)}}, "noise"),
        ({"ranges": {"noise": LOG_NOISE, "spread.dim": (2, 8)}}, "ranges = 'spread.dim': must vary continuously"),
        ({"ranges": {"noise": (0.0, 0.4, "log"), "slope": (0.1, 1.0)}}, "noise"),
        ({"ranges": {"noise": LOG_NOISE, "loss.smoothing": (0.0, 1.5)}}, "smoothing"),
        ({"ranges": {"decay": (0.1, 0.2), "ufm.decay": (0.1, 0.2)}}, "ranges"),
        ({"level": 0.1}, "level"),
        ({"other": mdt.CrossEntropy()}, "other"),
        ({"kind": "normalized-dilation"}, "level"),
        ({"kind": "test-error", "level": 0.5}, "level"),
        ({"kind": "equal-dilation"}, "other"),
        ({"kind": "equal-dilation", "other": mdt.CrossEntropy(0.1)}, "other"),
        ({"kind": "equal-dilation-small-noise"}, "problem"),
        ({"points": 1}, "points"),
        ({"tolerance": 0.0}, "tolerance"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_name(changes, named):
    request = {"kind": "memorization", "ranges": {"noise": LOG_NOISE, "slope": LOG_SLOPE}, **changes}
    kind, ranges = request.pop("kind"), request.pop("ranges")
    with pytest.raises(mdt.AssumptionError, match=f"^{named}"):
        boundary(noisy(), kind, ranges, **request)


def test_what_has_no_boundary_is_refused():
    ranges = {"noise": LOG_NOISE, "slope": LOG_SLOPE}
    with pytest.raises(mdt.AssumptionError, match="Gaussian"):
        boundary(noisy(spread=mdt.Gaussian(8)), "test-error", ranges)
    with pytest.raises(mdt.AssumptionError, match="loss"):
        boundary(noisy(mdt.Hinge()), "slope-extremum", ranges)
    with pytest.raises(mdt.AssumptionError, match="MemorizationDilation"):
        boundary(
            features(mdt.CrossEntropy()), "memorization", {"weight_decay": (0.1, 0.2), "feature_decay": (0.1, 0.2)}
        )
    with pytest.raises(mdt.AssumptionError, match="one point"):
        boundary(noisy(noise=np.array([0.1, 0.2])), "memorization", ranges)


def test_every_kind_is_documented():
    for kind in KINDS:
        assert f'"{kind}"' in boundary.__doc__


@pytest.mark.parametrize("kind", ["memorization", "test-error", "slope-extremum", "equal-dilation"])
def test_a_boundary_takes_few_evaluations(kind, monkeypatch):
    """The cost that no load of the machine changes: points evaluated, against a million of a large diagram."""
    calls = []
    original = residuals.points_of

    def counted(problem):
        calls.append(int(np.prod(problem.shape)))
        return original(problem)

    monkeypatch.setattr(residuals, "points_of", counted)
    other = mdt.CrossEntropy() if kind == "equal-dilation" else None
    curve = boundary(noisy(), kind, {"noise": LOG_NOISE, "slope": LOG_SLOPE}, other=other)
    assert sum(map(len, curve.segments)) >= 190
    assert len(calls) <= 14
    assert sum(calls) <= 4000


def test_collapse_of_the_other_loss_ends_the_curve_too():
    # With smoothing 0.9 the other loss collapses at decay 0.025, long before the problem's own.
    problem = noisy(mdt.CrossEntropy(0.1), noisy_feature_decay=None)
    ranges = {"noise": LOG_NOISE, "decay": (1e-3, 0.2, "log")}
    curve = boundary(problem, "equal-dilation", ranges, other=mdt.CrossEntropy(0.9), points=40)
    for segment in curve.segments:
        assert np.max(segment[:, 1]) < 0.025


def test_noisy_features_that_follow_the_feature_decay_do_so_along_an_axis():
    following = noisy(noisy_feature_decay=None)
    ranges = {"noise": LOG_NOISE, "decay": (1e-3, 0.1, "log")}
    at = vertices(boundary(following, "memorization", ranges, points=20))
    fixed = replace(with_values(following, at), noisy_feature_decay=at["decay"])
    assert np.max(np.abs(mdt.solve(fixed).noisy_margin)) < 1e-8
