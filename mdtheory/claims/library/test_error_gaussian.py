"""The error rate of unseen clean examples with Gaussian spread, by integration of the density."""

import sympy as sp
from flint import acb, arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import DIM, dim
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

normalized = sp.Symbol("normalized", positive=True)
error = sp.Symbol("error", nonnegative=True)


def _error(dim: int, normalized: float) -> arb:
    """P(zeta > 1/(2 ND)) for variance 1/d: one half minus the integral of the density from zero."""
    standard = arb(dim).sqrt() / (2 * arb(normalized))

    def density(z: acb, analytic: bool) -> acb:
        return (-z * z / 2).exp()

    return arb(1) / 2 - acb.integral(density, acb(0), acb(standard)).real / (2 * arb.pi()).sqrt()


CLAIM = Claim(
    id="test-error-gaussian",
    title="Error rate of unseen clean examples with Gaussian spread",
    statement=r"For covariance $I/d$ the error rate is $\frac{1}{2} \mathrm{erfc}(\sqrt{d/2}\; /(2\,\mathrm{ND}))$.",
    source=Source("this project", "error rate from the normalised dilation"),
    variables={normalized: Interval(0.3, 50.0, log=True), dim: DIM},
    quantities={error: Quantity(at=_error, route="Arb integration of the density")},
    relations=(equal(error, sp.erfc(sp.sqrt(dim / sp.Integer(2)) / (2 * normalized)) / 2),),
    expected=Verdict.PROVED,
    derivation="derivations/test_error.py",
)
