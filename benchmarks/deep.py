"""The deep linear features model: search and certificate, beside L-BFGS on all weights from random starts."""

import time

import numpy as np
from scipy.optimize import minimize

import mdtheory as mdt
from mdtheory.losses.label_loss import LabelLoss


def loop_of_a_user(problem: mdt.DeepUFM, starts: int) -> tuple[float, float]:
    """The best of L-BFGS on all weights, and its seconds."""
    n, depth = problem.num_classes, problem.layers
    loss = LabelLoss(problem.loss, problem.labels, problem.proportions)
    rng, best, began = np.random.default_rng(0), np.inf, time.perf_counter()

    def value(flat):
        parts = flat.reshape(depth + 1, n, n)
        outs = [parts[0]]
        for part in parts[1:]:
            outs.append(part @ outs[-1])
        pull, gradient = loss.gradient(outs[-1]) * problem.proportions, []
        for i in range(depth, 0, -1):
            gradient.append(pull @ outs[i - 1].T + 2 * problem.decay * parts[i])
            pull = parts[i].T @ pull
        # Features of balanced classes, in units in which their decay is that of a layer.
        gradient.append(pull + 2 * problem.feature_decay / n * parts[0])
        decay = problem.decay * np.sum(parts[1:] ** 2) + problem.feature_decay / n * np.sum(parts[0] ** 2)
        return loss.value(outs[-1]) + decay, np.concatenate([g.ravel() for g in reversed(gradient)])

    for _ in range(starts):
        x = rng.normal(size=(depth + 1) * n * n)
        best = min(best, minimize(value, x, jac=True, method="L-BFGS-B", options={"maxiter": 3000, "ftol": 1e-15}).fun)
    return best, time.perf_counter() - began


def main() -> None:
    """Print a line for each case."""
    cases = [(n, layers, 1e-3, 0.0) for n in range(4, 9) for layers in (2, 3)]
    for n, layers, decay, smoothing in [*cases, (10, 2, 1e-3, 0.0), (10, 2, 5e-4, 0.1)]:
        loss = mdt.CrossEntropy(smoothing=smoothing)
        problem = mdt.DeepUFM(loss, num_classes=n, layers=layers, weight_decay=decay, feature_decay=decay)
        began = time.perf_counter()
        found = mdt.solve(problem)
        own = time.perf_counter() - began
        best, theirs = loop_of_a_user(problem, 12)
        print(
            f"N {n}, L {layers}, decay {decay:g}, smoothing {smoothing:g}: {found.structure}, {own:.2f} s against {theirs:.2f} s of "
            f"12 L-BFGS, over theirs {found.objective / best - 1:+.1e}, bound {found.lower_bound / found.objective:.3f}, {found.status}"
        )
    problem = mdt.DeepUFM(mdt.CrossEntropy(), num_classes=100, layers=2, weight_decay=1e-3, feature_decay=1e-3)
    began = time.perf_counter()
    found = mdt.solve(problem)
    print(
        f"N 100, L 2: rank {found.rank}, {time.perf_counter() - began:.0f} s, bound {found.lower_bound / found.objective:.2f}"
    )


if __name__ == "__main__":
    main()
