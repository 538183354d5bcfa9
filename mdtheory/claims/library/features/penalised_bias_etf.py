"""Squared error with a penalised bias: how small the penalty must be for an exact simplex frame."""

from functools import lru_cache

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._matrices import solve_linear
from mdtheory.claims.library._symbols import feature_decay, mu, num_classes, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

bias_decay, factor, shrinkage = sp.symbols("bias_decay factor u", positive=True)
own, mean, pull, level = sp.symbols("own mean pull level", real=True)


@lru_cache(maxsize=10_000)
def _stationary(
    n: int, weight_decay: float, feature_decay: float, bias_decay: float, factor: float, bits: int
) -> tuple[arb, arb]:
    """``z_11 - z_12`` and ``1'Z1/N`` where all gradients vanish, on the branch of positive definite Z.

    There the gradient of the nuclear norm is I. Unknowns are all entries of Z, then those of b.
    """
    c, slope = arb(factor), 2 * (arb(weight_decay) * arb(feature_decay) / n).sqrt()
    rows, right = [], []
    for i in range(n):
        for j in range(n):
            row = [arb(0)] * (n * n + n)
            row[i * n + j] = row[n * n + i] = 2 * c / n
            rows.append(row)
            right.append((2 * c / n - slope) if i == j else arb(0))
    for i in range(n):
        row = [2 * c / n if column // n == i else arb(0) for column in range(n * n)]
        row += [2 * c + 2 * arb(bias_decay) if k == i else arb(0) for k in range(n)]
        rows.append(row)
        right.append(2 * c / n)
    found = solve_linear(rows, right)
    return found[0] - found[1], sum(found[: n * n], arb(0)) / n


def _own(num_classes: int, weight_decay: float, feature_decay: float, bias_decay: float, factor: float) -> arb:
    return _stationary(num_classes, weight_decay, feature_decay, bias_decay, factor, ctx.prec)[0]


def _mean(num_classes: int, weight_decay: float, feature_decay: float, bias_decay: float, factor: float) -> arb:
    """Where the stationary point has a negative mean part it is none of a positive semidefinite Z: zero is best."""
    return _stationary(num_classes, weight_decay, feature_decay, bias_decay, factor, ctx.prec)[1].max(arb(0))


def _pull(num_classes: int, weight_decay: float, feature_decay: float, bias_decay: float, factor: float) -> arb:
    """Minus the slope of the objective along J/N at Z = (1 - u) (I - J/N), with the best bias for that Z.

    Entries of the misfit sum to ``N^2 beta - N`` there; positive means that some mean part is better than none.
    """
    count, c = arb(num_classes), arb(factor)
    own = _own(num_classes, weight_decay, feature_decay, bias_decay, factor)
    bias = c / (count * (c + arb(bias_decay)))
    misfit = [
        own * (arb(int(i == j)) - 1 / count) + bias - arb(int(i == j))
        for i in range(num_classes)
        for j in range(num_classes)
    ]
    return -2 * c / count**2 * sum(misfit, arb(0)) - 2 * (arb(weight_decay) * arb(feature_decay) / count).sqrt()


CLAIM = Claim(
    id="penalised-bias-etf",
    title="An exact simplex frame needs a small penalty on the bias",
    statement=(
        r"Squared error $c \Vert z - y \Vert^2$ with $\lambda_b \Vert b \Vert^2$, $N$ balanced classes, free features "
        r"of dimension $N$ at least, $u = \sqrt{N} \mu/c < 1$: the part of $Z$ off the mean is $1 - u$, that on the "
        r"mean $(1 - u (c + \lambda_b)/\lambda_b)_+$; so the class means form an exact simplex frame if and only if "
        r"$\lambda_b \leq c u/(1 - u)$."
    ),
    source=Source("this project", "balanced squared error with a penalised bias"),
    variables={
        num_classes: Integers(2, 5),
        weight_decay: Interval(1e-3, 0.3, log=True),
        feature_decay: Interval(1e-3, 0.3, log=True),
        bias_decay: Interval(1e-3, 1.0, log=True),
        factor: Interval(0.5, 1.0),
    },
    definitions={
        shrinkage: sp.sqrt(num_classes) * mu / factor,
        level: 1 - shrinkage * (factor + bias_decay) / bias_decay,
    },
    assumptions=(sp.Lt(shrinkage, 1),),
    quantities={
        own: Quantity(at=_own, route="linear system of stationarity in all entries of Z and b, in balls"),
        mean: Quantity(at=_mean, route="linear system of stationarity in all entries of Z and b, in balls, or zero"),
        pull: Quantity(at=_pull, route="slope of the objective where the mean part vanishes, entry by entry in balls"),
    },
    relations=(
        equal(own, 1 - shrinkage),
        equal(pull, 2 * factor * bias_decay * level / (num_classes * (factor + bias_decay))),
        # It may vanish: 1 is added so that there is a scale.
        equal(1 + mean, 1 + sp.Max(0, level)),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "squared error",
        "one-hot labels",
        "balanced classes",
        "free features",
        "enough features",
        "penalised bias",
    ),
    derivation="derivations/bias_penalty.py",
    most_samples=400,
)
