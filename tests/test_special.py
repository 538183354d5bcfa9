"""The r-Lambert function against mpmath, on edges and at random, and the rules of its interface."""

import itertools
import math
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy.special import lambertw

from mdtheory import special
from mdtheory.foundation.errors import AssumptionError, SolverError
from mdtheory.special import lambert_r, lambert_r_derivative, lambert_r_log

# The documented bound. It is the sum of the roundings of the last correction: two exponentials of at most one unit in
# the last place (2.2e-16) and half a dozen operations of half a unit.
TOLERANCE = 2e-15
SPACING = 5e-324
LARGEST = sys.float_info.max
CRITICAL = math.exp(-2.0)

Y = [0.0, SPACING, 1e-323, 1e-310, 2.3e-308, 1e-300, 1e-100, 1e-20, 2.0**-54, 1e-16, 1e-8, 0.003, 0.1, 0.5, 1.0, 2.0]
Y += [math.e, 10.0, 100.0, 1e5, 1e17, 1e100, 1e300, 1.7e308, LARGEST]
R = [0.0, SPACING, 1e-310, 1e-100, 1e-17, 1e-3, math.nextafter(CRITICAL, 0), CRITICAL, math.nextafter(CRITICAL, 1)]
R += [0.009, 1.0, 2.0, 10.0, 1e3, 1e10, 1e100, 1e300, 1e305, 1e308, LARGEST]
LOGS = [-LARGEST, -1e10, -746.0, -745.2, -745.0, -744.0, -720.0, -708.0, -700.0, -300.0, -37.5, -1.0, -1e-300]
LOGS += [0.0, SPACING, 0.5, 1.0, 2.0, 37.5, 100.0, 700.0, 710.0, 745.0, 1e3, 1e10, 1e17, 1e300, LARGEST]

examples = settings(max_examples=300, deadline=None, derandomize=True)


def softplus(t):
    return max(t, mpf(0)) + mpmath.log1p(mpmath.exp(-abs(t)))


def reference(log_y, log_r):
    """The root for exact logarithms, to 45 digits: Newton's method in u = log x.

    u + log(e^(e^u) + r) is convex and increasing, and the start is an upper bound, so every step goes down to the root.
    """
    if log_y == -mp.inf:
        return mpf(0)
    u = min(log_y - softplus(log_r), mpmath.log(softplus(log_y)))
    for _ in range(200):
        x = mpmath.exp(u)
        residual = u + log_r + softplus(x - log_r) - log_y if log_r > -mp.inf else u + x - log_y
        slope = 1 + x / (1 + mpmath.exp(log_r - x))
        u -= residual / slope
        if abs(residual / slope) < mpf(10) ** -46:
            return mpmath.exp(u)
    raise AssertionError(f"no reference root at log y = {log_y}, log r = {log_r}")


def exact_root(y, r):
    with mp.workdps(60):
        return reference(mpmath.log(mpf(y)) if y else -mp.inf, mpmath.log(mpf(r)) if r else -mp.inf)


def exact_root_of_logs(log_y, log_r):
    size = max(abs(v) for v in (log_y, log_r, 1.0) if math.isfinite(v))
    with mp.workdps(60 + int(math.log10(size))):
        return reference(mpf(log_y), mpf(log_r))


def error(value, exact):
    """The error in units of what is documented: below 1 is right."""
    with mp.workdps(60):
        allowed = TOLERANCE * exact if exact > sys.float_info.min else mpf(2 * SPACING)
        return float(abs(mpf(value) - exact) / allowed)


def worst(function, exact_function, pairs):
    """The largest error over pairs of arguments, with the pair."""
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    values = function(first, second).tolist()
    return max((error(v, exact_function(a, b)), a, b) for v, (a, b) in zip(values, pairs, strict=True))


def transition_pairs(roots, offsets):
    """Logarithms (log y, log r) with e^x / r = e^offset at the root, where W_0(y) and y / r change places."""
    for x, offset in itertools.product(roots, offsets):
        log_r = x - offset
        yield math.log(x) + float(np.logaddexp(x, log_r)), log_r


def log_uniform(low, high):
    return st.floats(math.log(low), math.log(high), allow_subnormal=False).map(math.exp)


def test_root_agrees_with_mpmath_over_the_whole_range():
    assert worst(lambert_r, exact_root, list(itertools.product(Y, R)))[0] < 1.0


def test_root_agrees_with_mpmath_where_e_to_the_x_passes_r():
    pairs = transition_pairs([0.01, 0.5, 1.0, 2.0, 2.1, 3.0, 8.0, 20.0, 100.0, 690.0], np.linspace(-12.0, 12.0, 25))
    assert worst(lambert_r, exact_root, [(math.exp(a), math.exp(b)) for a, b in pairs])[0] < 1.0


