"""Inverse-frequency weights can merge the majority while the minority stays apart."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._field import BY_NEWTON, majority, minority, share
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.library._two_levels import Kind, TwoLevels, gain_of_separation
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater, less

gain_of_majority, gain_of_minority = sp.symbols("gain_of_majority gain_of_minority", real=True)


def _kinds(majority: int, minority: int, share: float) -> tuple[Kind, Kind]:
    """Each with the loss weight 1/(N p)."""
    proportions = arb(share) / majority, (1 - arb(share)) / minority
    counts = majority, minority
    one, other = (
        Kind(count=k, proportion=p, weight=1 / ((majority + minority) * p))
        for k, p in zip(counts, proportions, strict=True)
    )
    return one, other


def _gain_of_minority(majority: int, minority: int, share: float, weight_decay: float, feature_decay: float) -> arb:
    one, other = _kinds(majority, minority, share)
    t = 2 * (arb(weight_decay) * arb(feature_decay)).sqrt()
    return gain_of_separation(TwoLevels(first=one, second=other, nuclear=t))


def _gain_of_majority(majority: int, minority: int, share: float, weight_decay: float, feature_decay: float) -> arb:
    one, other = _kinds(majority, minority, share)
    t = 2 * (arb(weight_decay) * arb(feature_decay)).sqrt()
    return gain_of_separation(TwoLevels(first=other, second=one, nuclear=t))


CLAIM = Claim(
    id="inverse-frequency-merges-majority",
    title="Inverse-frequency loss weights merge the largest classes first",
    statement=(
        r"Cross-entropy, free features, loss weights $1/(Np)$, proportions $(.4, .4, .0\overline{6}, .0\overline{6}, .0\overline{6})$ and "
        r"$2\mu = 0.5$: forcing the majority to coincide costs less than $10^{-20}$, forcing the minority to coincide costs more. (Classes "
        r"coincide from $1/(N\sqrt{p}) \leq 2\mu$ on, by merge-threshold-general.)"
    ),
    source=Source("this project", "threshold with weights, inverse-frequency weighting"),
    variables={
        majority: Integers(2, 20),
        minority: Integers(2, 20),
        share: Interval(0.05, 0.95),
        weight_decay: Interval(1e-3, 0.3, log=True),
        feature_decay: Interval(1e-3, 0.3, log=True),
    },
    quantities={
        gain_of_majority: Quantity(at=_gain_of_majority, route=BY_NEWTON),
        gain_of_minority: Quantity(at=_gain_of_minority, route=BY_NEWTON),
    },
    relations=(
        less(gain_of_majority, 0),
        greater(gain_of_minority, 0),
    ),
    expected=Verdict.CERTIFIED,
    existence=True,
    counterexample={"majority": 2, "minority": 3, "share": 0.8, "weight_decay": 0.25, "feature_decay": 0.25},
    notes=(
        "Certified: forcing the majority to coincide costs less than 1e-20, forcing the minority costs more; that the first cost "
        "is zero is merge-threshold-general. Weights proportional to the inverse square root of the proportions treat all alike."
    ),
)
