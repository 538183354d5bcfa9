r"""Optima of the features model as balls that provably contain them, for claims to speak about.

Nothing here uses the closed forms under test: optima come from the convex solver with a certificate verified in ball
arithmetic.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from mdtheory.losses import Loss
from mdtheory.models.features.certificate import Certificate
from mdtheory.models.features.nonnegative import solve_nonnegative
from mdtheory.models.features.problem import UFM, UFMMethod
from mdtheory.models.solving import solve


def ufm_optimum(
    problem: UFM, method: UFMMethod = "factorized", tolerance: float | None = None, starts: int | None = None
) -> arb:
    """The optimal value of a features model: between bounds that a certificate proves in ball arithmetic.

    Nonnegative features take their local search and doubly nonnegative bound, also where a closed form is known.
    """
    proved = optimum_certificate(problem, method, tolerance, starts).verify(problem, rigorous=True)
    return arb(proved.lower).union(arb(proved.upper))


def optimum_certificate(
    problem: UFM, method: UFMMethod = "factorized", tolerance: float | None = None, starts: int | None = None
) -> Certificate:
    """The certificate of the answer of a numerical method that knows no closed form."""
    if problem.nonnegative:
        return solve_nonnegative(problem, starts=starts, seed=0, tolerance=tolerance or 1e-9).certificate
    return solve(problem, method=method, tolerance=tolerance).certificate


def features_model(
    loss: Loss,
    num_classes: int,
    weight_decay: float,
    feature_decay: float,
    *,
    nonnegative: bool = False,
    class_weights: Sequence[float] | None = None,
    labels: Any = None,
    bias: bool = False,
) -> UFM:
    """A `UFM` from the plain numbers of a point."""
    return UFM(
        loss,
        num_classes=num_classes,
        weight_decay=weight_decay,
        feature_decay=feature_decay,
        nonnegative=nonnegative,
        class_weights=None if class_weights is None else np.asarray(class_weights),
        label_distribution=labels,
        bias=bias,
    )
