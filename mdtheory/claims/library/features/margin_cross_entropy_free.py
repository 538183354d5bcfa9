"""The balanced closed form for free features, against a root of the slope of the profile."""

import sympy as sp

from mdtheory.claims.library._features import MARGIN_VARIABLES, free_cost, margin_quantity, others_label, smoothed_pull
from mdtheory.claims.library._symbols import mu, num_classes, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

margin, rest = sp.symbols("margin rest", positive=True)
delta = sp.Symbol("delta", real=True)

CLAIM = Claim(
    id="margin-cross-entropy-free",
    title="Margin of cross-entropy with label smoothing, free features, balanced classes",
    statement=(
        r"Cross-entropy with smoothing $\alpha$, balanced classes, free features of dimension $N - 1$ at least: with "
        r"$e = (N-1)\alpha/N + 2(N-1)\mu/\sqrt{N}$ and $\Delta = 1 - \alpha - 2\sqrt{N}\mu > 0$ the optimal margin is "
        r"$s = \log((N-1)(1-e)/e) = \log(1 + (N-1)\Delta/e)$."
    ),
    source=Source("this project", "closed form of the balanced features model"),
    variables=MARGIN_VARIABLES,
    definitions={
        rest: others_label + free_cost,
        delta: 1 - smoothing - 2 * sp.sqrt(num_classes) * mu,
    },
    assumptions=(sp.Gt(delta, 0),),
    quantities={margin: margin_quantity(smoothed_pull, nonnegative=False)},
    relations=(
        equal(margin, sp.log((num_classes - 1) * (1 - rest) / rest)),
        equal(margin, sp.log(1 + (num_classes - 1) * delta / rest)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "free features", "enough features"),
    derivation="derivations/collapse_threshold.py",
)
