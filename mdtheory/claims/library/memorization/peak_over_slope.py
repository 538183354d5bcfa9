"""The largest dilation over all memorization-dilation slopes, for cross-entropy without noisy decay."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import (
    BY_SIGNS,
    EITHER,
    VARIABLES,
    Case,
    configured,
    cross_entropy_not_collapsed_either,
    margin,
    nonnegative,
    relative,
    solved,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, feature_decay, noise, slope, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal
from mdtheory.models.dilation.balls import NoisyProblem
from mdtheory.numerics.ball_roots import positive_root

dilation, largest, cost_slope = sp.symbols("dilation largest cost_slope", positive=True)
noisy_margin = sp.Symbol("noisy_margin", real=True)


def _problem_at_peak(point: Mapping[str, Any]) -> NoisyProblem:
    """The problem with the slope at which w = t + s maximises w/(1 + e^(w-s))."""
    case = Case.at(point)
    problem = case.problem()
    classes = problem.classes
    most = (classes.margin - 1).exp().lambertw()

    def excess(bound: arb) -> arb:
        return bound * bound.sinh() / (classes.margin.cosh() + bound.cosh()) - 2 * problem.noise * most

    dilation = positive_root(excess) / (classes.weight_distance * case.zeta)
    slope = problem.noise * (1 + most) / classes.weight_distance * classes.mean_distance**problem.exponent / dilation
    return replace(problem, slope=slope)


def _dilation(point: Mapping[str, Any]) -> arb:
    return _problem_at_peak(point).solution().dilation


def _cost_slope(point: Mapping[str, Any]) -> arb:
    return Case.at(point).problem().force(_dilation(point))


def _noisy_margin(point: Mapping[str, Any]) -> arb:
    return _problem_at_peak(point).solution().noisy_margin


CLAIM = Claim(
    id="peak-over-slope",
    title="The largest dilation over all slopes, cross-entropy",
    statement=(
        r"For cross-entropy without smoothing, nonzero class means, free or nonnegative features, absolute or relative scaling, "
        r"unconstrained noisy features, $\lambda = 0$ and $\eta > 0$ the largest dilation over all slopes $C$ solves "
        r"$r F'(r) = 2 \eta W_0(e^{s-1})$; there $t = 1 - s + W_0(e^{s-1})$."
    ),
    source=Source("this project", "peak of the dilation over the slope"),
    variables={
        **{v: VARIABLES[v] for v in (weight_decay, feature_decay, noise, slope, dim)},
        nonnegative: EITHER,
        relative: EITHER,
    },
    assumptions=(cross_entropy_not_collapsed_either,),
    quantities={
        margin: configured("margin"),
        dilation: solved("dilation"),
        largest: Quantity(at=Computed(_dilation), route=f"{BY_SIGNS}, at the slope of the peak"),
        cost_slope: Quantity(at=Computed(_cost_slope), route="expectation over two points, in balls"),
        noisy_margin: Quantity(at=Computed(_noisy_margin), route=f"{BY_SIGNS}, at the same slope"),
    },
    relations=(
        at_most(dilation, largest),
        equal(largest * cost_slope, 2 * noise * sp.LambertW(sp.exp(margin - 1))),
        equal(1 + noisy_margin, 2 - margin + sp.LambertW(sp.exp(margin - 1))),
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
    notes="A slope at the very peak cannot be told from it; two-point spread.",
)
