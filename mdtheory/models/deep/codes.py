"""Arrangements of N classes: starts of a search, and the names of what it finds.

A code is a matrix A (N, N) of logits at scale one, with the pattern of equal entries that its symmetry forces. Orthogonal sums of simplices and polygons, layers of
polygons in space, and eigenspaces of association schemes; see Garrod, Keating and Thrampoulidis, *Implicit bias of depth* (arXiv 2605.23087), for softmax codes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, isqrt

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray

# All partitions into simplices to so many classes; a few beyond.
_MOST_PARTITIONED = 12
_POLYGONS = {3: "triangle", 4: "square", 5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon"}
_SIMPLICES = {1: "apex", 2: "antipodal pair", 3: "triangle", 4: "tetrahedron", 5: "5-cell"}


@dataclass(frozen=True, slots=True, eq=False)
class Code(Frozen):
    """An arrangement.

    Attributes
    ----------
    name : str
    logits : array (N, N)
        Columns with sum zero.
    pattern : array (N, N) of int
        Equal where symmetry makes logits equal.
    """

    name: str
    logits: FloatArray
    pattern: NDArray[np.intp]

    @property
    def transitive(self) -> bool:
        """Whether all columns have the same entries, so that its multiples have a margin."""
        columns = np.sort(self.logits, axis=0)
        return bool(np.allclose(columns, columns[:, :1], atol=1e-9))

    @property
    def column(self) -> FloatArray:
        """Entries (N,) of the first column: the own logit first."""
        return self.logits[:, 0]

    @property
    def singular_values(self) -> FloatArray:
        """Those of ``A/sqrt N``, the positive ones."""
        values = np.linalg.svd(self.logits / np.sqrt(len(self.logits)), compute_uv=False)
        return np.asarray(values[values > 1e-9 * max(values[0], 1e-300)])


def simplex(n: int) -> Code:
    """``I - J/N``."""
    return _code("simplex ETF", _simplex(n))


def pairs(n: int) -> Code:
    """N/2 antipodal pairs, N even."""
    return _sum(f"{n // 2} antipodal pairs" if n > 2 else "simplex ETF", [_simplex(2)] * (n // 2))


def polygon(n: int) -> Code:
    """The regular N-gon in the plane."""
    return _code(polygon_name(n), _polygon(n))


def polygon_name(n: int) -> str:
    """ "pentagon", or "11-gon"."""
    return _POLYGONS.get(n, f"{n}-gon")


def _adjective(corners: int) -> str:
    return {3: "triangular", 4: "square"}.get(corners, f"{polygon_name(corners)}al")


def codes(n: int) -> Iterator[Code]:
    """The named arrangements of N classes, the likeliest first; each once."""
    seen: list[FloatArray] = []
    for code in _all(n):
        spectrum = np.sort(np.linalg.eigvalsh(_normal(code.logits)))
        if not any(np.allclose(spectrum, other, atol=1e-7) for other in seen):
            seen.append(spectrum)
            yield code


def _all(n: int) -> Iterator[Code]:
    yield simplex(n)
    if n % 2 == 0:
        yield pairs(n)
    if n >= 4:
        yield polygon(n)
    parts = _partitions(n) if n <= _MOST_PARTITIONED else _even_parts(n)
    for sizes in parts:
        yield _sum(_named(sizes), [_simplex(k) for k in sizes])
    for corners in range(4, n):
        rest = n - corners
        if rest <= 2:
            name = "pyramid" if rest == 1 else "bipyramid"
            yield _sum(f"{_adjective(corners)} {name}", [_polygon(corners), _simplex(rest)])
    yield from _layered(n)
    yield from _schemes(n)
    for alive in sorted({2, 3, n - 1} & set(range(2, n))):
        name = "antipodal pair" if alive == 2 else f"simplex of {alive}"
        zero = "one class" if n - alive == 1 else f"{n - alive} classes"
        yield _sum(f"{name}, {zero} at zero", [_simplex(alive), np.zeros((n - alive, n - alive))])


def _code(name: str, gram: FloatArray, kinds: NDArray[np.intp] | None = None, near: FloatArray | None = None) -> Code:
    """From a Gram matrix; `kinds` (N,) of classes and relations `near` (N, N) keep entries apart that symmetry does not make equal."""
    n = len(gram)
    kind = np.zeros(n, dtype=np.intp) if kinds is None else kinds
    relation = gram if near is None else near
    parts = [np.round(relation, 7), np.broadcast_to(kind[:, None], (n, n)), np.broadcast_to(kind, (n, n)), np.eye(n)]
    _, pattern = np.unique(np.stack([part.ravel() for part in parts], axis=1), axis=0, return_inverse=True)
    return Code(name, gram - gram.mean(axis=0), pattern.reshape(gram.shape))


def _normal(logits: FloatArray) -> FloatArray:
    centred = logits - logits.mean(axis=0)
    return np.asarray(centred.T @ centred / max(float(np.sum(centred**2)), 1e-300))


def _simplex(n: int) -> FloatArray:
    """The Gram matrix of unit vectors; of one class one vector of its own."""
    return np.ones((1, 1)) if n == 1 else (n * np.eye(n) - 1.0) / (n - 1.0)


def _polygon(n: int) -> FloatArray:
    angle = 2.0 * np.pi * np.arange(n) / n
    return np.cos(angle[:, None] - angle)


def _sum(name: str, grams: list[FloatArray]) -> Code:
    """In orthogonal spaces; blocks that are alike are of one kind."""
    size = sum(len(g) for g in grams)
    whole, inside, kinds, start = np.zeros((size, size)), np.full((size, size), -9.0), np.zeros(size, dtype=np.intp), 0
    for gram in grams:
        here = slice(start, start + len(gram))
        whole[here, here] = inside[here, here] = gram
        kinds[here] = next(i for i, other in enumerate(grams) if np.array_equal(other, gram))
        start += len(gram)
    return _code(name, whole, kinds, inside)


def _partitions(n: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """Into at least two parts, apart from the whole set and from single classes alone."""
    for sizes in _all_partitions(n, n - 1 if largest is None else largest):
        if len(sizes) > 1 and sizes[0] > 1 and sizes.count(1) <= 2:
            yield sizes


def _all_partitions(n: int, largest: int) -> Iterator[tuple[int, ...]]:
    if n == 0:
        yield ()
    for first in range(min(n, largest), 0, -1):
        for rest in _all_partitions(n - first, first):
            yield (first, *rest)


def _even_parts(n: int) -> Iterator[tuple[int, ...]]:
    """Simplices of one size, and one of the rest."""
    for size in (2, 3, 4, *((isqrt(n),) if isqrt(n) > 4 else ()), n // 2):
        count, rest = divmod(n, size)
        yield (size,) * count + ((rest,) if rest else ())


def _named(sizes: tuple[int, ...]) -> str:
    """ "2 antipodal pairs + apex"."""
    said = []
    for size in sorted(set(sizes), reverse=True):
        count, name = sizes.count(size), _SIMPLICES.get(size, f"simplex of {size}")
        plural = {"apex": "apices", f"simplex of {size}": f"simplices of {size}"}.get(name, f"{name}s")
        said.append(name if count == 1 else f"{count} {plural}")
    return " + ".join(said)


def _layered(n: int) -> Iterator[Code]:
    """Polygons above one another in space, turned against each other or not, with a cap on top or both ends."""
    for caps in (0, 1, 2):
        corners, odd = divmod(n - caps, 2)
        if odd or corners < 3:
            continue
        for turned in (True, False):
            angle = 2.0 * np.pi * np.arange(corners) / corners
            other = angle + np.pi / corners if turned else angle
            height = 0.5
            points = [
                np.stack([np.cos(a), np.sin(a), np.full(corners, h)], axis=1)
                for a, h in ((angle, height), (other, -height))
            ]
            ends = [np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 0.0, -1.0]])][:caps]
            vectors = np.concatenate([*points, *ends])
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            kind = "antiprism" if turned else "prism"
            shape = _adjective(corners)
            if turned and corners == 3:
                shape, kind = "octahedron", ""
            name = f"{('', 'capped ', 'bicapped ')[caps]}{shape} {kind}".strip()
            kinds = np.repeat([0, 1 if caps == 1 else 0, 2], [corners, corners, caps])
            yield _code(name, vectors @ vectors.T, kinds)


def _schemes(n: int) -> Iterator[Code]:
    """Eigenspaces of the Hamming and Johnson schemes with N points: critical within the scheme, whatever the loss."""
    for letters in (2, 3, 4, 5):
        length, size = 0, 1
        while size < n:
            length, size = length + 1, size * letters
        if size == n and length >= 2:
            words = np.array(np.unravel_index(np.arange(n), (letters,) * length)).T
            distance = np.sum(words[:, None] != words, axis=-1)
            yield from _eigenspaces(f"Hamming H({length},{letters})", distance)
    for points in range(4, 64):
        if comb(points, 2) == n:
            chosen = np.array(
                [[i in (a, b) for i in range(points)] for a in range(points) for b in range(a + 1, points)], dtype=float
            )
            yield from _eigenspaces(f"Johnson J({points},2)", np.rint(2.0 - chosen @ chosen.T).astype(int))


def _eigenspaces(name: str, distance: NDArray[np.intp]) -> Iterator[Code]:
    values, vectors = np.linalg.eigh((distance == 1).astype(float))
    for index, value in enumerate(sorted(set(np.round(values, 8)), reverse=True)[1:], start=1):
        basis = vectors[:, np.abs(values - value) < 1e-6]
        gram = basis @ basis.T
        yield _code(f"{name}, eigenspace {index}", gram / gram[0, 0], near=distance.astype(float))
