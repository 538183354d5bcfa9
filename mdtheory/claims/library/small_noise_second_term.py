"""The second term of the dilation at small noise, with and without decay of noisy features."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import CONFIGURATION, margin, mean_distance, not_collapsed, weight_distance
from mdtheory.claims.library._small import (
    LIMIT_MARGIN,
    NORMALIZED,
    NORMALIZED_WITH_DECAY,
    WITH_DECAY,
    WITHOUT_DECAY,
    curvature,
    limit_margin,
    normalized,
    normalized_with_decay,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

reach, free_reach, far = sp.symbols("reach free_reach far", positive=True)
stiffness, free_stiffness, fall, free_fall = sp.symbols("stiffness free_stiffness fall free_fall", positive=True)
CLEAN = 2 * curvature(margin) * weight_distance**2 / dim


def _two_terms(reach: sp.Expr, stiffness: sp.Expr, fall: sp.Expr) -> sp.Expr:
    """``(eta/C)(rho - F2 eta D^2 R/(4 C^2))``."""
    return noise / slope * (reach - stiffness * noise * mean_distance**2 * fall / (4 * slope**2))


CLAIM = Claim(
    id="small-noise-second-term",
    title="Dilation at small noise: the second term",
    statement=(
        r"In absolute scaling $\mathrm{ND} = (\eta/C)(\rho_\infty - F_2 \eta D^2 R/(4C^2) + O(\eta^2))$ with "
        r"$F_2 = 2(\varphi''(s)\kappa_w^2/d + 2\lambda)$ and "
        r"$\rho_\infty R = D^2/(4\lambda) + (t+s)^2/(\kappa_w^2(\lambda + \kappa_w^2\varphi''(t)/2))$; "
        r"without $D^2/(4\lambda)$ if $\lambda = 0$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={
        **WITH_DECAY,
        smoothing: WITHOUT_DECAY[smoothing],
        # Where the third term is above the rounding of 128 bits.
        noise: Interval(1e-8, 1e-7, log=True),
        slope: Interval(0.3, 3.0, log=True),
        noisy_decay: Interval(1e-3, 0.1, log=True),
    },
    definitions={
        far: sp.log((2 - smoothing) / smoothing) + margin,
        free_reach: far / weight_distance,
        free_fall: 2 * far / (weight_distance**3 * curvature(sp.log((2 - smoothing) / smoothing))),
        free_stiffness: CLEAN,
        reach: sp.sqrt(mean_distance**2 / 4 + ((limit_margin + margin) / weight_distance) ** 2),
        stiffness: CLEAN + 4 * noisy_decay,
        fall: (
            mean_distance**2 / (4 * noisy_decay)
            + ((limit_margin + margin) / weight_distance) ** 2
            / (noisy_decay + weight_distance**2 * curvature(limit_margin) / 2)
        )
        / reach,
    },
    assumptions=(not_collapsed,),
    quantities={
        **CONFIGURATION,
        limit_margin: LIMIT_MARGIN,
        normalized: NORMALIZED,
        normalized_with_decay: NORMALIZED_WITH_DECAY,
    },
    relations=(
        asymptotic(normalized, _two_terms(free_reach, free_stiffness, free_fall), noise, rate=2),
        asymptotic(normalized_with_decay, _two_terms(reach, stiffness, fall), noise, rate=2),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/small_noise.py",
    most_samples=500,
)
