"""The conic programmes against the closed forms and the reduction, which share nothing with them but the problem."""

import itertools

import cvxpy as cp
import numpy as np
import pytest
import registered

import mdtheory as mdt
from mdtheory.foundation.errors import AssumptionError, SolverError
from mdtheory.models.dilation import conic as dilation_conic
from mdtheory.models.features import conic as ufm_conic
from mdtheory.optimisers import conic

CONVEX_LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(0.1),
    mdt.MeanSquaredError(),
    mdt.MeanSquaredError(0.1),
    mdt.LabelRelaxation(0.1),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
CONVEX_LOSSES += [loss for loss in registered.losses(*CONVEX_LOSSES) if loss.is_convex]
SPREADS = [mdt.Sphere(8), mdt.UniformBall(3), mdt.Gaussian(5), mdt.TwoPoint(4)]


def ufm(loss, nonnegative=False, **changes):
    values = {"num_classes": 2, "weight_decay": 5e-3, "feature_decay": 8e-3, "nonnegative": nonnegative}
    return mdt.UFM(loss, **(values | changes))


def md(loss=None, nonnegative=True, **changes):
    values = {"noise": 0.1, "slope": 1.0, "noisy_feature_decay": 1e-4}
    return mdt.MemorizationDilation(ufm(loss or mdt.CrossEntropy(0.1), nonnegative), **(values | changes))


@pytest.mark.slow
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("loss", CONVEX_LOSSES, ids=repr)
def test_ufm_agrees_with_closed_form(loss, nonnegative):
    for n, bias in itertools.product((2, 3, 5), (False, True)):
        problem = ufm(loss, nonnegative, num_classes=n, bias=bias)
        exact, conic = mdt.solve(problem), mdt.solve(problem, method="convex")
        assert conic.method == "convex"
        assert conic.status == mdt.Status.OPTIMAL
        assert conic.objective == pytest.approx(exact.objective, abs=1e-7)
        # The objective grows at least like half the curvature, or with a slope, away from the minimiser.
        curvature = float(loss.profile_curvature(exact.margin, n))
        growth = np.sqrt(2 * 1e-12 / curvature) if curvature > 0 else 1e-9
        assert conic.margin == pytest.approx(exact.margin, abs=10 * growth)
        # Not only at the symmetrised answer: the conic optimum itself is the closed form's.
        assert ufm_conic.ufm_programme(problem).value == pytest.approx(exact.objective, abs=1e-9)


def test_ufm_logits_hold_the_mean_gain():
    problem = ufm(mdt.MeanSquaredError(0.2), num_classes=4)
    logits = ufm_conic.ufm_programme(problem).logits
    exact = mdt.solve(problem)
    np.testing.assert_allclose(logits, exact.logits, atol=1e-8)
    np.testing.assert_allclose(np.sum(logits, axis=0), exact.mean_gain, atol=1e-8)


@pytest.mark.parametrize("nonnegative", [False, True])
def test_ufm_collapsed(nonnegative):
    problem = ufm(mdt.CrossEntropy(0.5), nonnegative, num_classes=3, weight_decay=0.5, feature_decay=0.5)
    conic = mdt.solve(problem, method="convex")
    assert mdt.solve(problem).margin == 0
    assert conic.margin == pytest.approx(0, abs=1e-7)
    assert conic.gap <= 1e-7


def test_ufm_larger():
    problem = ufm(mdt.CrossEntropy(0.05), True, num_classes=12, weight_decay=1e-3)
    conic = mdt.solve(problem, method="convex")
    assert conic.status == mdt.Status.OPTIMAL
    assert conic.objective == pytest.approx(mdt.solve(problem).objective, abs=1e-9)


