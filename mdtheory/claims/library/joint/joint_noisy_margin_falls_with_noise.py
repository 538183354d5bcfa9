"""False: jointly, the noisy margin need not fall with the noise."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import noise
from mdtheory.claims.library.joint._joint import MOST, ROUTE, SETTING, SOURCE, VARIABLES, joint, noisy_margin, solved
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import at_most

more_noise, more = sp.symbols("more_noise more", real=True)

CLAIM = Claim(
    id="joint-noisy-margin-falls-with-noise",
    title="The noisy margin falls with the noise (false jointly)",
    statement=r"For $\eta < \eta'$ the jointly optimal noisy margin at $\eta'$ is at most that at $\eta$.",
    source=SOURCE,
    variables={**VARIABLES, more_noise: Interval(0.01, 0.9, log=True)},
    assumptions=(sp.Lt(noise, more_noise),),
    quantities={
        noisy_margin: joint("noisy_margin"),
        more: Quantity(at=lambda decay, more_noise, slope: solved(decay, more_noise, slope).noisy_margin, route=ROUTE),
    },
    relations=(at_most(more, noisy_margin),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.001, "noise": 0.3, "slope": 0.01, "more_noise": 0.6},
    hypotheses=SETTING,
    most_samples=MOST,
    notes=(
        "At a fixed configuration it does (noisy-margin-falls-with-noise). Jointly, noisy examples that are not memorised move with their "
        "class mean, whose margin the noise shrinks."
    ),
)
