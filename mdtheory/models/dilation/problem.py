"""The memorization-dilation problem as data."""

from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.errors import CollapsedError
from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    choice,
    common_shape,
    fail,
    flag,
    nonnegative,
    positive,
    real,
    same_fields,
)
from mdtheory.models.class_losses import class_loss
from mdtheory.models.features.problem import UFM
from mdtheory.models.model import Problem
from mdtheory.spreads import Sphere, Spread

if TYPE_CHECKING:
    from mdtheory.models.dilation.solution import MDSolution  # noqa: F401  named in a string

MDMethod = Literal["auto", "reduced", "expansion", "convex"]
# Beyond two classes means over clean examples are computed for so many.
MOST_CLASSES = 1000
SCALINGS = ("absolute", "relative")


@dataclass(frozen=True, eq=False)
class MemorizationDilation(Problem["MDSolution", MDMethod]):
    r"""The memorization-dilation problem of balanced classes, on the neural-collapse configuration of its own loss.

    With the class means h_1, h_2 and classifier W of `ufm`, D = ||h_1 - h_2||, minimise over noisy features u_1, u_2
    and the dilation r >= 0

    .. math::
        \sum_n E[\ell(W(h_n + r\xi), y_n) + \lambda\|h_n + r\xi\|^2]
        + \eta \sum_n [\ell(W u_n, y_n) + \lambda\|u_n\|^2]
        \quad\text{subject to}\quad \eta\|h_1 - u_2\|,\ \eta\|h_2 - u_1\| \le C r/D^q .

    For N classes the labels flip to each other class alike: a noisy feature u_nm of class m labelled n counts
    eta/(N - 1), and the constraint of class m is :math:`\frac{\eta}{N-1}\sum_{n \ne m}\|u_{nm} - h_m\| \le C r/D^q`.

    Parameters
    ----------
    ufm : UFM
        Balanced classes. With two of them features may be free or nonnegative, and the loss any; to 1,000 classes features are free,
        the loss is cross-entropy, with a `Gaussian` or `Sphere`, or the squared error with a bias.
    noise : float or array
        Noise level eta in [0, 1]: the *ratio* of mislabelled to correctly labelled mass, not a probability. A label is
        wrong with probability eta/(1 + eta); `mdtheory.conventions.noise` converts. Both classes have the same: a list is
        as many problems, not a rate for each class.
    slope : float or array
        Memorization-dilation slope C > 0.
    spread : Spread, default ``Sphere(8)``
        The isotropic law of xi; or an `EmpiricalSpread`, the measured law of the coordinate that the loss sees (two classes; a
        convex loss with a continuous slope that no shift of the logits changes).
    scaling : {"absolute", "relative"}
        q = 1 (memorisation in absolute units, the paper's) or q = 0 (scale free).
    noisy_feature_decay : float or array, optional
        lambda >= 0; ``ufm.feature_decay`` if omitted.
    nonnegative_noisy_features : bool, default False
        Whether also u_n >= 0 is required; only with nonnegative features.
    given_configuration : Configuration, optional
        Class means and classifier to pose the problem on, as measured on a network or of any other origin, in the place of
        those of `ufm`, which then says loss and decays alone. Two classes; no hinge, whose solver has the margin on the kink.

    Numerical parameters broadcast against each other and against those of `ufm`.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, the configuration is not two balanced classes, the shapes do not
        broadcast, or a class mean has collapsed to zero: the problem is then undefined.

    References
    ----------
    Nguyen et al., *Memorization-Dilation*, ICLR 2023, section 4.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0, noisy_feature_decay=1e-4)
    >>> round(mdt.solve(md).normalized_dilation, 5)
    0.29169
    """

    ufm: UFM
    _: KW_ONLY
    noise: Real
    slope: Real
    spread: Spread = field(default_factory=lambda: Sphere(8))
    scaling: str = "absolute"
    noisy_feature_decay: Real | None = None
    nonnegative_noisy_features: bool = False
    given_configuration: "Configuration | None" = None

    if TYPE_CHECKING:
        # Given as anything NumPy takes; the fields hold clean numbers and arrays.
        def __init__(
            self,
            ufm: UFM,
            *,
            noise: ArrayLike,
            slope: ArrayLike,
            spread: Spread = ...,
            scaling: Literal["absolute", "relative"] = "absolute",
            noisy_feature_decay: ArrayLike | None = None,
            nonnegative_noisy_features: bool = False,
            given_configuration: "Configuration | None" = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.ufm, UFM):
            raise fail("ufm", self.ufm, "must be a UFM")
        if self.ufm.class_weights is not None:
            raise fail(
                "class_weights",
                self.ufm.class_weights,
                "must be omitted: classes of a memorization-dilation problem are balanced",
            )
        if not self.ufm.symmetric:
            raise fail(
                "ufm", self.ufm, "must be symmetric: the loss's own labels, no bias decay, room for the class means"
            )
        if not isinstance(self.spread, Spread):
            raise fail("spread", self.spread, "must be a Spread, for example Sphere(dim=8)")
        if not self.spread.is_symmetric:
            self._check_skew()
        noise = real("noise", self.noise, lambda x: (x >= 0) & (x <= 1), "lie in [0, 1]")
        object.__setattr__(self, "noise", noise)
        object.__setattr__(self, "slope", positive("slope", self.slope))
        choice("scaling", self.scaling, SCALINGS)
        flag("nonnegative_noisy_features", self.nonnegative_noisy_features)
        if self.nonnegative_noisy_features and not self.ufm.nonnegative:
            raise fail("nonnegative_noisy_features", True, "needs nonnegative=True in the UFM")
        if self.noisy_feature_decay is not None:
            decay = nonnegative("noisy_feature_decay", self.noisy_feature_decay)
            object.__setattr__(self, "noisy_feature_decay", decay)
        if self.given_configuration is not None:
            self._check_given(self.given_configuration)
        if np.any(np.not_equal(self.ufm.num_classes, 2)):
            self._check_many_classes()
        self.shape  # noqa: B018  raises where the shapes do not broadcast
        self._check_not_collapsed()

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(f.name for f in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.ufm, self.spread, self.scaling))

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of all parameters."""
        return common_shape(
            ufm=np.empty(self.ufm.shape),
            noise=self.noise,
            slope=self.slope,
            noisy_feature_decay=self.decay,
            given_configuration=0.0 if self.given_configuration is None else self.given_configuration.margin,
        )

    @cached_property
    def configuration(self) -> "Configuration":
        """The neural-collapse configuration the problem is posed on."""
        return Configuration.of(self.ufm) if self.given_configuration is None else self.given_configuration

    @property
    def margin_cost(self) -> FloatArray:
        """What a unit of margin saves at the class means, ``-phi'(s)``: kappa of the features model at its own configuration."""
        if self.given_configuration is None:
            return np.asarray(self.ufm.kappa)
        return np.asarray(-self.ufm.loss.profile_derivative(self.configuration.margin))

    @property
    def decay(self) -> FloatArray:
        """lambda, the decay of noisy features, as an array: the feature decay if none was given."""
        given = self.ufm.feature_decay if self.noisy_feature_decay is None else self.noisy_feature_decay
        return np.asarray(given, dtype=np.float64)

    @property
    def rate(self) -> FloatArray:
        """``D^q / C``: the constraint reads ``r >= noise * rate * memorization``. Infinite where it overflows."""
        return self.rate_of(self.configuration)

    def rate_of(self, configuration: "Configuration") -> FloatArray:
        """`rate` for a configuration already at hand."""
        distance = configuration.mean_distance if self.scaling == "absolute" else 1.0
        with np.errstate(over="ignore"):
            return np.asarray(distance / np.asarray(self.slope))

    def check_two_classes(self) -> None:
        """Raise unless there are two classes, where a formula knows no more.

        Raises
        ------
        AssumptionError
            For more than two classes.
        """
        if np.any(np.not_equal(self.ufm.num_classes, 2)):
            raise fail(
                "num_classes", self.ufm.num_classes, "must be 2 here: of more classes there is the answer of `solve`"
            )

    def check_by_formula(self) -> None:
        """Raise unless a formula for two classes on their own configuration, with a symmetric spread, covers the problem.

        Raises
        ------
        AssumptionError
            For more than two classes, a given configuration or an empirical spread.
        """
        self.check_two_classes()
        if self.given_configuration is not None:
            raise fail("given_configuration", "given", "must be omitted here: of it there is the answer of `solve`")
        if not self.spread.is_symmetric:
            raise fail("spread", self.spread.label, "must be symmetric here: of it there is the answer of `solve`")

    def _check_many_classes(self) -> None:
        n, ufm = self.ufm.num_classes, self.ufm
        if not isinstance(n, int):
            raise fail("num_classes", n, "must be one number in a memorization-dilation problem")
        if n > MOST_CLASSES:
            raise fail("num_classes", n, f"must be {MOST_CLASSES} at most in a memorization-dilation problem")
        if ufm.nonnegative:
            raise fail("nonnegative", True, "must be False for more than two classes")
        if ufm.pays_for_mean:
            raise fail(
                "bias", False, "must be True for a loss that changes with a shift of the logits, beyond two classes"
            )
        if self.spread.dim < n - 1:
            raise fail(
                "spread", self.spread, f"must have dimension {n - 1} at least, that of the logits of {n} classes"
            )
        if np.any(self.decay <= 0):
            raise fail("noisy_feature_decay", self.noisy_feature_decay, "must be positive for more than two classes")
        class_loss(ufm.loss, n, self.spread)

    def _check_given(self, given: object) -> None:
        if not isinstance(given, Configuration):
            raise fail(
                "given_configuration", given, "must be a Configuration, for example Configuration.given(margin=4, ...)"
            )
        loss = self.ufm.loss
        if np.any(np.not_equal(self.ufm.num_classes, 2)):
            raise fail("num_classes", self.ufm.num_classes, "must be 2 with a given_configuration")
        if not loss.smooth_slope:
            raise fail("loss", loss, "must have a continuous slope with a given_configuration")
        if loss.kinks() is not None or loss.room(given.margin, self.margin_cost) is not None:
            least = np.broadcast_to(loss.profile_minimizer(), np.broadcast_shapes(loss.shape, given.margin.shape))
            if np.any(given.margin >= least):
                raise fail(
                    "given_configuration.margin",
                    given.margin,
                    f"must lie below the minimiser {float(least.min()):.6g} of the loss",
                )
        if self.nonnegative_noisy_features and not np.allclose(
            2.0 * given.centre_norm, given.mean_distance, rtol=1e-12
        ):
            raise fail(
                "given_configuration.centre_norm",
                given.centre_norm,
                "must be half the mean_distance, as of orthogonal class means, with nonnegative_noisy_features",
            )

    def _check_skew(self) -> None:
        loss = self.ufm.loss
        if np.any(np.not_equal(self.ufm.num_classes, 2)):
            raise fail("num_classes", self.ufm.num_classes, "must be 2 with an empirical spread")
        if not (loss.is_convex and loss.smooth_slope and loss.shift_invariant):
            raise fail(
                "loss",
                loss,
                "must be convex, with a continuous slope, and blind to shifts of the logits, with an empirical spread",
            )

    def _check_not_collapsed(self) -> None:
        if self.given_configuration is not None:
            return
        margin = np.broadcast_to(self.configuration.margin, self.ufm.shape)
        if np.any(margin <= 0):
            critical = self.ufm.loss.critical_cost(self.ufm.num_classes)
            error = fail(
                "ufm.kappa",
                float(np.max(np.asarray(self.ufm.kappa))),
                "the class means have collapsed to zero (or their best margin is negative), so the "
                "memorization-dilation problem is undefined; "
                f"kappa must stay below {float(np.min(critical)):.6g}",
            )
            raise CollapsedError(str(error), margin > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Configuration(Frozen):
    """Class means and classifier of two classes, up to rotation.

    Made by `Configuration.of` for a features model, and by `Configuration.given` from numbers.

    Attributes
    ----------
    margin : array
        s.
    mean_shortfall : array
        1 - s0, without cancellation; 1 for shift-invariant losses.
    mean_margin : array
        s0 = z_1 + z_2, the logit sum at a class mean; 0 for shift-invariant losses.
    mean_distance, weight_distance : array
        ``D = ||h_1 - h_2||`` and ``kap = ||w_1 - w_2||``, with s = kap D/2.
    centre_norm, weight_sum : array
        ``||(h_1 + h_2)/2||`` and ``kp = ||w_1 + w_2||``.
    """

    margin: FloatArray
    mean_margin: FloatArray
    mean_shortfall: FloatArray
    mean_distance: FloatArray
    weight_distance: FloatArray
    centre_norm: FloatArray
    weight_sum: FloatArray

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, tuple(f.name for f in fields(self)))

    def __hash__(self) -> int:
        return hash((type(self), self.margin.tobytes()))

    @classmethod
    def given(
        cls,
        *,
        margin: ArrayLike,
        mean_distance: ArrayLike,
        centre_norm: ArrayLike = 0.0,
        mean_margin: ArrayLike = 0.0,
    ) -> "Configuration":
        r"""A configuration from what was measured, or is supposed.

        Parameters
        ----------
        margin : float or array
            s > 0, the own logit minus the other at a class mean.
        mean_distance : float or array
            D > 0. The classifiers differ by :math:`\kappa = 2s/D` along the class means: what they have in other directions moves no
            logit of a point between the means.
        centre_norm : float or array, default 0
            ``||(h_1 + h_2)/2|| >= 0``; D/2 for orthogonal class means. Taken to be orthogonal to ``h_1 - h_2``.
        mean_margin : float or array, default 0
            ``z_1 + z_2`` at a class mean in [0, 1], which the squared error alone looks at; it needs a centre.

        Returns
        -------
        Configuration

        Raises
        ------
        AssumptionError
            If a number is outside its domain, or the shapes do not broadcast.

        Examples
        --------
        Class means and margin as measured on a network, at 10 % noise:

        >>> import mdtheory as mdt
        >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
        >>> seen = mdt.Configuration.given(margin=4.6, mean_distance=3.03, centre_norm=1.5)
        >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0, given_configuration=seen)
        >>> found = mdt.solve(md)
        >>> round(found.normalized_dilation, 4), str(found.status)
        (0.2763, 'OPTIMAL')
        """
        clean = {
            "margin": positive("margin", margin),
            "mean_distance": positive("mean_distance", mean_distance),
            "centre_norm": nonnegative("centre_norm", centre_norm),
            "mean_margin": real("mean_margin", mean_margin, lambda x: (x >= 0) & (x <= 1), "lie in [0, 1]"),
        }
        shape = common_shape(**{name: np.asarray(value) for name, value in clean.items()})
        s, distance, centre, total = (np.array(np.broadcast_to(value, shape)) for value in clean.values())
        if np.any((total > 0) & (centre == 0)):
            raise fail("centre_norm", centre_norm, "must be positive where mean_margin is")
        return cls(
            margin=s,
            mean_margin=total,
            mean_shortfall=1.0 - total,
            mean_distance=distance,
            weight_distance=2.0 * s / distance,
            centre_norm=centre,
            weight_sum=total / np.where(centre > 0, centre, 1.0),
        )

    def class_means(self, dim: int) -> FloatArray:
        """H (..., dim, 2): in the plane of the first two coordinates, either the mirror image of the other at its diagonal."""
        return _two_columns(self.mean_distance, self.centre_norm, dim)

    def weights(self, dim: int) -> FloatArray:
        """W (..., 2, dim) in the same coordinates."""
        return np.swapaxes(_two_columns(self.weight_distance, 0.5 * self.weight_sum, dim), -1, -2)

    @classmethod
    def of(cls, ufm: UFM) -> "Configuration":
        """The closed-form configuration of two of the classes of a balanced UFM."""
        n = float(np.max(ufm.num_classes))
        # A negative margin has no memorization-dilation problem, like a collapsed one.
        margin = np.maximum(ufm.loss.margin(ufm.margin_cost, ufm.num_classes), 0.0)
        ratio = np.sqrt(np.asarray(ufm.weight_decay)) / np.sqrt(np.asarray(ufm.feature_decay))
        # ||h|| of a simplex, but for what centring takes: a = ratio^(1/2) n^(1/4) sqrt(s), n = N, and 1 for orthogonal features (N = 2).
        scale = np.sqrt(ratio) * (1.0 if ufm.nonnegative and not ufm.pays_for_mean else n**0.25)
        a = scale * np.sqrt(margin)
        with np.errstate(divide="ignore", invalid="ignore"):
            c = np.where(margin > 0, margin / np.where(margin > 0, a, 1.0), 0.0)
        mean_margin, mean_shortfall = np.zeros(margin.shape), np.ones(margin.shape)
        # Of free features, the mean of two unit vectors less that of all of them.
        inner = np.sqrt(0.5 - 1.0 / n)
        centre = a / np.sqrt(2.0) if ufm.nonnegative else inner * a
        weight_sum = np.zeros(margin.shape) if ufm.nonnegative else 2.0 * inner * c
        if ufm.pays_for_mean:
            mean_shortfall = np.asarray(np.minimum(2.0 * np.sqrt(2.0) * np.asarray(ufm.mu), 1.0))
            mean_margin = 1.0 - mean_shortfall
            centre = scale * np.sqrt(mean_margin / 2.0)
            weight_sum = np.where(centre > 0, mean_margin / np.where(centre > 0, centre, 1.0), 0.0)
        return cls(
            margin=margin,
            mean_margin=mean_margin,
            mean_shortfall=mean_shortfall,
            mean_distance=np.sqrt(2.0) * a,
            weight_distance=np.sqrt(2.0) * c,
            centre_norm=centre,
            weight_sum=weight_sum,
        )


def _two_columns(distance: FloatArray, centre: FloatArray, dim: int) -> FloatArray:
    """Two vectors (..., dim, 2) at a distance, with a centre orthogonal to their difference."""
    large, small = (centre + 0.5 * distance) / np.sqrt(2.0), (centre - 0.5 * distance) / np.sqrt(2.0)
    columns = np.zeros((*np.shape(distance), dim, 2))
    columns[..., 0, 0] = columns[..., 1, 1] = large
    columns[..., 0, 1] = columns[..., 1, 0] = small
    return columns
