"""What the asymptotic claims share: tiny noise, the noisy margin in its limit, curvatures."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._noisy import CURVED, NO_DECAY, NOISY_DECAY, Case, Slope, configured, solved
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import DIM, dim, feature_decay, noise, noisy_decay, slope, smoothing, weight_decay
from mdtheory.claims.model import Quantity
from mdtheory.numerics.ball_roots import root

DECAYS = Interval(1e-3, 0.1, log=True)
WITHOUT_DECAY: Mapping[sp.Symbol, Any] = {
    weight_decay: DECAYS,
    feature_decay: DECAYS,
    smoothing: Interval(0.01, 0.9),
    noise: Interval(1e-10, 1e-8, log=True),
    slope: Interval(0.3, 10.0, log=True),
    dim: DIM,
}
WITH_DECAY: Mapping[sp.Symbol, Any] = {
    **WITHOUT_DECAY,
    smoothing: Interval(0.0, 0.9),
    noise: Interval(1e-11, 1e-9, log=True),
    noisy_decay: Interval(1e-4, NOISY_DECAY.high, log=True),
}
limit_margin = sp.Symbol("limit_margin", real=True)
normalized = sp.Symbol("normalized", positive=True)
normalized_with_decay = sp.Symbol("normalized_with_decay", positive=True)


def _limit_margin(point: Mapping[str, Any]) -> arb:
    """The noisy margin that the loss and the decay of noisy features alone would choose."""
    case = Case.at(point)
    half, decay, slope_of_loss = case.classes().weight_distance ** 2 / 2, arb(case.noisy_decay), case.loss_slope()
    return root(lambda t: decay * t + half * slope_of_loss(t), arb(0), arb(100), width=1e-32)


LIMIT_MARGIN = Quantity(at=Computed(_limit_margin), route="root of a monotone equation, by proved signs")
NORMALIZED = solved("normalized", NO_DECAY)
NORMALIZED_WITH_DECAY = solved()


OF_CURVED_LOSSES = Integers(0, len(CURVED) - 1)
room = sp.Symbol("room", real=True)
"""The margin where its sign is open: positive if the class means are nonzero."""
ROOM = configured("margin")
free_margin = sp.Symbol("free_margin", real=True)
bend_of_clean, bend_of_noisy, bend_of_free = sp.symbols("bend_of_clean bend_of_noisy bend_of_free", positive=True)


def _free_margin(point: Mapping[str, Any]) -> arb:
    """The least minimiser of the loss: the root of its slope, continued smoothly beyond."""
    alpha = arb(point["smoothing"])
    slopes: Mapping[str, Slope] = {
        "cross-entropy": lambda t: alpha / 2 - 1 / (1 + t.exp()),
        "label-relaxation": lambda t: alpha - 1 / (1 + t.exp()),
        "mean-squared-error": lambda t: t - (1 - alpha),
        "squared-hinge": lambda t: t - 1,
    }
    return root(slopes[Case.at(point).loss], arb(0), arb(100), width=1e-32)


def _bend(point: Mapping[str, Any], at: arb) -> arb:
    """phi'' of the loss of a point, left of its least minimiser."""
    loss = Case.at(point).loss
    if loss in ("cross-entropy", "label-relaxation"):
        return 1 / (2 * (at / 2).cosh()) ** 2
    return arb(1) if loss == "squared-hinge" else arb(1) / 2


BY_DIFFERENTIATION = "second derivative of the loss"
BENDS: Mapping[sp.Symbol, Quantity] = {
    bend_of_clean: Quantity(
        at=Computed(lambda point: _bend(point, Case.at(point).classes().margin)), route=BY_DIFFERENTIATION
    ),
    bend_of_noisy: Quantity(at=Computed(lambda point: _bend(point, _limit_margin(point))), route=BY_DIFFERENTIATION),
    bend_of_free: Quantity(at=Computed(lambda point: _bend(point, _free_margin(point))), route=BY_DIFFERENTIATION),
}
FREE_MARGIN = Quantity(at=Computed(_free_margin), route="root of the slope of the loss, by proved signs")


def curvature(t: sp.Expr) -> sp.Expr:
    """phi''(t) of cross-entropy with any smoothing."""
    return 1 / (4 * sp.cosh(t / 2) ** 2)
