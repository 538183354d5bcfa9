"""What answers hold is what they say: factors realise the objective, records are read-only and one line, commands end quietly."""

import copy
import os
import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import mdtheory as mdt
from mdtheory.command.main import main


def hinge_objective(ufm, sol):
    """Definition (1) of the features model for the hinge, of the doubles themselves, in rational numbers."""
    rational = np.vectorize(Fraction, otypes=[object])
    weights, means, bias = rational(sol.weights), rational(sol.class_means), rational(sol.bias)
    n = means.shape[1]
    shares = [Fraction(1, n)] * n if ufm.class_weights is None else [Fraction(w) for w in ufm.class_weights]
    logits = weights.dot(means) + bias[:, None]
    value = Fraction(ufm.weight_decay) * np.sum(weights * weights)
    for k in range(n):
        worst = max(1 + logits[j, k] - logits[k, k] for j in range(n) if j != k)
        value += shares[k] * (max(worst, 0) + Fraction(ufm.feature_decay) * np.sum(means[:, k] * means[:, k]))
    return value


@pytest.mark.parametrize("decay", [1e-3, 1e-8, 1e-10, 1e-12, 1e-16])
@pytest.mark.parametrize("classes", [2, 3, 7, 13])
@pytest.mark.parametrize(
    "kind", [{}, {"nonnegative": True}, {"feature_dim": None, "bias": True}, {"nonnegative": True, "weighted": True}]
)
def test_factors_at_a_kink_realise_the_reported_objective(decay, classes, kind):
    options = {name: value for name, value in kind.items() if name != "weighted"}
    if "weighted" in kind:
        options["class_weights"] = np.arange(1, classes + 1) / (classes * (classes + 1) / 2)
    ufm = mdt.UFM(mdt.Hinge(), num_classes=classes, weight_decay=decay, feature_decay=3 * decay, **options)
    sol = mdt.solve(ufm)
    assert sol.status == mdt.Status.OPTIMAL
    # Sixteen times the spacing of doubles, twice for the squares.
    assert abs(float(hinge_objective(ufm, sol)) / sol.objective - 1) < 1e-14
    proof = sol.certificate.verify(ufm, rigorous=True)
    assert proof.upper - proof.lower < 1e-9 * proof.upper


RECORDS = {
    "ufm": lambda: mdt.UFM(
        mdt.CrossEntropy(np.linspace(0, 0.5, 40)), num_classes=3, weight_decay=0.01, feature_decay=0.01
    ),
    "labels": lambda: mdt.UFM(
        mdt.CrossEntropy(), num_classes=9, weight_decay=0.01, feature_decay=0.01, label_distribution=np.eye(9)
    ),
    "md": lambda: mdt.MemorizationDilation(
        mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=0.01, feature_decay=0.01),
        noise=np.full((9, 9), 0.1),
        slope=1,
    ),
    "certificate": lambda: (
        mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=9, weight_decay=0.01, feature_decay=0.01)).certificate
    ),
    "regression": lambda: mdt.regression_optimum(np.arange(18.0).reshape(2, 9), weight_decay=0.01, feature_decay=0.01),
    "exchangeable": lambda: mdt.exchangeable_optimum(0.7 * np.eye(6) + 0.05, weight_decay=0.01, feature_decay=0.01),
    "multilabel": lambda: mdt.multilabel_optimum(3, {1: 0.7, 2: 0.3}, weight_decay=0.01, feature_decay=0.01),
    "max-margin": lambda: mdt.solve(mdt.MaxMargin(num_classes=9)),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_one_short_line(name):
    record = RECORDS[name]()
    text = repr(record)
    assert text.startswith(type(record).__name__ + "(")
    assert "\n" not in text
    assert "  " not in text
    assert len(text) < 800


def test_the_repr_of_a_problem_with_small_arrays_can_be_typed_in():
    ufm = mdt.UFM(
        mdt.CrossEntropy(0.1), num_classes=3, weight_decay=0.01, feature_decay=0.02, class_weights=[0.5, 0.3, 0.2]
    )
    assert eval(repr(ufm), vars(mdt).copy()) == ufm


