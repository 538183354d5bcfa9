"""Many classes that are alike: on a sphere against a search whose means are cubature, and at sizes where rounding shows."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp, roots_jacobi

import mdtheory as mdt
from mdtheory.models.joint.solution import JointSolution


def three_classes(dim, alpha, flip, theirs, mu):
    """The objective of explicit logits, three classes on a sphere in R^d; the plane has polar coordinates."""
    x, shares = roots_jacobi(24, 0.5 * dim - 2.0, 0.0)
    angle = 2.0 * np.pi * np.arange(400) / 400
    basis = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    around = np.stack([np.cos(angle), np.sin(angle)], axis=-1) @ basis
    xi = (np.sqrt(0.5 * (1.0 + x))[:, None, None] * around).reshape(-1, 3)
    weights = np.repeat(shares / shares.sum() / angle.size, angle.size)
    centring, target = np.eye(3) - 1.0 / 3.0, (1.0 - alpha) * np.eye(3) + alpha / 3.0

    def loss(z, label):
        return logsumexp(z, axis=-1) - z @ target[label]

    def objective(at):
        s, x, y = at
        mean, noisy = centring @ [s, 0.0, 0.0], centring @ [x, y, 0.0]
        radius = flip / theirs * np.linalg.norm(noisy - mean)
        clean = weights @ loss(mean + radius * xi, 0)
        square = (1 - flip) * (mean @ mean + radius**2) + flip * noisy @ noisy
        return (1 - flip) * clean + flip * loss(noisy, 1) + 2 * mu * np.sqrt(2.0 * square)

    return objective


@pytest.mark.parametrize(
    ("dim", "alpha", "flip", "theirs", "mu"),
    [(8, 0.0, 0.1, 0.3, 2e-3), (3, 0.1, 0.2, 0.1, 5e-3), (30, 0.0, 0.3, 1.0, 1e-2)],
)
def test_three_classes_on_a_sphere_against_a_search(dim, alpha, flip, theirs, mu):
    objective = three_classes(dim, alpha, flip, theirs, mu)
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 3000}
    best = min(
        (
            minimize(objective, start, method="Nelder-Mead", options=options)
            for start in ([3.0, 1.0, 1.0], [6.0, 0.5, 4.0])
        ),
        key=lambda result: result.fun,
    )
    problem = mdt.LimitedExpressivity(
        mdt.CrossEntropy(alpha),
        num_classes=3,
        noise=flip / (1 - flip),
        slope=theirs / (1 - flip),
        weight_decay=mu,
        feature_decay=mu,
        spread=mdt.Sphere(dim),
    )
    found = mdt.solve(problem, method="symmetric")
    assert found.objective == pytest.approx(best.fun, abs=1e-9)
    assert found.margin == pytest.approx(best.x[0], rel=1e-4)
    np.testing.assert_allclose(found.noisy_logits, best.x[1:], rtol=1e-3, atol=1e-3)
    assert found.family_gap <= 1e-8
    assert found.status is mdt.Status.BOUNDED


@pytest.mark.parametrize("kind", [mdt.Sphere, mdt.Gaussian])
@pytest.mark.parametrize(("n", "dim"), [(9, 8), (100, 128), (1000, 1024)])
@pytest.mark.parametrize("slope", [0.05, 0.3, 5.0])
def test_answers_are_the_best_of_their_family_at_every_size(kind, n, dim, slope):
    decay = 3e-3 / n
    problem = mdt.LimitedExpressivity(
        mdt.CrossEntropy(),
        num_classes=n,
        noise=0.1,
        slope=slope,
        weight_decay=decay,
        feature_decay=decay,
        spread=kind(dim),
    )
    found = mdt.solve(problem)
    assert found.family_gap <= 1e-8
    assert found.lower_bound < found.objective
    # Other answers close by are worse.
    for factors in ([1.01, 1, 1], [0.99, 1, 1], [1, 1.01, 1], [1, 1, 0.99]):
        other = JointSolution(problem, found.answer * factors, "by hand")
        assert other.objective > found.objective
        assert other.lower_bound < found.objective + 1e-12
