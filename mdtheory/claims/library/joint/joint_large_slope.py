"""Where memorising is cheap the dilation is noise over slope, whatever the loss."""

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, dilation, joint
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import asymptotic

CLAIM = Claim(
    id="joint-large-slope",
    title="Dilation at a large slope",
    statement=r"$\mathrm{ND} = \eta/C\,(1 + O(C^{-2}))$ as $C \to \infty$, for every smoothing.",
    source=SOURCE,
    variables={**SMOOTHED, slope: Interval(3.0, 300.0, log=True)},
    quantities={dilation: joint("normalized_dilation", smoothed=True)},
    relations=(asymptotic(dilation, noise / slope, slope, rate=2, toward="infinity"),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
