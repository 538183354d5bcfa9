"""Phase boundaries: curves in the plane of two parameters, every vertex solved for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, fail, integer, one_number, positive
from mdtheory.losses import Loss
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.features.problem import UFM
from mdtheory.models.model import Problem
from mdtheory.models.parameters import canonical, with_values
from mdtheory.models.registry import within
from mdtheory.phase import residuals
from mdtheory.phase.rectangle import Factory, Residual, Side, evaluator, sides
from mdtheory.phase.tracing import trace


@dataclass(frozen=True, eq=False, kw_only=True)
class Boundary(Frozen):
    """A phase boundary as polylines.

    Attributes
    ----------
    kind : str
    label : str
        Short, in mathtext, to be written on the line.
    x, y : str
        The parameters it is drawn over.
    segments : tuple of arrays (k, 2)
        Values of x and y, along each branch; the longest first. A closed branch ends where it starts.
    residuals : tuple of arrays (k,)
        What vanishes on the boundary, at every vertex: see `residual_meaning`. Where it jumps across zero instead (the
        hinge does), the value on one side.
    errors : tuple of arrays (k,)
        Estimated distance of every vertex to the boundary, as a share of the ranges; a change of sign within the
        tolerance of every vertex was seen.
    how : str
        "closed form": the residual is explicit; "root finding": the problem is solved to evaluate it.
    residual_meaning : str
    """

    kind: str
    label: str
    x: str
    y: str
    segments: tuple[FloatArray, ...]
    residuals: tuple[FloatArray, ...]
    errors: tuple[FloatArray, ...]
    how: str
    residual_meaning: str

    def __repr__(self) -> str:
        vertices = sum(len(segment) for segment in self.segments)
        size = f"{len(self.segments)} segments, {vertices} vertices, errors below {self.worst_error:.2g}"
        return f"Boundary(kind={self.kind!r}, x={self.x!r}, y={self.y!r}: {size}, {self.how})"

    @property
    def worst_error(self) -> float:
        """The largest entry of `errors`; 0 for a boundary without segments."""
        return max((float(np.max(part)) for part in self.errors), default=0.0)


def boundary(
    problem: Problem[Any, Any] | Factory,
    kind: str | Residual,
    ranges: Mapping[str, Sequence[Any]],
    *,
    points: int = 200,
    level: float | None = None,
    other: Loss | None = None,
    tolerance: float = 1e-10,
    scan: int = 32,
    label: str | None = None,
) -> Boundary:
    r"""Trace a phase boundary in the plane of two parameters.

    The rectangle is searched for sign changes on a grid of `scan` by `scan` cells; the crossings are linked into
    branches, and each vertex is moved onto the boundary until its estimated error is below the tolerance. Smaller
    islands than a cell may be missed.

    ============================== =======================================================================
    kind                           the boundary
    ============================== =======================================================================
    "collapse"                     the class means vanish
    "memorization"                 the noisy margin is zero: noisy examples are memorised on one side
    "test-error"                   unseen clean examples are misclassified at rate `level`; 0: at all
    "normalized-dilation"          ND is `level`
    "equal-dilation"               ND equals that of the loss `other` at its own configuration
    "equal-dilation-small-noise"   the same against cross-entropy, in the limit of small noise: free
                                   features, relative scaling, noisy features decay like clean ones
    "slope-extremum"               ND is largest (or smallest) in the memorization-dilation slope
    "least-error-smoothing"        ND, and with it the test error, is least (or largest) in the smoothing
    "minority-collapse"            the smallest classes merge or vanish
    ============================== =======================================================================

    Parameters
    ----------
    problem : UFM, MemorizationDilation or callable
        One point, whose two parameters are replaced; or a callable that takes the names of the axes as keywords and
        returns a problem (one point at a time, so cheap kinds only).
    kind : str or callable
        One of the table, or a function that takes a problem with arrays (k,) of parameters and returns an array (k,)
        that changes sign at the boundary.
    ranges : mapping
        ``{x: (low, high), y: (low, high, "log")}``: parameters as in `with_values`.
    points : int, default 200
        Vertices of all segments together, about.
    level : float, optional
        Of "test-error" (default 0) and "normalized-dilation".
    other : Loss, optional
        Of "equal-dilation".
    tolerance : float, default 1e-10
        Distance to the boundary, as a share of the range of the parameters.
    scan : int, default 32
        Cells per side of the grid.
    label : str, optional
        Instead of that of the kind.

    Returns
    -------
    Boundary

    Raises
    ------
    AssumptionError
        If the kind or a parameter is unknown, a range leaves the domain of its parameter, or the kind does not apply
        to the problem.

    References
    ----------
    `derivations/phase_signs.py` (memorization, dilation levels, extremum in the slope).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> line = boundary(ufm, "collapse", {"loss.smoothing": (0.0, 0.9), "decay": (1e-3, 1.0, "log")})
    >>> smoothing, decay = line.segments[0].T
    >>> bool(np.all(np.abs(smoothing + 4 * decay - 1) < 1e-9))
    True
    """
    x, y = sides(ranges)
    count, cells = _whole("points", points, 2), _whole("scan", scan, 2)
    tol = one_number("tolerance", tolerance, positive)
    request = _Request(problem, level, other)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise fail("kind", kind, "must be one of " + ", ".join(repr(name) for name in KINDS) + ", or a callable")
        entry = KINDS[kind]
        request.check(entry, kind)
        recipe = entry.recipe(request)
    elif not callable(kind):
        raise fail("kind", kind, "must be one of " + ", ".join(repr(name) for name in KINDS) + ", or a callable")
    else:
        recipe = _Recipe(kind, "root finding", "the value of the given function", "")
    if recipe.trivial is not None:
        x, y = (_clear_of(side, *recipe.trivial) for side in (x, y))
    evaluate = evaluator(problem, recipe.residual, of=recipe.of)

    def field(u: FloatArray, v: FloatArray) -> FloatArray:
        return evaluate({x.path: x.value(u), y.path: y.value(v)})

    curves = trace(field, points=count, scan=cells, tolerance=tol)
    return Boundary(
        kind=kind if isinstance(kind, str) else getattr(kind, "__name__", "callable"),
        label=recipe.label if label is None else label,
        x=x.path,
        y=y.path,
        segments=tuple(np.stack([x.value(c.vertices[:, 0]), y.value(c.vertices[:, 1])], axis=-1) for c in curves),
        residuals=tuple(c.residuals for c in curves),
        errors=tuple(c.errors for c in curves),
        how=recipe.how,
        residual_meaning=recipe.meaning,
    )


# ------------------------------------------------------------------------------ kinds


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a boundary is evaluated, and described.

    Attributes
    ----------
    of : type, optional
        The type of problem the residual takes, where the given one may have it inside.
    trivial : (str, float), optional
        A parameter and its value at which the residual is 0/0.
    """

    residual: Residual
    how: str
    meaning: str
    label: str
    of: type[Problem[Any, Any]] | None = None
    trivial: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    problem: Any
    level: float | None
    other: Loss | None

    def check(self, entry: "_Kind", kind: str) -> None:
        """Refuse options the kind has no use for, and problems it does not apply to."""
        if self.level is not None and not entry.level:
            raise fail("level", self.level, f"must be omitted for kind {kind!r}")
        if self.other is not None and not entry.other:
            raise fail("other", self.other, f"must be omitted for kind {kind!r}")
        if isinstance(self.problem, Problem) and within(self.problem, entry.of) is None:
            raise fail("problem", self.problem, f"must be a {entry.of.__name__} for kind {kind!r}")

    @property
    def noisy(self) -> MemorizationDilation | None:
        """The problem, if it is known before the values of the axes."""
        return within(self.problem, MemorizationDilation)


