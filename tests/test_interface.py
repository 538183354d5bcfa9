"""Every answer answers the same questions: each field against a formula of its own."""

import dataclasses
import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt
import mdtheory.symbolic
from mdtheory.command.tables import describe, solution_text
from mdtheory.losses import LOSSES
from mdtheory.models.dilation.problem import Configuration
from mdtheory.models.solving import options_of
from mdtheory.models.status import Status
from mdtheory.spreads import SPREADS

SKEWED = np.array([0.5, 0.3, 0.2])
LABELS = np.array([[0.8, 0.1, 0.2, 0.0], [0.1, 0.9, 0.2, 0.3], [0.1, 0.0, 0.6, 0.7]])
DECAYS = {"weight_decay": 4e-3, "feature_decay": 7e-3}


def ufm(loss, classes=3, **changes):
    return mdt.UFM(loss, num_classes=classes, **(DECAYS | changes))


# One example of each kind of answer to a features model: symmetric, in the logits, explicit factors.
FEATURES = {
    "etf": ufm(mdt.CrossEntropy(0.1)),
    "etf-two": ufm(mdt.SquaredHinge(), 2),
    "etf-wide": ufm(mdt.CrossEntropy(), 4, feature_dim=6),
    "etf-narrow": ufm(mdt.CrossEntropy(), 4, feature_dim=3),
    "bias-does-nothing": ufm(mdt.LabelRelaxation(0.1), 4, bias=True),
    "frame": ufm(mdt.CrossEntropy(), 5, nonnegative=True),
    "frame-hinge": ufm(mdt.Hinge(), 3, nonnegative=True),
    "frame-weights": ufm(mdt.CrossEntropy(), nonnegative=True, class_weights=SKEWED),
    "partly-collapsed": ufm(mdt.CrossEntropy(), nonnegative=True, class_weights=[0.7, 0.25, 0.05], weight_decay=1.2),
    "squared": ufm(mdt.MeanSquaredError(), 4),
    "squared-smoothed": ufm(mdt.MeanSquaredError(0.3), 4, nonnegative=True),
    "squared-bias": ufm(mdt.MeanSquaredError(0.2), 4, bias=True),
    "squared-bias-frame": ufm(mdt.MeanSquaredError(), 4, bias=True, nonnegative=True),
    "equal-means": ufm(mdt.MeanSquaredError(0.9), 4, weight_decay=0.1, feature_decay=0.1),
    "collapsed": ufm(mdt.CrossEntropy(), 4, weight_decay=0.6, feature_decay=0.6),
    "weights": ufm(mdt.CrossEntropy(), class_weights=SKEWED),
    "weights-bias": ufm(mdt.CrossEntropy(0.1), class_weights=SKEWED, bias=True),
    "labels": ufm(mdt.CrossEntropy(), label_distribution=LABELS, class_weights=[0.4, 0.3, 0.2, 0.1]),
    "squared-labels": ufm(mdt.MeanSquaredError(), label_distribution=LABELS, bias=True),
    "hinge-weights": ufm(mdt.Hinge(), class_weights=SKEWED),
    "narrow-squared": ufm(mdt.MeanSquaredError(), 4, feature_dim=2),
    "narrow": ufm(mdt.CrossEntropy(), 4, feature_dim=2, weight_decay=1e-3),
    "frame-labels": ufm(mdt.CrossEntropy(), nonnegative=True, label_distribution=LABELS),
}
NO_CERTIFICATE = {
    "focal": ufm(mdt.Focal(2.0), 3),
    "focal-collapsed": ufm(mdt.Focal(2.0), 30, weight_decay=0.2, feature_decay=0.2),
    "focal-frame": ufm(mdt.Focal(0.5), 3, nonnegative=True),
}
each_model = pytest.mark.parametrize("name", [*FEATURES, *NO_CERTIFICATE])


def problem_called(name):
    return (FEATURES | NO_CERTIFICATE)[name]


_SOLVED = {}


