"""The oracle against printed figures, against closed forms and against its own brute force."""

import numpy as np
import oracle
import pytest
from mpmath import mp
from scipy.optimize import minimize

S8 = ("sphere", 8)
ALL_LOSSES = [
    ("cross-entropy", 0.0),
    ("cross-entropy", 0.2),
    ("mse", 0.2),
    ("label-relaxation", 0.1),
    ("focal", 2.0),
    ("squared-hinge",),
]


def nd(alpha, decay, nonnegative, noise, slope, q, lam, spread=S8, name="cross-entropy"):
    found = oracle.md((name, alpha), decay, decay, nonnegative, noise=noise, slope=slope, q=q, lam=lam, spread=spread)
    return found["normalized_dilation"]


def agrees(value, printed):
    """Equal to the printed decimal to one unit in its last place."""
    digits = len(printed.partition(".")[2])
    return abs(value - mp.mpf(printed)) <= mp.mpf(10) ** -digits


# --- the unconstrained features model -------------------------------------------------------------------------------


def closed_form_cross_entropy(N, alpha, decay, nonnegative):
    mu, alpha = mp.mpf(decay), mp.mpf(alpha)
    kappa = 2 * mp.sqrt(N - 1) * mu if nonnegative else 2 * (N - 1) * mu / mp.sqrt(N)
    delta = 1 - alpha - (2 * N * mu / mp.sqrt(N - 1) if nonnegative else 2 * mp.sqrt(N) * mu)
    e = (N - 1) * alpha / N + kappa
    return mp.log1p((N - 1) * delta / e) if delta > 0 else mp.zero


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("N", [2, 3, 1000, 10**6])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9])
def test_margin_is_right_near_the_threshold_and_far_from_it(N, alpha, nonnegative):
    with mp.workdps(60):
        share = mp.mpf(2 * N) / mp.sqrt(N - 1) if nonnegative else 2 * mp.sqrt(N)
        critical = float((1 - mp.mpf(alpha)) / share)
        for decay in (critical * (1 - 1e-9), critical * (1 - 1e-14), critical * (1 + 1e-12), critical / 3, 1e-16):
            expected = closed_form_cross_entropy(N, alpha, decay, nonnegative)
            found = oracle.ufm_margin(("cross-entropy", alpha), N, decay, decay, nonnegative)
            assert abs(found - expected) <= mp.mpf(10) ** -40 * expected


def test_margin_of_the_reference_configuration_is_log_99():
    assert abs(oracle.ufm_margin(("cross-entropy", 0.0), 2, 0.005, 0.005, True) - mp.log(99)) < 1e-14


def test_margins_that_are_elementary():
    assert oracle.ufm_margin(("hinge",), 3, 0.01, 0.01, True) == 1
    assert oracle.ufm_margin(("hinge",), 3, 0.5, 0.5, True) == 0
    with pytest.raises(ValueError, match="optimal"):
        oracle.ufm_margin(("hinge",), 2, 0.5, 0.5, True)
    assert abs(oracle.ufm_objective(("hinge",), 2, 0.5, 0.5, True) - 1) < 1e-40
    assert abs(oracle.ufm_margin(("squared-hinge",), 2, 0.125, 0.125, True) - 0.75) < 1e-40
    mu = mp.mpf(0.01)
    assert abs(oracle.ufm_margin(("mse", 0.0), 3, 0.01, 0.01, True) - (1 - 2 * mp.sqrt(3) * mu)) < 1e-14
    assert abs(oracle.ufm_margin(("mse", 0.0), 3, 0.01, 0.01, True, bias=True) - (1 - 6 * mu / mp.sqrt(2))) < 1e-14


def test_working_precision_is_restored():
    before = mp.prec
    oracle.ufm_margin(("cross-entropy", 0.3), 4, 0.01, 0.02, False)
    nd(0.3, 0.01, True, 0.1, 1.0, 1, 0.0)
    oracle.test_error(S8, 0.7)
    assert mp.prec == before


