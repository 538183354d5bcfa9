"""A user's own loss: any function of the margin, given as a sympy expression."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import FloatArray, Real, fail, finite, one_number, real
from mdtheory.foundation.wording import shown
from mdtheory.losses.base import Curvature, Loss, as_logits, own_and_rest
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.numerics.bracketing import bisect
from mdtheory.numerics.branch_and_bound import Curve, Minimum

if TYPE_CHECKING:
    import cvxpy
    import sympy

_GRID = 4001
_FUNCTIONS = ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan")


@dataclass(frozen=True, eq=False)
class MarginLoss(Loss):
    r"""A two-class loss :math:`\varphi(t)` of the margin t, from a sympy expression.

    On `interval` the loss is the expression; beyond it, it is continued by its tangents, so that it is convex on R
    exactly where the expression is convex on the interval. Convexity is proved there in ball arithmetic: the second
    derivative is enclosed on subintervals until its sign is known, and a loss whose sign stays unknown counts as not
    convex. Minima of a loss that is not convex are found, and bounded from below, by branch and bound
    (`mdtheory.numerics.branch_and_bound`); its best margin may be negative. Decimals mean what they say: 0.1 is a tenth.

    Parameters
    ----------
    expression : sympy.Expr
        A smooth function of one symbol, built from ``+ * ** exp log sin cos tan sinh cosh tanh atan`` and numbers.
    interval : (float, float), default (-30, 30)
        The margins on which the expression is used; must contain 0 and the margins that the solution meets.
    strip : float, default 1
        The expression is analytic for complex margins with ``|Im t| < strip``: expectations are as accurate as this.
        Bounds are not: where it is untrue a gap stays open.

    Raises
    ------
    AssumptionError
        If the expression has not exactly one symbol, is not finite on the interval, or does not fall at 0.

    Examples
    --------
    >>> import mdtheory as mdt, sympy as sp
    >>> t = sp.Symbol("t")
    >>> loss = mdt.MarginLoss(sp.log(1 + sp.exp(-t)))
    >>> loss.is_convex
    True
    >>> ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> round(mdt.solve(ufm).margin, 6)     # that of cross-entropy, log 99
    4.59512
    """

    expression: "sympy.Expr"
    interval: tuple[float, float] = (-30.0, 30.0)
    strip: float = 1.0
    _kernels: tuple[Callable[[FloatArray], FloatArray], ...] = field(init=False, repr=False)
    _curve: "Curve" = field(init=False, repr=False)
    _convex: bool = field(init=False, repr=False)

    symbols: ClassVar[dict[str, str]] = {"expression": "phi"}
    has_general_formula: ClassVar[bool] = False
    two_classes_only: ClassVar[bool] = True
    strip_is_proved: ClassVar[bool] = False

    def __post_init__(self) -> None:
        import sympy as sp

        symbols = getattr(self.expression, "free_symbols", None)
        if not isinstance(self.expression, sp.Expr) or not symbols or len(symbols) != 1:
            raise fail("expression", self.expression, "must be a sympy expression in exactly one symbol")
        ends = np.asarray(finite("interval", self.interval))
        if ends.shape != (2,) or not ends[0] < 0.0 < ends[1]:
            raise fail("interval", self.interval, "must be two finite numbers, with 0 inside")
        low, high = ends.tolist()
        strip = one_number("strip", self.strip, lambda name, value: real(name, value, lambda x: x > 0, "be positive"))
        object.__setattr__(self, "strip", strip)
        (symbol,) = symbols
        derivatives = [sp.diff(self.expression, symbol, order) for order in range(3)]
        _refuse_unknown_functions(self.expression)
        kernels = tuple(sp.lambdify(symbol, expression, modules="numpy") for expression in derivatives)
        object.__setattr__(self, "_kernels", kernels)
        self._check_finite()
        object.__setattr__(self, "_curve", Curve(self.expression, symbol, (low, high)))
        object.__setattr__(self, "_convex", self._curve.is_convex())

    @property
    def analytic_strip(self) -> float:  # type: ignore[override]  # an instance fact here, a class fact elsewhere
        """Half-width of the strip of analyticity, as stated."""
        return self.strip

    @property
    def is_convex(self) -> bool:
        """Whether the second derivative is nonnegative on the interval (proved in ball arithmetic)."""
        return self._convex

    def value(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        return self.profile(_margin(logits, label))

    def gradient(self, logits: ArrayLike, label: ArrayLike) -> FloatArray:
        z = as_logits(logits)
        slope = self.profile_derivative(_margin(z, label))[..., None]
        _, rest = own_and_rest(z, label)
        return np.where(rest, -slope, slope)

    def curvature(self, logits: ArrayLike, label: ArrayLike) -> Curvature:
        z = as_logits(logits)
        _, rest = own_and_rest(z, label)
        bend = self.profile_curvature(_margin(z, label))
        return Curvature(np.zeros(rest.shape), ((bend, np.where(rest, -1.0, 1.0)),))

    def conjugate(self, dual: ArrayLike, label: ArrayLike) -> FloatArray:
        v = as_logits(dual)
        own, _ = own_and_rest(v, label)
        allowed = 8.0 * np.finfo(np.float64).eps * np.max(np.abs(v), axis=-1)
        return np.where(np.abs(np.sum(v, axis=-1)) <= allowed, self.profile_conjugate(own), np.inf)

    def cvxpy_atom(self, logits: "cvxpy.Expression", label: int) -> "tuple[cvxpy.Expression, list[Any]]":
        raise fail(
            "loss", self.expression, "has no cvxpy atom: a sympy expression is not a disciplined convex programme"
        )

    def profile(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        inside, beyond = self._split(margin)
        return np.asarray(self._evaluate(0, inside) + beyond * self._evaluate(1, inside))

    def profile_derivative(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        return self._evaluate(1, self._split(margin)[0])

    def profile_curvature(self, margin: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        inside, beyond = self._split(margin)
        return np.where(beyond == 0, self._evaluate(2, inside), 0.0)

    def profile_conjugate(self, slope: ArrayLike, num_classes: ArrayLike = 2) -> FloatArray:
        p = np.asarray(slope, dtype=np.float64)
        if not self._convex:
            # sup p t - phi(t), rounded up: minus the proved infimum.
            return self._each(lambda q: -self.least(-q, -q).bound, p)
        low, high = self._evaluate(1, np.array(self.interval))
        # A slope that is the last one up to rounding is meant to be that.
        near = np.where(
            np.abs(p - low) <= 4e-16 * abs(low), low, np.where(np.abs(p - high) <= 4e-16 * abs(high), high, p)
        )
        best = self._stationary(np.clip(near, low, high))
        inside = (near >= low) & (near <= high)
        return np.asarray(np.where(inside, near * best - self.profile(best), np.inf))

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        if not self._convex:
            minimum = self.least(0.0, 0.0)
            return np.asarray(minimum.argument if minimum.argument < self.interval[1] else np.inf)
        # Where the loss still falls at the end of the interval, its tangent goes on falling.
        if float(self._evaluate(1, np.array(self.interval[1]))) < 0:
            return np.full(np.shape(num_classes), np.inf)
        return self._stationary(np.zeros(()))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        kappa = np.asarray(cost.value)
        low, high = self._evaluate(1, np.array(self.interval))
        if np.any(kappa <= -high):
            raise fail(
                "interval", self.interval, f"must reach further: the margin leaves it for kappa = {np.min(kappa):.6g}"
            )
        if not self._convex:
            if np.any(kappa <= low):
                raise fail(
                    "interval",
                    self.interval,
                    f"the loss falls without end below it: there is no best margin for kappa = {np.min(kappa):.6g}",
                )
            return self._each(lambda k: self.least(k, -k).argument, kappa)
        return np.maximum(self._stationary(-kappa), 0.0)

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        critical = -float(self.profile_derivative(0.0))
        if not self._convex:
            # The steepest chord from 0 to either side, by Dinkelbach's iteration: it rises, and ends at a maximum.
            at_zero, (bottom, top) = float(self.profile(0.0)), self._evaluate(1, np.array(self.interval))
            critical = max(critical, float(bottom), -float(top))
            for _ in range(100):
                best = self.least(critical, -critical)
                chord = (at_zero - float(self.profile(best.argument))) / abs(best.argument) if best.argument else 0.0
                if not chord > critical * (1.0 + 4e-16):
                    break
                critical = chord
        return np.full(np.shape(num_classes), critical)

    def curve(self, at: tuple[int, ...], shape: tuple[int, ...]) -> Curve:
        return self._curve

    def least(self, right: float | None, left: float | None) -> "Minimum":
        low, high = self.interval
        bottom, top = self._evaluate(1, np.array(self.interval))
        parts, endless = [], False
        if right is not None:
            parts.append(self._curve.minimum(right, 0.0, high))
            endless |= bool(top + right < 0)
        if left is not None:
            parts.append(self._curve.minimum(left, low, 0.0))
            endless |= bool(bottom + left > 0)
        best = min(parts, key=lambda part: (part.value, abs(part.argument)))
        return Minimum(best.argument, best.value, -np.inf if endless else min(part.bound for part in parts))

    def convex_hull(self) -> Loss | None:
        """The loss itself if it is convex; the hull of any other is not computed."""
        return self if self._convex else None

    @classmethod
    def symbolic_profile(
        cls, margin: "sympy.Expr", num_classes: "sympy.Expr", *parameters: "sympy.Expr"
    ) -> "sympy.Expr":
        (expression,) = parameters
        (symbol,) = expression.free_symbols
        return expression.subs(symbol, margin)

    @property
    def formula_parameters(self) -> dict[str, Any]:
        """The expression."""
        return {"expression": self.expression}

    @property
    def label(self) -> str:
        """Name and expression."""
        return f"{self.name()} {shown(self.expression)}"

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """None: the expression is one object, not numbers that broadcast."""
        return ()

    def with_parameters(self, **parameters: Real) -> Loss:
        """The loss itself: it has no numerical parameters."""
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MarginLoss):
            return False
        mine, theirs = ((loss.expression, tuple(loss.interval), loss.strip) for loss in (self, other))
        return bool(mine == theirs)

    def __hash__(self) -> int:
        return hash((type(self), self.expression))

    def __reduce__(self) -> tuple[type["MarginLoss"], tuple[object, ...]]:
        # Compiled kernels do not travel between processes; the expression does.
        return MarginLoss, (self.expression, self.interval, self.strip)

    def _split(self, margin: ArrayLike) -> tuple[FloatArray, FloatArray]:
        t = np.asarray(margin, dtype=np.float64)
        inside = np.clip(t, *self.interval)
        with np.errstate(invalid="ignore"):
            return inside, np.where(np.isinf(t), 0.0, t - inside)

    def _evaluate(self, order: int, t: FloatArray) -> FloatArray:
        return np.broadcast_to(np.asarray(self._kernels[order](t), dtype=np.float64), t.shape) + 0.0

    def _stationary(self, q: FloatArray) -> FloatArray:
        """The smallest minimiser of ``phi(t) - q t`` over the interval, elementwise, where phi is convex."""
        low, high = (np.full(q.shape, end) for end in self.interval)
        rising, falling = self._evaluate(1, low) >= q, self._evaluate(1, high) <= q

        def slope(t: FloatArray) -> FloatArray:
            # An end that is itself the minimiser is its own root.
            return np.where(rising, t - low, np.where(falling, t - high, self._evaluate(1, t) - q))

        return bisect(slope, low, high)

    @staticmethod
    def _each(function: Callable[[float], float], values: FloatArray) -> FloatArray:
        """A function of one number at many: once for each different number."""
        distinct, places = np.unique(values, return_inverse=True)
        return np.array([function(float(value)) for value in distinct])[places].reshape(np.shape(values))

    def _check_finite(self) -> None:
        grid = np.linspace(*self.interval, _GRID)
        for order in range(3):
            with np.errstate(all="ignore"):
                values = self._evaluate(order, grid)
            if not np.all(np.isfinite(values)):
                where = float(grid[~np.isfinite(values)][0])
                domain = (
                    f"must be smooth and finite on the interval (not at t = {where:g}, in doubles; narrow the interval)"
                )
                raise fail("expression", self.expression, domain)
        if not float(self._evaluate(1, np.zeros(()))) < 0:
            raise fail("expression", self.expression, "must fall at margin 0")


def _margin(logits: ArrayLike, label: ArrayLike) -> FloatArray:
    z = as_logits(logits)
    if z.shape[-1] != 2:
        raise fail("logits", z.shape, "must hold two classes on the last axis for a function of one margin")
    own, rest = own_and_rest(z, label)
    return np.asarray(own - np.sum(np.where(rest, z, 0.0), axis=-1))


def _refuse_unknown_functions(expression: "sympy.Expr") -> None:
    import sympy as sp

    for part in sp.preorder_traversal(expression):
        known = part.is_Symbol or part.is_number or part.is_Add or part.is_Mul or part.is_Pow
        if not known and type(part).__name__ not in _FUNCTIONS:
            raise fail(
                "expression", expression, f"may use, besides arithmetic, only {', '.join(_FUNCTIONS)} (not {part})"
            )
