"""Strong smoothing dilates less than weak smoothing, each on its own configuration: a whole box."""

from mdtheory.claims.library._noisy import by_smoothing
from mdtheory.claims.library.ordering._noisy_boxes import by_more_smoothing, comparison, noisy_sides
from mdtheory.claims.library.ordering._ordering import Family
from mdtheory.claims.relation import greater

CLAIM = comparison(
    id="dilation-falls-with-smoothing-typical",
    title="More smoothing dilates less: a box of typical training parameters",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features, $\lambda = 0$: smoothing in $[0.15, 0.3]$ dilates less than smoothing in "
        r"$[0.02, 0.05]$ for equal decays $\lambda_W = \lambda_H$ in $[0.004, 0.01]$, noise in $[0.01, 0.1]$, slope in $[0.7, 1.5]$, clean examples on the unit sphere of dimension 8."
    ),
    family=Family(),
    losses={by_smoothing: "smoothing", by_more_smoothing: "more_smoothing"},
    relation=greater(by_smoothing, by_more_smoothing),
    sides=noisy_sides("0.004 0.01", "0.01 0.1", "0.7 1.5", smoothing="0.02 0.05", more_smoothing="0.15 0.3"),
    notes="False in general: dilation-decreasing-in-smoothing.",
)
