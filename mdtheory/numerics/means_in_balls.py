"""Expectations over the laws of one coordinate, as balls that contain them: rigorous integration by Arb.

The function comes in pieces, each a function of complex balls, analytic on its interval.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.branch_and_bound import Panel

if TYPE_CHECKING:
    from mdtheory.numerics.branch_and_bound import Panel, Piece

# Integrals are asked for to these tolerances; what is reached is in the radius of the ball.
_RELATIVE, _ABSOLUTE = 2.0**-66, 2.0**-90
# The normal law is integrated so many standard deviations far. Beyond lies less than e^-128 of it.
_FAR = 16
# Panels reach so far; beyond lies less than e^-72 of it.
GAUSSIAN_REACH = 12
_MOMENT_BITS = 320
# Incomplete beta functions of more dimensions take longer than the integrals that they save.
_LARGEST_DIM = 64
# Half the width of a panel in the margin: Taylor polynomials of order nine are then exact to rounding.
_PANEL_SCALE, _MOST_PANELS = 0.04, 256
_BEYOND = 1e-48


def mean_over_sphere(pieces: "Sequence[Piece]", dim: int, scale_dim: int | None = None) -> Any:
    """Zeta is a coordinate of a uniform point of the unit sphere of R^dim; of the ball of R^scale_dim where that is given."""
    from flint import acb, arb

    if dim == 1:
        return mean_over_two_points(pieces, 1)
    radius = arb(1) if scale_dim is None else (arb(scale_dim + 2) / arb(scale_dim)).sqrt()
    half = arb(dim) / 2
    norm = half.gamma() / ((half - arb(1) / 2).gamma() * arb.pi().sqrt())

    def of_angle(function: Callable[[Any], Any]) -> Callable[[Any, bool], Any]:
        return lambda angle, _: function(radius * angle.sin()) * angle.cos() ** (dim - 2)

    total = arb(0)
    for piece in pieces:
        low, high = (_angle(end, radius) for end in (piece.low, piece.high))
        if float(low) < float(high):
            total += _integral(acb, of_angle(piece.function), low, high)
            if not total.is_finite():
                break
    return norm * total


def mean_over_gaussian(pieces: "Sequence[Piece]", dim: int) -> Any:
    """Zeta is normal with variance 1/dim."""
    from flint import acb, arb

    root = arb(dim).sqrt()

    def of_deviation(function: Callable[[Any], Any]) -> Callable[[Any, bool], Any]:
        return lambda x, _: function(x / root) * (-x * x / 2).exp()

    total, ends = arb(0), arb(0)
    for piece in pieces:
        low, high = (_clipped(end, root) for end in (piece.low, piece.high))
        if float(low) < float(high):
            total += _integral(acb, of_deviation(piece.function), low, high)
            ends += sum(abs(acb(piece.function(acb(end / root))).real) for end in (low, high))
            if not total.is_finite():
                break
    return (total + arb(0, 1) * (_BEYOND * (1 + ends)).upper()) / (2 * arb.pi()).sqrt()


def mean_over_two_points(pieces: "Sequence[Piece]", dim: int) -> Any:
    """Zeta is one of the two numbers of absolute value ``1/sqrt dim``, with equal probability."""
    from flint import acb, arb

    total = arb(0)
    for sign in (1, -1):
        point = sign / arb(dim).sqrt()
        piece = next(p for p in pieces if _float(p.low) <= float(point) <= _float(p.high))
        total += acb(piece.function(acb(point))).real
    return total / 2


def panel_count(scale: float, dim: int = 1) -> int:
    """How many panels make each of them narrow in the margin; 0 if too many would be needed, or moments are dear."""
    if dim > _LARGEST_DIM:
        return 0
    count = 8
    while scale > _PANEL_SCALE * count:
        count *= 2
    return count if count <= _MOST_PANELS else 0


def sphere_panels(count: int, order: int, dim: int, scale_dim: int | None = None) -> "tuple[Panel, ...]":
    """The law of `mean_over_sphere` in panels of equal width, with moments to this order."""
    return _panels("sphere", dim, scale_dim or 0, count, order)


def gaussian_panels(count: int, order: int, dim: int) -> "tuple[Panel, ...]":
    """The normal law within `GAUSSIAN_REACH` standard deviations, likewise."""
    return _panels("gaussian", dim, 0, count, order)


@lru_cache(maxsize=128)
def _panels(law: str, dim: int, scale_dim: int, count: int, order: int) -> "tuple[Panel, ...]":
    from flint import arb

    # Central moments of narrow panels cancel in the raw ones.
    with precision(_MOMENT_BITS):
        if law == "sphere":
            radius = (arb(scale_dim + 2) / arb(scale_dim)).sqrt() if scale_dim else arb(1)
            reach = arb(1)
            raw: Callable[[int, Any], list[Any]] = partial(_sphere_moments, dim=dim)
        else:
            radius = GAUSSIAN_REACH / arb(dim).sqrt()
            raw, reach = _gaussian_moments, arb(GAUSSIAN_REACH)
        below = [raw(order, reach * j / (count // 2)) for j in range(count // 2 + 1)]
        half, found = reach / count, []
        unit = radius / reach
        for j in range(count // 2):
            inside = [high - low for low, high in zip(below[j], below[j + 1], strict=True)]
            centre = half * (2 * j + 1)
            central = [
                sum((comb(k, i) * (-centre) ** (k - i) * inside[i] for i in range(k + 1)), arb(0)) * unit**k
                for k in range(order + 1)
            ]
            found.append(Panel(unit * centre, unit * half, tuple(central)))
            mirrored = tuple((-1) ** k * moment for k, moment in enumerate(central))
            found.append(Panel(-unit * centre, unit * half, mirrored))
    return tuple(found)


def _sphere_moments(order: int, z: Any, dim: int) -> list[Any]:
    """``E[zeta^k; 0 <= zeta <= z]`` up to this order for a coordinate of the unit sphere of R^dim, with dim >= 2.

    Integration by parts: ``(k + 2a + 3) I_(k+2) = (k + 1) I_k - z^(k+1) (1 - z^2)^(a+1)`` with a = (dim - 3)/2.
    """
    from flint import arb

    half, rest = arb(dim) / 2, 1 - z * z
    norm = half.gamma() / ((half - arb(1) / 2).gamma() * arb.pi().sqrt())
    power = rest ** (half - arb(1) / 2) if rest > 0 else arb(0)
    moments = [norm * _half_beta(z, dim), norm * (1 - power) / (dim - 1)]
    edge = norm * power
    for k in range(order - 1):
        moments.append(((k + 1) * moments[k] - edge * z ** (k + 1)) / (k + dim))
    return moments[: order + 1]


def _half_beta(z: Any, dim: int) -> Any:
    """``int_0^z (1 - x^2)^((dim - 3)/2) dx``.

    Arb's incomplete beta function can take minutes near z = 1 in many dimensions. There, what lies beyond z is the
    series ``y^(b)/2 sum_n (1/2)_n/n! y^n/(b + n)`` with y = 1 - z^2 and b = (dim - 1)/2, whose terms fall like y^n.
    """
    from flint import arb, ctx

    b, y = (arb(dim) - 1) / 2, 1 - z * z
    whole = arb.pi().sqrt() * b.gamma() / (b + arb(1) / 2).gamma() / 2
    if not y > 0:
        return whole
    bits = -float(y.log() / arb(2).log())
    if y > 0.5 and not bits * float(b) > ctx.prec:
        return (z * z).beta_lower(arb(1) / 2, b) / 2
    factor, total = arb(1), arb(0)
    count = max(int(ctx.prec / bits - float(b)), 0) + 2
    for n in range(count):
        total += factor / (b + n)
        factor *= y * (2 * n + 1) / (2 * n + 2)
    # The terms left out fall at least like y^n.
    missed = (factor / (b + count) / (1 - y)).upper()
    return whole - y**b / 2 * (total + arb(0, 1) * missed)


def _gaussian_moments(order: int, z: Any) -> list[Any]:
    """``E[x^k; 0 <= x <= z]`` up to this order for a standard normal x."""
    return [_gaussian_moment(k, z) for k in range(order + 1)]


def _gaussian_moment(k: int, z: Any) -> Any:
    """``E[x^k; 0 <= x <= z]`` for a standard normal x."""
    from flint import arb

    power = arb(k + 1) / 2
    return arb(2) ** (power - 1) * (z * z / 2).gamma_lower(power) / (2 * arb.pi()).sqrt()


def _integral(acb: Any, function: Callable[[Any, bool], Any], low: Any, high: Any) -> Any:
    return acb.integral(function, low, high, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE, eval_limit=5_000).real


def _angle(end: Any, radius: Any) -> Any:
    from flint import arb

    ratio = _float(end) / float(radius)
    if abs(ratio) >= 1.0 - 1e-15:
        return arb.pi() / 2 * int(np.sign(ratio))
    return (end / radius).asin()


def _clipped(end: Any, root: Any) -> Any:
    from flint import arb

    return arb(int(np.sign(_float(end))) * _FAR) if abs(_float(end) * float(root)) >= _FAR else end * root


def _float(end: Any) -> float:
    return float(end)
