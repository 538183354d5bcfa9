"""A user's own loss: any function of the margin, given as a sympy expression."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.losses.base import Curvature, Loss, as_logits, own_and_rest
from mdtheory.losses.scalar import bisect
from mdtheory.margin_cost import MarginCost
from mdtheory.validation import FloatArray, Real, fail

if TYPE_CHECKING:
    import cvxpy
    import sympy

_GRID = 4001
_MAX_BOXES = 20_000
_FUNCTIONS = ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan")


@dataclass(frozen=True, eq=False)
class MarginLoss(Loss):
    r"""A two-class loss :math:`\varphi(t)` of the margin t, from a sympy expression.

    On `interval` the loss is the expression; beyond it, it is continued by its tangents, so that it is convex on R
    exactly where the expression is convex on the interval. Convexity is decided there in ball arithmetic: the second
    derivative is enclosed on subintervals until its sign is known.

    Parameters
    ----------
    expression : sympy.Expr
        A smooth function of one symbol, built from ``+ * ** exp log sin cos tan sinh cosh tanh atan`` and numbers.
    interval : (float, float), default (-30, 30)
        The margins on which the expression is used; must contain 0 and the margins that the solution meets.
    strip : float, default 1
        The expression is analytic for complex margins with ``|Im t| < strip``: expectations are as accurate as this.

    Raises
    ------
    AssumptionError
        If the expression has not exactly one symbol, is not finite on the interval, does not fall at 0, or its
        convexity cannot be decided.

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
    _convex: bool = field(init=False, repr=False)

    symbols: ClassVar[dict[str, str]] = {"expression": "phi"}
    two_classes_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        import sympy as sp

        symbols = getattr(self.expression, "free_symbols", None)
        if not isinstance(self.expression, sp.Expr) or not symbols or len(symbols) != 1:
            raise fail("expression", self.expression, "must be a sympy expression in exactly one symbol")
        low, high = map(float, self.interval)
        if not (np.isfinite(low) and np.isfinite(high) and low < 0.0 < high):
            raise fail("interval", self.interval, "must be finite, with 0 inside")
        if not self.strip > 0:
            raise fail("strip", self.strip, "must be positive")
        (symbol,) = symbols
        derivatives = [sp.diff(self.expression, symbol, order) for order in range(3)]
        _refuse_unknown_functions(self.expression)
        object.__setattr__(self, "_convex", _is_nonnegative(derivatives[2], symbol, low, high))
        kernels = tuple(sp.lambdify(symbol, expression, modules="numpy") for expression in derivatives)
        object.__setattr__(self, "_kernels", kernels)
        self._check_finite()

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
        return np.where(np.abs(np.sum(v, axis=-1)) <= 1e-12, self.profile_conjugate(own), np.inf)

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
        low, high = self._evaluate(1, np.array(self.interval))
        inside = (p >= low) & (p <= high)
        best = self._minimize(p)
        return np.asarray(np.where(inside, p * best - self.profile(best), np.inf))

    def profile_minimizer(self, num_classes: ArrayLike = 2) -> FloatArray:
        best = self._minimize(np.zeros(()))
        return np.asarray(np.where(best < self.interval[1], best, np.inf))

    def margin(self, cost: MarginCost, num_classes: ArrayLike) -> FloatArray:
        kappa = np.asarray(cost.value)
        low = -self._evaluate(1, np.array(self.interval[1]))
        if np.any(kappa <= low):
            raise fail(
                "interval", self.interval, f"must reach further: the margin leaves it for kappa = {np.min(kappa):.6g}"
            )
        best = self._minimize(-kappa, start=0.0)
        return np.asarray(np.where(kappa < self.critical_cost(num_classes), best, 0.0))

    def critical_cost(self, num_classes: ArrayLike) -> FloatArray:
        initial = -float(self.profile_derivative(0.0))
        if self._convex:
            return np.full(np.shape(num_classes), initial)
        s = np.linspace(0.0, self.interval[1], _GRID)[1:]
        chords = (float(self.profile(0.0)) - self.profile(s)) / s
        return np.full(np.shape(num_classes), max(initial, float(np.max(chords))))

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

    def _minimize(self, q: FloatArray, start: float | None = None) -> FloatArray:
        """The smallest global minimiser of ``phi(t) - q t`` over the interval (from `start` on), elementwise in q."""
        grid = np.linspace(self.interval[0] if start is None else start, self.interval[1], _GRID)
        flat = np.ravel(q)
        cells = np.argmin(self.profile(grid) - flat[:, None] * grid, axis=-1)
        low, high = grid[np.maximum(cells - 1, 0)], grid[np.minimum(cells + 1, _GRID - 1)]
        rising, falling = self._evaluate(1, low) >= flat, self._evaluate(1, high) <= flat

        def slope(t: FloatArray) -> FloatArray:
            # An end that is itself the minimiser is its own root.
            return np.where(rising, t - low, np.where(falling, t - high, self._evaluate(1, t) - flat))

        return np.asarray(bisect(slope, low, high).reshape(np.shape(q)))

    def _check_finite(self) -> None:
        grid = np.linspace(*self.interval, _GRID)
        for order in range(3):
            with np.errstate(all="ignore"):
                values = self._evaluate(order, grid)
            if not np.all(np.isfinite(values)):
                where = float(grid[~np.isfinite(values)][0])
                raise fail(
                    "expression", self.expression, f"must be smooth and finite on the interval (not at t = {where:g})"
                )
        if not float(self._evaluate(1, np.zeros(()))) < 0:
            raise fail("expression", self.expression, "must fall at margin 0")


