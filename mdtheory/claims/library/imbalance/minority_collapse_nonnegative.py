"""The share at which a class is given up entirely, nonnegative features."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._features import STRONG_DECAY, Values, pull_at_zero, smoothed_pull
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import CLASSES, SMOOTHING, feature_decay, mu, num_classes, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import positive_iff

share = sp.Symbol("share", positive=True)
pull = sp.Symbol("pull", real=True)


def _pull(point: Values) -> arb:
    """The class on its own: mean loss plus ``2 mu ||z||/sqrt(pi)``, with ``||e_n - 1/N||`` entry by entry."""
    n = arb(point["num_classes"])
    length = ((1 - 1 / n) ** 2 + (n - 1) / n**2).sqrt()
    cost = 2 * (arb(point["weight_decay"]) * arb(point["feature_decay"]) / arb(point["share"])).sqrt() * length
    return pull_at_zero(lambda s: smoothed_pull(point, s) + cost)


CLAIM = Claim(
    id="minority-collapse-nonnegative",
    title="Nonnegative features: the share below which a class collapses to zero",
    statement=(
        r"Nonnegative features of dimension at least $N$, cross-entropy with smoothing $\alpha < 1$, no bias: class $n$ has a nonzero mean if and only if "
        r"$\pi_n > 4\mu^2 N/((N-1)(1-\alpha)^2)$."
    ),
    source=Source(
        "dang2024",
        "abstract: orthogonal class means of unequal lengths; minority collapse as recalled; with smoothing: this project",
    ),
    variables={
        num_classes: CLASSES,
        weight_decay: STRONG_DECAY,
        feature_decay: STRONG_DECAY,
        smoothing: SMOOTHING,
        share: Interval(1e-3, 0.999, log=True),
    },
    quantities={pull: Quantity(at=Computed(_pull), route="slope of the objective of the class at zero margin")},
    relations=(positive_iff(pull, share - 4 * mu**2 * num_classes / ((num_classes - 1) * (1 - smoothing) ** 2)),),
    expected=Verdict.PROVED,
    hypotheses=("cross-entropy", "one-hot labels", "nonnegative features", "no bias", "enough features"),
    derivation="derivations/unequal_weights_nonnegative.py",
    notes="Other classes do not matter, since they decouple: see unequal-classes-nonnegative.",
)
