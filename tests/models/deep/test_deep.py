"""The deep linear features model: against searches over all weights, its own factors, one layer, and bounds that must hold for any point."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.losses.label_loss import LabelLoss
from mdtheory.models.deep import bounds
from mdtheory.models.deep.codes import codes
from mdtheory.models.deep.search import Landscape, keeps

CE = mdt.CrossEntropy()


def deep(n, layers, beta, loss=CE, **options):
    """With the singular values' powers costing beta."""
    decay = beta / (layers + 1)
    return mdt.DeepUFM(
        loss, num_classes=n, layers=layers, **({"weight_decay": decay, "feature_decay": decay} | options)
    )


def value_of_weights(problem, features, weights):
    """From the definition: features (M, K), layers from the features up."""
    logits = features
    for w in weights:
        logits = w @ logits
    loss = LabelLoss(problem.loss, problem.labels, problem.proportions).value(logits)
    decay = sum(d * np.sum(w**2) for d, w in zip(problem.layer_decays, weights, strict=True))
    return loss + decay + problem.feature_decay * np.sum(problem.proportions * np.sum(features**2, axis=0))


def best_of_weights(problem, starts, width, seed=0):
    """L-BFGS on all weights from random starts, gradients by the chain rule written here."""
    n, k = problem.labels.shape
    shapes = [(width, k), *[(width, width)] * (problem.layers - 1), (n, width)]
    sizes = [a * b for a, b in shapes]
    loss = LabelLoss(problem.loss, problem.labels, problem.proportions)
    decays = [problem.feature_decay, *problem.layer_decays]

    def value(flat):
        parts = [part.reshape(shape) for part, shape in zip(np.split(flat, np.cumsum(sizes)[:-1]), shapes, strict=True)]
        outs = [parts[0]]
        for w in parts[1:]:
            outs.append(w @ outs[-1])
        weights = [problem.proportions, *[1.0] * problem.layers]
        total = loss.value(outs[-1]) + sum(
            d * np.sum(w * part**2) for d, w, part in zip(decays, weights, parts, strict=True)
        )
        back, gradient = loss.gradient(outs[-1]) * problem.proportions, []
        for i in range(problem.layers, 0, -1):
            gradient.append(back @ outs[i - 1].T + 2 * decays[i] * parts[i])
            back = parts[i].T @ back
        gradient.append(back + 2 * decays[0] * problem.proportions * parts[0])
        return total, np.concatenate([g.ravel() for g in reversed(gradient)])

    rng = np.random.default_rng(seed)
    found = [
        minimize(
            value, rng.normal(size=sum(sizes)), jac=True, method="L-BFGS-B", options={"maxiter": 4000, "ftol": 1e-15}
        )
        for _ in range(starts)
    ]
    return min(one.fun for one in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "layers", "beta", "smoothing"),
    [
        (4, 2, 0.05, 0.0),
        (5, 2, 0.1, 0.0),
        (6, 2, 0.003, 0.0),
        (6, 3, 0.1, 0.1),
        (7, 3, 0.01, 0.0),
        (8, 2, 0.05, 0.2),
        (8, 3, 0.01, 0.0),
    ],
)
def test_the_search_is_no_worse_than_twelve_searches_over_all_weights(n, layers, beta, smoothing):
    decays = beta / (layers + 1) * np.geomspace(0.5, 2.0, layers + 1)
    problem = deep(
        n, layers, beta, mdt.CrossEntropy(smoothing=smoothing), weight_decay=decays[1:], feature_decay=decays[0]
    )
    assert problem.cost == pytest.approx(beta)
    found, other = mdt.solve(problem), best_of_weights(problem, 12, n + 1)
    assert found.objective <= other * (1 + 1e-9)
    assert found.objective >= other * (1 - 0.05)


