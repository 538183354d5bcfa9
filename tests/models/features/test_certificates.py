"""Certificates: honest ones verify, rigorously too; false ones do not."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import registered
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.models.features import duality
from mdtheory.models.features.certificate import Certificate, certify, logits_error

LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=0.1),
    mdt.MeanSquaredError(smoothing=0.2),
    mdt.LabelRelaxation(0.1),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
LOSSES += [loss for loss in registered.losses(*LOSSES) if loss.is_convex]
BIASES = [{}, {"bias": True}, {"bias": True, "bias_decay": 0.01}]


def random_problem(rng, loss, bias, *, soft, nonnegative, n=None):
    n = int(rng.integers(2, 9)) if n is None else n
    groups = int(rng.integers(n, n + 3)) if soft else n
    options = dict(bias)
    if soft:
        labels = np.eye(n, groups) + np.eye(n, groups, -1) * 0.3 + 0.02
        options["label_distribution"] = labels / labels.sum(axis=0)
    weights = rng.uniform(0.2, 1.0, groups)
    decay = 10.0 ** rng.uniform(-3, -1.2, 2)
    return mdt.UFM(
        loss,
        num_classes=n,
        weight_decay=decay[0],
        feature_decay=decay[1],
        nonnegative=nonnegative,
        class_weights=weights / weights.sum(),
        **options,
    )


def answer(rng, problem, *, size=1.0):
    """Random factors, and the gradient at their logits as a dual point."""
    n, groups = int(problem.num_classes), problem.num_groups
    weights, means = size * rng.standard_normal((n, n)), size * rng.standard_normal((n, groups))
    means = np.abs(means) if problem.nonnegative else means
    bias = 0.1 * rng.standard_normal(n) if problem.bias else np.zeros(n)
    dual = duality.label_loss(problem).term_gradients(weights @ means + bias[:, None])
    return weights, means, bias, dual


def trained(problem, rng, *, iterations=20000):
    """Factors from L-BFGS on (W, H, b), for smooth losses."""
    n, groups = int(problem.num_classes), problem.num_groups
    pi, loss = problem.proportions, duality.label_loss(problem)
    lam_w, lam_h = float(problem.weight_decay), float(problem.feature_decay)

    def split(x):
        return x[: n * n].reshape(n, n), x[n * n : n * (n + groups)].reshape(n, groups), x[n * (n + groups) :]

    def value(x):
        w, h, b = split(x)
        b = b if problem.bias else 0.0 * b
        z = w @ h + b[:, None]
        slope = loss.gradient(z) * pi
        pull = slope.sum(axis=1) + 2 * problem.bias_decay * b if problem.bias else 0.0 * b
        gradient = [slope @ h.T + 2 * lam_w * w, w.T @ slope + 2 * lam_h * h * pi, pull]
        return duality.objective(problem, w, h, b), np.concatenate([part.ravel() for part in gradient])

    options = {"maxiter": iterations, "maxfun": iterations, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    start = rng.standard_normal(n * (n + groups) + n)
    start[n * (n + groups) :] = 0.0
    w, h, b = split(minimize(value, start, jac=True, method="L-BFGS-B", options=options).x)
    return w, h, b, loss.term_gradients(w @ h + b[:, None])


def balanced(n=3, smoothing=0.0):
    """The balanced cross-entropy optimum in closed form, as a certificate, with the exact optimum by mpmath."""
    mp = pytest.importorskip("mpmath").mp
    problem = mdt.UFM(mdt.CrossEntropy(smoothing), num_classes=n, weight_decay=5e-3, feature_decay=5e-3)
    with mp.workdps(40):
        kappa = 2 * mp.mpf(n - 1) * mp.mpf(5e-3) / mp.sqrt(n)
        wrong = kappa + mp.mpf(smoothing) * (n - 1) / n
        s = mp.log((n - 1) * (1 - wrong) / wrong)
        optimum = mp.log(1 + (n - 1) * mp.exp(-s)) + (mp.mpf(smoothing) * (n - 1) / n + kappa) * s
    logits = float(s) * (np.eye(n) - 1.0 / n)
    left, values, right = np.linalg.svd(logits / np.sqrt(n))
    w, h = left * np.sqrt(values), np.sqrt(values)[:, None] * right * np.sqrt(n)
    return certify(problem, w, h, np.zeros(n), duality.label_loss(problem).term_gradients(logits)), optimum


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("bias", BIASES, ids=["no-bias", "bias", "decayed-bias"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("nonnegative", [False, True])
def test_loose_certificates_verify_rigorously(loss, bias, soft, nonnegative):
    rng = np.random.default_rng(7)
    for size in (0.1, 1.0, 5.0):
        problem = random_problem(rng, loss, bias, soft=soft, nonnegative=nonnegative)
        cert = certify(problem, *answer(rng, problem, size=size))
        assert cert.lower < cert.upper
        assert cert.verify(problem) == cert.verify(rigorous=True)


@pytest.mark.parametrize("loss", LOSSES[:3], ids=repr)
@pytest.mark.parametrize("bias", BIASES, ids=["no-bias", "bias", "decayed-bias"])
def test_certificates_of_trained_factors_are_tight(loss, bias):
    rng = np.random.default_rng(3)
    problem = random_problem(rng, loss, bias, soft=True, nonnegative=False, n=4)
    cert = certify(problem, *trained(problem, rng))
    cert.verify(rigorous=True)
    assert cert.upper - cert.lower < 1e-6


@pytest.mark.parametrize("loss", LOSSES[3:], ids=repr)
@pytest.mark.parametrize("bias", BIASES, ids=["no-bias", "bias", "decayed-bias"])
def test_certificates_keep_the_gap_of_a_solution(loss, bias):
    problem = random_problem(np.random.default_rng(3), loss, bias, soft=True, nonnegative=False, n=4)
    sol = mdt.solve(problem)
    cert = certify(problem, sol.weights, sol.class_means, sol.bias, sol.dual)
    cert.verify(rigorous=True)
    # 4e-14 (N + terms + 10) of room for the norm's proof and slacks of a few hundred eps are below 1e-11.
    assert cert.upper - cert.lower < sol.gap + 1e-11


@pytest.mark.parametrize("n", [2, 3, 30])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_balanced_certificate_encloses_the_closed_form_within_rounding(n, smoothing):
    cert, optimum = balanced(n, smoothing)
    bounds = cert.verify(rigorous=True)
    assert bounds.lower <= optimum <= bounds.upper
    # The room for the norm's proof is 4e-14 (2N + 10), the slacks are eps times small multiples of N.
    assert bounds.upper - bounds.lower < 1e-12 * (n + 10)


@pytest.mark.parametrize("rigorous", [False, True])
def test_a_false_claim_or_a_moved_entry_is_refused(rigorous):
    cert, _ = balanced(3)
    changes = [{"lower": cert.lower + 1e-9}, {"upper": cert.upper - 1e-9}]
    for name in ("weights", "class_means", "dual"):
        moved = getattr(cert, name).copy()
        moved[0, 0] += 1e-3
        changes.append({name: moved})
    changes += [{"bias": np.array([1e-3, 0.0, 0.0])}]
    for name in ("weight_decay", "feature_decay"):
        for factor in (0.999, 1.001):
            changes.append({"problem": replace(cert.problem, **{name: factor * 5e-3})})
    changes += [{"problem": replace(cert.problem, loss=mdt.CrossEntropy(1e-3))}]
    changes += [{"problem": replace(cert.problem, class_weights=np.array([0.334, 0.333, 0.333]))}]
    labels = np.eye(3)
    labels[:2, 0] = 0.999, 0.001
    changes += [{"problem": replace(cert.problem, label_distribution=labels)}]
    for change in changes:
        with pytest.raises(mdt.CertificateError):
            replace(cert, **change).verify(rigorous=rigorous)


def test_after_any_tampering_what_still_verifies_is_true():
    cert, optimum = balanced(3)
    rng = np.random.default_rng(11)
    survivors = 0
    for _ in range(200):
        name = rng.choice(["weights", "class_means", "dual", "lower", "upper"])
        moved = np.array(getattr(cert, name))
        index = tuple(rng.integers(0, size) for size in moved.shape)
        moved[index] += rng.choice([-1, 1]) * 10.0 ** rng.uniform(-17, 0)
        changed = replace(cert, **{name: moved if moved.ndim else float(moved)})
        try:
            bounds = changed.verify(rigorous=True)
        except mdt.CertificateError:
            continue
        survivors += 1
        assert bounds.lower <= optimum <= bounds.upper
    assert 0 < survivors < 200


def test_another_problem_negative_features_and_wide_features_are_refused():
    cert, _ = balanced(3)
    with pytest.raises(mdt.CertificateError, match="another problem"):
        cert.verify(replace(cert.problem, weight_decay=1e-3))
    with pytest.raises(mdt.CertificateError, match="nonnegative"):
        replace(cert, problem=replace(cert.problem, nonnegative=True)).verify()
    with pytest.raises(mdt.CertificateError, match="feature_dim"):
        replace(cert, problem=replace(cert.problem, feature_dim=2)).verify()
    with pytest.raises(mdt.AssumptionError, match="loss"):
        replace(cert, problem=replace(cert.problem, loss=mdt.Focal(2.0)))


def test_nonnegative_balanced_certificate_is_tight_with_a_multiplier():
    n, lam = 4, 5e-3
    problem = mdt.UFM(mdt.CrossEntropy(), num_classes=n, weight_decay=lam, feature_decay=lam, nonnegative=True)
    sol = mdt.solve(problem)
    weights, means = sol.weights, sol.class_means
    dual = duality.label_loss(problem).term_gradients(weights @ means)
    # 4 mu^2/(N-1) (J - I) completes the Gram matrix of the dual point to a multiple of the identity.
    multiplier = 4 * lam**2 / (n - 1) * (np.ones((n, n)) - np.eye(n))
    cert = certify(problem, weights, means, np.zeros(n), dual, multiplier)
    cert.verify(rigorous=True)
    assert cert.upper - cert.lower < 1e-11


def test_saved_certificates_are_restored_exactly(tmp_path):
    rng = np.random.default_rng(5)
    problem = random_problem(rng, mdt.LabelRelaxation(0.1), {"bias": True}, soft=True, nonnegative=True)
    cert = certify(problem, *answer(rng, problem))
    path = tmp_path / "certificate.json"
    cert.save(path)
    copy = Certificate.load(path)
    assert copy.problem == cert.problem
    for name in ("weights", "class_means", "bias", "dual", "lower", "upper"):
        assert np.array_equal(getattr(copy, name), getattr(cert, name))
    assert copy.verify(problem, rigorous=True) == cert.verify(problem)


def test_loading_and_verifying_imports_no_solver(tmp_path):
    path = tmp_path / "certificate.json"
    balanced(3)[0].save(path)
    # A bare package stands for mdtheory/__init__.py, which imports everything for convenience.
    script = (
        "import sys, types\n"
        "from pathlib import Path\n"
        "bare = types.ModuleType('mdtheory'); bare.__path__ = [sys.argv[2]]; sys.modules['mdtheory'] = bare\n"
        "from mdtheory.models.features.certificate import Certificate\n"
        "cert = Certificate.load(sys.argv[1]); cert.verify()\n"
        "cert.verify(rigorous=True)\n"
        "solvers = [f'mdtheory.models.features.{name}' for name in sys.argv[3:]]\n"
        "foreign = ('cvxpy', 'clarabel', 'scs')\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in foreign or m in solvers or 'mdtheory.optim' in m]\n"
        "assert not bad, bad\n"
    )
    solvers = ("bottleneck", "conic", "factors", "free", "margin", "nonnegative")
    assert all((Path(mdt.__path__[0]) / "models" / "features" / f"{name}.py").is_file() for name in solvers)
    subprocess.run([sys.executable, "-c", script, str(path), mdt.__path__[0], *solvers], check=True)


def test_broken_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "certificate.json"
    balanced(3)[0].save(path)
    text = path.read_text()
    record = json.loads(text)
    broken = [text[: len(text) // 2], "", "[]", "{}", "[" * 100000, text.replace("CrossEntropy", "Unknown")]
    for change in (
        {"lower": float("nan")},
        {"upper": "1.0"},
        {"version": 2},
        {"weights": [[1.0]]},
        {"dual": [[1.0, 2.0], [3.0]]},
        {"bias": [True, 0.0, 0.0]},
        {"bias": [10**400, 0.0, 0.0]},
        {"multiplier": [[1.0]]},
        {"extra": 1},
        {"problem": record["problem"] | {"weight_decay": -1.0}},
        {"problem": record["problem"] | {"num_classes": 3.0}},
        {"problem": record["problem"] | {"feature_dim": "3"}},
    ):
        broken.append(json.dumps(record | change))
    broken.append(json.dumps(record).replace(repr(record["upper"]), "1e999"))
    for content in broken:
        path.write_text(content)
        with pytest.raises(mdt.CertificateError) as caught:
            Certificate.load(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(mdt.CertificateError):
        Certificate.load(tmp_path / "missing.json")


@pytest.mark.parametrize("loss", LOSSES[:3], ids=repr)
@pytest.mark.parametrize("bias", BIASES, ids=["no-bias", "bias", "decayed-bias"])
def test_logits_error_covers_the_distance_to_accurate_logits(loss, bias):
    rng = np.random.default_rng(9)
    problem = random_problem(rng, loss, bias, soft=True, nonnegative=False, n=3)
    best = certify(problem, *trained(problem, rng))
    reference = best.weights @ best.class_means + best.bias[:, None]
    own = logits_error(best)[1]
    for iterations in (60, 150):
        rough = certify(problem, *trained(problem, np.random.default_rng(9), iterations=iterations))
        error = rough.weights @ rough.class_means + rough.bias[:, None] - reference
        if isinstance(loss, mdt.CrossEntropy):
            error = error - error.mean(axis=0)
        columns, total = logits_error(rough)
        assert np.all(np.linalg.norm(error, axis=0) <= columns + own)
        assert np.linalg.norm(error) <= total + own


def test_logits_error_shrinks_to_the_root_of_rounding_and_is_infinite_for_hinges():
    cert, _ = balanced(3)
    assert logits_error(cert)[1] < 1e-3
    rng = np.random.default_rng(1)
    problem = random_problem(rng, mdt.Hinge(), {}, soft=False, nonnegative=False)
    assert np.all(np.isinf(logits_error(certify(problem, *answer(rng, problem)))[0]))
