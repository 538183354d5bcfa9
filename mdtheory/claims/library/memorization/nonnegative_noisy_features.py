"""How far a noisy feature gets if it must stay nonnegative: straight on until the other class mean, then along a face."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb
from scipy.optimize import brentq

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    CONFIGURATION,
    VARIABLES,
    Case,
    margin,
    mean_distance,
    not_collapsed,
    weight_distance,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

near, far = sp.symbols("near far", positive=True)
best_near, best_far = sp.symbols("best_near best_far", real=True)
memorization = mean_distance * near
far_memorization = mean_distance * far


def _best(name: str) -> Computed:
    """The largest c (x - y) with ``x^2 + (y - a)^2 <= rho^2``, ``y >= 0``: between a feasible and a dual value."""

    def at(point: Mapping[str, Any]) -> arb:
        classes = Case.at(point).classes()
        a, c = classes.mean_distance / arb(2).sqrt(), classes.weight_distance / arb(2).sqrt()
        rho = arb(point[name]) * classes.mean_distance

        def height(pull: arb) -> arb:
            """Y of the point of the disc farthest along (c, pull - c): the slope of the dual value."""
            return a + rho * (pull - c) / (c**2 + (pull - c) ** 2).sqrt()

        pull = arb(0)
        if height(pull) < 0:
            pull = arb(brentq(lambda k: float(height(arb(k)).mid()), 0.0, float(c.mid()), xtol=1e-18, rtol=1e-15))
        upper = a * (pull - c) + rho * (c**2 + (pull - c) ** 2).sqrt()
        norm = (c**2 + (pull - c) ** 2).sqrt()
        x, y = rho * c / norm, height(pull)
        # Back towards the class mean, to be provably feasible.
        share = (a / (a - y)).min(arb(1)).lower() if not y >= 0 else arb(1)
        lower = c * (share * x - (a + share * (y - a)))
        return lower.union(upper)

    return Computed(at)


CLAIM = Claim(
    id="nonnegative-noisy-features",
    title="The margin of a noisy feature that must stay nonnegative",
    statement=(
        r"Two classes with nonzero orthogonal means of equal length: noisy features $u \geq 0$ at distance at most "
        r"$\rho$ from the class mean they look like have margins up to $-s + \kappa_w \rho$ if $\rho \leq D$, and up "
        r"to $\kappa_w (\rho^2/2 - D^2/4)^{1/2}$ beyond."
    ),
    source=Source("this project", "memorization with nonnegative noisy features"),
    variables={
        **{v: VARIABLES[v] for v in (weight_decay, feature_decay, smoothing)},
        near: Interval(0.01, 1.0),
        far: Interval(1.0, 10.0, log=True),
    },
    assumptions=(not_collapsed,),
    quantities={
        **CONFIGURATION,
        best_near: Quantity(at=_best("near"), route="between a feasible point and a dual value"),
        best_far: Quantity(at=_best("far"), route="between a feasible point and a dual value"),
    },
    relations=(
        equal(best_near + margin, weight_distance * memorization),
        equal(best_far, weight_distance * sp.sqrt(far_memorization**2 / 2 - mean_distance**2 / 4)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "nonnegative features", "nonzero class means"),
    derivation="derivations/md_reduction.py",
)
