"""The joint problem of two classes in balls: against the solver in doubles, mpmath, and wrong answers."""

import dataclasses

import numpy as np
import pytest
from flint import arb
from mpmath import mp

import mdtheory as mdt
from mdtheory.models.joint.absolute import capped
from mdtheory.models.joint.absolute_bound import bound_at
from mdtheory.models.joint.balls import _cell_bound, _Point, proved_bounds, solve_joint
from mdtheory.models.joint.points import Points
from mdtheory.models.joint.programme import programme_of
from mdtheory.models.joint.solution import JointSolution

POINT = {"weight_decay": 5e-3, "feature_decay": 2e-3, "noise": 0.1, "slope": 0.2}


def problem(smoothing=0.0, spread=None, **changes):
    return mdt.LimitedExpressivity(
        mdt.CrossEntropy(smoothing), **{**POINT, "spread": spread or mdt.Sphere(8), **changes}
    )


@pytest.mark.parametrize("spread", [mdt.Sphere(8), mdt.Sphere(2), mdt.TwoPoint(3), mdt.Sphere(1)], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("slope", [0.01, 0.07, 3.0])
def test_balls_hold_the_answer_in_doubles(spread, smoothing, slope):
    sol = mdt.solve(problem(smoothing, spread, slope=slope))
    found = solve_joint(**{**POINT, "slope": slope}, smoothing=smoothing, spread=spread)
    for name in ("margin", "noisy_margin", "normalized_dilation"):
        ball, number = getattr(found, name), getattr(sol, name)
        assert float(ball.rad()) < 1e-9
        assert number == pytest.approx(float(ball.mid()), rel=1e-9)
    proof = proved_bounds(sol)
    assert proof.lower <= sol.objective * (1 + 1e-14)
    assert sol.lower_bound <= proof.upper
    assert proof.upper - proof.lower < 1e-12
    assert found.value.overlaps(type(found.value)(proof.lower).union(type(found.value)(proof.upper)))


def test_the_value_is_that_of_mpmath():
    sol, dim = mdt.solve(problem(0.1)), 8
    s, w = (mp.mpf(float(x)) for x in sol.answer)
    with mp.workdps(30):
        eta, c = mp.mpf(POINT["noise"]), mp.mpf(POINT["noise"]) / mp.mpf(POINT["slope"])
        e = eta / (1 + eta)
        alpha = mp.mpf(0.1)

        def phi(t):
            return mp.log1p(mp.exp(-t)) + alpha / 2 * t

        weight = mp.gamma(dim / mp.mpf(2)) / (mp.sqrt(mp.pi) * mp.gamma((dim - 1) / mp.mpf(2)))
        mean = mp.quad(lambda z: weight * (1 - z**2) ** mp.mpf(2.5) * phi(s + c * w * z), [-1, 0, 1])
        norm = mp.sqrt((1 - e) * (s**2 + c**2 * w**2) + e * (w - s) ** 2)
        mu = mp.sqrt(mp.mpf(POINT["weight_decay"]) * mp.mpf(POINT["feature_decay"]))
        value = (1 - e) * mean + e * phi(w - s) + mp.sqrt(2) * mu * norm
    proof = proved_bounds(sol)
    assert proof.lower <= value <= proof.upper + 1e-16


def test_collapse_is_proved():
    proof = proved_bounds(mdt.solve(problem(weight_decay=0.5, feature_decay=0.5)))
    assert proof.lower <= np.log(2) <= proof.upper
    assert proof.upper - proof.lower < 1e-15
    with pytest.raises(mdt.AssumptionError, match="everything has collapsed"):
        solve_joint(weight_decay=0.5, feature_decay=0.5, smoothing=0.0, noise=0.1, slope=1.0, spread=mdt.Sphere(8))


@pytest.mark.parametrize("moved", [(0.0, 0.1), (-0.3, 0.0), (1e-3, 1e-3)])
def test_a_wrong_answer_has_a_wide_enclosure_that_holds_the_optimum(moved):
    best = mdt.solve(problem())
    proof = proved_bounds(JointSolution(best.problem, best.answer + np.array(moved), "by hand"))
    right = proved_bounds(best)
    assert proof.lower <= right.lower
    assert proof.upper >= right.upper
    assert proof.upper - proof.lower > 1e-8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (problem(noise=[0.1, 0.2]), "must be one point of two classes"),
        (problem(num_classes=3, spread=mdt.Gaussian(8)), "must be one point of two classes"),
        (problem(spread=mdt.Gaussian(8)), "must be a Sphere or TwoPoint"),
    ],
)
def test_what_is_not_covered_is_refused(wrong, message):
    with pytest.raises(mdt.AssumptionError, match=message) as caught:
        proved_bounds(mdt.solve(wrong))
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------ the absolute scaling


def absolute(noise, slope, decay, **changes):
    return mdt.LimitedExpressivity(
        mdt.CrossEntropy(changes.pop("smoothing", 0.0)),
        noise=noise,
        slope=slope,
        weight_decay=decay,
        feature_decay=decay,
        scaling="absolute",
        **changes,
    )


@pytest.mark.parametrize(
    "problem",
    [
        absolute(1 / 3, 0.0178524131 / 0.75, 1e-3),
        absolute(0.1, 0.2, 5e-3, smoothing=0.1),
        absolute(0.1, 0.2, 5e-3, spread=mdt.TwoPoint(4)),
        absolute(0.1, 0.2, 0.9),
    ],
    ids=["transition", "smoothing", "two points", "collapsed"],
)
def test_the_absolute_scaling_is_proved_over_all_distances(problem):
    sol = mdt.solve(problem)
    proof = proved_bounds(sol)
    assert proof.lower <= sol.objective <= proof.upper * (1 + 1e-12)
    assert proof.upper - proof.lower <= 1.01e-3 * proof.upper
    # The bound in doubles is closer, and above.
    assert proof.lower <= sol.lower_bound


def test_a_wrong_distance_has_an_enclosure_that_holds_the_optimum():
    sol = mdt.solve(absolute(0.1, 0.2, 5e-3))
    wrong = dataclasses.replace(sol, answer=sol.answer * np.array([1.1, 1.0, 1.1]))
    proof = proved_bounds(wrong, target=0.05)
    assert proof.lower <= sol.objective < proof.upper
    with pytest.raises(mdt.AssumptionError, match="target"):
        proved_bounds(sol, target=0.0)


@pytest.mark.parametrize("cell", [(0.0, 0.3), (0.5, 0.8), (2.0, 4.0)])
def test_the_bound_of_a_cell_in_balls_is_that_in_doubles(cell):
    problem = absolute([0.1], 0.2, 5e-3)
    points, one = Points.of(problem), np.ones(1)
    low, high = cell
    programme = programme_of(problem)
    x = capped(programme, points, low * one, high * one, programme.first(points, one)).point
    value = 0.13
    in_doubles = bound_at(programme, points.at_distance(low * one), x, high * one, value * one)[0]
    in_balls = _cell_bound(_Point.of(absolute(0.1, 0.2, 5e-3)), x[0], low, high, arb(value))
    assert float(in_balls.mid()) == pytest.approx(in_doubles, abs=1e-9)
