"""Symbols and domains of the claims from the literature that several of them use."""

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Integers, Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, weight_decay
from mdtheory.claims.library._two_levels import TwoLevels, gain_of_separation
from mdtheory.claims.model import Quantity

majority = sp.Symbol("majority", integer=True, positive=True)
minority = sp.Symbol("minority", integer=True, positive=True)
share = sp.Symbol("share", positive=True)
pi = sp.Symbol("pi", positive=True)
pi_1, pi_2, pi_3, pi_4 = sp.symbols("pi_1:5", positive=True)
gain, pull = sp.symbols("gain pull", real=True)

minority_proportion = (1 - share) / minority
majority_proportion = share / majority
nuclear = 2 * mu
"""The factor of the nuclear norm, t."""

STEP_IMBALANCE: Mapping[sp.Symbol, Domain] = {
    majority: Integers(1, 20),
    minority: Integers(2, 20),
    share: Interval(0.05, 0.95),
    weight_decay: Interval(1e-3, 0.3, log=True),
    feature_decay: Interval(1e-3, 0.3, log=True),
}
BY_NEWTON = "optimum of the symmetry-reduced convex problem: Newton's method, primal and dual value in balls"


def gain_quantity(problem: Callable[..., TwoLevels]) -> Quantity:
    """By how much the optimum rises when the minority must coincide."""

    return Quantity(
        at=Computed(lambda point: gain_of_separation(problem(**point))),
        route=f"{BY_NEWTON}; what is below 1e-20 counts as nothing",
    )


def pull_quantity(problem: Callable[..., TwoLevels]) -> Quantity:
    """The gradient's singular value on the minority where it is made to coincide."""

    def at(point: Mapping[str, Any]) -> arb:
        model = problem(**point)
        return model.singular_values(model.solve(merged=True).point)[1]

    return Quantity(at=Computed(at), route="singular value of the gradient at the best coinciding configuration")
