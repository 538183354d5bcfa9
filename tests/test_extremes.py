"""Parameters from 1e-300 to 1e300: answers to full precision, in bounded time, without a warning."""

import extremes
import numpy as np
import pytest
from mpmath import mp

import mdtheory as mdt
from mdtheory.models.dilation.bounds import md_objective

LOSSES = {
    "cross-entropy": mdt.CrossEntropy,
    "mse": mdt.MeanSquaredError,
    "label-relaxation": mdt.LabelRelaxation,
    "squared-hinge": mdt.SquaredHinge,
}
SPREADS = (mdt.Sphere(1), mdt.Sphere(8), mdt.Sphere(10**6), mdt.Gaussian(4), mdt.UniformBall(3), mdt.TwoPoint(4))
EXTREMES = np.array([1e-300, 1e-200, 1e-90, 1e-8, 1.0, 1e8, 1e90, 1e200, 1e300])


def loguniform(rng, low, high, size=None):
    return 10 ** rng.uniform(np.log10(low), np.log10(high), size)


def share(rng, size):
    """Parameters in (0, 1), half of them close to an end."""
    middle, low = rng.uniform(0.01, 0.99, size), loguniform(rng, 1e-16, 1e-2, size)
    return np.where(rng.random(size) < 0.5, middle, np.where(rng.random(size) < 0.5, low, 1.0 - 1e4 * low**0.9))


def loss_of(name, rng, size):
    if name in ("squared-hinge", "hinge"):
        return mdt.SquaredHinge() if name == "squared-hinge" else mdt.Hinge()
    values = np.clip(share(rng, size), 1e-16, 1.0 - 1e-10)
    return LOSSES[name](0.5 * values if name == "label-relaxation" else values)


def problem_of(name, rng, size, *, setting, spread, bias=False):
    """Random parameters over their whole range; collapsed points replaced by the first that is not."""
    loss, nonnegative = loss_of(name, rng, size), setting != "free"
    decays = [loguniform(rng, 1e-16, 1e-1, size) for _ in range(2)]
    numbers = {
        "noise": np.where(rng.random(size) < 0.5, loguniform(rng, 1e-300, 1, size), loguniform(rng, 1e-6, 1, size)),
        "slope": np.where(
            rng.random(size) < 0.5, loguniform(rng, 1e-300, 1e300, size), loguniform(rng, 1e-3, 1e3, size)
        ),
        "noisy_feature_decay": np.where(rng.random(size) < 0.3, 0.0, loguniform(rng, 1e-16, 1e3, size)),
    }

    def ufm(keep):
        parameters = {n: np.broadcast_to(getattr(loss, n), (size,))[keep] for n in loss.parameter_names()}
        return mdt.UFM(
            loss.with_parameters(**parameters),
            num_classes=2,
            weight_decay=decays[0][keep],
            feature_decay=decays[1][keep],
            nonnegative=nonnegative,
            bias=bias,
        )

    alive = np.flatnonzero(np.broadcast_to(mdt.solve(ufm(np.arange(size))).margin, (size,)) > 0)
    keep = np.resize(alive, size)
    return mdt.MemorizationDilation(
        ufm(keep),
        **{key: value[keep] for key, value in numbers.items()},
        spread=spread,
        scaling=str(rng.choice(["absolute", "relative"])),
        nonnegative_noisy_features=setting == "cone",
    )


@pytest.mark.parametrize("setting", ["free", "nonnegative", "cone"])
@pytest.mark.parametrize("name", [*LOSSES, "hinge"])
def test_the_gap_is_rounding_and_staying_put_is_no_better(name, setting):
    rng = np.random.default_rng(abs(hash_of(name + setting)))
    for spread in SPREADS:
        problem = problem_of(
            name, rng, 60, setting=setting, spread=spread, bias=bool(rng.random() < 0.5) and name == "mse"
        )
        solution, c = mdt.solve(problem), problem.configuration
        for field in ("dilation", "memorization", "noisy_margin", "noisy_level", "objective"):
            assert np.all(np.isfinite(getattr(solution, field)))
        assert np.all(np.abs(solution.gap) <= 1e-10 * solution.objective + 3e-15 * problem.noise)
        still = md_objective(problem, np.zeros(60), -c.margin + np.zeros(60), c.centre_norm + np.zeros(60))
        assert np.all(solution.objective <= still * (1 + 1e-13))


def hash_of(text):
    return sum(ord(letter) * 31**k for k, letter in enumerate(text)) % 2**31


