"""The limited-expressivity model of two classes with the hinge: a conic solver, the regimes, and what is refused."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mdtheory as mdt
from mdtheory.models.joint import programme


def hinge(**changes):
    given = {"noise": 0.1, "slope": 0.2, "weight_decay": 5e-3, "feature_decay": 5e-3}
    return mdt.LimitedExpressivity(mdt.Hinge(), **(given | changes))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "slope", "decay"), [(0.1, 0.2, 5e-3), (0.1, 0.01, 5e-3), (0.3, 1.0, 0.05), (0.2, 0.15, 0.02)]
)
def test_a_conic_solver_finds_the_same_value(noise, slope, decay):
    """With a rule of many nodes for the coordinate of a uniform point of the sphere in R^8, and both scalars free."""
    nodes, weights = np.polynomial.legendre.leggauss(1500)
    weights = weights * (1 - nodes**2) ** 2.5
    weights = weights / weights.sum()
    e, c = noise / (1 + noise), noise / slope
    s, t, w = cp.Variable(), cp.Variable(), cp.Variable()
    clean = weights @ cp.pos(1 - s - c * w * nodes)
    size = cp.norm(cp.hstack([np.sqrt(1 - e) * s, np.sqrt(1 - e) * c * w, np.sqrt(e) * t]))
    objective = (1 - e) * clean + e * cp.pos(1 - t) + np.sqrt(2) * decay * size
    value = cp.Problem(cp.Minimize(objective), [w == s + t]).solve(solver=cp.CLARABEL)
    sol = mdt.solve(hinge(noise=noise, slope=slope, weight_decay=decay, feature_decay=decay))
    assert sol.status is mdt.Status.OPTIMAL
    assert sol.objective == pytest.approx(value, rel=1e-5)


def test_noise_is_memorised_up_to_the_kink_or_not_at_all():
    sol = mdt.solve(hinge(slope=np.geomspace(3e-3, 30, 9)))
    assert np.all(sol.status == mdt.Status.OPTIMAL)
    memorised = sol.noisy_margin > 0
    np.testing.assert_allclose(sol.noisy_margin[memorised], 1.0, atol=1e-12)
    # What is given up stays at its class mean, at the kink of the clean examples: nothing dilates.
    np.testing.assert_array_equal(sol.margin[~memorised], 1.0)
    np.testing.assert_array_equal(sol.dilation[~memorised], 0.0)
    assert 0 < memorised.sum() < 9


@settings(max_examples=25)
@given(
    noise=st.floats(1e-3, 0.9),
    slope=st.floats(1e-2, 1e2),
    decay=st.floats(1e-3, 0.5),
    spread=st.sampled_from([mdt.Sphere(8), mdt.Gaussian(4), mdt.UniformBall(3)]),
    ds=st.floats(-0.2, 0.2),
    dw=st.floats(-0.2, 0.2),
)
def test_answers_are_optimal_and_bounds_hold_anywhere(noise, slope, decay, spread, ds, dw):
    problem = hinge(noise=noise, slope=slope, weight_decay=decay, feature_decay=decay, spread=spread)
    sol = mdt.solve(problem)
    assert sol.status is mdt.Status.OPTIMAL
    moved = sol.answer + np.array([ds, dw])
    if moved[1] - moved[0] <= 1.0:
        assert programme.objective(problem, moved) >= sol.objective * (1 - 1e-12)
        assert programme.lower_bound(problem, moved) <= sol.objective * (1 + 1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 0.0}, "must be positive for the hinge"),
        ({"spread": mdt.Sphere(2)}, "bounded density"),
        ({"spread": mdt.TwoPoint(8)}, "bounded density"),
        ({"nonnegative": True}, "free features"),
        ({"scaling": "absolute"}, "relative scaling"),
        ({"num_classes": 3}, "two classes"),
        ({"noise": None, "noise_matrix": [[0.9, 0.3], [0.1, 0.7]]}, "alike"),
    ],
    ids=str,
)
def test_what_is_not_covered_is_refused(changes, message):
    with pytest.raises(mdt.AssumptionError, match=message) as error:
        hinge(**changes)
    assert "\n" not in str(error.value)
