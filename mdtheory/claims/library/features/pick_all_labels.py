"""Pick-all-labels: the margins of label sets of different sizes are tied by one scalar."""

import sympy as sp
from flint import arb

from mdtheory.claims.library._field import nuclear
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.library.features._pick_all import ROUTE, VARIABLES, singles, solve
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

margin_1, margin_2, optimum, theta, squares = sp.symbols("a_1 a_2 optimum theta squares", positive=True)


def _margin_1(num_classes: int, singles: float, weight_decay: float, feature_decay: float) -> arb:
    return solve(num_classes, singles, weight_decay, feature_decay).point[0] + arb(0, 1e-20)


def _margin_2(num_classes: int, singles: float, weight_decay: float, feature_decay: float) -> arb:
    return solve(num_classes, singles, weight_decay, feature_decay).point[1] + arb(0, 1e-20)


def _optimum(num_classes: int, singles: float, weight_decay: float, feature_decay: float) -> arb:
    return solve(num_classes, singles, weight_decay, feature_decay).value


MARGINS = {
    margin_1: Quantity(at=_margin_1, rigorous=False, route="Newton's method with 128 bits"),
    margin_2: Quantity(at=_margin_2, rigorous=False, route="Newton's method with 128 bits"),
}
"""The margins of both sizes at the optimum."""

CLAIM = Claim(
    id="pick-all-labels",
    title="Pick-all-labels in closed form",
    statement=(
        r"Pick-all-labels cross-entropy, $-\sum_{i \in S} \log \mathrm{softmax}(z)_i$, free features of dimension $N "
        r"- 1$ at least, label sets $S$ of size $m$, all equally frequent within a size: if $\sum_m \omega_m m "
        r"(N-m)/(N (N-1)) > 4\mu^2$ then $z_S = a_m (1_S - m/N)$ with $a_m > 0$, $a_m (m e^{a_m} + N - m) = N/\theta$ "
        r"and $\theta^2 \sum_m \omega_m a_m^2 m (N-m)/N = 4\mu^2 (N-1)$. Checked for sets of one and two classes."
    ),
    source=Source(
        "li2024", "abstract: tag-wise averages with several labels per sample; one scalar for all sizes: this project"
    ),
    variables=VARIABLES,
    definitions={
        squares: singles * (num_classes - 1) / num_classes * margin_1**2
        + (1 - singles) * 2 * (num_classes - 2) / num_classes * margin_2**2,
        theta: num_classes / (margin_1 * (sp.exp(margin_1) + num_classes - 1)),
    },
    assumptions=(
        sp.Gt(
            singles / num_classes + (1 - singles) * 2 * (num_classes - 2) / (num_classes * (num_classes - 1)),
            nuclear**2,
        ),
    ),
    quantities={
        **MARGINS,
        optimum: Quantity(at=_optimum, convex=True, route=ROUTE),
    },
    relations=(
        equal(margin_2 * (2 * sp.exp(margin_2) + num_classes - 2), num_classes / theta),
        equal(theta**2 * squares, nuclear**2 * (num_classes - 1)),
        equal(
            optimum,
            singles * (sp.log(sp.exp(margin_1) + num_classes - 1) - margin_1)
            + 2 * (1 - singles) * (sp.log(2 * sp.exp(margin_2) + num_classes - 2) - margin_2)
            + nuclear**2 * (num_classes - 1) / theta,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=("pick-all labels", "free features", "enough features"),
    derivation="derivations/exchangeable_labels.py",
    most_samples=60,
    notes=(
        "When nothing is left: pick-all-labels-collapse; there the equations fail, pick-all-labels-also-at-collapse. "
        "Any labels that treat classes alike: exchangeable-labels-one-scalar."
    ),
)
