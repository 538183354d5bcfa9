"""Bounds and objectives of own losses do not trust what is stated of them: where the strip or the interval is too narrow."""

import mpmath
import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.branch_and_bound import Curve
from mdtheory.numerics.means_in_balls import sphere_panels

T = sp.Symbol("t")
SOFTPLUS = sp.log(1 + sp.exp(-T))
# Loss, interval, decays, nonnegative, noise, slope, noisy decay, spread. Of each the quadrature of the stated strip is wrong:
# the spread passes an end of the interval, where the tangent begins, or a step, or a hole.
HARD = {
    "beyond-the-right-end": (
        (T - 29) ** 2 / 2, (-30.0, 30.0), (1.285e-3, 0.0999), False, 0.712, 8.235, 0.0, mdt.Gaussian(5)
    ),
    "beyond-the-left-end": (
        sp.exp(-T) + T**2 / 100, (-1e-6, 700.0), (5.99e-3, 1.41034), True, 0.86852, 0.380316, None, mdt.UniformBall(3)
    ),
    "step": (
        SOFTPLUS - 2 * sp.tanh(40 * (T - 3)), (-30.0, 30.0), (2.7755e-4, 0.26673), True, 0.35383, 0.38928, 0.0, mdt.Sphere(3)
    ),
    "hole": (
        SOFTPLUS - 10 * sp.exp(-(10**8) * (T - sp.Rational(17345678, 10**7)) ** 2),
        (-30.0, 30.0), (2.6214565e-3, 0.37530639), True, 0.64316174, 298.491375, 0.0, mdt.Gaussian(1),
    ),
}  # fmt: skip


def posed(name):
    expression, interval, decays, nonnegative, noise, slope, noisy_decay, spread = HARD[name]
    loss = mdt.MarginLoss(expression, interval=interval)
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=decays[0], feature_decay=decays[1], nonnegative=nonnegative)
    return mdt.MemorizationDilation(
        ufm, noise=noise, slope=slope, spread=spread, noisy_feature_decay=noisy_decay, scaling="relative"
    )


def continued(problem):
    """The loss and its tangents beyond the interval, in mpmath."""
    loss = problem.ufm.loss
    value, slope = (sp.lambdify(T, e, "mpmath") for e in (loss.expression, sp.diff(loss.expression, T)))

    def phi(t):
        inside = min(max(t, mpmath.mpf(loss.interval[0])), mpmath.mpf(loss.interval[1]))
        return value(inside) + slope(inside) * (t - inside)

    return phi


def objective(problem, r, t, level):
    """The objective of a feasible point, by the definition of the problem."""
    c, lam, spread, phi = problem.configuration, float(problem.decay), problem.spread, continued(problem)
    s, kap = float(c.margin), float(c.weight_distance)
    low, high = problem.ufm.loss.interval
    special = [(e - s) / (kap * r) for e in (low, high, 3.0, 1.7345678, 1.7325678, 1.7365678, 2.9, 3.1)] if r else []
    if isinstance(spread, mdt.Gaussian):
        reach, density = 12 / np.sqrt(spread.dim), lambda z: mpmath.npdf(z * mpmath.sqrt(spread.dim)) * spread.dim**0.5
    else:
        # A coordinate of the ball of R^3 is one of the sphere of R^5, scaled.
        ball = isinstance(spread, mdt.UniformBall)
        reach, power = (np.sqrt(5 / 3), 1) if ball else (1.0, 0)
        density = lambda z: (1 - (z / reach) ** 2) ** power * (0.75 if ball else 0.5) / reach  # noqa: E731
    nodes = sorted({*np.linspace(-reach, reach, 25).tolist(), *[x for x in special if abs(x) < reach]})
    mean = mpmath.quad(lambda z: phi(s + kap * r * z) * density(z), nodes)
    own = lam * float((0.5 * c.mean_distance) ** 2 + c.centre_norm**2 + r**2)
    noisy = phi(mpmath.mpf(t)) + lam * ((t / kap) ** 2 + level**2)
    return float(2 * mean + 2 * own + 2 * float(problem.noise) * noisy)


