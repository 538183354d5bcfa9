"""Squared error without a bias: nonnegative features reach the optimum of free ones."""

import sympy as sp

from mdtheory.claims.domains import Proportions
from mdtheory.claims.library._features import SOLVER_DECAY, optimum, pi, squared_error
from mdtheory.claims.library._symbols import SMOOTHING, feature_decay, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

free, nonnegative = sp.symbols("free nonnegative", nonnegative=True)

CLAIM = Claim(
    id="mse-nonnegative-costs-nothing",
    title="Squared error without a bias: asking for nonnegative features costs nothing",
    statement=(
        r"Squared error, smoothed one-hot labels, no bias, features of dimension at least $N$: with $N \leq 4$ classes of any "
        r"proportions free and nonnegative features have the same optimal value; for balanced classes or $\alpha = 0$ with any $N$."
    ),
    source=Source("this project", "squared error: when nonnegativity is free"),
    variables={weight_decay: SOLVER_DECAY, feature_decay: SOLVER_DECAY, smoothing: SMOOTHING, pi: Proportions(3)},
    quantities={
        free: optimum(squared_error),
        nonnegative: optimum(squared_error, nonnegative=True),
    },
    relations=(equal(nonnegative, free),),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "one-hot labels", "no bias", "enough features"),
    derivation="derivations/squared_loss.py",
    most_samples=10,
    notes="Checked with three classes. For unbalanced smoothed labels and five or more classes it is open.",
)
