"""The limited-expressivity model: cost a point against the fixed configuration and against a search over all vectors."""

import time

import numpy as np
from scipy.optimize import minimize

import mdtheory as mdt

REPEATS = 5


def median_time(*functions):
    """Median seconds of each, measured in turn."""
    times = []
    for _ in range(REPEATS):
        row = []
        for function in functions:
            start = time.perf_counter()
            function()
            row.append(time.perf_counter() - start)
        times.append(row)
    return np.median(times, axis=0)


def two_classes(side: int) -> None:
    """A diagram of side x side, and the same at the fixed configuration."""
    noise, slope = np.geomspace(1e-3, 0.8, side)[:, None], np.geomspace(1e-3, 10, side)[None]
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    fixed = mdt.MemorizationDilation(ufm, noise=noise, slope=slope, scaling="relative")
    joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=noise, slope=slope, weight_decay=5e-3, feature_decay=5e-3)
    own, other = median_time(lambda: mdt.solve(joint), lambda: mdt.solve(fixed))
    gap = np.max(mdt.solve(joint).relative_gap)
    print(
        f"N = 2, {side} x {side}: {own:.2f} s, {own / side**2 * 1e6:.0f} us a point, {own / other:.1f} times the fixed "
        f"configuration; largest relative gap {gap:.0e}"
    )


def many_classes() -> None:
    """Single points of N classes."""
    for n in (3, 10, 100, 1000):
        joint = mdt.LimitedExpressivity(
            mdt.CrossEntropy(),
            noise=0.2,
            slope=np.geomspace(0.01, 3, 10),
            num_classes=n,
            weight_decay=3e-3,
            feature_decay=3e-3,
            spread=mdt.Gaussian(max(n, 8)),
        )
        (own,) = median_time(lambda joint=joint: mdt.solve(joint))
        print(f"N = {n}: {own / 10 * 1e3:.1f} ms a point, family gap {np.max(mdt.solve(joint).family_gap):.0e}")


def shapes() -> None:
    """Three classes: the bound over all shapes of W, printed beside the gap by convex order."""
    for loss, flip, theirs, target in (
        (mdt.MeanSquaredError(), 0.4, 0.1, 0.01),
        (mdt.CrossEntropy(), 0.1, 0.3, 0.02),
        (mdt.CrossEntropy(), 0.1, 0.05, 0.02),
        (mdt.CrossEntropy(), 0.4, 0.1, 0.02),
        (mdt.CrossEntropy(), 0.4, 0.2, 0.02),
    ):
        joint = mdt.LimitedExpressivity(
            loss,
            noise=flip / (1 - flip),
            slope=theirs / (1 - flip),
            num_classes=3,
            weight_decay=3e-3,
            feature_decay=3e-3,
            spread=mdt.Gaussian(8),
            bias=isinstance(loss, mdt.MeanSquaredError),
        )
        sol = mdt.solve(joint)
        start = time.perf_counter()
        proof = mdt.bound_over_shapes(sol, target=target)
        seconds = time.perf_counter() - start
        print(
            f"{type(loss).__name__}, flips {flip}, C {theirs}: gap {sol.relative_gap:.1%} -> {proof.relative_gap:.1%} "
            f"with {proof.cells} shapes, {seconds:.1f} s"
        )


def variants() -> None:
    """The relative scaling of two classes that are alike, and what else can be asked, in turn."""
    slope = np.geomspace(0.01, 3, 400)
    common = {"slope": slope, "weight_decay": 3e-3, "feature_decay": 3e-3}
    flips = {"noise_matrix": [[0.9, 0.3], [0.1, 0.7]], "class_weights": [0.3, 0.7]}
    named = {
        "alike": {"noise": 0.2},
        "nonnegative": {"noise": 0.2, "nonnegative": True},
        "classes that differ": flips,
        "with a bias": flips | {"bias": True},
        "absolute scaling": {"noise": 0.2, "scaling": "absolute"},
    }
    problems = [mdt.LimitedExpressivity(mdt.CrossEntropy(), **common, **options) for options in named.values()]
    times = median_time(*(lambda problem=problem: mdt.solve(problem).objective for problem in problems))
    for name, problem, own in zip(named, problems, times, strict=True):
        gap = np.max(mdt.solve(problem).relative_gap)
        print(
            f"{name}: {own / slope.size * 1e6:.0f} us a point, {own / times[0]:.1f} times alike; relative gap {gap:.0e}"
        )


def broken_symmetry() -> None:
    """Local searches over all features of N classes, against the best with all classes alike."""
    for loss, n in ((mdt.CrossEntropy(), 3), (mdt.CrossEntropy(), 4), (mdt.MeanSquaredError(), 5)):
        joint = mdt.LimitedExpressivity(
            loss,
            noise=2 / 3,
            slope=1 / 6,
            num_classes=n,
            weight_decay=3e-3,
            feature_decay=3e-3,
            bias=not loss.shift_invariant,
        )
        start = time.perf_counter()
        found = mdt.solve(joint)
        seconds = time.perf_counter() - start
        alike = mdt.solve(joint, method="symmetric").objective
        gap = found.relative_gap
        print(
            f"{loss.label}, N = {n}: {seconds:.1f} s, {found.objective / alike:.4f} of the symmetric value, gap {gap:.2f}"
        )


def against_all_vectors() -> None:
    """The loop that a user would write: L-BFGS on classifier, class means and noisy features of two classes."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    weights = weights * (1 - nodes**2) ** 2.5
    weights = weights / weights.sum()
    eta, slope, decay = 0.1, 0.2, 5e-3
    e = eta / (1 + eta)

    def value(x):
        w, h, u = x.reshape(3, 2, 3)
        apart, total = w[0] - w[1], decay * np.sum(w**2)
        for m, sign in ((0, 1.0), (1, -1.0)):
            r = eta / slope * np.linalg.norm(u[m] - h[m])
            clean = weights @ np.logaddexp(0, -sign * apart @ h[m] - r * np.linalg.norm(apart) * nodes)
            noisy = np.logaddexp(0, sign * apart @ u[m]) + decay * u[m] @ u[m]
            total += 0.5 * ((1 - e) * (clean + decay * (h[m] @ h[m] + r**2)) + e * noisy)
        return total

    start = np.random.default_rng(0).normal(size=18)
    joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=eta, slope=slope, weight_decay=decay, feature_decay=decay)
    own, other = median_time(lambda: mdt.solve(joint), lambda: minimize(value, start, method="L-BFGS-B"))
    found = minimize(value, start, method="L-BFGS-B").fun
    print(
        f"one point: {own * 1e3:.1f} ms; L-BFGS on all vectors {other * 1e3:.0f} ms, {other / own:.0f} times as long, "
        f"and {found / mdt.solve(joint).objective - 1:.0e} above the optimum"
    )


if __name__ == "__main__":
    two_classes(200)
    two_classes(500)
    many_classes()
    shapes()
    variants()
    broken_symmetry()
    against_all_vectors()
