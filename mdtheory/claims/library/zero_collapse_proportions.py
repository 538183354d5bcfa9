"""Total collapse for one-hot labels and one large class: the largest root of a secular equation."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._field import BY_NEWTON, gain, minority, minority_proportion, nuclear, share
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.library._two_levels import RESOLVED, step_imbalance
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal, positive_iff

largest, steepest = sp.symbols("x steepest", positive=True)


def _gain(minority: int, share: float, weight_decay: float, feature_decay: float) -> arb:
    """By how much the optimum is better than Z = 0."""
    solved = step_imbalance(1, minority, share, weight_decay, feature_decay).solve()
    return arb(1 + minority).log() - solved.value - arb(RESOLVED)


def _steepest(minority: int, share: float, weight_decay: float, feature_decay: float) -> arb:
    """The square of the gradient's operator norm at Z = 0."""
    zero = (arb(0),) * 4
    values = step_imbalance(1, minority, share, weight_decay, feature_decay).singular_values(zero)
    return values[0].max(values[1]).max(values[2]) ** 2


CLAIM = Claim(
    id="zero-collapse-proportions",
    title="Total collapse for unequal proportions",
    statement=(
        r"One-hot labels, cross-entropy, no bias: $Z = 0$ is optimal if and only if $x \leq 4\mu^2$, where $x$ is the "
        r"largest root of $\sum_k 1/(p_k - x) = 0$: with one class of proportion $a$ and $k$ of proportion $b \leq a$, "
        r"$x = (k a + b)/(k + 1)$."
    ),
    source=Source("this project", "total collapse for any labels and proportions"),
    variables={
        minority: Integers(2, 20),
        share: Interval(0.05, 0.95),
        weight_decay: Interval(0.03, 1.0, log=True),
        feature_decay: Interval(0.03, 1.0, log=True),
    },
    assumptions=(sp.Ge(share, minority_proportion),),
    definitions={largest: (minority * share + minority_proportion) / (minority + 1)},
    quantities={
        gain: Quantity(at=_gain, route=f"{BY_NEWTON}; what is below 1e-20 counts as nothing"),
        steepest: Quantity(at=_steepest, route="singular values of the gradient at zero, in balls"),
    },
    relations=(positive_iff(gain, steepest - nuclear**2), equal(steepest, largest)),
    expected=Verdict.PROVED,
    derivation="derivations/zero_collapse.py",
    most_samples=300,
    notes="Any labels: zero-collapse-any-labels.",
)