@pytest.mark.parametrize("N", [2, 17, 18, 20, 100])
@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_margin_is_the_global_minimum(N, gamma):
    """Decays on both sides of the point where s = 0 takes over, against a fine grid."""
    s = np.linspace(0, 20, 200_001)
    p, q = np.exp(s) / (np.exp(s) + N - 1), (N - 1) / (np.exp(s) + N - 1)
    profile = -(q**gamma) * np.log(p)
    highest = np.max((profile[0] - profile[1:]) / s[1:])  # s = 0 is best for kappa above this
    for kappa in highest * np.array([0.05, 0.5, 0.99, 1.01, 2.0]):
        decay = float(kappa * np.sqrt(N) / (2 * (N - 1)))
        found = float(oracle.ufm_margin(("focal", gamma), N, decay, decay, False))
        assert abs(found - s[np.argmin(profile + kappa * s)]) < 1e-3
        assert (
            abs(float(oracle.ufm_objective(("focal", gamma), N, decay, decay, False)) - min(profile + kappa * s)) < 1e-8
        )
    just_below = highest * 0.9999 * np.sqrt(N) / (2 * (N - 1))
    margin = float(oracle.ufm_margin(("focal", gamma), N, just_below, just_below, False))
    if N == 2:
        assert margin < 0.01
    if N == 100:  # a first-order jump
        assert margin > 0.5


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_ufm_against_brute_force(loss, nonnegative, bias):
    for N in (2, 4) if loss[0] != "squared-hinge" else (2,):
        objective, Z = oracle.brute_force_ufm(loss, N, 0.01, 0.02, nonnegative, bias=bias, starts=4)
        assert abs(objective - float(oracle.ufm_objective(loss, N, 0.01, 0.02, nonnegative, bias=bias))) < 1e-12
        margin = (np.trace(Z) - (Z.sum() - np.trace(Z)) / (N - 1)) / N
        assert abs(margin - float(oracle.ufm_margin(loss, N, 0.01, 0.02, nonnegative, bias=bias))) < 1e-6


@pytest.mark.parametrize("loss", [("cross-entropy", 0.2), ("label-relaxation", 0.1), ("focal", 2.0)])
def test_ufm_with_proportions_against_brute_force(loss):
    pi = (0.5, 0.3, 0.17, 0.03)
    _, Z = oracle.brute_force_ufm(loss, 4, 0.03, 0.02, True, proportions=pi, starts=6)
    for n, weight in enumerate(pi):
        margin = float(oracle.ufm_margin(loss, 4, 0.03, 0.02, True, class_weight=weight))
        assert abs(Z[n, n] - Z[n - 1, n] - margin) < 1e-6


# --- the spread -----------------------------------------------------------------------------------------------------


def spread_density(spread):
    """Normalised density of zeta and its right end."""
    kind, d = spread
    if kind == "gaussian":
        return (lambda z: mp.sqrt(mp.mpf(d) / (2 * mp.pi)) * mp.exp(-d * z**2 / 2)), 30 / mp.sqrt(d)
    radius, dim = (mp.one, d) if kind == "sphere" else (mp.sqrt(mp.mpf(d + 2) / d), d + 2)
    const = mp.gamma(mp.mpf(dim) / 2) / (mp.sqrt(mp.pi) * mp.gamma(mp.mpf(dim - 1) / 2)) / radius
    return (lambda z: const * (1 - (z / radius) ** 2) ** (mp.mpf(dim - 3) / 2)), radius


@pytest.mark.parametrize("spread", [("sphere", 3), S8, ("ball", 2), ("gaussian", 5), ("sphere", 1000)])
@pytest.mark.parametrize("width", [1e-6, 3.0, 400.0])
def test_quadrature_over_the_spread(spread, width):
    """Against tanh-sinh quadrature of the density itself."""
    with mp.workdps(oracle.MD_DPS):
        s, width = mp.mpf(4), mp.mpf(width)

        def slope(t):
            return -1 / (1 + mp.exp(t))

        density, end = spread_density(spread)
        cuts = [mp.zero] + [k / mp.sqrt(spread[1]) for k in (1, 2, 4, 8, 16)]
        cuts += [s / width + k / width for k in (-3, -1, 0, 1, 3, 10, 30)]
        cuts = [*sorted(z for z in set(cuts) if 0 <= z < end), end]
        expected = mp.quad(lambda z: z * density(z) * (slope(s + width * z) - slope(s - width * z)), cuts)
        found = oracle._spread_slope(slope, [], spread, s, width, 4)
        assert abs(found - expected) < mp.mpf(10) ** -22 * expected


