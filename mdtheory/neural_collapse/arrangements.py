"""The name of an arrangement of class means."""

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, nonnegative, one_number
from mdtheory.neural_collapse.matrices import cosines_between, matrix


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
    means = matrix("class_means", class_means)
    tol, zero = one_number("tolerance", tolerance, nonnegative), one_number("zero", zero, nonnegative)
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
    cosines = cosines_between(means)[~np.eye(count, dtype=bool)]
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