@dataclass(frozen=True, slots=True)
class _Kind:
    recipe: Callable[[_Request], _Recipe]
    level: bool = False
    other: bool = False
    of: type[Problem[Any, Any]] = MemorizationDilation


def _collapse(request: _Request) -> _Recipe:
    meaning = "imbalance (mu - m)/(mu + m) of mu = sqrt(weight decay * feature decay) and its threshold m"
    return _Recipe(residuals.collapse, "closed form", meaning, "$s = 0$", of=UFM)


def _minority_collapse(request: _Request) -> _Recipe:
    meaning = (
        "imbalance (mu - m)/(mu + m) of mu = sqrt(weight decay * feature decay) and the smallest class's threshold m"
    )
    return _Recipe(residuals.minority_collapse, "closed form", meaning, "minority collapse", of=UFM)


def _memorization(request: _Request) -> _Recipe:
    if _is_solved(request):
        return _Recipe(residuals.memorization, "root finding", "minus the noisy margin over the margin", "$t = 0$")
    meaning = "imbalance (a - b)/(a + b) of F'(r) D^q/C and 4 nu rho at noisy margin zero"
    return _Recipe(residuals.memorization, "closed form", meaning, "$t = 0$")


def _is_solved(request: _Request) -> bool:
    """Whether the loss is one whose signs are not explicit."""
    return request.noisy is not None and not residuals.has_explicit_signs(request.noisy)


def _level_recipe(request: _Request, level: float | Callable[[MemorizationDilation], float], label: str) -> _Recipe:
    def residual(problem: MemorizationDilation) -> FloatArray:
        return residuals.dilation_above(problem, level(problem) if callable(level) else level)

    if _is_solved(request):
        return _Recipe(residual, "root finding", "imbalance (a - b)/(a + b) of the dilation and the given one", label)
    meaning = (
        "imbalance (a - b)/(a + b) of the forces on a noisy feature at the given dilation; of its memorization and the "
        "allowed one for the squared error and nonnegative noisy features"
    )
    return _Recipe(residual, "closed form", meaning, label)


