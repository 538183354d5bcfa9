"""Ways around the engine that were found by trying: proofs that do not run, boxes of other quantities, numbers that nobody tried."""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest
import sympy as sp
from flint import arb

import mdtheory as mdt
from mdtheory.claims import (
    Box,
    Claim,
    Interval,
    Proportions,
    Quantity,
    Source,
    Verdict,
    asymptotic,
    at_least,
    at_most,
    check,
    falsify,
    greater,
    less,
)
from mdtheory.claims.finding import library_claims
from mdtheory.claims.ledger import rerun
from mdtheory.claims.records import Report
from mdtheory.claims.wellformed import EXCLUSIVE
from mdtheory.command.main import main
from mdtheory.numerics.expressions import rational_ball, whole_power

x, y, n = sp.symbols("x y n")
q = sp.Symbol("q", real=True)


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


# ---------------------------------------------------------------------- proofs that do not run, or not to the end

DECLARED = 'PROVES = {"statement": {"conclusion": ("x + 1 >= 0",)}}\n'


def proved(tmp_path, text, **changes):
    (tmp_path / "proof.py").write_text(text)
    one = made(derivation=str(tmp_path / "proof.py"), expected=Verdict.PROVED, **changes)
    return check(one, level="symbolic").rows[0]


@pytest.mark.parametrize(
    "rest",
    [
        'print("[=] one step")\nimport sys\nsys.exit(0)\nassert 1 == 2\n',
        'print("[=] one step", flush=True)\nimport os\nos._exit(0)\nassert 1 == 2\n',
        'print("[=] one step")\nraise SystemExit\nassert 1 == 2\n',
        'print("[]")\n',
        'print("[   ~] 1.0 is about 1")\n',
        'print("[=] one step")\nassert 1 == 2\n',
    ],
)
def test_a_derivation_proves_nothing_that_it_leaves_before_or_does_not_say(tmp_path, rest):
    assert proved(tmp_path, DECLARED + rest).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "rest",
    [
        'print("[=] one step")\n',
        'def main():\n    print("[=] one step")\n\nif __name__ == "__main__":\n    raise SystemExit(main())\n',
        'import sys\nprint("[=] one step")\nsys.exit(0)\n',
    ],
)
def test_a_derivation_that_runs_to_its_end_proves_what_it_declares(tmp_path, rest):
    assert proved(tmp_path, DECLARED + rest).verdict is Verdict.PROVED


def test_assertions_of_a_derivation_are_made_whatever_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    row = proved(tmp_path, DECLARED + 'assert 1 == 2\nprint("[=] one step")\n')
    assert row.verdict is Verdict.UNDECIDED
    assert "fails" in row.summary


def test_a_derivation_of_what_draws_refute_proves_nothing(tmp_path):
    text = 'PROVES = {"statement": {"conclusion": ("x < 1",)}}\nprint("[=] one step")\n'
    row = proved(tmp_path, text, relations=(less(x, 1),))
    assert row.verdict is Verdict.UNDECIDED
    assert "the claim is false" in row.summary


def test_a_declaration_that_names_a_claim_twice_is_refused(tmp_path):
    twice = 'PROVES = {"statement": {"conclusion": ("x >= 5",)}, "statement": {"conclusion": ("x + 1 >= 0",)}}\n'
    assert "twice" in proved(tmp_path, twice + 'print("[=] one step")\n').summary


def test_what_a_claim_was_built_from_cannot_be_exchanged_afterwards():
    given = {x: Interval(0.0, 1.0)}
    one = made(variables=given)
    given[x] = Interval(-5.0, 1.0)
    assert one.variables[x] == Interval(0.0, 1.0)
    own = library_claims()["ufm-orthogonal-frame"]
    for name in ("variables", "quantities", "definitions"):
        with pytest.raises(TypeError):
            getattr(own, name)[sp.Symbol("z")] = 1
    with pytest.raises(TypeError):
        Box(sides={"x": ("0", "1")}).sides["x"] = ("0", "2")


# ---------------------------------------------------------------------- boxes


