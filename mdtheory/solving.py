"""`solve`: from a problem to a solution that carries its own proof of quality."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from mdtheory.logits_solution import FactorsSolution
from mdtheory.problems import UFM, MaxMargin, MemorizationDilation
from mdtheory.solution import UFMSolution
from mdtheory.solutions import MarginSolution, MDSolution
from mdtheory.solvers.closed_form import solve_expansion, solve_ufm
from mdtheory.solvers.free import solve_free
from mdtheory.solvers.max_margin import MaxMarginSolution, solve_max_margin
from mdtheory.solvers.reduced import solve_reduced
from mdtheory.validation import FloatArray, choice, fail, integer, positive

if TYPE_CHECKING:
    from mdtheory.solvers.factors import BoundedFactors

UFM_METHODS = ("auto", "closed-form", "convex", "factorized")
MAX_MARGIN_METHODS = ("auto", "closed-form", "convex")
MD_METHODS = ("auto", "reduced", "expansion", "convex")

# What a conic solver reaches, and what closes the gap of a nonnegative problem.
_CONIC_TOLERANCE = 1e-6


@overload
def solve(
    problem: UFM,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> UFMSolution: ...
@overload
def solve(
    problem: MemorizationDilation,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> MDSolution: ...
@overload
def solve(
    problem: MaxMargin,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> MaxMarginSolution: ...
def solve(
    problem: UFM | MemorizationDilation | MaxMargin,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
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
        For UFMs that are not symmetric: the gap, relative to the objective, that is aimed at and up to which the
        status is OPTIMAL. Default 1e-9, beyond 200 classes 1e-6, for the hinge losses 1e-7; 1e-6 for "convex" and
        nonnegative features.
    starts : int, optional
        Local searches where the problem is not convex.
    seed : int, default 0
        Of those searches.
    progress : callable, optional
        Is given a line of text now and then.

    Raises
    ------
    AssumptionError
        If the method is unknown, or does not apply to the problem.
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
    if tolerance is not None:
        tolerance = _one_positive("tolerance", tolerance)
    if isinstance(problem, UFM):
        choice("method", method, UFM_METHODS)
        if problem.symmetric and method != "factorized":
            return _solve_symmetric(problem, method)
        options = _Search(
            tolerance, None if starts is None else _count("starts", starts), _count("seed", seed, 0), progress
        )
        return _solve_general(problem, method, options)
    if isinstance(problem, MemorizationDilation):
        choice("method", method, MD_METHODS)
        if method == "convex":
            from mdtheory.solvers.convex import solve_md_convex

            return solve_md_convex(problem)
        return solve_expansion(problem) if method == "expansion" else solve_reduced(problem)
    if isinstance(problem, MaxMargin):
        choice("method", method, MAX_MARGIN_METHODS)
        return solve_max_margin(problem, method="closed-form" if method == "auto" else method)
    raise fail("problem", problem, "must be a UFM, a MemorizationDilation or a MaxMargin")


@dataclass(frozen=True, slots=True)
class _Search:
    """How hard to look."""

    tolerance: float | None
    starts: int | None
    seed: int
    progress: Callable[[str], None] | None


def _solve_symmetric(problem: UFM, method: str) -> MarginSolution:
    if method == "convex":
        from mdtheory.solvers.convex import solve_ufm_convex

        return solve_ufm_convex(problem)
    return solve_ufm(problem)


def _solve_general(problem: UFM, method: str, options: _Search) -> UFMSolution:
    if problem.shape != ():
        raise fail("shape", problem.shape, "method 'factorized' takes one point at a time; loop over the points")
    if not problem.loss.is_convex:
        raise fail("loss", problem.loss, "must be convex in the logits for method 'factorized'")
    if problem.nonnegative:
        return _solve_nonnegative(problem, method, options)
    if method == "convex":
        from mdtheory.solvers.convex import solve_free_convex

        relaxed = solve_free_convex(problem, options.tolerance or _CONIC_TOLERANCE)
    else:
        relaxed = solve_free(problem, method=method, tolerance=options.tolerance, progress=options.progress)
    if problem.feature_dim is None or problem.feature_dim >= relaxed.rank:
        return relaxed
    from mdtheory.solvers.bottleneck import solve_bottleneck

    found = solve_bottleneck(problem, starts=options.starts, seed=options.seed, convex_dual=relaxed.dual)
    return FactorsSolution(problem, found.method, relaxed.tolerance, *_parts(found))


def _solve_nonnegative(problem: UFM, method: str, options: _Search) -> FactorsSolution:
    from mdtheory.solvers.nonnegative import solve_nonnegative

    if method in ("convex", "factorized"):
        raise fail("method", method, "does not solve nonnegative features that are not symmetric; use 'auto'")
    tolerance = options.tolerance or _CONIC_TOLERANCE
    found = solve_nonnegative(problem, starts=options.starts, seed=options.seed, tolerance=tolerance)
    if method not in ("auto", found.method):
        raise fail(
            "method", method, f"does not solve this problem of nonnegative features: 'auto' uses {found.method!r}"
        )
    return FactorsSolution(problem, found.method, tolerance, *_parts(found))


def _parts(found: "BoundedFactors") -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray, FloatArray | None]:
    return (found.weights, found.class_means, found.bias), found.dual, found.multiplier


def _one_positive(name: str, value: float) -> float:
    number = positive(name, value)
    if not isinstance(number, float):
        raise fail(name, value, "must be one number")
    return number


def _count(name: str, value: int, low: int = 1) -> int:
    number = integer(name, value, low, 2**31)
    if not isinstance(number, int):
        raise fail(name, value, "must be one integer")
    return number