def test_moments_of_the_spread():
    with mp.workdps(oracle.MD_DPS):
        for kind in ("sphere", "gaussian", "ball", "two-point"):
            for d in (1, 2, 3, 8, 1000):
                rule = oracle._half_rule((kind, d), [], 4)
                assert abs(2 * mp.fsum(w for _, w in rule) - 1) < 1e-30
                assert abs(2 * d * mp.fsum(w * z**2 for z, w in rule) - 1) < 1e-30


def test_error_rate_formulas():
    with mp.workdps(30):
        for d in (1, 2, 8, 1000):
            for x in (mp.mpf(2) ** -6, mp.mpf(2) ** -3, mp.mpf(2) ** -1, mp.mpf(3) / 4, mp.mpf(5) / 4):
                rate = 1 / (2 * x)
                gauss = mp.erfc(mp.sqrt(d) * x / mp.sqrt(2)) / 2
                assert abs(oracle.test_error(("gaussian", d), rate) - gauss) < 1e-24 * gauss
                if d > 1:
                    tail = mp.betainc(mp.mpf(d - 1) / 2, 0.5, 0, 1 - x**2, regularized=True) / 2 if x < 1 else mp.zero
                    assert abs(oracle.test_error(("sphere", d), rate) - tail) <= 1e-24 * tail
                y2 = 1 - x**2 * mp.mpf(d) / (d + 2)
                tail = mp.betainc(mp.mpf(d + 1) / 2, 0.5, 0, y2, regularized=True) / 2 if y2 > 0 else mp.zero
                assert abs(oracle.test_error(("ball", d), rate) - tail) <= 1e-24 * tail
    assert oracle.test_error(("two-point", 4), 2.0) == 0.5
    assert oracle.test_error(("two-point", 4), 1.0) == 0
    assert oracle.test_error(("sphere", 1), 0.75) == 0.5
    assert agrees(oracle.test_error(S8, nd(0.0, 0.0005, True, 0.4, 0.2, 1, 0.0)), "0.0804353")
    assert agrees(oracle.test_error(S8, nd(0.1, 0.0005, True, 0.4, 0.2, 1, 0.0)), "0.102705")


# --- printed figures of the memorization-dilation problem -----------------------------------------------------------

