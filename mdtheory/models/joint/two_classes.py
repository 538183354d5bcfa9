r"""Two classes that are alike: the joint problem as a convex programme in two scalars, or three where features are nonnegative.

With classifier, class means and noisy features optimal for their logits, what is left for free features is

.. math:: \min_{s, w}\ (1-e) E\varphi(s + c w \zeta) + e\,\varphi(w - s) + \sqrt2\mu \sqrt{(1-e)(s^2 + c^2 w^2) + e (w - s)^2}

for the clean margin s and the sum w of clean and noisy margin; c = eta/C. For nonnegative ones, whose class means are ``s e_m`` and whose
noisy features ``(s - p) e_m + b e_n``, up to the scale of W, it is

.. math::
    \min_{s, p, b}\ (1-e) E\varphi(s + R \zeta) + e\,\varphi(b + p - s) + 2\mu \sqrt{(1-e)(s^2 + \tfrac12 R^2) + e ((s - p)^2 + b^2)},
    \qquad R = c \sqrt{2 (p^2 + b^2)}.

Both are convex, since the mean of a convex function grows with the scale of a centred law, and the root is a norm.
See `derivations/joint_two_classes.py`.
"""

import numpy as np

from mdtheory.expectation import moments
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.kinds import Programme, Reading
from mdtheory.models.joint.points import Points
from mdtheory.optimisers.norm_newton import Derivatives

# Below this scale a mean is a parabola of it, to rounding.
_PARABOLIC = 1e-6


class TwoClasses(Programme):
    """Free features; x = (s, w)."""

    span = np.array([np.sqrt(2.0), 0.0])

    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        # A quarter of the way to the wrong label, or as little as keeps the first cluster narrow.
        return np.stack([margin, 0.5 * margin / (1.0 + points.rate**2)], axis=-1)

    def metric(self, points: Points) -> FloatArray:
        m = np.empty((points.rate.size, 2, 2))
        m[:, 0, 0] = points.clean + points.flip
        m[:, 0, 1] = m[:, 1, 0] = -points.flip
        m[:, 1, 1] = points.clean * points.rate**2 + points.flip
        return 0.5 * m

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        loss, c, clean, flip = points.loss, points.rate, points.clean, points.flip
        s, w = x[:, 0], x[:, 1]
        sign = np.where(w < 0, -1.0, 1.0)
        mean = moments(loss, points.spread, s, c * np.abs(w), rough=rough)
        by_w, mixed = c * sign * mean.d_scale, c * sign * mean.d_centre_scale
        slope, curvature = loss.slope_and_curvature(w - s)
        gradient = np.stack([clean * mean.d_centre - flip * slope, clean * by_w + flip * slope], axis=-1)
        hessian = np.empty((*s.shape, 2, 2))
        hessian[:, 0, 0] = clean * mean.d_centre2 + flip * curvature
        hessian[:, 0, 1] = hessian[:, 1, 0] = clean * mixed - flip * curvature
        hessian[:, 1, 1] = clean * c**2 * mean.d_scale2 + flip * curvature
        return Derivatives(clean * mean.value + flip * loss.profile(w - s), gradient, hessian)

    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        scale = points.rate * np.abs(x[:, 1])
        mean = moments(points.loss, points.spread, x[:, 0], scale)
        return points.clean * scale * mean.d_scale, points.clean * scale**2

    def reading(self, x: FloatArray) -> Reading:
        half = 0.5 * x[:, 1]
        return Reading(x[:, 0], -half, half)


class NonnegativeTwoClasses(Programme):
    """Nonnegative class means, and noisy features where these are to be; x = (s, p, b)."""

    span = np.array([np.sqrt(2.0), 0.0, 0.0])

    def __init__(self, *, noisy_too: bool) -> None:
        # The own coordinate s - p of a noisy feature; the other, b, is never negative at an optimum.
        self.wall = np.array([1.0, -1.0, 0.0]) if noisy_too else None

    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        step = 0.25 * margin / (1.0 + points.rate**2)
        return np.stack([margin, step, step], axis=-1)

    def metric(self, points: Points) -> FloatArray:
        m = np.zeros((points.rate.size, 3, 3))
        dilated = points.clean * points.rate**2
        m[:, 0, 0] = points.clean + points.flip
        m[:, 0, 1] = m[:, 1, 0] = -points.flip
        m[:, 1, 1] = m[:, 2, 2] = dilated + points.flip
        return m

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        loss, c, clean, flip = points.loss, points.rate, points.clean, points.flip
        s, p, b = x.T
        # R as c sqrt 2 times the length of the step, whose gradient is bounded.
        length = np.hypot(p, b)
        scale = np.sqrt(2.0) * c * length
        mean = moments(loss, points.spread, s, scale, rough=rough)
        ahead = np.zeros(x.shape)
        ahead[:, 1:] = x[:, 1:] / np.where(length > 0, length, 1.0)[:, None] * (np.sqrt(2.0) * c)[:, None]
        narrow = scale < _PARABOLIC
        stiff = np.where(narrow, mean.d_scale2, mean.d_scale / np.where(narrow, 1.0, scale))
        along = np.array([1.0, 0.0, 0.0])
        noisy = np.array([-1.0, 1.0, 1.0])
        slope, curvature = loss.slope_and_curvature(b + p - s)
        gradient = clean[:, None] * (mean.d_centre[:, None] * along + mean.d_scale[:, None] * ahead)
        gradient = gradient + (flip * slope)[:, None] * noisy
        crossed = along[:, None] * ahead[:, None, :]
        hessian = mean.d_centre2[:, None, None] * np.outer(along, along)
        hessian = hessian + mean.d_centre_scale[:, None, None] * (crossed + crossed.swapaxes(1, 2))
        hessian = hessian + (mean.d_scale2 - stiff)[:, None, None] * ahead[:, :, None] * ahead[:, None, :]
        hessian = hessian + (2.0 * c**2 * stiff)[:, None, None] * np.diag([0.0, 1.0, 1.0])
        hessian = clean[:, None, None] * hessian + (flip * curvature)[:, None, None] * np.outer(noisy, noisy)
        return Derivatives(clean * mean.value + flip * loss.profile(b + p - s), gradient, hessian)

    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        scale = np.sqrt(2.0) * points.rate * np.hypot(x[:, 1], x[:, 2])
        mean = moments(points.loss, points.spread, x[:, 0], scale)
        return points.clean * scale * mean.d_scale, points.clean * scale**2

    def reading(self, x: FloatArray) -> Reading:
        return Reading(x[:, 0], -x[:, 1], x[:, 2])
