"""Classes of different proportions never coincide, however strong the decay, unless they vanish."""

from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.library.imbalance.minority_collapse_unequal import ball_of_distance
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater

larger, smaller = sp.symbols("larger smaller", positive=True)
distance = sp.Symbol("distance", real=True)


def _distance(point: Any) -> arb:
    one, other = point["larger"], point["smaller"]
    majority = (1 - one - other) / 2
    return ball_of_distance((majority, majority, one, other), point["weight_decay"], point["feature_decay"])


CLAIM = Claim(
    id="unequal-classes-stay-apart",
    title="Classes of different proportions never coincide",
    statement=(
        r"Cross-entropy with smoothing $\alpha < 1$, free features, no bias: at every stationary point with $h_k = h_l$ also $p_k h_k = p_l h_l$. So classes of "
        r"different proportions coincide only at zero, even where $\sqrt{p_k}, \sqrt{p_l} \leq 2\mu$. Checked for two "
        r"minorities beside two equal classes."
    ),
    source=Source("this project", "minority collapse beyond equal proportions"),
    variables={
        larger: Interval(0.05, 0.09),
        smaller: Interval(0.01, 0.03),
        weight_decay: Interval(0.1, 0.175, log=True),
        feature_decay: Interval(0.1, 0.175, log=True),
    },
    assumptions=(sp.Le(sp.sqrt(larger), nuclear), sp.Lt(nuclear, sp.Rational(7, 20))),
    quantities={
        distance: Quantity(
            at=Computed(_distance),
            rigorous=False,
            convex=True,
            route="certified optimum, with the error that its duality gap allows",
        ),
    },
    relations=(greater(distance, 0),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "free features", "no bias"),
    derivation="derivations/unequal_classes.py",
    most_samples=40,
    notes="The false statement it corrects: minority-collapse-unequal. Above the bound on the decay the minorities may vanish.",
)
