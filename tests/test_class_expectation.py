"""The mean of log-sum-exp over Gaussian logits: against cubature, Monte Carlo, mpmath and its own derivatives."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import logsumexp
from scipy.stats import norm, qmc

import mdtheory as mdt
from mdtheory.class_expectation import mean_logsumexp, means


def cubature(margin, sigma, n, order):
    """A product of Gauss-Hermite rules in all N logits."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    weights = weights / weights.sum()
    total = 0.0
    for places in product(range(order), repeat=n - 1):
        others = sigma * nodes[list(places)]
        own = margin + sigma * nodes
        value = np.logaddexp(own, logsumexp(others))
        total += np.prod(weights[list(places)]) * (weights @ value)
    return total


@pytest.mark.parametrize(("margin", "sigma", "n"), [(2.0, 0.3, 2), (-1.0, 0.9, 2), (3.0, 0.6, 3), (0.0, 0.4, 3)])
def test_small_numbers_of_classes_against_cubature(margin, sigma, n):
    found = means(np.array([margin]), np.array([sigma**2]), n).value[0]
    assert found == pytest.approx(cubature(margin, sigma, n, 60), abs=2e-12)


def test_two_classes_against_mpmath():
    # lse of two is the second plus the softplus of a difference with twice the variance.
    for margin, sigma in ((3.0, 2.0), (0.5, 7.0), (20.0, 0.1)):
        with mp.workdps(30):
            s, spread = mp.mpf(margin), mp.sqrt(2) * sigma
            pieces = [-12 * spread, -3 * spread, 0, 3 * spread, 12 * spread]
            exact = mp.quad(
                lambda x, s=s, spread=spread: mp.log1p(mp.exp(s + x)) * mp.npdf(x / spread) / spread, pieces
            )
        found = mean_logsumexp(margin, sigma * 2.0, 2, mdt.Gaussian(4))
        assert abs(found.value - float(exact)) <= found.error


@pytest.mark.parametrize(("n", "margin", "sigma"), [(10, 2.0, 0.8), (100, 5.0, 1.5), (1000, 8.0, 0.5)])
def test_many_classes_against_quasi_monte_carlo(n, margin, sigma):
    estimates = []
    for seed in range(8):
        z = sigma * norm.ppf(qmc.Sobol(n, seed=seed).random(2**10))
        z[:, 0] += margin
        estimates.append(np.mean(logsumexp(z, axis=1)))
    error = np.std(estimates, ddof=1) / np.sqrt(len(estimates))
    found = means(np.array([margin]), np.array([sigma**2]), n).value[0]
    assert error < 2e-3
    assert abs(found - np.mean(estimates)) < 5 * error


@given(
    st.floats(-3.0, 12.0), st.floats(0.05, 6.0), st.sampled_from([2, 3, 10, 100, 1000]), st.sampled_from([1000, 10**6])
)
def test_derivatives_are_those_of_the_value(margin, sigma, n, dim):
    spread, h = mdt.Gaussian(dim), 1e-3
    scale = np.sqrt(dim)

    def at(ds=0.0, dr=0.0):
        return mean_logsumexp(margin + ds, (sigma + dr) * scale, n, spread)

    def slope(field, **step):
        # Fourth order: the error is h^4.
        near, far = (dict.fromkeys(step, k * h) for k in (1, 2))
        minus = [{key: -value for key, value in part.items()} for part in (near, far)]
        d1 = getattr(at(**near), field) - getattr(at(**minus[0]), field)
        d2 = getattr(at(**far), field) - getattr(at(**minus[1]), field)
        return (8 * d1 - d2) / (12 * h)

    here = at()
    assert here.d_margin == pytest.approx(slope("value", ds=1), rel=1e-8, abs=1e-8)
    assert here.d_radius * scale == pytest.approx(slope("value", dr=1), rel=1e-8, abs=1e-8)
    assert here.d_margin2 == pytest.approx(slope("d_margin", ds=1), rel=1e-8, abs=1e-8)
    assert here.d_margin_radius * scale == pytest.approx(slope("d_margin", dr=1), rel=1e-8, abs=1e-8)
    assert here.d_radius2 * dim == pytest.approx(slope("d_radius", dr=1) * scale, rel=1e-7, abs=1e-7)


def test_the_mean_grows_with_the_radius_from_the_plain_value():
    radius = np.linspace(0.0, 20.0, 30)
    found = mean_logsumexp(3.0, radius, 50, mdt.Gaussian(64))
    assert found.value[0] == pytest.approx(np.log(np.exp(3.0) + 49.0), abs=1e-13)
    assert np.all(np.diff(found.value) > 0)
    assert np.all(found.d_radius[1:] > 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "num_classes = 1"),
        ({"num_classes": 1001}, "num_classes = 1001"),
        ({"num_classes": 10}, "spread = Gaussian.*must have dimension 9 at least"),
        ({"radius": -1.0}, "radius = -1.0"),
        ({"radius": 1e9}, "radius = 1000000000.0: must be 40 sqrt"),
        ({"margin": np.nan}, "margin = nan"),
        ({"spread": mdt.Sphere(8)}, "must be Gaussian"),
        ({"spread": 8}, "must be a Spread"),
    ],
)
def test_bad_input_is_named(changes, message):
    call = {"margin": 1.0, "radius": 1.0, "num_classes": 3, "spread": mdt.Gaussian(4), **changes}
    with pytest.raises(mdt.AssumptionError, match=message) as caught:
        mean_logsumexp(**call)
    assert "\n" not in str(caught.value)
