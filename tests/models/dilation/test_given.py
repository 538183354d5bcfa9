"""Configurations and spreads that were measured: against a search that knows no reduction, and against the problem's own."""

import pickle

import numpy as np
import pytest
from scipy.optimize import minimize

import mdtheory as mdt

LOSSES = [mdt.CrossEntropy(), mdt.CrossEntropy(smoothing=0.1), mdt.LabelRelaxation(0.1), mdt.SquaredHinge()]
SEEN = mdt.Configuration.given(margin=0.9, mean_distance=3.0, centre_norm=1.4)


def ufm(loss=LOSSES[0], **options):
    return mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, **options)


def coordinates(drift, count=40):
    x = 0.3 * np.random.default_rng(0).normal(size=count)
    return x - x.mean() + drift


def searched(problem, restarts=2):
    """The least objective over both noisy features, each with two coordinates, and a dilation that may exceed what they need."""
    c, loss, lam, eta = problem.configuration, problem.ufm.loss, float(problem.decay), float(problem.noise)
    half, centre, kap, s = 0.5 * float(c.mean_distance), float(c.centre_norm), float(c.weight_distance), float(c.margin)
    zeta, power = -problem.spread.coordinates, float(c.mean_distance) if problem.scaling == "absolute" else 1.0
    means = np.array([[half, centre], [-half, centre]])
    free = problem.nonnegative_noisy_features

    def value(x):
        u = np.abs(x[:4]).reshape(2, 2) @ np.array([[1, 1], [-1, 1]]) / 2**0.5 if free else x[:4].reshape(2, 2)
        rho = np.linalg.norm(u - means[::-1], axis=1)
        r = eta * power / float(problem.slope) * rho.max() + abs(x[4])
        clean = 2 * np.mean(loss.profile(s + kap * r * zeta)) + 2 * lam * (half**2 + centre**2 + r**2)
        margins = kap * u[:, 0] * [1, -1]
        return clean + eta * np.sum(loss.profile(margins)) + eta * lam * np.sum(u**2)

    rng, best = np.random.default_rng(1), np.inf
    for _ in range(restarts):
        x = rng.normal(size=5)
        for _ in range(4):
            x = minimize(value, x, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-15, "maxfev": 4000}).x
        best = min(best, value(x))
    return best


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("drift", [-0.3, 0.0, 0.3])
def test_an_empirical_law_with_drift_is_solved_to_a_closed_gap_and_below_a_search(loss, drift):
    for noise, slope in ((0.02, 3.0), (0.4, 0.3)):
        law = mdt.EmpiricalSpread(8, coordinates(drift))
        problem = mdt.MemorizationDilation(ufm(loss), noise=noise, slope=slope, spread=law)
        found = mdt.solve(problem)
        assert found.status is mdt.Status.OPTIMAL
        assert found.relative_gap < 1e-12
        least = searched(problem)
        assert least * (1 - 1e-4) <= found.objective <= least * (1 + 1e-9)


def test_the_same_on_a_given_configuration_with_nonnegative_noisy_features():
    seen = mdt.Configuration.given(margin=4.0, mean_distance=3.0, centre_norm=1.5)
    problem = mdt.MemorizationDilation(
        ufm(nonnegative=True),
        noise=0.1,
        slope=0.5,
        spread=mdt.EmpiricalSpread(8, coordinates(0.1)),
        nonnegative_noisy_features=True,
        given_configuration=seen,
    )
    found = mdt.solve(problem)
    assert found.status is mdt.Status.OPTIMAL
    least = searched(problem, restarts=6)
    assert least * (1 - 1e-4) <= found.objective <= least * (1 + 1e-9)


@pytest.mark.parametrize("scaling", ["absolute", "relative"])
@pytest.mark.parametrize("loss", [*LOSSES, mdt.MeanSquaredError()], ids=repr)
def test_a_symmetric_law_agrees_with_the_solver_for_symmetric_spreads(loss, scaling):
    if loss.shift_invariant:
        options = {"noise": [0.01, 0.1, 0.4], "slope": 0.6, "scaling": scaling, "given_configuration": SEEN}
        usual = mdt.solve(mdt.MemorizationDilation(ufm(loss), spread=mdt.TwoPoint(5), **options))
        law = mdt.EmpiricalSpread(5, np.array([-1, 1]) / 5**0.5)
        other = mdt.solve(mdt.MemorizationDilation(ufm(loss), spread=law, **options))
        np.testing.assert_allclose(other.dilation, usual.dilation, rtol=1e-9)
        np.testing.assert_allclose(other.objective, usual.objective, rtol=1e-13)
    else:
        with pytest.raises(mdt.AssumptionError, match="blind to shifts"):
            mdt.MemorizationDilation(ufm(loss), noise=0.1, slope=1.0, spread=mdt.EmpiricalSpread(5, [-0.1, 0.2]))


