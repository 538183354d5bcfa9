r"""Questions about the deep linear features model with cross-entropy: when the simplex ETF is stable, when it is proved optimal, and which arrangement is better.

Everywhere *decay* is the geometric mean :math:`\Lambda^{1/(L+1)}` of the decays of all layers and of the features, so that what the singular values cost is
:math:`\beta = (L + 1)` times it; classes are balanced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import wrightomega

from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    choice,
    common_shape,
    fail,
    integer,
    positive,
    real,
    scalar_or_array,
)
from mdtheory.losses import CrossEntropy
from mdtheory.models.deep.bounds import column_bound, etf_margin
from mdtheory.models.deep.problem import MOST_LAYERS, DeepUFM
from mdtheory.models.deep.search import Landscape
from mdtheory.numerics.bracketing import bisect

Structure = Literal["simplex", "pairs", "polygon"]
# Margins at which a multiple of an arrangement is looked at, and decays at which two are compared.
_MARGINS = np.geomspace(1e-4, 745.0, 900)
_DECAYS = 241
_SMALLEST_DECAY = 1e-18
_BLOCK = 2_000
# The certificate is tried at so many decays.
_TRIALS, _CLOSED = 45, 1e-9


def etf_stability_margin(num_classes: ArrayLike, layers: ArrayLike, smoothing: ArrayLike = 0.0) -> Real:
    r"""The margin above which the simplex ETF is a strict local minimum, up to symmetry, and below which it is a saddle.

    With P and q the probabilities of the own and of another class at margin s, :math:`\tilde q = q - \alpha/N` and p = 2/(L + 1), the ETF is stable iff

    .. math:: \frac{s\,q}{\tilde q} > (1 - p)\,N \quad (N \ge 4), \qquad
        \frac{s\,q}{\tilde q} > \frac{3 (1 - p)}{2P + q} \quad (N = 3), \qquad
        \frac{s\,q}{\tilde q} > \frac{1 - p}{P} \quad (N = 2).

    Without smoothing and for N >= 4 this is :math:`s > N (L-1)/(L+1)`, with :math:`N(N-3)/2` directions of descent below it; with smoothing
    :math:`s^* = y - W_0((1-p)\alpha e^y)`, :math:`y = (1-p)(N - (N-1)\alpha)`. Three classes have two directions of descent below theirs.

    Parameters
    ----------
    num_classes : int or array
        N >= 2.
    layers : int or array
        L >= 1. One layer: 0, the ETF is stable wherever it exists.
    smoothing : float or array, default 0
        alpha in [0, 1).

    Returns
    -------
    float or array

    Raises
    ------
    AssumptionError
        If a number is outside its domain or the shapes do not broadcast.

    References
    ----------
    Sharpens Garrod and Keating, NeurIPS 2025 (arXiv 2410.23169); `derivations/deep_features.py`.

    Examples
    --------
    >>> round(etf_stability_margin(10, 2), 6), round(etf_stability_margin(100, 2, 0.1), 3)
    (3.333333, 6.557)
    """
    n, layers_, alpha = _checked(num_classes, layers, smoothing)
    p = 2.0 / (layers_ + 1.0)
    reach = (1.0 - p) * (n - (n - 1.0) * alpha)
    with np.errstate(divide="ignore"):
        # W_0(e^x) is the Wright omega function, which does not overflow.
        lambert = wrightomega(reach + np.log((1.0 - p) * alpha))
    many = reach - np.where((alpha > 0) & (p < 1), lambert, 0.0)
    few = np.where(n < 4, (1.0 - p) * 3.0 + 1.0, 0.0)

    def imbalance(s: FloatArray) -> FloatArray:
        own = 1.0 / (1.0 + (n - 1.0) * np.exp(-s))
        other = own * np.exp(-s)
        share = np.where(n == 3, 3.0 / (2.0 * own + other), 1.0 / own)
        return np.asarray(s - (1.0 - p) * share * (other - alpha / n) / other)

    small = bisect(imbalance, np.zeros(few.shape), few) if np.any(n < 4) else few
    return scalar_or_array(np.where(p >= 1.0, 0.0, np.where(n < 4, small, many)))


def etf_stability_decay(num_classes: ArrayLike, layers: ArrayLike, smoothing: ArrayLike = 0.0) -> Real:
    r"""The decay below which the simplex ETF is a strict local minimum, up to symmetry; above, a saddle or none at all (two classes: none).

    At the margin s* of `etf_stability_margin` the ETF is stationary for the decay

    .. math:: \Lambda^{1/(L+1)} = \tfrac12\,\tilde q\, s^{1-p} N^{p/2} .

    Parameters
    ----------
    num_classes, layers, smoothing
        As for `etf_stability_margin`.

    Returns
    -------
    float or array
        The geometric mean of all decays. Of one layer the decay at which the ETF collapses to zero.

    Raises
    ------
    AssumptionError
        If a number is outside its domain or the shapes do not broadcast.

    Examples
    --------
    A hundred classes behind two layers are hardly ever stable without smoothing:

    >>> round(etf_stability_decay(10, 2), 4), f"{etf_stability_decay(100, 2):.1e}", round(etf_stability_decay(100, 2, 0.1), 5)
    (0.0435, '2.5e-14', 0.00106)
    """
    n, layers_, alpha = _checked(num_classes, layers, smoothing)
    p = 2.0 / (layers_ + 1.0)
    s = np.asarray(etf_stability_margin(n, layers_, alpha))
    other = 1.0 / (np.exp(np.minimum(s, 700.0)) + n - 1.0)
    # At the threshold the excess is known without the difference of two numbers that may be alike.
    excess = np.where((n >= 4) & (p < 1), s * other / ((1.0 - p) * n + (p >= 1)), other - alpha / n)
    return scalar_or_array(0.5 * excess * np.where(p < 1, s, 1.0) ** (1.0 - p) * n ** (0.5 * p))


def etf_certified_decay(num_classes: int, layers: int, smoothing: float) -> float:
    """A decay up to which the simplex ETF is proved to be the global optimum, by the certificate of one column.

    With smoothing the ETF is optimal at every small decay, whatever the depth; without, it is not from six classes on. The certificate of
    `mdtheory.models.deep.bounds` is tried at decays halfway between one at which it holds and one at which it does not: the larger of those at which it held is returned.

    Parameters
    ----------
    num_classes : int
        N, from 3 to 1000.
    layers : int
        L >= 2.
    smoothing : float
        alpha in (0, 1).

    Returns
    -------
    float
        The geometric mean of all decays; zero where the certificate held at none that was tried.

    Raises
    ------
    AssumptionError
        If a number is outside its domain.

    Examples
    --------
    >>> round(etf_certified_decay(10, 2, 0.1), 5)
    0.00084
    """
    given = _checked(num_classes, layers, smoothing)
    if given[0].shape != ():
        raise fail(
            "num_classes", given[0].shape, "must be one number here, like layers and smoothing; loop over the points"
        )
    n, depth, alpha = (float(x) for x in given)
    if not 3 <= n <= 1000:
        raise fail("num_classes", int(n), "must be from 3 to 1000 here")
    if depth < 2:
        raise fail("layers", int(depth), "must be 2 at least: with one layer the ETF is optimal wherever it exists")
    if alpha <= 0:
        raise fail(
            "smoothing", alpha, "must be positive: without smoothing the ETF need not be optimal at small decays"
        )
    high = float(etf_stability_decay(n, depth, alpha))
    low = high * 1e-9
    if not _certified(int(n), int(depth), alpha, low):
        return 0.0
    for _ in range(_TRIALS):
        middle = float(np.sqrt(low * high))
        if _certified(int(n), int(depth), alpha, middle):
            low = middle
        else:
            high = middle
    return low


def structure_value(
    structure: Structure, num_classes: ArrayLike, layers: ArrayLike, decay: ArrayLike, smoothing: ArrayLike = 0.0
) -> Real:
    r"""The least objective among the multiples of an arrangement, zero included.

    .. math:: \min_{s \ge 0}\ f(s) + (L+1)\Lambda^{1/(L+1)} k s^p

    with the loss f at s times the arrangement and the p-th powers k of its singular values: of the simplex
    :math:`f = \log(1 + (N-1)e^{-s})`, of N/2 antipodal pairs :math:`\log(1 + (N-2)e^{-s} + e^{-2s})`, of the N-gon
    :math:`\log\sum_j e^{s(\cos(2\pi j/N) - 1)}`, and what smoothing adds.

    Parameters
    ----------
    structure : {"simplex", "pairs", "polygon"}
    num_classes : int or array
        N >= 2, even for pairs, 3 and more for the polygon.
    layers, smoothing
        As for `etf_stability_margin`.
    decay : float or array
        The geometric mean of all decays, positive.

    Returns
    -------
    float or array
        An upper bound on the optimum of `DeepUFM`; log N where no multiple is better than zero.

    Raises
    ------
    AssumptionError
        If a number is outside its domain or the shapes do not broadcast.

    Examples
    --------
    >>> [round(structure_value(name, 6, 2, 1e-3), 7) for name in ("simplex", "pairs", "polygon")]
    [0.0343898, 0.0322855, 0.0408453]
    """
    kind = _kind(structure)
    n, layers_, alpha = _checked(num_classes, layers, smoothing)
    cost = np.asarray(positive("decay", decay))
    shape = common_shape(num_classes=n, layers=layers_, smoothing=alpha, decay=cost)
    _check_counts(structure, n)
    flat = [np.broadcast_to(x, shape).ravel() for x in (n, layers_, alpha, cost)]
    value = np.empty(flat[0].size)
    for start in range(0, value.size, _BLOCK):
        value[start : start + _BLOCK] = _least(kind, *(x[start : start + _BLOCK] for x in flat))
    return scalar_or_array(value.reshape(shape))


def structure_crossing(
    first: str, second: str, num_classes: ArrayLike, layers: ArrayLike, smoothing: ArrayLike = 0.0
) -> Real:
    """The largest decay at which two arrangements have the same least objective, below that of zero.

    Parameters
    ----------
    first, second : {"simplex", "pairs", "polygon", "zero"}
        Where one is "zero", the decay from which on zero is better than every multiple of the other: a closed form at the root of one equation, free of the decay.
    num_classes, layers, smoothing
        As for `structure_value`.

    Returns
    -------
    float or array
        The geometric mean of all decays; NaN where the objectives do not cross at any of the decays looked at, from 1e-18 up.

    Raises
    ------
    AssumptionError
        If a number is outside its domain or the shapes do not broadcast.

    Examples
    --------
    Four classes behind two layers: the simplex below, the square above.

    >>> round(3 * structure_crossing("simplex", "pairs", 4, 2), 8), round(3 * structure_crossing("pairs", "zero", 4, 2), 8)
    (0.02800294, 0.38088732)
    """
    names = (*get_args(Structure), "zero")
    choice("first", first, names)
    choice("second", second, names)
    if first == second:
        raise fail("second", second, "must be another structure than the first")
    n, layers_, alpha = _checked(num_classes, layers, smoothing)
    shape = common_shape(num_classes=n, layers=layers_, smoothing=alpha)
    flat = [np.broadcast_to(x, shape).ravel() for x in (n, layers_, alpha)]
    kinds = [_kind(name) for name in (first, second) if name != "zero"]
    for name in (first, second):
        if name != "zero":
            _check_counts(name, n)
    zeros = [_zero_decay(kind, *flat) for kind in kinds]
    if len(kinds) == 1:
        return scalar_or_array(zeros[0].reshape(shape))
    found = np.array([_crossing(kinds, min(z), x) for *x, z in zip(*flat, zip(*zeros, strict=True), strict=True)])
    return scalar_or_array(found.reshape(shape))


# ------------------------------------------------------------------------------ arrangements with one parameter

_Of = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Loss and slope at a multiple, as functions of (s, N, alpha), and the p-th powers of the singular values at s = 1, of (N, p)."""

    loss: _Of
    slope: _Of
    powers: Callable[[FloatArray, FloatArray], FloatArray]


