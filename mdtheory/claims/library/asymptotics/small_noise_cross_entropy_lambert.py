"""Cross-entropy without smoothing and decay at small noise, through the Lambert function."""

import sympy as sp

from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    UNSMOOTHED,
    configured,
    cross_entropy_not_collapsed_either,
    margin,
    mean_distance,
    nonnegative,
    relative,
    solved,
    weight_distance,
)
from mdtheory.claims.library._small import WITHOUT_DECAY, curvature, normalized
from mdtheory.claims.library._symbols import dim, noise, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

beta = sp.Symbol("beta", positive=True)

CLAIM = Claim(
    id="small-noise-cross-entropy-lambert",
    title="Cross-entropy at small noise: the Lambert function",
    statement=(
        r"Cross-entropy without smoothing, nonzero class means, free or nonnegative features, unconstrained noisy features without decay, "
        r"$q = 1$ in absolute and 0 in relative scaling: as $\eta \to 0$, $\mathrm{ND} \sim \eta D^{q-1} "
        r"W_0(e^s/\beta)/(C \Vert w_1 - w_2 \Vert)$ with $\beta = \varphi''(s) \eta D^{2q}/(d C^2)$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={
        **{v: domain for v, domain in WITHOUT_DECAY.items() if v is not smoothing},
        nonnegative: EITHER,
        relative: EITHER,
    },
    definitions={beta: curvature(margin) * noise * mean_distance ** (2 - 2 * relative) / (dim * slope**2)},
    assumptions=(cross_entropy_not_collapsed_either,),
    quantities={
        margin: configured("margin", UNSMOOTHED),
        weight_distance: configured("weight_distance", UNSMOOTHED),
        mean_distance: configured("mean_distance", UNSMOOTHED),
        normalized: solved("normalized", {**NO_DECAY, **UNSMOOTHED}),
    },
    relations=(
        asymptotic(
            normalized,
            noise / (slope * weight_distance * mean_distance**relative) * sp.LambertW(sp.exp(margin) / beta),
            noise,
            rate=1,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "noisy features without decay",
        "unconstrained noisy features",
    ),
    derivation="derivations/small_noise.py",
    notes="The logarithm that it grows like is a poor approximation: see log-growth-of-cross-entropy.",
)
