"""Dilation with the squared hinge, in closed form while no clean example passes the kink."""

import sympy as sp

from mdtheory.claims.library._noisy import NO_DECAY, VARIABLES, configured, solved
from mdtheory.claims.library._symbols import dim, mu, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

normalized, margin, distance = sp.symbols("ND s D", positive=True)
HINGE = {**NO_DECAY, "loss": "squared-hinge"}

CLAIM = Claim(
    id="squared-hinge-dilation",
    title="Dilation with the squared hinge in closed form",
    statement=(
        r"Squared hinge, two classes, nonnegative features, $2\mu < 1$, unconstrained noisy features without decay, "
        r"absolute scaling: while every clean example has a margin of at most 1, $\mathrm{ND} = \eta D (1+s)/(2 s C "
        r"(1 + \eta D^2/(d C^2)))$, $s = 1 - 2\mu$."
    ),
    source=Source("this project", "closed forms of the memorization-dilation problem"),
    variables={v: domain for v, domain in VARIABLES.items() if v not in (noisy_decay, smoothing)},
    definitions={margin: 1 - 2 * mu},
    assumptions=(sp.Lt(2 * mu, 1), sp.Le(margin * (1 + 2 * normalized / sp.sqrt(dim)), 1)),
    quantities={
        distance: configured("mean_distance", HINGE),
        normalized: solved("normalized", HINGE),
    },
    relations=(
        equal(
            normalized,
            noise * distance * (1 + margin) / (2 * margin * slope * (1 + noise * distance**2 / (dim * slope**2))),
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "squared hinge",
        "nonnegative features",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
        "noisy features without decay",
        "absolute scaling",
    ),
    derivation="derivations/hinge_and_mse.py",
    notes="The farthest clean example has the margin s + 2 s ND over the root of d, two-point spread.",
)
