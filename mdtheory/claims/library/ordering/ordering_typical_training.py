"""Cross-entropy dilates more than label smoothing: a whole box of typical training parameters."""

from mdtheory.claims.library.ordering._noisy_boxes import MADE_PRECISE, noisy_sides, ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = ordering(
    id="ordering-typical-training",
    title="Cross-entropy dilates more than label smoothing for typical training parameters",
    statement=r"Nonnegative features, absolute scaling, unconstrained noisy features without decay: $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$"
    r" for equal decays $\lambda_W = \lambda_H$ in $[0.002, 0.01]$, noise in $[0.01, 0.2]$, slope in $[0.7, 2]$, smoothing in $[0.05, 0.2]$, clean examples on the unit sphere of dimension 8.",
    family=Family(),
    sides=noisy_sides("0.002 0.01", "0.01 0.2", "0.7 2", smoothing="0.05 0.2"),
    source=MADE_PRECISE,
    notes="False in general: see ordering-in-general. In the limit of small noise it is a theorem for noisy features without decay.",
)
