"""Squared error with any labels and proportions: soft-thresholding of singular values, against a general solver."""

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._features import MOST_OPTIMA, SOLVER_DECAY, Labels, Values, optimum, pi, thresholded
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.losses import MeanSquaredError

targets = sp.symbols("y_1:4", positive=True)
value, larger, smaller = sp.symbols("value larger smaller", nonnegative=True)


def labels_of(point: Values) -> Labels:
    """Two columns that favour the first class and one that favours the second: 1 - y is exact for these numbers."""
    y = [point[f"y_{i}"] for i in (1, 2, 3)]
    return np.array([[y[0], y[1], 1 - y[2]], [1 - y[0], 1 - y[1], y[2]]])


def _root(number: arb) -> arb:
    """The root of a number that is not negative, whose ball may reach below zero where it vanishes."""
    return number.sqrt() if number > 0 else arb(0).union(number.upper().max(arb(0)).sqrt())


def singular_value(sign: int) -> Quantity:
    """A singular value of ``Y diag(sqrt pi)``: sum and difference of both have squares ``tr +- 2 sqrt(det)``."""

    def at(point: Values) -> arb:
        y1, y2, y3 = (arb(point[f"y_{i}"]) for i in (1, 2, 3))
        shares = [arb(p) for p in point["pi"]]
        columns = (y1, 1 - y1), (y2, 1 - y2), (1 - y3, y3)
        square = sum((p * (a * a + b * b) for p, (a, b) in zip(shares, columns, strict=True)), arb(0))
        cross = sum((p * a * b for p, (a, b) in zip(shares, columns, strict=True)), arb(0))
        first = sum((p * a * a for p, (a, b) in zip(shares, columns, strict=True)), arb(0))
        both = 2 * _root(first * (square - first) - cross**2)
        return ((square + both).sqrt() + sign * _root(square - both)) / 2

    return Quantity(at=Computed(at), route="singular values of a matrix with two rows, in balls")


CLAIM = Claim(
    id="mse-soft-thresholding",
    title="Squared error, any labels: singular values are soft-thresholded",
    statement=(
        r"Squared error, any labels and proportions, free features of dimension at least $N$, no bias: the optimal $Z\, \mathrm{diag}(\sqrt{\pi})$ is $Y\, \mathrm{diag}(\sqrt{\pi})$ with every singular value "
        r"$\sigma$ replaced by $(\sigma - 2\mu)_+$; the value is $\sum_i k_i^2/2 + 2\mu(\sigma_i - k_i)$, $k_i = \min(\sigma_i, 2\mu)$."
    ),
    source=Source("this project", "squared error with any targets"),
    variables={
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        pi: Proportions(3),
        **dict.fromkeys(targets, Interval(0.5, 1.0)),
    },
    quantities={
        value: optimum(lambda point: MeanSquaredError(), labels=labels_of),
        larger: singular_value(1),
        smaller: singular_value(-1),
    },
    relations=(equal(value, thresholded(larger) + thresholded(smaller)),),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "free features", "no bias", "enough features"),
    derivation="derivations/squared_loss.py",
    most_samples=MOST_OPTIMA,
    notes="Checked with two classes and three label groups. False for nonnegative features: mse-soft-thresholding-nonnegative.",
)
