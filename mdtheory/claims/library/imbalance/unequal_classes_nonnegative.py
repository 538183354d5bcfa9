"""Nonnegative features, any proportions: the classes decouple, against a general solver."""

import sympy as sp

from mdtheory.claims.domains import Proportions
from mdtheory.claims.library._features import MOST_OPTIMA, SOLVER_DECAY, cross_entropy, optimum, pi, smoothed_value
from mdtheory.claims.library._symbols import SMOOTHING, feature_decay, mu, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

CLASSES = sp.Integer(3)
shares = sp.symbols("pi_1:4", positive=True)
value = sp.Symbol("value", positive=True)
smoothed = (CLASSES - 1) * smoothing / CLASSES


def _value(share: sp.Symbol) -> sp.Expr:
    cost = 2 * mu * sp.sqrt((CLASSES - 1) / (CLASSES * share))
    return share * smoothed_value(smoothed + cost, 1 - smoothed, cost, CLASSES)


CLAIM = Claim(
    id="unequal-classes-nonnegative",
    title="Nonnegative features, any proportions: the classes decouple",
    statement=(
        r"Cross-entropy with smoothing, nonnegative features of dimension at least $N$, no bias: $z_n = s_n (e_n - 1/N)$ with $s_n = \log\max(1, (N-1)(1-e_n)/e_n)$, $e_n = (N-1)\alpha/N + \kappa_n$, "
        r"$\kappa_n = 2\mu\sqrt{(N-1)/(N\pi_n)}$; the value is $\sum_n \pi_n (f(s_n) + \kappa_n s_n)$ and the class means are orthogonal."
    ),
    source=Source(
        "dang2024", "abstract: orthogonal vectors with lengths by class size; closed form with smoothing: this project"
    ),
    variables={weight_decay: SOLVER_DECAY, feature_decay: SOLVER_DECAY, smoothing: SMOOTHING, pi: Proportions(3)},
    quantities={value: optimum(cross_entropy, nonnegative=True)},
    relations=(equal(value, sum(_value(share) for share in shares)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "nonnegative features", "no bias", "enough features"),
    derivation="derivations/unequal_weights_nonnegative.py",
    most_samples=MOST_OPTIMA,
    notes="Checked with three classes. With a bias it is false: see orthogonal-frame-with-bias.",
)
