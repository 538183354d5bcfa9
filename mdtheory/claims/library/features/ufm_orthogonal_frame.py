"""The optimal value of balanced cross-entropy with nonnegative features: the closed form against a general solver."""

import sympy as sp

from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    SOLVER_VARIABLES,
    balanced_value,
    cross_entropy,
    nonnegative_cost,
    optimum,
)
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

value = sp.Symbol("value", positive=True)

CLAIM = Claim(
    id="ufm-orthogonal-frame",
    title="Balanced classes, nonnegative features: the class means are an orthogonal frame",
    statement=(
        r"Cross-entropy with smoothing $\alpha$, $N$ balanced classes, nonnegative features of dimension $N$ at "
        r"least: with $\kappa = 2\sqrt{N-1}\,\mu$ and $e = (N-1)\alpha/N + \kappa$ the optimal value is $\log(e^s + N "
        r"- 1) + (\kappa - 1 + (N-1)\alpha/N)\, s$ at the margin $s = \log\max(1, (N-1)(1-e)/e)$, attained by "
        r"orthogonal class means of equal length, which is zero if $s = 0$."
    ),
    source=Source(
        "nguyen2023",
        "abstract: layer-peeled model with positive features; the orthogonal frame as recalled; its value: this project",
    ),
    variables=SOLVER_VARIABLES,
    quantities={value: optimum(cross_entropy, nonnegative=True)},
    relations=(equal(value, balanced_value(nonnegative_cost)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "nonnegative features", "enough features"),
    derivation="derivations/balanced_nonnegative.py",
    most_samples=MOST_OPTIMA,
)