def md_grid():
    """Every loss with both settings, scalings, decays and, for nonnegative features, both feature cones."""
    grid = itertools.product(CONVEX_LOSSES, ((False, False), (True, False), (True, True)), (0.0, 5e-3))
    amounts = itertools.cycle(((0.1, 1.0), (0.02, 3.0), (0.4, 0.6), (0.005, 0.4), (0.2, 5.0)))
    for i, ((loss, (nonnegative, cone), lam), (noise, slope)) in enumerate(zip(grid, amounts, strict=False)):
        scaling = ("absolute", "relative")[(i // 2 + i // 3) % 2]
        shared = {"spread": SPREADS[i % 4], "scaling": scaling, "nonnegative_noisy_features": cone}
        yield md(loss, nonnegative, noise=noise, slope=slope, noisy_feature_decay=lam, **shared)


MD_GRID = list(md_grid())


def describe(problem):
    cone = "cone" if problem.nonnegative_noisy_features else "nonnegative" if problem.ufm.nonnegative else "free"
    loss, spread = type(problem.ufm.loss).__name__, type(problem.spread).__name__
    return f"{loss}-{cone}-{problem.scaling}-{spread}-{problem.noisy_feature_decay}"


@pytest.mark.slow
@pytest.mark.parametrize("problem", MD_GRID, ids=describe)
def test_md_agrees_with_reduction(problem):
    exact, conic = mdt.solve(problem), mdt.solve(problem, method="convex")
    assert conic.method == "convex"
    assert conic.objective == pytest.approx(exact.objective, rel=1e-7)
    assert conic.status == mdt.Status.OPTIMAL
    assert conic.gap <= 1e-6 * (1 + abs(conic.objective))
    assert conic.dilation == pytest.approx(exact.dilation, rel=1e-4, abs=1e-9)
    c = problem.configuration
    length = c.mean_distance
    assert conic.memorization == pytest.approx(exact.memorization, rel=1e-4, abs=1e-7 * length)
    assert conic.noisy_margin == pytest.approx(exact.noisy_margin, abs=1e-4 * (1 + 2 * c.margin))
    assert conic.noisy_level == pytest.approx(exact.noisy_level, abs=1e-4 * length)
    # Feasible to rounding.
    assert conic.dilation >= problem.noise * problem.rate * conic.memorization * (1 - 1e-15)


def test_grid_covers_every_combination():
    seen = {type(p.ufm.loss) for p in MD_GRID}, {type(p.spread) for p in MD_GRID}, {p.scaling for p in MD_GRID}
    assert [len(s) for s in seen] == [5, 4, 2]
    assert {(p.ufm.nonnegative, p.nonnegative_noisy_features) for p in MD_GRID} == {
        (False, False), (True, False), (True, True),
    }  # fmt: skip


@pytest.mark.parametrize("loss", CONVEX_LOSSES, ids=repr)
def test_md_programme_before_symmetry(loss):
    """The raw conic answer: value, tight cones and mirror images come out without having been put in."""
    problem = md(loss, spread=mdt.UniformBall(3), noise=0.15)
    raw, exact, c = dilation_conic.md_programme(problem), mdt.solve(problem), problem.configuration
    assert raw.value == pytest.approx(exact.objective, abs=1e-8)
    starts = np.array([[-0.5 * c.mean_distance, c.centre_norm], [0.5 * c.mean_distance, c.centre_norm]])
    lengths = np.linalg.norm(raw.noisy - starts, axis=1)
    np.testing.assert_allclose(problem.noise * problem.rate * lengths, raw.dilation, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(raw.noisy[0] * [-1, 1], raw.noisy[1], atol=1e-4 * c.mean_distance)


def test_md_programme_has_two_noisy_features(monkeypatch):
    seen = []
    solve = cp.Problem.solve
    monkeypatch.setattr(cp.Problem, "solve", lambda self, **options: (seen.append(self), solve(self, **options))[1])
    mdt.solve(md(), method="convex")
    assert (2, 2) in {variable.shape for variable in seen[0].variables()}
    assert sum(isinstance(one, cp.constraints.SOC) or "norm" in str(one) for one in seen[0].constraints) >= 2


def test_unknown_loss_uses_its_own_atom(monkeypatch):
    """A loss without a vector atom goes through its own atom, node by node."""
    problem = md(mdt.CrossEntropy(0.1), spread=mdt.Sphere(4))
    tabled = dilation_conic.md_programme(problem)
    monkeypatch.setattr(mdt.CrossEntropy, "profile_atom", mdt.Loss.profile_atom)
    assert dilation_conic.md_programme(problem).value == pytest.approx(tabled.value, abs=1e-9)


def test_wrong_guess_is_corrected(monkeypatch):
    """The quadrature adapts where the dilation is not where the expansion puts it."""
    problem = md(mdt.LabelRelaxation(0.1), noise=0.3)
    exact = mdt.solve(problem)
    expansion = dilation_conic.solve_expansion(problem)
    for factor in (1e-4, 0.1, 10.0):
        wrong = mdt.MDSolution(problem, factor * expansion.dilation, 1.0, 1.0, 1.0, "expansion", mdt.Status.APPROXIMATE)
        monkeypatch.setattr(dilation_conic, "solve_expansion", lambda _, wrong=wrong: wrong)
        assert dilation_conic.md_programme(problem).rules > 1
        assert dilation_conic.solve_md_convex(problem).dilation == pytest.approx(exact.dilation, rel=1e-5)


@pytest.mark.parametrize("cone", [False, True])
def test_hinge_that_does_not_move(cone):
    """Where memorising costs more than it gains, the conic answer stops just short of the corner r = 0."""
    problem = md(mdt.Hinge(), slope=0.01, nonnegative_noisy_features=cone)
    assert mdt.solve(problem).dilation == 0
    conic = mdt.solve(problem, method="convex")
    assert conic.objective == pytest.approx(mdt.solve(problem).objective, rel=1e-9)
    assert conic.dilation == pytest.approx(0, abs=1e-9)
    assert conic.status == mdt.Status.OPTIMAL


@pytest.mark.parametrize("method", ["ufm", "md"])
def test_one_point_at_a_time(method):
    many = np.array([1e-3, 5e-3])
    problem = ufm(mdt.CrossEntropy(), feature_decay=many) if method == "ufm" else md(noise=many)
    with pytest.raises(AssumptionError, match=r"shape = \(2,\): method 'convex' takes one point at a time; loop over"):
        mdt.solve(problem, method="convex")


def test_ufm_rejects_class_weights():
    problem = ufm(mdt.CrossEntropy(), True, class_weights=np.array([0.3, 0.7]))
    with pytest.raises(AssumptionError, match=r"class_weights = \[0.3, 0.7\]: has a closed form only"):
        mdt.solve(problem, method="convex")


def test_ufm_rejects_many_classes():
    with pytest.raises(AssumptionError, match="num_classes = 61: must be at most 60"):
        mdt.solve(ufm(mdt.CrossEntropy(), num_classes=61), method="convex")


def test_focal_is_not_convex():
    with pytest.raises(AssumptionError, match="not convex"):
        mdt.solve(ufm(mdt.Focal(2.0)), method="convex")
    with pytest.raises(AssumptionError, match="not convex"):
        mdt.solve(md(mdt.Focal(2.0)), method="convex")


def test_md_needs_noise():
    with pytest.raises(AssumptionError, match=r"noise = 0.0: must be positive for the conic programme"):
        mdt.solve(md(noise=0.0), method="convex")


def test_no_solver_gives_an_answer(monkeypatch):
    monkeypatch.setattr(conic, "_ATTEMPTS", ({"solver": cp.CLARABEL, "max_iter": 1},))
    with pytest.raises(SolverError, match="no conic solver gave an answer"):
        mdt.solve(md(), method="convex")


def test_fallback_is_used(monkeypatch):
    monkeypatch.setattr(conic, "_ATTEMPTS", ({"solver": cp.CLARABEL, "max_iter": 1}, *conic._ATTEMPTS))
    assert mdt.solve(md(), method="convex").status == mdt.Status.OPTIMAL


def test_crude_answer_is_called_inaccurate(monkeypatch):
    """The status comes from the recomputed gap, whatever the solver says."""
    crude = {"solver": cp.CLARABEL} | dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 0.3)
    monkeypatch.setattr(conic, "_ATTEMPTS", (crude,))
    exact, found = mdt.solve(md()), mdt.solve(md(), method="convex")
    assert found.status == mdt.Status.INACCURATE
    assert found.lower_bound <= exact.objective <= found.objective
