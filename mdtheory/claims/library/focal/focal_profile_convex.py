"""The profile of focal loss is convex for up to 17 classes, whatever the focusing."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._focal import FOCUSING, SERIES, curvature, focusing
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal

margin = sp.Symbol("margin", nonnegative=True)
bend = sp.Symbol("bend", real=True)
p = sp.Symbol("p", positive=True)
factor = (1 - p) * (1 + 2 * focusing + focusing * sp.log(p)) - focusing**2 * p * sp.log(p)

CLAIM = Claim(
    id="focal-profile-convex",
    title="The profile of focal loss is convex for up to 17 classes",
    statement=(
        r"For $N \leq 17$ the focal loss at $z_n = s(e_n - 1/N)$ is convex in $s \geq 0$ for every $\gamma$; its curvature is "
        r"$p (1-p)^\gamma [(1-p)(1 + 2\gamma + \gamma \log p) - \gamma^2 p \log p]$."
    ),
    source=Source("this project", "uniqueness of the focal margin"),
    variables={num_classes: Integers(2, 60), focusing: FOCUSING, margin: Interval(0.0, 12.0)},
    definitions={p: 1 / (1 + (num_classes - 1) * sp.exp(-margin))},
    assumptions=(sp.Le(num_classes, 17),),
    quantities={bend: Quantity(at=Computed(curvature), route=SERIES)},
    relations=(at_least(bend, 0), equal(bend, p * (1 - p) ** focusing * factor)),
    expected=Verdict.PROVED,
    hypotheses=("focal loss",),
    derivation="derivations/margin_equations.py",
    notes="From 18 classes on it fails for some focusing: see focal-profile-concave-many-classes.",
)
