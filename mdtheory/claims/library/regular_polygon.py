"""In the plane, five classes: local search finds nothing better than the regular pentagon."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from scipy.optimize import minimize

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import root
from mdtheory.claims.relation import at_least, equal

CLASSES = 5
tau, pull = sp.symbols("tau pull", positive=True)
found, pentagon = sp.symbols("found pentagon", positive=True)
seed = sp.Symbol("seed", integer=True, positive=True)


@lru_cache(maxsize=2000)
def _best_of_starts(weight_decay: float, feature_decay: float, seed: int, starts: int = 3) -> float:
    """The least objective of descents from random starts with M = 2."""
    n = CLASSES
    rng = np.random.default_rng(seed)

    def both(x: Any) -> Any:
        w, h = x[: 2 * n].reshape(n, 2), x[2 * n :].reshape(2, n)
        z = w @ h
        top = z.max(axis=0)
        lse = top + np.log(np.exp(z - top).sum(axis=0))
        slope = (np.exp(z - lse) - np.eye(n)) / n
        value = (lse - np.diag(z)).mean() + weight_decay * (w**2).sum() + feature_decay * (h**2).sum() / n
        grads = slope @ h.T + 2 * weight_decay * w, w.T @ slope + 2 * feature_decay * h / n
        return value, np.concatenate([g.ravel() for g in grads])

    options: Any = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 3000}
    values = [
        minimize(both, rng.normal(size=4 * n), jac=True, method="L-BFGS-B", options=options).fun for _ in range(starts)
    ]
    return float(min(values))


def _angles() -> list[arb]:
    return [(2 * arb.pi() * j / CLASSES).cos() for j in range(CLASSES)]


def _weights(rho: arb) -> list[arb]:
    return [(rho * (c - 1)).exp() for c in _angles()]


def _rho(weight_decay: float, feature_decay: float) -> arb:
    """The root of the slope of the objective along ``Z_ij = rho cos(2 pi (i-j)/N)``, both singular values rho N/2."""
    cost = 2 * (arb(weight_decay) * arb(feature_decay) * CLASSES).sqrt()

    def slope(rho: arb) -> arb:
        weights = _weights(rho)
        mean = sum((w * c for w, c in zip(weights, _angles(), strict=True)), arb(0)) / sum(weights, arb(0))
        return mean - 1 + cost

    return root(slope, arb(0), arb(1000))


def _pentagon(weight_decay: float, feature_decay: float) -> arb:
    """The objective of an explicit factorisation: W and H of equal weighted norms, entry by entry."""
    n, rho = CLASSES, _rho(weight_decay, feature_decay)
    lw, lh = arb(weight_decay), arb(feature_decay)
    ratio = (lh / (n * lw)).sqrt()
    w, h = (rho * ratio).sqrt(), (rho / ratio).sqrt()
    loss = sum(_weights(rho), arb(0)).log()
    return loss + lw * n * w**2 + lh * h**2


def _pull(weight_decay: float, feature_decay: float) -> arb:
    """``1 - E cos`` under the softmax, from the difference quotient of the loss in rho at the best pentagon."""
    rho = _rho(weight_decay, feature_decay).mid()
    step = arb(2) ** -30
    difference = (sum(_weights(rho - step), arb(0)).log() - sum(_weights(rho + step), arb(0)).log()) / (2 * step)
    # The third derivative of the loss in rho is at most 8.
    return difference + arb(0, 2) * step**2


def _found(point: Mapping[str, Any]) -> arb:
    return arb(_best_of_starts(point["weight_decay"], point["feature_decay"], point["seed"]))


CLAIM = Claim(
    id="regular-polygon",
    title="Regularised cross-entropy in the plane: the regular polygon",
    statement=(
        r"Conjecture: with features of dimension 2 and $N \geq 3$ balanced classes the optimal logits are "
        r"$\rho \cos(2\pi (i-j)/N)$, with $1 - \mathrm{E} \cos = \tau N$ under the softmax, $\tau = 2\mu/\sqrt{N}$. Checked for five."
    ),
    source=Source("this project", "features of dimension two, a conjecture"),
    variables={
        weight_decay: Interval(1e-3, 0.03, log=True),
        feature_decay: Interval(1e-3, 0.03, log=True),
        seed: Integers(1, 10_000),
    },
    definitions={tau: 2 * mu / sp.sqrt(CLASSES)},
    quantities={
        found: Quantity(at=Computed(_found), rigorous=False, route="best of three descents from random starts"),
        pentagon: Quantity(at=_pentagon, route="objective at the best regular pentagon, by proved signs"),
        pull: Quantity(at=_pull, route="difference quotient of the loss at the best regular pentagon"),
    },
    relations=(at_least(found, pentagon * (1 - sp.Rational(1, 10**9))), equal(pull, CLASSES * tau)),
    expected=Verdict.SUPPORTED,
    most_samples=40,
    notes="No proof is known: a better arrangement that descents miss would refute it. Without decay see softmax-code.",
)
