"""The limited-expressivity features model as data."""

from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    choice,
    columns,
    common_shape,
    fail,
    flag,
    instance,
    one_integer,
    one_point,
    positive,
    proportions,
    real,
    same_fields,
)
from mdtheory.losses import Hinge, Loss, MeanSquaredError
from mdtheory.models.class_losses import class_loss
from mdtheory.models.features.problem import UFM
from mdtheory.models.model import Problem
from mdtheory.spreads import Sphere, Spread, TwoPoint

if TYPE_CHECKING:
    from mdtheory.models.joint.solution import JointSolution  # noqa: F401  named in a string

JointMethod = Literal["auto", "symmetric", "search"]
SCALINGS = ("relative", "absolute")
MAX_CLASSES = 1000
# Squares of noise over slope must be doubles with room to spare.
_STEEPEST = 1e60


@dataclass(frozen=True, eq=False)
class LimitedExpressivity(Problem["JointSolution", JointMethod]):
    r"""The features model of N classes that pays for memorising noisy labels with the dilation of its clusters.

    Class means h_m, classifier W, noisy features u_nm (examples of class m labelled n) and dilations r_m are optimal
    together, where `MemorizationDilation` keeps the first two fixed. With the noise matrix T, T_nm the probability of the label n in
    class m, class proportions pi and q = 0 or 1, minimise

    .. math::
        \sum_m \pi_m \Big\{ T_{mm} E[\ell(W(h_m + r_m\xi), m) + \lambda_H\|h_m + r_m\xi\|^2]
        + \sum_{n \ne m} T_{nm} [\ell(W u_{nm}, n) + \lambda_H\|u_{nm}\|^2] \Big\} + \lambda_W \|W\|_F^2
        \quad\text{subject to}\quad \sum_{n \ne m} \frac{T_{nm}}{T_{mm}} \|u_{nm} - h_m\| \le C \frac{r_m}{D^q} .

    The objective is a mean over examples, as that of `UFM`, of which this is the limit for a large slope C (on the observed labels); for
    a small one it tends to the same model on soft labels, or, for q = 1, to class means that have merged.

    Parameters
    ----------
    loss : Loss
        Convex, with a continuous slope, its parameters one number each or arrays; or, for two classes that are alike, free features, some noise and
        the relative scaling, the `Hinge`.
    num_classes : int, default 2
        N, to 1,000. Beyond two the cross-entropies need a `Sphere` or `Gaussian`; the squared error takes any.
    noise : float or array
        Noise level eta, from 0 to below N - 1: the *ratio* of mislabelled to correctly labelled mass. A label is wrong with
        probability e = eta/(1 + eta), and each wrong label has the same; `mdtheory.conventions.noise` converts. At eta = N - 1 labels
        carry no information.
    slope : float or array
        Memorization-dilation slope C > 0, at least 1e-60 of the noise, written with ratios as in `MemorizationDilation`: the slope of an inequality
        between probabilities, e sum ||u - h|| <= C' r, is C = C'/(1 - e).
    weight_decay, feature_decay : float or array
        lambda_W and lambda_H, positive; noisy features decay like clean ones.
    spread : Spread, default ``Sphere(8)``
        The isotropic law of xi, in N - 1 dimensions or more.
    scaling : {"relative", "absolute"}
        q = 0 (scale free) or q = 1: memorisation in absolute units, the paper's, D the distance of the class means. The problem is then no
        longer convex, and may have two local minima: class means that are separate, and merged ones.
    nonnegative : bool, default False
        Whether class means are constrained to be entrywise nonnegative (ReLU outputs); two classes that are alike only.
    nonnegative_noisy_features : bool, default False
        Whether noisy features are too; only with ``nonnegative=True``.
    bias : bool, default False
        Whether the logits have an unregularised bias. With classes alike it is zero, except for the squared error, which needs it here:
        without it the shape of the classifier is not known.
    class_weights : array (N,), optional
        Proportions pi of the classes, positive with sum 1; balanced if omitted.
    noise_matrix : array (N, N), optional
        T, instead of `noise`: column m is the distribution of the labels of class m. Classes that differ, in this or in
        their weights, are one point with the relative scaling beyond two of them: to 6 classes, and 10 for the squared error.

    Numerical parameters, but N, broadcast against each other.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, the loss is not covered, or the shapes do not broadcast.

    References
    ----------
    Nguyen et al., *Memorization-Dilation*, ICLR 2023 (the constraint); `derivations/joint_two_classes.py` (the reduction).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=1/9, slope=0.0697017244, weight_decay=5e-3, feature_decay=5e-3)
    >>> sol = mdt.solve(joint)
    >>> round(sol.normalized_dilation, 7), sol.status.name
    (0.7471605, 'OPTIMAL')
    """

    loss: Loss
    _: KW_ONLY
    noise: Real | None = None
    slope: Real
    weight_decay: Real
    feature_decay: Real
    num_classes: int = 2
    spread: Spread = field(default_factory=lambda: Sphere(8))
    scaling: str = "relative"
    nonnegative: bool = False
    nonnegative_noisy_features: bool = False
    bias: bool = False
    class_weights: FloatArray | None = None
    noise_matrix: FloatArray | None = None

    if TYPE_CHECKING:
        # Given as anything NumPy takes; the fields hold clean numbers and arrays.
        def __init__(
            self,
            loss: Loss,
            *,
            num_classes: int = 2,
            noise: ArrayLike | None = None,
            slope: ArrayLike,
            weight_decay: ArrayLike,
            feature_decay: ArrayLike,
            spread: Spread = ...,
            scaling: Literal["relative", "absolute"] = "relative",
            nonnegative: bool = False,
            nonnegative_noisy_features: bool = False,
            bias: bool = False,
            class_weights: ArrayLike | None = None,
            noise_matrix: ArrayLike | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        instance("loss", self.loss, Loss, "a Loss, for example CrossEntropy()")
        instance("spread", self.spread, Spread, "a Spread, for example Sphere(dim=8)")
        if not self.spread.is_symmetric:
            raise fail("spread", self.spread.label, "must be symmetric where class means are solved for")
        n = one_integer("num_classes", self.num_classes, 2, MAX_CLASSES)
        object.__setattr__(self, "num_classes", n)
        self._set_noise()
        for name in ("slope", "weight_decay", "feature_decay"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        choice("scaling", self.scaling, SCALINGS)
        for name in ("nonnegative", "nonnegative_noisy_features", "bias"):
            flag(name, getattr(self, name))
        if self.nonnegative_noisy_features and not self.nonnegative:
            raise fail("nonnegative_noisy_features", True, "needs nonnegative=True")
        if self.class_weights is not None:
            weights = proportions("class_weights", self.class_weights, n, counted="num_classes", axes=1)
            object.__setattr__(self, "class_weights", weights)
        self._check_covered()
        self.shape  # noqa: B018  raises where the shapes do not broadcast
        self._check_rate()

    def _set_noise(self) -> None:
        n = self.num_classes
        if (self.noise is None) == (self.noise_matrix is None):
            raise AssumptionError("noise: must be given, or else noise_matrix, and not both")
        if self.noise is not None:
            noise = real("noise", self.noise, lambda x: (x >= 0) & (x < n - 1), _noise_domain(n))
            object.__setattr__(self, "noise", noise)
        if self.noise_matrix is not None:
            matrix = columns("noise_matrix", self.noise_matrix, n)
            if matrix.shape[1] != n:
                raise fail("noise_matrix", matrix.shape, f"must have {n} columns, one for each true class")
            object.__setattr__(self, "noise_matrix", matrix)
            own = np.diag(matrix)
            # Two classes whose labels say nothing, or the wrong thing, of which of them it is.
            confused = (own[:, None] * own[None, :] <= matrix * matrix.T) & ~np.eye(n, dtype=bool)
            if np.any(confused):
                i, j = (int(k) for k in np.argwhere(confused)[0])
                raise fail("noise_matrix", f"columns {i} and {j}", "carry no information which of these classes it is")

    def _check_covered(self) -> None:
        n = self.num_classes
        if self.spread.dim < n - 1:
            raise fail(
                "spread", self.spread, f"must have dimension {n - 1} at least, that of the logits of {n} classes"
            )
        if not self.loss.is_convex:
            raise fail("loss", self.loss, "must be convex in a limited-expressivity problem")
        if isinstance(self.loss, Hinge):
            self._check_hinge()
        elif not self.loss.smooth_slope:
            raise fail(
                "loss", self.loss, "must be the Hinge or have a continuous slope in a limited-expressivity problem"
            )
        if not self.loss.shift_invariant and not self.bias:
            raise fail("bias", False, "must be True for a loss that changes with a shift of the logits")
        if self.nonnegative and n > 2:
            raise fail("nonnegative", True, "must be False for more than two classes")
        if self.nonnegative and self._alike is None:
            raise fail("nonnegative", True, "needs two classes of equal size with the same flips")
        if n > 2:
            class_loss(self.loss, n, self.spread)
            if self._alike is None:
                self.check_searchable()

    def _check_hinge(self) -> None:
        """Its kink is smoothed by the spread of the clean examples alone."""
        if self.num_classes > 2 or self._alike is None:
            raise fail("loss", self.loss, "must have a continuous slope but for two classes that are alike")
        if self.nonnegative or self.scaling != "relative":
            raise fail("loss", self.loss, "must have a continuous slope but for free features and the relative scaling")
        if isinstance(self.spread, TwoPoint) or self.spread.dim < 3:
            raise fail("spread", self.spread, "must have a bounded density for the hinge: three dimensions or more")
        if np.any(self._alike == 0.0):
            raise fail("noise", self.noise, "must be positive for the hinge: without noise it is a UFM")

    def check_searchable(self) -> None:
        """Raise unless classes that differ can be searched for.

        Raises
        ------
        AssumptionError
            Unless this is one point of three to ten classes (six, for cross-entropies) with the relative scaling.
        """
        most = 10 if isinstance(self.loss, MeanSquaredError) else 6
        wanted = "of more than two classes that differ"
        if not 2 < self.num_classes <= most:
            raise fail(
                "num_classes", self.num_classes, f"must be 3 to {most} for a search among configurations {wanted}"
            )
        if self.scaling != "relative":
            raise fail("scaling", self.scaling, f"must be 'relative' for configurations {wanted}")
        one_point(self.shape, f"must be one number in a search among configurations {wanted}")

    @property
    def classes_alike(self) -> bool:
        """Whether some optimum of a convex part treats all classes alike: the same flips, and no proportions that matter."""
        return self._alike is not None

    @property
    def is_searched(self) -> bool:
        """Whether `solve` looks for configurations whose classes differ, beyond two of them."""
        if self.num_classes == 2:
            return False
        try:
            self.check_searchable()
        except AssumptionError:
            return False
        return True

    def _check_rate(self) -> None:
        with np.errstate(over="ignore"):
            steepest = float(np.max(self.rate, initial=0.0))
        if steepest > _STEEPEST:
            raise fail("noise/slope", steepest, f"must be {_STEEPEST:g} at most")

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(f.name for f in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.loss, self.num_classes, self.spread, self.scaling, self.nonnegative))

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of all parameters, of which each point may have classes that differ: `class_axis`."""
        return common_shape(
            loss=np.empty(self.loss.shape),
            noise=0.0 if self.noise is None else self.noise,
            slope=self.slope,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
        )

    @cached_property
    def _alike(self) -> FloatArray | None:
        """The noise of every class where all of them are alike at an optimum, else None."""
        n = self.num_classes
        same = self.class_weights is None or bool(np.all(self.class_weights == self.class_weights[0]))
        # Two classes with the same flips are, of any size, by Jensen's inequality; not with a bias or a common cap on their distance.
        if not same and (n > 2 or self.bias or self.nonnegative or self.scaling == "absolute"):
            return None
        if self.noise_matrix is None:
            return np.asarray(self.noise, dtype=np.float64)
        flips = self.noise_matrix[~np.eye(n, dtype=bool)]
        return np.asarray((n - 1.0) * flips[0] / self.noise_matrix[0, 0]) if np.all(flips == flips[0]) else None

    @property
    def class_axis(self) -> tuple[int, ...]:
        """(2,) where two classes differ: their quantities then have a trailing axis."""
        return () if self._alike is not None or self.num_classes > 2 else (2,)

    @property
    def noise_per_class(self) -> FloatArray:
        """Mislabelled over correctly labelled mass, of all classes (...), or of each (..., 2) where they differ."""
        if self._alike is not None:
            return self._alike
        if self.noise_matrix is None:
            return np.repeat(np.asarray(self.noise, dtype=np.float64)[..., None], self.num_classes, axis=-1)
        own = np.diag(self.noise_matrix)
        return np.asarray((1.0 - own) / own)

    @property
    def flip(self) -> FloatArray:
        """e = eta/(1 + eta), the probability that a label is wrong; (..., 2) where classes differ."""
        return np.asarray(self.noise_per_class / (1.0 + self.noise_per_class))

    @property
    def clean_share(self) -> FloatArray:
        """The share of correctly labelled examples among all; (..., 2) of each class, where classes differ."""
        return np.asarray(self._share / (1.0 + self.noise_per_class))

    @property
    def flip_share(self) -> FloatArray:
        """The share of mislabelled examples among all; (..., 2) of each class, where classes differ."""
        return np.asarray(self._share * self.flip)

    @property
    def proportions(self) -> FloatArray:
        """pi (N,), equal where no class weights are given."""
        n = self.num_classes
        return np.full(n, 1.0 / n) if self.class_weights is None else self.class_weights

    @property
    def transition(self) -> FloatArray:
        """T (N, N): the noise matrix, or that of the noise of one point.

        Raises
        ------
        AssumptionError
            If the noise is an array.
        """
        if self.noise_matrix is not None:
            return self.noise_matrix
        one_point(np.asarray(self.noise).shape)
        n, e = self.num_classes, float(self.flip.ravel()[0])
        return np.where(np.eye(n, dtype=bool), 1.0 - e, e / (n - 1.0))

    @property
    def _share(self) -> FloatArray:
        if not self.class_axis:
            return np.ones(())
        return np.full(2, 0.5) if self.class_weights is None else self.class_weights

    @property
    def rate(self) -> FloatArray:
        """eta/C: a noisy feature at distance d from its class mean costs a dilation of ``rate * d``, times D if that is absolute."""
        slope = np.asarray(self.slope, dtype=np.float64)
        return np.asarray(self.noise_per_class / (slope[..., None] if self.class_axis else slope))

    @property
    def noiseless(self) -> UFM:
        """The unconstrained features model of the same loss and decays, balanced and without noisy labels."""
        return UFM(
            self.loss,
            num_classes=self.num_classes,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
            nonnegative=self.nonnegative,
            bias=self.bias,
        )


def _noise_domain(n: int) -> str:
    return f"lie in [0, {n - 1}): at {n - 1} the labels of {n} classes carry no information"
