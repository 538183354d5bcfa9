"""With focusing at most 1 the profile of focal loss stays convex up to 23 classes: certified on a box."""

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._focal import SERIES, curvature
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import num_classes
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least

focusing, margin = sp.symbols("focusing margin", nonnegative=True)
bend = sp.Symbol("bend", real=True)


def _convex(num_classes: arb, focusing: arb, margin: arb) -> bool | None:
    """The sign of the curvature's last factor over 1 - p.

    ``1 + 2 gamma + gamma log p - gamma^2 p log p/(1-p)`` increases with p, hence with the margin: its lower end decides.
    """
    p = 1 / (1 + (num_classes - 1) * (-margin.lower()).exp())
    lowest = 1 + 2 * focusing + focusing * p.log() * (1 - focusing * p / (1 - p))
    return True if lowest > 0 else None


CLAIM = Claim(
    id="focal-profile-convex-weak-focusing",
    title="Focal loss with focusing at most 1 has a convex profile up to 23 classes",
    statement=r"For $18 \leq N \leq 23$ and $\gamma \leq 1$ the focal loss at $z_n = s(e_n - 1/N)$ is convex in $s \geq 0$.",
    source=Source("this project", "uniqueness of the focal margin"),
    variables={num_classes: Integers(18, 23), focusing: Interval(0.01, 1.0), margin: Interval(0.0, 12.0)},
    quantities={bend: Quantity(at=Computed(curvature), route=SERIES)},
    relations=(at_least(bend, 0),),
    expected=Verdict.CERTIFIED,
    box=Box(
        sides={"num_classes": tuple(range(18, 24)), "focusing": ("0", "1"), "margin": ("0", "12")},
        decide=_convex,
    ),
    notes=(
        "The margin is unique there, beyond the 17 classes of focal-profile-convex. It fails at 24 classes. Margins above 12 "
        "are covered too: the factor that has the sign of the curvature grows with the margin."
    ),
)
