"""What the claims about the features model share: certified optima, margins by proved signs, closed-form costs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Integers, Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import (
    CLASSES,
    DECAY,
    SMOOTHING,
    feature_decay,
    mu,
    num_classes,
    smoothing,
    weight_decay,
)
from mdtheory.claims.model import Quantity
from mdtheory.claims.quantities import features_model, optimum_certificate, ufm_optimum
from mdtheory.losses import CrossEntropy, LabelRelaxation, Loss, MeanSquaredError
from mdtheory.models.features.problem import UFM
from mdtheory.numerics.ball_roots import root

Values = Mapping[str, Any]
Labels = np.ndarray[tuple[int, int], np.dtype[np.float64]]

GENERAL_SOLVER = "general convex solver, bounds proved in ball arithmetic"
BY_SIGNS = "by proved signs of the slope"
FEW_STARTS = 1
MOST_OPTIMA = 50
"""Draws of a claim whose every draw is a convex optimisation."""

STRONG_DECAY = Interval(1e-4, 0.5, log=True)
SOLVER_DECAY = Interval(1e-4, 0.3, log=True)
RELAXATION = Interval(0.005, 0.9)
SOLVER_VARIABLES: Mapping[sp.Symbol, Domain] = {
    num_classes: Integers(2, 10),
    weight_decay: SOLVER_DECAY,
    feature_decay: SOLVER_DECAY,
    smoothing: SMOOTHING,
}
"""Those of balanced models whose optimum the general solver certifies."""
MARGIN_VARIABLES: Mapping[sp.Symbol, Domain] = {
    num_classes: CLASSES,
    weight_decay: DECAY,
    feature_decay: DECAY,
    smoothing: SMOOTHING,
}
"""Those of balanced models whose margin is a root."""
HINGE_VARIABLES: Mapping[sp.Symbol, Domain] = {
    num_classes: Integers(2, 30),
    weight_decay: Interval(5e-3, 1.0, log=True),
    feature_decay: Interval(5e-3, 1.0, log=True),
}

relaxation = sp.Symbol("relaxation", positive=True)
pi = sp.Symbol("pi")

# The cost of one unit of margin: 2 mu times the nuclear norm of (I - J/N)/sqrt N, and its nonnegative analogue.
free_cost = 2 * (num_classes - 1) * mu / sp.sqrt(num_classes)
nonnegative_cost = 2 * sp.sqrt(num_classes - 1) * mu
others_label = (num_classes - 1) * smoothing / num_classes
"""What smoothing gives to all other classes together."""


def softmax_margin(rest: sp.Expr, classes: sp.Expr = num_classes) -> sp.Expr:
    """The margin at which the probability of all other classes is ``rest``, zero where that needs a negative one."""
    return sp.log(sp.Max(1, (classes - 1) * (1 - rest) / rest))


def smoothed_value(rest: sp.Expr, own: sp.Expr, cost: sp.Expr, classes: sp.Expr = num_classes) -> sp.Expr:
    """Cross-entropy at its margin with target ``own`` of the own class, plus the cost of the margin."""
    s = softmax_margin(rest, classes)
    return sp.log(sp.exp(s) + classes - 1) + (cost - own) * s


def balanced_value(cost: sp.Expr) -> sp.Expr:
    """The optimal value of cross-entropy with balanced classes, from the cost of one unit of margin."""
    return smoothed_value(others_label + cost, 1 - others_label, cost)


def thresholded(singular: sp.Expr) -> sp.Expr:
    """What a singular value of the targets contributes to the squared error's optimum: misfit and decay."""
    misfit = sp.Min(singular, 2 * mu)
    return misfit**2 / 2 + 2 * mu * (singular - misfit)


# ---------------------------------------------------------------------- losses of a point


def cross_entropy(point: Values) -> Loss:
    """Cross-entropy with the point's smoothing."""
    return CrossEntropy(point.get("smoothing", 0.0))


def squared_error(point: Values) -> Loss:
    """Mean squared error with the point's smoothing."""
    return MeanSquaredError(point.get("smoothing", 0.0))


def label_relaxation(point: Values) -> Loss:
    """Label relaxation with the point's parameter."""
    return LabelRelaxation(point["relaxation"])


# ---------------------------------------------------------------------- optima


def model(
    loss: Callable[[Values], Loss],
    point: Values,
    *,
    nonnegative: bool = False,
    bias: bool = False,
    labels: Labels | None = None,
    weights: tuple[float, ...] | None = None,
) -> UFM:
    """The features model at a point.

    Labels are always given, as the identity if need be: the solver then sees a problem of no symmetry.
    """
    proportions = weights or point.get("pi")
    if labels is None:
        labels = np.eye(len(proportions) if proportions else point["num_classes"])
    return features_model(
        loss(point),
        labels.shape[0],
        point["weight_decay"],
        point["feature_decay"],
        nonnegative=nonnegative,
        bias=bias,
        class_weights=proportions,
        labels=labels,
    )


