"""Antipodal pairs beat the simplex frame in deep linear networks at small decay: a test in N and L alone."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library.deep._deep_linear import VALUES, layers, log_product, pairs, pairs_value, simplex_value
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import less

CLAIM = Claim(
    id="deep-linear-pairs-beat-etf",
    title="When antipodal pairs beat the simplex frame in deep linear networks",
    statement=(
        r"For even $N$ and $L \geq 2$ linear layers on free features with cross-entropy, balanced classes and small enough decay: if $(N/2)\,2^{2/(L+1)} < N - 1$, which holds "
        r"for $N \geq 6$, and for $N = 4$ from three layers on, antipodal pairs of classes cost less than the simplex frame."
    ),
    source=Source("this project", "sufficient test as the decay vanishes; low rank: garrod2024, abstract"),
    variables={pairs: Integers(1, 12), layers: Integers(2, 6), log_product: Interval(60.0, 500.0)},
    assumptions=(sp.Lt(pairs * 2 ** (2 / (layers + 1)), 2 * pairs - 1),),
    quantities=VALUES,
    relations=(less(pairs_value, simplex_value),),
    expected=Verdict.SUPPORTED,
    most_samples=60,
    notes="The general statement it contradicts: deep-linear-etf-in-general.",
)
