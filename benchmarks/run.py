"""The project's speed figures, as ratios of medians measured side by side in one process.

python benchmarks/run.py
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import cvxpy as cp
import numpy as np

import mdtheory as mdt
from mdtheory.spreads import _gauss_rule

REPEATS = 7


def main() -> None:
    import_cost()
    broadcast_ufm()
    md_grid()


def paired(first: Callable[[], object], second: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """Median seconds of each of two calls, run alternately after one warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for call, record in zip((first, second), times, strict=True):
            start = time.perf_counter()
            call()
            if repeat:
                record.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def import_cost() -> None:
    """`import mdtheory` against `import numpy, scipy.special`, in fresh interpreters."""

    def importing(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    ours, theirs = paired(importing("import mdtheory"), importing("import numpy, scipy.special"))
    heavy = "import sys, mdtheory; print([m for m in ('cvxpy', 'matplotlib', 'sympy') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", heavy], check=True, capture_output=True, text=True).stdout.strip()
    print(
        f"import mdtheory: {ours / theirs:.2f} times `import numpy, scipy.special` ({ours:.3f} s); heavy modules: {loaded}"
    )


def broadcast_ufm() -> None:
    """A million UFM margins, against passes of np.log over the same array."""
    smoothing = np.random.default_rng(0).uniform(0.0, 0.9, 10**6)

    def model() -> mdt.UFM:
        return mdt.UFM(mdt.CrossEntropy(smoothing), num_classes=10, weight_decay=5e-3, feature_decay=5e-3)

    shifted = smoothing + 1.0
    solve, log = paired(lambda: mdt.solve(model()).margin, lambda: np.log(shifted), 21)
    print(f"1e6 UFM solves (margin): {solve / log:.1f} passes of np.log ({solve * 1e3:.1f} ms)")
    both, log = paired(lambda: mdt.solve(model()).gap, lambda: np.log(shifted), 9)
    print(f"1e6 UFM solves with objective, lower bound and gap: {both / log:.1f} passes of np.log")


def problem(smoothing: object, noise: object) -> mdt.MemorizationDilation:
    loss = mdt.CrossEntropy(smoothing)
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    return mdt.MemorizationDilation(ufm, noise=noise, slope=1.0, spread=mdt.Sphere(dim=8))


def md_grid() -> None:
    """The reduced solver on a 1000 x 1000 grid, per point, against the same points in cvxpy with Clarabel."""
    smoothing, noise = np.linspace(0.0, 0.5, 1000)[:, None], np.geomspace(1e-3, 0.4, 1000)
    rng = np.random.default_rng(0)
    picks = [(float(smoothing[i, 0]), float(noise[j])) for i, j in rng.integers(0, 1000, (8, 2))]
    models = [conic_model(*pick) for pick in picks]
    own_time: list[float] = []

    def conic() -> None:
        for pick in picks:
            model, _ = conic_model(*pick)
            model.solve(solver=cp.CLARABEL)
            own_time.append(model.solver_stats.solve_time)

    grid, programmes = paired(lambda: mdt.solve(problem(smoothing, noise)), conic, 5)
    per_point, per_programme = grid / 1e6, programmes / len(picks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"M-D reduced, 1000 x 1000: {per_point * 1e6:.3f} us a point; cvxpy with Clarabel: {per_programme * 1e3:.1f} ms"
    )
    tight, _ = paired(lambda: [mdt.solve(problem(*pick), method="convex") for pick in picks], lambda: None, 3)
    print(f"    against our own conic method, tightened to match: {tight / len(picks) / per_point:,.0f}")
    print(
        f"    speed-up per point: {per_programme / per_point:,.0f} (cvxpy as a user writes it: build, compile, solve)"
    )
    clarabel = statistics.median(own_time)
    print(f"    against Clarabel's own time alone ({clarabel * 1e3:.2f} ms): {clarabel / per_point:,.0f}")
    print(f"    peak memory of this process: {peak:.2f} GiB")
    errors = []
    for pick, (model, dilation) in zip(picks, models, strict=True):
        model.solve(solver=cp.CLARABEL)
        exact = float(mdt.solve(problem(*pick)).dilation)
        errors.append(abs(dilation.value / exact - 1.0))
    print(f"    largest relative difference in the dilation, Clarabel at its defaults: {max(errors):.1e}")


def conic_model(smoothing: float, noise: float) -> tuple[cp.Problem, cp.Variable]:
    """The same problem as one would write it in cvxpy: two noisy features, 16 Gauss nodes for the spread."""
    md = problem(smoothing, noise)
    base = mdt.solve(md.ufm)
    means, weights = base.class_means, base.weights
    nodes, pairs = _gauss_rule(8, 16)
    nodes, pairs = np.concatenate([-nodes, nodes]), np.tile(pairs / 2, 2)
    decay = float(md.decay)
    distance = float(np.linalg.norm(means[:, 0] - means[:, 1]))
    apart = weights[0] - weights[1]
    u, r = cp.Variable((2, 2)), cp.Variable(nonneg=True)
    objective = 0
    for label, sign in ((0, 1.0), (1, -1.0)):
        clean = sign * (apart @ means[:, label]) + r * np.linalg.norm(apart) * nodes
        noisy = sign * (apart @ u[:, label])
        objective += pairs @ (cp.logistic(-clean) + smoothing / 2 * clean)
        objective += decay * (means[:, label] @ means[:, label] + cp.square(r))
        objective += noise * (cp.logistic(-noisy) + smoothing / 2 * noisy + decay * cp.sum_squares(u[:, label]))
    constraints = [noise * cp.norm(means[:, 1 - label] - u[:, label]) <= r / distance for label in (0, 1)]
    return cp.Problem(cp.Minimize(objective), constraints), r


if __name__ == "__main__":
    main()
