"""False: behind several linear layers the simplex frame is a local minimum wherever it is stationary."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.deep._stability import OF_MANY, curvature, layers, margin, smoothed
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import greater

CLAIM = Claim(
    id="deep-etf-always-stable",
    title="Deep linear networks with cross-entropy: the simplex frame is a local minimum at any decay (false)",
    statement=(
        r"$N \geq 4$ balanced classes, $L \geq 2$ linear layers on free features: the second variation at the simplex frame is positive at any margin. False: ten classes, "
        r"two layers, margin 3, below $N(L-1)/(L+1) = 10/3$."
    ),
    source=Source("this project", "a neighbour of deep-etf-stability"),
    variables={
        num_classes: Integers(4, 40),
        layers: Integers(2, 8),
        margin: Interval(0.1, 30.0, log=True),
        smoothed: Interval(0.0, 0.95),
    },
    quantities=OF_MANY,
    relations=(greater(curvature, sp.Integer(0)),),
    expected=Verdict.REFUTED,
    counterexample={"num_classes": 10, "layers": 2, "margin": 3.0, "smoothed": 0.0},
    most_samples=60,
    notes="The threshold: deep-etf-stability.",
)