def solved(name):
    if name not in _SOLVED:
        _SOLVED[name] = mdt.solve(problem_called(name))
    return _SOLVED[name]


def proportions(problem):
    groups = problem.num_classes if problem.label_distribution is None else problem.label_distribution.shape[1]
    return np.full(groups, 1 / groups) if problem.class_weights is None else problem.class_weights


def labels(problem):
    return np.eye(problem.num_classes) if problem.label_distribution is None else problem.label_distribution


def objective(sol):
    """The definition: the loss of every group, label by label, and the decays."""
    problem, logits = sol.problem, sol.weights @ sol.class_means + sol.bias[:, None]
    share, targets = proportions(problem), labels(problem)
    if isinstance(problem.loss, mdt.CrossEntropy | mdt.MeanSquaredError):
        alpha = problem.loss.smoothing
        targets = (1 - alpha) * targets + alpha / problem.num_classes
    if isinstance(problem.loss, mdt.CrossEntropy):
        losses = np.log(np.sum(np.exp(logits), axis=0)) - np.sum(targets * logits, axis=0)
        # The entropy of the label is not part of the loss.
    elif isinstance(problem.loss, mdt.MeanSquaredError):
        losses = 0.5 * np.sum((logits - targets) ** 2, axis=0)
    else:
        losses = np.array(
            [
                sum(targets[j, k] * float(problem.loss.value(logits[:, k], j)) for j in range(problem.num_classes))
                for k in range(share.size)
            ]
        )
    decay = problem.weight_decay * np.sum(sol.weights**2)
    decay += problem.feature_decay * np.sum(share * np.sum(sol.class_means**2, axis=0))
    return float(share @ losses + decay + problem.bias_decay * np.sum(sol.bias**2))


@each_model
def test_one_point_has_one_number_of_each_kind(name):
    sol = solved(name)
    assert isinstance(sol, mdt.UFMSolution)
    assert isinstance(sol, mdt.Solution)
    for field in ("objective", "lower_bound", "gap", "relative_gap"):
        assert type(getattr(sol, field)) is float, field
    assert type(sol.status) is Status
    assert type(sol.rank) is int
    assert type(sol.geometry) is str
    assert type(sol.method) is str


@each_model
def test_matrices_make_the_logits_and_the_objective(name):
    sol = solved(name)
    n, groups = sol.problem.num_classes, proportions(sol.problem).size
    assert sol.logits.shape == (n, groups)
    assert sol.bias.shape == (n,)
    np.testing.assert_allclose(sol.weights @ sol.class_means + sol.bias[:, None], sol.logits, atol=1e-13)
    assert sol.objective == pytest.approx(objective(sol), rel=1e-12)
    if not sol.problem.bias:
        assert np.all(sol.bias == 0)
    if sol.problem.nonnegative:
        assert np.all(sol.class_means >= 0)


@each_model
def test_singular_values_and_rank_are_those_of_the_weighted_logits(name):
    sol = solved(name)
    scaled = (sol.logits - sol.bias[:, None]) * np.sqrt(proportions(sol.problem))
    expected = np.linalg.svd(scaled, compute_uv=False)
    np.testing.assert_allclose(sol.singular_values[: expected.size], expected, atol=1e-13 * (1 + expected[0]))
    assert np.all(np.diff(sol.singular_values) <= 0)
    assert sol.rank == np.sum(expected > 1e-7 * expected[0])


@each_model
def test_gap_and_status_follow_from_the_bounds(name):
    sol = solved(name)
    assert sol.gap == max(sol.objective - sol.lower_bound, 0.0)
    assert sol.relative_gap == sol.gap / sol.objective
    assert (sol.status == Status.OPTIMAL) == (abs(sol.objective - sol.lower_bound) <= sol.tolerance * sol.objective)


