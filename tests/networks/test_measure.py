"""Measurements of a network: against loops over examples, the model they are drawn from, trained features; and what is refused."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.networks.protocol import measured_runs

CE = mdt.CrossEntropy()


def network(n=3, m=6, count=400, seed=0, flips=0.2):
    """Clusters around vertices, some labels wrong and their features moved; all of it drawn."""
    rng = np.random.default_rng(seed)
    means = 3 * rng.normal(size=(n, m))
    true = rng.integers(n, size=count)
    labels = np.where(rng.uniform(size=count) < flips, (true + rng.integers(1, n, size=count)) % n, true)
    moved = 0.7 * (means[labels] - means[true])
    features = means[true] + moved + 0.5 * rng.normal(size=(count, m))
    test_labels = rng.integers(n, size=200)
    test = means[test_labels] + 0.8 * rng.normal(size=(200, m))
    return {
        "features": features,
        "labels": labels,
        "true_labels": true,
        "weights": rng.normal(size=(n, m)),
        "bias": rng.normal(size=n),
        "test_features": test,
        "test_labels": test_labels,
    }


def by_loops(data, loss, weight_decay, feature_decay):
    """Every quantity from its definition, one example at a time."""
    h, y, true, w, b = (data[name] for name in ("features", "labels", "true_labels", "weights", "bias"))
    n = len(w)
    means = [np.mean([h[i] for i in range(len(h)) if true[i] == y[i] == m], axis=0) for m in range(n)]

    def margin(feature, label):
        z = w @ feature + b
        return z[label] - max(z[k] for k in range(n) if k != label)

    clean, noisy = np.flatnonzero(y == true), np.flatnonzero(y != true)
    pairs = [(j, k) for j in range(n) for k in range(n) if j != k]
    apart = {pair: np.sqrt(np.sum((means[pair[0]] - means[pair[1]]) ** 2)) for pair in pairs}
    test, classes = data["test_features"], data["test_labels"]
    squares, along, relative = [], [], []
    for i, c in enumerate(classes):
        step = test[i] - means[c]
        squares.append(step @ step)
        for k in range(n):
            if k != c:
                part = step @ (means[k] - means[c]) / apart[c, k]
                along.append(part)
                relative.append(part / apart[c, k])
    r = np.sqrt(np.mean(squares))
    cost = sum(float(loss.value(w @ h[i] + b, y[i]) - loss.value(w @ means[y[i]] + b, y[i])) for i in clean)
    gain = sum(float(loss.value(w @ means[true[i]] + b, y[i]) - loss.value(w @ h[i] + b, y[i])) for i in noisy)
    work = -np.mean([(w @ h[i]) @ loss.gradient(w @ h[i] + b, y[i]) for i in range(len(h))])
    pull, size = weight_decay * np.sum(w**2), np.mean(np.sum(h**2, axis=1))
    margins = [margin(h[i], y[i]) for i in noisy]
    return {
        "margin": np.mean([margin(means[m], m) for m in range(n)]),
        "mean_distance": np.mean(list(apart.values())),
        "weight_distance": np.mean([np.linalg.norm(w[j] - w[k]) for j, k in pairs]),
        "noise": len(noisy) / len(clean),
        "memorization": np.mean([np.linalg.norm(h[i] - means[true[i]]) for i in noisy]),
        "noisy_margin": np.mean(margins),
        "memorized_share": np.mean(np.array(margins) > 0),
        "dilation": r,
        "train_dilation": np.sqrt(np.mean([np.sum((h[i] - means[y[i]]) ** 2) for i in clean])),
        "normalized_dilation": r / np.mean(list(apart.values())),
        "test_error": np.mean([margin(test[i], classes[i]) <= 0 for i in range(len(test))]),
        "drift": np.mean(relative),
        "effective_dim": r**2 / np.mean(np.square(along)),
        "paid_share": cost / gain,
        "mean_square_feature": size,
        "effective_feature_decay": pull / size,
        "balance_residual": (pull - feature_decay * size) / (pull + feature_decay * size),
        "virial_residual": 1 - work / (2 * pull),
        "weight_decay": weight_decay,
        "feature_decay": feature_decay,
    }


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("loss", [CE, mdt.CrossEntropy(0.1), mdt.MeanSquaredError()], ids=str)
def test_every_number_is_that_of_its_definition(n, loss):
    data = network(n)
    # A classifier that fits: memorising pays.
    data["weights"] = np.linalg.lstsq(data["features"], np.eye(n)[data["labels"]], rcond=None)[0].T
    found = mdt.measure(**data, loss=loss, weight_decay=2e-3, feature_decay=3e-3)
    expected = by_loops(data, loss, 2e-3, 3e-3)
    assert set(expected) == set(found.numbers())
    for name, value in expected.items():
        assert found.numbers()[name] == pytest.approx(value, rel=1e-11, abs=1e-12), name
    assert not found.missing


def test_pairs_and_classes_pool_to_the_numbers():
    found = mdt.measure(**network(4))
    moved = found.pair_counts > 0
    weights = found.pair_counts[moved] / found.pair_counts.sum()
    assert found.memorization == pytest.approx(weights @ found.pair_memorization[moved])
    assert found.noisy_margin == pytest.approx(weights @ found.pair_noisy_margin[moved])
    assert np.all(np.diag(found.pair_counts) == 0)
    assert found.margin == pytest.approx(found.class_margin.mean())
    assert np.all(np.diff(found.spread_quantiles) > 0)


def test_the_law_of_unseen_examples_is_that_of_their_coordinates():
    data = network(2)
    found = mdt.measure(**data)
    law = found.spread()
    assert law.drift == pytest.approx(found.drift * found.mean_distance / found.dilation, rel=1e-12)
    assert law.effective_dim == pytest.approx(found.effective_dim, rel=1e-12)
    # Two classifiers that differ along the class means alone: an example is wrong beyond the middle.
    axis = found.class_means[:, 0] - found.class_means[:, 1]
    middle = found.class_means.mean(axis=1)
    other = mdt.measure(**data | {"weights": np.stack([axis, -axis]), "bias": [-axis @ middle, axis @ middle]})
    assert law.test_error(found.normalized_dilation) == pytest.approx(other.test_error)
    c = other.configuration()
    assert float(c.margin) == other.margin
    assert float(c.weight_distance) == pytest.approx(2 * np.linalg.norm(axis), rel=1e-9)


def test_rows_for_classes_pool_the_pairs_of_each():
    data = network(4)
    found = mdt.measure(**data)
    rows = found.to_dataframe(by="class")
    h, y, true = data["features"], data["labels"], data["true_labels"]
    for m in range(4):
        wrong, clean = (true == m) & (y != m), (true == m) & (y == m)
        mean = h[clean].mean(axis=0)
        assert rows.noise[m] == pytest.approx(wrong.sum() / clean.sum())
        assert rows.memorization[m] == pytest.approx(np.linalg.norm(h[wrong] - mean, axis=1).mean())
        means = [h[(true == k) & (y == k)].mean(axis=0) for k in range(4) if k != m]
        assert rows.mean_distance[m] == pytest.approx(np.mean([np.linalg.norm(k - mean) for k in means]))
        unseen = data["test_features"][data["test_labels"] == m]
        assert rows.dilation[m] == pytest.approx(np.sqrt(np.mean(np.sum((unseen - mean) ** 2, axis=1))))
    assert mdt.fit_slope(rows).pooled.runs == 4
    clean = mdt.measure(**data | {"labels": true}).to_dataframe(by="class")
    assert np.all(np.isnan(clean.memorization))
    with pytest.raises(mdt.AssumptionError, match="by"):
        found.to_dataframe(by="pair")


def test_long_laws_are_kept_in_parts_with_the_same_mean():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 4000)
    h = 3.0 * np.eye(3)[labels] + rng.gamma(1.0, size=(8000, 3))
    data = {"features": h, "labels": labels, "true_labels": labels, "weights": np.eye(3)[:2]}
    found = mdt.measure(**data, test_features=h, test_labels=labels)
    assert found.spread_law.shape == (2000,)
    assert found.spread().drift == pytest.approx(found.drift * found.mean_distance / found.dilation, abs=1e-12)
    assert found.spread().effective_dim == pytest.approx(found.effective_dim, rel=1e-3)


def test_no_configuration_of_three_classes_and_no_law_without_unseen_examples():
    found = mdt.measure(**network(3))
    with pytest.raises(mdt.AssumptionError, match="num_classes"):
        found.configuration()
    without = {name: value for name, value in network(2).items() if not name.startswith("test")}
    with pytest.raises(mdt.AssumptionError, match="test_features"):
        mdt.measure(**without).spread()


def test_many_runs_beside_the_features_model():
    runs = measured_runs()
    found = mdt.compare(runs)
    for index in (0, 60, 130, 249):
        row = runs.iloc[index]
        ufm = mdt.UFM(
            mdt.CrossEntropy(row.smoothing),
            num_classes=2,
            weight_decay=row.weight_decay,
            feature_decay=row.effective_feature_decay,
            nonnegative=True,
        )
        sol = mdt.solve(ufm)
        h = np.asarray(sol.class_means)
        assert found.quantities["margin"].predicted[index] == pytest.approx(sol.margin, rel=1e-12)
        assert found.quantities["mean_distance"].predicted[index] == pytest.approx(np.linalg.norm(h[:, 0] - h[:, 1]))
        assert found.quantities["margin"].deviation[index] == pytest.approx(row.margin / sol.margin - 1)
    assert any("200 of 250 runs have noisy labels" in doubt for doubt in found.doubts)
    assert "<td>margin</td>" in found._repr_html_()
    for change, message in (
        (runs.drop(columns="effective_feature_decay"), "effective_feature_decay"),
        (runs.drop(columns="smoothing"), "smoothing"),
        (runs.assign(weight_decay=-1.0), "weight_decay"),
        ({"margin": [1.0, 2.0]}, "mean_distance"),
    ):
        with pytest.raises(mdt.AssumptionError, match=message):
            mdt.compare(change)


@pytest.mark.parametrize("dim", [8, 40])
def test_a_model_that_features_are_drawn_from_is_recovered(dim):
    """Two classes of a solution, spread over a sphere: margins, distances, memorisation, dilation, dimension and error within sampling errors."""
    problem = mdt.LimitedExpressivity(
        CE, noise=0.2, slope=0.6, weight_decay=5e-3, feature_decay=5e-3, spread=mdt.Sphere(dim)
    )
    sol = mdt.solve(problem)
    rng, count = np.random.default_rng(1), 40_000
    axis = np.eye(dim)[0]
    means = 0.5 * sol.mean_distance * np.array([axis, -axis])
    kappa = 2 * sol.margin / sol.mean_distance
    weights = 0.5 * kappa * np.array([axis, -axis])

    def drawn(size):
        xi = rng.normal(size=(size, dim))
        return xi / np.linalg.norm(xi, axis=1, keepdims=True)

    true = rng.integers(2, size=count)
    flipped = rng.uniform(size=count) < 0.2 / 1.2
    labels = np.where(flipped, 1 - true, true)
    # A margin of t for the label, at a distance of rho from the mean of the right class.
    noisy = means[true] * (1 - sol.memorization / (0.5 * sol.mean_distance))
    features = np.where(flipped[:, None], noisy, means[true] + sol.dilation * drawn(count))
    test_labels = rng.integers(2, size=count)
    test = means[test_labels] + sol.dilation * drawn(count)
    found = mdt.measure(features, labels, true, weights, test_features=test, test_labels=test_labels)
    error = 5 / np.sqrt(count)
    assert found.margin == pytest.approx(sol.margin, rel=error)
    assert found.mean_distance == pytest.approx(sol.mean_distance, rel=error)
    assert found.memorization == pytest.approx(sol.memorization, rel=error)
    assert found.noisy_margin == pytest.approx(sol.noisy_margin, rel=error, abs=error)
    assert found.dilation == pytest.approx(sol.dilation, rel=error)
    assert found.normalized_dilation == pytest.approx(sol.normalized_dilation, rel=error)
    assert found.noise == pytest.approx(0.2, rel=5 / np.sqrt(count * 0.2))
    assert found.effective_dim == pytest.approx(dim, rel=10 / np.sqrt(count))
    assert found.drift == pytest.approx(0.0, abs=error)
    assert found.test_error == pytest.approx(sol.test_error, abs=error)
    # rho = C r of the relative scaling, with the flips as a ratio.
    assert 0.2 * found.memorization / found.dilation == pytest.approx(0.6, rel=2 * error)


@pytest.mark.parametrize(("smoothing", "margin", "distance"), [(0.0, 4.595, 3.032), (0.1, 2.752, 2.346)])
def test_features_trained_without_noise_have_the_printed_margin_and_distance(smoothing, margin, distance):
    """Nonnegative features of two classes and a classifier, by a search that knows no closed form; figures of trained networks, to 1 %."""
    count, m, decay = 6, 4, 5e-3
    labels, loss = np.arange(count) % 2, mdt.CrossEntropy(smoothing)
    rng = np.random.default_rng(0)

    def objective(x):
        w, h = x[: 2 * m].reshape(2, m), x[2 * m :].reshape(count, m)
        z = h @ w.T
        by_z = loss.gradient(z, labels) / count
        value = np.mean(loss.value(z, labels)) + decay * (np.sum(w**2) + np.mean(np.sum(h**2, axis=1)))
        gradient = [by_z.T @ h + 2 * decay * w, by_z @ w + 2 * decay * h / count]
        return value, np.concatenate([part.ravel() for part in gradient])

    start = np.concatenate([rng.normal(size=2 * m), rng.uniform(0.5, 1.5, size=count * m)])
    bounds = [(None, None)] * (2 * m) + [(0, None)] * (count * m)
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 5000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-10},
    ).x
    w, h = found[: 2 * m].reshape(2, m), found[2 * m :].reshape(count, m)
    measured = mdt.measure(h, labels, labels, w, loss=loss, weight_decay=decay, feature_decay=decay)
    assert measured.margin == pytest.approx(margin, rel=0.01)
    assert measured.mean_distance == pytest.approx(distance, rel=0.01)
    assert measured.virial_residual == pytest.approx(0.0, abs=1e-4)
    assert measured.balance_residual == pytest.approx(0.0, abs=1e-4)
    assert measured.effective_feature_decay == pytest.approx(decay, rel=1e-3)
    assert measured.train_dilation == pytest.approx(0.0, abs=1e-3)
    # A step short of convergence shows.
    early = mdt.measure(1.2 * h, labels, labels, 1.2 * w, loss=loss, weight_decay=decay, feature_decay=decay)
    assert early.virial_residual > 0.1


def test_what_cannot_be_measured_says_why():
    data = network(3)
    found = mdt.measure(data["features"], data["true_labels"], data["true_labels"], data["weights"])
    for name, words in {
        "memorization": "mislabelled",
        "noisy_margin": "mislabelled",
        "paid_share": "mislabelled",
        "dilation": "test_features",
        "test_error": "test_features",
        "effective_feature_decay": "weight_decay",
        "virial_residual": "weight_decay",
    }.items():
        assert np.isnan(getattr(found, name))
        assert words in found.missing[name]
    assert {name for name, value in found.numbers().items() if np.isnan(value)} <= set(found.missing)
    assert found.noise == 0.0
    assert "test_features" in found._repr_html_()
    balanced = mdt.measure(**data, weight_decay=1e-3)
    assert balanced.missing == dict.fromkeys(("feature_decay", "balance_residual"), "feature_decay was not given")


def test_the_forms_hold_the_same_numbers():
    found = mdt.measure(**network(3), weight_decay=1e-3)
    frame, data, record = found.to_dataframe(), found.to_xarray(), json.loads(found.to_json())
    assert frame.shape[0] == 1
    for name, value in found.numbers().items():
        if np.isnan(value):
            assert record[name] is None
            continue
        assert frame[name][0] == float(data[name]) == record[name] == value
    assert data.pair_memorization.sel(label=1, **{"class": 2}) == found.pair_memorization[1, 2]
    assert record["collapse"]["self_duality"] == found.collapse.self_duality
    assert repr(found).startswith("Measurement(num_classes=3, weight_decay=0.001, margin=")


def converged(smoothing=0.0, scale=1.0, **given):
    """Features and classifier of the features model itself, with a pair of examples a class, measured."""
    loss = mdt.CrossEntropy(smoothing)
    sol = mdt.solve(mdt.UFM(loss, num_classes=3, weight_decay=4e-3, feature_decay=1e-3, nonnegative=True))
    labels = np.repeat(np.arange(3), 2)
    data = {
        "features": scale * sol.class_means.T[labels],
        "labels": labels,
        "true_labels": labels,
        "weights": sol.weights,
    }
    return mdt.measure(**(data | given), loss=loss, weight_decay=4e-3), sol


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_features_model_compared_with_itself_agrees(smoothing):
    measured, sol = converged(smoothing)
    found = mdt.compare(measured)
    assert found.doubts == ()
    assert found.quantities["margin"].predicted == pytest.approx(sol.margin, rel=1e-9)
    for entry in found.quantities.values():
        assert entry.deviation == pytest.approx(0.0, abs=1e-8)


def test_what_makes_a_comparison_doubtful_is_said():
    measured, _ = converged(scale=1.5)
    assert "not converged" in mdt.compare(measured).doubts[0]
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    features = 3 * np.eye(3)[labels] + 0.1 * rng.normal(size=(7, 3)) - 0.5
    noisy = np.append(labels[:-1], 2)
    noisy[0] = 1
    found = mdt.measure(features, noisy, labels, 2 * np.eye(3), bias=np.zeros(3), weight_decay=0.1, feature_decay=1.0)
    said = str(mdt.compare(found))
    for words in ("not converged", "balanced with", "noisy", "bias", "classes are not balanced", "negative entries"):
        assert words in said
    with pytest.raises(mdt.AssumptionError, match="weight_decay"):
        mdt.compare(mdt.measure(features, noisy, labels, np.eye(3)))
    with pytest.raises(mdt.AssumptionError, match="measurement"):
        mdt.compare(3)
    with pytest.raises(mdt.AssumptionError, match="nonnegative"):
        mdt.compare(found, nonnegative="yes")


class Tensor:
    """What a tensor that is kept elsewhere has."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    cpu = detach

    def numpy(self):
        return self.array


