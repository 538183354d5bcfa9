"""For five classes the doubly nonnegative relaxation of nonnegative features leaves a gap: both sides enclosed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._features import Labels, model
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.quantities import ufm_optimum
from mdtheory.claims.relation import greater
from mdtheory.foundation.errors import AssumptionError
from mdtheory.losses import CrossEntropy
from mdtheory.models.features.problem import UFM

Circulant = tuple[arb, arb, arb]
"""The entries on the diagonal, next to it, and two away from it, of a symmetric circulant matrix of order five."""

gap = sp.Symbol("gap", real=True)
HORN = (arb(1), arb(-1), arb(1))
NEIGHBOUR = 0.2
# At decay 0.02, guesses that are then checked: probabilities, multiplier of the Horn matrix over mu^2, that of the
# entries two away, and the logits' eigenvalue on vectors that turn once around the cycle.
GUESS = (0.544657813, 0.189552594, 0.362581143e-3 / 4e-4, 0.618709428e-3 / 4e-4)
GUESS_EIGENVALUE = 3.7466858
SHRUNK = 1e-7


def _turns(entries: Circulant) -> Circulant:
    """Eigenvalues for vectors that turn zero, one and two times around the cycle."""
    diagonal, next_to, two_away = entries
    one, two = 2 * (2 * arb.pi() / 5).cos(), 2 * (4 * arb.pi() / 5).cos()
    return (
        diagonal + 2 * next_to + 2 * two_away,
        diagonal + one * next_to + two * two_away,
        diagonal + two * next_to + one * two_away,
    )


def _labels() -> Labels:
    own = 1 - 2 * NEIGHBOUR
    return np.array([[(own, NEIGHBOUR, 0.0, 0.0, NEIGHBOUR)[(i - j) % 5] for j in range(5)] for i in range(5)])


def _problem(point: Mapping[str, Any]) -> UFM:
    both = {"weight_decay": point["decay"], "feature_decay": point["decay"]}
    return model(lambda _: CrossEntropy(), both, nonnegative=True, labels=_labels())


def _targets() -> Circulant:
    """The label columns, divided by their sum as the model divides them."""
    column = [arb(x) for x in _labels()[:3, 0]]
    total = column[0] + 2 * column[1] + 2 * column[2]
    return column[0] / total, column[1] / total, column[2] / total


def _cone_bound(mean_decay: arb) -> arb:
    """A lower bound for completely positive Gram matrices G.

    The optimum is at least the mean entropy of Q plus ``tr((4 mu^2 I - A'A) G)/(4 lambda_W)``, A = (Q - Y)/sqrt 5. The
    trace is nonnegative if ``4 mu^2 I - A'A`` is a positive semidefinite matrix plus multiples of the Horn matrix,
    which is copositive, and of an entrywise nonnegative one.
    """
    labels = _targets()
    own, next_to = arb(GUESS[0]), arb(GUESS[1])
    guess = own, next_to, (1 - own - 2 * next_to) / 2
    moved = [(1 - arb(SHRUNK)) * q + arb(SHRUNK) * y for q, y in zip(guess, labels, strict=True)]
    gradient = _turns((moved[0] - labels[0], moved[1] - labels[1], moved[2] - labels[2]))
    square = mean_decay**2
    for v, horn, away in zip(gradient, _turns(HORN), _turns((arb(0), arb(0), arb(1))), strict=True):
        rest = 4 * square - v * v / 5 - square * (arb(GUESS[2]) * horn + arb(GUESS[3]) * away)
        if not rest >= 0:
            raise AssumptionError("decay: the multipliers are those of another decay")
    return -sum((weight * q * q.log() for weight, q in zip((1, 2, 2), moved, strict=True)), arb(0))


def _relaxed_value(mean_decay: arb, eigenvalue: arb) -> arb:
    """The objective at a doubly nonnegative Gram matrix, an upper bound for the relaxation.

    ``G = g circ(1, c, 0, 0, c)`` with ``2 c cos(pi/5) = 1`` has the eigenvalue 0 on vectors that turn twice, and logits with
    the given eigenvalue on those that turn once and no other part; the best g makes both decays equal.
    """
    labels = _targets()
    cosines = [(2 * arb.pi() * k / 5).cos() for k in range(3)]
    z = [2 * eigenvalue * c / 5 for c in cosines]
    normaliser = (z[0].exp() + 2 * z[1].exp() + 2 * z[2].exp()).log()
    loss = normaliser - sum((w * y * x for w, y, x in zip((1, 2, 2), labels, z, strict=True)), arb(0))
    per_unit = 1 + cosines[1] / (arb.pi() / 5).cos()
    # 2 eigenvalue^2/5 over g per_unit, plus 5 g, at the best g.
    return loss + 2 * mean_decay * (2 * eigenvalue**2 / per_unit).sqrt()


def _gap(point: Mapping[str, Any]) -> arb:
    """The optimum of nonnegative features less that of the relaxation: both between proved bounds."""
    between = ufm_optimum(_problem(point), starts=5)
    mean_decay = arb(point["decay"])
    best = _cone_bound(mean_decay).union(between.upper())
    relaxed = between.lower().union(_relaxed_value(mean_decay, arb(GUESS_EIGENVALUE)))
    return best - relaxed


CLAIM = Claim(
    id="doubly-nonnegative-gap",
    title="For five classes the doubly nonnegative relaxation is not exact",
    statement=(
        r"For five balanced classes with circulant labels $(0.6, 0.2, 0, 0, 0.2)$ and decays $0.02$, nonnegative features cost at "
        r"least $0.00458$ more than the relaxation of their Gram matrix to doubly nonnegative matrices."
    ),
    source=Source("this project", "limits of the doubly nonnegative relaxation"),
    variables={decay: Interval(0.005, 0.1, log=True)},
    quantities={gap: Quantity(at=Computed(_gap), route="copositive bound by the Horn matrix, explicit relaxed point")},
    relations=(greater(gap, sp.Rational(458, 100000)),),
    expected=Verdict.CERTIFIED,
    existence=True,
    counterexample={"decay": 0.02},
    notes=(
        "Up to four classes both cones agree, and for one-hot or smoothed labels without a bias the relaxation is exact for "
        "every number of classes: see unequal-classes-nonnegative. The Horn matrix closes the gap here."
    ),
)
