"""Batches that never hold two classes together leave them free to coincide: an exact tie."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library.geometry._spheres import Vectors, orthonormal, supervised_contrastive
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal, greater

temperature, apart, coinciding, full_apart, full_coinciding = sp.symbols(
    "temperature apart coinciding full_apart full_coinciding", positive=True
)
samples = sp.Symbol("samples", integer=True, positive=True)
TWO_BATCHES = ((0, 1), (1, 2))
FULL_BATCH = ((0, 1, 2),)


def _loss(classes: Vectors, batches: tuple[tuple[int, ...], ...], samples: int, temperature: float) -> arb:
    total = arb(0)
    for batch in batches:
        features = [classes[k] for k in batch for _ in range(samples)]
        labels = [k for k in batch for _ in range(samples)]
        total += supervised_contrastive(features, labels, arb(temperature))
    return total


def _frame() -> Vectors:
    return orthonormal(3)


def _merged() -> Vectors:
    one, two, _ = orthonormal(3)
    return [one, two, one]


def _apart(samples: int, temperature: float) -> arb:
    return _loss(_frame(), TWO_BATCHES, samples, temperature)


def _coinciding(samples: int, temperature: float) -> arb:
    return _loss(_merged(), TWO_BATCHES, samples, temperature)


def _full_apart(samples: int, temperature: float) -> arb:
    return _loss(_frame(), FULL_BATCH, samples, temperature)


def _full_coinciding(samples: int, temperature: float) -> arb:
    return _loss(_merged(), FULL_BATCH, samples, temperature)


CLAIM = Claim(
    id="batching-failure",
    title="Classes that never share a batch may coincide at no cost",
    statement=(
        r"Nonnegative features, supervised contrastive loss, $K \geq 2$ samples in each of three classes, batches of classes {1, 2} and {2, 3} only: the orthogonal "
        r"frame ties exactly with $h_1 = h_3$, both at $2 \log(K - 1 + K e^{-1/T})$. With the full batch coinciding "
        r"costs strictly more."
    ),
    source=Source("kini2024", "abstract: orthogonal frame, role of batch selection; the batch condition as recalled"),
    variables={samples: Integers(2, 6), temperature: Interval(0.05, 10.0, log=True)},
    quantities={
        apart: Quantity(at=_apart, route="the loss, term by term"),
        coinciding: Quantity(at=_coinciding, route="the loss, term by term"),
        full_apart: Quantity(at=_full_apart, route="the loss, term by term"),
        full_coinciding: Quantity(at=_full_coinciding, route="the loss, term by term"),
    },
    relations=(
        equal(apart, 2 * sp.log(samples - 1 + samples * sp.exp(-1 / temperature))),
        equal(coinciding, apart),
        greater(full_coinciding, full_apart),
    ),
    expected=Verdict.PROVED,
    hypotheses=("unit vectors",),
    derivation="derivations/unit_vectors.py",
    most_samples=300,
    notes="The value for the full batch: supervised-contrastive-value.",
)
