"""Bounds of the general features model hold: at any decay, for any loss, in every file; what is not known is refused."""

import copy
import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import registered
import sympy as sp
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.command.main import main
from mdtheory.models.features import balls, duality
from mdtheory.models.features.certificate import Certificate, certify
from mdtheory.models.features.logits_problem import logits_problem
from mdtheory.models.status import Status
from mdtheory.numerics.ball_precision import precision
from mdtheory.questions.rank import cp_rank_bound, required_width

mpmath = pytest.importorskip("mpmath")
mp = mpmath.mp

LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=0.1),
    mdt.MeanSquaredError(),
    mdt.LabelRelaxation(0.1),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
LOSSES += [loss for loss in registered.losses(*LOSSES) if loss.is_convex]
SKEWED = {"class_weights": np.array([0.4, 0.3, 0.2, 0.1])}


def skewed(loss, decay, **options):
    return mdt.UFM(loss, num_classes=4, weight_decay=decay, feature_decay=decay, **(SKEWED | options))


def best_found(problem, solution, rng):
    """The lowest objective of L-BFGS on (W, H, b): from the solution's own factors, and from random ones."""
    n, groups = int(problem.num_classes), problem.num_groups
    pi, loss = problem.proportions, duality.label_loss(problem)
    weights, means = np.asarray(solution.weights), np.asarray(solution.class_means)
    dim = weights.shape[1]
    balance = (float(problem.weight_decay) / float(problem.feature_decay)) ** 0.25
    root, mu, scale = np.sqrt(pi), float(problem.mu), max(abs(float(np.sum(solution.objective))), 1e-290)

    def value(x):
        u, b, c = np.split(x, [n * dim, n * dim + dim * groups])
        u, b, c = u.reshape(n, dim), b.reshape(dim, groups), c if problem.bias else np.zeros(n)
        z = u @ b / root + c[:, None]
        slope = loss.gradient(z) * root
        gradient = [(slope @ b.T + 2 * mu * u).ravel(), (u.T @ slope + 2 * mu * b).ravel()]
        gradient += [slope @ root + 2 * problem.bias_decay * c] if problem.bias else []
        total = loss.value(z) + mu * (np.sum(u**2) + np.sum(b**2)) + problem.bias_decay * c @ c
        return total / scale, np.concatenate(gradient) / scale

    free, sided = (None, None), (0.0, None) if problem.nonnegative else (None, None)
    bounds = [free] * (n * dim) + [sided] * (dim * groups) + [free] * (n if problem.bias else 0)
    own = np.concatenate([(weights * balance).ravel(), (means * root / balance).ravel()])
    start = np.concatenate([own, np.asarray(solution.bias) if problem.bias else []])
    starts = [start, *(a * rng.standard_normal(start.size) for a in (0.3, 1.5))]
    options = {"maxiter": 500, "ftol": 1e-16, "gtol": 1e-12}
    with np.errstate(all="ignore"):
        found = [minimize(value, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun for x in starts]
    return min(found) * scale


def drawn(rng):
    """A random problem, extremes included."""
    loss = LOSSES[rng.integers(len(LOSSES))]
    n = int(rng.integers(2, 6))
    options = {}
    groups = n
    if rng.random() < 0.5:
        groups = int(rng.integers(n - 1, n + 3)) if n > 2 else n
        labels = rng.dirichlet(np.full(n, 0.4), size=groups).T + 1e-3
        options["label_distribution"] = labels / labels.sum(axis=0)
    if rng.random() < 0.6:
        weights = rng.dirichlet(np.ones(groups)) + 10.0 ** rng.uniform(-8, -1, groups)
        options["class_weights"] = weights / weights.sum()
    if rng.random() < 0.5:
        options |= {"bias": True, "bias_decay": float(rng.choice([0.0, 10.0 ** rng.uniform(-6, 0)]))}
    if rng.random() < 0.3:
        options["nonnegative"] = True
    if rng.random() < 0.3:
        options["feature_dim"] = int(rng.integers(1, max(n, groups) + 2))
    decay = 10.0 ** (rng.uniform(-6, 0) if rng.random() < 0.7 else rng.uniform(-14, -6))
    return mdt.UFM(loss, num_classes=n, weight_decay=decay, feature_decay=decay * 10.0 ** rng.uniform(-1, 1), **options)


def check_bounds(seed):
    rng = np.random.default_rng(seed)
    problem = drawn(rng)
    if problem.symmetric or not math.isfinite(float(problem.mu)):
        return
    search = problem.nonnegative or (problem.feature_dim is not None)
    try:
        solution = mdt.solve(problem, starts=3) if search else mdt.solve(problem)
    except mdt.AssumptionError:  # local searches have no meaning where the features turn out wide enough
        solution = mdt.solve(problem)
    best = best_found(problem, solution, rng)
    realised = duality.objective(problem, solution.weights, solution.class_means, solution.bias)
    assert realised <= solution.objective * (1 + 1e-10), problem
    assert solution.lower_bound <= min(best, realised) * (1 + 1e-11), problem
    if solution.status == Status.OPTIMAL:
        assert best >= solution.objective * (1 - 2e-6), problem
    certificate = solution.certificate
    assert certificate.verify(problem) == certificate.verify(rigorous=True)
    assert certificate.lower <= min(best, realised) * (1 + 1e-12), problem


# Quick ones; what takes its time is among the slow draws.
@pytest.mark.parametrize("seed", [1, 6, 9, 11, 14, 16, 19, 23, 25, 29, 32, 35, 36, 42, 44, 46, 48, 49, 51, 53, 54, 57])
def test_no_bound_exceeds_what_a_local_search_reaches(seed):
    check_bounds(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 5, 10, 15, 17, 18, 20, 22, *range(60, 160)])
