"""More label noise dilates more, for free and for nonnegative features."""

from mdtheory.claims.library._two_noise_levels import compared, free_high, free_low, high, low
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import at_least

CLAIM = Claim(
    id="dilation-grows-with-noise",
    title="More label noise dilates the clean examples more",
    statement=r"The normalised dilation $\mathrm{ND}$ never decreases as the noise level $\eta$ grows.",
    relations=(at_least(high, low), at_least(free_high, free_low)),
    **compared("normalized"),
)
