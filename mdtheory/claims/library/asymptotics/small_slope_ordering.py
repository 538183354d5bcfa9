"""Which loss dilates more as the slope vanishes: the limit of the ratio of their dilations."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._noisy import (
    EITHER,
    NO_DECAY,
    RELATIVE,
    UNSMOOTHED,
    by_cross_entropy,
    by_smoothing,
    nonnegative,
    not_collapsed_either,
    solved,
)
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._small import WITHOUT_DECAY
from mdtheory.claims.library._symbols import noise, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import asymptotic

relative_ce, relative_ls = sp.symbols("relative_ND_CE relative_ND_LS", positive=True)
kappa, rest, margin_ce, margin_ls = sp.symbols("kappa e s_CE s_LS", positive=True)
RELATIVE_NO_DECAY = {**NO_DECAY, **RELATIVE}


def _kappa(point: Mapping[str, Any]) -> arb:
    mean_decay = (arb(point["weight_decay"]) * arb(point["feature_decay"])).sqrt()
    return mean_decay * (2 if point["nonnegative"] else arb(2).sqrt())


def _ratio(power: sp.Expr) -> sp.Expr:
    return rest * (1 - rest) / (kappa * (1 - 2 * rest + kappa)) * (margin_ls / margin_ce) ** power


CLAIM = Claim(
    id="small-slope-ordering",
    title="Cross-entropy against label smoothing at a small slope",
    statement=(
        r"Cross-entropy without and with smoothing $\alpha$, same decays, each with its own nonzero class means, free ($\kappa = "
        r"\sqrt{2}\mu$) or nonnegative ($\kappa = 2\mu$); unconstrained noisy features without decay, $\eta > 0$, $e = \alpha/2 + \kappa$: as "
        r"$C \to 0$, $\mathrm{ND}_{CE}/\mathrm{ND}_{LS} \to "
        r"e(1-e)\, s_{LS}^{1+q/2} / (\kappa (1-2e+\kappa)\, s_{CE}^{1+q/2})$ ($q = 1$ in absolute, 0 in relative scaling). So for "
        r"small $C$ cross-entropy dilates more if this exceeds 1, and less if it does not reach 1."
    ),
    source=Source("this project", "asymptotics for a small slope"),
    variables={
        **WITHOUT_DECAY,
        noise: Interval(0.01, 0.5, log=True),
        slope: Interval(1e-6, 1e-5, log=True),
        nonnegative: EITHER,
    },
    definitions={
        rest: smoothing / 2 + kappa,
        margin_ce: sp.log(1 / kappa - 1),
        margin_ls: sp.log(1 / rest - 1),
    },
    assumptions=(not_collapsed_either,),
    quantities={
        kappa: Quantity(at=Computed(_kappa), route="cost of a unit of margin, in balls"),
        by_cross_entropy: solved("normalized", {**NO_DECAY, **UNSMOOTHED}),
        by_smoothing: solved("normalized", NO_DECAY),
        relative_ce: solved("normalized", {**RELATIVE_NO_DECAY, **UNSMOOTHED}),
        relative_ls: solved("normalized", RELATIVE_NO_DECAY),
    },
    relations=(
        asymptotic(by_cross_entropy / by_smoothing, _ratio(sp.Rational(3, 2)), slope, rate=2),
        asymptotic(relative_ce / relative_ls, _ratio(sp.Integer(1)), slope, rate=2),
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
    derivation="derivations/small_noise.py",
    most_samples=500,
    notes="Strong decay and a small slope reverse the order even where clusters are separated: ordering-while-separated.",
)