def test_tensors_and_single_precision_are_taken():
    data = network(3)
    tensors = {
        name: Tensor(value.astype(np.float32) if value.dtype.kind == "f" else value) for name, value in data.items()
    }
    assert mdt.measure(**tensors).margin == pytest.approx(mdt.measure(**data).margin, rel=1e-5)


WRONG = {
    "labels from 1": ({"labels": lambda x: x + 1, "true_labels": lambda x: x + 1}, "labels - 1"),
    "names": ({"labels": lambda x: x.astype(str)}, "return_inverse"),
    "negative": ({"labels": lambda x: x - 1}, "from 0 to 2"),
    "halves": ({"labels": lambda x: x + 0.5}, "integers"),
    "transposed": ({"weights": lambda x: x.T}, "weights.T"),
    "width": ({"weights": lambda x: x[:, :-1]}, "6 columns"),
    "one classifier": ({"weights": lambda x: x[:1]}, "two classes"),
    "nan": ({"features": lambda x: np.where(x > 2, np.nan, x)}, "must be finite; row"),
    "half precision": ({"features": lambda x: x.astype(np.float16)}, "float32"),
    "one dimension": ({"features": lambda x: x[:, 0]}, "two dimensions"),
    "complex": ({"features": lambda x: x.astype(complex)}, "real"),
    "few labels": ({"labels": lambda x: x[:-1]}, "a label for each row"),
    "test labels": ({"test_labels": lambda x: np.append(x, 0)}, "a label for each row"),
    "no test labels": ({"test_labels": lambda x: None}, "must come with"),
    "test width": ({"test_features": lambda x: x[:, 1:]}, "6 columns"),
    "no clean example": ({"labels": lambda x: np.where(x == 1, 2, x)}, "without a clean example"),
    "bias": ({"bias": lambda x: x[:-1]}, "a number for each row"),
    "huge": ({"features": lambda x: 1e90 * x}, "from 1e-100 to 1e+75"),
    "huge weights": ({"weights": lambda x: 1e90 * x}, "from 1e-100 to 1e+75"),
    "equal means": ({"features": lambda x: 0 * x + 1}, "class means that differ"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_faults_say_in_one_line_what_to_pass(kind):
    changes, words = WRONG[kind]
    data = network(3)
    for name, change in changes.items():
        data[name] = change(data[name])
    with pytest.raises(mdt.AssumptionError) as error:
        mdt.measure(**data)
    message = str(error.value)
    assert words in message
    assert len(message.splitlines()) == 1
    assert message.split(" = ")[0] in data


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"feature_decay": np.nan}, "feature_decay"),
        ({"loss": "ce"}, "loss"),
        ({"loss": mdt.CrossEntropy([0.0, 0.1])}, "loss"),
    ],
)
def test_other_faults_are_named(changes, name):
    with pytest.raises(mdt.AssumptionError, match=name):
        mdt.measure(**network(2), **changes)


