"""The error rate of unseen clean examples with two-point spread, by counting."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import dim
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.foundation.errors import AssumptionError

normalized = sp.Symbol("normalized", positive=True)
error = sp.Symbol("error", nonnegative=True)


def _error(normalized: float, dim: int) -> arb:
    """The share of the two examples ``h_1 + r xi`` that are nearer to h_2, with D = 1 and r = ND."""
    wrong = 0
    for sign in (1, -1):
        position = sign * arb(normalized) / arb(dim).sqrt()  # towards the own side of h_1 = 0; h_2 = -1
        nearer = abs(position + 1) - abs(position)
        # An example halfway is not misclassified: with D = 1 that is ND = sqrt(d)/2, exact in floats for square d only.
        if position == arb(-1) / 2:
            continue
        if not (nearer < 0 or nearer > 0):
            raise AssumptionError("normalized: the example is not provably on one side")
        wrong += bool(nearer < 0)
    return arb(wrong) / 2


CLAIM = Claim(
    id="test-error-two-point",
    title="Error rate of unseen clean examples with two-point spread",
    statement=r"For $\zeta = \pm 1/\sqrt{d}$ the error rate is 1/2 if $\mathrm{ND} > \sqrt{d}/2$, and 0 if $\mathrm{ND} \leq \sqrt{d}/2$.",
    source=Source("this project", "error rate from the normalised dilation"),
    variables={normalized: Interval(0.1, 10.0, log=True), dim: Integers(1, 32)},
    quantities={error: Quantity(at=_error, route="counting of the examples nearer to the other class mean")},
    relations=(equal(1 + error, 1 + sp.Piecewise((sp.Rational(1, 2), 2 * normalized > sp.sqrt(dim)), (0, True))),),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "nonzero class means", "two-point spread"),
    derivation="derivations/test_error.py",
)
