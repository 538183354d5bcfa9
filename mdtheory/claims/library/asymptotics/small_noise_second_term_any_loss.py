"""False: the two terms of the dilation at small noise hold for every convex loss. The hinge misses the first already."""

import sympy as sp

from mdtheory.claims.library._hinge_small_noise import BY_HINGE, VARIABLES, by_hinge, limit_margin
from mdtheory.claims.library._noisy import HINGE, configured, mean_distance, weight_distance
from mdtheory.claims.library._symbols import mu, noise, noisy_decay, slope
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

reach, stiffness, fall, travelled = sp.symbols("reach stiffness fall travelled", positive=True)

CLAIM = Claim(
    id="small-noise-second-term-any-loss",
    title="Dilation at small noise: the second term, for every convex loss (false)",
    statement=(
        r"Every convex loss, nonnegative features, absolute scaling, unconstrained noisy features with decay $\lambda > 0$: "
        r"$\mathrm{ND} = (\eta/C)(\rho_\infty - F_2 \eta D^2 R/(4C^2) + O(\eta^2))$ as in small-noise-second-term, with "
        r"$\varphi'' = 0$ where the loss is straight. False for the hinge."
    ),
    source=Source("this project", "asymptotics for small noise, the loss left out"),
    variables=VARIABLES,
    definitions={
        travelled: (limit_margin + 1) / weight_distance,
        reach: sp.sqrt(mean_distance**2 / 4 + travelled**2),
        stiffness: 4 * noisy_decay,
        fall: (mean_distance**2 / 4 + travelled**2) / (noisy_decay * reach),
    },
    assumptions=(sp.Lt(2 * mu, 1),),
    quantities={
        **BY_HINGE,
        mean_distance: configured("mean_distance", HINGE),
        weight_distance: configured("weight_distance", HINGE),
    },
    relations=(
        asymptotic(
            by_hinge,
            noise / slope * (reach - stiffness * noise * mean_distance**2 * fall / (4 * slope**2)),
            noise,
            rate=2,
        ),
    ),
    expected=Verdict.REFUTED,
    counterexample={
        "weight_decay": 0.1,
        "feature_decay": 0.1,
        "noise": 1e-9,
        "slope": 1.0,
        "noisy_decay": 0.1,
        "dim": 8,
    },
    notes="The true form, for losses that are curved left of the margins: small-noise-second-term.",
)
