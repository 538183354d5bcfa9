"""The second variation of the deep linear features model at the simplex frame, from power series in balls."""

from typing import Any

import sympy as sp
from flint import arb, arb_series

from mdtheory.claims.model import Quantity

layers = sp.Symbol("layers", integer=True, positive=True)
margin = sp.Symbol("margin", positive=True)
curvature = sp.Symbol("curvature", real=True)
smoothed = sp.Symbol("smoothed", nonnegative=True)
"""What smoothing takes of the probability of a wrong class, ``alpha/(N q)``: below one where the frame is stationary for some decay."""
ROUTE = "power series of the objective along one direction"

share = (layers - 1) / (layers + 1)
"""1 - p."""

# Symmetric directions with zero row sums: the nonzero entries of a few columns, the own one first, and the square of their eigenvalues.
_CYCLE: tuple[list[tuple[int, tuple[int, ...]]], int] = ([(0, (1, -1))] * 4, 4)
_DIAGONAL: tuple[list[tuple[int, tuple[int, ...]]], int] = ([(1, (0, -1)), (-1, (0, 1)), (0, (-1, 1))], 3)


def _series(*coefficients: arb) -> Any:
    return arb_series([arb(c) for c in coefficients], 3)


def _second(columns: list[tuple[int, tuple[int, ...]]], square: int, n: int, depth: int, s: arb, smoothed: arb) -> arb:
    """``d^2/dt^2`` of loss plus penalty at the logits ``s (I - J/N) + t sqrt(N) E``, over the square of E's norm, ``2 square``.

    E has the eigenvalues ``+-sqrt(square)``, and zero; the cost of the singular values is the one for which the frame is stationary.
    """
    p, root = arb(2) / (depth + 1), arb(n).sqrt()
    own = 1 / (1 + (n - 1) * (-s).exp())
    other = own * (-s).exp()
    excess = other * (1 - smoothed)
    loss = arb(0)
    for first, rest in columns:
        odds = _series(0, root * first).exp() * own + (n - 1 - len(rest)) * other
        for entry in rest:
            odds = odds + _series(0, root * entry).exp() * other
        # Labels are linear in t.
        loss += odds.log()[2] * 2 / n
    sigma = s / root
    cost = n * excess / s / (p * sigma ** (p - 2))
    size = arb(square).sqrt()
    powers = sum(((_series(sigma, sign * size).log() * p).exp())[2] * 2 for sign in (1, -1))
    return (loss + cost * powers) / (2 * square)


def _of_many(num_classes: int, layers: int, margin: float, smoothed: float) -> arb:
    return _second(*_CYCLE, num_classes, layers, arb(margin), arb(smoothed))


def _of_three(layers: int, margin: float, smoothed: float) -> arb:
    return _second(*_DIAGONAL, 3, layers, arb(margin), arb(smoothed))


OF_MANY = {curvature: Quantity(at=_of_many, route=ROUTE)}
"""Along a cycle of four classes with signs that alternate: zero on the diagonal."""
OF_THREE = {curvature: Quantity(at=_of_three, route=ROUTE)}
"""Of three classes along a diagonal of sum zero."""
