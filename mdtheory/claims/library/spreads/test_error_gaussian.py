"""The error rate of unseen clean examples with Gaussian spread, by integration of the density."""

import sympy as sp
from flint import acb, arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import dim
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

normalized = sp.Symbol("normalized", positive=True)
error = sp.Symbol("error", nonnegative=True)


def _error(dim: int, normalized: float) -> arb:
    """P(zeta > 1/(2 ND)) for variance 1/d: the integral of the density over a long interval, and a bound of the rest."""
    standard = arb(dim).sqrt() / (2 * arb(normalized))

    def density(z: acb, analytic: bool) -> acb:
        return (-z * z / 2).exp()

    far = standard + 40
    # The tail may be tiny: what counts is its relative accuracy.
    tail = acb.integral(density, acb(standard), acb(far), abs_tol=arb(2) ** -100_000).real
    rest = arb(0).union((-far * far / 2).exp() / far)
    return (tail + rest) / (2 * arb.pi()).sqrt()


CLAIM = Claim(
    id="test-error-gaussian",
    title="Error rate of unseen clean examples with Gaussian spread",
    statement=r"For Gaussian clean examples of covariance $I/d$, $d \geq 1$, the error rate is $\frac{1}{2} \mathrm{erfc}(\sqrt{d/2}\; /(2\,\mathrm{ND}))$.",
    source=Source("this project", "error rate from the normalised dilation"),
    variables={normalized: Interval(0.05, 50.0, log=True), dim: Integers(1, 64)},
    quantities={error: Quantity(at=_error, route="Arb integration of the density")},
    relations=(equal(error, sp.erfc(sp.sqrt(dim / sp.Integer(2)) / (2 * normalized)) / 2),),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "nonzero class means", "Gaussian spread"),
    derivation="derivations/test_error.py",
)
