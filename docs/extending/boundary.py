"""A boundary: where noisy features sit half way between the class means of the two labels."""

import numpy as np

import mdtheory as mdt


def half_way(problem):
    """Positive where a noisy example is nearer to the mean of the label that it was given."""
    sol = mdt.solve(problem)
    return np.asarray(sol.memorization) - 0.5


def edge(points=60):
    """In the plane of noise and slope."""
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    problem = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0)
    return mdt.phase.boundary(
        problem, half_way, {"noise": (1e-2, 0.4, "log"), "slope": (0.02, 2.0, "log")}, points=points, label="half way"
    )
