"""The critical noise above which noisy examples are no longer memorised."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    VARIABLES,
    configured,
    margin,
    mean_distance,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import positive_iff

noisy_margin = sp.Symbol("noisy_margin", real=True)
reach = sp.Symbol("reach", positive=True)

CLAIM = Claim(
    id="memorized-below-critical-noise",
    title="The critical noise: below it noisy examples are memorised, above it not",
    statement=(
        r"Cross-entropy with smoothing, nonzero class means, free or nonnegative features, unconstrained noisy features without decay: the noisy "
        r"margin $t$ is positive if and only if $F'(\eta D^{1+q}/(2C)) < (1-\alpha) C \Vert w_1 - w_2 \Vert / D^q$ ($q = 1$ in "
        r"absolute, 0 in relative scaling); with two-point spread, "
        r"$D^q \sinh K/(\cosh s + \cosh K) < (1-\alpha) C \sqrt{d}$ with $K = s \eta D^q/(C\sqrt{d})$."
    ),
    source=Source("this project", "change of sign of the noisy margin"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        noise: Interval(1e-3, 100.0, log=True),
        nonnegative: EITHER,
        relative: EITHER,
    },
    definitions={reach: margin * noise * mean_distance ** (1 - relative) / (slope * sp.sqrt(dim))},
    assumptions=(not_collapsed_either,),
    quantities={
        margin: configured("margin"),
        mean_distance: configured("mean_distance"),
        noisy_margin: solved("noisy_margin", NO_DECAY),
    },
    relations=(
        positive_iff(
            noisy_margin,
            (1 - smoothing) * slope * sp.sqrt(dim)
            - mean_distance ** (1 - relative) * sp.sinh(reach) / (sp.cosh(margin) + sp.cosh(reach)),
        ),
    ),
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
)
