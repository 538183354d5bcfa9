"""True and false statements for the engine itself: the verdict each gets, and the good one that it must never get."""

import functools
import json
import math
from fractions import Fraction
from math import fmod as remainder_like_c
from math import pi as half_turn

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb

import mdtheory as mdt
from mdtheory.claims import (
    Box,
    Claim,
    Integers,
    Interval,
    Proportions,
    Quantity,
    Source,
    Verdict,
    at_least,
    at_most,
    check,
    equal,
    falsify,
    greater,
    less,
    positive_iff,
)
from mdtheory.claims.ball_numbers import MATH, NUMPY, Ball
from mdtheory.claims.ledger import rerun
from mdtheory.claims.records import Report
from mdtheory.claims.relation import Relation
from mdtheory.command.main import main
from mdtheory.numerics.ball_precision import precision

x, y = sp.symbols("x y")
n = sp.Symbol("n")
pos = sp.Symbol("x", positive=True)
whole = sp.Symbol("N", integer=True)
neg = sp.Symbol("m", negative=True)
half, third = sp.Rational(1, 2), sp.Rational(1, 3)
WIDE = {"x": (-2, 2)}
SQUARE = {"x": (-2, 2), "y": (-2, 2)}

# ---------------------------------------------------------------------- formulas: false ones must be refuted

FALSE = {
    # at an end, also where the double beside the decimal lies inside
    "end above its decimal": (x < 0.92, {"x": (-2.29, 0.92)}),
    "end below its decimal": (x < 0.3, {"x": (0, 0.3)}),
    "lower end": (x > 0.1, {"x": (0.1, 1)}),
    "end of a logarithmic range": (x < 0.7, {"x": (1e-6, 0.7, "log")}),
    "end of whole numbers": (n < 99, {"n": range(100)}),
    "one corner of four variables": (
        sum(sp.symbols("a b c d")) < sp.Rational(28, 10),
        {**dict.fromkeys("abc", (0.0, 0.7)), "d": (0.0, 0.7)},
    ),
    # at a simple point
    "square at zero": (x**2 > 0, WIDE),
    "absolute value at one": (sp.Abs(x - 1) > 0, WIDE),
    "square at a half": ((x - half) ** 2 > 0, WIDE),
    "square at a decimal": ((x - 0.37) ** 2 > 0, WIDE),
    "square at a third, expanded": (sp.expand((x - third) ** 2) > 0, WIDE),
    "square at an unusual fraction, expanded": (sp.expand((x - sp.Rational(12, 17)) ** 2) > 0, WIDE),
    "product of squares": (((x - 1) * (x + half)) ** 2 > 0, WIDE),
    "exponential and its tangent": (sp.exp(x) > 1 + x, WIDE),
    "a number that only cancels": ((sp.exp(x) - sp.E) ** 2 > 0, WIDE),
    # on a tie, on a line
    "square of a difference": ((x - y) ** 2 > 0, SQUARE),
    "square of a shifted difference": ((x - y - 0.37) ** 2 > 0, SQUARE),
    "square of a linear form": ((2 * x + 3 * y - 1) ** 2 > 0, SQUARE),
    "largest above smallest": (sp.Max(x, y) > sp.Min(x, y), {"x": (0.1, 3), "y": (0.2, 4)}),
    "strict mean inequality": ((x + y) / 2 > sp.sqrt(x * y), {"x": (0, 3), "y": (0, 5)}),
    # where an assumption ends
    "end of a linear assumption": (x + y < 1, {"x": (0, 1), "y": (0, 1)}, [x + y <= 1]),
    "end of a curved assumption": (x * y < 0.3, {"x": (0, 1), "y": (0, 1)}, [x * y <= 0.3]),
    "end of an assumption on one variable": (x > 0.45, WIDE, [x >= 0.45]),
    # jumps
    "floor is below": (sp.floor(x) < x, {"x": (-3, 3)}),
    "floor of ten times": (sp.floor(10 * x) < 10 * x, {"x": (0.05, 0.95)}),
    "ceiling": (sp.ceiling(x) > x, {"x": (-3, 3)}),
    "sign": (sp.sign(x) ** 2 > 0, {"x": (-3, 3)}),
    "isolated value": (sp.Piecewise((-1, sp.Eq(x, sp.Rational(3, 5))), (1, True)) > 0, {"x": (0, 1)}),
    # whole numbers
    "a power of two": (n * (n - 1024) ** 2 > 0, {"n": range(1, 100_000)}),
    "Euler's polynomial has a square": ((n**2 + n + 41 - 41**2) ** 2 > 0, {"n": range(1000)}),
    "sine of whole numbers": (sp.sin(sp.pi * n / 2) ** 2 > 0, {"n": range(1, 50)}),
    # decimals
    "a decimal of 17 digits": (x >= sp.Float(1 + 2e-16) * x, {"x": (1, 2)}),
    "equality in the 60th digit": (sp.Eq(sp.Abs(x) + sp.Rational(1, 10**60), x), {"x": (0, 1)}),
    "sine that is not zero": (sp.Eq(sp.sin(sp.pi * x), 0), {"x": (0.25, 3.75)}),
}

