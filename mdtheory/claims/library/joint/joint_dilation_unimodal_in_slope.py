"""One peak over the slope: no draw has denied it."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import slope
from mdtheory.claims.library.joint._joint import MOST, ROUTE, SETTING, SOURCE, VARIABLES, dilation, joint, solved
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import at_least

middle, last = sp.symbols("middle_slope last_slope", positive=True)
between, after = sp.symbols("between after", positive=True)

CLAIM = Claim(
    id="joint-dilation-unimodal-in-slope",
    title="The joint dilation has one peak over the slope",
    statement=r"For slopes $C < C' < C''$ the normalised dilation at $C'$ is at least the smaller of those at $C$ and $C''$.",
    source=SOURCE,
    variables={**VARIABLES, middle: Interval(0.01, 10.0, log=True), last: Interval(0.01, 10.0, log=True)},
    assumptions=(sp.Lt(slope, middle), sp.Lt(middle, last)),
    quantities={
        dilation: joint("normalized_dilation"),
        between: Quantity(
            at=lambda decay, noise, middle_slope: solved(decay, noise, middle_slope).normalized_dilation, route=ROUTE
        ),
        after: Quantity(
            at=lambda decay, noise, last_slope: solved(decay, noise, last_slope).normalized_dilation, route=ROUTE
        ),
    },
    relations=(at_least(between, sp.Min(dilation, after)),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
    notes="Open: supported by draws, not proved. At the fixed configuration it is peak-over-slope.",
)
