"""Dilation with the hinge without noisy decay: all or nothing, from values of the objective."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import HINGE, VARIABLES, Case
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, feature_decay, mu, noise, noisy_decay, slope, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.foundation.errors import AssumptionError

normalized = sp.Symbol("ND", nonnegative=True)
distance = sp.Symbol("D", positive=True)


def _normalized(point: Mapping[str, Any]) -> arb:
    """The kink with the least value. The objective in rho is convex and piecewise linear, so a kink is a minimiser."""
    case = Case.at(point, HINGE)
    classes, zeta = case.classes(), case.zeta
    gain = arb(case.noise) * classes.mean_distance / arb(case.slope)

    def value(rho: arb) -> arb:
        shift = classes.weight_distance * gain * rho * zeta
        clean = ((1 - 1 - shift).max(arb(0)) + (1 - 1 + shift).max(arb(0))) / 2
        noisy = (1 - (classes.weight_distance * rho - 1)).max(arb(0))
        return 2 * clean + 2 * arb(case.noise) * noisy

    # Clean examples have their kink at rho = 0, the noisy ones where their margin -1 + kap rho reaches 1.
    memorised = 2 / classes.weight_distance
    difference = value(memorised) - value(arb(0))
    if not (difference > 0 or difference < 0):
        raise AssumptionError("slope: at the threshold the minimiser is not unique")
    return gain * memorised / classes.mean_distance if difference < 0 else arb(0)


CLAIM = Claim(
    id="hinge-dilation",
    title="Dilation with the hinge: all or nothing",
    statement=(
        r"Hinge, two classes, nonnegative features, $2\mu < 1$, unconstrained noisy features without decay, absolute "
        r"scaling: $\mathrm{ND} = \eta D/C$ if $C > D\,\mathrm{E}|\zeta|/2$, and 0 if $C < D\,\mathrm{E}|\zeta|/2$, "
        r"where $D^2 = 2\sqrt{\lambda_W/\lambda_H}$."
    ),
    source=Source("this project", "closed forms of the memorization-dilation problem"),
    variables={v: domain for v, domain in VARIABLES.items() if v not in (smoothing, noisy_decay)},
    definitions={distance: sp.sqrt(2 * sp.sqrt(weight_decay / feature_decay))},
    assumptions=(sp.Lt(2 * mu, 1),),
    quantities={
        normalized: Quantity(at=Computed(_normalized), route="values of the objective at its kinks, two-point spread")
    },
    relations=(
        equal(
            1 + normalized,
            1 + noise * distance / slope * sp.Piecewise((1, slope > distance / (2 * sp.sqrt(dim))), (0, True)),
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "hinge",
        "nonnegative features",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
        "noisy features without decay",
        "absolute scaling",
    ),
    derivation="derivations/hinge_and_mse.py",
    notes="Tested on the two-point spread. With decay of noisy features the threshold is that of hinge-threshold.",
)
