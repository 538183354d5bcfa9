"""Much noise and an inexpressive network: mislabelled examples stay on the side they look like, on a whole box."""

from mdtheory.claims.library.ordering._noisy_boxes import noisy_margin, noisy_sides, one_loss
from mdtheory.claims.library.ordering._ordering import Family, noisy_margin_against_zero
from mdtheory.claims.relation import less

FAMILY = Family(noisy_decay="same")

CLAIM = one_loss(
    id="noise-not-memorized-typical",
    title="Mislabelled examples are not memorised: a box of large noise and small slopes",
    statement=(
        r"Cross-entropy, nonnegative features, absolute scaling, unconstrained noisy features, $\lambda = \lambda_H$: the noisy margin is negative "
        r"for equal decays $\lambda_W = \lambda_H$ in $[0.002, 0.01]$, noise in $[0.2, 0.5]$, slope in $[0.07, 0.18]$, clean examples on the unit sphere of dimension 8."
    ),
    quantity={noisy_margin: FAMILY.solved(part="noisy_margin")},
    relation=less(noisy_margin, 0),
    sides=noisy_sides("0.002 0.01", "0.2 0.5", "0.07 0.18"),
    decide=noisy_margin_against_zero(FAMILY, None),
    notes="With little noise and a larger slope it is positive: noise-memorized-typical.",
)
