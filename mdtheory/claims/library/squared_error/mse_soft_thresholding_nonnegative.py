"""False: the squared error is soft-thresholded for nonnegative features too. A label between two others makes them cost more."""

import sympy as sp

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._features import SOLVER_DECAY, optimum, pi, thresholded
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.library.squared_error.mse_soft_thresholding import labels_of, singular_value, targets
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.losses import MeanSquaredError

value, larger, smaller = sp.symbols("value larger smaller", nonnegative=True)

CLAIM = Claim(
    id="mse-soft-thresholding-nonnegative",
    title="Squared error, any labels, nonnegative features: singular values are soft-thresholded (false)",
    statement=(
        r"Squared error, any labels and proportions, nonnegative features, no bias: the optimal value is that of the singular values of "
        r"$Y\, \mathrm{diag}(\sqrt{\pi})$ replaced by $(\sigma - 2\mu)_+$. False for the labels $(1, 0)$, $(.5, .5)$, $(0, 1)$ of "
        r"proportions $(.25, .5, .25)$ and $\mu = .05$: $.111345$ against $.110711$."
    ),
    source=Source("this project", "squared error with any targets, the kind of features left out"),
    variables={
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        pi: Proportions(3, smallest=0.05),
        **dict.fromkeys(targets, Interval(0.5, 1.0)),
    },
    quantities={
        value: optimum(lambda point: MeanSquaredError(), labels=labels_of, nonnegative=True),
        larger: singular_value(1),
        smaller: singular_value(-1),
    },
    relations=(equal(value, thresholded(larger) + thresholded(smaller)),),
    expected=Verdict.REFUTED,
    counterexample={
        "weight_decay": 0.05,
        "feature_decay": 0.05,
        "pi": (0.25, 0.5, 0.25),
        "y_1": 1.0,
        "y_2": 0.5,
        "y_3": 1.0,
    },
    most_samples=10,
    notes="The true form, for free features: mse-soft-thresholding. Smoothed one-hot labels: mse-nonnegative-costs-nothing.",
)
