"""The second term of the dilation at small noise, with and without decay of noisy features, for every curved loss."""

import sympy as sp

from mdtheory.claims.domains import Interval
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
    BENDS,
    FREE_MARGIN,
    LIMIT_MARGIN,
    NORMALIZED,
    NORMALIZED_WITH_DECAY,
    OF_CURVED_LOSSES,
    ROOM,
    WITH_DECAY,
    WITHOUT_DECAY,
    bend_of_clean,
    bend_of_free,
    bend_of_noisy,
    free_margin,
    limit_margin,
    normalized,
    normalized_with_decay,
    room,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

reach, free_reach, far = sp.symbols("reach free_reach far", positive=True)
centre = sp.Symbol("centre", nonnegative=True)
stiffness, free_stiffness, fall, free_fall = sp.symbols("stiffness free_stiffness fall free_fall", positive=True)
CLEAN = 2 * bend_of_clean * weight_distance**2 / dim


def _two_terms(reach: sp.Expr, stiffness: sp.Expr, fall: sp.Expr) -> sp.Expr:
    """``(eta D^(q-1)/C)(rho - F2 eta D^(2q) R/(4 C^2))``."""
    second = stiffness * noise * mean_distance ** (2 - 2 * relative) * fall / (4 * slope**2)
    return noise / (slope * mean_distance**relative) * (reach - second)


CLAIM = Claim(
    id="small-noise-second-term",
    title="Dilation at small noise: the second term",
    statement=(
        r"A loss with $\varphi'' > 0$ left of the margins $s$ and $t$ (cross-entropy with smoothing, label relaxation, squared error "
        r"with a bias, squared hinge; without decay of noisy features not cross-entropy without smoothing), nonzero class means, unconstrained noisy features: "
        r"$\mathrm{ND} = (\eta D^{q-1}/C)(\rho_\infty - F_2 \eta D^{2q} R/(4C^2) + O(\eta^2))$ with "
        r"$F_2 = 2(\varphi''(s)\kappa_w^2/d + 2\lambda)$, $\rho_\infty^2 = m^2 + (t+s)^2/\kappa_w^2$ and "
        r"$\rho_\infty R = m^2/\lambda + (t+s)^2/(\kappa_w^2(\lambda + \kappa_w^2\varphi''(t)/2))$, "
        r"$m = D/2$ for nonnegative and 0 for free features, $q = 1$ in absolute and 0 in relative scaling; "
        r"if $\lambda = 0$, $t$ is the least minimiser of the loss and $m = 0$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={
        **WITH_DECAY,
        smoothing: WITHOUT_DECAY[smoothing],
        # Where the third term is above the rounding of 128 bits.
        noise: Interval(1e-8, 1e-7, log=True),
        slope: Interval(0.3, 3.0, log=True),
        noisy_decay: Interval(1e-3, 0.1, log=True),
        nonnegative: EITHER,
        relative: EITHER,
        kind: OF_CURVED_LOSSES,
    },
    definitions={
        far: free_margin + margin,
        centre: nonnegative * mean_distance**2 / 4,
        free_reach: far / weight_distance,
        free_fall: 2 * far / (weight_distance**3 * bend_of_free),
        free_stiffness: CLEAN,
        reach: sp.sqrt(centre + ((limit_margin + margin) / weight_distance) ** 2),
        stiffness: CLEAN + 4 * noisy_decay,
        fall: (
            centre / noisy_decay
            + ((limit_margin + margin) / weight_distance) ** 2 / (noisy_decay + weight_distance**2 * bend_of_noisy / 2)
        )
        / reach,
    },
    assumptions=(sp.Gt(room, 0),),
    quantities={
        **CONFIGURATION,
        **BENDS,
        room: ROOM,
        limit_margin: LIMIT_MARGIN,
        free_margin: FREE_MARGIN,
        normalized: NORMALIZED,
        normalized_with_decay: NORMALIZED_WITH_DECAY,
    },
    relations=(
        asymptotic(normalized, _two_terms(free_reach, free_stiffness, free_fall), noise, rate=2),
        asymptotic(normalized_with_decay, _two_terms(reach, stiffness, fall), noise, rate=2),
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
    most_samples=500,
    notes="False for the hinge: small-noise-second-term-any-loss.",
)