def test_root_of_logs_agrees_with_mpmath_over_the_whole_range():
    assert worst(lambert_r_log, exact_root_of_logs, list(itertools.product(LOGS, [-math.inf, *LOGS])))[0] < 1.0


def test_root_of_logs_agrees_with_mpmath_where_e_to_the_x_passes_r():
    roots = [0.01, 1.0, 2.1, 30.0, 1e3, 1e6, 1.9147968e9, 1e13, 1e15, 2.0**54, 2.0**55, 2.0**56, 1e19]
    offsets = [-1e3, -45.0, -36.0, -20.0, -5.0, -1.0, -1e-3, 0.0, 0.4, 2.0, 9.0, 40.0, 1e3]
    assert worst(lambert_r_log, exact_root_of_logs, list(transition_pairs(roots, offsets)))[0] < 1.0


def test_root_of_logs_does_not_carry_the_rounding_of_logarithms():
    # Roots from 1e-17 to 5, where log x + log(e^x + r) - log y is wrong by up to 7e-15.
    draws = np.random.default_rng(2).uniform([-40.0, -5.0], [4.0, 5.0], (2000, 2)).tolist()
    assert worst(lambert_r_log, exact_root_of_logs, [(a, b) for a, b in draws])[0] < 1.0
    dense = list(itertools.product(np.linspace(0.5, 4.5, 41).tolist(), np.linspace(-3.0, 4.0, 36).tolist()))
    assert worst(lambert_r_log, exact_root_of_logs, dense)[0] < 1.0


def test_root_of_logs_keeps_the_difference_of_large_logs():
    log_r = np.array([1e3, 1e8, 2.0**60, 1e300])
    pairs = [(s * b, b) for b in log_r.tolist() for s in (1.0, 1.0 - 2.0**-53, 1.0 + 2.0**-52)]
    pairs += [(b + d, b) for b in (1e3, 1e8 + 0.1, 2e12 / 3) for d in (-743.0, -700.3, -40.0, -1.0, 1e-9, 3.3, 30.0)]
    # The spacing of floats is wider here than the transition: an iteration would jump across it.
    pairs += [(6.385828802382947e17, 6.385828802382945e17), (6.803750353962604e17, 6.803750353962602e17)]
    assert worst(lambert_r_log, exact_root_of_logs, pairs)[0] < 1.0


@examples
@given(y=log_uniform(1e-307, 1e308), r=log_uniform(1e-307, 1e308))
def test_root_agrees_with_mpmath_at_random(y, r):
    assert error(lambert_r(y, r), exact_root(y, r)) < 1.0


@examples
@given(y=log_uniform(1e-4, 1e8), r=log_uniform(1e-4, 1e8))
def test_root_agrees_with_mpmath_at_random_moderate_arguments(y, r):
    assert error(lambert_r(y, r), exact_root(y, r)) < 1.0


@examples
@given(
    log_y=st.floats(-800.0, 3000.0, allow_subnormal=False),
    log_r=st.floats(-800.0, 3000.0, allow_subnormal=False),
)
def test_root_of_logs_agrees_with_mpmath_at_random(log_y, log_r):
    assert error(lambert_r_log(log_y, log_r), exact_root_of_logs(log_y, log_r)) < 1.0


@examples
@given(x=log_uniform(1e-3, 1e18), offset=st.floats(-50.0, 50.0, allow_subnormal=False))
def test_root_of_logs_agrees_with_mpmath_at_random_near_the_transition(x, offset):
    [(log_y, log_r)] = transition_pairs([x], [offset])
    assert error(lambert_r_log(log_y, log_r), exact_root_of_logs(log_y, log_r)) < 1.0


def test_r_zero_is_the_principal_lambert_branch():
    y = np.geomspace(1e-300, 1e308, 2001)
    x = lambert_r(y, 0.0)
    # scipy promises no more than 1e-8 by default; ask it for more and it delivers rounding.
    np.testing.assert_allclose(x, lambertw(y, tol=1e-15).real, rtol=1e-14, atol=0.0)
    with mp.workdps(40):
        exact = [mpmath.lambertw(mpf(v)).real for v in y[::20].tolist()]
    assert max(error(a, b) for a, b in zip(x[::20].tolist(), exact, strict=True)) < 1.0


def test_real_roots_on_the_whole_line_are_the_documented_branches():
    def roots(y, r):
        x = np.linspace(-60.0, 5.0, 400_001)
        return np.count_nonzero(np.diff(np.sign(x * np.exp(x) + r * x - y)))

    r = 0.05
    low, high = (float(lambertw(-r * math.e, k).real) - 1.0 for k in (-1, 0))
    top, bottom = (x * math.exp(x) + r * x for x in (low, high))
    assert low < -2.0 < high < -1.0
    assert bottom < top < 0.0
    assert [roots(y, r) for y in (1.01 * bottom, 0.5 * (bottom + top), 0.99 * top, 0.1)] == [1, 3, 1, 1]
    assert [roots(y, 1.01 * CRITICAL) for y in (-0.6, -4 * CRITICAL, -0.3, 0.1)] == [1, 1, 1, 1]


