"""Theorems, reference values, counterexamples and asymptotics of the memorization-dilation problem."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special

import mdtheory as mdt
from mdtheory.models.dilation.asymptotics import cross_entropy_small_noise, small_noise_dilation, small_slope_dilation
from mdtheory.models.dilation.bounds import md_objective
from mdtheory.models.dilation.newton import newton_points
from mdtheory.models.dilation.points import block_of_points

CONVEX = {
    "cross-entropy": lambda a: mdt.CrossEntropy(),
    "smoothed": mdt.CrossEntropy,
    "squared": mdt.MeanSquaredError,
    "relaxation": lambda a: mdt.LabelRelaxation(0.5 * a),
    "hinge": lambda a: mdt.Hinge(),
    "squared-hinge": lambda a: mdt.SquaredHinge(),
}

SMOOTH = [mdt.CrossEntropy(0.1), mdt.LabelRelaxation(0.1), mdt.SquaredHinge(), mdt.MeanSquaredError(0.1)]


def problem(loss, decay=5e-3, *, nonnegative=True, noise=0.1, slope=1.0, lam=0.0, dim=8, q=1):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=decay, feature_decay=decay, nonnegative=nonnegative)
    return mdt.MemorizationDilation(
        ufm,
        noise=noise,
        slope=slope,
        spread=mdt.Sphere(dim),
        scaling="absolute" if q else "relative",
        noisy_feature_decay=lam,
    )


def dilation(loss, *arguments, **options):
    return mdt.solve(problem(loss, *arguments, **options)).normalized_dilation


def log_uniform(low, high):
    return st.floats(low, high).map(lambda x: 10.0**x)


settings_of = st.fixed_dictionaries(
    {
        "decay": log_uniform(-5, -1.2),
        "nonnegative": st.booleans(),
        "slope": log_uniform(-2, 2),
        "lam": st.one_of(st.just(0.0), log_uniform(-6, -1)),
        "dim": st.integers(1, 200),
        "q": st.sampled_from([0, 1]),
    }
)
losses = st.builds(lambda name, a: CONVEX[name](a), st.sampled_from(sorted(CONVEX)), st.floats(0.01, 0.7))
few = settings(deadline=None, max_examples=40)


def tolerance(values):
    return 1e-11 * np.max(np.abs(values)) + 1e-15


# ------------------------------------------------------------------ monotonicity


@few
@given(loss=losses, options=settings_of)
def test_more_noise_dilates_more_but_memorises_each_example_less(loss, options):
    solution = mdt.solve(problem(loss, noise=np.geomspace(1e-6, 1.0, 30), **options))
    noise = solution.problem.noise
    for rising in (solution.dilation, solution.normalized_dilation, solution.test_error):
        assert np.all(np.diff(rising) >= -tolerance(rising))
    for falling in (solution.memorization, solution.noisy_margin, solution.normalized_dilation / noise):
        assert np.all(np.diff(falling) <= tolerance(falling))


@few
@given(loss=losses, options=settings_of, noise=log_uniform(-4, 0))
def test_a_sphere_of_higher_dimension_dilates_more(loss, options, noise):
    options = {key: value for key, value in options.items() if key != "dim"}
    values = np.array([dilation(loss, noise=noise, dim=dim, **options) for dim in (1, 2, 3, 5, 20, 300)])
    assert np.all(np.diff(values) >= -tolerance(values))


@few
@given(options=settings_of, noise=log_uniform(-4, 0), alpha=st.floats(0.01, 0.5))
def test_label_relaxation_dilates_at_least_as_much_as_label_smoothing(options, noise, alpha):
    smoothed, relaxed = mdt.CrossEntropy(alpha), mdt.LabelRelaxation(0.5 * alpha)
    below, above = (mdt.solve(problem(loss, noise=noise, **options)) for loss in (smoothed, relaxed))
    assert above.normalized_dilation >= below.normalized_dilation * (1 - 1e-11)
    # Equal exactly while the clean margins stay inside the kink.
    if below.expansion_parameter <= smoothed.profile_minimizer() - below.problem.configuration.margin:
        assert above.normalized_dilation == pytest.approx(below.normalized_dilation, rel=1e-11)


@few
@given(options=settings_of, alpha=st.floats(0.01, 0.7))
def test_cross_entropy_dilates_more_than_label_smoothing_as_the_noise_vanishes(options, alpha):
    options = options | {"lam": 0.0, "noise": 1e-60}
    limit = small_noise_dilation(problem(mdt.CrossEntropy(alpha), **options))
    # The theorem needs log(1/noise) to beat the ratio of the remaining factors.
    assume(cross_entropy_small_noise(problem(mdt.CrossEntropy(), **options)) > 1.01 * limit)
    assert dilation(mdt.CrossEntropy(), **options) > dilation(mdt.CrossEntropy(alpha), **options)


# ------------------------------------------------------------------ bounds and the sign change, without decay


@few
@given(
    options=settings_of,
    noise=log_uniform(-4, 0),
    alpha=st.floats(0.001, 0.7),
)
def test_bounds_for_every_noise_without_decay(options, noise, alpha):
    options = options | {"lam": 0.0}
    loss = mdt.CrossEntropy(alpha)
    md = problem(loss, noise=noise, **options)
    c, solution = md.configuration, mdt.solve(md)
    unit = noise * md.rate / (c.weight_distance * c.mean_distance)
    assert solution.normalized_dilation <= unit * (loss.profile_minimizer() + c.margin) * (1 + 1e-12)
    probability = 1 - 0.5 * alpha - 0.5 * md.spread.mean_absolute * md.rate
    low = special.logit(probability) if probability > 0 else -np.inf
    assert solution.normalized_dilation >= unit * max(low + c.margin, 0.0) * (1 - 1e-12)


@settings(deadline=None, max_examples=15)
@given(options=settings_of, alpha=st.one_of(st.just(0.0), st.floats(1e-6, 0.5)))
def test_noisy_examples_are_memorised_exactly_below_a_critical_noise(options, alpha):
    """At eta*, where the noisy margin is zero: F'(eta* D^(1+q)/(2C)) = C kap (1-alpha)/D^q."""
    options = options | {"lam": 0.0}
    md = problem(mdt.CrossEntropy(alpha), noise=np.geomspace(1e-6, 1.0, 60), **options)
    margin, rate = mdt.solve(md).noisy_margin, float(md.rate)
    if 1.0 / rate >= md.spread.mean_absolute / (1 - alpha):
        assert np.all(margin > 0)
    change = np.flatnonzero((margin[:-1] > 0) & (margin[1:] <= 0))
    for i in change:
        low, high = md.noise[i], md.noise[i + 1]
        for _ in range(25):
            middle = np.sqrt(low * high)
            positive = mdt.solve(problem(mdt.CrossEntropy(alpha), noise=middle, **options)).noisy_margin > 0
            low, high = (middle, high) if positive else (low, middle)
        c = md.configuration
        nodes, weights = np.polynomial.legendre.leggauss(400)
        angle = 0.25 * np.pi * (nodes + 1)
        zeta, r = np.sin(angle), low * rate * 0.5 * c.mean_distance
        if md.spread.dim == 1:
            zeta, law = np.ones(1), np.ones(1)
        else:
            law = weights * np.cos(angle) ** (md.spread.dim - 2)
            law = law / np.sum(law)
        slopes = md.ufm.loss.profile_derivative
        offset = c.weight_distance * r * zeta
        mean = 0.5 * np.sum(law * zeta * (slopes(c.margin + offset) - slopes(c.margin - offset)))
        assert 2 * c.weight_distance * mean == pytest.approx(c.weight_distance * (1 - alpha) / rate, rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    options=settings_of, lam=st.sampled_from([0.0, 1e-4, 5e-3]), which=st.sampled_from([mdt.CrossEntropy(), *SMOOTH])
)
def test_the_margin_of_noisy_examples_changes_sign_at_the_critical_noise(options, lam, which):
    options = {**options, "lam": lam}
    critical = mdt.critical_noise(problem(which, **options))
    if np.isfinite(critical):
        assert mdt.solve(problem(which, noise=critical * (1 - 1e-6), **options)).noisy_margin > 0
        assert critical == 1 or mdt.solve(problem(which, noise=critical * (1 + 1e-6), **options)).noisy_margin < 0
    else:
        assert mdt.solve(problem(which, noise=1.0, **options)).noisy_margin >= -1e-9


