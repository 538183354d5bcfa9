"""Input of every kind: what rounds to a distribution is one, and whatever is refused is refused in one short line."""

import contextlib
import copy
import dataclasses
import inspect
import pickle
import re
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pandas as pd
import pytest
import registered
import sympy as sp
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mdtheory as mdt
from mdtheory import special
from mdtheory.command.array_files import read_matrix
from mdtheory.foundation.errors import AssumptionError, CertificateError, SolverError, one_line
from mdtheory.foundation.validation import columns, integer, positive, proportions
from mdtheory.foundation.wording import shown
from mdtheory.losses.faces import TAKES
from mdtheory.models.max_margin.solving import soft_label_limit
from mdtheory.questions.imbalance import zero_collapse_threshold
from mdtheory.questions.regression import regression_spectrum

EPS = {np.float16: 2.0**-10, np.float32: 2.0**-23, np.float64: 2.0**-52}


def ufm(**options):
    return mdt.UFM(mdt.CrossEntropy(), **{"num_classes": 3, "weight_decay": 0.01, "feature_decay": 0.01, **options})


def refusal(call, *arguments, **options):
    """The message of the error: one line, not long."""
    with pytest.raises((AssumptionError, SolverError, CertificateError)) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert len(message) < 300
    assert message.splitlines() == [message]
    return message


# ---------------------------------------------------------------------------------------------------------- precision


def softmax(logits, dtype):
    powers = np.exp(logits.astype(dtype))
    return powers / np.sum(powers, axis=0, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_distributions_computed_in_any_precision_are_taken_and_sum_to_one(dtype, classes):
    labels = softmax(np.random.default_rng(classes).normal(size=(classes, 4)), dtype)
    weights = softmax(np.arange(4.0), dtype)
    assert labels.dtype == weights.dtype == dtype
    problem = ufm(num_classes=classes, label_distribution=labels, class_weights=weights)
    np.testing.assert_allclose(problem.label_distribution.sum(axis=0), 1.0, rtol=1e-14)
    np.testing.assert_allclose(problem.class_weights.sum(), 1.0, rtol=1e-14)
    # Each number is the given one up to the rounding that the sum already had.
    np.testing.assert_allclose(problem.label_distribution, labels.astype(float), rtol=20 * EPS[dtype])
    np.testing.assert_allclose(problem.class_weights, weights.astype(float), rtol=20 * EPS[dtype])


def test_single_precision_is_known_after_conversion_to_double():
    weights = softmax(np.array([0.3, -1.0, 2.0]), np.float32)
    assert abs(weights.astype(float).sum() - 1) > 1e-12  # else there is nothing to see here
    for given_as in (weights, weights.astype(float), weights.tolist(), list(weights)):
        np.testing.assert_allclose(ufm(class_weights=given_as).class_weights.sum(), 1.0, rtol=1e-15)


@pytest.mark.parametrize("factor", [1 + 1e-5, 1 - 1e-5])
def test_more_than_rounding_is_refused_in_every_precision(factor):
    weights = np.array([0.5, 0.3, 0.2]) * factor
    for given_as in (weights, weights.astype(np.float32), weights.astype(np.float32).tolist()):
        assert "class_weights" in refusal(ufm, class_weights=given_as)
        assert "must sum to 1" in refusal(ufm, class_weights=given_as)
    assert "must sum to 1" in refusal(ufm, class_weights=np.array([0.5, 0.3, 0.19], np.float16))
    assert "must sum to 1" in refusal(ufm, class_weights=[0.5, 0.3, 0.2 + 1e-11])


def test_doubles_with_sum_one_are_kept_to_the_bit_and_renormalising_is_done_once():
    weights = np.array([0.7, 0.2, 0.1])
    assert np.array_equal(ufm(class_weights=weights).class_weights, weights)
    rng = np.random.default_rng(0)
    for _ in range(200):
        rough = softmax(rng.normal(size=7), np.float32)
        once = proportions("p", rough)
        assert np.array_equal(proportions("p", once), once)


TAKERS = [
    (lambda p, y: ufm(class_weights=p).class_weights),
    (lambda p, y: ufm(label_distribution=y).label_distribution),
    (lambda p, y: mdt.MaxMargin(num_classes=3, class_weights=p).class_weights),
    (lambda p, y: zero_collapse_threshold(mdt.CrossEntropy(), p)),
    (lambda p, y: zero_collapse_threshold(mdt.CrossEntropy(), p, y)),
    (lambda p, y: zero_collapse_threshold(mdt.LabelRelaxation(0.1), p)),
    (lambda p, y: regression_spectrum(p)),
    (lambda p, y: mdt.regression_optimum(np.eye(3), p, weight_decay=0.1, feature_decay=0.1).objective),
    (lambda p, y: mdt.rank_bounds(mdt.CrossEntropy(), p, np.eye(3), mu=0.1, label_distribution=y)),
    (lambda p, y: mdt.rank_threshold(mdt.CrossEntropy(), p, 1, relative_width=0.5)[1]),
    (lambda p, y: mdt.is_exchangeable(y, p)),
    (lambda p, y: soft_label_limit(y)),
    (lambda p, y: mdt.multilabel_optimum(4, dict(enumerate(p, 1)), weight_decay=0.1, feature_decay=0.1).objective),
]


@pytest.mark.parametrize("taker", TAKERS)
def test_every_question_takes_proportions_and_labels_in_single_precision(taker):
    p, y = np.array([0.6, 0.3, 0.1]), np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.2], [0.1, 0.1, 0.7]])
    p32, y32 = p.astype(np.float32), y.astype(np.float32)
    assert abs(float(p32.astype(float).sum()) - 1) > 1e-9
    np.testing.assert_allclose(np.asarray(taker(p32, y32), float), np.asarray(taker(p, y), float), rtol=1e-5)


