"""JSON as this library reads it: nothing that two readers could understand differently."""

import json
import math
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

MAX_BYTES = 2**30

# Ever deeper brackets are no data, and cost the parser its stack.
_MAX_DEPTH = 64


def read(path: str | PathLike[str], *, constants: bool = False, max_bytes: int = MAX_BYTES) -> Any:
    """The data in a file; see `parse`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is larger than `max_bytes`, or `parse` refuses it.
    """
    with Path(path).open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    return parse(data.decode("utf-8"), constants=constants)


def parse(text: str, *, constants: bool = False) -> Any:
    """The data in a text. Refused are duplicate keys, numbers that a double cannot hold, and nesting without end.

    Parameters
    ----------
    text : str
    constants : bool, default False
        Whether ``NaN`` and ``Infinity``, which JSON does not know, stand for those numbers or are refused.

    Raises
    ------
    ValueError
        In one line.

    Examples
    --------
    >>> parse('{"a": 1}')
    {'a': 1}
    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: the key 'a' occurs twice
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_float=_finite,
            parse_int=_integer,
            parse_constant=float if constants else _refuse_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(value)
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # remembers
        raise ValueError(f"the key {_short(twice)} occurs twice")
    return record


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {_short(text)} is larger than any double")
    return value


def _integer(text: str) -> int:
    # The longest double has 309 digits; longer texts would only cost time.
    if len(text.lstrip("-")) > 309 or not math.isfinite(float(text)):
        raise ValueError(f"the number {_short(text)} is larger than any double")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")


def _short(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def _check_depth(value: Any) -> None:
    """Level by level: a recursion would meet the same limit as the parser."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            part
            for entry in level
            if isinstance(entry, (list, dict))
            for part in (entry.values() if isinstance(entry, dict) else entry)
            if isinstance(part, (list, dict))
        ]
        if not level:
            return
    raise ValueError("nested too deeply")
