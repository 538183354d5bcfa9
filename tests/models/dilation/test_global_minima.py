"""No lower bound lies above anything feasible, and OPTIMAL means a closed gap: own losses, convex and not, against grids."""

import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt
from mdtheory.numerics.branch_and_bound import Curve

T = sp.Symbol("t")
SOFTPLUS = sp.log(1 + sp.exp(-T))
LOSSES = {
    "softplus": (SOFTPLUS, True),
    "softplus-and-exponential": (SOFTPLUS + sp.exp(-T) / 10, True),
    "exponential": (sp.exp(-T), True),
    "quartic": (sp.expand((1 - T) ** 4), True),
    "steep-tail": (sp.exp(-T) - 5 * sp.tanh(T - 3), False),
    "hole-on-the-wrong-side": (SOFTPLUS - 10 * sp.exp(-((T + 5) ** 2)), False),
    "fast-waves": (SOFTPLUS + sp.cos(1000 * T) / 5 - T / 5, False),
    "slow-waves": (SOFTPLUS + sp.cos(3 * T) * sp.exp(-(T**2) / 50) / 4 - T / 1000, False),
    "narrow-hole": (SOFTPLUS - sp.exp(-(10**6) * (T - sp.Rational(3, 2)) ** 2) / 10, False),
    "bounded": (1 - sp.tanh(T), False),
    "focal": (sp.exp(-2 * sp.log(1 + sp.exp(T))) * SOFTPLUS, False),
    "two-holes": (sp.exp(-T) - 2 * sp.exp(-((T - 4) ** 2)) - 3 * sp.exp(-((T - 9) ** 2)) + T / 50, False),
    "barely-not-convex": (SOFTPLUS - sp.Float("1e-3") * sp.exp(-((T - 20) ** 2)), False),
}
DRAWS = [(0.05, 0.05), (1.2, 1.2), (0.3, 0.01), (2e-3, 5e-3)]


def own(name):
    return mdt.MarginLoss(LOSSES[name][0])


@pytest.mark.parametrize("name", LOSSES)
def test_convexity_is_found_out_and_follows_the_curvature_where_it_is(name):
    assert own(name).is_convex == LOSSES[name][1]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_features_model_on_the_whole_line(name, nonnegative):
    loss = own(name)
    grid = np.unique(np.concatenate([np.linspace(-30, 30, 400_001), np.linspace(1.49, 1.51, 20_001)]))
    values = loss.profile(grid)
    for decays in DRAWS:
        ufm = mdt.UFM(loss, num_classes=2, weight_decay=decays[0], feature_decay=decays[1], nonnegative=nonnegative)
        feasible = float(np.min(values + ufm.kappa * np.abs(grid)))
        solution = mdt.solve(ufm)
        size = abs(solution.objective) + ufm.kappa * abs(solution.margin)
        assert solution.objective <= feasible + 1e-13 * size
        assert solution.lower_bound <= feasible + 1e-13 * size
        if not nonnegative:
            assert solution.gap <= 1e-12 * size
        rebuilt = solution.weights @ solution.class_means
        assert rebuilt[0, 0] - rebuilt[1, 0] == pytest.approx(solution.margin, abs=1e-12)
        decay = decays[0] * np.sum(solution.weights**2) + decays[1] * np.mean(np.sum(solution.class_means**2, axis=0))
        assert decay == pytest.approx(ufm.kappa * abs(solution.margin), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("options", [{"nonnegative": True}, {"bias": True}, {"nonnegative": True, "bias": True}])
@pytest.mark.parametrize("name", ["hole-on-the-wrong-side", "slow-waves", "two-holes"])
def test_no_arrangement_of_two_unlike_classes_beats_the_bound(name, options):
    """Explicit weights, features and biases from many starts: nothing about margins or costs is assumed."""
    from scipy.optimize import minimize

    rng, loss = np.random.default_rng(3), own(name)
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=0.05, feature_decay=0.04, **options)
    nonnegative, bias = ufm.nonnegative, ufm.bias

    def cost(x):
        w, h, b = x[:2], x[2:6].reshape(2, 2), x[6] * bias
        h = h**2 if nonnegative else h
        margins = np.array([w @ h[0] + b, -(w @ h[1]) - b])
        return np.mean(loss.profile(margins)) + 0.025 * w @ w + 0.04 * np.mean(np.sum(h**2, axis=1))

    best = min(minimize(cost, rng.normal(0, 3, 7), method="BFGS").fun for _ in range(12))
    solution = mdt.solve(ufm)
    assert solution.lower_bound <= best + 1e-9
    assert solution.lower_bound > -np.inf


