r"""The memorization-dilation problem of N >= 3 classes: convex in two scalars.

On the simplex of class means, ``W h_m = s (e_m - 1/N)`` with W = c (I - 1/N), all classes are alike at an optimum: the problem is
convex, so that the mean of an answer over all permutations is one. A noisy feature has the logits ``(s - p) e_m + y e_n``, centred, and with
``B(a, b) = a^2 + b^2 - (a + b)^2/N`` what is left is, for each class,

.. math::
    \min_{p, y}\ E\ell(z_m + R\xi, m) + \eta\,\ell(z_{nm}, n) + \frac{\lambda}{c^2}\{R^2 + \eta B(s - p, y)\}, \qquad
    R = \eta \frac{D^q}{C} \sqrt{B(p, y)} .
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mdtheory.expectation import flatten, restrict
from mdtheory.foundation.validation import FloatArray, fail, scalar_or_array
from mdtheory.losses import Loss
from mdtheory.models.class_losses import centred_form, class_loss, gaussian_class_error
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.dilation.solution import MD_TOLERANCE, MDSolution
from mdtheory.models.solution import Number
from mdtheory.models.status import Status
from mdtheory.optimisers.damped_newton import minimise_smooth
from mdtheory.optimisers.norm_newton import Derivatives, solve_symmetric_systems
from mdtheory.spreads import Gaussian

# (-p, y), the step from the class mean, and (s - p, y), from (p, y).
_STEP = np.diag([-1.0, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """A flat block of K points: the share of noise, s, lambda/c^2 and the rate ``eta D^q/C``; clean examples count nothing without noise."""

    problem: MemorizationDilation
    loss: Loss
    noise: FloatArray
    margin: FloatArray
    decay: FloatArray
    rate: FloatArray

    @classmethod
    def of(cls, problem: MemorizationDilation) -> "_Points":
        c, shape = problem.configuration, problem.shape

        def flat(values: FloatArray) -> FloatArray:
            return np.broadcast_to(values, shape).ravel()

        scale = np.asarray(c.weight_distance) / np.sqrt(2.0)
        return cls(
            problem=problem,
            loss=flatten(problem.ufm.loss, shape),
            noise=flat(np.asarray(problem.noise, dtype=np.float64)),
            margin=flat(c.margin),
            decay=flat(problem.decay / scale**2),
            rate=flat(np.asarray(problem.noise) * problem.rate),
        )

    def loss_part(self, x: FloatArray, which: NDArray[np.intp]) -> Derivatives:
        """The loss of clean and noisy examples at (p, y)."""
        n = int(self.problem.ufm.num_classes)
        loss = class_loss(restrict(self.loss, which), n, self.problem.spread)
        dilated = self.rate[which, None, None] ** 2 * (_STEP @ centred_form(n) @ _STEP)
        pull = 2.0 * np.einsum("kij,kj->ki", dilated, x)
        mean = loss.clean(self.margin[which], 0.5 * np.sum(x * pull, axis=-1))
        noisy = loss.noisy(self.margin[which] - x[:, 0], x[:, 1])
        share = self.noise[which]
        hessian = mean.d_square2[:, None, None] * pull[:, :, None] * pull[:, None, :]
        hessian = hessian + 2.0 * mean.d_square[:, None, None] * dilated
        return Derivatives(
            mean.value + share * noisy.value,
            mean.d_square[:, None] * pull + share[:, None] * (noisy.gradient @ _STEP),
            hessian + share[:, None, None] * (_STEP @ noisy.hessian @ _STEP),
        )

    def decays(self, which: NDArray[np.intp]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """A (K, 2, 2), b (K, 2) and what is constant (K,): ``x' A x + 2 b' x + constant`` is the cost of the features."""
        n = int(self.problem.ufm.num_classes)
        form = centred_form(n)
        weight, s, share = self.decay[which], self.margin[which], self.noise[which]
        square = _STEP @ form @ _STEP
        a = (weight * (self.rate[which] ** 2 + share))[:, None, None] * square
        b = (weight * share * s)[:, None] * (form[0] @ _STEP)
        return a, b, weight * s**2 * (1.0 + share) * form[0, 0]

    def whole(self, x: FloatArray, which: NDArray[np.intp]) -> Derivatives:
        part = self.loss_part(x, which)
        a, b, constant = self.decays(which)
        pull = np.einsum("kij,kj->ki", a, x)
        return Derivatives(
            part.value + np.sum(x * (pull + 2.0 * b), axis=-1) + constant,
            part.gradient + 2.0 * (pull + b),
            part.hessian + 2.0 * a,
        )

    def lower_bound(self, x: FloatArray) -> FloatArray:
        """On the optimum, from any x: the loss lies above its tangent, and what decays cost is a parabola."""
        everything = np.arange(len(x))
        part = self.loss_part(x, everything)
        a, b, constant = self.decays(everything)
        slope = 0.5 * part.gradient + b
        least = -np.sum(slope * solve_symmetric_systems(a, slope), axis=-1)
        off = class_loss(self.loss, int(self.problem.ufm.num_classes), self.problem.spread).inexact
        return np.asarray(part.value - np.sum(part.gradient * x, axis=-1) + least + constant - off * (1 + part.value))


def solve_many_classes(problem: MemorizationDilation) -> "ClassMDSolution":
    """Newton's method in (p, y), for all points at once."""
    points = _Points.of(problem)
    # Without noise a noisy feature has no weight: its place is the limit, that of a noise too small to matter.
    silent = points.noise == 0.0
    n = int(problem.ufm.num_classes)

    def whole(x: FloatArray, which: NDArray[np.intp]) -> Derivatives:
        some = points.whole(x, which)
        if not np.any(silent[which]):
            return some
        noisy = class_loss(restrict(points.loss, which), n, problem.spread).noisy(
            points.margin[which] - x[:, 0], x[:, 1]
        )
        form, weight = centred_form(n), points.decay[which]
        at = np.stack([points.margin[which] - x[:, 0], x[:, 1]], axis=-1)
        alone = Derivatives(
            noisy.value + weight * np.sum((at @ form) * at, axis=-1),
            (noisy.gradient + 2.0 * weight[:, None] * (at @ form)) @ _STEP,
            _STEP @ (noisy.hessian + 2.0 * weight[:, None, None] * form) @ _STEP,
        )
        return Derivatives(
            *(
                np.where(silent[which].reshape(-1, *(1,) * (one.ndim - 1)), one, other)
                for one, other in zip(alone, some, strict=True)
            )
        )

    step = 0.5 * points.margin / (1.0 + points.rate**2)
    inexact = 10.0 * class_loss(points.loss, n, problem.spread).inexact
    found = minimise_smooth(whole, np.stack([step, step], axis=-1), inexact=max(inexact, 1e-13))
    x = np.where(found.converged[:, None], found.point, np.nan)
    form, shape = centred_form(n), problem.shape
    scale = np.asarray(problem.configuration.weight_distance) / np.sqrt(2.0)
    stepped = x * np.array([-1.0, 1.0])
    length = np.sqrt(np.maximum(np.sum((stepped @ form) * stepped, axis=-1), 0.0)).reshape(shape) / scale
    margin = x[:, 1] - np.maximum(points.margin - x[:, 0], 0.0)
    return ClassMDSolution(
        problem,
        scalar_or_array(points.rate.reshape(shape) * length),
        scalar_or_array(length),
        scalar_or_array(margin.reshape(shape)),
        scalar_or_array(np.zeros(shape)),
        "reduced",
        Status.INACCURATE,
        MD_TOLERANCE,
        answer=x.reshape(*shape, 2),
    )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ClassMDSolution(MDSolution):
    r"""The minimiser of a memorization-dilation problem of more than two classes.

    Attributes
    ----------
    answer : array (..., 2)
        p and y: a noisy example of class m labelled n has the logits ``(s - p) e_m + y e_n``, centred. Its margin, `noisy_margin`, is for
        its wrong label against the best of all others.

    All other fields are those of two classes; `noisy_features` has a further axis.
    """

    answer: FloatArray

    _shown: ClassVar[tuple[str, ...]] = ("normalized_dilation", "noisy_margin")

    @cached_property
    def objective(self) -> Number:
        """The optimal value, summed over all classes, clean and noisy."""
        points = _Points.of(self.problem)
        return self._of_all(points.whole(self._flat, np.arange(len(self._flat))).value)

    @cached_property
    def lower_bound(self) -> Number:
        """A lower bound on the optimum, from the answer alone."""
        return self._of_all(_Points.of(self.problem).lower_bound(self._flat))

    @property
    def test_error(self) -> Number:
        """Error rate of unseen clean examples: that a logit of another class exceeds that of their own.

        Raises
        ------
        AssumptionError
            If the spread is not Gaussian.
        """
        spread = self.problem.spread
        if not isinstance(spread, Gaussian):
            raise fail("spread", spread, "must be Gaussian for the test error of more than two classes")
        dilation = np.asarray(self.normalized_dilation)
        return scalar_or_array(gaussian_class_error(dilation, int(self.problem.ufm.num_classes), spread.dim))

    @property
    def noisy_features(self) -> FloatArray:
        """U (..., M, N, N): ``U[..., :, n, m]`` is the feature of an example of class m labelled n; h_m for n = m."""
        n, means = int(self.problem.ufm.num_classes), self.class_means
        margin = np.asarray(self.problem.configuration.margin)[..., None, None, None]
        apart = 1.0 - np.eye(n)
        # Class means are s (e_m - 1/N)/c: a step along e_m is one along its mean.
        own = -self.answer[..., 0][..., None, None, None] * means[..., None, :] * apart
        other = self.answer[..., 1][..., None, None, None] * means[..., :, None] * apart
        return np.asarray(means[..., None, :] + (own + other) / margin)

    @property
    def _flat(self) -> FloatArray:
        x = self.answer.reshape(-1, 2)
        return np.where(np.isnan(x), 0.0, x)

    def _of_all(self, values: FloatArray) -> Number:
        missing = np.any(np.isnan(self.answer), axis=-1)
        summed = int(self.problem.ufm.num_classes) * values.reshape(self.problem.shape)
        return scalar_or_array(np.where(missing, np.nan, summed))
