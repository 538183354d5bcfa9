r"""Phases proved in ball arithmetic on whole boxes of parameters: cross-entropy with smoothing, any spread with balls.

With ``ratio = sqrt(weight decay / feature decay)`` (times sqrt 2 for free features), so that D^2 = 2 ratio s, c = D^q/C, P(K) =
E zeta phi'(s + K zeta) and lam the decay of noisy features, the two signs that tell the phase are

.. math::
    \text{not memorised} \iff c\,P(\eta c s z) > z\,\big(\tfrac{1-\alpha}{2} - \mathrm{ratio}\,\lambda\,\eta c^2\big),
    \qquad z^2 = 1 + \Big(\frac{\lambda}{\lambda+\nu_0}\Big)^2,\ \nu_0 = \frac{1-\alpha}{2\,\mathrm{ratio}},

.. math::
    ND < \frac1{2R} \iff \nu y + \lambda(y - 1) + \frac{\varphi'(s(y-1))}{\mathrm{ratio}} > 0,\qquad
    \nu = \eta c^2\Big(\frac{R\,P(s/R)}{\mathrm{ratio}} + \lambda\Big),\
    y^2 = \frac1{(R\eta c)^2} - \Big(\frac{\lambda}{\lambda+\nu}\Big)^2,

where the squares of shares count for nonnegative features only (`derivations/phase_signs.py`). Every parameter occurs few
times, so boxes stay tight. The first set shrinks and the second grows in the noise: one end of a noise range proves the
whole range.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import arb

from mdtheory.losses import CrossEntropy
from mdtheory.models.dilation.balls import TwoClasses, logistic_pull, smoothed_slope
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.parameters import canonical
from mdtheory.numerics.ball_precision import precision
from mdtheory.spreads import Sphere, TwoPoint

BITS = 64

# P increases in its argument: beyond this its value there is a lower bound that is good enough, and quick.
_WIDE = 24.0
_NAMES = ("noise", "slope", "noisy_feature_decay", "weight_decay", "feature_decay", "decay", "loss.smoothing")

Interval = tuple[float, float]
Box = Mapping[str, Interval]


def can_certify(problem: MemorizationDilation, axes: tuple[str, ...]) -> str:
    """Why the phases of a problem cannot be proved over these axes; empty if they can."""
    loss = problem.ufm.loss
    if problem.ufm.num_classes != 2:
        return f"only two classes have their phases proved, not {problem.ufm.num_classes}"
    if problem.given_configuration is not None:
        return "a given configuration has no proof here"
    if not isinstance(loss, CrossEntropy):
        return f"only cross-entropy has its phases proved, not {type(loss).__name__}"
    if not isinstance(problem.spread, (Sphere, TwoPoint)):
        return f"only Sphere and TwoPoint are evaluated in ball arithmetic, not {type(problem.spread).__name__}"
    if problem.nonnegative_noisy_features:
        return "nonnegative noisy features have no proof here"
    for axis in axes:
        if canonical(axis) not in _NAMES:
            return f"the parameter {axis!r} has no ball form"
    return ""


@dataclass
class Certifier:
    """Proves phases of one problem on boxes of its parameters.

    Parameters
    ----------
    problem : MemorizationDilation
        One point: the parameters that are not in a box.
    splits : int
        How often a box is halved, at most, before it is left undecided.
    """

    problem: MemorizationDilation
    splits: int = 3
    _pulls: dict[Any, Any] = field(default_factory=dict)

    def memorized(self, box: Box) -> bool:
        """Whether noisy examples are provably memorised in the whole box (for the noise, its upper end)."""
        return self._everywhere(self._is_memorized, box, "noise", 1)

    def not_memorized(self, box: Box) -> bool:
        """Whether they are provably not (for the noise, its lower end)."""
        return self._everywhere(self._is_not_memorized, box, "noise", 0)

    def overlapping(self, box: Box) -> bool:
        """Whether ND > 1/(2 radius) provably (for the noise, its lower end)."""
        return self._everywhere(self._is_overlapping, box, "noise", 0)

    def separated(self, box: Box) -> bool:
        """Whether ND < 1/(2 radius) provably (for the noise, its upper end)."""
        return self._everywhere(self._is_separated, box, "noise", 1)

    # -------------------------------------------------------------------------- boxes

    def _everywhere(self, proved: Callable[["_Balls"], bool], box: Box, monotone: str, end: int) -> bool:
        shrunk = {name: (side[end], side[end]) if canonical(name) == monotone else side for name, side in box.items()}
        with precision(BITS):
            return self._on_parts(proved, shrunk, self.splits)

    def _on_parts(self, proved: Callable[["_Balls"], bool], box: dict[str, Interval], splits: int) -> bool:
        balls = _Balls.of(self.problem, box)
        if balls.alive and proved(balls):
            return True
        wide = [name for name, (low, high) in box.items() if high > low]
        if splits == 0 or not wide:
            return False
        name = wide[splits % len(wide)]
        low, high = box[name]
        middle = 0.5 * (low + high)
        return all(self._on_parts(proved, {**box, name: part}, splits - 1) for part in ((low, middle), (middle, high)))

    def _pull(self, s: Any, k: Any) -> Any:
        """P at exact arguments, remembered; nan, which proves nothing, where a ball has grown beyond all bounds."""
        if not (s.is_finite() and k.is_finite()):
            return arb("nan")
        key = (tuple(s.man_exp()), tuple(k.man_exp()))
        if key not in self._pulls:
            self._pulls[key] = logistic_pull(self.problem.spread)(s, k)
        return self._pulls[key]

    def _most(self, s: Any, k: Any) -> Any:
        """An upper bound of P: it decreases in s and increases in K, at most to half the mean of |zeta|."""
        return self._pull(s.lower(), k.upper()).upper()

    def _least(self, s: Any, k: Any) -> Any:
        return self._pull(s.upper(), k.lower().min(arb(_WIDE)).max(arb(0))).lower()

    # -------------------------------------------------------------------------- signs

    def _is_memorized(self, b: "_Balls") -> bool:
        needed = b.reach * ((1 - b.alpha) / 2 - b.ratio * b.lam * b.eta * b.c**2)
        # P never exceeds E|zeta|/2: far inside no integral is needed.
        if bool(b.c * self._half_mean() < needed):
            return True
        if not bool(needed > 0):
            return False
        return bool(b.c * self._most(b.s, b.eta * b.c * b.s * b.reach) < needed)

    def _is_not_memorized(self, b: "_Balls") -> bool:
        needed = b.reach * ((1 - b.alpha) / 2 - b.ratio * b.lam * b.eta * b.c**2)
        if bool(needed < 0):
            return True
        return bool(b.c * self._least(b.s, b.eta * b.c * b.s * b.reach) > needed)

    def _is_separated(self, b: "_Balls") -> bool:
        return bool(self._balance(b) > 0)

    def _is_overlapping(self, b: "_Balls") -> bool:
        return bool(b.eta > 0) and bool(self._balance(b) < 0)

    def _balance(self, b: "_Balls") -> Any:
        radius = arb(1) if isinstance(self.problem.spread, Sphere) else 1 / arb(self.problem.spread.dim).sqrt()
        k = b.s / radius
        pull = self._least(b.s, k).union(self._most(b.s, k))
        nu = b.eta * b.c**2 * (radius * pull / b.ratio + b.lam)
        y = 1 / (radius * b.eta * b.c)
        if b.mean and not b.lam.is_zero():
            square = y**2 - (b.lam / (b.lam + nu)) ** 2
            y = square.lower().max(arb(0)).sqrt().union(square.upper().max(arb(0)).sqrt())
        return nu * y + b.lam * (y - 1) + smoothed_slope(b.alpha)(b.s * (y - 1)) / b.ratio

    def _half_mean(self) -> Any:
        """``E|zeta|/2``."""
        dim = arb(self.problem.spread.dim)
        if isinstance(self.problem.spread, TwoPoint):
            return 1 / dim.sqrt() / 2
        return (dim / 2).gamma() / ((dim + 1) / 2).gamma() / arb.pi().sqrt() / 2


@dataclass(frozen=True, slots=True)
class _Balls:
    """The quantities of a box."""

    alive: bool
    s: Any
    ratio: Any
    alpha: Any
    eta: Any
    c: Any
    lam: Any
    reach: Any
    mean: bool

    @classmethod
    def of(cls, problem: MemorizationDilation, box: dict[str, Interval]) -> "_Balls":
        values = _parameters(problem, box)
        nonnegative = problem.ufm.nonnegative
        weight, feature, alpha = values["weight_decay"], values["feature_decay"], values["loss.smoothing"]
        classes = TwoClasses.cross_entropy(weight, feature, alpha, nonnegative=nonnegative)
        ratio = (weight / feature).sqrt() if "decay" not in values else arb(1)
        ratio *= 1 if nonnegative else arb(2).sqrt()
        s = classes.margin
        lam = values["noisy_feature_decay"]
        alive = bool(s.is_finite()) and bool(s > 0)
        c = (classes.mean_distance if problem.scaling == "absolute" else arb(1)) / values["slope"]
        reach = arb(1)
        if nonnegative and not lam.is_zero():
            reach = _reach(lam, (1 - alpha) / (2 * ratio))
        return cls(alive, s, ratio, alpha, values["noise"], c, lam, reach, nonnegative)


def _reach(lam: Any, nu0: Any) -> Any:
    """``sqrt(1 + (lam/(lam + nu0))^2)``, which grows with lam >= 0 and falls with nu0 >= 0: from the ends of the balls."""
    ends = (lam.lower().max(arb(0)), nu0.upper()), (lam.upper(), nu0.lower().max(arb(0)))
    low, high = ((1 + (a / (a + b)) ** 2).sqrt() for a, b in ends)
    return low.union(high)


def _parameters(problem: MemorizationDilation, box: Box) -> dict[str, Any]:
    ufm = problem.ufm
    values = {
        "noise": problem.noise,
        "slope": problem.slope,
        "noisy_feature_decay": 0.0 if problem.noisy_feature_decay is None else problem.noisy_feature_decay,
        "weight_decay": ufm.weight_decay,
        "feature_decay": ufm.feature_decay,
        "loss.smoothing": getattr(ufm.loss, "smoothing", 0.0),
    }
    balls: dict[str, Any] = {name: arb(float(np.asarray(value))) for name, value in values.items()}
    balls |= {canonical(name): arb(low).union(arb(high)) for name, (low, high) in box.items()}
    if "decay" in balls:
        balls["weight_decay"] = balls["feature_decay"] = balls["decay"]
    if problem.noisy_feature_decay is None and "noisy_feature_decay" not in map(canonical, box):
        balls["noisy_feature_decay"] = balls["feature_decay"]
    return balls
