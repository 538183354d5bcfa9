"""Solutions: an answer, and everything that follows from it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mdtheory import certificates
from mdtheory.errors import AssumptionError
from mdtheory.frozen import Frozen
from mdtheory.geometry import class_mean_columns, weight_rows
from mdtheory.losses import Focal
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.status import Status, status_field
from mdtheory.validation import FloatArray, Real, scalar_or_array


@dataclass(frozen=True, eq=False)
class MarginSolution(Frozen):
    r"""The minimiser of an unconstrained features model.

    Scalar fields have the broadcast shape of the problem's parameters (with class weights, per-class fields have a
    trailing class axis); matrices get that shape in front. Everything but the margin is derived from it on access.

    Attributes
    ----------
    problem : UFM
    margin : float or array
        s, the own logit minus any other; negative only where a loss that is not convex is best on the wrong side.
    method : str
    target_gap : float
        The gap up to which a numerical answer is called optimal.
    """

    problem: UFM
    margin: Real
    method: str
    target_gap: float = np.inf

    @property
    def probability(self) -> Real:
        """Softmax probability of the own class at the symmetric logits, ``1/(1 + (N-1) e^-s)``."""
        rest = np.subtract(self._classes, 1.0)
        return scalar_or_array(1.0 / (1.0 + rest * np.exp(-np.asarray(self.margin))))

    @cached_property
    def objective(self) -> Real:
        """The optimal value: mean loss plus decay."""
        return scalar_or_array(certificates.ufm_objective(self.problem, np.asarray(self.margin)))

    @cached_property
    def lower_bound(self) -> Real:
        """A lower bound on the optimum, from a dual point built from the answer alone."""
        return scalar_or_array(certificates.ufm_lower_bound(self.problem, np.asarray(self.margin)))

    @property
    def gap(self) -> Real:
        """``objective - lower_bound``: rounding level where the solution is optimal."""
        return scalar_or_array(np.subtract(self.objective, self.lower_bound))

    @property
    def status(self) -> Status | NDArray[np.int64]:
        """How far the solution can be trusted; one `Status`, or an integer array of them."""
        codes = np.zeros(self.problem.shape, dtype=np.int64)
        loss = self.problem.profile_loss
        if isinstance(loss, Focal) and not loss.is_convex:
            proved = np.asarray(self.probability) >= loss.certified_probability()
            codes = np.where(proved, Status.OPTIMAL, Status.OBSERVED)
            if self.problem.class_weights is not None:
                codes = np.max(codes, axis=-1)
        if np.isfinite(self.target_gap):
            codes = np.where(np.asarray(self.gap) <= self.target_gap, codes, Status.INACCURATE)
        return status_field(np.asarray(codes))

    @property
    def mean_gain(self) -> Real:
        """B, the logit sum of a class mean: zero for shift-invariant losses, 1 for the squared error with a bias."""
        if self.problem.loss.shift_invariant:
            return 0.0
        if self.problem.bias:
            return 1.0
        n = np.asarray(self.problem.num_classes, dtype=np.float64)
        return scalar_or_array(np.maximum(1.0 - 2.0 * np.sqrt(n) * np.asarray(self.problem.mu), 0.0))

    @property
    def geometry(self) -> str | NDArray[np.str_]:
        """Name of the arrangement of the class means.

        "simplex-etf", "orthogonal-frame", "collapsed-to-zero", "equal-means" (equal and nonzero),
        "equiangular-frame" (any other common angle), or, with class weights, "partly-collapsed".
        """
        problem, alive = self.problem, np.asarray(self.margin) != 0
        name = "orthogonal-frame" if problem.nonnegative else "simplex-etf"
        if problem.class_weights is not None:
            some, every = np.any(alive, axis=-1), np.all(alive, axis=-1)
            names = np.where(every, name, np.where(some, "partly-collapsed", "collapsed-to-zero"))
        elif problem.pays_for_mean:
            gain = np.asarray(self.mean_gain)
            frame = np.where(np.isclose(gain, self.margin, rtol=1e-15, atol=0), "orthogonal-frame", "equiangular-frame")
            names = np.where(alive, frame, np.where(gain > 0, "equal-means", "collapsed-to-zero"))
        else:
            names = np.where(alive, name, "collapsed-to-zero")
        return str(names) if names.ndim == 0 else names

    @property
    def class_means(self) -> FloatArray:
        """H (..., M, N): column n is the class mean h_n, so that ``weights @ class_means`` are the centred logits."""
        return class_mean_columns(self)

    @property
    def weights(self) -> FloatArray:
        """W (..., N, M): row n is the classifier w_n."""
        return weight_rows(self)

    @property
    def logits(self) -> FloatArray:
        """Z (..., N, N): column n holds the logits of class n, with the bias where there is one."""
        logits = self.weights @ self.class_means
        if not self.problem.loss.shift_invariant and self.problem.bias:
            return logits + 1.0 / np.asarray(self.problem.num_classes, dtype=np.float64)[..., None, None]
        return np.asarray(logits)

    @property
    def _classes(self) -> FloatArray:
        n = np.asarray(self.problem.num_classes, dtype=np.float64)
        return n if self.problem.class_weights is None else n[..., None]


@dataclass(frozen=True, eq=False)
class MDSolution(Frozen):
    r"""The minimiser of a memorization-dilation problem.

    Scalar fields have the broadcast shape of the problem's parameters; matrices get that shape in front.

    Attributes
    ----------
    problem : MemorizationDilation
    dilation : float or array
        r.
    memorization : float or array
        rho = ||u_1 - h_2||, how far a noisy example is pulled towards its wrong label.
    noisy_margin : float or array
        t, the margin of a noisy example for its (wrong) label: memorised where positive.
    noisy_level : float or array
        The coordinate of a noisy feature along the mean (h_1 + h_2)/2.
    method : str
    status : Status or array
    """

    problem: MemorizationDilation
    dilation: Real
    memorization: Real
    noisy_margin: Real
    noisy_level: Real
    method: str
    status: Status | NDArray[np.int64]

    @property
    def normalized_dilation(self) -> Real:
        """ND = r / ||h_1 - h_2||."""
        return scalar_or_array(np.asarray(self.dilation) / self.problem.configuration.mean_distance)

    @property
    def test_error(self) -> Real:
        """Error rate of unseen clean examples, ``P(zeta > 1/(2 ND))``."""
        return self.problem.spread.test_error(self.normalized_dilation)

    @property
    def expansion_parameter(self) -> Real:
        """kap r, the spread of the clean margins: the expansion has relative error O((kap r)^2).

        Seen at most 1.6e-4 below 0.1, 1.5e-3 below 0.3, 8e-2 below 1; beyond that the expansion means little.
        """
        return scalar_or_array(np.asarray(self.dilation) * self.problem.configuration.weight_distance)

    @cached_property
    def objective(self) -> Real:
        """The optimal value, summed over both classes, clean and noisy."""
        return scalar_or_array(certificates.md_objective(self.problem, *self._answer))

    @cached_property
    def lower_bound(self) -> Real:
        """A lower bound on the optimum, from a dual point built from the answer alone."""
        return scalar_or_array(certificates.md_lower_bound(self.problem, *self._answer))

    @property
    def gap(self) -> Real:
        """``objective - lower_bound``: rounding level where the solution is optimal."""
        return scalar_or_array(np.subtract(self.objective, self.lower_bound))

    @cached_property
    def configuration(self) -> MarginSolution:
        """The neural-collapse configuration of the clean class means."""
        return MarginSolution(self.problem.ufm, scalar_or_array(self.problem.configuration.margin), "closed-form")

    @property
    def class_means(self) -> FloatArray:
        """H (..., M, 2): the clean class means h_1, h_2 as columns."""
        return self.configuration.class_means

    @property
    def weights(self) -> FloatArray:
        """W (..., 2, M)."""
        return self.configuration.weights

    @property
    def noisy_features(self) -> FloatArray:
        """U (..., M, 2): column n is the feature u_n of an example labelled n that looks like the other class."""
        means = self.class_means
        c = self.problem.configuration
        apart = (means[..., 0] - means[..., 1]) / np.asarray(c.mean_distance)[..., None]
        centre = 0.5 * (means[..., 0] + means[..., 1])
        norm = np.asarray(c.centre_norm)[..., None]
        across = centre / np.where(norm > 0, norm, 1.0)
        along = np.asarray(np.asarray(self.noisy_margin) / c.weight_distance)[..., None]
        level = np.asarray(self.noisy_level)[..., None]
        return np.stack([level * across + along * apart, level * across - along * apart], axis=-1)

    @property
    def _answer(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        if np.any(np.isinf(self.noisy_margin)):
            raise AssumptionError(
                "noise = 0.0: must be positive for an objective when the noisy features run off to infinity "
                "(no feature decay and an unbounded margin)"
            )
        return np.asarray(self.dilation), np.asarray(self.noisy_margin), np.asarray(self.noisy_level)
