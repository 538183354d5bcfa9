"""While no clean example passes the minimiser of the loss, label relaxation and smoothing dilate the same."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import VARIABLES, Computed, mean_distance, not_collapsed, weight_distance
from mdtheory.claims.library._noisy import margin as clean_margin
from mdtheory.claims.library._symbols import dim, smoothing
from mdtheory.claims.library._two_points import BY_SIGNS, Part, Shape, relaxed, solved
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

by_relaxation, by_smoothing = sp.symbols("ND_LR ND_LS", positive=True)
farthest = sp.Symbol("farthest", positive=True)

CLAIM = Claim(
    id="relaxation-dilates-like-smoothing",
    title="Label relaxation dilates like label smoothing while clean examples stay below its minimiser",
    statement=(
        r"Label relaxation with $\alpha/2$ and label smoothing with $\alpha$ have the same class means. If no clean "
        r"example of the latter has a margin above $\log((2-\alpha)/\alpha)$, then "
        r"$\mathrm{ND}_{LR} = \mathrm{ND}_{LS}$."
    ),
    source=Source("this project", "comparison of label relaxation and label smoothing"),
    variables={**VARIABLES, smoothing: Interval(0.05, 0.95)},
    definitions={farthest: clean_margin + weight_distance * mean_distance * by_smoothing / sp.sqrt(dim)},
    assumptions=(not_collapsed, sp.Le(farthest, sp.log((2 - smoothing) / smoothing))),
    quantities={
        clean_margin: Quantity(at=Shape("margin"), route="closed form of the configuration"),
        weight_distance: Quantity(at=Shape("weight_distance"), route="closed form of the configuration"),
        mean_distance: Quantity(at=Shape("mean_distance"), route="closed form of the configuration"),
        by_relaxation: Quantity(at=Computed(lambda point: solved(relaxed(point)).normalized), route=BY_SIGNS),
        by_smoothing: Quantity(at=Part("normalized"), route=BY_SIGNS),
    },
    relations=(equal(by_relaxation, by_smoothing),),
    expected=Verdict.PROVED,
    derivation="derivations/monotonicity_in_noise.py",
    notes="Otherwise label relaxation dilates more: see relaxation-dilates-at-least-smoothing.",
)