@pytest.mark.parametrize("elsewhere", ["5", "-5 +/- 0.1"])
def test_a_box_is_not_certified_by_another_quantity_than_the_points_have(elsewhere):
    other = Quantity(at=lambda x: arb(1) + arb(x), over=lambda x: arb(elsewhere))
    one = made(relations=(at_least(q, -9),), quantities={q: other}, box=Box(sides={"x": ("0", "1")}))
    report = check(one, samples=20)
    assert report.verdict is Verdict.ERROR
    assert "over balls" in report.rows[0].error


def test_a_box_is_certified_by_the_quantity_that_the_points_have():
    same = Quantity(at=lambda x: arb(1) + arb(x), over=lambda x: arb(1) + x)
    one = made(relations=(at_least(q, -9),), quantities={q: same}, box=Box(sides={"x": ("0", "1")}))
    assert check(one, samples=20).verdict is Verdict.CERTIFIED


# ---------------------------------------------------------------------- limits


def limit(left, right, rate, toward="zero", ends=(1e-2, 1e-1)):
    one = made(
        variables={x: Interval(*ends, log=True)}, relations=(asymptotic(left, right, x, rate=rate, toward=toward),)
    )
    return check(one, samples=40).verdict


def test_a_limit_that_is_off_by_a_little_is_refuted_far_down():
    assert limit(sp.sin(x), x, 2) is Verdict.SUPPORTED
    assert limit(sp.sin(x), (1 + sp.Rational(1, 10**9)) * x, 2) is Verdict.REFUTED
    assert limit(sp.atan(x), sp.pi / 2 - 1 / x, 1, "infinity", (10, 100)) is Verdict.SUPPORTED
    assert limit(sp.atan(x), sp.pi / 2 - 1 / x + sp.Rational(1, 10**9), 1, "infinity", (10, 100)) is Verdict.REFUTED


def test_a_slow_limit_needs_an_order_too():
    assert limit(2 * x, x, 0.2) is Verdict.REFUTED
    assert limit(x + x ** sp.Rational(6, 5), x, 0.2) is Verdict.SUPPORTED
    with pytest.raises(mdt.AssumptionError, match="rate"):
        asymptotic(2 * x, x, x, rate=0)


# ---------------------------------------------------------------------- numbers that must be tried

NINE = sp.symbols("a0:9")
UNIT = {a.name: (0, 1) for a in NINE}
SHARES = sp.symbols("p_1:4", positive=True)


@pytest.mark.parametrize(
    ("statement", "ranges"),
    [
        (sum(a if i in (0, 3, 4, 7) else 1 - a for i, a in enumerate(NINE)) < 9, UNIT),  # one corner of 512
        (sp.expand(sum((a - sp.Rational(i, 10)) ** 2 for i, a in enumerate(NINE))) > 0, UNIT),
        (sp.expand((x - sp.Rational(1234567, 10**7)) ** 2) > 0, {"x": (0, 1)}),
        (sp.expand((x - sp.Rational(41, 97)) ** 2) > 0, {"x": (0, 1)}),
        (
            sp.expand((x - sp.Rational(41, 97)) ** 2 * (x + 2) + (y - sp.Rational(5, 89)) ** 2) > 0,
            dict.fromkeys("xy", (0, 1)),
        ),
        ((SHARES[0] - sp.Rational(3, 5)) ** 2 + (SHARES[1] - sp.Rational(3, 10)) ** 2 > 0, {"p": Proportions(3)}),
        ((SHARES[0] - sp.Rational(7, 20)) ** 2 + (SHARES[1] - sp.Rational(2, 5)) ** 2 > 0, {"p": Proportions(3)}),
    ],
)
def test_a_formula_that_fails_at_one_point_only_is_refuted(statement, ranges):
    assert falsify(statement, ranges, samples=100).verdict is Verdict.REFUTED


def test_functions_are_tried_at_the_floats_next_to_thirds():
    assert falsify(lambda x: abs(x - 1 / 3) - 1e-12, {"x": (0, 1)}, samples=50).verdict is Verdict.REFUTED


