"""Turn user input into clean numbers, or say precisely what is wrong with it."""

from collections.abc import Callable
from decimal import Decimal
from math import prod
from numbers import Real as AnyReal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.wording import place, shown

FloatArray = NDArray[np.float64]
Real = float | FloatArray

#: The most points that are solved at once: 2 GiB for every number of each.
MOST_POINTS = 2**28
# The most memory for the answers of a sweep: 32 GiB.
_MOST_BYTES = 2**35
# Sums of doubles that miss one by no more than this were meant to be one.
_SUM_OF_DOUBLES = 1e-12
_NO_NUMBER = "must be a real number or an array of real numbers"
_NUMBERS = (AnyReal, Decimal)
# A time span counts as an integer in NumPy.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)


def fail(name: str, value: object, domain: str) -> AssumptionError:
    """The error for ``name = value`` outside ``domain``, to be raised by the caller; the value is shown in short."""
    return AssumptionError(f"{name} = {shown(value)}: {domain}")


def fail_at(name: str, array: NDArray[Any], bad: NDArray[np.bool_], domain: str) -> AssumptionError:
    """The error for the first `bad` entry of an array: it names the entry and its place."""
    first = np.unravel_index(int(np.argmax(bad)), np.shape(array))
    where = tuple(int(i) for i in first)
    return AssumptionError(f"{name} = {shown(np.asarray(array)[where])}: {domain}{place(where)}")


def real(name: str, value: ArrayLike, inside: Callable[[FloatArray], NDArray[np.bool_]], domain: str) -> Real:
    """`value` as a float, or as a read-only float64 array, with every entry `inside` the domain.

    NaN never satisfies a domain.
    """
    array = real_array(name, value)
    good = np.asarray(inside(array))
    if not np.all(good):
        raise fail_at(name, array, ~good, f"must {domain}")
    return _scalar_or_frozen(array)


def positive(name: str, value: ArrayLike) -> Real:
    """A finite number above zero."""
    return real(name, value, lambda x: (x > 0) & np.isfinite(x), "be positive and finite")


def nonnegative(name: str, value: ArrayLike) -> Real:
    """A finite number at or above zero."""
    return real(name, value, lambda x: (x >= 0) & np.isfinite(x), "be nonnegative and finite")


def finite(name: str, value: ArrayLike) -> Real:
    """Any finite number."""
    return real(name, value, np.isfinite, "be finite")


def unit_interval(name: str, value: ArrayLike) -> Real:
    """A number in [0, 1)."""
    return real(name, value, lambda x: (x >= 0) & (x < 1), "lie in [0, 1)")


def integer(name: str, value: ArrayLike, low: int, high: int) -> int | NDArray[np.int64]:
    """An integer, or an integer array, between `low` and `high`; floats with an integer value are accepted."""
    array = real_array(name, value)
    # Integers are compared as they are: as doubles those beyond 2**53 would be others.
    exact: NDArray[Any] = np.asarray(value) if np.asarray(value).dtype.kind in "iuO" else array
    good = np.asarray((exact >= low) & (exact <= high) & (array == np.floor(array)), dtype=bool)
    if not np.all(good):
        raise fail_at(name, array, ~good, f"must be an integer from {low} to {high}")
    if array.ndim == 0:
        return int(exact)
    whole = exact.astype(np.int64)
    whole.setflags(write=False)
    return whole


def one_number(name: str, value: ArrayLike, check: Callable[[str, ArrayLike], Real] = finite) -> float:
    """One number, not an array, that `check` (`positive`, `nonnegative`, ...) accepts."""
    number = check(name, value)
    if not isinstance(number, float):
        raise fail(name, value, "must be one number, not an array; loop over the points")
    return number


def one_integer(name: str, value: ArrayLike, low: int, high: int) -> int:
    """One integer between `low` and `high`, not an array."""
    number = integer(name, value, low, high)
    if not isinstance(number, int):
        raise fail(name, value, "must be one integer, not an array; loop over the points")
    return number


def one_point(shape: tuple[int, ...], what: str = "must be one point") -> None:
    """Refuse a problem of more than one point."""
    if shape != ():
        raise fail("shape", shape, f"{what}; loop over the points")


def instance(name: str, value: object, kind: type, wanted: str) -> None:
    """Refuse what is not of a kind, which is named as `wanted`, for example "a UFM"."""
    if not isinstance(value, kind):
        raise fail(name, value, f"must be {wanted}")


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


