"""Free features, relative scaling, equal decays: which loss dilates more as noise vanishes, decided by one function."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval
from mdtheory.claims.library._noisy import (
    EQUAL_DECAYS,
    FREE,
    RELATIVE,
    UNSMOOTHED,
    by_cross_entropy,
    by_smoothing,
    not_collapsed_free,
    solved,
)
from mdtheory.claims.library._small import WITHOUT_DECAY
from mdtheory.claims.library._symbols import dim, mu, noise, slope, smoothing
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import asymptotic

kappa, stiff_ce, stiff_ls = sp.symbols("kappa x_CE x_LS", positive=True)
SETTING = {**FREE, **RELATIVE}


def _stiffness(rest: sp.Expr) -> sp.Expr:
    """``h(e)/kappa``, ``h(e) = e (1-e) log((1-e)/e)``."""
    return rest * (1 - rest) * sp.log((1 - rest) / rest) / kappa


CLAIM = Claim(
    id="equal-decay-boundary",
    title="Equal decays, relative scaling, free features: what decides at small noise",
    statement=(
        r"Free features, relative scaling, unconstrained noisy features, $\lambda = \lambda_H$, cross-entropy without and with smoothing $\alpha$, nonzero class "
        r"means: with $h(e) = e(1-e)\log((1-e)/e)$ and $x_e = h(e)/\kappa$, $\kappa = \sqrt{2}\mu$, as $\eta \to 0$ "
        r"$\mathrm{ND}_{LS} - \mathrm{ND}_{CE} = (\eta^2/C^3) (g(x_\kappa) - g(x_{\alpha/2+\kappa}) + O(\eta))$, "
        r"$g(x) = (1 + x/d)/(1+x)$. So for $d > 1$ and small noise it is positive if $h(\alpha/2+\kappa) > h(\kappa)$, and negative "
        r"if $h(\alpha/2+\kappa) < h(\kappa)$."
    ),
    source=Source("this project", "boundary of the order at equal decays"),
    variables={
        **WITHOUT_DECAY,
        noise: Interval(1e-10, 1e-9, log=True),
        slope: Interval(0.1, 10.0, log=True),
        dim: Integers(1, 32),
    },
    definitions={
        kappa: sp.sqrt(2) * mu,
        stiff_ce: _stiffness(kappa),
        stiff_ls: _stiffness(smoothing / 2 + kappa),
    },
    assumptions=(not_collapsed_free,),
    quantities={
        by_cross_entropy: solved("normalized", {**SETTING, **UNSMOOTHED}, EQUAL_DECAYS),
        by_smoothing: solved("normalized", SETTING, EQUAL_DECAYS),
    },
    relations=(
        asymptotic(
            # One is added on both sides: in one dimension, and where both stiffnesses agree, the limit is zero.
            1 + (by_smoothing - by_cross_entropy) * slope**3 / noise**2,
            1 + (1 + stiff_ce / dim) / (1 + stiff_ce) - (1 + stiff_ls / dim) / (1 + stiff_ls),
            noise,
            rate=1,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "cross-entropy",
        "nonzero class means",
        "isotropic spread",
        "free features",
        "relative scaling",
        "noisy features with the decay of all",
    ),
    derivation="derivations/small_noise.py",
    notes="Hence the order is false at small noise when the decays are equal: ordering-equal-decay.",
)
