"""False: the order holds at small noise if only the slope is moderate. Smoothing close to collapse reverses it."""

import sympy as sp

from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.library.ordering._false_ordering import false_ordering
from mdtheory.claims.library.ordering._ordering import Family

CLAIM = false_ordering(
    id="ordering-strong-smoothing",
    title="Cross-entropy dilates more at noise up to 1/8 and slope at least 1 (false)",
    statement=(
        r"Nonnegative features, absolute scaling, unconstrained noisy features without decay, $\eta \leq 1/8$ and $C \geq 1$: "
        r"$\mathrm{ND}_{CE} > \mathrm{ND}_{LS}$ for every smoothing."
    ),
    family=Family(),
    assumptions=(sp.Le(noise, sp.Rational(1, 8)), sp.Ge(slope, 1)),
    counterexample={"decay": 0.05, "noise": 0.1, "slope": 1.0, "smoothing": 0.799, "dim": 8},
    notes=(
        "As the smoothing tends to the collapse threshold the class means meet and the normalised dilation has no bound. "
        "The threshold of ordering-small-noise accounts for this: it shrinks with the margin of label smoothing."
    ),
)
