"""The more noise, the less each noisy example is memorised."""

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
    id="memorization-falls-with-noise",
    title="More label noise memorises each noisy example less",
    statement=r"The memorization $\rho$, the distance a noisy feature is moved, never increases as the noise level $\eta$ grows.",
    source=Source("this project", "monotonicity in the noise level"),
    variables={**VARIABLES, more_noise: MORE_NOISE},
    assumptions=(not_collapsed, sp.Lt(noise, more_noise)),
    quantities={
        low: Quantity(at=Solved("memorization"), route=BY_SIGNS),
        high: Quantity(at=Solved("memorization", NOISIER), route=BY_SIGNS),
        free_low: Quantity(at=Solved("memorization", FREE), route=BY_SIGNS),
        free_high: Quantity(at=Solved("memorization", FREE_NOISIER), route=BY_SIGNS),
    },
    relations=(at_most(high, low), at_most(free_high, free_low)),
    expected=Verdict.PROVED,
    derivation="derivations/monotonicity_in_noise.py",
)
