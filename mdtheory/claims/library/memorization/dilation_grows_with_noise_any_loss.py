"""False: more label noise dilates more, whatever the loss."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import focusing
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import DIM, dim, feature_decay, noise, slope, weight_decay
from mdtheory.claims.library.memorization._focal_dilation import normalized_dilation
from mdtheory.claims.library.memorization._two_noise_levels import high, low, more_noise
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least

PARTS = ("focusing", "weight_decay", "feature_decay", "slope", "dim")
ROUTE = "global minimum over two points, by exclusion in balls"

CLAIM = Claim(
    id="dilation-grows-with-noise-any-loss",
    title="More label noise dilates the clean examples more, whatever the loss (false)",
    statement=(
        r"Two classes, any loss of the margin: the normalised dilation $\mathrm{ND}$ never decreases as the noise level $\eta$ grows. False "
        r"for focal loss, which is not convex: noisy examples lie where its slope falls with the margin."
    ),
    source=Source("this project", "monotonicity in the noise level without convexity"),
    variables={
        focusing: Interval(0.5, 2.0),
        weight_decay: Interval(1e-4, 1e-3, log=True),
        feature_decay: Interval(1e-4, 1e-3, log=True),
        noise: Interval(0.01, 0.5, log=True),
        more_noise: Interval(0.01, 0.5, log=True),
        slope: Interval(0.02, 1.0, log=True),
        dim: DIM,
    },
    assumptions=(sp.Lt(noise, more_noise),),
    quantities={
        low: Quantity(
            at=Computed(lambda p: normalized_dilation(noise=p["noise"], **{name: p[name] for name in PARTS})),
            route=ROUTE,
        ),
        high: Quantity(
            at=Computed(lambda p: normalized_dilation(noise=p["more_noise"], **{name: p[name] for name in PARTS})),
            route=ROUTE,
        ),
    },
    relations=(at_least(high, low),),
    expected=Verdict.REFUTED,
    counterexample={
        "focusing": 1.0,
        "weight_decay": 3e-4,
        "feature_decay": 3e-4,
        "noise": 0.05,
        "more_noise": 0.1,
        "slope": 0.05,
        "dim": 2,
    },
    most_samples=10,
    notes="For every convex loss it is true: dilation-grows-with-noise.",
)