def test_no_bound_exceeds_what_a_local_search_reaches_in_more_draws(seed):
    check_bounds(seed)


# ---------------------------------------------------------------------- decays of any size


def exact_optimum(n, decay):
    """The optimum of balanced cross-entropy with free features, by mpmath."""
    with mp.workdps(60):
        kappa = 2 * mp.mpf(n - 1) * mp.mpf(decay) / mp.sqrt(n)
        if kappa >= mp.mpf(n - 1) / n:
            return mp.log(n)
        s = mp.log((n - 1) * (1 - kappa) / kappa)
        return mp.log1p((n - 1) * mp.exp(-s)) + kappa * s


def exact_loss(logits, proportions):
    """Cross-entropy of logits (N, N) with the own labels, by mpmath."""
    with mp.workdps(60):
        return sum(
            mp.mpf(p) * mp.log1p(mp.fsum(mp.exp(mp.mpf(z) - mp.mpf(column[k])) for j, z in enumerate(column) if j != k))
            for k, (p, column) in enumerate(zip(proportions, logits.T.tolist(), strict=True))
        )


@pytest.mark.parametrize("decay", [1e-300, 1e-60, 1e-20, 1e-17, 1e-14, 1e-12, 1e-8, 1e-3, 0.1, 1.0, 1e3])
def test_answers_at_any_decay_enclose_the_closed_form(decay):
    n = 3
    proportions = np.array([0.5, 0.25, 0.25])
    equal = mdt.UFM(
        mdt.CrossEntropy(), num_classes=n, weight_decay=decay, feature_decay=decay, class_weights=np.full(n, 1 / n)
    )
    solution = mdt.solve(equal)
    optimum = exact_optimum(n, decay)
    assert solution.lower_bound <= optimum * (1 + mp.mpf(1e-10))
    assert solution.objective >= optimum * (1 - mp.mpf(1e-10))
    if solution.status == Status.OPTIMAL:
        assert abs(solution.objective / optimum - 1) < 1e-8
    unequal = replace(equal, class_weights=proportions)
    solution = mdt.solve(unequal)
    weights, means = solution.weights, solution.class_means
    norms = decay * (np.sum(weights**2) + np.sum(means**2 @ proportions))
    # Logits are wrong by eps times their size, up to 700, and so is a small loss, relative to itself.
    assert abs((exact_loss(weights @ means, proportions) + norms) / solution.objective - 1) < 1e-11
    assert abs((exact_loss(solution.logits, proportions) + norms) / solution.objective - 1) < 1e-11


