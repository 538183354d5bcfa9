"""Run the chunks of a sweep somewhere: here, on threads, in processes, on a cluster."""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager
from functools import cache
from itertools import islice
from multiprocessing.connection import wait as wait_for
from typing import Any

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import fail, integer
from mdtheory.sweeps.chunks import Chunk, Task, solve_chunk

Where = Executor | int | None
Tasks = Iterable[tuple[int, Task]]

_MOST_THREADS = 4
# In flight for every worker: one being solved and one to go on with.
_AHEAD = 2
# Names of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# For an executor that does not say how many workers it has.
_UNKNOWN_WORKERS = 16


def run(tasks: Tasks, executor: Where, *, threads: bool) -> Iterator[tuple[int, Chunk]]:
    """Solve tasks and yield their numbers and answers as they come, with few of them in flight at a time.

    Parameters
    ----------
    tasks : iterable of (int, Task)
    executor : None, int or concurrent.futures.Executor
        None: this process, on a few threads where `threads` says that tasks spend their time in NumPy. An int: that
        many processes, which end with this one.
    threads : bool
    """
    with _one_blas_thread():
        yield from _run(tasks, executor, threads)


def worker_count(executor: Any) -> int:
    """The number of processes asked for.

    Examples
    --------
    >>> worker_count("two")
    Traceback (most recent call last):
        ...
    mdtheory.foundation.errors.AssumptionError: executor = 'two': must be None, a number of processes or a concurrent.futures.Executor
    """
    if isinstance(executor, bool) or not isinstance(executor, int):
        raise fail("executor", executor, "must be None, a number of processes or a concurrent.futures.Executor")
    return int(integer("executor", executor, 1, 1024))


def _run(tasks: Tasks, executor: Where, threads: bool) -> Iterator[tuple[int, Chunk]]:
    if executor is None and not threads:
        yield from ((number, _solve(task)) for number, task in tasks)
    elif executor is None:
        count = min(os.cpu_count() or 1, _MOST_THREADS)
        yield from _with_own(ThreadPoolExecutor(count), tasks, count)
    elif isinstance(executor, Executor):
        yield from _windowed(executor.submit, tasks, _AHEAD * _workers(executor))
    else:
        count = worker_count(executor)
        yield from _with_own(ProcessPoolExecutor(count, initializer=_end_with_parent), tasks, count)


def _with_own(pool: Executor, tasks: Tasks, count: int) -> Iterator[tuple[int, Chunk]]:
    try:
        yield from _windowed(pool.submit, tasks, _AHEAD * count)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _windowed(submit: Callable[..., Future[Chunk]], tasks: Tasks, width: int) -> Iterator[tuple[int, Chunk]]:
    waiting = iter(tasks)
    running: dict[Future[Chunk], int] = {}
    try:
        while True:
            for number, task in islice(waiting, width - len(running)):
                running[submit(_solve, task)] = number
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    except BrokenExecutor as error:
        raise SolverError(f"a worker process ended abruptly, perhaps for want of memory: {error}") from error
    finally:
        for future in running:
            future.cancel()


def _solve(task: Task) -> Chunk:
    """Solve a chunk the same way in every kind of process."""
    _keep_buffers()
    with _one_blas_thread():
        return solve_chunk(task)


def _one_blas_thread() -> AbstractContextManager[Any]:
    """Let BLAS work on one thread, in the whole process.

    Products of large matrices differ in their last bit with the number of threads, which is one in dask's workers and
    that of the machine in Python's. It can be set by one thread at a time; for threads that share a process it is set
    by the one that hands out the tasks.
    """
    limit: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limit


@cache
def _blas() -> Any:
    import scipy.linalg  # noqa: F401  SciPy brings a BLAS of its own, to be found below
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@cache
def _keep_buffers() -> None:
    """Let malloc keep what NumPy frees, in a process that was told to return it to the system at once.

    Dask starts its workers like that, with MALLOC_TRIM_THRESHOLD_. Every temporary array then costs page faults, which
    take several times as long as the solution itself. At most 32 MiB are kept.
    """
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 2**25)
        mallopt(_M_MMAP_THRESHOLD, 2**24)


def _workers(executor: Executor) -> int:
    """How many tasks an executor runs at a time; Python's and dask's say so, without a public name for it."""
    known = getattr(executor, "_max_workers", None)
    client = getattr(executor, "_client", None)
    if known is None and client is not None:
        known = sum(client.nthreads().values())
    return known if isinstance(known, int) and known > 0 else _UNKNOWN_WORKERS


def _end_with_parent() -> None:
    """A process of a pool waits for work for ever, also after its parent was killed: end it then.

    An interrupt from the keyboard reaches all processes, and the parent reports it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
