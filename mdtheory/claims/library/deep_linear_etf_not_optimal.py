"""Two linear layers, cross-entropy: antipodal pairs of classes beat every multiple of the simplex frame, on a whole range of decays."""

from functools import partial

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._profiles import least
from mdtheory.claims.library._symbols import decay
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import less

pairs = sp.Symbol("pairs", integer=True, positive=True)
by_simplex, by_pairs = sp.symbols("by_simplex by_pairs", positive=True)
FURTHEST = arb(40)


def _rest(paired: bool, n: arb, s: arb) -> arb:
    """``1/p - 1`` at size s: the other classes lie at 0 or, the partner of a pair, at -s."""
    return (n - 2) * (-s).exp() + (-2 * s).exp() if paired else (n - 1) * (-s).exp()


def _cost(paired: bool, n: arb, decay: arb, s: arb) -> arb:
    """``3 Lambda^(1/3)`` times the sum of ``sigma^(2/3)``, ``Lambda = decay^3/N``: least decay over all factorisations."""
    count, sigma = (n / 2, 2 * s) if paired else (n - 1, s)
    # The power through logarithms has no value at zero, and no cost there.
    spread = arb(0) if sigma.is_zero() else (sigma.log() * 2 / 3).exp()
    return 3 * decay / (n.log() / 3).exp() * count * spread


def _value(paired: bool, n: arb, decay: arb, s: arb) -> arb:
    return (1 + _rest(paired, n, s)).log() + _cost(paired, n, decay, s)


def _lower(paired: bool, n: arb, decay: arb, low: arb, high: arb) -> arb:
    """The loss falls and the cost grows with the size."""
    return (1 + _rest(paired, n, high)).log() + _cost(paired, n, decay, low)


def _best(paired: bool, n: arb, decay: arb) -> arb:
    """The least value over all sizes; beyond the largest size tried the cost alone is more than at zero."""
    ends = _cost(paired, n, decay, FURTHEST) > n.log()
    far = FURTHEST if ends else FURTHEST * 100
    found = least(partial(_lower, paired, n, decay), partial(_value, paired, n, decay), far, width=2e-3)
    beyond = _cost(paired, n, decay, far)
    return found if beyond > found else found.union(beyond.lower().min(found.lower()))


def _decide(pairs: arb, decay: arb) -> bool | None:
    """The least value of the simplex frame at the smallest decay against one pair configuration at the largest."""
    n, low, high = 2 * float(pairs.mid()), decay.lower(), decay.upper()
    s = np.linspace(0.5, 15.0, 300)
    cost = 3 * float(high.mid()) / n ** (1 / 3) * n / 2 * (2 * s) ** (2 / 3)
    guess = s[np.argmin(np.log1p((n - 2) * np.exp(-s) + np.exp(-2 * s)) + cost)]
    reached = _value(True, 2 * pairs, high, arb(float(guess)))
    return True if _best(False, 2 * pairs, low) > reached else None


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
        by_simplex: Quantity(
            at=lambda pairs, decay: _best(False, 2 * arb(pairs), arb(decay)),
            route="bisection of the size with monotone bounds",
        ),
        by_pairs: Quantity(
            at=lambda pairs, decay: _best(True, 2 * arb(pairs), arb(decay)),
            route="bisection of the size with monotone bounds",
        ),
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
