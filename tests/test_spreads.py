"""The law of one coordinate of the spread: moments, tails, and the rules that integrate against it."""

import numpy as np
import oracle
import pytest
from mpmath import mp
from scipy import special

import mdtheory as mdt

KINDS = {"sphere": mdt.Sphere, "ball": mdt.UniformBall, "gaussian": mdt.Gaussian, "two-point": mdt.TwoPoint}
DIMS = (1, 2, 3, 8, 1000)
ALL = [(kind, dim) for kind in KINDS for dim in DIMS]
CONTINUOUS = [(kind, dim) for kind, dim in ALL if kind != "two-point" and (kind, dim) != ("sphere", 1)]


def make(law):
    return KINDS[law[0]](law[1])


def expectation(law, function, breaks):
    """``E function(zeta)`` in mpmath, with panel ends at +-breaks."""
    with mp.workdps(30):
        rule = oracle._half_rule(law, [mp.mpf(float(b)) for b in breaks], 5)
        return mp.fsum(w * (function(z) + function(-z)) for z, w in rule)


def logistic_slope(x):
    return -1 / (1 + mp.exp(x))


# ------------------------------------------------------------------ moments and tails


@pytest.mark.parametrize("law", ALL, ids=str)
def test_moments(law):
    nodes, weights = make(law).smooth_rule(np.array([1.0]), np.array([1.0]), np.pi)
    assert np.all(nodes >= 0)
    assert np.sum(weights) == pytest.approx(1.0, rel=1e-13)
    assert np.sum(weights * nodes**2) == pytest.approx(1.0 / law[1], rel=1e-13)
    fourth = {
        "sphere": 3 / (law[1] * (law[1] + 2)),
        "ball": 3 * (law[1] + 2) / (law[1] ** 2 * (law[1] + 4)),
        "gaussian": 3 / law[1] ** 2,
        "two-point": 1 / law[1] ** 2,
    }[law[0]]
    assert np.sum(weights * nodes**4) == pytest.approx(fourth, rel=1e-12)


@pytest.mark.parametrize("law", ALL, ids=str)
def test_mean_absolute(law):
    expected = expectation(law, abs, [])
    assert make(law).mean_absolute == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("law", ALL, ids=str)
@pytest.mark.parametrize("dilation", [0.02, 0.1, 0.3, 0.5, 0.7, 1.0, 3.0, 50.0])
def test_error_of_unseen_examples(law, dilation):
    expected = float(oracle.test_error(law, dilation))
    assert make(law).test_error(dilation) == pytest.approx(expected, rel=1e-11, abs=1e-290)


@pytest.mark.parametrize("law", ALL, ids=str)
def test_tail_falls_from_one_half(law):
    spread = make(law)
    tail = spread.tail(np.linspace(0.0, 3.0, 200))
    assert np.all(np.diff(tail) <= 0)
    assert tail[0] == pytest.approx(0.5)
    assert spread.tail(2.0 * spread.radius) == 0.0
    assert spread.test_error(0.0) == 0.0
    np.testing.assert_allclose(spread.test_error([0.0, 0.4]), [0.0, spread.test_error(0.4)])


def test_two_point_and_one_dimensional_sphere_are_the_same_law():
    sphere, points = mdt.Sphere(1), mdt.TwoPoint(1)
    assert sphere.radius == points.radius
    assert sphere.mean_absolute == pytest.approx(points.mean_absolute, rel=1e-15)
    assert sphere.tail(0.7) == points.tail(0.7) == 0.5


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_ball_is_a_scaled_sphere_two_dimensions_up(dim):
    ball, sphere = mdt.UniformBall(dim), mdt.Sphere(dim + 2)
    x = np.linspace(0.1, 1.5, 9)
    np.testing.assert_allclose(ball.tail(x), sphere.tail(x / ball.radius), rtol=1e-13)


def test_gaussian_tail_is_the_error_function():
    x = np.linspace(0.1, 3.0, 9)
    np.testing.assert_allclose(mdt.Gaussian(4).tail(x), 0.5 * special.erfc(x * np.sqrt(2.0)), rtol=1e-14)


# ------------------------------------------------------------------ rules


