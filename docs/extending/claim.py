"""A claim with a quantity: the optimal value of two classes under label smoothing is a binary entropy."""

import sympy as sp

import mdtheory as mdt
from mdtheory.claims import Claim, Interval, Quantity, Source, Verdict, equal
from mdtheory.claims.quantities import features_model, ufm_optimum

mu, alpha, value = sp.symbols("mu alpha value", positive=True)
w = alpha / 2 + sp.sqrt(2) * mu


def optimum(mu, alpha):
    """A ball around the optimal value, between bounds that the certificate of a convex solver's answer proves."""
    return ufm_optimum(features_model(mdt.CrossEntropy(alpha), 2, mu, mu))


CLAIM = Claim(
    id="value-of-two-smoothed-classes",
    title="Two classes, cross-entropy with label smoothing: the optimal value",
    statement=r"$V = -w \log w - (1 - w) \log(1 - w)$ with $w = \alpha/2 + \sqrt{2}\,\mu < 1/2$",
    source=Source("this page"),
    variables={mu: Interval(1e-3, 0.15, log=True), alpha: Interval(0.05, 0.5)},
    relations=(equal(value, -w * sp.log(w) - (1 - w) * sp.log(1 - w)),),
    quantities={value: Quantity(at=optimum, convex=True, route="convex solver, certificate in ball arithmetic")},
    expected=Verdict.SUPPORTED,
)
