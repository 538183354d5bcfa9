"""Weight decay on two factors is a nuclear norm of their product: two classes, any factors."""

from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Interval, Proportions
from mdtheory.claims.library._features import pi
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import DECAY, feature_decay, mu, weight_decay
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import at_least, equal

logits = z_11, z_12, z_21, z_22 = sp.symbols("z_11 z_12 z_21 z_22", real=True)
change = sp.symbols("t_11 t_12 t_21 t_22", real=True)
pi_1, pi_2 = sp.symbols("pi_1 pi_2", positive=True)
cost, least = sp.symbols("cost least", positive=True)
first, second = sp.symbols("first second", real=True)

LOGIT, DIAGONAL, CROSS = Interval(-3.0, 3.0), Interval(0.8, 1.25, log=True), Interval(-0.3, 0.3)
Rows = tuple[tuple[arb, arb], tuple[arb, arb]]


def _times(a: Rows, b: Rows) -> Rows:
    (a11, a12), (a21, a22) = a
    (b11, b12), (b21, b22) = b
    return (
        (a11 * b11 + a12 * b21, a11 * b12 + a12 * b22),
        (a21 * b11 + a22 * b21, a21 * b12 + a22 * b22),
    )


def _turn(angle: arb) -> Rows:
    return (angle.cos(), -angle.sin()), (angle.sin(), angle.cos())


def _factors(point: Mapping[str, Any]) -> tuple[Rows, Rows]:
    """W and H Dpi from the singular values of Z Dpi, by two rotations."""
    q1, q2 = (arb(p).sqrt() for p in point["pi"])
    z11, z12, z21, z22 = (arb(point[f"z_{i}"]) for i in (11, 12, 21, 22))
    e, f = (z11 * q1 + z22 * q2) / 2, (z11 * q1 - z22 * q2) / 2
    g, h = (z21 * q1 + z12 * q2) / 2, (z21 * q1 - z12 * q2) / 2
    large, small = (e * e + h * h).sqrt() + (f * f + g * g).sqrt(), (e * e + h * h).sqrt() - (f * f + g * g).sqrt()
    one, other = arb.atan2(g, f), arb.atan2(h, e)
    scale = (arb(point["feature_decay"]) / arb(point["weight_decay"])).root(4)
    # Balls around zero, where Z is singular, may reach below it.
    root = abs(small).max(arb(0)).sqrt()
    signed = root * small.sgn()
    weights = _times(_turn((other + one) / 2), ((scale * large.sqrt(), arb(0)), (arb(0), scale * root)))
    means = _times(((large.sqrt() / scale, arb(0)), (arb(0), signed / scale)), _turn((other - one) / 2))
    return weights, means


def _decay(point: Mapping[str, Any], weights: Rows, means: Rows) -> arb:
    def square(m: Rows) -> arb:
        return sum((x * x for row in m for x in row), arb(0))

    return arb(point["weight_decay"]) * square(weights) + arb(point["feature_decay"]) * square(means)


def _cost(point: Mapping[str, Any]) -> arb:
    """The decay of ``W T`` and ``T^-1 H``, which have the same product."""
    weights, means = _factors(point)
    t11, t12, t21, t22 = (arb(point[f"t_{i}"]) for i in (11, 12, 21, 22))
    det = t11 * t22 - t12 * t21
    inverse = (t22 / det, -t12 / det), (-t21 / det, t11 / det)
    return _decay(point, _times(weights, ((t11, t12), (t21, t22))), _times(inverse, means))


def _least(point: Mapping[str, Any]) -> arb:
    return _decay(point, *_factors(point))


def _first(point: Mapping[str, Any]) -> arb:
    return _times(*_factors(point))[0][0]


def _second(point: Mapping[str, Any]) -> arb:
    return _times(*_factors(point))[0][1]


FROM_FACTORS = "explicit factors, by rotations in balls"

CLAIM = Claim(
    id="nuclear-norm-of-weight-decay",
    title="Weight decay on classifier and features is a nuclear norm of the logits",
    statement=(
        r"Free features of dimension at least the rank of $Z$, $\lambda_W, \lambda_H > 0$: for $W H = Z$ the decay $\lambda_W \Vert W \Vert^2 + \lambda_H \sum_n \pi_n \Vert h_n \Vert^2$ is at least "
        r"$2\mu \Vert Z\, \mathrm{diag}(\sqrt{\pi}) \Vert_*$, and the factors of the singular value decomposition attain it."
    ),
    source=Source(
        "zhu2021", "nuclear-norm form of the features model, as recalled; with class proportions: this project"
    ),
    variables={
        weight_decay: DECAY,
        feature_decay: DECAY,
        pi: Proportions(2),
        **dict.fromkeys(logits, LOGIT),
        **dict(zip(change, (DIAGONAL, CROSS, CROSS, DIAGONAL), strict=True)),
    },
    quantities={
        cost: Quantity(at=Computed(_cost), route=FROM_FACTORS),
        least: Quantity(at=Computed(_least), route=FROM_FACTORS),
        first: Quantity(at=Computed(_first), route=FROM_FACTORS),
        second: Quantity(at=Computed(_second), route=FROM_FACTORS),
    },
    relations=(
        at_least(cost, least),
        equal(
            least,
            2
            * mu
            * sp.sqrt(
                pi_1 * (z_11**2 + z_21**2)
                + pi_2 * (z_12**2 + z_22**2)
                + 2 * sp.sqrt(pi_1 * pi_2) * sp.Abs(z_11 * z_22 - z_12 * z_21)
            ),
        ),
        equal(first, sp.sqrt(pi_1) * z_11),
        equal(second, sp.sqrt(pi_2) * z_12),
    ),
    expected=Verdict.PROVED,
    hypotheses=("free features", "enough features"),
    derivation="derivations/nuclear_norm.py",
    notes="Checked with two classes, where the nuclear norm is elementary; the proof is for every dimension.",
)
