"""Below an explicit noise level cross-entropy dilates more than label smoothing."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    UNSMOOTHED,
    VARIABLES,
    by_cross_entropy,
    by_smoothing,
    configured,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
    sphere,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import greater

margin_ce, margin_ls, weights_ce, weights_ls = sp.symbols("s_CE s_LS kap_CE kap_LS", positive=True)
distance_ce, distance_ls = sp.symbols("D_CE D_LS", positive=True)
reach = sp.Symbol("reach", positive=True)

CLAIM = Claim(
    id="ordering-small-noise",
    title="Below an explicit noise level cross-entropy dilates more than label smoothing",
    statement=(
        r"Cross-entropy without smoothing against smoothing $\alpha > 0$, same decays, each with its own nonzero class means, free or "
        r"nonnegative; unconstrained noisy features without decay, $\kappa_w = \Vert w_1 - w_2 \Vert$, $q = 1$ in absolute and 0 in relative "
        r"scaling: with $w_0 = (\log((2-\alpha)/\alpha) + s_{LS})\, \kappa_{w,CE} D_{CE}^{1-q}/(\kappa_{w,LS} D_{LS}^{1-q})$ and "
        r"$0 < \eta \leq 4 d\, C^2/(D_{CE}^{2q} w_0 (1 + e^{w_0 - s_{CE}}))$, $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$."
    ),
    source=Source("this project", "order of the losses at small noise"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        smoothing: Interval(0.01, 0.95),
        noise: Interval(1e-6, 0.5, log=True),
        nonnegative: EITHER,
        relative: EITHER,
        sphere: EITHER,
    },
    definitions={
        reach: (sp.log((2 - smoothing) / smoothing) + margin_ls)
        * weights_ce
        / weights_ls
        * (distance_ce / distance_ls) ** relative
    },
    assumptions=(
        not_collapsed_either,
        sp.Le(
            noise,
            4 * dim * slope**2 / (distance_ce ** (2 - 2 * relative) * reach * (1 + sp.exp(reach - margin_ce))),
        ),
    ),
    quantities={
        margin_ce: configured("margin", UNSMOOTHED),
        margin_ls: configured("margin"),
        weights_ce: configured("weight_distance", UNSMOOTHED),
        weights_ls: configured("weight_distance"),
        distance_ce: configured("mean_distance", UNSMOOTHED),
        distance_ls: configured("mean_distance"),
        by_cross_entropy: solved("normalized", {**NO_DECAY, **UNSMOOTHED}),
        by_smoothing: solved("normalized", NO_DECAY),
    },
    relations=(greater(by_cross_entropy, by_smoothing),),
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
    notes="The threshold is sufficient, not sharp. Without it the order fails: ordering-in-general.",
)
