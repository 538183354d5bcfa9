"""The memorization-dilation problem without convexity: a bound on a cell of dilations and noisy margins.

Setting. Minimise over r >= 0 and a noisy feature u with coordinates t/kap along h_1 - h_2 and l along the mean,

    F(r) + 2 eta (phi(t) + lam (t^2/kap^2 + l^2))   subject to   eta c |u - h_2| <= r,

where h_2 has the coordinates -s/kap and m, and c = D^q/C. Both classes may be taken alike: for given r they are the same
problem. F and phi are any functions; nothing says that the constraint is tight.

Theorem. Let theta >= 0, e_1^2 + e_2^2 <= 1 and v >= 0, v = 0 unless l >= |t|/kap is required. On every set of (r, t) the objective
is at least the sum of the least values, each on that set, of

    F(r) - theta r,
    2 eta phi(t) + 2 eta lam t^2/kap^2 + theta eta c e_1 (t + s)/kap + v |t|/kap,
    2 eta lam l^2 + theta eta c e_2 (l - m) - v l   over l >= 0.

If F, and phi with its decay, are convex on a cell around an optimum whose constraint has the multiplier theta, the bound is
the optimum for e along u - h_2. Where F and phi are at least parabolas, each minimum is that of a parabola.

Proof. The objective minus the three functions is theta (r - eta c e.(u - h_2)) + v (l - |t|/kap) (first identity), and
e.(u - h_2) <= |u - h_2| <= r/(eta c) by Cauchy-Schwarz (second). A negative level may be replaced by its absolute value, which
moves u towards h_2 (m >= 0) and changes nothing else. The least value of the third function is that of a parabola (third).
At an optimum with multiplier theta the three functions are stationary and convex there.
"""

import sympy as sp
from _check import identity, nonnegative

eta, lam, kap, c, s, m, theta, v = sp.symbols("eta lambda kappa c s m theta v", positive=True)
t, level, r, e_1, e_2 = sp.symbols("t l r e_1 e_2", real=True)
F, phi = sp.Function("F"), sp.Function("phi")


def main() -> None:
    """Run every step."""
    what_is_left_out()
    a_direction_is_no_longer_than_the_distance()
    the_level()
    reflected_level()
    parabola()


def what_is_left_out() -> None:
    """The objective above the three functions is two products of nonnegative factors."""
    objective = F(r) + 2 * eta * (phi(t) + lam * (t**2 / kap**2 + level**2))
    first = F(r) - theta * r  # claim
    second = (
        2 * eta * phi(t) + 2 * eta * lam * t**2 / kap**2 + theta * eta * c * e_1 * (t + s) / kap + v * sp.Abs(t) / kap
    )
    third = 2 * eta * lam * level**2 + theta * eta * c * e_2 * (level - m) - v * level  # claim
    along = e_1 * (t + s) / kap + e_2 * (level - m)
    slack = theta * (r - eta * c * along) + v * (level - sp.Abs(t) / kap)
    identity("objective above the bound", objective - first - second - third, slack)


def a_direction_is_no_longer_than_the_distance() -> None:
    """Cauchy-Schwarz in the plane."""
    x, y = sp.symbols("x y", real=True)
    difference = (e_1**2 + e_2**2) * (x**2 + y**2) - (e_1 * x + e_2 * y) ** 2  # claim
    identity("squared length above squared component", difference, (e_1 * y - e_2 * x) ** 2)


def the_level() -> None:
    """The third function above its least value is a square; the least value without its constant."""
    pull = sp.Symbol("g", real=True)
    value = 2 * eta * lam * level**2 + pull * level
    least = -(pull**2) / (8 * eta * lam)  # claim
    identity("level", value - least, 2 * eta * lam * (level + pull / (4 * eta * lam)) ** 2)  # claim


def reflected_level() -> None:
    """A level -x < 0 is further from m >= 0 than x."""
    x = sp.Symbol("x", positive=True)
    nonnegative("reflection", sp.expand((-x - m) ** 2 - (x - m) ** 2))


def parabola() -> None:
    """The least value of a parabola that opens upwards."""
    slope, bend, d = sp.symbols("sigma b d", real=True)
    value = slope * d + bend * d**2 / 2
    identity("parabola", value + slope**2 / (2 * bend), bend * (d + slope / bend) ** 2 / 2)  # claim


if __name__ == "__main__":
    main()
