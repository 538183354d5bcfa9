"""Phase diagrams: what a sweep, its boundaries and its executors cost, against the bare solver and a user's loop.

python benchmarks/phase_diagrams.py [--large]      (--large: also the 4000 x 4000 grid)
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cvxpy as cp
import numpy as np
from run import conic_model, paired

import mdtheory as mdt
from mdtheory.phase import boundary, regions, with_values
from mdtheory.sweeps.axes import VECTORISED_CHUNK

SIZE = 1000
LARGE = 4000
RANGES = {"noise": (1e-3, 0.4, "log"), "loss.smoothing": (0.0, 0.5)}
KINDS = (("memorization", None), ("normalized-dilation", 0.3))


def main() -> None:
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    grid = against_solve()
    boundaries(grid)
    every_kind()
    proofs()
    against_loop(grid)
    stores()
    for size in (SIZE, LARGE) if "--large" in sys.argv else (SIZE,):
        memory(size)
    executors()


def problem() -> mdt.MemorizationDilation:
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    return mdt.MemorizationDilation(ufm, noise=0.1, slope=0.05)


def axes(size: int) -> dict[str, np.ndarray]:
    return {"loss.smoothing": np.linspace(0.0, 0.5, size), "noise": np.geomspace(1e-3, 0.4, size)}


def bare() -> mdt.MDSolution:
    """The reduced solver on the same grid, and nothing else."""
    grid = axes(SIZE)
    return mdt.solve(
        with_values(problem(), {"loss.smoothing": grid["loss.smoothing"][:, None], "noise": grid["noise"]}),
        method="reduced",
    )


def trace() -> list[object]:
    return [boundary(problem(), kind, RANGES, points=200, level=level) for kind, level in KINDS]


def against_solve() -> float:
    """A diagram with all its outputs and two boundaries, against the bare solver."""
    seconds = {}
    for name, outputs in (("two outputs", ["normalized_dilation", "noisy_margin"]), ("five outputs", None)):

        def diagram(outputs: list[str] | None = outputs) -> None:
            mdt.sweep(problem(), axes(SIZE), outputs)
            trace()

        whole, alone = paired(diagram, bare, 7)
        seconds[name] = alone
        print(
            f"{SIZE} x {SIZE} diagram, {name} and {len(KINDS)} boundaries: {whole / alone:.2f} times the bare solver "
            f"({whole:.2f} s, {alone:.2f} s)"
        )
    return min(seconds.values())


def boundaries(grid: float) -> None:
    """Each boundary of 200 points, as a share of the grid."""
    for kind, level in KINDS:
        once, _ = paired(lambda k=kind, v=level: boundary(problem(), k, RANGES, points=200, level=v), lambda: None, 7)
        traced = boundary(problem(), kind, RANGES, points=200, level=level)
        nodes = sum(len(part) for part in traced.segments)
        worst = max((float(np.max(np.abs(part))) for part in traced.residuals), default=np.nan)
        print(
            f"    boundary {kind!r}, {nodes} points, {traced.how}: {100 * once / grid:.1f} % of the grid "
            f"({once * 1e3:.0f} ms), residual {worst:.0e}"
        )


def every_kind() -> None:
    """What each kind of boundary costs in time of the processor, which other work on the machine does not change much."""
    noise, slope, smoothing = (1e-3, 0.4, "log"), (0.05, 5.0, "log"), (0.0, 0.5)
    decay = (1e-4, 0.1, "log")
    noisy = mdt.MemorizationDilation(problem().ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)
    smooth = with_values(noisy, {"loss.smoothing": 0.1})
    free = mdt.MemorizationDilation(
        mdt.UFM(mdt.CrossEntropy(0.1), num_classes=2, weight_decay=5e-3, feature_decay=5e-3),
        noise=0.1,
        slope=0.2,
        scaling="relative",
    )
    ce = mdt.CrossEntropy()
    cases = (
        (smooth, "collapse", {"loss.smoothing": (0.0, 0.9), "decay": (1e-3, 1.0, "log")}, {}),
        (smooth, "memorization", {"noise": noise, "loss.smoothing": smoothing}, {}),
        (smooth, "memorization", {"noise": noise, "slope": slope}, {}),
        (smooth, "test-error", {"noise": noise, "slope": slope}, {}),
        (smooth, "normalized-dilation", {"noise": noise, "loss.smoothing": smoothing}, {"level": 0.3}),
        (free, "equal-dilation", {"loss.smoothing": smoothing, "decay": decay}, {"other": ce}),
        (smooth, "equal-dilation", {"noise": (1e-3, 0.9, "log"), "slope": (0.02, 5.0, "log")}, {"other": ce}),
        (free, "equal-dilation-small-noise", {"loss.smoothing": smoothing, "decay": decay}, {}),
        (smooth, "slope-extremum", {"noise": noise, "slope": slope}, {}),
        (smooth, "least-error-smoothing", {"noise": noise, "loss.smoothing": (0.0, 0.95)}, {}),
    )
    whole = _processor_seconds(bare, 3)
    print(f"{SIZE} x {SIZE}, bare solver: {whole * 1e3:.0f} ms of processor time; boundaries of 200 points:")
    for one, kind, ranges, options in cases:
        took = _processor_seconds(lambda o=one, k=kind, r=ranges, w=options: boundary(o, k, r, points=200, **w), 7)
        line = boundary(one, kind, ranges, points=200, **options)
        nodes = sum(len(part) for part in line.segments)
        print(
            f"    {kind} over {line.x}, {line.y}: {took * 1e3:.0f} ms, {100 * took / whole:.1f} %, {nodes} points, "
            f"worst error {line.worst_error:.0e}"
        )


def proofs() -> None:
    """Labels of a grid, in floating point and proved on every cell."""
    md = mdt.MemorizationDilation(problem().ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)
    for size in (100, 200):
        grid = {"noise": np.geomspace(1e-3, 0.4, size), "slope": np.geomspace(0.05, 5.0, size)}
        plain = _processor_seconds(lambda g=grid: regions(md, g), 3)
        proved = _processor_seconds(lambda g=grid: regions(md, g, certify=True), 1)
        left = regions(md, grid, certify=True).attrs["cells_undecided"]
        print(
            f"{size} x {size} regions: {plain * 1e3:.0f} ms, proved in balls {proved:.1f} s, "
            f"{100 * left / size**2:.1f} % of the cells undecided"
        )


def _processor_seconds(call: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def against_loop(grid: float) -> None:
    """The loop a user would write around cvxpy: the programme is built, compiled and solved at every point."""
    rng = np.random.default_rng(0)
    picks = [(float(a), float(e)) for a, e in zip(rng.uniform(0, 0.5, 8), rng.uniform(1e-3, 0.4, 8), strict=True)]

    def loop() -> None:
        for pick in picks:
            conic_model(*pick)[0].solve(solver=cp.CLARABEL)

    once, _ = paired(loop, lambda: None, 3)
    print(
        f"    a point of the loop around cvxpy: {once / len(picks) * 1e3:.1f} ms, {once / len(picks) * SIZE**2 / grid:,.0f} times"
    )


def executors() -> None:
    """One thread, two processes and a dask cluster of two workers: scaling, and what a chunk costs beyond its numbers."""
    from distributed import Client, LocalCluster

    def seconds(call: Callable[[], object], repeats: int = 5) -> float:
        return paired(call, lambda: None, repeats)[0]

    points = {"noise": np.geomspace(1e-3, 0.4, 300)}
    skewed = mdt.UFM(
        mdt.CrossEntropy(), num_classes=40, weight_decay=1e-3, feature_decay=1e-3, class_weights=np.arange(1, 41) / 820
    )
    decays = {"decay": np.geomspace(1e-4, 1e-3, 128)}
    single = seconds(lambda: mdt.sweep(skewed, decays))
    with ThreadPoolExecutor(1) as thread:
        one = seconds(lambda: mdt.sweep(problem(), axes(SIZE), executor=thread))
        alone = seconds(lambda: mdt.sweep(problem(), points, chunk=1, executor=thread))
    print(f"{SIZE} x {SIZE}, one thread: {one:.2f} s, in {-(-SIZE // (VECTORISED_CHUNK // SIZE))} chunks")
    for name, executor in (("threads, the default", None), ("2 new processes", 2)):
        took = seconds(lambda e=executor: mdt.sweep(problem(), axes(SIZE), executor=e))
        print(f"    {name}: {took:.2f} s, {one / took:.2f} times as fast")
    took = seconds(lambda: mdt.sweep(skewed, decays, executor=2))
    print(f"128 problems of 40 unequal classes, point by point: {single:.2f} s")
    print(f"    2 new processes: {took:.2f} s, {single / took:.2f} times as fast")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        dask = client.get_executor()
        took = seconds(lambda: mdt.sweep(problem(), axes(SIZE), executor=dask))
        print(f"    the diagram by dask, 2 workers: {took:.2f} s, {one / took:.2f} times as fast")
        took = seconds(lambda: mdt.sweep(skewed, decays, executor=dask))
        print(f"    the problems by dask, 2 workers: {took:.2f} s, {single / took:.2f} times as fast")
        spread = seconds(lambda: mdt.sweep(problem(), points, chunk=1, executor=dask))
    print(f"    dask beyond one thread, for a chunk of one point: {(spread - alone) / 300 * 1e3:.2f} ms")


def stores() -> None:
    """A sweep whose chunks are kept."""

    def kept() -> None:
        with tempfile.TemporaryDirectory() as directory:
            mdt.sweep(problem(), axes(SIZE), store=directory)

    with_store, without = paired(kept, lambda: mdt.sweep(problem(), axes(SIZE)), 3)
    print(f"{SIZE} x {SIZE} with a store: {with_store / without:.2f} times without one")


def memory(size: int) -> None:
    """Wall time and peak memory of a whole diagram in a process of its own."""
    start = time.perf_counter()
    out = subprocess.run([sys.executable, __file__, "--one", str(size)], check=True, capture_output=True, text=True)
    took = time.perf_counter() - start
    print(f"{size} x {size} diagram, five outputs, in its own process: {took:.1f} s, peak {out.stdout.strip()} GiB")


def one_diagram(size: int) -> None:
    mdt.sweep(problem(), axes(size))
    trace()
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")


if __name__ == "__main__":
    if "--one" in sys.argv:
        one_diagram(int(sys.argv[-1]))
    else:
        main()
