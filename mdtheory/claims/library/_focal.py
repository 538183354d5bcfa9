"""Focal loss as a power series around a point: derivatives that use no formula for them."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb, arb_series

from mdtheory.claims.domains import Interval
from mdtheory.claims.library.focal._profiles import cross_entropy_slope, focal_jet, log_odds
from mdtheory.claims.model import Quantity

focusing = sp.Symbol("focusing", positive=True)
FOCUSING = Interval(0.05, 8.0, log=True)
SERIES = "power series of the loss in balls"


def profile(classes: int, gamma: arb, margin: arb) -> tuple[arb, arb, arb]:
    """Value, slope and curvature of the profile at a margin."""
    value, slope, bend = focal_jet(margin - (arb(classes) - 1).log(), gamma, 2)
    return value, slope, bend


def transform(gamma: arb, cross_entropy: arb) -> tuple[arb, arb]:
    """Value and slope of focal loss ``x (1 - e^-x)^gamma`` as a function of cross-entropy x."""
    x = arb_series([cross_entropy, 1], prec=2)
    loss = x * (gamma * (1 - (-x).exp()).log()).exp()
    return loss[0], loss[1]


def curvature(point: Mapping[str, Any]) -> arb:
    """The curvature of the profile at a point."""
    return profile(point["num_classes"], arb(point["focusing"]), arb(point["margin"]))[2]


# ---------------------------------------------------------------------- slopes at the probability of the own class

probability = sp.Symbol("probability", positive=True)
focal_slope, entropy_slope = sp.symbols("focal_slope entropy_slope", real=True)


def _focal_slope(focusing: arb, probability: arb) -> arb:
    return focal_jet(log_odds(probability), focusing, 1)[1]


SLOPES: Mapping[sp.Symbol, Quantity] = {
    focal_slope: Quantity(
        at=lambda focusing, probability: _focal_slope(arb(focusing), arb(probability)),
        over=_focal_slope,
        route="first derivative by power series",
    ),
    entropy_slope: Quantity(
        at=lambda probability: cross_entropy_slope(log_odds(arb(probability))),
        over=lambda focusing, probability: cross_entropy_slope(log_odds(probability)),
        route="first derivative by power series",
    ),
}
"""Of focal loss and of cross-entropy in the margin."""
