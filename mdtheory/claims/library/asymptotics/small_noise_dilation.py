"""Dilation is proportional to the noise as the noise vanishes, with a known factor, for every loss that is curved there."""

import sympy as sp

from mdtheory.claims.library._noisy import (
    CONFIGURATION,
    EITHER,
    kind,
    margin,
    mean_distance,
    nonnegative,
    relative,
    weight_distance,
)
from mdtheory.claims.library._small import (
    LIMIT_MARGIN,
    NORMALIZED_WITH_DECAY,
    OF_CURVED_LOSSES,
    ROOM,
    WITH_DECAY,
    limit_margin,
    normalized_with_decay,
    room,
)
from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

CLAIM = Claim(
    id="small-noise-dilation",
    title="Dilation at small noise: the leading term",
    statement=(
        r"A loss with $\varphi'' > 0$ left of the margins $s$ and $t$ (cross-entropy with any smoothing, label relaxation, squared "
        r"error with a bias, squared hinge), nonzero class means, unconstrained noisy features with decay $\lambda > 0$: as $\eta \to 0$, "
        r"$\mathrm{ND} \sim (\eta D^{q-1}/C)\, (m^2 + (t+s)^2/\kappa_w^2)^{1/2}$, where $\lambda t + \kappa_w^2 \varphi'(t)/2 = 0$, "
        r"$\kappa_w = \Vert w_1 - w_2 \Vert$, $m = D/2$ for nonnegative and 0 for free features, $q = 1$ in absolute and 0 in "
        r"relative scaling."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={**WITH_DECAY, nonnegative: EITHER, relative: EITHER, kind: OF_CURVED_LOSSES},
    assumptions=(sp.Gt(room, 0),),
    quantities={
        **CONFIGURATION,
        room: ROOM,
        limit_margin: LIMIT_MARGIN,
        normalized_with_decay: NORMALIZED_WITH_DECAY,
    },
    relations=(
        asymptotic(
            normalized_with_decay,
            noise
            / (slope * mean_distance**relative)
            * sp.sqrt(nonnegative * mean_distance**2 / 4 + ((limit_margin + margin) / weight_distance) ** 2),
            noise,
            rate=1,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "curved margin loss",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
    ),
    derivation="derivations/small_noise.py",
    notes=(
        "False for the hinge: small-noise-dilation-any-loss. Without decay of noisy features: small-noise-second-term, and "
        "small-noise-cross-entropy-lambert."
    ),
)
