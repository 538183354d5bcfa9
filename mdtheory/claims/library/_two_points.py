"""The memorization-dilation problem of every convex loss with two-point spread, in balls and quickly.

The spread is the one whose expectations cost nothing. Statements about any spread are tested on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from flint import arb, ctx
from scipy.optimize import brentq

from mdtheory.claims.quantities import Dilation, NoisyProblem, TwoClasses
from mdtheory.errors import AssumptionError

LossName = Literal["cross-entropy", "label-relaxation", "mean-squared-error", "squared-hinge", "hinge"]
Slope = Callable[[arb], arb]
NOTHING: Mapping[str, Any] = MappingProxyType({})
FINER = (1e-15, 1e-22, 1e-28, 1e-33)
NO_DECAY: Mapping[str, Any] = MappingProxyType({"noisy_decay": 0.0})
UNSMOOTHED: Mapping[str, Any] = MappingProxyType({"smoothing": 0.0})
MOST_STEPS = 60
BY_SIGNS = "root of stationarity by proved signs, two-point spread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One problem, by exact binary numbers; ``exponent`` is q, and ``dim`` 1 means ``zeta = +-1``."""

    weight_decay: float
    feature_decay: float
    noise: float
    slope: float
    smoothing: float = 0.0
    noisy_decay: float = 0.0
    dim: int = 8
    loss: LossName = "cross-entropy"
    nonnegative: bool = True
    exponent: int = 1

    @classmethod
    def at(cls, point: Mapping[str, Any], **fixed: Any) -> "Case":
        """The problem at a point; a variable ``decay`` stands for both decays."""
        both = {name: point["decay"] for name in ("weight_decay", "feature_decay") if "decay" in point}
        known = {f.name for f in fields(cls)}
        return cls(**{**both, **{k: v for k, v in point.items() if k in known}, **fixed})

    @property
    def zeta(self) -> arb:
        """The coordinate of a clean example."""
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
        return slope_of(self.loss, arb(self.smoothing))

    def problem(self, classes: TwoClasses | None = None) -> NoisyProblem:
        """The problem in balls, on its own configuration or another."""
        slope, zeta = self.loss_slope(), self.zeta
        return NoisyProblem(
            classes=self.classes() if classes is None else classes,
            noise=arb(self.noise),
            slope=arb(self.slope),
            decay=arb(self.noisy_decay),
            exponent=self.exponent,
            slope_of_loss=slope,
            pull=lambda s, k: zeta * (slope(s + k * zeta) - slope(s - k * zeta)) / 2,
        )


def slope_of(loss: LossName, alpha: arb) -> Slope:
    """phi' of a loss with smoothing alpha."""
    slopes: Mapping[str, Slope] = {
        "cross-entropy": lambda t: alpha / 2 - 1 / (1 + t.exp()),
        "label-relaxation": lambda t: (alpha - 1 / (1 + t.exp())).min(arb(0)),
        "mean-squared-error": lambda t: (t - (1 - alpha)) / 2,
        "squared-hinge": lambda t: (t - 1).min(arb(0)),
        "hinge": lambda t: arb(-1),
    }
    return slopes[loss]


@lru_cache(maxsize=20_000)
def _solved(case: Case, bits: int) -> Dilation:
    return solution(case.problem())


def solved(case: Case) -> Dilation:
    """The solution in balls, at the working precision."""
    return _solved(case, ctx.prec)


def solution(problem: NoisyProblem) -> Dilation:
    """The solution of a problem in balls: a guess in double precision, enclosed by proved signs."""
    s = problem.classes.margin

    def residual(travelled: arb) -> arb:
        return problem.residual(travelled - s)

    return problem.at_margin(enclosed(residual) - s)


def enclosed(residual: Callable[[arb], arb]) -> arb:
    """The positive root of an increasing function that is negative at zero, in a ball about 1e-33 wide (relative)."""
    high = _first(1.0, 2.0, lambda x: residual(arb(x)) > 0)
    low = _first(high, 1 / 16, lambda x: residual(arb(x)) < 0)
    guess = float(brentq(lambda x: float(residual(arb(x)).mid()), low, high, xtol=1e-15 * low, rtol=1e-13))
    ends, values = _around(residual, arb(guess))
    for width in FINER:
        below, above = values[0].mid(), values[1].mid()
        middle = ((ends[0] * above - ends[1] * below) / (above - below)).mid()
        closer = middle - arb(guess * width), middle + arb(guess * width)
        found = residual(closer[0]), residual(closer[1])
        if not (found[0] < 0 and found[1] > 0):
            break
        ends, values = closer, found
    return ends[0].union(ends[1])


def _around(residual: Callable[[arb], arb], guess: arb) -> tuple[tuple[arb, arb], tuple[arb, arb]]:
    """Ends on either side of the root, and the residual there."""
    for exponent in range(-11, 0):
        width = guess * arb(10) ** exponent
        ends = (guess - width).mid(), (guess + width).mid()
        values = residual(ends[0]), residual(ends[1])
        if values[0] < 0 and values[1] > 0:
            return ends, values
    raise AssumptionError(f"root: no proved change of sign near {guess.str(6)}")


def _first(start: float, factor: float, found: Callable[[float], bool]) -> float:
    """The first of start, start factor, ... where a sign is proved."""
    for step in range(MOST_STEPS):
        if found(start * factor**step):
            return start * factor**step
    raise AssumptionError("root: no proved sign on one side")


@dataclass(frozen=True, slots=True)
class Part:
    """One number of the solution at a point: an attribute of `Dilation`; ``fixed`` overrides what the point says."""

    name: str
    fixed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    renamed: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    def __call__(self, **point: Any) -> arb:
        """The number."""
        value: arb = getattr(solved(self.case(point)), self.name)
        return value

    def case(self, point: Mapping[str, Any]) -> Case:
        """The problem at a point."""
        moved = {name: point[other] for name, other in self.renamed.items()}
        return Case.at({**point, **moved}, **self.fixed)


@dataclass(frozen=True, slots=True)
class Shape:
    """One number of the configuration at a point: an attribute of `TwoClasses`."""

    name: str
    fixed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def __call__(self, **point: Any) -> arb:
        """The number."""
        value: arb = getattr(Case.at({"noise": 0.0, "slope": 1.0, **point}, **self.fixed).classes(), self.name)
        return value


def relaxed(point: Mapping[str, Any], **fixed: Any) -> Case:
    """Label relaxation with half the smoothing of the point: the same margin and the same class means."""
    return Case.at({**point, "smoothing": point["smoothing"] / 2}, loss="label-relaxation", **fixed)
