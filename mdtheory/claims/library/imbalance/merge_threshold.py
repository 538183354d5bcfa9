"""Minority classes of equal size coincide exactly from a threshold on."""

import sympy as sp

from mdtheory.claims.library._field import (
    STEP_IMBALANCE,
    gain,
    gain_quantity,
    minority_proportion,
    nuclear,
    pull,
    pull_quantity,
)
from mdtheory.claims.library._two_levels import step_imbalance
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal, positive_iff

CLAIM = Claim(
    id="merge-threshold",
    title="When equal minority classes coincide",
    statement=(
        r"Cross-entropy without smoothing, free features of dimension at least $N - 1$: two or more classes of the same proportion $p$ "
        r"coincide at the optimum if and only if $\sqrt{p} \leq 2\mu$, whatever the other classes are."
    ),
    source=Source(
        "hong2024", "abstract (c): sharp threshold of minority collapse; the threshold in this form as recalled"
    ),
    variables=STEP_IMBALANCE,
    quantities={gain: gain_quantity(step_imbalance), pull: pull_quantity(step_imbalance)},
    relations=(
        positive_iff(gain, sp.sqrt(minority_proportion) - nuclear),
        equal(pull, sp.sqrt(minority_proportion)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "free features", "enough features"),
    derivation="derivations/merge_threshold.py",
    most_samples=300,
    notes="Classes of different proportions never coincide unless they vanish: minority-collapse-unequal.",
)