TRUE = {
    "end above its decimal": (x <= 0.1, {"x": (0, 0.1)}),
    "end below its decimal": (x >= 0.3, {"x": (0.3, 1)}),
    "decimals are exact": (sp.Eq(x * (x + 0.1), x**2 + x / 10), {"x": (0.1, 0.3)}),
    "a decimal of 17 digits": (sp.Float(1.0000000000000002) * x > x, {"x": (1, 2)}),
    "decimal of many digits": (x < sp.Float("1.00000000000000000000000001", 40), {"x": (0, 1)}),
    "Bernoulli": ((1 + x) ** 2 >= 1 + 2 * x, {"x": (-3, 3)}),
    "means": ((x + y) / 2 >= sp.sqrt(x * y), {"x": (0, 3), "y": (0, 3)}),
    "logarithm": (sp.log(x) <= x - 1, {"x": (0.01, 5)}),
    "floor": (sp.floor(x) <= x, {"x": (-3, 3)}),
    "whole numbers": (n**2 >= n, {"n": range(1, 10**6)}),
    "proportions sum to one": (
        sp.Eq(sum(sp.symbols("p_1:4", positive=True)), 1),
        {"p": Proportions(3)},
    ),
    "below an end of the assumption": (x + y <= 1, {"x": (0, 1), "y": (0, 1)}, [x + y <= 1]),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_false_formula_is_refuted_inside_its_domain(name):
    statement, ranges, *assumptions = FALSE[name]
    report = falsify(statement, ranges, assumptions=tuple(*assumptions), samples=100)
    assert report.verdict is Verdict.REFUTED
    # The counterexample by substitution, in rational arithmetic.
    point = {
        symbol: sp.Rational(str(Fraction(repr(v)) if isinstance(v, float) else Fraction(v)))
        for symbol in statement.free_symbols
        for v in [report.counterexample[symbol.name]]
    }
    exact = statement.xreplace({f: sp.Rational(repr(float(f))) for f in statement.atoms(sp.Float)})
    assert exact.subs(point) == sp.false
    for assumption in assumptions[0] if assumptions else ():
        assert sp.nsimplify(assumption, rational=True).subs(point) == sp.true


@pytest.mark.parametrize("name", TRUE)
def test_a_true_formula_is_supported_and_neither_refuted_nor_proved(name):
    statement, ranges, *assumptions = TRUE[name]
    assert falsify(statement, ranges, assumptions=tuple(*assumptions), samples=100).verdict is Verdict.SUPPORTED


def test_a_zero_at_an_irrational_number_is_no_refutation():
    # No number that a point can hold is the square root of two: nothing to find, and nothing to prove.
    assert falsify((x - sp.sqrt(2)) ** 2 > 0, WIDE, samples=50).verdict in (Verdict.SUPPORTED, Verdict.UNDECIDED)


# ---------------------------------------------------------------------- what contradicts itself

CONTRADICTIONS = {
    "absolute value that sympy has simplified": (sp.Abs(pos) - pos + y, {"x": (-1, 1), "y": (0, 1)}),
    "relation that sympy has decided": (sp.Eq(sp.Abs(pos), pos), {"x": (-1, 1)}),
    "positive symbol": (pos + 2, {"x": (-1, 1)}),
    "positive symbol at zero": (pos + 2, {"x": (0, 1)}),
    "integer symbol": (sp.sin(sp.pi * whole) + whole, {"N": (0.25, 3.75)}),
    "integer symbol between integer ends": (sp.cos(sp.pi * whole) ** 2 - whole, {"N": (0, 3)}),
    "negative symbol": (sp.Max(neg, 0) + neg, {"m": (-1, 1)}),
    "nonzero symbol": (sp.Symbol("x", nonzero=True, real=True) ** 2, {"x": (-1, 1)}),
    "zero symbol": (1 + sp.Symbol("x", zero=True), {"x": (0, 1)}),
    "even symbol": (sp.Symbol("n", even=True) + 1, {"n": range(5)}),
    "odd symbol": (sp.Symbol("n", odd=True) + 1, {"n": range(5)}),
    "prime symbol": (sp.Symbol("n", prime=True) - 1, {"n": range(2, 5)}),
    "composite symbol": (sp.Symbol("n", composite=True) - 1, {"n": range(4, 10**6)}),
    "rational symbol": (sp.Symbol("x", rational=True) + 1, {"x": (0, 1)}),
    "irrational symbol": (sp.Symbol("x", irrational=True) + 1, {"x": (0, 1)}),
    "noninteger symbol": (sp.Symbol("x", noninteger=True) + 1, {"x": (0.5, 1.5)}),
    "imaginary symbol": (sp.Symbol("x", imaginary=True) ** 2 + 9, {"x": (0, 1)}),
    "infinite symbol": (1 + sp.Symbol("x", infinite=True), {"x": (0, 1)}),
    "nothing is left": (sp.Max(neg, 0) + 1, {"m": (-1, 1)}),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_symbol_that_excludes_values_of_its_domain_is_refused(name):
    with pytest.raises(mdt.AssumptionError, match="variables"):
        falsify(*CONTRADICTIONS[name], samples=20)


@pytest.mark.parametrize(
    ("symbol", "domain"),
    [
        (sp.Symbol("x", integer=True, positive=True), Integers(1, 9)),
        (sp.Symbol("x", prime=True), Integers(2, 3)),
        (sp.Symbol("x", odd=True), Integers(3, 3)),
        (sp.Symbol("x", positive=True), Interval(0.1, 1.0)),
        (sp.Symbol("x", nonnegative=True), Interval(0.0, 1.0)),
        (sp.Symbol("x", noninteger=True, real=True), Interval(0.1, 0.9)),
        (sp.Symbol("x", zero=True), Interval(0.0, 0.0)),
        (sp.Symbol("x", real=True), Interval(-1.0, 1.0)),
    ],
)
def test_assumptions_that_every_value_has_are_taken(symbol, domain):
    made(variables={symbol: domain}, relations=(at_least(symbol + 9, 0),))


def made(**changes):
    """``x + 1 >= 0`` for x in [0, 1], or what is asked for."""
    fields = {
        "id": "statement",
        "title": "A statement",
        "statement": "$x$",
        "source": Source("this project"),
        "variables": {x: Interval(0.0, 1.0)},
        "relations": (at_least(x + 1, 0),),
        "expected": Verdict.SUPPORTED,
    }
    return Claim(**{**fields, **changes})


q = sp.Symbol("q", real=True)


@pytest.mark.parametrize("level", ["symbolic", "sampled", "certified"])
@pytest.mark.parametrize("proof", ["sympy", "derivation"])
def test_contradictory_assumptions_are_vacuous_at_every_level(level, proof, tmp_path):
    (tmp_path / "proof.py").write_text('"""P.\n\nClaims: statement.\n"""\nprint("[=] done")\n')
    how = {"symbolic": True} if proof == "sympy" else {"derivation": str(tmp_path / "proof.py")}
    empty = made(
        relations=(equal((x + 1) ** 2, x**2 + 2 * x + 1),),
        assumptions=(sp.Lt(x, 0.2), sp.Gt(x, 0.8)),
        expected=Verdict.PROVED,
        **how,
    )
    assert check(empty, level=level, samples=20).verdict is Verdict.VACUOUS


UNPROVED = {
    "removable pole": (equal((x**2 - 1) / (x - 1), x + 1), (-2.0, 2.0)),
    "pole where nothing simple lies": (
        equal((x**2 - sp.Rational(9, 49)) / (x - sp.Rational(3, 7)), x + sp.Rational(3, 7)),
        (0.0, 2.0),
    ),
    "pole at an irrational number": (equal((x**4 - 4) / (x**2 - 2), x**2 + 2), (0.0, 2.0)),
    "logarithms of negative numbers": (equal((sp.log(x) + 1) ** 2, sp.log(x) ** 2 + 2 * sp.log(x) + 1), (-1.0, 1.0)),
    "roots of negative numbers": (equal((sp.sqrt(x) + 1) ** 2, x + 2 * sp.sqrt(x) + 1), (-1.0, 1.0)),
    "root of a square": (equal(sp.sqrt(x**2), x), (-1.0, 1.0)),
    "decimals that differ": (equal((x + 1) ** 2, x**2 + 2 * x + sp.Float(1.0000000000000002)), (0.0, 1.0)),
    "a sign that does not hold": (greater(x**2, 0), (-1.0, 1.0)),
    "product of roots": (equal(sp.sqrt(x) * sp.sqrt(x), sp.sqrt(x**2)), (-1.0, 1.0)),
}


@pytest.mark.parametrize("name", UNPROVED)
@pytest.mark.parametrize("level", ["symbolic", "certified"])
def test_sympy_proves_nothing_that_is_undefined_or_false_somewhere(name, level):
    relation, ends = UNPROVED[name]
    one = made(relations=(relation,), variables={x: Interval(*ends)}, symbolic=True, expected=Verdict.PROVED)
    assert check(one, level=level, samples=60).verdict not in (Verdict.PROVED, Verdict.CERTIFIED)


@pytest.mark.parametrize(
    ("relations", "variables"),
    [
        ((equal((x**2 - 1) / (x - 1), x + 1),), {x: Interval(2.0, 3.0)}),
        ((equal(sp.log(pos**2), 2 * sp.log(pos)),), {pos: Interval(0.1, 1.0)}),
        ((equal(x / (x**2 + 1) * (x**2 + 1), x),), {x: Interval(-2.0, 2.0)}),
        ((at_least((pos - 1) ** 2, 0), greater(pos + 0.5, 0)), {pos: Interval(0.1, 1.0)}),
    ],
)
def test_sympy_proves_what_is_defined_on_the_whole_domain(relations, variables):
    one = made(relations=relations, variables=variables, symbolic=True, expected=Verdict.PROVED)
    assert check(one, level="symbolic").verdict is Verdict.PROVED


def test_an_assumption_may_keep_a_pole_out():
    one = made(
        relations=(equal((x**2 - 1) / (x - 1), x + 1),),
        variables={x: Interval(0.0, 3.0)},
        assumptions=(sp.Ge(x, 1.5),),
        symbolic=True,
        expected=Verdict.PROVED,
    )
    assert check(one, level="symbolic").verdict is Verdict.PROVED


def test_sympy_does_not_prove_by_what_an_abbreviation_is_declared():
    short = sp.Symbol("d", positive=True)
    one = made(relations=(greater(short, 0),), definitions={short: x - half}, symbolic=True, expected=Verdict.PROVED)
    assert check(one, level="symbolic").verdict not in (Verdict.PROVED, Verdict.CERTIFIED)
    assert check(one, samples=20).verdict is not Verdict.PROVED


def test_sympy_does_not_prove_by_what_a_quantity_is_declared():
    positive = sp.Symbol("q", positive=True)
    with pytest.raises(mdt.AssumptionError, match="no quantity"):
        made(
            quantities={positive: Quantity(at=lambda x: arb(-1))},
            relations=(greater(positive, 0),),
            symbolic=True,
            expected=Verdict.PROVED,
        )


@pytest.mark.parametrize(
    ("symbol", "value"),
    [
        (sp.Symbol("q", positive=True), arb(0)),
        (sp.Symbol("q", nonnegative=True), arb("-0.5 +/- 0.1")),
        (sp.Symbol("q", negative=True), arb(1)),
        (sp.Symbol("q", integer=True), arb("0.5 +/- 0.1")),
        (sp.Symbol("q", zero=True), arb(1)),
        (sp.Symbol("q", nonzero=True), arb(0)),
    ],
)
def test_a_quantity_that_is_not_what_its_symbol_assumes_fails_the_check(symbol, value):
    one = made(quantities={symbol: Quantity(at=lambda x: value)}, relations=(at_least(sp.Abs(symbol), symbol),))
    if symbol in one.relations[0].symbols:
        report = check(one, samples=10)
        assert report.verdict is Verdict.ERROR
        assert "is declared" in report.rows[0].error
    other = made(quantities={symbol: Quantity(at=lambda x: value)}, relations=(at_least(symbol + 5, x),))
    assert check(other, samples=10).verdict is Verdict.ERROR


def test_an_abbreviation_that_is_not_what_its_symbol_assumes_fails_the_check():
    short = sp.Symbol("d", positive=True)
    one = made(relations=(equal(sp.Abs(short), short),), definitions={short: x - half})
    assert check(one, samples=20).verdict is Verdict.ERROR
    used = made(relations=(greater(short + 1, 0),), definitions={short: x - half})
    assert check(used, samples=20).verdict is Verdict.ERROR


# ---------------------------------------------------------------------- stated points

ONE = {"x": 1.0}


@pytest.mark.parametrize("existence", [True, False])
@pytest.mark.parametrize(
    ("point", "named"),
    [
        ({"x": 7.0}, "'x'.*7.0.*domain"),
        ({"x": math.nan}, "'x'"),
        ({"x": math.inf}, "'x'"),
        ({"x": True}, "'x'"),
        ({"x": np.float64(0.5)}, "'x'"),
        ({"x": "0.5"}, "'x'"),
        ({"x": (0.5,)}, "'x'"),
        ({}, "x too"),
        ({"x": 0.5, "z": 1.0}, "'z'"),
        ({"x": 0.05}, "x >= 0.1"),
        ([0.5], "mapping"),
    ],
)
def test_a_stated_point_outside_the_statement_is_refused(point, named, existence):
    expected = Verdict.CERTIFIED if existence else Verdict.REFUTED
    with pytest.raises(mdt.AssumptionError, match=named):
        made(
            relations=(at_least(x, 5),),
            assumptions=(sp.Ge(x, 0.1),),
            counterexample=point,
            existence=existence,
            expected=expected,
        )


@pytest.mark.parametrize("value", [2.0, 0, 11, True])
def test_a_stated_whole_number_is_one_of_its_range(value):
    with pytest.raises(mdt.AssumptionError, match="'n'"):
        made(
            variables={n: Integers(1, 10)},
            relations=(less(n, 2),),
            counterexample={"n": value},
            expected=Verdict.REFUTED,
        )


def test_stated_proportions_are_checked():
    parts = sp.symbols("p_1:3", positive=True)
    for value in ((0.5, 0.6), (0.5,), (1.0, 0.0), [0.5, 0.5]):
        with pytest.raises(mdt.AssumptionError, match="'p'"):
            made(
                variables={sp.Symbol("p"): Proportions(2)},
                relations=(less(parts[0], 0.1),),
                counterexample={"p": value},
                expected=Verdict.REFUTED,
            )


def test_an_existence_claim_needs_a_witness_and_nothing_else():
    with pytest.raises(mdt.AssumptionError, match="witness"):
        made(existence=True, expected=Verdict.CERTIFIED)
    with pytest.raises(mdt.AssumptionError, match="existence"):
        made(existence=True, counterexample=ONE, symbolic=True)


def test_a_stated_point_that_fails_an_assumption_about_a_quantity_is_no_counterexample():
    quantities = {q: Quantity(at=lambda x: arb(x))}
    one = made(
        quantities=quantities,
        assumptions=(sp.Gt(q, 2),),
        relations=(less(x, half),),
        counterexample={"x": 0.75},
        expected=Verdict.REFUTED,
    )
    assert check(one, samples=10).verdict not in (Verdict.REFUTED, Verdict.PROVED, Verdict.CERTIFIED)


def test_a_witness_beside_its_decimal_is_not_certified():
    # As a double 0.1 is larger than a tenth.
    seen = {q: Quantity(at=lambda x: arb(0))}
    one = made(
        quantities=seen,
        relations=(greater(x + q, 0.1),),
        existence=True,
        counterexample={"x": 0.1},
        expected=Verdict.CERTIFIED,
    )
    assert check(one).verdict is not Verdict.CERTIFIED
    plain = made(relations=(greater(x, 0.1),), existence=True, counterexample={"x": 0.1}, expected=Verdict.CERTIFIED)
    assert check(plain).verdict is Verdict.REFUTED


def test_a_claim_with_quantities_is_not_refuted_by_how_a_decimal_is_read():
    seen = {q: Quantity(at=lambda x: arb(0))}
    true = made(variables={x: Interval(0.0, 0.1)}, quantities=seen, relations=(at_most(x + q, 0.1),))
    assert check(true, samples=40).verdict is Verdict.SUPPORTED
    false = made(variables={x: Interval(0.0, 0.1)}, quantities=seen, relations=(less(x + q, 0.09),))
    assert check(false, samples=40).verdict is Verdict.REFUTED


# ---------------------------------------------------------------------- boxes


def boxed(relation, sides, domain=None, **options):
    domain = domain or Interval(0.0, 1.0)
    return made(
        relations=(relation,), variables={x: domain}, box=Box(sides=sides, **options), expected=Verdict.CERTIFIED
    )


@pytest.mark.parametrize(
    "sides",
    [
        {"x": ("2", "3")},
        {"y": ("0", "1")},
        {"x": ("0", "1"), "y": ("0", "1")},
        {"x": (0, 1)},  # a list of two numbers, and no interval
    ],
)
def test_a_box_that_is_not_one_of_the_claim_is_refused(sides):
    with pytest.raises(mdt.AssumptionError, match="sides"):
        boxed(at_least(x + 1, 0), sides)


@pytest.mark.parametrize(
    "sides",
    [
        {"x": ("1", "0")},
        {"x": ("a", "b")},
        {"x": (0.1, 0.2)},
        {"x": ("0",)},
        {"x": ()},
        {"x": "01"},
        {},
        5,
        {"x": ("0", "nan")},
    ],
)
def test_a_box_that_is_no_region_is_refused(sides):
    with pytest.raises(mdt.AssumptionError, match="sides"):
        Box(sides=sides)


def test_a_box_does_not_reach_past_what_the_symbol_assumes():
    with pytest.raises(mdt.AssumptionError, match="positive"):
        made(
            variables={pos: Interval(0.1, 1.0)},
            relations=(equal(sp.Abs(pos), pos),),
            box=Box(sides={"x": ("-1", "1")}),
            expected=Verdict.CERTIFIED,
        )


def test_what_fails_on_a_box_beyond_the_domain_is_not_the_claim():
    report = check(boxed(at_least(x, 0), {"x": ("-1", "1")}), samples=20)
    assert report.verdict not in (Verdict.REFUTED, Verdict.CERTIFIED)


@pytest.mark.parametrize("answer", [1, 0, "yes", arb(1), sp.true, np.array([True])])
def test_a_decision_that_is_none_fails_the_check(answer):
    report = check(boxed(at_least(x, 2), {"x": ("0", "1")}, decide=lambda x: answer), samples=1)
    assert report.rows[0].error is not None or report.verdict is Verdict.REFUTED
    assert report.verdict is not Verdict.CERTIFIED


@pytest.mark.parametrize("decide", [None, lambda x: True])
def test_an_estimated_quantity_certifies_no_box(decide):
    rough = Quantity(at=lambda x: arb(x), over=lambda x: x, rigorous=False)
    box = Box(sides={"x": ("0", "1")}, decide=decide)
    one = made(quantities={q: rough}, relations=(at_least(q, 0),), box=box, expected=Verdict.CERTIFIED)
    assert check(one, samples=10).verdict is not Verdict.CERTIFIED


def test_a_formula_that_is_complex_somewhere_is_undefined_there():
    one = made(variables={x: Interval(-1.0, 1.0)}, relations=(at_least(sp.Max(sp.log(x), 0), 0),))
    assert check(one, samples=40).verdict in (Verdict.SUPPORTED, Verdict.UNDECIDED)


def test_the_search_goes_to_a_threshold_from_where_one_side_is_zero():
    # The side is zero below 0.531, so that only the other one tells where the threshold should be.
    off = positive_iff(sp.Max(x - 0.531, 0), x - 0.5312)
    assert check(made(relations=(off,)), samples=10).verdict is Verdict.REFUTED


# ---------------------------------------------------------------------- quantities


@pytest.mark.parametrize("value", [0.5, np.float64(0.5), "0.5", None, True, [0.5], 1j])
def test_a_quantity_without_a_radius_fails_the_check(value):
    report = check(made(quantities={q: Quantity(at=lambda x: value)}, relations=(at_least(q, -1),)), samples=5)
    assert report.verdict is Verdict.ERROR


@pytest.mark.parametrize("value", [arb("nan"), arb("inf"), arb("0 +/- inf"), arb("0.5 +/- 9")])
def test_a_quantity_that_could_be_anything_supports_nothing(value):
    report = check(made(quantities={q: Quantity(at=lambda x: value)}, relations=(at_least(q, -1),)), samples=20)
    assert report.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyError, TypeError])
