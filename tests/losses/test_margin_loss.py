"""A user's own loss behaves like the built-in loss with the same margin function."""

import numpy as np
import pytest
import sympy as sp

import mdtheory as mdt

T = sp.Symbol("t")
CROSS_ENTROPY = sp.log(1 + sp.exp(-T))
FOCAL = (1 - 1 / (1 + sp.exp(-T))) ** 2 * CROSS_ENTROPY


def model(loss, **changes):
    return mdt.UFM(
        loss, **{"num_classes": 2, "weight_decay": 5e-3, "feature_decay": 4e-3, "nonnegative": True} | changes
    )


PAIRS = {
    "cross-entropy": (mdt.MarginLoss(CROSS_ENTROPY), mdt.CrossEntropy()),
    "smoothed": (mdt.MarginLoss(CROSS_ENTROPY + T / 20), mdt.CrossEntropy(smoothing=0.1)),
    "focal": (mdt.MarginLoss(FOCAL, interval=(-20, 20)), mdt.Focal(2.0)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_margin_and_objective_are_those_of_the_built_in_loss(pair):
    own, built_in = (mdt.solve(model(loss)) for loss in pair)
    assert own.margin == pytest.approx(built_in.margin, rel=1e-12)
    assert own.objective == pytest.approx(built_in.objective, rel=1e-13)
    assert abs(own.gap) < 1e-14


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("decay", [0.0, 4e-3])
def test_dilation_is_that_of_the_built_in_loss(pair, decay):
    own, built_in = (
        mdt.solve(mdt.MemorizationDilation(model(loss), noise=[0.01, 0.1], slope=1.0, noisy_feature_decay=decay))
        for loss in pair
    )
    np.testing.assert_allclose(own.dilation, built_in.dilation, rtol=1e-10)
    np.testing.assert_allclose(own.noisy_margin, built_in.noisy_margin, rtol=1e-9)
    # The built-in focal loss knows its convex hull, the own one is bounded by branch and bound.
    assert np.array_equal(own.status, built_in.status)
    np.testing.assert_allclose(own.lower_bound, built_in.lower_bound, rtol=1e-10)


def test_a_loss_that_is_not_convex_is_found_out_and_proved_all_the_same():
    loss = PAIRS["focal"][0]
    assert not loss.is_convex
    solution = mdt.solve(mdt.MemorizationDilation(model(loss), noise=0.1, slope=1.0))
    assert solution.status == mdt.Status.OPTIMAL
    assert 0 <= solution.gap < 1e-10


def test_convexity_depends_on_the_stated_interval():
    cubic = T**2 / 2 - T + T**3 / 30  # second derivative 1 + t/5: negative below -5
    assert mdt.MarginLoss(cubic, interval=(-4.9, 3)).is_convex
    assert not mdt.MarginLoss(cubic, interval=(-5.1, 3)).is_convex


def test_derivatives_and_tangent_continuation():
    loss = mdt.MarginLoss(sp.exp(-T), interval=(-2, 3))
    t = np.array([-1.5, 0.0, 2.0])
    np.testing.assert_allclose(loss.profile_derivative(t), -np.exp(-t), rtol=1e-15)
    np.testing.assert_allclose(loss.profile_curvature(t), np.exp(-t), rtol=1e-15)
    beyond = loss.profile(np.array([-5.0, 4.0]))
    np.testing.assert_allclose(beyond, [np.exp(2.0) * (1 + 3), np.exp(-3.0) * (1 - 1)], atol=1e-15)


def test_minimizer_and_conjugate_of_a_quadratic():
    loss = mdt.MarginLoss((1 - T) ** 2 / 2, interval=(-10, 10))
    assert loss.profile_minimizer() == pytest.approx(1.0, abs=1e-12)
    p = np.array([-3.0, -0.5, 0.0])
    np.testing.assert_allclose(loss.profile_conjugate(p), p**2 / 2 + p, atol=1e-12)
    assert loss.profile_conjugate(-20.0) == np.inf


def test_vector_faces_act_on_the_margin():
    loss = PAIRS["cross-entropy"][0]
    logits, labels = np.array([[0.3, -1.2], [2.0, 0.5]]), np.array([0, 1])
    np.testing.assert_allclose(loss.value(logits, labels), mdt.CrossEntropy().value(logits, labels), rtol=1e-14)
    np.testing.assert_allclose(loss.gradient(logits, labels), mdt.CrossEntropy().gradient(logits, labels), rtol=1e-14)


@pytest.mark.parametrize(
    ("expression", "options", "message"),
    [
        (T * sp.Symbol("a"), {}, "exactly one symbol"),
        (sp.Integer(3), {}, "exactly one symbol"),
        ("log(t)", {}, "exactly one symbol"),
        (sp.Abs(T), {}, "may use, besides arithmetic"),
        (sp.erf(T) - T, {}, "may use, besides arithmetic"),
        (sp.log(T), {}, "finite on the interval"),
        (T, {}, "must fall at margin 0"),
        (CROSS_ENTROPY, {"interval": (1, 2)}, "with 0 inside"),
        (CROSS_ENTROPY, {"strip": 0.0}, "strip = 0.0"),
    ],
)
def test_unusable_expressions_are_refused(expression, options, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.MarginLoss(expression, **options)


def test_more_than_two_classes_and_a_conic_programme_are_refused():
    loss = PAIRS["cross-entropy"][0]
    with pytest.raises(mdt.AssumptionError, match="num_classes = 3: must be 2"):
        model(loss, num_classes=3)
    with pytest.raises(mdt.AssumptionError, match="has no cvxpy atom"):
        mdt.solve(model(loss), method="convex")


def test_a_margin_beyond_the_interval_is_refused():
    loss = mdt.MarginLoss(CROSS_ENTROPY, interval=(-3, 3))
    with pytest.raises(mdt.AssumptionError, match="must reach further"):
        mdt.solve(model(loss))
