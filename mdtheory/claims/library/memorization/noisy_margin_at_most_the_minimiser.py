"""However little noise, a noisy example is pulled no further than the minimiser of its loss: ND/eta is bounded."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    VARIABLES,
    Case,
    configured,
    margin,
    mean_distance,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
    weight_distance,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal
from mdtheory.numerics.ball_roots import root

noisy_margin, minimiser = sp.symbols("noisy_margin minimiser", real=True)
normalized = sp.Symbol("normalized", positive=True)


def _minimiser(point: Mapping[str, Any]) -> arb:
    """Where phi' changes its sign."""
    return root(Case.at(point).loss_slope(), arb(0), arb(100))


CLAIM = Claim(
    id="noisy-margin-at-most-the-minimiser",
    title="An upper bound on memorization and dilation for all noise",
    statement=(
        r"Cross-entropy with smoothing $\alpha > 0$, nonzero class means, free or nonnegative features, unconstrained noisy features without "
        r"decay: for every noise $t \leq \log((2-\alpha)/\alpha)$, where $\mathrm{ND} = \eta D^{q-1} (t+s)/(C \kappa_w)$, "
        r"$\kappa_w = \Vert w_1 - w_2 \Vert$ ($q = 1$ in absolute, 0 in relative scaling)."
    ),
    source=Source("this project", "bounds for all noise levels"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        smoothing: Interval(1e-6, 0.99, log=True),
        noise: Interval(1e-9, 1e6, log=True),
        nonnegative: EITHER,
        relative: EITHER,
    },
    assumptions=(not_collapsed_either,),
    quantities={
        margin: configured("margin"),
        mean_distance: configured("mean_distance"),
        weight_distance: configured("weight_distance"),
        noisy_margin: solved("noisy_margin", NO_DECAY),
        normalized: solved("normalized", NO_DECAY),
        minimiser: Quantity(at=Computed(_minimiser), route="root of the slope of the loss, by proved signs"),
    },
    relations=(
        at_most(noisy_margin, minimiser),
        equal(minimiser, sp.log((2 - smoothing) / smoothing)),
        equal(normalized, noise * (noisy_margin + margin) / (slope * weight_distance * mean_distance**relative)),
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
    derivation="derivations/noise_and_slope.py",
    notes="Approached as the noise vanishes: see small-noise-dilation. The lower bound: noisy-margin-at-least-for-all-noise.",
)
