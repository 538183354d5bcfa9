"""Names of arrangements, and the neural-collapse measures against their definitions written as loops."""

import copy
import pickle
import tracemalloc
from statistics import fmean, pstdev, stdev

import numpy as np
import pytest

import mdtheory as mdt
from mdtheory.neural_collapse import arrangement, collapse_measures

# Rounding of sums of at most a few hundred terms of order one, and of singular values.
ROUNDING = 1e-12


def turned(means, dim, seed=0, scale=1.0):
    """The same arrangement in general position in R^dim."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(dim, len(means))))
    return scale * basis @ np.asarray(means, dtype=float)


def simplex(count):
    return np.eye(count) - 1 / count


def polygon(count):
    angles = 2 * np.pi * np.random.default_rng(3).permutation(count) / count
    return np.stack([np.cos(angles), np.sin(angles)])


NAMED = [
    ("collapsed-to-zero", np.zeros((3, 4))),
    ("equal-means", np.ones((3, 1))),
    ("equal-means", np.ones((3, 4))),
    ("merged", np.array([[1.0, 0, 0], [0, 2, 2]])),
    ("merged", np.array([[1.0, 1, -1, -1]])),
    ("partly-collapsed", np.diag([1.0, 2, 0])),
    ("partly-collapsed", np.array([[1.0, 1, 0, 0]])),
    ("orthogonal-frame", np.diag([1.0, 2, 3])),
    ("orthogonal-frame", np.eye(2)),
    ("simplex-etf", np.array([[1.0, -1]])),
    ("simplex-etf", polygon(3)),
    ("simplex-etf", simplex(5)),
    ("equiangular-frame", simplex(5) + 0.05),
    ("equiangular-frame", np.array([[1.0, 0.6], [0.0, 0.8]])),
    ("regular-polygon", polygon(4)),
    ("regular-polygon", polygon(7)),
    ("general", simplex(4) * [1, 1, 1, 2]),
    ("general", np.array([[1.0, -2]])),
    ("general", np.array([[1.0, 0, 0.6], [0, 1, 0.8]])),
    ("general", np.vstack([polygon(5), 0.3 * np.ones(5)])),
]


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
@pytest.mark.parametrize(("name", "means"), NAMED)
def test_the_name_does_not_depend_on_rotation_dimension_order_or_scale(name, means, scale):
    order = np.random.default_rng(1).permutation(means.shape[1])
    assert arrangement(means) == name
    assert arrangement(turned(means[:, order], dim=8, scale=scale)) == name


@pytest.mark.parametrize("name", sorted({name for name, _ in NAMED} - {"general", "collapsed-to-zero"}))
def test_the_name_survives_noise_below_the_tolerance_and_none_far_above(name):
    # Cosines, gaps of angles and distances move by at most about four times the move of one point of norm one.
    means = next(m for n, m in reversed(NAMED) if n == name)
    means = turned(means / np.max(np.linalg.norm(means, axis=0)), dim=8)
    noise = np.random.default_rng(2).normal(size=means.shape)
    noise /= np.max(np.linalg.norm(noise, axis=0))
    assert arrangement(means + 1e-4 / 8 * noise, tolerance=1e-4) == name
    assert arrangement(means + 1e-2 * noise, tolerance=1e-4) != name


def test_antipodal_means_bent_by_little_are_no_simplex():
    # The cosine is -1 to 5e-9 only, the sum is not zero.
    assert arrangement([[1.0, -np.cos(1e-4)], [0.0, np.sin(1e-4)]]) == "equiangular-frame"


def test_short_means_are_zero_only_on_request():
    assert arrangement(1e-9 * np.eye(3)) == "orthogonal-frame"
    assert arrangement(1e-9 * np.eye(3), zero=1e-8) == "collapsed-to-zero"


@pytest.mark.parametrize("options", [{}, {"nonnegative": True}])
@pytest.mark.parametrize("decay", [1e-2, 10.0])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", [mdt.CrossEntropy(), mdt.MeanSquaredError()])
def test_symmetric_solutions_name_their_own_class_means(loss, bias, decay, options):
    problem = mdt.UFM(loss, num_classes=4, weight_decay=decay, feature_decay=decay / 2, bias=bias, **options)
    solution = mdt.solve(problem)
    assert arrangement(solution.class_means) == solution.geometry


def test_measures_vanish_at_the_optimum_of_the_balanced_model():
    problem = mdt.UFM(mdt.CrossEntropy(), num_classes=5, weight_decay=1e-2, feature_decay=3e-3)
    solution = mdt.solve(problem)
    measures = collapse_measures(solution.weights, solution.class_means)
    for name in (
        "within_class_variability",
        "class_mean_equinorm",
        "weight_equinorm",
        "class_mean_equiangularity",
        "weight_equiangularity",
        "class_mean_gram_deviation",
        "weight_gram_deviation",
        "self_duality",
        "logit_deviation",
    ):
        assert abs(getattr(measures, name)) < ROUNDING
    assert measures.nearest_centre_agreement == 1.0
    assert measures.rank == 4


# --------------------------------------------------------------------------------- published formulas, written as loops


def random_layer(counts=(5, 9, 4, 7), dim=6, seed=5, spread=1.0):
    """Classifier (N, M), bias, samples in rows, labels; a class of no sample is absent."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    features = rng.normal(size=(len(counts), dim))[labels] + spread * rng.normal(size=(labels.size, dim))
    return rng.normal(size=(len(counts), dim)), rng.normal(size=len(counts)), features, labels


