"""The error rate of unseen clean examples on the sphere, by integration of the density."""

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
error, in_three, in_five, incomplete_beta = sp.symbols("error in_three in_five incomplete_beta", nonnegative=True)
threshold = sp.Symbol("threshold", positive=True)


def _error(dimension: int, normalized: float) -> arb:
    """P(zeta > 1/(2 ND)), zeta = sin(angle) with density proportional to cos(angle)^(d-2)."""
    x = (1 / (2 * arb(normalized))).min(arb(1))

    def density(angle: acb, analytic: bool) -> acb:
        return angle.cos() ** (dimension - 2)

    half = arb(dimension) / 2
    norm = half.gamma() / (arb.pi().sqrt() * (half - arb(1) / 2).gamma())
    # The tail may be tiny: what counts is its relative accuracy.
    return norm * acb.integral(density, acb(x.asin()), acb.pi() / 2, abs_tol=arb(2) ** -1000).real


def _error_in(dimension: int | None = None) -> Computed:
    """The error rate, in the dimension of the point or a fixed one."""

    def at(point: Mapping[str, Any]) -> arb:
        return _error(point["dim"] if dimension is None else dimension, point["normalized"])

    return Computed(at)


def _incomplete_beta(dim: int, normalized: float) -> arb:
    """I_{1-x^2}((d-1)/2, 1/2), regularised."""
    x = (1 / (2 * arb(normalized))).min(arb(1))
    return (1 - x**2).beta_lower((arb(dim) - 1) / 2, arb(1) / 2, regularized=True)


CLAIM = Claim(
    id="test-error-sphere",
    title="Error rate of unseen clean examples on the sphere",
    statement=(
        r"For clean examples uniform on the unit sphere of dimension $d \geq 2$ and $x = \min(1, 1/(2\,\mathrm{ND}))$ the error rate is $\frac{1}{2} I_{1-x^2}(\frac{d-1}{2}, \frac{1}{2})$: "
        r"$(1-x)/2$ for $d = 3$ and $(1-x)^2 (2+x)/4$ for $d = 5$."
    ),
    source=Source("this project", "error rate from the normalised dilation"),
    variables={normalized: Interval(0.1, 50.0, log=True), dim: Integers(2, 64)},
    definitions={threshold: sp.Min(1, 1 / (2 * normalized))},
    quantities={
        error: Quantity(at=_error_in(), route="Arb integration of the density"),
        in_three: Quantity(at=_error_in(3), route="Arb integration of the density"),
        in_five: Quantity(at=_error_in(5), route="Arb integration of the density"),
        incomplete_beta: Quantity(at=_incomplete_beta, route="hypergeometric series"),
    },
    relations=(
        # One is added: up to ND = 1/2 both sides are zero.
        equal(1 + error, 1 + incomplete_beta / 2),
        equal(1 + in_three, 1 + (1 - threshold) / 2),
        equal(1 + in_five, 1 + (1 - threshold) ** 2 * (2 + threshold) / 4),
    ),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "nonzero class means", "spread on a sphere"),
    derivation="derivations/test_error.py",
    equivalent={"constant-nudged-16": "where the minimum is one, the other factor vanishes"},
)
