r"""Cross-entropy with soft or multiple labels that treat every class alike: one scalar gives the whole optimum.

The weighted set of labels is *exchangeable* when relabelling the classes maps it to itself: label smoothing, symmetric
label noise, mixup of balanced classes, and the pick-all-labels loss of multi-label learning are examples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb, factorial, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import wrightomega

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import (
    FloatArray,
    columns,
    fail,
    one_integer,
    one_number,
    positive,
    proportions,
    real,
)
from mdtheory.special import lambert_r_log

# Entries of labels closer than this are the same number, written in two ways.
SAME_ENTRY = 1e-12
# Columns that pick_all_labels builds before it refuses.
MOST_COLUMNS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExchangeableOptimum(Frozen):
    r"""The global minimum for exchangeable labels.

    Attributes
    ----------
    logits : array (N, K)
        Z, one column per label.
    weights, class_means : array (N, N), array (N, K)
        W and H of feature dimension N with ``W H = Z``; ``W`` is a multiple of ``I - J/N``.
    residual_slope : float
        :math:`\theta`: every column satisfies ``y - m softmax(z) = theta z``. Infinite at total collapse.
    objective, lower_bound : float
        Value of the logits, and the bound of their dual point; they agree up to rounding.
    collapse_threshold : float
        The :math:`\mu = \sqrt{\lambda_W\lambda_H}` at and above which all logits are zero.
    """

    logits: FloatArray
    weights: FloatArray
    class_means: FloatArray
    residual_slope: float
    objective: float
    lower_bound: float
    collapse_threshold: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilabelOptimum(Frozen):
    r"""The global minimum of the pick-all-labels loss with exchangeable label sets.

    Attributes
    ----------
    margins : dict of int to float
        For each size m the margin a: the logits of the set S are ``a (1_S - m/N)``.
    residual_slope, objective, lower_bound, collapse_threshold : float
        As for :class:`ExchangeableOptimum`.
    """

    margins: dict[int, float]
    residual_slope: float
    objective: float
    lower_bound: float
    collapse_threshold: float


def exchangeable_optimum(
    label_distribution: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    weight_decay: float,
    feature_decay: float,
    masses: ArrayLike | None = None,
) -> ExchangeableOptimum:
    r"""The global minimum over W and H of cross-entropy with exchangeable labels.

    .. math:: \min_{W,H} \sum_j p_j\big[m_j\,\mathrm{lse}(Wh_j) - \langle y_j, Wh_j\rangle + \lambda_H\|h_j\|^2\big]
              + \lambda_W\|W\|_F^2

    with a column of labels :math:`y_j \ge 0` of total :math:`m_j` for each group j of samples. If the weighted set of
    columns is invariant under relabelling, ``W W'`` is a multiple of ``I - J/N`` and every column solves
    :math:`y_j - m_j\,\mathrm{softmax}(z_j) = \theta z_j` with one scalar, the root of
    :math:`\theta^2\sum_j p_j\|z_j\|^2 = 4\mu^2(N-1)`. Needs feature dimension N - 1 or more. An unregularised bias
    would change nothing.

    Parameters
    ----------
    label_distribution : array (N, K)
        The columns y_j.
    weights : array (K,), optional
        Their shares p_j of the samples, positive with sum 1; equal if omitted.
    weight_decay, feature_decay : float
        Positive.
    masses : array (K,), optional
        Total loss weight m_j of each column, its sum. All one if omitted (distributions).

    Returns
    -------
    ExchangeableOptimum

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or the columns are not exchangeable.

    References
    ----------
    `derivations/exchangeable_labels.py`. Multiple labels: Li, Li, Wang, Qu, *Neural collapse in multi-label learning
    with pick-all-label loss*, ICML 2024.

    Examples
    --------
    Symmetric label noise on three balanced classes is label smoothing:

    >>> import mdtheory as mdt
    >>> found = exchangeable_optimum(0.85 * np.eye(3) + 0.05, weight_decay=1e-2, feature_decay=1e-2)
    >>> ufm = mdt.UFM(mdt.CrossEntropy(smoothing=0.15), num_classes=3, weight_decay=1e-2, feature_decay=1e-2)
    >>> bool(abs(found.objective - mdt.solve(ufm).objective) < 1e-12)
    True
    """
    labels, share, mass = _checked_columns(label_distribution, weights, masses)
    decays = one_number("weight_decay", weight_decay, positive), one_number("feature_decay", feature_decay, positive)
    kind = _kinds(labels, share)
    if kind is None:
        raise fail("label_distribution", labels.shape, "must hold a weighted set of columns that relabelling preserves")
    n = labels.shape[0]
    t = 2.0 * np.sqrt(decays[0]) * np.sqrt(decays[1])
    pull = labels - mass / n
    collapse = np.sqrt(np.sum(share * pull**2) / (n - 1))
    if t >= collapse:
        slope, logits = np.inf, np.zeros(labels.shape)
    else:
        # Relabelled columns have relabelled logits of the same length: one of each kind is enough.
        first = np.unique(kind, return_index=True)[1]
        some, some_mass, of_kind = labels[:, first], mass[first], np.bincount(kind, weights=share)
        slope = _root_of_slope(
            lambda theta: theta * np.sqrt(np.sum(of_kind * _prox(some, some_mass, theta) ** 2) / (n - 1)), t
        )
        logits = _prox(labels, mass, slope)
    spectrum = np.sqrt(np.sum(share * logits**2) / (n - 1))
    dual = mass / n - labels if np.isinf(slope) else -slope * logits
    gain = np.sqrt(spectrum) * decays[1] ** 0.25 / decays[0] ** 0.25
    return ExchangeableOptimum(
        logits=logits,
        weights=gain * (np.eye(n) - 1.0 / n),
        class_means=logits / gain if gain > 0 else logits,
        residual_slope=float(slope),
        objective=float(_value(labels, share, mass, logits) + t * (n - 1) * spectrum),
        lower_bound=_bound(labels, share, mass, dual, t),
        collapse_threshold=0.5 * float(collapse),
    )


def multilabel_optimum(
    num_classes: int, frequencies: Mapping[int, float], *, weight_decay: float, feature_decay: float
) -> MultilabelOptimum:
    r"""The global minimum of the pick-all-labels loss, without listing the label sets.

    A sample with label set S of size m pays :math:`\sum_{i\in S}` cross-entropy of class i; all sets of one size are
    equally frequent. The logits of S are :math:`a_m(1_S - m/N)` with :math:`a_m(m e^{a_m} + N - m) = N/\theta` and
    :math:`\theta^2\sum_m\omega_m a_m^2 m(N-m)/N = 4\mu^2(N-1)`; a_m is a value of the r-Lambert function. Everything
    is zero iff :math:`\sum_m\omega_m m(N-m)/(N(N-1)) \le 4\mu^2`.

    Parameters
    ----------
    num_classes : int
        N >= 2.
    frequencies : dict of int to float
        Share of the samples for each size m from 1 to N - 1; the shares sum to 1.
    weight_decay, feature_decay : float
        Positive. As in :func:`exchangeable_optimum`, without a factor 1/2.

    Returns
    -------
    MultilabelOptimum

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain.

    References
    ----------
    `derivations/exchangeable_labels.py`; Li, Li, Wang, Qu, ICML 2024 (arXiv 2310.15903).

    Examples
    --------
    >>> found = multilabel_optimum(1000, {1: 0.7, 2: 0.2, 5: 0.1}, weight_decay=5e-4, feature_decay=5e-4)
    >>> {size: round(margin, 4) for size, margin in found.margins.items()}
    {1: 10.5111, 2: 9.8814, 5: 9.0546}
    """
    n, sizes, omega = _checked_frequencies(num_classes, frequencies)
    t = 2.0 * np.sqrt(one_number("weight_decay", weight_decay, positive))
    t *= np.sqrt(one_number("feature_decay", feature_decay, positive))
    # Squared length of 1_S - m/N, and the square of the dual singular value at zero logits.
    length2 = sizes * (n - sizes) / n
    collapse = np.sqrt(np.sum(omega * length2) / (n - 1))
    if t >= collapse:
        slope, margins = np.inf, np.zeros(sizes.shape)
    else:
        slope = _root_of_slope(
            lambda theta: theta * np.sqrt(np.sum(omega * length2 * _set_margins(n, sizes, theta) ** 2) / (n - 1)), t
        )
        margins = _set_margins(n, sizes, slope)
    wrong = np.exp(-margins)
    loss = sizes * np.log(sizes + (n - sizes) * wrong)
    inside = 1.0 / (sizes + (n - sizes) * wrong)
    outside = wrong * inside
    entropy = -sizes * inside * np.log(inside) + (n - sizes) * outside * (margins - np.log(inside))
    cost = t * np.sqrt(n - 1) * np.sqrt(np.sum(omega * length2 * margins**2))
    return MultilabelOptimum(
        margins={int(m): float(a) for m, a in zip(sizes, margins, strict=True)},
        residual_slope=float(slope),
        objective=float(np.sum(omega * loss) + cost),
        lower_bound=float(np.sum(omega * sizes * entropy)),
        collapse_threshold=0.5 * float(collapse),
    )


def pick_all_labels(num_classes: int, frequencies: Mapping[int, float]) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""The label columns of multi-label data in which all sets of one size are equally frequent.

    Parameters
    ----------
    num_classes : int
        N >= 2.
    frequencies : dict of int to float
        Share of the samples for each size m from 1 to N - 1; the shares sum to 1.

    Returns
    -------
    columns : array (N, K)
        The indicators 1_S.
    weights : array (K,)
        Share of each set.
    masses : array (K,)
        Its size.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or there are more than 200000 sets.

    Examples
    --------
    >>> columns, weights, masses = pick_all_labels(3, {1: 0.6, 2: 0.4})
    >>> columns.astype(int)
    array([[1, 0, 0, 1, 1, 0],
           [0, 1, 0, 1, 0, 1],
           [0, 0, 1, 0, 1, 1]])
    """
    n, sizes, omega = _checked_frequencies(num_classes, frequencies)
    counts = [comb(n, int(m)) for m in sizes]
    if sum(counts) > MOST_COLUMNS:
        raise fail("num_classes", n, f"must leave at most {MOST_COLUMNS} label sets; multilabel_optimum needs no list")
    sets = [members for m in sizes for members in combinations(range(n), int(m))]
    columns = np.zeros((n, len(sets)))
    for column, members in enumerate(sets):
        columns[list(members), column] = 1.0
    return columns, np.repeat(omega / counts, counts), np.repeat(sizes, counts)


