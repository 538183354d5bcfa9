"""Deep linear networks with cross-entropy, three classes: the margin from which on the simplex frame is stable."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library.deep._stability import OF_THREE, curvature, layers, margin, share, smoothed
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

own, other = sp.symbols("own other", positive=True)

CLAIM = Claim(
    id="deep-etf-stability-of-three",
    title="Deep linear networks with cross-entropy, three classes: the second variation that turns first",
    statement=(
        r"Three balanced classes, $L \geq 2$ linear layers on free features, label smoothing $\alpha$, $P$ and $q$ the probabilities of the own and of another class at the "
        r"simplex frame of margin $s$: along a diagonal of sum zero the second variation is $q(2P + q) - 3\frac{L-1}{L+1}(q - \alpha/3)/s$ per square of the direction."
    ),
    source=Source("this project", "three classes have two directions of descent below a threshold of their own"),
    variables={layers: Integers(2, 8), margin: Interval(0.1, 8.0, log=True), smoothed: Interval(0.0, 0.95)},
    definitions={own: 1 / (1 + 2 * sp.exp(-margin)), other: 1 / (2 + sp.exp(margin))},
    quantities=OF_THREE,
    relations=(equal(curvature, other * (2 * own + other) - 3 * share * other * (1 - smoothed) / margin),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "linear network", "balanced classes", "free features", "enough features"),
    derivation="derivations/deep_features.py",
    most_samples=200,
    notes="Four classes and more: deep-etf-stability.",
)
