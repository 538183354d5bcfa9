"""Features kept near given ones: within-class deviations shrink by a known matrix."""

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._matrices import solve_linear
from mdtheory.claims.library._symbols import feature_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

weight_11, weight_12, weight_21, weight_22, deviation_1, deviation_2, shrunk = sp.symbols(
    "weight_11 weight_12 weight_21 weight_22 deviation_1 deviation_2 shrunk", real=True
)
proximity, factor, first, second = sp.symbols("proximity factor first second", positive=True)
cross = sp.Symbol("cross", real=True)
seed = sp.Symbol("seed", integer=True, positive=True)
OUTPUTS, WIDTH, SAMPLES = 2, 2, 4


def _shrunk(
    weight_11: float,
    weight_12: float,
    weight_21: float,
    weight_22: float,
    deviation_1: float,
    deviation_2: float,
    proximity: float,
    factor: float,
    feature_decay: float,
    seed: int,
) -> arb:
    """First coordinate of half the difference of two samples of a class, at the minimum over all features and the bias.

    Two classes of two samples; the given features of the first class differ by twice the stated deviation.
    """
    w = [[arb(weight_11), arb(weight_12)], [arb(weight_21), arb(weight_22)]]
    c, beta, decay = arb(factor), arb(proximity), arb(feature_decay)
    rng = np.random.default_rng(seed)
    centre, others = [arb(x) for x in rng.normal(size=2).tolist()], rng.normal(size=(2, 2)).tolist()
    deviation = [arb(deviation_1), arb(deviation_2)]
    given = [[m + s * d for m, d in zip(centre, deviation, strict=True)] for s in (1, -1)]
    given += [[arb(x) for x in row] for row in others]
    targets = [[1, 0], [1, 0], [0, 1], [0, 1]]
    # Unknowns: the features of all samples, then the bias.
    size = SAMPLES * WIDTH + OUTPUTS
    rows, right = [], []
    for i in range(SAMPLES):
        for u in range(WIDTH):
            row = [arb(0)] * size
            for v in range(WIDTH):
                row[i * WIDTH + v] = c * sum((w[o][u] * w[o][v] for o in range(OUTPUTS)), arb(0))
            row[i * WIDTH + u] += decay + beta
            for o in range(OUTPUTS):
                row[SAMPLES * WIDTH + o] = c * w[o][u]
            rows.append(row)
            right.append(beta * given[i][u] + c * sum((w[o][u] * targets[i][o] for o in range(OUTPUTS)), arb(0)))
    for o in range(OUTPUTS):
        row = [w[o][column % WIDTH] for column in range(SAMPLES * WIDTH)]
        rows.append(row + [arb(SAMPLES * int(o == other)) for other in range(OUTPUTS)])
        right.append(arb(sum(target[o] for target in targets)))
    found = solve_linear(rows, right)
    return (found[0] - found[WIDTH]) / 2


ENTRY = Interval(-3.0, 3.0)

CLAIM = Claim(
    id="feature-proximity",
    title="Within-class deviations of features that are kept near given ones",
    statement=(
        r"Squared error $c \Vert z - y \Vert^2$ with the extra penalty $\beta \Vert h - h_0 \Vert^2$ per sample: at every "
        r"stationary point deviations from the class mean obey $h = \beta\, (c W'W + (\lambda_H + \beta) I)^{-1} h_0$. "
        r"Checked for two features."
    ),
    source=Source(
        "tirer2023",
        "abstract: features kept in the vicinity of a predefined matrix; the identity in this form: this project",
    ),
    variables={
        weight_11: ENTRY,
        weight_12: ENTRY,
        weight_21: ENTRY,
        weight_22: ENTRY,
        deviation_1: ENTRY,
        deviation_2: ENTRY,
        proximity: Interval(1e-3, 10.0, log=True),
        factor: Interval(0.5, 1.0),
        feature_decay: Interval(1e-4, 1.0, log=True),
        seed: Integers(1, 10_000),
    },
    definitions={
        first: factor * (weight_11**2 + weight_21**2) + feature_decay + proximity,
        second: factor * (weight_12**2 + weight_22**2) + feature_decay + proximity,
        cross: factor * (weight_11 * weight_12 + weight_21 * weight_22),
    },
    quantities={
        shrunk: Quantity(at=_shrunk, route="linear system of stationarity in all features and the bias, in balls"),
    },
    relations=(
        equal(
            1 + shrunk * (first * second - cross**2),
            1 + proximity * (second * deviation_1 - cross * deviation_2),
        ),
    ),
    expected=Verdict.SUPPORTED,
)
