"""What every answer to a features model says: logits, factors, a dual point, and the certificate that follows."""

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.features.certificate import Certificate, certify, logits_error
from mdtheory.models.features.problem import UFM
from mdtheory.models.solution import Number, Solution


class UFMSolution(Solution):
    r"""The answer to an unconstrained features model: every features model answers every question here.

    Matrices have one column for each of the K label groups. Everything is derived on access from the answer: a margin
    (`MarginSolution`, for symmetric problems), a point of the convex problem in the logits (`LogitsSolution`, for free
    features), or explicit factors (`FactorsSolution`, for nonnegative or narrow features). A symmetric problem with
    arrays of parameters has their shape in front of the shapes given here.

    Attributes
    ----------
    problem : UFM
    method : str
        "closed-form", "factorized", "convex", "doubly-nonnegative" or "multi-start".
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: UFM
    _shown: ClassVar[tuple[str, ...]] = ("geometry",)

    # ------------------------------------------------------------------ the answer

    @property
    @abstractmethod
    def logits(self) -> FloatArray:
        """Z + b (N, K): column k holds the logits of group k, with the bias."""

    @property
    @abstractmethod
    def bias(self) -> FloatArray:
        """b (N,), zero without a bias."""

    @property
    @abstractmethod
    def weights(self) -> FloatArray:
        """W (N, M): row n is the classifier w_n."""

    @property
    @abstractmethod
    def class_means(self) -> FloatArray:
        """H (M, K): column k is the class mean h_k."""

    @property
    @abstractmethod
    def singular_values(self) -> FloatArray:
        """The singular values of ``Z diag(sqrt pi)``, without the bias, in decreasing order."""

    @property
    @abstractmethod
    def rank(self) -> int | Any:
        """The rank of the logits without the bias: the width a network needs to reach this answer."""

    # ------------------------------------------------------------------ why it is the best

    @property
    @abstractmethod
    def dual(self) -> FloatArray:
        """A dual point (N, terms): one vector for each term of the loss (`LabelLoss`)."""

    @property
    def multiplier(self) -> FloatArray | None:
        """The multiplier (K, K) of the nonnegative Gram matrix; None for free features."""
        return None

    @cached_property
    def certificate(self) -> Certificate:
        """The bounds as data that can be saved, loaded and verified without a solver; of one point."""
        if self.problem.shape[: self._point_axes] != ():
            raise AssumptionError(
                f"certificate: is for one point, not for shape {self.problem.shape}; solve the problem of one point"
            )
        return certify(self.problem, self.weights, self.class_means, self.bias, self.dual, self.multiplier)

    @cached_property
    def logits_error(self) -> FloatArray:
        """For each group, (K,), a bound on the distance of its logits from the optimal ones, proved by the gap.

        Infinite for losses that are not strictly convex; see `mdtheory.models.features.certificate.logits_error`. Of one
        point, like the certificate.
        """
        return logits_error(self.certificate)[0]

    # ------------------------------------------------------------------ what follows from it

    if TYPE_CHECKING:
        # A field of one subclass and a property of the others.
        @property
        def margin(self) -> Number:
            """The own logit minus the largest other: one number if all groups share it by symmetry, else (K,)."""

    @property
    @abstractmethod
    def probability(self) -> Number:
        """The softmax probability of the own class: one number if all groups share it by symmetry, else (K,)."""

    @property
    @abstractmethod
    def geometry(self) -> str | Any:
        """Name of the arrangement of the class means."""

    @property
    def _point_axes(self) -> int | None:
        """How many leading axes of the problem's shape run over points, as the end of a slice."""
        return None if self.problem.class_weights is None or not self.problem.symmetric else -1
