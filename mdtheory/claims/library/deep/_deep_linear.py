"""Deep linear networks with cross-entropy: the best multiple of a given arrangement of logits, between bounds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.model import Quantity

Arrangement = Literal["simplex", "pairs"]
Part = Callable[[arb], arb]
TOLERANCE = 2e-4

pairs = sp.Symbol("pairs", integer=True, positive=True)
layers = sp.Symbol("layers", integer=True, positive=True)
log_product = sp.Symbol("log_product", positive=True)
simplex_value, pairs_value = sp.symbols("simplex_value pairs_value", positive=True)
ROUTE = "branch and bound over the multiple: the loss decreases, the decay increases"


@dataclass(frozen=True, slots=True)
class BestMultiple:
    """The optimal value for an arrangement, over its multiple.

    With L layers on free features the decay of a product with singular values s is
    ``(L+1) Lambda^(1/(L+1)) sum s^(2/(L+1))``; `log_product` is minus the logarithm of Lambda.
    """

    arrangement: Arrangement

    def __call__(self, **point: Any) -> arb:
        """The value at a point."""
        return _best(self.arrangement, point["pairs"], point["layers"], point["log_product"], ctx.prec)


VALUES: Mapping[sp.Symbol, Quantity] = {
    simplex_value: Quantity(at=BestMultiple("simplex"), route=ROUTE),
    pairs_value: Quantity(at=BestMultiple("pairs"), route=ROUTE),
}
"""Of both arrangements, for claims in these variables."""


@lru_cache(maxsize=5000)
def _best(arrangement: Arrangement, half: int, layers: int, log_product: float, bits: int) -> arb:
    return best(arrangement, half, layers, arb(log_product))


def best(arrangement: Arrangement, half: int, layers: int, log_product: arb) -> arb:
    """The least value over all multiples."""
    loss, cost = _parts(arrangement, half, layers, log_product)
    return _least(loss, cost, 2 * log_product + 20)


def value(arrangement: Arrangement, half: int, layers: int, log_product: arb, multiple: arb) -> arb:
    """The value at one multiple."""
    loss, cost = _parts(arrangement, half, layers, log_product)
    return loss(multiple) + cost(multiple)


def _parts(arrangement: Arrangement, half: int, layers: int, log_product: arb) -> tuple[Part, Part]:
    """The loss, which decreases with the multiple, and the decay, which increases."""
    power = arb(2) / (layers + 1)
    factor = (layers + 1) * (-log_product / (layers + 1)).exp()
    loss, count, stretch = _arrangements(half)[arrangement]
    cost = factor * count * stretch**power
    return loss, lambda s: cost * s**power


def _arrangements(half: int) -> Mapping[Arrangement, tuple[Part, int, int]]:
    """The loss at a multiple, how many singular values there are, and how large at multiple 1.

    Simplex: logits ``s (I - J/N)``. Pairs: the two classes of a pair have the logits s and -s on themselves.
    """
    n = 2 * half
    return {
        "simplex": (lambda s: ((n - 1) * (-s).exp()).log1p(), n - 1, 1),
        "pairs": (lambda s: ((n - 2) * (-s).exp() + (-2 * s).exp()).log1p(), half, 2),
    }


def _least(falling: Part, rising: Part, most: arb) -> arb:
    """The least sum of a decreasing and an increasing function of ``[0, most]``; beyond it the cost alone is larger."""
    zero = falling(arb(0))
    best = zero.upper()
    steps = [(most * i / 64).mid() for i in range(65)]
    for s in steps:
        best = best.min((falling(s) + rising(s)).upper())
    # Beyond the last step the decay alone is at least what it is there.
    lowest = rising(most).lower().min(best)
    stack = list(pairwise(steps))
    while stack:
        low, high = stack.pop()
        bound = (falling(high) + rising(low)).lower()
        if bound >= best * (1 - arb(TOLERANCE)):
            lowest = lowest.min(bound)
            continue
        middle = ((low + high) / 2).mid()
        best = best.min((falling(middle) + rising(middle)).upper())
        stack += [(low, middle), (middle, high)]
    return lowest.union(best)
