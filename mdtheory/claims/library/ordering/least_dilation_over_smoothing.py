"""Which smoothing dilates least as noise vanishes: the leading coefficient falls with the smoothing, then grows."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb, arb_series

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import DECAYS, EITHER, KAPPA, nonnegative, not_collapsed_either
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import feature_decay, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal, less
from mdtheory.foundation.errors import AssumptionError

growth, relative_growth = sp.symbols("growth relative_growth", real=True)
free_rest, rest, margin, reach, share, scale = sp.symbols("e_0 e s reach share scale", positive=True)
more_smoothing = sp.Symbol("more_smoothing", positive=True)
NUMERATOR = "numerator of the rate over the margin, in balls"
sign, sign_of_more = sp.symbols("g g_of_more", real=True)
relative_sign, relative_sign_of_more = sp.symbols("relative_g relative_g_of_more", real=True)


def _sign(name: str, exponent: int) -> Computed:
    """The sign of the growth: ``(1 - q/2) w/s - 1 - e(1-e)/(e_0(1-e_0))``, at one smoothing or the other."""

    def at(point: Mapping[str, Any]) -> arb:
        mean_decay = (arb(point["weight_decay"]) * arb(point["feature_decay"])).sqrt()
        own = arb(point[name]) / 2
        rest = own + mean_decay * (2 if point["nonnegative"] else arb(2).sqrt())
        margin = (1 / rest - 1).log()
        travelled = (1 / own - 1).log() + margin
        return (1 - arb(exponent) / 2) * travelled / margin - 1 - rest * (1 - rest) / (own * (1 - own))

    return Computed(at)


def _growth(exponent: int) -> Computed:
    """Logarithmic derivative in the smoothing of ``(t_inf + s) D^(q-1)/kap``, by power series in balls."""

    def at(point: Mapping[str, Any]) -> arb:
        decays = arb(point["weight_decay"]), arb(point["feature_decay"])
        alpha = arb_series([arb(point["smoothing"]), 1], 2)
        root = arb(1) if point["nonnegative"] else arb(2).sqrt()
        rest = alpha / 2 + 2 / root * (decays[0] * decays[1]).sqrt()
        margin = (1 / rest - 1).log()
        if not margin.coeffs()[0] > 0:
            raise AssumptionError("smoothing: the class means are zero")
        distance = (2 * root * (decays[0] / decays[1]).sqrt() * margin).sqrt()
        leading = ((2 / alpha - 1).log() + margin) * distance / (2 * margin)  # kap = 2 s/D
        coefficient = (leading if exponent == 1 else leading / distance).log().coeffs()[1]
        assert isinstance(coefficient, arb)
        return coefficient

    return Computed(at)


CLAIM = Claim(
    id="least-dilation-over-smoothing",
    title="The smoothing that dilates least at small noise",
    statement=(
        r"Cross-entropy with smoothing $\alpha > 0$, nonzero class means, free ($\kappa = \sqrt{2}\mu$) or nonnegative ($\kappa = "
        r"2\mu$), unconstrained noisy features without decay, $e_0 = \alpha/2$, $e = e_0 + \kappa$, $w = \log(1/e_0 - 1) + s$, $q = 1$ in absolute "
        r"and 0 in relative scaling: the leading coefficient of $\mathrm{ND}$ as $\eta \to 0$ grows with $\alpha$ at the relative rate "
        r"$((1 - q/2) w - s (1 + e(1-e)/(e_0(1-e_0))))/(2 e(1-e) s w)$. The numerator over $s$ increases strictly, from $-\infty$ to "
        r"$\infty$: the coefficient is least where it vanishes, at one smoothing."
    ),
    source=Source("this project", "smoothing of least dilation"),
    variables={
        weight_decay: DECAYS,
        feature_decay: DECAYS,
        smoothing: Interval(1e-6, 0.99, log=True),
        more_smoothing: Interval(1e-6, 0.99, log=True),
        nonnegative: EITHER,
    },
    definitions={
        free_rest: smoothing / 2,
        rest: smoothing / 2 + KAPPA,
        margin: sp.log(1 / rest - 1),
        reach: sp.log(1 / free_rest - 1) + margin,
        scale: 2 * rest * (1 - rest) * margin * reach,
        share: 1 + rest * (1 - rest) / (free_rest * (1 - free_rest)),
    },
    assumptions=(sp.Lt(smoothing, more_smoothing), not_collapsed_either.subs(smoothing, more_smoothing)),
    quantities={
        growth: Quantity(at=_growth(1), route="power series in ball arithmetic"),
        relative_growth: Quantity(at=_growth(0), route="power series in ball arithmetic"),
        sign: Quantity(at=_sign("smoothing", 1), route=NUMERATOR),
        sign_of_more: Quantity(at=_sign("more_smoothing", 1), route=NUMERATOR),
        relative_sign: Quantity(at=_sign("smoothing", 0), route=NUMERATOR),
        relative_sign_of_more: Quantity(at=_sign("more_smoothing", 0), route=NUMERATOR),
    },
    relations=(
        equal(growth, (reach / 2 - margin * share) / scale),
        equal(relative_growth, (reach - margin * share) / scale),
        less(sign, sign_of_more),
        less(relative_sign, relative_sign_of_more),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "noisy features without decay",
        "unconstrained noisy features",
    ),
    derivation="derivations/noise_and_slope.py",
    notes="So more smoothing is not always better: see dilation-decreasing-in-smoothing.",
)
