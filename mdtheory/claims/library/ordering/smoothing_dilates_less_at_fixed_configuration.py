"""With class means and classifier held fixed, a smoother loss dilates less."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import BY_SIGNS, FREE, NOTHING, VARIABLES, Case, Fixed, not_collapsed
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import SMOOTHING, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import less
from mdtheory.models.dilation.balls import smoothed_slope

more_smoothing = sp.Symbol("more_smoothing", nonnegative=True)
own, smoother, own_free, smoother_free = sp.symbols("own smoother own_free smoother_free", positive=True)


def _normalized(smoothing_of_loss: str, fixed: Fixed = NOTHING) -> Computed:
    """ND on the configuration of ``smoothing``, with the loss of another smoothing."""

    def at(point: Mapping[str, Any]) -> arb:
        slope_of_loss = smoothed_slope(arb(point[smoothing_of_loss]))
        return replace(Case.at(point, fixed).problem(), slope_of_loss=slope_of_loss).solution().normalized

    return Computed(at)


CLAIM = Claim(
    id="smoothing-dilates-less-at-fixed-configuration",
    title="A smoother loss dilates less, on one and the same configuration",
    statement=(
        r"Cross-entropy, two classes, unconstrained noisy features: with nonzero class means and classifier held "
        r"fixed, more smoothing $\alpha < 1$ gives strictly smaller $\mathrm{ND}$."
    ),
    source=Source("this project", "monotonicity in the smoothing"),
    variables={**VARIABLES, more_smoothing: SMOOTHING},
    assumptions=(not_collapsed, sp.Lt(smoothing, more_smoothing)),
    quantities={
        own: Quantity(at=_normalized("smoothing"), route=BY_SIGNS),
        smoother: Quantity(at=_normalized("more_smoothing"), route=BY_SIGNS),
        own_free: Quantity(at=_normalized("smoothing", FREE), route=BY_SIGNS),
        smoother_free: Quantity(at=_normalized("more_smoothing", FREE), route=BY_SIGNS),
    },
    relations=(less(smoother, own), less(smoother_free, own_free)),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "fixed configuration",
        "isotropic spread",
        "unconstrained noisy features",
    ),
    derivation="derivations/monotonicity_in_noise.py",
    notes="When each smoothing has its own configuration this is false: see dilation-decreasing-in-smoothing.",
)
