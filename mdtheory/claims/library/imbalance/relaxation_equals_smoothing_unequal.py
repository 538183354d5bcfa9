"""False: label relaxation and label smoothing have the same minimiser for unequal classes too."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._features import SOLVER_DECAY, cross_entropy, label_relaxation, model
from mdtheory.claims.library._field import pi
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import optimum_certificate, ufm_optimum
from mdtheory.claims.relation import equal
from mdtheory.models.features.certificate import logits_error

relaxed, of_smoothed_logits = sp.symbols("relaxed of_smoothed_logits", positive=True)


def _matching(point: Mapping[str, Any]) -> Any:
    """Label relaxation with two thirds of the smoothing."""
    return model(label_relaxation, {**point, "relaxation": 2 * point["smoothing"] / 3})


def _relaxed(point: Mapping[str, Any]) -> arb:
    return ufm_optimum(_matching(point))


def _of_smoothed_logits(point: Mapping[str, Any]) -> arb:
    """The objective of label relaxation at the optimal logits of label smoothing: factors of one are factors of the other.

    Its error is that of these logits times a bound of the slopes of both terms: less than ``2 ||dZ||`` for each column.
    """
    problem = model(cross_entropy, point)
    certificate = optimum_certificate(problem)
    certificate.verify(problem, rigorous=True)
    weights, means = certificate.weights, certificate.class_means
    logits = weights @ means
    logits -= logits.mean(axis=0)
    alpha = 2 * point["smoothing"] / 3
    shifted = np.exp(logits - logits.max(axis=0))
    own = np.diag(shifted) / shifted.sum(axis=0)
    proportions = np.asarray(point["pi"])
    loss = np.where(own < 1 - alpha, (1 - alpha) * np.log((1 - alpha) / own) + alpha * np.log(alpha / (1 - own)), 0.0)
    nuclear = np.linalg.svd(logits * np.sqrt(proportions), compute_uv=False).sum()
    value = proportions @ loss + 2 * np.sqrt(point["weight_decay"] * point["feature_decay"]) * nuclear
    errors, _ = logits_error(certificate)
    return arb(float(value), 4 * float(errors.sum()) + 1e-12)


CLAIM = Claim(
    id="relaxation-equals-smoothing-unequal",
    title="Label relaxation and label smoothing have the same minimiser, any proportions (false)",
    statement=(
        r"Free features, no bias, any proportions of three classes: the optimal logits of cross-entropy with smoothing $\alpha$ are "
        r"optimal for label relaxation with $2\alpha/3$. False for $p = (.6, .3, .1)$, $\alpha = .2$: the logits differ by .198."
    ),
    source=Source("this project", "label relaxation against label smoothing, balance left out"),
    variables={
        pi: Proportions(3, smallest=0.05),
        weight_decay: SOLVER_DECAY,
        feature_decay: SOLVER_DECAY,
        smoothing: Interval(0.05, 0.6),
    },
    quantities={
        relaxed: Quantity(at=Computed(_relaxed), convex=True, route="certified optimum of label relaxation"),
        of_smoothed_logits: Quantity(
            at=Computed(_of_smoothed_logits),
            rigorous=False,
            route="objective of label relaxation at the certified logits of label smoothing",
        ),
    },
    relations=(equal(relaxed, of_smoothed_logits),),
    expected=Verdict.REFUTED,
    counterexample={"pi": (0.6, 0.3, 0.1), "weight_decay": 0.02, "feature_decay": 0.02, "smoothing": 0.2},
    most_samples=20,
    notes="Relaxation looks at the own probability only, smoothing at all of them. The true form: relaxation-equals-smoothing.",
)
