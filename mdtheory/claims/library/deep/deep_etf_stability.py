"""Deep linear networks with cross-entropy: the margin from which on the simplex frame is stable."""

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.deep._stability import OF_MANY, curvature, layers, margin, share, smoothed
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import positive_iff

CLAIM = Claim(
    id="deep-etf-stability",
    title="Deep linear networks with cross-entropy: the margin from which on the simplex frame is stable",
    statement=(
        r"$N \geq 4$ balanced classes, $L \geq 2$ linear layers on free features, label smoothing $\alpha$, $q$ the probability of a wrong class at the simplex frame of margin "
        r"$s$: the second variation in symmetric directions of zero diagonal is positive iff $s > N \frac{L-1}{L+1}(1 - \frac{\alpha}{N q})$; without smoothing iff "
        r"$s > N \frac{L-1}{L+1}$."
    ),
    source=Source("this project", "sharpens Garrod and Keating, arXiv 2410.23169, of which the abstract was read"),
    variables={
        num_classes: Integers(4, 40),
        layers: Integers(2, 8),
        margin: Interval(0.1, 30.0, log=True),
        smoothed: Interval(0.0, 0.95),
    },
    quantities=OF_MANY,
    relations=(positive_iff(curvature, margin - share * num_classes * (1 - smoothed)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "linear network", "balanced classes", "free features", "enough features"),
    derivation="derivations/deep_features.py",
    most_samples=200,
    notes="In all other directions the second variation is positive there; three classes have a threshold of their own, deep-etf-stability-of-three.",
)
