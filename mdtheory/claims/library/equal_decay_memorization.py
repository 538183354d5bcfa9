"""With equal decays a lone noisy example ends at the class mean of its label: free features. Nonnegative: beyond it."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import EQUAL_DECAYS, FREE, Case, configured, mean_distance, not_collapsed, solved
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import WITHOUT_DECAY
from mdtheory.claims.library._symbols import feature_decay, noise, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import root
from mdtheory.claims.relation import asymptotic, greater

memorization, free_memorization, free_distance, overshoot = sp.symbols("rho free_rho free_D k", positive=True)


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
        r"If noisy features have the decay of the others, then as $\eta \to 0$ free noisy features end at the class mean of "
        r"their label, $\rho \to D$, for every smoothing. Nonnegative class means: $\rho \to D (1/4 + (k+1)^2/4)^{1/2}$ "
        r"with $\mu k + \varphi'(k s) = 0$, $k > 1$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={
        **WITHOUT_DECAY,
        weight_decay: Interval(1e-3, 0.1, log=True),
        feature_decay: Interval(1e-3, 0.1, log=True),
        smoothing: Interval(0.0, 0.9),
        noise: Interval(1e-11, 1e-9, log=True),
    },
    assumptions=(not_collapsed,),
    quantities={
        mean_distance: configured("mean_distance"),
        free_distance: configured("mean_distance", FREE),
        memorization: solved("memorization", renamed=EQUAL_DECAYS),
        free_memorization: solved("memorization", FREE, EQUAL_DECAYS),
        overshoot: Quantity(at=Computed(_overshoot), route="root of a monotone equation, by proved signs"),
    },
    relations=(
        asymptotic(free_memorization, free_distance, noise, rate=1),
        asymptotic(memorization, mean_distance * sp.sqrt(sp.Rational(1, 4) + (overshoot + 1) ** 2 / 4), noise, rate=1),
        greater(overshoot, 1),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/small_noise.py",
    most_samples=500,
    notes="So the losses differ at the next order only: see equal-decay-boundary.",
)
