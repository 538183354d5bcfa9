r"""The mean of ``log sum exp`` over Gaussian logits of many classes.

With independent Gumbel variables G_j the largest of ``z_j + G_j`` is ``log sum exp z`` plus a Gumbel variable. So the mean over
Gaussian z is that of a maximum of independent variables ``z_j + G_j``, whose distribution functions are products of

.. math:: \Lambda(x) = E \exp(-e^{-(x - \sigma g)}),

and one integral is left, whatever the number of classes:

.. math:: E\,\mathrm{lse}(s e_1 + \sigma g) = m + \int \exp(-e^{-(x-m)}) - \Lambda(x - s) \Lambda(x)^{N-1}\,dx .

Derivatives in s fall on the first factor; those in the variance follow from the heat equation, Lambda''/2. Both integrals
are trapezoidal sums of functions that are analytic in a strip. See `derivations/class_expectations.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    common_shape,
    fail,
    finite,
    instance,
    nonnegative,
    one_integer,
    scalar_or_array,
)
from mdtheory.spreads import Gaussian, Spread

MAX_CLASSES = 1000
# exp(-e^-x) is analytic for |Im x| < pi/2, so that steps of h leave e^(-pi^2/h): 1e-15 of the sum of absolute values.
_STEP = 0.28
# Standard deviations beyond which a Gaussian has no probability to speak of.
_REACH = 9.0
# Beyond this a Gumbel variable has a tail of e^-38.
_UPPER, _LOWER = 38.0, 5.0
_WIDEST = 40.0
_FURTHEST = 1e4


class Means(NamedTuple):
    """The mean and its derivatives in the margin s and the variance of one logit, to second order."""

    value: FloatArray
    d_margin: FloatArray
    d_variance: FloatArray
    d_margin2: FloatArray
    d_margin_variance: FloatArray
    d_variance2: FloatArray


class MeanLogSumExp(NamedTuple):
    """What `mean_logsumexp` gives: the mean, its derivatives in margin and radius to second order, and a bound on the error.

    ``error`` is 1e-12 of one plus the size of the mean; it holds for every field but for factors of order one.
    """

    value: Real
    d_margin: Real
    d_radius: Real
    d_margin2: Real
    d_margin_radius: Real
    d_radius2: Real
    error: Real


def mean_logsumexp(margin: ArrayLike, radius: ArrayLike, num_classes: int, spread: Spread) -> MeanLogSumExp:
    r"""``E log sum_j exp(s [j = 1] + R xi_j)`` for isotropic xi, and its derivatives in s and R.

    xi is isotropic in the N - 1 dimensions of logits that sum to zero, among the d of the spread: a component along the
    vector of ones has mean zero and changes nothing.

    Parameters
    ----------
    margin : float or array
        s, the own logit minus the others.
    radius : float or array
        R >= 0; the standard deviation of one logit, R/sqrt(d), may reach 40.
    num_classes : int
        N, from 2 to 1,000.
    spread : Gaussian
        Its dimension d is N - 1 at least.

    Returns
    -------
    MeanLogSumExp

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or the spread is not Gaussian: no formula is known here for others.

    Examples
    --------
    Without a spread it is the plain value:

    >>> import mdtheory as mdt
    >>> found = mean_logsumexp(2.0, 0.0, 10, mdt.Gaussian(16))
    >>> bool(abs(found.value - np.log(np.exp(2.0) + 9.0)) < 1e-13)
    True
    >>> round(mean_logsumexp(2.0, 3.0, 10, mdt.Gaussian(16)).value, 12)
    3.008387144152
    """
    s, r = np.asarray(finite("margin", margin)), np.asarray(nonnegative("radius", radius))
    n = one_integer("num_classes", num_classes, 2, MAX_CLASSES)
    instance("spread", spread, Spread, "a Spread, for example Gaussian(dim=16)")
    if not isinstance(spread, Gaussian):
        raise fail("spread", spread, "must be Gaussian: the mean over other spreads has no formula here")
    if spread.dim < n - 1:
        raise fail("spread", spread, f"must have dimension {n - 1} at least, that of the logits of {n} classes")
    if np.any(r > _WIDEST * np.sqrt(spread.dim)):
        raise fail("radius", float(np.max(r)), f"must be {_WIDEST:g} sqrt(d) at most")
    shape = common_shape(margin=s, radius=r)
    s, r = (np.broadcast_to(x, shape).ravel() for x in (s, r))
    found = means(s, r**2 / spread.dim, n)
    by_r = 2.0 * r / spread.dim
    fields = (
        found.value,
        found.d_margin,
        found.d_variance * by_r,
        found.d_margin2,
        found.d_margin_variance * by_r,
        found.d_variance2 * by_r**2 + found.d_variance * (2.0 / spread.dim),
        1e-12 * (1.0 + np.abs(found.value)),
    )
    return MeanLogSumExp(*(scalar_or_array(field.reshape(shape)) for field in fields))


def means(margin: FloatArray, variance: FloatArray, num_classes: int) -> Means:
    """The means at K points: arrays (K,) of the margin and of the variance of one logit."""
    found = [_one(float(s), float(v), num_classes) for s, v in zip(margin, variance, strict=True)]
    return Means(*np.array(found, dtype=np.float64).reshape(-1, 6).T)


def _one(s: float, variance: float, num_classes: int) -> tuple[float, ...]:
    sigma, others = np.sqrt(variance), num_classes - 1
    if not (sigma <= _WIDEST and abs(s) <= _FURTHEST):
        return (np.inf, *[0.0] * 5)  # a search that has gone too far is told so
    centre = np.logaddexp(s, np.log(others))
    # The maximum lies between these but for double exponentials below and e^-x above.
    low = min(centre, max(s, 0.0) - _REACH * sigma) - _LOWER
    high = max(centre, max(s, 0.0) + _REACH * sigma) + _UPPER
    x = low + _STEP * np.arange(int((high - low) / _STEP) + 2)
    a, b = _smoothed(x - s, sigma), _smoothed(x, sigma)
    # Powers by logarithms: N may be large and Lambda underflow; what is divided by it is smaller still.
    with np.errstate(divide="ignore", invalid="ignore", under="ignore", over="ignore"):
        log_b = np.log(b[0])
        whole, but_one, but_two = (_power(log_b, others - k) for k in range(3))
        gumbel = np.exp(-np.exp(-(x - centre)))
        both = others * a[0] * but_one
        integrands = (
            gumbel - a[0] * whole,
            a[1] * whole,
            -0.5 * (a[2] * whole + both * b[2]),
            -a[2] * whole,
            0.5 * (a[3] * whole + others * a[1] * but_one * b[2]),
            -0.25
            * (
                a[4] * whole
                + 2.0 * others * a[2] * but_one * b[2]
                + (others - 1) * others * a[0] * but_two * b[2] ** 2
                + both * b[4]
            ),
        )
    sums = [_STEP * float(np.sum(part)) for part in integrands]
    return (centre + sums[0], *sums[1:])


def _power(log_base: FloatArray, exponent: int) -> FloatArray:
    """A power of a number in [0, 1]; where it is zero its companions vanish faster."""
    if exponent <= 0:
        return np.ones(log_base.shape)
    return np.exp(exponent * log_base)


def _smoothed(x: FloatArray, sigma: float) -> FloatArray:
    """Lambda and its first four derivatives (5, m)."""
    half_width = min(0.95 * 0.5 * np.pi / max(sigma, 1e-300), 8.0)
    step = min(2.0 * np.pi * half_width / (36.0 + 0.5 * half_width**2), 0.75)
    count = int(np.ceil(_REACH / step))
    g = step * np.arange(-count, count + 1)
    weights = step * np.exp(-0.5 * g**2) / np.sqrt(2.0 * np.pi)
    if sigma == 0.0:
        g, weights = np.zeros(1), np.ones(1)
    y = x[:, None] - sigma * g
    u = np.exp(-np.maximum(y, -600.0))
    gumbel = np.exp(-u)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        # Where e^-u underflows, so does its product with any power of u.
        u = np.where(gumbel > 0, u, 0.0)
        derivatives = (
            gumbel,
            gumbel * u,
            gumbel * u * (u - 1.0),
            gumbel * u * (u * (u - 3.0) + 1.0),
            gumbel * u * (u * (u * (u - 6.0) + 7.0) - 1.0),
        )
    return np.stack([part @ weights for part in derivatives])
