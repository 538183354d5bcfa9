"""Label smoothing moves the margin exactly as more weight decay would."""

from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._features import (
    MARGIN_VARIABLES,
    Values,
    cost_of_margin,
    least_margin,
    probability,
    smoothed_pull,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import mu, num_classes, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.numerics.ball_roots import root

free, nonnegative = sp.symbols("free nonnegative", positive=True)


def _matching_decay(*, nonnegative: bool) -> Quantity:
    """The mean decay at which cross-entropy without smoothing has the margin of the smoothed loss."""

    def at(point: Values) -> arb:
        cost = cost_of_margin(point, nonnegative=nonnegative)
        margin = least_margin(lambda s: smoothed_pull(point, s) + cost)
        unit: dict[str, Any] = {**point, "weight_decay": 1, "feature_decay": 1}
        of_decay = cost_of_margin(unit, nonnegative=nonnegative)
        own = probability(margin, point["num_classes"])
        return root(lambda mean_decay: own - 1 + of_decay * mean_decay, arb(0), arb(2))

    return Quantity(at=Computed(at), route="margin by proved signs, then the decay whose slope vanishes there")


CLAIM = Claim(
    id="smoothing-acts-like-decay",
    title="Label smoothing moves the margin exactly as more weight decay would",
    statement=(
        r"Cross-entropy, balanced classes, features of dimension at least $N$, $\alpha + 2N\mu/\sqrt{N-1} < 1$ (no class mean is zero in either setting): "
        r"smoothing $\alpha$ with decays of geometric mean $\mu$ has the margin of plain cross-entropy with the mean "
        r"$\mu + \alpha/(2\sqrt{N})$ (free features) or $\mu + \alpha\sqrt{N-1}/(2N)$ (nonnegative features)."
    ),
    source=Source("this project", "smoothing and decay enter the margin through one number"),
    variables=MARGIN_VARIABLES,
    assumptions=(sp.Lt(smoothing + 2 * num_classes * mu / sp.sqrt(num_classes - 1), 1),),
    quantities={free: _matching_decay(nonnegative=False), nonnegative: _matching_decay(nonnegative=True)},
    relations=(
        equal(free, mu + smoothing / (2 * sp.sqrt(num_classes))),
        equal(nonnegative, mu + smoothing * sp.sqrt(num_classes - 1) / (2 * num_classes)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "enough features"),
    derivation="derivations/collapse_threshold.py",
)