def published(w, bias, features, labels, ddof=0):
    """Every measure from its formula, one sample and one class at a time."""
    n_classes, n = len(w), len(labels)
    present = [k for k in range(n_classes) if k in set(labels.tolist())]
    count = len(present)
    of_class = {k: [h for h, y in zip(features, labels, strict=True) if y == k] for k in present}
    mean = {k: sum(of_class[k]) / len(of_class[k]) for k in present}
    pooled_mean, mean_of_means = sum(features) / n, sum(mean.values()) / count
    sigma = {k: sum(np.outer(h - mean[k], h - mean[k]) for h in of_class[k]) / len(of_class[k]) for k in present}
    pooled = sum(np.outer(h - mean[y], h - mean[y]) for h, y in zip(features, labels, strict=True)) / n

    def between(centre, share):
        return sum(share[k] * np.outer(mean[k] - centre, mean[k] - centre) for k in present)

    uniform, share = dict.fromkeys(present, 1 / count), {k: len(of_class[k]) / n for k in present}
    papyan = between(pooled_mean, uniform)

    def inverse(matrix):
        return np.linalg.pinv(matrix, rcond=1e-9)

    found = {
        "papyan": np.trace(pooled @ inverse(papyan)) / count,
        "weighted": np.trace(pooled @ inverse(between(pooled_mean, share))) / count,
        "balanced": np.trace(sum(sigma.values()) / count @ inverse(between(mean_of_means, uniform))) / count,
        "traces": np.trace(pooled) / np.trace(papyan),
        "per_class": [
            np.trace(sigma[k] @ inverse(papyan)) / count if k in present else np.nan for k in range(n_classes)
        ],
        "bias_deviation": np.sqrt(sum((w[k] @ pooled_mean + bias[k]) ** 2 for k in range(n_classes))),
    }
    pairs = [(j, k) for j in present for k in present if j != k]
    cdnv = [(np.trace(sigma[j]) + np.trace(sigma[k])) / (2 * sum((mean[j] - mean[k]) ** 2)) for j, k in pairs]
    found["class_distance_normalized_variance"] = sum(cdnv) / len(cdnv)
    found["largest_class_distance_normalized_variance"] = max(cdnv)
    centred = np.array([mean[k] - pooled_mean for k in present])
    for rows, prefix in ((centred, "class_mean"), (w, "weight")):
        norms = [float(np.sqrt(r @ r)) for r in rows]
        deviate = stdev if ddof else pstdev
        found[f"{prefix}_equinorm"] = deviate(norms) / fmean(norms)
        angles = [
            abs(rows[j] @ rows[k] / (norms[j] * norms[k]) + 1 / (len(rows) - 1))
            for j in range(len(rows))
            for k in range(len(rows))
            if j != k
        ]
        found[f"{prefix}_equiangularity"] = sum(angles) / len(angles)
        gram = rows @ rows.T
        target = simplex(len(rows)) / np.sqrt(len(rows) - 1)
        found[f"{prefix}_gram_deviation"] = np.linalg.norm(gram / np.linalg.norm(gram) - target)
    own = w[present]
    product, target = own @ centred.T, simplex(count) / np.sqrt(count - 1)
    found["logit_deviation"] = np.linalg.norm(product / np.linalg.norm(product) - target)
    found["self_duality"] = np.linalg.norm(own / np.linalg.norm(own) - centred / np.linalg.norm(centred))
    agree = [
        int(np.argmax(w @ h + bias)) == min(present, key=lambda k: float(sum((h - mean[k]) ** 2))) for h in features
    ]
    found["nearest_centre_agreement"] = sum(agree) / n
    return found


