"""Label relaxation: margin in both settings by proved signs, and the optimal value."""

import sympy as sp

from mdtheory.claims.library._features import (
    MOST_OPTIMA,
    RELAXATION,
    SOLVER_VARIABLES,
    free_cost,
    label_relaxation,
    margin_quantity,
    nonnegative_cost,
    optimum,
    relaxation,
    relaxed_pull,
    softmax_margin,
)
from mdtheory.claims.library._symbols import num_classes, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

free, nonnegative = sp.symbols("free nonnegative", nonnegative=True)
value, rest = sp.symbols("value rest", positive=True)
# The probability of all other classes at the optimum; at zero margin it is (N-1)/N.
left_over = sp.Min(rest, (num_classes - 1) / num_classes)
binary = (1 - relaxation) * sp.log((1 - relaxation) / (1 - left_over)) + relaxation * sp.log(relaxation / left_over)

CLAIM = Claim(
    id="margin-label-relaxation",
    title="Label relaxation: margin and optimal value, balanced classes",
    statement=(
        r"Label relaxation with $\alpha < (N-1)/N$, balanced classes: the optimal margin is $s = \log\max(1, "
        r"(N-1)(1-e)/e)$, $e = \alpha + \kappa$, with $\kappa = 2(N-1)\mu/\sqrt{N}$ for free features of dimension $N "
        r"- 1$ at least and $2\sqrt{N-1}\,\mu$ for nonnegative ones of dimension $N$ at least; the value is the loss "
        r"at $1 - p = \min(e, (N-1)/N)$ plus $\kappa s$."
    ),
    source=Source("this project", "closed form of the balanced features model"),
    variables={**{s: d for s, d in SOLVER_VARIABLES.items() if s is not smoothing}, relaxation: RELAXATION},
    definitions={rest: relaxation + free_cost},
    assumptions=(sp.Lt(relaxation, (num_classes - 1) / num_classes),),
    quantities={
        free: margin_quantity(relaxed_pull, nonnegative=False),
        nonnegative: margin_quantity(relaxed_pull, nonnegative=True),
        value: optimum(label_relaxation),
    },
    relations=(
        equal(free, softmax_margin(rest)),
        equal(nonnegative, softmax_margin(relaxation + nonnegative_cost)),
        # It may be as small as the rounding of the relaxation: 1 is added so that there is a scale.
        equal(1 + value, 1 + binary + free_cost * softmax_margin(rest)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("label relaxation", "one-hot labels", "balanced classes", "enough features"),
    derivation="derivations/margin_equations.py",
    resolution=1e-4,
    most_samples=MOST_OPTIMA,
)
