"""The squared hinge: margin in both settings, and the optimal value."""

import sympy as sp
from flint import arb

from mdtheory.claims.library._features import (
    HINGE_VARIABLES,
    free_cost,
    least_value,
    margin_quantity,
    nonnegative_cost,
    squared_hinge_pull,
)
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

free, nonnegative = sp.symbols("free nonnegative", nonnegative=True)
value, cost = sp.symbols("value cost", positive=True)

CLAIM = Claim(
    id="margin-squared-hinge",
    title="Squared hinge: margin and optimal value, balanced classes",
    statement=(
        r"Squared hinge, balanced classes: the optimal margin is $(1 - \kappa)_+$, with value $k - k^2/2$, $k = "
        r"\min(1, \kappa)$; $\kappa = 2(N-1)\mu/\sqrt{N}$ for free features of dimension $N - 1$ at least and "
        r"$2\sqrt{N-1}\,\mu$ for nonnegative ones of dimension $N$ at least."
    ),
    source=Source("this project", "closed form of the balanced features model"),
    variables=HINGE_VARIABLES,
    definitions={cost: sp.Min(1, free_cost)},
    quantities={
        free: margin_quantity(squared_hinge_pull, nonnegative=False, high=3),
        nonnegative: margin_quantity(squared_hinge_pull, nonnegative=True, high=3),
        value: least_value(squared_hinge_pull, lambda s: (1 - s).max(arb(0)) ** 2 / 2, nonnegative=False),
    },
    relations=(
        equal(free, sp.Max(0, 1 - free_cost)),
        equal(nonnegative, sp.Max(0, 1 - nonnegative_cost)),
        equal(value, cost - cost**2 / 2),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared hinge", "one-hot labels", "balanced classes", "enough features"),
    derivation="derivations/margin_equations.py",
)