def test_a_quantity_that_raises_fails_the_check(error):
    def at(x):
        raise error("broken")

    report = check(made(quantities={q: Quantity(at=at)}, relations=(at_least(q, -1),)), samples=5)
    assert report.verdict is Verdict.ERROR


def test_thresholds_fail_at_the_point_between_their_sides():
    # x = 1/2 is no root of the second, though both have the same sign everywhere else.
    assert (
        check(made(relations=(positive_iff(x - half, (x - half) * (x + 1)),)), samples=50).verdict is Verdict.SUPPORTED
    )
    off = positive_iff(sp.Abs(x - half), sp.Abs(x - 0.75))
    assert check(made(relations=(off,)), samples=50).verdict is Verdict.REFUTED


# ---------------------------------------------------------------------- functions

AROUND = {"x": (-3.0, 3.0)}
COUNTS = {"n": range(-20, 21)}


def _with_default(x, part=math.fmod):
    return part(x, 2.0) + 2.0


def _made_of(function):
    return lambda x: 1.0 + function(x)


class Callable:
    """A function with a memory."""

    def __init__(self, shift):
        self.shift = shift

    def __call__(self, x):
        return math.fmod(x, 2.0) + self.shift


TRUE_FUNCTIONS = {
    "fmod": (lambda x: 1.5 + math.fmod(x, 1.5), AROUND),
    "fmod by another name": (lambda x: 0.0 if x > 0 else -remainder_like_c(x, 2.0), AROUND),
    "fmod as a default": (_with_default, AROUND),
    "fmod in a closure": (_made_of(functools.partial(math.fmod, -1.0)), {"x": (0.5, 3.0)}),
    "fmod in an object": (Callable(2.0), AROUND),
    "numpy.fmod": (lambda x: 1.5 + np.fmod(x, 1.5), AROUND),
    "numpy.mod": (lambda x: np.mod(x, 1.5), AROUND),
    "the sign of %": (lambda x: x % 1.5, AROUND),
    "sinc": (lambda x: np.sinc(x) + 0.2173, AROUND),
    "sine of multiples of pi": (lambda n: np.sin(np.pi * n), COUNTS),
    "sine of multiples of pi by another name": (lambda n: math.sin(half_turn * n), COUNTS),
    "sine of multiples of pi at many digits": (lambda n: mpmath.sin(mpmath.pi * n), COUNTS),
    "squares add to one": (lambda x: math.cos(x) ** 2 + math.sin(x) ** 2 - 1, AROUND),
    "binomial formula": (lambda x, y: (x + y) ** 2 - x * x - 2 * x * y - y * y, {"x": (0.0, 3.0), "y": (0.0, 3.0)}),
    "cube root": (lambda x: np.cbrt(x) * x, AROUND),
    "rounding to even": (lambda x: 0.5 - abs(x - np.round(x)), AROUND),
    "overflow of machine integers": (lambda n: np.power(n, 5), {"n": range(1, 10**6)}),
    "kind of a number": (lambda x: 1.0 if isinstance(x, float) else -1.0, AROUND),
    "norm": (lambda x: np.linalg.norm([x, 1.0]) - 1.0, AROUND),
    "gamma": (lambda x: math.gamma(x) - 0.885, {"x": (0.5, 3.0)}),
    "wide ball": (lambda x: arb(5.0, 10), AROUND),
    "an end as a decimal": (lambda x: 3 * x - 0.9, {"x": (0.3, 1.0)}),
    "an upper end as a decimal": (lambda x: 0.3 - 3 * x, {"x": (-1.0, 0.1)}),
    "logarithm of negative numbers": (lambda x: np.log(x) ** 2, AROUND),
}
FALSE_FUNCTIONS = {
    "fmod": (lambda x: math.fmod(x, 2.0) + 1, AROUND),
    "sinc": (lambda x: np.sinc(x), AROUND),
    "absolute value near a decimal": (lambda x: abs(x - 0.37) - 1e-9, AROUND),
    "isolated point": (lambda x: -1.0 if x == 0.5 else 1.0, {"x": (-2.0, 2.0)}),
    "end": (lambda x: 0.92 - x - 1e-13, {"x": (-2.29, 0.92)}),
    "end itself": (lambda x: 1.0 if x < 0.92 else -1.0, {"x": (-2.29, 0.92)}),
    "lower end itself": (lambda x: -1.0 if x == 0.3 else 1.0, {"x": (0.3, 0.92)}),
    "tie": (lambda x, y: abs(x - y) - 1e-12, {"x": (0.0, 1.0), "y": (0.0, 2.0)}),
    "floor": (lambda x: np.floor(x) - x + 0.999, AROUND),
    "zeta": (lambda x: mpmath.zeta(x) - 1.2, {"x": (2.0, 5.0)}),
    "Euler's polynomial": (
        lambda n: 1 - sum(((n * n + n + 41) % k == 0 and 1) or 0 for k in range(2, 99)),
        {"n": range(2, 60)},
    ),
    "large whole numbers": (lambda n: 10**40 - n**3, {"n": range(10**17)}),
    "helper": (lambda x: _cubed(x) + 1, AROUND),
}


