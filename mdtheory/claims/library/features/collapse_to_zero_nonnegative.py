"""The sharp collapse-to-zero threshold, nonnegative features."""

import sympy as sp
from flint import arb

from mdtheory.claims.library._features import STRONG_DECAY, Values, cost_of_margin, pull_at_zero, smoothed_pull
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import CLASSES, SMOOTHING, feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import positive_iff

pull = sp.Symbol("pull", real=True)


def _pull(point: Values) -> arb:
    cost = cost_of_margin(point, nonnegative=True)
    return pull_at_zero(lambda s: smoothed_pull(point, s) + cost)


CLAIM = Claim(
    id="collapse-to-zero-nonnegative",
    title="When weight decay and smoothing leave nothing: nonnegative features",
    statement=(
        r"Balanced classes, nonnegative features, cross-entropy with smoothing $\alpha$: the optimal class means are nonzero "
        r"if and only if $\alpha + 2N\mu/\sqrt{N-1} < 1$."
    ),
    source=Source("this project", "sharp collapse threshold"),
    variables={
        num_classes: CLASSES,
        weight_decay: STRONG_DECAY,
        feature_decay: STRONG_DECAY,
        smoothing: SMOOTHING,
    },
    quantities={pull: Quantity(at=Computed(_pull), route="slope of the objective at zero margin")},
    relations=(positive_iff(pull, 1 - smoothing - 2 * num_classes * mu / sp.sqrt(num_classes - 1)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "nonnegative features", "enough features"),
    derivation="derivations/collapse_threshold.py",
)