# alpha, decay, nonnegative, noise, slope, q, lam, spread, normalised dilation
PRINTED = [
    # reference values
    *[
        (alpha, 0.005, True, noise, 1.0, 1, 1e-4, S8, value)
        for noise, values in {
            0.01: ("0.03682", "0.02682", "0.02410", "0.01857"),
            0.1: ("0.29169", "0.24741", "0.22637", "0.17877"),
        }.items()
        for alpha, value in zip((0.0, 0.05, 0.1, 0.3), values, strict=True)
    ],
    # smoothing dilates more: large noise, small slope
    (0.0, 0.0005, True, 0.4, 0.2, 1, 0.0, S8, "0.9807097"),
    (0.1, 0.0005, True, 0.4, 0.2, 1, 0.0, S8, "1.071479"),
    (0.0, 0.0005, True, 0.4, 0.2, 1, 0.0005, S8, "0.9720982"),
    (0.1, 0.0005, True, 0.4, 0.2, 1, 0.0005, S8, "1.059425"),
    (0.0, 0.0005, False, 0.4, 0.2, 1, 0.0, S8, "0.9000714"),
    (0.1, 0.0005, False, 0.4, 0.2, 1, 0.0, S8, "0.9678994"),
    (0.0, 0.1, True, 0.4, 0.02, 1, 0.0, S8, "0.1727124"),
    (0.15, 0.1, True, 0.4, 0.02, 1, 0.0, S8, "0.1926920"),
    # smoothing close to the collapse threshold
    *[
        (alpha, 0.05, True, 0.1, 1.0, q, 0.0, S8, value)
        for q, values in {
            1: {0.0: "0.2721525", 0.7: "0.1286889", 0.78: "0.1721005", 0.79: "0.2230513", 0.799: "0.6475198"},
            0: {0.0: "0.1597336", 0.5: "0.1366765", 0.7: "0.2015072", 0.78: "0.6011778", 0.799: "10.10714"},
        }.items()
        for alpha, value in values.items()
    ],
    # scale free
    (0.0, 0.0005, True, 0.4, 0.4, 0, 0.0, S8, "0.7059752"),
    (0.2, 0.0005, True, 0.4, 0.4, 0, 0.0, S8, "0.7953671"),
    (0.0, 0.0005, True, 0.4, 0.2, 0, 0.0, ("sphere", 32), "1.397399"),
    (0.2, 0.0005, True, 0.4, 0.2, 0, 0.0, ("sphere", 32), "1.590063"),
    # scale free, lam = feature decay
    (0.0, 0.005, False, 0.1, 1.0, 0, 0.005, S8, "0.09755296"),
    (0.1, 0.005, False, 0.1, 1.0, 0, 0.005, S8, "0.09843175"),
    (0.0, 0.005, False, 0.01, 1.0, 0, 0.005, S8, "0.009973059"),
    (0.1, 0.005, False, 0.01, 1.0, 0, 0.005, S8, "0.009983673"),
    (0.0, 0.005, True, 0.4, 0.5, 0, 0.005, S8, "0.6393391"),
    (0.1, 0.005, True, 0.4, 0.5, 0, 0.005, S8, "0.6685655"),
    (0.2, 0.005, True, 0.4, 0.5, 0, 0.005, S8, "0.6737277"),
    # not decreasing in alpha
    (0.3, 0.005, True, 0.01, 1.0, 0, 0.0, S8, "0.01021684"),
    (0.35, 0.005, True, 0.01, 1.0, 0, 0.0, S8, "0.01021518"),
    (0.5, 0.005, True, 0.01, 1.0, 0, 0.0, S8, "0.01023853"),
    (0.7, 0.005, True, 0.01, 1.0, 0, 0.0, S8, "0.01036642"),
    (0.9, 0.005, True, 0.01, 1.0, 0, 0.0, S8, "0.01124345"),
    (0.97, 0.005, True, 0.1, 1.0, 1, 0.0, S8, "0.03998866"),
    (0.975, 0.005, True, 0.1, 1.0, 1, 0.0, S8, "0.04242305"),
    (0.979, 0.005, True, 0.1, 1.0, 1, 0.0, S8, "0.06957638"),
    # not decreasing in the slope
    (0.0, 0.005, True, 0.1, 0.01, 1, 0.0, S8, "0.2330531"),
    (0.0, 0.005, True, 0.1, 0.05, 1, 0.0, S8, "0.5513678"),
    (0.0, 0.005, True, 0.1, 0.1, 1, 0.0, S8, "0.7217107"),
    (0.0, 0.005, True, 0.1, 0.2, 1, 0.0, S8, "0.7540638"),
    (0.0, 0.005, True, 0.1, 0.5, 1, 0.0, S8, "0.4744213"),
    (0.0, 0.005, True, 0.1, 1.0, 1, 0.0, S8, "0.2922284"),
    (0.1, 0.005, True, 0.1, 0.01, 1, 0.005, S8, "0.07772079"),
    (0.1, 0.005, True, 0.1, 0.2, 1, 0.005, S8, "0.6036907"),
    (0.1, 0.005, True, 0.1, 1.0, 1, 0.005, S8, "0.2231552"),
]


