r"""Two classes that differ in their share or their flips: the joint problem as a convex programme in four scalars.

.. math::
    \min_{s, w, b}\ \sum_m \pi_m \Big\{(1-e_m) E\varphi(s_m + c_m w_m \zeta \pm b) + e_m\,\varphi(w_m - s_m \mp b)\Big\}
    + \sqrt2\mu \sqrt{\sum_m \pi_m \{(1-e_m)(s_m^2 + c_m^2 w_m^2) + e_m (w_m - s_m)^2\}}

for the clean margins s and the sums w of clean and noisy margins, and half of what the biases differ by, if there are any:
it appears in the losses alone, and is the best for every (s, w).
"""

import numpy as np

from mdtheory.expectation import Moments, moments
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.models.joint.kinds import Programme, Reading
from mdtheory.models.joint.points import Points
from mdtheory.optimisers.norm_newton import Derivatives

_SIGNS = np.array([1.0, -1.0])
_BIAS_STEPS = 60
# A bias is searched for as far from zero as this, and the loss may be no flatter than that.
_FLATTEST = 1e-280


class UnlikeClasses(Programme):
    """Free features; x = (s_1, s_2, w_1, w_2)."""

    span = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2.0)

    def __init__(self, *, bias: bool) -> None:
        self.bias = bias

    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        step = 0.5 * margin[:, None] / (1.0 + points.rate**2)
        return np.concatenate([np.stack([margin, margin], axis=-1), step], axis=-1)

    def metric(self, points: Points) -> FloatArray:
        m = np.zeros((len(points.rate), 4, 4))
        for i in (0, 1):
            clean, flip, rate = points.clean[:, i], points.flip[:, i], points.rate[:, i]
            m[:, i, i] = clean + flip
            m[:, i, i + 2] = m[:, i + 2, i] = -flip
            m[:, i + 2, i + 2] = clean * rate**2 + flip
        return 0.5 * m

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        shift = self.best_bias(points, x, rough=rough)
        value, gradient, hessian = np.zeros(len(x)), np.zeros(x.shape), np.zeros((*x.shape, 4))
        by_bias, mixed = np.zeros(len(x)), np.zeros(x.shape)
        for i, sign in enumerate(_SIGNS):
            clean, flip, c, s, w = _of_class(points, x, i)
            mean = _mean(points, s + sign * shift, c * np.abs(w), rough)
            noisy_margin = w - s - sign * shift
            slope, curvature = points.loss.slope_and_curvature(noisy_margin)
            turn = np.where(w < 0, -c, c)
            value += clean * mean.value + flip * points.loss.profile(noisy_margin)
            gradient[:, i] = clean * mean.d_centre - flip * slope
            gradient[:, i + 2] = clean * turn * mean.d_scale + flip * slope
            hessian[:, i, i] = clean * mean.d_centre2 + flip * curvature
            hessian[:, i, i + 2] = hessian[:, i + 2, i] = clean * turn * mean.d_centre_scale - flip * curvature
            hessian[:, i + 2, i + 2] = clean * c**2 * mean.d_scale2 + flip * curvature
            by_bias += hessian[:, i, i]
            mixed[:, i], mixed[:, i + 2] = sign * hessian[:, i, i], sign * hessian[:, i, i + 2]
        if self.bias:
            # The bias answers every change of x: a Schur complement.
            hessian -= mixed[:, :, None] * mixed[:, None, :] / np.maximum(by_bias, _FLATTEST)[:, None, None]
        return Derivatives(value, gradient, hessian)

    def best_bias(self, points: Points, x: FloatArray, *, rough: bool = False) -> FloatArray:
        """b (K,), by Newton's method between two places where the slope has either sign; zero without a bias."""
        b = np.zeros(len(x))
        if not self.bias:
            return b
        low, high = np.full(b.shape, -np.inf), np.full(b.shape, np.inf)
        before = np.full(b.shape, np.inf)
        for _ in range(_BIAS_STEPS):
            slope, curvature = self._along_bias(points, x, b, rough)
            low, high = np.where(slope < 0, b, low), np.where(slope > 0, b, high)
            step = np.clip(-slope / np.maximum(curvature, _FLATTEST), -1.0 - np.abs(b), 1.0 + np.abs(b))
            ahead = b + step
            outside = (ahead < low) | (ahead > high)
            ahead = np.where(outside & np.isfinite(low) & np.isfinite(high), 0.5 * (low + high), ahead)
            moved = np.abs(ahead - b) / (1.0 + np.abs(b))
            b = np.where(slope == 0.0, b, ahead)
            # Short steps that no longer shrink are rounding.
            if np.all((moved <= 1e-15) | (slope == 0.0) | ((moved <= 1e-9) & (moved > 0.5 * before))):
                break
            before = moved
        return b

    def unsettled(self, points: Points, x: FloatArray, value: FloatArray) -> FloatArray:
        r"""What is left of the slope in b, times how far the best bias may be away.

        An optimum has :math:`k \|.\| \le V`, which limits its margins, and each class a loss of at most V, which is at least
        :math:`\varphi(s \pm b) \ge \varphi(0) + \varphi'(0) (s \pm b)` by Jensen's inequality.
        """
        if not self.bias:
            return np.zeros(len(x))
        b = self.best_bias(points, x)
        left = np.abs(self._along_bias(points, x, b, rough=False)[0])
        zero = np.zeros(len(x))
        level, tilt = points.loss.profile(zero), np.abs(points.loss.slope_and_curvature(zero)[0])
        share = points.clean.min(axis=-1)
        # A margin's square is weighted by half its share.
        margin = np.sqrt(2.0 / share) * value / points.weight
        return np.asarray(left * (np.abs(b) + margin + (value / share + level) / tilt))

    def _along_bias(self, points: Points, x: FloatArray, b: FloatArray, rough: bool) -> tuple[FloatArray, FloatArray]:
        slope, bend = np.zeros(len(x)), np.zeros(len(x))
        for i, sign in enumerate(_SIGNS):
            clean, flip, c, s, w = _of_class(points, x, i)
            mean = _mean(points, s + sign * b, c * np.abs(w), rough)
            first, second = points.loss.slope_and_curvature(w - s - sign * b)
            slope += sign * (clean * mean.d_centre - flip * first)
            bend += clean * mean.d_centre2 + flip * second
        return slope, bend

    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        shift = self.best_bias(points, x)
        loss, square = np.zeros(len(x)), np.zeros(len(x))
        for i, sign in enumerate(_SIGNS):
            clean, _, c, s, w = _of_class(points, x, i)
            scale = c * np.abs(w)
            loss += clean * scale * _mean(points, s + sign * shift, scale, False).d_scale
            square += clean * scale**2
        return loss, square

    def reading(self, x: FloatArray) -> Reading:
        half = 0.5 * x[:, 2:]
        return Reading(x[:, :2], -half, half)


def _of_class(points: Points, x: FloatArray, i: int) -> tuple[FloatArray, ...]:
    """Shares of clean and flipped examples, rate, s and w of a class."""
    return points.clean[:, i], points.flip[:, i], points.rate[:, i], x[:, i], x[:, i + 2]


def _mean(points: Points, centre: FloatArray, scale: FloatArray, rough: bool) -> Moments:
    loss: Loss = points.loss
    return moments(loss, points.spread, centre, scale, rough=rough)
