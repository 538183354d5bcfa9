r"""The limited-expressivity model of three classes: what a bound over all shapes of W rests on.

(i) *Scale.* For W of a given shape times c, what decays cost is lambda_W c^2 + lambda_H Q/c^2, least 2 sqrt(lambda_W lambda_H Q), and Q is a sum of squares of nonnegative convex
functions, so that its root is convex (step 1).

(ii) *Cells.* In the frame of an angle, K with a trace of one, the radius q and half the angle delta/2 off the frame has the diagonal (1 + q cos delta)/2, (1 - q cos delta)/2 and q sin(delta)/2 beside it,
which is a matrix of trace one with the eigenvalues (1 +- q)/2 (step 2). Adding f/g and f g to an upper bound of the diagonal, f >= |q sin(delta)/2|, leaves a matrix that
is above K: what is left has the determinant of two numbers that are not negative, plus at least f^2 - (q sin(delta)/2)^2 (step 3). So does taking them away from a lower one.

(iii) *Monotone.* With K <= K_hi lengths in the norm of the inverse only shrink, and the dilation in units of W with them; the mean of a convex function grows with the covariance r^2 K of a
spread B xi, so that K_lo bounds it. Where K_lo is zero the variance of sum_n a_n xi_n is at most (sum |a_n|)^2 for coordinates of any correlations, also those m_n . xi of unit
vectors m_n (step 4).

(iv) *Smooth.* sqrt(d^2 + eps^2) - eps lies below |d|, and is convex and not negative (step 5).

(v) *The tangent.* A convex F lies above F(x) + g'(y - x), and all y of a value V have weight times sqrt(y'My) <= V, losses being nonnegative: F >= F(x) - g'x - (V/weight) sqrt(g'M^-1 g).
"""

import sympy as sp
from _check import identity, nonnegative

lam_w, lam_h, square, c = sp.symbols("lambda_W lambda_H Q c", positive=True)
f, g, eps, length = sp.symbols("f g epsilon L", positive=True)
first, second = sp.symbols("a b", nonnegative=True)


def main() -> None:
    """Run every step."""
    the_scale()
    the_entries()
    the_diagonals()
    unit_vectors_mix()
    smooth_lengths()


def the_scale() -> None:
    """Step 1: the best scale of W."""
    cost = lam_w * c**2 + lam_h * square / c**2
    best = (lam_h * square / lam_w) ** sp.Rational(1, 4)
    identity("stationary", sp.diff(cost, c).subs(c, best), 0)
    identity("the least cost", cost.subs(c, best), 2 * sp.sqrt(lam_w * lam_h * square))  # claim


def the_entries() -> None:
    """Step 2: K in the frame of an angle."""
    q, delta = sp.symbols("q delta", real=True)
    off = q * sp.sin(delta) / 2
    k = sp.Matrix([[(1 + q * sp.cos(delta)) / 2, off], [off, (1 - q * sp.cos(delta)) / 2]])
    identity("the trace", k.trace(), 1)
    identity("the product of the eigenvalues", sp.simplify(k.det()), (1 - q**2) / 4)  # claim


def the_diagonals() -> None:
    """Step 3: a diagonal matrix above K; a and b are what its diagonal has to spare."""
    share = sp.Symbol("t", nonnegative=True)
    off = f / (1 + share)
    left = sp.Matrix([[first + f / g, off], [off, second + f * g]])
    nonnegative("above: the determinant", sp.expand(left.det()))
    identity("what is left of it", left.det().subs({first: 0, second: 0}), f**2 - off**2)  # claim


def unit_vectors_mix() -> None:
    """Step 4: the variance of ``sum a_n m_n . xi`` for unit vectors is at most ``(sum |a_n|)^2``."""
    alpha, x, y = sp.symbols("alpha x y", real=True)
    covariance = x**2 + y**2 + 2 * x * y * sp.cos(alpha)
    mixed = sp.Matrix([x + y * sp.cos(alpha), y * sp.sin(alpha)])
    identity("the square of the sum", sp.simplify((mixed.T * mixed)[0]), covariance)  # claim
    identity(
        "what it falls short of",
        sp.expand((first + second) ** 2 - covariance.subs({x: first, y: second})),
        2 * first * second * (1 - sp.cos(alpha)),
    )  # claim


def smooth_lengths() -> None:
    """Step 5: below the length, convex, and not negative."""
    identity("squares", (length + eps) ** 2 - (length**2 + eps**2), 2 * length * eps)  # claim
    curve = sp.sqrt(length**2 + eps**2)
    identity(
        "the curvature", sp.simplify(sp.diff(curve, length, 2)), eps**2 / (length**2 + eps**2) ** sp.Rational(3, 2)
    )  # claim


if __name__ == "__main__":
    main()
