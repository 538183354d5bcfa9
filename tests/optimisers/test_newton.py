"""Newton's methods for many small convex problems: against scipy, closed forms, and weak duality."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mdtheory.optimisers.damped_newton import minimise_smooth
from mdtheory.optimisers.norm_newton import (
    Derivatives,
    dual_norm,
    lower_bound,
    minimise_with_norm,
    norm,
    solve_symmetric_systems,
)

RNG = np.random.default_rng(7)
COUNT = 20
SLOPES = RNG.normal(size=(COUNT, 6, 3))
SHIFTS = RNG.normal(size=(COUNT, 6))
ROOTS = RNG.normal(size=(COUNT, 3, 3))
METRIC = ROOTS @ ROOTS.swapaxes(1, 2) + 0.1 * np.eye(3)
WEIGHTS = np.exp(RNG.uniform(-3, 3, COUNT))


def softplus(x, which):
    """A sum of softplus functions of linear ones, with its derivatives."""
    a, t = SLOPES[which], np.einsum("kij,kj->ki", SLOPES[which], x) + SHIFTS[which]
    p = 1 / (1 + np.exp(-t))
    hessian = np.einsum("kij,ki,kil->kjl", a, p * (1 - p), a)
    return Derivatives(np.logaddexp(0, t).sum(axis=-1), np.einsum("kij,ki->kj", a, p), hessian)


def with_square(x, which):
    part = softplus(x, which)
    return Derivatives(
        part.value + 0.05 * np.sum(x**2, axis=-1), part.gradient + 0.1 * x, part.hessian + 0.1 * np.eye(3)
    )


def test_smooth_problems_are_solved_as_scipy_solves_them():
    found = minimise_smooth(with_square, np.full((COUNT, 3), 5.0))
    assert np.all(found.converged)
    for k in range(COUNT):
        one = np.array([k])
        best = minimize(lambda x, one=one: with_square(x[None], one).value[0], np.zeros(3), method="BFGS").fun
        assert with_square(found.point[[k]], one).value[0] <= best + 1e-12
        np.testing.assert_allclose(with_square(found.point[[k]], one).gradient, 0.0, atol=1e-9)


def test_a_share_of_a_step_keeps_a_coordinate_positive():
    def share(x, step):
        return np.where(step[:, 0] < 0, np.minimum(1.0, 0.9 * x[:, 0] / np.maximum(-step[:, 0], 1e-300)), 1.0)

    def barrier(x, which):
        assert np.all(x > 0)
        return Derivatives((x - np.log(x)).sum(axis=-1), 1 - 1 / x, (1 / x**2)[..., None])

    found = minimise_smooth(barrier, np.array([[50.0], [1e-3]]), share)
    np.testing.assert_allclose(found.point, 1.0, rtol=1e-9)


def test_the_kink_is_found_exactly_where_the_dual_norm_says():
    at_zero = softplus(np.zeros((COUNT, 3)), np.arange(COUNT)).gradient
    size = dual_norm(at_zero, METRIC)
    for factor, dead in ((1 + 1e-9, True), (1 - 1e-3, False)):
        found = minimise_with_norm(softplus, size * factor, METRIC, np.ones((COUNT, 3)))
        assert np.all(np.all(found.point == 0, axis=-1) == dead)


def test_bounds_hold_anywhere_and_meet_the_optimum():
    everything = np.arange(COUNT)
    found = minimise_with_norm(softplus, WEIGHTS, METRIC, np.ones((COUNT, 3)))
    assert np.all(found.converged)
    there = softplus(found.point, everything)
    value = there.value + WEIGHTS * norm(found.point, METRIC)
    bound = lower_bound(there.value, there.gradient, found.point, WEIGHTS, METRIC)
    np.testing.assert_allclose(bound, value, rtol=1e-9)
    for scale in (0.1, 1.0, 3.0):
        x = found.point + scale * RNG.normal(size=found.point.shape)
        away = softplus(x, everything)
        assert np.all(lower_bound(away.value, away.gradient, x, WEIGHTS, METRIC) <= value * (1 + 1e-12))
        assert np.all(away.value + WEIGHTS * norm(x, METRIC) >= value * (1 - 1e-12))


def test_singular_systems_have_an_answer():
    matrix = np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    found = solve_symmetric_systems(matrix, np.array([[2.0, 2.0], [0.0, 0.0]]))
    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(matrix[0] @ found[0], 2.0, rtol=1e-3)


@pytest.mark.parametrize("solver", [minimise_smooth])
def test_no_problems_have_no_answers(solver):
    found = solver(with_square, np.zeros((0, 3)))
    assert found.point.shape == (0, 3)
