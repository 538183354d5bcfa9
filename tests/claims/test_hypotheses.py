"""A proof stands behind the statement it was written for, and behind no other."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp
from flint import arb

from mdtheory.claims import (
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
    library,
)
from mdtheory.claims.declarations import declarations, derivation_path, shortfall
from mdtheory.claims.finding import library_claims
from mdtheory.claims.mutants import mutants
from mdtheory.claims.symbolic import another_statement, check_symbolic

FOLDER = Path(__file__).parents[2] / "derivations"
DERIVED = {name: one for name, one in library_claims().items() if one.derivation is not None}

x, y = sp.symbols("x y", real=True)
wide = sp.Symbol("wide")


def declared(one):
    return declarations(derivation_path(one.derivation))[one.id]


def reason(one):
    """Why the derivation of a claim does not prove it; None if it does, once it runs."""
    return another_statement(one, one.derivation, derivation_path(one.derivation))


def widened(symbol, domain):
    """More values, as far as the symbol may have them."""
    if isinstance(domain, Interval):
        return (
            Interval(domain.low, domain.high + 1) if not symbol.is_negative else Interval(domain.low - 1, domain.high)
        )
    if isinstance(domain, Integers):
        return Integers(domain.low, domain.high + 1)
    return Proportions(domain.size, domain.smallest / 2)


def scaled(relation, factor):
    return relation.with_sides(factor * relation.left + (factor - 1), relation.right)


def turned(relation):
    opposite = {">=": "<=", "<=": ">=", ">": "<", "<": ">", "==": ">", "iff-positive": "=="}
    if relation.operator == "~":
        return replace(relation, rate=relation.rate + 1)
    return replace(relation, operator=opposite[relation.operator])


def attacks(one):
    """Claims that say more than this one, or something else, under its id and with its derivation."""
    for word in one.hypotheses:
        yield f"without {word}", replace(one, hypotheses=tuple(w for w in one.hypotheses if w != word))
    for i, assumption in enumerate(one.assumptions):
        yield f"without {assumption}", replace(one, assumptions=(*one.assumptions[:i], *one.assumptions[i + 1 :]))
    for i, relation in enumerate(one.relations):
        for name, other in (
            ("turned", turned(relation)),
            ("scaled", scaled(relation, sp.Rational(21, 20))),
            ("exchanged", relation.with_sides(relation.right, relation.left)),
        ):
            if relation.operator != "iff-positive" or name != "exchanged":
                yield (
                    f"relation {i} {name}",
                    replace(one, relations=(*one.relations[:i], other, *one.relations[i + 1 :])),
                )
    yield "one more relation", replace(one, relations=(*one.relations, at_least(0, 1)))
    for symbol, domain in one.variables.items():
        yield f"more {symbol}", replace(one, variables={**one.variables, symbol: widened(symbol, domain)})
    for symbol, quantity in one.quantities.items():
        other = replace(quantity, at=lambda **point: arb(1))
        yield f"other {symbol}", replace(one, quantities={**one.quantities, symbol: other})
    for symbol, meaning in one.definitions.items():
        yield f"redefined {symbol}", replace(one, definitions={**one.definitions, symbol: 2 * meaning + 1})
    yield "another statement", replace(one, statement="$1 = 2$")


@pytest.mark.parametrize("claim_id", DERIVED)
def test_a_claim_of_the_library_loses_its_proof_with_anything_changed(claim_id):
    one = DERIVED[claim_id]
    assert reason(one) is None
    for what, other in attacks(one):
        assert reason(other), what
        assert "\n" not in reason(other)
        assert len(reason(other)) < 300


@pytest.mark.slow
@pytest.mark.parametrize("claim_id", DERIVED)
def test_no_mutant_keeps_the_proof(claim_id):
    one = DERIVED[claim_id]
    for mutant in mutants(one):
        assert reason(replace(one, relations=mutant.relations, assumptions=mutant.assumptions)), mutant.name


@pytest.mark.parametrize("claim_id", DERIVED)
def test_the_declaration_alone_covers_no_changed_statement(claim_id):
    """Without the comparison with the library: a claim there that loses a hypothesis does not keep its proof either."""
    one = DERIVED[claim_id]
    assert shortfall(one, declared(one)) is None
    for what, other in attacks(one):
        if what.startswith(("without", "relation", "one more", "redefined")):
            assert shortfall(other, declared(one)) is not None, what


@pytest.mark.parametrize("claim_id", DERIVED)
def test_no_other_claim_borrows_the_proof(claim_id):
    one = DERIVED[claim_id]
    assert reason(replace(one, id="borrowed"))
    other = next(c for c in DERIVED.values() if c.derivation != one.derivation)
    assert reason(replace(one, derivation=other.derivation))


@pytest.mark.parametrize("claim_id", ["constraint-tight", "margin-hinge"])
def test_the_verdict_follows(claim_id):
    one = DERIVED[claim_id]
    assert check_symbolic(one).verdict is Verdict.PROVED
    for what, other in attacks(one):
        assert check_symbolic(other).verdict in (Verdict.UNDECIDED, Verdict.VACUOUS), what


def test_assuming_more_keeps_the_proof():
    one = DERIVED["md-lower-bound"]
    symbol, domain = next((s, d) for s, d in one.variables.items() if isinstance(d, Interval))
    narrower = {**one.variables, symbol: replace(domain, high=domain.low)}
    more = replace(one, variables=narrower, assumptions=(*one.assumptions, sp.Gt(symbol, 0, evaluate=False)))
    assert check_symbolic(replace(more, hypotheses=(*one.hypotheses, "two classes"))).verdict is Verdict.PROVED


def test_derivations_declare_what_the_ledger_cites_and_nothing_else():
    cited = {}
    for one in DERIVED.values():
        cited.setdefault(derivation_path(one.derivation).name, set()).add(one.id)
    stated = {path.name: set(declarations(path)) for path in FOLDER.glob("[!_]*.py")}
    assert {name: ids for name, ids in stated.items() if ids} == cited


def test_every_hypothesis_is_in_the_vocabulary():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = text.partition("| word | what it says |\n|---|---|\n")[2]
    words = set(re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE))
    used = {w for one in library_claims().values() for w in one.hypotheses}
    used |= {w for path in FOLDER.glob("[!_]*.py") for d in declarations(path).values() for w in d.hypotheses}
    assert used == words


def test_every_declaration_says_what_each_quantity_means():
    for one in DERIVED.values():
        meanings = declared(one).quantities
        assert set(meanings) <= {q.name for q in one.quantities}, one.id
        assert all(len(text) > 3 for text in meanings.values()), one.id


# ---------------------------------------------------------------------- a derivation of one's own


HEAD = "print('[=] a step')\n"


def own_claim(tmp_path, proves, **changes):
    """``y >= 2x`` with a derivation that declares so."""
    path = tmp_path / "proof.py"
    path.write_text(HEAD + proves)
    fields = {
        "id": "my-claim",
        "title": "mine",
        "statement": "$y \\geq 2x$",
        "source": Source("me"),
        "variables": {x: Interval(0.5, 1.0)},
        "quantities": {y: Quantity(at=lambda x: 3 * arb(x))},
        "relations": (at_least(y, 2 * x),),
        "assumptions": (sp.Lt(x, y),),
        "hypotheses": ("my setting",),
        "expected": Verdict.PROVED,
        "derivation": str(path),
    }
    return Claim(**{**fields, **changes})


MINE = """PROVES = {"my-claim": {"hypotheses": ("my setting",), "assumptions": ("x > 0", "y > x", "x != 2"),
    "definitions": {"double": "2*x"}, "conclusion": ("y >= double", "y > x"), "quantities": {"y": "three times x"}}}
