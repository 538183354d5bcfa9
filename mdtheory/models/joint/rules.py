"""Cubature rules for what a spread leaves in the few dimensions that logits see: a radius times a direction."""

from functools import lru_cache

import numpy as np
from scipy.special import roots_genlaguerre, roots_jacobi

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.spreads import Gaussian, Sphere, Spread

# Nodes are few: a direction takes (dimensions - 1) factors of this order.
MOST_DIMENSIONS = 5


@lru_cache(maxsize=32)
def rule(spread: Spread, dim: int, order: int) -> tuple[FloatArray, FloatArray]:
    """Nodes (K, dim) and weights (K,) of the first coordinates of a `Gaussian` or `Sphere`, exact for polynomials of degree ``order``.

    Examples
    --------
    >>> nodes, weights = rule(Sphere(8), 2, 12)
    >>> bool(np.allclose(weights @ nodes**2, 1/8)), bool(np.allclose(weights @ nodes[:, 0]**4, 3/80))
    (True, True)
    """
    radii, shares = _radial(spread, dim, order)
    directions, parts = _directions(dim, order)
    nodes = (radii[:, None, None] * directions).reshape(-1, dim)
    return nodes, np.outer(shares, parts).ravel()


def _radial(spread: Spread, dim: int, order: int) -> tuple[FloatArray, FloatArray]:
    """The length of the first coordinates: nodes and weights."""
    count = order // 2 + 1
    if isinstance(spread, Gaussian):
        square, weights = roots_genlaguerre(count, 0.5 * dim - 1.0)
        return np.sqrt(2.0 * square / spread.dim), weights / weights.sum()
    if not isinstance(spread, Sphere):
        raise fail("spread", spread, "must be Gaussian or Sphere where classes are not alike")
    if spread.dim == dim:
        return np.ones(1), np.ones(1)
    # The square has a beta law.
    x, weights = roots_jacobi(count, 0.5 * (spread.dim - dim) - 1.0, 0.5 * dim - 1.0)
    return np.sqrt(0.5 * (1.0 + x)), weights / weights.sum()


def _directions(dim: int, order: int) -> tuple[FloatArray, FloatArray]:
    """Points of the unit sphere in so many dimensions, and weights: one angle after another."""
    if dim == 1:
        return np.array([[1.0], [-1.0]]), np.full(2, 0.5)
    count = order + 1
    # Half a step off, so that no node lies on an axis of symmetry.
    angle = 2.0 * np.pi * (np.arange(count) + 0.25) / count
    points, weights = np.stack([np.cos(angle), np.sin(angle)], axis=-1), np.full(count, 1.0 / count)
    for higher in range(3, dim + 1):
        x, shares = roots_jacobi(order // 2 + 1, 0.5 * (higher - 3.0), 0.5 * (higher - 3.0))
        below = np.sqrt(1.0 - x**2)[:, None, None] * points
        last = np.broadcast_to(x[:, None, None], (x.size, len(points), 1))
        points = np.concatenate([below, last], axis=-1).reshape(-1, higher)
        weights = np.outer(shares / shares.sum(), weights).ravel()
    return points, weights
