"""Dilation is proportional to the slope as the slope vanishes: nothing is memorised, yet something is dilated."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import CONFIGURATION, margin, mean_distance, not_collapsed, weight_distance
from mdtheory.claims.library._small import (
    NORMALIZED,
    NORMALIZED_WITH_DECAY,
    WITH_DECAY,
    curvature,
    normalized,
    normalized_with_decay,
)
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

force = sp.Symbol("force", positive=True)

CLAIM = Claim(
    id="small-slope-dilation",
    title="Dilation at a small memorization-dilation slope",
    statement=(
        r"Nonnegative features, absolute scaling: as $C \to 0$, $\mathrm{ND} \sim 2 C b/(F_2 D^2)$ with "
        r"$b^2 = (\kappa_w f + \lambda D)^2 + \lambda^2 D^2$, $f = 1/(1+e^{-s}) - \alpha/2$; without decay "
        r"$C d f/(2 s \varphi''(s) D)$."
    ),
    source=Source("this project", "asymptotics for a small slope"),
    variables={
        **WITH_DECAY,
        noise: Interval(0.01, 0.5, log=True),
        slope: Interval(1e-6, 1e-5, log=True),
    },
    definitions={force: 1 / (1 + sp.exp(-margin)) - smoothing / 2},
    assumptions=(not_collapsed,),
    quantities={**CONFIGURATION, normalized: NORMALIZED, normalized_with_decay: NORMALIZED_WITH_DECAY},
    relations=(
        asymptotic(normalized, slope * dim * force / (2 * margin * curvature(margin) * mean_distance), slope, rate=2),
        asymptotic(
            normalized_with_decay,
            slope
            * sp.sqrt((weight_distance * force + noisy_decay * mean_distance) ** 2 + (noisy_decay * mean_distance) ** 2)
            / ((curvature(margin) * weight_distance**2 / dim + 2 * noisy_decay) * mean_distance**2),
            slope,
            rate=2,
        ),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/small_noise.py",
    most_samples=500,
)