def test_masses_are_totals_that_columns_may_miss_by_rounding():
    labels = np.array([[0.6, 1.2], [0.6, 0.3], [0.3, 0.0]], np.float32)
    got = columns("y", labels, totals=np.array([1.5, 1.5]))
    np.testing.assert_allclose(got.sum(axis=0), 1.5, rtol=1e-15)
    assert "column 1 must sum to 1.4" in refusal(columns, "y", labels, totals=np.array([1.5, 1.4]))


def test_files_keep_the_precision_of_their_numbers(tmp_path):
    for dtype in (np.float16, np.float32, np.float64):
        labels = softmax(np.random.default_rng(1).normal(size=(3, 5)), dtype)
        np.save(tmp_path / "labels.npy", labels)
        np.savetxt(tmp_path / "labels.csv", labels.astype(max(dtype, np.float32, key=lambda d: -EPS[d])), delimiter=",")
        problem = ufm(label_distribution=read_matrix("y", str(tmp_path / "labels.npy")))
        np.testing.assert_allclose(problem.label_distribution.sum(axis=0), 1.0, rtol=1e-14)
        if dtype is not np.float16:
            again = ufm(label_distribution=read_matrix("y", str(tmp_path / "labels.csv")))
            np.testing.assert_allclose(again.label_distribution, problem.label_distribution, rtol=1e-15)


# ------------------------------------------------------------------------------------------------------------ columns


def test_rows_that_are_distributions_are_told_to_be_transposed():
    rows = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    for labels in (rows, rows[:3], rows[:3].astype(np.float32)):
        assert "transpose" in refusal(ufm, label_distribution=labels)
    assert "transpose" not in refusal(ufm, label_distribution=0.9 * rows[:3])
    assert ufm(label_distribution=rows.T).num_groups == 4
    doubly = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]])
    assert np.array_equal(ufm(label_distribution=doubly).label_distribution, doubly)


# ----------------------------------------------------------------------------------------------------------- messages


class Loud:
    def __repr__(self):
        return "loud\n" * 10**5


class Broken:
    def __repr__(self):
        raise RuntimeError("no repr")

    def __array__(self, *_, **__):
        raise RuntimeError("no array")


HUGE = {
    "list": [0.1] * 10**5 + ["x"],
    "nested": [[0.1] * 100] * 100 + [["x"] * 100],
    "array": np.full((300, 400), np.nan),
    "string": "x" * 10**6,
    "lines": "x\n" * 10**5,
    "integer": 10**5000,
    "loud": Loud(),
    "broken": Broken(),
    "listed": [Loud()] * 1000,
    "dictionary": {str(k): Loud() for k in range(10**4)},
    "bytes": b"x" * 10**6,
    "set": set(range(10**5)),
    "objects": np.array([Loud()] * 1000, dtype=object),
    "complex": np.full(10**5, 1j),
}


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
def test_any_value_is_shown_in_one_short_line(value):
    text = shown(value)
    assert 0 < len(text) <= 120
    assert "\n" not in text


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("check", [positive, proportions, columns, lambda name, value: integer(name, value, 1, 5)])
def test_any_value_is_refused_in_one_short_line_that_names_its_parameter(check, value):
    assert refusal(check, "thing", value).startswith("thing = ")


def test_the_first_offending_entry_is_named_with_its_place():
    assert refusal(positive, "x", [0.1] * 50 + [-2.0, -3.0]) == "x = -2.0: must be positive and finite (entry [50])"
    assert refusal(positive, "x", [[1.0, 2.0], [1.0, "a"]]).startswith("x = 'a': ")
    assert refusal(positive, "x", [[1.0, 2.0], [1.0, "a"]]).endswith("(entry [1, 1])")
    assert "(entry [2])" in refusal(positive, "x", [[1.0], [2.0], [1.0, 3.0]])
    assert "(entry [1])" in refusal(positive, "x", [1.0, True])
    assert refusal(integer, "n", np.array([[2, 3], [4, 9]]), 1, 5).endswith("(entry [1, 1])")
    assert refusal(proportions, "p", [[0.5, 0.5], [0.5, 0.4]], axes=2).endswith("(entry [1])")
    assert "column 2 must" in refusal(columns, "y", [[1.0, 0.5, 0.3], [0.0, 0.5, 0.3]])


@pytest.mark.parametrize("kind", [AssumptionError, SolverError, CertificateError])
def test_every_error_is_one_line_however_it_is_raised(kind):
    message = str(kind("value = " + "1\n2\t3 " * 10**5 + ": must be less"))
    assert len(message) < 300
    assert message.splitlines() == [message]
    assert message.startswith("value = 1 2 3")
    assert message.endswith(": must be less")
    again = pickle.loads(pickle.dumps(kind(message)))
    assert (type(again), str(again), str(copy.deepcopy(again))) == (kind, message, message)