def assert_published(got, expected, definition, rtol=1e-10):
    assert got.within_class_variability == pytest.approx(expected[definition], rel=rtol)
    for name, value in expected.items():
        if hasattr(got, name):
            assert getattr(got, name) == pytest.approx(value, rel=rtol), name


LAYERS = [(5, 9, 4, 7), (3, 3, 3), (1, 8, 2, 6, 1), (4, 0, 7, 3), (0, 6, 0, 5, 9, 0), (30, 1)]


@pytest.mark.parametrize("counts", LAYERS)
@pytest.mark.parametrize("definition", ["papyan", "weighted", "balanced", "traces"])
@pytest.mark.parametrize("ddof", [0, 1])
def test_measures_from_raw_features_follow_the_published_formulas(counts, definition, ddof):
    w, bias, features, labels = random_layer(counts, seed=len(counts))
    got = collapse_measures(w, bias=bias, features=features, labels=labels, variability=definition, ddof=ddof)
    expected = published(w, bias, features, labels, ddof)
    assert_published(got, expected, definition)
    if definition == "papyan":
        np.testing.assert_allclose(got.class_variabilities, expected["per_class"], rtol=1e-10)
    assert got.absent == tuple(k for k, count in enumerate(counts) if count == 0)
    assert (got.definition, got.ddof) == (definition, ddof)
    columns = collapse_measures(
        w, bias=bias, features=features.T, labels=labels, samples="columns", variability=definition, ddof=ddof
    )
    assert_published(columns, expected, definition)


def test_the_definitions_differ_with_unequal_classes_and_three_agree_with_equal_ones():
    w, bias, features, labels = random_layer((5, 9, 4, 7))
    values = {published(w, bias, features, labels)[name] for name in ("papyan", "weighted", "balanced", "traces")}
    assert len({round(v, 3) for v in values}) == 4
    w, bias, features, labels = random_layer((6, 6, 6, 6))
    equal = [
        collapse_measures(w, features=features, labels=labels, variability=name).within_class_variability
        for name in ("papyan", "weighted", "balanced")
    ]
    np.testing.assert_allclose(equal, equal[0], rtol=1e-12)


@pytest.mark.parametrize("definition", ["papyan", "weighted", "balanced", "traces"])
def test_class_by_class_variabilities_average_to_the_whole(definition):
    w, _, features, labels = random_layer((5, 9, 0, 7))
    got = collapse_measures(w, features=features, labels=labels, variability=definition)
    weights = np.array([5, 9, 7]) / 21 if definition != "balanced" else np.full(3, 1 / 3)
    assert np.isnan(got.class_variabilities[2])
    assert weights @ got.class_variabilities[[0, 1, 3]] == pytest.approx(got.within_class_variability)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32])
def test_features_of_other_types_are_measured_in_double_precision(dtype):
    w, bias, features, labels = random_layer()
    features = (10 * features).astype(dtype)
    got = collapse_measures(w, bias=bias, features=features, labels=labels)
    assert_published(got, published(w, bias, features.astype(float), labels), "papyan")
    assert collapse_measures(w.astype(np.float32), features=features.tolist(), labels=labels.tolist()).rank == 4


