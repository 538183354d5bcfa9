"""Feature vectors with labels, read block by block: a data set is never copied as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray, choice, fail, fail_at, integer, real_array
from mdtheory.neural_collapse.matrices import exponent, scaled

Layout = Literal["rows", "columns"]

# Numbers in a block: 16 MiB.
_BLOCK = 2**21


@dataclass(frozen=True, slots=True)
class Samples:
    """Feature vectors and their classes, in units of ``2**power`` and relative to a pivot near their mean.

    Attributes
    ----------
    rows : array (n, M)
        As given, of any real type.
    owners : array (n,) of int
        The class of each, as a place in `present`.
    present : array (K,) of int
        The labels that occur, increasing.
    counts : array (K,)
        How often.
    power : int
    pivot : array (M,)
        Differences from it are as precise as the numbers themselves, wherever the data lie.
    """

    rows: NDArray[Any]
    owners: NDArray[np.int64]
    present: NDArray[np.int64]
    counts: FloatArray
    power: int
    pivot: FloatArray

    def blocks(self) -> Iterator[tuple[FloatArray, NDArray[np.int64]]]:
        """Differences from the pivot, and classes."""
        step = max(1, _BLOCK // max(self.rows.shape[1], self.counts.size))
        for start in range(0, self.rows.shape[0], step):
            block = scaled(np.array(self.rows[start : start + step], dtype=np.float64, order="C"), self.power)
            yield block - self.pivot, self.owners[start : start + step]

    def means(self) -> FloatArray:
        """The class means minus the pivot, as columns (M, K)."""
        total = np.zeros((self.counts.size, self.pivot.size))
        for block, owners in self.blocks():
            order = np.argsort(owners, kind="stable")
            classes, starts = np.unique(owners[order], return_index=True)
            total[classes] += np.add.reduceat(block[order], starts, axis=0)
        return np.asarray((total / self.counts[:, None]).T)

    def variances(self, means: FloatArray, projector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of each class the mean squared distance from its mean, and the mean square of ``projector' (h - mean)``."""
        plain, projected = np.zeros(self.counts.size), np.zeros(self.counts.size)
        for block, owners in self.blocks():
            deviation = block - means.T[owners]
            along = deviation @ projector
            plain += np.bincount(owners, np.einsum("ij,ij->i", deviation, deviation), self.counts.size)
            projected += np.bincount(owners, np.einsum("ij,ij->i", along, along), self.counts.size)
        return plain / self.counts, projected / self.counts

    def agreement(self, weights: FloatArray, offset: FloatArray, means: FloatArray) -> float:
        """The share of samples that classifier and nearest class mean assign to one class.

        One matrix product gives all logits and, as :math:`\\|h_k\\|^2/2 - \\langle h, h_k\\rangle`, all distances.
        """
        both = np.concatenate([weights, means.T]).T
        agreeing = 0
        for block, _ in self.blocks():
            product = block @ both
            chosen = np.argmax(product[:, : offset.size] + offset, axis=1)
            nearest = _nearest(block, means, product[:, offset.size :])
            agreeing += int(np.count_nonzero(chosen == self.present[nearest]))
        return agreeing / self.owners.size


def _nearest(block: FloatArray, means: FloatArray, products: FloatArray) -> NDArray[np.int64]:
    """The nearest of `means` (M, K), the first of equals."""
    squares = np.einsum("ij,ij->j", means, means)
    score = 0.5 * squares - products
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
    longest = np.sqrt(np.max(squares))
    # No score is wrong by more; where that leaves a doubt, distances themselves decide.
    doubt = (means.shape[0] + 4.0) * np.finfo(np.float64).eps * longest * (lengths + longest)
    possible = score <= np.min(score, axis=1, keepdims=True) + 2.0 * doubt[:, None]
    nearest: NDArray[np.int64] = np.argmax(possible, axis=1)
    doubtful = np.flatnonzero(np.count_nonzero(possible, axis=1) > 1)
    if doubtful.size:
        distances = np.full((doubtful.size, means.shape[1]), np.inf)
        for k, mean in enumerate(means.T):
            rows = np.flatnonzero(possible[doubtful, k])
            distances[rows, k] = np.linalg.norm(block[doubtful[rows]] - mean, axis=1)
        nearest[doubtful] = np.argmin(distances, axis=1)
    return nearest


def labelled_samples(
    features: ArrayLike, labels: ArrayLike, layout: Layout | None, shape: tuple[int, int], means: FloatArray | None
) -> Samples:
    """The samples of a data set, for classifiers of `shape` (N, M); `means` (M, N) are to be compared with them."""
    classes, width = shape
    owners = np.atleast_1d(np.asarray(integer("labels", labels, 0, classes - 1)))
    if np.ndim(labels) != 1:
        raise fail("labels", np.shape(labels), "must be one integer for each sample")
    rows = _oriented(_array(features), owners.size, width, layout)
    present, places, counts = np.unique(owners, return_inverse=True, return_counts=True)
    if present.size < 2:
        raise fail("labels", owners, f"must name at least two classes, not only {present[0]}")
    power = exponent(rows) if means is None else exponent(rows, means)
    some = np.array(rows[: max(1, _BLOCK // rows.shape[1])], dtype=np.float64)
    return Samples(rows, places.ravel(), present, counts.astype(float), power, np.mean(scaled(some, power), axis=0))


def means_as_samples(means: FloatArray) -> Samples:
    """Class means (M, K) as the only samples of their classes."""
    power, classes = exponent(means), np.arange(means.shape[1])
    pivot = np.mean(scaled(means, power), axis=1)
    return Samples(means.T, classes, classes, np.ones(classes.size), power, pivot)


def _array(features: ArrayLike) -> NDArray[Any]:
    """The features as they are if they are an array of real numbers: single precision is not copied to double."""
    plain = isinstance(features, np.ndarray) and features.dtype.kind in "iuf" and not np.ma.isMaskedArray(features)
    array: NDArray[Any] = np.asarray(features) if plain and np.size(features) else real_array("features", features)
    if array.ndim != 2:
        raise fail("features", array.shape, "must be a matrix, samples in rows or in columns")
    if not np.all(good := np.isfinite(array)):
        raise fail_at("features", array, ~good, "must be finite")
    return array


def _oriented(array: NDArray[Any], count: int, width: int, layout: Layout | None) -> NDArray[Any]:
    """One sample a row."""
    fits = {"rows": array.shape == (count, width), "columns": array.shape == (width, count)}
    if layout is not None:
        choice("samples", layout, ("rows", "columns"))
    elif fits["rows"] and fits["columns"] and not np.array_equal(array, array.T):
        raise fail("samples", None, "must be 'rows' or 'columns': square features could be either")
    else:
        layout = "rows" if fits["rows"] else "columns"
    if not fits[layout]:
        if width in array.shape and not any(fits.values()):
            raise fail(
                "labels", (count,), f"must be one for each sample of features {array.shape}, of {width} numbers each"
            )
        other = "columns" if layout == "rows" else "rows"
        hint = f"; they fit samples={other!r}" if fits[other] else ""
        shape = (count, width) if layout == "rows" else (width, count)
        raise fail("features", array.shape, f"must have shape {shape} with samples in {layout}{hint}")
    return array if layout == "rows" else array.T
