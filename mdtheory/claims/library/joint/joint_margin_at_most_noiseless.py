"""False: noise may drive the clean margin above that of clean data."""

import sympy as sp

from mdtheory.claims.library._symbols import smoothing
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, joint, margin, weight
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import at_most

w = smoothing / 2 + weight

CLAIM = Claim(
    id="joint-margin-at-most-noiseless",
    title="Noise lowers the margin of clean examples (false)",
    statement=r"The jointly optimal margin of class means is at most that without noise, $\log(1/w - 1)$ with $w = \alpha/2 + \sqrt{2}\lambda$.",
    source=SOURCE,
    variables=SMOOTHED,
    assumptions=(sp.Lt(w, sp.Rational(1, 2)),),
    quantities={margin: joint("margin", smoothed=True)},
    relations=(at_most(margin, sp.log(1 / w - 1)),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.005, "noise": 0.11, "slope": 0.11, "smoothing": 0.0},
    hypotheses=SETTING,
    most_samples=MOST,
    notes="The margin overshoots, 6.4 against 4.9 at the counterexample: a dilated cluster needs room.",
)
