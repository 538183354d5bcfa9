"""The answer to a memorization-dilation problem, and everything that follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, fail, real, scalar_or_array
from mdtheory.models.dilation import bounds as dilation_dual
from mdtheory.models.dilation import global_bound as dilation_bound
from mdtheory.models.dilation.clean_force import expansion_error
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.solution import Number, Solution
from mdtheory.models.status import Status

# The bounds of a memorization-dilation problem lose digits where the optimum is tiny next to their terms.
MD_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class MDSolution(Solution):
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
    when_open : Status
        The status of points whose gap is not closed.
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: MemorizationDilation
    dilation: Number
    memorization: Number
    noisy_margin: Number
    noisy_level: Number
    method: str
    when_open: Status = Status.INACCURATE
    tolerance: float = MD_TOLERANCE

    _shown: ClassVar[tuple[str, ...]] = ("normalized_dilation", "noisy_margin")

    @property
    def normalized_dilation(self) -> Number:
        """ND = r / ||h_1 - h_2||."""
        return scalar_or_array(np.asarray(self.dilation) / self.problem.configuration.mean_distance)

    @property
    def test_error(self) -> Number:
        """Error rate of unseen clean examples, ``P(zeta > 1/(2 ND))``."""
        dilation = np.asarray(self.normalized_dilation)
        known = ~np.isnan(dilation)
        error = self.problem.spread.test_error(np.where(known, dilation, 0.0))
        return scalar_or_array(np.where(known, error, np.nan))

    def with_baseline(self, normalized_dilation: ArrayLike) -> tuple[Number, Number]:
        r"""Normalised dilation and test error where clusters have a spread of their own, added in quadrature.

        The theory's clusters are points without noise; those of a network are not. That what memorising adds is independent of what was
        there, :math:`ND^2 = ND_0^2 + (r/D)^2`, is a modelling choice outside the theory: the optimum is that without a baseline.

        Parameters
        ----------
        normalized_dilation : float or array
            :math:`ND_0 \ge 0`, as measured without noise.

        Returns
        -------
        tuple of float or array
            ND, and the error rate of the problem's spread at it.

        Raises
        ------
        AssumptionError
            If the baseline is negative or not a number.
        """
        below = real("normalized_dilation", normalized_dilation, lambda x: x >= 0, "be nonnegative")
        total = np.hypot(np.asarray(self.normalized_dilation), below)
        known = ~np.isnan(total)
        error = self.problem.spread.test_error(np.where(known, total, 0.0))
        return scalar_or_array(total), scalar_or_array(np.where(known, error, np.nan))

    @property
    def expansion_parameter(self) -> Number:
        """kap r, the spread of the clean margins: for a smooth loss the expansion's relative error is O((kap r)^2).

        How large it is depends on the loss and the spread, and on how close the margin is to a kink: `expansion_error`.
        """
        return scalar_or_array(np.asarray(self.dilation) * self.problem.configuration.weight_distance)

    @property
    def expansion_error(self) -> Number:
        r"""A bound on the relative error of the expansion's dilation at this point, from the loss's own force F'.

        With ``F_2 = F''(0)`` the exact dilation lies between the expansion's r and the :math:`\hat r` with
        :math:`F'(\hat r) = F_2 r`. To leading order the bound is :math:`E[\zeta^4] \kappa^4 r^2 |\varphi^{(4)}(s)|/(3 F_2)`
        for a smooth loss; the squared hinge is exact while :math:`\kappa r\zeta` stays below its kink. Up to the accuracy
        of the expectations, some 1e-12. Infinite for a loss that is not convex. See `derivations/expansion_error.py`.
        """
        expanded = self.method == "expansion"
        return scalar_or_array(expansion_error(self.problem, np.asarray(self.dilation), expanded=expanded))

    @cached_property
    def objective(self) -> Number:
        """The optimal value, summed over both classes, clean and noisy."""
        return self._of_answers(dilation_dual.md_objective)

    @cached_property
    def lower_bound(self) -> Number:
        """A lower bound on the optimum, from a dual point built from the answer alone.

        Where that leaves a gap and the loss is not convex, from branch and bound in ball arithmetic; -inf where neither
        gives one.
        """
        bound = self._of_answers(dilation_dual.md_lower_bound)
        if self.problem.ufm.loss.is_convex:
            return bound
        answer = np.asarray(self.dilation), np.asarray(self.noisy_margin)
        objective = np.asarray(self.objective)
        return scalar_or_array(dilation_bound.sharpened(self.problem, *answer, objective, np.asarray(bound)))

    def _when_open(self) -> Status:
        return self.when_open

    @cached_property
    def configuration(self) -> MarginSolution:
        """The neural-collapse configuration of the clean class means.

        Raises
        ------
        AssumptionError
            If the configuration was given: it is no features model's then, and the problem has it.
        """
        if self.problem.given_configuration is not None:
            raise fail(
                "given_configuration",
                self.problem.given_configuration,
                "is no features model's: see problem.configuration",
            )
        return MarginSolution(self.problem.ufm, scalar_or_array(self.problem.configuration.margin), "closed-form")

    @property
    def class_means(self) -> FloatArray:
        """H (..., M, 2): the clean class means h_1, h_2 as columns."""
        given = self.problem.given_configuration
        return self.configuration.class_means if given is None else given.class_means(self._dim)

    @property
    def weights(self) -> FloatArray:
        """W (..., 2, M)."""
        given = self.problem.given_configuration
        return self.configuration.weights if given is None else given.weights(self._dim)

    @property
    def _dim(self) -> int:
        return self.problem.ufm.feature_dim or 2

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
        with np.errstate(invalid="ignore"):
            parts = np.stack([level * across + along * apart, level * across - along * apart], axis=-1)
        # Without noise and decay the features run off along a class mean: the other coordinate of theirs is zero.
        return np.where(np.isnan(parts) & np.isinf(along)[..., None], 0.0, parts)

    def _of_answers(self, bound: Callable[..., FloatArray]) -> Number:
        """A bound at the points that have an answer, NaN at the others."""
        answer, missing = self._finite_answer()
        return scalar_or_array(np.where(missing, np.nan, bound(self.problem, *answer, means=self._means)))

    @cached_property
    def _means(self) -> dilation_dual.Means:
        """What objective and lower bound both take of the clean examples, and most of what either costs."""
        return dilation_dual.md_means(self.problem, self._finite_answer()[0][0])

    def _finite_answer(self) -> tuple[tuple[FloatArray, ...], FloatArray]:
        """Dilation, noisy margin and level with zeros where there is no answer, and where that is."""
        answer = tuple(np.asarray(x) for x in (self.dilation, self.noisy_margin, self.noisy_level))
        missing = np.asarray(np.any([np.isnan(x) for x in answer], axis=0))
        # Without noise and decay the noisy features run off to infinity, but have no weight: any place is as good.
        answer = tuple(
            np.where(missing | (np.isinf(x) & (np.asarray(self.problem.noise) == 0)), 0.0, x) for x in answer
        )
        return answer, missing
