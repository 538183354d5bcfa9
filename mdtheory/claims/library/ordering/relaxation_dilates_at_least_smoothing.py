"""Label relaxation dilates more than the label smoothing with the same class means, once clean examples pass t_inf."""

import sympy as sp

from mdtheory.claims.library._noisy import by_smoothing, not_collapsed
from mdtheory.claims.library.ordering._relaxation import by_relaxation, compared, farthest, minimiser
from mdtheory.claims.model import Claim
from mdtheory.claims.relation import greater

CLAIM = Claim(
    id="relaxation-dilates-at-least-smoothing",
    title="Label relaxation dilates more than label smoothing if clean examples go beyond its minimiser",
    statement=(
        r"Two balanced classes with nonzero means, unconstrained noisy features, $0 < \alpha < 1$: label relaxation "
        r"with $\alpha/2$ and label smoothing with $\alpha$ have the same class means. If a clean example of the "
        r"latter has a margin above $\log((2-\alpha)/\alpha)$, then $\mathrm{ND}_{LR} > \mathrm{ND}_{LS}$. Drawn with "
        r"nonnegative features on two points."
    ),
    **compared(),
    assumptions=(not_collapsed, sp.Gt(farthest, minimiser)),
    relations=(greater(by_relaxation, by_smoothing),),
    notes="Otherwise both are the same: see relaxation-dilates-like-smoothing.",
)
