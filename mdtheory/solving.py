"""`solve`: from a problem to a solution that carries its own proof of quality."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, overload

import numpy as np

from mdtheory.logits_solution import FactorsSolution
from mdtheory.problems import UFM, MaxMargin, MemorizationDilation
from mdtheory.solution import Solution, UFMSolution
from mdtheory.solutions import MDSolution
from mdtheory.solvers.closed_form import solve_expansion, solve_ufm
from mdtheory.solvers.free import has_closed_form, solve_free
from mdtheory.solvers.max_margin import MaxMarginSolution, solve_max_margin
from mdtheory.solvers.reduced import solve_reduced
from mdtheory.validation import FloatArray, choice, fail, one_integer, one_number, one_point, positive

if TYPE_CHECKING:
    from mdtheory.solvers.factors import BoundedFactors

S = TypeVar("S", bound=Solution)
UFMMethod = Literal["auto", "closed-form", "convex", "factorized"]
MDMethod = Literal["auto", "reduced", "expansion", "convex"]
MaxMarginMethod = Literal["auto", "closed-form", "convex"]
METHODS: dict[type, tuple[str, ...]] = {
    UFM: get_args(UFMMethod),
    MemorizationDilation: get_args(MDMethod),
    MaxMargin: get_args(MaxMarginMethod),
}

# What a conic solver reaches, and what closes the gap of a nonnegative problem.
_CONIC_TOLERANCE = 1e-6


@overload
def solve(
    problem: UFM,
    *,
    method: UFMMethod = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int | None = None,
    progress: Callable[[str], object] | None = None,
) -> UFMSolution: ...
@overload
def solve(
    problem: MemorizationDilation, *, method: MDMethod = "auto", tolerance: float | None = None
) -> MDSolution: ...
@overload
def solve(
    problem: MaxMargin, *, method: MaxMarginMethod = "auto", tolerance: float | None = None
) -> MaxMarginSolution: ...
def solve(
    problem: UFM | MemorizationDilation | MaxMargin,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int | None = None,
    progress: Callable[[str], object] | None = None,
) -> UFMSolution | MDSolution | MaxMarginSolution:
    """Solve a problem; the solution carries a lower bound on the optimum, recomputed from the answer.

    Parameters
    ----------
    problem : UFM, MemorizationDilation or MaxMargin
    method : str, default "auto"
        For a UFM: "closed-form" (symmetric problems, and the squared error with free features), "factorized" (free
        features: a second-order method in the logits, to a thousand classes) or "convex" (cvxpy; to 60 classes).
        "auto" takes the first that applies, after averaging interchangeable classes; nonnegative features with any
        labels, and features too narrow for the convex optimum, have their own methods, named in the solution.
        For a memorization-dilation problem "reduced" (the default: exact, vectorised), "expansion" (closed form,
        to second order in the dilation; exact for the squared error and the hinge) or "convex" (the conic programme
        in cvxpy without assuming symmetry; one point at a time). For a max-margin problem "closed-form" (the default)
        or "convex".
    tolerance : float, optional
        The gap, relative to the objective, up to which the status is OPTIMAL; a solver that iterates aims at it. For
        UFMs that are not symmetric 1e-9 by default, beyond 200 classes 1e-6, for the hinge losses 1e-7; 1e-6 for
        "convex" and nonnegative features.
    starts : int, optional
        Local searches of a UFM that is not convex in its logits: nonnegative features that are not symmetric, or a
        `feature_dim` below the largest possible rank.
    seed : int, optional
        Of those searches; 0 if omitted.
    progress : callable, optional
        Is given a line of text now and then by the methods "auto" and "factorized" for free features.

    Raises
    ------
    AssumptionError
        If the method is unknown or does not apply to the problem, or an option has no meaning for it.
    SolverError
        If an iteration or a conic solver stops without an answer.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> sol = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True))
    >>> round(sol.margin, 6), sol.geometry      # log 99
    (4.59512, 'orthogonal-frame')
    >>> skewed = mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=5e-3, feature_decay=5e-3,
    ...                  class_weights=[0.6, 0.3, 0.1])
    >>> sol = mdt.solve(skewed)
    >>> sol.method, sol.rank, sol.gap < 1e-9
    ('factorized', 2, True)
    """
    if not isinstance(problem, (UFM, MemorizationDilation, MaxMargin)):
        raise fail("problem", problem, "must be a UFM, a MemorizationDilation or a MaxMargin")
    choice("method", method, METHODS[type(problem)])
    options = Options(tolerance=tolerance, starts=starts, seed=seed, progress=progress)
    options = options.checked(options_of(problem, method), problem, method)
    if isinstance(problem, UFM):
        return _solve_ufm(problem, method, options)
    if isinstance(problem, MemorizationDilation):
        return _solve_md(problem, method, options)
    return options.judged(solve_max_margin(problem, method="closed-form" if method == "auto" else method))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How hard to look; None where nothing was given."""

    tolerance: float | None
    starts: int | None
    seed: int | None
    progress: Callable[[str], object] | None

    def checked(self, taken: frozenset[str], problem: object, method: str) -> "Options":
        """The same options with clean values, if each that was given has a meaning for the problem."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in given.items():
            if value is not None and name not in taken:
                kind, listing = type(problem).__name__, ", ".join(sorted(taken))
                raise fail(name, value, f"is no option of this {kind} with method {method!r}; its options: {listing}")
            if value is not None:
                given[name] = _CHECKS[name](name, value)
        return Options(**given)

    def judged(self, solution: S) -> S:
        """A solution with the tolerance that was asked for."""
        if self.tolerance is None:
            return solution
        record: Any = solution
        judged: S = replace(record, tolerance=self.tolerance)
        return judged


def _callable(name: str, value: object) -> object:
    if not callable(value):
        raise fail(name, value, "must be callable with a line of text")
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "tolerance": lambda name, value: one_number(name, value, positive),
    "starts": lambda name, value: one_integer(name, value, 1, 2**31),
    "seed": lambda name, value: one_integer(name, value, 0, 2**31),
    "progress": _callable,
}


def options_of(problem: UFM | MemorizationDilation | MaxMargin, method: str = "auto") -> frozenset[str]:
    """The options of :func:`solve` that have a meaning for a problem and a method.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> sorted(options_of(mdt.UFM(mdt.Hinge(), num_classes=3, weight_decay=0.1, feature_decay=0.1, feature_dim=1)))
    ['progress', 'seed', 'starts', 'tolerance']
    """
    taken = {"tolerance"}
    if isinstance(problem, UFM) and not _in_closed_form(problem, method):
        if problem.nonnegative:
            return frozenset(taken | {"starts", "seed"})
        exact = has_closed_form(problem)
        if method != "convex" and not (exact and method != "factorized"):
            taken.add("progress")
        if problem.feature_dim is not None and problem.feature_dim < _largest_rank(problem) and not exact:
            taken |= {"starts", "seed"}
    return frozenset(taken)


def _in_closed_form(problem: UFM, method: str) -> bool:
    """Whether the answer is a margin."""
    return problem.symmetric and method != "factorized"


def _largest_rank(problem: UFM) -> int:
    return min(int(np.max(problem.num_classes)), problem.num_groups)


def _solve_md(problem: MemorizationDilation, method: str, options: Options) -> MDSolution:
    if method == "convex":
        from mdtheory.solvers.convex import solve_md_convex

        return options.judged(solve_md_convex(problem))
    return options.judged(solve_expansion(problem) if method == "expansion" else solve_reduced(problem))


def _solve_ufm(problem: UFM, method: str, options: Options) -> UFMSolution:
    if _in_closed_form(problem, method):
        if method == "convex":
            from mdtheory.solvers.convex import solve_ufm_convex

            return options.judged(solve_ufm_convex(problem))
        return options.judged(solve_ufm(problem))
    one_point(problem.shape, "method 'factorized' takes one point at a time; loop over the points")
    if not problem.loss.is_convex:
        raise fail("loss", problem.loss, "must be convex in the logits for method 'factorized'")
    if problem.nonnegative:
        return _solve_nonnegative(problem, method, options)
    return _solve_free(problem, method, options)


def _solve_free(problem: UFM, method: str, options: Options) -> UFMSolution:
    if method == "convex":
        from mdtheory.solvers.convex import solve_free_convex

        relaxed = solve_free_convex(problem, options.tolerance or _CONIC_TOLERANCE)
    else:
        relaxed = solve_free(problem, method=method, tolerance=options.tolerance, progress=options.progress)
    if problem.feature_dim is None or problem.feature_dim >= relaxed.rank:
        return relaxed
    from mdtheory.solvers.bottleneck import solve_bottleneck

    found = solve_bottleneck(problem, starts=options.starts, seed=options.seed or 0, convex_dual=relaxed.dual)
    return FactorsSolution(problem, found.method, relaxed.tolerance, *_parts(found))


def _solve_nonnegative(problem: UFM, method: str, options: Options) -> FactorsSolution:
    from mdtheory.solvers.nonnegative import solve_nonnegative

    if method in ("convex", "factorized"):
        raise fail("method", method, "does not solve nonnegative features that are not symmetric; use 'auto'")
    tolerance = options.tolerance or _CONIC_TOLERANCE
    found = solve_nonnegative(problem, starts=options.starts, seed=options.seed or 0, tolerance=tolerance)
    if method not in ("auto", found.method):
        raise fail(
            "method", method, f"does not solve this problem of nonnegative features: 'auto' uses {found.method!r}"
        )
    return FactorsSolution(problem, found.method, tolerance, *_parts(found))


def _parts(found: "BoundedFactors") -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray, FloatArray | None]:
    return (found.weights, found.class_means, found.bias), found.dual, found.multiplier
