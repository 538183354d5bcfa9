"""How far the second-order expansion of the memorization-dilation problem is off: a bound from the force alone.

Setting of `md_reduction.py`, any convex loss with a continuous slope at the margin, any isotropic spread. Let F be the
clean loss as a function of the dilation r, F2 = F''(0), g = eta c^2/4, and R(nu) = eta c rho(nu) the dilation that
belongs to the multiplier nu of the ball. The exact dilation r* solves r = R(nu) with nu = g F'(r)/r; the expansion puts
F2 r for F'(r): r_e = R(g F2).

Theorem 1. r* lies between r_e and the r^ with F'(r^) = F2 r_e. Hence |r_e/r* - 1| <= |r_e/r^ - 1|.
Theorem 2. |r_e/r* - 1| <= |F'(r*)/(F2 r*) - 1|.
Theorem 3. For a smooth profile F'(r)/(F2 r) - 1 = E zeta^4 kap^4 r^2 phi''''(s)/(3 F2) + O(r^4). If phi is quadratic
on [s - kap r zmax, s + kap r zmax], zmax the largest zeta, it is zero: the squared hinge is exact up to its kink.

Proof. R falls and nu R(nu) rises: d log rho/d log nu = -nu (A/(lam + nu + kap^2 phi''/2) + B/(lam + nu)) with shares
A + B = 1 and phi'' >= 0 lies in [-1, 0] (step "elasticity"); on the face of the cone u >= 0 likewise with a third, fixed
part of rho. F' is increasing, F convex and even.
1. Let nu* = g F'(r*)/r* and nu_e = g F2. If nu* >= nu_e then r* <= r_e, and nu* r* >= nu_e r_e says F'(r*) >= F2 r_e =
   F'(r^), so r* >= r^. If nu* <= nu_e, both turn round.
2. If nu* >= nu_e, then 1 <= r_e/r* <= nu*/nu_e, else 1 >= r_e/r* >= nu*/nu_e; and nu*/nu_e = F'(r*)/(F2 r*).
3. F'(r) = 2 kap E zeta phi'(s + kap r zeta) + 4 lam r; expand (step "leading term").
"""

import sympy as sp
from _check import identity, nonnegative


def elasticity() -> None:
    """-1 <= d log rho/d log nu <= 0, in the cone's inside and on its face."""
    nu = sp.Symbol("nu", positive=True)
    lam, bend, along, across, fixed = sp.symbols("lambda bend along across fixed", nonnegative=True)
    # (lam + nu + bend) dw = -w dnu, (lam + nu) d(drop) = -drop dnu, rho^2 = w^2/kap^2 + drop^2 (+ a fixed part)
    fall = along**2 / (lam + nu + bend) + across**2 / (lam + nu)  # claim
    square = along**2 + across**2 + fixed**2
    rest = along**2 * (lam + bend) / (lam + nu + bend) + across**2 * lam / (lam + nu) + fixed**2  # claim
    identity("rho^2 less the fall of rho^2/2 with log nu", square - nu * fall, rest)
    nonnegative("d log rho/d log nu <= 0", fall)
    nonnegative("d log(nu rho)/d log nu >= 0", rest)


def leading_term() -> None:
    """The relative error of the force, from the fourth derivative."""
    r, kap, lam, second, fourth, m2, m4 = sp.symbols("r kappa lambda phi2 phi4 m2 m4", positive=True)
    third = sp.Symbol("phi3", real=True)
    zeta = sp.Symbol("zeta", real=True)
    offset = kap * r * zeta
    slope = second * offset + fourth * offset**3 / 6  # claim
    slope = slope + third * offset**2 / 2
    moments = {1: 0, 2: m2, 3: 0, 4: m4}
    terms = sp.Poly(sp.expand(zeta * slope), zeta).as_dict()
    mean = sum(coefficient * moments[power] for (power,), coefficient in terms.items())
    force = 2 * kap * mean + 4 * lam * r
    initial = sp.limit(force / r, r, 0)
    identity("F2 = 2 kap^2 phi'' E zeta^2 + 4 lam", initial, 2 * kap**2 * second * m2 + 4 * lam)
    identity(
        "F'/(F2 r) - 1 = E zeta^4 kap^4 r^2 phi''''/(3 F2)",
        force / (initial * r) - 1,
        m4 * kap**4 * r**2 * fourth / (3 * initial),
    )
    identity("no fourth derivative, no error", (force / (initial * r) - 1).subs(fourth, 0))


def main() -> None:
    """Run every step."""
    elasticity()
    leading_term()


if __name__ == "__main__":
    main()
