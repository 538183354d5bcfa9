"""The unconstrained features model (UFM) as data."""

from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    columns,
    common_shape,
    fail,
    flag,
    integer,
    nonnegative,
    one_integer,
    one_number,
    positive,
    proportions,
    same_fields,
    scalar_or_array,
)
from mdtheory.losses import Loss
from mdtheory.losses.margin_cost import MarginCost, root_of_product
from mdtheory.models.model import Problem

if TYPE_CHECKING:
    from mdtheory.models.features.solution import UFMSolution  # noqa: F401  named in a string

UFMMethod = Literal["auto", "closed-form", "convex", "factorized"]

# Squares of class counts must be exact doubles.
MAX_CLASSES = 2**26
# Of arrays of class weights: as many as NumPy has.
_MOST_AXES = 64


@dataclass(frozen=True, eq=False)
class UFM(Problem["UFMSolution", UFMMethod]):
    r"""The unconstrained features model of N classes.

    .. math:: \min_{W, H, b} \sum_k \pi_k \ell(W h_k + b, y_k) + \lambda_H \sum_k \pi_k \|h_k\|^2 + \lambda_W \|W\|_F^2
              + \lambda_b \|b\|^2

    There is no factor 1/2, and the feature decay is per sample. A *symmetric* problem is one whose optimum is a
    margin: balanced classes with the loss's own labels, or nonnegative features without a bias and any class weights.
    Its numerical parameters broadcast against each other, and against the loss's, like NumPy ufuncs. Every other
    problem is one point: scalar parameters, any class weights and label distributions, a convex loss.

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
        Whether there is a bias b. Balanced, it matters for the squared error only.
    bias_decay : float, default 0
        :math:`\lambda_b`; zero leaves the bias unregularised. Positive values need ``bias=True``.
    class_weights : array (..., K), optional
        Proportions :math:`\pi` of the K label groups, positive with sum 1; balanced if omitted. K is the number of
        columns of `label_distribution`, N without one. A class that never occurs is a missing column, not a weight of
        zero. In a symmetric problem the weights add a trailing class axis to the margin. A sum that misses 1 by rounding
        in the precision of the weights themselves (1e-12 for doubles, ``(4 + sqrt K) eps`` for float32 and float16) is
        accepted; the weights are then divided by it, so that the field holds doubles with sum 1.
    label_distribution : array (N, K), optional
        Column k is the label distribution of group k, a point of the simplex (rounded and renormalised as the class
        weights are); the identity if omitted. Cross-entropy
        and squared error take the distribution as their target, after their own smoothing; for every other loss the
        loss of a distribution is the mean loss of its labels.
    feature_dim : int, optional
        Dimension M of the features; if omitted N, for nonnegative features max(N, K). Below the rank of the optimum the
        problem is no longer convex and `solve` gives bounds; nonnegative features may gain from more (`required_width`).

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
    >>> noisy = [[0.9, 0.2], [0.1, 0.8]]
    >>> skewed = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3,
    ...                  class_weights=[0.7, 0.3], label_distribution=noisy)
    >>> skewed.symmetric, skewed.num_groups
    (False, 2)
    """

    loss: Loss
    _: KW_ONLY
    num_classes: int | NDArray[np.int64]
    weight_decay: Real
    feature_decay: Real
    nonnegative: bool = False
    bias: bool = False
    bias_decay: float = 0.0
    class_weights: FloatArray | None = None
    label_distribution: FloatArray | None = None
    feature_dim: int | None = None

    if TYPE_CHECKING:
        # Given as anything NumPy takes; the fields hold clean numbers and arrays.
        def __init__(
            self,
            loss: Loss,
            *,
            num_classes: ArrayLike,
            weight_decay: ArrayLike,
            feature_decay: ArrayLike,
            nonnegative: bool = False,
            bias: bool = False,
            bias_decay: float = 0.0,
            class_weights: ArrayLike | None = None,
            label_distribution: ArrayLike | None = None,
            feature_dim: int | None = None,
        ) -> None: ...

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
            clean["feature_dim"] = one_integer("feature_dim", self.feature_dim, 1, 2**31)
        for name, value in clean.items():
            object.__setattr__(self, name, value)
        if np.any(np.not_equal(self.num_classes, 2)) and self.loss.two_classes_only:
            raise fail(
                "num_classes", self.num_classes, f"must be 2 for {type(self.loss).__name__}, a function of one margin"
            )
        self._set_bias_decay()
        if self.label_distribution is not None:
            object.__setattr__(self, "label_distribution", self._checked_labels(self.label_distribution))
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", self._checked_weights(self.class_weights))
        if not self.symmetric:
            self._check_one_point()
        self.shape  # noqa: B018  raises where the shapes do not broadcast

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(field.name for field in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.nonnegative, self.bias))

    @property
    def symmetric(self) -> bool:
        """Whether the optimum is a margin, in closed form: see the class docstring."""
        regularised = self.bias_decay > 0 and not self.loss.shift_invariant
        if self.label_distribution is not None or regularised or not self._holds_the_frame:
            return False
        return self.class_weights is None or (self.nonnegative and not self.bias and self.loss.shift_invariant)

    @property
    def num_groups(self) -> int:
        """K, the number of label groups: columns of the class means and of the logits."""
        if self.label_distribution is not None:
            return int(self.label_distribution.shape[1])
        return int(np.max(self.num_classes))

    @property
    def proportions(self) -> FloatArray:
        """The proportions pi (K,) of the label groups, equal where no class weights are given."""
        if self.class_weights is not None:
            return self.class_weights
        return np.full(self.num_groups, 1.0 / self.num_groups)

    @property
    def labels(self) -> FloatArray:
        """The label distributions Y (N, K), a column for each group: one-hot labels where none are given."""
        if self.label_distribution is not None:
            return self.label_distribution
        return np.eye(int(self.num_classes))

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of all parameters; with class weights their class axis comes last."""
        if not self.symmetric:
            return ()
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
    def point_shape(self) -> tuple[int, ...]:
        """The shape without the class axis."""
        return self.shape[:-1] if self.class_weights is not None and self.symmetric else self.shape

    @property
    def mu(self) -> Real:
        r""":math:`\mu = \sqrt{\lambda_W\lambda_H}`."""
        mu: Real = scalar_or_array(root_of_product(np.asarray(self.weight_decay), np.asarray(self.feature_decay)))
        return mu

    @property
    def kappa(self) -> Real:
        """The cost of a unit of margin; the regulariser charges ``kappa s`` (per class, with class weights).

        Raises
        ------
        AssumptionError
            If the problem is not symmetric: its optimum is not a margin.
        """
        if not self.symmetric:
            raise fail("symmetric", False, "a cost per unit of margin exists for symmetric problems only")
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

    @property
    def _unsmoothed(self) -> bool:
        """Whether a class without labels is pushed away without end."""
        return self.loss.shift_invariant and float(np.max(getattr(self.loss, "smoothing", 0.0))) == 0

    @property
    def _holds_the_frame(self) -> bool:
        """Whether the features have room for the closed-form arrangement of the class means."""
        if self.feature_dim is None:
            return True
        return self.feature_dim >= int(np.max(self.num_classes)) - (0 if self.nonnegative or self.pays_for_mean else 1)

    def _set_bias_decay(self) -> None:
        decay = one_number("bias_decay", self.bias_decay, nonnegative)
        if decay > 0 and not self.bias:
            raise fail("bias_decay", decay, "must be 0 without a bias")
        object.__setattr__(self, "bias_decay", decay)

    def _checked_labels(self, given: FloatArray) -> FloatArray:
        if not isinstance(self.num_classes, int):
            raise fail("label_distribution", given, "needs one num_classes, not an array")
        return columns("label_distribution", given, self.num_classes)

    def _checked_weights(self, given: FloatArray) -> FloatArray:
        if not isinstance(self.num_classes, int):
            raise fail("class_weights", given, "needs one num_classes, not an array")
        counted = "num_classes" if self.label_distribution is None else "num_groups"
        return proportions("class_weights", given, self.num_groups, counted=counted, axes=_MOST_AXES)

    def _check_one_point(self) -> None:
        numbers = {
            "num_classes": self.num_classes,
            "weight_decay": self.weight_decay,
            "feature_decay": self.feature_decay,
        }
        numbers |= {f"loss.{name}": getattr(self.loss, name) for name in self.loss.parameter_names()}
        for name, value in numbers.items():
            if np.ndim(value) > 0:
                raise fail(
                    name, np.shape(value), "must be one number unless the problem is symmetric; loop over the points"
                )
        if self.class_weights is not None and self.class_weights.ndim > 1:
            raise fail("class_weights", self.class_weights.shape, "must have one axis unless the problem is symmetric")
        if self.bias and self.bias_decay == 0 and self.label_distribution is not None and self._unsmoothed:
            missing = np.flatnonzero(np.max(self.label_distribution, axis=1) == 0)
            if missing.size:
                raise fail(
                    "label_distribution",
                    f"row {missing[0]} is zero",
                    "every class must occur: the unregularised bias of a class that does not runs off to infinity",
                )
        if not self.loss.is_convex:
            raise fail("loss", self.loss, "must be convex in the logits unless the problem is symmetric")