def test_class_weights_move_the_bound_with_the_costs():
    loss = own("hole-on-the-wrong-side")
    weighted = mdt.UFM(
        loss, num_classes=2, weight_decay=0.05, feature_decay=0.05, nonnegative=True, class_weights=[0.3, 0.7]
    )
    grid = np.linspace(-10, 10, 2_000_001)
    expected = sum(p * np.min(loss.profile(grid) + 0.1 / np.sqrt(2 * p) * np.abs(grid)) for p in weighted.class_weights)
    solution = mdt.solve(weighted)
    assert solution.objective == pytest.approx(expected, abs=1e-9)
    assert 0 <= solution.objective - solution.lower_bound <= 1e-12


def test_a_collapse_threshold_without_convexity_is_the_steepest_chord():
    loss = own("steep-tail")
    s = np.linspace(1e-6, 30, 3_000_001)
    chord = np.max((loss.profile(0.0) - loss.profile(s)) / s)
    assert loss.critical_cost(2) == pytest.approx(chord, rel=1e-9)


def test_a_loss_that_falls_without_end_is_refused():
    to_the_right = mdt.MarginLoss(sp.tanh(T) - 2 * T, interval=(-3, 30))
    to_the_left = mdt.MarginLoss(-sp.exp(-((T + 3) ** 2) / 2) - T / 9, interval=(-2, 30))
    for loss, message in ((to_the_right, "must reach further"), (to_the_left, "falls without end")):
        with pytest.raises(mdt.AssumptionError, match=message):
            mdt.solve(mdt.UFM(loss, num_classes=2, weight_decay=0.1, feature_decay=0.1))


@pytest.mark.parametrize("tilt", [0.0, 0.3, -0.7])
def test_branch_and_bound_against_a_grid(tilt):
    curve = Curve(sp.sin(5 * T) + sp.cos(11 * T) * sp.exp(-(T**2) / 9), T, (-6.0, 6.0))
    grid = np.linspace(-6, 6, 2_000_001)
    least = np.min(np.sin(5 * grid) + np.cos(11 * grid) * np.exp(-(grid**2) / 9) + tilt * grid)
    found = min((curve.minimum(tilt, *part) for part in ((-6.0, 0.0), (0.0, 6.0))), key=lambda part: part.value)
    assert found.value <= least
    assert least - 1e-9 <= found.bound <= found.value


@pytest.mark.parametrize("sharpness", [2, 3, 10, sp.Rational(1, 3)])
def test_sharp_logistic_losses_are_convex_however_straight_they_are_far_away(sharpness):
    assert mdt.MarginLoss(sp.log(1 + sp.exp(-sharpness * T))).is_convex
    assert not mdt.MarginLoss(sp.log(1 + sp.exp(-sharpness * T)) - sp.exp(-50 * (T + 9) ** 2) / 10**3).is_convex


def test_curvature_that_touches_zero_is_convex_and_below_it_is_not():
    touching = sp.exp(-T) + (T - 1) ** 4
    assert mdt.MarginLoss(touching, interval=(-5, 5)).is_convex
    assert mdt.MarginLoss((1 - T) ** 4 / 4 - (1 - T) / 10**3, interval=(-5, 5)).is_convex
    dented = (1 - T) ** 4 / 4 - sp.Rational(1, 10**4) * (1 - T) ** 2 - T / 10
    assert not mdt.MarginLoss(dented, interval=(-5, 5)).is_convex


# ------------------------------------------------------------------ memorization-dilation


LEGENDRE = np.polynomial.legendre.leggauss(400)