@each_model
def test_margins_and_probabilities_are_those_of_the_logits(name):
    sol = solved(name)
    own = np.argmax(labels(sol.problem), axis=0), np.arange(proportions(sol.problem).size)
    others = sol.logits.copy()
    others[own] = -np.inf
    margin = sol.logits[own] - np.max(others, axis=0)
    exponentials = np.exp(sol.logits - np.max(sol.logits, axis=0))
    np.testing.assert_allclose(sol.margin, margin if np.ndim(sol.margin) else margin[0], atol=1e-12)
    np.testing.assert_allclose(
        np.broadcast_to(sol.probability, margin.shape),
        exponentials[own] / np.sum(exponentials, axis=0),
        rtol=1e-12,
    )


@each_model
def test_geometry_is_the_arrangement_of_the_class_means(name):
    sol = solved(name)
    assert sol.geometry == mdt.arrangement(sol.class_means)


@pytest.mark.parametrize("name", FEATURES)
def test_the_certificate_proves_both_bounds(name):
    sol = solved(name)
    proof = sol.certificate.verify(sol.problem, rigorous=True)
    assert proof.lower <= sol.objective <= proof.upper
    assert proof.upper == pytest.approx(sol.objective, rel=1e-11)
    # A dual point does not know the width; the bound of the squared error does.
    assert (proof.lower == pytest.approx(sol.lower_bound, rel=1e-11)) != (name == "narrow-squared")
    assert sol.logits_error.shape == (proportions(sol.problem).size,)
    assert np.all(sol.logits_error >= 0)


@pytest.mark.parametrize("name", NO_CERTIFICATE)
def test_a_loss_without_certificates_is_refused_by_name(name):
    sol = solved(name)
    for field in ("certificate", "logits_error"):
        with pytest.raises(mdt.AssumptionError, match="loss = Focal"):
            getattr(sol, field)
    if not sol.problem.loss.is_convex:
        with pytest.raises(mdt.AssumptionError, match=r"loss = Focal.*convex"):
            _ = sol.dual


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_squared_error_is_proved_optimal_in_any_width(bias, width):
    for decay in (1e-8, 1e-3, 0.05, 0.3):
        narrow = ufm(mdt.MeanSquaredError(0.1), label_distribution=LABELS, class_weights=[0.4, 0.3, 0.2, 0.1])
        narrow = dataclasses.replace(narrow, bias=bias, feature_dim=width, weight_decay=decay, feature_decay=2 * decay)
        sol = mdt.solve(narrow)
        assert sol.weights.shape == (3, width)
        assert sol.status is Status.OPTIMAL
        # Also where the bound of the logits, which ignores the width, does not reach.
        assert sol.lower_bound == pytest.approx(objective(sol), rel=1e-11)
        # No other factors do better.
        generator = np.random.default_rng(0)
        for scale in (1e-3, 1e-1):
            w, h, b = (x + scale * generator.normal(size=x.shape) for x in (sol.weights, sol.class_means, sol.bias))
            factors = SimpleNamespace(problem=narrow, weights=w, class_means=h, bias=b if bias else sol.bias)
            assert objective(factors) >= sol.lower_bound


def test_fields_of_a_symmetric_problem_broadcast():
    decays = np.array([[1e-3], [0.05], [0.4]])
    for changes in ({}, {"nonnegative": True}, {"bias": True}):
        for loss in (mdt.CrossEntropy(np.array([0.0, 0.2])), mdt.MeanSquaredError(np.array([0.0, 0.2]))):
            many = mdt.solve(mdt.UFM(loss, num_classes=4, weight_decay=decays, feature_decay=0.05, **changes))
            for i, j in np.ndindex(3, 2):
                at = loss.with_parameters(smoothing=float(loss.smoothing[j]))
                one = mdt.solve(
                    mdt.UFM(at, num_classes=4, weight_decay=float(decays[i, 0]), feature_decay=0.05, **changes)
                )
                for field in ("rank", "bias", "singular_values", "dual", "logits", "relative_gap", "status", "weights"):
                    np.testing.assert_array_equal(getattr(many, field)[i, j], getattr(one, field), field)
                if one.multiplier is not None:
                    np.testing.assert_array_equal(many.multiplier[i, j], one.multiplier)
            with pytest.raises(mdt.AssumptionError, match=r"certificate: is for one point"):
                _ = many.certificate


