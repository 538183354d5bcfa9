"""False forms of theorems in the library, and the sharp forms beside them, by routes that share no code with the claims."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from mdtheory.claims.finding import library_claims
from mdtheory.claims.model import THIS_PROJECT, Verdict

ROOT = Path(__file__).parents[2]
LIBRARY = library_claims()
REFERENCES = (ROOT / "docs" / "references.md").read_text(encoding="utf-8")
PAIRS = {
    "zero-collapse-shared-proportions": "zero-collapse-proportions",
    "zero-collapse-with-bias": "zero-collapse-any-labels",
    "merge-threshold-nonnegative": "merge-threshold-general",
    "relaxation-equals-smoothing-unequal": "relaxation-equals-smoothing",
    "two-classes-nonnegative-bias-any-split": "two-classes-nonnegative-bias-flat",
    "small-noise-dilation-any-loss": "small-noise-dilation",
    "small-noise-second-term-any-loss": "small-noise-second-term",
    "equal-decay-memorization-any-loss": "equal-decay-memorization",
    "test-error-below-half": "test-error-of-dilation-alone",
    "mse-soft-thresholding-nonnegative": "mse-soft-thresholding",
}


@pytest.mark.parametrize(("false", "sharp"), PAIRS.items())
def test_a_false_form_stands_beside_the_sharp_one_and_names_it(false, sharp):
    assert LIBRARY[false].expected is Verdict.REFUTED
    assert LIBRARY[sharp].expected is Verdict.PROVED
    assert sharp in LIBRARY[false].notes
    assert LIBRARY[sharp].hypotheses


# ---------------------------------------------------------------------- features model, by descent on W, H and b


def lse(z):
    top = z.max(axis=0)
    return top + np.log(np.exp(z - top).sum(axis=0))


def cross_entropy(smoothing=0.0):
    def both(z):
        n = len(z)
        y = (1 - smoothing) * np.eye(n) + smoothing / n
        return lse(z) - (y * z).sum(axis=0), np.exp(z - lse(z)) - y

    return both


def relaxation(alpha):
    def both(z):
        p = np.exp(np.diag(z) - lse(z))
        inside = p < 1 - alpha
        p = np.where(inside, p, 1 - alpha)
        value = (1 - alpha) * np.log((1 - alpha) / p) + alpha * np.log(alpha / (1 - p))
        softmax = np.exp(z - lse(z))
        # With u = log(p/(1-p)) the loss has the slope p - (1 - alpha), and du/dz = (e_own - softmax)/(1 - p).
        slope = (p - (1 - alpha)) / (1 - p)
        return value, np.where(inside, slope, 0.0) * (np.eye(len(z)) - softmax)

    return both


def descend(loss, proportions, mu, *, nonnegative=False, starts=3, seed=0):
    """The least objective from random starts with both decays mu, and its logits."""
    p, n = np.asarray(proportions), len(proportions)
    rng = np.random.default_rng(seed)

    def both(x):
        w, h = x.reshape(2, n, n)
        value, slope = loss(w @ h)
        grad_w, grad_h = (slope * p) @ h.T + 2 * mu * w, w.T @ (slope * p) + 2 * mu * p * h
        total = p @ value + mu * (w**2).sum() + mu * (p * h**2).sum()
        return total, np.concatenate([grad_w.ravel(), grad_h.ravel()])

    bounds = [(None, None)] * (n * n) + [(0, None) if nonnegative else (None, None)] * (n * n)
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000}
    found = [
        minimize(both, abs(rng.normal(size=2 * n * n)), jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        for _ in range(starts)
    ]
    best = min(found, key=lambda f: f.fun)
    w, h = best.x.reshape(2, n, n)
    return best.fun, w @ h - (w @ h).mean(axis=0)


def test_classes_that_share_the_largest_proportion_are_learnt_beyond_the_root_of_the_sum():
    p = np.array([0.4, 0.4, 0.2])
    root = max(np.roots(np.polyadd(np.polyadd(np.poly(p[1:]), np.poly(p[[0, 2]])), np.poly(p[:2]))).real)
    assert root == pytest.approx(0.4)  # the derivative of the product
    assert abs(1 / (0.4 - 4 / 15) * 2 + 1 / (0.2 - 4 / 15)) < 1e-12  # the sum alone vanishes at 4/15
    value, logits = descend(cross_entropy(), p, np.sqrt(0.33) / 2)
    assert value < np.log(3) - 1e-3
    assert np.ptp(logits[:, 0]) > 0.1
    assert descend(cross_entropy(), p, np.sqrt(0.41) / 2)[0] == pytest.approx(np.log(3), abs=1e-9)


def test_distinct_proportions_collapse_at_the_largest_critical_point():
    p = np.array([0.5, 0.3, 0.2])
    largest = (1 + np.sqrt(1 - 3 * (0.15 + 0.1 + 0.06))) / 3
    assert descend(cross_entropy(), p, np.sqrt(0.97 * largest) / 2)[0] < np.log(3) - 1e-5
    assert descend(cross_entropy(), p, np.sqrt(1.03 * largest) / 2)[0] == pytest.approx(np.log(3), abs=1e-9)


def test_relaxation_and_smoothing_differ_for_unequal_classes_and_agree_for_balanced_ones():
    def difference(p):
        one = descend(cross_entropy(0.2), p, 0.02, starts=2)[1]
        return abs(one - descend(relaxation(2 * 0.2 / 3), p, 0.02, starts=2)[1]).max()

    assert difference([0.6, 0.3, 0.1]) == pytest.approx(0.198, abs=1e-3)
    assert difference([1 / 3] * 3) < 1e-4


def test_four_nonnegative_classes_coincide_before_free_ones_do():
    p, between = [0.25] * 4, 0.23
    assert np.sqrt(3) / 8 < between < 0.25
    assert descend(cross_entropy(), p, between)[0] < np.log(4) - 1e-3
    assert descend(cross_entropy(), p, between, nonnegative=True, starts=6)[0] == pytest.approx(np.log(4), abs=1e-9)
    assert descend(cross_entropy(), p, 0.21, nonnegative=True, starts=6)[0] < np.log(4) - 1e-5


def test_a_bias_fits_equal_labels_where_the_criterion_without_asks_for_features():
    y, mu = np.array([0.75, 0.25]), 0.125
    assert 2 * (y[0] - 0.5) ** 2 > 4 * mu**2
    # Any logits of two groups with these labels, of equal proportions: the entropy of y is a lower bound, and b reaches it.
    b = np.log(y)
    assert np.log(np.exp(b).sum()) - y @ b == pytest.approx(-(y * np.log(y)).sum())
    # Without the bias features pay: logits (x, -x)/2 in both groups cost 2 mu ||Z P^(1/2)||_* = 2 mu |x|/sqrt 2.
    x = 0.2
    gain = np.log(2) - (np.log(2 * np.cosh(x / 2)) - x * (y[0] - 0.5))
    assert gain > 2 * mu * x / np.sqrt(2)


def test_nonnegative_features_cost_more_where_a_label_lies_between_two_others():
    y, p, mu, width = np.array([[1, 0.5, 0], [0, 0.5, 1]]), np.array([0.25, 0.5, 0.25]), 0.05, 4
    sigma = np.linalg.svd(y * np.sqrt(p), compute_uv=False)
    free = (np.minimum(sigma, 2 * mu) ** 2 / 2 + 2 * mu * np.maximum(sigma - 2 * mu, 0)).sum()

    def best(low):
        def both(x):
            w, h = x[: 2 * width].reshape(2, width), x[2 * width :].reshape(width, 3)
            slope = (w @ h - y) * p
            value = (slope * (w @ h - y)).sum() / 2 + mu * (w**2).sum() + mu * (p * h**2).sum()
            grads = slope @ h.T + 2 * mu * w, w.T @ slope + 2 * mu * p * h
            return value, np.concatenate([g.ravel() for g in grads])

        bounds = [(None, None)] * (2 * width) + [(low, None)] * (3 * width)
        options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000}
        starts = np.random.default_rng(0).uniform(0, 1, size=(12, 5 * width))
        return min(minimize(both, x, jac=True, bounds=bounds, method="L-BFGS-B", options=options).fun for x in starts)

    assert best(None) == pytest.approx(free, abs=1e-9)
    assert best(0.0) == pytest.approx(0.111345, abs=2e-6)
    assert free == pytest.approx(0.110711, abs=1e-6)


@pytest.mark.parametrize(("split", "optimal"), [(0.0, True), (0.3, True), (1.0, True), (1.25, False), (-0.1, False)])
def test_two_nonnegative_classes_with_a_bias_may_split_their_margins_unless_one_is_negative(split, optimal):
    mu = 0.01
    s = np.log(1 / (2 * mu) - 1)
    margins = 2 * s * np.array([split, 1 - split])
    means = np.diag(np.sqrt(abs(margins)))
    weights = np.array([[1, -1], [-1, 1]]) / 2 * np.sign(margins) * np.sqrt(abs(margins))
    b = np.array([1, -1]) * (margins[1] - margins[0]) / 4
    z = weights @ means + b[:, None]
    assert z[0, 0] - z[1, 0] == pytest.approx(s)
    value = (lse(z) - np.diag(z)).mean() + mu * (weights**2).sum() + mu * (means**2).sum() / 2
    best = np.log1p(np.exp(-s)) + 2 * mu * s
    assert bool(abs(value - best) < 1e-12) is optimal
    assert value > best - 1e-12


# ---------------------------------------------------------------------- memorization and dilation, by descent on u


def memorization(phi, margin, *, decay, noisy_decay, slope, dim, nonnegative, noise=1e-6):
    """Rho in absolute scaling, two-point spread, both decays alike: over u in the plane of the class means."""
    root = 1.0 if nonnegative else np.sqrt(2)
    distance = np.sqrt(2 * root * margin)
    kap = 2 * margin / distance
    centre = distance / 2 if nonnegative else 0.0
    zeta = np.array([1, -1]) / np.sqrt(dim)

    def objective(u):
        rho = np.hypot(u[0] + distance / 2, u[1] - centre)
        r = noise * rho * distance / slope
        clean = phi(margin + kap * r * zeta).mean() - phi(np.array(margin)) + noisy_decay * r**2
        return 2 * clean / noise + 2 * (phi(np.array(kap * u[0])) + noisy_decay * (u @ u))

    starts = [np.array([x, y]) for x in (-distance / 2, 0, distance / 2) for y in (0, centre)]
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000}
    best = min((minimize(objective, u, method="Nelder-Mead", options=options) for u in starts), key=lambda f: f.fun)
    return float(np.hypot(best.x[0] + distance / 2, best.x[1] - centre)), distance, kap


def hinge(t):
    return np.maximum(0, 1 - t)


def squared_hinge(t):
    return np.maximum(0, 1 - t) ** 2 / 2


def reach(margin, distance, kap, noisy_decay, half_slope, centre):
    """The leading coefficient, for a loss of slope ``half_slope(t)`` left of 1."""
    t = np.linspace(0, 1, 200_001)
    limit = t[np.argmin(abs(noisy_decay * t + kap**2 / 2 * half_slope(t)))]
    return np.sqrt(centre**2 + ((limit + margin) / kap) ** 2)


def test_the_hinge_memorises_less_than_the_leading_term_of_curved_losses_says():
    options = {"decay": 0.1, "noisy_decay": 0.1, "slope": 1.0, "dim": 8, "nonnegative": True}
    rho, distance, kap = memorization(hinge, 1.0, **options)
    said = reach(1.0, distance, kap, 0.1, lambda t: -np.ones_like(t), distance / 2)
    assert said == pytest.approx(1.5811, abs=1e-4)
    assert rho == pytest.approx(1.44966, abs=1e-4)
    # The squared hinge, whose margin is 1 - kappa, moves exactly so far.
    rho, distance, kap = memorization(squared_hinge, 1 - 0.2, **options)
    assert rho == pytest.approx(reach(1 - 0.2, distance, kap, 0.1, lambda t: t - 1, distance / 2), rel=1e-4)


def test_with_equal_decays_a_noisy_example_of_the_hinge_stops_short_of_its_class_mean():
    options = {"decay": 0.3, "noisy_decay": 0.3, "slope": 1.0, "dim": 2, "nonnegative": False}
    rho, distance, _ = memorization(hinge, 1.0, **options)
    assert rho < 0.99 * distance
    rho, distance, _ = memorization(squared_hinge, 1 - np.sqrt(2) * 0.3, **options)
    assert rho == pytest.approx(distance, rel=1e-4)


def test_no_example_on_the_sphere_errs_below_half_and_the_formula_is_negative_there():
    rng = np.random.default_rng(0)
    xi = rng.normal(size=(20_000, 3))
    zeta = xi[:, 0] / np.linalg.norm(xi, axis=1)
    for dilation, rate in ((0.25, 0.0), (0.5, 0.0), (1.0, 0.25), (2.0, 0.375)):
        assert np.mean(0.5 + dilation * zeta < 0) == pytest.approx(rate, abs=0.012)
        assert bool(abs((1 - 1 / (2 * dilation)) / 2 - rate) < 1e-12) is (dilation >= 0.5)


@pytest.mark.parametrize("exponent", [0, 1])
@pytest.mark.parametrize("kappa", [1e-4, 0.01, 0.2])
def test_the_leading_dilation_falls_and_then_grows_with_the_smoothing(exponent, kappa):
    alpha = np.concatenate(
        [np.geomspace(1e-8, 0.5 - kappa, 3000), 1 - 2 * kappa - np.geomspace(0.5 - kappa, 1e-8, 3000)]
    )
    alpha = np.unique(alpha)
    s = np.log(2 / (alpha + 2 * kappa) - 1)
    coefficient = (np.log(2 / alpha - 1) + s) * s ** (exponent / 2 - 1)
    signs = np.sign(np.diff(coefficient))
    assert signs[0] < 0 < signs[-1]
    assert np.count_nonzero(np.diff(signs)) == 1


# ---------------------------------------------------------------------- sources and words


def test_every_source_is_in_the_references_and_says_where():
    for claim in LIBRARY.values():
        assert claim.source.locator.strip(), claim.id
        if claim.source.key != THIS_PROJECT:
            assert f"- **{claim.source.key}**" in REFERENCES, claim.id
            assert re.search(r"abstract|as recalled", claim.source.locator), claim.id


def test_every_key_in_a_text_is_in_the_references():
    for claim in LIBRARY.values():
        for key in re.findall(r"\b[a-z]+20\d\d\b", f"{claim.source.locator} {claim.notes} {claim.statement}"):
            assert f"- **{key}**" in REFERENCES, (claim.id, key)


def test_the_words_of_hypotheses_are_explained():
    words = (ROOT / "derivations" / "README.md").read_text(encoding="utf-8")
    for claim in LIBRARY.values():
        for word in claim.hypotheses:
            assert f"| {word} |" in words, (claim.id, word)
