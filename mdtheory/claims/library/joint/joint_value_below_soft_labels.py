"""Not memorising at all is feasible: the optimum is below that of the features model on soft labels."""

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, joint, value
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.quantities import features_model, ufm_optimum
from mdtheory.claims.relation import less
from mdtheory.losses import CrossEntropy

soft = sp.Symbol("soft", positive=True)


def _soft(decay: float, noise: float, smoothing: float) -> arb:
    """The optimum of the features model on the mean labels of noisy classes."""
    flip = noise / (1 + noise)
    labels = np.array([[1 - flip, flip], [flip, 1 - flip]])
    return ufm_optimum(features_model(CrossEntropy(smoothing), 2, decay, decay, labels=labels))


CLAIM = Claim(
    id="joint-value-below-soft-labels",
    title="Limited expressivity against soft labels",
    statement=(
        r"Two classes, cross-entropy: the optimum of the limited-expressivity model is below that of the features model on "
        r"soft labels, which is feasible without dilation."
    ),
    source=SOURCE,
    variables=SMOOTHED,
    quantities={
        value: joint("value", smoothed=True),
        soft: Quantity(at=_soft, route="certified optimum", convex=True),
    },
    relations=(less(value, soft),),
    expected=Verdict.SUPPORTED,
    hypotheses=SETTING,
    most_samples=MOST,
)
