"""Bounds on the optimum, recomputed from an answer alone; no solver is imported here."""

from mdtheory.certificates.dilation_bound import sharpened
from mdtheory.certificates.symmetric import (
    md_lower_bound,
    md_objective,
    ufm_dual_mean,
    ufm_dual_slope,
    ufm_lower_bound,
    ufm_objective,
)

__all__ = [
    "md_lower_bound",
    "md_objective",
    "sharpened",
    "ufm_dual_mean",
    "ufm_dual_slope",
    "ufm_lower_bound",
    "ufm_objective",
]