def _cubed(x):
    return x * x * x


@pytest.mark.parametrize("name", TRUE_FUNCTIONS)
def test_a_true_statement_about_a_function_is_not_refuted(name):
    report = falsify(*TRUE_FUNCTIONS[name], samples=100)
    assert report.verdict in (Verdict.SUPPORTED, Verdict.UNDECIDED)


@pytest.mark.parametrize("name", FALSE_FUNCTIONS)
def test_a_false_statement_about_a_function_is_refuted_and_verified(name):
    report = falsify(*FALSE_FUNCTIONS[name], samples=100)
    assert report.verdict is Verdict.REFUTED
    assert "verified" in report.rows[0].summary
    assert FALSE_FUNCTIONS[name][0](**report.counterexample) < 0


def _catches(x):
    try:
        return 1.0 if float(x) == x else 2.0
    except Exception:
        return -1.0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: float("nan"),
        lambda x: math.inf,
        lambda x: arb("nan"),
        lambda x: arb(0, 1),
        lambda x: complex(1.0, 1.0),
        lambda x: math.sqrt(-1 - x * x),
        lambda x: 1.0 / 0.0,
    ],
)
def test_what_is_no_number_supports_nothing(function):
    assert falsify(function, AROUND, samples=30).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("value", [[1.0], np.array([1.0, 2.0]), np.array([1.0]), "1", None, {}])
