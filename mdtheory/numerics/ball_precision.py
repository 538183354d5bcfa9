"""The working precision of ball arithmetic, which is one global variable of the library, shared fairly between threads."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flint import ctx


class _Claims:
    """Who needs how many bits just now. The precision in force is the largest, and the caller's own when all are done.

    A ball is right at any precision and only narrower at a higher one, so that nobody is harmed by a neighbour's bits.
    A thread that simply put back what it found would put back a neighbour's.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outside = 0
        self.bits: dict[object, tuple[int, int]] = {}

    def enter(self, token: object, bits: int) -> None:
        with self.lock:
            if not self.bits:
                self.outside = ctx.prec
            self.bits[token] = bits, threading.get_ident()
            ctx.prec = max(bits for bits, _ in self.bits.values())

    def leave(self, token: object) -> None:
        with self.lock:
            del self.bits[token]
            self._settle()

    def after_fork(self) -> None:
        # Only the thread that forked lives on in the child.
        self.lock = threading.Lock()
        if self.bits:
            own = threading.get_ident()
            self.bits = {token: claim for token, claim in self.bits.items() if claim[1] == own}
            self._settle()

    def _settle(self) -> None:
        ctx.prec = max((bits for bits, _ in self.bits.values()), default=self.outside)


_CLAIMS = _Claims()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CLAIMS.after_fork)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work with at least so many bits; the caller's precision is back when the last user, in any thread, is done.

    Parameters
    ----------
    bits : int
        At least 2.

    Examples
    --------
    >>> from flint import arb, ctx
    >>> before = ctx.prec
    >>> with precision(200):
    ...     float(arb(2).sqrt().rad()) < 1e-55
    True
    >>> ctx.prec == before
    True
    """
    token = object()
    _CLAIMS.enter(token, bits)
    try:
        yield
    finally:
        _CLAIMS.leave(token)