@settings(max_examples=60)
@given(st.text(max_size=2000))
def test_a_short_line_stays_as_it_is(text):
    line = one_line(text)
    assert len(line) <= 299
    assert one_line(line) == line
    if len(text) <= 299 and text.isprintable() and text == " ".join(text.split()):
        assert line == text


# ------------------------------------------------------------------------------------------------------- number kinds


@pytest.mark.parametrize(
    "value",
    [
        Fraction(1, 4),
        Decimal("0.25"),
        sp.Rational(1, 4),
        np.float16(0.25),
        np.array(0.25),
        np.longdouble(0.25),
        np.ma.masked_array([0.25], [False]),
        np.array([0.25], dtype=object),
        pd.Series([0.25]),
        pd.Series([0.25], dtype="Float64"),
        xr.DataArray([0.25]),
    ],
)
def test_numbers_of_every_real_kind_are_numbers(value):
    assert np.all(np.asarray(positive("x", value)) == 0.25)


def test_integers_beyond_64_bits_are_numbers():
    assert positive("x", 10**30) == 1e30
    assert np.array_equal(positive("x", [10**30, 1]), [1e30, 1.0])
    assert "too large" in refusal(positive, "x", [1, 10**400])


def test_large_integers_are_not_rounded_before_they_are_compared():
    assert integer("n", 2**53 + 1, 1, 2**60) == 2**53 + 1
    assert np.array_equal(integer("n", [2**53 + 1, 3], 1, 2**60), [2**53 + 1, 3])
    for beyond in (2**53 + 1, [1, 2**53 + 1], np.array([2**53 + 1]), 10**30, np.uint64(2**64 - 1)):
        assert "must be an integer from 1 to" in refusal(integer, "n", beyond, 1, 2**53)
    assert integer("n", 2.0**52, 1, 2**53) == 2**52


def test_an_entry_that_a_table_lacks_is_named():
    missing = pd.Series([0.25, None], dtype="Float64")
    assert refusal(positive, "x", missing) == "x = nan: must be positive and finite (entry [1])"
    assert refusal(positive, "x", pd.Series([True, False])).startswith("x = True: must be a real number")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "0.1",
        b"0.1",
        1j,
        [],
        [[]],
        {},
        {0.1},
        np.array([True]),
        np.zeros(0) + 1,
        np.array("2026-01-01", "M8[D]"),
        np.timedelta64(3, "s"),
        np.ma.masked_array([0.1, 0.2], [False, True]),
        np.array([0.1, None]),
        np.array([(0.1,)], dtype=[("a", float)]),
        object(),
        len,
        float,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused(value):
    assert refusal(positive, "x", value).startswith("x = ")
    assert refusal(ufm, weight_decay=value).startswith("weight_decay = ")


# ------------------------------------------------------------------------------------------ every public function

CE, DECAYS = mdt.CrossEntropy(), {"weight_decay": 0.01, "feature_decay": 0.01}
TWO = mdt.UFM(CE, num_classes=2, nonnegative=True, **DECAYS)
NOISY = mdt.MemorizationDilation(TWO, noise=0.1, slope=1.0, noisy_feature_decay=0.0)
THREE_ALIKE = mdt.LimitedExpressivity(
    mdt.CrossEntropy(), num_classes=3, noise=0.1, slope=1.0, weight_decay=3e-3, feature_decay=3e-3
)
MERGING = mdt.LimitedExpressivity(CE, noise=0.3, slope=1.0, weight_decay=1e-3, feature_decay=1e-3, scaling="absolute")
JOINT = mdt.LimitedExpressivity(CE, noise=0.1, slope=1.0, weight_decay=5e-3, feature_decay=5e-3)
SKEWED = ufm(class_weights=[0.5, 0.3, 0.2])
SHARES, LABELS = [0.5, 0.3, 0.2], 0.7 * np.eye(3) + 0.1
SIZES = {"num_classes": 4, "frequencies": {1: 0.6, 2: 0.4}}
T = sp.Symbol("t")

#: Arguments that are right, all of them, for everything that a user calls.
NETWORK = {
    "features": np.array([[3.0, 1], [3, -1], [-3, 1], [-3, -1], [-1, 0]]),
    "labels": np.array([0, 0, 1, 1, 1]),
    "true_labels": np.array([0, 0, 1, 1, 0]),
    "weights": np.array([[1.0, 0], [-1, 0]]),
    "bias": np.array([0.1, -0.1]),
    "test_features": np.array([[3.0, 1], [-3, 1]]),
    "test_labels": np.array([0, 1]),
    "loss": CE,
    "weight_decay": 5e-3,
    "feature_decay": 5e-3,
}


RUNS = {
    "noise": np.tile([0.0, 0.1, 0.2], 5),
    "memorization": np.linspace(1.0, 2.0, 15),
    "mean_distance": np.full(15, 2.0),
    "dilation": np.linspace(0.1, 0.3, 15),
    "drift": np.tile([0.01, 0.1, 0.2], 5),
    "seed": np.repeat(np.arange(5), 3),
}


