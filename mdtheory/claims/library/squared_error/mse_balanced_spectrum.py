"""Squared error without a bias, balanced: two thresholded eigenvalues, and the angle between class means."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._features import MOST_OPTIMA, SOLVER_VARIABLES, optimum, squared_error, squared_error_logit
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

value, own, other = sp.symbols("value own other", nonnegative=True)
spread, common = sp.symbols("spread common", nonnegative=True)


def _logit(row: int) -> Quantity:
    return Quantity(at=Computed(squared_error_logit(row, 0)), route="certified logits, error from strong convexity")


CLAIM = Claim(
    id="mse-balanced-spectrum",
    title="Squared error without a bias, balanced classes: spectrum and angle of the class means",
    statement=(
        r"Squared error, balanced classes with smoothed labels, no bias, free or nonnegative features of dimension at least $N$: $Z = A (I - J/N) + B J/N$ with $A = (1 - \alpha - 2\sqrt{N}\mu)_+$, $B = (1 - 2\sqrt{N}\mu)_+$, so class "
        r"means have the cosine $(B - A)/(B + (N-1)A)$ where $B > 0$."
    ),
    source=Source("this project", "squared error, balanced classes without a bias"),
    variables={
        **SOLVER_VARIABLES,
        weight_decay: Interval(1e-3, 0.3, log=True),
        feature_decay: Interval(1e-3, 0.3, log=True),
    },
    definitions={
        spread: sp.Max(0, 1 - smoothing - 2 * sp.sqrt(num_classes) * mu),
        common: sp.Max(0, 1 - 2 * sp.sqrt(num_classes) * mu),
    },
    quantities={
        value: optimum(squared_error),
        own: _logit(0),
        other: _logit(1),
    },
    relations=(
        equal(
            value,
            ((num_classes - 1) * (1 - smoothing - spread) ** 2 + (1 - common) ** 2) / (2 * num_classes)
            + 2 * mu / sp.sqrt(num_classes) * ((num_classes - 1) * spread + common),
        ),
        equal(1 + own, 1 + (common + (num_classes - 1) * spread) / num_classes),
        equal(1 + other, 1 + (common - spread) / num_classes),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "one-hot labels", "balanced classes", "no bias", "enough features"),
    derivation="derivations/squared_loss.py",
    resolution=1e-2,
    most_samples=MOST_OPTIMA,
    notes=(
        "The means are orthogonal exactly without smoothing, and coincide where A = 0 < B. The logits are "
        "compared to two digits: a gap in value leaves them uncertain by its square root."
    ),
)
