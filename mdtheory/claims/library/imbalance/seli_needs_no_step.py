"""The max-margin problem has the logits I - J/N for every proportion, not only for step imbalance."""

from collections.abc import Sequence

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Proportions
from mdtheory.claims.library._field import pi, pi_1, pi_2, pi_3
from mdtheory.claims.library._matrices import eigenvalues, operator_norm
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal, greater
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray

shares = sp.Symbol("shares", positive=True)
optimum, of_four, cost, least = sp.symbols("optimum of_four cost ell", positive=True)


def _multipliers(proportions: Sequence[float]) -> FloatArray:
    """A guess of the multipliers: minus the square root of (CPC)^+, times the proportions."""
    n = len(proportions)
    centring = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(centring @ np.diag(proportions) @ centring)
    root = (vectors[:, 1:] / np.sqrt(values[1:])) @ vectors[:, 1:].T
    return np.asarray(-root * np.asarray(proportions))


def _bound(proportions: tuple[float, ...]) -> arb:
    """Weak duality: multipliers beta >= 0 give ``sum beta / ||V P^(-1/2)||``, V = beta with columns of zero sum."""
    n, guess = len(proportions), _multipliers(proportions)
    rows, total = [[arb(0)] * n for _ in range(n)], arb(0)
    for k in range(n):
        for j in range(n):
            if j != k:
                beta = arb(float(guess[j, k]))
                if not beta >= 0:
                    raise AssumptionError(f"multiplier ({j}, {k}): negative")
                rows[j][k], rows[k][k], total = beta, rows[k][k] - beta, total + beta
    return total / operator_norm([[v / arb(p).sqrt() for v, p in zip(row, proportions, strict=True)] for row in rows])


def _cost(proportions: tuple[float, ...]) -> arb:
    """The nuclear norm of ``C P^(1/2)``: C is feasible."""
    n, exact = len(proportions), [arb(p) for p in proportions]
    rows = [[(exact[i] if i == j else 0) - (exact[i] * exact[j]).sqrt() / n for j in range(n)] for i in range(n)]
    # D C D has the eigenvalues of C P C; the smallest is zero.
    return sum((value.sqrt() for value in eigenvalues(rows)[1:]), arb(0))


def _optimum(pi: tuple[float, ...]) -> arb:
    return _bound(pi).union(_cost(pi))


def _of_four(shares: tuple[float, ...]) -> arb:
    return _bound(shares).union(_cost(shares))


def _cost_of_four(shares: tuple[float, ...]) -> arb:
    return _cost(shares)


def _least(shares: tuple[float, ...]) -> arb:
    """The least multiplier over its proportion, from the eigenvectors in double precision: of a sign only."""
    ratios = _multipliers(shares) / np.asarray(shares)
    return arb(float(ratios[~np.eye(len(shares), dtype=bool)].min()))


CLAIM = Claim(
    id="seli-needs-no-step",
    title="Max-margin logits for any proportions",
    statement=(
        r"Free features of dimension at least $N - 1$: whatever the proportions, the max-margin problem has the optimal logits "
        r"$C = I - J/N$: the bound of weak "
        r"duality equals $\Vert C P^{1/2} \Vert_*$. For three classes that is $\sqrt{2/3 + 2 \sqrt{e_2/3}}$, "
        r"$e_2 = p_1 p_2 + p_1 p_3 + p_2 p_3$."
    ),
    source=Source(
        "thrampoulidis2022",
        "abstract: SELI irrespective of class imbalances, vanishing regularisation; multipliers and value: this project",
    ),
    variables={pi: Proportions(3), shares: Proportions(4)},
    quantities={
        optimum: Quantity(at=_optimum, convex=True, route="between a feasible point and a dual point, both in balls"),
        of_four: Quantity(at=_of_four, convex=True, route="between a feasible point and a dual point, both in balls"),
        cost: Quantity(at=_cost_of_four, route="eigenvalues in balls"),
        least: Quantity(at=_least, rigorous=False, route="eigenvectors in double precision"),
    },
    relations=(
        equal(
            optimum,
            sp.sqrt(2 * (pi_1 + pi_2 + pi_3) / 3 + 2 * sp.sqrt((pi_1 * pi_2 + pi_1 * pi_3 + pi_2 * pi_3) / 3)),
        ),
        equal(of_four, cost),
        greater(least, 0),
    ),
    expected=Verdict.PROVED,
    hypotheses=("max-margin problem", "one-hot labels", "free features", "enough features"),
    derivation="derivations/seli.py",
    notes="The positive multipliers mean obtuse class means. How slowly the limit is reached: seli-limit.",
)
