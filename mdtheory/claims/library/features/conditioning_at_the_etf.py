"""Extreme curvatures and condition number of the classifier's Hessian at the balanced simplex solution."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.library.features._conditioning import spectrum
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

tau, rest, own, margin, condition, smallest = sp.symbols("tau q p a condition smallest", positive=True)


def _condition(num_classes: int, weight_decay: float, feature_decay: float, smoothing: float) -> arb:
    return spectrum(num_classes, weight_decay, feature_decay, smoothing).condition


def _smallest(num_classes: int, weight_decay: float, feature_decay: float, smoothing: float) -> arb:
    return spectrum(num_classes, weight_decay, feature_decay, smoothing).smallest


CLAIM = Claim(
    id="conditioning-at-the-etf",
    title="Condition number of the classifier's Hessian at the simplex solution",
    statement=(
        r"Balanced cross-entropy with smoothing, free features, no bias, at an optimum that is not zero ($\alpha + 2\sqrt{N}\mu < 1$): the regularised Hessian in $W$ has the condition number "
        r"$1 + p q a/\tau$, with $\tau = 2\mu/\sqrt{N}$, $q = \alpha/N + \tau$, $p = 1 - (N-1) q$ and the margin "
        r"$a = \log(p/q)$; its least eigenvalue is $2\lambda_W$."
    ),
    source=Source("this project", "eigenvalues of the Hessian at the simplex solution"),
    variables={
        num_classes: Integers(2, 4),
        weight_decay: Interval(1e-5, 0.1, log=True),
        feature_decay: Interval(1e-5, 0.1, log=True),
        smoothing: Interval(0.0, 0.9),
    },
    definitions={
        tau: 2 * mu / sp.sqrt(num_classes),
        rest: smoothing / num_classes + tau,
        own: 1 - (num_classes - 1) * rest,
        margin: sp.log(own / rest),
    },
    assumptions=(sp.Lt(num_classes * rest, 1),),
    quantities={
        condition: Quantity(at=_condition, route="explicit Hessian, eigenvalues by proved definiteness"),
        smallest: Quantity(at=_smallest, route="explicit Hessian, eigenvalues by proved definiteness"),
    },
    relations=(equal(condition, 1 + own * rest * margin / tau), equal(smallest, 2 * weight_decay)),
    expected=Verdict.SUPPORTED,
    most_samples=80,
    notes="Whether smoothing lowers the condition number: see label-smoothing-conditioning.",
)