def one_by_one(name, rng, count):
    """Random problems on two points, in the words of `extremes`."""
    for _ in range(count):
        alpha = float(np.clip(share(rng, 1)[0], 1e-16, 1.0 - 1e-10))
        nonnegative = bool(rng.random() < 0.6)
        yield {
            "loss": {
                "cross-entropy": ("cross-entropy", alpha * float(rng.integers(2))),
                "mse": ("mse", alpha),
                "label-relaxation": ("label-relaxation", 0.5 * alpha),
                "squared-hinge": ("squared-hinge",),
            }[name],
            "weight_decay": float(loguniform(rng, 1e-16, 1e-1)),
            "feature_decay": float(loguniform(rng, 1e-16, 1e-1)),
            "nonnegative": nonnegative,
            "noise": float(loguniform(rng, *[(1e-300, 1.0), (1e-6, 1.0)][rng.integers(2)])),
            "slope": float(loguniform(rng, *[(1e-300, 1e300), (1e-3, 1e3)][rng.integers(2)])),
            "q": int(rng.integers(2)),
            "lam": float([0.0, loguniform(rng, 1e-16, 1e2)][rng.integers(2)]),
            "dim": int(rng.choice([1, 4])),
            "cone": nonnegative and bool(rng.random() < 0.4),
        }


def build(case):
    name, *parameters = case["loss"]
    ufm = mdt.UFM(
        LOSSES[name](*parameters),
        num_classes=2,
        weight_decay=case["weight_decay"],
        feature_decay=case["feature_decay"],
        nonnegative=case["nonnegative"],
        bias=name == "mse",
    )
    return mdt.MemorizationDilation(
        ufm,
        noise=case["noise"],
        slope=case["slope"],
        spread=mdt.TwoPoint(case["dim"]),
        scaling="absolute" if case["q"] else "relative",
        noisy_feature_decay=case["lam"],
        nonnegative_noisy_features=case["cone"],
    )


@pytest.mark.parametrize("name", LOSSES)
def test_answers_agree_with_mpmath(name):
    compared = 0
    for case in one_by_one(name, np.random.default_rng(3), 8):
        try:
            solution = mdt.solve(build(case))
        except mdt.AssumptionError:
            continue  # collapsed
        positional = ("loss", "weight_decay", "feature_decay", "nonnegative")
        named = {key: value for key, value in case.items() if key not in positional}
        expected = extremes.solve(*(case[key] for key in positional), **named)
        compared += 1
        for field, key in (("dilation", "r"), ("normalized_dilation", "nd"), ("memorization", "rho")):
            assert abs(getattr(solution, field) - expected[key]) <= 1e-11 * expected[key] + mp.mpf("1e-307")
        assert abs(solution.noisy_margin - expected["t"]) <= 1e-11 * max(abs(expected["t"]), expected["s"])
        assert abs(solution.objective - expected["objective"]) <= 1e-12 * abs(expected["objective"])
    assert compared >= 5


def test_one_array_of_all_extremes():
    """Each point as if it were alone, and proportional to the slope where that is small."""
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    noise = np.array([0.0, 5e-324, 1e-300, 1e-200, 1e-8, 0.1, 1.0])[:, None]
    md = mdt.MemorizationDilation(ufm, noise=noise, slope=EXTREMES, spread=mdt.Sphere(8), noisy_feature_decay=1e-4)
    solution = mdt.solve(md)
    assert np.all(np.isfinite(solution.noisy_margin))
    assert np.all(solution.normalized_dilation[0] == 0.0)
    assert np.all(solution.status == mdt.Status.OPTIMAL)
    for i, j in np.ndindex(*md.shape):
        point = mdt.MemorizationDilation(
            ufm, noise=float(noise[i, 0]), slope=EXTREMES[j], spread=mdt.Sphere(8), noisy_feature_decay=1e-4
        )
        alone = mdt.solve(point)
        assert solution.dilation[i, j] == pytest.approx(alone.dilation, rel=1e-11, abs=1e-320)
        assert solution.noisy_margin[i, j] == pytest.approx(alone.noisy_margin, rel=1e-11)
    ratio = solution.normalized_dilation[-2, :3] / EXTREMES[:3]
    np.testing.assert_allclose(ratio, 28.2210151, rtol=3e-9)
    slow = mdt.MemorizationDilation(ufm, noise=0.1, slope=EXTREMES[:3], noisy_feature_decay=1e-4)
    np.testing.assert_allclose(ratio, mdt.asymptotics.small_slope_dilation(slow) / EXTREMES[:3], rtol=1e-12)


@pytest.mark.parametrize(
    "loss", [mdt.CrossEntropy(0.1), mdt.SquaredHinge(), mdt.LabelRelaxation(0.1), mdt.MeanSquaredError()]
)
def test_leading_terms_hold_at_the_end_of_the_range(loss):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=1e-12, feature_decay=1e-13, nonnegative=True)
    slow = mdt.MemorizationDilation(ufm, noise=0.1, slope=1e-280, noisy_feature_decay=1e-9)
    assert mdt.asymptotics.small_slope_dilation(slow) == pytest.approx(mdt.solve(slow).normalized_dilation, rel=1e-12)
    clean = mdt.MemorizationDilation(ufm, noise=1e-290, slope=1.0, noisy_feature_decay=1e-9)
    assert mdt.asymptotics.small_noise_dilation(clean) == pytest.approx(mdt.solve(clean).normalized_dilation, rel=1e-12)


