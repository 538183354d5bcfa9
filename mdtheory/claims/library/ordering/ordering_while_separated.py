"""False: the order holds as long as clusters are separated and margins are not small. Strong decay reverses it."""

import sympy as sp

from mdtheory.claims.library._noisy import by_cross_entropy
from mdtheory.claims.library._symbols import decay, smoothing
from mdtheory.claims.library.ordering._false_ordering import false_ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = false_ordering(
    id="ordering-while-separated",
    title="Cross-entropy dilates more while clusters are separated and margins exceed one (false)",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features without decay: if label smoothing has a margin "
        r"$s \geq 1$ and $\mathrm{ND}_{CE} \leq 1/2$, then $\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$."
    ),
    family=Family(),
    assumptions=(
        sp.Ge(sp.log(1 / (smoothing / 2 + 2 * decay) - 1), 1),
        sp.Le(by_cross_entropy, sp.Rational(1, 2)),
    ),
    counterexample={"decay": 0.1, "noise": 0.4, "slope": 0.02, "smoothing": 0.1, "dim": 8},
    notes=(
        "Random draws hardly ever show it: none in several thousand of moderate decay. What is true: "
        "ordering-small-noise, and on a box ordering-typical-training."
    ),
)
