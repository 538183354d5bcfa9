"""Below an explicit noise level cross-entropy dilates more than label smoothing."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import VARIABLES, not_collapsed
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.library._two_points import BY_SIGNS, NO_DECAY, UNSMOOTHED, Part, Shape
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater

by_cross_entropy, by_smoothing = sp.symbols("ND_CE ND_LS", positive=True)
margin_ce, margin_ls, weights_ce, weights_ls, distance_ce = sp.symbols("s_CE s_LS kap_CE kap_LS D_CE", positive=True)
reach = sp.Symbol("reach", positive=True)
CONFIGURATION = "closed form of the configuration"

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
        margin_ce: Quantity(at=Shape("margin", UNSMOOTHED), route=CONFIGURATION),
        margin_ls: Quantity(at=Shape("margin"), route=CONFIGURATION),
        weights_ce: Quantity(at=Shape("weight_distance", UNSMOOTHED), route=CONFIGURATION),
        weights_ls: Quantity(at=Shape("weight_distance"), route=CONFIGURATION),
        distance_ce: Quantity(at=Shape("mean_distance", UNSMOOTHED), route=CONFIGURATION),
        by_cross_entropy: Quantity(at=Part("normalized", {**NO_DECAY, **UNSMOOTHED}), route=BY_SIGNS),
        by_smoothing: Quantity(at=Part("normalized", NO_DECAY), route=BY_SIGNS),
    },
    relations=(greater(by_cross_entropy, by_smoothing),),
    expected=Verdict.PROVED,
    derivation="derivations/noise_and_slope.py",
    notes="The threshold is sufficient, not sharp. Without it the order fails: ordering-in-general.",
)
