"""With 18 classes the focal profile is not convex."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.focal._profiles import focal_jet
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import less

focusing = sp.Symbol("focusing", nonnegative=True)
curvature = sp.Symbol("curvature", real=True)


def _curvature(num_classes: int, focusing: float) -> arb:
    """At zero margin, where ``p = 1/N``."""
    return focal_jet(-(arb(num_classes) - 1).log(), arb(focusing), 2)[2]


CLAIM = Claim(
    id="focal-curvature-with-eighteen-classes",
    title="The focal profile is not convex with 18 classes",
    statement=r"For $N = 18$ and $\gamma = 2.3$ the focal profile has $f''(0) < 0$.",
    source=Source("this project", "convexity of the focal profile"),
    variables={num_classes: Integers(18, 18), focusing: Interval(2.3, 2.3)},
    quantities={curvature: Quantity(at=_curvature, route="second derivative by power series")},
    relations=(less(curvature, 0),),
    existence=True,
    counterexample={"num_classes": 18, "focusing": 2.3},
    expected=Verdict.CERTIFIED,
    notes="With 17 classes it is convex for every focusing up to 20: focal-curvature-up-to-seventeen-classes.",
)