def test_a_function_that_returns_no_number_is_refused(value):
    with pytest.raises(mdt.AssumptionError, match="one number"):
        falsify(lambda x: value, AROUND, samples=5)


def test_a_function_that_fails_on_numbers_is_refused():
    with pytest.raises(mdt.AssumptionError, match="TypeError"):
        falsify(lambda x: x + "one", AROUND, samples=5)


def test_errors_that_a_function_catches_do_not_become_violations():
    from mdtheory.claims.verification import verified

    assert falsify(_catches, AROUND, samples=30).verdict is Verdict.SUPPORTED
    assert verified(lambda x: _catches(x) - 1.5, {"x": 1.0}) is None


GRID = [-7.3, -2.5, -2.0, -1.5, -1.0, -0.75, -0.5, -0.1, 0.0, 0.1, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 7.3]


@pytest.mark.parametrize(("module", "listed"), [(math, MATH), (np, NUMPY)])
def test_every_function_in_balls_means_what_it_stands_for(module, listed):
    compared = dict.fromkeys(listed, 0)
    for name, rule in listed.items():
        original = getattr(module, name)
        arguments = [(a,) for a in GRID] + [(a, b) for a in GRID for b in GRID]
        for values in arguments:
            if name == "where":
                values = (values[0] > 0, *values) if len(values) == 2 else values
            if name == "factorial":
                values = tuple(int(v) for v in values)
            try:
                with np.errstate(all="ignore"):
                    expected = original(*values)
                    expected = float(expected)
            except (TypeError, ValueError, OverflowError, ZeroDivisionError):
                continue
            try:
                with precision(256):
                    # As binary numbers: at a jump the decimals beside them are another case.
                    ball = rule(*(Ball(arb(v)) if isinstance(v, float) else v for v in values)).ball
            except TypeError:
                continue  # so many arguments are not taken
            if not math.isfinite(expected):
                assert not ball.is_finite(), (name, values)
                continue
            if ball.is_finite():
                compared[name] += 1
                assert abs(float(ball.mid()) - expected) <= 1e-12 * max(1.0, abs(expected)), (name, values)
    assert not [name for name, count in compared.items() if count < 3]


