"""Where the own class has probability 0.45 or more, focal loss pulls on the margin less than cross-entropy."""

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import SLOPES, entropy_slope, focal_slope, focusing, probability
from mdtheory.claims.model import Box, Claim, Source, Verdict
from mdtheory.claims.relation import greater

CLAIM = Claim(
    id="focal-pull-against-cross-entropy",
    title="Focal loss pulls on the margin less than cross-entropy where the own class is probable",
    statement=(
        r"For $\gamma \in [0.5, 5]$ and $p \in [0.45, 0.999]$ the slope of the focal profile in the margin is less negative "
        r"than that of cross-entropy. So, at equal decays, where the margin of cross-entropy has such a $p$, the objective of focal "
        r"loss rises from there on, up to $p = 0.999$."
    ),
    source=Source("this project", "slopes of the profiles"),
    variables={focusing: Interval(0.5, 5.0), probability: Interval(0.45, 0.999)},
    quantities=SLOPES,
    relations=(greater(focal_slope, entropy_slope),),
    expected=Verdict.CERTIFIED,
    box=Box(sides={"focusing": ("0.5", "5"), "probability": ("0.45", "0.999")}, log=("focusing",)),
    notes="For small probabilities the order reverses: focal-pull-on-rare-classes.",
)
