"""Decimals mean what they show."""

import random
from fractions import Fraction

import pytest
import sympy as sp
from flint import arb

from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.decimals import decimal, decimal_of, with_rationals
from mdtheory.numerics.expressions import compiled


def test_a_double_stands_for_the_decimal_of_its_repr():
    rng = random.Random(3)
    for _ in range(2000):
        value = rng.choice([-1, 1]) * 10 ** rng.uniform(-320, 308)
        assert decimal_of(sp.Float(value)) == Fraction(repr(value)) == decimal(value)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (sp.Float(1.0000000000000002), Fraction("1.0000000000000002")),  # str shows 1.00000000000000
        (sp.Float("0.1", 40), Fraction(1, 10)),
        (sp.Float("0.1", 5), Fraction(1, 10)),
        (sp.Float("0.30000000000000000000000001", 40), Fraction("0.30000000000000000000000001")),
        (sp.Float("1e400"), Fraction(10**400)),
        (sp.Float("-2.5e-400"), Fraction(-25, 10**401)),
        (sp.Float(0), Fraction(0)),
    ],
)
def test_floats_of_any_precision_stand_for_their_shortest_decimal(number, meant):
    assert decimal_of(number) == meant


def test_the_compiler_of_formulas_and_the_exact_form_agree():
    x = sp.Symbol("x")
    formula = sp.Float(0.1) * x + sp.Float(1.0000000000000002)
    with precision(200):
        ball = compiled(formula)({"x": arb(3)})
        assert ball.overlaps(compiled(with_rationals(formula))({"x": arb(3)}))
        assert abs(ball - arb("1.3000000000000002")) < arb("1e-50")
    assert with_rationals(formula).subs(x, 3) == sp.Rational("1.3000000000000002")
