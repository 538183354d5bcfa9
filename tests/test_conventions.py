"""Other papers' objectives, minimised as written, against this library's with the converted decays."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

import mdtheory as mdt
from mdtheory.conventions import CONVENTIONS, decays, flip_probability, noise, to_paper, value_ratio

CLASSES, DIM = 3, 3
WEIGHT_DECAY, FEATURE_DECAY = 0.08, 0.02

# Each objective from sums over samples alone: loss (n,), squared feature norms (n,), squared weight norm, two decays.
WRITTEN = {
    "mdtheory": lambda loss, h, w, lw, lh: np.mean(loss + lh * h) + lw * w,
    "half-mean": lambda loss, h, w, lw, lh: np.mean(loss) + lh / 2 * np.sum(h) + lw / 2 * w,
    "half-sum": lambda loss, h, w, lw, lh: np.sum(loss) + lh / 2 * np.sum(h) + lw / 2 * w,
    "half-sample-mean": lambda loss, h, w, lw, lh: np.mean(loss + lh / 2 * h) + lw / 2 * w,
}


def cross_entropy(logits, labels):
    return -log_softmax(logits, axis=0)[labels, np.arange(labels.size)]


def half_squared_error(logits, labels):
    return np.sum((logits - np.eye(CLASSES)[:, labels]) ** 2, axis=0) / 2


def minimum_as_written(name, loss, labels):
    """The best of several starts: value, logits of every sample, all decays taken at face value."""

    def split(x):
        return x[: CLASSES * DIM].reshape(CLASSES, DIM), x[CLASSES * DIM :].reshape(DIM, labels.size)

    def objective(x):
        w, h = split(x)
        terms = loss(w @ h, labels)
        return WRITTEN[name](terms, np.sum(h**2, axis=0), np.sum(w**2), WEIGHT_DECAY, FEATURE_DECAY)

    rng = np.random.default_rng(0)
    size = DIM * (CLASSES + labels.size)
    options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-8, "maxfun": 10**6}
    runs = [minimize(objective, rng.normal(size=size), method="L-BFGS-B", options=options) for _ in range(2)]
    best = min(runs, key=lambda run: run.fun)
    w, h = split(best.x)
    return best.fun, w @ h


@pytest.mark.parametrize("counts", [(2, 2, 2), (4, 3, 2)])
@pytest.mark.parametrize("name", sorted(CONVENTIONS))
@pytest.mark.parametrize(
    ("loss", "written"), [(mdt.CrossEntropy(), cross_entropy), (mdt.MeanSquaredError(), half_squared_error)]
)
def test_both_forms_have_the_same_minimiser(name, counts, loss, written):
    labels = np.repeat(np.arange(CLASSES), counts)
    value, logits = minimum_as_written(name, written, labels)
    samples = {"samples_per_class": list(counts), "num_classes": CLASSES}
    lambda_w, lambda_h = decays(name, weight_decay=WEIGHT_DECAY, feature_decay=FEATURE_DECAY, **samples)
    weights = None if len(set(counts)) == 1 else np.array(counts) / sum(counts)
    problem = mdt.UFM(
        loss,
        num_classes=CLASSES,
        weight_decay=lambda_w,
        feature_decay=lambda_h,
        class_weights=weights,
        feature_dim=DIM,
    )
    solution = mdt.solve(problem)
    objective = float(solution.objective)
    ratio = value_ratio(name, **samples)
    # The largest differences seen are 2e-11 and 1e-5 (finite-difference gradients, and the gap that solve allows); a
    # decay that is wrong by one part in a hundred moves the value by more than 3e-3.
    assert value == pytest.approx(ratio * objective, rel=1e-9)
    assert np.max(np.abs(logits)) > 0.5
    assert np.max(np.abs(logits - solution.logits[:, labels])) < 1e-4


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_to_paper_inverts_decays(name):
    samples = {"samples_per_class": 7, "num_classes": 5}
    here = decays(name, weight_decay=0.3, feature_decay=[0.01, 0.2], **samples)
    back = to_paper(name, weight_decay=here[0], feature_decay=here[1], **samples)
    assert back[0] == pytest.approx(0.3, rel=1e-15)
    np.testing.assert_allclose(back[1], [0.01, 0.2], rtol=4e-16)


def test_the_number_of_samples_is_asked_for_only_where_it_matters():
    assert decays("half-sample-mean", weight_decay=2.0, feature_decay=4.0) == (1.0, 2.0)
    with pytest.raises(mdt.AssumptionError, match="samples_per_class = None"):
        decays("half-mean", weight_decay=1.0, feature_decay=1.0)
    with pytest.raises(mdt.AssumptionError, match="num_classes = None"):
        value_ratio("half-sum", samples_per_class=3)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": "no-such-paper"}, "name"),
        ({"weight_decay": 0.0}, "weight_decay"),
        ({"feature_decay": float("nan")}, "feature_decay"),
        ({"samples_per_class": 2.5}, "samples_per_class"),
        ({"samples_per_class": []}, "samples_per_class"),
        ({"samples_per_class": [[1, 2], [3, 4]]}, "samples_per_class"),
        ({"samples_per_class": [1, 2], "num_classes": 3}, "num_classes"),
        ({"num_classes": 0}, "num_classes"),
    ],
)
def test_bad_input_is_named(change, named):
    good = {"name": "half-mean", "weight_decay": 1.0, "feature_decay": 1.0, "samples_per_class": 2, "num_classes": 3}
    with pytest.raises(mdt.AssumptionError, match=rf"^{named} = "):
        decays(**{**good, **change})


def test_noise_is_the_ratio_of_wrong_to_right_labels():
    labels = np.repeat([0, 1], [8, 2])  # one in five is wrong
    assert noise(flip=0.2) == pytest.approx(np.sum(labels == 1) / np.sum(labels == 0))
    np.testing.assert_allclose(flip_probability(noise(flip=[0.0, 0.1, 0.5])), [0.0, 0.1, 0.5], rtol=1e-15)
    assert (noise(flip=0.5), flip_probability(1.0)) == (1.0, 0.5)
    assert noise(flip=1e-300) == 1e-300


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_labels_redrawn_uniformly_may_stay_what_they_were(classes):
    # Of every 100 N labels of class 0, `share` are dealt out evenly over the classes.
    total, share = 100 * classes, 30
    dealt = np.concatenate([np.zeros(total - share * classes, dtype=int), np.repeat(np.arange(classes), share)])
    got = noise(redrawn=share * classes / total, num_classes=classes)
    assert got == pytest.approx(np.sum(dealt != 0) / np.sum(dealt == 0))


def test_all_samples_may_be_counted_at_once():
    options = {"weight_decay": 5e-4, "feature_decay": 1e-5}
    by_class = decays("half-mean", **options, samples_per_class=[64, 32, 32])
    assert decays("half-mean", **options, samples=128) == by_class == (2.5e-4, 6.4e-4)
    np.testing.assert_allclose(
        to_paper("half-mean", weight_decay=2.5e-4, feature_decay=6.4e-4, samples=128), (5e-4, 1e-5)
    )
    assert value_ratio("half-sum", samples=128) == 128.0
    assert value_ratio("half-mean") == 1.0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: noise(), "flip"),
        (lambda: noise(flip=0.1, redrawn=0.1), "flip"),
        (lambda: noise(flip=0.6), "flip"),
        (lambda: noise(flip=-0.1), "flip"),
        (lambda: noise(flip=np.nan), "flip"),
        (lambda: noise(flip=0.1, num_classes=2), "num_classes"),
        (lambda: noise(redrawn=0.2), "num_classes"),
        (lambda: noise(redrawn=0.9, num_classes=10), "redrawn"),
        (lambda: noise(redrawn=1.1, num_classes=2), "redrawn"),
        (lambda: noise(redrawn=[0.1, 0.2], num_classes=[2, 3, 4]), "shapes"),
        (lambda: flip_probability(1.5), "noise"),
        (lambda: value_ratio("mdtheory", samples_per_class=-3), "samples_per_class"),
        (lambda: value_ratio("half-sum", samples=3, num_classes=2), "num_classes"),
        (lambda: value_ratio("half-sum", samples=2.5), "samples"),
    ],
)
def test_bad_noise_and_bad_counts_are_named(call, named):
    with pytest.raises(mdt.AssumptionError, match=rf"^{named} = "):
        call()
