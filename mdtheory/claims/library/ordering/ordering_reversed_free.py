"""Free features, relative scaling, noisy decay equal to the feature decay: label smoothing dilates more on a whole box."""

from mdtheory.claims.library.ordering._noisy_boxes import noisy_sides, ordering
from mdtheory.claims.library.ordering._ordering import Family
from mdtheory.claims.model import Source

CLAIM = ordering(
    id="ordering-reversed-free",
    title="A region where label smoothing dilates more than cross-entropy",
    statement=(
        r"Free features, relative scaling, unconstrained noisy features, $\lambda = \lambda_H$: $\mathrm{ND}_{CE} < \mathrm{ND}_{LS}$ "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.0005, 0.001]$, noise in $[0.35, 0.5]$, slope in $[0.5, 0.65]$, smoothing in $[0.1, 0.2]$, clean examples on the unit sphere of dimension 8."
    ),
    family=Family(nonnegative=False, scaling="relative", noisy_decay="same"),
    sides=noisy_sides("0.0005 0.001", "0.35 0.5", "0.5 0.65", smoothing="0.1 0.2"),
    reversed=True,
    source=Source("this project", "ordering on a box, equal decays"),
    notes="In absolute scaling the order is the usual one on another box: ordering-free-equal-decay.",
)