def test_a_dilation_below_the_smallest_float_is_zero_and_its_feature_is_not():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=1e-300, slope=1e300, noisy_feature_decay=0.0)
    solution = mdt.solve(md)
    assert solution.dilation == 0.0
    assert solution.status == mdt.Status.OPTIMAL
    # t + log t ~ log(1/nu) with nu = eta c^2 F2/4
    c = md.configuration
    log_nu = (
        np.log(1e-300) + 2 * (np.log(c.mean_distance) - np.log(1e300)) + np.log(0.0099 * 0.5 * c.weight_distance**2 / 8)
    )
    t = solution.noisy_margin
    left = np.log(t + c.margin) + t
    assert left == pytest.approx(np.log(0.5 * c.weight_distance**2) - log_nu, rel=1e-12)


def test_a_point_beyond_the_range_is_nan_and_the_rest_is_solved():
    """Beyond its interval a margin loss goes on by its tangent: without decay the margin itself overflows."""
    import sympy as sp

    loss = mdt.MarginLoss(sp.log(1 + sp.exp(-sp.Symbol("t"))), interval=(-20, 20))
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=[1e-300, 0.1], slope=[1e300, 1.0], noisy_feature_decay=0.0)
    solution = mdt.solve(md)
    for field in ("dilation", "memorization", "noisy_margin", "noisy_level", "objective", "gap"):
        values = getattr(solution, field)
        assert list(np.isfinite(values)) == [False, True]
    assert list(solution.status) == [mdt.Status.FAILED, mdt.Status.OPTIMAL]
    cone = mdt.MemorizationDilation(
        ufm, noise=[1e-300, 1e-200], slope=[1e300, 1.0], noisy_feature_decay=0.0, nonnegative_noisy_features=True
    )
    solution = mdt.solve(cone)
    assert list(np.isfinite(solution.objective)) == [False, True]


# ------------------------------------------------------------------ margins and thresholds


@pytest.mark.parametrize("classes", [2, 7, 1000, 10**6])
@pytest.mark.parametrize("distance", [1e-15, 3e-12, 1e-6, 0.1])
def test_label_relaxation_near_its_threshold_keeps_its_digits(classes, distance):
    alpha = float((classes - 1) / classes - distance)
    with mp.workdps(60):
        slope = mp.mpf(classes - 1) / classes - mp.mpf(alpha)
        for nonnegative in (False, True):
            unit = 2 * (mp.sqrt(classes - 1) if nonnegative else mp.mpf(classes - 1) / mp.sqrt(classes))
            mu = float(slope / unit / 3)
            close = float(slope / unit * (1 - mp.mpf("1e-10")))
            edge = mdt.UFM(
                mdt.LabelRelaxation(alpha),
                num_classes=classes,
                weight_decay=close,
                feature_decay=close,
                nonnegative=nonnegative,
            )
            wrong = mp.mpf(alpha) + unit * mp.mpf(close)
            margin = mp.log((classes - 1) * (1 - wrong) / wrong)
            assert abs(mdt.solve(edge).margin - margin) <= 1e-12 * margin
            options = {"num_classes": classes, "weight_decay": mu, "feature_decay": mu, "nonnegative": nonnegative}
            ufm = mdt.UFM(mdt.LabelRelaxation(alpha), **options)
            wrong = mp.mpf(alpha) + unit * mp.mpf(mu)
            margin = mp.log((classes - 1) * (1 - wrong) / wrong)
            assert abs(mdt.solve(ufm).margin - margin) <= 1e-12 * margin
            assert abs(mdt.collapse_threshold(ufm) - slope / unit) <= 1e-14 * slope / unit
            value = mp.log((classes - 1) / wrong) - (1 - mp.mpf(alpha)) * margin - _entropy(alpha, classes)
            objective = value + unit * mp.mpf(mu) * margin
            assert abs(mdt.solve(ufm).objective - objective) <= 1e-11 * objective


def _entropy(alpha, classes):
    alpha = mp.mpf(alpha)
    return -alpha * mp.log(alpha) - (1 - alpha) * mp.log(1 - alpha) + alpha * mp.log(classes - 1)


