"""An optimiser that knows none of the theory of imbalance, regression and soft labels.

It minimises the primary objective over W, H and b (squared where a feature must be nonnegative), from several starts,
with analytic gradients. Its gradient is below 1e-9, so where the optimum is strictly convex its columns are right to
about 1e-6; order parameters 3 % from a threshold are of order 1e-2.
"""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

import mdtheory as mdt

# A quantity that vanishes: three orders above what the brute force leaves, three below what is found at 3 %.
VANISHES = 1e-4
VISIBLE = 3e-3
EACH_SIDE = (0.97, 1.03)


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


def random_labels(rng, n, count):
    return rng.dirichlet(np.full(n, 0.5), size=count).T


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
