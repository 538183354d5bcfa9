"""Cross-entropy dilates more than label smoothing on a small box that takes no time."""

from mdtheory.claims.library.ordering._noisy_boxes import MADE_PRECISE, noisy_sides, ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = ordering(
    id="ordering-small-box",
    title="Cross-entropy dilates more near the reference parameters",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features without decay: $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.004, 0.006]$, noise in $[0.05, 0.1]$, slope in $[0.9, 1.1]$, smoothing in $[0.1, 0.2]$, clean examples on the unit sphere of dimension 8."
    ),
    family=Family(),
    sides=noisy_sides("0.004 0.006", "0.05 0.1", "0.9 1.1", smoothing="0.1 0.2"),
    source=MADE_PRECISE,
)