def test_a_strong_drift_forbids_memorizing_and_one_away_loosens_the_constraint():
    towards = mdt.EmpiricalSpread(8, coordinates(0.5))
    still = mdt.solve(mdt.MemorizationDilation(ufm(), noise=0.1, slope=1e-4, spread=towards))
    assert still.status is mdt.Status.OPTIMAL
    assert still.dilation == still.memorization == 0.0
    assert still.noisy_margin == -still.problem.configuration.margin
    away = mdt.solve(
        mdt.MemorizationDilation(ufm(), noise=0.02, slope=30.0, spread=mdt.EmpiricalSpread(8, coordinates(-0.3)))
    )
    assert away.status is mdt.Status.OPTIMAL
    assert away.dilation > 1.5 * 0.02 * away.problem.rate * away.memorization
    silent = mdt.solve(mdt.MemorizationDilation(ufm(), noise=0.0, slope=1.0, spread=towards))
    assert silent.dilation == 0.0


@pytest.mark.parametrize("loss", [*LOSSES, mdt.MeanSquaredError()], ids=repr)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_the_own_configuration_when_given_changes_nothing(loss, nonnegative):
    options = {"noise": 0.1, "slope": [0.5, 2.0]}
    own = mdt.MemorizationDilation(ufm(loss, nonnegative=nonnegative), **options)
    c = own.configuration
    seen = mdt.Configuration.given(
        margin=c.margin, mean_distance=c.mean_distance, centre_norm=c.centre_norm, mean_margin=c.mean_margin
    )
    given = mdt.MemorizationDilation(ufm(loss, nonnegative=nonnegative), given_configuration=seen, **options)
    a, b = mdt.solve(own), mdt.solve(given)
    np.testing.assert_allclose(b.normalized_dilation, a.normalized_dilation, rtol=1e-12)
    np.testing.assert_allclose(b.lower_bound, a.lower_bound, rtol=1e-12)
    for left, right in ((a, b),):
        np.testing.assert_allclose(left.weights @ left.class_means, right.weights @ right.class_means, atol=1e-12)
        np.testing.assert_allclose(left.weights @ left.noisy_features, right.weights @ right.noisy_features, atol=1e-9)
        np.testing.assert_allclose(
            np.linalg.norm(left.class_means, axis=-2), np.linalg.norm(right.class_means, axis=-2), rtol=1e-12
        )


@pytest.mark.parametrize("loss", [*LOSSES, mdt.MeanSquaredError()], ids=repr)
@pytest.mark.parametrize("scaling", ["absolute", "relative"])
def test_a_given_configuration_agrees_with_the_conic_programme(loss, scaling):
    problem = mdt.MemorizationDilation(ufm(loss), noise=0.1, slope=1.0, scaling=scaling, given_configuration=SEEN)
    found, conic = mdt.solve(problem), mdt.solve(problem, method="convex")
    assert found.status is mdt.Status.OPTIMAL
    np.testing.assert_allclose(found.objective, conic.objective, rtol=1e-9)
    np.testing.assert_allclose(found.normalized_dilation, conic.normalized_dilation, rtol=1e-6)


def test_a_given_configuration_of_a_loss_that_is_not_convex_is_bounded_by_balls():
    problem = mdt.MemorizationDilation(ufm(mdt.Focal(2.0)), noise=0.1, slope=1.0, given_configuration=SEEN)
    assert mdt.solve(problem).status is mdt.Status.OPTIMAL


def test_the_test_error_is_the_share_of_coordinates_beyond_half_the_distance():
    x = coordinates(0.1, 1000)
    law = mdt.EmpiricalSpread(8, x)
    nd = np.array([0.0, 0.5, 1.0, 3.0])
    np.testing.assert_array_equal(law.test_error(nd), [0.0, *(np.mean(x > 0.5 / v) for v in nd[1:])])
    assert law.effective_dim == pytest.approx(1 / np.mean(x**2))
    assert law.second_moment(np.array([0.2])) == pytest.approx(np.sum(x[np.abs(x) <= 0.2] ** 2) / np.sum(x**2))


