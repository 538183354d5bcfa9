"""The noisy margin of cross-entropy through the r-Lambert function."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.library._noisy import (
    BY_SIGNS,
    CLOSED_CONFIGURATION,
    TWO_POINTS,
    VARIABLES,
    Computed,
    Configured,
    Refined,
    margin,
    not_collapsed,
    weight_distance,
)
from mdtheory.claims.library._symbols import noisy_decay, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

multiplier = sp.Symbol("multiplier", positive=True)
noisy_margin = sp.Symbol("noisy_margin", real=True)
shift, amplitude, root = sp.symbols("shift amplitude root", real=True)


def _multiplier(point: Mapping[str, Any]) -> arb:
    """Nu = eta D^2 F'(r)/(4 C^2 r), at the solution."""
    problem, r = TWO_POINTS.problem(point), TWO_POINTS.refined(point).dilation
    return problem.noise * problem.classes.mean_distance**2 * problem.force(r) / (4 * problem.slope**2 * r)


CLAIM = Claim(
    id="lambert-memorization",
    title="The noisy margin of cross-entropy is a value of the r-Lambert function",
    statement=(
        r"With the multiplier $\nu$ of the ball, $\tau = (\kappa_w^2 \alpha/4 + \nu s)/(\lambda + \nu)$ and "
        r"$A = \kappa_w^2/(2(\lambda + \nu))$, the number $x = t + \tau$ satisfies $x e^x + e^\tau x = A e^\tau$, "
        r"where $\kappa_w = \Vert w_1 - w_2 \Vert$."
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
        margin: Quantity(at=Configured("margin"), route=CLOSED_CONFIGURATION),
        weight_distance: Quantity(at=Configured("weight_distance"), route=CLOSED_CONFIGURATION),
        multiplier: Quantity(at=Computed(_multiplier), route="slope of the dilation cost at the solution, in balls"),
        noisy_margin: Quantity(at=Refined("noisy_margin", TWO_POINTS), route=BY_SIGNS),
    },
    relations=(equal(root * sp.exp(root) + sp.exp(shift) * root, amplitude * sp.exp(shift)),),
    expected=Verdict.PROVED,
    derivation="derivations/lambert_form.py",
)
