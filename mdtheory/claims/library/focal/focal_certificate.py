"""Where the margin is large enough a tangent bound by cross-entropy makes the focal closed form globally optimal."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._focal import FOCUSING, SERIES, focusing, transform
from mdtheory.claims.library._points import Computed
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal
from mdtheory.numerics.ball_roots import root

p = sp.Symbol("p", positive=True)
stretch = sp.Symbol("stretch", positive=True)
tangent_point, slope = sp.symbols("tangent_point slope", positive=True)
at_tangent, first, reached = sp.symbols("at_tangent first reached", positive=True)
gain, run = sp.symbols("gain run", real=True)


def _at_tangent(index: int) -> Quantity:
    def at(point: Mapping[str, Any]) -> arb:
        return transform(arb(point["focusing"]), -arb(point["p"]).log())[index]

    return Quantity(at=Computed(at), route=SERIES)


def _run(point: Mapping[str, Any]) -> arb:
    return -arb(point["p"]).log() * (arb(point["stretch"]) - 1)


def _gain(point: Mapping[str, Any]) -> arb:
    """The difference of the losses at the other point and at the point of the tangent."""
    gamma, x = arb(point["focusing"]), -arb(point["p"]).log()
    return transform(gamma, x * arb(point["stretch"]))[0] - transform(gamma, x)[0]


def _first(point: Mapping[str, Any]) -> arb:
    """The cross-entropy at which the slope first reaches 1, for focusing 1."""
    return root(lambda x: transform(arb(1), x)[1] - 1, arb("0.001"), arb("1.5"))


CLAIM = Claim(
    id="focal-certificate",
    title="A tangent bound by cross-entropy certifies focal loss where the margin is large",
    statement=(
        r"Focal loss is $\Psi(x) = x (1 - e^{-x})^\gamma$ of cross-entropy $x = -\log p$. Where "
        r"$\Psi\prime(x_0) = (1-p)^{\gamma-1} (1 - p - \gamma p \log p) \leq 1$, its tangent at $x_0$ lies below it on "
        r"$[0, \infty)$; for $\gamma = 1$ that is $p \geq 1/e$."
    ),
    source=Source("this project", "certificate of global optimality for focal loss"),
    variables={focusing: FOCUSING, p: Interval(0.005, 0.995), stretch: Interval(1e-2, 1e2, log=True)},
    definitions={
        tangent_point: -sp.log(p),
        slope: (1 - p) ** (focusing - 1) * (1 - p - focusing * p * sp.log(p)),
    },
    assumptions=(sp.Le(slope, 1),),
    quantities={
        at_tangent: _at_tangent(0),
        first: _at_tangent(1),
        gain: Quantity(at=Computed(_gain), route=SERIES),
        run: Quantity(at=Computed(_run), route="distance to the point of the tangent"),
        reached: Quantity(at=Computed(_first), route="root by proved signs"),
    },
    relations=(
        equal(first, slope),
        equal(at_tangent, tangent_point * (1 - p) ** focusing),
        equal(reached, 1),
        at_least(gain, first * run),
    ),
    expected=Verdict.PROVED,
    hypotheses=("focal loss",),
    derivation="derivations/focal_certificate.py",
    notes=(
        "Then the focal objective is at least a constant plus the slope times a cross-entropy objective whose minimum is "
        "known, and both agree at the margin of the focal loss."
    ),
)
