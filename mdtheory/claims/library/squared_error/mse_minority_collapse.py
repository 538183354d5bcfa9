"""Squared error with one-hot labels: every class is shrunk on its own, and small ones vanish."""

import sympy as sp

from mdtheory.claims.domains import Proportions
from mdtheory.claims.library._features import MOST_OPTIMA, SOLVER_DECAY, optimum, pi, squared_error, squared_error_logit
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, mu, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal

shares = sp.symbols("pi_1:4", positive=True)
value, own = sp.symbols("value own", nonnegative=True)
kept = [sp.Max(0, 1 - 2 * mu / sp.sqrt(p)) for p in shares]

CLAIM = Claim(
    id="mse-minority-collapse",
    title="Squared error, one-hot labels: class n collapses to zero exactly if its share is at most 4 mu^2",
    statement=(
        r"Squared error, one-hot labels, any proportions, no bias, free or nonnegative features of dimension at least $N$: $z_n = (1 - 2\mu/\sqrt{\pi_n})_+ e_n$, "
        r"so class $n$ is zero if and only if $\sqrt{\pi_n} \leq 2\mu$."
    ),
    source=Source(
        "dang2023",
        "abstract: orthogonal vectors with lengths by class size, squared error, bias-free; the threshold in this form as recalled",
    ),
    variables={weight_decay: SOLVER_DECAY, feature_decay: SOLVER_DECAY, pi: Proportions(3, smallest=0.01)},
    quantities={
        value: optimum(squared_error),
        own: Quantity(at=Computed(squared_error_logit(0, 0)), route="certified logits, error from strong convexity"),
    },
    relations=(
        equal(
            value,
            sum(p * (1 - z) ** 2 / 2 + 2 * mu * sp.sqrt(p) * z for p, z in zip(shares, kept, strict=True)),
        ),
        equal(1 + own, 1 + kept[0]),
    ),
    expected=Verdict.PROVED,
    hypotheses=("squared error", "one-hot labels", "no bias", "enough features"),
    derivation="derivations/squared_loss.py",
    resolution=1e-2,
    most_samples=MOST_OPTIMA,
    notes="A gap in value leaves the logits uncertain by its square root, so these are compared to two digits.",
)
