"""Dilation grows less than in proportion to the noise."""

from mdtheory.claims.library._symbols import noise
from mdtheory.claims.library.memorization._two_noise_levels import (
    CONVEX,
    compared,
    curved_high,
    curved_low,
    high,
    low,
    more_noise,
)
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import at_most

CLAIM = Claim(
    id="dilation-per-noise-falls",
    title="Dilation per noise falls with noise",
    statement=CONVEX + r"$\mathrm{ND}/\eta$ never increases as the noise level $\eta$ grows.",
    relations=(at_most(high / more_noise, low / noise), at_most(curved_high / more_noise, curved_low / noise)),
    **compared("normalized"),
)
