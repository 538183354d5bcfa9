"""What the claims about two levels of noise share: the solutions at both, for every convex loss that balls evaluate."""

from typing import Any

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    ON_SPHERE,
    VARIABLES,
    kind,
    nonnegative,
    not_collapsed_either,
    relative,
    solved,
)
from mdtheory.claims.library._small import OF_CURVED_LOSSES, ROOM, room
from mdtheory.claims.library._symbols import noise
from mdtheory.claims.model import Source, Verdict

more_noise = sp.Symbol("more_noise", positive=True)
low, high, curved_low, curved_high = sp.symbols("low high curved_low curved_high", real=True)
CONVEX = (
    r"Two classes, any convex loss $\varphi$ of the margin with a unique optimal dilation that is positive, nonzero class means, isotropic "
    r"spread, unconstrained noisy features, free or nonnegative class means, absolute or relative scaling: "
)
"""The setting; drawn are cross-entropy on the sphere, and four losses on two points."""


def compared(part: str) -> dict[str, Any]:
    """The fields of a claim that compares an attribute of `Dilation` at noise and at more noise."""
    more, sphere = {"noise": "more_noise"}, {**ON_SPHERE, "loss": "cross-entropy"}
    return {
        "source": Source("this project", "monotonicity in the noise level"),
        "variables": {
            **VARIABLES,
            more_noise: Interval(1e-3, 1.0, log=True),
            nonnegative: EITHER,
            relative: EITHER,
            kind: OF_CURVED_LOSSES,
        },
        "assumptions": (not_collapsed_either, sp.Gt(room, 0), sp.Lt(noise, more_noise)),
        "quantities": {
            room: ROOM,
            low: solved(part, sphere),
            high: solved(part, sphere, more),
            curved_low: solved(part),
            curved_high: solved(part, renamed=more),
        },
        "expected": Verdict.PROVED,
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "unique positive dilation",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
        ),
        "derivation": "derivations/monotonicity_in_noise.py",
    }
