"""A lower bound on the memorization-dilation problem from any dilation and any slope of the loss; tight at the solution."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    BY_SIGNS,
    CONFIGURATION,
    VARIABLES,
    Case,
    margin,
    mean_distance,
    not_collapsed,
    solved,
    weight_distance,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import noise, noisy_decay, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal
from mdtheory.models.dilation.balls import NoisyProblem
from mdtheory.numerics.expressions import compiled

guessed_dilation = sp.Symbol("guessed_dilation", nonnegative=True)
guessed_slope = sp.Symbol("guessed_slope", negative=True)
value, lower_bound, clean, force, own_clean, own_force, loss_slope = sp.symbols(
    "V lower_bound F dF F_own dF_own p_own", real=True
)
dilation = sp.Symbol("r", positive=True)


def clean_cost(problem: NoisyProblem, case: Case, r: arb) -> arb:
    """F(r)."""
    c, loss = problem.classes, case.loss_value()
    shift = c.weight_distance * r * case.zeta
    mean_loss = (loss(c.margin + shift) + loss(c.margin - shift)) / 2
    return 2 * mean_loss + 2 * problem.decay * (c.centre_square + c.mean_distance**2 / 4 + r**2)


def value_at(problem: NoisyProblem, case: Case, r: arb, along: arb, across: arb) -> arb:
    """The objective with both noisy features at (along w_1 - w_2, along the mean of the class means)."""
    noisy = case.loss_value()(problem.classes.weight_distance * along)
    return clean_cost(problem, case, r) + 2 * problem.noise * (noisy + problem.decay * (along**2 + across**2))


def optimum(point: Mapping[str, Any]) -> arb:
    """The objective at the solution."""
    case = Case.at(point)
    problem, found = case.problem(), case.solution()
    c = problem.classes
    nu = problem.multiplier(found.noisy_margin)
    across = nu / (problem.decay + nu) * c.centre_square.sqrt()
    return value_at(problem, case, found.dilation, found.noisy_margin / c.weight_distance, across)


def _own_clean(point: Mapping[str, Any]) -> arb:
    case = Case.at(point)
    return clean_cost(case.problem(), case, case.solution().dilation)


def _own_force(point: Mapping[str, Any]) -> arb:
    case = Case.at(point)
    return case.problem().force(case.solution().dilation)


def _loss_slope(point: Mapping[str, Any]) -> arb:
    case = Case.at(point)
    return case.loss_slope()(case.solution().noisy_margin)


def _entropy(q: sp.Expr) -> sp.Expr:
    return -q * sp.log(q) - (1 - q) * sp.log(1 - q)


def _bound(r: sp.Expr, p: sp.Expr, clean: sp.Expr, force: sp.Expr) -> sp.Expr:
    """The bound, with ``th`` half the force times D/C and b the norm of the slope at the class mean."""
    threshold = force * mean_distance / (2 * slope)
    norm = sp.sqrt((weight_distance * p - noisy_decay * mean_distance) ** 2 + (noisy_decay * mean_distance) ** 2)
    gain = sp.Max(norm - threshold, 0) ** 2 / (4 * noisy_decay)
    inner = -p * margin + _entropy(smoothing / 2 - p) + noisy_decay * mean_distance**2 / 2 - gain
    return clean - r * force + 2 * noise * inner


def _bound_at_guess(point: Mapping[str, Any]) -> arb:
    """The bound from a dilation and a slope that have nothing to do with the solution."""
    case, r = Case.at(point), arb(point["guessed_dilation"])
    problem = case.problem()
    c = problem.classes
    balls = {
        **{name: arb(number) for name, number in point.items()},
        "margin": c.margin,
        "mean_distance": c.mean_distance,
        "weight_distance": c.weight_distance,
        "F": clean_cost(problem, case, r),
        "dF": problem.force(r),
    }
    return compiled(_bound(guessed_dilation, guessed_slope, clean, force))(balls)


BALLS = "expectation over two points, in balls"
CLAIM = Claim(
    id="md-lower-bound",
    title="A lower bound on the memorization-dilation problem, tight at the solution",
    statement=(
        r"Cross-entropy with smoothing, two classes with nonzero means, nonnegative features, unconstrained noisy "
        r"features with decay $\lambda > 0$, isotropic spread, absolute scaling: for every $r \geq 0$ and $\alpha/2 - "
        r"1 \leq p \leq 0$, with $\theta = F'(r) D/(2C)$ and $b^2 = (\kappa_w p - \lambda D)^2 + \lambda^2 D^2$, the "
        r"optimal value is at least $F(r) - r F'(r) + 2\eta(-ps + H(\alpha/2 - p) + \lambda D^2/2 - "
        r"(b-\theta)_+^2/(4\lambda))$, with equality at the solution and $p = \varphi'(t)$."
    ),
    source=Source("this project", "lower bound for the memorization-dilation problem"),
    variables={
        **VARIABLES,
        noisy_decay: Interval(1e-3, 1.0, log=True),
        guessed_dilation: Interval(0.0, 10.0),
        guessed_slope: Interval(-0.99, -0.001),
    },
    assumptions=(not_collapsed, sp.Lt(smoothing / 2 - guessed_slope, 1)),
    quantities={
        **CONFIGURATION,
        value: Quantity(at=Computed(optimum), route=f"the objective at the {BY_SIGNS}"),
        lower_bound: Quantity(at=Computed(_bound_at_guess), route="the stated bound, away from the solution"),
        own_clean: Quantity(at=Computed(_own_clean), route=BALLS),
        own_force: Quantity(at=Computed(_own_force), route=BALLS),
        loss_slope: Quantity(at=Computed(_loss_slope), route=BY_SIGNS),
        dilation: solved("dilation"),
    },
    relations=(
        at_least(value, lower_bound),
        equal(value, _bound(dilation, loss_slope, own_clean, own_force)),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonnegative features",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
        "absolute scaling",
    ),
    derivation="derivations/dual_bound.py",
)
