"""What the comparisons of label relaxation with the label smoothing of the same class means share."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    BY_SIGNS,
    CONFIGURATION,
    VARIABLES,
    Case,
    by_smoothing,
    margin,
    mean_distance,
    solved,
    weight_distance,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, smoothing
from mdtheory.claims.model import Quantity, Source, Verdict

by_relaxation = sp.Symbol("ND_LR", positive=True)
farthest = sp.Symbol("farthest", positive=True)
minimiser = sp.log((2 - smoothing) / smoothing)
"""The margin beyond which label relaxation is flat and label smoothing rises."""


def _by_relaxation(point: Mapping[str, Any]) -> arb:
    """ND of label relaxation with half the smoothing of the point: the same margin and the same class means."""
    case = Case.at({**point, "smoothing": point["smoothing"] / 2}, {"loss": "label-relaxation"})
    return case.solution().normalized


def compared() -> dict[str, Any]:
    """The fields of a claim that compares both; ``farthest`` is the largest clean margin of label smoothing."""
    return {
        "source": Source("this project", "comparison of label relaxation and label smoothing"),
        "variables": {**VARIABLES, smoothing: Interval(0.05, 0.95)},
        "definitions": {farthest: margin + weight_distance * mean_distance * by_smoothing / sp.sqrt(dim)},
        "quantities": {
            **CONFIGURATION,
            by_relaxation: Quantity(at=Computed(_by_relaxation), route=BY_SIGNS),
            by_smoothing: solved(),
        },
        "expected": Verdict.PROVED,
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "label relaxation",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
        ),
        "derivation": "derivations/monotonicity_in_noise.py",
    }