@pytest.mark.parametrize("name", HARD)
def test_objective_is_that_of_the_answer_and_not_above_that_of_rest(name):
    problem = posed(name)
    solution = mdt.solve(problem)
    value = objective(problem, solution.dilation, solution.noisy_margin, solution.noisy_level)
    c = problem.configuration
    assert solution.objective == pytest.approx(value, rel=1e-8)
    assert solution.objective <= objective(problem, 0.0, -float(c.margin), float(c.centre_norm)) + 1e-12 * abs(value)
    assert solution.lower_bound <= value + 1e-11 * abs(value)
    assert (solution.status is mdt.Status.OPTIMAL) == (solution.gap <= 1e-7 * abs(value))


def test_no_bound_above_a_feasible_point_beyond_the_interval():
    problem = posed("beyond-the-left-end")
    solution = mdt.solve(problem)
    c = problem.configuration
    for factor in (0.95, 0.99, 1.0, 1.01):
        t, level = factor * solution.noisy_margin, solution.noisy_level
        away = np.hypot(t / c.weight_distance + 0.5 * c.mean_distance, level - c.centre_norm)
        tight = float(problem.noise * problem.rate * away)
        for r in (tight, 1.01 * tight):
            assert solution.lower_bound <= objective(problem, r, t, level) * (1 + 1e-11)


def test_arrays_hold_what_single_points_do():
    problem = posed("beyond-the-right-end")
    slopes = np.array([0.5, 8.235, 30.0])
    together = mdt.solve(mdt.MemorizationDilation(
        problem.ufm, noise=0.712, slope=slopes, spread=problem.spread, noisy_feature_decay=0.0, scaling="relative"
    ))  # fmt: skip
    for i, slope in enumerate(slopes):
        alone = mdt.solve(mdt.MemorizationDilation(
            problem.ufm, noise=0.712, slope=slope, spread=problem.spread, noisy_feature_decay=0.0, scaling="relative"
        ))  # fmt: skip
        assert together.objective[i] == pytest.approx(alone.objective, rel=1e-9)


def test_moments_of_parts_of_spheres_in_many_dimensions():
    """Arb's incomplete beta function alone took minutes for some of these."""
    for dim in (2, 3, 300, 10**6):
        panels = sphere_panels(16, 4, dim)
        with precision(256):
            whole = sum(panel.moments[0] for panel in panels)
            square = sum(p.moments[2] + 2 * p.centre * p.moments[1] + p.centre**2 * p.moments[0] for p in panels) * dim
        assert whole.contains(1)
        assert square.contains(1)
        assert float(whole.rad()) < 1e-60
        assert float(square.rad()) < 1e-60
    with mpmath.workdps(40):
        norm = mpmath.gamma(150) / mpmath.gamma(149.5) / mpmath.sqrt(mpmath.pi)
        for panel in sphere_panels(16, 4, 300):
            low, high = (float(panel.centre + sign * panel.half) for sign in (-1, 1))
            mass = norm * mpmath.quad(lambda z: (1 - z * z) ** mpmath.mpf(148.5), [low, high])
            assert float(panel.moments[0]) == pytest.approx(float(mass), rel=1e-14, abs=1e-50)


def test_a_least_value_of_zero_does_not_take_cells_without_end():
    curve = Curve(T**2 / 30 - sp.log(1 + T**2) - T / 5, T, (-30.0, 30.0))
    for _ in range(4):
        found = curve.minimum(0.99, 0.0, 30.0)
        assert found.value == 0.0
        assert -1e-30 < found.bound <= 0.0
    assert curve.cells()["left"].size < 1000


@pytest.mark.parametrize("spread", [mdt.TwoPoint(1), mdt.Sphere(300)])
def test_curvature_unknown_somewhere_is_no_warning(spread):
    """Warnings are errors here; no part of these spreads is there."""
    loss = mdt.MarginLoss(HARD["hole"][0])
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=9.26e-4, feature_decay=3.671e-3, nonnegative=True)
    problem = mdt.MemorizationDilation(ufm, noise=4.43e-8, slope=1.38e-8, spread=spread, noisy_feature_decay=0.0)
    solution = mdt.solve(problem)
    assert solution.lower_bound <= solution.objective


