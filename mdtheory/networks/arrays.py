"""The arrays of a network, checked: each fault in one line that says what to pass."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray, fail, finite, real_array

# The square of a length is a double, with room for a product.
_LARGEST = 1e75
# The square of a smaller one is no double.
_SMALLEST = 1e-100


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArrays:
    """Features (n, M) and labels (n,) of training, of test examples (k, M) and (k,), and a classifier (N, M) with its bias (N,)."""

    features: NDArray[Any]
    labels: NDArray[np.intp]
    true_labels: NDArray[np.intp]
    weights: FloatArray
    bias: FloatArray
    has_bias: bool
    test_features: NDArray[Any] | None
    test_labels: NDArray[np.intp] | None


def network_arrays(
    features: ArrayLike,
    labels: ArrayLike,
    true_labels: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike | None,
    test_features: ArrayLike | None,
    test_labels: ArrayLike | None,
) -> NetworkArrays:
    """The arrays of a network, or the first fault in them."""
    h = _features("features", features)
    w = _numbers("weights", weights)
    if w.ndim != 2 or w.shape[0] < 2:
        raise fail("weights", w.shape, "must have two dimensions, and a row for each of at least two classes")
    if w.shape[1] != h.shape[1]:
        hint = "; pass weights.T" if w.shape[0] == h.shape[1] else ""
        raise fail("weights", w.shape, f"must have {h.shape[1]} columns, as features have{hint}")
    n = w.shape[0]
    own, true = _labels("labels", labels, len(h), n), _labels("true_labels", true_labels, len(h), n)
    if (test_features is None) != (test_labels is None):
        raise fail("test_labels", test_labels, "must come with test_features, and test_features with test_labels")
    unseen, classes = None, None
    if test_features is not None and test_labels is not None:
        unseen = _features("test_features", test_features)
        if unseen.shape[1] != h.shape[1]:
            raise fail("test_features", unseen.shape, f"must have {h.shape[1]} columns, as features have")
        classes = _labels("test_labels", test_labels, len(unseen), n)
    clean = np.bincount(true[own == true], minlength=n)
    if np.any(clean == 0):
        absent = int(np.argmin(clean))
        raise fail(
            "true_labels", absent, "is a class without a clean example (labels equal to true_labels): it has no mean"
        )
    offset = np.zeros(n)
    if bias is not None:
        offset = _numbers("bias", bias)
        if offset.shape != (n,):
            raise fail("bias", offset.shape, f"must have shape {(n,)}, a number for each row of weights")
    return NetworkArrays(
        features=h,
        labels=own,
        true_labels=true,
        weights=w,
        bias=offset,
        has_bias=bias is not None,
        test_features=unseen,
        test_labels=classes,
    )


def _numbers(name: str, value: ArrayLike) -> FloatArray:
    array = np.asarray(finite(name, _detached(value)), dtype=np.float64)
    largest = float(np.max(np.abs(array), initial=0.0))
    if largest > _LARGEST or 0.0 < largest < _SMALLEST:
        raise fail(name, largest, f"must be zero, or from {_SMALLEST:g} to {_LARGEST:g} in size: squares are taken")
    return array


def _detached(value: Any) -> Any:
    """Tensors as arrays, by the methods that they share."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Plain arrays of numbers as they are: data sets are large."""
    value = _detached(value)
    if type(value) is np.ndarray and value.dtype.kind in "iuf":
        return value
    return real_array(name, value)


def _features(name: str, value: ArrayLike) -> NDArray[Any]:
    array = _array(name, value)
    if array.ndim != 2 or array.size == 0:
        raise fail(name, array.shape, "must have two dimensions, one row an example")
    if array.dtype == np.float16:
        raise fail(
            name,
            "float16",
            f"must be float32 or float64: half precision keeps three digits; pass {name}.astype('float32')",
        )
    finite_rows = np.all(np.isfinite(array), axis=1)
    if not np.all(finite_rows):
        raise fail(name, "not finite", f"must be finite; row {int(np.argmin(finite_rows))} is not")
    largest = max(abs(float(np.min(array))), abs(float(np.max(array))))
    if largest > _LARGEST or 0.0 < largest < _SMALLEST:
        raise fail(name, largest, f"must be zero, or from {_SMALLEST:g} to {_LARGEST:g} in size: squares are taken")
    return array


def _labels(name: str, value: ArrayLike, count: int, classes: int) -> NDArray[np.intp]:
    wanted = f"must be integers from 0 to {classes - 1}"
    try:
        array = _array(name, value)
    except AssumptionError:
        raise fail(name, value, f"{wanted}; np.unique(..., return_inverse=True)[1] numbers names") from None
    if array.shape != (count,):
        raise fail(name, array.shape, f"must have shape {(count,)}, a label for each row of its features")
    if not np.all(np.isfinite(array)) or np.any(array != np.round(array)):
        raise fail(name, "not integers", wanted)
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= classes:
        hint = f"; these start at 1: pass {name} - 1" if low == 1 and high == classes else ""
        raise fail(name, high if high >= classes else low, f"{wanted}, the rows of weights{hint}")
    return array.astype(np.intp)


def distances(points: FloatArray) -> FloatArray:
    """Between the rows (N, N), from differences."""
    return np.stack([np.linalg.norm(points - point, axis=1) for point in points])
