"""Label relaxation and label smoothing have the same minimiser at matching parameters."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    SOLVER_DECAY,
    Values,
    cost_of_margin,
    cross_entropy,
    least_margin,
    optimum,
    relaxed_pull,
    smoothed_pull,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import CLASSES, feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import root
from mdtheory.claims.relation import equal
from mdtheory.losses import LabelRelaxation

free, nonnegative = sp.symbols("free nonnegative", positive=True)
smoothed, relaxed = sp.symbols("smoothed relaxed", positive=True)


def _matching(*, nonnegative: bool) -> Quantity:
    """The relaxation whose slope vanishes at the margin of label smoothing."""

    def at(point: Values) -> arb:
        cost = cost_of_margin(point, nonnegative=nonnegative)
        margin = least_margin(lambda s: smoothed_pull(point, s) + cost)
        return root(lambda r: relaxed_pull({**point, "relaxation": r}, margin) + cost, arb(0), arb(1))

    return Quantity(at=Computed(at), route="margin by proved signs, then the relaxation whose slope vanishes there")


CLAIM = Claim(
    id="relaxation-equals-smoothing",
    title="Label relaxation and label smoothing have the same minimiser",
    statement=(
        r"Smoothing $\alpha$ and relaxation $\alpha\prime = (N-1)\alpha/N$ have the same optimal logits, free or "
        r"nonnegative; for $N = 2$ the optimal values differ by the binary entropy of $\alpha/2$."
    ),
    source=Source("this project", "label relaxation against label smoothing"),
    variables={
        num_classes: CLASSES,
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: Interval(0.01, 0.9),
    },
    assumptions=(sp.Lt(smoothing + 2 * num_classes * mu / sp.sqrt(num_classes - 1), 1),),
    quantities={
        free: _matching(nonnegative=False),
        nonnegative: _matching(nonnegative=True),
        smoothed: optimum(cross_entropy, classes=2),
        relaxed: optimum(lambda point: LabelRelaxation(point["smoothing"] / 2), classes=2),
    },
    relations=(
        equal(free, smoothing * (num_classes - 1) / num_classes),
        equal(nonnegative, smoothing * (num_classes - 1) / num_classes),
        equal(
            smoothed - relaxed,
            -sp.log(smoothing / 2) * smoothing / 2 - sp.log(1 - smoothing / 2) * (1 - smoothing / 2),
        ),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/collapse_threshold.py",
    most_samples=MOST_OPTIMA,
    notes="Both have the same slope below the margin at which the relaxation vanishes; there smoothing leaves its entropy.",
)
