"""Arrays of numbers from the command line: written out, or in .npy and .csv files."""

from pathlib import Path

import numpy as np

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.foundation.wording import shown

_SUFFIXES = (".npy", ".csv")


def read_vector(name: str, text: str) -> FloatArray:
    """Numbers separated by commas, or those in a .npy or .csv file (one row or one column).

    Raises
    ------
    AssumptionError
        If the text is neither, the file cannot be read, or its array is not a vector; it names the parameter.

    Examples
    --------
    >>> read_vector("class_weights", "0.75, 0.25")
    array([0.75, 0.25])
    """
    if Path(text).suffix in _SUFFIXES:
        array = np.squeeze(read_matrix(name, text))
        array = array[None] if array.ndim == 0 else array
        if array.ndim != 1:
            raise fail(name, text, f"must hold one row or one column, not an array {array.shape}")
        return array
    try:
        return np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise fail(name, text, "must be numbers separated by commas, or a file ending in .npy or .csv") from None


def read_matrix(name: str, path: str) -> FloatArray:
    """The real matrix in a .npy file, or in a .csv file of numbers without a header; a .npy file keeps its precision.

    Raises
    ------
    AssumptionError
        If the file cannot be read as one; it names the parameter.
    """
    suffix = Path(path).suffix
    if suffix not in _SUFFIXES:
        raise fail(name, path, "must be a file ending in .npy or .csv")
    try:
        array = np.load(path, allow_pickle=False) if suffix == ".npy" else _read_csv(path)
    except OSError as error:
        raise fail(name, path, f"cannot be read ({error.strerror or 'not an array file'})") from None
    except (ValueError, EOFError) as error:
        raise fail(name, path, f"must hold numbers only ({shown(str(error))})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf" or array.size == 0:
        raise fail(name, path, "must hold an array of real numbers")
    # Proportions may be rounded to the precision they have; float32 and float16 say so by their type.
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _read_csv(path: str) -> FloatArray:
    with Path(path).open(encoding="utf-8-sig") as lines:
        rows = [line.split(",") for line in lines if line.strip()]
    if not rows:
        raise ValueError("the file is empty")
    if len({len(row) for row in rows}) > 1:
        raise ValueError("rows of different lengths")
    return np.array([[float(entry) for entry in row] for row in rows])
