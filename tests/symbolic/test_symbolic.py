"""The symbolic closed forms against the numerical code, and against their own equations at high precision."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt
import mdtheory.symbolic as sym
from mdtheory.special import lambert_r
from mdtheory.symbolic import C, LambertR, N, alpha, d, eta, gamma, lam, lambda_H, lambda_W, q, s

RTOL = 1e-12
CLOSED = (mdt.CrossEntropy, mdt.LabelRelaxation, mdt.MeanSquaredError, mdt.Hinge, mdt.SquaredHinge)
EXPANDED = (mdt.CrossEntropy, mdt.LabelRelaxation, mdt.MeanSquaredError, mdt.SquaredHinge)
SETTINGS = [(nonnegative, bias) for nonnegative in (False, True) for bias in (False, True)]
# A bias matters for the squared error only.
EXPANDED_SETTINGS = [
    (kind, nonnegative, bias)
    for kind in EXPANDED
    for nonnegative, bias in SETTINGS
    if kind is mdt.MeanSquaredError or not bias
]


def value(expression, points=None):
    """A float, through 60 digits. Substituting floats is fast: exact roots of rationals factor integers."""
    floats = {k: v if k in (N, d) else sp.Float(v, 60) for k, v in (points or {}).items()}
    number = sp.sympify(expression).xreplace(floats).evalf(30)
    assert number.is_number
    assert number.is_real
    return float(number)


def rational(x):
    """The exact binary value."""
    return sp.Rational(float(x))


def random_loss(kind, rng, top=0.35):
    return kind(float(np.round(rng.uniform(0.02, top), 4))) if kind.symbols else kind()


def random_ufm(kind, rng, nonnegative, bias, share=(0.01, 0.8), classes=None):
    """A random problem whose decay is a random share of the threshold, and the values of its symbols."""
    n = int(rng.integers(2, 12)) if classes is None else classes
    loss = random_loss(kind, rng)
    limit = value(sym.threshold(loss, nonnegative=nonnegative, bias=bias), {N: n})
    mu = limit * rng.uniform(*share)
    ratio = np.exp(rng.uniform(-2, 2))
    decays = mu * ratio, mu / ratio
    ufm = mdt.UFM(
        loss, num_classes=n, weight_decay=decays[0], feature_decay=decays[1], nonnegative=nonnegative, bias=bias
    )
    points = {N: n, lambda_W: rational(decays[0]), lambda_H: rational(decays[1])}
    return ufm, points


def same(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=RTOL, atol=1e-15)


# --------------------------------------------------------------------------------------------------- the features model


@pytest.mark.parametrize(("nonnegative", "bias"), SETTINGS)
@pytest.mark.parametrize("kind", CLOSED)
@pytest.mark.parametrize("share", [(0.01, 0.9), (1.01, 3.0)], ids=["alive", "collapsed"])
def test_features_model_agrees_with_solve(kind, nonnegative, bias, share):
    rng = np.random.default_rng([17, CLOSED.index(kind), nonnegative, bias])
    options = {"nonnegative": nonnegative, "bias": bias}
    for _ in range(4):
        ufm, points = random_ufm(kind, rng, nonnegative, bias, share)
        sol = mdt.solve(ufm)
        assert (sol.margin > 0) == (share[0] < 1)
        same(value(sym.margin(ufm.loss, **options), points), sol.margin)
        same(value(sym.probability(ufm.loss, **options), points), sol.probability)
        same(value(sym.objective(ufm.loss, **options), points), sol.objective)
        if bias or kind is not mdt.MeanSquaredError:
            same(value(sym.kappa(nonnegative), points), ufm.kappa)
        scales = {name: value(scale, points) for name, scale in sym.scales(ufm.loss, **options).items()}
        h, w = sol.class_means, sol.weights
        same(scales["mean_distance"], np.linalg.norm(h[:, 0] - h[:, 1]))
        same(scales["weight_distance"], np.linalg.norm(w[0] - w[1]))
        centred = h - h.mean(axis=1, keepdims=True)
        same(scales["feature_scale"] * np.sqrt(1 - 1 / points[N]), np.linalg.norm(centred[:, 0]))
        same(scales["feature_scale"] * scales["weight_scale"], sol.margin)


@pytest.mark.parametrize("kind", CLOSED)
def test_a_loss_class_keeps_its_parameter_as_a_symbol(kind):
    instance = kind(0.1) if kind.symbols else kind()
    for function in (sym.margin, sym.threshold, sym.probability, sym.objective):
        general, special = function(kind, nonnegative=True), function(instance, nonnegative=True)
        assert (alpha in general.free_symbols) == bool(kind.symbols)
        points = {N: 5, lambda_W: sp.Rational(1, 100), lambda_H: sp.Rational(1, 150)}
        assert alpha not in special.free_symbols
        same(value(general, {alpha: sp.Rational(1, 10), **points}), value(special, points))


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("kind", [*CLOSED, mdt.Focal])
def test_threshold_separates_zero_from_positive_margins(kind, nonnegative):
    for loss in [kind()] if not kind.symbols else [kind(0.2), kind(0.4)]:
        for n in (2, 3, 10, 17):
            mu = value(sym.threshold(loss, nonnegative=nonnegative), {N: n})
            for factor in (1 - 1e-6, 1 + 1e-6):
                ufm = mdt.UFM(
                    loss, num_classes=n, weight_decay=mu * factor, feature_decay=mu * factor, nonnegative=nonnegative
                )
                assert (mdt.solve(ufm).margin > 0) == (factor < 1)


@pytest.mark.parametrize("kind", EXPANDED)
def test_threshold_is_the_initial_slope_of_the_profile(kind):
    for n in (2, 7):
        loss = kind() if not kind.symbols else kind(0.2)
        slope = -sym.margin_equation(loss).lhs.subs({N: n, s: 0, lambda_W: 0, lambda_H: 0})
        per_mu = sym.kappa().subs({N: n, lambda_W: 1, lambda_H: 1})
        assert sp.simplify(sym.threshold(loss).subs(N, n) - slope / per_mu) == 0


def test_label_relaxation_beyond_uniform_has_threshold_zero():
    assert sym.threshold(mdt.LabelRelaxation(0.7)).subs(N, 2) == 0
    assert sym.margin(mdt.LabelRelaxation(0.7)).subs({N: 2, lambda_W: 1, lambda_H: 1}) == 0
    assert sym.objective(mdt.LabelRelaxation(0.7)).subs({N: 2, lambda_W: 1, lambda_H: 1}) == 0


@pytest.mark.parametrize(("kind", "nonnegative", "bias"), EXPANDED_SETTINGS)
def test_margin_solves_its_equation(kind, nonnegative, bias):
    rng = np.random.default_rng([5, nonnegative, bias])
    for _ in range(3):
        ufm, points = random_ufm(kind, rng, nonnegative, bias)
        options = {"nonnegative": nonnegative, "bias": bias}
        margin = sym.margin(ufm.loss, **options).subs(points)
        residual = sym.margin_equation(ufm.loss, **options).lhs.subs(points).subs(s, margin.evalf(60))
        assert abs(residual.evalf(40)) < sp.Float(10) ** -35


def test_cross_entropy_margin_solves_its_equation_symbolically():
    for nonnegative in (False, True):
        equation = sym.margin_equation(mdt.CrossEntropy, nonnegative=nonnegative)
        root = sym.margin(mdt.CrossEntropy, nonnegative=nonnegative).args[0][0]
        assert sp.simplify(equation.lhs.subs(s, root)) == 0


@pytest.mark.parametrize("nonnegative", [False, True])
def test_focal_equation_and_what_follows_from_its_root(nonnegative):
    rng = np.random.default_rng(3)
    for _ in range(4):
        n, mu, focusing = int(rng.integers(2, 12)), rng.uniform(0.002, 0.02), float(np.round(rng.uniform(0.5, 4), 3))
        loss = mdt.Focal(focusing)
        sol = mdt.solve(mdt.UFM(loss, num_classes=n, weight_decay=mu, feature_decay=mu, nonnegative=nonnegative))
        points = {N: n, lambda_W: rational(mu), lambda_H: rational(mu)}
        for equation in (
            sym.margin_equation(loss, nonnegative=nonnegative),
            sym.margin_equation(mdt.Focal, nonnegative=nonnegative).subs(gamma, sp.Rational(repr(focusing))),
        ):
            root = sp.nsolve(equation.lhs.subs(points), s, sol.margin, prec=30)
            same(float(root), sol.margin)
        same(value(sym.objective(loss, nonnegative=nonnegative, at=root), points), sol.objective)
        same(value(sym.probability(loss, nonnegative=nonnegative, at=root), points), sol.probability)
        distance = np.linalg.norm(sol.class_means[:, 0] - sol.class_means[:, 1])
        same(value(sym.scales(loss, nonnegative=nonnegative, at=root)["mean_distance"], points), distance)


def test_focal_threshold_is_undefined_beyond_seventeen_classes():
    threshold = sym.threshold(mdt.Focal(2))
    assert threshold.subs(N, 17).is_positive
    assert threshold.subs(N, 18) is sp.nan


# ------------------------------------------------------------------------------------ the memorization-dilation problem


def random_md(kind, rng, nonnegative, bias, scaling, decay, spread=mdt.Sphere):
    ufm, points = random_ufm(kind, rng, nonnegative, bias, classes=2)
    noise, slope, dim = 10 ** rng.uniform(-4, -1), 10 ** rng.uniform(-0.5, 0.5), int(rng.integers(2, 20))
    md = mdt.MemorizationDilation(
        ufm, noise=noise, slope=slope, spread=spread(dim), scaling=scaling, noisy_feature_decay=decay
    )
    del points[N]
    return md, {**points, eta: rational(noise), C: rational(slope), d: dim}


@pytest.mark.parametrize(
    ("scaling", "decay", "symbolic_decay"),
    [("absolute", 0.0, 0), ("relative", 1e-4, 1e-4), ("absolute", None, lambda_H)],
    ids=["no decay", "relative", "decay of the means"],
)
@pytest.mark.parametrize(("kind", "nonnegative", "bias"), EXPANDED_SETTINGS)
def test_expansion_agrees_with_solve(kind, nonnegative, bias, scaling, decay, symbolic_decay):
    rng = np.random.default_rng([29, EXPANDED.index(kind), nonnegative, bias, scaling == "absolute", decay is None])
    md, points = random_md(kind, rng, nonnegative, bias, scaling, decay)
    nd = sym.dilation_expansion(
        md.ufm.loss, nonnegative=nonnegative, bias=bias, scaling=scaling, noisy_feature_decay=symbolic_decay
    )
    same(value(nd, points), mdt.solve(md, method="expansion").normalized_dilation)


@pytest.mark.parametrize(("nonnegative", "bias"), SETTINGS)
def test_squared_error_is_exact(nonnegative, bias):
    rng = np.random.default_rng(41)
    md, points = random_md(mdt.MeanSquaredError, rng, nonnegative, bias, "absolute", 3e-3)
    nd = sym.dilation_expansion(md.ufm.loss, nonnegative=nonnegative, bias=bias, noisy_feature_decay=3e-3)
    assert not nd.has(LambertR, sp.exp, sp.log)
    same(value(nd, points), mdt.solve(md).normalized_dilation)


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("scaling", ["absolute", "relative"])
def test_hinge_is_exact_on_both_sides_of_its_threshold(nonnegative, scaling):
    rng = np.random.default_rng([43, nonnegative])
    nd = sym.dilation_expansion(mdt.Hinge(), nonnegative=nonnegative, scaling=scaling)
    for factor in (0.5, 0.999, 1.001, 3.0):
        md, points = random_md(mdt.Hinge, rng, nonnegative, False, scaling, 0.0)
        distance = md.configuration.mean_distance if scaling == "absolute" else 1.0
        slope = factor * md.spread.mean_absolute * float(distance) / 2
        md = mdt.MemorizationDilation(
            md.ufm, noise=md.noise, slope=slope, spread=md.spread, scaling=scaling, noisy_feature_decay=0.0
        )
        points[C] = rational(slope)
        dilation = mdt.solve(md).normalized_dilation
        assert (dilation > 0) == (factor > 1)
        same(value(nd, points), dilation)


def test_cross_entropy_without_decay_has_the_known_lambert_form():
    nd = sym.dilation_expansion(mdt.CrossEntropy())
    (root,) = nd.atoms(LambertR)
    y, r = root.args
    beta = sp.simplify(r / y)
    margin = sym.margin(mdt.CrossEntropy()).args[0][0].subs(N, 2)
    points = {lambda_W: sp.Rational(1, 50), lambda_H: sp.Rational(1, 70), eta: sp.Rational(1, 9), C: 2, d: 3}
    same(value(r, points), value(sp.exp(margin), points))
    curvature = sp.exp(-margin) / (1 + sp.exp(-margin)) ** 2
    distance = sym.scales(mdt.CrossEntropy())["mean_distance"].subs(N, 2)
    same(value(beta, points), value(curvature / d * eta * distance**2 / C**2, points))


def test_a_bias_changes_the_formulas_of_the_squared_error_only():
    for kind in CLOSED:
        for function in (sym.margin, sym.objective, sym.dilation_expansion):
            changes = function(kind, nonnegative=True) != function(kind, nonnegative=True, bias=True)
            assert changes == (kind is mdt.MeanSquaredError)


def test_the_exponent_may_stay_a_symbol():
    general = sym.dilation_expansion(mdt.MeanSquaredError(0.1), scaling=q, noisy_feature_decay=lam)
    points = {lambda_W: sp.Rational(1, 50), lambda_H: sp.Rational(1, 70), eta: sp.Rational(1, 9), C: 2, d: 3}
    for exponent, scaling in ((1, "absolute"), (0, "relative")):
        special = sym.dilation_expansion(mdt.MeanSquaredError(0.1), scaling=scaling, noisy_feature_decay=0.01)
        same(value(general, {**points, q: exponent, lam: sp.Rational(1, 100)}), value(special, points))


def test_dilation_is_undefined_where_the_means_have_collapsed():
    nd = sym.dilation_expansion(mdt.CrossEntropy(), nonnegative=True)
    assert nd.subs({lambda_W: 1, lambda_H: 1, eta: sp.Rational(1, 10), C: 1, d: 8}) is sp.nan


@pytest.mark.parametrize(("kind", "nonnegative", "bias"), EXPANDED_SETTINGS)
def test_small_noise_is_the_limit_of_the_exact_dilation(kind, nonnegative, bias):
    rng = np.random.default_rng([47, EXPANDED.index(kind), nonnegative, bias])
    for decay, symbolic_decay in ((0.0, 0), (None, lambda_H)):
        md, points = random_md(kind, rng, nonnegative, bias, "absolute", decay)
        term = sym.small_noise(md.ufm.loss, nonnegative=nonnegative, bias=bias, noisy_feature_decay=symbolic_decay)
        assert sp.diff(term.args[0][0] / eta, eta) == 0
        noise = np.array([1e-9, 1e-11])
        tiny = mdt.MemorizationDilation(
            md.ufm, noise=noise, slope=md.slope, spread=md.spread, noisy_feature_decay=decay
        )
        exact = mdt.solve(tiny).normalized_dilation
        ours = [value(term, {**points, eta: rational(x)}) for x in noise]
        errors = np.abs(ours / exact - 1)
        assert errors[0] < 1e-4
        assert errors[1] < max(0.02 * errors[0], 1e-11)


def test_small_noise_of_cross_entropy_without_decay_is_logarithmic():
    term = sym.small_noise(mdt.CrossEntropy(), nonnegative=True)
    points = {lambda_W: sp.Rational(1, 200), lambda_H: sp.Rational(1, 200), C: 1, d: 8}
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    for noise, bound in ((1e-2, 1e-3), (1e-6, 1e-7)):
        md = mdt.MemorizationDilation(ufm, noise=noise, slope=1.0, noisy_feature_decay=0.0)
        exact = mdt.solve(md).normalized_dilation
        assert abs(value(term, {**points, eta: sp.Rational(repr(noise))}) / exact - 1) < bound


def test_small_noise_of_the_hinge_is_its_dilation():
    assert sym.small_noise(mdt.Hinge()) == sym.dilation_expansion(mdt.Hinge())


# ----------------------------------------------------------------------------------------------- the r-Lambert function

ARGUMENTS = [
    ("1", "2"),
    ("1e-30", "3"),
    ("1e50", "1e-3"),
    ("7", "1e40"),
    ("1e400", "1e390"),
    ("1e9", "0.01"),
    ("0.3", "1e-60"),
]


@pytest.mark.parametrize(("y", "r"), ARGUMENTS)
@pytest.mark.parametrize("digits", [15, 50, 200])
def test_lambert_r_solves_its_equation(y, r, digits):
    y, r = sp.Rational(y), sp.Rational(r)
    x = LambertR(y, r).evalf(digits)
    with mpmath.workdps(digits + 20):
        root = x._to_mpmath(int(3.4 * digits) + 60)
        residual = root * mpmath.exp(root) + root * r.p / r.q - mpmath.mpf(y.p) / y.q
        slope = mpmath.exp(root) * (1 + root) + mpmath.mpf(r.p) / r.q
        assert abs(residual / slope / root) < mpmath.mpf(10) ** (1 - digits)


def test_lambert_r_agrees_with_the_numerical_function():
    rng = np.random.default_rng(11)
    for y, r in 10.0 ** rng.uniform(-6, 6, (20, 2)):
        same(float(LambertR(rational(y), rational(r)).evalf(20)), lambert_r(y, r))
    compiled = sp.lambdify((lam, C), LambertR(lam, C), modules=[{"LambertR": lambert_r}, "numpy"])
    assert compiled(1.0, 2.0) == lambert_r(1.0, 2.0)


def test_lambert_r_derivatives_against_central_differences():
    y, r = sp.symbols("y r", positive=True)
    at = {y: sp.Rational(17, 5), r: sp.Rational(3, 7)}
    step = sp.Rational(1, 10**20)
    for variable in (y, r):
        derivative = sp.diff(LambertR(y, r), variable).subs(at).evalf(50)
        above = LambertR(y, r).subs({**at, variable: at[variable] + step}).evalf(80)
        below = LambertR(y, r).subs({**at, variable: at[variable] - step}).evalf(80)
        assert abs((above - below) / (2 * step) / derivative - 1) < sp.Float(10) ** -35


def test_lambert_r_simplifies_and_knows_its_sign():
    y, r = sp.symbols("y r", positive=True)
    unknown = sp.Symbol("unknown")
    assert LambertR(0, r) == 0
    assert LambertR(y, 0) == sp.LambertW(y)
    assert LambertR(y, r).is_positive
    assert LambertR(y, r).is_real
    assert LambertR(unknown, r).is_positive is None
    assert LambertR(unknown, r).evalf() == LambertR(unknown, r)
    assert sp.latex(LambertR(y, r) ** 2) == r"W_{r}^{2}\left(y\right)"
    with pytest.raises(sp.core.function.ArgumentIndexError):
        LambertR(y, r).fdiff(3)


@pytest.mark.parametrize(("y", "r"), [(-1, 2), (1, -2)])
def test_lambert_r_refuses_negative_arguments(y, r):
    with pytest.raises(mdt.AssumptionError, match="nonnegative"):
        LambertR(y, r)


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("loss", [mdt.Focal(2.0), mdt.Focal])
@pytest.mark.parametrize("name", ["margin", "probability", "scales", "objective", "dilation_expansion", "small_noise"])
def test_focal_has_no_closed_form(name, loss):
    with pytest.raises(mdt.AssumptionError, match=r"no closed form.*margin_equation"):
        getattr(sym, name)(loss)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: sym.margin("CrossEntropy"), "must be a loss or a loss class"),
        (lambda: sym.margin(mdt.Loss), "must be a loss or a loss class"),
        (lambda: sym.margin(mdt.CrossEntropy([0.1, 0.2])), "loss.smoothing .* one real number"),
        (lambda: sym.margin(mdt.CrossEntropy, nonnegative=1), "nonnegative = 1: must be True or False"),
        (lambda: sym.kappa(1), "nonnegative = 1: must be True or False"),
        (lambda: sym.margin(mdt.MeanSquaredError, bias="yes"), "bias = 'yes': must be True or False"),
        (lambda: sym.margin_equation(mdt.Hinge()), "kink"),
        (lambda: sym.probability(mdt.Focal, at="s"), "at = 's'"),
        (lambda: sym.dilation_expansion(mdt.Hinge(), noisy_feature_decay=lambda_H), "must be 0"),
        (lambda: sym.dilation_expansion(mdt.CrossEntropy(), scaling="both"), "scaling = 'both'"),
        (lambda: sym.dilation_expansion(mdt.CrossEntropy(), noisy_feature_decay=-1.0), "must be nonnegative"),
        (lambda: sym.latex(mdt.CrossEntropy(), "norm"), "quantity = 'norm'"),
    ],
)
def test_refusals_name_the_argument(call, match):
    with pytest.raises(mdt.AssumptionError, match=match):
        call()


def test_latex_of_every_quantity():
    for quantity in ("margin", "margin_equation", "probability", "threshold", "objective"):
        assert r"\alpha" in sym.latex(mdt.LabelRelaxation, quantity, nonnegative=True)
    assert "W_{" in sym.latex(mdt.CrossEntropy, "dilation_expansion")
    assert r"\eta" in sym.latex(mdt.CrossEntropy, "small_noise", scaling="relative")


def test_importing_the_package_does_not_import_sympy():
    code = "import sys, mdtheory; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
