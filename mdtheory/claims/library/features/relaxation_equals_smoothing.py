"""Label relaxation and label smoothing have the same minimiser at matching parameters, for balanced classes."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._features import (
    BY_SIGNS,
    MOST_OPTIMA,
    SOLVER_DECAY,
    Values,
    cost_of_margin,
    cross_entropy,
    least_margin,
    margin_quantity,
    optimum,
    relaxed_pull,
    smoothed_pull,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import CLASSES, feature_decay, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.losses import LabelRelaxation

free, free_relaxed, nonnegative, nonnegative_relaxed = sp.symbols(
    "free free_relaxed nonnegative nonnegative_relaxed", nonnegative=True
)
smoothed, relaxed = sp.symbols("smoothed relaxed", positive=True)


def _relaxed(*, nonnegative: bool) -> Quantity:
    """The margin of label relaxation at the matching parameter, in a ball: no float need hold it."""

    def at(point: Values) -> arb:
        n = arb(point["num_classes"])
        matching = {**point, "relaxation": (n - 1) * arb(point["smoothing"]) / n}
        cost = cost_of_margin(point, nonnegative=nonnegative)
        return least_margin(lambda s: relaxed_pull(matching, s) + cost)

    return Quantity(at=Computed(at), route=f"minimiser over the margin, {BY_SIGNS}")


CLAIM = Claim(
    id="relaxation-equals-smoothing",
    title="Label relaxation and label smoothing have the same minimiser, balanced classes",
    statement=(
        r"Balanced classes, features of dimension at least $N$, no bias: cross-entropy with smoothing $\alpha \in (0, 1)$ and label relaxation with $\alpha\prime = "
        r"(N-1)\alpha/N$ have the same optimal logits, free or nonnegative, total collapse included; for $N = 2$ the optimal values "
        r"differ by the binary entropy of $\alpha/2$."
    ),
    source=Source("this project", "label relaxation against label smoothing"),
    variables={
        num_classes: CLASSES,
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: Interval(0.01, 0.99),
    },
    quantities={
        free: margin_quantity(smoothed_pull, nonnegative=False),
        free_relaxed: _relaxed(nonnegative=False),
        nonnegative: margin_quantity(smoothed_pull, nonnegative=True),
        nonnegative_relaxed: _relaxed(nonnegative=True),
        smoothed: optimum(cross_entropy, classes=2),
        relaxed: optimum(lambda point: LabelRelaxation(point["smoothing"] / 2), classes=2),
    },
    relations=(
        equal(1 + free_relaxed, 1 + free),
        equal(1 + nonnegative_relaxed, 1 + nonnegative),
        equal(
            smoothed - relaxed,
            -sp.log(smoothing / 2) * smoothing / 2 - sp.log(1 - smoothing / 2) * (1 - smoothing / 2),
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=("one-hot labels", "balanced classes", "no bias", "enough features"),
    derivation="derivations/collapse_threshold.py",
    most_samples=MOST_OPTIMA,
    notes=(
        "Both have the same slope below the margin at which the relaxation vanishes; there smoothing leaves its entropy. With unequal "
        "classes and free features it is false: relaxation-equals-smoothing-unequal."
    ),
)
