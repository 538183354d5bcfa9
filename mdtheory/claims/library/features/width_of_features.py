"""Features as wide as there are classes suffice: local search finds no bad local minimum."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from scipy.optimize import minimize

from mdtheory.claims.domains import Integers, Interval, Proportions
from mdtheory.claims.library._field import pi
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import features_model, ufm_optimum
from mdtheory.claims.relation import equal
from mdtheory.losses import CrossEntropy

found, optimum = sp.symbols("found optimum", positive=True)
seed = sp.Symbol("seed", integer=True, positive=True)


@lru_cache(maxsize=2000)
def _local_minimum(pi: tuple[float, ...], weight_decay: float, feature_decay: float, seed: int) -> float:
    """Descent from a random start on W and H with M = N."""
    n, p = len(pi), np.asarray(pi)

    def both(x: Any) -> Any:
        w, h = x[: n * n].reshape(n, n), x[n * n :].reshape(n, n)
        z = w @ h
        top = z.max(axis=0)
        lse = top + np.log(np.exp(z - top).sum(axis=0))
        slope = (np.exp(z - lse) - np.eye(n)) * p
        value = p @ (lse - np.diag(z)) + weight_decay * (w**2).sum() + feature_decay * (p * h**2).sum()
        grad_w, grad_h = slope @ h.T + 2 * weight_decay * w, w.T @ slope + 2 * feature_decay * p * h
        return value, np.concatenate([grad_w.ravel(), grad_h.ravel()])

    start = np.random.default_rng(seed).normal(size=2 * n * n)
    options: Any = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000, "maxcor": 30}
    return float(minimize(both, start, jac=True, method="L-BFGS-B", options=options).fun)


def _found(point: Mapping[str, Any]) -> arb:
    """To a relative 1e-7: where the descent stops."""
    value = arb(_local_minimum(point["pi"], point["weight_decay"], point["feature_decay"], point["seed"]))
    return value + value * arb(0, 2e-7)


def _optimum(pi: tuple[float, ...], weight_decay: float, feature_decay: float) -> arb:
    return ufm_optimum(features_model(CrossEntropy(), len(pi), weight_decay, feature_decay, class_weights=pi))


CLAIM = Claim(
    id="width-of-features",
    title="Features of dimension N have no bad local minima",
    statement=(
        r"Cross-entropy with free features of dimension $M = N$: every local minimum over $W$ and $H$ is global. (At a "
        r"stationary point $1'W = 0$, so $W$ has a null direction; $M > N$ is not needed.)"
    ),
    source=Source("zhu2021", "benign landscape for M > N, as recalled; M = N: shen2024, abstract"),
    variables={
        pi: Proportions(3, smallest=0.05),
        weight_decay: Interval(1e-3, 0.1, log=True),
        feature_decay: Interval(1e-3, 0.1, log=True),
        seed: Integers(1, 10_000),
    },
    quantities={
        found: Quantity(at=Computed(_found), rigorous=False, route="descent from a random start with M = N"),
        optimum: Quantity(at=_optimum, convex=True, route="certified optimum of the general solver"),
    },
    relations=(equal(found, optimum),),
    expected=Verdict.SUPPORTED,
    most_samples=60,
    notes="Local minima that a random start does not reach are not excluded by draws. M = N - 1 is open.",
)