def test_class_weights_of_many_points_have_one_status_a_point():
    weights = np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1]])
    many = mdt.solve(ufm(mdt.CrossEntropy(), nonnegative=True, class_weights=weights))
    assert many.objective.shape == many.status.shape == many.rank.shape == (2,)
    assert many.margin.shape == many.singular_values.shape == many.bias.shape == (2, 3)
    for i in range(2):
        one = mdt.solve(ufm(mdt.CrossEntropy(), nonnegative=True, class_weights=weights[i]))
        assert one.status is Status.OPTIMAL
        np.testing.assert_allclose(many.singular_values[i], one.singular_values, rtol=1e-14)
        np.testing.assert_array_equal(many.dual[i], one.dual)


def test_the_number_of_classes_may_be_an_array_where_no_matrix_is_asked_for():
    many = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=[2, 5, 10**6], weight_decay=1e-5, feature_decay=1e-5))
    np.testing.assert_array_equal(many.rank, [1, 4, 10**6 - 1])
    for field in ("bias", "singular_values", "dual", "logits"):
        with pytest.raises(mdt.AssumptionError, match=r"num_classes = array of shape \(3,\): must be one integer"):
            getattr(many, field)


def test_matrices_that_do_not_fit_in_memory_are_refused():
    sol = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=2**26, weight_decay=1e-9, feature_decay=1e-9))
    assert sol.rank == 2**26 - 1
    for field in ("dual", "logits", "weights", "class_means", "certificate"):
        with pytest.raises(mdt.AssumptionError, match="explicit matrices would take"):
            getattr(sol, field)


# ------------------------------------------------------------------ every kind of problem

TWO = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
MD = mdt.MemorizationDilation(TWO, noise=0.1, slope=1.0, noisy_feature_decay=1e-4)
OTHERS = {
    "md": (MD, "auto"),
    "md-expansion": (MD, "expansion"),
    "max-margin": (mdt.MaxMargin(num_classes=4, class_weights=[0.4, 0.3, 0.2, 0.1]), "auto"),
    "max-margin-frame": (mdt.MaxMargin(num_classes=3, nonnegative=True), "auto"),
}


@pytest.mark.parametrize(("problem", "method"), OTHERS.values(), ids=OTHERS)
def test_other_problems_have_the_same_bounds(problem, method):
    sol = mdt.solve(problem, method=method)
    assert isinstance(sol, mdt.Solution)
    assert sol.gap == max(sol.objective - sol.lower_bound, 0.0)
    assert sol.relative_gap == sol.gap / sol.objective
    assert sol.status is (Status.APPROXIMATE if method == "expansion" else Status.OPTIMAL)


def test_a_worse_answer_is_not_optimal():
    for name in ("etf", "frame", "squared"):
        good = solved(name)
        assert dataclasses.replace(good, margin=0.9 * good.margin).status is Status.INACCURATE
    good = mdt.solve(MD)
    assert dataclasses.replace(good, noisy_margin=good.noisy_margin + 0.1).status is Status.INACCURATE


def test_a_bound_above_the_objective_proves_nothing():
    good = mdt.solve(MD)
    # Below the least possible objective: not feasible, and the gap is negative.
    wrong = dataclasses.replace(good, dilation=0.0)
    assert wrong.objective < good.lower_bound
    assert wrong.status is not Status.OPTIMAL


def test_an_answer_that_is_not_a_number_has_failed():
    many = mdt.solve(mdt.MemorizationDilation(TWO, noise=[0.1, 0.2], slope=1.0, noisy_feature_decay=1e-4))
    broken = dataclasses.replace(many, dilation=many.dilation * np.array([1.0, np.nan]))
    np.testing.assert_array_equal(broken.status, [Status.OPTIMAL, Status.FAILED])


def test_a_status_prints_its_name():
    assert str(solved("etf").status) == f"{solved('etf').status}" == "OPTIMAL"
    assert all(status.message for status in Status)