def _margin(logits: ArrayLike, label: ArrayLike) -> FloatArray:
    z = as_logits(logits)
    if z.shape[-1] != 2:
        raise fail("logits", z.shape, "must hold two classes on the last axis for a function of one margin")
    own, rest = own_and_rest(z, label)
    return np.asarray(own - np.sum(np.where(rest, z, 0.0), axis=-1))


def _is_nonnegative(expression: "sympy.Expr", symbol: "sympy.Symbol", low: float, high: float) -> bool:
    """Decide by branch and bound in ball arithmetic whether an expression is nonnegative on [low, high].

    An expression that touches zero cannot be decided exactly; values above ``-1e-10`` times its scale count as zero.
    """
    import flint
    import sympy as sp

    # Balls see every occurrence of the symbol as independent, so the form with fewer occurrences is the sharper one.
    forms = [sp.simplify(expression), expression]

    def lower(ball: Any) -> float:
        return float(max(_enclose(form, symbol, ball).lower() for form in forms))

    def upper(ball: Any) -> float:
        return float(min(_enclose(form, symbol, ball).upper() for form in forms))

    points = [flint.arb(x) for x in np.linspace(low, high, 257)]
    slack = 1e-10 * max(max(abs(upper(point)) for point in points), 1e-30)
    if any(upper(point) < -slack for point in points):
        return False
    boxes, examined = [(low, high)], 0
    while boxes:
        left, right = boxes.pop()
        examined += 1
        middle, radius = 0.5 * (left + right), 0.5 * (right - left)
        if lower(flint.arb(middle, radius * (1.0 + 1e-15))) > -slack:
            continue
        if upper(flint.arb(middle)) < -slack:
            return False
        if examined > _MAX_BOXES:
            raise fail(
                "expression",
                expression,
                f"convexity could not be decided on [{left:g}, {right:g}]; state another interval",
            )
        boxes += [(left, middle), (middle, right)]
    return True


def _enclose(expression: "sympy.Expr", symbol: "sympy.Symbol", ball: Any) -> Any:
    """A ball that contains the expression for every value of the symbol in `ball`."""
    import flint
    import sympy as sp

    if expression == symbol:
        return ball
    if expression.is_Rational:
        return flint.arb(flint.fmpq(int(expression.p), int(expression.q)))
    if expression.is_Float:
        return flint.arb(float(expression))
    constants = {sp.pi: flint.arb.pi, sp.E: flint.arb.const_e}
    if expression in constants:
        return constants[expression]()
    parts = [_enclose(argument, symbol, ball) for argument in expression.args]
    if expression.is_Add:
        return sum(parts[1:], parts[0])
    if expression.is_Mul:
        product = parts[0]
        for part in parts[1:]:
            product = product * part
        return product
    if expression.is_Pow:
        exponent = expression.exp
        return parts[0] ** int(exponent) if exponent.is_Integer else parts[0] ** parts[1]
    return getattr(parts[0], type(expression).__name__)()


def _refuse_unknown_functions(expression: "sympy.Expr") -> None:
    import sympy as sp

    for part in sp.preorder_traversal(expression):
        known = part.is_Symbol or part.is_number or part.is_Add or part.is_Mul or part.is_Pow
        if not known and type(part).__name__ not in _FUNCTIONS:
            raise fail(
                "expression", expression, f"may use, besides arithmetic, only {', '.join(_FUNCTIONS)} (not {part})"
            )
