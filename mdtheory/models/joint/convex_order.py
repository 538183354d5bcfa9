r"""A lower bound for N classes with symmetric noise that holds for every configuration, by convex order.

The spread ``r_m A xi`` of a class is at least that of :math:`\sum_n c_{nm} A(u_{nm} - h_m)\,\xi_n` in convex order, where the :math:`\xi_n` are coordinates of
xi with any correlations: the dilation is the sum of the lengths of these vectors. With all of them the same coordinate :math:`\zeta`
what is left is jointly convex in all logits, with a nuclear norm for the decays, and so the best is symmetric:

.. math::
    \min_{s, p, y}\ (1-e) E\varphi_N(s + c w \zeta) + e\,\ell(x e_m + y e_n, n) + 2\mu\sqrt{N-1}
    \sqrt{(1-e)\tfrac{N-1}{N}(s^2 + c^2 w^2) + e B(x, y)}, \qquad w = p + \frac{y}{N-1},\ x = s - p,

with the loss of N classes as a function of one margin. It is the problem itself for two classes, and as exact as its limits for small and large slopes.
"""

import numpy as np

from mdtheory.expectation import moments
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import CrossEntropy, MeanSquaredError
from mdtheory.models.class_losses import centred_form, class_loss
from mdtheory.models.joint.kinds import Programme, Reading
from mdtheory.models.joint.points import Points
from mdtheory.models.joint.symmetric import NOISY
from mdtheory.optimisers.norm_newton import Derivatives


class ConvexOrder(Programme):
    """The programme of the bound; x = (s, p, y)."""

    span = np.array([np.sqrt(2.0), 0.0, 0.0])

    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        step = 0.5 * margin / (1.0 + points.rate**2)
        return np.stack([margin, step, step], axis=-1)

    def metric(self, points: Points) -> FloatArray:
        n = points.num_classes
        along = self._along(n)
        clean = (points.clean * (1.0 - 1.0 / n))[:, None, None]
        dilated = (points.rate**2)[:, None, None] * np.outer(along, along)
        noisy = NOISY.T @ centred_form(n) @ NOISY
        whole = clean * (np.diag([1.0, 0.0, 0.0]) + dilated) + points.flip[:, None, None] * noisy
        if n == 2:
            # Of two classes p + y alone is seen: a price of p - y takes nothing from the optimum, and leaves one.
            whole = whole + points.flip[:, None, None] * np.outer([0.0, 1.0, -1.0], [0.0, 1.0, -1.0])
        return np.asarray(whole)

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        n, clean, flip = points.num_classes, points.clean, points.flip
        along, first = self._along(n), np.array([1.0, 0.0, 0.0])
        w = x @ along
        turned = np.where(w < 0.0, -points.rate, points.rate)
        mean = _margin_moments(points, x[:, 0], points.rate * np.abs(w), rough=rough)
        noisy = class_loss(points.loss, n, points.spread).noisy(x[:, 0] - x[:, 1], x[:, 2])
        by_s, by_w = mean.gradient.T
        gradient = clean[:, None] * (by_s[:, None] * first + (turned * by_w)[:, None] * along)
        gradient = gradient + flip[:, None] * (noisy.gradient @ NOISY)
        crossed = np.outer(first, along) + np.outer(along, first)
        hessian = mean.hessian[:, 0, 0, None, None] * np.outer(first, first)
        hessian = hessian + (turned * mean.hessian[:, 0, 1])[:, None, None] * crossed
        hessian = hessian + (turned**2 * mean.hessian[:, 1, 1])[:, None, None] * np.outer(along, along)
        hessian = clean[:, None, None] * hessian + flip[:, None, None] * (NOISY.T @ noisy.hessian @ NOISY)
        return Derivatives(clean * mean.value + flip * noisy.value, gradient, hessian)

    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        scale = points.rate * np.abs(x @ self._along(points.num_classes))
        mean = _margin_moments(points, x[:, 0], scale, rough=False)
        share = 1.0 - 1.0 / points.num_classes
        return points.clean * scale * mean.gradient[:, 1], 2.0 * share * points.clean * scale**2

    def reading(self, x: FloatArray) -> Reading:
        return Reading(x[:, 0], -x[:, 1], x[:, 2])

    @staticmethod
    def _along(n: int) -> FloatArray:
        """w from x."""
        return np.array([0.0, 1.0, 1.0 / (n - 1.0)])


def _margin_moments(points: Points, margin: FloatArray, scale: FloatArray, *, rough: bool) -> Derivatives:
    """E of the loss of N classes at a margin that spreads, with its derivatives in margin and scale."""
    n, loss = points.num_classes, points.loss
    if isinstance(loss, MeanSquaredError):
        share = 1.0 - 1.0 / n
        off, variance = margin - (1.0 - np.asarray(loss.smoothing)), 1.0 / points.spread.dim
        gradient = share * np.stack([off, variance * scale], axis=-1)
        hessian = np.broadcast_to(share * np.diag([1.0, variance]), (*margin.shape, 2, 2))
        return Derivatives(0.5 * share * (off**2 + variance * scale**2), gradient, hessian)
    # log(1 + (N-1) e^-t) is the loss of two classes at t - log(N-1); a smoothed target adds a multiple of t.
    mean = moments(CrossEntropy(), points.spread, margin - np.log(n - 1.0), scale, rough=rough)
    tilt = np.asarray(getattr(loss, "smoothing", 0.0)) * (1.0 - 1.0 / n)
    hessian = np.stack([mean.d_centre2, mean.d_centre_scale, mean.d_centre_scale, mean.d_scale2], axis=-1)
    return Derivatives(
        mean.value + tilt * margin,
        np.stack([mean.d_centre + tilt, mean.d_scale], axis=-1),
        hessian.reshape(*margin.shape, 2, 2),
    )