def closed_form(decay, n=3):
    """Balanced factors and dual point of cross-entropy in doubles."""
    problem = mdt.UFM(mdt.CrossEntropy(), num_classes=n, weight_decay=decay, feature_decay=decay)
    kappa = 2 * (n - 1) * decay / math.sqrt(n)
    logits = math.log((n - 1) * (1 - kappa) / kappa) * (np.eye(n) - 1.0 / n)
    left, values, right = np.linalg.svd(logits / math.sqrt(n))
    factors = left * np.sqrt(values), np.sqrt(values)[:, None] * right * math.sqrt(n)
    return problem, factors, duality.label_loss(problem).term_gradients(logits)


@pytest.mark.parametrize("decay", [1e-2, 1e-5, 1e-8, 1e-11, 1e-12, 1e-16, 1e-30])
def test_certificates_are_tight_relative_to_the_objective(decay):
    problem, factors, dual = closed_form(decay)
    optimum = exact_optimum(3, decay)
    certificate = certify(problem, *factors, np.zeros(3), dual)
    for rigorous in (False, True):
        bounds = certificate.verify(rigorous=rigorous)
        assert bounds.lower <= optimum <= bounds.upper
    assert (certificate.upper - certificate.lower) / certificate.upper < 1e-10


@pytest.mark.parametrize("rigorous", [False, True])
@pytest.mark.parametrize("decay", [1e-8, 1e-11, 1e-12, 1e-14])
def test_no_slack_lets_a_claim_above_the_optimum_pass(decay, rigorous):
    problem, factors, dual = closed_form(decay)
    certificate = certify(problem, *factors, np.zeros(3), dual)
    optimum = float(exact_optimum(3, decay))
    rng = np.random.default_rng(0)
    for size in (0.0, 1e-16, 1e-14, 1e-13, 9e-13):
        for _ in range(4):
            moved = certificate.dual + size * rng.choice([-1.0, 1.0], certificate.dual.shape)
            moved[np.diag_indices(3)] = certificate.dual[np.diag_indices(3)] + size * rng.choice([-1.0, 0.0, 1.0])
            false = replace(certificate, dual=moved, lower=optimum * (1 + 1e-9))
            with pytest.raises(mdt.CertificateError):
                false.verify(rigorous=rigorous)
    with pytest.raises(mdt.CertificateError):
        replace(certificate, upper=optimum * (1 - 1e-9)).verify(rigorous=rigorous)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("decay", [1e-300, 1e-30, 1e-6, 1e-2, 1.0, 1e3])
def test_an_optimal_status_means_bounds_that_agree_in_ball_arithmetic(loss, decay):
    solution = mdt.solve(skewed(loss, decay))
    certificate = solution.certificate
    certificate.verify(rigorous=True)
    assert certificate.upper >= certificate.lower
    if solution.status == Status.OPTIMAL:
        assert certificate.upper - certificate.lower <= 1.1e-7 * certificate.upper
        assert solution.objective == pytest.approx(certificate.upper, rel=1e-9)


def test_a_gap_without_correct_digits_is_not_closed():
    warm = mdt.solve(skewed(mdt.Hinge(), 1e-6))
    problem = skewed(mdt.Hinge(), 1e-16)

    def cold(room):
        """The warm answer, with margins just above one, for decays at which rounding of a margin exceeds the objective."""
        point = tuple((1.0 + room) / float(np.min(warm.margin)) * block for block in warm.point)
        parts = {"logits_problem": logits_problem(problem), "point": point, "dual_columns": 1e-10 * warm.dual_columns}
        return replace(warm, problem=problem, tolerance=1e-5, **parts)

    assert cold(2e-12).relative_gap < 1e-5
    assert cold(2e-12).status != Status.OPTIMAL
    assert cold(1e-6).status == Status.OPTIMAL


@pytest.mark.parametrize("decay", [1e-2, 1e-10])
def test_any_dual_point_is_worth_what_its_projection_is(decay):
    problem, _, dual = closed_form(decay)
    optimum = exact_optimum(3, decay)
    for shortened, stretched in itertools.product((0.0, 0.5, 1.0), (0.5, 1.0, 1.5, 10.0)):
        moved = stretched * dual
        moved[np.diag_indices(3)] = shortened * np.diag(dual)
        assert duality.lower_bound(problem, moved) <= optimum * (1 + mp.mpf(1e-12))
        with precision(256):
            assert float(balls.dual_bound(problem, moved, None).lower()) <= optimum * (1 + mp.mpf(1e-15))


