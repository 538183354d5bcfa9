"""As a function of the slope the dilation has one peak: it rises, then falls."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    VARIABLES,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
    sphere,
)
from mdtheory.claims.library._symbols import noisy_decay, slope
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import at_least

between, largest = sp.symbols("between largest", positive=True)
at_small, at_between, at_large = sp.symbols("ND_1 ND_2 ND_3", positive=True)
SLOPE = Interval(0.01, 10.0, log=True)

CLAIM = Claim(
    id="dilation-unimodal-in-slope",
    title="Over the memorization-dilation slope the dilation has one peak",
    statement=(
        r"Cross-entropy with smoothing, nonzero class means, free or nonnegative features, absolute or relative scaling, unconstrained "
        r"noisy features without decay: for slopes $C_1 < C_2 < C_3$, "
        r"$\mathrm{ND}(C_2) \geq \min(\mathrm{ND}(C_1), \mathrm{ND}(C_3))$."
    ),
    source=Source("this project", "dilation over the slope"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        slope: SLOPE,
        between: SLOPE,
        largest: SLOPE,
        nonnegative: EITHER,
        relative: EITHER,
        sphere: EITHER,
    },
    assumptions=(not_collapsed_either, sp.Lt(slope, between), sp.Lt(between, largest)),
    quantities={
        at_small: solved("normalized", NO_DECAY),
        at_between: solved("normalized", NO_DECAY, {"slope": "between"}),
        at_large: solved("normalized", NO_DECAY, {"slope": "largest"}),
    },
    relations=(at_least(at_between, sp.Min(at_small, at_large)),),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "noisy features without decay",
        "unconstrained noisy features",
    ),
    derivation="derivations/noise_and_slope.py",
    notes="Where the peak is: peak-over-slope. That the dilation falls throughout is false: dilation-decreasing-in-slope.",
)
