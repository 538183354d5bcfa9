"""The clean clusters reach over the decision boundary, on a whole box."""

from mdtheory.claims.library.ordering._noisy_boxes import excess, noisy_sides, one_loss, over_half
from mdtheory.claims.library.ordering._ordering import Family, dilation_against, opposite
from mdtheory.claims.relation import greater

FAMILY = Family()

CLAIM = one_loss(
    id="clusters-overlap-typical",
    title="Clean classes overlap: errors on unseen examples on a box",
    statement=(
        r"Cross-entropy, nonnegative features, absolute scaling, unconstrained noisy features, $\lambda = 0$: $\mathrm{ND} > 1/2$, so some unseen clean examples are misclassified, "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.002, 0.01]$, noise in $[0.1, 0.5]$, slope in $[0.1, 0.3]$, clean examples on the unit sphere of dimension 8."
    ),
    quantity={excess: over_half(FAMILY.solved())},
    relation=greater(excess, 0),
    sides=noisy_sides("0.002 0.01", "0.1 0.5", "0.1 0.3"),
    decide=opposite(dilation_against(FAMILY, None, "0.5")),
    notes="With little noise and a larger slope they are separated: clusters-separated-typical.",
)
