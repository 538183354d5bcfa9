"""The largest one-vs-rest distance of unit vectors: simplex frame, and regular polygon in the plane."""

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._matrices import dot, simplex_etf
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.geometry._spheres import Vectors, disturbed
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal
from mdtheory.foundation.errors import AssumptionError

of_simplex, near_simplex, of_polygon, near_polygon = sp.symbols(
    "of_simplex near_simplex of_polygon near_polygon", positive=True
)
disturbance = sp.Symbol("disturbance", positive=True)
seed = sp.Symbol("seed", integer=True, positive=True)


def _distance(point: list[arb], others: Vectors) -> arb:
    """To the segment between two points, or to the mean of others that are all equally far in its direction."""
    count = len(others)
    centre = [sum((v[i] for v in others), arb(0)) / count for i in range(len(point))]
    gap = [a - b for a, b in zip(point, centre, strict=True)]
    inward = [dot([a - b for a, b in zip(v, centre, strict=True)], gap) for v in others]
    if any(not abs(x) < arb(2) ** -60 for x in inward):
        raise AssumptionError("the mean is not the nearest point")
    return dot(gap, gap).sqrt()


def _to_segment(point: list[arb], one: list[arb], other: list[arb]) -> arb:
    along = [b - a for a, b in zip(one, other, strict=True)]
    start = [p - a for a, p in zip(one, point, strict=True)]
    square = dot(along, along)
    share = arb(0) if square.contains(0) else (dot(start, along) / square).max(arb(0)).min(arb(1))
    foot = [a + share * d for a, d in zip(one, along, strict=True)]
    gap = [p - f for p, f in zip(point, foot, strict=True)]
    return dot(gap, gap).sqrt()


def _least_to_mean(vectors: Vectors) -> arb:
    """The least distance to the mean of the others: at least the one-vs-rest distance."""
    distances = []
    for k, vector in enumerate(vectors):
        others = [v for j, v in enumerate(vectors) if j != k]
        centre = [sum((v[i] for v in others), arb(0)) / len(others) for i in range(len(vector))]
        gap = [a - b for a, b in zip(vector, centre, strict=True)]
        distances.append(dot(gap, gap).sqrt())
    least = distances[0]
    for distance in distances[1:]:
        least = least.min(distance)
    return least


def _one_vs_rest(angles: list[arb]) -> arb:
    """In the plane: the hull of the others is reached at one of its chords, unless the point lies inside."""
    points = [[angle.cos(), angle.sin()] for angle in angles]
    least = arb(4)
    for k, point in enumerate(points):
        others = [p for j, p in enumerate(points) if j != k]
        nearest = _to_segment(point, others[0], others[0])  # for two points there is no chord
        for i, one in enumerate(others):
            for other in others[i + 1 :]:
                nearest = nearest.min(_to_segment(point, one, other))
        least = least.min(nearest)
    return least


def _of_simplex(num_classes: int) -> arb:
    frame = simplex_etf(num_classes)
    return _distance(frame[0], frame[1:])


def _near_simplex(num_classes: int, disturbance: float, seed: int) -> arb:
    return _least_to_mean(disturbed(simplex_etf(num_classes), disturbance, seed))


def _angles(count: int) -> list[arb]:
    return [2 * arb.pi() * k / count for k in range(count)]


def _of_polygon(num_classes: int) -> arb:
    return _one_vs_rest(_angles(num_classes))


def _near_polygon(num_classes: int, disturbance: float, seed: int) -> arb:
    noise = np.random.default_rng(seed).normal(size=num_classes)
    shifts = [arb(disturbance) * arb(float(x)) for x in noise]
    return _one_vs_rest([a + s for a, s in zip(_angles(num_classes), shifts, strict=True)])


CLAIM = Claim(
    id="softmax-code",
    title="One-vs-rest distances: simplex frame and regular polygon",
    statement=(
        r"The largest one-vs-rest distance $\min_k \mathrm{dist}(w_k, \mathrm{conv}\{w_j\}_{j \neq k})$ of $N$ unit vectors "
        r"in dimension $M$ is $N/(N-1)$ for $2 \leq N \leq M + 1$, at the simplex frame, and $1 - \cos(2\pi/N)$ in the plane, "
        r"$N \geq 3$, at the regular polygon."
    ),
    source=Source("jiang2024", "abstract: softmax codes; values for few classes and for the plane as recalled"),
    variables={
        num_classes: Integers(2, 8),
        disturbance: Interval(1e-4, 3.0, log=True),
        seed: Integers(1, 10_000),
    },
    quantities={
        of_simplex: Quantity(at=_of_simplex, route="distance to the hull, by its nearest point"),
        near_simplex: Quantity(at=_near_simplex, route="a random frame near it, distance to the mean of the others"),
        of_polygon: Quantity(at=_of_polygon, route="distances to all chords"),
        near_polygon: Quantity(at=_near_polygon, route="random angles near it, distances to all chords"),
    },
    relations=(
        equal(of_simplex, num_classes / (num_classes - 1)),
        at_most(near_simplex, of_simplex),
        equal(of_polygon, 1 - sp.cos(2 * sp.pi / num_classes)),
        at_most(near_polygon, of_polygon),
    ),
    expected=Verdict.PROVED,
    hypotheses=("unit vectors", "enough features"),
    derivation="derivations/unit_vectors.py",
    most_samples=200,
    notes="Between N = M + 2 and 2M the value is 1; beyond that, in three dimensions and more, only bounds are known.",
)
