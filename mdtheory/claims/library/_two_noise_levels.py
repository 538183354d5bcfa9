"""What the claims about two levels of noise share: the solutions at both, for free and for nonnegative features."""

from typing import Any

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import BY_SIGNS, VARIABLES, Setting, Solved, not_collapsed
from mdtheory.claims.library._symbols import noise
from mdtheory.claims.model import Quantity, Source, Verdict

more_noise = sp.Symbol("more_noise", positive=True)
low, high, free_low, free_high = sp.symbols("low high free_low free_high", real=True)


def compared(part: str) -> dict[str, Any]:
    """The fields of a claim that compares an attribute of `Dilation` at noise and at more noise."""
    settings = {
        low: Setting(),
        high: Setting(renamed={"noise": "more_noise"}),
        free_low: Setting(nonnegative=False),
        free_high: Setting(nonnegative=False, renamed={"noise": "more_noise"}),
    }
    return {
        "source": Source("this project", "monotonicity in the noise level"),
        "variables": {**VARIABLES, more_noise: Interval(1e-3, 1.0, log=True)},
        "assumptions": (not_collapsed, sp.Lt(noise, more_noise)),
        "quantities": {name: Quantity(at=Solved(part, setting), route=BY_SIGNS) for name, setting in settings.items()},
        "expected": Verdict.PROVED,
        "derivation": "derivations/monotonicity_in_noise.py",
    }