@pytest.mark.parametrize("loss", [mdt.Hinge(), mdt.LabelRelaxation(0.2)])
@pytest.mark.parametrize("decay", [1.0, 0.5, 1e-3])
def test_dual_points_on_the_edge_of_the_domain_are_proved_under_a_free_bias(loss, decay):
    problem = mdt.UFM(loss, num_classes=5, weight_decay=decay, feature_decay=decay, bias=True)
    certificate = mdt.solve(problem).certificate
    assert certificate.verify() == certificate.verify(rigorous=True)
    assert certificate.upper - certificate.lower < 1e-10 * certificate.upper


def test_an_optimum_of_zero_is_answered():
    labels = np.array([[0.6, 0.4], [0.4, 0.6]])
    problem = mdt.UFM(
        mdt.LabelRelaxation(0.7),
        num_classes=2,
        weight_decay=0.01,
        feature_decay=0.01,
        label_distribution=labels,
        nonnegative=True,
        feature_dim=1,
    )
    solution = mdt.solve(problem)  # at zero logits both labels have more than the probability 0.3 that is asked for
    assert solution.objective == 0.0
    assert solution.lower_bound <= 0.0


# ---------------------------------------------------------------------- losses that are not known


class Plain(mdt.CrossEntropy):
    """Nothing changed."""


class HalfTarget(mdt.CrossEntropy):
    def target_value(self, logits, target):
        return 0.5 * super().target_value(logits, target)


class HalfValue(mdt.CrossEntropy):
    def value(self, logits, label):
        return 0.5 * super().value(logits, label)


class HalfProfile(mdt.CrossEntropy):
    def profile(self, margin, num_classes=2):
        return 0.5 * super().profile(margin, num_classes)


class HalfHinge(mdt.SquaredHinge):
    def value(self, logits, label):
        return 0.5 * super().value(logits, label)


class TenthSquare(mdt.MeanSquaredError):
    def target_value(self, logits, target):
        return 0.1 * super().target_value(logits, target)


@pytest.mark.parametrize(
    "loss", [Plain(), HalfTarget(), HalfValue(), HalfProfile(), HalfHinge(), TenthSquare(), mdt.Focal(2.0)]
)
def test_a_loss_without_proof_faces_of_its_own_has_no_certificates(loss):
    problem = mdt.UFM(loss, num_classes=2, weight_decay=0.01, feature_decay=0.01)
    identity = np.eye(2)
    with pytest.raises(
        mdt.AssumptionError, match=rf"loss = .*{type(loss).__name__} does not state its own proof faces"
    ):
        certify(problem, identity, identity, np.zeros(2), np.zeros((2, 2)))
    with pytest.raises(mdt.AssumptionError, match="proof faces"):
        Certificate(problem, identity, identity, np.zeros(2), np.zeros((2, 2)), None, 0.0, 1.0)


@pytest.mark.parametrize("loss", [HalfTarget(), HalfValue(), HalfProfile(), HalfHinge(), TenthSquare()])
@pytest.mark.parametrize("options", [{}, SKEWED, SKEWED | {"bias": True}])
def test_a_loss_that_replaced_one_face_alone_has_no_lower_bound(loss, options):
    solution = mdt.solve(mdt.UFM(loss, num_classes=4, weight_decay=0.1, feature_decay=0.1, **options))
    assert np.all(solution.lower_bound == -np.inf)
    assert solution.status != Status.OPTIMAL


def test_the_proof_faces_of_a_loss_refuse_by_default():
    loss = mdt.MarginLoss(sp.exp(-sp.Symbol("t")))
    for face in (lambda: loss.ball_value([], 0), lambda: loss.ball_conjugate([], 0), lambda: loss.ball_floor(0, 2)):
        with pytest.raises(mdt.AssumptionError, match="proof faces"):
            face()


