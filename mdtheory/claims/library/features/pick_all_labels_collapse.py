"""Pick-all-labels: the sharp threshold of total collapse."""

import sympy as sp
from flint import arb

from mdtheory.claims.library._field import gain, nuclear
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library._two_levels import RESOLVED
from mdtheory.claims.library.features._pick_all import ROUTE, VARIABLES, singles, solve
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import positive_iff

pull = sp.Symbol("pull", positive=True)


def _gain(num_classes: int, singles: float, weight_decay: float, feature_decay: float) -> arb:
    """By how much the optimum is better than Z = 0, where a set of size m costs ``m log N``."""
    at_zero = (2 - arb(singles)) * arb(num_classes).log()
    return at_zero - solve(num_classes, singles, weight_decay, feature_decay).value - arb(RESOLVED)


CLAIM = Claim(
    id="pick-all-labels-collapse",
    title="When pick-all-labels collapses to zero",
    statement=(
        r"Pick-all-labels cross-entropy, free features of dimension $N - 1$ at least: with label sets of size $m$ at "
        r"frequency $\omega_m$, all equally frequent within a size, $Z = 0$ is optimal if and only if $\sum_m "
        r"\omega_m m (N-m)/(N (N-1)) \leq 4\mu^2$. Checked for sets of one and two classes."
    ),
    source=Source("this project", "collapse threshold with several labels per sample"),
    variables=VARIABLES,
    definitions={
        pull: (singles * (num_classes - 1) + (1 - singles) * 2 * (num_classes - 2)) / (num_classes * (num_classes - 1))
    },
    quantities={gain: Quantity(at=_gain, route=f"{ROUTE}; what is below 1e-20 counts as nothing")},
    relations=(positive_iff(gain, pull - nuclear**2),),
    expected=Verdict.PROVED,
    hypotheses=("pick-all labels", "free features", "enough features"),
    derivation="derivations/exchangeable_labels.py",
    most_samples=150,
    notes="The margins where something is left: pick-all-labels.",
)
