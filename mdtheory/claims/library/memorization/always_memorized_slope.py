"""Above a slope, noisy examples are memorised whatever the noise."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    VARIABLES,
    configured,
    mean_distance,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import greater

noisy_margin = sp.Symbol("noisy_margin", real=True)

CLAIM = Claim(
    id="always-memorized-slope",
    title="A slope above which noisy examples are memorised whatever the noise",
    statement=(
        r"Cross-entropy with smoothing $\alpha < 1$, nonzero class means, free or nonnegative features, unconstrained noisy features without "
        r"decay: if $C \geq D^q\, \mathrm{E}|\zeta|/(1-\alpha)$ ($q = 1$ in absolute, 0 in relative scaling) then the noisy "
        r"margin is positive for every noise level."
    ),
    source=Source("this project", "change of sign of the noisy margin"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        noise: Interval(1e-3, 1e6, log=True),
        nonnegative: EITHER,
        relative: EITHER,
    },
    assumptions=(
        not_collapsed_either,
        sp.Ge(slope * (1 - smoothing) * sp.sqrt(dim), mean_distance ** (1 - relative)),
    ),
    quantities={
        mean_distance: configured("mean_distance"),
        noisy_margin: solved("noisy_margin", NO_DECAY),
    },
    relations=(greater(noisy_margin, 0),),
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
    notes="Tested on the two-point spread, where the mean of the absolute coordinate is one over the root of d.",
)