def test_dicts_in_records_are_read_only_also_in_copies():
    found = RECORDS["multilabel"]()
    for record in (found, pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found)):
        before = dict(record.margins)
        for change in (
            lambda margins: margins.__setitem__(1, 0.0),
            lambda margins: margins.pop(1),
            lambda margins: margins.update({1: 0.0}),
            lambda margins: margins.clear(),
            lambda margins: margins.setdefault(9, 0.0),
        ):
            with pytest.raises(TypeError, match="read-only"):
                change(record.margins)
        assert record.margins == before == found.margins


def test_optima_of_labels_hold_floats():
    for record in (RECORDS["multilabel"](), RECORDS["exchangeable"]()):
        for name in ("objective", "lower_bound", "residual_slope", "collapse_threshold"):
            assert type(getattr(record, name)) is float


@pytest.mark.parametrize("nonnegative", [False, True])
def test_max_margin_answers_what_features_models_answer(nonnegative):
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    sol = mdt.solve(mdt.MaxMargin(num_classes=4, class_weights=shares, nonnegative=nonnegative))
    scaled = sol.weights @ sol.class_means * np.sqrt(shares)
    assert sol.rank == 3 == np.linalg.matrix_rank(scaled)
    assert np.allclose(sol.singular_values, np.linalg.svd(scaled, compute_uv=False), atol=1e-14)
    assert np.array_equal(sol.bias, np.zeros(4))
    # Weak duality by hand: any feasible logits cost at least what the multipliers of their margins are worth.
    multipliers = np.where(np.eye(4) > 0, 0.0, sol.dual)
    assert np.all(multipliers >= 0)
    assert np.allclose(np.sum(sol.dual, axis=0), 0, atol=1e-15)
    assert np.sum(multipliers) == pytest.approx(sol.lower_bound, rel=1e-14)
    scaled_dual = sol.dual / np.sqrt(shares)
    gram = scaled_dual.T @ scaled_dual
    gram = gram + np.maximum(-gram, 0) * (1 - np.eye(4)) if nonnegative else gram
    assert np.max(np.linalg.eigvalsh(gram)) <= 1 + 1e-12


def test_factorized_names_nonnegative_features_as_the_reason():
    for options in ({}, {"class_weights": [0.5, 0.3, 0.2]}):
        ufm = mdt.UFM(
            mdt.CrossEntropy(), num_classes=3, weight_decay=0.01, feature_decay=0.01, nonnegative=True, **options
        )
        with pytest.raises(
            mdt.AssumptionError, match=r"^method = 'factorized': does not solve nonnegative features; use"
        ):
            mdt.solve(ufm, method="factorized")


class Hostile:
    def __array__(self, *arguments, **options):
        raise RuntimeError("first\nsecond")


def test_arrays_of_someone_else_are_refused_in_one_line():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=0.01, feature_decay=0.01)
    with pytest.raises(mdt.CertificateError, match=r"^weights: must be an array of numbers"):
        mdt.certify(ufm, Hostile(), np.eye(2), np.zeros(2), np.zeros((2, 2)))
    for value in (Hostile(), [1, [2]]):
        with pytest.raises(mdt.AssumptionError, match="one real number"):
            mdt.symbolic.probability(mdt.CrossEntropy(), at=value)


@pytest.mark.parametrize(
    ("command", "inside"),
    [
        (["report"], "mdtheory.command.main.write_report"),
        (["solve", "md"], "mdtheory.command.main.solve"),
        (["claims"], "mdtheory.command.main._claims"),
    ],
)
def test_an_interrupted_command_says_so_in_one_line(command, inside, monkeypatch, capsys):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(inside, interrupt)
    if command == ["claims"]:
        monkeypatch.setitem(main.__globals__["_COMMANDS"], "claims", interrupt)
    assert main(command) == 130
    assert capsys.readouterr().err == "mdtheory: interrupted\n"


