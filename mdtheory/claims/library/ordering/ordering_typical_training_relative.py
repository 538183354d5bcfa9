"""Relative scaling: cross-entropy dilates more on a box of typical training parameters, without noisy decay."""

from mdtheory.claims.library.ordering._noisy_boxes import noisy_sides, ordering
from mdtheory.claims.library.ordering._ordering import Family
from mdtheory.claims.model import Source

CLAIM = ordering(
    id="ordering-typical-training-relative",
    title="Cross-entropy dilates more for typical training parameters, relative scaling",
    statement=(
        r"Nonnegative features, relative scaling, unconstrained noisy features without decay: $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.002, 0.01]$, noise in $[0.01, 0.15]$, slope in $[0.7, 2]$, smoothing in $[0.05, 0.2]$, clean examples on the unit sphere of dimension 8."
    ),
    family=Family(scaling="relative"),
    sides=noisy_sides("0.002 0.01", "0.01 0.15", "0.7 2", smoothing="0.05 0.2"),
    source=Source("this project", "ordering on a box, relative scaling"),
    notes="With noisy decay the order can be the other one: ordering-reversed-free.",
)
