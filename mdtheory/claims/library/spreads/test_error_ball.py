"""The error rate of unseen clean examples in a ball, by integration of the density."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import acb, arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

normalized = sp.Symbol("normalized", positive=True)
error, in_one, in_three, incomplete_beta = sp.symbols("error in_one in_three incomplete_beta", nonnegative=True)
at_one, at_three = sp.symbols("y_1 y_3", positive=True)


def _angle(dim: int, normalized: float) -> arb:
    """Where ``R sin(angle) = 1/(2 ND)``."""
    return (1 / (2 * arb(normalized)) / ((arb(dim) + 2) / dim).sqrt()).min(arb(1)).asin()


def _error_in(dimension: int | None = None) -> Computed:
    """P(zeta > 1/(2 ND)), zeta = R sin(angle); slices of the ball have volume cos(angle)^(d-1) times cos(angle)."""

    def at(point: Mapping[str, Any]) -> arb:
        d = point["dim"] if dimension is None else dimension
        tail = acb.integral(lambda x, _: x.cos() ** d, acb(_angle(d, point["normalized"])), acb.pi() / 2).real
        return tail / (2 * acb.integral(lambda x, _: x.cos() ** d, acb(0), acb.pi() / 2).real)

    return Computed(at)


def _incomplete_beta(dim: int, normalized: float) -> arb:
    """I_{1-(x/R)^2}((d+1)/2, 1/2), regularised."""
    x = (1 / (2 * arb(normalized)) / ((arb(dim) + 2) / dim).sqrt()).min(arb(1))
    return (1 - x**2).beta_lower((arb(dim) + 1) / 2, arb(1) / 2, regularized=True)


CLAIM = Claim(
    id="test-error-ball",
    title="Error rate of unseen clean examples in a ball",
    statement=(
        r"For clean examples uniform in a ball of radius $R = \sqrt{(d+2)/d}$ and $y = \min(1, 1/(2R\,\mathrm{ND}))$ the error rate "
        r"is $\frac{1}{2} I_{1-y^2}(\frac{d+1}{2}, \frac{1}{2})$; for $d = 1$, $(1-y)/2$, and for $d = 3$, $(1-y)^2(2+y)/4$."
    ),
    source=Source("this project", "error rate from the normalised dilation"),
    variables={normalized: Interval(0.1, 50.0, log=True), dim: Integers(1, 64)},
    quantities={
        error: Quantity(at=_error_in(), route="Arb integration of the density"),
        in_one: Quantity(at=_error_in(1), route="Arb integration of the density"),
        in_three: Quantity(at=_error_in(3), route="Arb integration of the density"),
        incomplete_beta: Quantity(at=_incomplete_beta, route="hypergeometric series"),
    },
    definitions={
        at_one: sp.Min(1, 1 / (2 * sp.sqrt(3) * normalized)),
        at_three: sp.Min(1, sp.sqrt(sp.Rational(3, 5)) / (2 * normalized)),
    },
    relations=(
        # One is added: below the radius both sides are zero.
        equal(1 + error, 1 + incomplete_beta / 2),
        equal(1 + in_one, 1 + (1 - at_one) / 2),
        equal(1 + in_three, 1 + (1 - at_three) ** 2 * (2 + at_three) / 4),
    ),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "nonzero class means", "spread in a ball"),
    derivation="derivations/test_error.py",
    equivalent={"constant-nudged-18": "where the minimum is one, the other factor vanishes"},
)