@each_model
def test_representations_are_one_short_line(name):
    shown = repr(solved(name))
    assert "\n" not in shown
    assert len(shown) < 200
    for word in ("objective=", "gap=", "status=", "method=", "geometry="):
        assert word in shown


def test_representations_of_arrays_are_shapes():
    many = mdt.solve(mdt.MemorizationDilation(TWO, noise=np.linspace(0.1, 0.2, 7), slope=1.0))
    assert "normalized_dilation=<(7,) array>" in repr(many)
    one = repr(mdt.solve(MD))
    assert "normalized_dilation=0.29169" in one
    assert "status=OPTIMAL" in one


def test_the_configuration_of_a_problem_is_solved_once(monkeypatch):
    problem = dataclasses.replace(MD, noise=0.11)
    monkeypatch.setattr(Configuration, "of", lambda _: pytest.fail("solved again"))
    sol = mdt.solve(problem)
    fields = (
        "objective",
        "lower_bound",
        "test_error",
        "expansion_parameter",
        "class_means",
        "noisy_features",
        "status",
    )
    assert all(getattr(sol, name) is not None for name in fields)


# ------------------------------------------------------------------ options

LAST = {"tolerance": 1e-6, "starts": 3, "seed": 1, "progress": print}
TAKES = {
    "etf": ("auto", {"tolerance"}),
    "frame": ("convex", {"tolerance"}),
    "frame-weights": ("closed-form", {"tolerance"}),
    "weights": ("auto", {"tolerance", "progress"}),
    "weights-bias": ("convex", {"tolerance"}),
    "squared-labels": ("auto", {"tolerance"}),
    "squared": ("factorized", {"tolerance", "progress"}),
    "narrow": ("auto", {"tolerance", "starts", "seed", "progress"}),
    "narrow-squared": ("auto", {"tolerance"}),
    "frame-labels": ("auto", {"tolerance", "starts", "seed"}),
    "md": ("auto", {"tolerance"}),
    "md-expansion": ("expansion", {"tolerance"}),
    "max-margin": ("auto", {"tolerance"}),
}


@pytest.mark.parametrize("name", TAKES)
def test_options_without_meaning_for_a_problem_are_refused_by_name(name):
    method, takes = TAKES[name]
    problem = problem_called(name) if name in FEATURES else OTHERS[name][0]
    assert options_of(problem, method) == takes
    for option, value in LAST.items():
        if option not in takes:
            with pytest.raises(
                mdt.AssumptionError, match=rf"^{option} = .*is no option of this .*; its options: .*tolerance"
            ) as e:
                mdt.solve(problem, method=method, **{option: value})
            assert len(str(e.value)) < 300
    assert mdt.solve(problem, method=method, **{key: LAST[key] for key in takes}).tolerance == 1e-6


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("tolerance", value) for value in (0.0, -1.0, np.nan, np.inf, "x", [1e-3, 1e-4], True)),
        *(("starts", value) for value in (0, -5, 1.5, "x", [1, 2], True)),
        *(("seed", value) for value in (-3, 0.5, "x", True)),
        *(("progress", value) for value in (7, True, "print")),
    ],
)
def test_options_outside_their_domain_are_refused_by_name(option, value):
    with pytest.raises(mdt.AssumptionError, match=rf"^{option} = "):
        mdt.solve(FEATURES["narrow"], **{option: value})


def test_the_tolerance_decides_what_is_called_optimal():
    expansion = mdt.solve(MD, method="expansion")
    assert mdt.solve(MD, method="expansion", tolerance=2 * expansion.relative_gap).status is Status.OPTIMAL
    assert mdt.solve(MD, method="expansion", tolerance=0.5 * expansion.relative_gap).status is Status.APPROXIMATE


def test_progress_is_told_of():
    lines = []
    mdt.solve(FEATURES["weights"], progress=lines.append)
    assert lines
    assert all(isinstance(line, str) for line in lines)