def test_critical_noise_broadcasts():
    slope = np.geomspace(0.02, 5.0, 7)[:, None]
    found = mdt.critical_noise(problem(mdt.CrossEntropy(np.array([0.0, 0.1])), slope=slope))
    assert found.shape == (7, 2)
    assert np.isinf(found[-1]).all()
    for i in (0, 3):
        one = mdt.critical_noise(problem(mdt.CrossEntropy(0.1), slope=float(slope[i, 0])))
        assert found[i, 1] == pytest.approx(one, rel=1e-12)


def test_critical_noise_is_refused_where_the_margin_jumps():
    for loss in (mdt.Hinge(), mdt.Focal(2.0)):
        with pytest.raises(mdt.AssumptionError, match="loss"):
            mdt.critical_noise(problem(loss))


@pytest.mark.parametrize(("smoothing", "lam", "expected"), [(0.1, 1e-4, (0.2292036, 0.2263702))])
def test_label_relaxation_against_smoothing_at_a_point(smoothing, lam, expected):
    relaxed = dilation(mdt.LabelRelaxation(0.5 * smoothing), lam=lam)
    smoothed = dilation(mdt.CrossEntropy(smoothing), lam=lam)
    assert (round(relaxed, 7), round(smoothed, 7)) == expected


def test_largest_dilation_over_all_slopes():
    peak = mdt.solve(problem(mdt.CrossEntropy(), slope=0.152439))
    assert peak.normalized_dilation == pytest.approx(0.785208, abs=1e-6)
    assert peak.noisy_margin == pytest.approx(-0.966470, abs=1e-4)
    s = float(peak.problem.configuration.margin)
    assert peak.noisy_margin == pytest.approx(1 - s + special.lambertw(np.exp(s - 1)).real, abs=1e-4)
    around = dilation(mdt.CrossEntropy(), slope=np.geomspace(0.01, 10, 200))
    assert np.all(around <= peak.normalized_dilation + 1e-9)


