"""Turn user input into clean numbers, or say precisely what is wrong with it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.errors import AssumptionError

FloatArray = NDArray[np.float64]
Real = float | FloatArray


def fail(name: str, value: object, domain: str) -> AssumptionError:
    """The error for ``name = value`` outside ``domain``, to be raised by the caller."""
    return AssumptionError(f"{name} = {value!r}: {domain}")


def real(name: str, value: ArrayLike, inside: Callable[[FloatArray], NDArray[np.bool_]], domain: str) -> Real:
    """`value` as a float, or as a read-only float64 array, with every entry `inside` the domain.

    NaN never satisfies a domain.
    """
    array = _float_array(name, value)
    good = inside(array)
    if not np.all(good):
        raise fail(name, float(array[~np.asarray(good)].flat[0]), f"must {domain}")
    return _scalar_or_frozen(array)


def positive(name: str, value: ArrayLike) -> Real:
    """A finite number above zero."""
    return real(name, value, lambda x: (x > 0) & np.isfinite(x), "be positive and finite")


def nonnegative(name: str, value: ArrayLike) -> Real:
    """A finite number at or above zero."""
    return real(name, value, lambda x: (x >= 0) & np.isfinite(x), "be nonnegative and finite")


def unit_interval(name: str, value: ArrayLike) -> Real:
    """A number in [0, 1)."""
    return real(name, value, lambda x: (x >= 0) & (x < 1), "lie in [0, 1)")


def integer(name: str, value: ArrayLike, low: int, high: int) -> int | NDArray[np.int64]:
    """An integer, or an integer array, between `low` and `high`; floats with an integer value are accepted."""
    array = _float_array(name, value)
    good = (array >= low) & (array <= high) & (array == np.floor(array))
    if not np.all(good):
        raise fail(name, array[~np.asarray(good)].flat[0].item(), f"must be an integer from {low} to {high}")
    return int(array) if array.ndim == 0 else array.astype(np.int64)


def flag(name: str, value: object) -> bool:
    """True or False, nothing that merely converts to it."""
    if not isinstance(value, (bool, np.bool_)):
        raise fail(name, value, "must be True or False")
    return bool(value)


def choice(name: str, value: object, options: tuple[str, ...]) -> str:
    """One of the strings in `options`."""
    if not isinstance(value, str) or value not in options:
        raise fail(name, value, "must be one of " + ", ".join(repr(option) for option in options))
    return value


def common_shape(**parameters: Any) -> tuple[int, ...]:
    """The NumPy broadcast shape of the named parameters."""
    shapes = {name: np.shape(value) for name, value in parameters.items()}
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listing = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise AssumptionError(f"shapes = {listing}: must broadcast against each other") from None


def same_fields(left: object, right: object, names: tuple[str, ...]) -> bool:
    """Whether two records of one type agree in every named field, arrays included."""
    return type(left) is type(right) and all(_equal(getattr(left, name), getattr(right, name)) for name in names)


def scalar_or_array(value: ArrayLike) -> Real:
    """A NumPy result as a Python float where it has no axes, unchanged otherwise."""
    array = np.asarray(value, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


def _equal(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(np.asarray(left), np.asarray(right))
    return left == right


def _float_array(name: str, value: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(value)
        if array.dtype == bool or array.dtype.kind not in "iuf":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise fail(name, value, "must be a real number or an array of real numbers") from None


def _scalar_or_frozen(array: FloatArray) -> Real:
    if array.ndim == 0:
        return float(array)
    array.setflags(write=False)
    return array
