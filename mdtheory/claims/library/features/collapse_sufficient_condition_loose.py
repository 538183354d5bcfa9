"""A condition that is necessary for nonzero class means and not sufficient."""

import sympy as sp

from mdtheory.claims.library._features import STRONG_DECAY, free_cost, margin_quantity, others_label, smoothed_pull
from mdtheory.claims.library._symbols import CLASSES, SMOOTHING, feature_decay, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import greater

margin = sp.Symbol("margin", nonnegative=True)

CLAIM = Claim(
    id="collapse-sufficient-condition-loose",
    title="Class means are nonzero whenever e < 1 (false)",
    statement=r"If $e = (N-1)\alpha/N + 2(N-1)\mu/\sqrt{N} < 1$, then the optimal class means are nonzero (balanced "
    r"classes, free features, cross-entropy with smoothing).",
    source=Source("this project", "collapse threshold; a condition often read as sufficient"),
    variables={num_classes: CLASSES, weight_decay: STRONG_DECAY, feature_decay: STRONG_DECAY, smoothing: SMOOTHING},
    assumptions=(sp.Lt(others_label + free_cost, 1),),
    quantities={margin: margin_quantity(smoothed_pull, nonnegative=False)},
    relations=(greater(margin, 0),),
    expected=Verdict.REFUTED,
    counterexample={"num_classes": 2, "weight_decay": 0.5, "feature_decay": 0.25, "smoothing": 0.25},
    notes=(
        "The condition is only necessary: where (N-1)/N <= e < 1 everything collapses to zero. The sharp threshold is "
        "e < (N-1)/N: see collapse-to-zero-free and collapse-to-zero-nonnegative."
    ),
)