# ---------------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"expected": "SUPPORTED"}, "expected"),
        ({"expected": Verdict.ERROR}, "expected"),
        ({"source": "me"}, "source"),
        ({"relations": (x >= 0,)}, "relations"),
        ({"relations": x >= 0}, "relations"),
        ({"relations": at_least(x, 0)}, "relations"),
        ({"id": 5}, "id"),
        ({"title": None}, "title"),
        ({"statement": 1}, "statement"),
        ({"notes": 1}, "notes"),
        ({"variables": {"x": Interval(0, 1)}}, "variables"),
        ({"variables": {x: (0, 1)}}, "variables"),
        ({"variables": {x: Interval}}, "variables"),
        ({"variables": [x]}, "variables"),
        ({"assumptions": (True,)}, "assumptions"),
        ({"assumptions": sp.Gt(x, 0)}, "assumptions"),
        ({"assumptions": (x,)}, "assumptions"),
        ({"quantities": {q: lambda x: arb(x)}}, "quantities"),
        ({"quantities": {"q": Quantity(at=lambda x: arb(x))}}, "quantities"),
        ({"definitions": {q: "x"}}, "definitions"),
        ({"derivation": 5}, "derivation"),
        ({"symbolic": 1}, "symbolic"),
        ({"existence": "yes"}, "existence"),
        ({"box": {"x": ("0", "1")}}, "box"),
        ({"resolution": "fine"}, "resolution"),
        ({"resolution": 0.0}, "resolution"),
        ({"resolution": 1e9}, "resolution"),
        ({"resolution": math.nan}, "resolution"),
        ({"most_samples": 0}, "most_samples"),
        ({"most_samples": 2.5}, "most_samples"),
        ({"equivalent": {"constant-nudged-1": 1}}, "equivalent"),
        ({"counterexample": 0.5}, "counterexample"),
        ({"quantities": {sp.Symbol("x", positive=True): Quantity(at=lambda: arb(1))}}, "quantities"),
        ({"definitions": {x: sp.Integer(1)}}, "definitions"),
        ({"relations": (at_least(pos + 1, 0),)}, "other assumptions"),
    ],
)
def test_a_field_of_a_claim_of_the_wrong_kind_is_one_line(changes, named):
    with pytest.raises(mdt.AssumptionError, match=named) as caught:
        made(**changes)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Interval("0", 1), "low"),
        (lambda: Interval(0, True), "high"),
        (lambda: Interval(0, math.nan), "domain"),
        (lambda: Interval(0, 1, log="yes"), "log"),
        (lambda: Integers(0.0, 5), "low"),
        (lambda: Integers(True, 5), "low"),
        (lambda: Proportions(2.5), "size"),
        (lambda: Proportions(0), "size"),
        (lambda: Proportions(3, smallest=0.4), "smallest"),
        (lambda: Proportions(3, smallest=0.0), "smallest"),
        (lambda: Relation(x > 0, ">=", x), "left"),
        (lambda: Relation(x, ">=", True), "right"),
        (lambda: Relation(x, "=>", x), "operator"),
        (lambda: Relation(x, "~", x, "x"), "variable"),
        (lambda: Relation(x, "~", x, x, rate="fast"), "rate"),
        (lambda: Relation(x, "~", x, x, toward="up"), "toward"),
        (lambda: at_least(x / 0, 1), "left"),
        (lambda: at_most(1, sp.oo), "right"),
        (lambda: equal(sp.sqrt(-1) * x, 0), "left"),
        (lambda: equal(x > 0, 0), "left"),
        (lambda: greater(None, 0), "left"),
        (lambda: less(object(), 0), "left"),
        (lambda: Source(5), "key"),
        (lambda: Source(""), "key"),
        (lambda: Source("me", 5), "locator"),
        (lambda: Quantity(at=arb(1)), "at"),
        (lambda: Quantity(at=lambda x: x, over=1), "over"),
        (lambda: Quantity(at=lambda x: x, rigorous="yes"), "rigorous"),
        (lambda: Quantity(at=lambda x: x, convex=1), "convex"),
        (lambda: Quantity(at=lambda x: x, route=None), "route"),
        (lambda: Box(sides={"x": ("0", "1")}, log="x"), "log"),
        (lambda: Box(sides={"x": ("0", "1")}, log=("x",)), "log"),
        (lambda: Box(sides={"x": ("0", "1")}, effort={"x": -1}), "effort"),
        (lambda: Box(sides={"x": ("0", "1")}, effort={"y": 1}), "effort"),
        (lambda: Box(sides={"x": ("0", "1")}, budget=0), "budget"),
        (lambda: Box(sides={"x": ("0", "1")}, slow=1), "slow"),
        (lambda: Box(sides={"x": ("0", "1")}, decide=True), "decide"),
        (lambda: falsify(x, {"x": (0, 1)}, samples=True), "samples"),
        (lambda: falsify(x, {"x": (0, 1)}, seed=-1), "seed"),
        (lambda: falsify(x, {"x": (0, 1)}, assumptions=(True,)), "assumptions"),
        (lambda: falsify(sp.zeta(x), {"x": (2, 3)}), "zeta"),
        (lambda: falsify(x, {x: (0, 1)}), "variables"),
        (lambda: falsify(x, {"x": (False, True)}), "x = "),
        (lambda: falsify(x, {"x": (0, 1)}, assumptions=x > 0), "assumptions"),
        (lambda: falsify(sp.I * x, {"x": (0, 1)}), "real"),
    ],
)
def test_a_part_of_the_wrong_kind_is_one_line(make, named):
    with pytest.raises(mdt.AssumptionError, match=named) as caught:
        make()
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------- stored reports

