"""False: what dilates less at the fixed configuration need not do so jointly."""

import sympy as sp

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import smoothing
from mdtheory.claims.library.joint._joint import (
    MOST,
    SETTING,
    SOURCE,
    VARIABLES,
    dilation,
    fixed_dilation,
    fixed_dilation_plain,
    joint,
)
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import less

fixed, fixed_smoothed, smoothed = sp.symbols("fixed fixed_smoothed smoothed", positive=True)

CLAIM = Claim(
    id="joint-ordering-as-at-fixed-configuration",
    title="The fixed configuration orders losses as the joint optimum does (false)",
    statement=(
        r"If label smoothing dilates less than cross-entropy at the configuration of the features model, it does so with "
        r"class means and classifier optimal too."
    ),
    source=SOURCE,
    variables={**VARIABLES, smoothing: Interval(0.01, 0.3)},
    assumptions=(sp.Lt(fixed_smoothed, fixed),),
    quantities={
        fixed: Quantity(at=fixed_dilation_plain, route="multiplier equation in balls"),
        fixed_smoothed: Quantity(at=fixed_dilation, route="multiplier equation in balls"),
        dilation: joint("normalized_dilation"),
        smoothed: joint("normalized_dilation", smoothed=True),
    },
    relations=(less(smoothed, dilation),),
    expected=Verdict.REFUTED,
    counterexample={"decay": 0.005, "noise": 0.1111, "slope": 0.1444, "smoothing": 0.1},
    hypotheses=SETTING,
    most_samples=MOST,
    notes="The order changes jointly at a smaller slope: .1397 against .1614 at this noise, decay and smoothing.",
)
