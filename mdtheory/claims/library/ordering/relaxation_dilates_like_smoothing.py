"""While no clean example passes the minimiser of the loss, label relaxation and smoothing dilate the same."""

import sympy as sp

from mdtheory.claims.library._noisy import by_smoothing, not_collapsed
from mdtheory.claims.library.ordering._relaxation import by_relaxation, compared, farthest, minimiser
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import equal

CLAIM = Claim(
    id="relaxation-dilates-like-smoothing",
    title="Label relaxation dilates like label smoothing while clean examples stay below its minimiser",
    statement=(
        r"Two balanced classes with nonzero means, unconstrained noisy features, $0 < \alpha < 1$: label relaxation "
        r"with $\alpha/2$ and label smoothing with $\alpha$ have the same class means. If no clean example of the "
        r"latter has a margin above $\log((2-\alpha)/\alpha)$, then $\mathrm{ND}_{LR} = \mathrm{ND}_{LS}$. Drawn with "
        r"nonnegative features on two points."
    ),
    **compared(),
    assumptions=(not_collapsed, sp.Le(farthest, minimiser)),
    relations=(equal(by_relaxation, by_smoothing),),
    notes="Otherwise label relaxation dilates more: see relaxation-dilates-at-least-smoothing.",
)