# ------------------------------------------------------------------ minimality


@few
@given(loss=losses, options=settings_of, noise=log_uniform(-3, 0), seed=st.integers(0, 10**6))
def test_no_perturbation_of_the_answer_is_better(loss, options, noise, seed):
    md = problem(loss, noise=noise, **options)
    solution, c = mdt.solve(md), md.configuration
    rng = np.random.default_rng(seed)
    size = 10 ** rng.uniform(-6, 1, 20) * c.mean_distance
    along = solution.noisy_margin / c.weight_distance + size * rng.standard_normal(20)
    level = solution.noisy_level + size * rng.standard_normal(20)
    rho = np.hypot(along + 0.5 * c.mean_distance, level - c.centre_norm)
    values = md_objective(md, noise * md.rate * rho, along * c.weight_distance, level)
    assert np.all(values >= solution.objective - 1e-12 * (1 + solution.objective))


# ------------------------------------------------------------------ printed numbers


@pytest.mark.parametrize(
    ("noise", "expected"),
    [(0.01, (0.03682, 0.02682, 0.02410, 0.01857)), (0.1, (0.29169, 0.24741, 0.22637, 0.17877))],
)
def test_reference_values(noise, expected):
    loss = mdt.CrossEntropy(np.array([0.0, 0.05, 0.1, 0.3]))
    solution = mdt.solve(problem(loss, noise=noise, lam=1e-4))
    assert tuple(np.round(solution.normalized_dilation, 5)) == expected
    assert solution.problem.configuration.margin[0] == pytest.approx(np.log(99), rel=1e-14)


