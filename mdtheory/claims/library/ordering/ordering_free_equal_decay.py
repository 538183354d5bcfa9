"""Free features, noisy decay equal to the feature decay: cross-entropy dilates more on a box."""

from mdtheory.claims.library.ordering._noisy_boxes import noisy_sides, ordering
from mdtheory.claims.library.ordering._ordering import Family
from mdtheory.claims.model import Source

CLAIM = ordering(
    id="ordering-free-equal-decay",
    title="Cross-entropy dilates more with noisy decay equal to the feature decay, free features",
    statement=(
        r"Free features, absolute scaling, unconstrained noisy features, $\lambda = \lambda_H$: $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.004, 0.006]$, noise in $[0.05, 0.2]$, slope in $[0.7, 1]$, smoothing in $[0.1, 0.2]$, clean examples on the unit sphere of dimension 8."
    ),
    family=Family(nonnegative=False, noisy_decay="same"),
    sides=noisy_sides("0.004 0.006", "0.05 0.2", "0.7 1", smoothing="0.1 0.2"),
    source=Source("this project", "ordering on a box, equal decays"),
    notes="In relative scaling the order is the other one on another box: ordering-reversed-free.",
)
