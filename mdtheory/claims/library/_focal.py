"""Focal loss as a power series around a point: derivatives that use no formula for them."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb, arb_series

from mdtheory.claims.domains import Interval

focusing = sp.Symbol("focusing", positive=True)
FOCUSING = Interval(0.05, 8.0, log=True)
SERIES = "power series of the loss in balls"


def _of_cross_entropy(x: arb_series, gamma: arb) -> arb_series:
    """``x (1 - e^-x)^gamma``: focal loss of a sample whose cross-entropy is x."""
    return x * (gamma * (1 - (-x).exp()).log()).exp()


def profile(classes: int, gamma: arb, margin: arb) -> tuple[arb, arb, arb]:
    """Value, slope and curvature of the profile at a margin."""
    n = arb(classes)
    s = arb_series([margin, 1], prec=3)
    value, slope, half = _of_cross_entropy((1 + (n - 1) * (-s).exp()).log(), gamma).coeffs()
    return value, slope, 2 * half


def transform(gamma: arb, cross_entropy: arb) -> tuple[arb, arb]:
    """Value and slope of focal loss as a function of cross-entropy."""
    value, slope = _of_cross_entropy(arb_series([cross_entropy, 1], prec=2), gamma).coeffs()
    return value, slope


def curvature(point: Mapping[str, Any]) -> arb:
    """The curvature of the profile at a point."""
    return profile(point["num_classes"], arb(point["focusing"]), arb(point["margin"]))[2]
