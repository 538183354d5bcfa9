"""Mixed-up labels that treat all classes alike: residuals are one multiple of the logits."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Interval
from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._matrices import dot, softmax
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import features_model, optimum_certificate
from mdtheory.claims.relation import equal
from mdtheory.losses import CrossEntropy

pull = sp.Symbol("pull", positive=True)
mixing, mixed = sp.symbols("mixing mixed", positive=True)
slope_of_plain, slope_of_mixed, squares = sp.symbols("slope_of_plain slope_of_mixed squares", positive=True)
PULL = (1 - mixed) * sp.Rational(2, 3) + mixed * (mixing**2 + (1 - mixing) ** 2 - sp.Rational(1, 3))
"""``sum p_k ||y_k - 1/3||^2``: the squared norm of the gradient at zero."""
VARIABLES: Mapping[sp.Symbol, Domain] = {
    mixing: Interval(0.5, 1.0),
    mixed: Interval(0.1, 0.9),
    weight_decay: Interval(1e-3, 0.7, log=True),
    feature_decay: Interval(1e-3, 0.7, log=True),
}
PLAIN, MIXED = 0, 3
ERROR = 1e-6


def labels(mixing: float) -> np.ndarray[Any, Any]:
    """Three one-hot columns, then all six mixtures ``x e_i + (1-x) e_j``."""
    eye = np.eye(3)
    return np.column_stack(
        [*eye, *(mixing * eye[i] + (1 - mixing) * eye[j] for i in range(3) for j in range(3) if i != j)]
    )


@lru_cache(maxsize=2000)
def solved(mixing: float, mixed: float, weight_decay: float, feature_decay: float) -> tuple[Any, Any]:
    """Centred logits at which the duality gap is below 1e-12, and shares."""
    share = np.array([(1 - mixed) / 3] * 3 + [mixed / 6] * 6)
    problem = features_model(
        CrossEntropy(), 3, weight_decay, feature_decay, class_weights=share.tolist(), labels=labels(mixing)
    )
    certificate = optimum_certificate(problem, tolerance=1e-13)
    certificate.verify(problem, rigorous=True)
    logits = certificate.weights @ certificate.class_means
    logits -= logits.mean(axis=0)
    return logits, share


def column(point: Mapping[str, Any], k: int) -> list[arb]:
    """With an estimated error: the square root of the gap."""
    logits, _ = solved(point["mixing"], point["mixed"], point["weight_decay"], point["feature_decay"])
    return [arb(z, ERROR * (1 + abs(z))) for z in logits[:, k].tolist()]


def residual(label: list[float], z: list[arb]) -> list[arb]:
    """``y - softmax z``."""
    return [arb(y) - s for y, s in zip(label, softmax(z), strict=True)]


def _slope(k: int) -> Computed:
    """``<y - softmax z, z>/<z, z>`` of a column."""

    def at(point: Mapping[str, Any]) -> arb:
        z, label = column(point, k), labels(point["mixing"])[:, k].tolist()
        return dot(residual(label, z), z) / dot(z, z)

    return Computed(at)


def _squares(point: Mapping[str, Any]) -> arb:
    share = solved(point["mixing"], point["mixed"], point["weight_decay"], point["feature_decay"])[1]
    return sum((arb(p) * dot(column(point, k), column(point, k)) for k, p in enumerate(share.tolist())), arb(0))


ROUTE = "logits of the certified optimum of the general solver, their errors estimated from the gap"

CLAIM = Claim(
    id="exchangeable-labels-one-scalar",
    title="Labels that treat all classes alike: one scalar",
    statement=(
        r"Cross-entropy, free features of dimension $N - 1$ at least, no bias or an unregularised one: if the labels "
        r"with their weights are invariant under relabelling the classes and $\sum_k p_k \Vert y_k - 1/N \Vert^2 > "
        r"4\mu^2 (N-1)$, so that $Z \neq 0$, every column of the optimum solves $y - \mathrm{softmax}(z) = \theta z$ "
        r"with one $\theta > 0$, and $\theta^2 \sum_k p_k \Vert z_k \Vert^2 = 4\mu^2 (N-1)$. Checked for mixtures of "
        r"two of three classes."
    ),
    source=Source("this project", "exchangeable labels: smoothing, symmetric noise, mixup, several labels"),
    variables=VARIABLES,
    definitions={pull: PULL},
    assumptions=(sp.Gt(pull, 2 * nuclear**2),),
    quantities={
        slope_of_plain: Quantity(at=_slope(PLAIN), rigorous=False, convex=True, route=ROUTE),
        slope_of_mixed: Quantity(at=_slope(MIXED), rigorous=False, convex=True, route=ROUTE),
        squares: Quantity(at=Computed(_squares), rigorous=False, convex=True, route=ROUTE),
    },
    relations=(
        equal(slope_of_plain, slope_of_mixed),
        equal(slope_of_plain**2 * squares, 2 * nuclear**2),
    ),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "exchangeable labels", "free features", "enough features"),
    derivation="derivations/exchangeable_labels.py",
    resolution=1e-2,
    most_samples=40,
    notes=(
        "Where everything collapses to zero it fails: exchangeable-labels-also-at-collapse. In closed form for label "
        "sets: pick-all-labels."
    ),
)
