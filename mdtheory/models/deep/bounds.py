r"""Lower bounds on the deep linear features model; no answer is needed but its value, and any value will do.

**Chord.** With S the largest singular value, :math:`\sigma^p \ge S^{p-1}\sigma`, so that V is at least the optimum of one layer whose nuclear norm costs
:math:`\beta S^{p-1}`, and at least :math:`\min\ell + \beta S^p`; S is at most :math:`((V_{up} - \min\ell)/\beta)^{1/p}`. On each cell of S the larger of both.

**Signs.** For balanced one-hot labels and cross-entropy :math:`CE(Z) \ge \frac{N-2}{N}\log(1 + e^{-\sqrt{2N}\sigma_2(X)})`: a matrix of rank one gives two classes of one sign no margin.

**Smoothing.** With the ETF's own singular value :math:`\sigma`, :math:`x^p \ge (2-p)\sigma^{p-1}x - (1-p)\sigma^{p-2}x^2` for all x >= 0 with equality at zero and :math:`\sigma`, and
:math:`\|X\|_* \ge \mathrm{tr} X`: V is at least the least value over one column z with sum zero of

.. math:: CE(z) + \beta(2-p)\sigma^{p-1}\sqrt N z_1 - \beta(1-p)\sigma^{p-2}|z|^2, \qquad
    \tfrac1N CE(z) + \beta(|z|^2/N)^{p/2} \le V_{up} - \tfrac{N-1}N\min\ell,

where at most one of the wrong logits differs from the others: two variables, by branch and bound with tangents of the convex part. If that is the ETF's value, the ETF is optimal.
See `derivations/deep_features.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import CrossEntropy, LabelRelaxation, MeanSquaredError, SquaredHinge
from mdtheory.losses.label_loss import LabelLoss
from mdtheory.models.deep.problem import DeepUFM

_CELLS = 48
_LOSS_MARGIN = 1e-12
# Of branch and bound in two variables.
_MOST_CELLS, _ROUNDS = 200_000, 60


def lower_bound(problem: DeepUFM, value: float) -> float:
    """The best of the bounds, for an objective `value` of any answer."""
    if problem.layers == 1:
        return float(problem.shallow_solution(problem.cost).lower_bound)
    if problem.is_squared_error:
        return squared_error(problem)[0]
    if least_loss(problem) == -np.inf:
        return -np.inf
    if problem.num_classes == 2 and problem.balanced:
        return _rank_one(problem, value)
    bound = _chord(problem, value)
    if problem.balanced and _smoothing(problem) > 0.0:
        bound = max(bound, column_bound(problem, value))
    return bound


# ------------------------------------------------------------------------------ squared error


def squared_error(problem: DeepUFM) -> tuple[float, FloatArray]:
    """The optimum of the squared error, and its logits: one scalar problem for each singular value of ``Y diag(sqrt pi)``.

    Of ``(x - y)^2/2 + beta x^p``: zero, or the larger stationary point, in the part where it is convex. By von Neumann's inequality the
    singular vectors are those of the labels. Rounded down by more than the sums can lose.
    """
    root = np.sqrt(problem.proportions)
    target = LabelLoss(problem.loss, problem.labels, problem.proportions)
    # The label vector that the loss compares with, whatever its smoothing.
    goal = -target.gradient(np.zeros(problem.labels.shape))
    u, y, vt = np.linalg.svd(goal * root, full_matrices=False)
    x = shrink(y, problem.cost, problem.exponent)
    rest = target.value(np.zeros(goal.shape)) - 0.5 * float(np.sum(y**2))
    terms = 0.5 * (x - y) ** 2 + problem.cost * np.where(x > 0, x, 0.0) ** problem.exponent
    value = rest + float(np.sum(terms))
    rounding = 8.0 * np.finfo(float).eps * (abs(rest) + float(np.sum(y**2 + terms)))
    return value - rounding, (u * x) @ vt / root


def shrink(y: FloatArray, cost: float, exponent: float) -> FloatArray:
    """The minimiser x >= 0 of ``(x - y)^2/2 + cost x^p``, for each y >= 0."""
    y = np.asarray(y, dtype=np.float64)
    if exponent == 1.0:
        return np.asarray(np.maximum(y - cost, 0.0))
    # Convex from here on; before it x = 0 is the only local minimum.
    turn = (cost * exponent * (1.0 - exponent)) ** (1.0 / (2.0 - exponent))
    low, high = np.full(y.shape, turn), np.maximum(y, turn)
    for _ in range(200):
        middle = 0.5 * (low + high)
        falling = middle - y + cost * exponent * middle ** (exponent - 1.0) < 0.0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    x = 0.5 * (low + high)
    better = 0.5 * (x - y) ** 2 + cost * x**exponent < 0.5 * y**2
    return np.asarray(np.where(better & (y > turn), x, 0.0))


# ------------------------------------------------------------------------------ chord and signs


def least_loss(problem: DeepUFM) -> float:
    """Below the loss of any logits: the entropy of the labels for cross-entropy, zero for losses that are never negative.

    Minus infinity for any other loss, of which nothing is known: then there is no bound.
    """
    if not isinstance(problem.loss, CrossEntropy):
        return 0.0 if isinstance(problem.loss, (LabelRelaxation, SquaredHinge, MeanSquaredError)) else -np.inf
    smoothing, n = float(problem.loss.smoothing), problem.num_classes
    y = (1.0 - smoothing) * problem.labels + smoothing / n
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.sum(np.where(y > 0, y * np.log(y), 0.0), axis=0)
    return float(problem.proportions @ entropy) * (1.0 - _LOSS_MARGIN)


def _chord(problem: DeepUFM, value: float) -> float:
    floor, beta, p = least_loss(problem), problem.cost, problem.exponent
    largest = (max(value - floor, 0.0) / beta) ** (1.0 / p)
    if largest == 0.0:
        return floor
    # The answer zero belongs to the first cell.
    edges = largest * np.linspace(0.0, 1.0, _CELLS + 1) ** 1.5
    signs = _second_value_bound(problem, edges[1:]) if _has_sign_lemma(problem) else np.full(_CELLS, floor)
    # A matrix of rank one is its own largest singular value.
    plain = beta * edges[:-1] ** p + np.maximum(signs, floor)
    costs = beta * edges[1:] ** (p - 1.0)
    chord = _shallow_bounds(problem, costs)
    return float(np.min(np.maximum(plain, chord)))


def _shallow_bounds(problem: DeepUFM, costs: FloatArray) -> FloatArray:
    """Lower bounds on the optimum of one layer, for each cost of the nuclear norm."""
    if problem.balanced:
        return np.asarray(problem.shallow_solution(costs).lower_bound)
    return np.array([float(problem.shallow_solution(float(cost)).lower_bound) for cost in costs])


def _smoothing(problem: DeepUFM) -> float:
    """Of cross-entropy; not a number for any other loss."""
    return float(problem.loss.smoothing) if isinstance(problem.loss, CrossEntropy) else float("nan")


def _has_sign_lemma(problem: DeepUFM) -> bool:
    return problem.balanced and _smoothing(problem) == 0.0 and problem.num_classes > 2


def _second_value_bound(problem: DeepUFM, largest: FloatArray) -> FloatArray:
    """Below ``CE + beta sigma_2^p`` for sigma_2 up to each of `largest`: least at the ends of small cells of sigma_2."""
    n, beta, p = problem.num_classes, problem.cost, problem.exponent
    t = float(np.max(largest)) * np.linspace(0.0, 1.0, 4001) ** 2
    loss = (n - 2) / n * np.logaddexp(0.0, -np.sqrt(2.0 * n) * t)
    # The loss falls and the cost rises: in a cell both at their least.
    cells = loss[1:] + beta * t[:-1] ** p
    least = np.minimum.accumulate(cells)
    return np.asarray(least[np.clip(np.searchsorted(t[1:], largest), 0, cells.size - 1)])


def _rank_one(problem: DeepUFM, value: float) -> float:
    """Two classes have one singular value: a search of one variable, in small cells of it, with the loss of one layer's answers below the loss."""
    floor, beta, p = least_loss(problem), problem.cost, problem.exponent
    largest = (max(value - floor, 0.0) / beta) ** (1.0 / p) * (1.0 + 1e-12)
    loss = LabelLoss(problem.loss, problem.labels, problem.proportions)
    root = np.sqrt(problem.proportions)

    def at(size: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The loss along the symmetric logits, convex in the singular value and least there, and its slope."""
        values, slopes = [], []
        direction = np.array([[1.0, -1.0], [-1.0, 1.0]]) / 2.0 / root
        for s in size:
            values.append(loss.value(s * direction))
            slopes.append(float(np.sum(loss.gradient(s * direction) * problem.proportions * direction)))
        return np.array(values), np.array(slopes)

    left, right = np.array([0.0]), np.array([largest])
    settled = np.inf
    for _ in range(_ROUNDS):
        middle = 0.5 * (left + right)
        f, slope = at(middle)
        # A tangent of the loss and a concave cost: least at an end.
        ends = [f + slope * (e - middle) + beta * e**p for e in (left, right)]
        bound = np.minimum(*ends)
        open_ = bound < value - 1e-13 * abs(value)
        settled = min(settled, float(np.min(bound[~open_], initial=np.inf)))
        if not np.any(open_) or left.size > 4000:
            return min(settled, float(np.min(bound[open_], initial=np.inf)))
        narrow = right - left < 1e-9 * largest
        if np.all(narrow | ~open_):
            return min(settled, float(np.min(bound[open_])))
        left, right, middle = left[open_], right[open_], middle[open_]
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return min(settled, float(np.min(bound)))


# ------------------------------------------------------------------------------ one column, with smoothing


@dataclass(frozen=True, slots=True)
class _Column:
    """The function of one column, in its own logit a and one wrong logit b; the others are ``-(a + b)/(N - 2)``."""

    n: int
    smoothing: float
    linear: float
    square: float
    cost: float
    exponent: float
    budget: float

    def logits(self, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        return a, b, -(a + b) / (self.n - 2.0)

    def weights(self, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The loss, and the probabilities (3, ...) of the own class, of the one and of each of the others."""
        z = np.stack(self.logits(a, b))
        total = logsumexp(z, axis=0, b=np.array([1.0, 1.0, self.n - 2.0]).reshape(3, *(1,) * np.ndim(a)))
        # With sum zero the smoothed part of the labels is worth nothing.
        return total - (1.0 - self.smoothing) * a, np.exp(z - total)

    def value(self, a: FloatArray, b: FloatArray) -> FloatArray:
        return self.weights(a, b)[0] + self.linear * a - self.square * self.norm(a, b)

    def norm(self, a: FloatArray, b: FloatArray) -> FloatArray:
        return np.asarray(a**2 + b**2 + (a + b) ** 2 / (self.n - 2.0))

    def spent(self, loss: FloatArray, square: FloatArray) -> FloatArray:
        """What an answer with such a column costs at least, but for the loss of all others: above `budget` it is no better than what is known."""
        return np.asarray(loss / self.n + self.cost * (square / self.n) ** (0.5 * self.exponent))

    def slopes(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of the loss in a and b, from the probabilities."""
        return p[0] - p[2] - (1.0 - self.smoothing), p[1] - p[2]

    def convex_around(self, a: float, b: float, half: float) -> bool:
        """Whether the function is strictly convex on the square: softmax Hessians fall by no more than ``e^(-2 step)``."""
        _, p = self.weights(np.asarray(a), np.asarray(b))
        own, one, other = (float(x) for x in p)
        m = self.n - 2.0
        # The variance of (da, db, -(da + db)/m), as a form in da, db.
        mean = np.array([own - other, one - other])
        form = np.array([[own + other / m, other / m], [other / m, one + other / m]]) - np.outer(mean, mean)
        step = half * max(1.0, 2.0 / m)
        size = np.array([[1.0 + 1.0 / m, 1.0 / m], [1.0 / m, 1.0 + 1.0 / m]])
        return bool(np.linalg.eigvalsh(np.exp(-2.0 * step) * form - 2.0 * self.square * size)[0] > 0.0)


def column_bound(problem: DeepUFM, value: float) -> float:
    """The bound of one column; the ETF's own value where that is optimal, minus infinity where there is no ETF to compare with."""
    n, beta, p = problem.num_classes, problem.cost, problem.exponent
    margin = etf_margin(problem)
    if margin is None or n < 3:
        return -np.inf
    smoothing, sigma = _smoothing(problem), margin / np.sqrt(n)
    floor = least_loss(problem)
    column = _Column(
        n,
        smoothing,
        linear=beta * (2.0 - p) * sigma ** (p - 1.0) * np.sqrt(n),
        square=beta * (1.0 - p) * sigma ** (p - 2.0),
        cost=beta,
        exponent=p,
        budget=value * (1.0 + _LOSS_MARGIN) - floor * (n - 1.0) / n,
    )
    a, b = margin * (n - 1.0) / n, -margin / n
    etf = float(column.value(np.asarray(a), np.asarray(b)))
    half = 1.0
    while half > 1e-9 and not column.convex_around(a, b, half):
        half *= 0.5
    reach = np.sqrt(n) * (max(column.budget - floor / n, 0.0) / beta) ** (1.0 / p)
    return min(etf, _least_outside(column, (a, b), half if half > 1e-9 else 0.0, reach, etf)) - 1e-13 * abs(etf)


def _least_outside(column: _Column, at: tuple[float, float], half: float, reach: float, target: float) -> float:
    """Below the function on what is within the budget, outside a square in which it is convex with its minimum `at`; no more than `target` is wanted."""
    low, high = np.array([[-reach, -reach]]), np.array([[reach, reach]])
    settled = np.inf
    for _ in range(_ROUNDS):
        middle, size = 0.5 * (low + high), 0.5 * (high - low)
        loss, p = column.weights(middle[:, 0], middle[:, 1])
        slope = column.slopes(p)
        corners, floors = [], []
        for i in (-1.0, 1.0):
            for j in (-1.0, 1.0):
                da, db = i * size[:, 0], j * size[:, 1]
                x, y = middle[:, 0] + da, middle[:, 1] + db
                floors.append(loss + slope[0] * da + slope[1] * db)
                corners.append(floors[-1] + column.linear * x - column.square * column.norm(x, y))
        bound, floor = np.min(corners, axis=0), np.min(floors, axis=0)
        nearest = np.clip(0.0, low, high)
        # The third part of the norm as well, with the sum of both coordinates nearest to zero.
        total = np.clip(0.0, low.sum(axis=1), high.sum(axis=1))
        square = np.sum(nearest**2, axis=1) + total**2 / (column.n - 2.0)
        outside = column.spent(np.maximum(floor, 0.0), square) > column.budget
        inside = np.all((low >= np.array(at) - half) & (high <= np.array(at) + half), axis=1)
        open_ = ~outside & ~inside & (bound < target)
        settled = min(settled, float(np.min(bound[~open_ & ~outside & ~inside], initial=np.inf)))
        if not np.any(open_):
            return settled
        if np.sum(open_) > _MOST_CELLS or float(np.max(size)) < 1e-12 * reach:
            return min(settled, float(np.min(bound[open_])))
        met = open_ & (column.spent(loss, column.norm(middle[:, 0], middle[:, 1])) <= column.budget)
        least = float(np.min(column.value(middle[met, 0], middle[met, 1]), initial=np.inf))
        if least < target - 1e-9 * abs(target) and np.sum(open_) > 4000:
            # Something is better than the ETF: what is left is worth no more work.
            return min(settled, float(np.min(bound[open_])))
        low, high = _halved(low[open_], high[open_])
    return min(settled, float(np.min(bound)))


def _halved(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    middle = 0.5 * (low + high)
    lows, highs = [], []
    for i in (0, 1):
        for j in (0, 1):
            pick: NDArray[np.bool_] = np.array([bool(i), bool(j)])
            lows.append(np.where(pick, middle, low))
            highs.append(np.where(pick, high, middle))
    return np.concatenate(lows), np.concatenate(highs)


def etf_margin(problem: DeepUFM) -> float | None:
    """The larger margin at which the ETF is stationary, of balanced cross-entropy; None where it collapses."""
    n, p, decay = problem.num_classes, problem.exponent, problem.decay
    smoothing = _smoothing(problem)
    s = np.linspace(0.0, 1.0, 20_001)[1:] * _largest_margin(n, p, decay, smoothing)
    force = _excess(s, n, smoothing) * s ** (1.0 - p) * n ** (0.5 * p) / 2.0 - decay
    above = np.flatnonzero(force > 0.0)
    if above.size == 0 or above[-1] == s.size - 1:
        return None
    low, high = float(s[above[-1]]), float(s[above[-1] + 1])
    for _ in range(100):
        middle = 0.5 * (low + high)
        if _excess(np.asarray(middle), n, smoothing) * middle ** (1.0 - p) * n ** (0.5 * p) / 2.0 > decay:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _excess(s: FloatArray, n: int, smoothing: float) -> FloatArray:
    """``q - alpha/N``: what the probability of a wrong class exceeds its label by."""
    return np.asarray(np.exp(-s) / (1.0 + (n - 1.0) * np.exp(-s)) - smoothing / n)


def _largest_margin(n: int, p: float, decay: float, smoothing: float) -> float:
    if smoothing > 0:
        return float(np.log((n - (n - 1) * smoothing) / smoothing)) * (1.0 + 1e-9)
    s = 1.0
    while float(_excess(np.asarray(s), n, 0.0)) * s ** (1.0 - p) * n ** (0.5 * p) / 2.0 > decay or s < n:
        s *= 2.0
    return s