COMPARED_RUNS = {name: np.tile(column, 2) for name, column in RUNS.items()} | {
    "loss": np.repeat(["a", "b"], 15),
    "test_error": np.linspace(0.1, 0.2, 30),
    "level": np.tile(RUNS["noise"], 2),
}


PREDICTED_RUNS = COMPARED_RUNS | {
    "margin": np.full(30, 4.0),
    "noisy_margin": np.full(30, 2.0),
    "train_dilation": np.full(30, 0.1),
    "weight_decay": np.full(30, 5e-3),
    "effective_feature_decay": np.full(30, 5e-3),
}


def measured_margin(
    features, labels, true_labels, weights, bias, test_features, test_labels, loss, weight_decay, feature_decay
):
    """What is not measured is NaN, and says why: that is no fault."""
    found = mdt.measure(
        features,
        labels,
        true_labels,
        weights,
        bias=bias,
        test_features=test_features,
        test_labels=test_labels,
        loss=loss,
        weight_decay=weight_decay,
        feature_decay=feature_decay,
    )
    return found.margin


CALLS = {
    "UFM": (
        mdt.UFM,
        {
            "loss": CE,
            "num_classes": 3,
            **DECAYS,
            "nonnegative": False,
            "bias": True,
            "bias_decay": 0.1,
            "class_weights": SHARES,
            "label_distribution": LABELS,
            "feature_dim": 3,
        },
    ),
    "MaxMargin": (
        mdt.MaxMargin,
        {"num_classes": 3, "class_weights": SHARES, "nonnegative": False, "label_temperatures": [1.0, 2.0, 1.0]},
    ),
    "MemorizationDilation": (
        mdt.MemorizationDilation,
        {
            "ufm": TWO,
            "noise": 0.1,
            "slope": 1.0,
            "spread": mdt.Sphere(8),
            "scaling": "absolute",
            "noisy_feature_decay": 1e-4,
            "nonnegative_noisy_features": False,
            "given_configuration": mdt.Configuration.given(margin=4.0, mean_distance=3.0),
        },
    ),
    "Configuration": (
        mdt.Configuration.given,
        {"margin": 4.0, "mean_distance": 3.0, "centre_norm": 1.0, "mean_margin": 0.5},
    ),
    "DeepUFM": (
        mdt.DeepUFM,
        {
            "loss": CE,
            "num_classes": 3,
            "layers": 2,
            "weight_decay": [1e-2, 2e-2],
            "feature_decay": 1e-2,
            "class_weights": None,
            "label_distribution": np.eye(3),
            "nonnegative": False,
        },
    ),
    "learning_times": (
        mdt.learning_times,
        {
            "problem": mdt.UFM(mdt.MeanSquaredError(), num_classes=2, weight_decay=1e-2, feature_decay=1e-2),
            "start": 1e-3,
            "rate": 2.0,
        },
    ),
    "memorization_time": (
        mdt.memorization_time,
        {"problem": mdt.MemorizationDilation(TWO, noise=0.1, slope=1.0, noisy_feature_decay=0.0), "rate": 2.0},
    ),
    "etf_stability_margin": (mdt.etf_stability_margin, {"num_classes": 5, "layers": 2, "smoothing": 0.1}),
    "etf_stability_decay": (mdt.etf_stability_decay, {"num_classes": 5, "layers": 2, "smoothing": 0.1}),
    "etf_certified_decay": (mdt.etf_certified_decay, {"num_classes": 3, "layers": 2, "smoothing": 0.5}),
    "structure_value": (
        mdt.structure_value,
        {"structure": "pairs", "num_classes": 6, "layers": 2, "decay": 0.01, "smoothing": 0.1},
    ),
    "structure_crossing": (
        mdt.structure_crossing,
        {"first": "pairs", "second": "zero", "num_classes": 6, "layers": 2, "smoothing": 0.1},
    ),
    "EmpiricalSpread": (mdt.EmpiricalSpread, {"dim": 3, "coordinates": [0.1, -0.2, 0.4]}),
    "LimitedExpressivity": (
        mdt.LimitedExpressivity,
        {
            "loss": CE,
            "noise": None,
            "slope": 1.0,
            "weight_decay": 5e-3,
            "feature_decay": 5e-3,
            "num_classes": 2,
            "spread": mdt.Sphere(8),
            "scaling": "relative",
            "nonnegative": False,
            "nonnegative_noisy_features": False,
            "bias": False,
            "class_weights": [0.3, 0.7],
            "noise_matrix": [[0.9, 0.2], [0.1, 0.8]],
        },
    ),
    "measure": (measured_margin, NETWORK),
    "train_network": (
        lambda inputs, labels, loss, num_classes, widths, weight_decay, feature_decay, hidden_decay, seed, adam_steps, steps: (
            mdt.train_network(
                inputs,
                labels,
                loss,
                num_classes=num_classes,
                widths=widths,
                weight_decay=weight_decay,
                feature_decay=feature_decay,
                hidden_decay=hidden_decay,
                seed=seed,
                adam_steps=adam_steps,
                steps=steps,
            ).objective
        ),
        {
            "inputs": NETWORK["features"],
            "labels": NETWORK["labels"],
            "loss": CE,
            "num_classes": 2,
            "widths": (3,),
            "weight_decay": 1e-3,
            "feature_decay": 1e-3,
            "hidden_decay": 1e-3,
            "seed": 0,
            "adam_steps": 3,
            "steps": 3,
        },
    ),
    "check_runs": (
        lambda runs, baseline, target, confidence, resamples, random_seed: str(
            mdt.check_runs(runs, baseline, target, confidence=confidence, resamples=resamples, random_seed=random_seed)
        ),
        {
            "runs": COMPARED_RUNS,
            "baseline": "a",
            "target": "b",
            "confidence": 0.9,
            "resamples": 100,
            "random_seed": 3,
        },
    ),
    "fit_slope": (
        lambda runs, law, confidence, resamples, random_seed: (
            mdt.fit_slope(runs, law, confidence=confidence, resamples=resamples, random_seed=random_seed).pooled
        ),
        {"runs": RUNS, "law": "transport", "confidence": 0.9, "resamples": 100, "random_seed": 3},
    ),
    "predict": (
        lambda runs, train, target, law, losses, configuration, nonnegative, confidence, resamples, random_seed: str(
            mdt.predict(
                runs,
                train,
                target,
                law,
                losses=losses,
                configuration=configuration,
                nonnegative=nonnegative,
                confidence=confidence,
                resamples=resamples,
                random_seed=random_seed,
            )
        ),
        {
            "runs": PREDICTED_RUNS,
            "train": "a",
            "target": "b",
            "law": "copy",
            "losses": {"a": CE, "b": CE},
            "configuration": "measured",
            "nonnegative": True,
            "confidence": 0.9,
            "resamples": 100,
            "random_seed": 3,
        },
    ),
    "compare": (mdt.compare, {"measurement": mdt.measure(**NETWORK), "nonnegative": False}),
    "worst_slope": (mdt.worst_slope, {"problem": JOINT}),
    "bound_over_shapes": (
        lambda solution, target, most_cells: mdt.bound_over_shapes(solution, target=target, most_cells=most_cells),
        {"solution": mdt.solve(THREE_ALIKE, method="symmetric"), "target": 0.3, "most_cells": 10},
    ),
    "giving_up_noise": (mdt.giving_up_noise, {"problem": dataclasses.replace(JOINT, slope=0.05)}),
    "merging_slope": (mdt.merging_slope, {"problem": MERGING}),
    "symmetry_breaking_slope": (
        mdt.symmetry_breaking_slope,
        {
            "problem": mdt.LimitedExpressivity(
                mdt.MeanSquaredError(), num_classes=3, noise=0.6, slope=1.0, **DECAYS, bias=True
            )
        },
    ),
    "giving_up_slope": (mdt.giving_up_slope, {"problem": JOINT}),
    "equal_dilation_slope": (mdt.equal_dilation_slope, {"problem": JOINT, "other": mdt.CrossEntropy(0.1)}),
    "least_error_smoothing": (mdt.least_error_smoothing, {"problem": JOINT}),
    "CrossEntropy": (mdt.CrossEntropy, {"smoothing": 0.1}),
    "MeanSquaredError": (mdt.MeanSquaredError, {"smoothing": 0.1}),
    "LabelRelaxation": (mdt.LabelRelaxation, {"relaxation": 0.1}),
    "Focal": (mdt.Focal, {"focusing": 2.0}),
    "MarginLoss": (mdt.MarginLoss, {"expression": sp.exp(-T), "interval": (-3.0, 3.0), "strip": 1.0}),
    "Sphere": (mdt.Sphere, {"dim": 3}),
    "UniformBall": (mdt.UniformBall, {"dim": 3}),
    "Gaussian": (mdt.Gaussian, {"dim": 3}),
    "TwoPoint": (mdt.TwoPoint, {"dim": 3}),
    "collapse_threshold": (mdt.collapse_threshold, {"problem": TWO}),
    "critical_noise": (mdt.critical_noise, {"problem": NOISY}),
    "merge_threshold": (
        mdt.merge_threshold,
        {"loss": CE, "proportion": 0.2, "loss_weight": 1.0, "logit_scale": 1.0, "feature_decay_weight": 1.0},
    ),
    "class_collapse_threshold": (
        mdt.class_collapse_threshold,
        {"loss": CE, "proportion": 0.2, "num_classes": 3},
    ),
    "zero_collapse_threshold": (
        mdt.zero_collapse_threshold,
        {"loss": CE, "class_weights": SHARES, "label_distribution": LABELS, "bias": False},
    ),
    "required_width": (mdt.required_width, {"problem": SKEWED}),
    "rank_bounds": (
        mdt.rank_bounds,
        {"loss": CE, "class_weights": SHARES, "logits": np.eye(3), "mu": 0.1, "label_distribution": LABELS},
    ),
    "rank_threshold": (
        mdt.rank_threshold,
        {
            "loss": mdt.MeanSquaredError(),
            "class_weights": SHARES,
            "rank": 1,
            "solver": None,
            "label_distribution": LABELS,
            "relative_width": 0.3,
        },
    ),
    "regression_spectrum": (mdt.regression_spectrum, {"class_weights": SHARES, "bias": True}),
    "regression_optimum": (
        mdt.regression_optimum,
        {"targets": np.eye(3), "sample_weights": SHARES, "bias": True, "feature_dim": 3, **DECAYS},
    ),
    "exchangeable_optimum": (
        mdt.exchangeable_optimum,
        {"label_distribution": LABELS, "weights": [1 / 3] * 3, "masses": [1.0] * 3, **DECAYS},
    ),
    "is_exchangeable": (
        mdt.is_exchangeable,
        {"label_distribution": LABELS, "weights": [1 / 3] * 3, "masses": [1.0] * 3},
    ),
    "multilabel_optimum": (mdt.multilabel_optimum, {**SIZES, **DECAYS}),
    "pick_all_labels": (mdt.pick_all_labels, SIZES),
    "soft_label_limit": (mdt.soft_label_limit, {"label_distribution": LABELS}),
    "direction_distance": (mdt.direction_distance, {"logits": np.eye(3), "limit": LABELS}),
    "arrangement": (mdt.arrangement, {"class_means": np.eye(3), "tolerance": 1e-6, "zero": 0.0}),
    "collapse_measures": (
        mdt.collapse_measures,
        {
            "weights": np.eye(3),
            "class_means": np.eye(3),
            "bias": [0.1, 0.2, 0.3],
            "features": np.arange(12.0).reshape(4, 3) ** 2,
            "labels": [0, 1, 2, 2],
            "samples": "rows",
            "proportions": SHARES,
            "variability": "papyan",
            "ddof": 0,
        },
    ),
    "decays": (
        mdt.conventions.decays,
        {"name": "half-mean", **DECAYS, "samples_per_class": 100, "num_classes": 10, "samples": None},
    ),
    "to_paper": (
        mdt.conventions.to_paper,
        {"name": "half-mean", **DECAYS, "samples_per_class": 100, "num_classes": 10, "samples": None},
    ),
    "value_ratio": (
        mdt.conventions.value_ratio,
        {"name": "half-sum", "samples_per_class": 100, "num_classes": 10, "samples": None},
    ),
    "noise": (mdt.conventions.noise, {"flip": None, "redrawn": 0.1, "num_classes": 2}),
    "flip_probability": (mdt.conventions.flip_probability, {"noise": 0.1}),
    "small_noise_dilation": (
        mdt.asymptotics.small_noise_dilation,
        {"problem": dataclasses.replace(NOISY, noisy_feature_decay=1e-4), "order": 1},
    ),
    "cross_entropy_small_noise": (mdt.asymptotics.cross_entropy_small_noise, {"problem": NOISY}),
    "small_slope_dilation": (mdt.asymptotics.small_slope_dilation, {"problem": NOISY}),
    "lambert_r": (special.lambert_r, {"y": 1.0, "r": 0.5}),
    "lambert_r_log": (special.lambert_r_log, {"log_y": 1.0, "log_r": 0.5}),
    "lambert_r_derivative": (special.lambert_r_derivative, {"y": 1.0, "r": 0.5}),
}
LOSSES = [
    CE,
    mdt.MeanSquaredError(0.1),
    mdt.LabelRelaxation(0.1),
    mdt.Focal(2.0),
    mdt.Hinge(),
    mdt.SquaredHinge(),
    mdt.MarginLoss(sp.log(1 + sp.exp(-T)) + sp.exp(-T)),
]
LOSSES += registered.losses(*LOSSES)
for _loss in LOSSES:
    for _face, _names in TAKES.items():
        _good = {"logits": [0.3, -0.2], "dual": [-0.2, 0.2], "label": 0, "margin": 0.3, "slope": -0.2, "num_classes": 2}
        # Without a curvature, or without a conjugate, there is nothing to give numbers to.
        if (_face == "conjugate" and isinstance(_loss, mdt.Focal)) or getattr(type(_loss), _face) is getattr(
            mdt.Loss, _face
        ):
            continue
        CALLS[f"{type(_loss).__name__}.{_face}"] = (getattr(_loss, _face), {name: _good[name] for name in _names})
