"""In absolute scaling, a vanishing slope is not the features model with soft labels: class means may meet instead."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import decay, noise, slope
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import features_model, ufm_optimum
from mdtheory.claims.relation import less
from mdtheory.losses import CrossEntropy

separation, noisy_margin = sp.symbols("separation noisy_margin", positive=True)
with_meeting_means, with_soft_labels = sp.symbols("V V_soft", positive=True)
DIM = 8


def _with_soft_labels(decay: float, noise: float) -> arb:
    """The optimum of the features model whose labels are flipped with the probability of the noise."""
    labels = np.array([[1 - noise, noise], [noise, 1 - noise]])
    return ufm_optimum(features_model(CrossEntropy(), 2, decay, decay, labels=labels))


def _with_meeting_means(point: Mapping[str, Any]) -> arb:
    """The joint objective at a feasible point: class means ``separation`` apart, noisy features far away.

    ``h_n = +-(D/2) e``, ``w_n = +-(kap/2) e``, noisy features at ``+-x e`` with the label's sign, two-point spread.
    """
    lam, eta, separation = arb(point["decay"]), arb(point["noise"]), arb(point["separation"])
    t = arb(point["noisy_margin"])
    position = (t / (2 * eta).sqrt()).sqrt()  # balances the decays of the noisy features and of the classifier
    weights = t / position
    # eta ||u - h|| <= C r/D, with equality.
    r = eta * (position + separation / 2) * separation / arb(point["slope"])
    margin, shift = weights * separation / 2, weights * r / arb(DIM).sqrt()
    clean = ((1 + (-margin - shift).exp()).log() + (1 + (shift - margin).exp()).log()) / 2
    clean += lam * (separation**2 / 4 + r**2)
    noisy = (1 + (-t).exp()).log() + lam * position**2
    return (1 - eta) * clean + eta * noisy + lam * weights**2 / 2


CLAIM = Claim(
    id="vanishing-slope-absolute",
    title="Absolute scaling: a small slope need not mean soft labels",
    statement=(
        r"Limited-expressivity model, absolute scaling, free features, two classes: for some slope $C \leq 1/1000$ class "
        r"means that almost meet, with noisy features far from both, have a smaller objective than the features model "
        r"with soft labels, the limit of relative scaling."
    ),
    source=Source("this project", "limit of a vanishing slope"),
    variables={
        decay: Interval(1e-4, 0.1, log=True),
        noise: Interval(0.01, 0.5),
        slope: Interval(1e-9, 1e-3, log=True),
        separation: Interval(1e-15, 1.0, log=True),
        noisy_margin: Interval(0.1, 10.0),
    },
    quantities={
        with_meeting_means: Quantity(at=Computed(_with_meeting_means), route="value at an explicit feasible point"),
        with_soft_labels: Quantity(at=_with_soft_labels, route="certified optimum", convex=True),
    },
    relations=(less(with_meeting_means, with_soft_labels),),
    expected=Verdict.CERTIFIED,
    existence=True,
    counterexample={"decay": 0.001, "noise": 0.25, "slope": 0.001, "separation": 1e-6, "noisy_margin": 6.0},
    notes="The distance of the class means is in the denominator of the constraint: where it vanishes, so does the constraint.",
)
