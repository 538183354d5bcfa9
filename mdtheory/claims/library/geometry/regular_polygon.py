"""In the plane, three to eight classes: local search finds nothing better than the regular polygon."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from scipy.optimize import minimize

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, num_classes, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal
from mdtheory.numerics.ball_roots import root

tau, pull = sp.symbols("tau pull", positive=True)
found, polygon = sp.symbols("found polygon", positive=True)
seed = sp.Symbol("seed", integer=True, positive=True)


@lru_cache(maxsize=2000)
def _best_of_starts(n: int, weight_decay: float, feature_decay: float, seed: int, starts: int = 3) -> float:
    """The least objective of descents from random starts with M = 2."""
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


def _cosines(n: int) -> list[arb]:
    return [(2 * arb.pi() * j / n).cos() for j in range(n)]


def _weights(n: int, rho: arb) -> list[arb]:
    return [(rho * (c - 1)).exp() for c in _cosines(n)]


def _rho(n: int, weight_decay: float, feature_decay: float) -> arb:
    """The root of the slope of the objective along ``Z_ij = rho cos(2 pi (i-j)/N)``, both singular values rho N/2."""
    cost = 2 * (arb(weight_decay) * arb(feature_decay) * n).sqrt()

    def slope(rho: arb) -> arb:
        weights = _weights(n, rho)
        mean = sum((w * c for w, c in zip(weights, _cosines(n), strict=True)), arb(0)) / sum(weights, arb(0))
        return mean - 1 + cost

    return root(slope, arb(0), arb(1000))


def _polygon(num_classes: int, weight_decay: float, feature_decay: float) -> arb:
    """The objective of an explicit factorisation: W and H of equal weighted norms, entry by entry."""
    n, rho = num_classes, _rho(num_classes, weight_decay, feature_decay)
    lw, lh = arb(weight_decay), arb(feature_decay)
    ratio = (lh / (n * lw)).sqrt()
    w, h = (rho * ratio).sqrt(), (rho / ratio).sqrt()
    loss = sum(_weights(n, rho), arb(0)).log()
    return loss + lw * n * w**2 + lh * h**2


def _pull(num_classes: int, weight_decay: float, feature_decay: float) -> arb:
    """``1 - E cos`` under the softmax, from the difference quotient of the loss in rho at the best polygon."""
    n, rho = num_classes, _rho(num_classes, weight_decay, feature_decay).mid()
    step = arb(2) ** -30
    difference = (sum(_weights(n, rho - step), arb(0)).log() - sum(_weights(n, rho + step), arb(0)).log()) / (2 * step)
    # The third derivative of the loss in rho is at most 8.
    return difference + arb(0, 2) * step**2


def _found(point: Mapping[str, Any]) -> arb:
    return arb(_best_of_starts(point["num_classes"], point["weight_decay"], point["feature_decay"], point["seed"]))


CLAIM = Claim(
    id="regular-polygon",
    title="Regularised cross-entropy in the plane: the regular polygon",
    statement=(
        r"Conjecture: with free features of dimension 2, no bias and $N \geq 3$ balanced classes, $2\sqrt{N}\mu < 1$, the optimal logits "
        r"of cross-entropy are, for some order of the classes, $\rho \cos(2\pi (i-j)/N)$, with $1 - \mathrm{E} \cos = \tau N$ under the softmax, $\tau = 2\mu/\sqrt{N}$. "
        r"Checked for three to eight."
    ),
    source=Source("this project", "features of dimension two, a conjecture"),
    variables={
        num_classes: Integers(3, 8),
        weight_decay: Interval(1e-3, 0.2, log=True),
        feature_decay: Interval(1e-3, 0.2, log=True),
        seed: Integers(1, 10_000),
    },
    definitions={tau: 2 * mu / sp.sqrt(num_classes)},
    assumptions=(sp.Lt(2 * sp.sqrt(num_classes) * mu, 1),),
    quantities={
        found: Quantity(at=Computed(_found), rigorous=False, route="best of three descents from random starts"),
        polygon: Quantity(at=_polygon, route="objective at the best regular polygon, by proved signs"),
        pull: Quantity(at=_pull, route="difference quotient of the loss at the best regular polygon"),
    },
    relations=(at_least(found, polygon * (1 - sp.Rational(1, 10**9))), equal(pull, num_classes * tau)),
    expected=Verdict.SUPPORTED,
    most_samples=40,
    notes="No proof is known: a better arrangement that descents miss would refute it. Without decay see softmax-code.",
)
