"""The answer to a limited-expressivity problem, and everything that follows from it."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import log_ndtr

from mdtheory.foundation.validation import FloatArray, fail, scalar_or_array
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.joint import programme
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.solution import Number, Solution
from mdtheory.models.status import Status
from mdtheory.spreads import Gaussian

JOINT_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class JointSolution(Solution):
    r"""Class means, classifier, noisy features and dilation that are optimal together.

    Scalar fields have the broadcast shape of the problem's parameters; matrices get that shape in front. Where everything has
    collapsed to zero, ``collapsed`` says so: margins and dilation are zero and the normalised dilation is undefined (NaN).

    Attributes
    ----------
    problem : LimitedExpressivity
    answer : array (..., n)
        The minimiser of the convex programme in its own variables: (s, w) for two classes, (s, p, y) for more.
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.

    Notes
    -----
    For two classes ``lower_bound`` is on all configurations: the reduction to two scalars is proved
    (`derivations/joint_two_classes.py`). For more classes it is too, but crude, the optimum without noisy labels; the answer is the best with
    all classes alike, up to ``family_gap``, and a configuration that is not symmetric may be better, for small slopes at least.
    Such an answer is BOUNDED unless that bound meets it.
    """

    problem: LimitedExpressivity
    answer: FloatArray
    method: str
    tolerance: float = JOINT_TOLERANCE

    _shown: ClassVar[tuple[str, ...]] = ("margin", "noisy_margin", "normalized_dilation")

    # ------------------------------------------------------------------ how good it is

    @cached_property
    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        return programme.bounds(self.problem, self.answer)

    @property
    def objective(self) -> Number:
        """The optimal value, a mean over examples: an upper bound on the optimum over all configurations."""
        return scalar_or_array(self._bounds[0])

    @cached_property
    def lower_bound(self) -> Number:
        """A lower bound on the optimum over all configurations, recomputed from the answer."""
        below = self._bounds[1]
        if self.problem.num_classes > 2:
            below = np.where(np.isnan(below), np.nan, np.minimum(below, self.noiseless.lower_bound))
        return scalar_or_array(below)

    @property
    def family_gap(self) -> Number:
        """What a better answer with all classes alike could gain at most; for two classes that is the gap."""
        return scalar_or_array(np.maximum(np.subtract(*self._bounds), 0.0))

    @property
    def relative_to(self) -> str:
        """Among which configurations the answer is the best, as far as that is proved by ``family_gap``."""
        return "all configurations" if self.problem.num_classes == 2 else "configurations with all classes alike"

    def _when_open(self) -> Status:
        return Status.INACCURATE if self.problem.num_classes == 2 else Status.BOUNDED

    # ------------------------------------------------------------------ margins and dilation

    @property
    def margin(self) -> Number:
        """s, the own logit of a class mean minus any other."""
        return scalar_or_array(self.answer[..., 0])

    @property
    def collapsed(self) -> bool | FloatArray:
        """Whether all features are zero: noise and decay leave nothing to be learned."""
        found = np.asarray(self.answer[..., 0] == 0.0)
        return found if found.ndim else bool(found)

    @property
    def noisy_logits(self) -> FloatArray:
        """(..., 2): x and y of the logits ``x e_m + y e_n`` of an example of class m labelled n, before centring."""
        step = programme.steps(self.problem, self.answer)
        return np.stack([self.answer[..., 0] + step[..., 0], step[..., 1]], axis=-1)

    @property
    def noisy_margin(self) -> Number:
        """The margin of a noisy example for its (wrong) label: memorised where positive."""
        if self.problem.num_classes == 2:
            return scalar_or_array(self.answer[..., 1] - self.answer[..., 0])
        x, y = np.moveaxis(self.noisy_logits, -1, 0)
        return scalar_or_array(y - np.maximum(x, 0.0))

    @property
    def normalized_dilation(self) -> Number:
        """ND = r / ||h_1 - h_2||; NaN where everything has collapsed."""
        length = programme.step_lengths(self.problem, self.answer) * self.problem.rate
        alive = self.answer[..., 0] != 0.0
        divisor = np.sqrt(2.0) * np.where(alive, self.answer[..., 0], 1.0)
        return scalar_or_array(np.where(alive, length / divisor, np.nan))

    @property
    def dilation(self) -> Number:
        """r, that of every class."""
        return scalar_or_array(self._per_scale(programme.step_lengths(self.problem, self.answer) * self.problem.rate))

    @property
    def memorization(self) -> Number:
        """||u_nm - h_m||, how far a noisy example is pulled towards its wrong label."""
        return scalar_or_array(self._per_scale(programme.step_lengths(self.problem, self.answer)))

    @property
    def mean_distance(self) -> Number:
        """D = ||h_1 - h_2||."""
        return scalar_or_array(self._per_scale(np.sqrt(2.0) * self.answer[..., 0]))

    @property
    def noiseless(self) -> MarginSolution:
        """The answer without noisy labels: that of the unconstrained features model."""
        ufm = self.problem.noiseless
        return MarginSolution(ufm, scalar_or_array(ufm.loss.margin(ufm.margin_cost, ufm.num_classes)), "closed-form")

    @property
    def relative_mean_distance(self) -> Number:
        """D over that without noisy labels: below 1 where noise draws the class means together."""
        margin = np.asarray(self.noiseless.margin)
        ratio = np.sqrt(np.asarray(self.problem.weight_decay)) / np.sqrt(np.asarray(self.problem.feature_decay))
        # D^2 = 2 s^2/c^2 with c^2 = s sqrt(lambda_H/lambda_W)/sqrt(N).
        plain = np.sqrt(2.0 * np.maximum(margin, 0.0) * ratio * np.sqrt(self.problem.num_classes))
        return scalar_or_array(np.where(plain > 0, self.mean_distance / np.where(plain > 0, plain, 1.0), np.nan))

    @property
    def test_error(self) -> Number:
        """Error rate of unseen clean examples: that a logit of another class exceeds that of their own.

        Raises
        ------
        AssumptionError
            For more than two classes, if the spread is not Gaussian.
        """
        n, nd = self.problem.num_classes, np.asarray(self.normalized_dilation)
        alive = ~np.isnan(nd)
        nd = np.where(alive, nd, 0.0)
        if n == 2:
            error = np.asarray(self.problem.spread.test_error(nd))
        elif isinstance(self.problem.spread, Gaussian):
            error = _gaussian_error(nd, n, self.problem.spread.dim)
        else:
            raise fail("spread", self.problem.spread, "must be Gaussian for the test error of more than two classes")
        guess = np.where(np.asarray(self.collapsed), (n - 1.0) / n, np.nan)
        return scalar_or_array(np.where(alive, error, guess))

    # ------------------------------------------------------------------ explicit features

    @property
    def logits(self) -> FloatArray:
        """(..., N, N): column m holds the logits of class mean m, centred."""
        return np.asarray(self.answer[..., 0])[..., None, None] * _centring(self.problem.num_classes)

    @property
    def class_means(self) -> FloatArray:
        """H (..., N, N) in N dimensions: column m is h_m."""
        return np.asarray(self._per_scale(self.answer[..., 0]))[..., None, None] * _centring(self.problem.num_classes)

    @property
    def weights(self) -> FloatArray:
        """W (..., N, N): row n is the classifier w_n."""
        return np.asarray(self._scale)[..., None, None] * _centring(self.problem.num_classes)

    @property
    def noisy_features(self) -> FloatArray:
        """U (..., N, N, N): ``U[..., :, n, m]`` is the feature of an example of class m labelled n; h_m for n = m."""
        n = self.problem.num_classes
        x, y = np.moveaxis(self.noisy_logits, -1, 0)
        centring = _centring(n)
        other = 1.0 - np.eye(n)
        of_class = np.einsum("...,dm,nm->...dnm", x, centring, other) + np.einsum(
            "...,dn,nm->...dnm", y, centring, other
        )
        own = np.einsum("...,dm,nm->...dnm", self.answer[..., 0], centring, np.eye(n))
        return np.asarray(self._per_scale(of_class + own, 3))

    @cached_property
    def _scale(self) -> FloatArray:
        """c, with ``W = c (I - 1/N)``: the balance of both penalties. Zero where everything has collapsed."""
        square = programme.squared_logits(self.problem, self.answer)
        ratio = np.sqrt(np.asarray(self.problem.feature_decay)) / np.sqrt(np.asarray(self.problem.weight_decay))
        return np.asarray(np.sqrt(ratio * np.sqrt(square / (self.problem.num_classes - 1.0))))

    def _per_scale(self, logits: FloatArray, extra: int = 0) -> FloatArray:
        """Features from logits."""
        scale = np.asarray(self._scale)
        scale = np.reshape(scale, (*scale.shape, *(1,) * extra))
        return np.asarray(np.where(scale > 0, logits / np.where(scale > 0, scale, 1.0), logits * scale))


def _centring(n: int) -> FloatArray:
    return np.eye(n) - 1.0 / n


def _gaussian_error(dilation: FloatArray, n: int, dim: int) -> FloatArray:
    """``1 - E Phi(g + s/sigma)^(N-1)`` with s/sigma = sqrt(d/2)/ND, by the trapezoidal rule."""
    step = 0.1
    g = np.arange(-9.0, 9.0 + step, step)
    weights = step * np.exp(-0.5 * g**2) / np.sqrt(2.0 * np.pi)
    with np.errstate(divide="ignore"):
        gain = np.sqrt(dim / 2.0) / dilation
    right = (n - 1.0) * log_ndtr(g + np.minimum(gain, 1e3)[..., None])
    return np.asarray(np.sum(-np.expm1(right) * weights, axis=-1))
