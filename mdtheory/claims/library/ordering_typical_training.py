"""Cross-entropy dilates more than label smoothing: a whole box of typical training parameters."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._ordering import cross_entropy_dilates_more
from mdtheory.claims.library._symbols import decay, dim, noise, slope, smoothing
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import solve_noisy
from mdtheory.claims.relation import greater
from mdtheory.spreads import Sphere

by_cross_entropy, by_smoothing = sp.symbols("ND_CE ND_LS", positive=True)


def _dilation(decay: float, noise: float, slope: float, smoothing: float, dim: int) -> arb:
    return solve_noisy(
        weight_decay=decay,
        feature_decay=decay,
        smoothing=smoothing,
        noise=noise,
        slope=slope,
        noisy_decay=0.0,
        spread=Sphere(dim),
        nonnegative=True,
    ).normalized


def _without_smoothing(decay: float, noise: float, slope: float, dim: int) -> arb:
    return _dilation(decay, noise, slope, 0.0, dim)


CLAIM = Claim(
    id="ordering-typical-training",
    title="Cross-entropy dilates more than label smoothing for typical training parameters",
    statement=r"Nonnegative features, absolute scaling, noisy features without decay: $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$"
    r" for decays in $[0.002, 0.01]$, noise in $[0.01, 0.2]$, slope in $[0.7, 2]$, smoothing in $[0.05, 0.2]$, dimension 8.",
    source=Source("nguyen2023", "the claim that label smoothing dilates less, made precise"),
    variables={
        decay: Interval(0.002, 0.01, log=True),
        noise: Interval(0.01, 0.2, log=True),
        slope: Interval(0.7, 2.0, log=True),
        smoothing: Interval(0.05, 0.2),
        dim: Integers(8, 8),
    },
    quantities={
        by_cross_entropy: Quantity(at=_without_smoothing, route="root of a monotone residual, by proved signs"),
        by_smoothing: Quantity(at=_dilation, route="root of a monotone residual, by proved signs"),
    },
    relations=(greater(by_cross_entropy, by_smoothing),),
    expected=Verdict.CERTIFIED,
    box=Box(
        sides={
            "decay": ("0.002", "0.01"),
            "noise": ("0.01", "0.2"),
            "slope": ("0.7", "2"),
            "smoothing": ("0.05", "0.2"),
            "dim": (8,),
        },
        log=("decay", "noise", "slope"),
        effort={"slope": 1.5, "decay": 0.7},
        decide=cross_entropy_dilates_more(nonnegative=True, scaling="absolute", noisy_decay=lambda decay: arb(0)),
        slow=True,
    ),
    notes="False in general: see ordering-in-general. In the limit of small noise it is a theorem for noisy features without decay.",
)
