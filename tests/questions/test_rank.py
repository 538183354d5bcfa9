"""The rank of the optimal logits and the decay at which it drops, against brute force over W, H and b."""

import numpy as np
import pytest
from brute_force import (
    EACH_SIDE,
    brute_force,
    cross_entropy,
    random_labels,
)
from hypothesis import given
from hypothesis import strategies as st

import mdtheory as mdt
from mdtheory.questions.imbalance import zero_collapse_threshold
from mdtheory.questions.rank import rank_bounds, rank_threshold, required_width
from mdtheory.questions.regression import regression_optimum

CE, MSE = mdt.CrossEntropy(), mdt.MeanSquaredError()


# -------------------------------------------------------------------------------- rank


UNEQUAL = np.array([0.45, 0.45, 0.06, 0.04])


def polished(share, mu):
    """Logits of the optimum: brute force, then Newton on the factors with a pseudo-inverse for the rotations."""
    n = len(share)
    size = n * n
    _, z, _ = brute_force(cross_entropy, np.eye(n), share, mu)
    u, s, v = np.linalg.svd(z * np.sqrt(share))
    x = np.concatenate([(u * np.sqrt(s)).ravel(), (np.sqrt(s)[:, None] * v / np.sqrt(share)).ravel()])

    def gradient(x):
        w, h = x[:size].reshape(n, n), x[size:].reshape(n, n)
        slopes = cross_entropy(w @ h, np.eye(n))[1] * share
        return np.concatenate([(slopes @ h.T + 2 * mu * w).ravel(), (w.T @ slopes + 2 * mu * share * h).ravel()])

    for _ in range(3):
        hessian = np.array([(gradient(x + e) - gradient(x - e)) / 2e-5 for e in 1e-5 * np.eye(2 * size)])
        x = x - np.linalg.lstsq(hessian, gradient(x), rcond=1e-7)[0]
    return x[:size].reshape(n, n) @ x[size:].reshape(n, n)


def test_the_rank_of_unequal_minorities_drops_in_a_certified_interval():
    low, high = rank_threshold(
        mdt.CrossEntropy(), UNEQUAL, 2, solver=lambda mu: polished(UNEQUAL, mu), relative_width=1e-5
    )
    assert 0 < high - low < 1e-5 * high
    # Seen by brute force on the rank of the features, without any dual: the drop lies between.
    for mu, rank in ((low * (1 - 1e-3), 3), (high * (1 + 1e-3), 2)):
        singular = np.linalg.svd(polished(UNEQUAL, mu) * np.sqrt(UNEQUAL), compute_uv=False)
        assert np.count_nonzero(singular > 1e-6) == rank
    assert (2 * low) ** 2 == pytest.approx(0.0485, abs=5e-5)
    # Neither minority's own merge threshold, nor that of their mean proportion.
    assert not np.any(np.abs([(2 * low) ** 2 - share for share in (0.06, 0.05, 0.04)]) < 1e-3)


def test_unequal_minorities_do_not_coincide_where_the_rank_has_dropped():
    z = polished(UNEQUAL, 0.5 * 0.05**0.5)
    assert rank_bounds(mdt.CrossEntropy(), UNEQUAL, z, mu=0.5 * 0.05**0.5) == (2, 2)
    third, fourth = z[2] - z.mean(axis=0)[2], z[3] - z.mean(axis=0)[3]
    assert third @ fourth == pytest.approx(np.linalg.norm(third) * np.linalg.norm(fourth), rel=1e-9)
    # The columns obey p_k z_k = p_l z_l on the own rows, so equal columns would need equal proportions.
    assert np.linalg.norm(z[:, 2] - z[:, 3]) > 0.1


@given(st.sampled_from([(0.04, 3), (0.055, 2)]), st.floats(-12, 0.5), st.integers(0, 10**6))
def test_rank_bounds_hold_for_any_logits(case, log_size, seed):
    square, rank = case
    noise = np.random.default_rng(seed).normal(size=(4, 4))
    logits = EXACT[square] + 10**log_size * noise
    at_least, at_most = rank_bounds(mdt.CrossEntropy(), UNEQUAL, logits, mu=0.5 * square**0.5)
    assert at_least <= rank <= at_most <= 3
    if log_size < -8:
        assert at_least == rank == at_most


EXACT = {square: polished(UNEQUAL, 0.5 * square**0.5) for square in (0.04, 0.055)}


def test_rank_thresholds_with_a_closed_form():
    share = np.array([0.5, 0.3, 0.2])
    labels = random_labels(np.random.default_rng(5), 4, 3)
    loss = mdt.MeanSquaredError()
    for rank in range(3):
        mu, same = rank_threshold(loss, share, rank, label_distribution=labels)
        assert mu == same
        for factor in EACH_SIDE:
            found = regression_optimum(labels, share, weight_decay=factor * mu, feature_decay=factor * mu).rank
            assert found <= rank if factor > 1 else found > rank
    zero = zero_collapse_threshold(mdt.CrossEntropy(), share)
    assert rank_threshold(mdt.CrossEntropy(), share, 0) == (zero, zero)


def test_logits_whose_softmax_underflows_bound_nothing_from_below():
    assert rank_bounds(mdt.CrossEntropy(), UNEQUAL, 2000 * np.eye(4), mu=0.1)[0] == 0


def test_a_useless_solver_certifies_nothing():
    with pytest.raises(mdt.SolverError, match="certified rank above 2"):
        rank_threshold(mdt.CrossEntropy(), UNEQUAL, 2, solver=lambda mu: np.zeros((4, 4)))


# -------------------------------------------------------------------------------- width


def test_rank_threshold_solves_by_itself_to_three_digits():
    low, high = rank_threshold(CE, [0.45, 0.45, 0.06, 0.04], 2)
    assert (high - low) / high <= 1e-3
    assert 4 * low * high == pytest.approx(0.0485, abs=1e-4)


@pytest.mark.parametrize(("mu", "expected"), [(0.05, 3), (0.1095, 3), (0.1105, 2), (0.3, 1), (0.4, 0)])
def test_required_width_is_the_certified_rank(mu, expected):
    ufm = mdt.UFM(CE, num_classes=4, weight_decay=mu, feature_decay=mu, class_weights=[0.45, 0.45, 0.06, 0.04])
    assert required_width(ufm) == (expected, expected)


def test_required_width_of_the_squared_error_counts_singular_values():
    for mu, expected in ((0.05, 4), (0.115, 3), (0.13, 2), (0.4, 0)):
        ufm = mdt.UFM(
            mdt.MeanSquaredError(),
            num_classes=4,
            weight_decay=mu,
            feature_decay=mu,
            class_weights=[0.45, 0.44, 0.06, 0.05],
        )
        assert required_width(ufm) == (expected, expected)


@pytest.mark.parametrize("change", [{"bias": True}, {"loss": mdt.Hinge()}, {"weight_decay": [0.1, 0.2]}])
def test_required_width_refuses_other_problems(change):
    with pytest.raises(mdt.AssumptionError):
        required_width(mdt.UFM(**({"loss": CE, "num_classes": 3, "weight_decay": 0.1, "feature_decay": 0.1} | change)))


# ---------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rank_bounds(MSE, [0.5, 0.5], np.eye(2), mu=0.1), "must be CrossEntropy"),
        (lambda: rank_bounds(CE, [0.5, 0.5], np.eye(3), mu=0.1), "must have the shape"),
        (lambda: rank_threshold(CE, [0.5, 0.3, 0.2], 2), "rank = 2.0: must be an integer from 0 to 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
