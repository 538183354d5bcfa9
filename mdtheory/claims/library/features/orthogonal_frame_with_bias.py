"""Nonnegative features with a bias: with unequal classes the optimal class means are not orthogonal."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from scipy.optimize import minimize

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._features import GENERAL_SOLVER, model
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import DECAY, feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import ufm_optimum
from mdtheory.claims.relation import equal
from mdtheory.losses import CrossEntropy

majority = sp.Symbol("majority", positive=True)
best, orthogonal = sp.symbols("best orthogonal", positive=True)


def _shares(point: Mapping[str, Any]) -> tuple[float, float, float]:
    """One large class and two equal small ones; exact for a dyadic majority."""
    minority = (1 - point["majority"]) / 2
    return point["majority"], minority, minority


def _best(point: Mapping[str, Any]) -> arb:
    problem = model(lambda _: CrossEntropy(), point, nonnegative=True, bias=True, weights=_shares(point))
    return ufm_optimum(problem, starts=1)


def _orthogonal(point: Mapping[str, Any]) -> arb:
    """The optimum over orthogonal class means, with a bias.

    Orthogonal means cost ``2 mu sqrt(pi_n) ||z_n||`` for each class. The dual: mean entropy of distributions ``q_n`` with
    ``||q_n - e_n|| <= 2 mu/sqrt(pi_n)`` and mean ``pi``. Above, no features at all: the entropy of ``pi``.
    """
    large, small = arb(point["majority"]), (1 - arb(point["majority"])) / 2
    mean_decay = (arb(point["weight_decay"]) * arb(point["feature_decay"])).sqrt()

    def columns(a: Any, c: Any) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
        """The majority's distribution and a minority's; the bias fixes the probability b the latter gives the former."""
        b = large / (2 * small) * (1 - a)
        return (a, (1 - a) / 2, (1 - a) / 2), (b, c, 1 - b - c)

    def entropy(q: tuple[arb, arb, arb]) -> arb:
        return -sum((x * x.log() for x in q), arb(0))

    def value(x: Any) -> arb:
        first, second = columns(arb(float(x[0])), arb(float(x[1])))
        return large * entropy(first) + 2 * small * entropy(second)

    def room(x: Any) -> tuple[arb, arb]:
        (a, o, _), (b, c, d) = columns(arb(float(x[0])), arb(float(x[1])))
        return (
            4 * mean_decay**2 / large - (1 - a) ** 2 - 2 * o * o,
            4 * mean_decay**2 / small - b * b - (1 - c) ** 2 - d * d,
        )

    optimise: Any = minimize
    guess = optimise(
        lambda x: -float(value(x).mid()),
        np.array([0.995, 0.98]),
        constraints={"type": "ineq", "fun": lambda x: [float(r.mid()) for r in room(x)]},
        bounds=[(0.5, 0.9999)] * 2,
        method="SLSQP",
    ).x
    # Towards the labels, so that rounding leaves the constraints satisfied.
    inside = guess + 1e-6 * (1 - guess)
    if not all(r >= 0 for r in room(inside)):
        return arb("nan")
    return value(inside).union(-large * large.log() - 2 * small * small.log())


CLAIM = Claim(
    id="orthogonal-frame-with-bias",
    title="Nonnegative features with a bias have orthogonal class means (false)",
    statement=(
        r"With nonnegative features and an unregularised bias, orthogonal class means attain the optimum of cross-entropy "
        r"for all proportions $(m, \frac{1-m}{2}, \frac{1-m}{2})$."
    ),
    source=Source("this project", "nonnegative features with a bias"),
    variables={weight_decay: DECAY, feature_decay: DECAY, majority: Interval(0.34, 0.9)},
    quantities={
        best: Quantity(at=Computed(_best), route=GENERAL_SOLVER),
        orthogonal: Quantity(at=Computed(_orthogonal), route="dual point in balls"),
    },
    relations=(equal(best, orthogonal),),
    expected=Verdict.REFUTED,
    counterexample={"weight_decay": 0.02, "feature_decay": 0.02, "majority": 0.625},
    most_samples=2,
    notes=(
        "With a bias the mean of the large class can vanish, and those of the small ones meet at an acute angle. Without a bias "
        "the means are orthogonal: see unequal-classes-nonnegative."
    ),
)
