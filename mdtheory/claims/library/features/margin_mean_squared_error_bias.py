"""Squared error with a bias that is not regularised: margin in both settings, and the optimal values."""

import sympy as sp

from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    SOLVER_VARIABLES,
    free_cost,
    margin_quantity,
    optimum,
    squared_error,
    squared_error_pull,
)
from mdtheory.claims.library._symbols import mu, num_classes, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

margin, nonnegative_margin = sp.symbols("margin nonnegative_margin", nonnegative=True)
value, nonnegative_value = sp.symbols("value nonnegative_value", nonnegative=True)
s, s_nonnegative = sp.symbols("s s_nonnegative", nonnegative=True)
share = (num_classes - 1) / num_classes


def _value(at: sp.Expr, cost: sp.Expr) -> sp.Expr:
    return share * (1 - smoothing - at) ** 2 / 2 + cost * at


CLAIM = Claim(
    id="margin-mean-squared-error-bias",
    title="Squared error with a bias: margin and optimal value, balanced classes",
    statement=(
        r"Squared error, balanced classes with smoothed labels, features of dimension at least $N$, unregularised bias: the optimal margin is "
        r"$s = (1 - \alpha - 2\sqrt{N}\mu)_+$ for free features, and $(1 - \alpha - 2N\mu/\sqrt{N-1})_+$ for nonnegative ones, where "
        r"for $N = 2$ it is the mean of the two margins that is determined; with $\kappa$ the cost of a margin the value is "
        r"$\frac{N-1}{2N} (1 - \alpha - s)^2 + \kappa s$."
    ),
    source=Source("this project", "closed form of the balanced features model, squared error"),
    variables=SOLVER_VARIABLES,
    definitions={
        s: sp.Max(0, 1 - smoothing - 2 * sp.sqrt(num_classes) * mu),
        s_nonnegative: sp.Max(0, 1 - smoothing - 2 * num_classes * mu / sp.sqrt(num_classes - 1)),
    },
    quantities={
        margin: margin_quantity(squared_error_pull, nonnegative=False, high=3),
        nonnegative_margin: margin_quantity(squared_error_pull, nonnegative=True, high=3),
        value: optimum(squared_error, bias=True),
    },
    relations=(
        equal(margin, s),
        equal(nonnegative_margin, s_nonnegative),
        equal(value, _value(s, free_cost)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "one-hot labels", "balanced classes", "unregularised bias", "enough features"),
    derivation="derivations/squared_loss.py",
    most_samples=MOST_OPTIMA,
)
