"""The ledger: every claim of the library at every level, and the machinery on claims whose truth is plain."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from flint import arb, ctx

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
    asymptotic,
    at_least,
    at_most,
    check,
    equal,
    greater,
    less,
    positive_iff,
)
from mdtheory.claims.declarations import derivation_path
from mdtheory.claims.finding import library_claims
from mdtheory.claims.ledger import check_claim, rerun
from mdtheory.claims.mutants import attack, mutants
from mdtheory.claims.records import Report, Settings
from mdtheory.claims.testing import assert_as_expected, cases
from mdtheory.command.ledger_page import render, typeset
from mdtheory.command.main import main
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.expressions import compiled, interval, truth

x, y = sp.symbols("x y", positive=True)
n = sp.Symbol("n", integer=True, positive=True)


def claim(**changes):
    """``x^2 + 1 >= 2x``, or what is asked for."""
    fields = {
        "id": "square",
        "title": "a square",
        "statement": "$x^2 + 1 \\geq 2x$",
        "source": Source("this project"),
        "variables": {x: Interval(0.1, 10.0, log=True)},
        "relations": (at_least(x**2 + 1, 2 * x),),
        "expected": Verdict.SUPPORTED,
    }
    return Claim(**{**fields, **changes})


def verdict(one, **options):
    return check(one, **{"samples": 60, **options}).verdict


# ---------------------------------------------------------------------- the library

LIBRARY = library_claims()


@pytest.mark.parametrize(("one", "level"), cases(quick=True))
def test_claim_of_the_library_gets_its_verdict(one, level):
    assert_as_expected(one, level)


@pytest.mark.parametrize("claim_id", LIBRARY)
def test_library_is_well_kept(claim_id):
    one = LIBRARY[claim_id]
    assert one.title[0].isupper() or one.title[0].isdigit()
    assert one.derivation is None or derivation_path(one.derivation) is not None
    assert "<code>" not in typeset(one.statement), "the statement cannot be typeset"
    if one.expected is Verdict.REFUTED:
        assert one.counterexample is not None
    if one.equivalent:
        named = set(one.equivalent) - {m.name for m in mutants(one)}
        assert not named, "mutants declared equivalent that do not exist"
    for mentioned in re.findall(r"\b[a-z0-9]+(?:-[a-z0-9]+){2,}\b", one.notes):
        assert mentioned in LIBRARY or not mentioned.startswith(("ordering", "collapse")), mentioned


def test_every_citation_key_has_its_reference():
    listed = (Path(__file__).parents[2] / "docs" / "references.md").read_text()
    cited = {one.source.key for one in LIBRARY.values()} - {"this project"}
    for one in LIBRARY.values():  # others are named in locators
        cited |= set(re.findall(r"\b[a-z]+(?:19|20)\d\d\b", one.source.locator))
    assert {key for key in cited if f"**{key}**" not in listed} == set()
    assert set(re.findall(r"\*\*(\w+)\*\*", listed)) <= cited


def test_the_library_is_large_enough_and_certifies_boxes():
    assert len(LIBRARY) >= 40
    assert sum(c.expected is Verdict.CERTIFIED and c.box is not None for c in LIBRARY.values()) >= 12


# ---------------------------------------------------------------------- verdicts


def test_a_true_inequality_is_supported_and_not_more():
    report = check(claim(), samples=50)
    assert report.verdict is Verdict.SUPPORTED
    assert report.passed


def test_a_false_claim_is_refuted_with_a_verified_simple_point():
    report = check(claim(relations=(at_least(x**2 + 1, 3 * x),)), samples=50)
    assert report.verdict is Verdict.REFUTED
    assert report.exit_code == 1
    at = report.counterexample["x"]
    assert at**2 + 1 < 3 * at
    assert len(repr(at)) <= 5


def test_a_violation_in_a_narrow_place_is_found_by_the_search():
    spike = (x - sp.Rational(31, 10)) ** 2 - sp.Rational(1, 10**7)
    report = check(claim(relations=(at_least(spike, 0),)), samples=200)
    assert report.verdict is Verdict.REFUTED


def test_contradictory_assumptions_are_vacuous():
    report = check(claim(assumptions=(sp.Lt(x, 1), sp.Gt(x, 2))), samples=20)
    assert report.verdict is Verdict.VACUOUS
    assert not report.passed
    assert report.exit_code == 3


def test_a_checker_that_raises_is_an_error_row_with_its_traceback():
    def broken(x):
        raise RuntimeError("broken quantity")

    q = sp.Symbol("q")
    report = check(claim(quantities={q: Quantity(at=broken)}, relations=(at_least(q, 0),)), samples=5)
    assert report.verdict is Verdict.ERROR
    assert "broken quantity" in report.rows[0].error
    assert "broken quantity" in json.loads(report.to_json())["rows"][0]["error"]
    assert report.exit_code == 3


def test_an_undefined_quantity_is_unknown_not_true():
    def undefined(x):
        raise mdt.AssumptionError("x: nowhere defined")

    q = sp.Symbol("q")
    report = check(claim(quantities={q: Quantity(at=undefined)}, relations=(at_least(q, 0),)), samples=5)
    assert report.verdict is Verdict.UNDECIDED


def test_a_wide_ball_is_unknown():
    q = sp.Symbol("q")
    wide = claim(quantities={q: Quantity(at=lambda x: arb("1 +/- 0.1"))}, relations=(equal(q, 1),))
    report = check(wide, samples=5)
    assert report.verdict is Verdict.UNDECIDED
    counts = report.rows[0].evidence[0].counts
    assert counts["true"] == 0
    assert counts["unknown"] >= 5


def test_an_equality_fails_where_the_balls_exclude_it_however_close():
    q = sp.Symbol("q")
    close = claim(quantities={q: Quantity(at=lambda x: arb(x) * (1 + arb(2) ** -60))}, relations=(equal(q, x),))
    assert verdict(close) is Verdict.REFUTED


@pytest.mark.parametrize(
    ("relations", "expected"),
    [
        ((equal((x + 1) ** 2, x**2 + 2 * x + 1),), Verdict.PROVED),
        ((greater(x + 1 / x, 0),), Verdict.PROVED),
        ((at_least((x - 1) ** 2, 0),), Verdict.PROVED),
        ((less(-x, 0), at_most(-(x**2), 0)), Verdict.PROVED),
    ],
)
def test_sympy_proves_what_is_evident(relations, expected):
    proved = claim(relations=relations, symbolic=True, expected=Verdict.PROVED)
    assert verdict(proved) is expected
    assert verdict(proved, level="symbolic") is expected


def test_sympy_does_not_prove_what_is_false():
    wrong = claim(relations=(equal((x + 1) ** 2, x**2 + 3 * x + 1),), symbolic=True, expected=Verdict.PROVED)
    assert verdict(wrong, level="symbolic") is Verdict.UNDECIDED


PROOF = """'''Squares.'''
PROVES = {'square': {'assumptions': ('x > 0',), 'conclusion': ('x**2 + 1 >= 2*x',)}}
"""


@pytest.mark.parametrize(
    ("content", "outcome", "said"),
    [
        (PROOF + "print('[=] x^2 + 1 - 2x = (x - 1)^2')", Verdict.PROVED, "1 steps"),
        (PROOF + "raise SystemExit('not established')", Verdict.UNDECIDED, "not established"),
        (PROOF + "print('[   ~] looks true')", Verdict.UNDECIDED, "checks nothing"),
        (PROOF.replace("'square'", "'circle'") + "print('[=] true')", Verdict.UNDECIDED, "does not say"),
        ("print('[=] true')", Verdict.UNDECIDED, "does not say"),
        (None, Verdict.UNDECIDED, "not there"),
    ],
)
def test_a_derivation_proves_what_it_names_and_establishes(content, outcome, said, tmp_path):
    if content is not None:
        (tmp_path / "proof.py").write_text(content)
    report = check(claim(derivation=str(tmp_path / "proof.py"), expected=Verdict.PROVED), level="symbolic")
    assert report.verdict is outcome
    assert said in report.rows[0].summary


def test_a_derivation_lies_beside_the_file_of_its_claim(user_file):
    text = USER_FILE.replace("expected=Verdict.CERTIFIED", "derivation='proof.py', expected=Verdict.PROVED")
    user_file.write_text(text)
    (user_file.parent / "proof.py").write_text(
        PROOF.replace("square", "mine").replace("x**2 + 1 >= 2*x", "x + 1 > 1") + "print('[=] true')"
    )
    assert check(user_file, level="symbolic").verdict is Verdict.PROVED


def test_an_undecided_check_shows_beside_a_proof():
    proved = claim(
        relations=(equal((x + 1) ** 2, x**2 + 2 * x + 1),),
        symbolic=True,
        expected=Verdict.PROVED,
        box=Box(sides={"x": ("0.1", "1")}, decide=lambda x: None, budget=10),
    )
    row = check(proved, samples=5).rows[0]
    assert row.verdict is Verdict.PROVED
    assert "but certified checks are undecided" in row.summary


def test_a_threshold_is_checked_on_both_sides():
    sharp = claim(relations=(positive_iff(x**2 - 2, x - sp.sqrt(2)),))
    assert verdict(sharp) is Verdict.SUPPORTED
    off = claim(relations=(positive_iff(x**2 - 2, x - sp.Rational(3, 2)),))
    assert verdict(off) is Verdict.REFUTED


def test_asymptotics_are_checked_by_their_rate():
    limit = claim(variables={x: Interval(1e-6, 1e-2, log=True)}, relations=(asymptotic(sp.sin(x), x, x, rate=2),))
    assert verdict(limit) is Verdict.SUPPORTED
    wrong = claim(variables={x: Interval(1e-6, 1e-2, log=True)}, relations=(asymptotic(sp.sin(x), 2 * x, x, rate=2),))
    assert verdict(wrong) is Verdict.REFUTED
    faster = claim(variables={x: Interval(1e-6, 1e-2, log=True)}, relations=(asymptotic(sp.sin(x), x, x, rate=4),))
    assert verdict(faster) is Verdict.REFUTED
    far = asymptotic(x / (x + 1), 1, x, rate=1, toward="infinity")
    assert verdict(claim(variables={x: Interval(1e2, 1e6, log=True)}, relations=(far,))) is Verdict.SUPPORTED


def test_a_known_counterexample_refutes_without_a_draw():
    wrong = claim(relations=(at_least(x, 1),), counterexample={"x": 0.5}, expected=Verdict.REFUTED)
    report = check(wrong, level="symbolic")
    assert report.verdict is Verdict.REFUTED
    assert report.passed


def test_a_true_statement_listed_as_false_does_not_pass():
    report = check(claim(expected=Verdict.REFUTED, counterexample={"x": 2.0}), samples=20)
    assert not report.passed


def test_an_existence_claim_stands_or_falls_with_its_witness():
    good = claim(relations=(less(x**2, x),), existence=True, counterexample={"x": 0.5}, expected=Verdict.CERTIFIED)
    assert verdict(good) is Verdict.CERTIFIED
    bad = claim(relations=(less(x**2, x),), existence=True, counterexample={"x": 1.5}, expected=Verdict.CERTIFIED)
    assert verdict(bad) is Verdict.REFUTED


def test_neither_sides_that_agree_nor_estimated_errors_make_a_witness_a_proof():
    at = {"existence": True, "counterexample": {"x": 0.5}, "expected": Verdict.CERTIFIED}
    assert verdict(claim(relations=(equal(sp.sqrt(x) ** 2 + 1, x + 1),), **at)) is not Verdict.CERTIFIED
    rough = Quantity(at=lambda x: arb(x, 1e-3), rigorous=False)
    assert verdict(claim(quantities={y: rough}, relations=(less(y, 1),), **at)) is Verdict.SUPPORTED


def test_a_refutation_says_whose_error_is_estimated():
    rough = Quantity(at=lambda x: arb(x, 1e-3), rigorous=False)
    report = check(claim(quantities={y: rough}, relations=(greater(y, 20),)), samples=20)
    assert "error of y is an estimate" in report.rows[0].summary


def test_entries_of_proportions_have_symbols_of_their_own():
    pi = sp.Symbol("pi")
    parts = sp.symbols("pi_1:4", positive=True)
    sums = claim(variables={pi: Proportions(3)}, relations=(at_least(sum(p**2 for p in parts), sp.Rational(1, 4)),))
    assert verdict(sums) is Verdict.SUPPORTED
    tight = claim(variables={pi: Proportions(3)}, relations=(at_least(sum(p**2 for p in parts), sp.Rational(2, 5)),))
    assert verdict(tight) is Verdict.REFUTED


# ---------------------------------------------------------------------- branch and bound


def boxed(relation, low, high, **options):
    box = Box(sides={"x": (low, high)}, **options)
    return claim(relations=(relation,), expected=Verdict.CERTIFIED, box=box)


def test_a_box_is_certified_as_a_whole():
    report = check(boxed(greater(x**2 - x + sp.Rational(26, 100), 0), "0.1", "10"), samples=20)
    assert report.verdict is Verdict.CERTIFIED
    assert report.rows[0].evidence[-1].counts["boxes"] > 1


def test_a_box_with_one_bad_point_is_not_certified():
    touching = boxed(greater((x - 1) ** 2, 0), "0.5", "2", budget=2000)
    report = check(touching, samples=20)
    assert report.rows[0].evidence[-1].verdict is not Verdict.CERTIFIED


def test_a_box_where_the_claim_fails_is_refuted_by_balls():
    report = check(boxed(greater(x - 1, 0), "0.1", "10"), samples=1)
    assert report.rows[0].evidence[-1].verdict is Verdict.REFUTED


def test_a_box_proves_no_equality_by_itself():
    report = check(boxed(equal(sp.exp(sp.log(x)), x), "0.1", "1"), samples=1)
    assert report.verdict is Verdict.ERROR
    assert "prove no equality" in report.rows[0].error


def test_a_box_outside_the_assumptions_is_vacuous():
    outside = claim(
        relations=(greater(x, 5),),
        assumptions=(sp.Gt(x, 6),),
        expected=Verdict.CERTIFIED,
        box=Box(sides={"x": ("1", "2")}),
    )
    assert check(outside, samples=10).rows[0].evidence[-1].verdict is Verdict.VACUOUS


def test_decimal_sides_are_the_decimals_and_not_their_binary_neighbours():
    # 0.1 as a double is larger than 1/10: a box that starts at the decimal must contain the decimal.
    with precision(128):
        assert interval("0.1", "0.2").contains(arb(1) / 10)
        assert not arb(0.1).contains(arb(1) / 10)
    at_edge = boxed(greater(x, sp.Rational(1, 10)), "0.1", "1", budget=500)
    assert check(at_edge, samples=5).rows[0].evidence[-1].verdict is not Verdict.CERTIFIED


def test_listed_integers_are_all_tried():
    small = claim(
        variables={n: Integers(2, 9)},
        relations=(less(n, 9),),
        expected=Verdict.CERTIFIED,
        box=Box(sides={"n": tuple(range(2, 10))}),
    )
    assert check(small, samples=1).rows[0].evidence[-1].verdict is Verdict.REFUTED


def test_quick_runs_leave_out_slow_boxes():
    slow = boxed(greater(x + 1, 0), "0.1", "10", slow=True)
    report = check(slow, samples=10, quick=True)
    assert [e.checker for e in report.rows[0].evidence] == ["sampled"]
    assert report.passed


# ---------------------------------------------------------------------- mutants


def outcomes(one):
    return {m.name: m.outcome for m in attack(one)}


def test_mutants_of_a_sharp_claim_are_refuted():
    kinds = {m.kind for m in mutants(claim(variables={x: Interval(0.1, 10.0), y: Interval(0.1, 10.0)}))}
    assert {"constant nudged", "term dropped", "inequality flipped"} <= kinds
    tight = claim(relations=(equal(sp.sqrt(x) ** 4 / 2 + x, x**2 / 2 + x),))
    assert set(outcomes(tight).values()) == {"refuted"}


def test_each_kind_of_mutant_is_made():
    wd, fd = sp.symbols("weight_decay feature_decay", positive=True)
    rich = claim(
        variables={wd: Interval(0.1, 1), fd: Interval(0.1, 1), n: Integers(2, 5)},
        relations=(greater(n * wd**2 + sp.sqrt(fd) + sp.Rational(1, 2), fd / 2),),
        assumptions=(sp.Lt(wd, 1),),
    )
    assert {m.kind for m in mutants(rich)} == {
        *("constant nudged", "integer shifted", "half dropped", "term dropped"),
        *("square root dropped", "inequality flipped", "decays swapped", "assumption removed"),
    }


def test_a_removed_assumption_measures_sharpness():
    sharp = claim(relations=(greater(x, 1),), assumptions=(sp.Gt(x, 1),))
    assert outcomes(sharp)["assumption-removed-1"] == "sharp"
    idle = claim(relations=(greater(x, -1),), assumptions=(sp.Gt(x, 1),))
    assert outcomes(idle)["assumption-removed-1"] == "not known sharp"


def test_an_equivalent_mutant_is_not_counted_as_refuted():
    wd, fd = sp.symbols("weight_decay feature_decay", positive=True)
    symmetric = claim(
        variables={wd: Interval(0.1, 1), fd: Interval(0.1, 1)}, relations=(equal(wd * fd + fd - fd, wd * fd),)
    )
    assert all(m.kind != "decays swapped" or m.outcome == "equivalent" for m in attack(symmetric))


def test_a_loose_inequality_leaves_survivors_with_a_reason():
    loose = claim(relations=(at_least(x + 100, 1),))
    survivors = [m for m in attack(loose) if m.outcome == "survivor"]
    assert survivors
    assert all("slack" in m.reason for m in survivors)


def test_the_rate_is_printed_and_decides():
    report = check(claim(relations=(at_least(x + 100, 1),)), samples=10, mutants=True)
    assert "mutants:" in str(report)
    assert report.exit_code == 3


# ---------------------------------------------------------------------- in a test suite


def test_a_test_case_fails_with_the_counterexample():
    with pytest.raises(AssertionError, match="fails at x = "):
        assert_as_expected(claim(relations=(at_least(x, 1),)), "sampled")


def test_a_test_case_of_a_broken_checker_shows_its_traceback():
    q = sp.Symbol("q")
    broken = claim(quantities={q: Quantity(at=lambda x: x + "one")}, relations=(at_least(q, 0),))
    with pytest.raises(AssertionError, match="Traceback"):
        assert_as_expected(broken, "sampled")


# ---------------------------------------------------------------------- domains


@pytest.mark.parametrize(
    "domain", [Interval(0.0, 1.0), Interval(1e-6, 1.0, log=True), Integers(2, 50), Proportions(4), Interval(3.0, 3.0)]
)
def test_domains_draw_move_and_shrink_inside(domain):
    rng = np.random.default_rng(0)
    for _ in range(300):
        value = domain.draw(rng)
        assert domain.contains(value)
        assert domain.contains(domain.step(value, 0.3, rng))
        assert all(domain.contains(other) for other in domain.simpler(value))


def test_draws_favour_edges():
    rng = np.random.default_rng(0)
    draws = [Interval(0.0, 1.0).draw(rng) for _ in range(2000)]
    assert 0.05 < np.mean([v in (0.0, 1.0) for v in draws]) < 0.3


# ---------------------------------------------------------------------- balls


@pytest.mark.parametrize(
    "expression",
    [sp.exp(-x) / (1 + sp.sqrt(x)), sp.log(x) ** 3 - x ** sp.Rational(1, 3), sp.Max(x, 1 / x) * sp.pi, sp.Abs(1 - x)],
)
def test_balls_contain_the_value_of_the_expression(expression):
    with precision(128):
        for value in (0.3, 1.0, 2.5):
            ball = compiled(expression)({"x": arb(value)})
            exact = sp.N(expression.subs(x, sp.Rational(value)), 50)
            assert ball.overlaps(arb(str(exact)))
            wide = compiled(expression)({"x": arb(value).union(arb(value + 0.1))})
            assert wide.contains(ball)


def test_a_piecewise_expression_over_a_ball_covers_its_branches():
    step = sp.Piecewise((0, x < 1), (x, True))
    ball = compiled(step)({"x": arb(1).union(arb(2)) - arb("0.5")})
    assert ball.contains(0)
    assert ball.contains(arb("1.4"))


def test_unknown_comparisons_are_unknown():
    ball = arb("1 +/- 0.1")
    assert truth(sp.Gt(x, 1), {"x": ball}) is None
    assert truth(sp.And(sp.Gt(x, 0), sp.Gt(x, 1)), {"x": ball}) is None
    assert truth(sp.Or(sp.Gt(x, 0), sp.Gt(x, 1)), {"x": ball}) is True
    assert truth(sp.Not(sp.Gt(x, 2)), {"x": ball}) is True


def test_precision_is_restored():
    before = ctx.prec
    check(claim(), samples=5)
    assert ctx.prec == before


# ---------------------------------------------------------------------- reports, files, command line


def test_a_report_survives_json():
    report = check(claim(), claim(id="other", relations=(at_least(x, 1),)), samples=20, mutants=True)
    again = Report.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert [r.verdict for r in again.rows] == [r.verdict for r in report.rows]
    assert again.rows[1].counterexample == report.rows[1].counterexample


def test_the_same_seed_gives_the_same_rows():
    one, two = (check(claim(), samples=30, seed=4).rows[0] for _ in range(2))
    assert [e.where for e in one.evidence] == [e.where for e in two.evidence]


def test_the_page_is_self_contained_and_typeset():
    report = check(claim(), samples=10)
    page = render(report)
    assert "data:image/svg+xml;base64," in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "a square" in page
    assert typeset(r"plain $\nonsense{$ text").count("<code>") == 1


USER_FILE = """
import sympy as sp
from mdtheory.claims import Box, Claim, Interval, Source, Verdict, greater
x = sp.Symbol("x", positive=True)
MINE = Claim(id="mine", title="mine", statement="$x>0$", source=Source("me"), variables={x: Interval(0.1, 1.0)},
             relations=(greater(x + 1, 1),), expected=Verdict.CERTIFIED, box=Box(sides={"x": ("0.1", "1")}))