def test_solve_names_the_function_alone():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mdtheory.solve")
    assert callable(mdt.solve)


# ------------------------------------------------------------------ descriptions

T = sp.Symbol("t")


@dataclasses.dataclass(frozen=True, eq=False)
class MySoftLoss(mdt.CrossEntropy):
    """A user's loss."""


@dataclasses.dataclass(frozen=True)
class MyShell(mdt.Sphere):
    """A user's spread."""


def described_problems():
    own = ufm(mdt.MarginLoss(sp.log(1 + sp.exp(-T)) + sp.exp(-T) / 10), 2)
    yield "MarginLoss", own, {"loss": "margin-loss", "expression": "log(1 + exp(-t)) + exp(-t)/10"}
    yield "my loss", ufm(MySoftLoss(0.1), 3), {"loss": "my-soft-loss", "smoothing": 0.1}
    yield "my loss, skewed", ufm(MySoftLoss(0.1), class_weights=SKEWED), {"loss": "my-soft-loss", "smoothing": 0.1}
    spread = mdt.MemorizationDilation(TWO, noise=0.1, slope=1.0, spread=MyShell(5))
    yield "my spread", spread, {"spread": "my-shell", "dim": 5, "noise": 0.1, "noisy_feature_decay": 5e-3}
    yield (
        "MarginLoss, dilated",
        mdt.MemorizationDilation(own, noise=0.1, slope=1.0),
        {"loss": "margin-loss", "slope": 1.0},
    )
    yield "MaxMargin", mdt.MaxMargin(num_classes=3, class_weights=SKEWED), {"class_weights": SKEWED.tolist()}
    yield "arrays", ufm(mdt.CrossEntropy([0.0, 0.1]), 3), {"smoothing": [0.0, 0.1]}
    yield "sizes", ufm(mdt.CrossEntropy(), [2, 3]), {"num_classes": [2, 3]}
    for name in ("etf", "squared-labels", "narrow", "frame-weights"):
        yield name, FEATURES[name], {"weight_decay": FEATURES[name].weight_decay}


@pytest.mark.parametrize(
    ("name", "problem", "known"), list(described_problems()), ids=lambda x: x if type(x) is str else ""
)
def test_every_solution_is_described(name, problem, known):
    sol = mdt.solve(problem)
    record = describe(sol)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["problem"].items() >= known.items()
    for field in ("objective", "lower_bound", "gap", "relative_gap"):
        np.testing.assert_array_equal(record[field], getattr(sol, field))
    assert record["status"] == Status(int(np.max(sol.status))).name.lower()
    assert "status" in solution_text(record)


def test_what_is_no_solution_is_not_described():
    with pytest.raises(mdt.AssumptionError, match="solution = 3: must be a solution of `solve`"):
        describe(3)


def test_a_loss_of_ones_own_has_a_margin_equation():
    own = mdt.MarginLoss(sp.log(1 + sp.exp(-T)) + sp.exp(-T) / 10)
    equation = mdt.symbolic.margin_equation(own).subs({mdt.symbolic.lambda_W: "1/250", mdt.symbolic.lambda_H: "7/1000"})
    root = sp.nsolve(equation.lhs, mdt.symbolic.s, 3)
    assert float(root) == pytest.approx(mdt.solve(ufm(own, 2)).margin, rel=1e-12)
    for function in (mdt.symbolic.margin_equation, mdt.symbolic.margin):
        with pytest.raises(mdt.AssumptionError, match="loss = "):
            function(mdt.MarginLoss)


def test_losses_and_spreads_say_their_names():
    assert [kind.name() for kind in LOSSES.values()] == list(LOSSES)
    assert [kind.name() for kind in SPREADS.values()] == list(SPREADS)
    assert mdt.MarginLoss(sp.log(1 + sp.exp(-T))).label == "margin-loss log(1 + exp(-t))"
    assert MyShell(5).label == "my-shell, dim 5"
    assert MySoftLoss(np.array([0.1, 0.2])).label == "my-soft-loss, smoothing [0.1, 0.2]"
