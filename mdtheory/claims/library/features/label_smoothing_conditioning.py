"""False: label smoothing lowers the condition number of the classifier's Hessian."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.library.features._conditioning import spectrum
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most

smoothed, plain = sp.symbols("smoothed plain", positive=True)


def _smoothed(num_classes: int, weight_decay: float, feature_decay: float, smoothing: float) -> arb:
    return spectrum(num_classes, weight_decay, feature_decay, smoothing).condition


def _plain(num_classes: int, weight_decay: float, feature_decay: float) -> arb:
    return spectrum(num_classes, weight_decay, feature_decay, 0.0).condition


CLAIM = Claim(
    id="label-smoothing-conditioning",
    title="Label smoothing lowers the condition number (false)",
    statement=(
        r"At the optimum, the regularised Hessian in $W$ of cross-entropy with smoothing $\alpha$ has a condition number at "
        r"most that of plain cross-entropy. False: at small decay smoothing raises it."
    ),
    source=Source(
        "guo2024", "abstract: lower conditioning number under label smoothing; the definition there may differ"
    ),
    variables={
        num_classes: Integers(2, 4),
        weight_decay: Interval(1e-5, 0.1, log=True),
        feature_decay: Interval(1e-5, 0.1, log=True),
        smoothing: Interval(0.01, 0.9),
    },
    assumptions=(sp.Lt(smoothing + 2 * sp.sqrt(num_classes) * mu, 1),),
    quantities={
        smoothed: Quantity(at=_smoothed, route="explicit Hessian, eigenvalues by proved definiteness"),
        plain: Quantity(at=_plain, route="explicit Hessian, eigenvalues by proved definiteness"),
    },
    relations=(at_most(smoothed, plain),),
    expected=Verdict.REFUTED,
    counterexample={"num_classes": 4, "weight_decay": 0.001, "feature_decay": 0.001, "smoothing": 0.1},
    most_samples=60,
    notes="The exact value is in conditioning-at-the-etf. Ratios of curvatures within the data term do fall with smoothing.",
)
