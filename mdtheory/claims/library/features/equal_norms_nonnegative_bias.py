"""False: with nonnegative features and a bias, optimal class means have equal length."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, weight_decay
from mdtheory.claims.library.features._two_nonnegative import configuration, dual_bound, objective
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most

split = sp.Symbol("split", positive=True)
difference = sp.Symbol("difference", nonnegative=True)
excess = sp.Symbol("excess", real=True)
ALLOWED = sp.Rational(1, 10**7)


def _difference(point: Mapping[str, Any]) -> arb:
    """Of the lengths, relative to the longer one."""
    one, other = configuration(point["split"], point["weight_decay"], point["feature_decay"])[0]
    return abs(one - other) / one.max(other)


def _excess(point: Mapping[str, Any]) -> arb:
    """By how much the configuration's objective is above what is proved to be optimal, relatively."""
    return objective(point) / dual_bound(point["weight_decay"], point["feature_decay"]) - 1


CLAIM = Claim(
    id="equal-norms-nonnegative-bias",
    title="Nonnegative features with a bias: optimal class means have equal length (false)",
    statement=(
        r"Nonnegative features, unregularised bias, balanced classes: a configuration whose objective is optimal (to a "
        r"relative $10^{-7}$) has class means of lengths equal to a hundredth. False for two classes."
    ),
    source=Source("this project", "uniqueness of the orthogonal frame with a bias, a common reading"),
    variables={
        split: Interval(0.01, 0.99),
        weight_decay: Interval(1e-4, 0.2, log=True),
        feature_decay: Interval(1e-4, 0.2, log=True),
    },
    assumptions=(sp.Lt(4 * mu, 1), sp.Le(excess, ALLOWED)),
    quantities={
        difference: Quantity(at=Computed(_difference), route="closed form of the family"),
        excess: Quantity(at=Computed(_excess), route="objective against a dual bound, in balls"),
    },
    relations=(at_most(difference, sp.Rational(1, 100)),),
    expected=Verdict.REFUTED,
    counterexample={"split": 0.75, "weight_decay": 0.01, "feature_decay": 0.01},
    most_samples=300,
    notes="The whole family is in two-classes-nonnegative-bias-flat; from three classes on the frame is unique.",
)
