"""The focal profile is convex for every focusing up to 20 where the own class has at least one seventeenth."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library.focal._profiles import focal_jet, log_odds
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater

focusing = sp.Symbol("focusing", nonnegative=True)
probability = sp.Symbol("probability", positive=True)
curvature = sp.Symbol("curvature", real=True)


def _curvature(focusing: float, probability: float) -> arb:
    return focal_jet(log_odds(arb(probability)), arb(focusing), 2)[2]


def _positive(focusing: arb, probability: arb) -> bool | None:
    """By focal-curvature-formula ``f''(s) = p (1-p)^(gamma+1) (gamma log p + 2 gamma + 1 + gamma^2 p l)``, with ``l = -log p/(1-p)``."""
    log = probability.log()
    rest = 1 - probability
    # l falls from infinity to 1, and 1 <= l <= 1/p; its ball is useless where 1 - p may be zero.
    low, high = arb(1), 1 / probability
    if rest > 0:
        low, high = low.max(-log.upper() / rest.lower()), -log.lower() / rest.upper()
    value = focusing * log + 2 * focusing + 1 + focusing**2 * probability * low.union(high)
    return True if value > 0 else None


CLAIM = Claim(
    id="focal-curvature-up-to-seventeen-classes",
    title="The curvature of the focal profile is positive for up to 17 classes: a box",
    statement=(
        r"The profile of focal loss has $f''(s) > 0$ wherever $1/17 \leq p < 1$, for $0 \leq \gamma \leq 20$: it is convex on "
        r"$s \geq 0$ for $N \leq 17$ classes."
    ),
    source=Source("this project", "convexity of the focal profile"),
    variables={focusing: Interval(0.0, 20.0), probability: Interval(0.0588, 0.999)},
    quantities={curvature: Quantity(at=_curvature, route="second derivative by power series")},
    relations=(greater(curvature, 0),),
    expected=Verdict.CERTIFIED,
    box=Box(sides={"focusing": ("0", "20"), "probability": ("0.0588", "1")}, log=("probability",), decide=_positive),
    notes=(
        "On the box it is the factor of focal-curvature-formula without (1-p)^(gamma+1) that is positive. For every focusing: "
        "focal-profile-convex. Sharp: with 18 classes it fails, see focal-curvature-with-eighteen-classes."
    ),
)
