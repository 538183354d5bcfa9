"""Where the own class has probability 0.18 or less, focal loss pulls on the margin more than cross-entropy."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._profiles import cross_entropy_slope, focal_jet, log_odds
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import less

focusing, probability = sp.symbols("focusing probability", positive=True)
focal_slope, entropy_slope = sp.symbols("focal_slope entropy_slope", real=True)


def _focal(focusing: arb, probability: arb) -> arb:
    return focal_jet(log_odds(probability), focusing, 1)[1]


def _entropy(probability: arb) -> arb:
    return cross_entropy_slope(log_odds(probability))


CLAIM = Claim(
    id="focal-pull-on-rare-classes",
    title="Focal loss pulls harder than cross-entropy where the own class is improbable",
    statement=(
        r"For $\gamma \in [0.5, 5]$ and $p \in [0.02, 0.18]$ the slope of the focal profile in the margin is more negative "
        r"than that of cross-entropy."
    ),
    source=Source("this project", "slopes of the profiles"),
    variables={focusing: Interval(0.5, 5.0), probability: Interval(0.02, 0.18, log=True)},
    quantities={
        focal_slope: Quantity(
            at=lambda focusing, probability: _focal(arb(focusing), arb(probability)),
            over=lambda focusing, probability: _focal(focusing, probability),
            route="first derivative by power series",
        ),
        entropy_slope: Quantity(
            at=lambda probability: _entropy(arb(probability)),
            over=lambda focusing, probability: _entropy(probability),
            route="first derivative by power series",
        ),
    },
    relations=(less(focal_slope, entropy_slope),),
    expected=Verdict.CERTIFIED,
    box=Box(sides={"focusing": ("0.5", "5"), "probability": ("0.02", "0.18")}, log=("focusing", "probability")),
    notes="For probabilities of 0.45 and more the order reverses: focal-pull-against-cross-entropy.",
)
