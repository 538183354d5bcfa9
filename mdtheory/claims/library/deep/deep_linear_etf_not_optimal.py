"""Two linear layers, cross-entropy: antipodal pairs of classes beat every multiple of the simplex frame, on a whole range of decays."""

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._symbols import decay
from mdtheory.claims.library.deep._deep_linear import ROUTE, Arrangement, best, pairs, value
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import less

by_simplex, by_pairs = sp.symbols("by_simplex by_pairs", positive=True)
LAYERS = 2


def _log_product(pairs: int, decay: arb) -> arb:
    """Minus the logarithm of ``Lambda = decay^3/N``."""
    return arb(2 * pairs).log() - (LAYERS + 1) * decay.log()


def _best(arrangement: Arrangement, pairs: int, decay: float) -> arb:
    return best(arrangement, pairs, LAYERS, _log_product(pairs, arb(decay)))


def _decide(pairs: arb, decay: arb) -> bool | None:
    """The least value of the simplex frame at the smallest decay against one pair configuration at the largest."""
    half, low, high = int(pairs.unique_fmpz()), decay.lower(), decay.upper()
    s, n = np.linspace(0.5, 15.0, 300), 2 * half
    cost = 3 * float(high.mid()) / n ** (1 / 3) * half * (2 * s) ** (2 / 3)
    guess = s[np.argmin(np.log1p((n - 2) * np.exp(-s) + np.exp(-2 * s)) + cost)]
    reached = value("pairs", half, LAYERS, _log_product(half, high), arb(float(guess)))
    return True if best("simplex", half, LAYERS, _log_product(half, low)) > reached else None


CLAIM = Claim(
    id="deep-linear-etf-not-optimal",
    title="Two linear layers, cross-entropy: the simplex frame is not optimal, for a whole range of decays",
    statement=(
        r"$N \in \{6, 8, 10, 12\}$ classes, two linear layers, all decays equal and in $[0.0002, 0.005]$: antipodal pairs "
        r"$z_{2k} = -z_{2k-1}$ have a smaller cross-entropy objective than every multiple of the simplex frame."
    ),
    source=Source("this project", "antipodal pairs against the simplex frame"),
    variables={pairs: Integers(3, 6), decay: Interval(2e-4, 5e-3, log=True)},
    quantities={
        by_simplex: Quantity(at=lambda pairs, decay: _best("simplex", pairs, decay), route=ROUTE),
        by_pairs: Quantity(at=lambda pairs, decay: _best("pairs", pairs, decay), route=ROUTE),
    },
    relations=(less(by_pairs, by_simplex),),
    expected=Verdict.CERTIFIED,
    box=Box(
        sides={"pairs": (3, 4, 5, 6), "decay": ("0.0002", "0.005")},
        log=("decay",),
        decide=_decide,
    ),
    most_samples=60,
    notes="The test as the decay vanishes: deep-linear-pairs-beat-etf.",
)
