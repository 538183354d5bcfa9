"""The error rate of unseen clean examples knows decays, noise and loss only through the normalised dilation."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import acb, arb

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._noisy import EITHER, VARIABLES, Case, nonnegative, not_collapsed_either
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, feature_decay, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal

normalized, more = sp.symbols("normalized more", positive=True)
error, error_of_more, in_three = sp.symbols("error error_of_more in_three", nonnegative=True)


def _error(name: str, dimension: int | None = None) -> Computed:
    """P(s + kap r zeta < 0) on the sphere, from margin and classifier of the configuration and r = ND D."""

    def at(point: Mapping[str, Any]) -> arb:
        classes = Case.at(point).classes()
        d = point["dim"] if dimension is None else dimension
        if point[name] == 0.5:
            return arb(0)  # exactly: s = kap D/2
        r = arb(point[name]) * classes.mean_distance
        ratio = classes.margin / (classes.weight_distance * r)
        if ratio > 1:
            return arb(0)
        first = ratio.asin()
        tail = acb.integral(lambda x, _: x.cos() ** (d - 2), acb(first), acb.pi() / 2).real
        return tail / (2 * acb.integral(lambda x, _: x.cos() ** (d - 2), acb(0), acb.pi() / 2).real)

    return Computed(at)


in_three_dimensions = Quantity(at=_error("normalized", 3), route="Arb integration of the density")

CLAIM = Claim(
    id="test-error-of-dilation-alone",
    title="The error rate depends on the normalised dilation alone, and grows with it",
    statement=(
        r"Two classes of the features model with nonzero means, free or nonnegative, any spread: $P(s + \kappa_w r \zeta < 0)$ is a "
        r"nondecreasing function of $\mathrm{ND} = r/D > 0$, the same for all class means and classifiers: on the sphere with $d = 3$, "
        r"$(1 - 1/(2\,\mathrm{ND}))/2$ for $\mathrm{ND} \geq 1/2$, and 0 for $\mathrm{ND} \leq 1/2$, as in every dimension $d \geq 2$."
    ),
    source=Source("this project", "error rate from the normalised dilation"),
    variables={
        **{v: VARIABLES[v] for v in (weight_decay, feature_decay, smoothing)},
        dim: Integers(2, 32),
        normalized: Interval(0.05, 20.0, log=True),
        more: Interval(0.05, 20.0, log=True),
        nonnegative: EITHER,
    },
    assumptions=(not_collapsed_either, sp.Lt(normalized, more)),
    quantities={
        error: Quantity(at=_error("normalized"), route="Arb integration of the density"),
        error_of_more: Quantity(at=_error("more"), route="Arb integration of the density"),
        in_three: in_three_dimensions,
    },
    relations=(at_least(error_of_more, error), equal(1 + in_three, 1 + sp.Max(0, 1 - 1 / (2 * normalized)) / 2)),
    expected=Verdict.PROVED,
    hypotheses=("two classes", "nonzero class means", "isotropic spread"),
    derivation="derivations/test_error.py",
    notes="Without the case below one half it is false: test-error-below-half.",
)
