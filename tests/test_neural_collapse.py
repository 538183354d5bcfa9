"""Names of arrangements, and the neural-collapse measures against their definitions written as loops."""

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


def random_layer(classes=4, dim=6, counts=(5, 9, 4, 7), seed=5):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(classes), counts))
    features = rng.normal(size=(dim, classes))[:, labels] + rng.normal(size=(dim, labels.size))
    means = np.stack([features[:, labels == k].mean(axis=1) for k in range(classes)], axis=1)
    return rng.normal(size=(classes, dim)), means, rng.normal(size=classes), features, labels


def test_measures_follow_their_definitions():
    w, means, bias, features, labels = random_layer()
    pi = np.bincount(labels) / labels.size
    got = collapse_measures(w, means, bias, features=features, labels=labels, proportions=pi)
    centred = means - features.mean(axis=1)[:, None]
    simplex4 = simplex(4) / np.sqrt(3)
    within = sum(np.outer(d, d) for d in (features - means[:, labels]).T) / labels.size
    between = sum(p * np.outer(c, c) for p, c in zip(pi, centred.T, strict=True))
    assert got.within_class_variability == pytest.approx(np.trace(within @ np.linalg.pinv(between, rcond=1e-9)) / 4)
    for columns, prefix in ((centred, "class_mean"), (w.T, "weight")):
        norms = [np.sqrt(c @ c) for c in columns.T]
        pairs = [(j, k) for j in range(4) for k in range(4) if j != k]
        angles = [abs(columns[:, j] @ columns[:, k] / (norms[j] * norms[k]) + 1 / 3) for j, k in pairs]
        gram = columns.T @ columns
        deviation = np.linalg.norm(gram / np.linalg.norm(gram) - simplex4)
        assert getattr(got, f"{prefix}_equinorm") == pytest.approx(np.std(norms) / np.mean(norms))
        assert getattr(got, f"{prefix}_equiangularity") == pytest.approx(np.mean(angles))
        assert getattr(got, f"{prefix}_gram_deviation") == pytest.approx(deviation)
    product = w @ centred
    assert got.logit_deviation == pytest.approx(np.linalg.norm(product / np.linalg.norm(product) - simplex4))
    # ||a - b||^2 = 2 - 2 <a, b> for matrices of norm one.
    cosine = np.trace(product) / (np.linalg.norm(w) * np.linalg.norm(centred))
    assert got.self_duality == pytest.approx(np.sqrt(2 - 2 * cosine))
    agree = [np.argmax(w @ h + bias) == min(range(4), key=lambda k: np.sum((h - means[:, k]) ** 2)) for h in features.T]
    assert got.nearest_centre_agreement == pytest.approx(np.mean(agree))
    assert 0 < np.mean(agree) < 1
    np.testing.assert_allclose(got.class_mean_norms**2, np.diag(means.T @ means))
    np.testing.assert_allclose(got.weight_norms**2, np.diag(w @ w.T))
    np.testing.assert_allclose(
        got.class_mean_cosines[0, 1], means[:, 0] @ means[:, 1] / np.prod(got.class_mean_norms[:2])
    )
    np.testing.assert_allclose(got.weight_cosines[2, 3], w[2] @ w[3] / np.prod(got.weight_norms[2:]))
    assert got.rank == 4


def test_balanced_variability_weighs_every_class_the_same():
    w, means, bias, features, labels = random_layer()
    got = collapse_measures(w, means, bias, features=features, labels=labels)
    deviations = [features[:, labels == k] - means[:, [k]] for k in range(4)]
    within = np.mean([d @ d.T / d.shape[1] for d in deviations], axis=0)
    centred = means - means.mean(axis=1)[:, None]
    between = centred @ centred.T / 4
    assert got.within_class_variability == pytest.approx(np.trace(within @ np.linalg.pinv(between, rcond=1e-9)) / 4)


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
        ({"features": np.eye(3), "labels": [0, 1, 1]}, "labels"),
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
