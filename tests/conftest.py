"""Hypothesis profiles: the default searches afresh, "ci" is reproducible. One BLAS thread where tests run side by side."""

import os

import numpy  # noqa: F401  the limit holds for libraries that are loaded
import scipy.linalg  # noqa: F401
from hypothesis import settings
from threadpoolctl import threadpool_limits

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if "PYTEST_XDIST_WORKER" in os.environ:
    threadpool_limits(1)
