"""Deep linear networks with squared error: singular values jump to zero at a threshold."""

from functools import lru_cache

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.numerics.ball_roots import root

layers = sp.Symbol("layers", integer=True, positive=True)
target, factor, critical, landing, threshold = sp.symbols("target factor critical landing threshold", positive=True)


def _best(layers: int, target: arb, factor: arb, product: arb) -> tuple[arb, arb]:
    """The gain over zero at the local minimum of ``c (s - y)^2 + (L+1) Lambda^(1/(L+1)) s^(2/(L+1))``, and where it is.

    Without a local minimum, minus the least slope: a negative number.
    """
    power, cost = arb(1) / (layers + 1), product ** (arb(1) / (layers + 1))

    def slope(s: arb) -> arb:
        return 2 * factor * (s - target) + 2 * cost * s ** ((1 - layers) * power)

    # The slope is convex: it decreases to its least value, then increases.
    turn = (cost * (layers - 1) * power / factor) ** ((layers + 1) / arb(2 * layers))
    least = slope(turn)
    if not least < 0:
        return -least, turn
    s = root(slope, turn.upper(), target, width=1e-28)
    value = factor * (s - target) ** 2 + (layers + 1) * cost * s ** (2 * power)
    return factor * target**2 - value, s


@lru_cache(maxsize=10_000)
def _at_the_jump(layers: int, target: float, factor: float, bits: int) -> tuple[arb, arb]:
    """The product of decays at which the gain vanishes, and the singular value there."""
    y, c = arb(target), arb(factor)
    scale = (c ** (layers + 1) * y ** (2 * layers)).log()
    log_product = root(lambda x: -_best(layers, y, c, x.exp())[0], scale - 40, scale + 1, width=1e-16)
    found = log_product.exp()
    # The local minimum moves down as the product grows: its slope rises.
    landings = [_best(layers, y, c, end)[1] for end in (found.lower(), found.upper())]
    return found, landings[0].union(landings[1])


def _critical(layers: int, target: float, factor: float) -> arb:
    return _at_the_jump(layers, target, factor, ctx.prec)[0]


def _landing(layers: int, target: float, factor: float) -> arb:
    return _at_the_jump(layers, target, factor, ctx.prec)[1]


CLAIM = Claim(
    id="deep-linear-threshold",
    title="Deep linear networks: a singular value jumps to zero",
    statement=(
        r"Squared error $c \Vert z - y \Vert^2$, no bias, $L \geq 2$ linear layers on free features, all as wide as "
        r"needed, $\Lambda$ the product of all decays: a singular value $y$ of the targets survives if $\Lambda < "
        r"c^{L+1} y^{2L} (L-1)^{L-1}/L^{2L}$ and is zero if $\Lambda$ is larger; there it jumps from $y (L-1)/L$ to "
        r"zero."
    ),
    source=Source(
        "dang2023",
        "abstract: deep linear networks with squared error; the collapse condition as recalled, its threshold: this project",
    ),
    variables={
        layers: Integers(2, 8),
        target: Interval(0.05, 2.0, log=True),
        factor: Interval(0.25, 1.0),
    },
    definitions={
        threshold: factor ** (layers + 1)
        * target ** (2 * layers)
        * (layers - 1) ** (layers - 1)
        / layers ** (2 * layers)
    },
    quantities={
        critical: Quantity(at=_critical, route="zero of the gain, by proved signs"),
        landing: Quantity(at=_landing, route="local minimum where the gain vanishes, by proved signs"),
    },
    relations=(
        equal(critical, threshold),
        equal(landing, target * (layers - 1) / layers),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "linear network", "free features", "enough features"),
    derivation="derivations/deep_networks.py",
    most_samples=100,
    notes="For one layer there is no jump; for cross-entropy see deep-linear-etf-in-general.",
)
