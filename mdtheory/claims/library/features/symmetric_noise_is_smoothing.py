"""Symmetric noise that cannot be memorised is label smoothing."""

import numpy as np
import sympy as sp

from mdtheory.claims.domains import Integers
from mdtheory.claims.library._features import MOST_OPTIMA, SOLVER_DECAY, Labels, Values, cross_entropy, optimum
from mdtheory.claims.library._symbols import SMOOTHING, feature_decay, mu, smoothing, weight_decay
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

flipped = sp.Symbol("flipped", integer=True, positive=True)
doublings = sp.Symbol("doublings", integer=True, nonnegative=True)
value, classes, wrong, effective, left = sp.symbols("value classes wrong effective left", positive=True)
FLIPS = 1024


def _labels(point: Values) -> Labels:
    """Every class with its labels in the mean; dyadic numbers, so exact."""
    others = 2 ** point["doublings"]
    wrong = point["flipped"] / FLIPS
    share = wrong / others
    labels: Labels = np.full((others + 1, others + 1), share) + (1 - wrong - share) * np.eye(others + 1)
    return labels


CLAIM = Claim(
    id="symmetric-noise-is-smoothing",
    title="Symmetric label noise that cannot be memorised is label smoothing",
    statement=(
        r"Cross-entropy, balanced classes: when all examples of a class share one feature, symmetric noise $\eta \leq "
        r"(N-1)/N$ on labels smoothed by $\alpha$ has the optimum of smoothing $\alpha\prime = \alpha + "
        r"(1-\alpha)\eta N/(N-1)$ without noise."
    ),
    source=Source("this project", "limit of no expressivity"),
    variables={
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: SMOOTHING,
        flipped: Integers(1, FLIPS // 2),
        doublings: Integers(0, 3),
    },
    definitions={
        classes: 1 + 2**doublings,
        wrong: flipped / sp.Integer(FLIPS),
        effective: smoothing + (1 - smoothing) * wrong * classes / (classes - 1),
        left: sp.Min((classes - 1) * effective / classes + 2 * (classes - 1) * mu / sp.sqrt(classes), 1 - 1 / classes),
    },
    quantities={value: optimum(cross_entropy, labels=_labels)},
    relations=(equal(value, -(1 - left) * sp.log(1 - left) - left * sp.log(left / (classes - 1))),),
    expected=Verdict.PROVED,
    hypotheses=(
        "cross-entropy",
        "balanced classes",
        "free features",
        "enough features",
        "a feature for every true class",
    ),
    derivation="derivations/label_noise.py",
    most_samples=MOST_OPTIMA,
    notes="Checked with 2, 3, 5 and 9 classes and shares of wrong labels in 1024ths, which are exact numbers. The optimum is an entropy: see entropy-lower-bound.",
)
