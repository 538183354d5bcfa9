"""Everything collapses to zero exactly when the gradient at zero is small in operator norm; any labels."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._field import nuclear, pi, pi_1, pi_2, pi_3
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import positive_iff
from mdtheory.numerics.ball_roots import around, root

Decays = tuple[float, float]
Logits = list[arb] | None
size = sp.Symbol("size", real=True)
label_1, label_2, label_3, norm_square = sp.symbols("label_1 label_2 label_3 norm_square", nonnegative=True)


def logit(label: arb, theta: arb) -> arb:
    """The root z of ``y - sigma(z) = theta z``: Newton's method in double precision, then proved signs."""
    if label == arb(1) / 2:
        return arb(0)
    y, slope = float(label.mid()), float(theta.mid())
    z = 0.0
    for _ in range(60):
        p = 0.5 * (1 + np.tanh(0.5 * z))
        step = (y - p - slope * z) / (slope + p * (1 - p) + 1e-300)
        z += float(np.clip(step, -2, 2))
        if abs(step) <= 1e-15 * abs(z):
            break
    return around(lambda x: theta * x - label + 1 / (1 + (-x).exp()), z, abs(z))


@lru_cache(maxsize=5000)
def solved(labels: tuple[float, ...], proportions: tuple[float, ...], nuclear: float | None, decays: Decays) -> Logits:
    """`two_class_logits` at plain numbers; t is given, or twice the root of the product of the decays."""
    t = 2 * (arb(decays[0]) * arb(decays[1])).sqrt() if nuclear is None else arb(nuclear)
    return two_class_logits([arb(y) for y in labels], [arb(p) for p in proportions], t)


def two_class_logits(labels: Sequence[arb], proportions: Sequence[arb], nuclear: arb) -> Logits:
    """Stationary logit differences of two classes with any labels, or None if only zero is stationary.

    The nuclear norm is ``n = sqrt(sum p z^2/2)``, and stationarity ``y - sigma(z) = theta z`` with
    ``theta = t/(2 n)``; the residual ``2 theta n - t`` increases in theta.
    """

    def residual(log_theta: arb) -> arb:
        theta = log_theta.exp()
        squares = [p * logit(y, theta) ** 2 for y, p in zip(labels, proportions, strict=True)]
        return theta * (2 * sum(squares, arb(0))).sqrt() - nuclear

    low, high = arb(-15), arb(25)
    if residual(high) < 0:
        return None
    theta = root(residual, low, high, width=1e-12).exp()
    return [logit(y, theta.lower()).union(logit(y, theta.upper())) for y in labels]


def _size(
    pi: tuple[float, ...], label_1: float, label_2: float, label_3: float, weight_decay: float, feature_decay: float
) -> arb:
    """The largest logit difference at the optimum, or -1 if it is zero."""
    found = solved((label_1, label_2, label_3), pi, None, (weight_decay, feature_decay))
    if found is None:
        return arb(-1)
    return abs(found[0]).max(abs(found[1])).max(abs(found[2]))


CLAIM = Claim(
    id="zero-collapse-any-labels",
    title="Total collapse for any labels",
    statement=(
        r"Cross-entropy with any label distributions $Y$ and proportions, free features, no bias: $Z = 0$ is optimal if and only if "
        r"$\Vert (11'/N - Y) P^{1/2} \Vert \leq 2\mu$; for two classes, $2 \sum_k p_k (y_k - 1/2)^2 \leq 4\mu^2$."
    ),
    source=Source("this project", "total collapse for any labels and proportions"),
    variables={
        pi: Proportions(3),
        label_1: Interval(0.0, 1.0),
        label_2: Interval(0.0, 1.0),
        label_3: Interval(0.0, 1.0),
        weight_decay: Interval(0.01, 1.0, log=True),
        feature_decay: Interval(0.01, 1.0, log=True),
    },
    definitions={
        norm_square: 2
        * sum(p * (y - sp.Rational(1, 2)) ** 2 for p, y in ((pi_1, label_1), (pi_2, label_2), (pi_3, label_3)))
    },
    quantities={size: Quantity(at=_size, route="stationary point of two classes, by proved signs")},
    relations=(positive_iff(size, norm_square - nuclear**2),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "free features", "no bias"),
    derivation="derivations/zero_collapse.py",
    most_samples=100,
    notes=(
        "Checked for two classes and three kinds of labels. An unregularised bias replaces 1/N by the mean label: with it the "
        "criterion is false, see zero-collapse-with-bias. It is false for nonnegative features: merge-threshold-nonnegative."
    ),
)
