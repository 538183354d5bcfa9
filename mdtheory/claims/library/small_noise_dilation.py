"""Dilation is proportional to the noise as the noise vanishes, with a known factor."""

import sympy as sp

from mdtheory.claims.library._noisy import CONFIGURATION, margin, mean_distance, not_collapsed, weight_distance
from mdtheory.claims.library._small import (
    LIMIT_MARGIN,
    NORMALIZED_WITH_DECAY,
    WITH_DECAY,
    limit_margin,
    normalized_with_decay,
)
from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

CLAIM = Claim(
    id="small-noise-dilation",
    title="Dilation at small noise: the leading term",
    statement=(
        r"Noisy features with decay $\lambda > 0$: as $\eta \to 0$, $\mathrm{ND} \sim (\eta/C)\, (D^2/4 + (t+s)^2/\kappa_w^2)^{1/2}$ in absolute scaling with "
        r"nonnegative features, where $\lambda t + \kappa_w^2 \varphi'(t)/2 = 0$ and $\kappa_w = \Vert w_1 - w_2 \Vert$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables=WITH_DECAY,
    assumptions=(not_collapsed,),
    quantities={
        **CONFIGURATION,
        limit_margin: LIMIT_MARGIN,
        normalized_with_decay: NORMALIZED_WITH_DECAY,
    },
    relations=(
        asymptotic(
            normalized_with_decay,
            noise / slope * sp.sqrt(mean_distance**2 / 4 + ((limit_margin + margin) / weight_distance) ** 2),
            noise,
            rate=1,
        ),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/small_noise.py",
    notes="Without decay of noisy features: small-noise-second-term, and small-noise-cross-entropy-lambert.",
)
