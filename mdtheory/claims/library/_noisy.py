"""What the claims about memorization and dilation share: the problem at a point, its solution, its configuration.

Two classes, every convex loss. Most statements about any spread are tested on two points, whose expectations cost nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Domain, Integers, Interval
from mdtheory.claims.library._points import Computed
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
from mdtheory.claims.model import Quantity
from mdtheory.foundation.errors import AssumptionError
from mdtheory.models.dilation.balls import (
    Dilation,
    NoisyProblem,
    TwoClasses,
    logistic_pull,
    smoothed_slope,
    solve_noisy,
)
from mdtheory.spreads import Sphere, Spread, TwoPoint

DECAYS = Interval(1e-5, 0.1, log=True)
NOISY_DECAY = Interval(1e-5, 0.1, log=True)
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
nonnegative, relative, sphere, kind = sp.symbols("nonnegative relative sphere kind", integer=True, nonnegative=True)
"""1 or 0: nonnegative features or free ones, relative scaling or absolute, sphere or two points; a loss of `CURVED`."""
EITHER = Integers(0, 1)
margin, mean_distance, weight_distance = sp.symbols("margin mean_distance weight_distance", positive=True)
by_cross_entropy, by_smoothing = sp.symbols("ND_CE ND_LS", positive=True)

not_collapsed = sp.Lt(smoothing + 4 * mu, 1)
"""Nonzero class means, nonnegative features."""
not_collapsed_free = sp.Lt(smoothing + 2 * sp.sqrt(2) * mu, 1)
"""Nonzero class means, free features."""
cross_entropy_not_collapsed = sp.Lt(4 * mu, 1)
KAPPA = mu * (sp.sqrt(2) + (2 - sp.sqrt(2)) * nonnegative)
"""The cost of a margin in either setting."""
not_collapsed_either = sp.Lt(smoothing + 2 * KAPPA, 1)
cross_entropy_not_collapsed_either = sp.Lt(2 * KAPPA, 1)

# ---------------------------------------------------------------------- the problem at a point

LossName = Literal["cross-entropy", "label-relaxation", "mean-squared-error", "squared-hinge", "hinge"]
CURVED: tuple[LossName, ...] = ("cross-entropy", "label-relaxation", "mean-squared-error", "squared-hinge")
"""Losses with phi'' > 0 left of the margin and of the noise-free noisy margin."""
LOSSES: tuple[LossName, ...] = (*CURVED, "hinge")
"""Every convex loss of two classes here; what a variable ``kind`` numbers."""
Slope = Callable[[arb], arb]
Fixed = Mapping[str, Any]
"""Fields of a `Case` that do not come from the point."""
Renamed = Mapping[str, str]
"""From a field of a `Case` to the variable of the point that holds it."""

NOTHING: Fixed = MappingProxyType({})
NO_DECAY: Fixed = MappingProxyType({"noisy_decay": 0.0})
UNSMOOTHED: Fixed = MappingProxyType({"smoothing": 0.0})
RELATIVE: Fixed = MappingProxyType({"scaling": "relative"})
HINGE: Fixed = MappingProxyType({"loss": "hinge"})
FREE: Fixed = MappingProxyType({"nonnegative": False})
ON_SPHERE: Fixed = MappingProxyType({"spread": Sphere})
EQUAL_DECAYS: Renamed = MappingProxyType({"noisy_decay": "feature_decay"})
"""Noisy features decay like the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One problem, by exact binary numbers; on two points, ``dim`` 1 means ``zeta = +-1``."""

    weight_decay: float
    feature_decay: float
    noise: float = 0.0
    slope: float = 1.0
    smoothing: float = 0.0
    noisy_decay: float = 0.0
    dim: int = 8
    loss: LossName = "cross-entropy"
    spread: type[Spread] = TwoPoint
    nonnegative: bool = True
    scaling: str = "absolute"

    @classmethod
    def at(cls, point: Mapping[str, Any], fixed: Fixed = NOTHING, renamed: Renamed = NOTHING) -> "Case":
        """The problem at a point; a variable ``decay`` stands for both decays, others for what they number."""
        both = {name: point["decay"] for name in ("weight_decay", "feature_decay") if "decay" in point}
        if point.get("relative"):
            both["scaling"] = "relative"
        if point.get("sphere"):
            both["spread"] = Sphere
        if "kind" in point:
            both["loss"] = LOSSES[point["kind"]]
        known = {f.name for f in fields(cls)}
        own = {name: value for name, value in point.items() if name in known}
        moved = {name: point[other] for name, other in renamed.items()}
        return cls(**{**both, **own, **moved, **fixed})

    @property
    def exponent(self) -> int:
        """q."""
        return 1 if self.scaling == "absolute" else 0

    @property
    def zeta(self) -> arb:
        """The coordinate of a clean example, two-point spread."""
        return 1 / arb(self.dim).sqrt()

    def classes(self) -> TwoClasses:
        """The configuration: the margin is where the slope of the loss balances the cost of a margin."""
        decays = arb(self.weight_decay), arb(self.feature_decay)
        cost = (decays[0] * decays[1]).sqrt() * (2 if self.nonnegative else arb(2).sqrt())
        alpha = arb(self.smoothing)
        margins = {
            "cross-entropy": lambda: (1 / (alpha / 2 + cost) - 1).log(),
            "label-relaxation": lambda: (1 / (alpha + cost) - 1).log(),
            "mean-squared-error": lambda: 1 - alpha - 2 * cost,
            "squared-hinge": lambda: 1 - cost,
            "hinge": lambda: arb(1),
        }
        return TwoClasses.from_margin(margins[self.loss](), *decays, nonnegative=self.nonnegative)

    def loss_slope(self) -> Slope:
        """phi'; of the hinge, its value left of the kink."""
        alpha = arb(self.smoothing)
        slopes: Mapping[str, Slope] = {
            "cross-entropy": smoothed_slope(alpha),
            "label-relaxation": lambda t: (alpha - 1 / (1 + t.exp())).min(arb(0)),
            "mean-squared-error": lambda t: (t - (1 - alpha)) / 2,
            "squared-hinge": lambda t: (t - 1).min(arb(0)),
            "hinge": lambda t: arb(-1),
        }
        return slopes[self.loss]

    def loss_value(self) -> Slope:
        """phi, a function of the margin."""
        alpha = arb(self.smoothing)

        def relaxed(t: arb) -> arb:
            """Flat from its least minimiser on."""
            t = t.min((1 / alpha - 1).log())
            return (1 + t.exp()).log() - (1 - alpha) * t + alpha * alpha.log() + (1 - alpha) * (1 - alpha).log()

        values: Mapping[str, Slope] = {
            "cross-entropy": lambda t: (1 + (-t).exp()).log() + alpha * t / 2,
            "label-relaxation": relaxed if alpha > 0 else lambda t: (1 + (-t).exp()).log(),
            "mean-squared-error": lambda t: (t - (1 - alpha)) ** 2 / 4,
            "squared-hinge": lambda t: (1 - t).max(arb(0)) ** 2 / 2,
            "hinge": lambda t: (1 - t).max(arb(0)),
        }
        return values[self.loss]

    def pull(self) -> Callable[[arb, arb], arb]:
        """``E zeta phi'(s + K zeta)``."""
        if self.loss == "cross-entropy":
            return logistic_pull(self.spread(self.dim))
        if self.spread is not TwoPoint:
            raise AssumptionError(f"spread = {self.spread.__name__}: only TwoPoint for {self.loss}")
        slope, zeta = self.loss_slope(), self.zeta
        return lambda s, k: zeta * (slope(s + k * zeta) - slope(s - k * zeta)) / 2

    def problem(self) -> NoisyProblem:
        """The problem in balls."""
        return NoisyProblem(
            classes=self.classes(),
            noise=arb(self.noise),
            slope=arb(self.slope),
            decay=arb(self.noisy_decay),
            exponent=self.exponent,
            slope_of_loss=self.loss_slope(),
            pull=self.pull(),
        )

    def solution(self) -> Dilation:
        """The solution in balls, at the working precision."""
        return _solution(self, ctx.prec)


