"""The small-decay limit of the unconstrained features model as a problem of its own."""

from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, fail, flag, one_integer, proportions, real, same_fields
from mdtheory.models.model import Problem

if TYPE_CHECKING:
    from mdtheory.models.max_margin.solving import MaxMarginSolution  # noqa: F401  named in a string

MaxMarginMethod = Literal["auto", "closed-form", "convex"]

# One square matrix of this order takes 2 GiB.
MAX_CLASSES = 2**14


@dataclass(frozen=True, eq=False)
class MaxMargin(Problem["MaxMarginSolution", MaxMarginMethod]):
    r"""The max-margin problem (UF-SVM) of N classes in proportions pi, with one-hot labels.

    .. math:: \min_{W, H} \tfrac12\|W\|_F^2 + \tfrac12\sum_k \pi_k\|h_k\|^2
              \quad\text{subject to}\quad z_{kk} - z_{jk} \ge 1/\Delta_k \ (j \ne k), \qquad Z = WH.

    The feature dimension is at least N - 1, with nonnegative features N. Free features: in the logits it is
    :math:`\min_Z \|Z\,\mathrm{diag}(\sqrt\pi)\|_*` under the same constraints. The decays of the
    unconstrained features model only scale it: the least :math:`\lambda_W\|W\|^2 + \lambda_H\sum\pi_k\|h_k\|^2` is
    :math:`2\sqrt{\lambda_W\lambda_H}` times its optimum. As both decays vanish, the cross-entropy logits grow without
    bound and their direction tends to that of its solution, but only like the inverse of :math:`\log(1/\lambda)`.

    Parameters
    ----------
    num_classes : int
        N, from 2 to 2**14.
    class_weights : array (N,), optional
        Class proportions :math:`\pi`, positive with sum 1 (rounded sums are accepted as by `UFM`); balanced if omitted.
    nonnegative : bool, default False
        Whether features are constrained to be entrywise nonnegative (ReLU outputs).
    label_temperatures : array (N,), optional
        :math:`\Delta`, from 1e-100 to 1e100: the logits of a class are multiplied by it inside the loss, which
        divides the margin it asks for. Ones if omitted.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain.

    References
    ----------
    Thrampoulidis, Kini, Vakilian and Behnia, Imbalance trouble: revisiting neural-collapse geometry, NeurIPS 2022
    (UF-SVM). Label-dependent temperatures: Behnia, Kini, Vakilian and Thrampoulidis, AISTATS 2023.

    Examples
    --------
    >>> from mdtheory.models.max_margin.problem import MaxMargin
    >>> MaxMargin(num_classes=3, class_weights=[0.5, 0.3, 0.3])
    Traceback (most recent call last):
        ...
    mdtheory.foundation.errors.AssumptionError: class_weights = [0.5, 0.3, 0.3]: must sum to 1 (they miss it by 0.1)
    """

    _: KW_ONLY
    num_classes: int
    class_weights: FloatArray | None = None
    nonnegative: bool = False
    label_temperatures: FloatArray | None = None

    if TYPE_CHECKING:
        # Given as anything NumPy takes; the fields hold clean numbers and arrays.
        def __init__(
            self,
            *,
            num_classes: int,
            class_weights: ArrayLike | None = None,
            nonnegative: bool = False,
            label_temperatures: ArrayLike | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        count = one_integer("num_classes", self.num_classes, 2, MAX_CLASSES)
        object.__setattr__(self, "num_classes", count)
        object.__setattr__(self, "nonnegative", flag("nonnegative", self.nonnegative))
        if self.class_weights is not None:
            object.__setattr__(
                self, "class_weights", proportions("class_weights", self.class_weights, count, counted="num_classes")
            )
        if self.label_temperatures is not None:
            temperatures = _one_per_class("label_temperatures", self.label_temperatures, count, 1e-100, 1e100)
            object.__setattr__(self, "label_temperatures", temperatures)

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(field.name for field in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.num_classes, self.nonnegative))

    @property
    def proportions(self) -> FloatArray:
        """Pi (N,), written out where the classes are balanced."""
        n = self.num_classes
        return np.full(n, 1.0 / n) if self.class_weights is None else self.class_weights

    @property
    def required_margins(self) -> FloatArray:
        """The margins (N,) asked for, ``1/Delta``."""
        if self.label_temperatures is None:
            return np.ones(self.num_classes)
        return np.asarray(1.0 / self.label_temperatures)


def _one_per_class(name: str, given: FloatArray, count: int, low: float, high: float) -> FloatArray:
    values = np.asarray(real(name, given, lambda x: (x >= low) & (x <= high), f"lie in [{low:g}, {high:g}]"))
    if values.shape != (count,):
        raise fail(name, values.shape, f"must be one-dimensional with num_classes = {count} entries")
    return values