def is_exchangeable(
    label_distribution: ArrayLike, weights: ArrayLike | None = None, *, masses: ArrayLike | None = None
) -> bool:
    """Whether every relabelling of the classes maps the weighted set of columns to itself.

    Equal columns are added up first. The set is invariant exactly if, for each collection of entries that occurs, all
    its distinct orders occur with equal weight; their number is a multinomial coefficient, so nothing is enumerated.
    Entries are compared to 1e-12, weights to 1e-9 relative.

    Parameters
    ----------
    label_distribution : array (N, K)
    weights : array (K,), optional
        Positive with sum 1; equal if omitted.
    masses : array (K,), optional
        Sums of the columns; all one if omitted.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_exchangeable(0.7 * np.eye(3) + 0.1), is_exchangeable(0.7 * np.eye(3) + 0.1, [0.5, 0.25, 0.25])
    (True, False)
    """
    labels, share, _ = _checked_columns(label_distribution, weights, masses)
    return _kinds(labels, share) is not None


def label_matrix(name: str, value: ArrayLike) -> FloatArray:
    """`value` as a matrix (N, K) of real numbers, N >= 2 rows."""
    matrix = np.asarray(real(name, value, np.isfinite, "be finite"))
    if matrix.ndim != 2 or matrix.shape[0] < 2 or matrix.shape[1] < 1:
        raise fail(name, matrix.shape, "must be a matrix, classes by groups of samples, with at least two classes")
    return matrix


