"""Say how far a sweep is, and how many of its cells have no answer."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import fail
from mdtheory.sweeps.chunks import Cell

Progress = Callable[[str], None] | bool | None

_EVERY = 0.2
_WIDTH = 24


class Counting:
    """Counts the cells of finished chunks, and shows them at most a few times a second."""

    def __init__(self, cells: int, show: Callable[[str, bool], None] | None) -> None:
        self._cells, self._show = cells, show
        self._start = self._last = time.monotonic()
        self._counts: Counter[int] = Counter()

    def add(self, status: NDArray[np.int8], *, fresh: bool = True) -> None:
        """Count the cells of a chunk."""
        codes, counts = np.unique(status, return_counts=True)
        self._counts.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        now = time.monotonic()
        if fresh and self._show is not None and now - self._last >= _EVERY:
            self._last = now
            self._show(self._line(), False)

    def finish(self) -> None:
        """Show the counts of all cells."""
        if self._show is not None:
            self._show(self._line(), True)

    @property
    def counts(self) -> dict[Cell, int]:
        """Cells by status, without those that do not occur."""
        return {cell: self._counts[cell] for cell in Cell if self._counts[cell]}

    def _line(self) -> str:
        done = sum(self._counts.values())
        share = done / self._cells
        filled = int(_WIDTH * share)
        seconds = time.monotonic() - self._start
        bar = f"sweep |{'#' * filled}{'.' * (_WIDTH - filled)}| {done}/{self._cells} cells, {seconds:.1f} s"
        unsolved = [f"{count} {cell.name.lower()}" for cell, count in self.counts.items() if not cell.solved]
        return f"{bar}; no answer: {', '.join(unsolved)}" if unsolved else bar


def counting(cells: int, progress: Progress) -> Counting:
    """A counter that shows itself as asked for.

    None: as a bar on stderr if that is a terminal; True: always; False: not at all; a function is given the lines.
    """
    if callable(progress):
        tell = progress
        return Counting(cells, lambda line, last: tell(line))
    if progress is not None and not isinstance(progress, bool):
        raise fail("progress", progress, "must be None, True, False or a function of a line of text")
    stream: Any = sys.stderr
    terminal = bool(getattr(stream, "isatty", lambda: False)())
    if progress or (progress is None and terminal):
        return Counting(cells, lambda line, last: _write(stream, line, terminal, last))
    return Counting(cells, None)


def _write(stream: Any, line: str, terminal: bool, last: bool) -> None:
    if terminal:
        stream.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
    elif last:
        stream.write(f"{line}\n")
    stream.flush()