def test_root_satisfies_its_equation():
    y, r = np.meshgrid(np.geomspace(1e-290, 1e300, 300), [0.0, *np.geomspace(1e-12, 1e12, 25)])
    x = lambert_r(y, r)
    condition = 1.0 + x * np.exp(x) / (np.exp(x) + r)
    assert np.all(np.abs(x * (np.exp(x) + r) / y - 1.0) <= TOLERANCE * condition)


@examples
@given(x=log_uniform(1e-12, 690.0), r=log_uniform(1e-12, 1e300))
def test_root_inverts_the_equation(x, r):
    # y carries four roundings, of which the root takes over at most all.
    assert lambert_r(x * (math.exp(x) + r), r) == pytest.approx(x, rel=TOLERANCE + 4 * 2.0**-52, abs=0.0)


def test_root_increases_with_y_and_decreases_with_r():
    y = np.geomspace(1e-300, 1e308, 5000)
    r = np.geomspace(1e-3, 1e300, 5000)
    for fixed in (0.0, 1e-5, CRITICAL, 3.0, 1e20):
        assert np.all(np.diff(lambert_r(y, fixed)) > 0.0)
    for fixed in (-math.inf, -1e300, 0.3, 40.0):
        assert np.all(np.diff(lambert_r_log(np.linspace(-660.0, 5e4, 5000), fixed)) > 0.0)
    for fixed in (1e-5, 1.0, 1e10):
        assert np.all(np.diff(lambert_r(fixed, r)) < 0.0)


def test_small_roots_are_y_over_one_plus_r():
    y, r = np.array([0.0, -0.0, SPACING, 1e-310, 1e-30]), np.array([3.0, 0.0, 0.0, 1.0, 1e5])
    np.testing.assert_array_equal(lambert_r(y, r), y / (1.0 + r))
    assert lambert_r_log(-math.inf, -math.inf) == lambert_r_log(-math.inf, 5.0) == 0.0
    assert lambert_r_log(-1e300, 1e300) == 0.0


@pytest.mark.parametrize("function", [lambert_r, lambert_r_log, lambert_r_derivative])
def test_broadcasting_equals_looping_bit_for_bit(function):
    generator = np.random.default_rng(0)
    a = np.exp(generator.uniform(-30.0, 30.0, (23, 1, 7)))
    b = np.exp(generator.uniform(-30.0, 30.0, (11, 1)))
    looped = [[[function(float(v), float(w)) for v in row[0]] for (w,) in b] for row in a]
    np.testing.assert_array_equal(function(a, b), looped)
    np.testing.assert_array_equal(function(np.asfortranarray(a)[::-1, :, ::2], b), np.array(looped)[::-1, :, ::2])


@pytest.mark.parametrize("function", [lambert_r, lambert_r_log, lambert_r_derivative])
def test_chunks_do_not_show(function):
    size = 2 * special._CHUNK + 3
    a = np.exp(np.random.default_rng(1).uniform(-30.0, 30.0, size))
    whole = function(a, 2.5)
    for at in (0, 1, special._CHUNK - 1, special._CHUNK, 2 * special._CHUNK, size - 1):
        assert whole[at] == function(a[at], 2.5)


@pytest.mark.parametrize("function", [lambert_r, lambert_r_log, lambert_r_derivative])
def test_shapes_and_types_follow_ufuncs(function):
    assert type(function(1, True)) is float
    assert type(function(np.float32(1.0), np.array(2))) is float
    assert function([1, 2, 3], 0.5).shape == (3,)
    assert function(np.ones((4, 1)), np.ones(3)).shape == (4, 3)
    assert function(np.empty((0, 3)), 1.0).shape == (0, 3)
    assert function(np.ones(2, dtype=np.float32), 1).dtype == np.float64
    with pytest.raises(ValueError, match="broadcast"):
        function(np.ones(2), np.ones(3))


def test_arguments_are_left_alone():
    y, r = np.array([0.0, 1.0, 1e300]), np.array([0.0, 1.0, 1e299])
    lambert_r(y, r), lambert_r_derivative(y, r), lambert_r_log(y, r)
    np.testing.assert_array_equal(y, [0.0, 1.0, 1e300])
    np.testing.assert_array_equal(r, [0.0, 1.0, 1e299])


