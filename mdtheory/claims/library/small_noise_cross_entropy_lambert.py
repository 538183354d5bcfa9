"""Cross-entropy without smoothing and decay at small noise, through the Lambert function."""

import sympy as sp

from mdtheory.claims.library._noisy import cross_entropy_not_collapsed, margin, mean_distance, weight_distance
from mdtheory.claims.library._small import WITHOUT_DECAY, curvature, normalized
from mdtheory.claims.library._symbols import dim, noise, slope, smoothing
from mdtheory.claims.library._two_points import BY_SIGNS, NO_DECAY, UNSMOOTHED, Part, Shape
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import asymptotic

beta = sp.Symbol("beta", positive=True)

CLAIM = Claim(
    id="small-noise-cross-entropy-lambert",
    title="Cross-entropy at small noise: the Lambert function",
    statement=(
        r"Cross-entropy, noisy features without decay, absolute scaling: as $\eta \to 0$, "
        r"$\mathrm{ND} \sim \eta W_0(e^s/\beta)/(C \Vert w_1 - w_2 \Vert)$ with $\beta = \varphi''(s) \eta D^2/(d C^2)$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={v: domain for v, domain in WITHOUT_DECAY.items() if v is not smoothing},
    definitions={beta: curvature(margin) * noise * mean_distance**2 / (dim * slope**2)},
    assumptions=(cross_entropy_not_collapsed,),
    quantities={
        margin: Quantity(at=Shape("margin", UNSMOOTHED), route="closed form of the configuration"),
        weight_distance: Quantity(at=Shape("weight_distance", UNSMOOTHED), route="closed form of the configuration"),
        mean_distance: Quantity(at=Shape("mean_distance", UNSMOOTHED), route="closed form of the configuration"),
        normalized: Quantity(at=Part("normalized", {**NO_DECAY, **UNSMOOTHED}), route=BY_SIGNS),
    },
    relations=(
        asymptotic(normalized, noise / (slope * weight_distance) * sp.LambertW(sp.exp(margin) / beta), noise, rate=1),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/small_noise.py",
    notes="The logarithm that it grows like is a poor approximation: see log-growth-of-cross-entropy.",
)
