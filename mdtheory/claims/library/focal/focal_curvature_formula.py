"""The curvature of the focal profile in closed form, by differentiating twice."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

focusing = sp.Symbol("focusing", nonnegative=True)
log_odds = sp.Symbol("log_odds", real=True)
own = sp.Symbol("own", positive=True)
PROBABILITY = 1 / (1 + sp.exp(-log_odds))

CLAIM = Claim(
    id="focal-curvature-formula",
    title="The curvature of the focal profile",
    statement=(
        r"With $p$ the probability of the own class, the profile of focal loss has "
        r"$f''(s) = p(1-p)^{\gamma} ((1-p)(1 + 2\gamma + \gamma \log p) - \gamma^2 p \log p)$."
    ),
    source=Source("this project", "convexity of the focal profile"),
    variables={focusing: Interval(0.0, 6.0), log_odds: Interval(-6.0, 6.0)},
    definitions={own: PROBABILITY},
    relations=(
        equal(
            sp.diff(-((1 - PROBABILITY) ** focusing) * sp.log(PROBABILITY), log_odds, 2),
            own
            * (1 - own) ** focusing
            * ((1 - own) * (1 + 2 * focusing + focusing * sp.log(own)) - focusing**2 * own * sp.log(own)),
        ),
    ),
    expected=Verdict.PROVED,
    symbolic=True,
    notes="Margin and log odds differ by a constant. Its sign: focal-curvature-up-to-seventeen-classes.",
)