@pytest.mark.parametrize("options", [SKEWED, SKEWED | {"bias": True}, SKEWED | {"nonnegative": True}])
def test_focal_loss_without_focusing_is_solved_as_cross_entropy(options):
    focal, entropy = (
        mdt.solve(mdt.UFM(loss, num_classes=4, weight_decay=0.01, feature_decay=0.01, **options))
        for loss in (mdt.Focal(0.0), mdt.CrossEntropy())
    )
    assert focal.status == entropy.status == Status.OPTIMAL
    assert focal.objective == pytest.approx(entropy.objective, rel=1e-9)


# ---------------------------------------------------------------------- what a problem documents


def test_more_features_than_the_problem_has_are_refused_everywhere(tmp_path):
    problem = mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=2,
        weight_decay=0.01,
        feature_decay=0.01,
        nonnegative=True,
        class_weights=[0.6, 0.4],
    )
    wide = replace(problem, feature_dim=5)
    weights, means = np.zeros((2, 5)), np.zeros((5, 2))
    certificate = certify(wide, weights, means, np.zeros(2), np.zeros((2, 2)))
    path = tmp_path / "wide.json"
    certificate.save(path)
    record = json.loads(path.read_text())
    record["problem"]["feature_dim"] = None
    path.write_text(json.dumps(record))
    for attempt in (
        lambda: replace(certificate, problem=problem),
        lambda: certify(problem, weights, means, np.zeros(2), np.zeros((2, 2))),
        lambda: Certificate.load(path),
    ):
        with pytest.raises(mdt.CertificateError, match=r"at most max\(N, K\) = 2 columns"):
            attempt()
    free = replace(problem, nonnegative=False)
    replace(certificate, problem=free).verify(rigorous=True)  # free features of any width have one optimum


def test_required_width_of_nonnegative_features_is_where_the_relaxation_is_attained():
    labels = np.array([[0.9, 0.1, 0.05, 0.3], [0.1, 0.8, 0.15, 0.3], [0.0, 0.1, 0.8, 0.4]])
    problem = mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=3,
        weight_decay=0.01,
        feature_decay=0.01,
        label_distribution=labels,
        nonnegative=True,
    )
    at_least, at_most = required_width(problem)
    assert 1 <= at_least <= at_most <= 4  # doubly nonnegative is completely positive, of cp-rank 4, up to order 4
    assert mdt.solve(replace(problem, feature_dim=at_most)).relative_gap <= 1e-8
    assert mdt.solve(replace(problem, feature_dim=at_most - 1)).relative_gap > 1e-8
    collapsed = replace(problem, weight_decay=10.0, feature_decay=10.0)
    assert required_width(collapsed) == (0, 0)


def five_classes():
    """A problem whose Gram matrix needs more than five nonnegative features."""
    labels = np.array(
        [
            [0.307, 0.114, 0.015, 0.356, 0.804],
            [0.031, 0.073, 0.029, 0.118, 0.012],
            [0.04, 0.272, 0.281, 0.282, 0.084],
            [0.393, 0.105, 0.396, 0.209, 0.02],
            [0.229, 0.436, 0.279, 0.035, 0.08],
        ]
    )
    return mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=5,
        weight_decay=0.0235,
        feature_decay=0.0235,
        label_distribution=labels,
        class_weights=np.array([0.165, 0.179, 0.177, 0.399, 0.08]),
        nonnegative=True,
    )


def test_five_classes_may_need_six_nonnegative_features():
    problem = five_classes()
    assert required_width(problem) == (4, 6)
    narrow, wide = (mdt.solve(replace(problem, feature_dim=width), starts=5) for width in (5, 6))
    assert narrow.status == Status.BOUNDED
    assert narrow.relative_gap > 1e-5
    assert wide.relative_gap < 1e-9
    # The certificate of six features proves nothing about the five that the problem has.
    with pytest.raises(mdt.CertificateError, match="at most max"):
        replace(wide.certificate, problem=problem)


def test_numbers_of_vectors_that_suffice_for_completely_positive_matrices():
    assert [cp_rank_bound(order) for order in (1, 2, 3, 4, 5, 6)] == [1, 2, 3, 4, 6, 20]


# ---------------------------------------------------------------------- files


