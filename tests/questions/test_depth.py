"""Thresholds of depth: Hessians of all weights by differences, roots by mpmath, and one-parameter values by a grid."""

import mpmath
import numpy as np
import pytest

import mdtheory as mdt


def hessian(n, layers, margin, smoothing):
    """Of the objective in all weights at the ETF of this margin, by differences of the gradient."""
    p = 2 / (layers + 1)
    own = 1 / (1 + (n - 1) * np.exp(-margin))
    excess = np.exp(-margin) * own - smoothing / n
    decay = excess * margin ** (1 - p) * n ** (p / 2) / 2
    labels = (1 - smoothing) * np.eye(n) + smoothing / n
    centred = np.eye(n) - 1 / n
    size = (margin / np.sqrt(n)) ** (1 / (layers + 1))
    start = np.tile((size * centred).ravel(), layers + 1)

    def gradient(flat):
        parts = flat.reshape(layers + 1, n, n)
        left, right = [np.eye(n)], [np.eye(n)]
        for part in parts:
            left.append(left[-1] @ part)
        for part in parts[::-1]:
            right.append(part @ right[-1])
        logits = left[-1] * np.sqrt(n)
        odds = np.exp(logits - logits.max(axis=0))
        pull = (odds / odds.sum(axis=0) - labels) / np.sqrt(n)
        return np.concatenate(
            [(left[i].T @ pull @ right[layers - i].T + 2 * decay * parts[i]).ravel() for i in range(layers + 1)]
        )

    assert np.max(np.abs(gradient(start))) < 1e-12
    step = 1e-5
    rows = [(gradient(start + step * e) - gradient(start - step * e)) / (2 * step) for e in np.eye(start.size)]
    return decay, np.linalg.eigvalsh(0.5 * (np.array(rows) + np.array(rows).T))