def clean_values(problem, scale):
    """``E phi(s + scale zeta)`` by a rule of its own: Gauss-Legendre in the angle, or over ten standard deviations."""
    spread, s = problem.spread, float(problem.configuration.margin)
    x, w = LEGENDRE
    if isinstance(spread, mdt.TwoPoint):
        z, w = np.array([-1.0, 1.0]) / np.sqrt(spread.dim), np.array([0.5, 0.5])
    elif isinstance(spread, mdt.Gaussian):
        z, w = 10 * x / np.sqrt(spread.dim), w * np.exp(-50 * x**2)
    else:
        inner = spread.dim + 2 if isinstance(spread, mdt.UniformBall) else spread.dim
        z, w = spread.radius * np.sin(x * np.pi / 2), w * np.cos(x * np.pi / 2) ** (inner - 2)
    return problem.ufm.loss.profile(s + np.multiply.outer(scale, z)) @ (w / np.sum(w))


def feasible_value(problem):
    """The least objective on a dense grid of features and dilations, tight or not: nothing about optima is used."""
    c, lam, noise = problem.configuration, float(problem.decay), float(problem.noise)
    s, kap, m = float(c.margin), float(c.weight_distance), float(c.centre_norm)
    w = np.concatenate(
        [-np.geomspace(1e-8, 60, 160), [0.0], np.geomspace(1e-8, 60, 400), np.linspace(0.05, s + 30, 400)]
    )
    near = np.geomspace(1e-6, 1, 12)
    t, level = np.meshgrid(w - s, m * np.unique(np.concatenate([[0.0, 1.0], near, 1 - near])), indexing="ij")
    if problem.nonnegative_noisy_features:
        level = np.maximum(level, np.abs(t) / kap)
    noisy = 2 * noise * (problem.ufm.loss.profile(t) + lam * ((t / kap) ** 2 + level**2))
    needed = noise * float(problem.rate) * np.hypot((t + s) / kap, level - m)
    fixed = 2 * lam * ((0.5 * float(c.mean_distance)) ** 2 + m**2)

    def clean(r):
        return 2 * clean_values(problem, kap * r) + fixed + 2 * lam * r**2

    grid = np.concatenate([[0.0], np.geomspace(1e-10, 150, 300)]) / kap
    later = np.append(np.minimum.accumulate(clean(grid)[::-1])[::-1], np.inf)
    rough = later[np.searchsorted(grid, needed)] + noisy
    best = np.argsort(rough, axis=None)[:200]
    tight = needed.ravel()[best]
    tight = np.where(kap * tight < 150, tight, 0.0)
    exact = np.where(tight > 0, clean(tight) + noisy.ravel()[best], np.inf)
    return min(float(np.min(rough)), float(np.min(exact)))


def drawn(seed, names):
    """One solvable problem: parameters over several orders of magnitude, every spread, both settings."""
    rng = np.random.default_rng(seed)
    spreads = [mdt.Sphere(8), mdt.TwoPoint(4), mdt.Gaussian(8), mdt.UniformBall(3), mdt.Sphere(2)]
    loss = {"built-in": mdt.Focal(float(rng.uniform(0.1, 5)))}.get(names[seed % len(names)]) or own(
        names[seed % len(names)]
    )
    for _ in range(200):
        nonnegative = bool(rng.integers(2))
        decays = {name: float(10 ** rng.uniform(-4, 0)) for name in ("weight_decay", "feature_decay")}
        try:
            return mdt.MemorizationDilation(
                mdt.UFM(loss, num_classes=2, nonnegative=nonnegative, **decays),
                noise=10 ** rng.uniform(-3, 0),
                slope=10 ** rng.uniform(-3, 2),
                spread=spreads[rng.integers(5)],
                noisy_feature_decay=[0.0, 10 ** rng.uniform(-5, -1)][rng.integers(2)],
                nonnegative_noisy_features=nonnegative and bool(rng.integers(2)),
            )
        except mdt.AssumptionError:
            continue
    raise AssertionError("no problem could be drawn")


def size_of(problem, solution):
    noisy = abs(float(problem.ufm.loss.profile(solution.noisy_margin)))
    return abs(solution.objective) + 2 * float(problem.noise) * noisy


# Waves too fast for any quadrature with the default strip, and a best margin that is always negative.
MD_LOSSES = [name for name in LOSSES if name not in ("fast-waves", "hole-on-the-wrong-side")] + ["built-in"]


