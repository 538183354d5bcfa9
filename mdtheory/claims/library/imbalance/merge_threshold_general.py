"""The merge threshold with loss weights, logit scales, weighted feature decay and smoothing."""

from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._field import (
    STEP_IMBALANCE,
    gain,
    gain_quantity,
    minority,
    minority_proportion,
    nuclear,
    pull,
    pull_quantity,
)
from mdtheory.claims.library._symbols import feature_decay, smoothing, weight_decay
from mdtheory.claims.library._two_levels import Kind, TwoLevels
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal, positive_iff

loss_weight, logit_scale, decay_weight, threshold = sp.symbols(
    "loss_weight logit_scale decay_weight threshold", positive=True
)


def _problem(loss_weight: float, logit_scale: float, decay_weight: float, smoothing: float, **point: Any) -> TwoLevels:
    """Weights for the minority; the majority has weights 1."""
    return TwoLevels(
        first=Kind(count=point["majority"], proportion=arb(point["share"]) / point["majority"]),
        second=Kind(
            count=point["minority"],
            proportion=(1 - arb(point["share"])) / point["minority"],
            weight=arb(loss_weight),
            scale=arb(logit_scale),
            decay=arb(decay_weight),
        ),
        nuclear=2 * (arb(point["weight_decay"]) * arb(point["feature_decay"])).sqrt(),
        smoothing=arb(smoothing),
    )


CLAIM = Claim(
    id="merge-threshold-general",
    title="When equal classes coincide: loss weights, temperatures, weighted decay, smoothing",
    statement=(
        r"Cross-entropy, free features of dimension at least $N - 1$, smoothed one-hot labels: with loss weight $\omega$, logit scale "
        r"$\Delta$, feature decay weight $\rho$ and smoothing $\alpha < 1$, two or more classes that share these and the proportion $p$ "
        r"coincide at the optimum if and only if $(1-\alpha)\,\omega\Delta\sqrt{p/\rho} \leq 2\mu$."
    ),
    source=Source("this project", "threshold with weights and temperatures"),
    variables={
        **STEP_IMBALANCE,
        minority: Integers(2, 8),
        weight_decay: Interval(0.01, 0.3, log=True),
        feature_decay: Interval(0.01, 0.3, log=True),
        loss_weight: Interval(0.7, 1.4, log=True),
        logit_scale: Interval(0.7, 1.4, log=True),
        decay_weight: Interval(0.7, 1.4, log=True),
        smoothing: Interval(0.0, 0.9),
    },
    definitions={threshold: (1 - smoothing) * loss_weight * logit_scale * sp.sqrt(minority_proportion / decay_weight)},
    quantities={gain: gain_quantity(_problem), pull: pull_quantity(_problem)},
    relations=(positive_iff(gain, threshold - nuclear), equal(pull, threshold)),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "free features", "enough features"),
    derivation="derivations/merge_threshold.py",
    most_samples=300,
    notes=(
        "An additive adjustment of the logits changes nothing; inverse-frequency weights: inverse-frequency-merges-majority. "
        "False for nonnegative features: merge-threshold-nonnegative."
    ),
)
