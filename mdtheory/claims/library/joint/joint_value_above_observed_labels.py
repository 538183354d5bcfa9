"""Memorising costs: the optimum is above that of the features model on the observed labels."""

import sympy as sp
from flint import arb

from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, joint, value
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.quantities import features_model, ufm_optimum
from mdtheory.claims.relation import greater
from mdtheory.losses import CrossEntropy

observed = sp.Symbol("observed", positive=True)


def _observed(decay: float, smoothing: float) -> arb:
    """The optimum of the features model on the observed labels: with classes alike, that without noise."""
    return ufm_optimum(features_model(CrossEntropy(smoothing), 2, decay, decay))


CLAIM = Claim(
    id="joint-value-above-observed-labels",
    title="Limited expressivity costs: the value against the observed labels",
    statement=(
        r"Two classes, cross-entropy: the optimum of the limited-expressivity model is above that of the features model on "
        r"the observed labels."
    ),
    source=SOURCE,
    variables=SMOOTHED,
    quantities={
        value: joint("value", smoothed=True),
        observed: Quantity(at=_observed, route="certified optimum", convex=True),
    },
    relations=(greater(value, observed),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
