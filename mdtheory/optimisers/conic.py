"""Conic solvers, tried in turn. What an answer is worth is decided by its duality gap, never by a solver's word."""

import warnings
from typing import Any

import cvxpy as cp

from mdtheory.foundation.errors import SolverError

# The relative gap that conic answers close.
TARGET_GAP = 1e-6


def _clarabel(tolerance: float, reduced: float, regularization: float = 1e-8) -> dict[str, Any]:
    names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
    settings = {"max_iter": 400, "static_regularization_constant": regularization} | dict.fromkeys(names, tolerance)
    return {"solver": cp.CLARABEL} | settings | {f"reduced_{name}": reduced for name in names}


# In this order, until one gives an answer; the solvers' own defaults leave gaps of 1e-5.
_ATTEMPTS: tuple[dict[str, Any], ...] = (
    _clarabel(1e-12, 1e-9, regularization=1e-10),
    _clarabel(1e-12, 1e-8, regularization=1e-11),
    _clarabel(1e-9, 1e-6),
    {"solver": cp.SCS, "eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000},
)


def minimise_conic(programme: cp.Problem) -> None:
    """Solve in place with the first conic solver that gives an answer.

    Raises
    ------
    SolverError
        If none does.
    """
    for settings in _ATTEMPTS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # an inaccurate answer is judged by its gap
                programme.solve(**settings)
        except cp.SolverError:
            continue
        if programme.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            return
    raise SolverError(f"no conic solver gave an answer; the last said {programme.status!r}")
