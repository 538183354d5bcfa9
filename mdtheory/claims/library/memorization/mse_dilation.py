"""Dilation with the squared error and a bias, in closed form."""

import sympy as sp

from mdtheory.claims.library._noisy import NO_DECAY, VARIABLES, configured, not_collapsed, solved
from mdtheory.claims.library._symbols import dim, mu, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

normalized, distance, margin, weights, multiplier = sp.symbols("ND D s kap_w nu", positive=True)
noisy_margin = sp.Symbol("noisy_margin", real=True)
SQUARED = {"loss": "mean-squared-error"}
FREE = {**NO_DECAY, **SQUARED}

CLAIM = Claim(
    id="mse-dilation",
    title="Dilation and memorization with the squared error in closed form",
    statement=(
        r"Squared error with bias, two classes, nonnegative features, $s = 1 - \alpha - 4\mu > 0$, unconstrained "
        r"noisy features, absolute scaling: $t = (\kappa_w^2(1-\alpha)/4 - \nu s)/(\kappa_w^2/4 + \lambda + \nu)$, "
        r"$\nu = (\kappa_w^2/d + 4\lambda)\eta D^2/(4C^2)$; if $\lambda = 0$, $\mathrm{ND} = \eta D "
        r"(s+1-\alpha)/(2sC(1+\eta D^2/(dC^2)))$."
    ),
    source=Source("this project", "closed forms of the memorization-dilation problem"),
    variables=VARIABLES,
    definitions={
        margin: 1 - smoothing - 4 * mu,
        multiplier: (weights**2 / dim + 4 * noisy_decay) * noise * distance**2 / (4 * slope**2),
    },
    assumptions=(not_collapsed,),
    quantities={
        distance: configured("mean_distance", SQUARED),
        weights: configured("weight_distance", SQUARED),
        noisy_margin: solved("noisy_margin", SQUARED),
        normalized: solved("normalized", FREE),
    },
    relations=(
        equal(
            noisy_margin,
            (weights**2 * (1 - smoothing) / 4 - multiplier * margin) / (weights**2 / 4 + noisy_decay + multiplier),
        ),
        equal(
            normalized,
            noise
            * distance
            * (margin + 1 - smoothing)
            / (2 * margin * slope * (1 + noise * distance**2 / (dim * slope**2))),
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "squared error",
        "unregularised bias",
        "nonnegative features",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
        "absolute scaling",
    ),
    derivation="derivations/hinge_and_mse.py",
    notes="Without a bias the sum of the logits matters too: mse-dilation-without-bias.",
)
