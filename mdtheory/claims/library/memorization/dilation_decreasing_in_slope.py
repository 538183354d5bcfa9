"""False: a network that memorises more easily is dilated less. For small slopes the opposite is true."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import ON_SPHERE, not_collapsed, solved
from mdtheory.claims.library._symbols import DIM, SMOOTHING, dim, feature_decay, noise, slope, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import at_most

larger_slope = sp.Symbol("larger_slope", positive=True)
low, high = sp.symbols("low high", positive=True)

CLAIM = Claim(
    id="dilation-decreasing-in-slope",
    title="The dilation falls as the memorization-dilation slope grows (false)",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features without decay: $\mathrm{ND}$ falls as the slope $C$ "
        r"grows."
    ),
    source=Source("nguyen2023", "the role of the slope, taken as monotone, as recalled"),
    variables={
        weight_decay: Interval(1e-4, 0.1, log=True),
        feature_decay: Interval(1e-4, 0.1, log=True),
        smoothing: SMOOTHING,
        noise: Interval(1e-3, 0.5, log=True),
        slope: Interval(0.01, 10.0, log=True),
        larger_slope: Interval(0.01, 10.0, log=True),
        dim: DIM,
    },
    assumptions=(not_collapsed, sp.Lt(slope, larger_slope)),
    quantities={
        low: solved(fixed=ON_SPHERE),
        high: solved(fixed=ON_SPHERE, renamed={"slope": "larger_slope"}),
    },
    relations=(at_most(high, low),),
    expected=Verdict.REFUTED,
    counterexample={
        "weight_decay": 0.005,
        "feature_decay": 0.005,
        "smoothing": 0.0,
        "noise": 0.1,
        "slope": 0.05,
        "larger_slope": 0.1,
        "dim": 8,
    },
    notes="It rises to one peak and then falls: see dilation-unimodal-in-slope and peak-over-slope.",
)
