"""With many classes the profile of focal loss is not convex."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import FOCUSING, SERIES, curvature, focusing
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import CLASSES, num_classes
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least

margin = sp.Symbol("margin", nonnegative=True)
bend = sp.Symbol("bend", real=True)

CLAIM = Claim(
    id="focal-profile-concave-many-classes",
    title="The profile of focal loss is convex for every number of classes (false)",
    statement=r"For every $N$ and $\gamma$ the focal loss at $z_n = s(e_n - 1/N)$ is convex in $s \geq 0$.",
    source=Source("zhou2022", "uniqueness of the focal minimiser, hypothesis, as recalled"),
    variables={num_classes: CLASSES, focusing: FOCUSING, margin: Interval(0.0, 12.0)},
    quantities={bend: Quantity(at=Computed(curvature), route=SERIES)},
    relations=(at_least(bend, 0),),
    expected=Verdict.REFUTED,
    counterexample={"num_classes": 18, "focusing": 2.5, "margin": 0.0},
    notes=(
        "Concave near zero margin for some focusing as soon as N >= 18; the sharp form is focal-profile-convex, the "
        "consequence focal-first-order-jump."
    ),
)
