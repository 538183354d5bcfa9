"""Cross-entropy with two kinds of classes, solved by symmetry and enclosed by primal and dual values in balls.

Classes of one kind are interchangeable, so an optimal Z has one multiple of ``e_i`` minus the mean for each kind and one
direction between the kinds; the nuclear norm splits in the same way. Both bounds hold for the whole problem.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray
from scipy.optimize import minimize

from mdtheory.claims.library._matrices import newton
from mdtheory.claims.library._optima import Optimum, best_of

Floats = NDArray[np.float64]
Multiples = tuple[arb, ...]

RESOLVED = 1e-20
ZERO, ONE = arb(0), arb(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Classes that are alike: how many, and the proportion, loss weight, logit scale and decay weight of each."""

    count: int
    proportion: arb
    weight: arb = ONE
    scale: arb = ONE
    decay: arb = ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoLevels:
    """``sum p_n [omega_n loss(Delta_n z_n) + lH rho_n ||h_n||^2] + lW ||W||^2`` with two kinds of classes.

    ``nuclear`` is ``2 sqrt(lW lH)``. A point is (a, b, x, y): columns ``a (e_i - 1_A/k) + x w`` and
    ``b (e_i - 1_B/k) - y w`` with ``w = 1_A/k_A - 1_B/k_B``.
    """

    first: Kind
    second: Kind
    nuclear: arb
    smoothing: arb = ZERO

    def logits(self, kind: Kind, other: Kind, own: arb, between: arb) -> tuple[arb, arb, arb]:
        """The entries of a column: its own class, any other of its kind, any of the other kind."""
        rest = (between - own) / kind.count
        return own + rest, rest, -between / other.count

    def labels(self) -> tuple[arb, arb]:
        """The label of the own class and of any other."""
        rest = self.smoothing / (self.first.count + self.second.count)
        return 1 - self.smoothing + rest, rest

    def residual(self, kind: Kind, other: Kind, own: arb, between: arb) -> tuple[arb, arb, arb]:
        """softmax - y of a column, entries as in `logits`."""
        inside, beside, beyond = self.logits(kind, other, own, between)
        second, third = (kind.scale * (beside - inside)).exp(), (kind.scale * (beyond - inside)).exp()
        total, rest = 1 + (kind.count - 1) * second + other.count * third, self.labels()[1]
        tails = second / total - rest, third / total - rest
        return -(kind.count - 1) * tails[0] - other.count * tails[1], *tails

    def _sides(self, point: Multiples) -> tuple[tuple[Kind, Kind, arb, arb], ...]:
        a, b, x, y = point
        return (self.first, self.second, a, x), (self.second, self.first, b, y)

    @property
    def _width(self) -> arb:
        """The length of w."""
        return (1 / arb(self.first.count) + 1 / arb(self.second.count)).sqrt()

    def primal(self, point: Multiples) -> arb:
        """The objective."""
        total, squares = arb(0), arb(0)
        for kind, other, own, between in self._sides(point):
            inside, beside, beyond = (kind.scale * z for z in self.logits(kind, other, own, between))
            lags = ((kind.count - 1, beside - inside), (other.count, beyond - inside))
            # The label has sum 1: lse(z) - <y, z> is lse(z - z_own) - <y, z - z_own>.
            loss = sum((n * lag.exp() for n, lag in lags), arb(0)).log1p()
            loss -= self.labels()[1] * sum((n * lag for n, lag in lags), arb(0))
            root = (kind.proportion * kind.decay).sqrt()
            total += kind.count * kind.proportion * kind.weight * loss
            total += self.nuclear * (kind.count - 1) * root * abs(own)
            squares += kind.count * (root * between) ** 2
        return total + self.nuclear * self._width * squares.sqrt()

    def singular_values(self, point: Multiples) -> tuple[arb, arb, arb]:
        """Of the gradient: on the zero-sum vectors of each kind, and between the kinds."""
        blocks, squares = [], arb(0)
        for kind, other, own, between in self._sides(point):
            v = self.residual(kind, other, own, between)
            factor = (kind.proportion / kind.decay).sqrt() * kind.weight * kind.scale
            blocks.append(factor * abs(v[0] - v[1]) if kind.count > 1 else arb(0))
            squares += kind.count * (factor * other.count * v[-1]) ** 2
        return blocks[0], blocks[1], self._width * squares.sqrt()

    def dual(self, point: Multiples, *, merged: bool = False) -> arb:
        """The entropy bound; ``merged``: for the problem in which the second kind coincides."""
        first, second, between = self.singular_values(point)
        norm = first.max(between) if merged else first.max(second).max(between)
        theta = arb(1) if norm <= self.nuclear else (self.nuclear / norm).min(arb(1))
        total = arb(0)
        for kind, other, own, distance in self._sides(point):
            v = self.residual(kind, other, own, distance)
            rest = self.labels()[1]
            others = [(n, rest + theta * r) for n, r in ((kind.count - 1, v[1]), (other.count, v[2])) if n > 0]
            # The own probability may be 1 - 1e-200: its logarithm from what is missing.
            missing = sum((n * q for n, q in others), arb(0))
            mixing = -(1 - missing) * (-missing).log1p() - sum((n * q * q.log() for n, q in others), arb(0))
            total += kind.count * kind.proportion * kind.weight * mixing
        return total

    def gradient(self, point: Multiples) -> list[arb]:
        """The derivatives by a, b (over the multiplicities), x and y, where all are positive."""
        slopes, tails = [], []
        length = sum(
            (k.count * k.proportion * k.decay * between**2 for k, _, _, between in self._sides(point)), arb(0)
        ).sqrt()
        for kind, other, own, between in self._sides(point):
            v = self.residual(kind, other, own, between)
            pull = kind.proportion * kind.weight * kind.scale
            square = kind.proportion * kind.decay
            slopes.append(pull * (v[0] - v[1]) + self.nuclear * square.sqrt() if kind.count > 1 else arb(0))
            n = kind.count + other.count
            tails.append(-n * pull * v[-1] + self.nuclear * self._width * kind.count * square * between / length)
        return slopes + tails

    def solve(self, *, merged: bool = False) -> Optimum:
        """The optimum, with the second kind forced to coincide if ``merged``."""

        def attempts() -> Iterator[Optimum]:
            # A large first step can land in the corner at zero, where the objective is not smooth.
            for share in (1.0, 0.1, 0.01):
                point = self._polished(self._approximate(merged, share))
                yield Optimum(lower=self.dual(point, merged=merged), upper=self.primal(point), point=point)

        return best_of(attempts())

    def _approximate(self, merged: bool, share: float) -> Floats:
        """In double precision; the objective over t, so that its scale is that of the logits."""
        kinds, t, alpha = (self.first, self.second), float(self.nuclear), float(self.smoothing)
        k = np.array([kind.count for kind in kinds])
        p, omega, delta, rho = np.array(
            [[float(x) for x in (kind.proportion, kind.weight, kind.scale, kind.decay)] for kind in kinds]
        ).T
        others, rest, pull, square = k[::-1], alpha / k.sum(), k * p * omega, p * rho
        width = np.sqrt((1 / k).sum())

        def both(point: Any) -> Any:
            own, between = point[:2], point[2:]
            beside, beyond = -delta * own, -delta * (own + (between - own) / k + between / others)
            u, v = (k - 1) * np.exp(np.minimum(beside, 500)), others * np.exp(np.minimum(beyond, 500))
            loss = np.log1p(u + v) - rest * ((k - 1) * beside + others * beyond)
            a, b = u / (1 + u + v) - (k - 1) * rest, v / (1 + u + v) - others * rest
            length = np.sqrt((k * square * between**2).sum() + 1e-40)
            value = (pull * loss).sum() / t + ((k - 1) * np.sqrt(square) * own).sum() + width * length
            slope_own = -pull * delta * (a + b * (1 - 1 / k)) / t + (k - 1) * np.sqrt(square)
            slope_between = -pull * delta * b * (1 / k + 1 / others) / t + width * k * square * between / length
            return float(value), np.concatenate([slope_own, slope_between])

        bounds: Any = [(0, None), (0, 0 if merged else None), (1e-15, None), (1e-15, None)]
        start = np.full(4, share * max(1.0, -np.log(t)))
        start[1] *= not merged
        options: Any = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 300}
        found = minimize(both, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        return np.asarray(found.x)

    def _polished(self, start: Floats) -> Multiples:
        """Newton's method on the multiples that are not zero; the start itself where that leads nowhere."""
        rough = tuple(map(arb, start.tolist()))
        counts = (self.first.count, self.second.count)
        free = [i for i in range(4) if (i > 1 or counts[i] > 1) and start[i] > 1e-7]
        if len({2, 3} & set(free)) == 1:
            return rough
        point = [rough[i] if i in free else arb(0) for i in range(4)]
        if free:
            try:
                point = newton(lambda x: self.gradient(tuple(x)), point, free)
            except ZeroDivisionError:  # a corner of the norm just missed: no smooth minimum is near
                return rough
        return tuple(point) if all(point[i] > 0 for i in free) else rough


def step_imbalance(majority: int, minority: int, share: float, weight_decay: float, feature_decay: float) -> TwoLevels:
    """The problem with two proportions; ``share`` is that of all classes of the first kind."""
    return TwoLevels(
        first=Kind(count=majority, proportion=arb(share) / majority),
        second=Kind(count=minority, proportion=(1 - arb(share)) / minority),
        nuclear=2 * (arb(weight_decay) * arb(feature_decay)).sqrt(),
    )


def gain_of_separation(problem: TwoLevels) -> arb:
    """How much worse the optimum becomes when the second kind must coincide, up to what balls resolve.

    Positive: proved not to coincide at any optimum. Negative: proved to be the same within the resolution.
    """
    return problem.solve(merged=True).value - problem.solve().value - arb(RESOLVED)
