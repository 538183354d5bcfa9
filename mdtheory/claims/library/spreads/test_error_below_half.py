"""False: the formula for the error rate on the sphere holds at every dilation. Below one half it is negative."""

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import VARIABLES, not_collapsed
from mdtheory.claims.library._symbols import feature_decay, smoothing, weight_decay
from mdtheory.claims.library.spreads.test_error_of_dilation_alone import in_three, in_three_dimensions, normalized
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import equal

CLAIM = Claim(
    id="test-error-below-half",
    title="The error rate on the sphere in three dimensions, at every dilation (false)",
    statement=(
        r"Two classes of the features model, clean examples uniform on the unit sphere of dimension 3: "
        r"$P(s + \kappa_w r \zeta < 0) = (1 - 1/(2\,\mathrm{ND}))/2$ for every $\mathrm{ND} > 0$. False for $\mathrm{ND} < 1/2$, where it is 0."
    ),
    source=Source("this project", "error rate from the normalised dilation, the range left out"),
    variables={
        **{v: VARIABLES[v] for v in (weight_decay, feature_decay, smoothing)},
        normalized: Interval(0.05, 20.0, log=True),
    },
    assumptions=(not_collapsed,),
    quantities={in_three: in_three_dimensions},
    relations=(equal(in_three, (1 - 1 / (2 * normalized)) / 2),),
    expected=Verdict.REFUTED,
    counterexample={"weight_decay": 0.005, "feature_decay": 0.005, "smoothing": 0.0, "normalized": 0.25},
    notes="The true form: test-error-of-dilation-alone.",
)