# Published nowhere: from another implementation of the search, in floating point.
@pytest.mark.parametrize(
    ("n", "layers", "beta", "smoothing", "name"),
    [
        (3, 2, 0.3, 0.0, "simplex ETF"),
        (3, 2, 0.39, 0.0, "antipodal pair, one class at zero"),
        (3, 2, 0.43, 0.0, "zero"),
        (4, 2, 0.02, 0.0, "simplex ETF"),
        (4, 2, 0.05, 0.0, "2 antipodal pairs"),
        (5, 2, 0.0002, 0.0, "simplex ETF"),
        (5, 2, 0.1, 0.0, "2 antipodal pairs + apex"),
        (5, 2, 0.2, 0.0, "triangle + antipodal pair"),
        (5, 2, 0.3, 0.0, "pentagon"),
        (6, 3, 0.3, 0.0, "hexagon"),
        (6, 2, 0.05, 0.1, "simplex ETF"),
        (6, 2, 0.07, 0.1, "3 antipodal pairs"),
        (7, 3, 0.01, 0.0, "pentagonal bipyramid"),
        (7, 3, 0.0003, 0.0, "capped octahedron"),
        (8, 3, 0.01, 0.0, "square antiprism"),
    ],
)
def test_the_phases_that_are_known(n, layers, beta, smoothing, name):
    found = mdt.solve(deep(n, layers, beta, mdt.CrossEntropy(smoothing=smoothing)))
    assert found.structure == name
    assert found.lower_bound <= found.objective * (1 + 1e-12)


@pytest.mark.parametrize(
    "problem",
    [
        deep(6, 2, 0.003),
        deep(5, 3, 0.05, mdt.MeanSquaredError()),
        deep(4, 2, 0.1, mdt.MeanSquaredError(smoothing=0.1), class_weights=[0.4, 0.3, 0.2, 0.1]),
        deep(4, 2, 0.05, class_weights=[0.4, 0.3, 0.2, 0.1]),
        deep(3, 2, 0.05, label_distribution=[[0.8, 0.1, 0.1, 0.3], [0.1, 0.8, 0.1, 0.3], [0.1, 0.1, 0.8, 0.4]]),
        deep(3, 2, 0.3, weight_decay=[0.02, 0.3], feature_decay=0.1),
        deep(4, 3, 0.05, mdt.LabelRelaxation(0.1)),
        deep(3, 2, 0.05, mdt.SquaredHinge()),
        deep(4, 1, 0.1),
        deep(3, 2, 2.0),
    ],
    ids=lambda p: f"{p.loss.label} {p.num_classes} {p.layers} {p.cost:.2g}",
)
def test_layers_and_features_realise_the_objective(problem):
    found = mdt.solve(problem)
    product = found.class_means
    for w in found.weights:
        product = w @ product
    np.testing.assert_allclose(product, found.logits, atol=1e-10)
    assert value_of_weights(problem, found.class_means, found.weights) == pytest.approx(found.objective, rel=1e-11)
    assert len(found.weights) == problem.layers
    assert found.lower_bound <= found.objective * (1 + 1e-12)
    assert "nan" not in repr(found)


def test_a_layer_is_the_features_model():
    for loss, options in ((CE, {}), (CE, {"class_weights": [0.5, 0.3, 0.2]}), (mdt.MeanSquaredError(), {})):
        problem = mdt.DeepUFM(loss, num_classes=3, layers=1, weight_decay=0.02, feature_decay=0.005, **options)
        flat = mdt.solve(mdt.UFM(loss, num_classes=3, weight_decay=0.02, feature_decay=0.005, **options))
        found = mdt.solve(problem)
        assert found.status is mdt.Status.OPTIMAL
        assert found.objective == pytest.approx(float(flat.objective), rel=1e-9)


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_the_squared_error_is_solved_exactly(layers):
    y = np.array([0.3, 0.7, 1.1])
    cost = 0.05
    x = bounds.shrink(y, cost, 2 / (layers + 1))
    grid = np.linspace(0, 1.5, 2_000_001)
    for one, best in zip(y, x, strict=True):
        values = 0.5 * (grid - one) ** 2 + cost * grid ** (2 / (layers + 1))
        assert 0.5 * (best - one) ** 2 + cost * best ** (2 / (layers + 1)) <= values.min() + 1e-15
        assert best == pytest.approx(grid[np.argmin(values)], abs=2e-6)
    # The jump to zero of the ledger's claim, with c = 1/2.
    threshold = 0.5 ** (layers + 1) * y ** (2 * layers) * (layers - 1) ** (layers - 1) / layers ** (2 * layers)
    at = (layers + 1) * threshold ** (1 / (layers + 1))
    for one, edge in zip(y, at, strict=True):
        assert bounds.shrink(np.array(one), edge * (1 + 1e-9), 2 / (layers + 1)) == 0
        assert bounds.shrink(np.array(one), edge * (1 - 1e-9), 2 / (layers + 1)) == pytest.approx(
            one * (layers - 1) / layers, rel=1e-3
        )
    problem = deep(4, layers, 0.1, mdt.MeanSquaredError(), class_weights=[0.4, 0.3, 0.2, 0.1])
    found = mdt.solve(problem)
    assert found.status is mdt.Status.OPTIMAL
    searched = mdt.solve(problem, method="search", starts=12)
    assert found.objective <= searched.objective * (1 + 1e-9)
    assert found.objective <= best_of_weights(problem, 6, 5) * (1 + 1e-9)