def _test_error(request: _Request) -> _Recipe:
    level = 0.0 if request.level is None else one_number("level", request.level)
    if request.noisy is not None:
        return _level_recipe(request, residuals.error_level(request.noisy, level), _error_label(level))
    return _level_recipe(request, lambda problem: residuals.error_level(problem, level), _error_label(level))


def _error_label(level: float) -> str:
    return "error $> 0$" if level == 0 else f"error $= {level:g}$"


def _normalized_dilation(request: _Request) -> _Recipe:
    if request.level is None:
        raise fail("level", None, "must be given for kind 'normalized-dilation'")
    level = one_number("level", request.level, positive)
    return _level_recipe(request, level, rf"$\mathrm{{ND}} = {level:g}$")


def _equal_dilation(request: _Request) -> _Recipe:
    other = request.other
    if not isinstance(other, Loss):
        raise fail("other", other, "must be a Loss, for example CrossEntropy(), for kind 'equal-dilation'")
    if other.shape != ():
        raise fail("other", other, "must have scalar parameters")
    names = other.parameter_names()
    trivial = (f"loss.{names[0]}", float(getattr(other, names[0]))) if len(names) == 1 else None

    def residual(problem: MemorizationDilation) -> FloatArray:
        ratio = residuals.dilation_ordering(problem, with_values(problem, {"loss": other}))
        if type(problem.ufm.loss) is not type(other):
            return ratio
        # Where the losses are the same their dilations agree: not a boundary, so that zero is divided out.
        if len(names) != 1:
            raise fail("other", other, "must be another loss than the problem's")
        gap = np.subtract(getattr(problem.ufm.loss, names[0]), trivial[1] if trivial else 0.0)
        if np.all(gap == 0):
            raise fail("other", other, "must be another loss than the problem's")
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(gap != 0, ratio / np.where(gap != 0, gap, 1.0), np.nan))

    name = other.name()
    same = request.noisy is not None and type(request.noisy.ufm.loss) is type(other)
    meaning = "imbalance (a - b)/(a + b) of the forces on a noisy feature at the dilation of the other loss" + (
        f", over the difference of the losses' {names[0]}" if same else ""
    )
    return _Recipe(
        residual, "root finding", meaning, rf"$\mathrm{{ND}}$ equal to {name}", trivial=trivial if same else None
    )


def _equal_dilation_small_noise(request: _Request) -> _Recipe:
    def residual(problem: MemorizationDilation) -> FloatArray:
        return residuals.small_noise_ratio(problem, problem.ufm.kappa)

    meaning = "log ratio of h(alpha/2 + kappa) and h(kappa), over alpha; h(e) = e (1-e) log((1-e)/e)"
    label = r"equal $\mathrm{ND}$, $\eta \to 0$"
    return _Recipe(residual, "closed form", meaning, label, trivial=("loss.smoothing", 0.0))


def _slope_extremum(request: _Request) -> _Recipe:
    meaning = "elasticity of nu rho^2 in the multiplier nu of the constraint"
    return _Recipe(residuals.slope_response, "root finding", meaning, r"$\partial\,\mathrm{ND}/\partial C = 0$")


def _least_error_smoothing(request: _Request) -> _Recipe:
    meaning = "derivative of the imbalance of forces at this dilation, in the logarithm of alpha/2 + kappa"
    return _Recipe(residuals.smoothing_response, "root finding", meaning, r"$\partial\,\mathrm{ND}/\partial\alpha = 0$")


KINDS: dict[str, _Kind] = {
    "collapse": _Kind(_collapse, of=UFM),
    "memorization": _Kind(_memorization),
    "test-error": _Kind(_test_error, level=True),
    "normalized-dilation": _Kind(_normalized_dilation, level=True),
    "equal-dilation": _Kind(_equal_dilation, other=True),
    "equal-dilation-small-noise": _Kind(_equal_dilation_small_noise),
    "slope-extremum": _Kind(_slope_extremum),
    "least-error-smoothing": _Kind(_least_error_smoothing),
    "minority-collapse": _Kind(_minority_collapse, of=UFM),
}
"""The kinds of boundaries by name."""

# How far from a trivial zero a range starts, as a share of its length: a thousandth of a picture's width is 1e-3.
_CLEAR = 1e-4


def _clear_of(side: Side, path: str, value: float) -> Side:
    """The side without the value at its end."""
    if canonical(side.path) != path:
        return side
    step = _CLEAR * (side.high - side.low)
    if abs(value - side.low) < step:
        return replace(side, low=side.low + step)
    return replace(side, high=side.high - step) if abs(value - side.high) < step else side


def _whole(name: str, value: int, low: int) -> int:
    return int(np.asarray(integer(name, value, low, 10**6)))
