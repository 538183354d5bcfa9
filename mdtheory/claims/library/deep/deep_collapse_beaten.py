"""Deep networks with ReLU and many classes: an explicit network that beats deep neural collapse."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._matrices import Rows, dot, transposed
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.foundation.errors import AssumptionError

vertices = sp.Symbol("vertices", integer=True, positive=True)
layers = sp.Symbol("layers", integer=True, positive=True)
scale, by_edges, by_collapse = sp.symbols("scale by_edges by_collapse", positive=True)
classes = vertices * (vertices - 1) / 2


def _identity(count: int) -> Rows:
    return [[arb(int(i == j)) for j in range(count)] for i in range(count)]


def _least_decay(factors: Sequence[Rows], scale: float) -> arb:
    """The least sum of squares of all factors when each may be rescaled and the network puts out ``scale`` times I.

    The first factor holds the features; each later one acts on the rectified result. Rescaled optimally, all
    ``L + 1`` factors have equal sums of squares.
    """
    state: Rows = factors[0]
    for weights in factors[1:]:
        rectified = [[x.max(arb(0)) for x in row] for row in state]
        columns = transposed(rectified)
        state = [[dot(row, column) for column in columns] for row in weights]
    own = state[0][0]
    for i, row in enumerate(state):
        for j, x in enumerate(row):
            if not x == (own if i == j else 0):
                raise AssumptionError("the network does not put out a multiple of the identity")
    product = (arb(scale) / own) ** 2
    for factor in factors:
        product *= sum((dot(row, row) for row in factor), arb(0))
    return len(factors) * product ** (arb(1) / len(factors))


@lru_cache(maxsize=500)
def _unit_decays(vertices: int, layers: int, bits: int) -> tuple[arb, arb]:
    """For output I: classes as edges of a complete graph, and every layer a multiple of the identity."""
    edges = list(combinations(range(vertices), 2))
    incidence = [[arb(int(v in edge)) for edge in edges] for v in range(vertices)]
    # Only an edge itself gets more than zero: an edge that shares one end gets 1 - 1.
    separating = [[arb(1 if v in edge else -1) for v in range(vertices)] for edge in edges]
    middle = [_identity(vertices) for _ in range(layers - 2)]
    graph = _least_decay([incidence, *middle, separating, _identity(len(edges))], 1.0)
    return graph, _least_decay([_identity(len(edges))] * (layers + 1), 1.0)


def _by_edges(vertices: int, layers: int, scale: float) -> arb:
    return _unit_decays(vertices, layers, ctx.prec)[0] * (arb(scale) ** 2) ** (arb(1) / (layers + 1))


def _by_collapse(vertices: int, layers: int, scale: float) -> arb:
    return _unit_decays(vertices, layers, ctx.prec)[1] * (arb(scale) ** 2) ** (arb(1) / (layers + 1))


CLAIM = Claim(
    id="deep-collapse-beaten",
    title="Deep neural collapse is beaten when there are many classes",
    statement=(
        r"ReLU network, $L$ layers on free nonnegative features, all as wide as needed, $N = r(r-1)/2$ classes, any loss: if "
        r"$r^{L-1} < 2 N^{L-2}$, a network whose hidden layers are the edges of the complete graph on $r$ vertices puts out "
        r"the same multiple of the identity as deep neural collapse at less decay: the ratio of the two, to the power $L + 1$, "
        r"is $r^{L-1}/(2 N^{L-2})$, whatever the decays."
    ),
    source=Source(
        "sukenik2024",
        "abstract: deep neural collapse stops being optimal beyond two layers or two classes; the test as recalled",
    ),
    variables={vertices: Integers(3, 6), layers: Integers(2, 6), scale: Interval(0.1, 1.0)},
    quantities={
        by_edges: Quantity(at=_by_edges, route="forward pass and sums of squares of an explicit network, in balls"),
        by_collapse: Quantity(
            at=_by_collapse, route="forward pass and sums of squares of an explicit network, in balls"
        ),
    },
    relations=(
        equal((by_edges / by_collapse) ** (layers + 1), vertices ** (layers - 1) / (2 * classes ** (layers - 2))),
    ),
    expected=Verdict.PROVED,
    hypotheses=("ReLU network", "balanced classes", "nonnegative features", "enough features"),
    derivation="derivations/deep_networks.py",
    notes="Sufficient, not necessary: low-rank networks may win elsewhere too. For linear layers see deep-linear-pairs-beat-etf.",
)