def test_no_floating_point_warning_escapes():
    y, r = (np.ravel(v) for v in np.meshgrid(Y, R))
    a, b = (np.ravel(v) for v in np.meshgrid([-math.inf, *LOGS], [-math.inf, *LOGS]))
    with np.errstate(all="raise"):
        for values in (lambert_r(y, r), lambert_r_derivative(y, r), lambert_r_log(a, b)):
            assert np.all(np.isfinite(values))
            assert np.all(values >= 0.0)


@pytest.mark.parametrize("function", [lambert_r, lambert_r_derivative])
@pytest.mark.parametrize(
    ("y", "r", "message"),
    [
        (-1.0, 1.0, "y = -1.0: must be >= 0 and finite"),
        (-SPACING, 1.0, "y = -5e-324: must be >= 0 and finite"),
        (math.nan, 1.0, "y = nan: must be >= 0 and finite"),
        (math.inf, 1.0, "y = inf: must be >= 0 and finite"),
        (1.0, -0.5, "r = -0.5: must be >= 0 and finite"),
        (1.0, math.nan, "r = nan: must be >= 0 and finite"),
        (1.0, math.inf, "r = inf: must be >= 0 and finite"),
        (1j, 1.0, "y = 1j: must be >= 0 and finite"),
        ("1", 1.0, "y = '1': must be >= 0 and finite"),
        (None, 1.0, "y = nan: must be >= 0 and finite"),
        ([1.0, -2.0, -3.0], [-1.0, 1.0, 1.0], "y = -2.0: must be >= 0 and finite"),
        (1.0, [[0.0], [-7.0]], "r = -7.0: must be >= 0 and finite"),
    ],
)
def test_arguments_outside_the_domain_are_refused(function, y, r, message):
    with pytest.raises(AssumptionError) as caught:
        function(y, r)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("log_y", "log_r", "message"),
    [
        (math.inf, 0.0, "log_y = inf: must lie in [-inf, inf)"),
        (math.nan, 0.0, "log_y = nan: must lie in [-inf, inf)"),
        (0.0, math.inf, "log_r = inf: must lie in [-inf, inf)"),
        (0.0, math.nan, "log_r = nan: must lie in [-inf, inf)"),
        (0.0, 1j, "log_r = 1j: must lie in [-inf, inf)"),
    ],
)
def test_logs_outside_the_domain_are_refused(log_y, log_r, message):
    with pytest.raises(AssumptionError) as caught:
        lambert_r_log(log_y, log_r)
    assert str(caught.value) == message


def test_an_unconverged_root_is_an_error_and_not_an_answer(monkeypatch):
    monkeypatch.setattr(special, "_STEPS", 1)
    with pytest.raises(SolverError, match=r"at y = 2\.0, r = 1\.0"):
        lambert_r([0.0, 2.0, 3.0], 1.0)
    with pytest.raises(SolverError, match=r"at log_y = 2\.0, log_r = 0\.5"):
        lambert_r_log(2.0, 0.5)


def test_derivative_agrees_with_mpmath_over_the_whole_range():
    pairs = [(y, r) for y, r in itertools.product(Y, R) if y > 0.0]
    pairs += [(math.exp(a), math.exp(b)) for a, b in transition_pairs([0.5, 2.0, 5.0, 50.0, 500.0], range(-8, 9, 2))]
    for y, r in pairs:
        with mp.workdps(60):
            x = exact_root(y, r)
            exact = 1 / (mpmath.exp(x) * (1 + x) + mpf(r))
            allowed = max(1.0, float(x) / 4.0)
            assert error(lambert_r_derivative(y, r), exact) < allowed, (y, r)


@pytest.mark.parametrize(
    ("y", "r"), [(0.3, 0.0), (1.0, CRITICAL), (50.0, 4.0), (1e40, 1e39), (1e200, 1e197), (2.0, 1e9)]
)
def test_derivative_is_the_limit_of_difference_quotients(y, r):
    with mp.workdps(60):
        h = mpf(10) ** -15

        def root(a, b):
            return reference(mpmath.log(a), mpmath.log(b) if b else -mp.inf)

        quotient = (root(y * (1 + h), mpf(r)) - root(y * (1 - h), mpf(r))) / (2 * h * y)
        assert lambert_r_derivative(y, r) == pytest.approx(float(quotient), rel=1e-12, abs=0.0)
        if r:
            quotient = (root(mpf(y), r * (1 + h)) - root(mpf(y), r * (1 - h))) / (2 * h * r)
            assert -lambert_r(y, r) * lambert_r_derivative(y, r) == pytest.approx(float(quotient), rel=1e-12, abs=0.0)


def test_derivative_at_zero_is_one_over_one_plus_r():
    r = np.array([0.0, 1e-310, CRITICAL, 3.0, 1e308])
    np.testing.assert_array_equal(lambert_r_derivative(0.0, r), 1.0 / (1.0 + r))
