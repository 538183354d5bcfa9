r"""N classes that are all alike: the joint problem as a convex programme in three scalars.

With class means on a simplex, ``z_m = s (e_m - 1/N)``, and noisy features with the logits ``x e_m + y e_n``, centred, what is left is

.. math::
    (1-e) E\ell(z_m + R\xi, m) + e\,\ell(x e_m + y e_n, n) + 2\mu\sqrt{N-1}
    \sqrt{(1-e)\left(\tfrac{N-1}{N}s^2 + R^2\right) + e B(x, y)}, \qquad R = c \sqrt{B(x - s, y)},

with c = eta/C and ``B(a, b) = a^2 + b^2 - (a + b)^2/N``. It is convex, by the argument of two classes. It is solved in (s, p, y) with
``p = s - x``, so that nothing cancels where memorising is dear and p and y are small.
"""

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.class_losses import centred_form, class_loss
from mdtheory.models.joint.kinds import Programme, Reading
from mdtheory.models.joint.points import Points
from mdtheory.optimisers.norm_newton import Derivatives, Found, minimise_with_norm
from mdtheory.spreads import Gaussian

# Gradients are known to the accuracy of the means, and curvatures may be small; the gap says what is left.
_TINY = 1e-6
# (x, y) from (s, p, y).
NOISY = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
# (-p, y), the step from the class mean.
_STEP = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])


class Symmetric(Programme):
    """N classes; x = (s, p, y)."""

    span = np.array([np.sqrt(2.0), 0.0, 0.0])

    def first(self, points: Points, margin: FloatArray) -> FloatArray:
        # Halfway to the wrong label, where a noisy example has curvature, or as little as keeps the first cluster narrow.
        step = 0.5 * margin / (1.0 + points.rate**2)
        return np.stack([margin, step, step], axis=-1)

    def metric(self, points: Points) -> FloatArray:
        n = points.num_classes
        form = centred_form(n)
        clean = points.clean[:, None, None] * np.diag([1.0 - 1.0 / n, 0.0, 0.0])
        dilated = (points.clean * points.rate**2)[:, None, None] * (_STEP.T @ form @ _STEP)
        return np.asarray(clean + dilated + points.flip[:, None, None] * (NOISY.T @ form @ NOISY))

    def inexact(self, points: Points) -> float:
        return class_loss(points.loss, points.num_classes, points.spread).inexact

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        form = centred_form(points.num_classes)
        clean, flip = points.clean, points.flip
        # Means over a Gaussian cost less, and differ little.
        spread = Gaussian(points.spread.dim) if rough else points.spread
        loss = class_loss(points.loss, points.num_classes, spread)
        dilation = (points.rate**2)[:, None, None] * (_STEP.T @ form @ _STEP)
        pull = 2.0 * np.einsum("kij,kj->ki", dilation, x)
        mean = loss.clean(x[:, 0], 0.5 * np.sum(x * pull, axis=-1))
        noisy = loss.noisy(x[:, 0] - x[:, 1], x[:, 2])
        first = np.array([1.0, 0.0, 0.0])
        gradient = clean[:, None] * (mean.d_margin[:, None] * first + mean.d_square[:, None] * pull)
        gradient = gradient + flip[:, None] * (noisy.gradient @ NOISY)
        crossed = first[:, None] * pull[:, None, :]
        hessian = mean.d_margin2[:, None, None] * np.outer(first, first)
        hessian = hessian + mean.d_margin_square[:, None, None] * (crossed + crossed.swapaxes(1, 2))
        hessian = hessian + mean.d_square2[:, None, None] * pull[:, :, None] * pull[:, None, :]
        hessian = clean[:, None, None] * (hessian + 2.0 * mean.d_square[:, None, None] * dilation)
        hessian = hessian + flip[:, None, None] * (NOISY.T @ noisy.hessian @ NOISY)
        return Derivatives(clean * mean.value + flip * noisy.value, gradient, hessian)

    def by_rate(self, points: Points, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        form = centred_form(points.num_classes)
        loss = class_loss(points.loss, points.num_classes, points.spread)
        step = x @ _STEP.T
        square = points.rate**2 * np.sum((step @ form) * step, axis=-1)
        mean = loss.clean(x[:, 0], square)
        return 2.0 * points.clean * mean.d_square * square, 2.0 * points.clean * square

    def reading(self, x: FloatArray) -> Reading:
        return Reading(x[:, 0], -x[:, 1], x[:, 2])

    def _minimised(self, points: Points, first: FloatArray, *, rough: bool = False) -> Found:
        return minimise_with_norm(
            lambda x, which: self.smooth_part(points.take(which), x, rough=rough),
            points.weight,
            self.metric(points),
            first,
            tiny=_TINY,
            longest=1.0,
            inexact=self.inexact(points) * float(1.0 + np.max(first[:, 0])),
        )

    def _solve(self, points: Points, first: FloatArray) -> Found:
        if isinstance(points.spread, Gaussian):
            return self._minimised(points, first)
        return super()._solve(points, first)
