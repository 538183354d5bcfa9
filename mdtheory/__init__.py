"""Exact, certified solutions for the theory of neural collapse under label noise."""



from mdtheory.errors import AssumptionError, SolverError
from mdtheory.losses import (
    CrossEntropy,
    Focal,
    Hinge,
    LabelRelaxation,
    Loss,
    MeanSquaredError,
    SquaredHinge,
)
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solutions import MDSolution, UFMSolution
from mdtheory.solve import solve
from mdtheory.spreads import Ball, Gaussian, Sphere, Spread, TwoPoint
from mdtheory.status import Status

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
    "MeanSquaredError",
    "MemorizationDilation",
    "SolverError",
    "Sphere",
    "Spread",
    "SquaredHinge",
    "Status",
    "TwoPoint",
    "UFMSolution",
    "solve",
]
