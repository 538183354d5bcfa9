"""`solve`: from a problem to a solution that carries its own proof of quality."""

from typing import overload

from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solutions import MDSolution, UFMSolution
from mdtheory.solvers.closed_form import solve_expansion, solve_ufm
from mdtheory.solvers.reduced import solve_reduced
from mdtheory.validation import choice, fail

UFM_METHODS = ("auto", "closed-form", "convex")
MD_METHODS = ("auto", "reduced", "expansion", "convex")


@overload
def solve(problem: UFM, *, method: str = "auto") -> UFMSolution: ...
@overload
def solve(problem: MemorizationDilation, *, method: str = "auto") -> MDSolution: ...
def solve(problem: UFM | MemorizationDilation, *, method: str = "auto") -> UFMSolution | MDSolution:
    """Solve a problem; the solution carries a lower bound on the optimum, recomputed from the answer.

    Parameters
    ----------
    problem : UFM or MemorizationDilation
    method : str, default "auto"
        For a UFM "closed-form" (the default) or "convex" (cvxpy, in the logits; one balanced point at a time).
        For a memorization-dilation problem "reduced" (the default: exact, vectorised), "expansion" (closed form,
        to second order in the dilation; exact for the squared error and the hinge) or "convex" (the conic programme
        in cvxpy without assuming symmetry; one point at a time).

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
    """
    if isinstance(problem, UFM):
        choice("method", method, UFM_METHODS)
        if method == "convex":
            from mdtheory.solvers.convex import solve_ufm_convex

            return solve_ufm_convex(problem)
        return solve_ufm(problem)
    if isinstance(problem, MemorizationDilation):
        choice("method", method, MD_METHODS)
        if method == "convex":
            from mdtheory.solvers.convex import solve_md_convex

            return solve_md_convex(problem)
        return solve_expansion(problem) if method == "expansion" else solve_reduced(problem)
    raise fail("problem", problem, "must be a UFM or a MemorizationDilation")