for _spread in (mdt.Sphere(1), mdt.Sphere(3), mdt.UniformBall(2), mdt.Gaussian(4), mdt.TwoPoint(3)):
    CALLS[f"{_spread}.tail"] = (_spread.tail, {"x": 0.2})
    CALLS[f"{_spread}.test_error"] = (_spread.test_error, {"normalized_dilation": 0.7})

# Answers and abstract classes are not made by users; these have tests of their own for what they take.
ELSEWHERE = {"Box", "Claim", "Quantity", "check", "falsify", "phase", "solve", "sweep", "certify", "logits_error"}
GIVEN_BY_OTHERS = {
    "AssumptionError",
    "CertificateError",
    "SolverError",
    "Hinge",
    "Loss",
    "Report",
    "Spread",
    "SquaredHinge",
}

HOSTILE = {
    "nan": np.nan,
    "none": None,
    "true": True,
    "text": "x",
    "number in text": "0.1",
    "complex": 1j,
    "ragged": [[1.0], [1.0, 2.0]],
    "empty list": [],
    "objects": np.array([0.1, None]),
    "masked": np.ma.masked_array([0.3, 0.7], [False, True]),
    "series": pd.Series([0.3, np.nan]),
    "data array": xr.DataArray([0.3, np.inf], dims="x"),
    "cube": np.full((2, 2, 2), -0.3),
    "huge integer": 10**400,
    "long list": [0.1] * 1000 + ["x"],
    "minus infinity": -np.inf,
    "function": len,
    "class": mdt.UFM,
    "date": np.datetime64("2026-01-01"),
    "broken": Broken(),
    "loud": Loud(),
    "long text": "x" * 10**5,
    "nested list": [[0.1] * 100] * 100 + [["x"] * 100],
    "large array": np.full((30, 400), None),
}