"""


def test_a_declaration_of_ones_own_proves_what_it_declares(tmp_path):
    assert check(own_claim(tmp_path, MINE), level="symbolic").verdict is Verdict.PROVED


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hypotheses": ()}, "drops the hypothesis 'my setting'"),
        ({"assumptions": ()}, "does not assume y > x"),
        ({"assumptions": (sp.Le(x, y),)}, "does not assume y > x"),
        ({"variables": {x: Interval(0.0, 1.0)}}, "does not assume x > 0"),
        ({"variables": {x: Interval(0.5, 2.0)}}, "does not assume x != 2"),
        ({"relations": (greater(y, 2 * x),)}, "does not conclude relation 1"),
        ({"relations": (at_least(y, 2 * x), at_most(y, 2 * x))}, "does not conclude relation 2"),
        ({"relations": (at_least(y, sp.Float(2.0000001) * x),)}, "does not conclude relation 1"),
        ({"relations": (at_least(y, 2 * x), at_least(wide, x)), "quantities": {
            y: Quantity(at=lambda x: 3 * arb(x)), wide: Quantity(at=lambda x: arb(x))}}, "what wide means"),
        ({"id": "another-claim"}, "does not say"),
    ],
)  # fmt: skip
def test_a_claim_that_says_more_than_is_declared_is_not_proved(tmp_path, changes, said):
    report = check(own_claim(tmp_path, MINE, **changes), level="symbolic")
    assert report.verdict is Verdict.UNDECIDED
    assert said in report.rows[0].summary


def test_the_domain_must_imply_what_is_assumed(tmp_path):
    found = check_symbolic(own_claim(tmp_path, MINE, variables={x: Interval(-1.0, 1.0)}))
    assert found.verdict is Verdict.UNDECIDED
    assert "does not assume x > 0" in found.message


@pytest.mark.parametrize(
    ("proves", "said"),
    [
        ("PROVES = dict()", "must be a literal"),
        ("PROVES = 3", "must be a dictionary"),
        ("PROVES = {'my-claim': 3}", "no id with a dictionary"),
        ("PROVES = {'my-claim': {}}", "no conclusion"),
        ("PROVES = {'my-claim': {'conclusion': 'y >= 2*x'}}", "a tuple of texts"),
        ("PROVES = {'my-claim': {'conclusion': ('y >= 2*x',), 'quantities': ('y',)}}", "texts by name"),
        ("PROVES = {'my-claim': {'conclusion': ('y >= 2*x',), 'prose': 'all'}}", "unknown field 'prose'"),
        ("PROVES = {'my-claim': {'conclusion': ('y is large',), 'quantities': {'y': 'one'}}}", "one operator"),
        ("PROVES = {'my-claim': {'conclusion': ('y >= 2*',), 'quantities': {'y': 'one'}}}", "cannot read"),
        ("PROVES = {'my-claim': {'conclusion': ('y >= __import__(x)',), 'quantities': {'y': 'one'}}}", "no formula"),
        ("PROVES = {}\nPROVES = {}", "more than once"),
        ("PROVES = (", "syntax error"),
        ("", "does not say"),
    ],
)
def test_a_malformed_declaration_is_named_in_one_line(tmp_path, proves, said):
    report = check(own_claim(tmp_path, proves), level="symbolic")
    assert report.verdict is Verdict.UNDECIDED
    assert said in report.rows[0].summary
    assert "\n" not in report.rows[0].summary


def test_a_declaration_that_would_run_code_is_not_run(tmp_path):
    marker = tmp_path / "ran"
    proves = f"PROVES = {{'my-claim': {{'conclusion': (open({str(marker)!r}, 'w').name,)}}}}"
    assert check_symbolic(own_claim(tmp_path, proves)).verdict is Verdict.UNDECIDED
    assert not marker.exists()


def test_a_domain_of_ones_own_is_not_taken_for_the_interval_it_calls_itself(tmp_path):
    class Whole(Interval):
        def contains(self, value):
            return True

    found = check_symbolic(own_claim(tmp_path, MINE, variables={x: Whole(0.5, 1.0)}))
    assert found.verdict is Verdict.UNDECIDED


def test_a_file_of_the_library_holds_the_claims_of_the_library():
    path = Path(library.__file__).parent / "features" / "margin_hinge.py"
    assert check(path, level="symbolic").verdict is Verdict.PROVED


def test_limits_are_compared_with_their_rates(tmp_path):
    text = "PROVES = {'my-claim': {'conclusion': ('log(x + 1) ~ x, x to zero, rate 1',)}}"
    limit = {"relations": (asymptotic(sp.log(1 + x), x, x, rate=1),), "assumptions": (), "quantities": {}}
    assert check_symbolic(own_claim(tmp_path, text, **limit)).verdict is Verdict.PROVED
    for other in (
        asymptotic(sp.log(1 + x), x, x, rate=2),
        asymptotic(sp.log(1 + x), x, x, rate=1, toward="infinity"),
        asymptotic(sp.log(1 + x), 2 * x, x, rate=1),
        equal(sp.log(1 + x), x),
    ):
        assert check_symbolic(own_claim(tmp_path, text, **limit | {"relations": (other,)})).verdict is Verdict.UNDECIDED


def test_a_proof_of_ones_own_does_not_serve_a_claim_of_the_library(tmp_path):
    proves = "PROVES = {'constraint-tight': {'conclusion': ('y >= 2*x',), 'quantities': {'y': 'anything'}}}"
    found = check_symbolic(own_claim(tmp_path, proves, id="constraint-tight"))
    assert found.verdict is Verdict.UNDECIDED
    assert "proves the library's constraint-tight" in found.message


def test_hypotheses_must_be_a_tuple_of_texts(tmp_path):
    for wrong in ("free features", (3,), None):
        with pytest.raises(ValueError, match="hypotheses"):
            own_claim(tmp_path, MINE, hypotheses=wrong)
