"""Dilation is proportional to the slope as the slope vanishes: nothing is memorised, yet something is dilated."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    CONFIGURATION,
    EITHER,
    margin,
    mean_distance,
    nonnegative,
    not_collapsed_either,
    relative,
    weight_distance,
)
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
        r"Cross-entropy with smoothing $\alpha$, nonzero class means, unconstrained noisy features, $\eta > 0$: as $C \to 0$, $\mathrm{ND} \sim 2 C b/(F_2 D^{1+q})$ "
        r"with $F_2 = 2(\varphi''(s)\kappa_w^2/d + 2\lambda)$, $f = 1/(1+e^{-s}) - \alpha/2$ and $b^2 = (\kappa_w f + \lambda D)^2 + "
        r"\lambda^2 D^2$, for free features without the last term ($q = 1$ in absolute, 0 in relative scaling); without decay of noisy "
        r"features $C d f/(2 s \varphi''(s) D^q)$."
    ),
    source=Source("this project", "asymptotics for a small slope"),
    variables={
        **WITH_DECAY,
        noise: Interval(0.01, 0.5, log=True),
        slope: Interval(1e-6, 1e-5, log=True),
        nonnegative: EITHER,
        relative: EITHER,
    },
    definitions={force: 1 / (1 + sp.exp(-margin)) - smoothing / 2},
    assumptions=(not_collapsed_either,),
    quantities={**CONFIGURATION, normalized: NORMALIZED, normalized_with_decay: NORMALIZED_WITH_DECAY},
    relations=(
        asymptotic(
            normalized,
            slope * dim * force / (2 * margin * curvature(margin) * mean_distance ** (1 - relative)),
            slope,
            rate=2,
        ),
        asymptotic(
            normalized_with_decay,
            slope
            * sp.sqrt(
                (weight_distance * force + noisy_decay * mean_distance) ** 2
                + nonnegative * (noisy_decay * mean_distance) ** 2
            )
            / ((curvature(margin) * weight_distance**2 / dim + 2 * noisy_decay) * mean_distance ** (2 - relative)),
            slope,
            rate=2,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
    ),
    derivation="derivations/small_noise.py",
    most_samples=500,
)
