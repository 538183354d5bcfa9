"""False: with two nonnegative classes and a free bias every split of the margins is optimal, negative ones included."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, weight_decay
from mdtheory.claims.library.features._two_nonnegative import objective
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

split = sp.Symbol("split", real=True)
margin, value = sp.symbols("s value", positive=True)

CLAIM = Claim(
    id="two-classes-nonnegative-bias-any-split",
    title="Two classes with a free bias: every split of the margins is optimal (false)",
    statement=(
        r"Nonnegative features, two balanced classes, unregularised bias, cross-entropy, $4\mu < 1$: every split $s_1 + s_2 = 2s$ of "
        r"the margins is optimal, with the value $\log(1 + e^{-s}) + 2\mu s$. False where one of them is negative: it costs as much as "
        r"a positive one."
    ),
    source=Source("this project", "two classes, nonnegative features and a bias, the sign of the margins left out"),
    variables={
        split: Interval(-1.0, 2.0),
        weight_decay: Interval(1e-4, 0.2, log=True),
        feature_decay: Interval(1e-4, 0.2, log=True),
    },
    definitions={margin: sp.log(1 / (2 * mu) - 1)},
    assumptions=(sp.Lt(4 * mu, 1),),
    quantities={value: Quantity(at=Computed(objective), route="the objective of a configuration, term by term")},
    relations=(equal(value, sp.log(1 + sp.exp(-margin)) + 2 * mu * margin),),
    expected=Verdict.REFUTED,
    counterexample={"split": 1.25, "weight_decay": 0.01, "feature_decay": 0.01},
    most_samples=300,
    notes="The true form: two-classes-nonnegative-bias-flat.",
)
