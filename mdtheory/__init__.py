"""Exact, certified solutions for the theory of neural collapse under label noise."""

from importlib import import_module
from types import ModuleType

# Imported first and from here: measured a sixth faster than from deep inside the package.
import scipy.special  # noqa: F401

from mdtheory.errors import AssumptionError, SolverError
from mdtheory.losses import (
    CrossEntropy,
    Focal,
    Hinge,
    LabelRelaxation,
    Loss,
    MarginLoss,
    MeanSquaredError,
    SquaredHinge,
)
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solutions import MDSolution, UFMSolution
from mdtheory.solve import solve
from mdtheory.spreads import Ball, Gaussian, Sphere, Spread, TwoPoint
from mdtheory.status import Status
from mdtheory.thresholds import collapse_threshold

__version__ = "0.1.0"

__all__ = [
    "UFM",
    "AssumptionError",
    "Ball",
    "CrossEntropy",
    "Focal",
    "Gaussian",
    "Hinge",
    "LabelRelaxation",
    "Loss",
    "MDSolution",
    "MarginLoss",
    "MeanSquaredError",
    "MemorizationDilation",
    "SolverError",
    "Sphere",
    "Spread",
    "SquaredHinge",
    "Status",
    "TwoPoint",
    "UFMSolution",
    "collapse_threshold",
    "solve",
]


def __getattr__(name: str) -> ModuleType:
    # sympy costs more to import than the rest together, so what not every user needs loads on first use.
    if name in ("asymptotics", "symbolic"):
        return import_module(f"mdtheory.{name}")
    raise AttributeError(f"module 'mdtheory' has no attribute {name!r}")
