"""The memorization-dilation problem in one variable is convex: its tangents lie below it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp
from flint import arb, ctx

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import VARIABLES, Case, configured, kind, mean_distance, not_collapsed
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import OF_CURVED_LOSSES, ROOM, room
from mdtheory.claims.library._symbols import noise, slope
from mdtheory.claims.library.memorization.md_lower_bound import value_at
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, at_most, equal
from mdtheory.numerics.ball_roots import root

share, part = sp.symbols("share part", positive=True)
memorization, other_memorization = sp.symbols("rho other_rho", positive=True)
tangent, other_tangent, rise = sp.symbols("tangent other_tangent rise", real=True)
multiplier, force = sp.symbols("nu dF", positive=True)
STEP = arb(2) ** -56


def _at_share(point: Mapping[str, Any], share: float) -> tuple[arb, arb, arb, arb]:
    return _curve(Case.at(point), share, ctx.prec)


@lru_cache(maxsize=50_000)
def _curve(case: Case, share: float, bits: int) -> tuple[arb, arb, arb, arb]:
    """(rho, value, nu, F') where the noisy margin has gone this share of its way."""
    return _curve_at(case, _noisy_margin(case, share))


def _noisy_margin(case: Case, share: float) -> arb:
    """From -s, at the wrong class mean, to the margin at which a noisy feature is best off."""
    problem = case.problem()
    s = problem.classes.margin
    return arb(share) * (_way(case, ctx.prec) + s) - s


@lru_cache(maxsize=50_000)
def _way(case: Case, bits: int) -> arb:
    problem = case.problem()
    return root(lambda t: -problem.multiplier(t) * (t + problem.classes.margin), arb(0), arb(100), width=1e-12).mid()


def _curve_at(case: Case, t: arb) -> tuple[arb, arb, arb, arb]:
    problem = case.problem()
    c, nu, rho, r = problem.classes, problem.multiplier(t), problem.memorization(t), problem.dilation(t)
    across = nu / (problem.decay + nu) * c.centre_square.sqrt()
    return rho, value_at(problem, case, r, t / c.weight_distance, across), nu, problem.force(r)


def _shares(point: Mapping[str, Any]) -> tuple[float, float]:
    """How far the two noisy features have gone; the second less than the first."""
    return point["share"], point["share"] * point["part"]


def _tangent(point: Mapping[str, Any], index: int) -> arb:
    """The slope of the value in rho, by difference quotients on both sides."""
    case = Case.at(point)
    t = _noisy_margin(case, _shares(point)[index])
    here, step = _curve_at(case, t), STEP * case.classes().margin
    quotients = []
    for moved in (_curve_at(case, t - step), _curve_at(case, t + step)):
        quotients.append((moved[1] - here[1]) / (moved[0] - here[0]))
    return quotients[0].union(quotients[1])


def _part(which: int, index: int) -> Computed:
    return Computed(lambda point: _at_share(point, _shares(point)[which])[index])


def _rise(point: Mapping[str, Any]) -> arb:
    """V(rho') - V(rho)."""
    far, near = (_at_share(point, share)[1] for share in _shares(point))
    return near - far


ON_CURVE = "the objective at the constrained minimiser of the noisy feature"
CLAIM = Claim(
    id="reduced-objective-convex",
    title="The memorization-dilation problem in one variable is convex",
    statement=(
        r"Two classes with nonzero means, a loss $\varphi$ that is convex in the margin and differentiable, "
        r"unconstrained noisy features, absolute scaling: with $r = \eta \rho D/C$ the objective $V(\rho) = F(r) + "
        r"2\eta g(\rho)$ is convex with slope $V'(\rho) = \eta (D/C) F'(r) - 4 \eta \nu \rho$, so $V(\rho') \geq "
        r"V(\rho) + V'(\rho)(\rho' - \rho)$."
    ),
    source=Source("this project", "exact reduction of the memorization-dilation problem"),
    variables={**VARIABLES, share: Interval(0.001, 0.999), part: Interval(0.01, 0.9), kind: OF_CURVED_LOSSES},
    assumptions=(not_collapsed, sp.Gt(room, 0)),
    quantities={
        room: ROOM,
        mean_distance: configured("mean_distance"),
        memorization: Quantity(at=_part(0, 0), route=ON_CURVE),
        multiplier: Quantity(at=_part(0, 2), route="stationarity of the noisy feature"),
        force: Quantity(at=_part(0, 3), route="expectation over two points, in balls"),
        other_memorization: Quantity(at=_part(1, 0), route=ON_CURVE),
        rise: Quantity(at=Computed(_rise), route=ON_CURVE),
        tangent: Quantity(at=Computed(lambda p: _tangent(p, 0)), route="difference quotients on both sides"),
        other_tangent: Quantity(at=Computed(lambda p: _tangent(p, 1)), route="difference quotients on both sides"),
    },
    relations=(
        at_least(rise, tangent * (other_memorization - memorization)),
        at_most(rise, other_tangent * (other_memorization - memorization)),
        equal(tangent, noise * mean_distance / slope * force - 4 * noise * multiplier * memorization),
    ),
    expected=Verdict.PROVED,
    notes="Without convexity of the loss it is false: reduced-objective-convex-any-loss.",
    hypotheses=(
        "two classes",
        "convex margin loss",
        "differentiable margin loss",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
    ),
    derivation="derivations/md_reduction.py",
)