@pytest.mark.parametrize("case", PRINTED, ids=lambda case: "-".join(str(x) for x in case[:7]))
def test_printed_figures(case):
    *arguments, printed = case
    assert agrees(nd(*arguments), printed)


def test_printed_figures_of_other_kinds():
    relaxed = nd(0.05, 0.005, True, 0.1, 1.0, 1, 1e-4, name="label-relaxation")
    assert agrees(relaxed, "0.2292038") or agrees(relaxed, "0.2292037")
    assert agrees(nd(0.1, 0.005, True, 0.1, 1.0, 1, 1e-4), "0.2263702")
    relaxed = nd(0.05, 0.005, True, 0.01, 1.0, 1, 1e-4, name="label-relaxation")
    assert abs(relaxed - nd(0.1, 0.005, True, 0.01, 1.0, 1, 1e-4)) < 1e-16
    largest = oracle.md(("cross-entropy", 0.0), 0.005, 0.005, True, noise=0.1, slope=0.152439, q=1, lam=0.0, spread=S8)
    assert agrees(largest["normalized_dilation"], "0.785208")
    assert abs(largest["noisy_margin"] + mp.mpf("0.966470")) < 1e-5
    s = largest["s"]
    assert abs(largest["noisy_margin"] - (1 - s + mp.lambertw(mp.exp(s - 1)).real)) < 1e-5


# --- closed forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.003, 0.1])
@pytest.mark.parametrize("slope", [0.05, 0.7, 5.0])
@pytest.mark.parametrize("nonnegative", [False, True])
def test_hinge_closed_form(lam, slope, nonnegative):
    noise, q, d = 0.3, 1, 8
    found = oracle.md(
        ("hinge",), 0.01, 0.004, nonnegative, noise=noise, slope=slope, q=q, lam=lam, spread=("gaussian", d)
    )
    with mp.workdps(30):
        kap, D, L, C = found["kap"], found["D"], mp.mpf(lam), mp.mpf(slope)
        m2 = D**2 / 4 if nonnegative else mp.zero
        K = kap * mp.sqrt(2 / (mp.pi * d)) * D**q / C
        P = mp.sqrt(L**2 * m2 + (kap / 2 + L / kap) ** 2)
        assert found["s"] == 1
        if K >= 4 * P:
            assert found["dilation"] == 0
            assert found["noisy_margin"] == -1
            assert found["nu"] == mp.inf
            return
        nu = L * (4 * P * mp.mpf(noise) * D ** (2 * q) / C**2 + K) / (4 * P - K)
        if lam > 0 and (kap**2 / 2 + L) / (L + nu) <= 2:
            assert abs(found["nu"] / nu - 1) < 1e-18
            assert abs(found["memorization"] * (L + nu) / P - 1) < 1e-18
            return
        assert found["noisy_margin"] == 1
        nu = found["nu"]
        share = L / (L + nu)
        rho = mp.sqrt(share**2 * m2 + 4 / kap**2)
        assert abs(found["memorization"] / rho - 1) < 1e-18
        assert abs(4 * rho * (nu - L * mp.mpf(noise) * D ** (2 * q) / C**2) / K - 1) < 1e-18


def test_hinge_threshold_without_decay():
    found = oracle.md(("hinge",), 0.01, 0.01, True, noise=0.3, slope=1.0, q=0, lam=0.0, spread=("two-point", 1))
    with mp.workdps(30):
        assert abs(found["normalized_dilation"] - mp.mpf(0.3)) < 1e-18
    with pytest.raises(ValueError, match="unique"):
        oracle.md(("hinge",), 0.01, 0.01, True, noise=0.3, slope=0.5, q=0, lam=0.0, spread=("two-point", 1))
    with pytest.raises(ValueError, match="collapsed"):
        oracle.md(("hinge",), 0.6, 0.6, True, noise=0.3, slope=0.5, q=0, lam=0.0, spread=S8)