def test_the_table_holds_every_public_function_and_every_parameter():
    public = {name for name in mdt.__all__ if callable(getattr(mdt, name)) or name == "phase"}
    answers = {
        name
        for name in public
        if name.endswith(("Solution", "Optimum", "Measures"))
        or name
        in (
            "Certificate",
            "Enclosure",
            "ShapeBound",
            "Measurement",
            "Comparison",
            "SlopeFit",
            "Prediction",
            "RunsReport",
            "TrainedNetwork",
        )
    }
    assert public - answers - ELSEWHERE - GIVEN_BY_OTHERS - {"Status", "Verdict"} <= set(CALLS)
    for module in (mdt.conventions, mdt.asymptotics, special):
        functions = [f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == module.__name__]
        assert {f.__name__ for f in functions if not f.__name__.startswith("_")} <= set(CALLS)
    for name, (call, right) in CALLS.items():
        parameters = {p for p in inspect.signature(call).parameters if not p.startswith("_")}
        assert parameters == set(right), name


def has_nan(value):
    if isinstance(value, dict):
        return any(map(has_nan, value.values()))
    if isinstance(value, (tuple, list)):
        return any(map(has_nan, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and bool(np.isnan(value).any())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(has_nan(getattr(value, field.name)) for field in dataclasses.fields(value))
    return isinstance(value, float) and np.isnan(value)


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, parameter) for name, (_, right) in CALLS.items() for parameter in right]
)
def test_no_argument_of_any_function_gives_nan_or_a_bare_error(name, parameter):
    call, right = CALLS[name]
    assert not has_nan(call(**right))
    for value in HOSTILE.values():
        try:
            result = call(**{**right, parameter: value})
        except (AssumptionError, SolverError) as error:
            message = str(error)
            assert len(message) < 300
            assert message.splitlines() == [message]
            # Of two that do not fit each other either may be named.
            assert any(other in message for other in (parameter, *right)), message
        else:
            assert not has_nan(result), (parameter, value, result)


