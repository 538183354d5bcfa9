"""False: labels that treat all classes alike leave residuals of one size, whatever the decays."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._matrices import dot
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library.features.exchangeable_labels_one_scalar import (
    ROUTE,
    VARIABLES,
    column,
    labels,
    residual,
    solved,
)
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

residuals = sp.Symbol("residuals", positive=True)


def _residuals(point: Mapping[str, Any]) -> arb:
    """``sum p_k ||y_k - softmax z_k||^2`` at the optimum, which is ``theta^2 sum p_k ||z_k||^2`` where there is a theta."""
    share = solved(point["mixing"], point["mixed"], point["weight_decay"], point["feature_decay"])[1]
    total = arb(0)
    for k, p in enumerate(share.tolist()):
        rest = residual(labels(point["mixing"])[:, k].tolist(), column(point, k))
        total += arb(p) * dot(rest, rest)
    return total


CLAIM = Claim(
    id="exchangeable-labels-also-at-collapse",
    title="Labels that treat all classes alike: one scalar, whatever the decays (false)",
    statement=(
        r"If the labels with their weights are invariant under relabelling the classes, the optimum has $y - \mathrm{softmax}(z) = "
        r"\theta z$ with one $\theta$ and $\theta^2 \sum_k p_k \Vert z_k \Vert^2 = 4\mu^2 (N-1)$, hence $\sum_k p_k \Vert y_k - "
        r"\mathrm{softmax}(z_k) \Vert^2 = 4\mu^2 (N-1)$, for all decays. False where everything collapses to zero."
    ),
    source=Source("this project", "the statement on exchangeable labels without its hypothesis"),
    variables=VARIABLES,
    quantities={residuals: Quantity(at=Computed(_residuals), rigorous=False, convex=True, route=ROUTE)},
    relations=(equal(residuals, 2 * nuclear**2),),
    expected=Verdict.REFUTED,
    counterexample={"mixing": 0.75, "mixed": 0.5, "weight_decay": 0.5, "feature_decay": 0.5},
    most_samples=20,
    notes="With the hypothesis: exchangeable-labels-one-scalar.",
)
