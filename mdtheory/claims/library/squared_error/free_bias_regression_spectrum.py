"""Squared error with an unregularised bias: which singular values weight decay shrinks."""

from collections.abc import Sequence

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._field import nuclear, pi, pi_1, pi_2, pi_3
from mdtheory.claims.library._matrices import eigenvalues
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import features_model, ufm_optimum
from mdtheory.claims.relation import equal
from mdtheory.losses import MeanSquaredError

optimum, first, second, q_1, q_2, q_3 = sp.symbols("optimum x_1 x_2 q_1 q_2 q_3", positive=True)
total = pi_1 + pi_2 + pi_3


def _spectrum(pi: Sequence[float]) -> list[arb]:
    """Eigenvalues of diag(p) - p p', for proportions that sum to one exactly."""
    p = [arb(share) for share in pi]
    scale = sum(p, arb(0))
    p = [share / scale for share in p]
    return eigenvalues([[(p[i] if i == j else 0) - p[i] * p[j] for j in range(len(p))] for i in range(len(p))])


def _first(pi: tuple[float, ...]) -> arb:
    return _spectrum(pi)[2]


def _second(pi: tuple[float, ...]) -> arb:
    return _spectrum(pi)[1]


def _optimum(pi: tuple[float, ...], weight_decay: float, feature_decay: float) -> arb:
    problem = features_model(MeanSquaredError(), 3, weight_decay, feature_decay, class_weights=pi, bias=True)
    return ufm_optimum(problem)


CLAIM = Claim(
    id="free-bias-regression-spectrum",
    title="The spectrum of squared error with a free bias",
    statement=(
        r"Squared error $\frac{1}{2} \Vert z - y \Vert^2$, free features of dimension $N - 1$ at least: with an "
        r"unregularised bias, one-hot labels and distinct proportions the squared singular values of the optimal "
        r"weighted logits before shrinking are the $N - 1$ roots $x_i$ of $\sum_k p_k/(p_k - x) = 0$, and the optimal "
        r"value is $\frac{1}{2} \sum_i [x_i - (\sqrt{x_i} - 2\mu)_+^2]$."
    ),
    source=Source("this project", "spectrum of one-hot labels with a bias"),
    variables={
        pi: Proportions(3, smallest=0.01),
        weight_decay: Interval(1e-3, 0.3, log=True),
        feature_decay: Interval(1e-3, 0.3, log=True),
    },
    assumptions=(sp.Gt(pi_1, pi_2), sp.Gt(pi_2, pi_3)),
    definitions={q_1: pi_1 / total, q_2: pi_2 / total, q_3: pi_3 / total},
    quantities={
        first: Quantity(at=_first, route="eigenvalue in balls"),
        second: Quantity(at=_second, route="eigenvalue in balls"),
        optimum: Quantity(at=_optimum, convex=True, route="certified optimum of the general solver"),
    },
    relations=(
        equal(q_1 / (q_1 - first), q_2 / (first - q_2) + q_3 / (first - q_3)),
        equal(q_1 / (q_1 - second) + q_2 / (q_2 - second), q_3 / (second - q_3)),
        equal(2 * optimum, sum(x - sp.Max(sp.sqrt(x) - nuclear, 0) ** 2 for x in (first, second))),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "one-hot labels", "free features", "enough features", "unregularised bias"),
    derivation="derivations/label_matrix_regression.py",
    most_samples=20,
)
