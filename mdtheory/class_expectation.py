r"""The mean of ``log sum exp`` over the logits of many classes that a Gaussian or a sphere spreads.

With independent Gumbel variables G_j the largest of ``z_j + G_j`` is ``log sum exp z`` plus a Gumbel variable. So the mean over
Gaussian z is that of a maximum of independent variables ``z_j + G_j``, whose distribution functions are products of

.. math:: \Lambda(x) = E \exp(-e^{-(x - \sigma g)}),

and one integral is left, whatever the number of classes:

.. math:: E\,\mathrm{lse}(s e_1 + \sigma g) = m + \int \exp(-e^{-(x-m)}) - \Lambda(x - s) \Lambda(x)^{N-1}\,dx .

Derivatives in s fall on the first factor; those in the variance follow from the heat equation, Lambda''/2. Both integrals
are trapezoidal sums of functions that are analytic in a strip. See `derivations/class_expectations.py`. A mean over a sphere
is one more integral, over Gaussian means of complex variance: `sphere_expectation`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
from mdtheory.sphere_expectation import Rule, line, rule
from mdtheory.spreads import Gaussian, Sphere, Spread

MAX_CLASSES = 1000
# exp(-e^-x) is analytic for |Im x| < pi/2, so that steps of h leave e^(-pi^2/h): 1e-15 of the sum of absolute values.
_STEP = 0.28
# Standard deviations beyond which a Gaussian has no probability to speak of.
_REACH = 9.0
# Beyond this a Gumbel variable has a tail of e^-38.
_UPPER, _LOWER = 38.0, 5.0
_WIDEST = 40.0
_FURTHEST = 1e4
# A search that has gone too far is told so.
_TOO_FAR = (np.inf, *[0.0] * 5)


class Means(NamedTuple):
    """The mean and its derivatives in the margin s and the square R^2 of the radius, to second order; arrays (K,)."""

    value: FloatArray
    d_margin: FloatArray
    d_square: FloatArray
    d_margin2: FloatArray
    d_margin_square: FloatArray
    d_square2: FloatArray


class MeanLogSumExp(NamedTuple):
    """What `mean_logsumexp` gives: the mean, its derivatives in margin and radius to second order, and a bound on the error.

    ``error`` is 1e-12, for a sphere 1e-9, of one plus the size of the mean; it holds for every field but for factors of order one.
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
    spread : Gaussian or Sphere
        Its dimension d is N - 1 at least.

    Returns
    -------
    MeanLogSumExp

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or the spread is another: no formula is known here for it.

    Examples
    --------
    Without a spread it is the plain value:

    >>> import mdtheory as mdt
    >>> found = mean_logsumexp(2.0, 0.0, 10, mdt.Gaussian(16))
    >>> bool(abs(found.value - np.log(np.exp(2.0) + 9.0)) < 1e-13)
    True
    >>> round(mean_logsumexp(2.0, 3.0, 10, mdt.Gaussian(16)).value, 12)
    3.008387144152
    >>> round(mean_logsumexp(2.0, 3.0, 10, mdt.Sphere(16)).value, 8)
    3.00878755
    """
    s, r = np.asarray(finite("margin", margin)), np.asarray(nonnegative("radius", radius))
    n = one_integer("num_classes", num_classes, 2, MAX_CLASSES)
    instance("spread", spread, Spread, "a Spread, for example Gaussian(dim=16)")
    if not has_mean(spread):
        raise fail("spread", spread, "must be Gaussian or Sphere: the mean over other spreads has no formula here")
    if spread.dim < n - 1:
        raise fail("spread", spread, f"must have dimension {n - 1} at least, that of the logits of {n} classes")
    if np.any(r > _WIDEST * np.sqrt(spread.dim)):
        raise fail("radius", float(np.max(r)), f"must be {_WIDEST:g} sqrt(d) at most")
    shape = common_shape(margin=s, radius=r)
    s, r = (np.broadcast_to(x, shape).ravel() for x in (s, r))
    found = means(s, r**2, n, spread)
    fields = (
        found.value,
        found.d_margin,
        found.d_square * 2.0 * r,
        found.d_margin2,
        found.d_margin_square * 2.0 * r,
        found.d_square2 * 4.0 * r**2 + found.d_square * 2.0,
        accuracy(spread) * (1.0 + np.abs(found.value)),
    )
    return MeanLogSumExp(*(scalar_or_array(field.reshape(shape)) for field in fields))


def has_mean(spread: Spread) -> bool:
    """Whether the mean over this spread is known here for any number of classes."""
    return isinstance(spread, Gaussian | Sphere)


def accuracy(spread: Spread) -> float:
    """What quadrature and rounding may leave of a mean, relative to one plus its size."""
    return 1e-12 if isinstance(spread, Gaussian) else 1e-9


def means(margin: FloatArray, square: FloatArray, num_classes: int, spread: Spread) -> Means:
    """The means at K points: arrays (K,) of the margin and of the square R^2 of the radius."""
    one = _gaussian if isinstance(spread, Gaussian) else _sphere
    found = [one(float(s), float(v), num_classes, spread.dim) for s, v in zip(margin, square, strict=True)]
    return Means(*np.array(found, dtype=np.float64).reshape(-1, 6).T)


def _gaussian(s: float, square: float, num_classes: int, dim: int) -> tuple[float, ...]:
    sigma = np.sqrt(square / dim)
    if not (sigma <= _WIDEST and abs(s) <= _FURTHEST):
        return _TOO_FAR
    x, centre = _grid(s, _REACH * sigma, num_classes)
    sums = _integrals(_smoothed(x - s, sigma), _smoothed(x, sigma), x - centre, num_classes)
    return (centre + float(sums[0]), *(float(part) / dim**k for part, k in zip(sums[1:], (0, 1, 0, 1, 2), strict=True)))


def _sphere(s: float, square: float, num_classes: int, dim: int) -> tuple[float, ...]:
    radius = np.sqrt(square)
    if not (radius <= _WIDEST * np.sqrt(dim) and abs(s) <= _FURTHEST):
        return _TOO_FAR
    if square == 0.0:  # all derivatives in the variance are those of a Gaussian, but for the spread of t
        plain = _gaussian(s, 0.0, num_classes, dim)
        return (*plain[:5], plain[5] * dim / (dim + 2.0))
    at = line(dim)
    logit = rule(at, radius)
    x, centre = _grid(s, float(logit.nodes[-1]), num_classes)
    factors = (_smoothed_at(x - s, logit), _smoothed_at(x, logit))
    sums = _integrals(*factors, (x - centre)[:, None], num_classes)
    # The variance is R^2/(2p).
    by_square = 0.5 / at.p
    powers = (0, 0, 1, 0, 1, 2)
    value, *rest = (float(np.real(at.weights @ (part * by_square**k))) for part, k in zip(sums, powers, strict=True))
    return (centre + value, *rest)


def _grid(s: float, reach: float, num_classes: int) -> tuple[FloatArray, float]:
    """The nodes of the outer integral, and the plain value."""
    centre = float(np.logaddexp(s, np.log(num_classes - 1.0)))
    # The maximum lies between these but for double exponentials below and e^-x above.
    low = min(centre, max(s, 0.0) - reach) - _LOWER
    high = max(centre, max(s, 0.0) + reach) + _UPPER
    return np.asarray(low + _STEP * np.arange(int((high - low) / _STEP) + 2), np.float64), centre


def _integrals(a: NDArray[Any], b: NDArray[Any], from_centre: FloatArray, num_classes: int) -> tuple[NDArray[Any], ...]:
    """The mean less the plain value, and its derivatives in margin and variance, from Lambda (5, m, ...) at x - s and at x."""
    others = num_classes - 1
    # Powers by logarithms: N may be large and Lambda underflow; what is divided by it is smaller still.
    with np.errstate(divide="ignore", invalid="ignore", under="ignore", over="ignore"):
        whole, but_one, but_two = (_power(b[0], others - k) for k in range(3))
        gumbel = np.exp(-np.exp(-from_centre))
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
    return tuple(_STEP * np.sum(part, axis=0) for part in integrands)


def _power(base: NDArray[Any], exponent: int) -> NDArray[Any]:
    """A power of a number in the unit disc; where it is zero its companions vanish faster."""
    if exponent <= 0:
        return np.ones(base.shape)
    size = np.exp(exponent * np.log(np.abs(base)))
    return np.asarray(size * np.exp(1j * exponent * np.angle(base)) if np.iscomplexobj(base) else size)


def _smoothed(x: FloatArray, sigma: float) -> FloatArray:
    """Lambda and its first four derivatives (5, m), over a Gaussian."""
    half_width = min(0.95 * 0.5 * np.pi / max(sigma, 1e-300), 8.0)
    step = min(2.0 * np.pi * half_width / (36.0 + 0.5 * half_width**2), 0.75)
    count = int(np.ceil(_REACH / step))
    g = step * np.arange(-count, count + 1)
    weights = step * np.exp(-0.5 * g**2) / np.sqrt(2.0 * np.pi)
    if sigma == 0.0:
        g, weights = np.zeros(1), np.ones(1)
    return np.asarray(_kernels(x[:, None] - sigma * g) @ weights)


def _smoothed_at(x: FloatArray, logit: Rule) -> NDArray[np.complex128]:
    """The same (5, m, p) at every p of a line."""
    even = 0.5 * (_kernels(x[:, None] - logit.nodes) + _kernels(x[:, None] + logit.nodes))
    # One real product for both parts: the kernel is real.
    parts = even @ np.concatenate([logit.weights.real, logit.weights.imag], axis=1)
    real, imaginary = np.split(parts, 2, axis=-1)
    return np.asarray(real + 1j * imaginary)


def _kernels(y: FloatArray) -> FloatArray:
    """exp(-e^-y) and its first four derivatives, in front."""
    u = np.exp(-np.maximum(y, -600.0))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        gumbel = np.exp(-u)
        # Where e^-u underflows, so does its product with any power of u.
        u = np.where(gumbel > 0, u, 0.0)
        first = gumbel * u
        factors = (u - 1.0, u * (u - 3.0) + 1.0, u * (u * (u - 6.0) + 7.0) - 1.0)
        return np.stack([gumbel, first, *(first * factor for factor in factors)])
