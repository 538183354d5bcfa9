"""In more dimensions the same dilation costs less, so there is more of it."""

import sympy as sp

from mdtheory.claims.library._noisy import ON_SPHERE, VARIABLES, not_collapsed, solved
from mdtheory.claims.library._symbols import DIM, dim
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import at_least

higher_dim = sp.Symbol("higher_dim", integer=True, positive=True)
low, high = sp.symbols("low high", positive=True)

CLAIM = Claim(
    id="dilation-grows-with-dimension",
    title="Dilation grows with the dimension of the sphere",
    statement=r"For clean examples on a sphere, $\mathrm{ND}$ never decreases as the dimension $d$ grows.",
    source=Source("this project", "monotonicity in the dimension"),
    variables={**VARIABLES, higher_dim: DIM},
    assumptions=(not_collapsed, sp.Lt(dim, higher_dim)),
    quantities={
        low: solved(fixed=ON_SPHERE),
        high: solved(fixed=ON_SPHERE, renamed={"dim": "higher_dim"}),
    },
    relations=(at_least(high, low),),
    expected=Verdict.PROVED,
    derivation="derivations/monotonicity_in_noise.py",
)