def hostile_values():
    yield from (
        1e308,
        -1e308,
        1e999,
        math.nan,
        10**400,
        10**308,
        "1",
        None,
        True,
        [],
        [[]],
        [[1], [2, 3]],
        {},
        [[[1.0]]],
    )
    yield from (-1, 0, 1e-320, 1e300, 2**26, 3.5, [None], [[True] * 3] * 3, [1e308] * 3)
    yield from ([[entry] * 3] * 3 for entry in (1e308, -1e308, 1e200))


def test_no_file_ends_in_anything_but_one_line(tmp_path):
    problem = mdt.UFM(
        mdt.LabelRelaxation(0.1),
        num_classes=3,
        weight_decay=0.01,
        feature_decay=0.01,
        nonnegative=True,
        bias=True,
        label_distribution=[[0.8, 0.1, 0.0], [0.2, 0.8, 0.2], [0.0, 0.1, 0.8]],
    )
    path = tmp_path / "certificate.json"
    mdt.solve(problem, starts=2).certificate.save(path)
    base = json.loads(path.read_text())
    keys = (
        [(name,) for name in base]
        + [("problem", name) for name in base["problem"]]
        + [("problem", "loss", "relaxation")]
    )
    reasons = []
    for key, value in itertools.product(keys, hostile_values()):
        record = copy.deepcopy(base)
        inner = record
        for name in key[:-1]:
            inner = inner[name]
        inner[key[-1]] = value
        path.write_text(json.dumps(record))
        for rigorous in (False, True):
            try:
                Certificate.load(path).verify(rigorous=rigorous)
            except mdt.CertificateError as error:
                reasons.append(str(error))
    assert len(reasons) > 700
    assert all("\n" not in reason and len(reason) < 400 for reason in reasons)


@pytest.mark.parametrize("entry", [1e308, -1e308, 1e200, 5e-324])
@pytest.mark.parametrize("name", ["weights", "class_means", "dual", "multiplier"])
def test_single_entries_near_the_ends_of_the_doubles_are_refused_or_true(name, entry):
    problem = mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=3,
        weight_decay=0.01,
        feature_decay=0.01,
        nonnegative=True,
        bias=True,
        class_weights=[0.5, 0.3, 0.2],
    )
    solution = mdt.solve(problem, starts=2)
    certificate = certify(
        problem, solution.weights, solution.class_means, solution.bias, solution.dual, np.full((3, 3), 1e-6)
    )
    moved = np.array(getattr(certificate, name))
    moved.flat[1] = entry
    for rigorous in (False, True):
        try:
            bounds = replace(certificate, **{name: moved}).verify(rigorous=rigorous)
        except mdt.CertificateError:
            continue
        assert bounds.lower <= solution.objective * (1 + 1e-12)


def test_the_shell_refuses_a_file_in_one_line_with_exit_code_one(tmp_path, capsys):
    path = tmp_path / "certificate.json"
    mdt.solve(skewed(mdt.CrossEntropy(), 0.01)).certificate.save(path)
    record = json.loads(path.read_text())
    assert main(["verify", str(path), "--rigorous"]) == 0
    for change in ({"multiplier": [[1e308] * 4] * 4}, {"weights": [[1.0], [1.0, 2.0]]}, {"dual": [[1e308] * 4] * 4}):
        path.write_text(json.dumps(record | change))
        capsys.readouterr()
        assert main(["verify", str(path)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_duplicate_keys_and_numbers_beyond_the_doubles_are_refused(tmp_path):
    path = tmp_path / "certificate.json"
    mdt.solve(skewed(mdt.CrossEntropy(), 0.01)).certificate.save(path)
    text = path.read_text()
    lower = json.loads(text)["lower"]
    for changed, reason in (
        (text.rstrip()[:-1] + ', "lower": 0.0}', "'lower' occurs twice"),
        (
            text.replace('"weight_decay": 0.01', '"weight_decay": 0.01, "weight_decay": 0.02'),
            "'weight_decay' occurs twice",
        ),
        (text.replace(repr(lower), "-1e999"), "larger than any double"),
        (text.replace(repr(lower), "-1" + "0" * 400), "larger than any double"),
        ("[" * 100_000, "nested"),
    ):
        assert changed != text
        path.write_text(changed)
        with pytest.raises(mdt.CertificateError, match=reason) as caught:
            Certificate.load(path)
        assert "\n" not in str(caught.value)
