"""The sharp collapse-to-zero threshold, free features."""

import sympy as sp

from mdtheory.claims.library._features import STRONG_DECAY, margin_quantity, smoothed_pull
from mdtheory.claims.library._symbols import CLASSES, SMOOTHING, feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import positive_iff

margin = sp.Symbol("margin", nonnegative=True)

CLAIM = Claim(
    id="collapse-to-zero-free",
    title="When weight decay and smoothing leave nothing: free features",
    statement=(
        r"Balanced classes, free features, cross-entropy with smoothing $\alpha$: the optimal class means are nonzero if and "
        r"only if $\alpha + 2\sqrt{N}\mu < 1$."
    ),
    source=Source("this project", "sharp collapse threshold"),
    variables={num_classes: CLASSES, weight_decay: STRONG_DECAY, feature_decay: STRONG_DECAY, smoothing: SMOOTHING},
    quantities={margin: margin_quantity(smoothed_pull, nonnegative=False)},
    relations=(positive_iff(margin, 1 - smoothing - 2 * sp.sqrt(num_classes) * mu),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "free features", "enough features"),
    derivation="derivations/collapse_threshold.py",
)