def test_integer_features_are_measured_and_tiny_ones_refused():
    data = network(2)
    whole = np.rint(20 * (data["features"] - data["features"].min())).astype(np.uint8)
    plain = {**data, "features": whole, "test_features": whole[:50], "test_labels": data["true_labels"][:50]}
    assert mdt.measure(**plain).margin == mdt.measure(**plain | {"features": whole.astype(float)}).margin
    for name in ("features", "weights"):
        with pytest.raises(mdt.AssumptionError, match=f"{name} = .*squares are taken"):
            mdt.measure(**data | {name: 1e-170 * data[name]})
    for decay in (1e-320, 1e300):
        with pytest.raises(mdt.AssumptionError, match="weight_decay"):
            mdt.measure(**data, weight_decay=decay)


def test_every_quantity_that_is_not_a_number_says_why():
    h = np.array([[3.0, 1], [3, -1], [-3, 1], [-3, -1], [-1, 0]])
    plain = (h, [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [[1.0, 0], [-1, 0]])
    across = mdt.measure(*plain, test_features=[[3.0, 1], [3.0, 2]], test_labels=[0, 0])
    assert "no part along" in across.missing["effective_dim"]
    assert "class 1" in across.missing["class_dilation"]
    assert "class 1" in across.missing["class_test_error"]
    with pytest.raises(mdt.AssumptionError, match="two coordinates"):
        mdt.measure(*plain, test_features=[[2.0, 1]], test_labels=[0]).spread()
    none = mdt.measure(*plain)
    for name in ("class_dilation", "class_test_error", "dilation", "paid_share"):
        assert np.any(np.isnan(getattr(none, name))) == (name in none.missing)
