"""False: the criterion of total collapse does not depend on a bias. A bias learns the mean label for nothing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._features import GENERAL_SOLVER, cross_entropy, model
from mdtheory.claims.library._field import nuclear, pi, pi_1, pi_2
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import ufm_optimum
from mdtheory.claims.relation import positive_iff

gain = sp.Symbol("gain", real=True)
label_1, label_2 = sp.symbols("label_1 label_2", positive=True)
RESOLVED = 1e-6


def _gain(point: Mapping[str, Any]) -> arb:
    """By how much the optimum is better than the best bias alone, the entropy of the mean label; below 1e-6 is nothing."""
    first, second = point["label_1"], point["label_2"]
    labels = np.array([[first, second], [1 - first, 1 - second]])
    problem = model(cross_entropy, point, bias=True, labels=labels)
    mean = sum((arb(p) * arb(y) for p, y in zip(point["pi"], (first, second), strict=True)), arb(0))
    entropy = -mean * mean.log() - (1 - mean) * (1 - mean).log()
    return entropy - ufm_optimum(problem) - arb(RESOLVED)


CLAIM = Claim(
    id="zero-collapse-with-bias",
    title="Total collapse for any labels, with a bias, by the criterion without (false)",
    statement=(
        r"Cross-entropy with any label distributions, free features, unregularised bias: $Z = 0$ is optimal if and only if "
        r"$\Vert (11'/N - Y) P^{1/2} \Vert \leq 2\mu$. False for equal labels $(.75, .25)$, which the bias alone fits."
    ),
    source=Source("this project", "total collapse for any labels and proportions, the bias left out"),
    variables={
        pi: Proportions(2, smallest=0.1),
        label_1: Interval(0.05, 0.95),
        label_2: Interval(0.05, 0.95),
        weight_decay: Interval(0.01, 1.0, log=True),
        feature_decay: Interval(0.01, 1.0, log=True),
    },
    quantities={gain: Quantity(at=Computed(_gain), convex=True, route=GENERAL_SOLVER)},
    relations=(
        positive_iff(
            gain,
            2 * pi_1 * (label_1 - sp.Rational(1, 2)) ** 2 + 2 * pi_2 * (label_2 - sp.Rational(1, 2)) ** 2 - nuclear**2,
        ),
    ),
    expected=Verdict.REFUTED,
    counterexample={"pi": (0.5, 0.5), "label_1": 0.75, "label_2": 0.75, "weight_decay": 0.125, "feature_decay": 0.125},
    most_samples=20,
    notes="The true form has the mean label in the place of 1/N, which is what the bias removes: zero-collapse-any-labels.",
)
