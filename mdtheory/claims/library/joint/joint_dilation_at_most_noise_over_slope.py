"""Full memorisation is the most that dilation pays for."""

from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, dilation, joint
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import less

CLAIM = Claim(
    id="joint-dilation-at-most-noise-over-slope",
    title="The normalised dilation is below noise over slope",
    statement=r"Jointly optimal: $\mathrm{ND} < \eta/C$, since a noisy feature never goes further than to the other class mean.",
    source=SOURCE,
    variables=SMOOTHED,
    quantities={dilation: joint("normalized_dilation", smoothed=True)},
    relations=(less(dilation, noise / slope),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
    notes="ND = (eta/C)(s + t)/(2 s), so this is t < s again; joint-large-slope says where it is attained.",
)
