"""The max-margin problem against a conic solver, brute force in both factors, its dual, and cross-entropy."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.linalg import pinvh, sqrtm
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

import mdtheory as mdt
from mdtheory.models.max_margin.problem import MaxMargin
from mdtheory.models.max_margin.solving import (
    MaxMarginSolution,
    direction_distance,
    max_margin_programme,
    soft_label_limit,
    solve_max_margin,
)

EPS = np.finfo(np.float64).eps
UNEQUAL = {
    2: [0.8, 0.2],
    3: [0.6, 0.3, 0.1],
    4: [0.6, 0.25, 0.1, 0.05],
    5: [0.5, 0.2, 0.2, 0.05, 0.05],
    6: [0.4, 0.3, 0.1, 0.1, 0.08, 0.02],
}
STEEP = [0.6, 0.25, 0.1, 0.05]
each_setting = pytest.mark.parametrize("nonnegative", [False, True], ids=["free", "nonnegative"])


def random_proportions(generator, classes, decades):
    proportions = 10.0 ** generator.uniform(-decades, 0.0, classes)
    return proportions / np.sum(proportions)


def centring(classes):
    return np.eye(classes) - 1.0 / classes


def laplacian_root(column_weights):
    """The square root of ``L = (C diag(w^2) C)^+``, by a numerical pseudo-inverse."""
    n = len(column_weights)
    c = centring(n)
    # J/N, its own square root, fills the null space, where sqrtm warns.
    return sqrtm(pinvh(c @ np.diag(np.square(column_weights)) @ c) + 1.0 / n).real - 1.0 / n


def multipliers(problem):
    """The multiplier of every margin constraint at the optimum; ones on the diagonal, which has no constraint."""
    n, roots = problem.num_classes, np.sqrt(problem.proportions)
    if problem.nonnegative:
        beta = np.tile(roots / np.sqrt(n * (n - 1.0)), (n, 1))
    else:
        columns = roots * problem.required_margins
        beta = -laplacian_root(columns) * columns * roots
    np.fill_diagonal(beta, 1.0)
    return beta


# ------------------------------------------------------------------ the optimum


@each_setting
@pytest.mark.parametrize("temperatures", [False, True], ids=["plain", "temperatures"])
@pytest.mark.parametrize("classes", sorted(UNEQUAL))
def test_closed_form_is_the_optimum_of_the_conic_programme(classes, temperatures, nonnegative):
    problem = MaxMargin(
        num_classes=classes,
        class_weights=UNEQUAL[classes],
        nonnegative=nonnegative,
        label_temperatures=np.linspace(0.5, 2.0, classes) if temperatures else None,
    )
    exact, (logits, value) = solve_max_margin(problem), max_margin_programme(problem)
    conic = MaxMarginSolution(problem, "convex", logits)
    assert conic.status is mdt.Status.OPTIMAL
    assert value == pytest.approx(exact.objective, abs=1e-8)
    assert conic.objective == pytest.approx(exact.objective, abs=1e-8)
    # An excess of the objective is at least the multipliers times the slacks, and the slacks determine the logits.
    excess = max(conic.objective - exact.objective, 0.0) + 16 * EPS
    slack = np.diagonal(conic.logits) - conic.logits - problem.required_margins
    np.fill_diagonal(slack, 0.0)
    assert np.min(slack) >= -16 * EPS
    allowed = excess / np.min(multipliers(problem))
    assert np.max(np.abs(conic.logits - exact.logits)) <= allowed + 16 * EPS
    assert allowed <= 1e-6


@pytest.mark.parametrize("classes", [2, 3, 4])
@each_setting
def test_closed_form_is_the_optimum_over_both_factors_by_brute_force(classes, nonnegative):
    proportions = np.array(UNEQUAL[classes])
    solution = solve_max_margin(MaxMargin(num_classes=classes, class_weights=proportions, nonnegative=nonnegative))
    best, logits = brute_force(proportions, nonnegative)
    assert best == pytest.approx(solution.objective, rel=1e-10)
    # Slacks are at most an excess over the multipliers, as above; constraints hold to 1e-9.
    beta = np.min(multipliers(solution.problem))
    assert np.max(np.abs(logits - solution.logits)) <= 1e-10 * solution.objective / beta + 1e-9


def test_the_conic_method_returns_the_answer_of_the_programme():
    problem = MaxMargin(num_classes=3, class_weights=UNEQUAL[3])
    solution = solve_max_margin(problem, method="convex")
    assert solution.method == "convex"
    np.testing.assert_array_equal(solution.logits, max_margin_programme(problem)[0])


def brute_force(proportions, nonnegative):
    """The least half squared norms over W and H themselves, by sequential quadratic programming from several starts."""
    n = len(proportions)
    others = ~np.eye(n, dtype=bool)

    def split(x):
        return x[: n * n].reshape(n, n), x[n * n :].reshape(n, n)

    def value(x):
        w, h = split(x)
        return 0.5 * np.sum(w**2) + 0.5 * np.sum(proportions * h**2)

    def gradient(x):
        w, h = split(x)
        return np.concatenate([w.ravel(), (proportions * h).ravel()])

    def slack(x):
        w, h = split(x)
        z = w @ h
        return (np.diagonal(z) - z - 1.0)[others]

    bounds = [(None, None)] * (n * n) + [(0.0 if nonnegative else None, None)] * (n * n)
    generator, answers = np.random.default_rng(0), []
    for _ in range(6):
        start = np.concatenate([generator.normal(size=n * n), np.abs(generator.normal(size=n * n))])
        found = minimize(
            value,
            start,
            jac=gradient,
            bounds=bounds,
            constraints={"type": "ineq", "fun": slack},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        if np.min(slack(found.x)) > -1e-9:
            answers.append((found.fun, found.x))
    best, x = min(answers, key=lambda answer: answer[0])
    w, h = split(x)
    return best, centring(n) @ w @ h


@each_setting
def test_duality_gap_is_at_rounding_level_for_all_proportions(nonnegative):
    generator = np.random.default_rng(1)
    for trial in range(200):
        classes = int(generator.integers(2, 51))
        temperatures = 10.0 ** generator.uniform(-1.0, 1.0, classes) if trial % 3 == 0 else None
        problem = MaxMargin(
            num_classes=classes,
            class_weights=random_proportions(generator, classes, 12.0 if trial % 2 else 2.0),
            nonnegative=nonnegative,
            label_temperatures=temperatures,
        )
        solution = solve_max_margin(problem)
        # A backward stable decomposition moves each of the N - 1 singular values by a few eps of the largest.
        assert abs(solution.gap) <= 4 * (classes + 10) * EPS * solution.objective
        assert solution.status is mdt.Status.OPTIMAL
        assert np.allclose(solution.margins, problem.required_margins, rtol=8 * EPS, atol=0)


def test_a_thousand_classes():
    problem = MaxMargin(num_classes=1000, class_weights=random_proportions(np.random.default_rng(2), 1000, 2.0))
    solution, roots = solve_max_margin(problem), np.sqrt(problem.proportions)
    squared = np.linalg.eigvalsh(roots[:, None] * centring(1000) * roots)[1:]
    # An eigenvalue off by a few eps of the largest moves its root by that over twice the root.
    rounding = 8 * EPS * squared[-1] * np.sum(0.5 / np.sqrt(squared))
    assert solution.objective == pytest.approx(np.sum(np.sqrt(squared)), abs=rounding)
    assert abs(solution.gap) <= 4 * 1010 * EPS * solution.objective


@each_setting
def test_hinge_of_small_decay_costs_the_max_margin_optimum(nonnegative):
    decays = {"weight_decay": 1e-4, "feature_decay": 4e-4}
    weights = {"class_weights": STEEP} if nonnegative else {}
    model = mdt.UFM(mdt.Hinge(), num_classes=4, nonnegative=nonnegative, **decays, **weights)
    limit = solve_max_margin(MaxMargin(num_classes=4, nonnegative=nonnegative, **weights))
    assert mdt.solve(model).objective == pytest.approx(2.0 * model.mu * limit.objective, rel=1e-14)


@each_setting
def test_wrong_answers_have_valid_bounds_and_say_so(nonnegative):
    generator = np.random.default_rng(3)
    for _ in range(50):
        classes = int(generator.integers(2, 9))
        problem = MaxMargin(
            num_classes=classes,
            class_weights=random_proportions(generator, classes, 2.0),
            nonnegative=nonnegative,
        )
        optimum = solve_max_margin(problem).objective
        wrong = generator.normal(size=(classes, classes))
        wrong = centring(classes) @ (wrong + np.diag(np.max(wrong, axis=0) - np.diagonal(wrong) + 1.5))
        solution = MaxMarginSolution(problem, "guess", wrong)
        assert np.all(solution.margins >= 1.0)
        assert 0.0 <= solution.lower_bound <= optimum * (1 + 100 * EPS)
        assert solution.objective > optimum * (1 + 1e-3)
        assert solution.status is mdt.Status.INACCURATE


# ------------------------------------------------------------------ the geometry


@pytest.mark.parametrize("temperatures", [None, np.array([2.0, 1.0, 0.5, 0.7])], ids=["plain", "temperatures"])
def test_gram_matrices_of_the_seli_geometry(temperatures):
    problem = MaxMargin(num_classes=4, class_weights=STEEP, label_temperatures=temperatures)
    solution, c = solve_max_margin(problem), centring(4)
    columns = np.sqrt(problem.proportions) * problem.required_margins
    root, margins = laplacian_root(columns), problem.required_margins
    means, weights = solution.class_means, solution.weights
    assert means.shape == (3, 4)
    assert weights.shape == (4, 3)
    np.testing.assert_allclose(weights @ weights.T, root @ c @ np.diag(columns**2) @ c, atol=1e-13)
    np.testing.assert_allclose(means.T @ means, margins[:, None] * root * margins, atol=1e-12)
    np.testing.assert_allclose(weights @ means, solution.logits, atol=1e-13)
    assert np.all((means.T @ means)[~np.eye(4, dtype=bool)] < 0)


@each_setting
def test_factors_have_the_logits_and_the_cost(nonnegative):
    problem = MaxMargin(num_classes=5, class_weights=UNEQUAL[5], nonnegative=nonnegative)
    solution = solve_max_margin(problem)
    w, h = solution.weights, solution.class_means
    np.testing.assert_allclose(w @ h, solution.logits, atol=1e-14)
    features = np.sum(problem.proportions * h**2)
    assert np.sum(w**2) == pytest.approx(solution.objective, rel=1e-13)
    assert features == pytest.approx(solution.objective, rel=1e-13)
    if nonnegative:
        assert np.all(h >= 0)
        assert np.count_nonzero(h.T @ h) == 5


def test_balanced_free_classes_are_a_simplex_etf():
    solution = solve_max_margin(MaxMargin(num_classes=7))
    gram = solution.class_means.T @ solution.class_means
    np.testing.assert_allclose(gram, np.sqrt(7.0) * centring(7), atol=1e-14)
    assert solution.objective == pytest.approx(6.0 / np.sqrt(7.0), rel=1e-14)
    assert solution.geometry == "simplex-etf"
    assert solve_max_margin(MaxMargin(num_classes=2, class_weights=[0.7, 0.3])).geometry == "seli"
    assert solve_max_margin(MaxMargin(num_classes=2, nonnegative=True)).geometry == "orthogonal-frame"


def test_tiny_classes_stay_finite():
    tiny = [1.0 - 2e-30, 1e-30, 1e-30]
    for nonnegative in (False, True):
        solution = solve_max_margin(MaxMargin(num_classes=3, class_weights=tiny, nonnegative=nonnegative))
        assert abs(solution.gap) <= 60 * EPS * solution.objective
        assert np.all(np.isfinite(solution.class_means))


# ------------------------------------------------------------------ cross-entropy of small decay


def cross_entropy_logits(proportions, decay, labels=None):
    """Centred logits that minimise cross-entropy with decay t = 2 mu, by quasi-Newton steps in W and H themselves.

    The objective is divided by t for one-hot labels, so that it does not vanish with t.
    """
    n = len(proportions)
    one_hot = labels is None
    labels, unit = (np.eye(n), decay) if one_hot else (labels, 1.0)

    def value(x):
        w, h = x[: n * n].reshape(n, n), x[n * n :].reshape(n, n)
        z = w @ h
        if one_hot:
            gaps = np.where(np.eye(n, dtype=bool), -np.inf, z - np.diagonal(z))
            loss = np.log1p(np.sum(np.exp(gaps), axis=0))
            residual = np.exp(z - np.diagonal(z) - loss)
            np.fill_diagonal(residual, np.expm1(-loss))
        else:
            loss = -np.sum(labels * log_softmax(z, axis=0), axis=0)
            residual = softmax(z, axis=0) - labels
        slope = residual * proportions / unit
        cost = 0.5 * decay / unit
        objective = loss @ proportions / unit + cost * (np.sum(w**2) + np.sum(proportions * h**2))
        gradient = [slope @ h.T + 2 * cost * w, w.T @ slope + 2 * cost * proportions * h]
        return objective, np.concatenate([part.ravel() for part in gradient])

    scale = np.sqrt(np.log(1.0 / decay))
    start = np.concatenate([scale * centring(n).ravel(), scale * np.eye(n).ravel()])
    start = start + 0.1 * np.random.default_rng(4).normal(size=start.size)
    found = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    assert np.max(np.abs(found.jac)) <= 1e-6
    return centring(n) @ found.x[: n * n].reshape(n, n) @ found.x[n * n :].reshape(n, n)


def stationary_logits(proportions, decay):
    """The same minimiser as the fixed point ``Z = C log(Y - t polar(Z D) D^-1)`` of its optimality condition."""
    n, roots = len(proportions), np.sqrt(proportions)
    z = np.log(1.0 / decay) * centring(n)
    for _ in range(3000):
        left, _, right = np.linalg.svd(z * roots)
        probabilities = np.eye(n) - decay * (left[:, :-1] @ right[:-1]) / roots
        previous, z = z, centring(n) @ np.log(probabilities)
        if np.max(np.abs(z - previous)) <= 1e-12 * np.max(np.abs(z)):
            return z
    raise AssertionError("no fixed point")


@pytest.mark.parametrize(("decay", "expected"), [(1e-2, 0.0103), (1e-4, 0.00325), (1e-8, 0.00095)])
def test_cross_entropy_turns_to_the_limit_only_logarithmically(decay, expected):
    limit = solve_max_margin(MaxMargin(num_classes=4, class_weights=STEEP)).logits
    logits = cross_entropy_logits(np.array(STEEP), decay)
    assert direction_distance(logits, limit) == pytest.approx(expected, rel=6e-3)
    np.testing.assert_allclose(logits, stationary_logits(np.array(STEEP), decay), atol=1e-6)


def test_margins_of_cross_entropy_to_the_next_order():
    root = laplacian_root(np.sqrt(STEEP))
    errors = []
    for decay in (1e-16, 1e-32, 1e-64):
        logits = stationary_logits(np.array(STEEP), decay)
        margins = (np.diagonal(logits) - logits)[~np.eye(4, dtype=bool)]
        predicted = np.log(1.0 / decay) - np.log(-root[~np.eye(4, dtype=bool)])
        errors.append(np.max(np.abs(margins - predicted)))
    # The error is inverse to log(1/t), which doubles from one to the next.
    assert 1.7 <= errors[0] / errors[1] <= 2.1
    assert 1.8 <= errors[1] / errors[2] <= 2.1
    assert errors[2] <= 0.02


@pytest.mark.parametrize("proportions", [[0.7, 0.3], [0.25] * 4], ids=["two", "balanced"])
def test_two_or_balanced_classes_have_the_direction_of_the_limit_at_every_decay(proportions):
    logits = cross_entropy_logits(np.array(proportions), 0.05)
    assert direction_distance(logits, centring(len(proportions))) <= 1e-10


def test_soft_labels_of_full_support_have_a_finite_limit():
    labels = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6]])
    limit = soft_label_limit(labels)
    np.testing.assert_allclose(softmax(limit, axis=0), labels, rtol=1e-14)
    np.testing.assert_allclose(np.sum(limit, axis=0), 0.0, atol=1e-15)
    errors = [
        np.max(np.abs(cross_entropy_logits(np.array([0.5, 0.3, 0.2]), decay, labels) - limit)) for decay in (1e-3, 1e-4)
    ]
    # Proportional to the decay.
    assert 8.0 <= errors[0] / errors[1] <= 11.0
    assert errors[1] <= 1e-2


def test_soft_label_limit_accepts_more_groups_than_classes():
    assert soft_label_limit([[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]]).shape == (2, 3)


# ------------------------------------------------------------------ directions


def test_direction_distance_ignores_scale_and_column_shifts():
    generator = np.random.default_rng(5)
    first, second = generator.normal(size=(2, 4, 6))
    c = centring(4)
    a, b = c @ first, c @ second
    expected = 1.0 - np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))
    assert direction_distance(first, second) == pytest.approx(expected, rel=1e-13)
    assert direction_distance(1e200 * first + generator.normal(size=6) * 1e200, second) == pytest.approx(expected)
    assert direction_distance(first, -first) == pytest.approx(2.0, rel=1e-14)
    # Exact where one minus a cosine has cancelled to zero.
    step = 1e-9 * b / np.linalg.norm(b)
    step -= a * np.sum(a * step) / np.sum(a**2)
    small = 0.5 * np.sum(step**2) / np.sum(a**2)
    assert direction_distance(a + step, a) == pytest.approx(small, rel=1e-5)


# ------------------------------------------------------------------ records and bad input


def test_problems_are_equal_by_value_and_frozen():
    first = MaxMargin(num_classes=2, class_weights=[0.7, 0.3])
    assert first == MaxMargin(num_classes=2.0, class_weights=np.array([0.7, 0.3]))
    assert first != MaxMargin(num_classes=2)
    assert hash(first) == hash(MaxMargin(num_classes=2, class_weights=[0.7, 0.3]))
    with pytest.raises(ValueError, match="read-only"):
        first.class_weights[0] = 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 1}, "num_classes = 1.0: must be an integer from 2 to 16384"),
        ({"num_classes": 2.5}, "num_classes = 2.5"),
        ({"num_classes": [2, 3]}, "must be one integer, not an array"),
        ({"num_classes": 10**6}, "num_classes = 1000000.0"),
        ({"num_classes": 2, "nonnegative": 1}, "nonnegative = 1: must be True or False"),
        ({"num_classes": 2, "class_weights": [0.5, 0.4]}, r"must sum to 1 \(they miss it by 0.1\)"),
        ({"num_classes": 2, "class_weights": [1.0, 0.0]}, r"class_weights = 0.0: must lie in \(0, 1\]"),
        ({"num_classes": 2, "class_weights": [np.nan, 1.0]}, "class_weights = nan"),
        ({"num_classes": 3, "class_weights": [0.5, 0.5]}, r"class_weights = \(2,\): must be one-dimensional"),
        ({"num_classes": 2, "class_weights": [[0.5, 0.5]]}, r"class_weights = \(1, 2\)"),
        ({"num_classes": 2, "class_weights": 0.5}, r"class_weights = \(\)"),
        ({"num_classes": 2, "class_weights": "half"}, "class_weights = 'half'"),
        ({"num_classes": 2, "label_temperatures": [1.0, 0.0]}, "label_temperatures = 0.0: must lie in"),
        ({"num_classes": 2, "label_temperatures": [1.0, np.inf]}, "label_temperatures = inf"),
        ({"num_classes": 2, "label_temperatures": [1.0]}, r"label_temperatures = \(1,\)"),
    ],
)
def test_problems_outside_the_domain_are_refused(options, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        MaxMargin(**options)


def test_solver_options_outside_the_domain_are_refused():
    with pytest.raises(mdt.AssumptionError, match="method = 'newton': must be one of 'closed-form', 'convex'"):
        solve_max_margin(MaxMargin(num_classes=2), method="newton")
    with pytest.raises(mdt.AssumptionError, match="num_classes = 61: must be at most 60"):
        solve_max_margin(MaxMargin(num_classes=61), method="convex")
    with pytest.raises(mdt.AssumptionError, match="problem = 3: must be a MaxMargin"):
        solve_max_margin(3)


@pytest.mark.parametrize(
    ("logits", "limit", "message"),
    [
        ([[1.0, 2.0], [1.0, 2.0]], np.eye(2), "logits = .*: must have a direction"),
        (np.eye(2), np.zeros((2, 2)), "limit = .*: must have a direction"),
        (np.eye(2), np.eye(3), r"limit = \(3, 3\): must have the shape of logits"),
        ([1.0, 2.0], np.eye(2), r"logits = \(2,\): must be a matrix"),
        ([[1.0, 2.0]], np.eye(2), r"logits = \(1, 2\): must be a matrix"),
        ([[np.nan, 0.0], [0.0, 1.0]], np.eye(2), "logits = nan: must be finite"),
    ],
)
def test_matrices_without_a_direction_are_refused(logits, limit, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        direction_distance(logits, limit)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.eye(2), "label_distribution = 0.0: must lie in .*full support"),
        ([[0.5, 0.5], [0.4, 0.5]], r"column 0 must sum to 1 \(it misses it by 0.1\)"),
        ([0.5, 0.5], "must be a matrix"),
        ([[1.0, 1.0]], "must be a matrix"),
        ([[np.nan], [1.0]], "label_distribution = nan"),
    ],
)
def test_labels_without_full_support_are_refused(labels, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        soft_label_limit(labels)


def test_cvxpy_is_loaded_for_the_conic_method_only():
    code = (
        "import sys; from mdtheory.models.max_margin.problem import MaxMargin\n"
        "from mdtheory.models.max_margin.solving import solve_max_margin\n"
        "solve_max_margin(MaxMargin(num_classes=3)).gap\n"
        "sys.exit('cvxpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