STORED = """
import sympy as sp
from mdtheory.claims import Box, Claim, Interval, Source, Verdict, greater
x = sp.Symbol("x", positive=True)
MINE = Claim(id="mine", title="mine", statement="$x>0$", source=Source("me"), variables={x: Interval(0.1, 1.0)},
             relations=(greater(x + 1, 1),), expected=Verdict.CERTIFIED, box=Box(sides={"x": ("0.1", "1")}))
"""


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(STORED)
    return json.loads(check(path, samples=5).to_json())


def _tampered(record, change):
    change(record)
    return Report.from_json(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: r["rows"].clear(), "no rows"),
        (lambda r: r["rows"][0].update(evidence=[]), "evidence"),
        (lambda r: r["rows"][0]["evidence"].pop(), "certified"),
        (lambda r: r["rows"][0]["evidence"].pop(0), "sampled"),
        (lambda r: r["rows"][0].update(verdict="PROVED"), "PROVED"),
        (lambda r: r["rows"][0]["evidence"][-1].update(verdict="SUPPORTED"), "CERTIFIED"),
        (lambda r: r["rows"].append(r["rows"][0]), "twice"),
        (lambda r: r["rows"][0].update(id="other"), "other"),
        (lambda r: r["rows"][0].update(reproduce="mdtheory check no-such-claim --level certified"), "no-such-claim"),
    ],
)
def test_a_report_without_its_evidence_is_refused(stored, change, named):
    assert rerun(Report.from_json(json.dumps(stored))) == []
    with pytest.raises(mdt.AssumptionError, match=named):
        rerun(_tampered(stored, change))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e["details"].clear(),
        lambda e: e["details"].update(box={"x": ["0.2", "1"]}),
        lambda e: e["details"].update(box={"x": ["-1", "1"]}),
        lambda e: e["details"].update(box={"y": ["0.1", "1"]}),
        lambda e: e["details"].update(box=5),
    ],
)
def test_a_changed_box_does_not_hold_again(stored, change):
    change(stored["rows"][0]["evidence"][-1])
    assert rerun(Report.from_json(json.dumps(stored)))