def optimum(
    loss: Callable[[Values], Loss],
    *,
    nonnegative: bool = False,
    bias: bool = False,
    classes: int | None = None,
    labels: Callable[[Values], Labels] | None = None,
    weights: Callable[[Values], tuple[float, ...]] | None = None,
) -> Quantity:
    """The certified optimal value of a features model, from a solver that knows no closed form."""

    def at(point: Values) -> arb:
        targets = labels(point) if labels else np.eye(classes) if classes else None
        shares = weights(point) if weights else None
        return ufm_optimum(
            model(loss, point, nonnegative=nonnegative, bias=bias, labels=targets, weights=shares), starts=FEW_STARTS
        )

    return Quantity(at=Computed(at), convex=True, route=GENERAL_SOLVER)


def squared_error_logit(row: int, column: int) -> Callable[[Values], arb]:
    """An entry of the optimal logits of the squared error without a bias.

    The objective is strongly convex in the logits: ``sum pi_n ||z_n - z_n*||^2/2`` is at most the certified gap.
    """

    def at(point: Values) -> arb:
        problem = model(squared_error, point)
        certificate = optimum_certificate(problem)
        proved = certificate.verify(problem, rigorous=True)
        share = 1 / arb(problem.num_groups) if problem.class_weights is None else arb(problem.class_weights[column])
        found = sum(
            (
                arb(w) * arb(h)
                for w, h in zip(certificate.weights[row], certificate.class_means[:, column], strict=True)
            ),
            arb(0),
        )
        error = (2 * (arb(proved.upper) - arb(proved.lower)) / share).sqrt()
        return found + arb(0, error.upper())

    return at


# ---------------------------------------------------------------------- margins


def cost_of_margin(point: Values, *, nonnegative: bool) -> arb:
    """Kappa, in balls."""
    n, product = arb(point["num_classes"]), arb(point["weight_decay"]) * arb(point["feature_decay"])
    return 2 * ((n - 1) * product).sqrt() if nonnegative else 2 * (n - 1) * (product / n).sqrt()


def probability(margin: arb, classes: int) -> arb:
    """The softmax probability of the own class at the logits ``s (e_n - 1/N)``."""
    n = arb(classes)
    own, other = (margin * (n - 1) / n).exp(), (-margin / n).exp()
    return own / (own + (n - 1) * other)


def smoothed_pull(point: Values, margin: arb) -> arb:
    """The slope of cross-entropy along the margin: own probability minus own target."""
    target = 1 - arb(point.get("smoothing", 0.0)) * (1 - 1 / arb(point["num_classes"]))
    return probability(margin, point["num_classes"]) - target


def relaxed_pull(point: Values, margin: arb) -> arb:
    """The slope of label relaxation along the margin."""
    return (probability(margin, point["num_classes"]) - 1 + arb(point["relaxation"])).min(arb(0))


def least_margin(slope: Callable[[arb], arb], high: int = 300) -> arb:
    """The minimiser over s >= 0 of a convex function with this slope."""
    at_zero = slope(arb(0))
    if at_zero >= 0:
        return arb(0)
    return root(slope, arb(0), arb(high))


def margin_quantity(pull: Callable[[Values, arb], arb], *, nonnegative: bool, high: int = 300) -> Quantity:
    """The minimiser of the profile, given by its slope, plus the cost of the margin."""

    def at(point: Values) -> arb:
        cost = cost_of_margin(point, nonnegative=nonnegative)
        return least_margin(lambda s: pull(point, s) + cost, high)

    return Quantity(at=Computed(at), route=f"minimiser over the margin, {BY_SIGNS}")


def least_value(pull: Callable[[Values, arb], arb], profile: Callable[[arb], arb], *, nonnegative: bool) -> Quantity:
    """The profile plus the cost of the margin, at the minimiser."""

    def at(point: Values) -> arb:
        cost = cost_of_margin(point, nonnegative=nonnegative)
        margin = least_margin(lambda s: pull(point, s) + cost, 3)
        return profile(margin) + cost * margin

    return Quantity(at=Computed(at), route=f"objective at the minimiser over the margin, {BY_SIGNS}")


def pull_at_zero(slope: Callable[[arb], arb]) -> arb:
    """How strongly a convex function wants to leave zero margin: minus its slope there."""
    return -slope(arb(0))


# ---------------------------------------------------------------------- slopes of the other losses


def hinge_pull(point: Values, margin: arb) -> arb:
    """The subgradients of the multiclass hinge along the margin."""
    if margin < 1:
        return arb(-1)
    return arb(0) if margin > 1 else arb(-1).union(arb(0))


def squared_hinge_pull(point: Values, margin: arb) -> arb:
    """The slope of the squared hinge along the margin."""
    return (margin - 1).min(arb(0))


def squared_error_pull(point: Values, margin: arb) -> arb:
    """The slope of the squared error along the margin, ``<z + b - y, e_1 - 1/N>`` entry by entry, with a bias 1/N."""
    n, alpha = arb(point["num_classes"]), arb(point["smoothing"])
    own = margin * (1 - 1 / n) + 1 / n - (1 - alpha + alpha / n)
    other = -margin / n + 1 / n - alpha / n
    return own * (1 - 1 / n) - (n - 1) * other / n
