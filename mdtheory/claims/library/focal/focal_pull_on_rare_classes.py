"""Where the own class has probability 0.18 or less, focal loss pulls on the margin more than cross-entropy."""

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import SLOPES, entropy_slope, focal_slope, focusing, probability
from mdtheory.claims.model import Box, Claim, Source, Verdict
from mdtheory.claims.relation import less

CLAIM = Claim(
    id="focal-pull-on-rare-classes",
    title="Focal loss pulls harder than cross-entropy where the own class is improbable",
    statement=(
        r"For $\gamma \in [0.5, 5]$ and $p \in [0.02, 0.18]$ the slope of the focal profile in the margin is more negative "
        r"than that of cross-entropy."
    ),
    source=Source("this project", "slopes of the profiles"),
    variables={focusing: Interval(0.5, 5.0), probability: Interval(0.02, 0.18, log=True)},
    quantities=SLOPES,
    relations=(less(focal_slope, entropy_slope),),
    expected=Verdict.CERTIFIED,
    box=Box(sides={"focusing": ("0.5", "5"), "probability": ("0.02", "0.18")}, log=("focusing", "probability")),
    notes="For probabilities of 0.45 and more the order reverses: focal-pull-against-cross-entropy.",
)