def test_two_classes_and_zero_are_proved_optimal():
    for layers, beta in ((2, 0.1), (3, 0.3), (4, 0.02)):
        assert mdt.solve(deep(2, layers, beta)).status is mdt.Status.OPTIMAL
    for n in (3, 6):
        assert mdt.solve(deep(n, 2, 1.2)).status is mdt.Status.OPTIMAL


def test_a_loss_of_which_nothing_is_known_has_no_bound():
    """It may be negative: no loss of zero lies below it."""
    t = sp.Symbol("t", real=True)
    for lowered in (0, 2):
        found = mdt.solve(deep(2, 2, 0.3, mdt.MarginLoss(sp.log(1 + sp.exp(-t)) - lowered)))
        assert found.status is mdt.Status.BOUNDED
        assert found.lower_bound == -np.inf
        assert found.objective == pytest.approx(mdt.solve(deep(2, 2, 0.3)).objective - lowered, rel=1e-9)


@pytest.mark.parametrize(("n", "layers", "smoothing"), [(3, 2, 0.1), (4, 3, 0.2), (6, 2, 0.1), (10, 2, 0.1)])
def test_with_smoothing_the_etf_is_certified_at_small_decays(n, layers, smoothing):
    decay = mdt.etf_certified_decay(n, layers, smoothing)
    loss = mdt.CrossEntropy(smoothing=smoothing)
    inside = mdt.solve(deep(n, layers, 0.999 * (layers + 1) * decay, loss))
    assert inside.structure == "simplex ETF"
    assert inside.status is mdt.Status.OPTIMAL
    outside = mdt.solve(deep(n, layers, 1.05 * (layers + 1) * decay, loss))
    assert outside.status is mdt.Status.BOUNDED


def test_the_function_of_one_column_has_its_least_value_where_wrong_logits_agree():
    """Full columns by local search, against the two variables of the certificate, just where it still holds."""
    n, layers, alpha = 6, 2, 0.1
    problem = deep(n, layers, 3 * 0.99 * mdt.etf_certified_decay(n, layers, alpha), mdt.CrossEntropy(smoothing=alpha))
    margin, beta, p = bounds.etf_margin(problem), problem.cost, problem.exponent
    etf = Landscape(problem).objective(margin * (np.eye(n) - 1 / n))
    sigma = margin / np.sqrt(n)
    y = np.full(n, alpha / n)
    y[0] += 1 - alpha

    def loss(z):
        return np.log(np.sum(np.exp(z - z.max()))) + z.max() - y @ z

    def column(z):
        return loss(z) + beta * ((2 - p) * sigma ** (p - 1) * np.sqrt(n) * z[0] - (1 - p) * sigma ** (p - 2) * z @ z)

    budget = etf - (n - 1) / n * bounds.least_loss(problem)
    rng = np.random.default_rng(0)
    assert column(margin * (np.eye(n)[0] - 1 / n)) == pytest.approx(etf, rel=1e-12)
    tight, met = np.inf, 0
    for scale in np.repeat([0.3, 1.0, 2.0, 4.0, 8.0, 16.0], 4000):
        z = 2.0 * margin * rng.uniform() * np.eye(n)[0] + scale * rng.normal(size=n)
        z -= z.mean()
        if loss(z) / n + beta * (z @ z / n) ** (p / 2) <= budget:
            met += 1
            tight = min(tight, column(z))
    assert met > 2000
    assert tight >= etf


@pytest.mark.parametrize(
    ("n", "layers", "beta", "smoothing"), [(3, 2, 0.39, 0.0), (4, 3, 0.1, 0.0), (6, 2, 0.02, 0.1), (5, 4, 0.2, 0.3)]
)
def test_bounds_lie_below_every_point(n, layers, beta, smoothing):
    problem = deep(n, layers, beta, mdt.CrossEntropy(smoothing=smoothing))
    landscape, rng = Landscape(problem), np.random.default_rng(0)
    best = mdt.solve(problem).objective
    # A worse answer may only loosen a bound.
    for value in (best, 1.5 * best, np.log(n)):
        bound = bounds.lower_bound(problem, max(value, best))
        assert bound <= best * (1 + 1e-12)
    for _ in range(300):
        rank = rng.integers(1, n)
        z = rng.uniform(0.1, 4) * rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))
        assert landscape.objective(z - z.mean(axis=0)) >= best * (1 - 1e-9)


