"""What the asymptotic claims share: tiny noise, the noisy margin in its limit, curvatures."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import NO_DECAY, NOISY_DECAY, Case, solved
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import DIM, dim, feature_decay, noise, noisy_decay, slope, smoothing, weight_decay
from mdtheory.claims.model import Quantity
from mdtheory.claims.quantities import root

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


def curvature(t: sp.Expr) -> sp.Expr:
    """phi''(t) of cross-entropy with any smoothing."""
    return 1 / (4 * sp.cosh(t / 2) ** 2)
