"""False: the closed form of pick-all-labels, whatever the decays."""

import sympy as sp

from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.features._pick_all import VARIABLES, singles
from mdtheory.claims.library.features.pick_all_labels import MARGINS, margin_1, margin_2
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal


def _residuals(size: int, margin: sp.Symbol) -> sp.Expr:
    """``||1_S - m softmax(z_S)||^2``, which is ``theta^2 ||z_S||^2`` where there is a theta."""
    return size * (num_classes - size) * num_classes / (size * sp.exp(margin) + num_classes - size) ** 2


CLAIM = Claim(
    id="pick-all-labels-also-at-collapse",
    title="Pick-all-labels in closed form, whatever the decays (false)",
    statement=(
        r"Label sets $S$ of size $m$, all equally frequent within a size: $z_S = a_m (1_S - m/N)$ with $\theta a_m = N/(m e^{a_m} + "
        r"N - m)$ and $\theta^2 \sum_m \omega_m a_m^2 m (N-m)/N = 4\mu^2 (N-1)$ for all decays. False where $Z = 0$ is optimal."
    ),
    source=Source("this project", "the closed form of pick-all-labels without its hypothesis"),
    variables=VARIABLES,
    quantities=MARGINS,
    relations=(
        equal(
            singles * _residuals(1, margin_1) + (1 - singles) * _residuals(2, margin_2), nuclear**2 * (num_classes - 1)
        ),
    ),
    expected=Verdict.REFUTED,
    counterexample={"num_classes": 3, "singles": 0.5, "weight_decay": 0.75, "feature_decay": 0.75},
    most_samples=60,
    notes="With the hypothesis: pick-all-labels. The threshold: pick-all-labels-collapse.",
)
