"""Squared error with any real targets, against brute force over W, H and b."""

import numpy as np
import pytest
from brute_force import (
    brute_force,
    smoothed,
    squared_error,
    with_or_without_bias,
)
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import mdtheory as mdt
from mdtheory.questions.regression import regression_optimum, regression_spectrum

DECAYS = {"weight_decay": 0.1, "feature_decay": 0.1}


@with_or_without_bias
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_regression_is_the_global_minimum_for_every_feature_dimension(dim, bias):
    rng = np.random.default_rng(dim)
    targets, share = rng.normal(size=(4, 6)), rng.dirichlet(np.full(6, 3.0))
    found = regression_optimum(targets, share, weight_decay=0.09, feature_decay=0.09, bias=bias, feature_dim=dim)
    value, logits, h = brute_force(squared_error, targets, share, 0.09, bias=bias, dim=dim, starts=6)
    assert found.objective == pytest.approx(value, rel=1e-12)
    assert np.allclose(found.weights @ found.class_means, logits - bias * ((logits @ share)[:, None]), atol=1e-6)
    assert found.class_means.shape == h.shape
    residual = found.predictions - targets
    primal = 0.5 * (share * residual**2).sum() + 0.09 * (
        (found.weights**2).sum() + (share * found.class_means**2).sum()
    )
    assert found.objective == pytest.approx(primal, rel=1e-13)
    assert np.allclose(found.predictions, found.weights @ found.class_means + found.bias[:, None])


def test_a_feature_dimension_below_the_rank_costs_something():
    targets = np.diag([3.0, 2.0, 1.0])
    values = [
        regression_optimum(targets, weight_decay=0.1, feature_decay=0.1, feature_dim=dim).objective
        for dim in (1, 2, 3, 4)
    ]
    assert values[0] > values[1] + 0.1 > values[2] + 0.15
    assert values[2] == values[3]


@pytest.mark.parametrize("bias", [False, True])
def test_regression_on_smoothed_labels_is_the_balanced_closed_form(bias):
    loss = mdt.MeanSquaredError(smoothing=0.2)
    ufm = mdt.UFM(loss, num_classes=5, weight_decay=0.01, feature_decay=0.04, bias=bias)
    found = regression_optimum(smoothed(loss, 5), weight_decay=0.01, feature_decay=0.04, bias=bias)
    exact = mdt.solve(ufm)
    assert found.objective == pytest.approx(exact.objective, rel=1e-13)
    assert found.predictions[0, 0] - found.predictions[1, 0] == pytest.approx(exact.margin, rel=1e-13)


def test_the_weights_are_shrunken_roots_of_the_target_covariance():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(3, 40))
    found = regression_optimum(targets, weight_decay=0.3, feature_decay=0.1, bias=True)
    values, vectors = np.linalg.eigh(np.cov(targets, bias=True))
    gram = vectors @ np.diag(np.maximum(np.sqrt(values) - 2 * np.sqrt(0.03), 0)) @ vectors.T / np.sqrt(3)
    assert np.allclose(found.weights @ found.weights.T, gram, atol=1e-14)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=12), st.booleans())
def test_the_spectrum_of_one_hot_labels_is_that_of_the_matrix(exponents, tie):
    share = 10.0 ** np.array(exponents)
    share[-1] = share[0] if tie else share[-1]
    share /= share.sum()
    matrix = np.diag(np.sqrt(share)) - np.outer(share, np.sqrt(share))
    expected = np.linalg.svd(matrix, compute_uv=False)[:-1]
    assert np.allclose(regression_spectrum(share), expected, rtol=0, atol=1e-14)
    assert np.allclose(regression_spectrum(share, bias=False) ** 2, np.sort(share)[::-1], rtol=1e-15)


def test_small_roots_of_the_secular_equation_keep_their_digits():
    share = np.array([1e-12, 1e-12 * (1 + 1e-9), 1e-6, 0.3, 0.0])
    share[-1] = 1 - share.sum()
    found = regression_spectrum(share)[::-1]
    with mp.workdps(60):
        weights = [mp.mpf(float(value)) for value in np.sort(share)]
        for index, root in enumerate(found):
            low, high = weights[index], weights[index + 1]
            gap = high - low
            exact = mp.findroot(
                lambda x, weights=weights: sum(w / (w - x) for w in weights),
                (low + gap * mp.mpf("1e-30"), high - gap * mp.mpf("1e-30")),
                solver="anderson",
                tol=1e-90,
                maxsteps=400,
                verify=False,
            )
            # A rounding error of the root, one of the proportion it is measured from, and half of each in the bracket.
            assert abs(root / mp.sqrt(exact) - 1) < 4e-16


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: regression_optimum([1.0, 2.0], **DECAYS), "must be a matrix"),
        (lambda: regression_optimum(np.eye(2), [0.5, 0.51], **DECAYS), "must sum to 1"),
        (lambda: regression_optimum(np.eye(2), feature_dim=0, **DECAYS), "feature_dim = 0"),
        (lambda: regression_optimum([[np.nan]], **DECAYS), "targets = nan"),
        (lambda: regression_spectrum([1.0]), "at least two entries"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
