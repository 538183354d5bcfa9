"""Total collapse for one-hot labels: the largest critical point of the polynomial whose zeros are the proportions."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval, Proportions
from mdtheory.claims.library._field import (
    BY_NEWTON,
    gain,
    majority,
    majority_proportion,
    minority,
    minority_proportion,
    nuclear,
    pi,
    pi_1,
    pi_2,
    pi_3,
    share,
)
from mdtheory.claims.library._matrices import largest_eigenvalue
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.library._two_levels import RESOLVED, step_imbalance
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal, positive_iff

largest, large, small = sp.symbols("x a b", positive=True)
steepest, steepest_of_three, sum_of_products = sp.symbols("steepest steepest_of_three e_2", positive=True)


def gain_of_learning(majority: int, minority: int, share: float, weight_decay: float, feature_decay: float) -> arb:
    """By how much the optimum is better than Z = 0."""
    solved = step_imbalance(majority, minority, share, weight_decay, feature_decay).solve()
    return arb(majority + minority).log() - solved.value - arb(RESOLVED)


def _steepest(majority: int, minority: int, share: float, weight_decay: float, feature_decay: float) -> arb:
    """The square of the gradient's operator norm at Z = 0."""
    zero = (arb(0),) * 4
    values = step_imbalance(majority, minority, share, weight_decay, feature_decay).singular_values(zero)
    return values[0].max(values[1]).max(values[2]) ** 2


def _steepest_of_three(pi: tuple[float, ...]) -> arb:
    """The same for three classes, from the matrix ``P^(1/2) (I - J/3) P^(1/2)`` itself."""
    p = [arb(x) for x in pi]
    return largest_eigenvalue(
        [[(p[i] if i == j else 0) - (p[i] * p[j]).sqrt() / 3 for j in range(3)] for i in range(3)]
    )


CLAIM = Claim(
    id="zero-collapse-proportions",
    title="Total collapse for unequal proportions",
    statement=(
        r"One-hot labels, cross-entropy, free features, no bias, any proportions, equal ones included: $Z = 0$ is optimal if and only "
        r"if $x \leq 4\mu^2$, where $x$ is the largest zero of the derivative of $\prod_k (x - p_k)$, that is, the largest proportion "
        r"if two classes share it, and the largest root of $\sum_k 1/(p_k - x) = 0$ otherwise: $x = (1 + \sqrt{1 - 3 e_2})/3$ for three "
        r"classes, $e_2 = p_1 p_2 + p_1 p_3 + p_2 p_3$, and $x = (k a + b)/(k + 1)$ for one class of proportion $a$ and $k$ of $b \leq a$."
    ),
    source=Source("this project", "total collapse for any labels and proportions"),
    variables={
        majority: Integers(1, 20),
        minority: Integers(1, 20),
        share: Interval(0.05, 0.95),
        weight_decay: Interval(0.03, 1.0, log=True),
        feature_decay: Interval(0.03, 1.0, log=True),
        pi: Proportions(3),
    },
    definitions={
        large: majority_proportion,
        small: minority_proportion,
        largest: sp.Piecewise(
            (large, sp.And(large >= small, majority >= 2)),
            (small, sp.And(small >= large, minority >= 2)),
            ((minority * large + small) / (minority + 1), large >= small),
            ((majority * small + large) / (majority + 1), True),
        ),
        sum_of_products: pi_1 * pi_2 + pi_1 * pi_3 + pi_2 * pi_3,
    },
    quantities={
        gain: Quantity(at=gain_of_learning, route=f"{BY_NEWTON}; what is below 1e-20 counts as nothing"),
        steepest: Quantity(at=_steepest, route="singular values of the gradient at zero, in balls"),
        steepest_of_three: Quantity(at=_steepest_of_three, route="eigenvalues in balls"),
    },
    relations=(
        positive_iff(gain, steepest - nuclear**2),
        equal(steepest, largest),
        equal(
            steepest_of_three,
            (pi_1 + pi_2 + pi_3 + sp.sqrt(sp.Max(0, (pi_1 + pi_2 + pi_3) ** 2 - 3 * sum_of_products))) / 3,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "free features", "no bias"),
    derivation="derivations/zero_collapse.py",
    most_samples=300,
    notes=(
        "With the largest root of the sum alone it is false where classes share the largest proportion: "
        "zero-collapse-shared-proportions. Any labels: zero-collapse-any-labels."
    ),
)