def test_a_baseline_is_added_in_quadrature():
    found = mdt.solve(mdt.MemorizationDilation(ufm(), noise=0.2, slope=1.0))
    nd, error = found.with_baseline([0.0, 0.3])
    assert nd[0] == found.normalized_dilation
    assert nd[1] == pytest.approx((found.normalized_dilation**2 + 0.09) ** 0.5, rel=1e-15)
    np.testing.assert_array_equal(error, found.problem.spread.test_error(nd))
    with pytest.raises(mdt.AssumptionError, match="normalized_dilation"):
        found.with_baseline(-0.1)


def test_problems_with_given_parts_are_values():
    problem = mdt.MemorizationDilation(
        ufm(), noise=0.1, slope=1.0, given_configuration=SEEN, spread=mdt.EmpiricalSpread(3, [-0.1, 0.4])
    )
    assert pickle.loads(pickle.dumps(problem)) == problem
    assert hash(pickle.loads(pickle.dumps(problem))) == hash(problem)
    assert problem != mdt.MemorizationDilation(ufm(), noise=0.1, slope=1.0, given_configuration=SEEN)
    many = mdt.Configuration.given(margin=[1.0, 2.0], mean_distance=[[1.0], [2.0]])
    assert mdt.MemorizationDilation(ufm(), noise=0.1, slope=1.0, given_configuration=many).shape == (2, 2)
    swept = mdt.sweep(problem, {"noise": [0.05, 0.1]})
    assert float(swept["normalized_dilation"][1]) == mdt.solve(problem).normalized_dilation


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"given_configuration": 3.0}, "must be a Configuration"),
        ({"ufm": ufm(mdt.Hinge()), "given_configuration": SEEN}, "continuous slope"),
        (
            {
                "ufm": ufm(mdt.SquaredHinge()),
                "given_configuration": mdt.Configuration.given(margin=1.5, mean_distance=1.0),
            },
            "below the minimiser",
        ),
        (
            {
                "ufm": mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=5e-3, feature_decay=5e-3),
                "given_configuration": SEEN,
            },
            "num_classes = 3",
        ),
        (
            {"ufm": ufm(nonnegative=True), "nonnegative_noisy_features": True, "given_configuration": SEEN},
            "half the mean_distance",
        ),
        ({"spread": mdt.EmpiricalSpread(8, [0.1, -0.1]), "ufm": ufm(mdt.Focal(2.0))}, "must be convex"),
    ],
)
def test_what_cannot_be_posed_is_refused_in_a_line(options, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.MemorizationDilation(**({"ufm": ufm(), "noise": 0.1, "slope": 1.0} | options))


@pytest.mark.parametrize(
    "part", [{"given_configuration": SEEN}, {"spread": mdt.EmpiricalSpread(8, [0.1, -0.2, 0.3])}], ids=["means", "law"]
)
def test_formulas_for_the_own_configuration_refuse_a_given_one(part):
    problem = mdt.MemorizationDilation(ufm(), noise=0.1, slope=1.0, **part)
    with pytest.raises(mdt.AssumptionError, match="the answer of `solve`"):
        mdt.phase.regions(problem, {"noise": [0.05, 0.1], "slope": [0.5, 1.0]})
    with pytest.raises(mdt.AssumptionError, match="the answer of `solve`"):
        mdt.solve(problem).expansion_error  # noqa: B018  a property
    if "spread" in part:
        for method in ("expansion", "convex"):
            with pytest.raises(mdt.AssumptionError, match="symmetric"):
                mdt.solve(problem, method=method)
        with pytest.raises(mdt.AssumptionError, match="symmetric"):
            mdt.LimitedExpressivity(
                mdt.CrossEntropy(), noise=0.1, slope=1.0, weight_decay=5e-3, feature_decay=5e-3, **part
            )


@pytest.mark.parametrize("bad", [[0.1], [[0.1, 0.2]], [np.nan, 0.1], [0.0, 0.0], [3.0, 1.0], "ab"])
def test_coordinates_that_are_no_law_are_refused(bad):
    with pytest.raises(mdt.AssumptionError, match="coordinates"):
        mdt.EmpiricalSpread(8, bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"margin": 0.0, "mean_distance": 1.0},
        {"margin": 1.0, "mean_distance": -1.0},
        {"margin": 1.0, "mean_distance": 1.0, "centre_norm": -0.1},
        {"margin": 1.0, "mean_distance": 1.0, "mean_margin": 0.5},
        {"margin": [1.0, 2.0], "mean_distance": [1.0, 2.0, 3.0]},
        {"margin": np.nan, "mean_distance": 1.0},
    ],
)
def test_numbers_that_are_no_configuration_are_refused(bad):
    with pytest.raises(mdt.AssumptionError):
        mdt.Configuration.given(**bad)