@pytest.mark.parametrize("nonnegative", [False, True])
def test_mse_closed_forms(nonnegative):
    eta, C, q, d, alpha = 0.3, 0.6, 1, 8, 0.1
    common = {"noise": eta, "slope": C, "q": q, "spread": S8}
    with mp.workdps(30):
        eta, C, alpha = mp.mpf(eta), mp.mpf(C), mp.mpf(alpha)
        found = oracle.md(("mse", 0.1), 0.01, 0.004, nonnegative, lam=0.0, bias=True, **common)
        s, D, kap = found["s"], found["D"], found["kap"]
        expected = eta * D**q * (s + 1 - alpha) / (2 * s * C * (1 + eta * D ** (2 * q) / (d * C**2)))
        assert abs(found["normalized_dilation"] / expected - 1) < 1e-18
        lam = mp.mpf(0.02)
        found = oracle.md(("mse", 0.1), 0.01, 0.004, nonnegative, lam=0.02, bias=True, **common)
        nu = (kap**2 / d + 4 * lam) * eta * D ** (2 * q) / (4 * C**2)
        assert abs(found["noisy_margin"] * (kap**2 / 4 + lam + nu) - (kap**2 * (1 - alpha) / 4 - nu * s)) < 1e-18
        found = oracle.md(("mse", 0.1), 0.01, 0.004, nonnegative, lam=0.02, bias=False, **common)
        s, D, kap = found["s"], found["D"], found["kap"]
        s0 = s + alpha
        kp = kap * mp.sqrt(s0 / s)
        nu = ((kap**2 + kp**2) / d + 4 * lam) * eta * D ** (2 * q) / (4 * C**2)
        t = (kap**2 * (1 - alpha) / 4 - nu * s) / (kap**2 / 4 + lam + nu)
        sg = (kp**2 / 4 + nu * s0) / (kp**2 / 4 + lam + nu)
        assert abs(found["nu"] / nu - 1) < 1e-18
        assert abs(found["noisy_margin"] - t) < 1e-18
        assert abs(found["memorization"] ** 2 / (((t + s) / kap) ** 2 + ((sg - s0) / kp) ** 2) - 1) < 1e-18


def test_noise_has_to_be_positive():
    with pytest.raises(ValueError, match="positive"):
        nd(0.0, 0.005, True, 0.0, 1.0, 1, 0.0)


def test_squared_hinge_closed_form():
    found = oracle.md(
        ("squared-hinge",), 0.05, 0.05, True, noise=0.01, slope=2.0, q=1, lam=0.0, spread=("two-point", 8)
    )
    with mp.workdps(30):
        s, D = found["s"], found["D"]
        beta = mp.mpf(0.01) * D**2 / (8 * 4)
        assert abs(found["normalized_dilation"] * 2 * s * 2 * (1 + beta) / (mp.mpf(0.01) * D * (1 + s)) - 1) < 1e-18


# --- brute force on the memorization-dilation problem ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("case", [(0.3, 0.3, 1, 0.005, 0.005), (0.05, 2.0, 0, 0.001, 0.02)])
@pytest.mark.parametrize(
    ("loss", "nonnegative", "lam", "spread", "options"),
    [
        *[(loss, nonnegative, 0.005, S8, {}) for loss in ALL_LOSSES for nonnegative in (False, True)],
        (("mse", 0.1), True, 0.0, S8, {"bias": True}),
        (("mse", 0.1), False, 0.01, S8, {"bias": True}),
        (("cross-entropy", 0.1), True, 0.0, S8, {}),
        (("focal", 5.0), True, 0.0, S8, {}),
        (("cross-entropy", 0.0), True, 0.0, S8, {"nonnegative_noisy": True}),
        (("cross-entropy", 0.1), True, 0.05, S8, {"nonnegative_noisy": True}),
        (("focal", 2.0), True, 0.005, S8, {"nonnegative_noisy": True}),
        (("cross-entropy", 0.1), True, 0.001, ("gaussian", 3), {}),
        (("cross-entropy", 0.1), True, 0.001, ("ball", 1), {}),
        (("cross-entropy", 0.1), True, 0.001, ("sphere", 1), {}),
        (("cross-entropy", 0.1), True, 0.001, ("two-point", 4), {}),
    ],
)
def test_md_against_brute_force(loss, nonnegative, lam, spread, options, case):
    noise, slope, q, weight_decay, feature_decay = case
    common = {"noise": noise, "slope": slope, "q": q, "lam": lam, "spread": spread, **options}
    found = oracle.md(loss, weight_decay, feature_decay, nonnegative, **common)
    objective, r = oracle.brute_force_md(loss, weight_decay, feature_decay, nonnegative, starts=3, **common)
    kinked = loss[0] in ("label-relaxation", "squared-hinge")  # global Gauss quadrature across a kink
    assert abs(objective / float(found["objective"]) - 1) < (2e-6 if kinked else 1e-9)
    assert abs(r / float(found["dilation"]) - 1) < (3e-6 if kinked else 1e-6)


