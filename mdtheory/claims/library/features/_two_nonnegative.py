"""Two classes, nonnegative features and a free bias: a family of configurations, with the objective in balls."""

from typing import Any

from flint import arb

from mdtheory.claims.library._matrices import entropy, gram, largest_eigenvalue, log_sum_exp, transposed
from mdtheory.numerics.ball_roots import root


def total_margin(weight_decay: float, feature_decay: float) -> arb:
    """Twice the optimal margin: the root of the slope of ``log(1+e^-s) + 2 mu s``."""
    cost = 2 * (arb(weight_decay) * arb(feature_decay)).sqrt()
    return 2 * root(lambda s: cost - 1 / (1 + s.exp()), arb(0), arb(100))


def configuration(split: float, weight_decay: float, feature_decay: float) -> tuple[list[arb], arb]:
    """The lengths of the two class means, and the objective, where the first class has the share ``split``.

    ``h_n = a_n e_n``, ``W h_n = s_n (e_n - 1/2)``, ``a_n^2 = |s_n| sqrt(lW/lH)``, biases ``b_1 - b_2 = (s_2 - s_1)/2``.
    """
    lw, lh = arb(weight_decay), arb(feature_decay)
    both = total_margin(weight_decay, feature_decay)
    margins = [arb(split) * both, (1 - arb(split)) * both]
    lengths = [(abs(s) * (lw / lh).sqrt()).sqrt() for s in margins]
    tilt = (margins[1] - margins[0]) / 4
    total = arb(0)
    for n in range(2):
        own, other = margins[n] / 2, -margins[n] / 2
        bias = (tilt, -tilt) if n == 0 else (-tilt, tilt)
        logits = [own + bias[0], other + bias[1]]
        total += (log_sum_exp(logits) - logits[0] + lh * lengths[n] ** 2) / 2
        # The column of W is (s_n/a_n)(e_n - 1/2), whose square is |s_n| sqrt(lH/lW)/2.
        total += lw * abs(margins[n]) * (lh / lw).sqrt() / 2
    return lengths, total


def dual_bound(weight_decay: float, feature_decay: float) -> arb:
    """A lower bound for every nonnegative configuration with a bias, from a dual point with zero row sums.

    The norm of the dual point is the root of the largest eigenvalue of the entrywise positive part of its Gram matrix.
    """
    t = 2 * (arb(weight_decay) * arb(feature_decay)).sqrt()
    tail = 1 / (1 + (total_margin(weight_decay, feature_decay) / 2).exp())
    rows = [[-tail, tail], [tail, -tail]]
    weighted = [[v * (arb(1) / 2).sqrt() for v in row] for row in rows]
    positive = [[product.max(arb(0)) for product in row] for row in gram(transposed(weighted))]
    theta = (t / largest_eigenvalue(positive).sqrt()).min(arb(1))
    return entropy([1 - theta * tail, theta * tail])


def optimum(point: Any) -> arb:
    """Between the dual bound and the objective of the configuration at a point."""
    return dual_bound(point["weight_decay"], point["feature_decay"]).union(objective(point))


def objective(point: Any) -> arb:
    """Of the configuration at a point."""
    return configuration(point["split"], point["weight_decay"], point["feature_decay"])[1]
