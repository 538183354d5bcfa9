"""With unlimited expressivity label noise leaves no trace: only the observed labels count."""

import numpy as np
import sympy as sp

from mdtheory.claims.domains import Integers
from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    SOLVER_DECAY,
    Labels,
    Values,
    cross_entropy,
    optimum,
    smoothed_value,
)
from mdtheory.claims.library._symbols import SMOOTHING, feature_decay, mu, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

flipped = sp.Symbol("flipped", integer=True, nonnegative=True)
two, four = sp.symbols("two four", positive=True)
FLIPS = 1024


def _labels(classes: int) -> Labels:
    """Examples of each true class, labelled with that class and with the next one."""
    return np.hstack([np.eye(classes), np.roll(np.eye(classes), 1, axis=0)])


def _shares(point: Values, classes: int) -> tuple[float, ...]:
    """Dyadic, so that the proportions are exact."""
    wrong = point["flipped"] / FLIPS
    return ((1 - wrong) / classes,) * classes + (wrong / classes,) * classes


def _value(classes: int) -> sp.Expr:
    n = sp.Integer(classes)
    smoothed, cost = (n - 1) * smoothing / n, 2 * (n - 1) * mu / sp.sqrt(n)
    return smoothed_value(smoothed + cost, 1 - smoothed, cost, n)


CLAIM = Claim(
    id="label-noise-invisible",
    title="With unlimited expressivity label noise is invisible",
    statement=(
        r"Cross-entropy with smoothing $\alpha$, free features of dimension $N - 1$ at least, no bias or an "
        r"unregularised one: when every example has features of its own, the optimum depends on the observed labels "
        r"and their proportions only: with balanced observed labels it is the noiseless value of the closed form, "
        r"whatever the share of wrong labels."
    ),
    source=Source("this project", "limit of unlimited expressivity"),
    variables={
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: SMOOTHING,
        flipped: Integers(1, FLIPS // 2),
    },
    quantities={
        two: optimum(cross_entropy, labels=lambda point: _labels(2), weights=lambda point: _shares(point, 2)),
        four: optimum(cross_entropy, labels=lambda point: _labels(4), weights=lambda point: _shares(point, 4)),
    },
    relations=(equal(two, _value(2)), equal(four, _value(4))),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "free features", "enough features", "a feature for every example"),
    derivation="derivations/label_noise.py",
    most_samples=MOST_OPTIMA,
    notes=(
        "Checked with two classes, and with four whose wrong label is always the next class; flipped counts 1024ths. "
        "For fixed weights every sample with the same observed label has the same best features; the value is that of ufm-simplex-etf."
    ),
)
