"""The more noise, the smaller the margin of the noisy examples."""

from mdtheory.claims.library.memorization._two_noise_levels import CONVEX, compared, curved_high, curved_low, high, low
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import at_most

CLAIM = Claim(
    id="noisy-margin-falls-with-noise",
    title="More label noise lowers the margin of the noisy examples",
    statement=CONVEX + r"the noisy margin $t$ never increases as the noise level $\eta$ grows.",
    relations=(at_most(high, low), at_most(curved_high, curved_low)),
    **compared("noisy_margin"),
)