RATIOS = (
    "within_class_variability",
    "class_distance_normalized_variance",
    "largest_class_distance_normalized_variance",
    "class_mean_equinorm",
    "class_mean_equiangularity",
    "class_mean_gram_deviation",
    "weight_equinorm",
    "self_duality",
    "logit_deviation",
    "nearest_centre_agreement",
    "rank",
)


@pytest.mark.parametrize("scale", [1e-290, 1e-200, 1e-163, 1e-20, 1e20, 1e160, 1e200, 1e290])
@pytest.mark.parametrize("weight_scale", [1e-200, 1.0, 1e200])
def test_no_measure_depends_on_scales(scale, weight_scale):
    w, bias, features, labels = random_layer((5, 9, 0, 7))
    expected = published(w, bias, features, labels)
    # The bias is in units of the logits. Where those leave the range of doubles it has none.
    with np.errstate(over="ignore", under="ignore"):
        unit = np.float64(scale) * weight_scale
    within = 1e-300 < unit < 1e300
    got = collapse_measures(
        weight_scale * w, bias=bias * unit if within else None, features=scale * features, labels=labels
    )
    if not within:
        expected = published(w, 0 * bias, features, labels)
    for name in RATIOS:
        if name != "rank":
            wanted = expected["papyan" if name == "within_class_variability" else name]
            assert getattr(got, name) == pytest.approx(wanted, rel=1e-9), name
    assert got.rank == 3
    if within:
        assert got.bias_deviation == pytest.approx(expected["bias_deviation"] * unit, rel=1e-9)
    np.testing.assert_allclose(got.weight_norms, np.linalg.norm(w, axis=1) * weight_scale)


def test_a_common_offset_costs_no_digits_of_the_variability():
    w, bias, features, labels = random_layer()
    features = np.round(features * 2**20) / 2**20  # so that the offset is exact
    got = collapse_measures(w, bias=bias, features=features + 2.0**26, labels=labels)
    expected = published(w, bias, features, labels)
    for name in ("class_distance_normalized_variance", "class_mean_equinorm", "class_mean_gram_deviation"):
        assert getattr(got, name) == pytest.approx(expected[name], rel=1e-9)
    assert got.within_class_variability == pytest.approx(expected["papyan"], rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("gap", [1e-3, 1e-9])
def test_the_nearest_of_two_close_class_means_is_found(offset, gap):
    # Two class means a tiny distance apart beside one far away: products alone could not tell them.
    means = np.array([[0.0, 1.0, 0.0], [gap, 1.0, 0.0], [5.0, 0.0, 3.0]]).T + offset
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    features = means.T[labels] + 0.3 * gap * rng.normal(size=(300, 3)) * [1, 1e-3, 1e-3]
    w = rng.normal(size=(3, 3))
    nearest = [min(range(3), key=lambda k: float(np.linalg.norm(h - means[:, k]))) for h in features]
    chosen = [int(np.argmax(w @ h)) for h in features]
    got = collapse_measures(w, means, features=features, labels=labels)
    assert got.nearest_centre_agreement == np.mean(np.equal(nearest, chosen))
    assert len(set(nearest)) == 3


def test_a_bias_far_above_or_below_the_products_decides_or_does_not():
    w, features, labels = np.eye(2), np.array([[1.0, 0], [0.8, 0], [0, 1], [0, 1.1]]), [0, 0, 1, 1]
    for scale in (1e-250, 1.0, 1e250):
        options = {"features": scale * features, "labels": labels}
        assert collapse_measures(w, **options).nearest_centre_agreement == 1.0
        assert collapse_measures(w, bias=[0, 10 * scale], **options).nearest_centre_agreement == 0.5
        assert collapse_measures(w, bias=[0, 1e-9 * scale], **options).nearest_centre_agreement == 1.0
        assert collapse_measures(w, bias=[1e300, 1e300], **options).nearest_centre_agreement == 1.0
        assert collapse_measures(w, bias=[0, 1e300], **options).nearest_centre_agreement == 0.5


def test_the_bias_that_centres_the_logits_has_no_deviation():
    w, _, features, labels = random_layer()
    got = collapse_measures(w, bias=-(w @ features.mean(axis=0)), features=features, labels=labels)
    assert got.bias_deviation < ROUNDING


def test_classes_that_coincide_have_an_infinite_distance_ratio_or_none():
    w = np.eye(3)
    features = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 4], [0, 0, 5]])
    got = collapse_measures(w, features=features, labels=[0, 0, 1, 1, 2, 2])
    assert got.largest_class_distance_normalized_variance == np.inf
    assert collapse_measures(w, np.array([[1.0, 1, 0]] * 3)).largest_class_distance_normalized_variance == 0.0


