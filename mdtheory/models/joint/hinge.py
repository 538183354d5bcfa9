r"""Two classes with the hinge: the spread of the clean examples smooths its kink there, and a noisy example stops at it.

A noisy margin beyond 1 costs features and dilation and gains nothing, so that it is t <= 1, where the loss of a noisy example is 1 - t: a smooth
convex programme under a linear constraint. Where its minimiser without the constraint has t > 1 the constrained one has t = 1, and one
scalar is left.
"""

import numpy as np
from numpy.typing import NDArray

from mdtheory.expectation import moments
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.joint.points import Points
from mdtheory.models.joint.two_classes import TwoClasses
from mdtheory.optimisers.damped_newton import minimise_smooth
from mdtheory.optimisers.norm_newton import Derivatives, Found, norm

# The difference that stands for the density of the spread, which only directs the steps.
_STEP, _FLATTEST = 1e-5, 1e-6
# t from (s, w), and (s, s + 1) from s. Where no example is at the kink of a clean one there is no curvature: enough to keep steps finite.
_NOISY, _AT_KINK, _KINK = np.array([-1.0, 1.0]), np.array([1.0, 1.0]), np.array([0.0, 1.0])


class HingeTwoClasses(TwoClasses):
    """Free features; x = (s, w)."""

    def smooth_part(self, points: Points, x: FloatArray, *, rough: bool = False) -> Derivatives:
        c, clean, flip = points.rate, points.clean, points.flip
        s, w = x[:, 0], x[:, 1]
        turned, scale = np.where(w < 0.0, -c, c), c * np.abs(w)
        mean = moments(points.loss, points.spread, s, scale)
        kink = (1.0 - s) / np.maximum(scale, 1e-300)
        near = np.clip(np.nan_to_num(np.abs(kink), nan=1e3), _STEP, 1e3)
        ends = [np.asarray(points.spread.tail(near + step)) for step in (-_STEP, _STEP)]
        density = np.maximum((ends[0] - ends[1]) / (2.0 * _STEP * np.maximum(scale, 1e-300)), _FLATTEST)
        kink = np.clip(kink, -1e3, 1e3)
        gradient = np.stack([clean * mean.d_centre, clean * turned * mean.d_scale], axis=-1)
        hessian = np.empty((*s.shape, 2, 2))
        hessian[:, 0, 0] = clean * density
        hessian[:, 0, 1] = hessian[:, 1, 0] = clean * turned * kink * density
        hessian[:, 1, 1] = clean * c**2 * kink**2 * density
        return Derivatives(clean * mean.value + flip * (1.0 - w + s), gradient - flip[:, None] * _NOISY, hessian)

    def minorant(
        self, points: Points, x: FloatArray, smooth: Derivatives, pull: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The hinge lies above theta (1 - t) for any theta from 0 to 1, which tells at its kink; also for each clean example."""
        value, gradient = smooth.value, smooth.gradient
        still = np.flatnonzero((x[:, 0] == 1.0) & (x[:, 1] == 0.0))
        if still.size:
            value, gradient = np.array(value), np.array(gradient)
            value[still], gradient[still] = self._where_nothing_moves(points.take(still), pull[still])
        eased = np.clip(-((gradient + pull) @ _NOISY) / 2.0, 0.0, points.flip)
        eased = np.where(x @ _NOISY < 1.0 - 1e-6, 0.0, eased)
        return value - eased * (1.0 - x @ _NOISY), gradient + eased[:, None] * _NOISY

    def _where_nothing_moves(self, points: Points, pull: FloatArray) -> tuple[FloatArray, FloatArray]:
        """At s = 1, w = 0 all clean examples are at their kink: theta is 1 below a place of the spread, 0 above.

        ``E max(0, 1 - s - R zeta) >= q (1 - s) + R A``, with ``q = P(zeta < z)`` and ``A = -E[zeta; zeta < z]``, and R = c|w| is above
        any multiple of w of at most c.
        """
        q = np.clip((points.flip + pull[:, 0]) / points.clean, 1e-12, 1.0 - 1e-12)
        low, high = np.full(q.shape, -60.0), np.full(q.shape, 60.0)
        for _ in range(80):
            z = 0.5 * (low + high)
            outside = np.asarray(points.spread.tail(np.abs(z)))
            below = np.where(z < 0.0, outside, 1.0 - outside) < q
            low, high = np.where(below, z, low), np.where(below, high, z)
        # The hinge at 1 - z + zeta has its kink at zeta = z.
        mean = moments(points.loss, points.spread, 1.0 - z, np.ones(z.shape))
        most = points.clean * points.rate * mean.d_scale
        turned = np.clip(points.flip - pull[:, 1], -most, most)
        gradient = np.stack([points.flip + points.clean * mean.d_centre, turned - points.flip], axis=-1)
        return 2.0 * points.flip, gradient

    def _solve(self, points: Points, first: FloatArray) -> Found:
        metric, everything = self.metric(points), np.arange(len(first))
        at_kink = self._at_kink(points, first[:, :1])
        still = np.broadcast_to([1.0, 0.0], first.shape)
        ahead = at_kink.point * _AT_KINK + _KINK
        # Between the two, from halfway and from clusters as wide as a margin: elsewhere there is no curvature.
        wide = np.stack([np.full(len(first), 0.5), np.minimum(0.5, 1.0 / points.rate)], axis=-1)
        within = [
            minimise_smooth(lambda x, which: self._whole(points.take(which), x, metric[which]), start, _ahead_of_zero)
            for start in (0.5 * (ahead + still), wide)
        ]
        candidates = np.stack([np.zeros(first.shape), still, ahead, *(part.point for part in within)])
        always = np.full(len(first), True)
        found = np.stack([always, always, at_kink.converged, *(part.converged for part in within)])
        found &= np.all(np.isfinite(candidates), axis=-1) & (candidates @ _NOISY <= 1.0 + 1e-12)
        with np.errstate(invalid="ignore"):
            values = [self.smooth_part(points, x).value + points.weight * norm(x, metric) for x in candidates]
        best = np.argmin(np.where(found, values, np.inf), axis=0)
        return Found(candidates[best, everything], found[best, everything])

    def _at_kink(self, points: Points, start: FloatArray) -> Found:
        """The best s with t = 1."""
        metric = self.metric(points)

        def whole(s: FloatArray, which: NDArray[np.intp]) -> Derivatives:
            there = self._whole(points.take(which), s * _AT_KINK + _KINK, metric[which])
            bend = np.einsum("i,kij,j->k", _AT_KINK, there.hessian, _AT_KINK)
            return Derivatives(there.value, there.gradient @ _AT_KINK[:, None], bend[:, None, None])

        return minimise_smooth(whole, start)

    def _whole(self, points: Points, x: FloatArray, metric: FloatArray) -> Derivatives:
        """The objective away from zero."""
        part, size = self.smooth_part(points, x), norm(x, metric)
        pull, slope = np.einsum("kij,kj->ki", metric, x), points.weight / size
        across = metric - pull[:, :, None] * pull[:, None, :] / (size**2)[:, None, None]
        return Derivatives(
            part.value + points.weight * size,
            part.gradient + slope[:, None] * pull,
            part.hessian + slope[:, None, None] * across,
        )


def _ahead_of_zero(x: FloatArray, step: FloatArray) -> FloatArray:
    """The share of a step that leaves a tenth of w: the dilation has a kink at zero."""
    w, by = x[:, 1], step[:, 1]
    return np.where(by < 0.0, np.minimum(1.0, 0.9 * w / np.maximum(-by, 1e-300)), 1.0)
