"""A lower bound on the optimum from any logits: the entropy of labels moved towards the prediction."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    SOLVER_DECAY,
    cost_of_margin,
    cross_entropy,
    least_margin,
    optimum,
    pi,
    smoothed_pull,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import SMOOTHING, feature_decay, mu, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal

first, second = sp.symbols("first second", real=True)
value, balanced, bound, best = sp.symbols("value balanced bound best", nonnegative=True)
rest, left = sp.symbols("rest left", positive=True)


def _entropy(q: arb) -> arb:
    return -q * q.log() - (1 - q) * (1 - q).log()


def _bound(shares: list[arb], margins: list[arb], point: Mapping[str, Any]) -> arb:
    """The mean entropy of ``theta softmax(Z) + (1 - theta) Y``, for two classes with centred logits of these margins."""
    own = 1 - arb(point["smoothing"]) / 2
    found = [1 / (1 + (-m).exp()) for m in margins]
    # The gradient is (1, -1)' times a row: its norm is sqrt 2 times that of the row.
    norm = (2 * sum((p * (q - own) ** 2 for p, q in zip(shares, found, strict=True)), arb(0))).sqrt()
    mean_decay = (arb(point["weight_decay"]) * arb(point["feature_decay"])).sqrt()
    theta = (2 * mean_decay / norm).min(arb(1)) if norm > 0 else arb(1)
    moved = [theta * q + (1 - theta) * own for q in found]
    return sum((p * _entropy(q) for p, q in zip(shares, moved, strict=True)), arb(0))


def _at_any(point: Mapping[str, Any]) -> arb:
    return _bound([arb(p) for p in point["pi"]], [arb(point["first"]), arb(point["second"])], point)


def _at_best(point: Mapping[str, Any]) -> arb:
    """At the optimal logits of balanced classes."""
    here = {**point, "num_classes": 2}
    cost = cost_of_margin(here, nonnegative=False)
    margin = least_margin(lambda s: smoothed_pull(here, s) + cost)
    return _bound([arb(1) / 2] * 2, [margin] * 2, point)


CLAIM = Claim(
    id="entropy-lower-bound",
    title="Any logits give a lower bound on the optimum: an entropy",
    statement=(
        r"Cross-entropy with any labels $Y$ and proportions $\pi$, free features of dimension at least $N$, no bias: with $G = "
        r"(\mathrm{softmax}(Z) - Y)\, \mathrm{diag}(\sqrt{\pi})$, $\theta = \min(1, 2\mu/\Vert G \Vert)$ and $Q = "
        r"\theta\, \mathrm{softmax}(Z) + (1-\theta) Y$, the optimum is at least $\sum_n \pi_n H(q_n)$ for every $Z$, "
        r"and equals it at the optimal $Z$, where $Q = \mathrm{softmax}(Z)$."
    ),
    source=Source("this project", "dual bound for the features model"),
    variables={
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: SMOOTHING,
        pi: Proportions(2),
        first: Interval(-5.0, 15.0),
        second: Interval(-5.0, 15.0),
    },
    definitions={rest: smoothing / 2 + sp.sqrt(2) * mu, left: sp.Min(rest, sp.Rational(1, 2))},
    assumptions=(sp.Ne(first, second),),
    quantities={
        value: optimum(cross_entropy),
        balanced: optimum(cross_entropy, classes=2, weights=lambda point: (0.5, 0.5)),
        bound: Quantity(at=Computed(_at_any), route="entropies in balls"),
        best: Quantity(at=Computed(_at_best), route="entropies in balls, at the margin by proved signs"),
    },
    relations=(
        at_least(value, bound),
        equal(balanced, best),
        equal(balanced, -left * sp.log(left) - (1 - left) * sp.log(1 - left)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "free features", "no bias", "enough features"),
    derivation="derivations/features_dual_bound.py",
    most_samples=MOST_OPTIMA,
    notes=(
        "Checked with two classes; it needs no solver, and so certifies any answer. Columns with one and the same "
        "margin give the optimum itself as soon as theta is below 1, so that balls cannot order both: they are not "
        "drawn."
    ),
)
