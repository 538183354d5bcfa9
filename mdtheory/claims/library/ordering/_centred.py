"""First-order ball arithmetic: a number over a box, its value at the middle, and its slopes over the box.

The range of a function over a box is enclosed twice: directly, and by the mean value theorem from the middle and the slopes.
Where parameters occur several times the second is far tighter, which is what keeps branch and bound short.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flint import acb, arb

FAR = 8
"""From this K on, second derivatives of the pull are not bounded usefully."""


@dataclass(frozen=True, slots=True)
class Centred:
    """A function of the parameters of a box.

    Attributes
    ----------
    middle : arb
        Its value at the middle of the box.
    whole : arb
        Contains its values over the box.
    slopes : tuple of arb
        Contain its partial derivatives over the box.
    offsets : tuple of arb
        Contain the distances of the parameters from the middle; the same for all functions of one box.
    """

    middle: arb
    whole: arb
    slopes: tuple[arb, ...]
    offsets: tuple[arb, ...]

    def _made(self, middle: arb, whole: arb, slopes: Iterable[arb]) -> "Centred":
        found = tuple(slopes)
        return Centred(middle, _tighter(whole, middle, found, self.offsets), found, self.offsets)

    def _chain(self, middle: arb, whole: arb, derivative: arb) -> "Centred":
        return self._made(middle, whole, [derivative * slope for slope in self.slopes])

    def __add__(self, other: "Centred | arb | int") -> "Centred":
        """Sum."""
        if isinstance(other, Centred):
            slopes = [x + y for x, y in zip(self.slopes, other.slopes, strict=True)]
            return self._made(self.middle + other.middle, self.whole + other.whole, slopes)
        return Centred(self.middle + other, self.whole + other, self.slopes, self.offsets)

    __radd__ = __add__

    def __neg__(self) -> "Centred":
        """Negative."""
        return Centred(-self.middle, -self.whole, tuple(-x for x in self.slopes), self.offsets)

    def __sub__(self, other: "Centred | arb | int") -> "Centred":
        """Difference."""
        return self + (-other)

    def __rsub__(self, other: arb | int) -> "Centred":
        """Difference from a constant."""
        return -self + other

    def __mul__(self, other: arb | int) -> "Centred":
        """Product with a constant; other products are sums of logarithms."""
        return Centred(self.middle * other, self.whole * other, tuple(x * other for x in self.slopes), self.offsets)

    __rmul__ = __mul__

    def log(self) -> "Centred":
        """Natural logarithm."""
        return self._chain(self.middle.log(), self.whole.log(), 1 / self.whole)

    def exp(self) -> "Centred":
        """Exponential."""
        over = self.whole.exp()
        return self._chain(self.middle.exp(), over, over)

    def sqrt(self) -> "Centred":
        """Square root."""
        over = self.whole.sqrt()
        return self._chain(self.middle.sqrt(), over, 1 / (2 * over))

    def softplus(self) -> "Centred":
        """``log(1 + e^x)``."""
        return self._chain(_softplus(self.middle), _softplus(self.whole), 1 / (1 + (-self.whole).exp()))

    def log_of_rest(self) -> "Centred":
        """``log(1 - e^x)``."""
        over = self.whole.exp()
        return self._chain((1 - self.middle.exp()).log(), (1 - over).log(), -over / (1 - over))


def log_sum(*logs: Centred) -> Centred:
    """``log(e^x + e^y + ...)``: the slopes are averages of the slopes, so hardly anything is lost."""
    total = logs[0]
    for other in logs[1:]:
        total = total + (other - total).softplus()
    return total


def _softplus(x: arb) -> arb:
    # For a ball of large radius the exponential is a bad middle: the function increases.
    return (1 + x.lower().exp()).log().union((1 + x.upper().exp()).log())


def parameters(balls: Mapping[str, arb]) -> dict[str, Centred]:
    """The logarithms of the parameters of a box, named ``log_...``: the box is centred geometrically."""
    logs = {f"log_{name}": ball.log() for name, ball in balls.items()}
    offsets = tuple(ball - ball.mid() for ball in logs.values())
    return {
        name: Centred(ball.mid(), ball, tuple(arb(int(i == j)) for j in range(len(logs))), offsets)
        for i, (name, ball) in enumerate(logs.items())
    }


def affine(value: float, slopes: Iterable[float], like: Centred) -> Centred:
    """``value + sum slopes_i (p_i - middle_i)``: a function that follows a guess of something that is not known."""
    rates = tuple(arb(x) for x in slopes)
    whole = arb(value)
    for rate, offset in zip(rates, like.offsets, strict=True):
        whole += rate * offset
    return Centred(arb(value), whole, rates, like.offsets)


def constant(value: arb, like: Centred) -> Centred:
    """A constant function."""
    return Centred(value, value, tuple(arb(0) for _ in like.slopes), like.offsets)


def log_pull(dim: int, s: Centred, log_k: Centred) -> Centred:
    r"""The logarithm of ``E zeta phi'(s + K zeta)`` for cross-entropy on the sphere: ``E |zeta| f(s, K|zeta|)/2``.

    ``f(s, u) = sinh u/(cosh s + cosh u)``. Under the law that ``|zeta| f`` weighs, the slopes of the logarithm in s and
    log K are the means of ``-a = d log f/ds`` and ``b = d log f/d log u``, and its second derivatives are means of the
    second derivatives plus (co)variances, which half the ranges bound.
    """
    k = log_k.whole.exp()
    value, in_s, in_k = _pull_and_slopes(dim, s.middle, log_k.middle.exp())
    one, other = s.whole - s.middle, log_k.whole - log_k.middle
    if k.upper() < FAR:
        a, b, second = _ranges(s.whole, k)
        slope_s = _meet(in_s / value + second[0] * one + second[1] * other, -a)
        slope_k = _meet(in_k / value + second[1] * one + second[2] * other, b)
    else:
        # b <= u coth u, and b <= u (cosh s + 1/cosh u)/sinh u, which is smaller beyond s + 2 and falls.
        beyond = s.whole.upper() + 2
        slope_s, slope_k = arb(-1).union(0), arb(0).union(beyond * beyond.cosh() / beyond.sinh())
    middle = value.log()
    slopes = [slope_s * x + slope_k * y for x, y in zip(s.slopes, log_k.slopes, strict=True)]
    return s._made(middle, middle + slope_s * one + slope_k * other, slopes)


def _ranges(s: arb, k: arb) -> tuple[arb, arb, tuple[arb, arb, arb]]:
    """The ranges of a and b over ``0 <= u <= K``, and bounds of the second derivatives of the logarithm."""
    top = k.upper()
    cosh_s, sinh_s, cosh_k, sinh_k = s.cosh(), s.sinh(), top.cosh(), top.sinh()
    least, most = cosh_s + 1, cosh_s + cosh_k
    a = (sinh_s / most).union(sinh_s / least)
    # b = u coth u - u sinh u/(cosh s + cosh u): the first part grows from 1.
    first = top * cosh_k / sinh_k
    b = arb(1).union(first) - arb(0).union(top * sinh_k / least)
    b = _meet(b, arb(0).union(first))
    half_a, half_b = arb(a.rad()), arb(b.rad())
    variance_a, variance_b = arb(0).union(half_a**2), arb(0).union(half_b**2)
    covariance = (-half_a * half_b).union(half_a * half_b)
    # d a/ds = (1 + cosh s cosh u)/(cosh s + cosh u)^2, and (1 + xy)/(x + y) increases in y for x > 1.
    a_in_s = (1 / most).union((1 + cosh_s * cosh_k) / most / least)
    a_in_k = arb(0).union(-top * sinh_k * sinh_s / least**2)
    b_in_k = (
        arb(0).union(first - (top / sinh_k) ** 2)
        - arb(0).union((top * sinh_k + top**2 * cosh_k) / least)
        + arb(0).union((top * sinh_k / least) ** 2)
    )
    return a, b, (variance_a - a_in_s, -a_in_k - covariance, b_in_k + variance_b)


def _pull_and_slopes(dim: int, s: arb, k: arb) -> tuple[arb, arb, arb]:
    """The pull and its derivatives in s and log K, by Arb's integration over the angle."""
    cosh_s, sinh_s, scale = acb(s.cosh()), acb(s.sinh()), acb(k)

    def value(angle: acb, analytic: bool) -> acb:
        zeta = angle.sin()
        x = scale * zeta
        return zeta * x.sinh() / (cosh_s + x.cosh()) * angle.cos() ** (dim - 2)

    def in_s(angle: acb, analytic: bool) -> acb:
        zeta = angle.sin()
        x = scale * zeta
        return -zeta * x.sinh() * sinh_s / (cosh_s + x.cosh()) ** 2 * angle.cos() ** (dim - 2)

    def in_k(angle: acb, analytic: bool) -> acb:
        zeta = angle.sin()
        x = scale * zeta
        cosh_x = x.cosh()
        return zeta * x * (1 + cosh_s * cosh_x) / (cosh_s + cosh_x) ** 2 * angle.cos() ** (dim - 2)

    half = arb(dim) / 2
    norm = half.gamma() / (arb.pi().sqrt() * (half - arb(1) / 2).gamma())
    tolerance = arb(2) ** -24
    found = [
        norm * acb.integral(f, acb(0), acb.pi() / 2, rel_tol=tolerance, abs_tol=arb(2) ** -40).real
        for f in (value, in_s, in_k)
    ]
    return found[0], found[1], found[2]


def _tighter(whole: arb, middle: arb, slopes: tuple[arb, ...], offsets: tuple[arb, ...]) -> arb:
    around = middle
    for slope, offset in zip(slopes, offsets, strict=True):
        around = around + slope * offset
    return _meet(whole, around)


def _meet(one: arb, other: arb) -> arb:
    """Two enclosures of the same number are an enclosure together."""
    if not one.is_finite():
        return other
    if not other.is_finite():
        return one
    return one.intersection(other)
