"""The balanced closed form for nonnegative features, against a root of the slope of the profile."""

import sympy as sp

from mdtheory.claims.library._features import (
    MARGIN_VARIABLES,
    margin_quantity,
    nonnegative_cost,
    others_label,
    smoothed_pull,
)
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

rest, margin = sp.symbols("rest margin", positive=True)


CLAIM = Claim(
    id="margin-cross-entropy-nonnegative",
    title="Margin of cross-entropy with label smoothing, nonnegative features, balanced classes",
    statement=(
        r"Cross-entropy with smoothing $\alpha$, balanced classes, nonnegative features of dimension $N$ at least: "
        r"the optimal margin is $s = \log((N-1)(1-e)/e)$, $e = (N-1)\alpha/N + 2\sqrt{N-1}\,\mu$, where $e < "
        r"(N-1)/N$."
    ),
    source=Source("this project", "closed form of the balanced features model"),
    variables=MARGIN_VARIABLES,
    definitions={rest: others_label + nonnegative_cost},
    assumptions=(sp.Lt(rest, (num_classes - 1) / num_classes),),
    quantities={margin: margin_quantity(smoothed_pull, nonnegative=True)},
    relations=(equal(margin, sp.log((num_classes - 1) * (1 - rest) / rest)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "balanced classes", "nonnegative features", "enough features"),
    derivation="derivations/margin_equations.py",
)
