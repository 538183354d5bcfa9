"""Cross-entropy memorization in closed form: the r-Lambert function.

Definition. For r > 0 and y > 0, W_r(y) is the solution x > 0 of x e^x + r x = y. It exists, is unique and increases
with y: the left side vanishes at 0, tends to infinity, and has derivative e^x (1 + x) + r > 0 for x > 0.

Theorem. In the reduced problem (`md_reduction.py`) take cross-entropy with smoothing alpha (label relaxation alpha:
replace alpha by 2 alpha below, as long as t stays below its minimiser). For a given multiplier nu, with
lam + nu > 0, put

    tau = (kap^2 alpha/4 + nu s)/(lam + nu),      A = kap^2/(2 (lam + nu)).

Then the noisy margin is t = x - tau with x = W_{e^tau}(A e^tau). For lam = 0 it depends on beta = 2 nu/kap^2 alone:
beta (t + s) + phi'(t) = 0, and t + s = x - alpha/(2 beta), x = W_{e^tau}(e^tau/beta), tau = s + alpha/(2 beta).

Theorem (second-order expansion). For small dilation F(r) = F(0) + F2 r^2/2 + O((kap r)^4) with F2 = 2 (phi''(s)
kap^2/d + 2 lam), because zeta has mean 0, variance 1/d and vanishing third moment. The optimality condition then
gives nu in closed form,

    nu = F2 eta D^(2q)/(4 C^2),      beta = F2 eta D^(2q)/(2 kap^2 C^2),

with relative error O((kap r)^2), and exactly when phi is quadratic (mean squared error).

Piecewise losses. Squared hinge (t < 1): t = (kap^2/2 - nu s)/(lam + nu + kap^2/2).

Proof. Divide t (lam + nu) + (kap^2/2) (alpha/2 - 1/(1+e^t)) + nu s = 0 by lam + nu: x = t + tau = A/(1 + e^t) > 0.
Multiply by (1 + e^(x - tau)) e^tau: x e^x + e^tau x = A e^tau.
"""

import sympy as sp
from _check import agrees, identity, negative, positive

PROVES = {
    "lambert-memorization": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "noisy_decay > 0",
            "dim >= 2",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "definitions": {
            "shift": "(margin*multiplier + smoothing*weight_distance**2/4)/(multiplier + noisy_decay)",
            "amplitude": "weight_distance**2/(2*multiplier + 2*noisy_decay)",
            "root": "noisy_margin + shift",
        },
        "conclusion": ("root*exp(root) + root*exp(shift) == amplitude*exp(shift)",),
        "quantities": {
            "margin": "the margin of the class means",
            "weight_distance": "||w_1 - w_2||",
            "multiplier": "the multiplier of the ball at the optimum",
            "noisy_margin": "the optimal noisy margin",
        },
    },
}

kap, s, nu, alpha, d = sp.symbols("kap s nu alpha d", positive=True)
lam = sp.Symbol("lambda", nonnegative=True)
t, x = sp.Symbol("t", real=True), sp.Symbol("x", positive=True)
PHI_SLOPE = alpha / 2 - 1 / (1 + sp.exp(t))  # claim


def main() -> None:
    """Run every step."""
    r_lambert_function()
    noisy_margin()
    without_noisy_decay()
    second_order_expansion()
    piecewise_losses()
    numerical_illustration()


def r_lambert_function() -> None:
    """Existence, uniqueness, derivatives; at r = 0 the definition is that of the ordinary Lambert function."""
    r = sp.Symbol("r", positive=True)
    left = x * sp.exp(x) + r * x
    positive("the defining function increases", sp.diff(left, x))
    identity("and vanishes at 0", left.subs(x, 0))
    derivative = 1 / (sp.exp(x) * (1 + x) + r)
    identity("dW_r/dy = 1/(e^W (1 + W) + r)", sp.diff(left, x) * derivative, 1)
    by_r = -x * derivative
    identity("dW_r/dr = -W/(e^W (1 + W) + r)", sp.diff(left, r) + sp.diff(left, x) * by_r)  # total derivative of y
    negative("W_r decreases with r", by_r)
    # Logarithmic form, free of overflow: with v = log x, v + log(e^x + r) = log y.
    identity("log form", sp.exp(sp.log(x) + sp.log(sp.exp(x) + r)), left)


