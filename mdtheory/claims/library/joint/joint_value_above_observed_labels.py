"""Memorising costs: the optimum is above that of the features model on the observed labels."""

import sympy as sp

from mdtheory.claims.library._symbols import smoothing
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, entropy, joint, value, weight
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import at_least

w = smoothing / 2 + weight

CLAIM = Claim(
    id="joint-value-above-observed-labels",
    title="Limited expressivity costs: the value against the observed labels",
    statement=(
        r"Two classes, cross-entropy with smoothing $\alpha$, equal decays: the optimum is at least that of the features model "
        r"on the observed labels, the binary entropy of $\alpha/2 + \sqrt{2}\lambda$."
    ),
    source=SOURCE,
    variables=SMOOTHED,
    assumptions=(sp.Lt(w, sp.Rational(1, 2)),),
    quantities={value: joint("value", smoothed=True)},
    relations=(at_least(value, entropy(w)),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
