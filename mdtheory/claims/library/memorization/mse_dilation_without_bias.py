"""The squared error without a bias: the noisy logits in closed form, against linear algebra and a root in the radius."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp
from flint import arb, arb_mat, ctx

from mdtheory.claims.domains import Integers
from mdtheory.claims.library._noisy import VARIABLES
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import dim, feature_decay, mu, noise, noisy_decay, slope, smoothing, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import equal
from mdtheory.numerics.ball_roots import positive_root

noisy_margin, total = sp.symbols("noisy_margin noisy_sum", real=True)
memorization = sp.Symbol("memorization", positive=True)
own, both, weights, weights_sum, multiplier, distance = sp.symbols("s s_0 kap_w kap_p nu D", positive=True)
ratio = sp.Symbol("ratio", positive=True)


def _configuration(point: Mapping[str, Any]) -> tuple[arb_mat, arb_mat]:
    """W and H, multiples of the symmetric square root of the logits, whose singular values are known."""
    decays = arb(point["weight_decay"]), arb(point["feature_decay"])
    cost = 2 * arb(2).sqrt() * (decays[0] * decays[1]).sqrt()
    one, other = 1 - arb(point["smoothing"]) - cost, 1 - cost
    # Z = one (I - J/2) + other J/2. Balanced factors satisfy lW ||W||^2 = lH ||H||^2/2, each class counting a half.
    root = [x.sqrt() for x in (one, other)]
    scale = (2 * decays[0] / decays[1]).sqrt().sqrt()
    half_sum, half_difference = (root[0] + root[1]) / 2, (root[1] - root[0]) / 2
    square = arb_mat([[half_sum, half_difference], [half_difference, half_sum]])
    return square * (1 / scale), square * scale


def _solved(point: Mapping[str, Any]) -> tuple[arb, arb, arb]:
    return _solve(tuple(sorted(point.items())), ctx.prec)


@lru_cache(maxsize=20_000)
def _solve(items: tuple[tuple[str, Any], ...], bits: int) -> tuple[arb, arb, arb]:
    """Margin and sum of the noisy logits, and rho: stationarity of the noisy feature as a linear system."""
    point = dict(items)
    w, h = _configuration(point)
    lam, alpha, dim = arb(point["noisy_decay"]), arb(point["smoothing"]), point["dim"]
    rate = arb(point["slope"]) / _distance(h)
    target = arb_mat([[1 - alpha / 2], [alpha / 2]])
    start = arb_mat([[h[0, 1]], [h[1, 1]]])
    square = w.transpose() * w
    # Clean examples: F(r) = E ||W xi||^2 r^2 + 2 lam r^2 + const, E xi xi' = I/d.
    stiffness = 2 * (square[0, 0] + square[1, 1]) / dim + 4 * lam

    def feature(nu: arb) -> arb_mat:
        system = square + arb_mat([[2 * (lam + nu), 0], [0, 2 * (lam + nu)]])
        return system.solve(w.transpose() * target + start * (2 * nu))

    def radius(nu: arb) -> arb:
        moved = feature(nu) - start
        return (moved[0, 0] ** 2 + moved[1, 0] ** 2).sqrt()

    def residual(nu: arb) -> arb:
        rho = radius(nu)
        return 4 * nu * rho - stiffness * (arb(point["noise"]) * rho / rate) / rate

    nu = positive_root(residual)
    logits = w * feature(nu)
    return logits[0, 0] - logits[1, 0], logits[0, 0] + logits[1, 0], radius(nu)


def _distance(h: arb_mat) -> arb:
    """D."""
    return ((h[0, 0] - h[0, 1]) ** 2 + (h[1, 0] - h[1, 1]) ** 2).sqrt()


CLAIM = Claim(
    id="mse-dilation-without-bias",
    title="Memorization with the squared error without a bias in closed form",
    statement=(
        r"Squared error without bias, two classes, free features, unconstrained noisy features, absolute scaling, $s "
        r"= 1-\alpha-2\sqrt{2}\mu > 0$, $s_0 = 1 - 2\sqrt{2}\mu$, $\kappa_p = \Vert w_1+w_2 \Vert$, $\nu = "
        r"((\kappa_w^2+\kappa_p^2)/d + 4\lambda)\eta D^2/(4C^2)$: the noisy logits have the sum $(\kappa_p^2/4+\nu "
        r"s_0)/(\kappa_p^2/4+\lambda+\nu)$ and difference $t = (\kappa_w^2(1-\alpha)/4-\nu "
        r"s)/(\kappa_w^2/4+\lambda+\nu)$."
    ),
    source=Source("this project", "closed forms of the memorization-dilation problem"),
    variables={**VARIABLES, dim: Integers(2, 32)},
    definitions={
        own: 1 - smoothing - 2 * sp.sqrt(2) * mu,
        both: 1 - 2 * sp.sqrt(2) * mu,
        ratio: sp.sqrt(2 * weight_decay / feature_decay),
        distance: sp.sqrt(2 * ratio * own),
        weights: sp.sqrt(2 * own / ratio),
        weights_sum: sp.sqrt(2 * both / ratio),
        multiplier: ((weights**2 + weights_sum**2) / dim + 4 * noisy_decay) * noise * distance**2 / (4 * slope**2),
    },
    assumptions=(sp.Lt(smoothing + 2 * sp.sqrt(2) * mu, 1),),
    quantities={
        noisy_margin: Quantity(at=Computed(lambda p: _solved(p)[0]), route="linear systems and a root by proved signs"),
        total: Quantity(at=Computed(lambda p: _solved(p)[1]), route="linear systems and a root by proved signs"),
        memorization: Quantity(at=Computed(lambda p: _solved(p)[2]), route="linear systems and a root by proved signs"),
    },
    relations=(
        equal(
            noisy_margin,
            (weights**2 * (1 - smoothing) / 4 - multiplier * own) / (weights**2 / 4 + noisy_decay + multiplier),
        ),
        equal(total, (weights_sum**2 / 4 + multiplier * both) / (weights_sum**2 / 4 + noisy_decay + multiplier)),
        equal(memorization**2, ((noisy_margin + own) / weights) ** 2 + ((total - both) / weights_sum) ** 2),
    ),
    expected=Verdict.PROVED,
    hypotheses=(
        "two classes",
        "squared error",
        "no bias",
        "free features",
        "nonzero class means",
        "isotropic spread",
        "unconstrained noisy features",
        "absolute scaling",
    ),
    derivation="derivations/hinge_and_mse.py",
)
