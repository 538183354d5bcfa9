"""The memorization-dilation problem of more than two classes: against a search over all noisy features, and its limits."""

import numpy as np
import pytest
from scipy.optimize import minimize

import mdtheory as mdt

CE = mdt.CrossEntropy()


def problem_of(loss=CE, n=3, decay=5e-3, dim=4, **changes):
    ufm = mdt.UFM(loss, num_classes=n, weight_decay=decay, feature_decay=decay, bias=not loss.shift_invariant)
    return mdt.MemorizationDilation(ufm, **({"noise": 0.2, "slope": 0.4, "spread": mdt.Gaussian(dim)} | changes))


def cubature(order=64):
    """Nodes (K, 2) and weights of the standard normal law in the plane."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    return grid, np.outer(weights, weights).ravel() / (2 * np.pi)


def searched(problem):
    """The least objective over all noisy features of three classes, each with its own, and the dilations they need."""
    w, h = problem.configuration.weight_distance / np.sqrt(2), mdt.solve(problem.ufm).class_means
    weights = w * (np.eye(3) - 1 / 3)
    plane = np.linalg.svd(np.eye(3) - 1 / 3)[0][:, :2]
    nodes, shares = cubature()
    scatter = weights @ plane @ nodes.T / np.sqrt(problem.spread.dim)
    loss, lam = problem.ufm.loss, float(problem.decay)
    power = problem.configuration.mean_distance if problem.scaling == "absolute" else 1.0
    centre = 0.0 if loss.shift_invariant else 1 / 3
    pairs = [(n, m) for m in range(3) for n in range(3) if n != m]

    def value(x):
        u = (x.reshape(6, 2) @ plane.T).T
        total = 0.0
        for m in range(3):
            mine = [i for i, pair in enumerate(pairs) if pair[1] == m]
            r = problem.noise / 2 / problem.slope * power * sum(np.linalg.norm(u[:, i] - h[:, m]) for i in mine)
            total += shares @ loss.value(((weights @ h[:, m])[:, None] + r * scatter + centre).T, m)
            total += lam * (h[:, m] @ h[:, m] + r**2)
            for i in mine:
                total += (
                    problem.noise / 2 * (loss.value(weights @ u[:, i] + centre, pairs[i][0]) + lam * u[:, i] @ u[:, i])
                )
        return total

    start = np.concatenate([plane.T @ (0.6 * h[:, m] + 0.4 * h[:, n]) for n, m in pairs])
    return minimize(value, start, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}).fun


@pytest.mark.slow
@pytest.mark.parametrize("scaling", ["relative", "absolute"])
@pytest.mark.parametrize("loss", [CE, mdt.CrossEntropy(0.1), mdt.MeanSquaredError()], ids=str)
def test_no_noisy_features_are_better(loss, scaling):
    problem = problem_of(loss, scaling=scaling)
    sol = mdt.solve(problem)
    assert sol.status is mdt.Status.OPTIMAL
    assert sol.objective == pytest.approx(searched(problem), rel=1e-7)


@pytest.mark.parametrize(
    ("n", "spread"), [(3, mdt.Sphere(8)), (10, mdt.Gaussian(9)), (200, mdt.Gaussian(512))], ids=str
)
def test_answers_are_optimal_at_every_size(n, spread):
    sol = mdt.solve(problem_of(n=n, decay=1e-3, spread=spread, noise=[0.0, 0.05, 0.5], scaling="relative"))
    assert np.all(sol.status == mdt.Status.OPTIMAL)
    assert np.all(np.diff(sol.normalized_dilation) > 0)
    np.testing.assert_allclose(
        sol.normalized_dilation, sol.dilation / sol.problem.configuration.mean_distance, rtol=1e-12
    )


def test_features_are_those_of_the_answer():
    problem = problem_of(n=4)
    sol = mdt.solve(problem)
    h, u, w = sol.class_means, sol.noisy_features, sol.weights
    assert np.linalg.norm(h[:, 0] - h[:, 1]) == pytest.approx(problem.configuration.mean_distance, rel=1e-12)
    assert np.linalg.norm(w[0] - w[1]) == pytest.approx(problem.configuration.weight_distance, rel=1e-12)
    for m in range(4):
        np.testing.assert_allclose(u[:, m, m], h[:, m], atol=1e-14)
        for n in set(range(4)) - {m}:
            assert np.linalg.norm(u[:, n, m] - h[:, m]) == pytest.approx(sol.memorization, rel=1e-9)
            logits = w @ u[:, n, m]
            assert logits[n] - np.delete(logits, n).max() == pytest.approx(sol.noisy_margin, rel=1e-9)


def test_errors_are_those_of_draws():
    sol = mdt.solve(problem_of(n=3, noise=0.9, slope=0.4))
    rng = np.random.default_rng(0)
    logits = sol.weights @ (sol.class_means[:, :1] + sol.dilation * rng.normal(size=(3, 200_000)) / 2.0)
    wrong = np.mean(logits.argmax(axis=0) != 0)
    assert wrong == pytest.approx(sol.test_error, abs=5 * np.sqrt(wrong / 200_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noisy_feature_decay": 0.0}, "noisy_feature_decay"),
        ({"spread": mdt.Sphere(2), "n": 4}, "dimension 3"),
        ({"loss": mdt.Hinge()}, "Hinge"),
        ({"n": 2000, "spread": mdt.Gaussian(4000)}, "1000 at most"),
    ],
    ids=str,
)
def test_bad_input_is_named(change, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        problem_of(**change)
    ufm = mdt.UFM(CE, num_classes=3, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    with pytest.raises(mdt.AssumptionError, match="nonnegative"):
        mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0)
    with pytest.raises(mdt.AssumptionError, match="more than two classes"):
        mdt.solve(problem_of(), method="expansion")


@pytest.mark.parametrize(
    "ask",
    [
        mdt.critical_noise,
        mdt.asymptotics.small_noise_dilation,
        mdt.asymptotics.small_slope_dilation,
        mdt.asymptotics.cross_entropy_small_noise,
        lambda md: mdt.solve(md).expansion_error,
        lambda md: mdt.phase.regions(md, {"noise": [0.1, 0.2], "slope": [0.1, 1.0]}),
        lambda md: mdt.phase.boundary(md, "test-error", {"noise": (0.01, 0.5), "slope": (0.1, 1.0)}, level=0.1),
    ],
    ids=range(7),
)
def test_formulas_of_two_classes_are_refused(ask):
    with pytest.raises(mdt.AssumptionError, match="num_classes"):
        ask(problem_of())


def test_boundaries_are_those_of_the_solver():
    problem = problem_of(spread=mdt.Gaussian(4))
    line = mdt.phase.boundary(problem, "memorization", {"noise": (0.05, 0.9), "slope": (0.05, 1.0)})
    slope, noise = (line.segments[0][len(line.segments[0]) // 2][k] for k in (1, 0))
    on_line = mdt.solve(problem_of(noise=noise, slope=slope, spread=mdt.Gaussian(4)))
    assert on_line.noisy_margin == pytest.approx(0.0, abs=1e-6)
