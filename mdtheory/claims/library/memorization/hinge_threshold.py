"""When the hinge memorises at all: a threshold, from the slope of the objective where nothing is memorised."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import acb, arb

from mdtheory.claims.library._noisy import HINGE, VARIABLES, Case, configured
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, mu, noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

gain = sp.Symbol("gain", real=True)
distance, weights, absolute = sp.symbols("D kap_w mean_abs", positive=True)


def _gain(point: Mapping[str, Any]) -> arb:
    """Minus the slope of the objective at rho = 0, over eta: steepest descent of the noisy, force of the clean."""
    classes = Case.at(point, HINGE).classes()
    lam, dim = arb(point["noisy_decay"]), point["dim"]
    half = classes.mean_distance / 2
    # In the plane of the class means, h_2 = (-D/2, m) and w_1 - w_2 = (kap, 0); the slope of the hinge is -1.
    along, across = -classes.weight_distance - 2 * lam * half, 2 * lam * classes.centre_square.sqrt()
    descent = (along**2 + across**2).sqrt()

    # E|zeta| on the sphere: zeta = sin(angle), density proportional to cos(angle)^(d-2).
    def moment(power: int) -> arb:
        return acb.integral(lambda x, _: x.sin() ** power * x.cos() ** (dim - 2), acb(0), acb.pi() / 2).real

    force = classes.weight_distance * moment(1) / moment(0)
    return 2 * descent - force * classes.mean_distance / arb(point["slope"])


CLAIM = Claim(
    id="hinge-threshold",
    title="When the hinge memorises anything at all",
    statement=(
        r"Hinge, two classes, nonnegative features, $2\mu < 1$, unconstrained noisy features, sphere, absolute "
        r"scaling: at zero memorization the objective falls at the rate $\eta$ times $4 (\lambda^2 D^2/4 + "
        r"(\kappa_w/2 + \lambda/\kappa_w)^2)^{1/2} - D\, \mathrm{E}|\zeta|\, \kappa_w/C$, and something is memorised "
        r"if and only if that is positive; $\mathrm{E}|\zeta| = \Gamma(d/2)/(\sqrt{\pi}\,\Gamma((d+1)/2))$."
    ),
    source=Source("this project", "closed forms of the memorization-dilation problem"),
    variables={v: domain for v, domain in VARIABLES.items() if v not in (smoothing, noise)},
    definitions={absolute: sp.gamma(dim / sp.Integer(2)) / (sp.sqrt(sp.pi) * sp.gamma((dim + 1) / sp.Integer(2)))},
    assumptions=(sp.Lt(2 * mu, 1),),
    quantities={
        gain: Quantity(at=Computed(_gain), route="slope of the objective at zero memorization, Arb integrals"),
        distance: configured("mean_distance", HINGE),
        weights: configured("weight_distance", HINGE),
    },
    relations=(
        equal(
            gain,
            4 * sp.sqrt(noisy_decay**2 * distance**2 / 4 + (weights / 2 + noisy_decay / weights) ** 2)
            - weights * absolute * distance / slope,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "hinge",
        "nonnegative features",
        "nonzero class means",
        "spread on a sphere",
        "unconstrained noisy features",
        "absolute scaling",
    ),
    derivation="derivations/hinge_and_mse.py",
    notes="How much is memorised above the threshold: hinge-dilation.",
)
