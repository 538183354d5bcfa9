"""Cross-entropy on the sphere: the simplex frame and its value."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._matrices import simplex_etf
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.geometry._spheres import cross_entropy, disturbed
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal

inverse_temperature, disturbance, value, other_value = sp.symbols(
    "inverse_temperature disturbance value other_value", positive=True
)
seed = sp.Symbol("seed", integer=True, positive=True)


def _value(num_classes: int, inverse_temperature: float) -> arb:
    frame = simplex_etf(num_classes)
    return cross_entropy(frame, frame, arb(inverse_temperature))


def _other_value(num_classes: int, inverse_temperature: float, disturbance: float, seed: int) -> arb:
    frame = simplex_etf(num_classes)
    features, weights = disturbed(frame, disturbance, seed), disturbed(frame, disturbance, seed + 1)
    return cross_entropy(features, weights, arb(inverse_temperature))


best = sp.log(1 + (num_classes - 1) * sp.exp(-inverse_temperature * num_classes / (num_classes - 1)))

CLAIM = Claim(
    id="spherical-cross-entropy-value",
    title="Cross-entropy on the unit sphere",
    statement=(
        r"For unit class means and weights in dimension $M \geq N - 1$, balanced classes and inverse temperature $s > 0$ the least "
        r"cross-entropy is $\log(1 + (N-1) e^{-s N/(N-1)})$, attained by the simplex frame; in a smaller dimension that is a lower bound."
    ),
    source=Source("lu2022", "abstract: the simplex frame is the global minimum for d >= n - 1; the value as recalled"),
    variables={
        num_classes: Integers(2, 8),
        inverse_temperature: Interval(0.1, 30.0, log=True),
        disturbance: Interval(1e-4, 10.0, log=True),
        seed: Integers(1, 10_000),
    },
    quantities={
        value: Quantity(at=_value, route="the loss at the simplex frame, term by term"),
        other_value: Quantity(at=_other_value, route="the loss at a random frame near it, term by term"),
    },
    relations=(equal(value, best), at_least(other_value, value)),
    expected=Verdict.PROVED,
    hypotheses=("unit vectors", "cross-entropy", "balanced classes", "enough features"),
    derivation="derivations/unit_vectors.py",
    most_samples=500,
)