@pytest.mark.parametrize("lam", [0.003, 0.1])
@pytest.mark.parametrize("nonnegative_noisy", [False, True])
def test_hinge_against_direct_minimisation(lam, nonnegative_noisy):
    """One noisy feature in the plane, the constraint tight, F(r) = kap r E|zeta| + 2 lam (||h||^2 + r^2)."""
    noise, slope, d = 0.3, 0.7, 8
    found = oracle.md(
        ("hinge",),
        0.01,
        0.004,
        True,
        noise=noise,
        slope=slope,
        q=1,
        lam=lam,
        spread=("gaussian", d),
        nonnegative_noisy=nonnegative_noisy,
    )
    a, kap, D = (float(x) for x in (found["D"] / mp.sqrt(2), found["kap"], found["D"]))
    c = kap / np.sqrt(2)

    def objective(u):
        if nonnegative_noisy:
            u = np.abs(u)
        r = noise * np.hypot(u[0], u[1] - a) * D / slope
        clean = kap * r * np.sqrt(2 / (np.pi * d)) + 2 * lam * (a**2 + r**2)
        return clean + 2 * noise * (max(0.0, 1 - c * (u[0] - u[1])) + lam * u @ u)

    tight = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000, "maxfev": 4000}
    best = min(
        minimize(objective, start, method="Nelder-Mead", options=tight).fun
        for start in ([0.1 * a, a], [a, 0.3 * a], [0.9 * a, 0.1 * a], [0.5 * a, 0.5 * a])
    )
    assert abs(best / float(found["objective"]) - 1) < 1e-8


# --- extremes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "decays", "noise", "slope", "lam", "spread"),
    [
        (("cross-entropy", 0.0), (1e-8, 1e-8), 1.0, 1e-3, 1e-8, ("sphere", 1000)),
        (("cross-entropy", 0.0), (1e-8, 1e-1), 1e-8, 1e3, 0.0, ("sphere", 2)),
        (("cross-entropy", 0.3), (1e-1, 1e-8), 1.0, 1e-3, 0.0, ("gaussian", 1)),
        (("label-relaxation", 0.3), (1e-4, 1e-4), 0.5, 0.05, 1e-4, ("ball", 50)),
        (("focal", 2.0), (1e-5, 1e-3), 0.2, 0.1, 0.0, ("sphere", 1000)),
    ],
)
def test_md_does_not_depend_on_the_quadrature(monkeypatch, loss, decays, noise, slope, lam, spread):
    """Twice the nodes and half as many digits again change nothing."""
    common = {"noise": noise, "slope": slope, "q": 1, "lam": lam, "spread": spread}
    first = oracle.md(loss, *decays, True, **common)
    rule = oracle._half_rule
    monkeypatch.setattr(oracle, "_half_rule", lambda spread, breaks, degree: rule(spread, breaks, degree + 1))
    monkeypatch.setattr(oracle, "MD_DPS", 60)
    oracle._md.cache_clear()
    second = oracle.md(loss, *decays, True, **common)
    oracle._md.cache_clear()
    with mp.workdps(40):
        for key in ("dilation", "memorization", "objective", "nu"):
            assert abs(first[key] / second[key] - 1) < 1e-19