def proportions(
    name: str, value: ArrayLike | None, count: int | None = None, *, counted: str = "count", axes: int = 1
) -> FloatArray:
    """Positive numbers with sum 1 on the last axis, `count` of them (in messages `counted`); equal ones for None.

    A sum that misses 1 by rounding in the precision of the numbers themselves is accepted, and the numbers are then
    divided by it; see `_on_simplex`. At most `axes` axes.
    """
    if value is None and count is not None:
        return np.full(count, 1.0 / count)
    given: ArrayLike = value  # type: ignore[assignment]  # None is refused as no number
    share = real_array(name, given)
    if not 1 <= share.ndim <= axes or share.shape[-1] != (count or share.shape[-1]):
        wanted = "be a vector" if count is None else f"be one-dimensional with {counted} = {count} entries"
        wanted = wanted if axes == 1 else f"have {counted} = {count} entries on the last axis"
        raise fail(name, share.shape, f"must {wanted}")
    domain = "must lie in (0, 1] (leave out a class or group that never occurs)"
    return _on_simplex(name, given, share, share > 0, -1, domain)


def columns(
    name: str,
    value: ArrayLike,
    rows: int | None = None,
    *,
    positive: bool = False,
    totals: FloatArray | None = None,
) -> FloatArray:
    """A matrix whose columns are distributions over `rows` classes (two or more), or have the `totals` (K,) given.

    Sums that miss these by rounding in the precision of the numbers themselves are accepted, and such columns are
    scaled. A matrix whose rows are distributions instead is told so.
    """
    labels = real_array(name, value)
    if labels.ndim != 2 or labels.shape[0] < 2 or (rows is not None and labels.shape[0] != rows):
        wanted = "be a matrix with a row for each of at least two classes"
        wanted = wanted if rows is None else f"have num_classes = {rows} rows and at least one column"
        hint = ""
        if labels.ndim == 2 and (rows is None or labels.shape[1] == rows):
            hint = _transposed(value, labels)
        raise fail(name, labels.shape, f"must {wanted}{hint}")
    domain = "must lie in (0, 1]: full support" if positive else "must have entries in [0, 1]"
    if totals is None:
        return _on_simplex(name, value, labels, labels > 0 if positive else labels >= 0, 0, domain)
    if totals.shape != labels.shape[1:]:
        raise fail("masses", totals.shape, f"must be a vector of {labels.shape[1]} numbers, one for each column")
    domain = "must lie between 0 and the total of its column"
    return _on_simplex(name, value, labels, labels >= 0, 0, domain, totals)


def _on_simplex(
    name: str,
    given: ArrayLike,
    array: FloatArray,
    positive: NDArray[np.bool_],
    axis: int,
    domain: str,
    target: float | FloatArray = 1.0,
) -> FloatArray:
    """`array` with sums of `target` up to rounding on `axis`, if they miss it by rounding in the input's precision.

    That is 1e-12 for doubles, and ``(4 + sqrt(size)) eps`` for numbers that are float16, or that float32 holds exactly (also
    where they have been converted to double, or written to a file, since).
    """
    slack = _slack(given, array, axis)
    good = positive & (array <= target * (1.0 + slack))
    if not np.all(good):
        raise fail_at(name, array, ~good, domain)
    total = np.sum(array, axis=axis, keepdims=True)
    miss = np.abs(total / target - 1.0)
    if np.any(miss > slack):
        raise _not_one(name, given, array, np.squeeze(miss, axis), axis, slack, target)
    # Sums within the rounding of doubles stay as they are: to divide them would change numbers for nothing.
    settled = (4.0 + np.sqrt(array.shape[axis])) * np.finfo(np.float64).eps
    normalised = np.where(miss > settled, array / total * target, array)
    normalised.setflags(write=False)
    return normalised


def _slack(given: ArrayLike, array: FloatArray, axis: int) -> float:
    terms = 4.0 + float(np.sqrt(array.shape[axis]))
    dtype = np.asarray(given).dtype
    if dtype == np.float16:
        return terms * float(np.finfo(np.float16).eps)
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32).astype(np.float64)
    if np.array_equal(narrow, array):
        return terms * float(np.finfo(np.float32).eps)
    return _SUM_OF_DOUBLES


def _not_one(
    name: str,
    given: ArrayLike,
    array: FloatArray,
    miss: FloatArray,
    axis: int,
    slack: float,
    target: float | FloatArray,
) -> AssumptionError:
    first = np.unravel_index(int(np.argmax(miss > slack)), miss.shape)
    where = tuple(int(i) for i in first)
    if axis == 0:
        wanted = f"{float(np.broadcast_to(target, miss.shape)[where]):g}"
        hint = _transposed(given, array) or f" (it misses it by {miss[where]:.3g})"
        return fail(name, array[:, where[0]], f"column {where[0]} must sum to {wanted}{hint}")
    return fail(name, array[where], f"must sum to 1 (they miss it by {miss[where]:.3g}){place(where)}")


