"""What a loss owes the rest of the library."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.frozen import Frozen, read_only
from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import FloatArray, Real, common_shape, fail, same_fields
from mdtheory.foundation.wording import hyphenated, in_short
from mdtheory.losses.faces import check_faces
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics import double_double as dd

if TYPE_CHECKING:
    import cvxpy
    import sympy

    from mdtheory.numerics.branch_and_bound import Curve, Minimum


# Of the equation of a noisy margin: every third step halves the bracket once Newton's method has had its chance.
_MOST_STEPS = 400
# A ball has no type: python-flint has none.
Column = list[Any]

# What a loss is to its bounds: two values, and the conjugates that bound them.
_FACES = ({"value", "target_value", "target"}, {"conjugate", "target_conjugate"}, {"profile"}, {"profile_conjugate"})
# What bounds take a loss's word for, besides.
_PROMISES = {"is_convex", "shift_invariant", "sees_targets", "two_classes_only", "convex_hull", "least"}


@dataclass(frozen=True, slots=True)
class Curvature:
    r"""Hessians in the logits, ``diag(d) + sum_j a_j g_j g_j'``, one for each leading index.

    Attributes
    ----------
    diagonal : array (..., N)
        d.
    factors : tuple of (array (...), array (..., N))
        The pairs ``(a_j, g_j)``.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> mdt.CrossEntropy().curvature([0.0, 0.0]).apply(np.array([1.0, 0.0]))
    array([ 0.25, -0.25])
    """

    diagonal: FloatArray
    factors: tuple[tuple[FloatArray, FloatArray], ...] = ()

    def apply(self, direction: FloatArray) -> FloatArray:
        """The Hessians times `direction` (..., N)."""
        product = self.diagonal * direction
        for scale, vector in self.factors:
            product = product + (scale * np.sum(vector * direction, axis=-1))[..., None] * vector
        return product


class SmoothLoss(Protocol):
    """What a second-order method needs of a loss."""

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray: ...

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray: ...

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature: ...


class Loss(Frozen, ABC):
    r"""A classification loss, seen from every side the theory needs.

    *Vector faces* act on logits: ``value``, ``gradient``, ``conjugate``, ``cvxpy_atom``. Logits carry the classes
    on their last axis, and ``label`` is an integer that broadcasts against the other axes.

    *Proof faces* say where the conjugate is finite, how far to trust a rounded value, and repeat value and conjugate in
    ball arithmetic. A loss without them is solved, but has no certificates.

    *Profile faces* act on the margin: at the symmetric logits :math:`z = s(e_n - 1/N)` of class n the loss is a
    function f(s) of the margin, the own logit minus any other. For N = 2 the profile is the margin loss
    :math:`\varphi(t)`, on all of R: every profile face takes ``num_classes=2`` by default. A loss that
    changes when a constant is added to all logits has its profile at the best constant (an unregularised bias).

    Adding a loss means one file with the abstract members below and a place in `LOSSES`; ``tests/losses/test_losses.py`` then
    holds all faces against each other, the other tests solve it. Parameters may be arrays; they broadcast like NumPy
    ufuncs.
    """

    #: Symbol of each parameter in formulas, e.g. ``{"smoothing": "alpha"}``.
    symbols: ClassVar[dict[str, str]] = {}
    #: How each parameter is written on an axis and given in the shell; one without an entry goes by its name.
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    #: The methods in ball arithmetic that a loss with certificates states.
    ball_faces: ClassVar[tuple[str, ...]] = ("ball_value", "ball_conjugate", "ball_floor")
    #: Whether adding a constant to all logits leaves the loss unchanged.
    shift_invariant: ClassVar[bool] = True
    #: The modulus of strong convexity of the value in the logits.
    strong_convexity: ClassVar[float] = 0.0
    #: Whether the slope of the profile is continuous.
    smooth_slope: ClassVar[bool] = True
    #: Whether the class has a formula before its parameters are known.
    has_general_formula: ClassVar[bool] = True
    #: Whether the loss is defined for two classes only.
    two_classes_only: ClassVar[bool] = False
    #: Below minus this the profile has no conjugate for any number of classes.
    steepest_dual: ClassVar[float] = np.inf
    #: Between its kinks the profile is analytic for complex margins with imaginary part below this.
    analytic_strip: ClassVar[float] = np.inf
    #: Whether that is proved, with no faster growth there than that of an exponential, and not what a user states.
    strip_is_proved: ClassVar[bool] = True

    # ------------------------------------------------------------------ vector faces

    @property
    def is_convex(self) -> bool:
        """Whether the loss is convex in the logits."""
        return True

    @abstractmethod
    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        """The loss of `logits` (..., N) for class `label` (...)."""

    @abstractmethod
    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        """The gradient in the logits (..., N); a subgradient where the loss has a kink."""

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature | None:
        """The Hessian in the logits, of a loss whose gradient is continuous; None for any other."""
        return None

    def softened(self, temperature: float) -> "SmoothLoss":
        """A loss with a continuous gradient that is always in the domain of this one's conjugate.

        It lies above this loss, by at most a multiple of the temperature. A loss with a curvature softens to itself.
        """
        return self  # type: ignore[return-value]  # losses without a curvature override this

    @abstractmethod
    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        """The convex conjugate ``sup_z <dual, z> - value(z, label)``; inf outside its domain."""

    @abstractmethod
    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        """The loss as a disciplined convex expression, with the constraints that define its auxiliary variables."""

    def profile_atom(self, margins: "cvxpy.Expression") -> "tuple[cvxpy.Expression, list[Any]]":
        """The two-class loss of a vector of margins as a convex expression; a loss may have one better than many scalars."""
        import cvxpy as cp

        halves = [0.5 * margins[i] for i in range(margins.size)]
        atoms = [self.cvxpy_atom(cp.hstack([half, -half]), 0) for half in halves]
        return cp.hstack([value for value, _ in atoms]), [one for _, extra in atoms for one in extra]

    # ------------------------------------------------------------------ proof faces

    def dual_floor(self, label: ArrayLike, num_classes: int) -> FloatArray:
        """The least entries (..., N) that the domain of the conjugate allows, at most zero.

        The domain is ``v >= floor``, with the sum zero for a shift-invariant loss. Minus infinity, the default, is no
        bound: dual points are then taken as they are, and are worth what `conjugate` says.
        """
        return np.full((*np.shape(label), num_classes), -np.inf)

    def value_scale(self, logits: FloatArray, sizes: FloatArray, label: ArrayLike) -> FloatArray:
        """The numbers whose rounding the value inherits: its error is a few eps times this (...).

        `sizes` (..., N) is the same for the logits: each is wrong by a few eps times its size. The default is meant for
        a loss with a slope of order one whose value is a difference of numbers of order one.
        """
        slope = np.sum(np.abs(self.gradient(logits, label)), axis=-1)
        return np.asarray(np.abs(self.value(logits, label)) + (1.0 + np.max(sizes, axis=-1)) * (1.0 + slope))

    def conjugate_scale(self, dual: FloatArray, label: ArrayLike) -> FloatArray:
        """The numbers whose rounding the conjugate inherits, where each entry of the dual vector has a few eps (...)."""
        return np.asarray(1.0 + np.sum(np.abs(dual), axis=-1) + np.abs(self.conjugate(dual, label)))

    def logits_reach(self, logits: FloatArray, centre: FloatArray, budget: FloatArray) -> FloatArray:
        r"""A bound (...) on the distance from logits (..., N) to all others of an equally small Fenchel-Young loss.

        ``value(z) + conjugate(v) - <v, z> <= budget`` at both; `centre` is v plus the target. Infinite, the default,
        for a loss that is not strictly convex, even up to a shift of all logits.
        """
        return np.full(np.shape(budget), np.inf)

    def ball_value(self, logits: Column, label: int) -> Any:
        """A ball around the value at balls; the default refuses."""
        raise no_certificates(self)

    def ball_conjugate(self, dual: Column, label: int) -> Any:
        """A ball around the conjugate, for a dual vector in its domain; the entry of the label is not used."""
        raise no_certificates(self)

    def ball_floor(self, label: int, num_classes: int) -> list[Any]:
        """`dual_floor` as balls, None for no bound; the default refuses."""
        raise no_certificates(self)

    @property
    def has_certificates(self) -> bool:
        """Whether the faces in ball arithmetic are written down in the loss's own class.

        A subclass may have changed anything, so it inherits no proof: it states its own.
        """
        return all(name in vars(type(self)) for name in self.ball_faces)

    @property
    def coherent(self) -> bool:
        """Whether value, profile and both conjugates come from one class, so that the ones can bound the others.

        No subclass of that class may promise what bounds rely on, convexity for instance: its faces know nothing of it.
        """
        kinds = type(self).__mro__
        homes = {min(i for i, kind in enumerate(kinds) if not vars(kind).keys().isdisjoint(names)) for names in _FACES}
        return len(homes) == 1 and all(vars(kind).keys().isdisjoint(_PROMISES) for kind in kinds[: homes.pop()])

    # ------------------------------------------------------------------ profile faces

    @abstractmethod
    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        """The profile f(s); for two classes the margin loss phi(t)."""

    @abstractmethod
    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        """The derivative f'(s); right-hand derivative at a kink."""

    @abstractmethod
    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        """The second derivative f''(s); right-hand at a kink of the derivative."""

    def slope_and_curvature(self, margin: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``phi'`` and ``phi''`` together, for loops in which they share most of their work."""
        return self.profile_derivative(margin), self.profile_curvature(margin)

    @abstractmethod
    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        """The conjugate ``sup_s slope s - f(s)`` of the convex hull of the profile; inf outside its domain."""

    @abstractmethod
    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        """The smallest margin that minimises the profile (t_inf for two classes), inf where there is none."""

    @abstractmethod
    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        """The margin s >= 0 that minimises ``f(s) + kappa s``: the margin equation ``f'(s) + kappa = 0`` solved."""

    @abstractmethod
    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        """The smallest kappa at which the margin is zero."""

    def least(self, right: float | None, left: float | None) -> "Minimum | None":
        """Minimise the two-class ``phi(t) + right t`` over t >= 0 and ``phi(t) + left t`` over t <= 0; None omits a side.

        The better of the two, with a proved lower bound for both: -inf where there is none. For losses that are not
        convex; None, the default, from a loss that offers no such proof.
        """
        return None

    def curve(self, at: tuple[int, ...], shape: tuple[int, ...]) -> "Curve | None":
        """The two-class profile as a function that balls can be put into, at one point of arrays of this shape.

        None, the default, from a loss that offers none: nothing is then proved of it by branch and bound.
        """
        return None

    def convex_hull(self) -> "Loss | None":
        """The loss if it is convex, else a loss with the convex hull of the two-class profile, if there is one."""
        return self

    def kinks(self) -> FloatArray | None:
        """The margin at which the two-class slope is not differentiable, if there is one."""
        return None

    def room(self, margin: FloatArray, cost: FloatArray) -> FloatArray | None:
        """How far the two-class margin s of a features model lies below the minimiser of a loss that vanishes there.

        To full relative accuracy, also where it is less than the spacing of doubles at s: the cost of a unit of margin,
        ``cost = -phi'(s)``, tells it. A kink is such a minimiser. None for a loss that has no need of it.
        """
        kink = self.kinks()
        return None if kink is None else np.asarray(kink - margin)

    def before_minimizer(self, distance: FloatArray) -> FloatArray:
        """``phi`` at the minimiser minus `distance`, accurate for small distances; for a loss that has a room."""
        return self.profile(np.asarray(self.kinks()) - distance)

    def slopes_before_minimizer(self, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``phi'`` and ``phi''`` there."""
        return self.slope_and_curvature(np.asarray(self.kinks()) - distance)

    def paired_slopes(self, centre: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``phi'(c+o) - phi'(c-o)`` and ``phi''(c+o) + phi''(c-o)``, the first without cancellation for small `offset`.

        Used where phi is smooth between ``c - o`` and ``c + o``.
        """
        above, below = centre + offset, centre - offset
        curvature = self.profile_curvature(above) + self.profile_curvature(below)
        difference = self.profile_derivative(above) - self.profile_derivative(below)
        # phi' has absolute error eps, so below 1e-5 the trapezoidal rule (error o^3) is the better difference.
        return np.where(offset < 1e-5, offset * curvature, difference), curvature

    def paired_slopes_at(self, centre: FloatArray) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
        """:meth:`paired_slopes` for many offsets about one centre, which lies below the kink if there is one."""
        return partial(self.paired_slopes, centre)

    def displacement(
        self, margin: FloatArray, step: FloatArray, offset: FloatArray, start: FloatArray | None = None
    ) -> FloatArray:
        r"""The root w >= 0 of ``w = offset - step phi'(w - margin)``, where the noisy margin is ``t = w - margin``.

        This is the proximal operator of phi, written so that a small displacement keeps its relative accuracy.
        The loss must be convex with ``phi'(-margin) < 0``. `start` is a guess of the root.
        """
        return _solve_displacement(self, margin, step, offset, start)

    def log_force(self, margin: FloatArray) -> FloatArray:
        """``log(-phi'(t))``, minus infinity where phi does not fall: for margins at which phi' underflows."""
        force = -self.profile_derivative(margin)
        return np.log(force, where=force > 0, out=np.full(np.shape(force), -np.inf))

    # ------------------------------------------------------------------ symbolic face

    @classmethod
    @abstractmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        """The profile as a sympy expression; `parameters` in the order of the fields."""

    # ------------------------------------------------------------------ shared by all

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_faces(cls)

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, self.parameter_names())

    def __hash__(self) -> int:
        return hash(type(self))

    @classmethod
    def name(cls) -> str:
        """The name in words with hyphens, as on the command line."""
        return hyphenated(cls.__name__)

    @property
    def formula_parameters(self) -> dict[str, Any]:
        """What :meth:`symbolic_profile` takes of this loss, by name."""
        return {name: getattr(self, name) for name in self.parameter_names()}

    @property
    def label(self) -> str:
        """Name and parameters, for tables and legends.

        Examples
        --------
        >>> import mdtheory as mdt
        >>> mdt.CrossEntropy().label, mdt.CrossEntropy(smoothing=0.1).label
        ('cross-entropy', 'cross-entropy, smoothing 0.1')
        """
        parameters = ((name, getattr(self, name)) for name in self.parameter_names())
        return ", ".join([self.name(), *(f"{name} {in_short(value)}" for name, value in parameters if np.any(value))])

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Names of the loss's own numerical parameters, which may be arrays: the fields of the dataclass."""
        return tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of the loss's parameters."""
        return common_shape(**{name: getattr(self, name) for name in self.parameter_names()})

    def with_parameters(self, **parameters: Real) -> "Loss":
        """The same loss with other, already validated, parameter values: for use inside vectorised solvers."""
        copy = object.__new__(type(self))
        for name in self.parameter_names():
            object.__setattr__(copy, name, read_only(parameters.get(name, getattr(self, name))))
        return copy


class TargetLoss(Loss):
    """A loss that sees its label as a target distribution ``(1-alpha) y + alpha/N``, so that y may be any distribution.

    Its faces of a label follow from the faces of a target, arrays (..., N) like the logits.
    """

    smoothing: Real

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("smoothing", r"\alpha", "label smoothing", help="label smoothing in [0, 1)"),
    )
    ball_faces: ClassVar[tuple[str, ...]] = ("ball_target_value", "ball_target_conjugate", "ball_target_floor")

    def target(self, distribution: FloatArray) -> FloatArray:
        """The smoothed label distribution (..., N)."""
        alpha = np.asarray(self.smoothing)[..., None]
        return np.asarray((1.0 - alpha) * distribution + alpha / distribution.shape[-1])

    @abstractmethod
    def target_value(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        """The loss of logits (..., N) for a target."""

    @abstractmethod
    def target_gradient(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        """The gradient in the logits."""

    @abstractmethod
    def target_conjugate(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        """The conjugate at `dual`; inf outside its domain."""

    def target_floor(self, target: FloatArray) -> FloatArray:
        """`dual_floor` of a target."""
        return np.full(target.shape, -np.inf)

    def target_value_scale(self, logits: FloatArray, sizes: FloatArray, target: FloatArray) -> FloatArray:
        """`value_scale` of a target."""
        slope = np.sum(np.abs(self.target_gradient(logits, target)), axis=-1)
        return np.asarray(np.abs(self.target_value(logits, target)) + (1.0 + np.max(sizes, axis=-1)) * (1.0 + slope))

    def target_conjugate_scale(self, dual: FloatArray, target: FloatArray) -> FloatArray:
        """`conjugate_scale` of a target."""
        return np.asarray(1.0 + np.sum(np.abs(dual), axis=-1) + np.abs(self.target_conjugate(dual, target)))

    def ball_target(self, label: Column) -> Column:
        """`target` of one distribution, in balls."""
        from flint import arb

        alpha = arb(float(np.asarray(self.smoothing)))
        return [(1 - alpha) * y + alpha / len(label) for y in label]

    def ball_target_value(self, logits: Column, target: Column) -> Any:
        """A ball around the value at balls; the default refuses."""
        raise no_certificates(self)

    def ball_target_conjugate(self, dual: Column, target: Column) -> Any:
        """A ball around the conjugate, for a dual vector in its domain; see `anchor_of`."""
        raise no_certificates(self)

    def ball_target_floor(self, target: Column) -> list[Any]:
        """`target_floor` as balls, None for no bound; the default refuses."""
        raise no_certificates(self)

    def dual_floor(self, label: ArrayLike, num_classes: int) -> FloatArray:
        return self.target_floor(self.target(one_hot(label, num_classes)))

    @property
    def sees_targets(self) -> bool:
        """Whether the value of a label is that of its target: not for a subclass with a value of its own."""
        return type(self).value is TargetLoss.value and type(self).conjugate is TargetLoss.conjugate

    @abstractmethod
    def target_atom(self, logits: "cvxpy.Expression", target: FloatArray) -> "cvxpy.Expression":
        """The loss of one target as a disciplined convex expression."""

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        return self.target_value(z, self.target(one_hot(label, z.shape[-1])))

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        return self.target_gradient(z, self.target(one_hot(label, z.shape[-1])))

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        v = as_logits(dual)
        return self.target_conjugate(v, self.target(one_hot(label, v.shape[-1])))

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        return self.target_atom(logits, self.target(one_hot(label, logits.size))), []


def no_certificates(loss: Loss) -> AssumptionError:
    """The error of a loss that does not state its own proof faces."""
    return fail("loss", loss, f"has no certificates: {type(loss).__name__} does not state its own proof faces")


def anchors(target: FloatArray) -> NDArray[np.bool_]:
    """The mask (..., N) of the first of the likeliest classes: the entry that makes the sum of a dual vector zero.

    Beside a target close to one, dual entries are the small numbers, and only they keep their digits.
    """
    return np.asarray(np.arange(target.shape[-1]) == np.argmax(target, axis=-1)[..., None])


def margin_from_remaining(remaining: FloatArray, complement: FloatArray, num_classes: ArrayLike) -> FloatArray:
    """``log((N-1)(1-e)/e)`` from ``e`` and ``(N-1)/N - e``, zero where the latter is not positive.

    Softmax losses whose own-class probability at the optimum is ``1 - e`` have this margin.
    """
    excess = np.maximum(remaining, 0.0) * num_classes
    with np.errstate(over="ignore"):
        ratio = excess / complement
    margin = np.log1p(ratio)
    if np.any(np.isinf(ratio)):
        split = np.log(excess, where=excess > 0, out=np.zeros_like(excess)) - np.log(complement)
        margin = np.where(np.isinf(ratio), split, margin)
    return np.asarray(margin)


def smoothed_slope(smoothing: FloatArray, n: FloatArray) -> dd.Pair:
    """``(1-alpha)(N-1)/N``, the initial slope of a smoothed loss, as a double-double number."""
    return dd.divide(dd.multiply(dd.two_sum(np.ones(n.shape), -smoothing), dd.pair(n - 1.0)), dd.pair(n))


def one_hot(label: ArrayLike, num_classes: int) -> FloatArray:
    """Indicator vectors (..., N) of integer labels (...)."""
    labels = np.asarray(label)
    if labels.dtype.kind not in "iu" or np.any((labels < 0) | (labels >= num_classes)):
        raise fail("label", label, f"must be an integer from 0 to {num_classes - 1}")
    return np.asarray(np.arange(num_classes) == labels[..., None], dtype=np.float64)


def as_logits(logits: ArrayLike) -> FloatArray:
    """Logits as float64 with at least two classes on the last axis."""
    array = np.asarray(logits, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] < 2:
        raise fail("logits", array.tolist(), "must hold at least two classes on the last axis")
    return array


def own_and_rest(array: FloatArray, label: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The entry of class `label` (...), and the mask (..., N) of all other classes."""
    own = one_hot(label, array.shape[-1]) > 0
    own = np.broadcast_to(own, np.broadcast_shapes(own.shape, array.shape))
    value = np.sum(np.where(own, array, 0.0), axis=-1)
    return value, ~own


def log_sum_exp(array: FloatArray, where: NDArray[np.bool_] | None = None) -> FloatArray:
    """Log of the sum of exponentials over the last axis, over the entries selected by `where`."""
    masked = array if where is None else np.where(where, array, -np.inf)
    top = np.max(masked, axis=-1, keepdims=True)
    return np.asarray(np.log(np.sum(np.exp(masked - top), axis=-1)) + top[..., 0])


def logistic(x: ArrayLike) -> FloatArray:
    """``1/(1 + e^-x)`` with full relative accuracy in both tails."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x, dtype=np.float64))))


def softmax_pair(centre: FloatArray) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
    """:meth:`Loss.paired_slopes_at` for a slope that is the logistic function and a constant."""
    twice_cosh = 2.0 * np.cosh(np.minimum(np.abs(centre), 700.0))

    def pair(offset: FloatArray) -> tuple[FloatArray, FloatArray]:
        # sigma(c+o) - sigma(c-o) = sinh o / (cosh o + cosh c), scaled by 2 e^-o: no overflow and no cancellation.
        decay = np.exp(-offset)
        # 1 - e^-o cancels only where o is small; expm1 is then the better, and slower, way to it.
        rise = 1.0 - decay if np.min(offset) > 1e-2 else -np.expm1(-offset)
        square = decay * decay
        cross = decay * twice_cosh
        square_above = square + 1.0
        inverse = 1.0 / (square_above + cross)
        cross *= square_above
        square *= 4.0
        cross += square
        cross *= inverse * inverse
        return (1.0 + decay) * rise * inverse, cross

    return pair


def binary_entropy(p: ArrayLike) -> FloatArray:
    """``-p log p - (1-p) log(1-p)`` in nats, with ``0 log 0 = 0``; minus infinity outside [0, 1]."""
    return entropy_of(p, 2)


def entropy_of(p: ArrayLike, num_classes: ArrayLike) -> FloatArray:
    """Entropy of the distribution that gives ``1 - p`` to one class and spreads `p` evenly over the other N - 1.

    Minus infinity outside [0, 1], so that its negative is a conjugate with the right domain.
    """
    p = np.asarray(p, dtype=np.float64)
    rest = np.asarray(num_classes, dtype=np.float64) - 1.0
    inside = (p >= 0) & (p <= 1)
    q = np.where(inside, p, 0.5)
    entropy = -x_log_x(q) + q * np.log(rest) - (1.0 - q) * np.log1p(-q, where=q < 1, out=np.zeros_like(q))
    return np.asarray(np.where(inside, entropy, -np.inf))


def x_log_x(x: ArrayLike) -> FloatArray:
    """``x log x`` with the value 0 at 0."""
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x * np.log(x, where=x > 0, out=np.zeros_like(x)))


def _solve_displacement(
    loss: Loss, margin: FloatArray, step: FloatArray, offset: FloatArray, start: FloatArray | None
) -> FloatArray:
    margin, step, offset = np.broadcast_arrays(margin, step, offset)
    # The right-hand side offset - step phi'(w - s) falls in w: its value at 0 and the zero of phi' bound the root.
    low = np.array(offset)
    high = offset - step * loss.slope_and_curvature(-margin)[0]
    high = np.array(np.maximum(np.minimum(high, loss.profile_minimizer() + margin), low))
    if start is None:
        # Where -phi'(t) decays like e^-t, the root is no larger than this; a good start, and only a start.
        start = offset + margin + np.log1p(step / np.maximum(margin, 1e-3))
    root = np.clip(start, low, high)
    for count in range(_MOST_STEPS):
        slope, curvature = loss.slope_and_curvature(root - margin)
        residual = root - offset + step * slope
        np.copyto(low, root, where=residual < 0)
        np.copyto(high, root, where=residual > 0)
        newton = root - residual / (1.0 + step * curvature)
        inside = (newton >= low) & (newton <= high)
        if count > 8 and count % 3 == 0:
            # Across an inflection of phi' Newton can run in circles inside the bracket; halving ends that.
            inside &= np.abs(newton - root) <= 1e-3 * root
        updated = np.where(inside, newton, 0.5 * (low + high))
        settled = (np.abs(newton - root) <= 1e-8 * root) | (high - low <= 4e-16 * high) | (residual == 0)
        root = updated
        # Newton is quadratic: a step below 1e-8 leaves nothing above rounding.
        if np.all(settled):
            return np.asarray(root)
    return np.where(settled, root, np.nan)
