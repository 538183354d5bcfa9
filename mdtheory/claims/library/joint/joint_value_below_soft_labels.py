"""Not memorising at all is feasible: the optimum is below that of the features model on soft labels."""

import sympy as sp

from mdtheory.claims.library._symbols import smoothing
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, entropy, flip, joint, value, weight
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import at_most

w = smoothing / 2 + flip * (1 - smoothing) + weight

CLAIM = Claim(
    id="joint-value-below-soft-labels",
    title="Limited expressivity against soft labels",
    statement=(
        r"Two classes, cross-entropy with smoothing $\alpha$, flip probability $e$, equal decays: the optimum is at most that of the "
        r"features model on soft labels, the binary entropy of $\alpha/2 + e(1 - \alpha) + \sqrt{2}\lambda$."
    ),
    source=SOURCE,
    variables=SMOOTHED,
    assumptions=(sp.Lt(w, sp.Rational(1, 2)),),
    quantities={value: joint("value", smoothed=True)},
    relations=(at_most(value, entropy(w)),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
