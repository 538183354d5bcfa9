"""The largest dilation over all memorization-dilation slopes, for cross-entropy without noisy decay."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from scipy.optimize import brentq
from scipy.special import lambertw

from mdtheory.claims.library._noisy import BY_SIGNS, VARIABLES, configured, cross_entropy_not_collapsed, margin, solved
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, feature_decay, noise, slope, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal

dilation, largest, cost_slope = sp.symbols("dilation largest cost_slope", positive=True)
noisy_margin = sp.Symbol("noisy_margin", real=True)


def _at_peak(point: Mapping[str, Any]) -> dict[str, Any]:
    """The point with the slope, to double precision, at which w = t + s maximises w/(1 + e^(w-s))."""
    classes = TWO_POINTS.classes(point)
    s, distance, weights = (float(x.mid()) for x in (classes.margin, classes.mean_distance, classes.weight_distance))
    zeta = 1 / np.sqrt(point["dim"])
    most = float(lambertw(np.exp(s - 1)).real)

    def excess(log_bound: float) -> float:
        k = np.exp(log_bound)
        work = k * np.sinh(k) / (np.cosh(s) + np.cosh(k))
        return float(np.log(work / (2 * point["noise"] * most)))

    dilation = np.exp(brentq(excess, -30.0, 6.0, xtol=1e-15)) / (weights * zeta)
    return {**point, "slope": float(point["noise"] * (1 + most) / weights * distance / dilation)}


def _dilation(point: Mapping[str, Any]) -> arb:
    return TWO_POINTS.refined(_at_peak(point)).dilation


def _cost_slope(point: Mapping[str, Any]) -> arb:
    return TWO_POINTS.problem(point).force(_dilation(point))


def _noisy_margin(point: Mapping[str, Any]) -> arb:
    """The slope of the peak is known to double precision only, and the margin moves with it."""
    return TWO_POINTS.refined(_at_peak(point)).noisy_margin + arb(0, 1e-10)


CLAIM = Claim(
    id="peak-over-slope",
    title="The largest dilation over all slopes, cross-entropy",
    statement=(
        r"For cross-entropy with $\lambda = 0$ the largest dilation over all slopes $C$ solves "
        r"$r F'(r) = 2 \eta W_0(e^{s-1})$; there $t = 1 - s + W_0(e^{s-1})$."
    ),
    source=Source("this project", "peak of the dilation over the slope"),
    variables={v: VARIABLES[v] for v in (weight_decay, feature_decay, noise, slope, dim)},
    assumptions=(cross_entropy_not_collapsed,),
    quantities={
        margin: configured("margin"),
        dilation: solved("dilation"),
        largest: Quantity(at=Computed(_dilation), route=f"{BY_SIGNS}, at the slope of the peak in double precision"),
        cost_slope: Quantity(at=Computed(_cost_slope), route="expectation over two points, in balls"),
        noisy_margin: Quantity(at=Computed(_noisy_margin), rigorous=False, route=f"{BY_SIGNS}, at the same slope"),
    },
    relations=(
        at_most(dilation, largest),
        equal(largest * cost_slope, 2 * noise * sp.LambertW(sp.exp(margin - 1))),
        equal(1 + noisy_margin, 2 - margin + sp.LambertW(sp.exp(margin - 1))),
    ),
    expected=Verdict.PROVED,
    derivation="derivations/noise_and_slope.py",
    notes="A slope at the very peak cannot be told from it; two-point spread.",
)
