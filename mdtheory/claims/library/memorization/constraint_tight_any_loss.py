"""False: the memorization constraint is tight, whatever the loss."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, noisy_decay, weight_decay
from mdtheory.claims.library.memorization.constraint_tight import excess, growth, least_growth
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least
from mdtheory.models.dilation.balls import TwoClasses
from mdtheory.numerics.ball_roots import root

reach = sp.Symbol("reach", positive=True)


def _loss(t: arb) -> arb:
    """A logistic loss with a dip at margin -5."""
    return (1 + (-t).exp()).log() - 2 * (-((t + 5) ** 2)).exp()


def _slope(t: arb) -> arb:
    return -1 / (1 + t.exp()) + 4 * (t + 5) * (-((t + 5) ** 2)).exp()


def _classes(point: Mapping[str, Any]) -> TwoClasses:
    """Nonnegative features. The dip is no optimum of the features model: the loss there is at least 2.9."""
    lw, lh = arb(point["weight_decay"]), arb(point["feature_decay"])
    margin = root(lambda s: _slope(s) + 2 * (lw * lh).sqrt(), arb(1) / 2, arb(100))
    return TwoClasses.from_margin(margin, lw, lh, nonnegative=True)


def _clean(point: Mapping[str, Any], share: arb) -> tuple[arb, arb]:
    """F(r) on the two points zeta = +-1, and 2 lam r^2; clean margins reach ``reach * share`` beyond s on both sides."""
    c = _classes(point)
    shift = arb(point["reach"]) * share
    decay = 2 * arb(point["noisy_decay"]) * (shift / c.weight_distance) ** 2
    return _loss(c.margin + shift) + _loss(c.margin - shift) + decay, decay


def _growth(point: Mapping[str, Any], index: int) -> arb:
    return _clean(point, 1 + arb(point["excess"]))[index] - _clean(point, arb(1))[index]


CLAIM = Claim(
    id="constraint-tight-any-loss",
    title="The memorization constraint is tight, whatever the loss (false)",
    statement=(
        r"Two classes, any loss of the margin with $\varphi'(-s) < 0$: wherever the noisy features are, dilation $r' > r$ beyond what they "
        r"need costs at least $2\lambda(r'^2 - r^2)$. False for $\log(1 + e^{-t}) - 2 e^{-(t+5)^2}$: clean examples gain in its dip."
    ),
    source=Source("this project", "exact reduction of the memorization-dilation problem without convexity"),
    variables={
        weight_decay: Interval(1e-3, 0.1, log=True),
        feature_decay: Interval(1e-3, 0.1, log=True),
        noisy_decay: Interval(1e-5, 0.01, log=True),
        reach: Interval(0.1, 20.0, log=True),
        excess: Interval(1e-4, 3.0, log=True),
    },
    quantities={
        growth: Quantity(at=Computed(lambda p: _growth(p, 0)), route="values of the objective, in balls"),
        least_growth: Quantity(at=Computed(lambda p: _growth(p, 1)), route="decay of noisy features, in balls"),
    },
    relations=(at_least(growth, least_growth),),
    expected=Verdict.REFUTED,
    counterexample={
        "weight_decay": 0.01,
        "feature_decay": 0.01,
        "noisy_decay": 0.0001,
        "reach": 7.5,
        "excess": 0.2,
    },
    notes="For every convex loss it is true: constraint-tight.",
)
