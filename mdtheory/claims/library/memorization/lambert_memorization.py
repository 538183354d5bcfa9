"""The noisy margin of cross-entropy through the r-Lambert function."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import VARIABLES, Case, configured, margin, not_collapsed, solved, weight_distance
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import noisy_decay, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

multiplier = sp.Symbol("multiplier", positive=True)
noisy_margin = sp.Symbol("noisy_margin", real=True)
shift, amplitude, root = sp.symbols("shift amplitude root", real=True)


def _multiplier(point: Mapping[str, Any]) -> arb:
    """Nu = eta D^2 F'(r)/(4 C^2 r), at the solution."""
    case = Case.at(point)
    problem, r = case.problem(), case.solution().dilation
    return problem.noise * problem.classes.mean_distance**2 * problem.force(r) / (4 * problem.slope**2 * r)


CLAIM = Claim(
    id="lambert-memorization",
    title="The noisy margin of cross-entropy is a value of the r-Lambert function",
    statement=(
        r"Cross-entropy with smoothing $\alpha$, two classes with nonzero means, unconstrained noisy features: with "
        r"the multiplier $\nu$ of the ball, $\lambda + \nu > 0$, $\tau = (\kappa_w^2 \alpha/4 + \nu s)/(\lambda + "
        r"\nu)$ and $A = \kappa_w^2/(2(\lambda + \nu))$, the number $x = t + \tau$ satisfies $x e^x + e^\tau x = A "
        r"e^\tau$, where $\kappa_w = \Vert w_1 - w_2 \Vert$."
    ),
    source=Source("this project", "cross-entropy memorization in closed form"),
    variables=VARIABLES,
    definitions={
        shift: (weight_distance**2 * smoothing / 4 + multiplier * margin) / (noisy_decay + multiplier),
        amplitude: weight_distance**2 / (2 * (noisy_decay + multiplier)),
        root: noisy_margin + shift,
    },
    assumptions=(not_collapsed,),
    quantities={
        margin: configured("margin"),
        weight_distance: configured("weight_distance"),
        multiplier: Quantity(at=Computed(_multiplier), route="slope of the dilation cost at the solution, in balls"),
        noisy_margin: solved("noisy_margin"),
    },
    relations=(equal(root * sp.exp(root) + sp.exp(shift) * root, amplitude * sp.exp(shift)),),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "cross-entropy", "nonzero class means", "unconstrained noisy features"),
    derivation="derivations/lambert_form.py",
)
