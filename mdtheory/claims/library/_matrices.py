"""Symmetric matrices in ball arithmetic: extreme eigenvalues by proved definiteness, losses at explicit logits."""

from collections.abc import Callable, Sequence

import numpy as np
from flint import acb, acb_mat, arb, arb_mat

from mdtheory.foundation.errors import AssumptionError

Rows = Sequence[Sequence[arb]]
Vector = Sequence[arb]
STEP = 2.0**-50
SHIFT = 2.0**-60
"""Relative width of an eigenvalue's enclosure."""


def dot(one: Vector, other: Vector) -> arb:
    """The scalar product."""
    return sum((a * b for a, b in zip(one, other, strict=True)), arb(0))


def gram(rows: Rows) -> list[list[arb]]:
    """The scalar products of the rows."""
    return [[dot(one, other) for other in rows] for one in rows]


def transposed(rows: Rows) -> list[list[arb]]:
    """Rows and columns exchanged."""
    return [list(column) for column in zip(*rows, strict=True)]


def largest_eigenvalue(rows: Rows) -> arb:
    """Between a Rayleigh quotient and a bound at which a Cholesky factorisation proves definiteness."""
    middle = np.array([[float(x.mid()) for x in row] for row in rows])
    vector = [arb(float(x)) for x in np.linalg.eigh(middle)[1][:, -1]]
    quotient = dot(vector, [dot(row, vector) for row in rows]) / dot(vector, vector)
    scale = arb(float(np.abs(middle).max())) * len(middle)
    for widening in (1, 2**10, 2**20):
        bound = quotient.upper() + scale * arb(SHIFT) * widening
        if _definite([[(bound if i == j else arb(0)) - x for j, x in enumerate(row)] for i, row in enumerate(rows)]):
            return quotient.union(bound)
    raise AssumptionError("largest eigenvalue: definiteness is not proved")


def smallest_eigenvalue(rows: Rows) -> arb:
    """Minus the largest eigenvalue of minus the matrix."""
    return -largest_eigenvalue([[-x for x in row] for row in rows])


def operator_norm(rows: Rows) -> arb:
    """The largest singular value."""
    return largest_eigenvalue(gram(rows)).sqrt()


def solve_linear(rows: Rows, right: Vector) -> list[arb]:
    """The solution of a linear system, in balls."""
    found = arb_mat([list(row) for row in rows]).solve(arb_mat([[x] for x in right]))
    return [row[0] for row in found.tolist()]


def softmax(logits: Vector) -> list[arb]:
    """Probabilities."""
    top = max(float(z.mid()) for z in logits)
    weights = [(z - top).exp() for z in logits]
    total = sum(weights, arb(0))
    return [w / total for w in weights]


def log_sum_exp(logits: Vector) -> arb:
    """``log sum exp``."""
    top = max(float(z.mid()) for z in logits)
    return top + sum(((z - top).exp() for z in logits), arb(0)).log()


def entropy(probabilities: Vector) -> arb:
    """In nats; zero times its logarithm is zero."""
    return -sum((p * p.log() for p in probabilities if not p.is_zero()), arb(0))


def unit(vector: Vector) -> list[arb]:
    """Divided by its length."""
    length = dot(vector, vector).sqrt()
    return [x / length for x in vector]


def simplex_etf(count: int) -> list[list[arb]]:
    """Unit vectors ``e_k - 1/N``, rescaled."""
    return [unit([arb(int(i == k)) - arb(1) / count for i in range(count)]) for k in range(count)]


def newton(gradient: Callable[[list[arb]], Sequence[arb]], start: Vector, free: Sequence[int]) -> list[arb]:
    """A zero of a gradient in the free coordinates, near a good start: exact numbers, nothing proved."""
    point = list(start)
    for _ in range(6):
        slopes = gradient(point)
        columns = []
        for i in free:
            moved = [x + arb(STEP) * (i == j) for j, x in enumerate(point)]
            columns.append([(b - a) / arb(STEP) for a, b in zip(slopes, gradient(moved), strict=True)])
        rows = [[column[r].mid() for column in columns] for r in free]
        change = solve_linear(rows, [slopes[r].mid() for r in free])
        for i, step in zip(free, change, strict=True):
            point[i] = (point[i] - step).mid()
        if max(abs(float(step)) for step in change) < 1e-24:
            break
    return point


def _definite(rows: Rows) -> bool:
    """Whether elimination proves the matrix positive definite."""
    left = [list(row) for row in rows]
    for i in range(len(left)):
        if not left[i][i] > 0:
            return False
        for j in range(i + 1, len(left)):
            factor = left[j][i] / left[i][i]
            for k in range(j, len(left)):
                left[j][k] = left[k][j] = left[j][k] - factor * left[i][k]
    return True


def eigenvalues(rows: Rows) -> list[arb]:
    """All eigenvalues of a symmetric matrix, in increasing order of their midpoints; clusters may share a ball."""
    try:
        found = acb_mat([[acb(x) for x in row] for row in rows]).eig(multiple=True)
    except ValueError as error:
        raise AssumptionError(f"eigenvalues: {error}") from None
    return sorted((value.real for value in found), key=lambda value: float(value.mid()))
