r"""How collapsed a last layer is: the name of an arrangement of class means, and the field's measures (NumPy only)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.frozen import Frozen
from mdtheory.validation import FloatArray, fail, nonnegative

# Squares of smaller numbers lose digits to underflow; the arrangement does not depend on the scale.
_SMALLEST = 1e-300
# Singular values below this, relative to the largest, count as zero in ranks and pseudo-inverses.
_RANK_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class CollapseMeasures(Frozen):
    r"""The four neural-collapse properties as numbers; see `collapse_measures`. All are 0, NC4 is 1, at a simplex ETF.

    K classes, :math:`\pi` their proportions, :math:`h_G = \sum_k \pi_k h_k` the global mean, :math:`\bar H` the class
    means minus :math:`h_G`, :math:`C = I - J/K` (so :math:`\|C\|_F = \sqrt{K-1}`). Classifiers are never centred. A
    normalisation leaves a matrix of zeros as it is: its distance from a normalised matrix is 1, its equinorm is 0.

    Attributes
    ----------
    within_class_variability : float
        NC1, :math:`\mathrm{tr}(S_W S_B^+)/K` with :math:`S_W = \sum_k \pi_k \mathrm{mean}_i (h_{ki} - h_k)(h_{ki} -
        h_k)^\top` and :math:`S_B = \bar H \mathrm{diag}(\pi) \bar H^\top`, for balanced classes as in Papyan et al.
        2020. Without features 0.
    class_mean_equinorm, weight_equinorm : float
        NC2, standard deviation over mean of :math:`\|\bar h_k\|`, and of :math:`\|w_n\|` (Papyan et al. 2020).
    class_mean_equiangularity, weight_equiangularity : float
        NC2, mean over pairs of :math:`|\cos + 1/(K-1)|` between columns of :math:`\bar H`, and between classifiers
        (Papyan et al. 2020). A zero vector has cosine 0 with every other.
    class_mean_gram_deviation, weight_gram_deviation : float
        NC2, :math:`\|G/\|G\|_F - C/\|C\|_F\|_F` with :math:`G = \bar H^\top \bar H`, and with :math:`G = W W^\top` as
        Zhu et al. 2021 do.
    self_duality : float
        NC3, :math:`\|W^\top/\|W\|_F - \bar H/\|\bar H\|_F\|_F`, not squared (Papyan et al. 2020).
    logit_deviation : float
        NC3, :math:`\|W \bar H/\|W \bar H\|_F - C/\|C\|_F\|_F` (Zhu et al. 2021).
    nearest_centre_agreement : float
        NC4, share of samples for which :math:`\arg\max_n \langle w_n, h\rangle + b_n` is
        :math:`\arg\min_k \|h - h_k\|` (Papyan et al. 2020 plot one minus it); ties go to the smaller index. Without
        features the class means are the samples.
    class_mean_norms, weight_norms : array (K,)
        :math:`\|h_k\|`, not centred, and :math:`\|w_n\|`.
    class_mean_cosines, weight_cosines : array (K, K)
        Between the class means, not centred, and between the classifiers.
    rank : int
        The rank of W H: singular values below 1e-7 of the largest count as zero.

    References
    ----------
    Papyan, Han, Donoho, PNAS 2020 (NC1 to NC4); Zhu et al., NeurIPS 2021 (the deviations from C).
    """

    within_class_variability: float
    class_mean_equinorm: float
    weight_equinorm: float
    class_mean_equiangularity: float
    weight_equiangularity: float
    class_mean_gram_deviation: float
    weight_gram_deviation: float
    self_duality: float
    logit_deviation: float
    nearest_centre_agreement: float
    class_mean_norms: FloatArray
    weight_norms: FloatArray
    class_mean_cosines: FloatArray
    weight_cosines: FloatArray
    rank: int


def collapse_measures(
    weights: ArrayLike,
    class_means: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    features: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    proportions: ArrayLike | None = None,
) -> CollapseMeasures:
    """The neural-collapse measures of a last layer, as defined in `CollapseMeasures`.

    Parameters
    ----------
    weights : array (K, M)
        W, one classifier a row.
    class_means : array (M, K)
        H, one class mean a column.
    bias : array (K,), optional
        b, zero if omitted. Only NC4 depends on it.
    features : array (M, samples), optional
        One feature vector a column, for NC1 and NC4; deviations are from `class_means` as given.
    labels : array (samples,) of int
        The class of each feature, from 0 to K-1; with `features` only, and every class must occur.
    proportions : array (K,), optional
        The class proportions, positive with sum 1 to 1e-12; balanced if omitted.

    Returns
    -------
    CollapseMeasures

    Raises
    ------
    AssumptionError
        If an array is not finite or has the wrong shape, there are fewer than two classes, or the class means all
        coincide while the features do not: NC1 is then infinite.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.eye(3) - 1 / 3
    >>> measures = collapse_measures(frame, 2 * frame)
    >>> round(measures.self_duality, 12), measures.nearest_centre_agreement, measures.rank
    (0.0, 1.0, 2)
    >>> round(collapse_measures(frame, np.diag([1.0, 2.0, 3.0])).class_mean_equinorm, 4)
    0.1793
    """
    w, means = _matrix("weights", weights), _matrix("class_means", class_means)
    count = means.shape[1]
    if count < 2:
        raise fail("class_means", means.shape, "must have at least two columns")
    if w.shape != means.T.shape:
        raise fail("weights", w.shape, f"must have shape {means.T.shape}, that of the transposed class means")
    pi = _proportions(proportions, count)
    offset = np.zeros(count) if bias is None else _vector("bias", bias, count)
    samples, owners = _samples(features, labels, means)
    centred = means - (means @ pi)[:, None]
    simplex = _normalised(np.eye(count) - 1.0 / count)
    return CollapseMeasures(
        within_class_variability=_within(samples - means[:, owners], owners, centred, pi),
        class_mean_equinorm=_equinorm(centred),
        weight_equinorm=_equinorm(w.T),
        class_mean_equiangularity=_equiangularity(centred),
        weight_equiangularity=_equiangularity(w.T),
        class_mean_gram_deviation=_distance(_gram(centred), simplex),
        weight_gram_deviation=_distance(_gram(w.T), simplex),
        self_duality=_distance(w.T, _normalised(centred)),
        logit_deviation=_distance(_normalised(w) @ _normalised(centred), simplex),
        nearest_centre_agreement=_agreement(w, offset, means, samples),
        class_mean_norms=np.linalg.norm(means, axis=0),
        weight_norms=np.linalg.norm(w, axis=1),
        class_mean_cosines=_cosines(means),
        weight_cosines=_cosines(w.T),
        rank=_rank(_normalised(w) @ _normalised(means)),
    )


def arrangement(class_means: ArrayLike, *, tolerance: float = 1e-6, zero: float = 0.0) -> str:
    r"""Name of the arrangement of class means.

    With r the largest norm, the first of these that holds:

    1. "collapsed-to-zero": r is at most `zero`.
    2. "equal-means": all coincide, :math:`\|h_j - h_1\| \le` tolerance r.
    3. "partly-collapsed": some have norm at most tolerance r (they vanish), the others do not.
    4. "merged": some coincide, :math:`\|h_j - h_k\| \le` tolerance r.
    5. "orthogonal-frame": every cosine is zero, whatever the lengths.
    6. "simplex-etf": equal norms, cosines -1/(K-1), sum zero.
    7. "equiangular-frame": equal norms, any other common cosine.
    8. "regular-polygon": equal norms, in a plane through the origin, neighbours at angles :math:`2\pi/K`.
    9. "general".

    The class means are not centred. So two antipodal means, and a triangle, are a "simplex-etf"; any other two means
    of equal norm are an "equiangular-frame" unless orthogonal; the polygon names K of four or more.

    Parameters
    ----------
    class_means : array (M, K)
        The class means as columns.
    tolerance : float, default 1e-6
        For distances, norms and singular values relative to r, and for cosines and angles.
    zero : float, default 0
        Largest norm that counts as zero when every class mean is that short. It is in the units of the class means;
        relative to themselves, nonzero means are never all zero.

    Returns
    -------
    str

    Raises
    ------
    AssumptionError
        If `class_means` is not a finite real matrix with at least one column, or an option is negative.

    Examples
    --------
    >>> import numpy as np
    >>> arrangement(np.eye(3)), arrangement(np.eye(3) - 1 / 3), arrangement(np.zeros((3, 3)))
    ('orthogonal-frame', 'simplex-etf', 'collapsed-to-zero')
    >>> arrangement([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    'merged'
    """
    means = _matrix("class_means", class_means)
    tol, zero = float(nonnegative("tolerance", tolerance)), float(nonnegative("zero", zero))
    largest = float(np.max(np.abs(means)))
    if largest == 0 or np.max(np.linalg.norm(means / largest, axis=0)) * largest <= zero:
        return "collapsed-to-zero"
    means = means / largest
    means = means / np.max(np.linalg.norm(means, axis=0))
    norms = np.linalg.norm(means, axis=0)
    if np.all(np.linalg.norm(means - means[:, :1], axis=0) <= tol):
        return "equal-means"
    if np.any(norms <= tol):
        return "partly-collapsed"
    if _smallest_distance(means) <= tol:
        return "merged"
    return _frame(means, norms, tol)


def _smallest_distance(means: FloatArray) -> float:
    count = means.shape[1]
    # From differences, not the Gram matrix: that would see no distance below 1e-8.
    return min(float(np.min(np.linalg.norm(means[:, k + 1 :] - means[:, k : k + 1], axis=0))) for k in range(count - 1))


def _frame(means: FloatArray, norms: FloatArray, tol: float) -> str:
    """The name for distinct, nonzero class means of largest norm one."""
    count = means.shape[1]
    cosines = _cosines(means)[~np.eye(count, dtype=bool)]
    if np.all(np.abs(cosines) <= tol):
        return "orthogonal-frame"
    if np.ptp(norms) > tol:
        return "general"
    # The sum sees deviations that a cosine near -1 sees only to second order.
    centred = np.linalg.norm(np.mean(means, axis=1)) <= tol
    if centred and np.all(np.abs(cosines + 1.0 / (count - 1)) <= tol):
        return "simplex-etf"
    if np.ptp(cosines) <= tol:
        return "equiangular-frame"
    return "regular-polygon" if _is_polygon(means, tol) else "general"


def _is_polygon(means: FloatArray, tol: float) -> bool:
    _, singular, directions = np.linalg.svd(means, full_matrices=False)
    if singular.size < 2 or np.any(singular[2:] > tol * singular[0]):
        return False
    plane = singular[:2, None] * directions[:2]
    angles = np.sort(np.arctan2(plane[1], plane[0]))
    gaps = np.diff(angles, append=angles[0] + 2.0 * np.pi)
    return bool(np.all(np.abs(gaps - 2.0 * np.pi / angles.size) <= tol))


def _within(deviations: FloatArray, owners: NDArray[np.int64], centred: FloatArray, pi: FloatArray) -> float:
    count = pi.size
    left, singular, _ = np.linalg.svd(centred * np.sqrt(pi), full_matrices=False)
    # Centred means have rank at most K - 1; what rounding adds must not be inverted.
    kept = int(np.sum(singular[: count - 1] > _RANK_TOLERANCE * singular[0]))
    if kept == 0:
        if np.any(deviations != 0):
            raise fail("class_means", "all equal", "must not all coincide when the features vary around them")
        return 0.0
    shares = pi[owners] / np.bincount(owners, minlength=count)[owners]
    along = (left[:, :kept].T @ deviations) / singular[:kept, None]
    return float(np.sum(along**2 * shares) / count)


def _equinorm(columns: FloatArray) -> float:
    norms = np.linalg.norm(_normalised(columns), axis=0)
    return float(np.std(norms) / np.mean(norms)) if np.any(norms > 0) else 0.0


def _equiangularity(columns: FloatArray) -> float:
    count = columns.shape[1]
    cosines = _cosines(columns)[~np.eye(count, dtype=bool)]
    return float(np.mean(np.abs(cosines + 1.0 / (count - 1))))


def _gram(columns: FloatArray) -> FloatArray:
    scaled = _normalised(columns)
    return np.asarray(scaled.T @ scaled)


def _distance(matrix: FloatArray, target: FloatArray) -> float:
    return float(np.linalg.norm(_normalised(matrix) - target))


def _normalised(matrix: FloatArray) -> FloatArray:
    """Of Frobenius norm one; a matrix of zeros stays as it is."""
    largest = float(np.max(np.abs(matrix)))
    if largest == 0:
        return matrix
    scaled = matrix / largest
    return np.asarray(scaled / np.linalg.norm(scaled))


def _agreement(w: FloatArray, bias: FloatArray, means: FloatArray, samples: FloatArray) -> float:
    chosen = np.argmax(w @ samples + bias[:, None], axis=0)
    distances = np.stack([np.linalg.norm(samples - mean[:, None], axis=0) for mean in means.T])
    return float(np.mean(chosen == np.argmin(distances, axis=0)))


def _rank(matrix: FloatArray) -> int:
    singular = np.linalg.svd(matrix, compute_uv=False)
    return int(np.sum(singular > _RANK_TOLERANCE * singular[0]))


def _proportions(proportions: ArrayLike | None, count: int) -> FloatArray:
    if proportions is None:
        return np.full(count, 1.0 / count)
    pi = _vector("proportions", proportions, count)
    if np.any(pi <= 0) or abs(float(np.sum(pi)) - 1.0) > 1e-12:
        raise fail("proportions", proportions, "must be positive with sum 1 to 1e-12")
    return pi


def _samples(
    features: ArrayLike | None, labels: ArrayLike | None, means: FloatArray
) -> tuple[FloatArray, NDArray[np.int64]]:
    """The samples (M, samples) and their classes: the class means themselves without features."""
    if (features is None) != (labels is None):
        raise fail("labels", labels, "must come with features, and features with labels")
    if features is None or labels is None:
        return means, np.arange(means.shape[1])
    samples = _matrix("features", features)
    if samples.shape[0] != means.shape[0]:
        raise fail("features", samples.shape, f"must have {means.shape[0]} rows, like the class means")
    classes = _vector("labels", labels, samples.shape[1])
    if np.any(classes != np.floor(classes)) or not np.array_equal(np.unique(classes), np.arange(means.shape[1])):
        raise fail("labels", labels, f"must be integers from 0 to {means.shape[1] - 1}, each at least once")
    return samples, classes.astype(np.int64)


def _vector(name: str, value: ArrayLike, length: int) -> FloatArray:
    array = _finite(name, value)
    if array.shape != (length,):
        raise fail(name, array.shape, f"must have shape {(length,)}")
    return array


def _cosines(columns: FloatArray) -> FloatArray:
    """Cosines between columns, NaN-free: a zero column has cosine 0 with every other, and 1 with itself."""
    largest = np.max(np.abs(columns), axis=0)
    scaled = columns / np.where(largest > _SMALLEST, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=0)
    unit = scaled / np.where(norms > 0, norms, 1.0)
    cosines = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(cosines, 1.0)
    return np.asarray(cosines)


def _matrix(name: str, value: ArrayLike) -> FloatArray:
    array = _finite(name, value)
    if array.ndim != 2 or 0 in array.shape:
        raise fail(name, array.shape, "must be a matrix with at least one row and one column")
    return array


def _finite(name: str, value: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise fail(name, value, "must be a real array") from None
    if array.dtype.kind not in "iuf" or not np.all(np.isfinite(array)):
        raise fail(name, value, "must be a finite real array")
    return array.astype(np.float64)
