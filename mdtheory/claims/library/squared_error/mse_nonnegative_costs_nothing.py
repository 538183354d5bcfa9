"""Squared error without a bias: nonnegative features reach the optimum of free ones."""

import sympy as sp

from mdtheory.claims.domains import Proportions
from mdtheory.claims.library._features import SOLVER_DECAY, Values, optimum, pi, squared_error
from mdtheory.claims.library._symbols import SMOOTHING, feature_decay, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

free, nonnegative = sp.symbols("free nonnegative", nonnegative=True)
of_four, nonnegative_of_four = sp.symbols("of_four nonnegative_of_four", nonnegative=True)
of_six, nonnegative_of_six = sp.symbols("of_six nonnegative_of_six", nonnegative=True)
shares = sp.Symbol("shares")


def _four(point: Values) -> tuple[float, ...]:
    return tuple(point["shares"])


def _balanced(point: Values) -> tuple[float, ...]:
    return (1 / 6,) * 6


CLAIM = Claim(
    id="mse-nonnegative-costs-nothing",
    title="Squared error without a bias: asking for nonnegative features costs nothing",
    statement=(
        r"Squared error, smoothed one-hot labels, no bias, features of dimension at least $N$: with $N \leq 4$ classes of any "
        r"proportions free and nonnegative features have the same optimal value; for balanced classes or $\alpha = 0$ with any $N$."
    ),
    source=Source("this project", "squared error: when nonnegativity is free"),
    variables={
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: SMOOTHING,
        pi: Proportions(3),
        shares: Proportions(4),
    },
    quantities={
        free: optimum(squared_error),
        nonnegative: optimum(squared_error, nonnegative=True),
        of_four: optimum(squared_error, classes=4, weights=_four),
        nonnegative_of_four: optimum(squared_error, nonnegative=True, classes=4, weights=_four),
        of_six: optimum(squared_error, classes=6, weights=_balanced),
        nonnegative_of_six: optimum(squared_error, nonnegative=True, classes=6, weights=_balanced),
    },
    relations=(
        equal(nonnegative, free),
        equal(nonnegative_of_four, of_four),
        equal(nonnegative_of_six, of_six),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "one-hot labels", "no bias", "enough features"),
    derivation="derivations/squared_loss.py",
    most_samples=6,
    notes="Checked with three and four classes, and with six balanced ones. For unbalanced smoothed labels and five or more classes it is open.",
)
