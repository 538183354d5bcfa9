"""The more noise, the less each noisy example is memorised."""

from mdtheory.claims.library.memorization._two_noise_levels import CONVEX, compared, curved_high, curved_low, high, low
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import at_most

CLAIM = Claim(
    id="memorization-falls-with-noise",
    title="More label noise memorises each noisy example less",
    statement=CONVEX
    + r"the memorization $\rho$, the distance a noisy feature is moved, never increases as the noise level $\eta$ grows.",
    relations=(at_most(high, low), at_most(curved_high, curved_low)),
    **compared("memorization"),
)
