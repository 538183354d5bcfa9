"""The answer to a limited-expressivity problem, and everything that follows from it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, scalar_or_array
from mdtheory.models.class_losses import centred_form, gaussian_class_error
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.joint import programme
from mdtheory.models.joint.kinds import Reading
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.solution import Number, Solution
from mdtheory.models.status import Status
from mdtheory.spreads import Gaussian

JOINT_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class JointSolution(Solution):
    r"""Class means, classifier, noisy features and dilation that are optimal together.

    Scalar fields have the broadcast shape of the problem's parameters; matrices get that shape in front. Where two classes differ, in size or
    flips, what belongs to a class has a trailing axis of both. Where everything has collapsed to zero, ``collapsed`` says so: margins and
    dilation are zero and the normalised dilation is undefined (NaN).

    Attributes
    ----------
    problem : LimitedExpressivity
    answer : array (..., n)
        The minimiser of the convex programme in its own variables: for two classes (s, w), with nonnegative features (s, p, b), where they
        differ (s_1, s_2, w_1, w_2); (s, p, y) for more. With the absolute scaling the distance of the class means comes behind.
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.

    Notes
    -----
    ``lower_bound`` is on all configurations. For two classes and free features it is that of the programme itself, to which everything
    reduces (`derivations/joint_two_classes.py`): to rounding with the relative scaling, to 1e-4 by branch and bound with the absolute one.
    For nonnegative features it is that of free ones; for more classes that of convex order, or the optimum without noisy labels where that is more. The
    answer is then the best of a family, `relative_to`, up to ``family_gap``, and BOUNDED. Among N >= 3 classes one that is not symmetric may be
    better, for small slopes at least.
    """

    problem: LimitedExpressivity
    answer: FloatArray
    method: str
    tolerance: float = JOINT_TOLERANCE

    _shown: ClassVar[tuple[str, ...]] = ("margin", "noisy_margin", "normalized_dilation")

    # ------------------------------------------------------------------ how good it is

    @cached_property
    def objective(self) -> Number:
        """The optimal value, a mean over examples: an upper bound on the optimum over all configurations."""
        return scalar_or_array(programme.objective(self.problem, self.answer))

    @cached_property
    def _family_bound(self) -> FloatArray:
        return programme.lower_bound(self.problem, self.answer)

    @cached_property
    def lower_bound(self) -> Number:
        """A lower bound on the optimum over all configurations, recomputed from the answer."""
        below = self._family_bound
        if self.problem.num_classes > 2:
            everything = np.maximum(self.noiseless.lower_bound, self._order_bound)
            below = np.where(np.isnan(below), np.nan, np.minimum(below, everything))
        elif self.problem.scaling == "absolute" and not self.problem.class_axis and not self.problem.nonnegative:
            # Memorising that is free.
            below = np.maximum(below, self.noiseless.lower_bound)
        if self.problem.nonnegative:
            free = replace(self.problem, nonnegative=False, nonnegative_noisy_features=False)
            below = np.minimum(below, programme.lower_bound(free, programme.minimise(free)))
        return scalar_or_array(below)

    @cached_property
    def _order_bound(self) -> FloatArray:
        """By convex order, for more than two classes; with the absolute scaling distances are not known, and neither is this."""
        if self.problem.scaling == "absolute":
            return np.full(self.problem.shape, -np.inf)
        return programme.bound_by_convex_order(self.problem)

    @property
    def family_gap(self) -> Number:
        """What a better answer of the family could gain at most: see `relative_to`."""
        return scalar_or_array(np.maximum(np.subtract(self.objective, self._family_bound), 0.0))

    @property
    def relative_to(self) -> str:
        """Among which configurations the answer is the best, as far as that is proved by ``family_gap``."""
        if self.problem.num_classes > 2:
            return "configurations with all classes alike"
        if self.problem.nonnegative:
            return "configurations with both classes alike, and as much of w_1 - w_2 above zero as below"
        return "all configurations"

    def _when_open(self) -> Status:
        p = self.problem
        exact = p.num_classes == 2 and p.scaling == "relative" and not p.nonnegative
        return Status.INACCURATE if exact else Status.BOUNDED

    # ------------------------------------------------------------------ margins and dilation

    @cached_property
    def _reading(self) -> Reading:
        return programme.reading(self.problem, self.answer)

    @cached_property
    def _shift(self) -> FloatArray:
        """What a bias adds to the margins (..., 2) of two classes that differ; zero where there is none."""
        return programme.bias_shift(self.problem, self.answer)

    @property
    def margin(self) -> Number:
        """s, the own logit of a class mean minus any other."""
        return scalar_or_array(self._reading.margin + self._shift)

    @property
    def collapsed(self) -> bool | FloatArray:
        """Whether all features are zero: noise and decay leave nothing to be learned."""
        found = np.asarray(self._apart == 0.0)
        return found if found.ndim else bool(found)

    @property
    def noisy_logits(self) -> FloatArray:
        """(..., 2): x and y of the features ``x e_m + y e_n`` of an example of class m labelled n, times the scale of W.

        They are its logits too, up to what all classes have in common.
        """
        read = self._reading
        return np.stack([read.margin + read.own, read.other], axis=-1)

    @property
    def noisy_margin(self) -> Number:
        """The margin of a noisy example for its (wrong) label: memorised where positive."""
        x, y = np.moveaxis(self.noisy_logits, -1, 0)
        return scalar_or_array(y - x - self._shift if self.problem.num_classes == 2 else y - np.maximum(x, 0.0))

    @cached_property
    def _steps(self) -> FloatArray:
        """How far a noisy feature is from its class mean, times the scale of W."""
        step = np.stack([self._reading.own, self._reading.other], axis=-1)
        form = np.eye(2) if self.problem.nonnegative else centred_form(self.problem.num_classes)
        return np.asarray(np.sqrt(np.maximum(np.sum((step @ form) * step, axis=-1), 0.0)))

    @cached_property
    def _apart(self) -> FloatArray:
        """The distance (...) of two class means, times the scale of W."""
        margin = self._reading.margin
        return np.asarray(np.sqrt(2.0) * (np.mean(margin, axis=-1) if self.problem.class_axis else margin))

    @property
    def normalized_dilation(self) -> Number:
        """ND = r / ||h_1 - h_2||; NaN where everything has collapsed."""
        apart = self._spread_out(self._apart)
        alive = apart != 0.0
        dilated = self._steps * programme.rates(self.problem, self.answer)
        return scalar_or_array(np.where(alive, dilated / np.where(alive, apart, 1.0), np.nan))

    @property
    def dilation(self) -> Number:
        """r, of every class."""
        dilated = self._steps * programme.rates(self.problem, self.answer)
        return scalar_or_array(self._per_scale(dilated, len(self.problem.class_axis)))

    @property
    def memorization(self) -> Number:
        """||u_nm - h_m||, how far a noisy example is pulled towards its wrong label."""
        return scalar_or_array(self._per_scale(self._steps, len(self.problem.class_axis)))

    @property
    def mean_distance(self) -> Number:
        """D = ||h_1 - h_2||."""
        return scalar_or_array(self._per_scale(self._apart))

    @property
    def noiseless(self) -> MarginSolution:
        """The answer without noisy labels and with classes of equal size: that of the unconstrained features model."""
        ufm = self.problem.noiseless
        return MarginSolution(ufm, scalar_or_array(ufm.loss.margin(ufm.margin_cost, ufm.num_classes)), "closed-form")

    @property
    def relative_mean_distance(self) -> Number:
        """D over that without noisy labels: below 1 where noise draws the class means together."""
        if self.problem.class_axis:
            quiet = replace(self.problem, noise=0.0, noise_matrix=None)
            plain = np.asarray(JointSolution(quiet, programme.minimise(quiet), self.method).mean_distance)
        else:
            n = self.problem.num_classes
            # D^2 = 2 s^2/c^2 with c^2 = s sqrt(lambda_H share/(lambda_W (N-1))), share the square of a class mean per s^2.
            share = 1.0 if self.problem.nonnegative else (n - 1.0) / n
            ratio = np.sqrt(np.asarray(self.problem.weight_decay)) / np.sqrt(np.asarray(self.problem.feature_decay))
            plain = np.sqrt(2.0 * np.maximum(self.noiseless.margin, 0.0) * ratio * np.sqrt((n - 1.0) / share))
        return scalar_or_array(np.where(plain > 0, self.mean_distance / np.where(plain > 0, plain, 1.0), np.nan))

    @property
    def test_error(self) -> Number:
        """Error rate of unseen clean examples: that a logit of another class exceeds that of their own.

        Raises
        ------
        AssumptionError
            For more than two classes, if the spread is not Gaussian.
        """
        n, spread = self.problem.num_classes, self.problem.spread
        margin = np.asarray(self.margin)
        apart = self._spread_out(self._apart)
        alive = (apart != 0.0) & ~np.isnan(apart)
        # R/(2 s), for two classes; of the margin's size where a bias has turned its sign.
        dilated = self._steps * programme.rates(self.problem, self.answer) / np.sqrt(2.0)
        nd = np.where(alive, dilated / np.where(margin != 0.0, np.abs(margin), 1.0), 0.0)
        if n == 2:
            error = np.asarray(spread.test_error(nd))
            error = np.where(margin > 0.0, error, np.where(margin < 0.0, 1.0 - error, 0.5))
        elif isinstance(spread, Gaussian):
            error = gaussian_class_error(nd, n, spread.dim)
        else:
            raise fail("spread", spread, "must be Gaussian for the test error of more than two classes")
        guess = np.where(self._spread_out(np.asarray(self.collapsed)), (n - 1.0) / n, np.nan)
        return scalar_or_array(np.where(alive, error, guess))

    # ------------------------------------------------------------------ explicit features

    @property
    def logits(self) -> FloatArray:
        """(..., N, N): column m holds the logits of class mean m, centred, without a bias."""
        return np.asarray(self._margins[..., None, :] * _centring(self.problem.num_classes))

    @property
    def bias(self) -> FloatArray:
        """(..., 2) of two classes that differ: the bias of the logits, centred; zero where there is none. Else (..., N) zeros."""
        if not self.problem.class_axis:
            return np.zeros((*self.problem.shape, self.problem.num_classes))
        return 0.5 * self._shift

    @property
    def class_means(self) -> FloatArray:
        """H (..., N, N) in N dimensions: column m is h_m."""
        return np.asarray(self._per_scale(self._margins[..., None, :] * self._frame, 2))

    @property
    def weights(self) -> FloatArray:
        """W (..., N, N): row n is the classifier w_n."""
        return np.asarray(self._scale)[..., None, None] * _centring(self.problem.num_classes)

    @property
    def noisy_features(self) -> FloatArray:
        """U (..., N, N, N): ``U[..., :, n, m]`` is the feature of an example of class m labelled n; h_m for n = m."""
        n, frame = self.problem.num_classes, self._frame
        own, other = (self._each(part) for part in (self._reading.own, self._reading.other))
        apart = 1.0 - np.eye(n)
        stepped = np.einsum("...m,dm,nm->...dnm", own, frame, apart) + np.einsum(
            "...m,dn,nm->...dnm", other, frame, apart
        )
        means = np.einsum("...m,dm,nm->...dnm", self._margins, frame, np.ones((n, n)))
        return np.asarray(self._per_scale(means + stepped, 3))

    @property
    def _frame(self) -> FloatArray:
        return np.eye(2) if self.problem.nonnegative else _centring(self.problem.num_classes)

    @property
    def _margins(self) -> FloatArray:
        """(..., N), without the bias."""
        return self._each(self._reading.margin)

    def _each(self, values: FloatArray) -> FloatArray:
        """(..., N) from what all classes share, or from each of them."""
        if self.problem.class_axis:
            return values
        return np.repeat(np.asarray(values)[..., None], self.problem.num_classes, axis=-1)

    def _spread_out(self, values: FloatArray) -> FloatArray:
        """With an axis of classes, where they differ."""
        return np.asarray(values)[..., None] if self.problem.class_axis else np.asarray(values)

    @cached_property
    def _scale(self) -> FloatArray:
        """c, with ``W = c (I - 1/N)``. Zero where everything has collapsed."""
        return programme.scale(self.problem, self.answer)

    def _per_scale(self, logits: FloatArray, extra: int = 0) -> FloatArray:
        """Features from logits with so many more axes."""
        scale = np.asarray(self._scale)
        scale = np.reshape(scale, (*scale.shape, *(1,) * extra))
        return np.asarray(np.where(scale > 0, logits / np.where(scale > 0, scale, 1.0), logits * scale))


def _centring(n: int) -> FloatArray:
    return np.eye(n) - 1.0 / n