def test_a_power_with_a_negative_exponent_leaves_the_whole_numbers():
    # 49**-1*49 is one, but not in doubles.
    assert (
        falsify(lambda n: -1 if n**-1 * n != 1 else 1, {"n": range(1, 100)}, samples=50).verdict is not Verdict.REFUTED
    )
    assert (
        falsify(lambda n: 50 - sum(k**2 for k in range(n)), {"n": range(1, 9)}, samples=50).verdict is Verdict.REFUTED
    )
    assert falsify(lambda n: 4**n - n * math.comb(2 * n, n), {"n": range(1, 30)}, samples=50).verdict is Verdict.REFUTED

    def lowered(n):
        n = -n
        return -1 if n**n * (-n) ** -n * math.comb(3, 2) != 3 else 1

    assert falsify(lowered, {"n": range(1, 50)}, samples=50).verdict is not Verdict.REFUTED

    def either(n):
        k = -1
        return -1 if n ** (k if n > 3 else 2) * n != (1 if n > 3 else n * n * n) * math.comb(2, 2) else 1

    assert falsify(either, {"n": range(1, 100)}, samples=50).verdict is not Verdict.REFUTED


# ---------------------------------------------------------------------- reports


@pytest.fixture(scope="module")
def certified():
    return json.loads(check("clusters-overlap-typical", samples=20).to_json())


def _told(change, certified):
    record = json.loads(json.dumps(certified))
    change(record["rows"][0])
    return rerun(Report.from_json(json.dumps(record)))


def _box_of(row):
    return next(e for e in row["evidence"] if e["checker"] == "certified")


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(statement="everything is true"),
        lambda row: row.update(title="Everything is true"),
        lambda row: row.update(source="papyan2020, Theorem 1"),
        lambda row: row.update(hypotheses=["cross-entropy"]),
        lambda row: row.update(expected="SUPPORTED"),
        lambda row: row.update(standing="undecided"),
        lambda row: _box_of(row)["details"].update(bits=3000),
        lambda row: _box_of(row)["details"].update(log=["noise"]),
        lambda row: _box_of(row).update(message="on all of it: 1 boxes"),
    ],
)
def test_a_report_that_says_more_of_a_claim_than_it_says_is_told(change, certified):
    assert _told(lambda row: None, certified) == []
    assert _told(change, certified)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: _box_of(row)["counts"].update(proved=0),
        lambda row: row["evidence"].append(dict(row["evidence"][0], checker="symbolic", verdict="UNDECIDED")),
        lambda row: row["evidence"].append(row["evidence"][0]),
    ],
)
def test_a_report_with_evidence_of_checks_that_are_not_made_is_refused(change, certified):
    with pytest.raises(mdt.AssumptionError, match="report"):
        _told(change, certified)


@pytest.mark.parametrize("exponent", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("ends", [(-1, 2), (-3, 1), (0, 1), (-1, 0)])
def test_whole_powers_of_balls_around_zero_contain_the_powers_of_their_numbers(exponent, ends):
    ball = whole_power(arb(ends[0]).union(arb(ends[1])), exponent)
    assert ball.is_finite()
    for k in range(101):
        inner = ends[0] + (ends[1] - ends[0]) * Fraction(k, 100)
        assert ball.contains(rational_ball(inner**exponent)) or ball.overlaps(rational_ball(inner**exponent))
    assert ball.rad() <= 3**exponent


def test_an_even_power_is_certified_on_both_sides_of_zero():
    one = made(
        variables={x: Interval(-1.0, 1.0)},
        relations=(greater(x**2 + sp.Rational(1, 100), 0),),
        box=Box(sides={"x": ("-1", "1")}, budget=500),
        expected=Verdict.CERTIFIED,
    )
    assert check(one, samples=20).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(evidence=[], verdict="PROVED"),
        lambda row: row.update(verdict="PROVED"),
        lambda row: row.update(standing="undecided"),
        lambda row: row.update(statement="everything is true"),
    ],
)
def test_resuming_keeps_no_row_that_says_more_than_its_evidence(change, tmp_path):
    path = tmp_path / "ledger.json"
    fresh = json.loads(check("clusters-overlap-typical", samples=20, json_file=path).to_json())
    change(fresh["rows"][0])
    path.write_text(json.dumps(fresh))
    row = check("clusters-overlap-typical", samples=20, json_file=path, resume=True).rows[0]
    assert (row.verdict, row.standing) == (Verdict.CERTIFIED, "as expected")
    assert row.statement == library_claims()["clusters-overlap-typical"].statement


