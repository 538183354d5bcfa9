"""The memorization-dilation problem: against the independent oracle, its certificate, and its defining properties."""

import itertools
from dataclasses import replace

import numpy as np
import oracle
import pytest

import mdtheory as mdt
from mdtheory.models.dilation import bounds as dilation_dual
from mdtheory.models.dilation.bounds import md_lower_bound, md_objective

LOSSES = {
    "cross-entropy": mdt.CrossEntropy,
    "mse": mdt.MeanSquaredError,
    "label-relaxation": mdt.LabelRelaxation,
    "focal": mdt.Focal,
    "hinge": mdt.Hinge,
    "squared-hinge": mdt.SquaredHinge,
}
SPREADS = {"sphere": mdt.Sphere, "gaussian": mdt.Gaussian, "ball": mdt.UniformBall, "two-point": mdt.TwoPoint}
KINDS = ("ce", "smoothed", "mse", "mse-bias", "relaxation", "focal", "hinge", "squared-hinge")
BASE = {
    "loss": ("cross-entropy", 0.0),
    "weight_decay": 5e-3,
    "feature_decay": 5e-3,
    "nonnegative": True,
    "noise": 0.1,
    "slope": 1.0,
    "q": 1,
    "lam": 1e-4,
    "spread": ("sphere", 8),
    "bias": False,
    "nonnegative_noisy": False,
}


def build(case):
    """The problem of a case given in the oracle's words."""
    name, *parameters = case["loss"]
    ufm = mdt.UFM(
        LOSSES[name](*parameters),
        num_classes=2,
        weight_decay=case["weight_decay"],
        feature_decay=case["feature_decay"],
        nonnegative=case["nonnegative"],
        bias=case["bias"],
    )
    kind, dim = case["spread"]
    return mdt.MemorizationDilation(
        ufm,
        noise=case["noise"],
        slope=case["slope"],
        spread=SPREADS[kind](dim),
        scaling="absolute" if case["q"] else "relative",
        noisy_feature_decay=case["lam"],
        nonnegative_noisy_features=case["nonnegative_noisy"],
    )


def ask(function, case, **options):
    """A function of the oracle at a case."""
    positional = ("loss", "weight_decay", "feature_decay", "nonnegative")
    named = {key: value for key, value in case.items() if key not in positional}
    return function(*(case[key] for key in positional), **named, **options)


def draw(rng, kind):
    """A random case; its configuration may have collapsed."""
    small = float(rng.uniform(0.01, 0.9)) if rng.random() < 0.5 else float(10 ** rng.uniform(-6, -1))
    loss = {
        "ce": ("cross-entropy", 0.0),
        "smoothed": ("cross-entropy", small),
        "mse": ("mse", float(rng.choice([0.0, small]))),
        "mse-bias": ("mse", small),
        "relaxation": ("label-relaxation", 0.5 * small),
        "focal": ("focal", float(rng.uniform(0.1, 5.0))),
        "hinge": ("hinge",),
        "squared-hinge": ("squared-hinge",),
    }[kind]
    nonnegative = bool(rng.random() < 0.6)
    feature_decay = float(10 ** rng.uniform(-8, -1))
    dim = int(rng.choice([1, 2, 3, 8, 1000])) if rng.random() < 0.5 else int(10 ** rng.uniform(0, 3))
    return {
        "loss": loss,
        "weight_decay": float(10 ** rng.uniform(-8, -1)),
        "feature_decay": feature_decay,
        "nonnegative": nonnegative,
        "noise": float(10 ** rng.uniform(-8, 0)),
        "slope": float(10 ** rng.uniform(-3, 3)),
        "q": int(rng.integers(2)),
        "lam": float(rng.choice([0.0, feature_decay, 10 ** rng.uniform(-8, -1)])),
        "spread": (str(rng.choice(list(SPREADS))), dim),
        "bias": kind == "mse-bias",
        "nonnegative_noisy": nonnegative and kind != "mse" and bool(rng.random() < 0.4),
    }


def stands(case):
    """Whether the configuration has not collapsed."""
    try:
        build(case)
    except mdt.AssumptionError:
        return False
    return True


def cases(count, seed, kinds=KINDS):
    """`count` cases of every kind."""
    rng = np.random.default_rng(seed)
    found = []
    for kind in kinds:
        drawn = [draw(rng, kind) for _ in range(10 * count)]
        found += itertools.islice(filter(stands, drawn), count)
    return found


def label(case):
    return f"{'-'.join(map(str, case['loss']))[:22]}"


