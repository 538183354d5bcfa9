"""False: classes that face the same noise are alike at the joint optimum."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, arb_mat

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import decay, noise, slope
from mdtheory.claims.library.joint._joint import SOURCE
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import at_least
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import MeanSquaredError
from mdtheory.models.joint.general import search
from mdtheory.models.joint.general_solution import ClassJointSolution
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.programme import minimise
from mdtheory.spreads import Sphere

_DIM = 8
symmetric, reached = sp.symbols("symmetric reached", positive=True)


def _problem(decay: float, noise: float, slope: float) -> LimitedExpressivity:
    return LimitedExpressivity(
        MeanSquaredError(),
        num_classes=3,
        noise=noise,
        slope=slope,
        weight_decay=decay,
        feature_decay=decay,
        spread=Sphere(_DIM),
        bias=True,
    )


@lru_cache(maxsize=1000)
def _symmetric(decay: float, noise: float, slope: float) -> arb:
    """The best value with all classes alike, between a bound from the gradient of the convex programme and a value that is reached."""
    s, p, y = (arb(float(v)) for v in minimise(_problem(decay, noise, slope)))
    e, c = arb(noise) / (1 + arb(noise)), arb(noise) / arb(slope)
    form = arb_mat([[arb(2) / 3, -arb(1) / 3], [-arb(1) / 3, arb(2) / 3]])
    # (-p, y) and (s - p, y) from (s, p, y).
    step, noisy = arb_mat([[0, -1, 0], [0, 0, 1]]), arb_mat([[1, -1, 0], [0, 0, 1]])
    x = arb_mat([[s], [p], [y]])
    dilated = step.transpose() * form * step * c**2
    at = noisy * x - arb_mat([[0], [1]])
    square = (x.transpose() * dilated * x)[0, 0]
    loss = (1 - e) * ((s - 1) ** 2 / 3 + square / _DIM) + e * (at.transpose() * form * at)[0, 0] / 2
    gradient = dilated * x * ((1 - e) * 2 / _DIM) + noisy.transpose() * form * at * e
    gradient = gradient + arb_mat([[(1 - e) * 2 * (s - 1) / 3], [0], [0]])
    metric = dilated * (1 - e) + noisy.transpose() * form * noisy * e + arb_mat(3, 3, [(1 - e) * 2 / 3, *[0] * 8])
    weight = 2 * arb(decay) * arb(2).sqrt()
    objective = loss + weight * (x.transpose() * metric * x)[0, 0].sqrt()
    dual = (gradient.transpose() * metric.solve(gradient))[0, 0].max(arb(0)).sqrt()
    excess = (dual / weight - 1).max(arb(0))
    return (loss - (gradient.transpose() * x)[0, 0] - excess * objective).union(objective)


@lru_cache(maxsize=1000)
def _reached(decay: float, noise: float, slope: float) -> arb:
    """The value at the explicit features that a search has found, exact binary numbers."""
    problem = _problem(decay, noise, slope)
    found = ClassJointSolution.at(problem, search(problem, None, starts=1, seed=0))
    w, h, u = (_balls(part) for part in (found.weights, found.class_means, found.noisy_features))
    e, share, lam = arb(noise) / (1 + arb(noise)), arb(noise) / 2 / arb(slope), arb(decay)
    weights = _square(w.ravel())
    total = lam * weights
    for m in range(3):
        others = [k for k in range(3) if k != m]
        r = sum((share * _square(u[:, k, m] - h[:, m]).sqrt() for k in others), arb(0))
        clean = _loss(w @ h[:, m], m) + r**2 * weights / (2 * _DIM) + lam * (_square(h[:, m]) + r**2)
        noisy = sum((_loss(w @ u[:, k, m], k) + lam * _square(u[:, k, m]) for k in others), arb(0))
        total += ((1 - e) * clean + e / 2 * noisy) / 3
    return total


def _balls(values: FloatArray) -> Any:
    """The same array of exact balls, which NumPy multiplies as objects."""
    return np.vectorize(lambda value: arb(float(value)), otypes=[object])(values)


def _square(values: Iterable[arb]) -> arb:
    return sum((value * value for value in values), arb(0))


def _loss(logits: Any, label: int) -> arb:
    """The squared error with a bias of a third."""
    return _square([logits[n] + arb(1) / 3 - (1 if n == label else 0) for n in range(3)]) / 2


CLAIM = Claim(
    id="joint-classes-stay-alike",
    title="Classes that face the same noise are alike at the joint optimum (false)",
    statement=(
        r"For three balanced classes with symmetric noise and the squared error no configuration of the limited-expressivity model is better than "
        r"the best with all classes alike."
    ),
    source=SOURCE,
    variables={
        decay: Interval(1e-3, 0.01, log=True),
        noise: Interval(0.05, 1.0, log=True),
        slope: Interval(0.05, 5.0, log=True),
    },
    quantities={
        symmetric: Quantity(at=_symmetric, route="bound of the convex programme of classes that are alike, in balls"),
        reached: Quantity(at=_reached, route="objective in balls at the features of a search from a broken start"),
    },
    relations=(at_least(reached, symmetric),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.003, "noise": 0.6667, "slope": 0.1667},
    hypotheses=("squared error", "free features", "isotropic spread"),
    most_samples=6,
    notes="For two classes it is true, by convexity. Which pairs of classes are memorised costs nothing to first order in the slope, so that one class apart wins for small ones: `symmetry_breaking_slope`.",
)
