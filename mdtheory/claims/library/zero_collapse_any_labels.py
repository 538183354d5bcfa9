"""Everything collapses to zero exactly when the gradient at zero is small in operator norm; any labels."""

from collections.abc import Sequence

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._field import nuclear, pi, pi_1, pi_2, pi_3
from mdtheory.claims.library._symbols import feature_decay, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import root
from mdtheory.claims.relation import positive_iff

size = sp.Symbol("size", real=True)
label_1, label_2, label_3, norm_square = sp.symbols("label_1 label_2 label_3 norm_square", nonnegative=True)


def logit(label: arb, theta: arb) -> arb:
    """The root z of ``y - sigma(z) = theta z``, in small balls; its sign is that of ``y - 1/2``."""
    if label < arb(1) / 2:
        return -logit(1 - label, theta)
    top = (label / theta).upper() + 1
    return root(lambda z: theta * z - label + 1 / (1 + (-z).exp()), arb(0), top)


def two_class_logits(labels: Sequence[arb], proportions: Sequence[arb], nuclear: arb) -> list[arb] | None:
    """Stationary logit differences of two classes with any labels, or None if only zero is stationary.

    The nuclear norm is ``n = sqrt(sum p z^2/2)``, and stationarity ``y - sigma(z) = theta z`` with
    ``theta = t/(2 n)``; the residual ``2 theta n - t`` increases in theta.
    """

    def residual(log_theta: arb) -> arb:
        theta = log_theta.exp()
        squares = [p * logit(y, theta) ** 2 for y, p in zip(labels, proportions, strict=True)]
        return theta * (2 * sum(squares, arb(0))).sqrt() - nuclear

    low, high = arb(-60), arb(30)
    if residual(high) < 0:
        return None
    theta = root(residual, low, high, width=1e-12).exp()
    return [logit(y, theta.mid()) for y in labels]


def _size(
    pi: tuple[float, ...], label_1: float, label_2: float, label_3: float, weight_decay: float, feature_decay: float
) -> arb:
    """The largest logit difference at the optimum, or -1 if it is zero."""
    labels = [arb(y) for y in (label_1, label_2, label_3)]
    t = 2 * (arb(weight_decay) * arb(feature_decay)).sqrt()
    found = two_class_logits(labels, [arb(p) for p in pi], t)
    if found is None:
        return arb(-1)
    return abs(found[0]).max(abs(found[1])).max(abs(found[2]))


CLAIM = Claim(
    id="zero-collapse-any-labels",
    title="Total collapse for any labels",
    statement=(
        r"Cross-entropy with any label distributions $Y$: $Z = 0$ is optimal if and only if "
        r"$\Vert (11'/N - Y) P^{1/2} \Vert \leq 2\mu$; for two classes, $2 \sum_k p_k (y_k - 1/2)^2 \leq 4\mu^2$."
    ),
    source=Source("this project", "total collapse for any labels and proportions"),
    variables={
        pi: Proportions(3),
        label_1: Interval(0.0, 1.0),
        label_2: Interval(0.0, 1.0),
        label_3: Interval(0.0, 1.0),
        weight_decay: Interval(0.01, 1.0, log=True),
        feature_decay: Interval(0.01, 1.0, log=True),
    },
    definitions={
        norm_square: 2
        * sum(p * (y - sp.Rational(1, 2)) ** 2 for p, y in ((pi_1, label_1), (pi_2, label_2), (pi_3, label_3)))
    },
    quantities={size: Quantity(at=_size, route="stationary point of two classes, by proved signs")},
    relations=(positive_iff(size, norm_square - nuclear**2),),
    expected=Verdict.PROVED,
    derivation="derivations/zero_collapse.py",
    most_samples=100,
    notes="Checked for two classes and three kinds of labels. An unregularised bias replaces 1/N by the mean label.",
)
