"""As noise vanishes, cross-entropy dilates more than label smoothing by a factor that grows like log(1/noise)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NOTHING,
    UNSMOOTHED,
    Case,
    Fixed,
    configured,
    nonnegative,
    not_collapsed_either,
    relative,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import WITHOUT_DECAY, curvature
from mdtheory.claims.library._symbols import dim, noise, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import asymptotic
from mdtheory.foundation.errors import AssumptionError
from mdtheory.models.dilation.balls import NoisyProblem
from mdtheory.numerics.ball_roots import positive_root

nepers, large = sp.symbols("nepers L", positive=True)
ratio = sp.Symbol("ratio", positive=True)
margin_ce, margin_ls, weights_ce, weights_ls = sp.symbols("s_CE s_LS kap_CE kap_LS", positive=True)
distance_ce, distance_ls = sp.symbols("D_CE D_LS", positive=True)


def _problem(point: Mapping[str, Any], fixed: Fixed = NOTHING) -> NoisyProblem:
    """The problem at noise e^-n, which no float holds."""
    return replace(Case.at(point, fixed).problem(), noise=(-arb(point["nepers"])).exp())


def _travelled_by_cross_entropy(problem: NoisyProblem) -> arb:
    """T + s, from the logarithms of both sides of stationarity: they are as small as the noise."""
    c = problem.classes

    def residual(travelled: arb) -> arb:
        r = problem.dilation(travelled - c.margin)
        force = problem.pull(c.margin, c.weight_distance * r) * c.mean_distance**problem.exponent / problem.slope
        return force.log() + (1 + (travelled - c.margin).exp()).log()

    return positive_root(residual)


def _travelled_by_smoothing(problem: NoisyProblem, alpha: arb) -> arb:
    """T + s: so close to the minimiser of the loss that a ball around that one is proved to hold it."""
    end = ((2 - alpha) / alpha).log()
    low, high = (end - arb(2) ** -100).mid(), (end + arb(2) ** -100).mid()
    if not (problem.residual(low) < 0 and problem.residual(high) > 0):
        raise AssumptionError("noisy margin: not proved to lie next to the minimiser of the loss")
    return low.union(high) + problem.classes.margin


def _ratio(point: Mapping[str, Any]) -> arb:
    """ND of cross-entropy over ND of label smoothing; both are ``eta D^(q-1) (t + s)/(C kap)``."""
    by_smoothing = _problem(point)
    by_cross_entropy = _problem(point, UNSMOOTHED)
    top = _travelled_by_cross_entropy(by_cross_entropy) / by_cross_entropy.classes.weight_distance
    alpha = arb(point["smoothing"])
    ratio = top / (_travelled_by_smoothing(by_smoothing, alpha) / by_smoothing.classes.weight_distance)
    farther = by_cross_entropy.classes.mean_distance / by_smoothing.classes.mean_distance
    return ratio if by_smoothing.exponent == 1 else ratio / farther


CLAIM = Claim(
    id="log-growth-of-cross-entropy",
    title="Cross-entropy over label smoothing grows like the logarithm of the noise",
    statement=(
        r"Cross-entropy without smoothing against smoothing $\alpha > 0$, same decays, each with its own nonzero class means, free or "
        r"nonnegative; unconstrained noisy features without decay, $\eta = e^{-n}$, $q = 1$ in absolute and 0 in relative scaling: as $n \to \infty$, "
        r"$\mathrm{ND}_{CE}/\mathrm{ND}_{LS} \sim (L - \log L)\, \kappa_{w,LS} D_{LS}^{1-q}/(\kappa_{w,CE} D_{CE}^{1-q} "
        r"(\log((2-\alpha)/\alpha) + s_{LS}))$, $L = n + s_{CE} + \log(d C^2/(\varphi''(s_{CE}) D_{CE}^{2q}))$."
    ),
    source=Source("this project", "asymptotics for small noise"),
    variables={
        **{v: domain for v, domain in WITHOUT_DECAY.items() if v is not noise},
        nepers: Interval(300.0, 3000.0, log=True),
        nonnegative: EITHER,
        relative: EITHER,
    },
    definitions={
        large: nepers + margin_ce + sp.log(dim * slope**2 / (curvature(margin_ce) * distance_ce ** (2 - 2 * relative)))
    },
    assumptions=(not_collapsed_either,),
    quantities={
        ratio: Quantity(at=Computed(_ratio), route="roots of stationarity by proved signs, two-point spread"),
        margin_ce: configured("margin", UNSMOOTHED),
        margin_ls: configured("margin"),
        weights_ce: configured("weight_distance", UNSMOOTHED),
        weights_ls: configured("weight_distance"),
        distance_ce: configured("mean_distance", UNSMOOTHED),
        distance_ls: configured("mean_distance"),
    },
    relations=(
        asymptotic(
            ratio,
            (large - sp.log(large))
            * weights_ls
            / (weights_ce * (sp.log((2 - smoothing) / smoothing) + margin_ls))
            * (distance_ls / distance_ce) ** relative,
            nepers,
            rate=1.9,
            toward="infinity",
        ),
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
    derivation="derivations/small_noise.py",
    equivalent=dict.fromkeys(
        (
            *(f"constant-nudged-{i}" for i in range(2, 6)),
            "integer-shifted-2",
            "half-dropped-1",
            "term-dropped-12",
            "term-dropped-13",
        ),
        "a constant inside the outer logarithm changes only what is of higher order",
    ),
    notes="An explicit noise level below which cross-entropy dilates more: ordering-small-noise.",
)
