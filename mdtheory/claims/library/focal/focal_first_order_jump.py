"""Focal loss with 30 classes: zero is a strict local minimum and yet not the global one."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import FOCUSING, SERIES, focusing, profile
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import CLASSES, num_classes
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater, less

cost = sp.Symbol("cost", positive=True)
near, beyond = sp.symbols("near beyond", positive=True)
steepness, gain_near, gain_beyond = sp.symbols("steepness gain_near gain_beyond", positive=True)


def _gain(margin: str) -> Quantity:
    """How much lower the loss is at a margin than without one."""

    def at(point: Mapping[str, Any]) -> arb:
        classes, gamma = point["num_classes"], arb(point["focusing"])
        return profile(classes, gamma, arb(0))[0] - profile(classes, gamma, arb(point[margin]))[0]

    return Quantity(at=Computed(at), route=SERIES)


def _steepness(point: Mapping[str, Any]) -> arb:
    """How fast the loss falls at zero margin."""
    return -profile(point["num_classes"], arb(point["focusing"]), arb(0))[1]


CLAIM = Claim(
    id="focal-first-order-jump",
    title="Focal loss can collapse by a jump: zero is locally stable and not globally optimal",
    statement=(
        r"For $N = 30$, $\gamma = 2$ and a cost of 1.12 per unit of margin, margin 0 is a strict local minimum, yet "
        r"margin 0.875 is better, with a barrier in between."
    ),
    source=Source("this project", "first-order jump of focal loss; the profile is concave near zero"),
    variables={
        num_classes: CLASSES,
        focusing: FOCUSING,
        cost: Interval(0.5, 2.0),
        near: Interval(0.01, 0.5),
        beyond: Interval(0.5, 3.0),
    },
    quantities={
        steepness: Quantity(at=Computed(_steepness), route=SERIES),
        gain_near: _gain("near"),
        gain_beyond: _gain("beyond"),
    },
    relations=(
        greater(cost, steepness),
        greater(cost * near, gain_near),
        less(cost * beyond, gain_beyond),
    ),
    expected=Verdict.CERTIFIED,
    existence=True,
    counterexample={"num_classes": 30, "focusing": 2.0, "cost": 1.12, "near": 0.125, "beyond": 0.875},
    notes="Up to 17 classes there is no jump: see focal-profile-convex.",
)