@pytest.mark.parametrize("spread", [mdt.Sphere(1), mdt.Sphere(3), mdt.UniformBall(2), mdt.Gaussian(4), mdt.TwoPoint(3)])
def test_spreads_refuse_negative_dilations_and_take_the_ends(spread):
    for bad in (-1.0, np.nan, [0.3, -1e-300], -np.inf):
        assert refusal(spread.test_error, bad).startswith("normalized_dilation = ")
        assert refusal(spread.tail, bad).startswith("x = ")
    assert spread.test_error(0.0) == spread.test_error(-0.0) == spread.test_error(5e-324) == spread.tail(np.inf) == 0.0
    assert spread.test_error(np.inf) == spread.tail(0.0) == 0.5


@pytest.mark.parametrize("dim", [1, 2, 398, 400, 10**4, 10**6])
def test_the_mean_absolute_coordinate_is_known_in_every_dimension(dim):
    with mpmath.workdps(40):

        def ratio(d):
            return mpmath.gamma(mpmath.mpf(d) / 2) / mpmath.gamma(mpmath.mpf(d + 1) / 2) / mpmath.sqrt(mpmath.pi)

        sphere, ball = float(ratio(dim)), float(ratio(dim + 2) * mpmath.sqrt(mpmath.mpf(dim + 2) / dim))
    assert mdt.Sphere(dim).mean_absolute == pytest.approx(sphere, rel=3e-13)
    assert mdt.UniformBall(dim).mean_absolute == pytest.approx(ball, rel=3e-13)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not isinstance(loss, mdt.MarginLoss)])
@pytest.mark.parametrize(
    "logits", [[1e300, -1e300], [1e308, 1e308], [-1e308, 1e308], [-1e308, 1e308, 0.0], [800.0, -800.0]]
)
def test_logits_of_any_size_have_a_value_or_are_refused(loss, logits):
    if loss.two_classes_only and len(logits) > 2:
        return
    for face in (loss.value, loss.gradient):
        with contextlib.suppress(mdt.AssumptionError):
            assert not np.any(np.isnan(face(logits, 1)))


def test_answers_beyond_the_range_of_doubles_are_infinite_or_refused_and_those_within_are_found():
    huge = {"loss_weight": 1e300, "logit_scale": 1e300}
    assert mdt.merge_threshold(CE, 0.2, **huge) == np.inf
    expected = 0.5 * float(mpmath.sqrt(mpmath.mpf(0.2) / mpmath.mpf(1e-310)))
    assert mdt.merge_threshold(CE, 0.2, feature_decay_weight=1e-310) == pytest.approx(expected)
    assert "weight_decay" in refusal(
        mdt.conventions.to_paper, "half-mean", weight_decay=1e308, feature_decay=1.0, samples=3
    )
    # The roots of the secular equation of two proportions are known: 2 p1 p2/(p1 + p2).
    np.testing.assert_allclose(regression_spectrum([1e-300, 1.0]), [np.sqrt(2e-300)], rtol=1e-12)
    np.testing.assert_allclose(regression_spectrum([1e-320, 1.0]), [np.sqrt(2e-320)], rtol=1e-3)
    assert "frequencies" in refusal(mdt.multilabel_optimum, 4, {"a": 0.5, 2: 0.5}, **DECAYS)


