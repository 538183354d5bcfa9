"""No lower bound lies above anything feasible, and OPTIMAL means a closed gap: own losses, convex and not, against grids."""

import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt
from mdtheory.branch_and_bound import Curve

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


def test_curvature_that_touches_zero_is_convex_and_below_it_is_not():
    touching = sp.exp(-T) + (T - 1) ** 4
    assert mdt.MarginLoss(touching, interval=(-5, 5)).is_convex
    assert mdt.MarginLoss((1 - T) ** 4 / 4 - (1 - T) / 10**3, interval=(-5, 5)).is_convex
    dented = (1 - T) ** 4 / 4 - sp.Rational(1, 10**4) * (1 - T) ** 2 - T / 10
    assert not mdt.MarginLoss(dented, interval=(-5, 5)).is_convex
