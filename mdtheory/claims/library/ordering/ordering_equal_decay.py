"""False: the order holds at small noise whatever the decay of noisy features. With equal decays it does not."""

import sympy as sp

from mdtheory.claims.library._symbols import noise
from mdtheory.claims.library.ordering._false_ordering import false_ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = false_ordering(
    id="ordering-equal-decay",
    title="Cross-entropy dilates more at small noise, relative scaling, equal decays (false)",
    statement=(
        r"Free features, relative scaling, unconstrained noisy features with the decay of the others, $\eta \leq 1/50$: "
        r"$\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$."
    ),
    family=Family(nonnegative=False, scaling="relative", noisy_decay="same"),
    assumptions=(sp.Le(noise, sp.Rational(1, 50)),),
    counterexample={"decay": 0.005, "noise": 0.01, "slope": 1.0, "smoothing": 0.1, "dim": 8},
    notes="Both dilations have the same leading term; the next one decides: see equal-decay-boundary.",
)
