"""The limited-expressivity features model as data."""

from dataclasses import KW_ONLY, dataclass, field, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    common_shape,
    fail,
    flag,
    instance,
    one_integer,
    positive,
    real,
    same_fields,
)
from mdtheory.losses import Loss
from mdtheory.models.features.problem import UFM
from mdtheory.models.joint.class_losses import class_loss
from mdtheory.models.model import Problem
from mdtheory.spreads import Sphere, Spread

if TYPE_CHECKING:
    from mdtheory.models.joint.solution import JointSolution  # noqa: F401  named in a string

JointMethod = Literal["auto"]
MAX_CLASSES = 1000
# Squares of noise over slope must be doubles with room to spare.
_STEEPEST = 1e60


@dataclass(frozen=True, eq=False)
class LimitedExpressivity(Problem["JointSolution", JointMethod]):
    r"""The features model of N balanced classes that pays for memorising noisy labels with the dilation of its clusters.

    Class means h_m, classifier W, noisy features u_nm (examples of class m labelled n) and dilations r_m are optimal
    together, where `MemorizationDilation` keeps the first two fixed. With flip probability ``e = eta/(1 + eta)``, spread to the other
    classes alike, T_mm = 1 - e and T_nm = e/(N-1), minimise

    .. math::
        \frac1N \sum_m \Big\{ T_{mm} E[\ell(W(h_m + r_m\xi), m) + \lambda_H\|h_m + r_m\xi\|^2]
        + \sum_{n \ne m} T_{nm} [\ell(W u_{nm}, n) + \lambda_H\|u_{nm}\|^2] \Big\} + \lambda_W \|W\|_F^2
        \quad\text{subject to}\quad \sum_{n \ne m} \frac{T_{nm}}{T_{mm}} \|u_{nm} - h_m\| \le C r_m .

    The objective is a mean over examples, as that of `UFM`, of which this is the limit for a large slope C (on the observed labels); for
    a small one it tends to the same model on soft labels.

    Parameters
    ----------
    loss : Loss
        Convex, with a continuous slope, its parameters one number each or arrays.
    num_classes : int, default 2
        N, to 1,000. Beyond two the cross-entropies need a `Sphere` or `Gaussian`; the squared error takes any.
    noise : float or array
        Noise level eta, from 0 to below N - 1: the *ratio* of mislabelled to correctly labelled mass. A label is wrong with
        probability e = eta/(1 + eta); `mdtheory.conventions.noise` converts. At eta = N - 1 labels carry no information.
    slope : float or array
        Memorization-dilation slope C > 0, at least 1e-60 of the noise, written with ratios as in `MemorizationDilation`: the slope of an inequality
        between probabilities, e sum ||u - h|| <= C' r, is C = C'/(1 - e).
    weight_decay, feature_decay : float or array
        lambda_W and lambda_H, positive; noisy features decay like clean ones.
    spread : Spread, default ``Sphere(8)``
        The isotropic law of xi, in N - 1 dimensions or more.
    bias : bool, default False
        Whether the logits have an unregularised bias. With classes alike it is zero, except for the squared error, which needs it here:
        without it the shape of the classifier is not known.

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
    noise: Real
    slope: Real
    weight_decay: Real
    feature_decay: Real
    num_classes: int = 2
    spread: Spread = field(default_factory=lambda: Sphere(8))
    bias: bool = False

    if TYPE_CHECKING:
        # Given as anything NumPy takes; the fields hold clean numbers and arrays.
        def __init__(
            self,
            loss: Loss,
            *,
            num_classes: int = 2,
            noise: ArrayLike,
            slope: ArrayLike,
            weight_decay: ArrayLike,
            feature_decay: ArrayLike,
            spread: Spread = ...,
            bias: bool = False,
        ) -> None: ...

    def __post_init__(self) -> None:
        instance("loss", self.loss, Loss, "a Loss, for example CrossEntropy()")
        instance("spread", self.spread, Spread, "a Spread, for example Sphere(dim=8)")
        n = one_integer("num_classes", self.num_classes, 2, MAX_CLASSES)
        object.__setattr__(self, "num_classes", n)
        noise = real("noise", self.noise, lambda x: (x >= 0) & (x < n - 1), _noise_domain(n))
        object.__setattr__(self, "noise", noise)
        for name in ("slope", "weight_decay", "feature_decay"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        flag("bias", self.bias)
        if self.spread.dim < n - 1:
            raise fail(
                "spread", self.spread, f"must have dimension {n - 1} at least, that of the logits of {n} classes"
            )
        if not self.loss.is_convex:
            raise fail("loss", self.loss, "must be convex in a limited-expressivity problem")
        if not self.loss.smooth_slope:
            raise fail("loss", self.loss, "must have a continuous slope in a limited-expressivity problem")
        if not self.loss.shift_invariant and not self.bias:
            raise fail("bias", False, "must be True for a loss that changes with a shift of the logits")
        if n > 2:
            class_loss(self.loss, n, self.spread)
        self.shape  # noqa: B018  raises where the shapes do not broadcast
        self._check_rate()

    def _check_rate(self) -> None:
        with np.errstate(over="ignore"):
            steepest = float(np.max(self.rate, initial=0.0))
        if steepest > _STEEPEST:
            raise fail("noise/slope", steepest, f"must be {_STEEPEST:g} at most")

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(f.name for f in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.loss, self.num_classes, self.spread))

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of all parameters."""
        return common_shape(
            loss=np.empty(self.loss.shape),
            noise=self.noise,
            slope=self.slope,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
        )

    @property
    def flip(self) -> FloatArray:
        """e = eta/(1 + eta), the probability that a label is wrong."""
        return np.asarray(np.asarray(self.noise) / (1.0 + np.asarray(self.noise)))

    @property
    def rate(self) -> FloatArray:
        """eta/C: a noisy feature at distance d from its class mean costs a dilation of ``rate * d``."""
        return np.asarray(np.asarray(self.noise) / np.asarray(self.slope))

    @property
    def noiseless(self) -> UFM:
        """The unconstrained features model of the same loss and decays, without noisy labels."""
        return UFM(
            self.loss,
            num_classes=self.num_classes,
            weight_decay=self.weight_decay,
            feature_decay=self.feature_decay,
            bias=self.bias,
        )


def _noise_domain(n: int) -> str:
    return f"lie in [0, {n - 1}): at {n - 1} the labels of {n} classes carry no information"
