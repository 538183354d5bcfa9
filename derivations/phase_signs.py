"""On which side of a phase boundary a memorization-dilation problem lies, by the sign of an explicit expression.

Setting: the reduced problem of `md_reduction.py`, convex phi with phi'(0) < 0, eta > 0, with k = D^q/C in place of 1/c:
r = eta k rho, and the optimum solves  F'(r) k = 4 nu rho,  F'(r) = 2 kap P + 4 lam r,  P = E zeta phi'(s + kap r zeta).
P is a nondecreasing function of kap r, R the largest value of zeta.

Theorem 1. Let nu0 = -kap^2 phi'(0)/(2 s), rho0^2 = (lam/(lam+nu0))^2 ||m||^2 + (s/kap)^2 and r0 = eta k rho0. The noisy
margin is negative (noisy examples are not memorised) iff F'(r0) k > 4 nu0 rho0.
Theorem 2. Let r = L D, nu = eta k^2 F'(r)/(4 r), rho = r/(eta k) and w = kap sqrt(max(rho^2 - (lam/(lam+nu))^2 ||m||^2, 0)).
Then r/D < L at the optimum iff  G = (lam + nu) w - lam s + (kap^2/2) phi'(w - s) > 0.
Theorem 3. In the slope C (so in k), with all else fixed, the dilation is stationary iff nu rho(nu)^2 is, as a function of
the multiplier: iff 1 + 2 d log rho/d log nu = 0 at the optimum.
Cross-entropy with smoothing alpha at its own configuration: D^2 = 2 rat s, kap = 2 s/D, ||m|| = D/2 (nonnegative features) or
0 (free), rat = sqrt(lambda_W/lambda_H), times sqrt 2 for free features. There theorem 1 reads

    k P(eta k s z) > z ((1-alpha)/2 - rat lam eta k^2),   z^2 = 1 + (lam/(lam+nu0))^2 (free: z = 1),  nu0 = (1-alpha)/(2 rat),

and theorem 2 at L = 1/(2R), where the clusters touch,

    nu y + lam (y - 1) + phi'(s (y-1))/rat > 0,   nu = eta k^2 (R P(s/R)/rat + lam),
    y^2 = 1/(R eta k)^2 - (lam/(lam+nu))^2 (free: without the second term).

Proof. Along the inner minimisers rho and t fall strictly as nu grows (step "inner"), so each of them tells the others.
1. Let rho be the optimum's memorization, rho(0) = rho0 that of t = 0 (step "multiplier"). The left side of
   F'(eta k rho) k + 2 g'(rho) = 0 (with g' = -2 nu rho) is nondecreasing in rho, strictly for F strictly convex. At rho0 it
   is F'(r0) k - 4 nu0 rho0: positive iff the optimum has rho < rho0, iff t < 0.
2. At the level L the same left side is 4 rho (nu - nu(rho)), nu(rho) the multiplier whose inner minimiser is at rho; it is
   positive, and then r/D < L, iff nu > nu(rho), iff the memorization rho(nu) is below rho. As rho(nu)^2 =
   (lam/(lam+nu))^2 ||m||^2 + ((t+s)/kap)^2, this says that t + s < w, provided w > 0, and the equation for t increases
   in t: its value at t = w - s is G (step "force"), positive iff t < w - s. If the maximum is 0, rho(nu) >= rho, and
   G = -lam s + (kap^2/2) phi'(-s) < 0 as phi'(-s) <= phi'(0) < 0: both sides say r/D >= L.
3. Stationarity times r says r F'(r) = 4 eta nu rho^2 (step "product"). For fixed eta the left side increases strictly in r, so
   r is stationary in k iff nu rho^2 is. At a fixed rho, F'(eta k rho) k + 2 g'(rho) increases strictly with k, so rho falls
   and nu grows with k: nu rho^2 is stationary in k iff it is in nu.
"""

import sympy as sp
from _check import identity, negative, positive

kap, s, eta, k, nu, rat, R, P, rho, y = sp.symbols("kap s eta k nu rat R P rho y", positive=True)
lam, m, curvature = sp.symbols("lambda m phi2", nonnegative=True)
alpha = sp.Symbol("alpha", nonnegative=True)
t, slope = sp.symbols("t phi1", real=True)
r = sp.Symbol("r", positive=True)
D = sp.sqrt(2 * rat * s)
T_EQUATION = t * (lam + nu) + kap**2 / 2 * slope + nu * s