@pytest.mark.parametrize("smoothing", [1 - 1e-15, 1 - 3e-9, 0.95, 0.5])
def test_slopes_under_strong_smoothing_keep_their_digits(smoothing):
    loss = mdt.CrossEntropy(smoothing)
    for margin in (1e-17, 1e-9, 1e-3, 0.5):
        with mp.workdps(50):
            exact = mp.mpf(smoothing) / 2 - 1 / (1 + mp.exp(mp.mpf(margin)))
            for slope in (loss.profile_derivative(np.array(margin)), loss.slope_and_curvature(np.array(margin))[0]):
                parts = (1 - mp.mpf(smoothing)) / 2 + mp.mpf(margin) / 4
                assert abs(mp.mpf(float(slope)) - exact) <= 1e-15 * parts


@pytest.mark.parametrize("name", LOSSES)
def test_the_critical_noise_holds_over_the_whole_range(name):
    """At the critical noise the noisy margin is zero."""
    rng = np.random.default_rng(11)
    problem = problem_of(name, rng, 80, setting="nonnegative", spread=mdt.Sphere(8), bias=name == "mse")
    critical = mdt.critical_noise(problem)
    assert not np.any(np.isnan(critical))
    inside = (critical <= 1) & (critical > 1e-300)
    if np.any(inside):
        at = mdt.MemorizationDilation(
            problem.ufm,
            noise=np.where(inside, critical, 1.0),
            slope=problem.slope,
            spread=problem.spread,
            scaling=problem.scaling,
            noisy_feature_decay=problem.noisy_feature_decay,
        )
        assert np.all(np.abs(mdt.solve(at).noisy_margin / problem.configuration.margin)[inside] < 1e-8)


# ------------------------------------------------------------------ the expansion


@pytest.mark.parametrize("cone", [False, True])
@pytest.mark.parametrize("spread", [mdt.Sphere(8), mdt.TwoPoint(2), mdt.Gaussian(4)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("name", ["cross-entropy", "smoothed", "label-relaxation", "squared-hinge"])
def test_the_expansion_errs_by_no_more_than_it_says(name, spread, cone):
    rng, size = np.random.default_rng(5), 400
    loss = {
        "cross-entropy": mdt.CrossEntropy(),
        "smoothed": mdt.CrossEntropy(rng.uniform(0.01, 0.6, size)),
        "label-relaxation": mdt.LabelRelaxation(rng.uniform(0.01, 0.3, size)),
        "squared-hinge": mdt.SquaredHinge(),
    }[name]
    decays = loguniform(rng, 1e-8, 3e-2, (2, size))
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=decays[0], feature_decay=decays[1], nonnegative=True)
    md = mdt.MemorizationDilation(
        ufm,
        noise=loguniform(rng, 1e-6, 1.0, size),
        slope=loguniform(rng, 1e-3, 1e2, size),
        spread=spread,
        noisy_feature_decay=np.where(rng.random(size) < 0.3, 0.0, loguniform(rng, 1e-8, 1e-2, size)),
        nonnegative_noisy_features=cone,
    )
    exact, expansion = mdt.solve(md), mdt.solve(md, method="expansion")
    error = np.abs(expansion.dilation / exact.dilation - 1)
    assert np.all(error <= expansion.expansion_error * (1 + 1e-9) + 1e-11)
    assert np.all(error <= exact.expansion_error * (1 + 1e-9) + 1e-11)
    # The statement is not idle: small errors are said to be small, and there are large ones.
    assert np.median(expansion.expansion_error[error < 1e-5]) < 1e-3
    assert np.max(error) > 0.05
    assert np.all((expansion.status == mdt.Status.OPTIMAL) | (expansion.status == mdt.Status.APPROXIMATE))


def test_the_leading_term_of_the_expansion_error_is_that_of_the_fourth_derivative():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=1e-3, slope=1.0, spread=mdt.Sphere(8), noisy_feature_decay=0.0)
    solution = mdt.solve(md)
    p = float(solution.configuration.probability)
    v = p * (1 - p)
    fourth, moment = v * (1 - 6 * v), 3 / (8 * 10)
    leading = moment * solution.expansion_parameter**2 * fourth / (6 * v / 8)
    assert solution.expansion_error == pytest.approx(leading, rel=1e-3)


def test_the_squared_hinge_is_exact_up_to_its_kink():
    ufm = mdt.UFM(mdt.SquaredHinge(), num_classes=2, weight_decay=0.05, feature_decay=0.05, nonnegative=True)
    noise = np.array([1e-3, 3e-2, 0.3])
    md = mdt.MemorizationDilation(ufm, noise=noise, slope=1.0, spread=mdt.TwoPoint(4), noisy_feature_decay=1e-3)
    expansion = mdt.solve(md, method="expansion")
    kink = 2 * 0.05
    inside = 0.5 * expansion.expansion_parameter < kink
    assert set(inside.tolist()) == {True, False}
    assert np.all((expansion.expansion_error < 1e-12) == inside)
    assert np.all((expansion.status == mdt.Status.OPTIMAL) >= inside)