def test_a_command_whose_reader_has_gone_ends_without_a_word():
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", "mdtheory", "solve", "md"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")


def test_a_sweep_records_arrays_of_its_problem_in_full():
    shares = np.arange(1.0, 14.0) / 91
    ufm = mdt.UFM(mdt.MeanSquaredError(), num_classes=13, weight_decay=0.01, feature_decay=0.01, class_weights=shares)
    assert "<(13,) array>" in repr(ufm)
    written = mdt.sweep(ufm, {"weight_decay": [0.01, 0.02]}, outputs=["objective"]).attrs["problem"]
    assert eval(written, vars(mdt).copy()) == ufm


class Halved(mdt.CrossEntropy):
    """Another value with the conjugate of cross-entropy."""

    def target_value(self, logits, target):
        return 0.5 * super().target_value(logits, target)


class SaidToBeConvex(mdt.Focal):
    is_convex = True


class SaidToIgnoreShifts(mdt.MeanSquaredError):
    shift_invariant = True


@pytest.mark.parametrize("loss", [Halved(), SaidToBeConvex(2.0), SaidToIgnoreShifts()])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nonnegative": True, "class_weights": [0.5, 0.3, 0.2]},
        {"class_weights": [0.5, 0.3, 0.2]},
        {"nonnegative": True, "label_distribution": [[0.8, 0.1], [0.1, 0.1], [0.1, 0.8]]},
    ],
)
def test_a_subclass_that_promises_or_replaces_alone_has_no_bound(loss, options):
    ufm = mdt.UFM(loss, num_classes=3, weight_decay=0.05, feature_decay=0.05, **options)
    sol = mdt.solve(ufm)
    assert (type(sol.lower_bound), sol.lower_bound, sol.gap) == (float, -np.inf, np.inf)
    assert type(sol.status) is mdt.Status
    assert sol.status != mdt.Status.OPTIMAL


def test_class_weights_do_not_make_a_problem_many_points():
    # Nonnegative features: the margins have a class axis, the problem is one all the same.
    ufm = mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=3,
        weight_decay=0.01,
        feature_decay=0.01,
        nonnegative=True,
        class_weights=[0.5, 0.3, 0.2],
    )
    smallest, largest = mdt.required_width(ufm)
    assert 2 <= smallest <= largest <= 3
    decays, smoothings = [0.001, 0.01, 0.02], [0.0, 0.1]
    swept = mdt.sweep(ufm, {"weight_decay": decays, "loss.smoothing": smoothings}, outputs=["objective", "rank"])
    assert swept.attrs["cells_optimal"] == 6
    for i, decay in enumerate(decays):
        for j, smoothing in enumerate(smoothings):
            point = mdt.UFM(
                mdt.CrossEntropy(smoothing),
                num_classes=3,
                weight_decay=decay,
                feature_decay=0.01,
                nonnegative=True,
                class_weights=[0.5, 0.3, 0.2],
            )
            assert swept.objective.values[i, j] == pytest.approx(mdt.solve(point).objective, rel=1e-12)
    with pytest.raises(mdt.AssumptionError, match=r"^outputs = 'margin': must be one number for every point"):
        mdt.sweep(ufm, {"weight_decay": decays}, outputs=["margin"])


def test_claims_and_boxes_are_copied_and_stay_fixed():
    from mdtheory.claims.finding import library_claims

    claim = library_claims()["ordering-in-general"]
    box = mdt.Box(sides={"x": ("0.1", "0.2")})
    for copied in (copy.copy(box), copy.deepcopy(box), pickle.loads(pickle.dumps(box))):
        assert copied == box
        with pytest.raises(TypeError):
            copied.sides["x"] = ("0", "1")
    for copied in (copy.copy(claim), copy.deepcopy(claim)):
        assert (copied.id, dict(copied.variables)) == (claim.id, dict(claim.variables))
        with pytest.raises(TypeError):
            copied.variables.clear()
