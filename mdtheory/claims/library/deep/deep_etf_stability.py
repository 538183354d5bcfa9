"""Deep linear networks with cross-entropy: the margin from which on the simplex frame is stable."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.deep._stability import OF_MANY, curvature, layers, margin, share, smoothed
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

other = sp.Symbol("other", positive=True)

CLAIM = Claim(
    id="deep-etf-stability",
    title="Deep linear networks with cross-entropy: the margin from which on the simplex frame is stable",
    statement=(
        r"$N \geq 4$ balanced classes, $L \geq 2$ linear layers on free features, label smoothing $\alpha$, $q$ the probability of a wrong class at the simplex frame of margin "
        r"$s$: per square of a symmetric direction of zero row sums and zero diagonal the second variation is $q(1 - \frac{N}{s}\frac{L-1}{L+1}(1 - \frac{\alpha}{N q}))$, "
        r"positive iff $s > N \frac{L-1}{L+1}(1 - \frac{\alpha}{N q})$."
    ),
    source=Source("this project", "sharpens Garrod and Keating, arXiv 2410.23169, of which the abstract was read"),
    variables={
        num_classes: Integers(4, 40),
        layers: Integers(2, 8),
        margin: Interval(0.1, 30.0, log=True),
        smoothed: Interval(0.0, 0.95),
    },
    definitions={other: 1 / (sp.exp(margin) + num_classes - 1)},
    quantities=OF_MANY,
    relations=(equal(curvature, other * (1 - share * num_classes * (1 - smoothed) / margin)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "linear network", "balanced classes", "free features", "enough features"),
    derivation="derivations/deep_features.py",
    most_samples=200,
    notes="In all other directions the second variation is positive there; three classes have a threshold of their own, deep-etf-stability-of-three.",
)
