"""The unconstrained features model (UFM) as data."""

from dataclasses import KW_ONLY, dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.losses import Loss
from mdtheory.margin_cost import MarginCost, root_of_product
from mdtheory.validation import (
    FloatArray,
    Real,
    common_shape,
    fail,
    flag,
    integer,
    positive,
    real,
    same_fields,
    scalar_or_array,
)

# Squares of class counts must be exact doubles.
MAX_CLASSES = 2**26


@dataclass(frozen=True, eq=False)
class UFM:
    r"""The unconstrained features model of N classes.

    .. math:: \min_{W, H, b} \sum_n \pi_n \ell(W h_n + b, y_n) + \lambda_H \sum_n \pi_n \|h_n\|^2 + \lambda_W \|W\|_F^2

    There is no factor 1/2, and the feature decay is per sample.

    Parameters
    ----------
    loss : Loss
        The classification loss.
    num_classes : int or array of int
        N, from 2 to 2**26.
    weight_decay, feature_decay : float or array
        :math:`\lambda_W` and :math:`\lambda_H`, positive.
    nonnegative : bool, default False
        Whether features are constrained to be entrywise nonnegative (ReLU outputs).
    bias : bool, default False
        Whether there is an unregularised bias b. Balanced, it matters for the squared error only.
    class_weights : array (..., N), optional
        Class proportions :math:`\pi`, positive with sum 1; balanced if omitted. Accepted where there is a closed
        form: nonnegative features, no bias, a shift-invariant loss. They add a trailing class axis to the margin.
    feature_dim : int, optional
        Dimension M of the features, N if omitted. At least N - 1 for a simplex ETF of free features, else N.

    Numerical parameters broadcast against each other, and against the loss's, like NumPy ufuncs.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or the shapes do not broadcast.

    References
    ----------
    Nguyen et al., ICLR 2023, section 2; Fang et al., PNAS 2021 (layer-peeled model).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=10, weight_decay=5e-3, feature_decay=5e-3)
    >>> round(ufm.kappa, 6)
    0.02846
    """

    loss: Loss
    _: KW_ONLY
    num_classes: int | NDArray[np.int64]
    weight_decay: Real
    feature_decay: Real
    nonnegative: bool = False
    bias: bool = False
    class_weights: FloatArray | None = None
    feature_dim: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.loss, Loss):
            raise fail("loss", self.loss, "must be a Loss, for example CrossEntropy()")
        clean = {
            "num_classes": integer("num_classes", self.num_classes, 2, MAX_CLASSES),
            "weight_decay": positive("weight_decay", self.weight_decay),
            "feature_decay": positive("feature_decay", self.feature_decay),
            "nonnegative": flag("nonnegative", self.nonnegative),
            "bias": flag("bias", self.bias),
        }
        if self.feature_dim is not None:
            clean["feature_dim"] = _one_integer("feature_dim", self.feature_dim, 1, 2**31)
        for name, value in clean.items():
            object.__setattr__(self, name, value)
        if np.any(np.not_equal(self.num_classes, 2)) and self.loss.two_classes_only:
            raise fail(
                "num_classes", self.num_classes, f"must be 2 for {type(self.loss).__name__}, a function of one margin"
            )
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", self._checked_weights(self.class_weights))
        self.shape  # noqa: B018  raises where the shapes do not broadcast
        self._check_feature_dim()

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(field.name for field in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.nonnegative, self.bias))

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of all parameters; with class weights their class axis comes last."""
        named = {
            "num_classes": self.num_classes,
            "weight_decay": self.weight_decay,
            "feature_decay": self.feature_decay,
            **{f"loss.{name}": getattr(self.loss, name) for name in self.loss.parameter_names()},
        }
        if self.class_weights is None:
            return common_shape(**named)
        return common_shape(**{n: np.asarray(v)[..., None] for n, v in named.items()}, class_weights=self.class_weights)

    @property
    def mu(self) -> Real:
        r""":math:`\mu = \sqrt{\lambda_W\lambda_H}`."""
        mu: Real = scalar_or_array(root_of_product(np.asarray(self.weight_decay), np.asarray(self.feature_decay)))
        return mu

    @property
    def kappa(self) -> Real:
        """The cost of a unit of margin: the regulariser charges ``kappa s`` (per class, with class weights)."""
        kappa: Real = scalar_or_array(self.margin_cost.value)
        return kappa

    @property
    def margin_cost(self) -> MarginCost:
        r"""Kappa with its factors.

        Free: ``2 (N-1) mu / sqrt(N)``. Nonnegative: ``2 sqrt(N-1) mu``, with class weights
        ``2 mu sqrt((N-1)/(N pi_n))``. Squared error without a bias: as free, in both settings.
        """
        n = np.asarray(self.num_classes, dtype=np.float64)
        decays = np.asarray(self.weight_decay), np.asarray(self.feature_decay)
        proportion = np.ones(())
        if self.class_weights is not None:
            decays = decays[0][..., None], decays[1][..., None]
            factors, proportion = (n - 1.0, n), np.asarray(self.class_weights)
        elif self.nonnegative and not self.pays_for_mean:
            factors = n - 1.0, np.ones(n.shape)
        else:
            factors = (n - 1.0) ** 2, n
        return MarginCost(
            weight_decay=decays[0],
            feature_decay=decays[1],
            numerator=factors[0],
            denominator=factors[1],
            proportion=proportion,
        )

    @property
    def pays_for_mean(self) -> bool:
        """Whether the mean logit matters and costs: a loss that is not shift invariant, without a bias."""
        return not self.loss.shift_invariant and not self.bias

    @property
    def profile_loss(self) -> Loss:
        """The loss with its parameters shaped to broadcast against the margin."""
        if self.class_weights is None:
            return self.loss
        parameters = {name: np.asarray(getattr(self.loss, name))[..., None] for name in self.loss.parameter_names()}
        return self.loss.with_parameters(**parameters)

    def _checked_weights(self, given: FloatArray) -> FloatArray:
        weights = np.asarray(real("class_weights", given, lambda x: (x > 0) & (x <= 1), "lie in (0, 1]"))
        n = self.num_classes
        if not isinstance(n, int) or weights.ndim == 0 or weights.shape[-1] != n:
            raise fail("class_weights", weights.shape, f"must have num_classes = {n} entries on the last axis")
        excess = np.max(np.abs(np.sum(weights, axis=-1) - 1.0))
        if excess > 1e-12:
            raise fail("class_weights", weights.tolist(), f"must sum to 1 (they miss it by {excess:.3g})")
        if not self.nonnegative or self.bias or not self.loss.shift_invariant:
            raise fail(
                "class_weights",
                weights.tolist(),
                "have a closed form only for nonnegative features, no bias and a shift-invariant loss",
            )
        return weights

    def _check_feature_dim(self) -> None:
        if self.feature_dim is None:
            return
        needed = int(np.max(self.num_classes)) - (0 if self.nonnegative or self.pays_for_mean else 1)
        if self.feature_dim < needed:
            geometry = (
                "class means" if self.pays_for_mean else "orthogonal frame" if self.nonnegative else "simplex ETF"
            )
            raise fail("feature_dim", self.feature_dim, f"must be at least {needed} to hold the {geometry}")


def _one_integer(name: str, value: ArrayLike, low: int, high: int) -> int:
    number = integer(name, value, low, high)
    if not isinstance(number, int):
        raise fail(name, value, "must be one integer, not an array")
    return number