STRONG = {"decay": 0.1, "noise": 0.4, "slope": 0.02}
WEAK = {"decay": 5e-4, "noise": 0.4}
NEAR = {"decay": 0.05}
LOOSE = {"q": 0, "nonnegative": False, "lam": 5e-3}
HALF = {"q": 0, "noise": 0.4, "slope": 0.5, "lam": 5e-3}
# name, smoothing, options, normalised dilation as printed
COUNTEREXAMPLES = [
    ("C1", 0.0, WEAK | {"slope": 0.2}, ".9807097"),
    ("C1", 0.1, WEAK | {"slope": 0.2}, "1.071479"),
    ("C1", 0.0, WEAK | {"slope": 0.2, "lam": 5e-4}, ".9720982"),
    ("C1", 0.1, WEAK | {"slope": 0.2, "lam": 5e-4}, "1.059425"),
    ("C1", 0.0, WEAK | {"slope": 0.2, "nonnegative": False}, ".9000714"),
    ("C1", 0.1, WEAK | {"slope": 0.2, "nonnegative": False}, ".9678994"),
    ("C1", 0.0, STRONG, ".1727124"),
    ("C1", 0.15, STRONG, ".1926920"),
    ("C2", 0.0, NEAR, ".2721525"),
    ("C2", 0.7, NEAR, ".1286889"),
    ("C2", 0.78, NEAR, ".1721005"),
    ("C2", 0.79, NEAR, ".2230513"),
    ("C2", 0.799, NEAR, ".6475198"),
    ("C2", 0.0, NEAR | {"q": 0}, ".1597336"),
    ("C2", 0.5, NEAR | {"q": 0}, ".1366765"),
    ("C2", 0.7, NEAR | {"q": 0}, ".2015072"),
    ("C2", 0.78, NEAR | {"q": 0}, ".6011778"),
    ("C2", 0.799, NEAR | {"q": 0}, "10.10714"),
    ("C3", 0.0, WEAK | {"slope": 0.4, "q": 0}, ".7059752"),
    ("C3", 0.2, WEAK | {"slope": 0.4, "q": 0}, ".7953671"),
    ("C3", 0.0, WEAK | {"slope": 0.2, "q": 0, "dim": 32}, "1.397399"),
    ("C3", 0.2, WEAK | {"slope": 0.2, "q": 0, "dim": 32}, "1.590063"),
    ("C4", 0.0, LOOSE, ".09755296"),
    ("C4", 0.1, LOOSE, ".09843175"),
    ("C4", 0.0, LOOSE | {"noise": 0.01}, ".009973059"),
    ("C4", 0.1, LOOSE | {"noise": 0.01}, ".009983673"),
    ("C4", 0.0, HALF, ".6393391"),
    ("C4", 0.1, HALF, ".6685655"),
    ("C4", 0.2, HALF, ".6737277"),
    ("C5", 0.3, {"q": 0, "noise": 0.01}, ".01021684"),
    ("C5", 0.35, {"q": 0, "noise": 0.01}, ".01021518"),
    ("C5", 0.5, {"q": 0, "noise": 0.01}, ".01023853"),
    ("C5", 0.7, {"q": 0, "noise": 0.01}, ".01036642"),
    ("C5", 0.9, {"q": 0, "noise": 0.01}, ".01124345"),
    ("C5", 0.97, {}, ".03998866"),
    ("C5", 0.975, {}, ".04242305"),
    ("C5", 0.979, {}, ".06957638"),
    ("C6", 0.0, {"slope": 0.01}, ".2330531"),
    ("C6", 0.0, {"slope": 0.05}, ".5513678"),
    ("C6", 0.0, {"slope": 0.1}, ".7217107"),
    ("C6", 0.0, {"slope": 0.2}, ".7540638"),
    ("C6", 0.0, {"slope": 0.5}, ".4744213"),
    ("C6", 0.0, {"slope": 1.0}, ".2922284"),
    ("C6", 0.1, {"slope": 0.01, "lam": 5e-3}, ".07772079"),
    ("C6", 0.1, {"slope": 0.2, "lam": 5e-3}, ".6036907"),
    ("C6", 0.1, {"slope": 1.0, "lam": 5e-3}, ".2231552"),
]


@pytest.mark.parametrize(("name", "smoothing", "options", "printed"), COUNTEREXAMPLES, ids=lambda x: str(x)[:14])
def test_counterexamples_to_their_last_printed_digit(name, smoothing, options, printed):
    value = dilation(mdt.CrossEntropy(smoothing), **options)
    assert Decimal(value).quantize(Decimal(printed)) == Decimal(printed)


def test_the_first_counterexample_in_test_error_and_margins():
    plain, smoothed = (mdt.solve(problem(mdt.CrossEntropy(a), slope=0.2, **WEAK)) for a in (0.0, 0.1))
    assert round(plain.test_error, 7) == 0.0804353
    assert round(smoothed.test_error, 6) == 0.102705
    assert round(float(plain.problem.configuration.margin), 6) == 6.906755
    assert round(float(smoothed.problem.configuration.margin), 6) == 2.923583


# ------------------------------------------------------------------ asymptotics


@pytest.mark.parametrize("loss", SMOOTH, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("lam", [0.0, 1e-4, 5e-3])
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("order", [1, 2])
def test_error_of_the_small_noise_expansion_falls_with_its_order(loss, lam, nonnegative, order):
    md = problem(loss, noise=np.array([1e-5, 1e-6, 1e-7]), lam=lam, nonnegative=nonnegative)
    error = np.abs(small_noise_dilation(md, order) / mdt.solve(md).normalized_dilation - 1)
    assert np.all(error[1:] <= 1.3 * 0.1**order * error[:-1] + 1e-12)
    assert error[-1] <= 1e-4


def test_small_noise_expansion_with_plain_cross_entropy_and_decay():
    md = problem(mdt.CrossEntropy(), noise=1e-9, lam=1e-4)
    exact = mdt.solve(md).normalized_dilation
    assert small_noise_dilation(md) == pytest.approx(exact, rel=1e-5)
    assert small_noise_dilation(md, 2) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(), *SMOOTH], ids=lambda loss: type(loss).__name__)
