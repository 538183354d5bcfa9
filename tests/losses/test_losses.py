"""Every face of every loss against every other face of it."""

import warnings

import numpy as np
import pytest
import registered
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import mdtheory as mdt
from mdtheory.losses.base import Loss
from mdtheory.losses.margin_cost import MarginCost

LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=0.1),
    mdt.CrossEntropy(smoothing=0.95),
    mdt.MeanSquaredError(),
    mdt.MeanSquaredError(smoothing=0.3),
    mdt.LabelRelaxation(0.05),
    mdt.LabelRelaxation(0.4),
    mdt.LabelRelaxation(0.7),
    mdt.Focal(0.0),
    mdt.Focal(0.5),
    mdt.Focal(2.0),
    mdt.Focal(5.0),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]
LOSSES += registered.losses(*LOSSES)
CONVEX = [loss for loss in LOSSES if loss.is_convex and not isinstance(loss, mdt.Focal)]
CLASSES = [2, 3, 10]


def name_of(value):
    if not isinstance(value, Loss):
        return str(value)
    return "-".join([type(value).__name__, *(str(getattr(value, name)) for name in value.parameter_names())])


each_loss = pytest.mark.parametrize("loss", LOSSES, ids=name_of)
each_convex_loss = pytest.mark.parametrize("loss", CONVEX, ids=name_of)
each_count = pytest.mark.parametrize("classes", CLASSES)


def symmetric_logits(loss, margins, classes, label=0):
    """``s (e_n - 1/N)``, plus 1/N where the mean logit matters."""
    direction = (np.arange(classes) == label) - 1.0 / classes
    return np.asarray(margins)[..., None] * direction + (0.0 if loss.shift_invariant else 1.0 / classes)


def smooth_margins(loss, classes):
    """Margins away from the kinks."""
    margins = np.linspace(-6.0, 12.0, 37) + 0.0123
    kink = loss.kinks()
    if kink is None:
        return margins
    return margins[np.abs(margins - loss.profile_minimizer(classes)) > 1e-3]


def cost_of(kappa):
    """A margin cost of a given value, to rounding."""
    half, one = 0.5 * np.asarray(kappa, dtype=np.float64), np.ones(())
    return MarginCost(weight_decay=half, feature_decay=half, numerator=one, denominator=one)


def exact_profile(loss, classes):
    """The formula of the profile and its first two derivatives, for mpmath."""
    margin, count = sp.symbols("s N")
    parameters = [sp.Float(getattr(loss, name), 60) for name in loss.parameter_names()]
    expression = type(loss).symbolic_profile(margin, count, *parameters).subs(count, classes)
    return [sp.lambdify(margin, sp.diff(expression, margin, order), "mpmath") for order in range(3)]


# ------------------------------------------------------------------ vector faces