@pytest.mark.parametrize("loss", LOSSES)
def test_vector_faces_refuse_logits_and_labels_that_do_not_fit(loss):
    for face in (loss.value, loss.gradient):
        assert refusal(face, np.array([0.1, np.nan]), 0) == "logits = nan: must be finite (entry [1])"
        assert refusal(face, [0.1, np.inf], 0).startswith("logits = inf")
        assert "at least two classes" in refusal(face, [0.1], 0)
        for label in (-1, 2, 0.5, "0", True, None, [0, "1"], 10**30):
            assert refusal(face, [0.1, 0.2], label).startswith("label = ")
        assert "must broadcast" in refusal(face, np.zeros((3, 2)), [0, 1])
        assert np.shape(face(np.zeros((3, 2)), 1.0))[:1] == (3,)


# ------------------------------------------------------------------------------------------------- sweeps and pictures

AXES = {"noise": [0.1, 0.2]}
PICTURE = xr.Dataset({"normalized_dilation": (("x", "y"), np.ones((2, 2)))}, {"x": [1.0, 2.0], "y": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mdt.sweep(NOISY, {"noise": [[0.1]]}), r"noise = \[\[0.1\]\]: must be one-dimensional"),
        (lambda: mdt.sweep(NOISY, {"noise": [0.1, "x"]}), r"noise = 'x': must be a real number .*\(entry \[1\]\)"),
        (lambda: mdt.sweep(NOISY, {"noise": [0.1] * 1000 + ["x"]}), r"noise = 'x': .*\(entry \[1000\]\)"),
        (lambda: mdt.sweep(NOISY, {"noise": [0.1, np.nan]}), r"noise = nan: must be finite \(entry \[1\]\)"),
        (lambda: mdt.sweep(NOISY, AXES, outputs={"a": np.ones(3)}), "outputs = "),
        (lambda: mdt.sweep(NOISY, AXES, outputs={1: "dilation"}), "outputs = 1"),
        (lambda: mdt.sweep(NOISY, {"n" * 10**5: [1.0]}), "parameter = 'nnn"),
        (lambda: mdt.phase.with_values(NOISY, [("noise", 0.1)]), "values = "),
        (lambda: mdt.phase.with_values(NOISY, {1: 0.1}), "parameter = 1"),
        (lambda: mdt.phase.parameter(1), "path = 1"),
        (lambda: mdt.phase.output([]), r"name = \[\]"),
        (lambda: mdt.phase.boundary(NOISY, 3, {}), "ranges = |kind = 3"),
        (lambda: mdt.phase.boundary(NOISY, None, {"noise": (0.1, 0.2), "slope": (0.1, 1)}), "kind = None"),
        (
            lambda: mdt.phase.boundary(NOISY, "test-error", {"noise": (0.1, 0.2), "slope": (0.1, 1)}, level="x"),
            "level = 'x'",
        ),
        (
            lambda: mdt.phase.regions(NOISY, {"noise": [0.1, 0.3, 0.2]}),
            r"noise = 0.2: must be larger .*\(entry \[2\]\)",
        ),
        (lambda: mdt.phase.plot(xr.DataArray(np.ones((2, 2)))), r"dataset = .*: must be an xarray.Dataset, such as"),
        (lambda: mdt.phase.plot({"noise": 1}), "dataset = "),
        (lambda: mdt.phase.plot_losses(xr.DataArray(np.ones((2, 2)))), "dataset = "),
        (lambda: mdt.phase.plot(PICTURE, boundaries=["x"]), "boundaries = 'x'"),
        (lambda: mdt.falsify(T**2 >= 0, [("t", (0, 1))]), "variables = "),
        (lambda: mdt.check([1] * 10**5), r"claims = \[1, 1, .*100000 entries"),
        (lambda: mdt.check(None), "claims = None"),
        (lambda: mdt.check("x" * 10**5), "claim = 'xxx"),
        (lambda: mdt.certify(NOISY, *[np.eye(2)] * 4), "problem = "),
        (lambda: mdt.logits_error(NOISY), "certificate = "),
        (lambda: mdt.solve(NOISY.ufm.loss), "problem = "),
    ],
)
def test_phases_and_certificates_refuse_what_they_cannot_use_by_name(call, named):
    assert re.match(named, refusal(call))


@pytest.mark.parametrize(
    "call",
    [
        lambda many: mdt.sweep(NOISY, {"noise": many, "slope": many}),
        lambda many: mdt.phase.regions(NOISY, {"noise": many, "slope": many}),
        lambda many: mdt.UFM(CE, num_classes=3, weight_decay=many, feature_decay=many[:, None]),
        lambda many: mdt.MemorizationDilation(TWO, noise=many, slope=many[:, None]),
        lambda many: special.lambert_r(many, many[:, None]),
    ],
)
def test_grids_that_no_memory_holds_are_refused_at_once(call):
    assert re.match("axes = |shapes = ", refusal(call, np.linspace(0.01, 0.4, 10**5)))