def _simplex_slope(s: FloatArray, n: FloatArray, alpha: FloatArray) -> FloatArray:
    other = np.exp(-s) / (1.0 + (n - 1.0) * np.exp(-s))
    return np.asarray(-(n - 1.0) * (other - alpha / n))


def _pairs_slope(s: FloatArray, n: FloatArray, alpha: FloatArray) -> FloatArray:
    e = np.exp(-s)
    return np.asarray(alpha - ((n - 2.0) * e + 2.0 * e**2) / (1.0 + (n - 2.0) * e + e**2))


def _polygon_sums(s: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``sum_j e^(s (cos - 1))`` and its derivative."""
    shape = np.broadcast_shapes(np.shape(s), np.shape(n))
    s, n = np.broadcast_to(s, shape), np.broadcast_to(n, shape)
    total, slope = np.zeros(shape), np.zeros(shape)
    for count in np.unique(n):
        here = n == count
        for j in range(int(count)):
            drop = np.cos(2.0 * np.pi * j / count) - 1.0
            term = np.exp(s[here] * drop)
            total[here] += term
            slope[here] += drop * term
    return total, slope


def _polygon_slope(s: FloatArray, n: FloatArray, alpha: FloatArray) -> FloatArray:
    total, slope = _polygon_sums(s, n)
    return np.asarray(slope / total + alpha)


_KINDS = {
    "simplex": _Kind(
        lambda s, n, alpha: np.log1p((n - 1.0) * np.exp(-s)) + alpha * (n - 1.0) / n * s,
        _simplex_slope,
        lambda n, p: (n - 1.0) * n ** (-0.5 * p),
    ),
    "pairs": _Kind(
        lambda s, n, alpha: np.log1p((n - 2.0) * np.exp(-s) + np.exp(-2.0 * s)) + alpha * s,
        _pairs_slope,
        lambda n, p: 0.5 * n * (2.0 / np.sqrt(n)) ** p,
    ),
    "polygon": _Kind(
        lambda s, n, alpha: np.log(_polygon_sums(s, n)[0]) + alpha * s,
        _polygon_slope,
        lambda n, p: 2.0 * (0.5 * np.sqrt(n)) ** p,
    ),
}


def _kind(structure: str) -> _Kind:
    choice("structure", structure, tuple(_KINDS))
    return _KINDS[structure]


def _least(kind: _Kind, n: FloatArray, layers: FloatArray, alpha: FloatArray, decay: FloatArray) -> FloatArray:
    """The least objective of flat arrays: the best of a grid of margins, settled between its neighbours."""
    p = 2.0 / (layers + 1.0)
    cost = (layers + 1.0) * decay * kind.powers(n, p)
    grid = _MARGINS[:, None]
    best = np.argmin(kind.loss(grid, n, alpha) + cost * grid**p, axis=0)
    low, high = _MARGINS[np.maximum(best - 1, 0)], _MARGINS[np.minimum(best + 1, _MARGINS.size - 1)]

    def slope(s: FloatArray) -> FloatArray:
        return np.asarray(kind.slope(s, n, alpha) + cost * p * s ** (p - 1.0))

    inside = (slope(low) < 0.0) & (slope(high) > 0.0)
    s = bisect(lambda x: np.where(inside, slope(x), x - low), low, high)
    s = np.where(inside, s, _MARGINS[best])
    return np.asarray(np.minimum(kind.loss(s, n, alpha) + cost * s**p, np.log(n)))


def _zero_decay(kind: _Kind, n: FloatArray, layers: FloatArray, alpha: FloatArray) -> FloatArray:
    """The decay at which zero has the objective of the best multiple: at the root of ``p (log N - f) + s f' = 0``."""
    p = 2.0 / (layers + 1.0)

    def balance(s: FloatArray) -> FloatArray:
        return np.asarray(p * (np.log(n) - kind.loss(s, n, alpha)) + s * kind.slope(s, n, alpha))

    values = balance(_MARGINS[:, None])
    # From the first to the second sign; of one layer it is positive from the start, and zero is better from the slope at zero on.
    first = np.argmax(values > 0.0, axis=0)
    reached = (first > 0) & np.any(values > 0.0, axis=0)
    low, high = _MARGINS[np.maximum(first - 1, 0)], _MARGINS[first]
    s = bisect(lambda x: np.where(reached, balance(x), x - low), low, high)
    at_zero = -kind.slope(np.zeros(n.shape), n, alpha) / kind.powers(n, p)
    gained = (np.log(n) - kind.loss(s, n, alpha)) / (kind.powers(n, p) * s**p)
    return np.asarray(np.where(reached, gained, at_zero) / (layers + 1.0))


def _crossing(kinds: list[_Kind], highest: float, point: list[float]) -> float:
    n, layers, alpha = (np.array([x]) for x in point)

    def ahead(decay: FloatArray) -> FloatArray:
        count, depth, smoothed = (np.asarray(np.broadcast_to(x, decay.shape)) for x in (n, layers, alpha))
        first, second = (_least(kind, count, depth, smoothed, decay) for kind in kinds)
        return np.asarray(first - second)

    decays = highest * np.geomspace(_SMALLEST_DECAY, 1.0 - 1e-9, _DECAYS)
    signs = np.sign(ahead(decays))
    change = np.flatnonzero(signs[1:] * signs[:-1] < 0.0)
    if change.size == 0:
        return float("nan")
    last = change[-1]
    direction = signs[last + 1]
    root = bisect(
        lambda x: direction * ahead(np.exp(x)), np.log(decays[last : last + 1]), np.log(decays[last + 1 : last + 2])
    )
    return float(np.exp(root[0]))


def _certified(n: int, layers: int, alpha: float, decay: float) -> bool:
    problem = DeepUFM(
        CrossEntropy(smoothing=alpha), num_classes=n, layers=layers, weight_decay=decay, feature_decay=decay
    )
    margin = etf_margin(problem)
    if margin is None:
        return False
    value = Landscape(problem).objective(margin * (np.eye(n) - 1.0 / n))
    return value - column_bound(problem, value) <= _CLOSED * value


def _check_counts(structure: str, n: FloatArray) -> None:
    if structure == "pairs" and np.any(n % 2 > 0):
        raise fail("num_classes", n, "must be even for pairs")
    if structure == "polygon" and np.any(n < 3):
        raise fail("num_classes", n, "must be 3 at least for a polygon")


def _checked(
    num_classes: ArrayLike, layers: ArrayLike, smoothing: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    n = np.asarray(integer("num_classes", num_classes, 2, 10**6), dtype=np.float64)
    depth = np.asarray(integer("layers", layers, 1, MOST_LAYERS), dtype=np.float64)
    alpha = np.asarray(real("smoothing", smoothing, lambda x: (x >= 0) & (x < 1), "lie in [0, 1)"))
    shape = common_shape(num_classes=n, layers=depth, smoothing=alpha)
    checked: tuple[NDArray[np.float64], ...] = tuple(np.array(np.broadcast_to(x, shape)) for x in (n, depth, alpha))
    return checked[0], checked[1], checked[2]
