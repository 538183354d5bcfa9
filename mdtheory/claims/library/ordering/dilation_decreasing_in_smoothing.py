"""False: more smoothing dilates less. Close to the collapse threshold the class means meet."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import ON_SPHERE, solved
from mdtheory.claims.library._symbols import DIM, decay, dim, noise, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import at_most

more_smoothing = sp.Symbol("more_smoothing", nonnegative=True)
less_smooth, smoother = sp.symbols("less_smooth smoother", positive=True)

CLAIM = Claim(
    id="dilation-decreasing-in-smoothing",
    title="More smoothing dilates less (false)",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features without decay: with more smoothing $\alpha$, each "
        r"with its own class means, $\mathrm{ND}$ is smaller."
    ),
    source=Source(
        "nguyen2023",
        "abstract: why label smoothing generalises better under noise; taken as monotone in the smoothing, as recalled",
    ),
    variables={
        decay: Interval(1e-4, 0.1, log=True),
        noise: Interval(1e-3, 0.5, log=True),
        slope: Interval(0.1, 10.0, log=True),
        smoothing: Interval(0.0, 0.99),
        more_smoothing: Interval(0.0, 0.99),
        dim: DIM,
    },
    assumptions=(sp.Lt(smoothing, more_smoothing), sp.Lt(more_smoothing + 4 * decay, 1)),
    quantities={
        less_smooth: solved(fixed=ON_SPHERE),
        smoother: solved(fixed=ON_SPHERE, renamed={"smoothing": "more_smoothing"}),
    },
    relations=(at_most(smoother, less_smooth),),
    expected=Verdict.REFUTED,
    counterexample={
        "decay": 0.005,
        "noise": 0.1,
        "slope": 1.0,
        "smoothing": 0.97,
        "more_smoothing": 0.975,
        "dim": 8,
    },
    notes=(
        "True on one and the same configuration: see smoothing-dilates-less-at-fixed-configuration. Where the dilation "
        "is least at small noise: see least-dilation-over-smoothing."
    ),
)