def test_given_class_means_are_the_centres_of_other_features():
    w, bias, features, labels = random_layer()
    means = random_layer(seed=8)[0].T
    got = collapse_measures(w, means, bias, features=features, labels=labels)
    variances = [np.mean(np.sum((features[labels == k] - means[:, k]) ** 2, axis=1)) for k in range(4)]
    pairs = [
        (variances[j] + variances[k]) / (2 * np.sum((means[:, j] - means[:, k]) ** 2))
        for j in range(4)
        for k in range(j)
    ]
    assert got.class_distance_normalized_variance == pytest.approx(np.mean(pairs))
    np.testing.assert_allclose(got.class_mean_norms, np.linalg.norm(means, axis=0))


def test_given_proportions_replace_those_of_the_sample():
    w, bias, features, labels = random_layer((5, 9, 0, 7))
    got = collapse_measures(
        w, bias=bias, features=features, labels=labels, proportions=[0.2, 0.2, 0.4, 0.2], variability="weighted"
    )
    balanced = collapse_measures(w, bias=bias, features=features, labels=labels, variability="balanced")
    assert got.within_class_variability == pytest.approx(balanced.within_class_variability)


def test_class_means_alone_are_measured_as_their_own_samples():
    w, bias, _, _ = random_layer()
    means = random_layer(seed=9)[0].T
    got = collapse_measures(w, means, bias)
    expected = published(w, bias, means.T, np.arange(4))
    assert_published(got, expected, "papyan")
    assert got.absent == ()


def test_square_features_need_their_layout_and_others_are_recognised():
    w, _, features, labels = random_layer((2, 2, 2), dim=6)
    with pytest.raises(mdt.AssumptionError, match="samples = None: must be 'rows' or 'columns'"):
        collapse_measures(w, features=features, labels=labels)
    rows, columns = (
        collapse_measures(w, features=x, labels=labels, samples=layout).within_class_variability
        for x, layout in ((features, "rows"), (features.T, "columns"))
    )
    assert rows == columns == pytest.approx(published(w, np.zeros(3), features, labels)["papyan"])
    w, _, features, labels = random_layer()
    assert collapse_measures(w, features=features, labels=labels).rank == 4
    assert (
        collapse_measures(w, features=features.T, labels=labels).within_class_variability
        == collapse_measures(w, features=features, labels=labels).within_class_variability
    )
    with pytest.raises(mdt.AssumptionError, match=r"features = .*they fit samples='columns'"):
        collapse_measures(w, features=features.T, labels=labels, samples="rows")


