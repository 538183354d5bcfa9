"""Little noise and an expressive network: mislabelled examples end up on the side of their label, on a whole box."""

from mdtheory.claims.library.ordering._noisy_boxes import noisy_margin, noisy_sides, one_loss
from mdtheory.claims.library.ordering._ordering import Family, noisy_margin_against_zero, opposite
from mdtheory.claims.relation import greater

FAMILY = Family(noisy_decay="same")

CLAIM = one_loss(
    id="noise-memorized-typical",
    title="Mislabelled examples are memorised: a box of typical training parameters",
    statement=(
        r"Cross-entropy, nonnegative features, absolute scaling, unconstrained noisy features, $\lambda = \lambda_H$: the noisy margin is positive "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.001, 0.02]$, noise in $[0.001, 0.1]$, slope in $[0.7, 2]$, clean examples on the unit sphere of dimension 8."
    ),
    quantity={noisy_margin: FAMILY.solved(part="noisy_margin")},
    relation=greater(noisy_margin, 0),
    sides=noisy_sides("0.001 0.02", "0.001 0.1", "0.7 2"),
    decide=opposite(noisy_margin_against_zero(FAMILY, None)),
    notes="With much noise and a small slope it is negative: noise-not-memorized-typical.",
)