def edges():
    """Corners of the parameter space, one or two values at a time."""
    changes = [
        {"noise": 1e-8},
        {"noise": 1.0},
        {"slope": 1e-3},
        {"slope": 1e3},
        {"weight_decay": 1e-8, "feature_decay": 1e-8},
        {"weight_decay": 1e-8, "feature_decay": 1e-1},
        {"weight_decay": 1e-1, "feature_decay": 1e-8},
        {"lam": 0.0, "noise": 1e-8},
        {"lam": 0.0, "noise": 1.0, "slope": 1e-3},
        {"lam": 0.0, "spread": ("sphere", 1)},
        {"spread": ("sphere", 1000)},
        {"spread": ("gaussian", 1), "noise": 1.0, "slope": 0.1},
        {"spread": ("ball", 1)},
        # Wide spreads of the margin: kap r in the hundreds and thousands.
        {"noise": 1.0, "slope": 0.04, "lam": 0.0, "weight_decay": 2e-7, "feature_decay": 4e-8, "spread": ("ball", 6)},
        {"noise": 0.04, "slope": 3e-3, "lam": 3e-7, "weight_decay": 1e-8, "feature_decay": 3e-7, "nonnegative": False},
        # F'(r)/r falls so steeply that Newton's method alone runs in circles.
        {
            "nonnegative": False,
            "weight_decay": 8.7e-4,
            "feature_decay": 8.7e-8,
            "noise": 1.2e-3,
            "slope": 6.2e-3,
            "lam": 8.7e-8,
            "spread": ("gaussian", 2),
        },
        # The margin just inside the kink of label relaxation.
        {"loss": ("label-relaxation", 0.3), "weight_decay": 1e-8, "feature_decay": 1e-8},
        {"loss": ("label-relaxation", 1e-6), "weight_decay": 1e-5, "feature_decay": 1e-7, "lam": 0.0},
        {"loss": ("hinge",), "slope": 1e-3},
        {"loss": ("hinge",), "nonnegative_noisy": True, "lam": 5e-3},
        {"loss": ("squared-hinge",), "noise": 1.0, "slope": 0.05},
    ]
    return [BASE | change for change in changes]


ORACLE_CASES = [*cases(12, 7, [k for k in KINDS if k != "focal"]), *cases(4, 8, ["focal"]), *edges()]


@pytest.mark.slow
@pytest.mark.parametrize("case", ORACLE_CASES, ids=label)
def test_dilation_and_objective_agree_with_the_oracle(case):
    solution, expected = mdt.solve(build(case), method="reduced"), ask(oracle.md, case)
    for name in ("dilation", "normalized_dilation", "memorization"):
        assert float(abs(getattr(solution, name) - expected[name])) <= 1e-9 * float(expected[name])
    assert solution.noisy_margin == pytest.approx(
        float(expected["noisy_margin"]), rel=1e-9, abs=1e-9 * float(expected["s"])
    )
    assert solution.objective == pytest.approx(float(expected["objective"]), rel=1e-12, abs=1e-13)


def test_the_table_of_cases_is_as_wide_as_it_claims():
    assert len(ORACLE_CASES) >= 100
    assert {case["spread"][0] for case in ORACLE_CASES} == set(SPREADS)
    assert {case["loss"][0] for case in ORACLE_CASES} == set(LOSSES)


# ------------------------------------------------------------------ certificate


@pytest.mark.parametrize("case", [*cases(40, 11, [k for k in KINDS if k != "focal"]), *edges()], ids=label)
def test_gap_of_a_convex_loss_is_rounding(case):
    solution = mdt.solve(build(case))
    assert solution.status == mdt.Status.OPTIMAL
    assert abs(solution.gap) <= 1e-12 * (1 + solution.objective)


@pytest.mark.parametrize("case", cases(12, 12, ["focal"]), ids=label)
def test_gap_of_focal_loss_is_rounding_where_the_hull_is_exact(case):
    problem = build(case)
    solution = mdt.solve(problem)
    start = float(problem.ufm.loss.hull_start())
    lowest = problem.configuration.margin - solution.expansion_parameter * problem.spread.radius
    if min(solution.noisy_margin, lowest) >= start:
        assert abs(solution.gap) <= 1e-12 * (1 + solution.objective)
    assert solution.lower_bound <= solution.objective * (1 + 1e-12) + 1e-12
    closed = solution.relative_gap <= solution.tolerance
    assert solution.status == (mdt.Status.OPTIMAL if closed else mdt.Status.OBSERVED)


