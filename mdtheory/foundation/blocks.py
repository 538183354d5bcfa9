"""Cut broadcast arrays into blocks small enough to stay in cache."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray

Index = tuple[int | slice, ...]


def blocks(shape: tuple[int, ...], size: int) -> Iterator[Index]:
    """Indices that cut an array of `shape` into contiguous pieces of at most `size` elements, in C order.

    Examples
    --------
    >>> list(blocks((2, 3), 4))
    [(slice(0, 1, None),), (slice(1, 2, None),)]
    """
    axis, inner = len(shape), 1
    while axis and inner * shape[axis - 1] <= size:
        axis -= 1
        inner *= shape[axis]
    if axis == 0:
        yield ()
        return
    axis -= 1
    step = max(size // inner, 1)
    for prefix in np.ndindex(*shape[:axis]):
        for start in range(0, shape[axis], step):
            yield (*prefix, slice(start, min(start + step, shape[axis])))


def take_block(value: ArrayLike, shape: tuple[int, ...], index: Index) -> FloatArray:
    """The block of `value` broadcast to `shape`, as one flat axis; a single number stays without axes."""
    array = np.asarray(value)
    if array.size == 1:
        return array.reshape(())
    return np.broadcast_to(array, shape)[index].ravel()