def test_proportions_whose_entries_sympy_has_simplified_away_are_refused():
    entry = sp.Symbol("p_1", integer=True)
    with pytest.raises(mdt.AssumptionError, match="no entry"):
        made(variables={sp.Symbol("p"): Proportions(2)}, relations=(at_least(sp.sin(sp.pi * entry), 0),))


@pytest.mark.parametrize("group", EXCLUSIVE)
def test_hypotheses_that_exclude_each_other_are_refused(group):
    words = (Path(__file__).parents[2] / "derivations" / "README.md").read_text()
    for one, other in itertools.combinations(group, 2):
        with pytest.raises(mdt.AssumptionError, match="hypotheses"):
            made(hypotheses=("two classes", one, other))
    for word in group:
        assert f"| {word} |" in words
        made(hypotheses=("two classes", word))


# ---------------------------------------------------------------------- doubles inside a function

TENTHS = [0.1] * 10
THIRD = 1 / 3


@pytest.mark.parametrize(
    ("slack", "ranges"),
    [
        (lambda x: -abs(0.1 * 3 * x - 0.3 * x), {"x": (0.1, 4)}),  # Python multiplies before anybody sees it
        (lambda x: 0.3 - 0.1 - 0.2 + 0 * x, {"x": (0.1, 4)}),
        (lambda x: -abs(sum([0.1] * 10) - 1) + 0 * x, {"x": (0.1, 4)}),
        (lambda x: -abs(sum(TENTHS) - 1) + 0 * x, {"x": (0.1, 4)}),
        (lambda x: -abs((x ** (1 / 3)) ** 3 - x), {"x": (0.5, 3)}),
        (lambda x: -abs(3 * THIRD * x - x) - abs(0.1 * 3 - 0.3), {"x": (0.5, 3)}),
        (lambda n: -1.0 if (n / 49) * 49 != n else 1.0, {"n": range(1, 100)}),
        (lambda n: -1.0 if n * 0.1 * 10 != n else 1.0, {"n": range(1, 100)}),
    ],
)
def test_what_rounding_makes_of_constants_refutes_nothing(slack, ranges):
    assert falsify(slack, ranges, samples=60).verdict in (Verdict.SUPPORTED, Verdict.UNDECIDED)


@pytest.mark.parametrize(
    "slack",
    [
        lambda x: sum(TENTHS) - x,
        lambda x: THIRD * 3 - x,
        lambda x: 0.1 * 3 - x / 4,
        lambda x: (0.1, 0.9)[1] - x,
        lambda x: mpmath.mpf(0.9) - x * mpmath.sqrt(1),
    ],
)
def test_constants_of_a_function_refute_what_is_false(slack):
    assert falsify(slack, {"x": (0, 4)}, samples=60).verdict is Verdict.REFUTED


# ---------------------------------------------------------------------- what leaves in the middle


def test_a_file_or_a_quantity_that_leaves_does_not_end_the_check(tmp_path, capsys):
    leaving = tmp_path / "leaving.py"
    leaving.write_text("import sys\nsys.exit(0)\n")
    assert main(["check", str(leaving)]) == 2
    assert "SystemExit" in capsys.readouterr().err

    def at(x):
        raise SystemExit(0)

    one = made(quantities={q: Quantity(at=at)}, relations=(at_most(q, 5),))
    assert check(one, samples=5).verdict is Verdict.ERROR
    with pytest.raises(mdt.AssumptionError, match="SystemExit"):
        falsify(at, {"x": (0, 1)}, samples=5)
