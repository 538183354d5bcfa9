"""The largest dilation over all slopes, squared error with bias."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import VARIABLES, Computed, not_collapsed
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, smoothing
from mdtheory.claims.library._two_points import BY_SIGNS, NO_DECAY, Case, Part, Shape, solution
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal

normalized, largest, relative_largest, margin = sp.symbols("ND ND_max ND_max_relative s", positive=True)
SQUARED = {**NO_DECAY, "loss": "mean-squared-error"}


def _largest(exponent: int) -> Computed:
    """ND at the slope of the peak, by the root of stationarity."""

    def at(point: Mapping[str, Any]) -> arb:
        problem = Case.at(point, **SQUARED, exponent=exponent).problem()
        slope = problem.classes.mean_distance**exponent * (arb(point["noise"]) / point["dim"]).sqrt()
        return solution(replace(problem, slope=slope)).normalized

    return Computed(at)


PEAK = sp.sqrt(noise * dim) * (1 - smoothing + margin) / (4 * margin)

CLAIM = Claim(
    id="peak-mse",
    title="The largest dilation over all slopes, squared error",
    statement=(
        r"Squared error with bias, noisy features without decay: over all slopes the largest $\mathrm{ND}$ is "
        r"$\sqrt{\eta d}\,(1-\alpha+s)/(4s)$, at $C = D^q\sqrt{\eta/d}$."
    ),
    source=Source("this project", "peak of the dilation over the slope"),
    variables={v: domain for v, domain in VARIABLES.items() if v is not noisy_decay},
    assumptions=(not_collapsed,),
    quantities={
        margin: Quantity(at=Shape("margin", SQUARED), route="closed form of the configuration"),
        normalized: Quantity(at=Part("normalized", SQUARED), route=BY_SIGNS),
        largest: Quantity(at=_largest(1), route=f"{BY_SIGNS}, at the slope of the peak"),
        relative_largest: Quantity(at=_largest(0), route=f"{BY_SIGNS}, at the slope of the peak"),
    },
    relations=(at_most(normalized, largest), equal(largest, PEAK), equal(relative_largest, PEAK)),
    expected=Verdict.PROVED,
    derivation="derivations/hinge_and_mse.py",
)