def test_the_sign_lemma_on_random_logits():
    rng = np.random.default_rng(0)
    for n in (3, 4, 6):
        loss = LabelLoss(CE, np.eye(n), np.full(n, 1 / n))
        for _ in range(2000):
            first = rng.normal(size=(n, 1)) @ rng.normal(size=(1, n)) * rng.uniform(0, 30)
            z = first + rng.uniform(0, 2) * rng.normal(size=(n, n))
            z -= z.mean(axis=0)
            second = np.linalg.svd(z / np.sqrt(n), compute_uv=False)[1]
            assert loss.value(z) >= (n - 2) / n * np.log1p(np.exp(-np.sqrt(2 * n) * second)) - 1e-12


def test_codes_are_arrangements_that_keep_their_own_pattern():
    for n in range(2, 13):
        names = [code.name for code in codes(n)]
        assert len(names) == len(set(names))
        for code in codes(n):
            assert np.max(np.abs(code.logits.sum(axis=0))) < 1e-9
            assert keeps(3.0 * code.logits, code)
            assert not keeps(3.0 * code.logits + 0.1 * np.random.default_rng(0).normal(size=(n, n)), code) or n == 2


def test_association_schemes_stay_within_themselves():
    """The logits' softmax of an eigenspace lies in the scheme: equal entries stay equal under a step of the gradient."""
    for n in (6, 8, 9, 10):
        for code in codes(n):
            if "eigenspace" in code.name:
                loss = LabelLoss(CE, np.eye(n), np.full(n, 1 / n))
                gradient = loss.gradient(2.0 * code.logits)
                mean = np.bincount(code.pattern.ravel(), gradient.ravel()) / np.bincount(code.pattern.ravel())
                np.testing.assert_allclose(gradient, mean[code.pattern], atol=1e-12)


def test_progress_starts_and_seeds():
    said = []
    problem = deep(5, 2, 0.1)
    first = mdt.solve(problem, progress=said.append, starts=2, seed=3)
    assert said
    assert all("best so far" in line for line in said)
    assert first.objective == mdt.solve(problem, starts=2, seed=3).objective


def test_sweeps_and_records_know_the_problem():
    dataset = mdt.sweep(deep(6, 2, 0.02), {"decay": [1e-3, 0.5]}, outputs=["rank", "objective"])
    assert dataset["rank"].values.tolist() == [3, 0]


@pytest.mark.slow
def test_a_hundred_classes():
    found = mdt.solve(deep(100, 2, 0.05), starts=4)
    assert found.rank < 12
    assert found.objective < mdt.structure_value("simplex", 100, 2, 0.05 / 3)
    assert found.status is mdt.Status.BOUNDED
    assert found.lower_bound > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers = 0"),
        ({"layers": 2.5}, "layers"),
        ({"weight_decay": [0.1, 0.1, 0.1]}, "one for each of the 2 layers"),
        ({"weight_decay": [0.1, -0.1]}, "weight_decay"),
        ({"nonnegative": True}, "not solved there"),
        ({"loss": mdt.Focal(2.0)}, "convex"),
        ({"loss": mdt.Hinge()}, "continuous slope"),
        ({"num_classes": 1}, "num_classes"),
        ({"num_classes": 1001}, "num_classes"),
        ({"feature_decay": 0.0}, "feature_decay"),
        ({"class_weights": [0.5, 0.6, 0.2]}, "class_weights"),
        ({"loss": mdt.CrossEntropy(smoothing=[0.1, 0.2])}, "smoothing"),
    ],
)
def test_what_is_no_deep_model_is_refused_in_a_line(options, message):
    arguments = {"loss": CE, "num_classes": 3, "layers": 2, "weight_decay": 0.01, "feature_decay": 0.01} | options
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.DeepUFM(**arguments)


def test_methods_that_do_not_apply_are_refused():
    with pytest.raises(mdt.AssumptionError, match="squared error"):
        mdt.solve(deep(3, 2, 0.1), method="singular-values")
    with pytest.raises(mdt.AssumptionError, match="two layers"):
        mdt.solve(deep(3, 1, 0.1), method="search")
    with pytest.raises(mdt.AssumptionError, match="starts"):
        mdt.solve(deep(3, 2, 0.1, mdt.MeanSquaredError()), starts=3)
