"""The conic programme in both noisy features and the dilation, without any reduction, has the same solution."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import BY_SIGNS, VARIABLES, Case, not_collapsed
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import noise, noisy_decay, slope
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.losses import CrossEntropy
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.features.problem import UFM
from mdtheory.models.solving import solve
from mdtheory.spreads import TwoPoint

conic_dilation, dilation = sp.symbols("conic_ND ND", positive=True)
conic_memorization, memorization = sp.symbols("conic_memorization memorization", positive=True)
ACCURACY = 1e-4


def _conic(part: str) -> Computed:
    """A number of the conic answer, as accurate as its duality gap lets one hope: the gap proves the value only."""

    def at(point: Mapping[str, Any]) -> arb:
        found = float(getattr(_answer(Case.at(point)), part))
        return arb(found, ACCURACY * found)

    return Computed(at)


@lru_cache(maxsize=1000)
def _answer(case: Case) -> Any:
    ufm = UFM(
        CrossEntropy(case.smoothing),
        num_classes=2,
        weight_decay=case.weight_decay,
        feature_decay=case.feature_decay,
        nonnegative=True,
    )
    problem = MemorizationDilation(
        ufm, noise=case.noise, slope=case.slope, spread=TwoPoint(case.dim), noisy_feature_decay=case.noisy_decay
    )
    return solve(problem, method="convex")


CLAIM = Claim(
    id="conic-programme-agrees",
    title="Solving for both noisy features and the dilation at once gives the reduced solution",
    statement=(
        r"Cross-entropy with smoothing, two classes with nonzero means, unconstrained noisy features: the convex "
        r"programme in $(u_1, u_2, r)$, solved without assuming symmetry or a tight constraint, has the dilation and "
        r"the memorization of the problem in one variable. Drawn with nonnegative features on two points."
    ),
    source=Source("this project", "exact reduction of the memorization-dilation problem"),
    variables={
        **VARIABLES,
        noise: Interval(0.01, 0.5, log=True),
        slope: Interval(0.1, 3.0, log=True),
        noisy_decay: Interval(1e-4, 0.1, log=True),
    },
    assumptions=(not_collapsed,),
    quantities={
        conic_dilation: Quantity(
            at=_conic("normalized_dilation"), rigorous=False, convex=True, route="conic programme, duality gap"
        ),
        dilation: Quantity(at=Computed(lambda p: Case.at(p).solution().normalized), route=BY_SIGNS),
        conic_memorization: Quantity(
            at=_conic("memorization"), rigorous=False, convex=True, route="conic programme, duality gap"
        ),
        memorization: Quantity(at=Computed(lambda p: Case.at(p).solution().memorization), route=BY_SIGNS),
    },
    relations=(equal(dilation, conic_dilation), equal(memorization, conic_memorization)),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
    ),
    derivation="derivations/md_reduction.py",
    resolution=1e-3,
    most_samples=20,
)
