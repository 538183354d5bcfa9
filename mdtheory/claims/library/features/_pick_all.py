"""Pick-all-labels with label sets of one and two classes: explicit factors and dual points over all sets, in balls."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, ctx
from scipy.optimize import minimize

from mdtheory.claims.domains import Domain, Integers, Interval
from mdtheory.claims.library._matrices import dot, log_sum_exp, newton, operator_norm, softmax, transposed
from mdtheory.claims.library._optima import Optimum, best_of
from mdtheory.claims.library._symbols import feature_decay, num_classes, weight_decay

SIZES = (1, 2)

singles = sp.Symbol("singles", positive=True)
VARIABLES: Mapping[sp.Symbol, Domain] = {
    num_classes: Integers(3, 6),
    singles: Interval(0.05, 0.95),
    weight_decay: Interval(0.003, 1.0, log=True),
    feature_decay: Interval(0.003, 1.0, log=True),
}
ROUTE = "explicit factors and a dual point over all label sets, in balls"


def solve(num_classes: int, singles: float, weight_decay: float, feature_decay: float) -> Optimum:
    """The optimum, a point being the margins of both sizes; ``singles`` is the share of the sets of size one."""
    return _solve(num_classes, singles, weight_decay, feature_decay, ctx.prec)


@lru_cache(maxsize=5000)
def _solve(n: int, singles: float, weight_decay: float, feature_decay: float, bits: int) -> Optimum:
    problem = _Problem(n, (arb(singles), 1 - arb(singles)), arb(weight_decay), arb(feature_decay))

    def attempts() -> Iterator[Optimum]:
        for start in (3.0, 0.3, 0.03):
            a = problem.margins(start)
            yield Optimum(lower=problem.dual(a), upper=problem.primal(a), point=tuple(a))

    return best_of(attempts())


@dataclass(frozen=True, slots=True)
class _Problem:
    """Logits ``a_m (1_S - m/N)`` for the sets S of size m, which have the total share omega_m."""

    n: int
    omega: tuple[arb, arb]
    weight_decay: arb
    feature_decay: arb

    def sets(self) -> list[tuple[int, tuple[int, ...], arb]]:
        """Index of the size, members and share of every set."""
        found = []
        for index, size in enumerate(SIZES):
            members = list(combinations(range(self.n), size))
            found += [(index, m, self.omega[index] / len(members)) for m in members]
        return found

    def logits(self, a: list[arb], index: int, members: tuple[int, ...]) -> list[arb]:
        """One column."""
        return [a[index] * (arb(int(i in members)) - arb(SIZES[index]) / self.n) for i in range(self.n)]

    def primal(self, a: list[arb]) -> arb:
        """The objective at W = c (I - J/N) and h_S = z_S/c, with the best c."""
        loss, squares = arb(0), arb(0)
        for index, members, share in self.sets():
            z = self.logits(a, index, members)
            loss += share * (SIZES[index] * log_sum_exp(z) - sum((z[i] for i in members), arb(0)))
            squares += share * dot(z, z)
        return loss + 2 * (self.weight_decay * (self.n - 1) * self.feature_decay * squares).sqrt()

    def dual(self, a: list[arb]) -> arb:
        """The entropy bound from the gradient, scaled into the ball of the dual norm."""
        columns, parts = [], []
        for index, members, share in self.sets():
            m, z = SIZES[index], self.logits(a, index, members)
            v = [m * s - int(i in members) for i, s in enumerate(softmax(z))]
            columns.append([share.sqrt() * x for x in v])
            parts.append((m, members, share, v))
        t = 2 * (self.weight_decay * self.feature_decay).sqrt()
        theta = (t / operator_norm(transposed(columns))).min(arb(1))
        total = arb(0)
        for m, members, share, v in parts:
            q = [int(i in members) + theta * x for i, x in enumerate(v)]
            total -= share * sum((x * (x / m).log() for x in q), arb(0))
        return total

    def margins(self, start: float) -> list[arb]:
        """Descent in double precision, then Newton's method."""
        n, t = self.n, 2 * (self.weight_decay * self.feature_decay).sqrt()
        sizes, omega = np.array(SIZES), np.array([float(w) for w in self.omega])
        lengths, cost = sizes * (n - sizes) / n, float(t) * np.sqrt(n - 1)

        def both(a: Any) -> Any:
            size = np.sqrt((omega * lengths * a**2).sum() + 1e-40)
            loss = sizes * np.log(sizes * np.exp(a) + n - sizes) - sizes * a
            slope = -sizes * (n - sizes) / (sizes * np.exp(a) + n - sizes)
            return (omega * loss).sum() + cost * size, omega * slope + cost * omega * lengths * a / size

        def gradient(a: list[arb]) -> list[arb]:
            squares = [w * m * (n - m) / n * x**2 for w, m, x in zip(self.omega, SIZES, a, strict=True)]
            size = sum(squares, arb(0)).sqrt()
            return [
                w * m * (n - m) * (t * arb(n - 1).sqrt() * x / (n * size) - 1 / (m * x.exp() + n - m))
                for w, m, x in zip(self.omega, SIZES, a, strict=True)
            ]

        options: Any = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 300}
        bounds: Any = [(1e-15, 60), (1e-15, 60)]
        found = minimize(both, np.full(2, start), jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        rough = [arb(x) for x in found.x.tolist()]
        if min(found.x) < 1e-7:
            return rough
        polished = newton(gradient, rough, (0, 1))
        return polished if all(x > 0 for x in polished) else rough