def test_a_large_data_set_is_read_in_blocks():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 20, 40_000)
    features = (rng.normal(size=(20, 128))[labels] + rng.normal(size=(40_000, 128))).astype(np.float32)
    w, size = rng.normal(size=(20, 128)), features.nbytes * 2
    tracemalloc.start()
    got = collapse_measures(w, features=features, labels=labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # In double precision the features alone would take `size`; distances to every class mean 20 times that.
    assert size == 40_000 * 128 * 8
    assert peak < 4 * size
    one_go = published_variability(features.astype(float), labels)
    assert got.within_class_variability == pytest.approx(one_go, rel=1e-9)


def published_variability(features, labels):
    means = np.array([features[labels == k].mean(axis=0) for k in np.unique(labels)])
    deviation = features - means[labels]
    centred = means - features.mean(axis=0)
    between = centred.T @ centred / len(means)
    return np.trace(deviation.T @ deviation / len(labels) @ np.linalg.pinv(between, rcond=1e-9)) / len(means)


def test_measures_are_frozen_also_after_a_pickle_and_short_to_read():
    got = collapse_measures(np.eye(100), np.eye(100))
    for measures in (got, pickle.loads(pickle.dumps(got)), copy.deepcopy(got)):
        with pytest.raises(ValueError, match="read-only"):
            measures.class_mean_norms[0] = 1.0
    assert "within_class_variability=0" in repr(got)
    assert len(repr(got)) < 800
    assert "\n" not in repr(got)


def test_zero_matrices_give_the_documented_numbers():
    measures = collapse_measures(np.zeros((3, 4)), np.zeros((4, 3)))
    assert (measures.class_mean_equinorm, measures.rank, measures.within_class_variability) == (0.0, 0, 0.0)
    assert measures.class_mean_gram_deviation == pytest.approx(1.0)
    assert measures.logit_deviation == pytest.approx(1.0)
    assert measures.weight_equiangularity == pytest.approx(0.5)
    assert measures.self_duality == 0.0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"weights": np.ones((2, 3))}, "weights"),
        ({"weights": [[np.nan] * 3] * 3}, "weights"),
        ({"weights": [[1.0], [1.0, 2.0]]}, "weights"),
        ({"class_means": np.ones((3, 1))}, "class_means"),
        ({"class_means": np.ones(3)}, "class_means"),
        ({"class_means": np.ones((3, 3)), "features": np.eye(3), "labels": [0, 1, 2]}, "class_means"),
        ({"bias": [1.0]}, "bias"),
        ({"features": np.eye(3)}, "labels"),
        ({"features": np.eye(2), "labels": [0, 1]}, "features"),
        ({"features": np.eye(3), "labels": [1, 1, 1]}, "labels"),
        ({"features": np.eye(3), "labels": [0, 1, 3]}, "labels"),
        ({"features": np.eye(3), "labels": [0, 1, -1]}, "labels"),
        ({"features": np.eye(3), "labels": [True, False, True]}, "labels"),
        ({"features": np.eye(3), "labels": ["0", "1", "2"]}, "labels"),
        ({"features": np.eye(3), "labels": np.eye(3, dtype=int)}, "labels"),
        ({"features": [[1.0, 2.0, np.inf]] * 4, "labels": [0, 1, 2, 2]}, "features"),
        ({"features": [["a", "b", "c"]] * 4, "labels": [0, 1, 2, 2]}, "features"),
        ({"features": [1.0, 2.0, 3.0], "labels": [0, 1, 2]}, "features"),
        ({"features": np.ones((4, 5)), "labels": [0, 1, 2, 2]}, "features"),
        ({"features": [[1, 0, 0], [-1, 0, 0]] * 2, "labels": [0, 0, 1, 1], "class_means": None}, "features"),
        ({"features": np.eye(3), "labels": [0, 1, 2], "samples": "row"}, "samples"),
        ({"samples": "rows"}, "samples"),
        ({"class_means": None}, "class_means"),
        ({"weights": np.ones((1, 3))}, "weights"),
        ({"variability": "fisher"}, "variability"),
        ({"ddof": 2}, "ddof"),
        ({"ddof": [0, 1]}, "ddof"),
        ({"features": np.eye(3), "labels": [0, 1, 2.5]}, "labels"),
        ({"features": np.eye(3), "labels": [0, 1]}, "labels"),
        ({"proportions": [0.5, 0.5, 0.1]}, "proportions"),
        ({"proportions": [0.5, 0.5, 0.0]}, "proportions"),
    ],
)
def test_bad_input_is_named(change, named):
    with pytest.raises(mdt.AssumptionError, match=rf"^{named} = "):
        collapse_measures(**{"weights": np.eye(3), "class_means": np.eye(3), **change})


def test_an_arrangement_refuses_what_is_no_matrix():
    for bad in ([1.0, 2.0], [[np.inf]], np.zeros((2, 0)), [["a"]], [[1j]]):
        with pytest.raises(mdt.AssumptionError, match=r"^class_means = "):
            arrangement(bad)
    with pytest.raises(mdt.AssumptionError, match=r"^tolerance = "):
        arrangement(np.eye(2), tolerance=-1.0)
