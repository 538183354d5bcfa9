"""Dilation grows less than in proportion to the noise."""

import sympy as sp

from mdtheory.claims.library._noisy import (
    BY_SIGNS,
    FREE,
    FREE_NOISIER,
    MORE_NOISE,
    NOISIER,
    VARIABLES,
    Solved,
    more_noise,
    not_collapsed,
)
from mdtheory.claims.library._symbols import noise
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most

low, high, free_low, free_high = sp.symbols("low high free_low free_high", positive=True)

CLAIM = Claim(
    id="dilation-per-noise-falls",
    title="Dilation per noise falls with noise",
    statement=r"$\mathrm{ND}/\eta$ never increases as the noise level $\eta$ grows.",
    source=Source("this project", "monotonicity in the noise level"),
    variables={**VARIABLES, more_noise: MORE_NOISE},
    assumptions=(not_collapsed, sp.Lt(noise, more_noise)),
    quantities={
        low: Quantity(at=Solved("normalized"), route=BY_SIGNS),
        high: Quantity(at=Solved("normalized", NOISIER), route=BY_SIGNS),
        free_low: Quantity(at=Solved("normalized", FREE), route=BY_SIGNS),
        free_high: Quantity(at=Solved("normalized", FREE_NOISIER), route=BY_SIGNS),
    },
    relations=(at_most(high / more_noise, low / noise), at_most(free_high / more_noise, free_low / noise)),
    expected=Verdict.PROVED,
    derivation="derivations/monotonicity_in_noise.py",
)
