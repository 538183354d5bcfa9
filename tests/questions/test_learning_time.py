"""Times of gradient flow: against the flow of all weights, of a noisy feature, and closed forms; infinite where nothing is learnt or memorised."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mdtheory as mdt

MSE = mdt.MeanSquaredError()


def noisy(loss, noise=0.05, slope=1.0, **options):
    ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    return mdt.MemorizationDilation(ufm, **({"noise": noise, "slope": slope, "noisy_feature_decay": 0.0} | options))


@pytest.mark.parametrize("rates", [(1.0, 1.0), (4.0, 1.0)])
def test_classes_are_half_learnt_when_the_flow_of_all_weights_says_so(rates):
    """W and H as they are, with their own rates and decays; the start is aligned and balanced."""
    pi, start = np.array([0.5, 0.3, 0.2]), 1e-3
    fast, slow = rates
    decay_w, decay_h = 0.05 / fast, 0.05 / slow
    ufm = mdt.UFM(MSE, num_classes=3, weight_decay=decay_w, feature_decay=decay_h, class_weights=pi)
    eps = np.sqrt(fast * slow)
    times = mdt.learning_times(ufm, start=start, rate=eps)
    size = np.sqrt(start * fast / eps)
    w0, h0 = size * np.eye(3), (start / size) * np.diag(1 / np.sqrt(pi))

    def flow(_, flat):
        w, h = flat.reshape(2, 3, 3)
        off = (w @ h - np.eye(3)) * pi
        by_h = (w.T @ off + 2 * decay_h * h * pi) / pi  # in H diag(sqrt pi) both sides carry a sqrt pi
        return np.concatenate([(-fast * (off @ h.T + 2 * decay_w * w)).ravel(), (-slow * by_h).ravel()])

    goal = np.sqrt(pi) - 2 * np.sqrt(decay_w * decay_h)
    for n in range(3):
        end = solve_ivp(flow, (0, times[n]), np.concatenate([w0.ravel(), h0.ravel()]), rtol=1e-11, atol=1e-14)
        w, h = end.y[:, -1].reshape(2, 3, 3)
        assert (w @ h)[n, n] * np.sqrt(pi[n]) == pytest.approx(0.5 * goal[n], rel=1e-7)


def test_a_class_that_dies_is_never_learnt_and_a_late_start_is_there():
    ufm = mdt.UFM(MSE, num_classes=2, weight_decay=0.2, feature_decay=0.2, class_weights=[0.9, 0.1])
    assert mdt.learning_times(ufm)[1] == np.inf
    assert mdt.learning_times(ufm, start=0.5)[0] == 0.0
    assert mdt.learning_times(ufm, rate=[1.0, 2.0]).shape == (2, 2)
    np.testing.assert_allclose(mdt.learning_times(ufm, rate=2.0)[0], mdt.learning_times(ufm)[0] / 2)


@pytest.mark.parametrize(
    ("loss", "closed"),
    [
        (mdt.CrossEntropy(), lambda s: 1 + s - np.exp(-s)),
        (mdt.CrossEntropy(smoothing=0.1), lambda s: (s + np.log((0.95 - 0.05 * np.exp(-s)) / 0.9) / 0.05) / 0.95),
        (mdt.SquaredHinge(), lambda s: np.log1p(s)),
        (mdt.Hinge(), lambda s: s),
    ],
    ids=["cross-entropy", "smoothing", "squared-hinge", "hinge"],
)
def test_without_a_price_of_dilation_times_are_closed_forms(loss, closed):
    problem = noisy(loss, slope=1e12)
    c = problem.configuration
    expected = closed(float(c.margin)) / float(c.weight_distance) ** 2
    assert mdt.memorization_time(problem) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scaling", ["absolute", "relative"])
@pytest.mark.parametrize(
    "loss", [mdt.CrossEntropy(), mdt.CrossEntropy(smoothing=0.1), mdt.LabelRelaxation(0.1)], ids=repr
)
def test_with_dilation_the_noisy_feature_arrives_then(loss, scaling):
    """The flow of the feature down the objective of `solve`, whose slope is taken by differences."""
    problem = noisy(loss, noise=0.1, slope=2.0, scaling=scaling)
    time, c = mdt.memorization_time(problem, rate=0.7), problem.configuration
    kappa, s = float(c.weight_distance), float(c.margin)
    eta, rate, spread = float(problem.noise), float(problem.rate), problem.spread
    nodes, weights = spread.smooth_rule(np.array(s), np.array(8.0), np.pi)
    zeta, share = np.concatenate([nodes, -nodes]), 0.5 * np.concatenate([weights, weights])

    def objective(tau):
        r = eta * rate * (tau + s) / kappa
        return 2 * share @ loss.profile(s + kappa * r * zeta) + 2 * eta * float(loss.profile(np.array(tau)))

    def flow(_, tau):
        slope = (objective(tau[0] + 1e-5) - objective(tau[0] - 1e-5)) / 2e-5
        return [-0.7 * kappa**2 * slope / (2 * eta)]

    assert np.isfinite(time)
    end = solve_ivp(flow, (0, time), [-s], rtol=1e-9, atol=1e-9)
    assert end.y[0, -1] == pytest.approx(0.0, abs=2e-5 * s)


def test_noise_that_is_not_memorized_takes_forever():
    noise = np.geomspace(0.01, 1.0, 40)
    problem = noisy(mdt.CrossEntropy(), noise=noise, slope=0.1)
    times, margins = mdt.memorization_time(problem), mdt.solve(problem).noisy_margin
    np.testing.assert_array_equal(np.isinf(times), margins <= 0)
    assert np.any(np.isinf(times))
    finite = times[np.isfinite(times)]
    assert np.all(np.diff(finite) > 0)
    assert times.shape == (40,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mdt.memorization_time(noisy(mdt.CrossEntropy(), noisy_feature_decay=1e-3)), "noisy_feature_decay"),
        (lambda: mdt.memorization_time(noisy(MSE)), "loss"),
        (lambda: mdt.memorization_time(noisy(mdt.Focal(2.0), noisy_feature_decay=1e-3)), "convex"),
        (lambda: mdt.memorization_time(noisy(mdt.CrossEntropy()), rate=0.0), "rate"),
        (lambda: mdt.memorization_time(3), "problem"),
        (
            lambda: mdt.learning_times(mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=0.1, feature_decay=0.1)),
            "loss",
        ),
        (
            lambda: mdt.learning_times(mdt.UFM(MSE, num_classes=2, weight_decay=0.1, feature_decay=0.1, bias=True)),
            "bias",
        ),
        (
            lambda: mdt.learning_times(mdt.UFM(MSE, num_classes=2, weight_decay=0.1, feature_decay=0.1), start=0.0),
            "start",
        ),
        (
            lambda: mdt.learning_times(mdt.UFM(MSE, num_classes=2, weight_decay=[0.1, 0.2], feature_decay=0.1)),
            "one point",
        ),
    ],
)
def test_other_problems_are_refused(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
