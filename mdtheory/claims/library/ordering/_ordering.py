"""Memorization and dilation on whole boxes: signs of the residual along a guessed memorization, in ball arithmetic.

Two classes, cross-entropy with smoothing, one decay for weights and features, sphere. Where the residual of stationarity
is negative for a memorization, the optimum memorises and dilates more than that; where it is positive, less. Guesses
are made in double precision; any guess would do, a good one needs fewer boxes.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb
from scipy.optimize import brentq

from mdtheory.claims.library._noisy import ON_SPHERE, UNSMOOTHED, solved
from mdtheory.claims.library.ordering._centred import Centred, affine, constant, log_pull, log_sum, parameters
from mdtheory.claims.model import Quantity

Balls = Mapping[str, arb]
Numbers = Mapping[str, float]
BETWEEN = (0.5, 0.45)
"""How far from one loss to the other the dilations lie that both are compared with."""
SMOOTHINGS = ("smoothing", "more_smoothing")
LOG = ("decay", "noise", "slope", *SMOOTHINGS)
"""The parameters that are split, and centred, by their logarithms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The memorization-dilation problems of one setting.

    ``noisy_decay`` gives the decay of noisy features from the common decay: "none", "same", or a decimal string.
    """

    nonnegative: bool = True
    scaling: str = "absolute"
    noisy_decay: str = "none"

    @property
    def exponent(self) -> int:
        """q."""
        return 1 if self.scaling == "absolute" else 0

    def decay_of_noisy(self, decay: float) -> float:
        """Lambda at a point of plain numbers."""
        return decay if self.noisy_decay == "same" else 0.0 if self.noisy_decay == "none" else float(self.noisy_decay)

    def log_decay_of_noisy(self, log_decay: Centred) -> Centred | None:
        """The logarithm of lambda on a box; None for no decay."""
        if self.noisy_decay == "none":
            return None
        return log_decay if self.noisy_decay == "same" else constant(arb(self.noisy_decay).log(), log_decay)

    def solved(self, smoothing: str | None = None, part: str = "normalized") -> Quantity:
        """One number of the solution at a point, for the smoothing that a variable holds (None: no smoothing)."""
        fixed = {**ON_SPHERE, "nonnegative": self.nonnegative, "scaling": self.scaling}
        renamed = {}
        if smoothing is None:
            fixed |= UNSMOOTHED
        else:
            renamed["smoothing"] = smoothing
        if self.noisy_decay == "same":
            renamed["noisy_decay"] = "decay"
        else:
            fixed["noisy_decay"] = 0.0 if self.noisy_decay == "none" else float(self.noisy_decay)
        return solved(part, fixed, renamed)


@dataclass(frozen=True, slots=True)
class Side:
    """A number with the sign of the residual on a box, and log ND, for one memorization.

    Where ``exact`` is False, memorization may have nothing to gain: the first is a lower bound, the second an upper one.
    """

    residual: Centred
    log_dilation: Centred
    exact: bool = True


def residual(
    family: Family,
    point: Mapping[str, Centred],
    log_smoothing: Centred | None,
    travelled: Callable[[Centred], Centred],
    dim: int,
) -> Side:
    r"""The residual of stationarity for a memorization with ``log x = travelled(log s)``, x its part along w_1 - w_2.

    With ``D^2 = 2Rs``, ``kap^2 = 2s/R``, R = 1 (nonnegative) or sqrt 2 (free), t = kap x - s and sigma the logistic
    function: ``(E zeta phi'(s + kap r zeta) + 2 lam r/kap)(x/rho) D^q/C + alpha/2 + lam R kap x/s`` against
    ``sigma(-t) + lam R``. All terms are positive, so their logarithms are used.
    """
    log_decay, log_noise, log_slope = (point[f"log_{name}"] for name in ("decay", "noise", "slope"))
    root = arb(1) if family.nonnegative else arb(2).sqrt()
    log_half = None if log_smoothing is None else log_smoothing - arb(2).log()
    log_e = log_decay + (arb(2) if family.nonnegative else arb(2).sqrt()).log()
    if log_half is not None:
        log_e = log_sum(log_e, log_half)
    s = log_e.log_of_rest() - log_e
    log_s = s.log()
    log_distance, log_weights = ((log_s + x.log()) * arb(0.5) for x in (2 * root, 2 / root))
    log_x = travelled(log_s)
    log_y = log_weights + log_x
    t = log_y.exp() - s
    log_lam = family.log_decay_of_noisy(log_decay)
    log_rho = log_pulled = log_x
    gains, exact = -t.softplus(), True
    costs = [] if log_half is None else [log_half]
    if log_lam is not None:
        log_lam_root = log_lam + root.log()
        gains = log_sum(gains, log_lam_root)
        costs.append(log_lam_root + log_y - log_s)
        if family.nonnegative:
            log_kept = log_sum(*costs) - gains
            exact = bool(log_kept.whole < 0)
            # rho^2 = x^2 + (share D/2)^2, and the share is at most one wherever memorization gains something.
            log_share = _log_share(gains + log_kept.log_of_rest(), log_lam, log_weights, log_x) if exact else log_x * 0
            log_rho = log_x + ((log_share + log_distance - log_x - arb(2).log()) * 2).softplus() * arb(0.5)
            log_pulled = log_rho if exact else log_x
    log_rate = log_distance * family.exponent - log_slope
    log_r = log_noise + log_pulled + log_rate
    opposed = [log_pull(dim, s, log_weights + log_r)]
    if log_lam is not None:
        opposed.append(log_lam + log_r - log_weights + arb(2).log())
    costs.append(log_sum(*opposed) + log_rate + log_x - log_rho)
    return Side(log_sum(*costs) - gains, log_noise + log_rho + log_rate - log_distance, exact)


def _log_share(log_gain: Centred, log_lam: Centred, log_weights: Centred, log_x: Centred) -> Centred:
    """``log(lam/(lam + nu))``, from ``2 nu x/kap``, what memorization gains."""
    log_nu = log_gain + log_weights - log_x - arb(2).log()
    return log_lam - log_sum(log_lam, log_nu)


def first_dilates_more(
    family: Family, first: str | None, second: str | None, between: tuple[float, float] = BETWEEN
) -> Callable[..., bool | None]:
    """A ``decide`` for ``ND(first) > ND(second)``: names of the variables that hold the smoothing (None: no smoothing).

    ``between``: how far from the second to the first, logarithmically, the two dilations lie that are compared with them.
    """

    def decide(**balls: arb) -> bool | None:
        dim = int(balls["dim"].unique_fmpz())
        reals = {name: ball for name, ball in balls.items() if name != "dim"}
        point = parameters(reals)
        middle = {name: float(point[f"log_{name}"].middle.exp().mid()) for name in reals}
        guesses = _guesses(family, middle, (first, second), between, dim)
        if guesses is None:
            return None

        def side(name: str | None, guess: tuple[float, list[float]]) -> Side:
            return residual(family, point, _log_of(point, name), lambda log_s: affine(*guess, like=log_s), dim)

        more = side(first, guesses[0])
        if not (more.exact and more.residual.whole < 0):
            return None
        fewer = side(second, guesses[1])
        apart = more.log_dilation - fewer.log_dilation
        return True if fewer.residual.whole > 0 and apart.whole >= 0 else None

    return decide


def dilation_against(family: Family, smoothing: str | None, threshold: str) -> Callable[..., bool | None]:
    """A ``decide``: True where ND < threshold on the box, False where above; for problems whose rho is x."""
    return _against(family, smoothing, lambda point, log_s: _memorization_at(family, point, log_s, arb(threshold)))


def noisy_margin_against_zero(family: Family, smoothing: str | None) -> Callable[..., bool | None]:
    """A ``decide``: True where the noisy margin is negative on the box, False where positive."""
    root = arb(1) if family.nonnegative else arb(2).sqrt()
    return _against(family, smoothing, lambda point, log_s: (log_s + (root / 2).log()) * arb(0.5))


def opposite(decide: Callable[..., bool | None]) -> Callable[..., bool | None]:
    """True for False and the other way round; unknown stays unknown."""

    def decided(**balls: arb) -> bool | None:
        known = decide(**balls)
        return None if known is None else not known

    return decided


def _against(
    family: Family, smoothing: str | None, travelled: Callable[[Mapping[str, Centred], Centred], Centred]
) -> Callable[..., bool | None]:
    def decide(**balls: arb) -> bool | None:
        dim = int(balls["dim"].unique_fmpz())
        point = parameters({name: ball for name, ball in balls.items() if name != "dim"})
        found = residual(family, point, _log_of(point, smoothing), lambda s: travelled(point, s), dim)
        value = found.residual.whole
        return True if value > 0 else False if found.exact and value < 0 else None

    return decide


def _log_of(point: Mapping[str, Centred], smoothing: str | None) -> Centred | None:
    return None if smoothing is None else point[f"log_{smoothing}"]


def _memorization_at(family: Family, point: Mapping[str, Centred], log_s: Centred, dilation: arb) -> Centred:
    """log of ``rho = ND C D^(1-q)/eta``, the distance travelled where noisy features have no decay or h_1 + h_2 = 0."""
    log_rho: Centred = point["log_slope"] - point["log_noise"] + dilation.log()
    if family.exponent == 0:
        log_rho = log_rho + (log_s + (arb(2) if family.nonnegative else 2 * arb(2).sqrt()).log()) * arb(0.5)
    return log_rho


# ---------------------------------------------------------------------- guesses, in double precision


def _guesses(
    family: Family, middle: Numbers, names: tuple[str | None, str | None], between: tuple[float, float], dim: int
) -> list[tuple[float, list[float]]] | None:
    """For each loss log x at a dilation between the two, and its slopes."""
    here = _between(family, middle, names, between, dim)
    if here is None:
        return None
    slopes: list[list[float]] = [[], []]
    for name in middle:
        step = 1e-4
        moved = {**middle, name: middle[name] * (1 + step)}
        there = _between(family, moved, names, between, dim)
        for i in range(2):
            slopes[i].append(0.0 if there is None else float(np.log(there[i] / here[i])) / step)
    return [(float(np.log(here[i])), slopes[i]) for i in range(2)]


def _between(
    family: Family, point: Numbers, names: tuple[str | None, str | None], between: tuple[float, float], dim: int
) -> tuple[float, float] | None:
    problems = [_Floats(family, point, 0.0 if name is None else point[name], dim) for name in names]
    solutions = [p.solve() for p in problems]
    more, fewer = (p.dilation(x) for p, x in zip(problems, solutions, strict=True))
    if not more > fewer:
        return None
    high, low = (more**share * fewer ** (1 - share) for share in between)
    return problems[0].travelled(high, solutions[0]), problems[1].travelled(low, solutions[1])


class _Floats:
    """The same residual in double precision."""

    def __init__(self, family: Family, point: Numbers, smoothing: float, dim: int) -> None:
        decay = point["decay"]
        self.nonnegative, self.exponent = family.nonnegative, family.exponent
        self.noise, self.slope, self.smoothing = point["noise"], point["slope"], smoothing
        self.lam = family.decay_of_noisy(decay)
        self.root = 1.0 if family.nonnegative else math.sqrt(2)
        e = smoothing / 2 + decay * (2.0 if family.nonnegative else 2**0.5)
        self.s = float(np.log(1 / e - 1))
        self.distance, self.weights = math.sqrt(2 * self.root * self.s), math.sqrt(2 * self.s / self.root)
        self.zeta, self.mass = _nodes(dim)

    def wish(self, x: float) -> float:
        t = self.weights * x - self.s
        return float(1 / (1 + np.exp(min(t, 600.0))) - self.smoothing / 2 - self.lam * self.root * t / self.s)

    def memorization(self, x: float) -> float:
        if not self.nonnegative or self.lam == 0.0:
            return x
        share = self.lam / (self.lam + self.weights * self.wish(x) / (2 * x))
        return math.hypot(x, share * self.distance / 2)

    def dilation(self, x: float) -> float:
        """ND."""
        return self.noise * self.memorization(x) * (1.0 if self.exponent else 1 / self.distance) / self.slope

    def residual(self, x: float) -> float:
        wish = self.wish(x)
        if wish <= 0:
            return 1.0
        rho = self.memorization(x)
        rate = (self.distance if self.exponent else 1.0) / self.slope
        r = self.noise * rho * rate
        return (self.pull(r) + 2 * self.lam * r / self.weights) * rate - rho / x * wish

    def kept(self, x: float) -> float:
        """The lower bound of the residual as boxes have it where nothing may be gained, as a difference of logarithms."""
        rate = (self.distance if self.exponent else 1.0) / self.slope
        r = self.noise * x * rate
        t = self.weights * x - self.s
        gains = float(1 / (1 + np.exp(min(t, 600.0)))) + self.lam * self.root
        opposed = (self.pull(r) + 2 * self.lam * r / self.weights) * rate * x / math.hypot(x, self.distance / 2)
        return math.log((opposed + gains - self.wish(x)) / gains)

    def pull(self, r: float) -> float:
        u = np.minimum(self.weights * r * self.zeta, 600.0)
        return float(self.mass @ (self.zeta * np.sinh(u) / (np.cosh(self.s) + np.cosh(u))))

    def solve(self) -> float:
        """The distance travelled at the solution."""
        high = 2 * self.s / self.weights
        while self.residual(high) <= 0:
            high *= 2
        return float(brentq(self.residual, 1e-9 * high, high, xtol=1e-12, rtol=1e-11))

    def travelled(self, dilation: float, solution: float) -> float:
        """The distance travelled at which the normalised dilation would be so large; short of where nothing is gained."""
        goal = dilation * self.slope / self.noise * (1.0 if self.exponent else self.distance)
        if not self.nonnegative or self.lam == 0.0:
            return goal
        if goal > self.memorization(solution):
            # Nearly nothing to gain: count the whole displacement towards the origin, which is what boxes can prove.
            safe = math.sqrt(max(goal**2 - (self.distance / 2) ** 2, 0.0))
            if safe > solution and self.kept(safe) > 0.15:
                return safe
        high = goal
        if self.wish(high) <= 0:
            high = 0.3 * solution + 0.7 * float(brentq(self.wish, solution, high))
        if self.memorization(high) <= goal:
            return high
        return float(brentq(lambda x: self.memorization(x) - goal, 1e-9 * goal, high, xtol=1e-12, rtol=1e-11))


@lru_cache(maxsize=64)
def _nodes(dim: int) -> tuple[Any, Any]:
    """Gauss-Legendre in the angle: zeta, and the weights of the density on the positive half, over two."""
    angle, weight = np.polynomial.legendre.leggauss(24)
    angle, weight = np.pi / 4 * (angle + 1), weight * np.cos(np.pi / 4 * (angle + 1)) ** (dim - 2)
    return np.sin(angle), weight / weight.sum() / 2
