r"""The mean of ``log sum exp`` over logits on a sphere, from Gaussian means of complex variance.

A Gaussian vector of variance v in d dimensions has the direction of a point on the sphere and the radius ``sqrt(2 v t)``, where t
has the density ``t^(d/2-1) e^-t / Gamma(d/2)``. So Gaussian means G(v) are a Laplace transform of means over spheres, and

.. math:: F(R) = \frac{\Gamma(d/2)}{2\pi i} \int_{a - i\infty}^{a + i\infty} e^p p^{-d/2} G(R^2/(2p))\,dp, \qquad a > 0 .

At complex p the density of a Gaussian logit is ``sqrt(p/pi)/R exp(-p y^2/R^2)``: the kernel of `class_expectation` stays real, and all p
share it. The line is summed by the trapezoidal rule, whose error is F at the times t = 1 + 2 pi k/h instead of 1; its slow tail in
small dimensions is cut by a smooth window, which is a mean of F over times closely around 1. See `derivations/class_expectations.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from mdtheory.foundation.validation import FloatArray

Complex = NDArray[np.complex128]

# Everything that is cut off or aliased is e^-34 of the sum of absolute values.
_DIGITS = 34.0
# The line lies this far to the right of the saddle point: it keeps other times away, for e^4 of rounding.
_BEYOND = 8.0
# The window falls from one to zero around its end, in a few widths; as a mean over times it reaches to e^(-width^2/4) at time zero.
_WIDTH = 11.7
# exp(-e^-y) is analytic for |Im y| < pi/2.
_STRIP = 0.5 * np.pi


class Line(NamedTuple):
    """Nodes p (m,) on the upper half of the line, and weights (m,): F is the real part of the sum of w G(R^2/(2p))."""

    p: Complex
    weights: Complex


class Rule(NamedTuple):
    """Nodes y >= 0 (k,) of a Gaussian logit, and weights (k, m) for each p; of even parts in y."""

    nodes: FloatArray
    weights: Complex


def line(dim: int) -> Line:
    """The nodes and weights that turn Gaussian means into means over the sphere in R^dim."""
    half = 0.5 * dim
    a = half + _BEYOND
    gap = _gap_of_times(half, a)
    step = 2.0 * np.pi / gap
    # Where p^(-d/2) alone has fallen far enough, or where the window has: it begins beyond the frequencies of F close to
    # time 1, under the Gaussian that its own mean over times and e^(-a t) t^(d/2-1) make there.
    fallen = a * np.sqrt(np.expm1(min(2.0 * _DIGITS / half, 600.0)))
    begin = np.sqrt(_DIGITS * (_WIDTH**2 + dim))
    last = begin + 6.0 * _WIDTH
    tau = step * np.arange(int(np.ceil(min(fallen, last) / step)) + 1)
    window = 0.5 * erfc((tau - begin) / _WIDTH) if fallen > last else np.ones(tau.shape)
    p = a + 1j * tau
    weights = window * np.exp(1j * tau - half * np.log1p(1j * tau / a))
    weights[0] *= 0.5
    # A constant has itself for its mean.
    return Line(np.asarray(p, np.complex128), weights / np.sum(weights.real))


def rule(at: Line, radius: float) -> Rule:
    """The trapezoidal rule for a Gaussian logit at each p; radius > 0."""
    a = float(at.p[0].real)
    reach = np.sqrt(_DIGITS / a)
    # The density at p has frequencies up to where e^(-(f/2)^2 Re 1/p) is as small as the weight of p leaves it to be.
    size = np.abs(at.weights) / np.max(np.abs(at.weights))
    needed = np.maximum(_DIGITS + np.log(np.maximum(size, 1e-300)), 0.0)
    highest = float(np.max(2.0 * np.sqrt(needed * np.abs(at.p) ** 2 / a)))
    step = 2.0 * np.pi / (highest + radius * _DIGITS / _STRIP)
    eta = step * np.arange(int(np.ceil(reach / step)) + 1)
    weights = np.exp(-np.multiply.outer(eta**2, at.p))
    weights[0] *= 0.5
    weights /= np.sum(weights, axis=0)
    return Rule(np.asarray(radius * eta, np.float64), weights)


def _gap_of_times(half: float, a: float) -> float:
    """The least distance between times at which those other than 1 count for nothing: e^(-a(t-1)) t^(d/2-1)."""
    gap = 1e-4
    while True:
        above = a * gap - (half - 1.0) * np.log1p(gap)
        # Before time zero there is nothing.
        below = -a * gap - (half - 1.0) * np.log1p(-gap) if gap < 1.0 else np.inf
        if min(above, below) >= _DIGITS:
            return gap
        gap *= 1.02
