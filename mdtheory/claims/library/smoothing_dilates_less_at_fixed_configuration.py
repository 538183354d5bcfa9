"""With class means and classifier held fixed, a smoother loss dilates less."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import TWO_POINTS, VARIABLES, Computed, Setting, not_collapsed, solved_by_signs
from mdtheory.claims.library._symbols import SMOOTHING, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import smoothed_slope
from mdtheory.claims.relation import less
from mdtheory.spreads import TwoPoint

more_smoothing = sp.Symbol("more_smoothing", nonnegative=True)
own, smoother, own_free, smoother_free = sp.symbols("own smoother own_free smoother_free", positive=True)

FREE = Setting(spread=TwoPoint, nonnegative=False)


def _normalized(setting: Setting, smoothing_of_loss: str) -> Computed:
    """ND on the configuration of ``smoothing``, with the loss of another smoothing."""

    def at(point: Mapping[str, Any]) -> arb:
        slope_of_loss = smoothed_slope(arb(point[smoothing_of_loss]))
        return solved_by_signs(replace(setting.problem(point), slope_of_loss=slope_of_loss)).normalized

    return Computed(at)


ROUTE = "bisection on proved signs of the residual, two-point spread"

CLAIM = Claim(
    id="smoothing-dilates-less-at-fixed-configuration",
    title="A smoother loss dilates less, on one and the same configuration",
    statement=(
        r"With class means and classifier held fixed, more smoothing $\alpha$ gives strictly smaller $\mathrm{ND}$."
    ),
    source=Source("this project", "monotonicity in the smoothing"),
    variables={**VARIABLES, more_smoothing: SMOOTHING},
    assumptions=(not_collapsed, sp.Lt(smoothing, more_smoothing)),
    quantities={
        own: Quantity(at=_normalized(TWO_POINTS, "smoothing"), route=ROUTE),
        smoother: Quantity(at=_normalized(TWO_POINTS, "more_smoothing"), route=ROUTE),
        own_free: Quantity(at=_normalized(FREE, "smoothing"), route=ROUTE),
        smoother_free: Quantity(at=_normalized(FREE, "more_smoothing"), route=ROUTE),
    },
    relations=(less(smoother, own), less(smoother_free, own_free)),
    expected=Verdict.PROVED,
    derivation="derivations/monotonicity_in_noise.py",
    notes="When each smoothing has its own configuration this is false: see dilation-decreasing-in-smoothing.",
)
