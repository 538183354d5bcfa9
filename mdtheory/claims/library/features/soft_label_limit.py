"""With labels of full support and vanishing decay, logits tend to the logarithms of the labels."""

from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._field import pi
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library.features.zero_collapse_any_labels import solved
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import asymptotic

nuclear = sp.Symbol("nuclear", positive=True)
label_1, label_2, label_3 = sp.symbols("label_1 label_2 label_3", positive=True)
logit_1, logit_2, logit_3 = sp.symbols("logit_1 logit_2 logit_3", real=True)
FAR = 4
"""Added to both sides: the limit of a label of one half is zero."""


def _logit(index: int) -> Computed:
    """The optimal logit difference of one kind of samples."""

    def at(point: Any) -> arb:
        labels = tuple(point[f"label_{i}"] for i in (1, 2, 3))
        found = solved(labels, point["pi"], point["nuclear"], (0.0, 0.0))
        return arb(0) if found is None else found[index]

    return Computed(at)


CLAIM = Claim(
    id="soft-label-limit",
    title="Small decay and labels of full support: logits are log-labels",
    statement=(
        r"Cross-entropy, free features, no bias: if all label entries are positive, then $Z \to (I - J/N) \log Y$ as $t = 2\mu \to 0$, linearly in $t$; for two "
        r"classes the logit differences tend to $\log(y/(1-y))$."
    ),
    source=Source("this project", "small-decay limit with labels of full support"),
    variables={
        pi: Proportions(3, smallest=0.05),
        label_1: Interval(0.05, 0.95),
        label_2: Interval(0.05, 0.95),
        label_3: Interval(0.05, 0.95),
        nuclear: Interval(1e-4, 3e-3, log=True),
    },
    quantities={
        symbol: Quantity(at=_logit(i), route="stationary point of two classes, by proved signs")
        for i, symbol in enumerate((logit_1, logit_2, logit_3))
    },
    relations=tuple(
        asymptotic(FAR + z, FAR + sp.log(y / (1 - y)), nuclear, rate=1.0)
        for z, y in ((logit_1, label_1), (logit_2, label_2), (logit_3, label_3))
    ),
    expected=Verdict.SUPPORTED,
    most_samples=60,
    notes="Zero entries add a part that diverges like the logarithm of the decay: seli-limit is the one-hot case.",
)
