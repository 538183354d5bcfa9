"""`solve`: from a problem to a solution that carries its own proof of quality."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from mdtheory.foundation.validation import choice
from mdtheory.models.dilation.problem import MDMethod, MemorizationDilation
from mdtheory.models.dilation.solution import MDSolution
from mdtheory.models.features.problem import UFM, UFMMethod
from mdtheory.models.features.solution import UFMSolution
from mdtheory.models.joint.problem import JointMethod, LimitedExpressivity
from mdtheory.models.joint.solution import JointSolution
from mdtheory.models.max_margin.problem import MaxMargin, MaxMarginMethod
from mdtheory.models.max_margin.solving import MaxMarginSolution
from mdtheory.models.model import Options, Problem
from mdtheory.models.registry import model_of
from mdtheory.models.solution import Solution

S = TypeVar("S", bound=Solution)


# One generic signature infers the solution, but not which methods a problem has: mypy does not infer a union of literals.
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
@overload
def solve(
    problem: LimitedExpressivity, *, method: JointMethod = "auto", tolerance: float | None = None
) -> JointSolution: ...
@overload
def solve(
    problem: Problem[S, str],
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int | None = None,
    progress: Callable[[str], object] | None = None,
) -> S: ...
def solve(
    problem: Problem[Any, Any],
    *,
    method: str = "auto",
    tolerance: float | None = None,
    starts: int | None = None,
    seed: int | None = None,
    progress: Callable[[str], object] | None = None,
) -> Any:
    """Solve a problem; the solution carries a lower bound on the optimum, recomputed from the answer.

    Parameters
    ----------
    problem : UFM, MemorizationDilation, LimitedExpressivity, MaxMargin or a problem of another type
    method : str, default "auto"
        For a UFM: "closed-form" (symmetric problems; with free features the squared error, and cross-entropy with labels
        that treat every class alike), "factorized" (free features: a second-order method in the logits, to a thousand
        classes) or "convex" (cvxpy; to 60 classes).
        "auto" takes the first that applies, after averaging interchangeable classes; nonnegative features with any
        labels, and features too narrow for the convex optimum, have their own methods, named in the solution.
        For a memorization-dilation problem "reduced" (the default: exact, vectorised), "expansion" (closed form,
        to second order in the dilation; exact for the squared error and the hinge) or "convex" (the conic programme
        in cvxpy without assuming symmetry; one point at a time). For a limited-expressivity problem "auto", "symmetric" (the convex programme of classes that are alike, or
        of two classes) or "search" (one point of three classes and more); "auto" takes the better of both where they apply. For a max-margin problem "closed-form" (the default)
        or "convex".
    tolerance : float, optional
        The gap, relative to the objective, up to which the status is OPTIMAL; a solver that iterates aims at it. For
        UFMs that are not symmetric 1e-9 by default, beyond 200 classes 1e-6, for the hinge losses 1e-7; 1e-6 for
        "convex" and nonnegative features.
    starts : int, optional
        Local searches of a UFM that is not convex in its logits: nonnegative features that are not symmetric, or a
        `feature_dim` below the largest possible rank; of a limited-expressivity problem with "search".
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
    model = model_of(problem)
    name = choice("method", method, model.methods)
    options = Options(tolerance=tolerance, starts=starts, seed=seed, progress=progress)
    return model.solve(problem, name, options.checked(model.options(problem, name), problem, name))


def options_of(problem: Problem[Any, Any], method: str = "auto") -> frozenset[str]:
    """The options of :func:`solve` that have a meaning for a problem and a method.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> sorted(options_of(mdt.UFM(mdt.Hinge(), num_classes=3, weight_decay=0.1, feature_decay=0.1, feature_dim=1)))
    ['progress', 'seed', 'starts', 'tolerance']
    """
    return model_of(problem).options(problem, method)