@pytest.mark.parametrize("seed", [*range(14), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(14, 100))])
def test_nothing_feasible_is_better_than_the_answer(seed):
    problem = drawn(seed, MD_LOSSES)
    solution = mdt.solve(problem)
    assert solution.objective <= feasible_value(problem) + 1e-9 * size_of(problem, solution)


@pytest.mark.parametrize(
    "seed", [0, 1, 3, 5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 4, *range(6, 40)))]
)
def test_no_bound_lies_above_anything_feasible(seed):
    names = ["built-in", "focal", "slow-waves", "steep-tail", "barely-not-convex", "bounded", "two-holes"]
    problem = drawn(100 + seed, names)
    solution = mdt.solve(problem)
    size = size_of(problem, solution)
    assert solution.lower_bound <= min(feasible_value(problem), solution.objective) + 1e-10 * size
    if solution.status == mdt.Status.OPTIMAL:
        assert solution.gap <= 1e-6 * size


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(0.1), mdt.LabelRelaxation(0.1), mdt.Hinge(), mdt.SquaredHinge()])
def test_bounds_of_convex_losses_lie_below_everything_feasible(loss):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=4e-3, feature_decay=6e-3, nonnegative=True)
    for noise, slope, decay in [(0.1, 1.0, 1e-3), (0.8, 0.02, 0.0), (0.01, 30.0, 0.05)]:
        problem = mdt.MemorizationDilation(ufm, noise=noise, slope=slope, noisy_feature_decay=decay)
        solution = mdt.solve(problem)
        # The independent rule does not see the kinks of some losses.
        least = feasible_value(problem) * (1 + (1e-9 if isinstance(loss, mdt.CrossEntropy) else 1e-4))
        assert max(solution.lower_bound, solution.objective) <= least


def test_a_dilation_that_pays_is_taken():
    """The clean loss may fall as the clusters dilate: the feasible -4.71898 beats what a tight constraint gives."""
    ufm = mdt.UFM(own("steep-tail"), num_classes=2, weight_decay=0.0022, feature_decay=0.0022)
    options = {"noise": 0.22, "slope": 0.87, "noisy_feature_decay": 0.0, "spread": mdt.TwoPoint(4)}
    solution = mdt.solve(mdt.MemorizationDilation(ufm, **options))
    assert solution.objective <= -4.71898
    assert solution.objective - 1e-9 <= solution.lower_bound <= solution.objective + 1e-12


@pytest.mark.parametrize(("slope", "expected"), [(1e-8, 5.05e-7), (1e-30, 5.05e-29)])
def test_a_tiny_slope_leaves_noisy_features_almost_where_they_are(slope, expected):
    ufm = mdt.UFM(mdt.Focal(2.0), num_classes=2, weight_decay=0.005, feature_decay=0.005, nonnegative=True)
    solution = mdt.solve(mdt.MemorizationDilation(ufm, noise=0.1, slope=slope, noisy_feature_decay=1e-4))
    assert solution.normalized_dilation == pytest.approx(expected, rel=1e-2)
    assert solution.objective == pytest.approx(0.27873190, abs=2e-8)


def test_a_hole_behind_the_resting_place_is_found():
    loss = mdt.MarginLoss(SOFTPLUS - 6 * sp.exp(-((T + 8) ** 2)), interval=(-20, 20))
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=2e-3, feature_decay=2e-3, nonnegative=True)
    problem = mdt.MemorizationDilation(ufm, noise=0.3, slope=0.3, noisy_feature_decay=1e-5)
    solution = mdt.solve(problem)
    assert solution.noisy_margin == pytest.approx(-8, abs=0.2)
    assert solution.objective <= feasible_value(problem) + 1e-9


@pytest.mark.parametrize("loss", [mdt.Focal(2.0), mdt.MarginLoss(LOSSES["focal"][0])])
def test_the_expansion_is_refused_without_convexity(loss):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    problem = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0)
    with pytest.raises(mdt.AssumptionError, match="needs a convex loss"):
        mdt.solve(problem, method="expansion")


def test_waves_too_fast_for_the_bound_end_in_bounded_work_without_one():
    ufm = mdt.UFM(own("fast-waves"), num_classes=2, weight_decay=0.05, feature_decay=0.05)
    solution = mdt.solve(mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0))
    assert solution.status == mdt.Status.OBSERVED
    assert not solution.lower_bound > solution.objective
