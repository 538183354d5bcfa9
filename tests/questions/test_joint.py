"""Questions about the limited-expressivity model: printed figures, neighbours of each answer, and what has none."""

from dataclasses import replace

import numpy as np
import pytest

import mdtheory as mdt

CE, LS = mdt.CrossEntropy(), mdt.CrossEntropy(0.1)


def joint(loss=CE, **changes):
    return mdt.LimitedExpressivity(
        loss, **{"noise": 1 / 9, "slope": 1.0, "weight_decay": 5e-3, "feature_decay": 5e-3, **changes}
    )


def dilation(problem, slope):
    return mdt.solve(replace(problem, slope=slope)).normalized_dilation


def test_printed_figures():
    # For the slope between probabilities, which is (1 - e) times this one.
    assert 0.9 * mdt.worst_slope(joint()) == pytest.approx(0.0627315520, abs=1e-8)
    assert 0.9 * mdt.giving_up_slope(joint()) == pytest.approx(0.0673699226, abs=1e-10)
    assert 0.9 * mdt.equal_dilation_slope(joint(), LS) == pytest.approx(0.125692, abs=1e-6)


@pytest.mark.parametrize("loss", [CE, LS, mdt.SquaredHinge(), mdt.LabelRelaxation(0.1)], ids=str)
def test_the_worst_slope_is_worse_than_all_others(loss):
    problem = joint(loss, noise=np.array([0.02, 0.3]))
    worst = mdt.worst_slope(problem)
    peak = dilation(problem, worst)
    for factor in np.geomspace(1e-3, 1e3, 60):
        assert np.all(dilation(problem, factor * worst) <= peak * (1 + 1e-12))


def test_memorising_is_given_up_below_the_slope():
    problem = joint(noise=np.array([[0.02], [0.3]]), weight_decay=np.array([1e-3, 2e-2]))
    slope = mdt.giving_up_slope(problem)
    assert slope.shape == (2, 2)
    below, above = (mdt.solve(replace(problem, slope=slope * factor)).noisy_margin for factor in (0.999, 1.001))
    assert np.all(below < 0)
    assert np.all(above > 0)


def test_dilations_are_equal_and_change_places():
    problem = joint(noise=np.array([0.05, 0.1, 0.3]))
    slope = mdt.equal_dilation_slope(problem, LS)
    other = replace(problem, loss=LS)
    np.testing.assert_allclose(dilation(problem, slope), dilation(other, slope), rtol=1e-10)
    below, above = (dilation(problem, slope * f) > dilation(other, slope * f) for f in (0.99, 1.01))
    assert np.all(below != above)


def test_the_best_smoothing_beats_a_grid():
    problem = joint(noise=0.1, slope=np.array([0.05, 0.1, 0.14, 0.5]))
    best = mdt.least_error_smoothing(problem)
    least = np.array([dilation(replace(problem, loss=mdt.CrossEntropy(best)), problem.slope)])
    for alpha in np.linspace(0.0, 0.9, 46):
        assert np.all(least <= dilation(replace(problem, loss=mdt.CrossEntropy(alpha)), problem.slope) * (1 + 1e-9))
    squared = mdt.least_error_smoothing(joint(mdt.MeanSquaredError(), bias=True))
    assert 0.0 <= squared <= 0.9


def test_the_noise_at_which_memorising_is_given_up_is_the_inverse_of_the_slope():
    problem = joint(noise=0.1, slope=np.array([0.05, 0.1, 0.15]))
    noise = mdt.giving_up_noise(problem)
    np.testing.assert_allclose(mdt.giving_up_slope(replace(problem, noise=noise)), problem.slope, rtol=1e-8)
    assert np.all(np.diff(noise) > 0)


def test_class_means_merge_at_a_first_order_transition():
    problem = joint(noise=1 / 3, weight_decay=1e-3, feature_decay=1e-3, scaling="absolute")
    slope = mdt.merging_slope(problem)
    assert 0.75 * slope == pytest.approx(0.0178524131, abs=1e-10)
    # Both local minima are as good there, and are found from either side.
    merged, apart = (mdt.solve(replace(problem, slope=slope * f)) for f in (1 - 1e-9, 1 + 1e-9))
    assert merged.objective == pytest.approx(apart.objective, rel=1e-9)
    assert apart.mean_distance > 50 * merged.mean_distance
    # With large decays the means shrink without a jump.
    assert np.isnan(mdt.merging_slope(replace(problem, noise=0.1, weight_decay=0.05, feature_decay=0.05)))


def test_what_has_no_answer_is_nan():
    problem = joint(noise=np.array([0.0, 0.1]), weight_decay=np.array([[5e-3], [0.8]]), feature_decay=0.5)
    for found in (mdt.worst_slope(problem), mdt.giving_up_slope(problem), mdt.equal_dilation_slope(problem, LS)):
        assert found.shape == (2, 2)
        assert np.all(np.isnan(found[:, 0]))
        assert np.isnan(found[1, 1])
        assert found[0, 1] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mdt.worst_slope(CE), "problem = CrossEntropy.*must be a LimitedExpressivity"),
        (lambda: mdt.giving_up_slope(3), "problem = 3"),
        (lambda: mdt.merging_slope(joint()), "scaling = 'relative'.*absolute"),
        (
            lambda: mdt.giving_up_slope(joint(noise=None, noise_matrix=[[0.9, 0.3], [0.1, 0.7]])),
            "classes that are alike",
        ),
        (
            lambda: mdt.giving_up_noise(joint(noise=None, noise_matrix=[[0.9, 0.1], [0.1, 0.9]])),
            "must be given as noise",
        ),
        (lambda: mdt.equal_dilation_slope(joint(), 0.1), "other = 0.1: must be a Loss"),
        (lambda: mdt.equal_dilation_slope(joint(), mdt.Focal(2.0)), "must be convex"),
        (lambda: mdt.least_error_smoothing(joint(mdt.SquaredHinge())), "must be a loss with label smoothing"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
