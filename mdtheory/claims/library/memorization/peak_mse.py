"""The largest dilation over all slopes, squared error with bias."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import BY_SIGNS, NO_DECAY, VARIABLES, Case, configured, not_collapsed, solved
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, noise, noisy_decay, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_most, equal

normalized, largest, relative_largest, margin = sp.symbols("ND ND_max ND_max_relative s", positive=True)
SQUARED = {**NO_DECAY, "loss": "mean-squared-error"}


def _largest(scaling: str) -> Computed:
    """ND at the slope of the peak, by the root of stationarity."""

    def at(point: Mapping[str, Any]) -> arb:
        problem = Case.at(point, {**SQUARED, "scaling": scaling}).problem()
        slope = problem.classes.mean_distance**problem.exponent * (arb(point["noise"]) / point["dim"]).sqrt()
        return replace(problem, slope=slope).solution().normalized

    return Computed(at)


PEAK = sp.sqrt(noise * dim) * (1 - smoothing + margin) / (4 * margin)

CLAIM = Claim(
    id="peak-mse",
    title="The largest dilation over all slopes, squared error",
    statement=(
        r"Squared error with bias, two classes, nonnegative features, $s = 1 - \alpha - 4\mu > 0$, unconstrained "
        r"noisy features without decay: over all slopes the largest $\mathrm{ND}$ is $\sqrt{\eta "
        r"d}\,(1-\alpha+s)/(4s)$, at $C = D^q\sqrt{\eta/d}$, in absolute ($q = 1$) and relative ($q = 0$) scaling."
    ),
    source=Source("this project", "peak of the dilation over the slope"),
    variables={v: domain for v, domain in VARIABLES.items() if v is not noisy_decay},
    assumptions=(not_collapsed,),
    quantities={
        margin: configured("margin", SQUARED),
        normalized: solved("normalized", SQUARED),
        largest: Quantity(at=_largest("absolute"), route=f"{BY_SIGNS}, at the slope of the peak"),
        relative_largest: Quantity(at=_largest("relative"), route=f"{BY_SIGNS}, at the slope of the peak"),
    },
    relations=(at_most(normalized, largest), equal(largest, PEAK), equal(relative_largest, PEAK)),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "squared error",
        "unregularised bias",
        "nonnegative features",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
        "noisy features without decay",
    ),
    derivation="derivations/hinge_and_mse.py",
)
