"""The multiplier of the ball at the optimum, from the slope of the dilation cost."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import (
    NOTHING,
    RELATIVE,
    VARIABLES,
    Case,
    Fixed,
    configured,
    mean_distance,
    not_collapsed,
    solved,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

multiplier, relative_multiplier = sp.symbols("multiplier relative_multiplier", positive=True)
cost_slope, relative_cost_slope = sp.symbols("cost_slope relative_cost_slope", positive=True)
dilation, relative_dilation = sp.symbols("dilation relative_dilation", positive=True)


def _multiplier(fixed: Fixed = NOTHING) -> Computed:
    """Nu from the stationarity of the noisy feature alone."""

    def at(point: Mapping[str, Any]) -> arb:
        case = Case.at(point, fixed)
        return case.problem().multiplier(case.solution().noisy_margin)

    return Computed(at)


def _cost_slope(fixed: Fixed = NOTHING) -> Computed:
    """F'(r) at the solution, exactly."""

    def at(point: Mapping[str, Any]) -> arb:
        case = Case.at(point, fixed)
        return case.problem().force(case.solution().dilation)

    return Computed(at)


CLAIM = Claim(
    id="noisy-stationarity",
    title="What balances memorization and dilation",
    statement=(
        r"Cross-entropy with smoothing, two classes with nonzero means, unconstrained noisy features: at the optimum "
        r"the multiplier of the ball is $\nu = \eta D^{2q} F'(r)/(4 C^2 r)$, with $q = 1$ in absolute and $q = 0$ in "
        r"relative scaling."
    ),
    source=Source("this project", "exact reduction of the memorization-dilation problem"),
    variables=VARIABLES,
    assumptions=(not_collapsed,),
    quantities={
        mean_distance: configured("mean_distance"),
        multiplier: Quantity(at=_multiplier(), route="stationarity of the noisy feature"),
        relative_multiplier: Quantity(at=_multiplier(RELATIVE), route="stationarity of the noisy feature"),
        cost_slope: Quantity(at=_cost_slope(), route="expectation over two points, in balls"),
        relative_cost_slope: Quantity(at=_cost_slope(RELATIVE), route="expectation over two points, in balls"),
        dilation: solved("dilation"),
        relative_dilation: solved("dilation", RELATIVE),
    },
    relations=(
        equal(multiplier, noise * mean_distance**2 * cost_slope / (4 * slope**2 * dilation)),
        equal(relative_multiplier, noise * relative_cost_slope / (4 * slope**2 * relative_dilation)),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
    ),
    derivation="derivations/md_reduction.py",
    notes=(
        "Solutions are found by this equation, so draws only check that the balls are right. Tested without it: "
        "reduced-objective-convex by difference quotients, conic-programme-agrees by another solver."
    ),
)
