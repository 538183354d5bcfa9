"""False: the largest root of the sum of 1/(p_k - x) is the threshold also where classes share the largest proportion."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._field import (
    BY_NEWTON,
    gain,
    majority,
    majority_proportion,
    minority,
    minority_proportion,
    nuclear,
    share,
)
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.library.imbalance.zero_collapse_proportions import gain_of_learning
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import positive_iff

largest = sp.Symbol("x", positive=True)

CLAIM = Claim(
    id="zero-collapse-shared-proportions",
    title="Total collapse, where classes share the largest proportion, by the roots of the sum alone (false)",
    statement=(
        r"One-hot labels, cross-entropy, free features, no bias: $Z = 0$ is optimal if and only if $x \leq 4\mu^2$, where $x$ is the "
        r"largest root of $\sum_k 1/(p_k - x) = 0$, for $m$ classes of proportion $a$ and $k$ of $b$: $x = (k a + m b)/(k + m)$. "
        r"False for $p = (.4, .4, .2)$: the root is $.2\overline{6}$, and at $4\mu^2 = .33$ both large classes are learnt."
    ),
    source=Source("this project", "total collapse, the distinctness of the proportions left out"),
    variables={
        majority: Integers(1, 20),
        minority: Integers(1, 20),
        share: Interval(0.05, 0.95),
        weight_decay: Interval(0.03, 1.0, log=True),
        feature_decay: Interval(0.03, 1.0, log=True),
    },
    definitions={
        largest: (minority * majority_proportion + majority * minority_proportion) / (majority + minority),
    },
    quantities={gain: Quantity(at=gain_of_learning, route=f"{BY_NEWTON}; what is below 1e-20 counts as nothing")},
    relations=(positive_iff(gain, largest - nuclear**2),),
    expected=Verdict.REFUTED,
    counterexample={"majority": 2, "minority": 1, "share": 0.8, "weight_decay": 0.33, "feature_decay": 0.25},
    most_samples=300,
    notes="The true form: zero-collapse-proportions.",
)
