"""Wrong labels are learned less well than right ones."""

from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, joint, margin, noisy_margin
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import greater, less

CLAIM = Claim(
    id="joint-noisy-margin-below-clean",
    title="Noisy margins stay below clean ones, and above their negative",
    statement=r"Jointly optimal margins satisfy $-s < t < s$.",
    source=SOURCE,
    variables=SMOOTHED,
    quantities={margin: joint("margin", smoothed=True), noisy_margin: joint("noisy_margin", smoothed=True)},
    relations=(less(noisy_margin, margin), greater(noisy_margin, -margin)),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
