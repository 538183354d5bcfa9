"""False: cross-entropy always dilates more than label smoothing. Large noise and a small slope reverse the order."""

from mdtheory.claims.library.ordering._false_ordering import false_ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = false_ordering(
    id="ordering-in-general",
    title="Cross-entropy always dilates more than label smoothing (false)",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features without decay: "
        r"$\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ for all parameters."
    ),
    family=Family(),
    counterexample={"decay": 0.0005, "noise": 0.4, "slope": 0.2, "smoothing": 0.1, "dim": 8},
)
