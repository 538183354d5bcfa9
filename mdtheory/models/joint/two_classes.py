r"""Two classes: the joint problem as a convex programme in two scalars.

With classifier, class means and noisy features optimal for their logits, and the classes alike, what is left is

.. math:: \min_{s, w}\ (1-e) E\varphi(s + c w \zeta) + e\,\varphi(w - s) + \sqrt2\mu \sqrt{(1-e)(s^2 + c^2 w^2) + e (w - s)^2}

for the clean margin s and the sum w of clean and noisy margin; c = eta/C. Convex, since the mean of a convex function grows with
the scale of a centred law, and the root is a norm. See `derivations/joint_two_classes.py`.
"""

import numpy as np
from numpy.typing import NDArray

from mdtheory.expectation import moments, restrict
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.points import Points
from mdtheory.optimisers.norm_newton import Derivatives, Found, minimise_with_norm


def solve_two_classes(points: Points, start: FloatArray) -> Found:
    """(s, w) of every point, from a start (K,) of the margin."""
    # A quarter of the way to the wrong label, or as little as keeps the first cluster narrow.
    first = np.stack([start, 0.5 * start / (1.0 + points.rate**2)], axis=-1)
    forms = metric(points)
    # Most steps are made with few nodes.
    near = minimise_with_norm(lambda x, which: smooth_part(points, x, which, rough=True), points.weight, forms, first)
    usable = near.converged & np.all(near.point > 0, axis=-1)
    first = np.where(usable[:, None], near.point, first)
    return minimise_with_norm(lambda x, which: smooth_part(points, x, which), points.weight, forms, first)


def metric(points: Points) -> FloatArray:
    """M (K, 2, 2) of ``x' M x``: half the weighted squares of margins, those of the logits of N = 2."""
    m = np.empty((points.rate.size, 2, 2))
    m[:, 0, 0] = points.clean + points.flip
    m[:, 0, 1] = m[:, 1, 0] = -points.flip
    m[:, 1, 1] = points.clean * points.rate**2 + points.flip
    return 0.5 * m


def smooth_part(points: Points, x: FloatArray, which: NDArray[np.intp], *, rough: bool = False) -> Derivatives:
    """The loss of the selected points, clean and noisy."""
    loss, c = restrict(points.loss, which), points.rate[which]
    clean, flip = points.clean[which], points.flip[which]
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
