"""What the claims about memorization and dilation share: the problem at a point, its solution, its configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Interval
from mdtheory.claims.library._symbols import (
    DIM,
    SMOOTHING,
    dim,
    feature_decay,
    mu,
    noise,
    noisy_decay,
    slope,
    smoothing,
    weight_decay,
)
from mdtheory.claims.quantities import (
    Dilation,
    NoisyProblem,
    TwoClasses,
    logistic_pull,
    root,
    smoothed_slope,
    solve_noisy,
)
from mdtheory.errors import AssumptionError
from mdtheory.spreads import Sphere, Spread, TwoPoint

MOST_DOUBLINGS = 60
NONE: Mapping[str, Any] = MappingProxyType({})
DEFAULTS: Mapping[str, Any] = MappingProxyType({"smoothing": 0.0, "noisy_decay": 0.0, "dim": 8})
DECAYS = Interval(1e-5, 0.1, log=True)
NOISY_DECAY = Interval(1e-5, 0.1, log=True)
BY_SIGNS = "root of stationarity, by proved signs"
CLOSED_CONFIGURATION = "closed form of the configuration"
VARIABLES: Mapping[sp.Symbol, Domain] = MappingProxyType(
    {
        weight_decay: DECAYS,
        feature_decay: DECAYS,
        smoothing: SMOOTHING,
        noise: Interval(1e-3, 0.5, log=True),
        slope: Interval(0.1, 10.0, log=True),
        noisy_decay: NOISY_DECAY,
        dim: DIM,
    }
)
"""Those of the problem, for claims that need no others."""
margin, mean_distance, weight_distance = sp.symbols("margin mean_distance weight_distance", positive=True)

not_collapsed = sp.Lt(smoothing + 4 * mu, 1)
"""Nonzero class means, nonnegative features."""
not_collapsed_free = sp.Lt(smoothing + 2 * sp.sqrt(2) * mu, 1)
"""Nonzero class means, free features."""
cross_entropy_not_collapsed = sp.Lt(4 * mu, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Which memorization-dilation problem of cross-entropy a point stands for.

    Attributes
    ----------
    spread : type of Spread
    nonnegative, scaling : bool, str
    fixed : mapping
        Parameters that do not come from the point.
    renamed : mapping
        From a parameter to the variable of the point that holds it.
    """

    spread: type[Spread] = Sphere
    nonnegative: bool = True
    scaling: str = "absolute"
    fixed: Mapping[str, Any] = field(default_factory=lambda: NONE)
    renamed: Mapping[str, str] = field(default_factory=lambda: NONE)

    @property
    def exponent(self) -> int:
        """q."""
        return 1 if self.scaling == "absolute" else 0

    def values(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters by name; a variable ``decay`` stands for both decays."""
        both = {name: point["decay"] for name in ("weight_decay", "feature_decay") if "decay" in point}
        moved = {name: point[other] for name, other in self.renamed.items()}
        return {**DEFAULTS, **both, **point, **moved, **self.fixed}

    def law(self, values: Mapping[str, Any]) -> Spread:
        """The law of the clean examples."""
        dim = values["dim"]
        return self.spread(dim if isinstance(dim, int) else int(dim.unique_fmpz()))

    def solution(self, point: Mapping[str, Any]) -> Dilation:
        """The solution at a point of plain numbers."""
        values = self.values(point)
        names = ("weight_decay", "feature_decay", "smoothing", "noise", "slope", "noisy_decay")
        return solve_noisy(
            **{name: values[name] for name in names},
            spread=self.law(values),
            nonnegative=self.nonnegative,
            scaling=self.scaling,
        )

    def refined(self, point: Mapping[str, Any]) -> Dilation:
        """The solution in much smaller balls; for a law whose expectations cost little."""
        problem, t = self.problem(point), self.solution(point).noisy_margin
        return problem.at_margin(root(problem.residual, t.lower(), t.upper()))

    def classes(self, point: Mapping[str, Any]) -> TwoClasses:
        """The configuration, in balls."""
        values = self.values(point)
        decays = arb(values["weight_decay"]), arb(values["feature_decay"])
        return TwoClasses.cross_entropy(*decays, arb(values["smoothing"]), nonnegative=self.nonnegative)

    def problem(self, point: Mapping[str, Any]) -> NoisyProblem:
        """The problem, in balls."""
        values = self.values(point)
        return NoisyProblem(
            classes=self.classes(point),
            noise=arb(values["noise"]),
            slope=arb(values["slope"]),
            decay=arb(values["noisy_decay"]),
            exponent=self.exponent,
            slope_of_loss=smoothed_slope(arb(values["smoothing"])),
            pull=logistic_pull(self.law(values)),
        )


TWO_POINTS = Setting(spread=TwoPoint)
RELATIVE_TWO_POINTS = Setting(spread=TwoPoint, scaling="relative")


@dataclass(frozen=True, slots=True)
class Solved:
    """One number of the solution of a problem: an attribute of `Dilation`."""

    part: str = "normalized"
    setting: Setting = field(default_factory=Setting)

    def __call__(self, **point: Any) -> arb:
        """The number at a point."""
        value: arb = getattr(self.setting.solution(point), self.part)
        return value


@dataclass(frozen=True, slots=True)
class Refined:
    """One number of the solution, in a much smaller ball."""

    part: str
    setting: Setting

    def __call__(self, **point: Any) -> arb:
        """The number at a point."""
        value: arb = getattr(self.setting.refined(point), self.part)
        return value


@dataclass(frozen=True, slots=True)
class Configured:
    """One number of the neural-collapse configuration: an attribute of `TwoClasses`."""

    part: str
    setting: Setting = field(default_factory=Setting)

    def __call__(self, **point: Any) -> arb:
        """The number at a point."""
        value: arb = getattr(self.setting.classes(point), self.part)
        return value


def solved_by_signs(problem: NoisyProblem) -> Dilation:
    """The solution of any problem in balls, bracketed from the margin -s at which nothing is memorised."""
    if not problem.classes.margin > 0:
        raise AssumptionError("margin: must be positive; the class means have collapsed to zero")
    s = problem.classes.margin.mid()
    step = arb(1)
    for _ in range(MOST_DOUBLINGS):
        if problem.residual(step - s) > 0:
            break
        step = 2 * step
    return problem.at_margin(root(problem.residual, step * arb(2) ** -60 - s, step - s, width=1e-15))


@dataclass(frozen=True, slots=True)
class Computed:
    """A number computed from all variables of a point."""

    function: Callable[[Mapping[str, Any]], arb]

    def __call__(self, **point: Any) -> arb:
        """The number at a point."""
        return self.function(point)
