"""Where memorising is dear the dilation is proportional to the slope, from the features model on soft labels."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.library.joint._joint import MOST, SETTING, SOURCE, SPREAD, VARIABLES, dilation, flip, joint, weight
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import asymptotic

w = flip + weight
soft = sp.log(1 / w - 1)
pull = weight + 1 - w
stiffness = w * (1 - w) / SPREAD.dim + weight / soft

CLAIM = Claim(
    id="joint-small-slope",
    title="Dilation at a small slope",
    statement=(
        r"Cross-entropy, $w = e + \sqrt{2}\lambda < 1/2$ and $s_0 = \log(1/w - 1)$, the margin on soft labels: as $C \to 0$, "
        r"$\mathrm{ND} \sim C(\sqrt{2}\lambda + 1 - w) / (2 s_0 (w(1-w)/d + \sqrt{2}\lambda/s_0))$."
    ),
    source=SOURCE,
    variables={**VARIABLES, slope: Interval(1e-5, 1e-3, log=True), noise: Interval(0.05, 0.5)},
    assumptions=(sp.Lt(w, sp.Rational(2, 5)),),
    quantities={dilation: joint("normalized_dilation")},
    relations=(asymptotic(dilation, slope * pull / (2 * soft * stiffness), slope, rate=2),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
