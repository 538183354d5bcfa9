"""Noisy features with the decay of all features: cross-entropy dilates more on a box of typical training parameters."""

from mdtheory.claims.library.ordering._noisy_boxes import MADE_PRECISE, noisy_sides, ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = ordering(
    id="ordering-typical-training-equal-decay",
    title="Cross-entropy dilates more for typical training parameters, noisy decay equal to the feature decay",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features, $\lambda = \lambda_H$: $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.003, 0.01]$, noise in $[0.02, 0.1]$, slope in $[0.7, 1.4]$, smoothing in $[0.1, 0.2]$, clean examples on the unit sphere of dimension 8."
    ),
    family=Family(noisy_decay="same"),
    sides=noisy_sides("0.003 0.01", "0.02 0.1", "0.7 1.4", smoothing="0.1 0.2"),
    between=(0.6, 0.5),
    source=MADE_PRECISE,
)
