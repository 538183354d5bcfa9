"""The mean of log-sum-exp over spread logits: against cubature, Monte Carlo, mpmath and its own derivatives."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import logsumexp, roots_jacobi
from scipy.stats import norm, qmc

import mdtheory as mdt
from mdtheory.class_expectation import mean_logsumexp


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


def of_logits(margin, sigma, n):
    """The mean over a Gaussian of standard deviation sigma in every logit."""
    return mean_logsumexp(margin, sigma * np.sqrt(n), n, mdt.Gaussian(n)).value


@pytest.mark.parametrize(("margin", "sigma", "n"), [(2.0, 0.3, 2), (-1.0, 0.9, 2), (3.0, 0.6, 3), (0.0, 0.4, 3)])
def test_small_numbers_of_classes_against_cubature(margin, sigma, n):
    found = of_logits(margin, sigma, n)
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
    found = of_logits(margin, sigma, n)
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


# ------------------------------------------------------------------------------ spheres


def on_a_circle_or_sphere(margin, radius, dim):
    """N = 3: polar coordinates of the projection to the plane of logits that sum to zero, whose radius has a beta law."""
    if dim == 2:
        rho, shares = np.ones(1), np.ones(1)
    else:
        x, shares = roots_jacobi(80, 0.5 * dim - 2.0, 0.0)
        rho, shares = np.sqrt(0.5 * (1.0 + x)), shares / shares.sum()
    angle = 2.0 * np.pi * np.arange(3000) / 3000
    plane = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    around = np.stack([np.cos(angle), np.sin(angle)], axis=-1) @ plane
    return sum(
        share * np.mean(logsumexp(margin * np.eye(3)[0] + radius * r * around, axis=1))
        for r, share in zip(rho, shares, strict=True)
    )


@pytest.mark.parametrize("dim", [2, 3, 4, 8, 15, 64])
@pytest.mark.parametrize(("margin", "radius"), [(-2.0, 0.3), (4.0, 3.0), (9.0, 20.0), (0.0, 0.01)])
def test_three_classes_on_a_sphere_against_cubature(dim, margin, radius):
    found = mean_logsumexp(margin, radius, 3, mdt.Sphere(dim))
    assert abs(found.value - on_a_circle_or_sphere(margin, radius, dim)) <= found.error


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 30, 1000, 10**6])
@pytest.mark.parametrize(("margin", "radius"), [(2.0, 0.5), (7.0, 5.0), (10.0, 40.0)])
def test_two_classes_on_a_sphere_against_mpmath(dim, margin, radius):
    with mp.workdps(30):
        s, scale = mp.mpf(margin), mp.sqrt(2) * radius
        if dim == 1:
            exact = (mp.log1p(mp.exp(s + scale)) + mp.log1p(mp.exp(s - scale))) / 2
        else:
            # The coordinate is the sine of an angle of density ~ cos^(d-2).
            norm_of = mp.beta(mp.mpf(dim - 1) / 2, mp.mpf(1) / 2)
            end = min(mp.pi / 2, 14 / mp.sqrt(dim))
            kink = mp.asin(max(min(-s / scale, mp.mpf(1)), -mp.mpf(1)))
            ends = sorted(
                {-end, *(max(min(x, end), -end) for x in (kink - end / 20, kink, kink + end / 20)), mp.mpf(0), end}
            )
            exact = mp.quad(lambda x: mp.log1p(mp.exp(s + scale * mp.sin(x))) * mp.cos(x) ** (dim - 2) / norm_of, ends)
    found = mean_logsumexp(margin, radius, 2, mdt.Sphere(dim))
    assert abs(found.value - float(exact)) <= found.error


@pytest.mark.parametrize(
    ("n", "dim", "margin", "radius"), [(4, 3, 2.0, 4.0), (9, 8, 5.0, 8.0), (40, 39, 5.0, 12.0), (40, 64, 1.0, 5.0)]
)
def test_many_classes_on_a_sphere_against_quasi_monte_carlo(n, dim, margin, radius):
    # An orthonormal basis of the logits that sum to zero.
    basis = np.linalg.qr(np.eye(n) - 1.0 / n)[0][:, : n - 1]
    estimates = []
    for seed in range(8):
        z = norm.ppf(qmc.Sobol(dim, seed=seed).random(2**12))
        z = radius * z / np.linalg.norm(z, axis=1, keepdims=True)
        logits = z[:, : n - 1] @ basis.T
        estimates.append(np.mean(logsumexp(logits + margin * np.eye(n)[0], axis=1)))
    error = np.std(estimates, ddof=1) / np.sqrt(len(estimates))
    found = mean_logsumexp(margin, radius, n, mdt.Sphere(dim)).value
    assert error < 1e-3
    assert abs(found - np.mean(estimates)) < 5 * error


@pytest.mark.parametrize(("n", "dim"), [(2, 1), (3, 2), (9, 8), (50, 100), (1000, 999)])
@pytest.mark.parametrize("radius", [0.7, 6.0])
def test_derivatives_on_a_sphere_are_those_of_the_value(n, dim, radius):
    h, margin, spread = 2e-3, 3.0, mdt.Sphere(dim)
    at = mean_logsumexp(margin + h * np.array([-2, -1, 0, 1, 2])[:, None], radius + h * np.arange(-2, 3), n, spread)
    slope = np.array([1, -8, 0, 8, -1]) / (12 * h)
    close = {"rel": 1e-7, "abs": 1e-7}
    assert at.d_margin[2, 2] == pytest.approx(slope @ at.value[:, 2], **close)
    assert at.d_radius[2, 2] == pytest.approx(at.value[2] @ slope, **close)
    assert at.d_margin2[2, 2] == pytest.approx(slope @ at.d_margin[:, 2], **close)
    assert at.d_margin_radius[2, 2] == pytest.approx(at.d_margin[2] @ slope, **close)
    assert at.d_radius2[2, 2] == pytest.approx(at.d_radius[2] @ slope, **close)


def test_without_a_radius_the_sphere_has_the_limits_of_small_radii():
    none, small = (mean_logsumexp(2.0, r, 5, mdt.Sphere(6)) for r in (0.0, 1e-3))
    assert none.value == pytest.approx(np.log(np.exp(2.0) + 4.0), abs=1e-13)
    assert none.d_radius2 == pytest.approx(small.d_radius2, rel=1e-5)
    assert none.d_margin2 == pytest.approx(small.d_margin2, rel=1e-5)


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "num_classes = 1"),
        ({"num_classes": 1001}, "num_classes = 1001"),
        ({"num_classes": 10}, "spread = Gaussian.*must have dimension 9 at least"),
        ({"radius": -1.0}, "radius = -1.0"),
        ({"radius": 1e9}, "radius = 1000000000.0: must be 40 sqrt"),
        ({"margin": np.nan}, "margin = nan"),
        ({"spread": mdt.TwoPoint(8)}, "must be Gaussian or Sphere"),
        ({"spread": mdt.Sphere(2), "num_classes": 4}, "spread = Sphere.*must have dimension 3 at least"),
        ({"spread": 8}, "must be a Spread"),
    ],
)
def test_bad_input_is_named(changes, message):
    call = {"margin": 1.0, "radius": 1.0, "num_classes": 3, "spread": mdt.Gaussian(4), **changes}
    with pytest.raises(mdt.AssumptionError, match=message) as caught:
        mean_logsumexp(**call)
    assert "\n" not in str(caught.value)
