"""Supervised contrastive loss with the full batch: the simplex frame, and its value; nonnegative features."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._matrices import simplex_etf
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.geometry._spheres import Vectors, disturbed, orthonormal, supervised_contrastive
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal

temperature, disturbance, value, nonnegative_value, other_value, other_nonnegative = sp.symbols(
    "temperature disturbance value nonnegative_value other_value other_nonnegative", positive=True
)
samples = sp.Symbol("samples", integer=True, positive=True)
seed = sp.Symbol("seed", integer=True, positive=True)


def _loss(classes: Vectors, samples: int, temperature: float, disturbance: float, seed: int, *, fold: bool) -> arb:
    """All samples of a class at its vector, then disturbed; ``fold``: entries made nonnegative."""
    features = [vector for vector in classes for _ in range(samples)]
    labels = [k for k in range(len(classes)) for _ in range(samples)]
    if disturbance > 0:
        features = disturbed(features, disturbance, seed)
        if fold:
            features = [[abs(x) for x in vector] for vector in features]
    return supervised_contrastive(features, labels, arb(temperature))


def _value(num_classes: int, samples: int, temperature: float) -> arb:
    return _loss(simplex_etf(num_classes), samples, temperature, 0.0, 0, fold=False)


def _nonnegative_value(num_classes: int, samples: int, temperature: float) -> arb:
    return _loss(orthonormal(num_classes), samples, temperature, 0.0, 0, fold=True)


def _other_value(num_classes: int, samples: int, temperature: float, disturbance: float, seed: int) -> arb:
    return _loss(simplex_etf(num_classes), samples, temperature, disturbance, seed, fold=False)


def _other_nonnegative(num_classes: int, samples: int, temperature: float, disturbance: float, seed: int) -> arb:
    return _loss(orthonormal(num_classes), samples, temperature, disturbance, seed, fold=True)


def _best(gap: sp.Expr) -> sp.Expr:
    return sp.log(samples - 1 + (num_classes - 1) * samples * sp.exp(-gap / temperature))


SIMPLEX, ORTHOGONAL = num_classes / (num_classes - 1), sp.Integer(1)

CLAIM = Claim(
    id="supervised-contrastive-value",
    title="Supervised contrastive loss with the full batch",
    statement=(
        r"With $K \geq 2$ unit features in each of $N \geq 2$ classes and temperature $T > 0$ the least value is "
        r"$\log(K - 1 + (N-1) K e^{-N/((N-1)T)})$, at the simplex frame, in dimension $M \geq N - 1$; with nonnegative features the "
        r"exponent is $-1/T$, at an orthogonal frame, $M \geq N$."
    ),
    source=Source(
        "graf2021",
        "abstract: minimum at a regular simplex; the value as recalled; nonnegative features: kini2024, abstract",
    ),
    variables={
        num_classes: Integers(2, 5),
        samples: Integers(2, 3),
        temperature: Interval(0.05, 5.0, log=True),
        disturbance: Interval(1e-4, 10.0, log=True),
        seed: Integers(1, 10_000),
    },
    quantities={
        value: Quantity(at=_value, route="the loss at the simplex frame, term by term"),
        nonnegative_value: Quantity(at=_nonnegative_value, route="the loss at the orthogonal frame, term by term"),
        other_value: Quantity(at=_other_value, route="the loss at random features near it, term by term"),
        other_nonnegative: Quantity(at=_other_nonnegative, route="the loss at random features near it, term by term"),
    },
    relations=(
        equal(value, _best(SIMPLEX)),
        equal(nonnegative_value, _best(ORTHOGONAL)),
        at_least(other_value, value),
        at_least(other_nonnegative, nonnegative_value),
    ),
    expected=Verdict.PROVED,
    hypotheses=("unit vectors", "balanced classes", "enough features"),
    derivation="derivations/unit_vectors.py",
    most_samples=200,
    notes="With small batches the frame need not be the only optimum: batching-failure.",
)
