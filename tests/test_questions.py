"""Thresholds and closed forms for imbalance, regression and soft labels against brute force over W, H and b.

The brute force knows none of the theory: it minimises the primary objective over the factors (squared where a feature
must be nonnegative), from several starts, with analytic gradients. Its gradient is below 1e-9, so where the optimum
is strictly convex its columns are right to about 1e-6; order parameters 3 % from a threshold are of order 1e-2.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.optimize import minimize
from scipy.special import logsumexp

import mdtheory as mdt
from mdtheory.models.features.soft_labels import (
    exchangeable_optimum,
    is_exchangeable,
    multilabel_optimum,
    pick_all_labels,
)
from mdtheory.questions.imbalance import class_collapse_threshold, merge_threshold, zero_collapse_threshold
from mdtheory.questions.rank import rank_bounds, rank_threshold, required_width
from mdtheory.questions.regression import regression_optimum, regression_spectrum

# A quantity that vanishes: three orders above what the brute force leaves, three below what is found at 3 %.
VANISHES = 1e-4
VISIBLE = 3e-3
EACH_SIDE = (0.97, 1.03)


# ---------------------------------------------------------------------------------------------------- brute force


def cross_entropy(logits, labels):
    """Values and gradients of ``m lse(z) - <y, z>``, m the sum of y, per column."""
    mass = labels.sum(axis=0)
    lse = logsumexp(logits, axis=0)
    return mass * lse - (labels * logits).sum(axis=0), mass * np.exp(logits - lse) - labels


def squared_error(logits, labels):
    residual = logits - labels
    return 0.5 * (residual**2).sum(axis=0), residual


def label_relaxation(logits, labels, relaxation=0.2):
    """One-hot labels only."""
    p = np.exp(logits - logsumexp(logits, axis=0))
    own = (p * labels).sum(axis=0)
    inside = own < 1 - relaxation
    own = np.where(inside, own, 1 - relaxation)
    value = (1 - relaxation) * np.log((1 - relaxation) / own) + relaxation * np.log(relaxation / (1 - own))
    slope = np.where(inside, (own - (1 - relaxation)) / (own * (1 - own)), 0.0)
    return value, slope * own * (labels - p)


def brute_force(loss, labels, share, decay, *, dim=None, bias=False, nonnegative=False, starts=2, seed=0, options=None):
    """Minimise over W, H, b with equal decays. Returns the objective, W H and H of the best start.

    ``options`` may hold loss_weight, logit_scale, feature_decay_weight (one number per column) and adjustment.
    """
    labels, share = np.asarray(labels, dtype=float), np.asarray(share, dtype=float)
    n, count = labels.shape
    dim = n if dim is None else dim
    chosen = {"loss_weight": 1.0, "logit_scale": 1.0, "feature_decay_weight": 1.0, "adjustment": np.zeros(n)}
    chosen |= options or {}
    amount, scale = share * chosen["loss_weight"], np.ones(count) * chosen["logit_scale"]
    penalty = decay * share * chosen["feature_decay_weight"]
    cut = n * dim, n * dim + dim * count

    def unpack(x):
        raw = x[cut[0] : cut[1]].reshape(dim, count)
        shift = x[cut[1] :] if bias else np.zeros(n)
        return x[: cut[0]].reshape(n, dim), raw, raw**2 if nonnegative else raw, shift

    def objective(x):
        w, raw, h, shift = unpack(x)
        values, slopes = loss((w @ h + shift[:, None]) * scale + chosen["adjustment"][:, None], labels)
        slopes = slopes * (amount * scale)
        total = values @ amount + decay * (w**2).sum() + (penalty * (h**2).sum(axis=0)).sum()
        by_h = w.T @ slopes + 2 * penalty * h
        if nonnegative:
            by_h = by_h * 2 * raw
        parts = [(slopes @ h.T + 2 * decay * w).ravel(), by_h.ravel(), slopes.sum(axis=1) if bias else np.zeros(0)]
        return total, np.concatenate(parts)

    rng = np.random.default_rng(seed)
    best = None
    for _ in range(starts):
        start = rng.normal(size=cut[1] + n * bias)
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 20000, "maxfun": 40000, "gtol": 1e-10, "ftol": 0.0, "maxcor": 30},
        )
        if best is None or found.fun < best.fun:
            best = found
    w, _, h, _ = unpack(best.x)
    return best.fun, w @ h, h


def spread(columns):
    return np.max(np.abs(columns - columns.mean(axis=1, keepdims=True)))


def smoothed(loss, n):
    return (1 - loss.smoothing) * np.eye(n) + loss.smoothing / n


SMOOTH = {
    "cross-entropy": (cross_entropy, mdt.CrossEntropy()),
    "smoothed cross-entropy": (cross_entropy, mdt.CrossEntropy(smoothing=0.2)),
    "squared error": (squared_error, mdt.MeanSquaredError()),
    "smoothed squared error": (squared_error, mdt.MeanSquaredError(smoothing=0.2)),
}
each_smooth = pytest.mark.parametrize("name", SMOOTH)
each_side = pytest.mark.parametrize("factor", EACH_SIDE)
with_or_without_bias = pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])


# -------------------------------------------------------------------------------------------------- equal classes


@each_smooth
@with_or_without_bias
@pytest.mark.parametrize(
    ("share", "equal"),
    [([0.4, 0.3, 0.15, 0.15], [2, 3]), ([0.7, 0.1, 0.1, 0.1], [1, 2, 3]), ([0.1, 0.1, 0.2, 0.2, 0.4], [0, 1])],
)
def test_equal_classes_coincide_exactly_from_the_merge_threshold_on(name, share, equal, bias):
    brute, loss = SMOOTH[name]
    for factor in EACH_SIDE:
        decay = factor * merge_threshold(loss, share[equal[0]])
        _, z, h = brute_force(brute, smoothed(loss, len(share)), share, decay, bias=bias)
        for columns in (z[:, equal], z[equal].T, h[:, equal]):
            assert spread(columns) < VANISHES if factor > 1 else spread(columns) > VISIBLE


@with_or_without_bias
@pytest.mark.parametrize("seed", range(3))
def test_the_merge_threshold_knows_weights_scales_decays_and_smoothing(seed, bias):
    rng = np.random.default_rng(seed)
    share, groups = np.array([0.35, 0.25, 0.2, 0.2]), np.array([0, 1, 2, 2])
    options = {key: rng.uniform(0.5, 2, 3)[groups] for key in ("loss_weight", "logit_scale", "feature_decay_weight")}
    loss = mdt.CrossEntropy(smoothing=rng.uniform(0, 0.4))
    threshold = merge_threshold(loss, 0.2, **{key: value[-1] for key, value in options.items()})
    options["adjustment"] = rng.normal(size=3)[groups]
    for factor in EACH_SIDE:
        _, z, h = brute_force(cross_entropy, smoothed(loss, 4), share, factor * threshold, bias=bias, options=options)
        for columns in (z[:, 2:], h[:, 2:]):
            assert spread(columns) < VANISHES if factor > 1 else spread(columns) > VISIBLE


def test_adjusting_logits_by_the_proportions_does_not_move_the_merge_threshold():
    share = np.array([0.6, 0.2, 0.2])
    threshold = merge_threshold(mdt.CrossEntropy(), 0.2)
    found = [
        [
            spread(brute_force(cross_entropy, np.eye(3), share, f * threshold, options={"adjustment": a})[1][:, 1:])
            for f in EACH_SIDE
        ]
        for a in (np.zeros(3), np.log(share))
    ]
    for below, above in found:
        assert below > VISIBLE
        assert above < VANISHES
    # The adjustment does change the model, so this was not the same computation twice.
    assert abs(found[0][0] - found[1][0]) > 1e-4


def test_inverse_frequency_weights_merge_the_majority_first():
    share = np.array([0.4, 0.4, 1 / 15, 1 / 15, 1 / 15])
    weights = 1 / (5 * share)
    large, small = 2 * merge_threshold(mdt.CrossEntropy(), share[[0, 2]], loss_weight=weights[[0, 2]])
    assert (round(large, 3), round(small, 3)) == (0.316, 0.775)
    _, z, _ = brute_force(cross_entropy, np.eye(5), share, 0.5 * 1.03 * large, options={"loss_weight": weights})
    assert spread(z[:, :2]) < VANISHES
    assert spread(z[:, 2:]) > 0.1


def test_weights_with_scales_restore_the_balanced_optimum():
    share = np.array([0.5, 0.3, 0.2])
    options = {"loss_weight": 1 / (3 * share), "logit_scale": np.sqrt(3 * share)}
    _, z, _ = brute_force(cross_entropy, np.eye(3), share, 0.05, options=options)
    balanced = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=0.05, feature_decay=0.05))
    assert np.allclose(z * options["logit_scale"], balanced.margin * (np.eye(3) - 1 / 3), atol=1e-6)


def test_the_merge_threshold_of_balanced_classes_is_their_collapse_threshold():
    for loss in (mdt.CrossEntropy(smoothing=0.3), mdt.MeanSquaredError(smoothing=0.1)):
        ufm = mdt.UFM(loss, num_classes=7, weight_decay=1.0, feature_decay=1.0)
        assert merge_threshold(loss, 1 / 7) == pytest.approx(mdt.collapse_threshold(ufm), rel=1e-14)


# ------------------------------------------------------------------------------------------------- vanishing classes


@pytest.mark.parametrize(
    ("brute", "loss"),
    [
        (cross_entropy, mdt.CrossEntropy()),
        (cross_entropy, mdt.CrossEntropy(smoothing=0.2)),
        (label_relaxation, mdt.LabelRelaxation(0.2)),
        (squared_error, mdt.MeanSquaredError()),
    ],
)
@each_side
def test_a_nonnegative_class_vanishes_exactly_from_its_threshold_on(brute, loss, factor):
    share = [0.6, 0.25, 0.15]
    decay = factor * class_collapse_threshold(loss, share[2], 3)
    target = smoothed(loss, 3) if isinstance(loss, mdt.CrossEntropy) else np.eye(3)
    _, z, _ = brute_force(brute, target, share, decay, nonnegative=True, starts=4)
    largest = np.max(np.abs(z[:, 2]))
    assert largest < VANISHES if factor > 1 else largest > VISIBLE
    assert np.max(np.abs(z[:, 1])) > 0.02


@each_side
def test_a_free_class_vanishes_under_squared_error_at_the_same_place(factor):
    decay = factor * class_collapse_threshold(mdt.MeanSquaredError(), 0.15, 3)
    _, z, _ = brute_force(squared_error, np.eye(3), [0.6, 0.25, 0.15], decay)
    assert np.max(np.abs(z[:, 2])) < VANISHES if factor > 1 else np.max(np.abs(z[:, 2])) > VISIBLE


def test_class_thresholds_are_where_the_solver_collapses_classes():
    share = np.array([0.5, 0.3, 0.2])
    for loss in (mdt.CrossEntropy(smoothing=0.1), mdt.LabelRelaxation(0.3), mdt.Hinge(), mdt.SquaredHinge()):
        thresholds = class_collapse_threshold(loss, share, 3)
        for factor in (1 - 1e-9, 1 + 1e-9):
            for k in range(3):
                decay = factor * thresholds[k]
                ufm = mdt.UFM(
                    loss, num_classes=3, weight_decay=decay, feature_decay=decay, nonnegative=True, class_weights=share
                )
                assert (mdt.solve(ufm).margin[k] == 0) == (factor > 1)


# --------------------------------------------------------------------------------------------------- total collapse


def random_labels(rng, n, count):
    return rng.dirichlet(np.full(n, 0.5), size=count).T


@each_smooth
@with_or_without_bias
@pytest.mark.parametrize("seed", range(2))
def test_everything_vanishes_exactly_from_the_zero_threshold_on(name, seed, bias):
    brute, loss = SMOOTH[name]
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(4, 3.0))
    labels = None if seed == 0 else random_labels(rng, 3, 4)
    targets = np.eye(4) if labels is None else labels
    targets = (1 - loss.smoothing) * targets + loss.smoothing / len(targets)
    threshold = zero_collapse_threshold(loss, share, labels, bias=bias)
    for factor in EACH_SIDE:
        _, z, _ = brute_force(brute, targets, share, factor * threshold, bias=bias, dim=4)
        assert np.max(np.abs(z)) < VANISHES if factor > 1 else np.max(np.abs(z)) > VISIBLE


@each_side
def test_everything_vanishes_under_label_relaxation(factor):
    share = [0.5, 0.3, 0.2]
    decay = factor * zero_collapse_threshold(mdt.LabelRelaxation(0.2), share)
    _, z, _ = brute_force(label_relaxation, np.eye(3), share, decay)
    assert np.max(np.abs(z)) < VANISHES if factor > 1 else np.max(np.abs(z)) > VISIBLE


@pytest.mark.parametrize("share", [[0.8, 0.2], [1 / 3, 1 / 3, 1 / 3]])
@pytest.mark.parametrize("loss", [mdt.Hinge(), mdt.SquaredHinge()])
@each_side
def test_hinges_vanish_where_their_subgradients_at_zero_allow_it(loss, share, factor):
    import cvxpy as cp

    n = len(share)
    decay = factor * zero_collapse_threshold(loss, share)
    z = cp.Variable((n, n))
    atoms = [loss.cvxpy_atom(z[:, k], k)[0] for k in range(n)]
    penalty = 2 * decay * cp.normNuc(z @ np.diag(np.sqrt(share)))
    objective = sum(weight * atom for weight, atom in zip(share, atoms, strict=True)) + penalty
    value = cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9)
    at_zero = 0.5 if isinstance(loss, mdt.SquaredHinge) else 1.0
    # Below, the squared hinge gains the square of 3 % over two.
    assert abs(value - at_zero) < 1e-7 if factor > 1 else value < at_zero - 4e-4


def test_the_zero_threshold_of_balanced_classes_is_the_collapse_threshold():
    for n in (2, 5):
        for loss in (
            mdt.CrossEntropy(smoothing=0.1),
            mdt.LabelRelaxation(0.2),
            mdt.Hinge(),
            mdt.SquaredHinge(),
        ):
            ufm = mdt.UFM(loss, num_classes=n, weight_decay=1.0, feature_decay=1.0)
            assert zero_collapse_threshold(loss, np.full(n, 1 / n)) == pytest.approx(mdt.collapse_threshold(ufm))
        assert zero_collapse_threshold(mdt.MeanSquaredError(0.3), np.full(n, 1 / n)) == pytest.approx(0.5 / n**0.5)
        ufm = mdt.UFM(mdt.MeanSquaredError(0.3), num_classes=n, weight_decay=1.0, feature_decay=1.0, bias=True)
        found = zero_collapse_threshold(mdt.MeanSquaredError(0.3), np.full(n, 1 / n), bias=True)
        assert found == pytest.approx(mdt.collapse_threshold(ufm))


# -------------------------------------------------------------------------------------------------------------- rank


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


# -------------------------------------------------------------------------------------------------------- regression


@with_or_without_bias
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_regression_is_the_global_minimum_for_every_feature_dimension(dim, bias):
    rng = np.random.default_rng(dim)
    targets, share = rng.normal(size=(4, 6)), rng.dirichlet(np.full(6, 3.0))
    found = regression_optimum(targets, share, weight_decay=0.09, feature_decay=0.09, bias=bias, feature_dim=dim)
    value, logits, h = brute_force(squared_error, targets, share, 0.09, bias=bias, dim=dim, starts=6)
    assert found.objective == pytest.approx(value, rel=1e-12)
    assert np.allclose(found.weights @ found.features, logits - bias * ((logits @ share)[:, None]), atol=1e-6)
    assert found.features.shape == h.shape
    residual = found.predictions - targets
    primal = 0.5 * (share * residual**2).sum() + 0.09 * ((found.weights**2).sum() + (share * found.features**2).sum())
    assert found.objective == pytest.approx(primal, rel=1e-13)
    assert np.allclose(found.predictions, found.weights @ found.features + found.bias[:, None])


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


# -------------------------------------------------------------------------------------------------------- soft labels


def mixup(n, ratios):
    """One-hot labels and all ordered mixtures of two classes with the given ratios, half of the samples each."""
    pairs = [(i, j, r) for r in ratios for i in range(n) for j in range(n) if i != j]
    mixed = np.array([r * np.eye(n)[i] + (1 - r) * np.eye(n)[j] for i, j, r in pairs]).T
    share = np.concatenate([np.full(n, 0.5 / n), np.full(len(pairs), 0.5 / len(pairs))])
    return np.concatenate([np.eye(n), mixed], axis=1), share, np.ones(share.size)


SOFT = {
    "mixup": mixup(3, (0.7, 0.9)),
    "pick all labels": pick_all_labels(4, {1: 0.5, 2: 0.3, 3: 0.2}),
    "smoothed": (0.8 * np.eye(4) + 0.05, np.full(4, 0.25), np.ones(4)),
}


@pytest.mark.parametrize("name", SOFT)
def test_exchangeable_labels_are_solved_by_one_scalar(name):
    columns, share, mass = SOFT[name]
    found = exchangeable_optimum(columns, share, masses=mass, weight_decay=0.02, feature_decay=0.02)
    value, z, _ = brute_force(cross_entropy, columns, share, 0.02)
    # The gradient of the brute force is 1e-9, so its value is right to rounding; its columns less so.
    assert found.objective == pytest.approx(value, rel=1e-13)
    assert np.allclose(found.logits, z - z.mean(axis=0), atol=1e-6)
    factors = 0.02 * ((found.weights**2).sum() + (share * found.features**2).sum())
    assert np.allclose(found.weights @ found.features, found.logits, atol=1e-13)
    assert value == pytest.approx(cross_entropy(found.logits, columns)[0] @ share + factors, rel=1e-13)


@pytest.mark.parametrize("name", SOFT)
@each_side
def test_exchangeable_labels_vanish_at_their_threshold(name, factor):
    columns, share, mass = SOFT[name]
    threshold = exchangeable_optimum(columns, share, masses=mass, weight_decay=1, feature_decay=1).collapse_threshold
    _, z, _ = brute_force(cross_entropy, columns, share, factor * threshold)
    assert np.max(np.abs(z)) < VANISHES if factor > 1 else np.max(np.abs(z)) > VISIBLE
    found = exchangeable_optimum(
        columns, share, masses=mass, weight_decay=factor * threshold, feature_decay=factor * threshold
    )
    assert np.allclose(found.logits, z - z.mean(axis=0), atol=1e-5)
    assert found.lower_bound == pytest.approx(found.objective, rel=1e-14)


@given(st.sampled_from(sorted(SOFT)), st.floats(-12, -1), st.floats(-12, -1))
def test_exchangeable_solutions_certify_themselves(name, log_weight, log_feature):
    columns, share, mass = SOFT[name]
    decays = {"weight_decay": 10**log_weight, "feature_decay": 10**log_feature}
    found = exchangeable_optimum(columns, share, masses=mass, **decays)
    mu = 10 ** (0.5 * (log_weight + log_feature))
    # First order in the norm of the dual point, which is right to a few rounding errors of 1 relative to 2 mu.
    assert abs(found.objective - found.lower_bound) <= 1e-14 + 1e-15 * np.abs(np.log(mu))
    if found.collapse_threshold > mu:
        residual = columns - mass * np.exp(found.logits - logsumexp(found.logits, axis=0))
        assert np.allclose(residual, found.residual_slope * found.logits, rtol=0, atol=1e-14)
        norm = np.sqrt(share @ (found.logits**2).sum(axis=0) / (len(columns) - 1))
        assert found.residual_slope * norm == pytest.approx(2 * mu, rel=1e-12)


@given(st.floats(-9, -1.3))
def test_label_sets_need_not_be_listed(log_decay):
    frequencies = {1: 0.5, 2: 0.3, 4: 0.2}
    decay = 10**log_decay
    columns, share, mass = pick_all_labels(6, frequencies)
    listed = exchangeable_optimum(columns, share, masses=mass, weight_decay=decay, feature_decay=decay)
    found = multilabel_optimum(6, frequencies, weight_decay=decay, feature_decay=decay)
    assert found.objective == pytest.approx(listed.objective, rel=1e-13)
    assert found.lower_bound == pytest.approx(listed.lower_bound, rel=1e-13)
    assert found.collapse_threshold == pytest.approx(listed.collapse_threshold, rel=1e-14)
    for size, margin in found.margins.items():
        column = np.flatnonzero(mass == size)[0]
        assert np.ptp(listed.logits[:, column]) == pytest.approx(margin, rel=1e-12)


def test_thousands_of_classes_with_label_sets_in_high_precision():
    found = multilabel_optimum(5000, {1: 0.6, 3: 0.4}, weight_decay=2e-4, feature_decay=1e-4)
    with mp.workdps(40):
        n, shares = 5000, {1: mp.mpf(0.6), 3: mp.mpf(0.4)}
        t2 = 4 * mp.mpf(2e-4) * mp.mpf(1e-4)

        def margin(size, theta):
            return mp.findroot(lambda a: mp.log(a) + mp.log(size * mp.exp(a) + n - size) - mp.log(n / theta), 8)

        def excess(theta):
            total = sum(w * margin(m, theta) ** 2 * m * (n - m) / mp.mpf(n) for m, w in shares.items())
            return theta**2 * total / (t2 * (n - 1)) - 1

        theta = mp.findroot(excess, found.residual_slope)
        assert abs(found.residual_slope / theta - 1) < 1e-14
        for size, value in found.margins.items():
            assert abs(value / margin(size, theta) - 1) < 1e-14


def test_single_labels_are_the_balanced_closed_form():
    for decay in (1e-12, 1e-3, 0.0099, 0.2):
        found = multilabel_optimum(50, {1: 1.0}, weight_decay=decay, feature_decay=decay)
        exact = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=50, weight_decay=decay, feature_decay=decay))
        assert found.margins[1] == pytest.approx(exact.margin, rel=1e-13)
        assert found.objective == pytest.approx(exact.objective, rel=1e-12)


@pytest.mark.parametrize(
    ("columns", "share", "expected"),
    [
        (np.eye(3), None, True),
        (np.eye(3), [0.5, 0.25, 0.25], False),
        (np.eye(3)[:, [0, 1, 2, 2]], [1 / 3, 1 / 3, 1 / 6, 1 / 6], True),
        (np.eye(3)[:, :2], None, False),
        (np.full((3, 1), 1 / 3), None, True),
        # Circulant noise is symmetric under rotations of the classes only.
        (np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]]), None, False),
        (mixup(3, (0.7,))[0], mixup(3, (0.7,))[1], True),
        # The same numbers, computed in two ways.
        (np.array([[0.9, 0.1], [1 - 0.9, 0.3 * 3]]), None, True),
    ],
)
def test_exchangeability_is_decided(columns, share, expected):
    assert is_exchangeable(columns, share) is expected


# -------------------------------------------------------------------------------------------------------------- errors

CE, MSE = mdt.CrossEntropy(), mdt.MeanSquaredError()
DECAYS = {"weight_decay": 0.1, "feature_decay": 0.1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: merge_threshold(CE, 0.6), r"proportion = 0.6: must lie in \(0, 1/2\]"),
        (lambda: merge_threshold(mdt.Hinge(), 0.2), "loss = Hinge"),
        (lambda: merge_threshold("ce", 0.2), "loss = 'ce'"),
        (lambda: merge_threshold(CE, 0.2, loss_weight=0), "loss_weight = 0.0"),
        (lambda: merge_threshold(CE, [0.2, 0.1], logit_scale=[1, 1, 1]), "shapes"),
        (lambda: class_collapse_threshold(mdt.MeanSquaredError(0.1), 0.2, 3), "must have no smoothing"),
        (lambda: class_collapse_threshold(mdt.Focal(2.0), 0.2, 3), "must be convex"),
        (lambda: class_collapse_threshold(CE, 1.0, 3), "proportion = 1.0"),
        (lambda: zero_collapse_threshold(CE, [0.5, 0.51]), "must sum to 1"),
        (lambda: zero_collapse_threshold(CE, [[0.5, 0.5]]), "must be a vector"),
        (
            lambda: zero_collapse_threshold(CE, [1.0], [[0.5], [0.51]]),
            r"column 0 must sum to 1 \(it misses it by 0.01\)",
        ),
        (lambda: zero_collapse_threshold(CE, [1.0], [[1.0], [0.0]], bias=True), "must use every class"),
        (lambda: zero_collapse_threshold(mdt.Hinge(), [0.5, 0.3, 0.2]), "must be equal for Hinge"),
        (lambda: zero_collapse_threshold(mdt.LabelRelaxation(0.1), [0.6, 0.4], bias=True), "must be equal"),
        (lambda: zero_collapse_threshold(mdt.Hinge(), [0.5, 0.5], np.eye(2)), "label_distribution"),
        (lambda: zero_collapse_threshold(mdt.Focal(2.0), [0.5, 0.5]), "must be convex"),
        (lambda: zero_collapse_threshold(mdt.CrossEntropy([0.1, 0.2]), [0.5, 0.5]), "must be one number"),
        (lambda: rank_bounds(MSE, [0.5, 0.5], np.eye(2), mu=0.1), "must be CrossEntropy"),
        (lambda: rank_bounds(CE, [0.5, 0.5], np.eye(3), mu=0.1), "must have the shape"),
        (lambda: rank_threshold(CE, [0.5, 0.3, 0.2], 2), "rank = 2.0: must be an integer from 0 to 1"),
        (lambda: regression_optimum([1.0, 2.0], **DECAYS), "must be a matrix"),
        (lambda: regression_optimum(np.eye(2), [0.5, 0.51], **DECAYS), "must sum to 1"),
        (lambda: regression_optimum(np.eye(2), feature_dim=0, **DECAYS), "feature_dim = 0"),
        (lambda: regression_optimum([[np.nan]], **DECAYS), "targets = nan"),
        (lambda: regression_spectrum([1.0]), "at least two entries"),
        (lambda: exchangeable_optimum(np.eye(2), [0.6, 0.4], **DECAYS), "relabelling preserves"),
        (lambda: exchangeable_optimum(-np.eye(2), **DECAYS), r"must have entries in \[0, 1\] \(entry \[0, 0\]\)"),
        (lambda: exchangeable_optimum(0.9 * np.eye(2), **DECAYS), "column 0 must sum to 1"),
        (lambda: exchangeable_optimum(np.eye(2), masses=[1.0], **DECAYS), "masses"),
        (lambda: multilabel_optimum(3, {3: 1.0}, **DECAYS), "frequencies = 3.0"),
        (lambda: multilabel_optimum(3, {}, **DECAYS), "must be a dict"),
        (lambda: pick_all_labels(40, {20: 1.0}), "at most 200000 label sets"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()


# ------------------------------------------------------------------------------ width


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