"""


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "my_claims.py"
    path.write_text(USER_FILE)
    return path


def test_a_file_of_ones_own_is_checked(user_file, capsys):
    assert main(["check", str(user_file), "--samples", "20"]) == 0
    out = capsys.readouterr()
    assert "mine  CERTIFIED" in out.out
    assert "1/1 mine" in out.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = (\n", "syntax error"),
        ("y = 1\n", "defines no claim"),
        (USER_FILE + "import dataclasses\nTWICE = dataclasses.replace(MINE, title='again')\n", "given twice"),
        (USER_FILE.replace("x + 1, 1", "x + z, 1").replace("x = sp", "z = sp.Symbol('z')\nx = sp"), "'z'"),
        (USER_FILE.replace("import sympy", "import not_there, sympy"), "not_there"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_2(content, message, tmp_path, capsys):
    path = tmp_path / "bad.py"
    path.write_text(content)
    assert main(["check", str(path)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [["check"], ["check", "x", "--resume"], ["check", "no-such-claim"], ["check", "--all", "x"], ["check", "a.py"]],
)
def test_usage_errors_are_exit_code_2(line, capsys):
    assert main(line) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_options_out_of_their_domain_are_named():
    for options, name in (({"samples": 0}, "samples"), ({"jobs": 0}, "jobs"), ({"level": "high"}, "level")):
        with pytest.raises(mdt.AssumptionError, match=name):
            check(claim(), **options)


def test_certified_rows_can_be_rerun_from_json(user_file, tmp_path, capsys):
    stored = tmp_path / "report.json"
    assert main(["check", str(user_file), "--samples", "5", "--json", str(stored)]) == 0
    assert main(["check", "--rerun", str(stored)]) == 0
    assert "holds again" in capsys.readouterr().out
    wider = json.loads(stored.read_text())
    wider["rows"][0]["evidence"][-1]["details"]["box"]["x"] = ["0.1", "2"]
    assert rerun(Report.from_json(json.dumps(wider))) == ["mine: the stored box is not the claim's"]
    false = json.loads(stored.read_text())
    false["rows"][0]["evidence"][-1]["details"]["box"]["x"] = ["-1", "1"]
    assert any("REFUTED" in line or "UNDECIDED" in line for line in rerun(Report.from_json(json.dumps(false))))
    user_file.write_text(USER_FILE.replace("greater(x + 1, 1)", "greater(x + 2, 1)"))
    assert rerun(Report.from_json(stored.read_text())) == ["mine: the claim is no longer the one that was checked"]


def test_a_path_with_spaces_can_be_rerun(tmp_path):
    folder = tmp_path / "my claims"
    folder.mkdir()
    path = folder / "of mine.py"
    path.write_text(USER_FILE)
    report = check(path, samples=5)
    assert report.rows[0].origin == str(path)
    assert rerun(report) == []


def test_finished_rows_are_kept_and_resumed(user_file, tmp_path, monkeypatch):
    from mdtheory.claims import ledger

    stored = tmp_path / "report.json"
    second = tmp_path / "second.py"
    second.write_text(USER_FILE.replace('"mine"', '"yours"'))
    calls = []
    original = ledger.check_claim

    def interrupted(one, settings, *rest):
        if calls:
            raise KeyboardInterrupt
        calls.append(one.id)
        return original(one, settings, *rest)

    monkeypatch.setattr(ledger, "check_claim", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check(user_file, second, samples=5, json_file=stored)
    assert [r.id for r in Report.from_json(stored.read_text()).rows] == ["mine"]

    def counted(one, settings, *rest):
        calls.append(one.id)
        return original(one, settings, *rest)

    monkeypatch.setattr(ledger, "check_claim", counted)
    report = check(user_file, second, samples=5, json_file=stored, resume=True)
    assert [r.id for r in report.rows] == ["mine", "yours"]
    assert calls == ["mine", "yours"]
    user_file.write_text(USER_FILE + "# another thought\n")
    check(user_file, second, samples=5, json_file=stored, resume=True)
    assert calls == ["mine", "yours", "mine", "yours"]


def test_processes_give_the_same_rows(user_file, tmp_path):
    second = tmp_path / "second.py"
    second.write_text(USER_FILE.replace('"mine"', '"yours"'))
    one = check(user_file, second, samples=20)
    two = check(user_file, second, samples=20, jobs=2)
    assert [(r.id, r.verdict, r.evidence[0].where) for r in one.rows] == [
        (r.id, r.verdict, r.evidence[0].where) for r in two.rows
    ]


def test_claims_lists_the_library(capsys):
    assert main(["claims"]) == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert sorted(line.split()[0] for line in listed) == sorted(LIBRARY)
    assert main(["claims", "--json"]) == 0
    assert {record["id"] for record in json.loads(capsys.readouterr().out)} == set(LIBRARY)


def test_claims_are_grouped_by_topic(capsys):
    assert main(["claims", "--topic", "deep"]) == 0
    title, *listed = capsys.readouterr().out.splitlines()
    assert title.startswith("deep: ")
    assert listed
    assert all(line.split()[0].startswith("deep-") for line in listed)
    assert main(["claims", "--topic", "depth"]) == 2
    assert re.fullmatch(r"mdtheory: error: --topic depth: must be one of .*\bdeep\b.*\n", capsys.readouterr().err)


def test_the_ledger_groups_by_topic():
    report = check("deep-collapse-beaten", "test-error-ball", "deep-linear-threshold", level="symbolic")
    page = render(report)
    parts = page.split("<h2>")
    assert len(parts) == 3
    assert [re.findall(r'class="claim" id="([^"]+)"', part) for part in parts[1:]] == [
        ["deep-collapse-beaten", "deep-linear-threshold"],
        ["test-error-ball"],
    ]
    assert "<h2>Claims of your own</h2>" in render(check(claim(), samples=10))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Not An Id"}, "id"),
        ({"relations": ()}, "relation"),
        ({"relations": (at_least(y, 0),)}, "y"),
        ({"expected": Verdict.PROVED}, "derivation"),
        ({"expected": Verdict.CERTIFIED}, "box"),
    ],
)
def test_a_claim_that_cannot_be_checked_is_refused(changes, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        claim(**changes)


def test_targets_are_capped_by_the_level():
    proved = claim(relations=(equal(x + x, 2 * x),), symbolic=True, expected=Verdict.PROVED)
    row = check_claim(proved, Settings(level="sampled", samples=10))
    assert (row.verdict, row.target, row.standing) == (Verdict.SUPPORTED, Verdict.SUPPORTED, "as expected")
