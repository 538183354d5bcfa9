"""The examples of docs/extending.md do what the page says: each is solved, proved, swept or drawn like what is in the package."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.special import gamma

import mdtheory as mdt
from mdtheory import losses, spreads
from mdtheory.command.main import main
from mdtheory.command.tables import describe
from mdtheory.models import registry

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def example(monkeypatch):
    """Loads an example; what it registers is forgotten after the test."""
    monkeypatch.setattr(registry, "MODELS", registry.MODELS)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"extending_{name}", DOCS / "extending" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def ufm(loss, n=2):
    return mdt.UFM(loss, num_classes=n, weight_decay=5e-3, feature_decay=5e-3)


def md(loss, **changes):
    return mdt.MemorizationDilation(ufm(loss), **({"noise": 0.1, "slope": 0.5} | changes))


def test_every_example_is_on_the_page_and_the_page_in_the_index():
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    files = {path.name for path in (DOCS / "extending").glob("*.py")}
    assert (
        set(re.findall(r"\(extending/(\w+\.py)\)", page))
        == files
        == {f"{name}.py" for name in ("loss", "spread", "claim", "boundary", "problem")}
    )
    assert re.search(r"^extending$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_the_loss_is_solved_and_certified(example, n, temperature):
    loss = example("loss").TemperedCrossEntropy(temperature)
    sol = mdt.solve(ufm(loss, n))
    other = mdt.solve(ufm(loss, n), method="factorized")
    conic = mdt.solve(ufm(loss, n), method="convex")
    # A gap of 1e-13 leaves the logits of the general solver open to its root.
    assert sol.margin == pytest.approx(float(other.margin[0]), rel=5e-6)
    assert sol.objective == pytest.approx(conic.objective, rel=1e-7)
    proved = sol.certificate.verify(ufm(loss, n), rigorous=True)
    assert proved.lower <= sol.objective * (1 + 1e-12)
    assert proved.upper - proved.lower < 1e-9


def test_the_loss_without_its_proof_faces_is_refused_a_proof(example):
    class Silent(example("loss").TemperedCrossEntropy):
        pass

    sol = mdt.solve(ufm(Silent(0.5)))
    assert sol.status is mdt.Status.OPTIMAL
    with pytest.raises(mdt.AssumptionError, match="does not state its own proof faces"):
        sol.certificate.verify(ufm(Silent(0.5)), rigorous=True)


def test_the_loss_of_two_classes_is_that_of_its_formula(example):
    kind, t = example("loss").TemperedCrossEntropy, sp.Symbol("t")
    formula = mdt.MarginLoss(sp.log(1 + sp.exp(-2 * t)) / 2)
    ours, same = mdt.solve(md(kind(0.5))), mdt.solve(md(formula))
    assert ours.status is mdt.Status.OPTIMAL
    assert ours.normalized_dilation == pytest.approx(same.normalized_dilation, rel=1e-10)
    ds = mdt.sweep(md(kind(0.5)), {"loss.temperature": [0.5, 1.0]}, ["normalized_dilation"])
    plain = mdt.solve(md(mdt.CrossEntropy())).normalized_dilation
    np.testing.assert_allclose(ds.normalized_dilation, [same.normalized_dilation, plain], rtol=1e-10)


def test_the_loss_has_its_option_in_the_shell(example, monkeypatch, capsys):
    kind = example("loss").TemperedCrossEntropy
    monkeypatch.setitem(losses.LOSSES, kind.name(), kind)
    assert main(["solve", "ufm", "--loss", "tempered-cross-entropy", "--temperature", "0.5", "--json"]) == 0
    assert '"temperature": 0.5' in capsys.readouterr().out
    assert main(["solve", "ufm", "--loss", "tempered-cross-entropy", "--temperature", "-1"]) == 2
    assert "temperature = -1" in capsys.readouterr().err


def test_the_spread_is_swept_and_its_rules_integrate_its_law(example):
    kind = example("spread").ContaminatedSphere
    spread = kind(8, 0.2, 2.0)
    density = gamma(4.0) / (np.sqrt(np.pi) * gamma(3.5))

    exact = {"epsabs": 0.0, "epsrel": 1e-13}

    def mean(function):
        parts = [
            share
            * quad(lambda z, r=r: density * (1 - z**2) ** 2.5 * (function(r * z) + function(-r * z)), 0, 1, **exact)[0]
            for r, share in ((1 / np.sqrt(1.6), 0.8), (2 / np.sqrt(1.6), 0.2))
        ]
        return sum(parts)

    nodes, weights = spread.smooth_rule(np.array(0.0), np.array(3.0), np.pi)
    softplus = np.logaddexp(0, -3.0 * nodes) + np.logaddexp(0, 3.0 * nodes)
    assert 0.5 * np.sum(weights * softplus) == pytest.approx(mean(lambda z: np.logaddexp(0, 3.0 * z)), rel=1e-11)
    assert spread.mean_absolute == pytest.approx(mean(abs), rel=1e-12)
    assert mean(lambda z: 8 * z**2) == pytest.approx(1.0, rel=1e-12)
    ds = mdt.sweep(md(mdt.CrossEntropy(), spread=spread), {"spread.ratio": [1.0, 2.0], "noise": [0.05, 0.1]})
    assert set(ds.status.values.ravel()) == {int(mdt.Status.OPTIMAL)}
    plain = mdt.solve(md(mdt.CrossEntropy(), spread=mdt.Sphere(8), noise=[0.05, 0.1]))
    np.testing.assert_allclose(ds.normalized_dilation[0], plain.normalized_dilation, rtol=1e-12)
    hinge = mdt.solve(md(mdt.Hinge(), spread=kind(8, 0.2, 1.0)))
    assert hinge.objective == pytest.approx(mdt.solve(md(mdt.Hinge())).objective, rel=1e-12)


def test_the_spread_has_its_options_in_the_shell(example, monkeypatch, capsys):
    kind = example("spread").ContaminatedSphere
    monkeypatch.setitem(spreads.SPREADS, kind.name(), kind)
    words = ["solve", "md", "--slope", "0.5", "--spread", "contaminated-sphere", "--share", "0.3", "--json"]
    assert main(words) == 0
    assert '"share": 0.3' in capsys.readouterr().out


def test_the_claim_is_supported_and_its_mutants_are_refuted():
    report = mdt.check(DOCS / "extending" / "claim.py", samples=40, mutants=True)
    assert report.passed
    assert report.verdict is mdt.Verdict.SUPPORTED
    refuted, counted = report.mutant_rate
    assert refuted == counted > 0


def test_the_boundary_lies_where_the_noisy_feature_is_half_way(example):
    edge = example("boundary").edge(points=20)
    assert edge.worst_error < 1e-9
    for noise, slope in np.concatenate(edge.segments)[::5]:
        sol = mdt.solve(md(mdt.CrossEntropy(), noise=noise, slope=slope))
        assert sol.memorization == pytest.approx(0.5, abs=1e-8)


def test_the_problem_type_is_solved_swept_described_and_in_the_shell(example, capsys):
    module = example("problem")
    sol = mdt.solve(module.SingularValue(0.5, 0.1))
    assert isinstance(sol, module.ShrunkenValue)
    assert (sol.value, sol.status) == (pytest.approx(0.3), mdt.Status.OPTIMAL)
    # On one-hot labels of two balanced classes the singular values are those of the features model.
    whole = mdt.solve(mdt.UFM(mdt.MeanSquaredError(), num_classes=2, weight_decay=0.1, feature_decay=0.1))
    shrunk = mdt.solve(module.SingularValue(np.sqrt(0.5), 0.1)).value
    assert whole.margin == pytest.approx(np.sqrt(2.0) * shrunk, rel=1e-12)
    ds = mdt.sweep(module.SingularValue(0.5), {"mu": [0.1, 0.2, 0.3]})
    np.testing.assert_allclose(ds.value, [0.3, 0.1, 0.0], atol=1e-15)
    assert ds.mu.attrs["symbol"] == r"\mu"
    assert describe(sol)["value"] == sol.value
    assert main(["solve", "singular-value", "--target", "0.5", "--mu", "0.2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(0.1)


def test_a_problem_type_is_registered_once(example):
    module = example("problem")
    count = len(registry.MODELS)
    registry.register(module.MODEL)
    assert len(registry.MODELS) == count
    with pytest.raises(mdt.AssumptionError, match="name = 'singular-value': is that of another problem type"):
        example("problem")
    with pytest.raises(mdt.AssumptionError, match="model = 3: must be a Model"):
        registry.register(3)


def test_a_wrong_answer_of_the_problem_type_is_not_optimal(example):
    module = example("problem")
    wrong = module.ShrunkenValue(module.SingularValue(0.5, 0.1), 0.31)
    assert wrong.status is mdt.Status.INACCURATE
