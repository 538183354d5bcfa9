"""False: jointly, dilation need not grow with the noise."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import noise
from mdtheory.claims.library.joint._joint import MOST, ROUTE, SETTING, SOURCE, VARIABLES, dilation, joint, solved
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import at_least

more_noise, more = sp.symbols("more_noise more", positive=True)

CLAIM = Claim(
    id="joint-dilation-grows-with-noise",
    title="The normalised dilation grows with the noise (false jointly)",
    statement=r"For $\eta < \eta'$ the jointly optimal normalised dilation at $\eta'$ is at least that at $\eta$.",
    source=SOURCE,
    variables={**VARIABLES, more_noise: Interval(0.01, 0.6, log=True)},
    assumptions=(sp.Lt(noise, more_noise),),
    quantities={
        dilation: joint("normalized_dilation"),
        more: Quantity(
            at=lambda decay, more_noise, slope: solved(decay, more_noise, slope).normalized_dilation, route=ROUTE
        ),
    },
    relations=(at_least(more, dilation),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.005, "noise": 0.03, "slope": 0.02, "more_noise": 0.1},
    hypotheses=SETTING,
    most_samples=MOST,
    notes=(
        "At a fixed configuration it does (dilation-grows-with-noise). Jointly, class means draw together and memorising is "
        "given up before the noise is strong: with soft labels there is nothing to memorise."
    ),
)
