"""The balanced closed form for nonnegative features, against a root of the slope of the profile."""

import sympy as sp
from flint import arb

from mdtheory.claims.library._symbols import (
    CLASSES,
    DECAY,
    SMOOTHING,
    feature_decay,
    mu,
    num_classes,
    smoothing,
    weight_decay,
)
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import root
from mdtheory.claims.relation import equal

kappa, rest, margin = sp.symbols("kappa rest margin", positive=True)


def _margin(num_classes: int, weight_decay: float, feature_decay: float, smoothing: float) -> arb:
    """The root of f'(s) + kappa, with the softmax probability p = 1/(1 + (N-1) e^-s)."""
    n, alpha = arb(num_classes), arb(smoothing)
    cost = 2 * ((n - 1) * arb(weight_decay) * arb(feature_decay)).sqrt()
    return root(lambda s: 1 / (1 + (n - 1) * (-s).exp()) - 1 + (n - 1) * alpha / n + cost, arb(0), arb(200))


CLAIM = Claim(
    id="margin-cross-entropy-nonnegative",
    title="Margin of cross-entropy with label smoothing, nonnegative features, balanced classes",
    statement=r"The optimal margin is $s = \log((N-1)(1-e)/e)$, $e = (N-1)\alpha/N + 2\sqrt{N-1}\,\mu$, where $e < (N-1)/N$.",
    source=Source("this project", "closed form of the balanced features model"),
    variables={num_classes: CLASSES, weight_decay: DECAY, feature_decay: DECAY, smoothing: SMOOTHING},
    definitions={
        kappa: 2 * sp.sqrt(num_classes - 1) * mu,
        rest: (num_classes - 1) * smoothing / num_classes + kappa,
    },
    assumptions=(sp.Lt(rest, (num_classes - 1) / num_classes),),
    quantities={margin: Quantity(at=_margin, route="root of the slope of the profile, by proved signs")},
    relations=(equal(margin, sp.log((num_classes - 1) * (1 - rest) / rest)),),
    expected=Verdict.PROVED,
    derivation="derivations/margin_equations.py",
)