def test_the_command_line_refuses_a_stripped_report(stored, tmp_path, capsys):
    path = tmp_path / "stripped.json"
    stored["rows"][0]["evidence"] = []
    path.write_text(json.dumps(stored))
    assert main(["check", "--rerun", str(path)]) == 2
    printed = capsys.readouterr()
    assert "holds again" not in printed.out
    assert printed.err.count("\n") == 1


def test_a_counterexample_that_is_a_fraction_survives_json():
    report = falsify(sp.expand((x - third) ** 2) > 0, WIDE, samples=50)
    assert report.counterexample == {"x": Fraction(1, 3)}
    assert Report.from_json(report.to_json()).counterexample == {"x": Fraction(1, 3)}


@pytest.mark.parametrize("ends", [(-1e308, 1e308), (0, 5e-324), (1e-300, 1e300, "log"), (-1e-320, 1e-310), (3, 3)])
def test_ends_of_any_size_are_drawn(ends):
    report = falsify(x <= ends[1], {"x": ends}, samples=40)
    assert report.verdict is Verdict.SUPPORTED
    assert falsify(x < sp.Float(ends[1]), {"x": ends}, samples=40).verdict is Verdict.REFUTED


def test_whole_numbers_of_any_size_are_drawn():
    assert falsify(n**2 >= n, {"n": range(10**400)}, samples=40).verdict is Verdict.SUPPORTED
    assert falsify(n < 10**400 - 1, {"n": range(10**400)}, samples=40).verdict is Verdict.REFUTED
    assert falsify(lambda n: 10**400 - 2 - n, {"n": range(10**400)}, samples=40).verdict is Verdict.REFUTED


def test_a_domain_of_ones_own_needs_no_simple_points():
    class Halves:
        def draw(self, rng):
            return int(rng.integers(-6, 7)) / 2

        def step(self, value, size, rng):
            return self.draw(rng)

        def simpler(self, value):
            return []

        def contains(self, value):
            return 2 * value == int(2 * value)

    assert falsify(x**2 >= 0, {"x": Halves()}, samples=40).verdict is Verdict.SUPPORTED
    assert falsify(x**2 > 0, {"x": Halves()}, samples=60).verdict is Verdict.REFUTED
    with pytest.raises(mdt.AssumptionError, match="positive"):
        falsify(pos**2 - pos, {"x": Halves()}, samples=40)


def test_a_claim_expected_to_say_nothing_contradicts_itself_if_it_says_something():
    assert check(made(expected=Verdict.VACUOUS), samples=10).exit_code == 1
    assert check(made(expected=Verdict.VACUOUS, assumptions=(sp.Gt(x, 2),)), samples=10).exit_code == 0