def _checked_columns(
    label_distribution: ArrayLike, weights: ArrayLike | None, masses: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    mass = None if masses is None else np.atleast_1d(np.asarray(positive("masses", masses)))
    labels = columns("label_distribution", label_distribution, totals=mass)
    count = labels.shape[1]
    return labels, proportions("weights", weights, count), np.ones(count) if mass is None else mass


def _checked_frequencies(num_classes: int, frequencies: Mapping[int, float]) -> tuple[int, FloatArray, FloatArray]:
    n = one_integer("num_classes", num_classes, 2, 2**26)
    if not isinstance(frequencies, Mapping) or not frequencies:
        raise fail("frequencies", frequencies, "must be a dict from set sizes to shares of the samples")
    given = [one_integer("frequencies", size, 1, n - 1) for size in frequencies]
    order = np.argsort(given)
    sizes = np.array(given, dtype=np.float64)[order]
    share = proportions("frequencies", list(frequencies.values()), sizes.size)[order]
    return n, sizes, share


def _kinds(labels: FloatArray, share: FloatArray) -> NDArray[np.intp] | None:
    """A number for each column, equal for columns that are relabellings of each other; None if not exchangeable."""
    distinct, place = np.unique(_entry_codes(labels), axis=1, return_inverse=True)
    total = np.bincount(place.ravel(), weights=share)
    kinds, kind = np.unique(np.sort(distinct, axis=0), axis=1, return_inverse=True)
    kind = kind.ravel()
    for index in range(kinds.shape[1]):
        of_kind = total[kind == index]
        _, repeats = np.unique(kinds[:, index], return_counts=True)
        orders = factorial(labels.shape[0]) // prod(factorial(int(count)) for count in repeats)
        if of_kind.size != orders or np.ptp(of_kind) > 1e-9 * np.max(of_kind):
            return None
    return np.asarray(kind[place.ravel()])


def _entry_codes(labels: FloatArray) -> NDArray[np.int64]:
    """The entries as integers, equal for entries that differ by rounding only."""
    values, place = np.unique(labels, return_inverse=True)
    steps = [0, *(int(b - a > SAME_ENTRY) for a, b in pairwise(values))]
    return np.asarray(np.cumsum(steps)[place].reshape(labels.shape), dtype=np.int64)


def _prox(labels: FloatArray, mass: FloatArray, theta: float) -> FloatArray:
    r"""The columns z with ``y - m softmax(z) = theta z``.

    With L = lse(z) the softmax is :math:`s_i = (\theta/m)\,\omega(y_i/\theta - L + \log(m/\theta))`, omega the Wright
    function, and ``sum z = N L + sum log s = 0`` is concave and increasing in L: Newton from L = log N is monotone.
    """
    n = labels.shape[0]
    ratio = theta / mass
    scaled = labels / theta - np.log(ratio)
    level = np.full(labels.shape[1], np.log(n))
    for _ in range(200):
        omega = wrightomega(scaled - level)
        softmax = ratio * omega
        # Both are the sum of z over theta-free terms; each cancels where the other does not.
        far = (1.0 - np.sum(softmax, axis=0)) / ratio
        near = n * level + np.sum(np.log(softmax), axis=0)
        step = np.where(ratio >= 1.0, far, near) / np.sum(omega / (1.0 + omega), axis=0)
        level = level - step
        # The second derivative is below the first, so the next error is below half the square of this step.
        if np.all(np.abs(step) <= 1e-8 * level):
            break
    else:
        raise SolverError("the logits of a label did not converge in 200 Newton steps")
    softmax = ratio * wrightomega(scaled - level)
    z = np.where(ratio >= 1.0, (labels - mass * softmax) / theta, level + np.log(softmax))
    return np.asarray(z - np.mean(z, axis=0))


def _set_margins(n: int, sizes: FloatArray, theta: float) -> FloatArray:
    """a with ``a (m e^a + N - m) = N/theta``."""
    log_sizes = np.log(sizes)
    return np.asarray(lambert_r_log(np.log(n) - np.log(theta) - log_sizes, np.log(n - sizes) - log_sizes))


def _root_of_slope(norm: Callable[[float], float], target: float) -> float:
    """The theta at which the increasing `norm` reaches `target`, which lies below its limit at infinity."""

    def excess(log_theta: float) -> float:
        return norm(float(np.exp(log_theta))) / target - 1.0

    low = high = float(np.log(target))
    while excess(low) >= 0.0:
        low -= 2.0
        if low < -670.0:
            raise SolverError(f"no residual slope found: the decays are too small (2 mu = {target:.3g})")
    while excess(high) < 0.0:
        low, high = high, high + 2.0
        if high > 40.0:
            # Indistinguishable from the collapse threshold in double precision.
            return float(np.exp(high))
    from scipy.optimize import brentq  # slow to import, and needed here only

    return float(np.exp(brentq(excess, low, high, xtol=1e-15)))


def _value(labels: FloatArray, share: FloatArray, mass: FloatArray, logits: FloatArray) -> float:
    top = np.max(logits, axis=0)
    lse = top + np.log(np.sum(np.exp(logits - top), axis=0))
    return float(np.sum(share * (mass * lse - np.sum(labels * logits, axis=0))))


def _bound(labels: FloatArray, share: FloatArray, mass: FloatArray, dual: FloatArray, t: float) -> float:
    r"""``sum p_j m_j H(q_j)`` with ``m_j q_j = y_j + v_j``, for dual columns v_j scaled to operator norm ``2 mu``."""
    norm = np.linalg.norm(dual * np.sqrt(share), 2)
    # A norm that exceeds 2 mu by rounding only is meant to be 2 mu.
    shrink = 1.0 if norm <= t * (1.0 + 1e-12) else t / norm
    q = np.maximum((labels + shrink * dual) / mass, 0.0)
    return float(-np.sum(share * mass * q * np.log(q, where=q > 0, out=np.zeros_like(q))))
