"""The memorization constraint is tight: more dilation than memorization asks for only costs."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._noisy import EITHER, LOSSES, VARIABLES, Case, kind, nonnegative, not_collapsed_either
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import ROOM, room
from mdtheory.claims.library._symbols import noise, noisy_decay, slope
from mdtheory.claims.library.memorization.md_lower_bound import value_at
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least

along, across, excess = sp.symbols("along across excess", real=True)
growth, least_growth = sp.symbols("growth least_growth", real=True)


def _dilation(case: Case, point: Mapping[str, Any]) -> tuple[arb, arb, arb]:
    """The least dilation that lets a noisy feature be where the point puts it, and its coordinates."""
    c = case.classes()
    place = [arb(point["along"]) * c.mean_distance, arb(point["across"]) * c.mean_distance]
    travelled = ((place[0] + c.mean_distance / 2) ** 2 + (place[1] - c.centre_square.sqrt()) ** 2).sqrt()
    return arb(case.noise) * travelled * c.mean_distance / arb(case.slope), place[0], place[1]


def _growth(point: Mapping[str, Any]) -> arb:
    """The objective at any noisy features, with more than the least dilation allowed, minus that with the least."""
    case = Case.at(point)
    problem = case.problem()
    r, x, y = _dilation(case, point)
    return value_at(problem, case, r * (1 + arb(point["excess"])), x, y) - value_at(problem, case, r, x, y)


def _least_growth(point: Mapping[str, Any]) -> arb:
    """What the decay of noisy features alone charges for the excess: ``2 lam (r'^2 - r^2)``."""
    case = Case.at(point)
    r = _dilation(case, point)[0]
    return 2 * arb(case.noisy_decay) * ((r * (1 + arb(point["excess"]))) ** 2 - r**2)


CLAIM = Claim(
    id="constraint-tight",
    title="The memorization constraint is tight",
    statement=(
        r"Two classes with nonzero means, any loss that is convex in the margin, isotropic spread, absolute scaling: "
        r"wherever the noisy features are, dilation $r' > r = \eta \Vert u_1 - h_2 \Vert D/C$ beyond what they need "
        r"costs at least $2\lambda(r'^2 - r^2)$: if $\lambda > 0$ the constraint is tight at the optimum."
    ),
    source=Source("this project", "exact reduction of the memorization-dilation problem"),
    variables={
        **VARIABLES,
        noise: Interval(1e-3, 0.5, log=True),
        slope: Interval(0.03, 10.0, log=True),
        noisy_decay: Interval(1e-4, 1.0, log=True),
        along: Interval(-1.0, 1.0),
        across: Interval(-1.0, 1.0),
        excess: Interval(1e-4, 3.0, log=True),
        nonnegative: EITHER,
        kind: Integers(0, len(LOSSES) - 1),
    },
    assumptions=(not_collapsed_either, sp.Gt(room, 0)),
    quantities={
        room: ROOM,
        growth: Quantity(at=Computed(_growth), route="values of the objective, in balls"),
        least_growth: Quantity(at=Computed(_least_growth), route="decay of noisy features, in balls"),
    },
    relations=(at_least(growth, least_growth),),
    expected=Verdict.PROVED,
    notes="Without convexity it is false: constraint-tight-any-loss.",
    hypotheses=("two classes", "convex margin loss", "isotropic spread", "absolute scaling"),
    derivation="derivations/md_reduction.py",
)