@pytest.mark.parametrize(
    ("n", "layers", "smoothing"),
    [
        (2, 2, 0.0),
        (2, 3, 0.1),
        (3, 2, 0.0),
        (3, 3, 0.05),
        (3, 4, 0.1),
        (4, 2, 0.0),
        (4, 3, 0.1),
        (5, 2, 0.02),
        (6, 2, 0.0),
    ],
)
def test_the_hessian_of_all_weights_turns_at_the_threshold(n, layers, smoothing):
    threshold = mdt.etf_stability_margin(n, layers, smoothing)
    directions = {2: 1, 3: 2}.get(n, n * (n - 3) // 2)
    for factor, count in ((0.97, directions), (1.03, 0)):
        decay, values = hessian(n, layers, factor * threshold, smoothing)
        assert np.sum(values < -1e-7) == count
        # On this side of the decay; two classes have no ETF beyond theirs.
        assert n == 2 or (decay > mdt.etf_stability_decay(n, layers, smoothing)) == (factor < 1)


@pytest.mark.parametrize("smoothing", [0.0, 1e-9, 0.05, 0.5, 0.99])
@pytest.mark.parametrize("layers", [2, 3, 20])
@pytest.mark.parametrize("n", [2, 3, 4, 10, 100])
def test_thresholds_solve_their_equation_to_twelve_digits(n, layers, smoothing):
    with mpmath.workdps(40):
        p, alpha = mpmath.mpf(2) / (layers + 1), mpmath.mpf(smoothing)

        def balance(s):
            own = 1 / (1 + (n - 1) * mpmath.exp(-s))
            other = own * mpmath.exp(-s)
            least = {2: 2 * own, 3: 2 * own + other}.get(n, 1)
            return s * other * least - (1 - p) * n * (other - alpha / n)

        low, high = mpmath.mpf(0), mpmath.mpf(4 * n)
        for _ in range(140):
            middle = (low + high) / 2
            low, high = (middle, high) if balance(middle) < 0 else (low, middle)
        own = 1 / (1 + (n - 1) * mpmath.exp(-low))
        decay = (own * mpmath.exp(-low) - alpha / n) * low ** (1 - p) * mpmath.mpf(n) ** (p / 2) / 2
        assert mdt.etf_stability_margin(n, layers, smoothing) == pytest.approx(float(low), rel=1e-12)
        assert mdt.etf_stability_decay(n, layers, smoothing) == pytest.approx(float(decay), rel=1e-11)


def test_thresholds_of_one_layer_are_those_of_collapse():
    for n in (2, 3, 7):
        ufm = mdt.UFM(mdt.CrossEntropy(smoothing=0.1), num_classes=n, weight_decay=0.01, feature_decay=0.01)
        assert mdt.etf_stability_margin(n, 1, 0.1) == 0.0
        assert mdt.etf_stability_decay(n, 1, 0.1) == pytest.approx(mdt.collapse_threshold(ufm), rel=1e-12)


def test_thresholds_broadcast():
    found = mdt.etf_stability_decay([[3], [10]], [1, 2, 5], 0.1)
    assert found.shape == (2, 3)
    assert found[1, 2] == mdt.etf_stability_decay(10, 5, 0.1)


# From another implementation: crossings in the cost beta of the singular values.
@pytest.mark.parametrize(
    ("n", "layers", "first", "second", "smoothing", "beta"),
    [
        (4, 2, "simplex", "pairs", 0.0, 0.02800294),
        (4, 2, "pairs", "zero", 0.0, 0.38088732),
        (4, 3, "pairs", "zero", 0.0, 0.40293362),
        (5, 2, "polygon", "zero", 0.0, 0.35638486),
        (6, 2, "pairs", "polygon", 0.0, 0.30462229),
        (6, 2, "polygon", "zero", 0.0, 0.33573403),
        (6, 3, "pairs", "polygon", 0.0, 0.21944967),
        (6, 2, "simplex", "pairs", 0.1, 0.06083217),
        (4, 2, "simplex", "pairs", 0.1, 0.15040402),
        (10, 3, "simplex", "pairs", 0.1, 0.01328597),
    ],
)
def test_crossings_of_arrangements(n, layers, first, second, smoothing, beta):
    found = (layers + 1) * mdt.structure_crossing(first, second, n, layers, smoothing)
    assert found == pytest.approx(beta, abs=6e-9)
    assert (layers + 1) * mdt.structure_crossing(second, first, n, layers, smoothing) == pytest.approx(found, rel=1e-9)


def test_the_simplex_vanishes_where_it_is_known_to():
    # L = N - 1: s = 2 log(N - 1) exactly.
    for n in (3, 4, 8):
        p = 2 / n
        beta = np.log(n - 1) / ((n - 1) * n ** (-p / 2) * (2 * np.log(n - 1)) ** p)
        assert n * mdt.structure_crossing("simplex", "zero", n, n - 1) == pytest.approx(beta, rel=1e-12)
    # One layer: the threshold of collapse.
    assert mdt.structure_crossing("simplex", "zero", 5, 1) == pytest.approx(1 / (2 * np.sqrt(5)), rel=1e-12)


@pytest.mark.parametrize("structure", ["simplex", "pairs", "polygon"])
def test_values_are_those_of_a_grid_and_above_the_optimum(structure):
    n, layers, smoothing = 6, 2, 0.05
    decay = np.array([1e-4, 1e-3, 1e-2, 0.05, 0.2])
    angle = 2 * np.pi * np.arange(n) / n
    logits = {
        "simplex": np.eye(n)[0] - 1 / n,
        "pairs": np.eye(n)[0] - np.eye(n)[1],
        "polygon": np.cos(angle),
    }[structure]
    matrix = {
        "simplex": np.eye(n) - 1 / n,
        "pairs": np.kron(np.eye(3), [[1, -1], [-1, 1]]),
        "polygon": np.cos(angle[:, None] - angle),
    }[structure]
    powers = np.linalg.svd(matrix / np.sqrt(n), compute_uv=False)
    powers = np.sum(powers[powers > 1e-9] ** (2 / 3))
    s = np.linspace(0, 60, 300_001)
    y = (1 - smoothing) * np.eye(n)[0] + smoothing / n
    loss = np.log(np.exp(s[:, None] * (logits - logits[0])).sum(axis=1)) + s * (logits[0] - logits @ y)
    found = mdt.structure_value(structure, n, layers, decay, smoothing)
    for d, value in zip(decay, found, strict=True):
        assert value == pytest.approx(np.min(loss + 3 * d * powers * s ** (2 / 3)), abs=1e-7)
        problem = mdt.DeepUFM(
            mdt.CrossEntropy(smoothing=smoothing), num_classes=n, layers=layers, weight_decay=d, feature_decay=d
        )
        assert mdt.solve(problem).objective <= value * (1 + 1e-9)


def test_certified_decays_lie_below_the_crossing_with_pairs():
    for n, layers in ((4, 2), (6, 3), (10, 2)):
        certified = mdt.etf_certified_decay(n, layers, 0.1)
        assert 0 < certified < mdt.structure_crossing("simplex", "pairs", n, layers, 0.1)
        assert certified < mdt.etf_stability_decay(n, layers, 0.1)


def test_no_crossing_is_not_a_number():
    assert np.isnan(mdt.structure_crossing("simplex", "polygon", 4, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mdt.etf_stability_margin(1, 2), "num_classes"),
        (lambda: mdt.etf_stability_margin(4, 0), "layers"),
        (lambda: mdt.etf_stability_decay(4, 2, 1.0), "smoothing"),
        (lambda: mdt.etf_stability_decay([4, 5], [2, 3, 4]), "broadcast|shape"),
        (lambda: mdt.structure_value("pairs", 5, 2, 0.1), "even"),
        (lambda: mdt.structure_value("polygon", 2, 2, 0.1), "polygon"),
        (lambda: mdt.structure_value("cube", 8, 2, 0.1), "structure"),
        (lambda: mdt.structure_value("pairs", 6, 2, 0.0), "decay"),
        (lambda: mdt.structure_crossing("pairs", "pairs", 6, 2), "another"),
        (lambda: mdt.structure_crossing("pairs", "none", 6, 2), "second"),
        (lambda: mdt.etf_certified_decay(6, 2, 0.0), "smoothing"),
        (lambda: mdt.etf_certified_decay(6, 1, 0.1), "layers"),
        (lambda: mdt.etf_certified_decay(2, 2, 0.1), "num_classes"),
        (lambda: mdt.etf_certified_decay([6, 8], 2, 0.1), "one number"),
    ],
)
def test_numbers_out_of_their_domain_are_refused(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        call()
