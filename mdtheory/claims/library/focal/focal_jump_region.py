"""Focal loss with 50 or more classes: a whole region where zero is a local but not the global minimum."""

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.focal._profiles import focal_jet
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater, less

focusing, excess = sp.symbols("focusing excess", positive=True)
slope_at_zero, gain = sp.symbols("slope_at_zero gain", real=True)


def _at_zero(num_classes: arb, focusing: arb) -> list[arb]:
    return focal_jet(-(num_classes - 1).log(), focusing, 1)


def _slope(num_classes: arb, focusing: arb, excess: arb) -> arb:
    """The slope of the regularised profile at zero, where the cost of a margin is ``-(1 + excess) f'(0)``."""
    loss_slope = _at_zero(num_classes, focusing)[1]
    return loss_slope - (1 + excess) * loss_slope


def _gain(num_classes: arb, focusing: arb, excess: arb) -> arb:
    """The regularised profile at a margin that suits the middle of the balls, less its value at zero."""
    value, slope = _at_zero(num_classes, focusing)
    margin = arb(_guess(int(float(num_classes.mid())), float(focusing.mid())))
    there = focal_jet(margin - (num_classes - 1).log(), focusing, 0)[0]
    return there - value - (1 + excess) * slope * margin


def _guess(num_classes: int, focusing: float) -> float:
    """Where the profile falls most per unit of margin, in double precision; any margin would do."""
    s = np.linspace(0.05, 6.0, 240)
    p = 1 / (1 + (num_classes - 1) * np.exp(-s))
    loss = -((1 - p) ** focusing) * np.log(p)
    at_zero = (1 - 1 / num_classes) ** focusing * np.log(num_classes)
    return float(s[np.argmin((loss - at_zero) / s)])


def _decide(num_classes: arb, focusing: arb, excess: arb) -> bool | None:
    slope, gain = _at_zero(num_classes, focusing)[1], _gain(num_classes, focusing, excess)
    return True if slope < 0 and excess > 0 and gain < 0 else None


CLAIM = Claim(
    id="focal-jump-region",
    title="Focal loss: class means jump from zero, a whole region where zero is only a local minimum",
    statement=(
        r"For $N$ from 50 to 200 and $\gamma \in [2, 3]$: where the cost of a unit of margin exceeds $-f'(0)$ by 0.1 to 2 "
        r"per cent, zero margin is a strict local minimum of $f(s) + \kappa s$, and not the global one."
    ),
    source=Source(
        "zhou2022",
        "abstract: landscape of focal loss near the optimum; uniqueness of the margin under an assumption, as recalled",
    ),
    variables={num_classes: Integers(50, 200), focusing: Interval(2.0, 3.0), excess: Interval(0.001, 0.02, log=True)},
    quantities={
        slope_at_zero: Quantity(
            at=lambda num_classes, focusing, excess: _slope(arb(num_classes), arb(focusing), arb(excess)),
            route="first derivative by power series",
        ),
        gain: Quantity(
            at=lambda num_classes, focusing, excess: _gain(arb(num_classes), arb(focusing), arb(excess)),
            route="values of the profile at zero and at another margin",
        ),
    },
    relations=(greater(slope_at_zero, 0), less(gain, 0)),
    expected=Verdict.CERTIFIED,
    box=Box(
        sides={"num_classes": tuple(range(50, 201)), "focusing": ("2", "3"), "excess": ("0.001", "0.02")},
        log=("excess",),
        decide=_decide,
    ),
    notes=(
        "That zero is a local minimum is the choice of the cost; that it is not the global one is what is certified. With up to "
        "17 classes there is no jump: focal-profile-convex."
    ),
)
