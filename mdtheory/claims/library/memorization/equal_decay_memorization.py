"""With equal decays a lone noisy example ends at the class mean of its label: free features. Nonnegative: beyond it."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    EQUAL_DECAYS,
    Case,
    configured,
    kind,
    mean_distance,
    nonnegative,
    relative,
    solved,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import OF_CURVED_LOSSES, ROOM, WITHOUT_DECAY, room
from mdtheory.claims.library._symbols import feature_decay, noise, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import asymptotic, greater
from mdtheory.numerics.ball_roots import root

memorization, overshoot = sp.symbols("rho k", positive=True)


def _overshoot(point: Mapping[str, Any]) -> arb:
    """The root k of ``mu k + phi'(k s)``."""
    case = Case.at(point)
    s, slope_of_loss = case.classes().margin, case.loss_slope()
    mu = (arb(case.weight_decay) * arb(case.feature_decay)).sqrt()
    return root(lambda k: mu * k + slope_of_loss(k * s), arb(0), arb(100) / s, width=1e-32)


CLAIM = Claim(
    id="equal-decay-memorization",
    title="Equal decays: how far a noisy example moves as noise vanishes",
    statement=(
        r"A loss with $\varphi'' > 0$ left of the margin (cross-entropy with any smoothing, label relaxation, squared error with a "
        r"bias, squared hinge), nonzero class means: if noisy features have the decay of the others, then as $\eta \to 0$ free noisy "
        r"features end at the class mean of their label, $\rho \to D$. Nonnegative class means, unconstrained noisy features: "
        r"$\rho \to D (1/4 + (k+1)^2/4)^{1/2}$ with $\mu k + \varphi'(k s) = 0$, $k > 1$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={
        **WITHOUT_DECAY,
        weight_decay: Interval(1e-3, 0.1, log=True),
        feature_decay: Interval(1e-3, 0.1, log=True),
        smoothing: Interval(0.0, 0.9),
        noise: Interval(1e-11, 1e-9, log=True),
        nonnegative: EITHER,
        relative: EITHER,
        kind: OF_CURVED_LOSSES,
    },
    assumptions=(sp.Gt(room, 0),),
    quantities={
        mean_distance: configured("mean_distance"),
        room: ROOM,
        memorization: solved("memorization", renamed=EQUAL_DECAYS),
        overshoot: Quantity(at=Computed(_overshoot), route="root of a monotone equation, by proved signs"),
    },
    relations=(
        asymptotic(
            memorization,
            mean_distance * sp.sqrt(1 - nonnegative + nonnegative * (1 + (overshoot + 1) ** 2) / 4),
            noise,
            rate=1,
        ),
        greater(overshoot, nonnegative),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "curved margin loss",
        "nonzero class means",
        "isotropic spread",
        "noisy features with the decay of all",
        "unconstrained noisy features",
    ),
    derivation="derivations/small_noise.py",
    equivalent={"term-dropped-3": "says only that k is positive, which is true as well"},
    most_samples=500,
    notes="So curved losses differ at the next order only: see equal-decay-boundary. The hinge moves noisy examples less far.",
)