@each_count
@each_loss
def test_the_gradient_is_the_derivative_of_the_value(loss, classes):
    rng = np.random.default_rng(classes)
    logits, step = rng.normal(scale=2.0, size=(40, classes)), 1e-6
    labels = rng.integers(classes, size=40)
    numeric = np.stack(
        [
            (loss.value(logits + step * e, labels) - loss.value(logits - step * e, labels)) / (2 * step)
            for e in np.eye(classes)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(loss.gradient(logits, labels), numeric, rtol=1e-8, atol=1e-8)


@each_count
@each_loss
def test_the_profile_is_the_value_at_symmetric_logits(loss, classes):
    margins = np.linspace(-30.0, 30.0, 61)
    for label in {0, classes - 1}:
        value = loss.value(symmetric_logits(loss, margins, classes, label), label)
        np.testing.assert_allclose(loss.profile(margins, classes), value, rtol=1e-13, atol=2e-14)


@each_count
@each_loss
def test_the_gradient_at_symmetric_logits_is_the_profile_slope(loss, classes):
    margins = smooth_margins(loss, classes)
    direction = (np.arange(classes) == 0) - 1.0 / classes
    gradient = loss.gradient(symmetric_logits(loss, margins, classes), 0)
    np.testing.assert_allclose(gradient @ direction, loss.profile_derivative(margins, classes), rtol=1e-11, atol=1e-15)


@each_loss
def test_a_constant_added_to_all_logits_matters_only_where_declared(loss):
    logits = np.array([0.3, -1.2, 0.7])
    changed = np.abs(loss.value(logits + 5.0, 1) - loss.value(logits, 1)) > 1e-12
    assert changed == (not loss.shift_invariant)


@each_loss
def test_convexity_is_what_it_is_declared_to_be(loss):
    rng = np.random.default_rng(7)
    left, right = rng.normal(scale=4.0, size=(2, 4000, 3))
    middle = loss.value(0.5 * (left + right), 0)
    excess = middle - 0.5 * (loss.value(left, 0) + loss.value(right, 0))
    assert (np.max(excess) <= 1e-12) == loss.is_convex


@each_loss
def test_labels_and_parameters_broadcast(loss):
    logits = np.random.default_rng(0).normal(size=(4, 1, 3))
    labels = np.array([0, 2])
    assert loss.value(logits, labels).shape == (4, 2)
    assert loss.gradient(logits, labels).shape == (4, 2, 3)
    assert loss.value(logits, labels)[3, 1] == loss.value(logits[3, 0], 2)


@each_loss
def test_large_logits_stay_finite(loss):
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 1e4, 0.0], [1e4, 1e4, 1e4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.all(np.isfinite(loss.value(logits, 0)))
        assert np.all(np.isfinite(loss.gradient(logits, 0)))
        margins = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
        for classes in (2, 3, 10**6):
            assert np.all(np.isfinite(loss.profile(margins, classes)))
            assert np.all(np.isfinite(loss.profile_derivative(margins, classes)))
            assert np.all(np.isfinite(loss.profile_curvature(margins, classes)))


# ------------------------------------------------------------------ conjugates


@each_count
@each_convex_loss
def test_fenchel_young_is_tight_at_the_gradient(loss, classes):
    rng = np.random.default_rng(classes)
    logits = rng.normal(scale=3.0, size=(60, classes))
    labels = rng.integers(classes, size=60)
    dual = loss.gradient(logits, labels)
    gap = loss.value(logits, labels) + loss.conjugate(dual, labels) - np.sum(dual * logits, axis=-1)
    np.testing.assert_allclose(gap, 0.0, atol=1e-12)


@each_count
@each_convex_loss
def test_fenchel_young_is_an_inequality_elsewhere(loss, classes):
    rng = np.random.default_rng(classes)
    first, second = rng.normal(scale=3.0, size=(2, 300, classes))
    dual = loss.gradient(first, 0) * rng.uniform(0.0, 1.0, size=(300, 1))
    assert np.min(loss.value(second, 0) + loss.conjugate(dual, 0) - np.sum(dual * second, axis=-1)) >= -1e-12


@each_convex_loss
def test_the_conjugate_is_infinite_outside_its_domain(loss):
    if isinstance(loss, mdt.MeanSquaredError):
        assert np.isfinite(loss.conjugate([3.0, -7.0, 11.0], 0))
        return
    for dual in ([0.1, 0.0, 0.0], [0.5, -0.5, 0.0], [-0.3, 0.5, -0.2]):
        if isinstance(loss, mdt.CrossEntropy) and np.sum(dual) == 0 and loss.smoothing > 0.9:
            continue
        assert loss.conjugate(dual, 0) == np.inf
    if not isinstance(loss, mdt.SquaredHinge):
        assert loss.conjugate([-1.2, 0.7, 0.5], 0) == np.inf


@each_count
@each_convex_loss
def test_the_profile_conjugate_is_the_conjugate_at_symmetric_duals(loss, classes):
    slopes = loss.profile_derivative(np.linspace(0.0, 8.0, 33), classes)
    slopes = np.append(np.minimum(slopes, 0.0), -0.01)
    direction = (np.arange(classes) == 0) - 1.0 / classes
    dual = slopes[:, None] * direction * classes / (classes - 1)
    expected = loss.conjugate(dual, 0)
    if not loss.shift_invariant:
        expected = expected - np.sum(dual, axis=-1) / classes
    np.testing.assert_allclose(loss.profile_conjugate(slopes, classes), expected, rtol=1e-12, atol=1e-13)


@each_count
@each_loss
def test_the_profile_conjugate_bounds_the_profile(loss, classes):
    """f(s) + f*(p) >= p s for every margin and slope."""
    margins, slopes = np.linspace(-40.0, 60.0, 401)[:, None], np.linspace(-1.3, 0.0, 27)
    bound = margins * slopes - loss.profile_conjugate(slopes, classes)
    assert np.max(bound - loss.profile(margins, classes)) <= 1e-12


@each_count
@each_loss
def test_the_profile_conjugate_is_attained(loss, classes):
    margins = smooth_margins(loss, classes)
    slopes = loss.profile_derivative(margins, classes)
    attained = slopes * margins - loss.profile(margins, classes)
    conjugate = loss.profile_conjugate(slopes, classes)
    if not loss.is_convex:
        # Of the hull (two classes) or of a minorant that touches where the tangent bound holds.
        probability = 1.0 / (1.0 + (classes - 1.0) * np.exp(-margins))
        covered = margins > loss.hull_start() if classes == 2 else probability >= loss.certified_probability()
        attained, conjugate = attained[covered], conjugate[covered]
    np.testing.assert_allclose(conjugate, attained, rtol=1e-11, atol=2e-13)


def test_mixed_class_counts_keep_their_own_conjugate():
    loss = mdt.Focal(2.0)
    mixed = loss.profile_conjugate(-0.3, np.array([2, 3]))
    assert mixed.tolist() == [loss.profile_conjugate(-0.3, 2).item(), loss.profile_conjugate(-0.3, 3).item()]


# ------------------------------------------------------------------ profile faces


@each_count
@each_loss
def test_the_profile_and_its_slope_agree_with_the_formula(loss, classes):
    with mp.workdps(50):
        value, slope, _ = exact_profile(loss, classes)
        for margin in [*smooth_margins(loss, classes)[::4], 1e-9, 40.0]:
            exact_value, exact_slope = value(mp.mpf(float(margin))), slope(mp.mpf(float(margin)))
            # Of the formula's own terms, whose cancellation no rounding of the margin lets a double resolve.
            scale = 4e-16 * (1 + abs(margin))
            assert loss.profile(margin, classes) == pytest.approx(float(exact_value), rel=1e-13, abs=scale)
            assert loss.profile_derivative(margin, classes) == pytest.approx(float(exact_slope), rel=2e-14, abs=4e-16)


@each_count
@each_loss
def test_the_curvature_is_the_derivative_of_the_slope(loss, classes):
    margins, step = smooth_margins(loss, classes), 1e-5
    slopes = [loss.profile_derivative(margins + sign * step, classes) for sign in (1, -1)]
    numeric = (slopes[0] - slopes[1]) / (2 * step)
    np.testing.assert_allclose(loss.profile_curvature(margins, classes) + 0 * margins, numeric, rtol=1e-8, atol=1e-10)


@each_count
@each_loss
def test_the_profile_minimizer_is_the_smallest(loss, classes):
    minimizer = loss.profile_minimizer(classes)
    if np.isinf(minimizer):
        assert np.all(loss.profile_derivative(np.linspace(-20.0, 100.0, 50), classes) < 0)
        return
    assert abs(loss.profile_derivative(minimizer, classes)) <= 1e-15
    best = loss.profile(minimizer, classes)
    others = np.linspace(-20.0, 40.0, 1201)
    assert np.all(loss.profile(others, classes) >= best - 1e-15)
    assert np.all(loss.profile(others[others < minimizer - 0.01], classes) > best)


@pytest.mark.parametrize("classes", [2, 3, 10, 30, 1000])
@each_loss
def test_the_margin_solves_its_equation_below_the_critical_cost(loss, classes):
    critical = loss.critical_cost(classes).item()
    share = np.array([1e-12, 1e-6, 0.01, 0.3, 0.7, 0.99])
    if critical == 0:  # label relaxation beyond (N-1)/N
        assert loss.margin(cost_of(0.1), classes) == 0
        return
    margin = loss.margin(cost_of(share * critical), classes)
    assert np.all(margin > 0)
    assert np.all(np.diff(margin) <= 0)
    if loss.smooth_slope:
        slope = loss.profile_derivative(margin, classes)
        np.testing.assert_allclose(slope, -share * critical, rtol=1e-12, atol=2e-15)
    assert np.all(loss.margin(cost_of(critical * np.array([1.0 + 1e-9, 2.0])), classes) == 0)


@pytest.mark.parametrize("classes", [18, 30, 100, 10**5])
@pytest.mark.parametrize("focusing", [1.0, 2.0, 3.0, 5.0])
def test_the_focal_jump_is_the_steepest_chord(focusing, classes):
    loss = mdt.Focal(focusing)
    margins = np.linspace(1e-3, 40.0, 200001)
    chords = (loss.profile(0.0, classes) - loss.profile(margins, classes)) / margins
    steepest = max(np.max(chords).item(), -loss.profile_derivative(0.0, classes).item())
    assert loss.critical_cost(classes) == pytest.approx(steepest, rel=1e-7)
    assert loss.critical_cost(classes) >= steepest * (1 - 1e-12)


@pytest.mark.parametrize("focusing", [0.01, 0.5, 1.0, 2.0, 5.0, 50.0, 1e4])
def test_focal_loss_is_steepest_at_the_peak_probability(focusing):
    with mp.workdps(80):
        peak = mp.mpf(mdt.Focal(focusing).peak_probability().item())

        def slope(p):
            return (1 - p) ** focusing * (1 - p - focusing * p * mp.log(p))

        assert slope(peak) > slope(peak * (1 + mp.mpf("1e-6")))
        assert slope(peak) > slope(peak * (1 - mp.mpf("1e-6")))


def test_focal_certified_probabilities():
    found = [mdt.Focal(gamma).certified_probability().item() for gamma in (0.5, 1.0, 2.0, 3.0, 5.0)]
    np.testing.assert_allclose(found, [0.421457, np.exp(-1), 0.297637, 0.252584, 0.196803], atol=5e-7)
    assert mdt.Focal(0.0).certified_probability() == 0


@pytest.mark.parametrize("focusing", [0.1, 0.5, 1.0, 2.0, 5.0])
def test_the_focal_hull_is_a_convex_minorant(focusing):
    loss = mdt.Focal(focusing)
    hull = loss.convex_hull()
    margins = np.linspace(-50.0, 20.0, 5001)
    assert np.all(hull.profile(margins) <= loss.profile(margins) + 1e-12)
    assert np.all(np.diff(hull.profile_derivative(margins)) >= -1e-15)
    assert hull.profile_derivative(-50.0) == pytest.approx(-1.0, abs=1e-12)
    above = margins > loss.hull_start()
    np.testing.assert_array_equal(hull.profile(margins)[above], loss.profile(margins)[above])


# ------------------------------------------------------------------ limits


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_focal_zero_is_cross_entropy(classes):
    focal, entropy = mdt.Focal(0.0), mdt.CrossEntropy()
    margins = np.linspace(-20.0, 30.0, 51)
    for face in ("profile", "profile_derivative", "profile_curvature"):
        np.testing.assert_allclose(
            getattr(focal, face)(margins, classes), getattr(entropy, face)(margins, classes), rtol=4e-15
        )
    slopes = np.linspace(-1.2, 0.0, 25)
    np.testing.assert_allclose(
        focal.profile_conjugate(slopes, classes), entropy.profile_conjugate(slopes, classes), rtol=1e-12, atol=1e-14
    )
    cost = cost_of(np.array([1e-10, 0.1, 0.4999, 0.5, 0.9]))
    np.testing.assert_allclose(focal.margin(cost, classes), entropy.margin(cost, classes), rtol=1e-13)
    assert focal.critical_cost(classes) == pytest.approx(entropy.critical_cost(classes).item(), rel=1e-15)


def test_zero_smoothing_is_plain():
    logits = np.random.default_rng(1).normal(size=(5, 4))
    plain = np.log(np.sum(np.exp(logits), axis=-1)) - logits[:, 2]
    np.testing.assert_allclose(mdt.CrossEntropy(0.0).value(logits, 2), plain, rtol=1e-14)
    np.testing.assert_allclose(
        mdt.MeanSquaredError(0.0).value(logits, 2), 0.5 * np.sum((logits - np.eye(4)[2]) ** 2, axis=-1), rtol=1e-14
    )


def test_two_class_label_relaxation_is_truncated_smoothed_cross_entropy():
    """phi_LR(alpha/2) = phi_LS(alpha) - H2(alpha/2) up to their common minimiser."""
    relaxed, smoothed = mdt.LabelRelaxation(0.1), mdt.CrossEntropy(smoothing=0.2)
    assert relaxed.profile_minimizer() == pytest.approx(smoothed.profile_minimizer().item(), rel=1e-15)
    margins = np.linspace(-10.0, 6.0, 60)
    np.testing.assert_allclose(
        relaxed.profile_derivative(margins), np.minimum(smoothed.profile_derivative(margins), 0.0), atol=1e-15
    )


# ------------------------------------------------------------------ what the reduced solvers use


@each_loss
def test_paired_slopes_do_not_cancel(loss):
    kink = loss.kinks()
    for centre in (-4.0, 0.3, 2.5, 20.0):
        for offset in (1e-12, 1e-7, 1e-3, 0.7, 30.0, 1e3):
            inside = kink is None or abs(centre - kink) > offset
            if not inside and not isinstance(loss, mdt.CrossEntropy):
                continue
            # The slopes of the smooth losses carry absolute rounding, the cross-entropy pair does not.
            relative = 1e-13 if isinstance(loss, (mdt.CrossEntropy, mdt.MeanSquaredError)) else 1e-9
            difference, curvature = loss.paired_slopes(np.array(centre), np.array(offset))
            exact, total = exact_pair(loss, centre, offset)
            assert difference == pytest.approx(float(exact), rel=relative, abs=1e-300 if relative < 1e-12 else 4e-16)
            assert curvature == pytest.approx(float(total), rel=1e-12, abs=1e-250)


def exact_pair(loss, centre, offset):
    with mp.workdps(60 if offset < 100 else 1000):
        _, slope, curvature = exact_profile(loss, 2)
        above, below = mp.mpf(centre) + mp.mpf(offset), mp.mpf(centre) - mp.mpf(offset)
        return slope(above) - slope(below), curvature(above) + curvature(below)


@pytest.mark.parametrize("loss", [x for x in CONVEX if x.smooth_slope], ids=name_of)
@pytest.mark.parametrize("margin", [1e-3, 0.5, 0.7, 6.0])
@pytest.mark.parametrize("step", [1e-9, 0.1, 3.0, 1e6])
def test_displacement_solves_its_equation(loss, margin, step):
    if loss.profile_derivative(-margin) >= 0:
        assert loss.profile_minimizer() <= -margin  # nothing pulls
        return
    with mp.workdps(40):
        _, slope, _ = exact_profile(loss, 2)

        def residual(displacement, offset):
            return displacement - mp.mpf(offset) + mp.mpf(step) * slope(displacement - mp.mpf(margin))

        for offset in (0.0, 1e-6, margin):
            w = mp.mpf(loss.displacement(np.array(margin), np.array(step), np.array(offset)).item())
            width = w * mp.mpf("2e-14")
            assert residual(w - width, offset) <= 0 <= residual(w + width, offset)


# ------------------------------------------------------------------ cvxpy


@each_count
@each_convex_loss
def test_the_cvxpy_atom_has_the_same_value(loss, classes):
    import cvxpy as cp

    rng = np.random.default_rng(classes)
    for label in (0, classes - 1):
        point = rng.normal(scale=1.5, size=classes)
        logits = cp.Variable(classes)
        atom, constraints = loss.cvxpy_atom(logits, label)
        problem = cp.Problem(cp.Minimize(atom), [*constraints, logits == point])
        assert problem.is_dcp()
        problem.solve(solver=cp.CLARABEL)
        assert problem.value == pytest.approx(loss.value(point, label).item(), abs=1e-6)


def test_focal_loss_has_no_cvxpy_atom_and_no_vector_conjugate():
    with pytest.raises(mdt.AssumptionError, match="no cvxpy atom: focal loss is not convex"):
        mdt.Focal(2.0).cvxpy_atom(None, 0)
    with pytest.raises(mdt.AssumptionError, match="no useful conjugate: focal loss is not convex"):
        mdt.Focal(2.0).conjugate([0.1, -0.1], 0)


# ------------------------------------------------------------------ validation


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mdt.CrossEntropy(smoothing=1.0), r"smoothing = 1\.0: must lie in \[0, 1\)"),
        (lambda: mdt.CrossEntropy(smoothing=-0.1), r"smoothing = -0\.1: must lie in \[0, 1\)"),
        (lambda: mdt.CrossEntropy(smoothing=np.nan), r"smoothing = nan: must lie in \[0, 1\)"),
        (lambda: mdt.CrossEntropy(smoothing=[0.1, 2.0]), r"smoothing = 2\.0: must lie in \[0, 1\)"),
        (lambda: mdt.CrossEntropy(smoothing="a"), r"smoothing = 'a': must be a real number"),
        (lambda: mdt.CrossEntropy(smoothing=True), r"smoothing = True: must be a real number"),
        (lambda: mdt.CrossEntropy(smoothing=0.1j), r"smoothing = 0\.1j: must be a real number"),
        (lambda: mdt.MeanSquaredError(smoothing=1.5), r"smoothing = 1\.5: must lie in \[0, 1\)"),
        (lambda: mdt.LabelRelaxation(0.0), r"relaxation = 0\.0: must lie in \(0, 1\)"),
        (lambda: mdt.LabelRelaxation(1.0), r"relaxation = 1\.0: must lie in \(0, 1\)"),
        (lambda: mdt.LabelRelaxation(np.nan), r"relaxation = nan: must lie in \(0, 1\)"),
        (lambda: mdt.Focal(-1.0), r"focusing = -1\.0: must be nonnegative and finite"),
        (lambda: mdt.Focal(np.inf), r"focusing = inf: must be nonnegative and finite"),
        (lambda: mdt.CrossEntropy().value(1.0, 0), r"logits = 1\.0: must hold at least two classes"),
        (lambda: mdt.CrossEntropy().value([1.0], 0), r"logits = \[1\.0\]: must hold at least two classes"),
        (lambda: mdt.Hinge().value([1.0, 2.0], 2), r"label = 2: must be an integer from 0 to 1"),
        (lambda: mdt.Hinge().value([1.0, 2.0], -1), r"label = -1: must be an integer from 0 to 1"),
        (lambda: mdt.Hinge().value([1.0, 2.0], 0.5), r"label = 0\.5: must be an integer from 0 to 1"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        make()


def test_losses_compare_by_value():
    assert mdt.CrossEntropy(0.1) == mdt.CrossEntropy(smoothing=0.1)
    assert mdt.CrossEntropy(0.1) != mdt.CrossEntropy(0.2)
    assert mdt.CrossEntropy(0.1) != mdt.MeanSquaredError(0.1)
    assert mdt.CrossEntropy([0.1, 0.2]) == mdt.CrossEntropy(np.array([0.1, 0.2]))
    assert hash(mdt.Focal(1.0)) == hash(mdt.Focal(1.0))


# ------------------------------------------------------------------ any parameters


@given(
    smoothing=st.floats(0.0, 1.0, exclude_max=True),
    low=st.floats(-50.0, 50.0),
    width=st.floats(1e-3, 50.0),
    classes=st.integers(2, 10**6),
)
def test_profiles_of_convex_losses_have_increasing_slopes(smoothing, low, width, classes):
    for loss in (
        mdt.CrossEntropy(smoothing),
        mdt.MeanSquaredError(smoothing),
        mdt.LabelRelaxation(0.5 * smoothing + 1e-9),
    ):
        slopes = loss.profile_derivative(np.array([low, low + width]), classes)
        assert slopes[0] <= slopes[1]