@pytest.mark.parametrize("case", cases(8, 13), ids=label)
def test_lower_bound_never_exceeds_the_optimum_at_wrong_answers(case):
    problem = build(case)
    solution = mdt.solve(problem)
    rng = np.random.default_rng(3)
    best = solution.objective
    for size in (1e-3, 0.1, 1.0, 10.0):
        factor = np.exp(size * rng.standard_normal(20))
        shift, lift = size * rng.standard_normal((2, 20))
        margin = solution.noisy_margin + shift * problem.configuration.margin
        level = solution.noisy_level + lift * problem.configuration.mean_distance
        bound = md_lower_bound(problem, solution.dilation * factor, margin, level)
        assert np.all(bound <= best + 1e-12 * (1 + best))


@pytest.mark.parametrize("case", cases(6, 14), ids=label)
def test_no_feasible_point_of_the_original_problem_is_better(case):
    """The objective (4) at random (u, r) on and inside the constraint; u symmetric, in the span of the means."""
    problem = build(case)
    solution, c = mdt.solve(problem), problem.configuration
    rng = np.random.default_rng(5)
    for size in (1e-6, 1e-3, 0.1, 1.0):
        along, across = size * float(c.mean_distance) * rng.standard_normal((2, 30))
        position, level = solution.noisy_margin / c.weight_distance + along, solution.noisy_level + across
        if problem.nonnegative_noisy_features:
            level = np.maximum(level, np.abs(position))
        rho = np.hypot(position + 0.5 * c.mean_distance, level - c.centre_norm)
        needed = problem.noise * rho * problem.rate
        for slack in (1.0, 1.0 + size):
            value = md_objective(problem, slack * needed, position * c.weight_distance, level)
            assert np.all(value >= solution.objective - 1e-12 * (1 + solution.objective))


# ------------------------------------------------------------------ the answer is feasible and tight


@pytest.mark.parametrize("case", cases(6, 15), ids=label)
def test_noisy_features_reach_exactly_as_far_as_the_dilation_pays_for(case):
    problem = build(case)
    solution = mdt.solve(problem)
    features, means = solution.noisy_features, solution.class_means
    distance = float(problem.configuration.mean_distance)
    for n in (0, 1):
        travelled = np.linalg.norm(features[:, n] - means[:, 1 - n])
        assert travelled == pytest.approx(solution.memorization, rel=1e-9, abs=1e-13 * distance)
    assert problem.noise * solution.memorization * problem.rate == pytest.approx(solution.dilation, rel=1e-13)
    assert np.linalg.norm(means[:, 0] - means[:, 1]) == pytest.approx(distance, rel=1e-12)
    logits = solution.weights @ features
    assert logits[0, 0] - logits[1, 0] == pytest.approx(solution.noisy_margin, rel=1e-9, abs=1e-12)
    if problem.nonnegative_noisy_features:
        assert np.all(features >= -1e-13 * distance)


# ------------------------------------------------------------------ the second-order expansion


@pytest.mark.parametrize("case", cases(10, 16, ["mse", "mse-bias", "hinge"]), ids=label)
def test_expansion_is_exact_for_squared_error_and_hinge(case):
    problem = build(case)
    exact, expansion = mdt.solve(problem), mdt.solve(problem, method="expansion")
    assert expansion.dilation == exact.dilation
    assert expansion.status == mdt.Status.OPTIMAL


# ------------------------------------------------------------------ brute force


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": ("cross-entropy", 0.1), "lam": 5e-3, "nonnegative": False},
        {"loss": ("mse", 0.1), "spread": ("gaussian", 4)},
        {"loss": ("cross-entropy", 0.1), "lam": 0.0, "noise": 0.01, "nonnegative_noisy": True},
        {"loss": ("focal", 2.0), "q": 0},
    ],
    ids=["ce", "smoothed", "mse", "smoothed-cone", "focal"],
)
def test_agrees_with_a_minimisation_that_knows_no_reduction(change):
    case = BASE | change
    solution = mdt.solve(build(case))
    objective, dilation = ask(oracle.brute_force_md, case, starts=4)
    assert solution.objective == pytest.approx(objective, rel=1e-8)
    assert solution.objective <= objective + 1e-12
    assert solution.dilation == pytest.approx(dilation, rel=2e-4)


# ------------------------------------------------------------------ no noise


