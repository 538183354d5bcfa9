"""`falsify`: half-formed conjectures, as expressions and as functions."""

import math

import numpy as np
import pytest
import sympy as sp
from flint import arb

import mdtheory as mdt
from mdtheory.claims import Verdict, falsify
from mdtheory.claims.ball_numbers import Ball


def test_falsify_refutes_an_expression_at_a_simple_point():
    a, b = sp.symbols("a b")
    report = falsify(a**2 + b**2 - sp.Rational(5, 2) * a * b, {"a": (0, 1), "b": (0.1, 4, "log")}, samples=200)
    assert report.verdict is Verdict.REFUTED
    at = report.counterexample
    assert at["a"] ** 2 + at["b"] ** 2 < 2.5 * at["a"] * at["b"]


def test_falsify_takes_integers_and_relationals():
    k = sp.Symbol("k")
    report = falsify(sp.Le(k**2 - k + 41, 1600), {"k": range(60)}, samples=300)
    assert report.verdict is Verdict.REFUTED
    assert report.counterexample["k"] == 40  # 40 * 39 > 1559 > 39 * 38


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x - 2 * x + 0.9,
        lambda x: np.exp(x) - 2.8 * x,
        lambda x: math.exp(x) - 2.8 * x - (math.e - 2.8) - 1,
    ],
)
def test_falsify_verifies_functions_beyond_double_precision(function):
    report = falsify(function, {"x": (0, 2)}, samples=300)
    assert report.verdict is Verdict.REFUTED
    assert "verified" in report.rows[0].summary
    assert function(report.counterexample["x"]) < 0


def test_falsify_believes_a_function_that_returns_balls():
    report = falsify(lambda x: arb(x) - arb(3) / 2, {"x": (0, 2)}, samples=50)
    assert report.verdict is Verdict.REFUTED
    assert "ball arithmetic" in report.rows[0].summary
    wide = falsify(lambda x: arb(x - 1.5, 10), {"x": (0, 2)}, samples=50)
    assert wide.verdict is Verdict.UNDECIDED


def test_falsify_reports_but_does_not_believe_what_only_floats_can_compute():
    report = falsify(lambda x: float(x) - 1.5, {"x": (0, 2)}, samples=50)
    assert report.verdict is Verdict.UNDECIDED
    assert "not verified" in report.rows[0].summary


def _in_doubles(x):
    return math.exp(x) - math.exp(1.5)


def test_falsify_does_not_take_doubles_inside_a_helper_for_digits():
    report = falsify(lambda x: 0.5 * _in_doubles(x) * x, {"x": (0.1, 2)}, samples=50)
    assert report.verdict is Verdict.UNDECIDED
    assert "not verified" in report.rows[0].summary


def test_falsify_follows_balls_into_the_branch_that_floats_take():
    report = falsify(lambda x: x - 1.5 if x == 1.0 else x, {"x": (1.0, 1.0)}, samples=5)
    assert report.verdict is Verdict.REFUTED
    other = falsify(lambda x: (1.0 - 1e-17) - x if x == 1.0 else x - 2, {"x": (1.0, 1.0)}, samples=5)
    assert other.verdict is not Verdict.REFUTED


def test_falsify_reports_the_smallest_slack():
    report = falsify(lambda x: (x - 1) ** 2 + 0.25, {"x": (0, 2)}, samples=300)
    assert report.verdict is Verdict.SUPPORTED
    evidence = report.rows[0].evidence[0]
    assert evidence.slack == pytest.approx(0.25, abs=1e-3)
    assert evidence.where["x"] == pytest.approx(1, abs=0.05)


def test_falsify_a_solver():
    def slack(smoothing, decay):
        one = mdt.UFM(mdt.CrossEntropy(smoothing), num_classes=5, weight_decay=decay, feature_decay=decay)
        return mdt.solve(one).margin - 1.0

    report = falsify(slack, {"smoothing": (0.0, 0.5), "decay": (1e-4, 0.1, "log")}, samples=100)
    assert report.counterexample is not None
    assert slack(**report.counterexample) < 0


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"x": (1,)}, "low, high"),
        ({"x": (2, 1)}, "low <= high"),
        ({"x": (0, 1, "log")}, "positive bounds"),
        ({"x": (0, 1, "linear")}, "low, high"),
        ({"x": range(5, 5)}, "range of integers"),
        ({"x": "0:1"}, "low, high"),
        ({"z": (0, 1)}, "has no range"),
    ],
)
def test_falsify_says_what_a_range_is(ranges, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        falsify(sp.Symbol("x") - 1, ranges)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x > 1, "truth value"),
        (lambda x: "one", "one number"),
        (lambda x, y: x, "'y'"),
        (lambda z: z, "'x'"),
    ],
)
def test_falsify_says_what_a_function_must_be(function, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        falsify(function, {"x": (0.0, 2.0)}, samples=5)


def test_balls_given_to_functions_never_lose_their_radius():
    ball = Ball(arb("1 +/- 0.1"))
    with pytest.raises(TypeError):
        math.log(ball)
    with pytest.raises(mdt.AssumptionError):
        bool(ball > 1)
    assert (2 - ball / 4).ball.overlaps(arb(7) / 4)
    assert np.exp(ball).ball.contains(arb(1).exp())
