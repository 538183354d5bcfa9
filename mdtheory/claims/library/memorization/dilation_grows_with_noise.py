"""More label noise dilates more, for free and for nonnegative features."""

from mdtheory.claims.library.memorization._two_noise_levels import CONVEX, compared, curved_high, curved_low, high, low
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import at_least

CLAIM = Claim(
    id="dilation-grows-with-noise",
    notes="Without convexity it is false: dilation-grows-with-noise-any-loss.",
    title="More label noise dilates the clean examples more",
    statement=CONVEX + r"the normalised dilation $\mathrm{ND}$ never decreases as the noise level $\eta$ grows.",
    relations=(at_least(high, low), at_least(curved_high, curved_low)),
    **compared("normalized"),
)