def test_decay_equal_to_that_of_free_features_sends_noisy_features_to_the_other_mean(loss):
    """lam = lambda_H, free features: rho = D for every loss as the noise vanishes."""
    if isinstance(loss, mdt.MeanSquaredError):
        pytest.skip("without a bias the two class means are not antipodal")
    md = problem(loss, noise=1e-8, lam=5e-3, nonnegative=False)
    assert small_noise_dilation(md) == pytest.approx(1e-8 * md.rate, rel=1e-12)


@pytest.mark.parametrize(("noise", "accuracy"), [(0.01, 6e-4), (1e-6, 1e-7)])
def test_cross_entropy_without_decay_follows_the_lambert_function(noise, accuracy):
    md = problem(mdt.CrossEntropy(), noise=noise)
    assert cross_entropy_small_noise(md) == pytest.approx(mdt.solve(md).normalized_dilation, rel=accuracy)


def test_cross_entropy_overtakes_smoothing_like_the_logarithm_of_the_noise():
    noise = np.array([1e-20, 1e-40, 1e-80])
    ratio = dilation(mdt.CrossEntropy(), noise=noise) / dilation(mdt.CrossEntropy(0.1), noise=noise)
    assert np.all(np.diff(ratio) > 0)
    assert (ratio[2] - ratio[1]) / (ratio[1] - ratio[0]) == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(), *SMOOTH], ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("lam", [0.0, 5e-3])
@pytest.mark.parametrize("q", [0, 1])
def test_small_slopes(loss, lam, q):
    for slope, accuracy in ((1e-4, 1e-3), (1e-6, 1e-5)):
        md = problem(loss, slope=slope, lam=lam, q=q)
        assert small_slope_dilation(md) == pytest.approx(mdt.solve(md).normalized_dilation, rel=accuracy)


def test_phase_boundary_of_the_relative_scaling():
    """Free, q = 0, lam = lambda_H, small noise: smoothing dilates more iff h(alpha/2 + kappa) > h(kappa)."""

    def h(e):
        return e * (1 - e) * np.log((1 - e) / e)

    for decay in (2e-3, 5e-3, 0.05, 0.1):
        for alpha in (0.05, 0.3, 0.5):
            kappa = np.sqrt(2.0) * decay
            plain, smoothed = (
                dilation(mdt.CrossEntropy(a), decay, noise=1e-6, q=0, lam=decay, nonnegative=False)
                for a in (0.0, alpha)
            )
            assert (smoothed > plain) == (h(0.5 * alpha + kappa) > h(kappa))


def test_asymptotics_refuse_what_they_do_not_cover():
    with pytest.raises(mdt.AssumptionError, match="finite minimiser"):
        small_noise_dilation(problem(mdt.CrossEntropy()))
    with pytest.raises(mdt.AssumptionError, match="order"):
        small_noise_dilation(problem(mdt.CrossEntropy(0.1)), 3)
    for loss in (mdt.Hinge(), mdt.Focal(2.0)):
        for function in (small_noise_dilation, small_slope_dilation):
            with pytest.raises(mdt.AssumptionError, match="convex"):
                function(problem(loss))
    with pytest.raises(mdt.AssumptionError, match="noise"):
        small_slope_dilation(problem(mdt.CrossEntropy(), noise=0.0))
    with pytest.raises(mdt.AssumptionError, match="CrossEntropy"):
        cross_entropy_small_noise(problem(mdt.CrossEntropy(0.1)))
    with pytest.raises(mdt.AssumptionError, match="noisy_feature_decay"):
        cross_entropy_small_noise(problem(mdt.CrossEntropy(), lam=1e-3))


@pytest.mark.parametrize("lam", [0.0, 5e-3])
def test_more_smoothing_on_the_same_configuration_dilates_less(lam):
    """The configuration of cross-entropy is kept, and only the loss on it is smoothed."""
    md = problem(mdt.CrossEntropy(), lam=lam)
    points = block_of_points(md, md.configuration, (), 1)
    dilations = [float(newton_points(replace(points, loss=mdt.CrossEntropy(a)))[0][0]) for a in (0.0, 0.005, 0.1, 0.3)]
    assert np.all(np.diff(dilations) < 0)
