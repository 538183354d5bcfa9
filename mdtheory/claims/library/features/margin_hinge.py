"""The multiclass hinge: all or nothing, and the optimal value."""

import sympy as sp
from flint import arb

from mdtheory.claims.library._features import (
    HINGE_VARIABLES,
    free_cost,
    hinge_pull,
    least_value,
    margin_quantity,
    nonnegative_cost,
)
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

free, nonnegative = sp.symbols("free nonnegative", nonnegative=True)
value, nonnegative_value = sp.symbols("value nonnegative_value", positive=True)


def _value(*, nonnegative: bool) -> Quantity:
    return least_value(hinge_pull, lambda s: (1 - s).max(arb(0)), nonnegative=nonnegative)


CLAIM = Claim(
    id="margin-hinge",
    title="Multiclass hinge: margin one or nothing, balanced classes",
    statement=(
        r"Multiclass hinge, balanced classes: the optimal margin is 1 if $\kappa < 1$ and 0 if $\kappa > 1$, with "
        r"value $\min(1, \kappa)$; $\kappa = 2(N-1)\mu/\sqrt{N}$ for free features of dimension $N - 1$ at least and "
        r"$2\sqrt{N-1}\,\mu$ for nonnegative ones of dimension $N$ at least."
    ),
    source=Source("this project", "closed form of the balanced features model"),
    variables=HINGE_VARIABLES,
    assumptions=(sp.Ne(free_cost, 1), sp.Ne(nonnegative_cost, 1)),
    quantities={
        free: margin_quantity(hinge_pull, nonnegative=False, high=3),
        nonnegative: margin_quantity(hinge_pull, nonnegative=True, high=3),
        value: _value(nonnegative=False),
        nonnegative_value: _value(nonnegative=True),
    },
    relations=(
        equal(free, sp.Piecewise((1, sp.Lt(free_cost, 1)), (0, True))),
        equal(nonnegative, sp.Piecewise((1, sp.Lt(nonnegative_cost, 1)), (0, True))),
        equal(value, sp.Min(1, free_cost)),
        equal(nonnegative_value, sp.Min(1, nonnegative_cost)),
    ),
    expected=Verdict.PROVED,
    hypotheses=("hinge", "one-hot labels", "balanced classes", "enough features"),
    derivation="derivations/margin_equations.py",
    notes="At cost 1 every margin in [0, 1] is optimal.",
)
