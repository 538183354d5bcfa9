"""The clean clusters of both classes do not touch the decision boundary, on a whole box."""

from mdtheory.claims.library.ordering._noisy_boxes import excess, noisy_sides, one_loss, over_half
from mdtheory.claims.library.ordering._ordering import Family, dilation_against
from mdtheory.claims.relation import less

FAMILY = Family()

CLAIM = one_loss(
    id="clusters-separated-typical",
    title="Clean classes stay separated: no error on unseen examples on a box",
    statement=(
        r"Label smoothing, nonnegative features, absolute scaling, unconstrained noisy features, $\lambda = 0$: $\mathrm{ND} < 1/2$, so no unseen clean example is misclassified, "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.002, 0.01]$, noise in $[0.001, 0.12]$, slope in $[0.7, 2]$, smoothing in $[0.01, 0.3]$, clean examples on the unit sphere of dimension 8."
    ),
    quantity={excess: over_half(FAMILY.solved("smoothing"))},
    relation=less(excess, 0),
    sides=noisy_sides("0.002 0.01", "0.001 0.12", "0.7 2", smoothing="0.01 0.3"),
    decide=dilation_against(FAMILY, "smoothing", "0.5"),
    notes="With a small slope the clusters overlap: clusters-overlap-typical.",
)
