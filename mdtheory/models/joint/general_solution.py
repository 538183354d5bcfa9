"""The answer to a limited-expressivity problem whose classes are not alike: explicit features, and what follows from them."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.models.features import record as features
from mdtheory.models.features.problem import UFM
from mdtheory.models.joint import programme
from mdtheory.models.joint.general import FINAL_ORDER, Features, Setting
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.rules import error_rate
from mdtheory.models.joint.solution import JOINT_TOLERANCE
from mdtheory.models.model import Options
from mdtheory.models.solution import Number, Solution
from mdtheory.models.status import Status

# The objective is taken by a finer rule and a coarser one: what they differ by is taken off the bound.
_COARSER = 0.75


@dataclass(frozen=True, eq=False, repr=False)
class ClassJointSolution(Solution):
    r"""Class means, classifier, noisy features and dilations of N classes that differ: the best of local searches.

    Classes differ because proportions or flips do, or because the best answer of a problem that treats them alike does not: with a
    small slope it keeps one class apart, and examples of the others are not memorised as one another.

    Attributes
    ----------
    problem : LimitedExpressivity
    features : Features
        In orthonormal coordinates of what sums to zero: N - 1 dimensions.
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: LimitedExpressivity
    features: Features
    method: str
    tolerance: float = JOINT_TOLERANCE

    _shown: ClassVar[tuple[str, ...]] = ("margin", "normalized_dilation")

    @classmethod
    def at(cls, problem: LimitedExpressivity, features: Features) -> "ClassJointSolution":
        """The answer with these features."""
        return cls(problem, features, "search")

    @cached_property
    def _setting(self) -> Setting:
        return Setting.of(self.problem)

    def _at_order(self, share: float) -> tuple[float, FloatArray]:
        order = FINAL_ORDER.get(self.problem.num_classes - 1, 1)
        value, _, dilations = self._setting.objective(self.features, order=max(int(share * order), 1))
        return value, dilations

    @cached_property
    def objective(self) -> Number:
        """The value at the answer, a mean over examples: an upper bound on the optimum, but for what the rule misses."""
        return self._at_order(1.0)[0]

    @property
    def inexact(self) -> float:
        """What the objective may be off: how much a coarser rule differs."""
        return abs(self._at_order(_COARSER)[0] - self.objective)

    @cached_property
    def lower_bound(self) -> Number:
        """That of the features model on observed labels, in which memorising is free, or by convex order where classes face the same noise."""
        if self.problem.classes_alike:
            return float(np.maximum(self._observed, programme.bound_by_convex_order(self.problem))) - self.inexact
        return self._observed - self.inexact

    @cached_property
    def _observed(self) -> float:
        observed = features.MODEL.solve(observed_labels(self.problem), "auto", Options())
        return float(observed.lower_bound)

    @property
    def relative_to(self) -> str:
        """Among which configurations the answer is the best, as far as searches tell."""
        return "configurations that local searches have found"

    def _when_open(self) -> Status:
        return Status.BOUNDED

    # ------------------------------------------------------------------ explicit features

    @property
    def weights(self) -> FloatArray:
        """W (N, N): row n is the classifier w_n."""
        basis = self._setting.basis
        return basis @ self.features.classifier @ basis.T

    @property
    def class_means(self) -> FloatArray:
        """H (N, N) in N dimensions: column m is h_m."""
        return self._setting.basis @ self.features.means

    @property
    def noisy_features(self) -> FloatArray:
        """U (N, N, N): ``U[:, n, m]`` is the feature of an example of class m labelled n; h_m for n = m, and where there is none."""
        n, s = self.problem.num_classes, self._setting
        found = np.repeat(self.class_means[:, None, :], n, axis=1)
        found[:, s.labels, s.classes] = s.basis @ self.features.noisy
        return found

    @property
    def bias(self) -> FloatArray:
        """(N,), centred; zero without one."""
        return self._setting.basis @ self.features.bias

    @property
    def logits(self) -> FloatArray:
        """(N, N): column m holds the logits of class mean m, centred, without the bias."""
        return self.weights @ self.class_means

    # ------------------------------------------------------------------ margins and dilation

    @property
    def margin(self) -> FloatArray:
        """s (N,), the own logit of a class mean minus the largest other, with the bias."""
        return _margins((self.logits + self.bias[:, None]).T, np.arange(self.problem.num_classes))

    @property
    def noisy_margin(self) -> FloatArray:
        """(N, N): entry [n, m] is the margin of an example of class m for its label n; for n = m that of the class mean."""
        n = self.problem.num_classes
        logits = np.einsum("ij,jnm->mni", self.weights, self.noisy_features) + self.bias
        labels = np.tile(np.arange(n), n)
        return _margins(logits.reshape(-1, n), labels).reshape(n, n).T

    @property
    def memorization(self) -> FloatArray:
        """(N, N): entry [n, m] is ||u_nm - h_m||."""
        return np.asarray(np.linalg.norm(self.noisy_features - self.class_means[:, None, :], axis=0))

    @property
    def dilation(self) -> FloatArray:
        """r (N,)."""
        return self._at_order(0.0)[1]

    @property
    def mean_distance(self) -> FloatArray:
        """D (N,): the mean distance of a class mean to the others."""
        apart = np.linalg.norm(self.class_means[:, :, None] - self.class_means[:, None, :], axis=0)
        return np.asarray(apart.sum(axis=0) / (self.problem.num_classes - 1))

    @property
    def normalized_dilation(self) -> FloatArray:
        """r_m/D_m (N,); NaN where class means have collapsed."""
        alive = self.mean_distance > 0
        return np.where(alive, self.dilation / np.where(alive, self.mean_distance, 1.0), np.nan)

    @property
    def test_error(self) -> FloatArray:
        """Error rates (N,) of unseen clean examples of each class, to about 1e-5; of three or four classes.

        Raises
        ------
        AssumptionError
            For more classes.
        """
        n, s = self.problem.num_classes, self._setting
        if n > 4:
            raise fail("num_classes", n, "must be 3 or 4 for the error rates of classes that differ")
        a, shift = s.basis @ self.features.classifier, self.bias
        rates = np.empty(n)
        for m in range(n):
            others = [k for k in range(n) if k != m]
            logits = a @ self.features.means[:, m] + shift
            rates[m] = error_rate(logits[m] - logits[others], a[m] - a[others], self.dilation[m], self.problem.spread)
        return rates

    @property
    def axes(self) -> FloatArray:
        """The eigenvalues of W'W that are not zero by construction (N-1,), in rising order: all alike where classes are."""
        return np.asarray(np.linalg.svd(self.features.classifier, compute_uv=False)[::-1] ** 2)


def observed_labels(problem: LimitedExpressivity) -> UFM:
    """The features model on the labels as they are observed: what a slope without limit leaves of the problem."""
    shares = problem.transition @ problem.proportions
    alike = np.allclose(shares, shares[0], rtol=1e-12, atol=0.0)
    return UFM(
        problem.loss,
        num_classes=problem.num_classes,
        weight_decay=problem.weight_decay,
        feature_decay=problem.feature_decay,
        bias=problem.bias,
        class_weights=None if alike else shares / shares.sum(),
    )


def symmetric_features(
    problem: LimitedExpressivity, weights: FloatArray, means: FloatArray, noisy: FloatArray
) -> Features:
    """An answer with all classes alike in coordinates of what sums to zero."""
    s = Setting.of(problem)
    return Features(
        s.basis.T @ weights @ s.basis,
        s.basis.T @ means,
        s.basis.T @ noisy[:, s.labels, s.classes],
        np.zeros(s.basis.shape[1]),
    )


def _margins(logits: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Of logits (K, N) for labels (K,)."""
    rows = np.arange(len(logits))
    own = logits[rows, labels]
    others = np.array(logits)
    others[rows, labels] = -np.inf
    return np.asarray(own - others.max(axis=-1))
