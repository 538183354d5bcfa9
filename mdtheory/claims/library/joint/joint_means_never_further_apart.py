"""False: noise may push the class means apart."""

import sympy as sp

from mdtheory.claims.library.joint._joint import MOST, ROUTE, SETTING, SOURCE, VARIABLES, relative_distance
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import at_most

distance = sp.Symbol("distance", positive=True)

CLAIM = Claim(
    id="joint-means-never-further-apart",
    title="Noise draws the class means together (false)",
    statement=r"The distance of the jointly optimal class means is at most that without noise.",
    source=SOURCE,
    variables=VARIABLES,
    quantities={distance: Quantity(at=relative_distance, route=ROUTE)},
    relations=(at_most(distance, 1),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.0001, "noise": 0.4, "slope": 0.4},
    hypotheses=SETTING,
    most_samples=MOST,
    notes="It does where noise is given up, and does the opposite where wide clusters need room for their margins.",
)
