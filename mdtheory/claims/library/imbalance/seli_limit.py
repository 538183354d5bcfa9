"""Logits and value of cross-entropy as the decay vanishes: max-margin logits plus a constant, log-slow."""

from functools import lru_cache

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._field import (
    BY_NEWTON,
    majority,
    majority_proportion,
    minority,
    minority_proportion,
    share,
)
from mdtheory.claims.library._optima import Optimum
from mdtheory.claims.library._two_levels import Kind, TwoLevels
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import asymptotic

depth = sp.Symbol("depth", positive=True)
value, margin = sp.symbols("value margin", positive=True)
inside, beyond, between, max_margin = sp.symbols("ell_B ell_AB nu v", positive=True)
spread = sp.Symbol("S", real=True)
inside_majority = sp.Symbol("ell_A", nonnegative=True)
classes = majority + minority


@lru_cache(maxsize=10_000)
def _solved(majority: int, minority: int, share: float, depth: float) -> tuple[Optimum, arb]:
    """With ``2 mu = exp(-depth)``."""
    t = (-arb(depth)).exp()
    problem = TwoLevels(
        first=Kind(count=majority, proportion=arb(share) / majority),
        second=Kind(count=minority, proportion=(1 - arb(share)) / minority),
        nuclear=t,
    )
    return problem.solve(), t


def _value(majority: int, minority: int, share: float, depth: float) -> arb:
    solved, t = _solved(majority, minority, share, depth)
    return solved.value / t


def _margin(majority: int, minority: int, share: float, depth: float) -> arb:
    """Between two minority classes."""
    return _solved(majority, minority, share, depth)[0].point[1]


CLAIM = Claim(
    id="seli-limit",
    title="The small-decay limit is the max-margin solution, reached logarithmically slowly",
    statement=(
        r"Cross-entropy without smoothing, free features, no bias: as $t = 2\mu \to 0$, margins are $z_{kk} - z_{jk} = \log(1/t) - \log \ell_{jk} + o(1)$ with "
        r"$\ell = -((CPC)^+)^{1/2}$ off the diagonal, and the value is "
        r"$t\,[v(1 + \log(1/t)) - \sum_{j \neq k} p_k \ell_{jk} \log \ell_{jk} + o(1)]$, $v = \mathrm{tr}\,(CPC)^{1/2}$."
    ),
    source=Source(
        "thrampoulidis2022",
        "abstract: vanishing regularisation leads to the SELI geometry; the path as recalled, its constants: this project",
    ),
    variables={
        majority: Integers(2, 8),
        minority: Integers(2, 8),
        share: Interval(0.1, 0.9),
        depth: Interval(15.0, 40.0),
    },
    definitions={
        between: (majority_proportion * minority + minority_proportion * majority) / classes,
        inside_majority: 1 / (majority * sp.sqrt(majority_proportion))
        - minority / (majority * classes * sp.sqrt(between)),
        inside: 1 / (minority * sp.sqrt(minority_proportion)) - majority / (minority * classes * sp.sqrt(between)),
        beyond: 1 / (classes * sp.sqrt(between)),
        max_margin: (majority - 1) * sp.sqrt(majority_proportion)
        + (minority - 1) * sp.sqrt(minority_proportion)
        + sp.sqrt(between),
        spread: share * (majority - 1) * inside_majority * sp.log(inside_majority)
        + (share * minority + (1 - share) * majority) * beyond * sp.log(beyond)
        + (1 - share) * (minority - 1) * inside * sp.log(inside),
    },
    quantities={
        value: Quantity(at=_value, route=BY_NEWTON),
        margin: Quantity(at=_margin, rigorous=False, route=f"{BY_NEWTON}; the optimiser itself to 30 digits"),
    },
    relations=(
        asymptotic(value, max_margin * (1 + depth) - spread, depth, rate=2.0, toward="infinity"),
        asymptotic(margin, depth - sp.log(inside), depth, rate=2.0, toward="infinity"),
    ),
    expected=Verdict.SUPPORTED,
    most_samples=60,
    notes=(
        "Directions converge like 1/log(1/t) only: at practical decays the limit is not the solution. "
        "For the limit itself see seli-needs-no-step. Checked for two kinds of classes."
    ),
)
