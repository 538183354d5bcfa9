r"""The limited-expressivity model with nonnegative features, with the absolute scaling, and of more than two classes: what the solvers rest on.

(i) *Nonnegative features.* With w_1 - w_2 = kap (a, -b) for orthogonal unit vectors of equal length in the two cones, a class mean s e_m and a noisy feature
(s - p) e_m + b e_n, both times sqrt2/kap, have margins s and b + p - s, squared norms 2 s^2/kap^2 and 2 ((s-p)^2 + b^2)/kap^2 and the distance
sqrt(2 (p^2 + b^2))/kap (step 1).

(ii) *Absolute scaling.* For a cap on the distance D the square v of the scale of W is at least z^2/D^2, z the distance in the space of the logits. What both decays cost, least over
v >= z^2/D^2 of lambda_H Q/v + a v, is jointly convex before that minimum, for Q/v is a quadratic over a linear function; where the cap binds it is lambda_H D^2 Q/z^2 + a z^2/D^2, and the multiplier of the
cap is a - lambda_H Q/v^2 (step 2). For any multiplier 0 <= m D^2 <= a and any linear minorant g'y of the loss, the least of g'y + lambda_H y'My/v + m(z^2 - v D^2) + a v over y is
(a - m D^2) v - v g'(lambda_H M + m v l l')^-1 g/4, z = l'y, by the formula of Sherman and Morrison a function of v alone (step 3), and that one is convex (step 4).

(iii) *Convex order.* For coordinates xi_n of any correlation matrix Omega, the variance of sum_n a_n xi_n is at most (sum |a_n|)^2, with equality for a single coordinate: sup of
a'Omega a over sum |a_n| <= 1 is 1, since it is convex in a and 1 at the corners. So r A xi with r = sum_n |v_n| dominates sum_n (A v_n) xi_n in convex order. With all xi_n equal and all classes
alike the steps -p e_m + y e_n of a class add up to -((N-1) p + y) e_m, up to what all logits share (step 5).

(iv) *Many classes at a given configuration.* The loss lies above its tangent, and what decays cost is a parabola: the bound is the least of their sum (step 6).
"""

import sympy as sp
from _check import identity, nonnegative

s, p, b, kap = sp.symbols("s p b kap", positive=True)
v, z, a, square, decay, cap = sp.symbols("v z a Q lambda_H D", positive=True)
m, first, second, third = sp.symbols("m P q r", positive=True)


def main() -> None:
    """Run every step."""
    nonnegative_features()
    the_cap()
    the_dual_function()
    it_is_convex()
    one_coordinate()
    a_parabola()


def nonnegative_features() -> None:
    """Step 1: margins, norms and distances in coordinates along the positive and the negative part of w_1 - w_2."""
    difference = kap / sp.sqrt(2) * sp.Matrix([1, -1])
    mean, noisy = sp.sqrt(2) / kap * sp.Matrix([s, 0]), sp.sqrt(2) / kap * sp.Matrix([s - p, b])
    identity("the margin of a class mean", (difference.T * mean)[0], s)
    identity("the margin of a noisy feature for the other label", -(difference.T * noisy)[0], b + p - s)  # claim
    apart = noisy - mean
    identity("the squared distance", (apart.T * apart)[0], 2 * (p**2 + b**2) / kap**2)  # claim
    identity("the squared norm", (noisy.T * noisy)[0], 2 * ((s - p) ** 2 + b**2) / kap**2)


def the_cap() -> None:
    """Step 2: what decays cost where the cap binds, and the multiplier."""
    cost = decay * square / v + a * v
    identity("at the cap", cost.subs(v, z**2 / cap**2), decay * cap**2 * square / z**2 + a * z**2 / cap**2)  # claim
    multiplier = a - decay * square / v**2
    identity("stationary in v", sp.diff(cost, v) - multiplier, 0)  # claim
    # Convex in (x, v): the Hessian of x^2/v has determinant zero and a positive corner.
    x = sp.Symbol("x", real=True)
    hessian = sp.hessian(x**2 / v, (x, v))
    identity("a quadratic over a linear function", hessian.det(), 0)


def the_dual_function() -> None:
    """Step 3: for two variables in which M is the identity, which loses nothing."""
    g1, g2, l1, l2 = sp.symbols("g1 g2 l1 l2", real=True)
    g, along = sp.Matrix([g1, g2]), sp.Matrix([l1, l2])
    inverse = (decay * sp.eye(2) + m * v * along * along.T).inv()
    whole = (g.T * inverse * g)[0]
    p_, q_, r_ = g.dot(g) / decay, along.dot(g) / decay, along.dot(along) / decay
    identity("Sherman and Morrison", whole, p_ - m * v * q_**2 / (1 + m * v * r_))  # claim


def it_is_convex() -> None:
    """Step 4: the function of v, and its slope and curvature."""
    function = (a - m * cap**2 - first / 4) * v + m * second**2 * v**2 / (4 * (1 + m * third * v))
    slope = a - m * cap**2 - first / 4 + second**2 / (4 * third) * (1 - 1 / (1 + m * third * v) ** 2)
    identity("its slope", sp.diff(function, v), slope)  # claim
    curvature = m * second**2 / (2 * (1 + m * third * v) ** 3)
    identity("its curvature", sp.diff(slope, v), curvature)
    nonnegative("which is not negative", m * second**2)


def one_coordinate() -> None:
    """Step 5: for four classes, the sum of the steps of the first, less what all logits share."""
    y = sp.Symbol("y", real=True)
    total = sum(
        (sp.Matrix([-p if i == 0 else (y if i == n else 0) for i in range(4)]) for n in (1, 2, 3)), sp.zeros(4, 1)
    )
    shared = total - y * sp.ones(4, 1)
    identity("along the first class", shared[0], -(3 * p + y))  # claim
    for i in (1, 2, 3):
        identity("and along no other", shared[i], 0)


def a_parabola() -> None:
    """Step 6: the least of g'x + x'Ax + 2 b'x."""
    a1, a2, x1, x2, g1, g2, b1, b2 = sp.symbols("a1 a2 x1 x2 g1 g2 b1 b2", positive=True)
    matrix, x = sp.diag(a1, a2), sp.Matrix([x1, x2])
    slope = sp.Matrix([g1, g2]) / 2 + sp.Matrix([b1, b2])
    value = (x.T * matrix * x)[0] + 2 * slope.dot(x)
    least = -(slope.T * matrix.inv() * slope)[0]
    away = x + matrix.inv() * slope
    identity("a parabola is its least value plus a square", value, least + (away.T * matrix * away)[0])  # claim


if __name__ == "__main__":
    main()