@lru_cache(maxsize=20_000)
def _solution(case: Case, bits: int) -> Dilation:
    if case.spread is TwoPoint:
        return case.problem().solution()
    return solve_noisy(
        weight_decay=case.weight_decay,
        feature_decay=case.feature_decay,
        smoothing=case.smoothing,
        noise=case.noise,
        slope=case.slope,
        noisy_decay=case.noisy_decay,
        spread=case.spread(case.dim),
        nonnegative=case.nonnegative,
        scaling=case.scaling,
    )


# ---------------------------------------------------------------------- its numbers

BY_SIGNS = "root of stationarity by proved signs, two-point spread"
BY_SIGNS_ON_SPHERE = "root of stationarity, by proved signs"
OF_CONFIGURATION = "closed form of the configuration"


def solved(part: str = "normalized", fixed: Fixed = NOTHING, renamed: Renamed = NOTHING) -> Quantity:
    """One number of the solution at a point: an attribute of `Dilation`."""

    def at(point: Mapping[str, Any]) -> arb:
        value: arb = getattr(Case.at(point, fixed, renamed).solution(), part)
        return value

    route = BY_SIGNS if fixed.get("spread", TwoPoint) is TwoPoint else BY_SIGNS_ON_SPHERE
    return Quantity(at=Computed(at), route=route)


def configured(part: str, fixed: Fixed = NOTHING) -> Quantity:
    """One number of the configuration at a point: an attribute of `TwoClasses`."""

    def at(point: Mapping[str, Any]) -> arb:
        value: arb = getattr(Case.at(point, fixed).classes(), part)
        return value

    return Quantity(at=Computed(at), route=OF_CONFIGURATION)


CONFIGURATION: Mapping[sp.Symbol, Quantity] = MappingProxyType(
    {symbol: configured(symbol.name) for symbol in (margin, weight_distance, mean_distance)}
)
"""The numbers of the configuration that claims are written in."""
