"""However much noise, a noisy example is memorised at least so much: the clean examples resist with bounded force."""

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
    mean_distance,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal
from mdtheory.numerics.ball_roots import root

noisy_margin, least = sp.symbols("noisy_margin least", real=True)
left_over = sp.Symbol("left_over", real=True)


def _least(point: Mapping[str, Any]) -> arb:
    """Where the pull of a noisy example balances the largest force of the clean ones."""
    case = Case.at(point)
    force = case.zeta * case.classes().mean_distance ** case.exponent / (2 * arb(case.slope))
    slope_of_loss = case.loss_slope()
    return root(lambda t: slope_of_loss(t) + force, arb(-100), arb(100))


CLAIM = Claim(
    id="noisy-margin-at-least-for-all-noise",
    title="A lower bound on memorization for all noise",
    statement=(
        r"Cross-entropy with smoothing, nonzero class means, free or nonnegative features, unconstrained noisy features without decay: for every "
        r"noise $t \geq \log(x/(1-x))$ with $x = 1 - \alpha/2 - D^q\, \mathrm{E}|\zeta|/(2C)$, where $x > 0$ ($q = 1$ in absolute, "
        r"0 in relative scaling)."
    ),
    source=Source("this project", "bounds for all noise levels"),
    variables={
        **{v: d for v, d in VARIABLES.items() if v is not noisy_decay},
        smoothing: Interval(0.0, 0.95),
        noise: Interval(1e-6, 3.0, log=True),
        nonnegative: EITHER,
        relative: EITHER,
    },
    definitions={left_over: 1 - smoothing / 2 - mean_distance ** (1 - relative) / (2 * slope * sp.sqrt(dim))},
    assumptions=(not_collapsed_either, sp.Gt(left_over, 0)),
    quantities={
        mean_distance: configured("mean_distance"),
        noisy_margin: solved("noisy_margin", NO_DECAY),
        least: Quantity(at=Computed(_least), route="root of a balance of forces, by proved signs"),
    },
    relations=(at_least(noisy_margin, least), equal(least, sp.log(left_over / (1 - left_over)))),
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
    notes="Tested on the two-point spread, where the mean of the absolute coordinate is one over the root of d.",
)