@pytest.mark.parametrize("lam", [0.0, 1e-4])
@pytest.mark.parametrize("cone", [False, True])
@pytest.mark.parametrize(
    "loss",
    [mdt.CrossEntropy(0.1), mdt.MeanSquaredError(0.1), mdt.LabelRelaxation(0.1), mdt.SquaredHinge(), mdt.Hinge()],
    ids=lambda loss: type(loss).__name__,
)
def test_without_noise_the_answer_is_the_limit(loss, cone, lam):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    noise = np.array([0.0, 1e-9])
    problem = mdt.MemorizationDilation(
        ufm, noise=noise, slope=1.0, noisy_feature_decay=lam, nonnegative_noisy_features=cone
    )
    solution = mdt.solve(problem)
    assert solution.dilation[0] == 0.0
    for name in ("memorization", "noisy_margin", "noisy_level"):
        at_zero, near = getattr(solution, name)
        assert near == pytest.approx(at_zero, rel=1e-4, abs=1e-4 * float(problem.configuration.mean_distance))
    assert solution.test_error[0] == 0.0
    assert abs(solution.gap[0]) <= 1e-12


def test_without_noise_focal_loss_has_its_limit_too():
    solution = mdt.solve(build(BASE | {"loss": ("focal", 2.0), "noise": np.array([0.0, 1e-9])}))
    for name in ("memorization", "noisy_margin", "noisy_level"):
        at_zero, near = getattr(solution, name)
        assert near == pytest.approx(at_zero, rel=1e-4, abs=1e-4)


def test_without_noise_or_decay_cross_entropy_memorises_without_limit():
    solution = mdt.solve(build(BASE | {"noise": 0.0, "lam": 0.0}))
    assert solution.dilation == 0.0
    assert solution.memorization == np.inf
    # Noisy examples have no weight, wherever they are.
    clean = 2.0 * np.log1p(np.exp(-solution.configuration.margin))
    assert solution.objective == pytest.approx(clean, rel=1e-13)
    assert solution.status == mdt.Status.OPTIMAL


# ------------------------------------------------------------------ broadcasting


