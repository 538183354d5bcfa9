"""False: minority classes of different proportions coincide under strong decay."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._field import nuclear, pi
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import features_model, optimum_certificate
from mdtheory.claims.relation import at_most
from mdtheory.losses import CrossEntropy
from mdtheory.models.features.certificate import logits_error

pi_3, pi_4 = sp.symbols("pi_3 pi_4", positive=True)
distance = sp.Symbol("distance", real=True)


@lru_cache(maxsize=2000)
def _distance(pi: tuple[float, ...], weight_decay: float, feature_decay: float) -> tuple[float, float]:
    problem = features_model(CrossEntropy(), 4, weight_decay, feature_decay, class_weights=pi)
    certificate = optimum_certificate(problem)
    certificate.verify(problem, rigorous=True)
    logits = certificate.weights @ certificate.class_means
    logits -= logits.mean(axis=0)
    errors, _ = logits_error(certificate)
    return float(np.linalg.norm(logits[:, 2] - logits[:, 3])), float(errors[2] + errors[3])


def ball_of_distance(pi: tuple[float, ...], weight_decay: float, feature_decay: float) -> arb:
    """The distance of the logits of the last two classes at the optimum; the bound of its error is in double precision."""
    return arb(*_distance(pi, weight_decay, feature_decay))


def _at(point: Mapping[str, Any]) -> arb:
    """At most the distance of the logits of the last two classes at the optimum."""
    return ball_of_distance(point["pi"], point["weight_decay"], point["feature_decay"]).lower()


CLAIM = Claim(
    id="minority-collapse-unequal",
    title="Minority classes of different proportions coincide (false)",
    statement=(
        r"If $\sqrt{p_3}, \sqrt{p_4} \leq 2\mu$ then classes 3 and 4 coincide at the optimum of cross-entropy. "
        r"False for $p = (.45, .45, .06, .04)$, $4\mu^2 = .06$."
    ),
    source=Source("this project", "minority collapse beyond equal proportions, a common reading of the theorem"),
    variables={
        pi: Proportions(4),
        weight_decay: Interval(1e-3, 0.3, log=True),
        feature_decay: Interval(1e-3, 0.3, log=True),
    },
    assumptions=(sp.Le(sp.sqrt(pi_3), nuclear), sp.Le(sp.sqrt(pi_4), nuclear)),
    quantities={
        distance: Quantity(
            at=Computed(_at),
            rigorous=False,
            convex=True,
            route="certified optimum, less the error that its duality gap allows",
        ),
    },
    relations=(at_most(distance, 0),),
    expected=Verdict.REFUTED,
    counterexample={"pi": (0.45, 0.45, 0.06, 0.04), "weight_decay": 0.1225, "feature_decay": 0.1225},
    most_samples=100,
    notes=(
        "Classes of different proportions never coincide unless both vanish, only the rank drops: "
        "unequal-classes-stay-apart. For equal ones see merge-threshold."
    ),
)
