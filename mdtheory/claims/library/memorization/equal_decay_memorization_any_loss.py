"""False: with equal decays a lone noisy example ends at the class mean of its label for every convex loss."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._hinge_small_noise import EQUAL_AND_FREE, FREE_MEMORIZATION, VARIABLES, memorization
from mdtheory.claims.library._noisy import configured, mean_distance
from mdtheory.claims.library._symbols import feature_decay, mu, noise, noisy_decay, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

DECAYS = Interval(0.05, 0.3, log=True)

CLAIM = Claim(
    id="equal-decay-memorization-any-loss",
    title="Equal decays: a noisy example ends at the class mean of its label, for every convex loss (false)",
    statement=(
        r"Every convex loss, free features, unconstrained noisy features with the decay of the others: as $\eta \to 0$, $\rho \to D$. "
        r"False for the hinge."
    ),
    source=Source("this project", "asymptotics for small noise, the loss left out"),
    variables={
        **{v: domain for v, domain in VARIABLES.items() if v is not noisy_decay},
        weight_decay: DECAYS,
        feature_decay: DECAYS,
    },
    assumptions=(sp.Lt(sp.sqrt(2) * mu, 1),),
    quantities={memorization: FREE_MEMORIZATION, mean_distance: configured("mean_distance", EQUAL_AND_FREE)},
    relations=(asymptotic(memorization, mean_distance, noise, rate=1),),
    expected=Verdict.REFUTED,
    counterexample={"weight_decay": 0.3, "feature_decay": 0.3, "noise": 1e-9, "slope": 1.0, "dim": 2},
    notes="The true form, for losses that are curved left of the margins: equal-decay-memorization.",
)
