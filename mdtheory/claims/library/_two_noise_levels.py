"""What the claims about two levels of noise share: the solutions at both, for free and for nonnegative features."""

from typing import Any

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import FREE, ON_SPHERE, VARIABLES, not_collapsed, solved
from mdtheory.claims.library._symbols import noise
from mdtheory.claims.model import Source, Verdict

more_noise = sp.Symbol("more_noise", positive=True)
low, high, free_low, free_high = sp.symbols("low high free_low free_high", real=True)


def compared(part: str) -> dict[str, Any]:
    """The fields of a claim that compares an attribute of `Dilation` at noise and at more noise."""
    more, free = {"noise": "more_noise"}, {**ON_SPHERE, **FREE}
    return {
        "source": Source("this project", "monotonicity in the noise level"),
        "variables": {**VARIABLES, more_noise: Interval(1e-3, 1.0, log=True)},
        "assumptions": (not_collapsed, sp.Lt(noise, more_noise)),
        "quantities": {
            low: solved(part, ON_SPHERE),
            high: solved(part, ON_SPHERE, more),
            free_low: solved(part, free),
            free_high: solved(part, free, more),
        },
        "expected": Verdict.PROVED,
        "derivation": "derivations/monotonicity_in_noise.py",
    }
