"""The function that decides the order at equal decays has one peak, and its height is known."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal
from mdtheory.numerics.ball_roots import root

rest = sp.Symbol("rest", positive=True)
margin, largest = sp.symbols("margin largest", positive=True)


def _margin() -> arb:
    return root(lambda s: s * (s / 2).tanh() - 1, arb(1), arb(2))


def _height(e: arb) -> arb:
    return e * (1 - e) * ((1 - e) / e).log()


def _largest() -> arb:
    return _height(1 / (1 + _margin().exp()))


def _decide(rest: arb) -> bool | None:
    """Beyond one half h <= 0; below, concave between here and the peak, where the slope vanishes."""
    peak = 1 / (1 + _margin().exp())
    if rest > arb(1) / 2:
        return True
    between = rest.union(peak)
    second = -2 * ((1 - between) / between).log() - (1 - 2 * between) / (between * (1 - between))
    if second < 0:
        return True
    return True if _height(rest) < _height(peak) else None


CLAIM = Claim(
    id="equal-decay-boundary-peak",
    title="The function that decides the order at equal decays has its peak at margin 1.5434",
    statement=(
        r"For $e \in [10^{-6}, .999]$, $h(e) = e(1-e)\log((1-e)/e) \leq (s - 1/s)/4$, attained at $e = 1/(1+e^s)$, where $s \tanh(s/2) = 1$: "
        r"$h \leq .223872$ at $e = .176041$, $s = 1.543405$."
    ),
    source=Source("this project", "boundary of the order at equal decays"),
    variables={rest: Interval(1e-6, 0.999)},
    quantities={
        margin: Quantity(at=lambda: _margin(), route="root of an increasing function, by proved signs"),
        largest: Quantity(at=lambda: _largest(), route="value at that root"),
    },
    relations=(
        at_most(rest * (1 - rest) * sp.log((1 - rest) / rest), largest),
        equal(largest, (margin - 1 / margin) / 4),
    ),
    expected=Verdict.CERTIFIED,
    box=Box(sides={"rest": ("0.000001", "0.999")}, log=("rest",), decide=_decide),
)