@pytest.mark.parametrize("law", ALL, ids=str)
@pytest.mark.parametrize("centre", [0.5, 4.6, 18.0])
@pytest.mark.parametrize("scale", [1e-6, 0.3, 3.0, 20.0])
def test_smooth_rule_on_a_softmax_slope(law, centre, scale):
    nodes, weights = make(law).smooth_rule(np.array([centre]), np.array([scale]), np.pi)
    difference, _ = mdt.CrossEntropy().paired_slopes(np.full(nodes.shape, centre), scale * nodes)
    value = 0.5 * np.sum(weights * nodes * difference)
    s, k = mp.mpf(centre), mp.mpf(scale)
    breaks = [centre / scale, *(abs(centre + side * 2.0**j) / scale for j in range(7) for side in (-1, 1))]
    with mp.workdps(30):
        expected = expectation(law, lambda z: z * logistic_slope(s + k * z), breaks)
    assert value == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize("law", ALL, ids=str)
@pytest.mark.parametrize("position", [-0.7, -0.05, 0.0, 0.2, 0.9])
def test_split_rule_on_a_kink(law, position):
    spread = make(law)
    kink = position * min(spread.radius, 2.0 / np.sqrt(law[1]))
    nodes, weights = spread.split_rule(np.array([kink]), np.array([1.0]))
    above = np.where(nodes > kink, (nodes - kink) ** 2, 0.0)
    expected = expectation(law, lambda z: (z - mp.mpf(kink)) ** 2 if z > kink else mp.zero, [abs(kink)])
    assert np.sum(weights) == pytest.approx(1.0, rel=1e-12)
    assert np.sum(weights * nodes, axis=-1)[0] == pytest.approx(0.0, abs=1e-13)
    assert np.sum(weights * above) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize("law", CONTINUOUS, ids=str)
@pytest.mark.parametrize(("centre", "scale"), [(3.0, 100.0), (3.0, 3e4), (40.0, 1e3), (500.0, 600.0)])
def test_split_rule_on_a_step_that_is_steep_for_the_spread(law, centre, scale):
    spread = make(law)
    nodes, weights = spread.split_rule(np.array([-centre / scale]), np.array([scale]))
    slope = mdt.CrossEntropy().profile_derivative(centre + scale * nodes)
    value = np.sum(weights * nodes * slope)
    s, k = mp.mpf(centre), mp.mpf(scale)
    breaks = [centre / scale]
    for j in range(17):
        breaks += [abs(centre + 2.0**j) / scale, abs(centre - 2.0**j) / scale]
    with mp.workdps(30):
        expected = expectation(law, lambda z: z * logistic_slope(s + k * z), breaks)
    # The sum is of terms of either sign, up to E|zeta|.
    assert value == pytest.approx(float(expected), rel=1e-11, abs=1e-15 * spread.mean_absolute)


@pytest.mark.parametrize("law", CONTINUOUS, ids=str)
def test_the_two_rules_agree_where_one_takes_over_from_the_other(law):
    spread = make(law)
    centre = np.array([2.0])
    for side in (0.999, 1.001):
        scale = np.array([side * spread.wide_scale])
        nodes, weights = spread.smooth_rule(centre, scale, np.pi)
        loss = mdt.CrossEntropy()
        smooth = 0.5 * np.sum(weights * nodes * loss.paired_slopes(np.full(nodes.shape, centre), scale * nodes)[0])
        nodes, weights = spread.split_rule(-centre / scale, scale)
        split = np.sum(weights * nodes * loss.profile_derivative(centre + scale * nodes))
        assert split == pytest.approx(smooth, rel=1e-12)


# ------------------------------------------------------------------ input


@pytest.mark.parametrize("kind", KINDS.values())
@pytest.mark.parametrize("dim", [0, -1, 2.5, 10**6 + 1, np.nan, "8", True])
def test_dimension_must_be_a_positive_integer(kind, dim):
    with pytest.raises(mdt.AssumptionError, match="dim"):
        kind(dim)


@pytest.mark.parametrize("kind", KINDS.values())
def test_dimension_cannot_be_an_array(kind):
    with pytest.raises(mdt.AssumptionError, match="loop"):
        kind(np.array([2, 3]))


def test_spreads_compare_by_value():
    assert mdt.Sphere(3) == mdt.Sphere(3)
    assert mdt.Sphere(3) != mdt.Sphere(4)
    assert mdt.Sphere(3) != mdt.UniformBall(3)
