"""Two classes, nonnegative features, free bias: a flat family of optima."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, weight_decay
from mdtheory.claims.library.features._two_nonnegative import objective, optimum
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

split = sp.Symbol("split", nonnegative=True)
margin = sp.Symbol("s", positive=True)
value, best = sp.symbols("value best", positive=True)
cost = 2 * mu


CLAIM = Claim(
    id="two-classes-nonnegative-bias-flat",
    title="Two classes with a free bias: a flat family of optima",
    statement=(
        r"Nonnegative features, two balanced classes, unregularised bias, cross-entropy without smoothing, $4\mu < 1$: every split "
        r"$s_1 + s_2 = 2s$ of the margins with $s_1, s_2 \geq 0$ is optimal, with the value $\log(1 + e^{-s}) + 2\mu s$, "
        r"$s = \log(1/(2\mu) - 1)$."
    ),
    source=Source("this project", "two classes, nonnegative features and a bias"),
    variables={
        split: Interval(0.0, 1.0),
        weight_decay: Interval(1e-4, 0.2, log=True),
        feature_decay: Interval(1e-4, 0.2, log=True),
    },
    definitions={margin: sp.log(1 / cost - 1)},
    assumptions=(sp.Lt(2 * cost, 1),),
    quantities={
        value: Quantity(at=Computed(objective), route="the objective of a configuration, term by term"),
        best: Quantity(at=Computed(optimum), route="between a dual bound and the objective, in balls"),
    },
    relations=(
        equal(value, sp.log(1 + sp.exp(-margin)) + cost * margin),
        equal(best, value),
    ),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "cross-entropy", "balanced classes", "nonnegative features", "unregularised bias"),
    derivation="derivations/bias_penalty.py",
    most_samples=300,
    notes=(
        "So equal lengths of the class means are not necessary: see equal-norms-nonnegative-bias. A negative margin is not optimal: "
        "two-classes-nonnegative-bias-any-split."
    ),
)
