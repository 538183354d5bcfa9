"""Below an explicit noise level cross-entropy dilates more than label smoothing."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    NO_DECAY,
    UNSMOOTHED,
    VARIABLES,
    by_cross_entropy,
    by_smoothing,
    configured,
    not_collapsed,
    solved,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import greater

margin_ce, margin_ls, weights_ce, weights_ls, distance_ce = sp.symbols("s_CE s_LS kap_CE kap_LS D_CE", positive=True)
reach = sp.Symbol("reach", positive=True)

CLAIM = Claim(
    id="ordering-small-noise",
    title="Below an explicit noise level cross-entropy dilates more than label smoothing",
    statement=(
        r"Noisy features without decay, absolute scaling, $\kappa_w = \Vert w_1 - w_2 \Vert$: with "
        r"$w_0 = (\log((2-\alpha)/\alpha) + s_{LS})\, \kappa_{w,CE}/\kappa_{w,LS}$ and "
        r"$\eta \leq 4 d\, C^2/(D_{CE}^2 w_0 (1 + e^{w_0 - s_{CE}}))$, $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$."
    ),
    source=Source("this project", "order of the losses at small noise"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        smoothing: Interval(0.01, 0.95),
        noise: Interval(1e-6, 0.5, log=True),
    },
    definitions={reach: (sp.log((2 - smoothing) / smoothing) + margin_ls) * weights_ce / weights_ls},
    assumptions=(
        not_collapsed,
        sp.Le(noise, 4 * dim * slope**2 / (distance_ce**2 * reach * (1 + sp.exp(reach - margin_ce)))),
    ),
    quantities={
        margin_ce: configured("margin", UNSMOOTHED),
        margin_ls: configured("margin"),
        weights_ce: configured("weight_distance", UNSMOOTHED),
        weights_ls: configured("weight_distance"),
        distance_ce: configured("mean_distance", UNSMOOTHED),
        by_cross_entropy: solved("normalized", {**NO_DECAY, **UNSMOOTHED}),
        by_smoothing: solved("normalized", NO_DECAY),
    },
    relations=(greater(by_cross_entropy, by_smoothing),),
    expected=Verdict.PROVED,
    derivation="derivations/noise_and_slope.py",
    notes="The threshold is sufficient, not sharp. Without it the order fails: ordering-in-general.",
)
