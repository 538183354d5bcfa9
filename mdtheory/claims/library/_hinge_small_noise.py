"""The hinge at small noise, by proved signs: its clean examples resist any dilation with a force that does not vanish."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Interval
from mdtheory.claims.library._noisy import EQUAL_DECAYS, FREE, HINGE, NOTHING, Case, Fixed, Renamed
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import WITH_DECAY
from mdtheory.claims.library._symbols import noisy_decay, slope, smoothing
from mdtheory.claims.model import Quantity
from mdtheory.foundation.errors import AssumptionError
from mdtheory.numerics.ball_roots import positive_root

by_hinge, limit_margin = sp.symbols("ND_hinge t", positive=True)
VARIABLES: Mapping[sp.Symbol, Domain] = {
    **{v: domain for v, domain in WITH_DECAY.items() if v is not smoothing},
    slope: Interval(1.0, 10.0, log=True),
    noisy_decay: Interval(1e-2, 0.1, log=True),
}


def _limit_margin(point: Mapping[str, Any]) -> arb:
    """Where ``lam t - kap^2/2``, or the kink at 1, stops a noisy feature that is alone."""
    case = Case.at(point, HINGE)
    return (case.classes().weight_distance ** 2 / (2 * arb(case.noisy_decay))).min(arb(1))


def _memorization(point: Mapping[str, Any], fixed: Fixed = HINGE, renamed: Renamed = NOTHING) -> arb:
    """By the multiplier nu: ``F'(r) D/C = 4 nu rho`` with ``F'(r) = kap/sqrt(d) + 4 lam r``, r = eta rho D/C, two points.

    For a given nu the margin of a noisy example is ``t = (kap^2/2 - nu)/(lam + nu)``, or 1 where that is larger.
    """
    case = Case.at(point, fixed, renamed)
    classes, lam, rate = case.classes(), arb(case.noisy_decay), case.classes().mean_distance / arb(case.slope)
    eta, kap = arb(case.noise), classes.weight_distance

    def memorization(nu: arb) -> arb:
        travelled = (1 + ((kap**2 / 2 - nu) / (lam + nu)).min(arb(1))) / kap
        return ((lam / (lam + nu)) ** 2 * classes.centre_square + travelled**2).sqrt()

    def residual(nu: arb) -> arb:
        rho = memorization(nu)
        return 4 * nu * rho - (kap * case.zeta + 4 * lam * eta * rho * rate) * rate

    rho = memorization(positive_root(residual))
    if not kap * eta * rho * rate * case.zeta < 2:
        raise AssumptionError("noise: a clean example passes the kink on the other side")
    return rho


def _normalized(point: Mapping[str, Any]) -> arb:
    """In absolute scaling ``ND = eta rho/C``."""
    return arb(point["noise"]) * _memorization(point) / arb(point["slope"])


EQUAL_AND_FREE: Fixed = {**HINGE, **FREE}
memorization = sp.Symbol("rho_hinge", positive=True)
FREE_MEMORIZATION = Quantity(
    at=Computed(lambda point: _memorization(point, EQUAL_AND_FREE, EQUAL_DECAYS)),
    route="stationarity of the hinge in its multiplier, by proved signs",
)
BY_HINGE: Mapping[sp.Symbol, Quantity] = {
    by_hinge: Quantity(at=Computed(_normalized), route="stationarity of the hinge in its multiplier, by proved signs"),
    limit_margin: Quantity(at=Computed(_limit_margin), route="explicit"),
}
