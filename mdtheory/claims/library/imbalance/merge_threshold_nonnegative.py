"""False: the merge threshold holds for nonnegative features too. Balanced classes coincide earlier there."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._features import GENERAL_SOLVER, cross_entropy, model
from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, num_classes, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import ufm_optimum
from mdtheory.claims.relation import positive_iff

gain = sp.Symbol("gain", real=True)
RESOLVED = 1e-6


def _gain(point: Mapping[str, Any]) -> arb:
    """By how much the optimum is better than coinciding classes, which can only be at zero; below 1e-6 is nothing."""
    problem = model(cross_entropy, point, nonnegative=True)
    return arb(point["num_classes"]).log() - ufm_optimum(problem, starts=1) - arb(RESOLVED)


CLAIM = Claim(
    id="merge-threshold-nonnegative",
    title="When equal classes coincide, nonnegative features, by the threshold of free ones (false)",
    statement=(
        r"Cross-entropy, nonnegative features: equal classes of proportion $p$ coincide if and only if $\sqrt{p} \leq 2\mu$. "
        r"False for four balanced classes, which coincide from $\mu = \sqrt{3}/8 = .2165$ on instead of $.25$."
    ),
    source=Source("this project", "threshold with weights and temperatures, the kind of features left out"),
    variables={
        num_classes: Integers(2, 6),
        weight_decay: Interval(0.1, 0.4, log=True),
        feature_decay: Interval(0.1, 0.4, log=True),
    },
    quantities={gain: Quantity(at=Computed(_gain), convex=True, route=GENERAL_SOLVER)},
    relations=(positive_iff(gain, 1 / sp.sqrt(num_classes) - nuclear),),
    expected=Verdict.REFUTED,
    counterexample={"num_classes": 4, "weight_decay": 0.23, "feature_decay": 0.23},
    most_samples=20,
    notes="The true form for free features: merge-threshold-general; for nonnegative ones: collapse-to-zero-nonnegative.",
)