@pytest.mark.parametrize(
    "loss",
    [
        mdt.CrossEntropy(np.array([[0.0], [0.1], [0.4]])),
        mdt.LabelRelaxation(np.array([[0.01], [0.1], [0.3]])),
        mdt.Focal(np.array([[0.0], [1.0], [3.0]])),
        mdt.MeanSquaredError(np.array([[0.0], [0.1], [0.4]])),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_broadcasting_equals_a_loop(loss):
    """To 1e-12, not to the bit: points of one block share a quadrature rule and a number of Newton steps."""
    noise, slope = np.array([0.0, 1e-4, 0.1, 1.0]), np.array([0.05, 1.0])[:, None, None]
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    whole = mdt.solve(mdt.MemorizationDilation(ufm, noise=noise, slope=slope, noisy_feature_decay=1e-4))
    assert np.shape(whole.dilation) == (2, 3, 4)
    (name,) = loss.parameter_names()
    for i, j, k in np.ndindex(2, 3, 4):
        single = loss.with_parameters(**{name: float(getattr(loss, name)[j, 0])})
        ufm = mdt.UFM(single, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
        problem = mdt.MemorizationDilation(
            ufm, noise=float(noise[k]), slope=float(slope[i, 0, 0]), noisy_feature_decay=1e-4
        )
        point = mdt.solve(problem)
        assert isinstance(point.dilation, float)
        for field in ("dilation", "memorization", "noisy_margin", "noisy_level", "objective"):
            np.testing.assert_allclose(getattr(whole, field)[i, j, k], getattr(point, field), rtol=1e-12, atol=1e-12)


def test_more_points_than_a_block():
    noise = np.geomspace(1e-6, 1.0, 10_000)
    solution = mdt.solve(build(BASE | {"noise": noise}))
    assert solution.dilation.shape == noise.shape
    some = [0, 4095, 4096, 8191, 8192, 9999]
    alone = [mdt.solve(build(BASE | {"noise": float(noise[i])})).dilation for i in some]
    np.testing.assert_allclose(solution.dilation[some], alone, rtol=1e-12)


# ------------------------------------------------------------------ bad input

BAD = {
    "negative noise": ({"noise": -0.1}, "noise"),
    "too much noise": ({"noise": 1.5}, "noise"),
    "noise not a number": ({"noise": np.nan}, "noise"),
    "noise is text": ({"noise": "much"}, "noise"),
    "zero slope": ({"slope": 0.0}, "slope"),
    "negative slope": ({"slope": -1.0}, "slope"),
    "infinite slope": ({"slope": np.inf}, "slope"),
    "negative decay": ({"noisy_feature_decay": -1e-3}, "noisy_feature_decay"),
    "decay not a number": ({"noisy_feature_decay": np.nan}, "noisy_feature_decay"),
    "unknown scaling": ({"scaling": "q"}, "scaling"),
    "spread is a number": ({"spread": 8}, "spread"),
    "flag is a number": ({"nonnegative_noisy_features": 1}, "nonnegative_noisy_features"),
    "shapes": ({"noise": np.array([0.1, 0.2]), "slope": np.ones(3)}, "broadcast"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(change, message):
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.MemorizationDilation(ufm, **({"noise": 0.1, "slope": 1.0} | change))


def test_a_problem_needs_balanced_classes():
    decays = {"weight_decay": 5e-3, "feature_decay": 5e-3, "nonnegative": True}
    uneven = mdt.UFM(mdt.CrossEntropy(), num_classes=2, class_weights=[0.4, 0.6], **decays)
    with pytest.raises(mdt.AssumptionError, match="class_weights"):
        mdt.MemorizationDilation(uneven, noise=0.1, slope=1.0)
    with pytest.raises(mdt.AssumptionError, match="ufm"):
        mdt.MemorizationDilation("ufm", noise=0.1, slope=1.0)


def test_nonnegative_noisy_features_need_nonnegative_features():
    with pytest.raises(mdt.AssumptionError, match="nonnegative_noisy_features"):
        build(BASE | {"nonnegative": False, "nonnegative_noisy": True})


def test_a_collapsed_configuration_is_refused_because_its_problem_is_undefined():
    with pytest.raises(mdt.AssumptionError, match="undefined"):
        build(BASE | {"weight_decay": 0.5, "feature_decay": 0.5})


def test_unknown_method():
    with pytest.raises(mdt.AssumptionError, match="method"):
        mdt.solve(build(BASE), method="magic")


def test_noisy_feature_decay_defaults_to_the_feature_decay():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=2e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0)
    assert md.decay == 2e-3
    other = replace(md, ufm=replace(ufm, feature_decay=1e-3))
    assert other.decay == 1e-3
    assert mdt.solve(other).dilation == mdt.solve(replace(other, noisy_feature_decay=1e-3)).dilation


def test_problems_compare_by_value():
    assert build(BASE) == build(BASE)
    assert hash(build(BASE)) == hash(build(BASE))
    assert build(BASE) != build(BASE | {"noise": 0.2})


@pytest.mark.parametrize(
    ("loss", "decays", "nonnegative", "noise", "slope", "dim", "expected"),
    [
        (mdt.LabelRelaxation(0.4646405917145981), (0.30342320545394275, 0.0010078283635633453), True,
         2.984740854086678e-05, 2.836035252431303, 189, 1.1309704252702e-4),
        (mdt.CrossEntropy(0.4404648545880535), (0.0023045511066573762, 16.955564677797106), False,
         6.416250187746733e-07, 89.23007182246931, 57, 2.820e-8),
    ],
)  # fmt: skip
def test_expansion_survives_an_enormous_shift(loss, decays, nonnegative, noise, slope, dim, expected):
    """tau, the shift of the r-Lambert argument, is 2e9 and 2e16; expected from a 60-digit bisection of its equation."""
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=decays[0], feature_decay=decays[1], nonnegative=nonnegative)
    md = mdt.MemorizationDilation(ufm, noise=noise, slope=slope, spread=mdt.Sphere(dim), noisy_feature_decay=0.0)
    solution = mdt.solve(md, method="expansion")
    digits = 1e-12 if expected > 1e-6 else 3e-4
    assert solution.normalized_dilation == pytest.approx(expected, rel=digits)


@pytest.mark.parametrize("loss", [mdt.CrossEntropy(), mdt.MeanSquaredError(), mdt.Hinge(), mdt.Focal(1.0)])
def test_objective_and_bound_take_their_means_once_and_nothing_else_changes(loss, monkeypatch):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    problem = mdt.MemorizationDilation(ufm, noise=[0.0, 0.1], slope=1.0)
    solution = mdt.solve(problem)
    answer = solution.dilation, solution.noisy_margin, solution.noisy_level
    apart = md_objective(problem, *answer), md_lower_bound(problem, *answer)
    calls = []
    plain = dilation_dual.mean_loss
    monkeypatch.setattr(dilation_dual, "mean_loss", lambda *a: calls.append(a) or plain(*a))
    shared = mdt.MDSolution(problem, *answer[:1], solution.memorization, *answer[1:], solution.method)
    assert np.array_equal(shared.objective, apart[0])
    # What branch and bound adds to the bound of a loss that is not convex is another matter.
    assert not loss.is_convex or np.array_equal(shared.lower_bound, apart[1])
    assert len(calls) == 1 or not loss.is_convex
