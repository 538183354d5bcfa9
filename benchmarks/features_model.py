"""Speed of the unconstrained features model with any proportions and labels: against cvxpy, in SVDs, and with N.

python benchmarks/features_model.py
"""

import resource
import statistics
import time
from collections.abc import Callable

import cvxpy as cp
import numpy as np
import scipy.linalg

import mdtheory as mdt

REPEATS = 5


def main() -> None:
    against_conic()
    growth()
    thousand_classes()
    two_groups()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of this process: {peak:.2f} GiB")


def median_time(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median seconds of a call after one warm-up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def model(classes: int, mu: float, seed: int, labels: str = "soft") -> mdt.UFM:
    """Random proportions; labels drawn from the whole simplex ("soft"), one-hot, or a mixture of both ("noisy")."""
    rng = np.random.default_rng(seed)
    proportions = rng.dirichlet(np.ones(classes)) + 0.01 / classes
    drawn = rng.dirichlet(np.ones(classes), classes).T
    distribution = {"soft": drawn, "one-hot": np.eye(classes), "noisy": 0.8 * np.eye(classes) + 0.2 * drawn}[labels]
    return mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=classes,
        weight_decay=mu,
        feature_decay=mu,
        class_weights=proportions / proportions.sum(),
        label_distribution=distribution / distribution.sum(axis=0),
    )


def against_conic() -> None:
    """N = 20 against the model as one writes it in cvxpy, solved by Clarabel at its defaults."""
    for labels in ("soft", "one-hot"):
        for mu in (1e-2, 1e-3, 1e-4):
            problems = [model(20, mu, seed, labels) for seed in range(3)]
            ours = statistics.median(median_time(lambda p=problem: mdt.solve(p)) for problem in problems)
            theirs = statistics.median(median_time(lambda p=problem: conic(p), 1) for problem in problems)
            gap = max(mdt.solve(problem).relative_gap for problem in problems)
            value, best = conic(problems[0]), mdt.solve(problems[0])
            excess = abs(value - best.objective) / best.objective
            print(
                f"N = 20, {labels}, mu = {mu:g}: {theirs / ours:.0f} times faster than cvxpy with Clarabel "
                f"({ours * 1e3:.1f} ms against {theirs * 1e3:.0f}); relative gap {gap:.0e}, Clarabel off by {excess:.0e}"
            )


def conic(problem: mdt.UFM) -> float:
    """Build, compile and solve the nuclear-norm programme; its value."""
    logits = cp.Variable((problem.num_classes, problem.num_groups))
    pi = problem.class_weights
    loss = sum(
        pi[k] * (cp.log_sum_exp(logits[:, k]) - problem.label_distribution[:, k] @ logits[:, k])
        for k in range(problem.num_groups)
    )
    decay = 2.0 * problem.mu * cp.normNuc(logits @ np.diag(np.sqrt(pi)))
    programme = cp.Problem(cp.Minimize(loss + decay))
    programme.solve(solver=cp.CLARABEL)
    return float(programme.value)


def growth() -> None:
    """Time against N for a relative gap of 1e-9, and the exponent of a power law fitted to it."""
    sizes, times = (20, 40, 80, 100, 160, 320), []
    for classes in sizes:
        problem = model(classes, 1e-3, 0)
        times.append(median_time(lambda p=problem: mdt.solve(p, tolerance=1e-9), 3))
        gap = mdt.solve(problem, tolerance=1e-9).relative_gap
        print(f"N = {classes}: {times[-1]:.3f} s to a relative gap of {gap:.0e}")
    exponent = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    print(f"    cost grows like N^{exponent:.2f}")


def thousand_classes() -> None:
    """N = 1000: cost in full singular value decompositions of that size."""
    matrix = np.random.default_rng(0).normal(size=(1000, 1000))
    svd = median_time(lambda: scipy.linalg.svd(matrix, check_finite=False), 3)
    for labels, mu in (("soft", 1e-3), ("soft", 1e-4), ("one-hot", 1e-3), ("noisy", 1e-3)):
        problem = model(1000, mu, 0, labels)
        start = time.perf_counter()
        solution = mdt.solve(problem, tolerance=1e-6)
        elapsed = time.perf_counter() - start
        print(
            f"N = 1000, {labels}, mu = {mu:g}: {elapsed / svd:.0f} SVDs of {svd:.2f} s, "
            f"relative gap {solution.relative_gap:.0e}, rank {solution.rank}"
        )


def two_groups() -> None:
    """A thousand classes in two groups, averaged to six numbers."""
    weights = np.r_[np.full(900, 0.7 / 900), np.full(100, 0.3 / 100)]

    def run() -> mdt.LogitsSolution:
        ufm = mdt.UFM(
            mdt.CrossEntropy(), num_classes=1000, weight_decay=2e-5, feature_decay=2e-5, class_weights=weights
        )
        solution = mdt.solve(ufm, tolerance=1e-10)
        assert solution.gap >= 0
        return solution

    print(f"N = 1000 in two groups: {median_time(run) * 1e3:.1f} ms, relative gap {run().relative_gap:.0e}")


if __name__ == "__main__":
    main()
