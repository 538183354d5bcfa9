"""The deep linear features model as data."""

from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, fail, flag, one_integer, one_number, positive, same_fields
from mdtheory.losses import Loss, MeanSquaredError
from mdtheory.models.features import record as features
from mdtheory.models.features.problem import UFM
from mdtheory.models.features.solution import UFMSolution
from mdtheory.models.model import Options, Problem

if TYPE_CHECKING:
    from mdtheory.models.deep.solution import DeepSolution  # noqa: F401  named in a string

DeepMethod = Literal["auto", "singular-values", "search"]
MOST_LAYERS = 1000


@dataclass(frozen=True, eq=False)
class DeepUFM(Problem["DeepSolution", DeepMethod]):
    r"""The deep linear features model: free features behind L linear layers, all of them decayed.

    .. math::
        \min_{W_L, \dots, W_1, H}\ \sum_n \pi_n \ell(W_L \cdots W_1 h_n, y_n) + \sum_i \lambda_i \|W_i\|^2
        + \lambda_H \sum_n \pi_n \|h_n\|^2

    Only the product :math:`Z = W_L \cdots W_1 H` matters, and only the geometric mean of the decays: with
    :math:`\Lambda = \lambda_H \prod_i \lambda_i`, :math:`X = Z\,\mathrm{diag}(\sqrt\pi)` and p = 2/(L + 1) the minimum is that of

    .. math:: \sum_n \pi_n \ell(z_n, y_n) + (L + 1)\,\Lambda^{1/(L+1)} \sum_i \sigma_i(X)^p .

    L = 1 is `UFM`, a convex problem in Z; for L >= 2 the penalty is concave in the singular values: answers have a low rank, and neural
    collapse need not be optimal.

    Parameters
    ----------
    loss : Loss
        Convex with a continuous slope: cross-entropy with smoothing, the squared error, label relaxation, squared hinge; of several layers
        behind a loss of your own no lower bound is known.
    num_classes : int
        N, from 2 to 1000.
    layers : int
        L >= 1, the number of weight matrices. Widths are at least the rank of the answer.
    weight_decay : float or sequence of L floats
        Of every layer, or of each, from the features up: :math:`\lambda_1` belongs to the layer next to the features.
    feature_decay : float
        :math:`\lambda_H`.
    class_weights : array (N,), optional
        Proportions of the classes; equal if omitted.
    label_distribution : array (N, K), optional
        A distribution over labels for each group, as for `UFM`.
    nonnegative : bool, default False
        Only with one layer: nonnegative features behind several are not solved.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or there are as many weight decays neither as layers nor as one.

    References
    ----------
    Garrod and Keating, *The persistence of neural collapse despite low-rank bias*, NeurIPS 2025 (arXiv 2410.23169). Súkeník, Mondelli and Lampert, *Neural
    collapse versus low-rank bias*, NeurIPS 2024 (arXiv 2405.14468), as recalled.

    Examples
    --------
    Six classes behind two layers: three antipodal pairs are better than the simplex.

    >>> import mdtheory as mdt
    >>> deep = mdt.DeepUFM(mdt.CrossEntropy(), num_classes=6, layers=2, weight_decay=1e-3, feature_decay=1e-3)
    >>> found = mdt.solve(deep)
    >>> found.structure, found.rank, round(found.objective, 7)
    ('3 antipodal pairs', 3, 0.0322855)
    """

    loss: Loss
    _: KW_ONLY
    num_classes: int
    layers: int
    weight_decay: float | FloatArray
    feature_decay: float
    class_weights: FloatArray | None = None
    label_distribution: FloatArray | None = None
    nonnegative: bool = False
    _inner: UFM = field(init=False, repr=False)

    if TYPE_CHECKING:
        # Given as anything NumPy takes; the fields hold clean numbers and arrays.
        def __init__(
            self,
            loss: Loss,
            *,
            num_classes: int,
            layers: int,
            weight_decay: ArrayLike,
            feature_decay: float,
            class_weights: ArrayLike | None = None,
            label_distribution: ArrayLike | None = None,
            nonnegative: bool = False,
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.loss, Loss):
            raise fail("loss", self.loss, "must be a Loss, for example CrossEntropy()")
        if not (self.loss.is_convex and self.loss.smooth_slope):
            raise fail("loss", self.loss, "must be convex with a continuous slope in a deep features model")
        clean: dict[str, object] = {
            "num_classes": one_integer("num_classes", self.num_classes, 2, 1000),
            "layers": one_integer("layers", self.layers, 1, MOST_LAYERS),
            "feature_decay": one_number("feature_decay", self.feature_decay, positive),
            "nonnegative": flag("nonnegative", self.nonnegative),
        }
        for name, value in clean.items():
            object.__setattr__(self, name, value)
        if self.nonnegative and self.layers > 1:
            raise fail("nonnegative", True, "must be False behind several layers: not solved there")
        object.__setattr__(self, "weight_decay", self._checked_decay())
        inner = UFM(
            self.loss,
            num_classes=self.num_classes,
            weight_decay=self.decay,
            feature_decay=self.decay,
            nonnegative=self.nonnegative,
            class_weights=self.class_weights,
            label_distribution=self.label_distribution,
        )
        for name in ("class_weights", "label_distribution"):
            object.__setattr__(self, name, getattr(inner, name))
        if self.class_weights is not None and self.class_weights.ndim > 1:
            raise fail("class_weights", self.class_weights.shape, "must have one axis")
        for name in self.loss.parameter_names():
            if np.ndim(getattr(self.loss, name)):
                raise fail(
                    f"loss.{name}", np.shape(getattr(self.loss, name)), "must be one number; loop over the points"
                )
        object.__setattr__(self, "_inner", inner)

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(f.name for f in fields(self) if f.init))

    def __hash__(self) -> int:
        return hash((type(self), self.num_classes, self.layers))

    @property
    def layer_decays(self) -> FloatArray:
        """The decays (L,) of the layers, from the features up."""
        return np.array(np.broadcast_to(np.asarray(self.weight_decay, dtype=np.float64), (self.layers,)))

    @cached_property
    def decay(self) -> float:
        r"""The geometric mean :math:`\Lambda^{1/(L+1)}` of all decays."""
        logarithms = np.log(np.append(self.layer_decays, self.feature_decay))
        return float(np.exp(logarithms.mean()))

    @property
    def exponent(self) -> float:
        """p = 2/(L + 1)."""
        return 2.0 / (self.layers + 1.0)

    @property
    def cost(self) -> float:
        r"""beta :math:`= (L + 1)\Lambda^{1/(L+1)}`, what the p-th powers of the singular values cost."""
        return (self.layers + 1.0) * self.decay

    @property
    def labels(self) -> FloatArray:
        """The label distributions Y (N, K), one-hot where none are given."""
        return self._inner.labels

    @property
    def proportions(self) -> FloatArray:
        """Of the label groups, (K,)."""
        return self._inner.proportions

    @property
    def balanced(self) -> bool:
        """Whether there is one group for each class, all of one size."""
        return self.class_weights is None and self.label_distribution is None

    @property
    def is_squared_error(self) -> bool:
        """Whether the problem falls into one for each singular value."""
        return isinstance(self.loss, MeanSquaredError)

    def shallow_solution(self, cost: float | FloatArray) -> UFMSolution:
        """Of the model of one layer whose nuclear norm costs so much; of balanced classes for many costs at once."""
        model = UFM(
            self.loss,
            num_classes=self.num_classes,
            weight_decay=0.5 * cost,
            feature_decay=0.5 * cost,
            nonnegative=self.nonnegative,
            class_weights=self.class_weights,
            label_distribution=self.label_distribution,
        )
        solution: UFMSolution = features.MODEL.solve(model, "auto", Options())
        return solution

    def _checked_decay(self) -> float | FloatArray:
        value = positive("weight_decay", self.weight_decay)
        if np.ndim(value) == 0:
            return float(value)
        if np.shape(value) != (self.layers,):
            raise fail(
                "weight_decay", np.shape(value), f"must be one number, or one for each of the {self.layers} layers"
            )
        return np.asarray(value)
