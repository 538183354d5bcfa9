"""More expressivity never costs: the optimum falls with the slope."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import slope
from mdtheory.claims.library.joint._joint import MOST, ROUTE, SETTING, SOURCE, VARIABLES, joint, solved, value
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import less

more_slope, later = sp.symbols("more_slope later", positive=True)

CLAIM = Claim(
    id="joint-value-falls-with-slope",
    title="The joint optimum falls with the memorization-dilation slope",
    statement=r"For $C < C'$ the optimum of the limited-expressivity model at $C'$ is below that at $C$.",
    source=SOURCE,
    variables={**VARIABLES, more_slope: Interval(0.01, 10.0, log=True)},
    assumptions=(sp.Lt(slope, more_slope),),
    quantities={
        value: joint("value"),
        later: Quantity(at=lambda decay, noise, more_slope: solved(decay, noise, more_slope).value, route=ROUTE),
    },
    relations=(less(later, value),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
