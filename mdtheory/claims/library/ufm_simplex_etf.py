"""The optimal value of balanced cross-entropy with free features: the closed form against a general solver."""

import sympy as sp

from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    SOLVER_VARIABLES,
    balanced_value,
    cross_entropy,
    free_cost,
    optimum,
)
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

value = sp.Symbol("value", positive=True)

CLAIM = Claim(
    id="ufm-simplex-etf",
    title="Balanced classes, free features: the optimum is a simplex equiangular tight frame",
    statement=(
        r"With $\kappa = 2(N-1)\mu/\sqrt{N}$ and $e = (N-1)\alpha/N + \kappa$ the optimal value is "
        r"$\log(e^s + N - 1) + (\kappa - 1 + (N-1)\alpha/N)\, s$ at the margin $s = \log\max(1, (N-1)(1-e)/e)$, "
        r"attained by a simplex equiangular tight frame."
    ),
    source=Source(
        "zhou2022",
        "abstract: neural collapse solutions are the only global minimisers for label smoothing; the value: this project",
    ),
    variables=SOLVER_VARIABLES,
    quantities={value: optimum(cross_entropy)},
    relations=(equal(value, balanced_value(free_cost)),),
    expected=Verdict.PROVED,
    derivation="derivations/balanced_free.py",
    most_samples=MOST_OPTIMA,
)
