"""False: the leading term of the dilation at small noise holds for every convex loss. It is too large for the hinge."""

import sympy as sp

from mdtheory.claims.library._hinge_small_noise import BY_HINGE, VARIABLES, by_hinge, limit_margin
from mdtheory.claims.library._noisy import HINGE, configured, mean_distance, weight_distance
from mdtheory.claims.library._symbols import mu, noise, slope
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

CLAIM = Claim(
    id="small-noise-dilation-any-loss",
    title="Dilation at small noise: the leading term, for every convex loss (false)",
    statement=(
        r"Every convex loss, nonnegative features, absolute scaling, unconstrained noisy features with decay $\lambda > 0$: as $\eta \to 0$, "
        r"$\mathrm{ND} \sim (\eta/C)\, (D^2/4 + (t+s)^2/\kappa_w^2)^{1/2}$ with $\lambda t + \kappa_w^2 \varphi'(t)/2 \ni 0$. "
        r"False for the hinge, whose margin is at its kink."
    ),
    source=Source("this project", "asymptotics for small noise, the loss left out"),
    variables=VARIABLES,
    assumptions=(sp.Lt(2 * mu, 1),),
    quantities={
        **BY_HINGE,
        mean_distance: configured("mean_distance", HINGE),
        weight_distance: configured("weight_distance", HINGE),
    },
    relations=(
        asymptotic(
            by_hinge,
            noise / slope * sp.sqrt(mean_distance**2 / 4 + ((limit_margin + 1) / weight_distance) ** 2),
            noise,
            rate=1,
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
    notes="Clean examples of the hinge resist with a force that does not vanish with the dilation. The true form: small-noise-dilation.",
)
