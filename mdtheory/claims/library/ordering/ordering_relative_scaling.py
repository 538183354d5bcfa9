"""False: the order does not depend on how memorization is measured."""

from mdtheory.claims.library.ordering._false_ordering import false_ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = false_ordering(
    id="ordering-relative-scaling",
    title="Cross-entropy always dilates more, relative scaling (false)",
    statement=(
        r"Nonnegative features, relative scaling, unconstrained noisy features without decay: "
        r"$\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ for all parameters."
    ),
    family=Family(scaling="relative"),
    counterexample={"decay": 0.0005, "noise": 0.4, "slope": 0.4, "smoothing": 0.2, "dim": 8},
)