def _transposed(given: ArrayLike, array: FloatArray) -> str:
    """A hint, if rows are distributions where columns should be."""
    rows = np.sum(array, axis=1)
    if np.all(array >= 0) and np.all(np.abs(rows - 1.0) <= _slack(given, array, 1)):
        return "; its rows do: give the transpose, one column for each group"
    return ""


def common_shape(**parameters: Any) -> tuple[int, ...]:
    """The NumPy broadcast shape of the named parameters."""
    shapes = {name: np.shape(value) for name, value in parameters.items()}
    listing = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise AssumptionError(f"shapes = {listing}: must broadcast against each other") from None
    if prod(shape) > MOST_POINTS:
        raise AssumptionError(
            f"shapes = {listing}: must broadcast to at most {MOST_POINTS} points; loop over parts, or sweep"
        )
    return shape


def fits_in_memory(name: str, shape: tuple[int, ...], numbers: int) -> None:
    """Refuse a grid, given as `name`, whose answers of so many `numbers` for each point no ordinary machine holds."""
    size = 8 * numbers * prod(shape)
    if size > _MOST_BYTES:
        limit = _MOST_BYTES // 2**30
        raise fail(name, shape, f"must be a grid whose answers take at most {limit} GiB, not {size / 2**30:.4g}")


def same_fields(left: object, right: object, names: tuple[str, ...]) -> bool:
    """Whether two records of one type agree in every named field, arrays included."""
    return type(left) is type(right) and all(_equal(getattr(left, name), getattr(right, name)) for name in names)


def scalar_or_array(value: ArrayLike) -> Real:
    """A NumPy result as a Python float where it has no axes, unchanged otherwise."""
    array = np.asarray(value, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


def real_array(name: str, value: ArrayLike) -> FloatArray:
    """`value` as a new float64 array of at least one real number, NaN and infinities included."""
    if np.ma.isMaskedArray(value) and np.any(np.ma.getmaskarray(value)):
        raise fail_at(name, np.ma.getdata(value), np.ma.getmaskarray(value), "must have no masked entries")
    try:
        array = np.asarray(value)
    except Exception:  # whatever an array-like of someone else's raises
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or (isinstance(value, (list, tuple)) and _holds(value, bool)):
        array = _from_objects(name, value if isinstance(value, (list, tuple)) or array.ndim == 0 else array)
    if array.size == 0:
        raise fail(name, array, "must hold at least one number")
    with np.errstate(over="ignore"):
        return array.astype(np.float64)


def _from_objects(name: str, value: object) -> FloatArray:
    """Integers beyond int64 and fractions, which NumPy leaves as objects; anything else is refused at its place."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind != "O":
        if not np.size(value):
            raise fail(name, value, _NO_NUMBER)
        raise fail_at(name, np.asarray(value), np.ones(np.shape(value), dtype=bool), _NO_NUMBER)
    value = _as_lists(value)
    shape = _rectangle(name, value)
    converted = np.empty(shape)
    for where in np.ndindex(shape):
        entry: Any = value
        for index in where:
            entry = entry[index]
        if isinstance(entry, _NO_NUMBERS) or not isinstance(entry, _NUMBERS):
            raise AssumptionError(f"{name} = {shown(entry)}: {_NO_NUMBER}{place(where)}")
        try:
            converted[where] = float(entry)
        except OverflowError:
            raise AssumptionError(f"{name} = {shown(entry)}: is too large for a double{place(where)}") from None
    return converted


def _as_lists(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_as_lists(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _rectangle(name: str, value: object, where: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The shape of nested lists of equal lengths."""
    if not isinstance(value, (list, tuple)):
        return ()
    shape: tuple[int, ...] | None = None
    for index, entry in enumerate(value):
        inner = _rectangle(name, entry, (*where, index))
        if shape is not None and inner != shape:
            wanted = f"must have the shape {shape} of those before it{place((*where, index))}"
            raise AssumptionError(f"{name} = {shown(entry)}: {wanted}")
        shape = inner
    return (len(value), *(shape or ()))


def _holds(value: list[Any] | tuple[Any, ...], kind: type) -> bool:
    kinds = set(map(type, value))
    if kind in kinds or np.bool_ in kinds:
        return True
    return (list in kinds or tuple in kinds) and any(_holds(v, kind) for v in value if isinstance(v, (list, tuple)))


def _equal(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(np.asarray(left), np.asarray(right))
    return left == right


def _scalar_or_frozen(array: FloatArray) -> Real:
    if array.ndim == 0:
        return float(array)
    array.setflags(write=False)
    return array
