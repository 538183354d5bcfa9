"""The answer to a deep linear features model, and everything that follows from it."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.deep.bounds import lower_bound
from mdtheory.models.deep.problem import DeepUFM
from mdtheory.models.deep.search import Landscape
from mdtheory.models.solution import Solution
from mdtheory.models.status import Status
from mdtheory.neural_collapse import arrangement

TOLERANCE = 1e-9
_RANK = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class DeepSolution(Solution):
    r"""The best logits found for a deep linear features model.

    Attributes
    ----------
    problem : DeepUFM
    logits : array (N, K)
        Z, a column for each group.
    name : str
        The arrangement that the search kept, empty where it has none; see `structure`.
    method : str
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: DeepUFM
    logits: FloatArray
    name: str
    method: str
    tolerance: float = TOLERANCE

    _shown: ClassVar[tuple[str, ...]] = ("structure", "rank")

    @cached_property
    def objective(self) -> float:
        """Mean loss plus the decays at balanced layers: an upper bound on the optimum."""
        return Landscape(self.problem).objective(self.logits)

    @cached_property
    def lower_bound(self) -> float:
        """The best of the chord bound, its refinement by signs, and the certificate of the ETF under smoothing; exact for the squared error and one layer."""
        return lower_bound(self.problem, self.objective)

    def _when_open(self) -> Status:
        return Status.BOUNDED

    @property
    def structure(self) -> str:
        """The arrangement of the classes: "simplex ETF", "3 antipodal pairs", "pentagon", "2 antipodal pairs + apex", "octahedron", "zero", ...

        Where none with a name is kept, the rank and the spectrum of the Gram matrix of the logits, relative to its trace.
        """
        if self.name:
            return self.name
        if (found := self.geometry) != "general":
            return found
        values = self.singular_values**2
        shares = ", ".join(f"{share:.3g}" for share in values[: self.rank] / max(float(values.sum()), 1e-300))
        return f"rank {self.rank}, Gram spectrum ({shares})"

    @property
    def rank(self) -> int:
        """Of the logits; singular values below 1e-6 of the largest count as zero."""
        values = self.singular_values
        return int(np.sum(values > _RANK * max(float(values[0]), 1e-300))) if values[0] > 0 else 0

    @cached_property
    def singular_values(self) -> FloatArray:
        """Of ``X = Z diag(sqrt pi)``, in decreasing order."""
        return np.asarray(np.linalg.svd(self.logits * np.sqrt(self.problem.proportions), compute_uv=False))

    @property
    def margin(self) -> FloatArray:
        """For each group, (K,), the logit of its likeliest label minus the largest other."""
        own = np.argmax(self.problem.labels, axis=0)
        groups = np.arange(own.size)
        others = np.array(self.logits)
        others[own, groups] = -np.inf
        return np.asarray(self.logits[own, groups] - others.max(axis=0))

    @property
    def geometry(self) -> str:
        """Name of the arrangement of the class means, as of a `UFM`."""
        return arrangement(self.class_means)

    @property
    def weights(self) -> tuple[FloatArray, ...]:
        r"""The layers :math:`W_1, \dots, W_L` from the features up, of the width of the rank (one at least).

        Each has its share of the decay: layer i singular values :math:`(\Lambda^{1/(L+1)}/\lambda_i)^{1/2}\sigma^{1/(L+1)}`.
        """
        u, values, _ = self._factors
        roots = values ** (1.0 / (self.problem.layers + 1.0))
        scales = np.sqrt(self.problem.decay / self.problem.layer_decays)
        hidden = [scale * np.diag(roots) for scale in scales[:-1]]
        return (*hidden, scales[-1] * u * roots)

    @property
    def class_means(self) -> FloatArray:
        """H (M, K): the features behind all layers, M their width."""
        _, values, vt = self._factors
        roots = values ** (1.0 / (self.problem.layers + 1.0))
        scale = np.sqrt(self.problem.decay / self.problem.feature_decay)
        return np.asarray(scale * roots[:, None] * vt / np.sqrt(self.problem.proportions))

    @cached_property
    def _factors(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        u, s, vt = np.linalg.svd(self.logits * np.sqrt(self.problem.proportions), full_matrices=False)
        kept = max(self.rank, 1)
        return u[:, :kept], np.where(np.arange(kept) < self.rank, s[:kept], 0.0), vt[:kept]
