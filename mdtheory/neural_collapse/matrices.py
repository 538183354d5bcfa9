"""Matrices whose columns are vectors of a class, at any scale."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray, fail, finite

# Squares of smaller numbers lose digits to underflow; no measure depends on the scale.
_SMALLEST = 1e-300
# Singular values below this, relative to the largest, count as zero in ranks and pseudo-inverses.
RANK_TOLERANCE = 1e-7


def matrix(name: str, value: ArrayLike) -> FloatArray:
    """`value` as a finite real matrix with at least one row and one column."""
    array = np.asarray(finite(name, value))
    if array.ndim != 2:
        raise fail(name, array.shape, "must be a matrix with at least one row and one column")
    return array


def exponent(*arrays: NDArray[Any]) -> int:
    """The power of two of the largest entry, where squares or sums of squares might leave the range of doubles; or 0."""
    largest = max(max(float(np.max(array)), -float(np.min(array))) for array in arrays)
    return 0 if largest == 0 or 1e-100 < largest < 1e100 else int(np.frexp(largest)[1])


def scaled(array: FloatArray, power: int) -> FloatArray:
    """``array / 2**power``."""
    return array if power == 0 else np.asarray(np.ldexp(array, -power))


def normalised(columns: FloatArray) -> FloatArray:
    """Of Frobenius norm one; a matrix of zeros stays as it is."""
    largest = float(np.max(np.abs(columns)))
    if largest == 0:
        return columns
    reduced = columns / largest
    return np.asarray(reduced / np.linalg.norm(reduced))


def cosines_between(columns: FloatArray) -> FloatArray:
    """Cosines between columns, NaN-free: a zero column has cosine 0 with every other, and 1 with itself."""
    largest = np.max(np.abs(columns), axis=0)
    reduced = columns / np.where(largest > _SMALLEST, largest, 1.0)
    norms = np.linalg.norm(reduced, axis=0)
    unit = reduced / np.where(norms > 0, norms, 1.0)
    cosines = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(cosines, 1.0)
    return np.asarray(cosines)


def equinorm(columns: FloatArray, ddof: int) -> float:
    """Standard deviation of the norms over their mean; 0 for a matrix of zeros."""
    norms = np.linalg.norm(normalised(columns), axis=0)
    return float(np.std(norms, ddof=ddof) / np.mean(norms)) if np.any(norms > 0) else 0.0


def equiangularity(columns: FloatArray) -> float:
    """Mean over pairs of the distance of the cosine from that of a simplex."""
    count = columns.shape[1]
    cosines = cosines_between(columns)[~np.eye(count, dtype=bool)]
    return float(np.mean(np.abs(cosines + 1.0 / (count - 1))))


def gram(columns: FloatArray) -> FloatArray:
    """Inner products of columns, up to scale."""
    reduced = normalised(columns)
    return np.asarray(reduced.T @ reduced)


def distance(columns: FloatArray, target: FloatArray) -> float:
    """Frobenius distance of the normalised matrix from a normalised one."""
    return float(np.linalg.norm(normalised(columns) - target))


def rank_of(product: FloatArray) -> int:
    """The number of singular values that count."""
    singular = np.linalg.svd(product, compute_uv=False)
    return int(np.sum(singular > RANK_TOLERANCE * singular[0]))