def noisy_margin() -> None:
    """The t-equation times (1 + e^t) e^tau/(lam + nu) is the r-Lambert equation."""
    tau = (kap**2 * alpha / 4 + nu * s) / (lam + nu)  # claim
    a = kap**2 / (2 * (lam + nu))
    equation = t * (lam + nu) + kap**2 / 2 * PHI_SLOPE + nu * s
    identity("x = t + tau = A/(1 + e^t)", equation / (lam + nu), t + tau - a / (1 + sp.exp(t)))
    shift = sp.Symbol("tau", real=True)
    scaled = (x - a / (1 + sp.exp(x - shift))) * (1 + sp.exp(x - shift)) * sp.exp(shift)
    lambert = x * sp.exp(x) + sp.exp(shift) * x - a * sp.exp(shift)  # claim
    identity("x e^x + e^tau x = A e^tau", sp.expand(scaled), sp.expand(lambert))
    relaxation = sp.exp(t) / (1 + sp.exp(t)) - (1 - alpha)
    identity("label relaxation alpha has the slope of smoothing 2 alpha", relaxation, PHI_SLOPE.subs(alpha, 2 * alpha))


def without_noisy_decay() -> None:
    """lam = 0."""
    beta = 2 * nu / kap**2
    equation = t * nu + kap**2 / 2 * PHI_SLOPE + nu * s
    identity("t-equation = (kap^2/2) (beta (t+s) + phi')", equation, kap**2 / 2 * (beta * (t + s) + PHI_SLOPE))  # claim
    tau, a = (kap**2 * alpha / 4 + nu * s) / nu, kap**2 / (2 * nu)
    identity("tau = s + alpha/(2 beta)", tau, s + alpha / (2 * beta))
    identity("A = 1/beta", a, 1 / beta)


def second_order_expansion() -> None:
    """Moments E zeta = E zeta^3 = 0, E zeta^2 = 1/d; the fourth moment and derivative stay symbolic."""
    r, zeta, m2, m4 = sp.symbols("r zeta h_squared M4")
    taylor = [sp.Symbol(f"phi{k}") for k in range(5)]  # phi^(k)(s)
    displacement = kap * r * zeta
    expansion = sp.expand(sum(c * displacement**k / sp.factorial(k) for k, c in enumerate(taylor)))
    moments = {0: 1, 1: 0, 2: 1 / d, 3: 0, 4: m4}
    mean = sum(expansion.coeff(zeta, k) * moment for k, moment in moments.items())
    cost = 2 * mean + 2 * lam * (m2 + r**2)
    second = 2 * (taylor[2] * kap**2 / d + 2 * lam)  # claim
    identity("F2 = F''(0)", sp.diff(cost, r, 2).subs(r, 0), second)
    rest = kap**2 * (kap * r) ** 2 * m4 * taylor[4] / 3
    identity("F'(r)/r = F2 + O((kap r)^2)", sp.expand(sp.diff(cost, r) / r), sp.expand(second + rest))
    eta, slope, distance, q, f2 = sp.symbols("eta C D q F2", positive=True)
    multiplier = eta * distance ** (2 * q) * (f2 * r) / (4 * slope**2 * r)
    stated = f2 * eta * distance ** (2 * q) / (2 * kap**2 * slope**2)
    identity("beta = 2 nu/kap^2", 2 * multiplier / kap**2, stated)
    quadratic = (t - (1 - alpha)) ** 2 / 4
    identity("mean squared error has no higher derivatives: exact", sp.diff(quadratic, t, 3))
    zeta_cross = sp.exp(s) / (1 + sp.exp(s)) ** 2
    identity("cross-entropy: phi''(s) = p (1-p)", sp.diff(PHI_SLOPE, t).subs(t, s), zeta_cross)


def piecewise_losses() -> None:
    """Squared hinge: phi' = t - 1 below 1."""
    equation = t * (lam + nu) + kap**2 / 2 * (t - 1) + nu * s
    root = (kap**2 / 2 - nu * s) / (lam + nu + kap**2 / 2)  # claim
    identity("squared hinge", equation.subs(t, root))


def numerical_illustration() -> None:
    """One number: kap = 3, s = 2, nu = 1/5, lam = 1/10, alpha = 1/10, root by bisection against the formula's
    equation."""
    values = {kap: 3, s: 2, nu: sp.Rational(1, 5), lam: sp.Rational(1, 10), alpha: sp.Rational(1, 10)}
    tau = ((kap**2 * alpha / 4 + nu * s) / (lam + nu)).subs(values)
    a = (kap**2 / (2 * (lam + nu))).subs(values)
    root = sp.nsolve((x * sp.exp(x) + sp.exp(tau) * x - a * sp.exp(tau)), x, 3)
    direct = sp.nsolve((t * (lam + nu) + kap**2 / 2 * PHI_SLOPE + nu * s).subs(values), t, 1)
    agrees("t from the r-Lambert function", root - tau, direct, 1e-12)


if __name__ == "__main__":
    main()
