"""False: the memorization-dilation problem in one variable is convex, whatever the loss."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import focusing, profile
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import DIM, dim, feature_decay, noise, slope, weight_decay
from mdtheory.claims.library.memorization._focal_dilation import configuration
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most

first, second = sp.symbols("first second", positive=True)
middle, mean = sp.symbols("middle mean", positive=True)


def _value(point: Mapping[str, Any], memorization: arb) -> arb:
    """V without decay of noisy features, two points; the memorization in units of the distance of the class means."""
    gamma = arb(point["focusing"])
    c = configuration(point["focusing"], point["weight_decay"], point["feature_decay"], ctx.prec)
    gone = memorization * c.mean_distance * c.weight_distance
    shift = arb(point["noise"]) * gone * c.mean_distance / (arb(point["slope"]) * arb(point["dim"]).sqrt())
    clean, other, noisy = (profile(2, gamma, t)[0] for t in (c.margin + shift, c.margin - shift, gone - c.margin))
    return clean + other + 2 * arb(point["noise"]) * noisy


def _middle(point: Mapping[str, Any]) -> arb:
    return _value(point, (arb(point["first"]) + arb(point["second"])) / 2)


def _mean(point: Mapping[str, Any]) -> arb:
    return (_value(point, arb(point["first"])) + _value(point, arb(point["second"]))) / 2


CLAIM = Claim(
    id="reduced-objective-convex-any-loss",
    title="The memorization-dilation problem in one variable is convex, whatever the loss (false)",
    statement=(
        r"Two classes, any loss of the margin: with $r = \eta \rho D/C$ the objective $V(\rho) = F(r) + 2\eta g(\rho)$ is convex, so "
        r"$V((\rho + \rho')/2) \leq (V(\rho) + V(\rho'))/2$. False for focal loss."
    ),
    source=Source("this project", "exact reduction of the memorization-dilation problem without convexity"),
    variables={
        focusing: Interval(0.5, 4.0),
        weight_decay: Interval(1e-4, 1e-2, log=True),
        feature_decay: Interval(1e-4, 1e-2, log=True),
        noise: Interval(0.01, 0.5, log=True),
        slope: Interval(0.1, 10.0, log=True),
        dim: DIM,
        first: Interval(0.01, 2.0),
        second: Interval(0.01, 2.0),
    },
    quantities={
        middle: Quantity(at=Computed(_middle), route="values of the objective, in balls"),
        mean: Quantity(at=Computed(_mean), route="values of the objective, in balls"),
    },
    relations=(at_most(middle, mean),),
    expected=Verdict.REFUTED,
    counterexample={
        "focusing": 1.0,
        "weight_decay": 0.0001,
        "feature_decay": 0.0001,
        "noise": 0.1,
        "slope": 1.0,
        "dim": 8,
        "first": 0.05,
        "second": 0.15,
    },
    notes="For a convex loss it is true: reduced-objective-convex.",
)
