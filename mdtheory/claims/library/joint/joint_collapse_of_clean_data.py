"""False: noise collapses what clean data would not."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import decay, slope, smoothing
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, margin, margin_or_zero
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import greater

CLAIM = Claim(
    id="joint-collapse-of-clean-data",
    title="What clean data does not collapse, noise does not either (false)",
    statement=r"If $\alpha + 2\sqrt{2}\lambda < 1$, so that the features model has nonzero class means, so has the limited-expressivity model.",
    source=SOURCE,
    variables={**SMOOTHED, decay: Interval(0.05, 0.4), slope: Interval(0.05, 2.0, log=True)},
    assumptions=(sp.Lt(smoothing + 2 * sp.sqrt(2) * decay, 1),),
    quantities={margin: Quantity(at=margin_or_zero, route="dual norm at zero, else the minimiser, in balls")},
    relations=(greater(margin, 0),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.3, "noise": 0.11, "slope": 0.11, "smoothing": 0.0},
    hypotheses=SETTING,
    most_samples=MOST,
    notes="joint-collapse-threshold is the sharp form.",
)
