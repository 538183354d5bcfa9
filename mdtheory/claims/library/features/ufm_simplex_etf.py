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
        r"Cross-entropy with smoothing $\alpha$, $N$ balanced classes, free features of dimension $N - 1$ at least: "
        r"with $\kappa = 2(N-1)\mu/\sqrt{N}$ and $e = (N-1)\alpha/N + \kappa$ the optimal value is $\log(e^s + N - 1) "
        r"+ (\kappa - 1 + (N-1)\alpha/N)\, s$ at the margin $s = \log\max(1, (N-1)(1-e)/e)$, attained by a simplex "
        r"equiangular tight frame, which is a point if $s = 0$."
    ),
    source=Source(
        "zhou2022",
        "abstract: neural collapse solutions are the only global minimisers for label smoothing; the value: this project",
    ),
    variables=SOLVER_VARIABLES,
    quantities={value: optimum(cross_entropy)},
    relations=(equal(value, balanced_value(free_cost)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "free features", "enough features"),
    derivation="derivations/balanced_free.py",
    most_samples=MOST_OPTIMA,
)
