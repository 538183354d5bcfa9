"""False: the simplex frame is optimal for deep linear networks with cross-entropy."""

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library.deep._deep_linear import VALUES, layers, log_product, pairs, pairs_value, simplex_value
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import at_most

CLAIM = Claim(
    id="deep-linear-etf-in-general",
    title="Deep linear networks with cross-entropy: the simplex frame is optimal (false)",
    statement=(
        r"For $L$ linear layers on free features, balanced cross-entropy, no arrangement of logits is better than the best "
        r"multiple of $I - J/N$. False: six classes, two layers, all decays .001, in three antipodal pairs."
    ),
    source=Source(
        "dang2023",
        "abstract: neural collapse across the layers of deep linear networks for cross-entropy; hypotheses of the theorem not read",
    ),
    variables={pairs: Integers(1, 8), layers: Integers(2, 5), log_product: Interval(10.0, 60.0)},
    quantities=VALUES,
    relations=(at_most(simplex_value, pairs_value),),
    expected=Verdict.REFUTED,
    # Lambda = (1e-3/6) 1e-3^2.
    counterexample={"pairs": 3, "layers": 2, "log_product": 22.515},
    most_samples=60,
    notes=(
        "Whole regions: deep-linear-etf-not-optimal; a simple sufficient test: deep-linear-pairs-beat-etf. "
        "The exact hypotheses of the published theorem should be read before it is called wrong."
    ),
)
