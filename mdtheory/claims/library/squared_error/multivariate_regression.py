"""Regression on several outputs: weight decay shrinks the square roots of the covariance's eigenvalues."""

from functools import lru_cache

import numpy as np
import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._matrices import dot, operator_norm, transposed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.questions.regression import regression_optimum

spread_1, spread_2, root_1, root_2 = sp.symbols("spread_1 spread_2 root_1 root_2", positive=True)
correlation = sp.Symbol("correlation", real=True)
optimum = sp.Symbol("optimum", positive=True)
weight_square = sp.Symbol("weight_square", nonnegative=True)
trace = sp.Symbol("trace", positive=True)
gap = sp.Symbol("gap", nonnegative=True)


@lru_cache(maxsize=5000)
def _solved(
    spread_1: float, spread_2: float, correlation: float, weight_decay: float, feature_decay: float, bits: int
) -> tuple[arb, arb]:
    """The optimal value between a primal and a dual bound, and the squared norm of the weights.

    Four samples, equally weighted, whose covariance has the given standard deviations and correlation.
    """
    s, u, r = arb(spread_1), arb(spread_2), arb(correlation)
    first, second = [s, r * u], [arb(0), u * (1 - r**2).sqrt()]
    offset, stretch = [arb(1), arb(-2)], arb(2).sqrt()
    columns = [
        [o + sign * stretch * x for o, x in zip(offset, v, strict=True)] for v in (first, second) for sign in (1, -1)
    ]
    targets = transposed(columns)
    guess = regression_optimum(
        np.array([[float(x.mid()) for x in row] for row in targets]),
        weight_decay=weight_decay,
        feature_decay=feature_decay,
        bias=True,
    )
    w = [[arb(x) for x in row] for row in guess.weights.tolist()]
    h = [[arb(x) for x in row] for row in guess.class_means.tolist()]
    b = [arb(x) for x in guess.bias.tolist()]
    lw, lh = arb(weight_decay), arb(feature_decay)
    residual = [[dot(w[i], c) + b[i] - y for c, y in zip(transposed(h), targets[i], strict=True)] for i in range(2)]
    squares = [sum((dot(row, row) for row in rows), arb(0)) for rows in (residual, w, h)]
    primal = squares[0] / 8 + lw * squares[1] + lh * squares[2] / 4
    return _dual(residual, targets, 2 * (lw * lh).sqrt()).union(primal), squares[1]


def _dual(residual: list[list[arb]], targets: list[list[arb]], t: arb) -> arb:
    """Rows made to sum to zero (a free bias), then shrunk into the ball of the dual norm."""
    rows = [[x - sum(row, arb(0)) / 4 for x in row] for row in residual]
    norm = operator_norm([[x / 2 for x in row] for row in rows])
    theta = (t / norm).min(arb(1))
    rows = [[theta * x for x in row] for row in rows]
    return -sum((dot(v, v) / 2 + dot(v, y) for v, y in zip(rows, targets, strict=True)), arb(0)) / 4


def _optimum(spread_1: float, spread_2: float, correlation: float, weight_decay: float, feature_decay: float) -> arb:
    return _solved(spread_1, spread_2, correlation, weight_decay, feature_decay, ctx.prec)[0]


def _weight_square(
    spread_1: float, spread_2: float, correlation: float, weight_decay: float, feature_decay: float
) -> arb:
    value = _solved(spread_1, spread_2, correlation, weight_decay, feature_decay, ctx.prec)[1]
    return value + arb(0, 1e-12)


kept = [sp.Max(root - nuclear, 0) for root in (root_1, root_2)]

CLAIM = Claim(
    id="multivariate-regression",
    title="Regression on several outputs: the covariance decides",
    statement=(
        r"Squared error $\frac{1}{2} \Vert z - y \Vert^2$ with a free bias, free features at least as many as "
        r"outputs, and label covariance $\Sigma$: $W W' = \sqrt{\lambda_H/\lambda_W}\, (\Sigma^{1/2} - 2\mu I)_+$, "
        r"and the optimal value is $\frac{1}{2} [\mathrm{tr}\, \Sigma - \mathrm{tr}\, (\Sigma^{1/2} - 2\mu I)_+^2]$. "
        r"Checked for two outputs."
    ),
    source=Source(
        "andriopoulos2024",
        "abstract (NRC3): Gram matrix of the weights from the covariance of the targets; its square root as recalled",
    ),
    variables={
        spread_1: Interval(0.1, 3.0, log=True),
        spread_2: Interval(0.1, 3.0, log=True),
        correlation: Interval(-0.95, 0.95),
        weight_decay: Interval(1e-3, 1.0, log=True),
        feature_decay: Interval(1e-3, 1.0, log=True),
    },
    definitions={
        trace: spread_1**2 + spread_2**2,
        gap: sp.sqrt((spread_1**2 - spread_2**2) ** 2 + 4 * correlation**2 * spread_1**2 * spread_2**2),
        root_1: sp.sqrt((trace + gap) / 2),
        root_2: sp.sqrt((trace - gap) / 2),
    },
    quantities={
        optimum: Quantity(at=_optimum, route="between a primal and a dual value of four samples, in balls"),
        weight_square: Quantity(at=_weight_square, rigorous=False, route="squared norm of the weights of that answer"),
    },
    relations=(
        equal(2 * optimum, trace - sum(k**2 for k in kept)),
        # Both may vanish: 1 is added so that there is a scale.
        equal(1 + weight_square, 1 + sp.sqrt(feature_decay / weight_decay) * sum(kept)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "free features", "enough features", "unregularised bias"),
    derivation="derivations/label_matrix_regression.py",
    most_samples=300,
)