def main() -> None:
    """Run every step."""
    inner()
    multiplier()
    force()
    product()
    memorization_of_cross_entropy()
    touching_clusters()


def inner() -> None:
    """Dt/dnu < 0 and d(rho^2)/dnu < 0, where w = t + s > 0."""
    w = sp.Symbol("w", positive=True)
    phi = sp.Function("phi1")
    equation = (lam + nu) * (w - s) + kap**2 / 2 * phi(w - s) + nu * s
    rate = -sp.diff(equation, nu) / sp.diff(equation, w).subs(sp.diff(phi(w - s), w), curvature).doit()
    rate = rate.subs(sp.Subs(sp.diff(phi(t), t), t, w - s), curvature)
    identity("dw/dnu", rate, -w / (lam + nu + kap**2 * curvature / 2))
    negative("the margin falls with the multiplier", -w / (lam + nu + kap**2 * curvature / 2))
    share = sp.diff((lam / (lam + nu)) ** 2, nu)
    identity("d share^2/dnu", share, -2 * lam**2 / (lam + nu) ** 3)  # claim


def multiplier() -> None:
    """At t = 0 the multiplier is nu0."""
    nu0 = -(kap**2) * slope / (2 * s)  # claim
    identity("multiplier at margin zero", T_EQUATION.subs({t: 0, nu: nu0}))


def force() -> None:
    """The equation for t at t = w - s."""
    w = sp.Symbol("w", positive=True)
    G = (lam + nu) * w - lam * s + kap**2 / 2 * slope  # claim
    identity("force at the end of the memorization", T_EQUATION.subs(t, w - s), G)


def product() -> None:
    """Stationarity times the dilation; the elasticity of nu rho^2."""
    force_of_r = sp.Symbol("F1", positive=True)
    optimum = sp.solve(force_of_r * k - 4 * nu * rho, nu)[0]
    identity("r F'(r) = 4 eta nu rho^2", (eta * k * rho) * force_of_r, 4 * eta * optimum * rho**2)
    length = sp.Function("rho")(nu)
    elasticity = nu * sp.diff(sp.log(length), nu)
    claimed = 1 + 2 * elasticity  # claim
    identity("elasticity of nu rho^2", nu * sp.diff(sp.log(nu * length**2), nu), claimed)


def memorization_of_cross_entropy() -> None:
    """Theorem 1 at the configuration of cross-entropy; phi'(0) = (alpha - 1)/2."""
    width = 2 * s / D
    identity("kap^2 = 2 s/rat", width**2, 2 * s / rat)
    nu0 = (-(kap**2) * slope / (2 * s)).subs({kap: width, slope: (alpha - 1) / 2})
    identity("nu0", nu0, (1 - alpha) / (2 * rat))  # claim
    share = lam / (lam + nu0)
    z = sp.Symbol("z", positive=True)
    rho0_squared = share**2 * (D / 2) ** 2 + (s / width) ** 2
    identity("rho0 = z D/2", rho0_squared, (1 + share**2) * D**2 / 4)  # claim
    rho0 = z * D / 2
    identity("kap r0 = eta k s z", width * eta * k * rho0, eta * k * s * z)
    residual = (2 * width * P + 4 * lam * eta * k * rho0) * k - 4 * nu0 * rho0
    scaled = k * P - z * ((1 - alpha) / 2 - rat * lam * eta * k**2)  # claim
    identity("memorised or not", residual, 4 * s / D * scaled)
    positive("its factor", 4 * s / D)


def touching_clusters() -> None:
    """Theorem 2 at L = 1/(2R)."""
    width = 2 * s / D
    level = D / (2 * R)
    identity("kap r = s/R", width * level, s / R)
    at = eta * k**2 * (2 * width * P + 4 * lam * level) / (4 * level)
    identity("multiplier at the level", at, eta * k**2 * (R * P / rat + lam))  # claim
    share = lam / (lam + nu)
    w_squared = width**2 * ((level / (eta * k)) ** 2 - share**2 * (D / 2) ** 2)
    identity("w = s y", w_squared, s**2 * (1 / (R * eta * k) ** 2 - share**2))  # claim
    G = (lam + nu) * (s * y) - lam * s + width**2 / 2 * slope
    identity("balance", G, s * (nu * y + lam * (y - 1) + slope / rat))  # claim


if __name__ == "__main__":
    main()
