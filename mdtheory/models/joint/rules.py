"""Cubature rules for what a spread leaves in the few dimensions that logits see: a radius times a direction."""

from functools import lru_cache

import numpy as np
from scipy.special import betainc, gammainc, roots_genlaguerre, roots_jacobi

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.spreads import Gaussian, Sphere, Spread

# Nodes are few: a direction takes (dimensions - 1) factors of this order.
MOST_DIMENSIONS = 5


# Of directions, for what is not smooth in them.
_DIRECTIONS = {2: 19_999, 3: 599}


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


@lru_cache(maxsize=32)
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


def error_rate(margins: FloatArray, normals: FloatArray, radius: float, spread: Spread) -> float:
    """The probability that some ``margins + radius normals @ xi`` is not positive, exact along each direction of xi.

    Parameters
    ----------
    margins : array (P,)
    normals : array (P, dim)
        In two or three dimensions of the spread.
    radius : float
    spread : Gaussian or Sphere

    Examples
    --------
    Half a plane is lost, and a disc inside it is not:

    >>> round(error_rate(np.zeros(1), np.array([[1.0, 0.0]]), 1.0, Gaussian(4)), 12)
    0.5
    >>> error_rate(np.ones(1), np.array([[1.0, 0.0]]), 0.5, Sphere(4))
    0.0
    """
    if np.any(margins <= 0.0) and radius == 0.0:
        return 1.0
    dim = normals.shape[1]
    directions, weights = _directions(dim, _DIRECTIONS[dim])
    along = radius * directions @ normals.T
    # Along a direction the first margin to vanish does so where something pulls at it; those gone already count from the start.
    low, high = np.zeros(len(directions)), np.full(len(directions), np.inf)
    for k, margin in enumerate(margins):
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -margin / along[:, k]
        if margin > 0.0:
            high = np.where(along[:, k] < 0.0, np.minimum(high, crossing), high)
        else:
            low = np.where(along[:, k] > 0.0, np.maximum(low, crossing), np.inf)
    correct = np.maximum(_within(high, dim, spread) - _within(low, dim, spread), 0.0)
    return float(np.clip(1.0 - weights @ correct, 0.0, 1.0))


def _within(length: FloatArray, dim: int, spread: Spread) -> FloatArray:
    """The probability that the first coordinates are at most so long."""
    if isinstance(spread, Gaussian):
        return np.asarray(gammainc(0.5 * dim, 0.5 * spread.dim * np.minimum(length, 1e6) ** 2))
    if spread.dim == dim:
        return np.where(length >= 1.0, 1.0, 0.0)
    return np.asarray(betainc(0.5 * dim, 0.5 * (spread.dim - dim), np.minimum(length, 1.0) ** 2))
