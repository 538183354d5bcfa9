"""In more dimensions the same dilation costs less, so there is more of it."""

import sympy as sp

from mdtheory.claims.library._noisy import (
    EITHER,
    ON_SPHERE,
    VARIABLES,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
)
from mdtheory.claims.library._symbols import DIM, dim
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import at_least

higher_dim = sp.Symbol("higher_dim", integer=True, positive=True)
low, high = sp.symbols("low high", positive=True)

CLAIM = Claim(
    id="dilation-grows-with-dimension",
    title="Dilation grows with the dimension of the sphere",
    statement=(
        r"Cross-entropy with smoothing, two classes with nonzero means, free or nonnegative, unconstrained noisy "
        r"features: for clean examples on a sphere, $\mathrm{ND}$ never decreases as the dimension $d$ grows, in "
        r"absolute and in relative scaling."
    ),
    source=Source("this project", "monotonicity in the dimension"),
    variables={**VARIABLES, higher_dim: DIM, nonnegative: EITHER, relative: EITHER},
    assumptions=(not_collapsed_either, sp.Lt(dim, higher_dim)),
    quantities={
        low: solved(fixed=ON_SPHERE),
        high: solved(fixed=ON_SPHERE, renamed={"dim": "higher_dim"}),
    },
    relations=(at_least(high, low),),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "spread on a sphere",
        "unconstrained noisy features",
    ),
    derivation="derivations/monotonicity_in_noise.py",
)