def test_losses_and_decays_of_any_size():
    """The same problem in units of 1e200: products of two of its numbers overflow."""
    for scale, size in ((sp.Integer(1), 1.0), (sp.Integer(10) ** 200, 1e200), (sp.Integer(10) ** -200, 1e-200)):
        ufm = mdt.UFM(
            mdt.MarginLoss(scale * SOFTPLUS), num_classes=2, weight_decay=5e-3 * size, feature_decay=5e-3 * size
        )
        solution = mdt.solve(
            mdt.MemorizationDilation(
                ufm, noise=0.1, slope=1.0, noisy_feature_decay=1e-3 * size, spread=mdt.Gaussian(2), scaling="relative"
            )
        )
        assert solution.lower_bound <= solution.objective * (1 + 1e-12)
        if size == 1.0:
            plain = solution
        assert solution.dilation == pytest.approx(plain.dilation, rel=1e-9)
        assert solution.objective == pytest.approx(size * plain.objective, rel=1e-12)


@pytest.mark.parametrize("noisy_decay", [0.0, 5e-324, 1e300])
@pytest.mark.parametrize("spread", [mdt.Sphere(8), mdt.Gaussian(10**6)])
@pytest.mark.parametrize(
    "loss", [mdt.CrossEntropy(), mdt.Hinge(), mdt.MeanSquaredError(), mdt.Focal(2.0)], ids=lambda loss: loss.name()
)
def test_every_field_at_the_ends_of_the_range_of_doubles(loss, spread, noisy_decay):
    """Warnings are errors here."""
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    noise, slope = np.array([[0.0], [1e-310], [0.1]]), np.array([1e-300, 1e8])
    for cone in (False, True):
        problem = mdt.MemorizationDilation(
            ufm,
            noise=noise,
            slope=slope,
            spread=spread,
            noisy_feature_decay=noisy_decay,
            nonnegative_noisy_features=cone,
        )
        solution = mdt.solve(problem)
        objective, test_error = np.asarray(solution.objective), np.asarray(solution.test_error)
        failed = np.asarray(solution.status) == mdt.Status.FAILED
        assert np.array_equal(np.isnan(objective), failed)
        assert np.all((test_error[~failed] >= 0) & (test_error[~failed] <= 0.5))
        assert np.all(solution.lower_bound[~failed] <= objective[~failed] * (1 + 1e-9) + 1e-300)
        assert not np.any(np.isnan(solution.noisy_features[~failed]))
        if cone:
            assert np.all(solution.noisy_features[~failed] >= -1e-6 * (1.0 + problem.configuration.mean_distance))


def test_long_arrays_are_not_proved_across_an_end_of_the_interval():
    problem = posed("beyond-the-left-end")
    many = mdt.MemorizationDilation(
        problem.ufm, noise=np.linspace(0.01, 0.9, 300), slope=0.380316, spread=problem.spread, scaling="relative"
    )
    solution = mdt.solve(many)
    c, ends = problem.configuration, problem.ufm.loss.interval
    reach = problem.spread.radius * np.asarray(solution.dilation) * c.weight_distance
    across = (c.margin - reach < ends[0]) | (c.margin + reach > ends[1])
    assert np.any(across)
    assert np.all(solution.status[across] == mdt.Status.INACCURATE)
    assert np.all(solution.status[~across] == mdt.Status.OPTIMAL)


def test_a_mean_that_balls_do_not_settle_leaves_no_bound(monkeypatch):
    from flint import arb

    from mdtheory.models.dilation import global_bound as dilation_bound

    monkeypatch.setattr(dilation_bound, "_clean_mean", lambda *_: (arb(0.01, 0.005), arb(-0.1, 0.1)))
    ufm = mdt.UFM(mdt.MarginLoss(SOFTPLUS), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    solution = mdt.solve(mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0))
    assert solution.lower_bound == -np.inf
    assert solution.status is mdt.Status.INACCURATE
