"""The sharp collapse-to-zero threshold, nonnegative features."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import CLASSES, SMOOTHING, feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import positive_iff

pull = sp.Symbol("pull", real=True)


def _pull(num_classes: int, weight_decay: float, feature_decay: float, smoothing: float) -> arb:
    """Minus the slope of the objective at zero margin: f'(0) = p - 1 + (N-1) alpha/N with p = 1/N."""
    n, alpha = arb(num_classes), arb(smoothing)
    cost = 2 * ((n - 1) * arb(weight_decay) * arb(feature_decay)).sqrt()
    return -(1 / n - 1 + (n - 1) * alpha / n + cost)


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
        weight_decay: Interval(1e-4, 0.5, log=True),
        feature_decay: Interval(1e-4, 0.5, log=True),
        smoothing: SMOOTHING,
    },
    quantities={pull: Quantity(at=_pull, route="slope of the objective at zero margin")},
    relations=(positive_iff(pull, 1 - smoothing - 2 * num_classes * mu / sp.sqrt(num_classes - 1)),),
    expected=Verdict.PROVED,
    derivation="derivations/collapse_threshold.py",
)
