"""The memorization-dilation problem solved outright: hinge, squared hinge, mean squared error.

Notation of `md_reduction.py`; G = eta D^(2q)/C^2, cE = E|zeta|, kap = 2 s/D, and r = eta rho D^q/C, ND = r/D.

Theorem 1 (hinge, s = 1). K = kap cE D^q/C and P = sqrt(lam^2 ||m||^2 + (kap/2 + lam/kap)^2).
  K >= 4 P: nothing is memorised, r = 0 is optimal (the only optimum unless lam = 0 and K = 4 P).
  K < 4 P: let nu = lam (4 P G + K)/(4 P - K) and w = (kap^2/2 + lam)/(lam + nu) (infinite when lam = 0).
      w <= 2: rho = P/(lam + nu), t = w - 1.
      w > 2:  t = 1, rho = sqrt((lam/(lam+nu))^2 ||m||^2 + 4/kap^2), with nu the root of K = 4 rho (nu - lam G).
  lam = 0: the threshold is C* = cE D^q/2; above it t = 1 and ND = eta D^q/C, below it ND = 0.
Theorem 2 (squared hinge, lam = 0). While kap r zeta_max <= 1 - s: ND = eta D^q (1+s)/(2 s C (1 + beta)), beta = G/d.
Theorem 3 (mean squared error with bias). F2 = kap^2/d + 4 lam and nu = F2 G/4, exactly;
  t = (kap^2 (1-alpha)/4 - nu s)/(kap^2/4 + lam + nu).
  lam = 0: ND = eta D^q (s + 1 - alpha)/(2 s C (1 + G/d)); over all C it is largest at C = D^q sqrt(eta/d), where
  ND = sqrt(eta d) (s + 1 - alpha)/(4 s).
Theorem 4 (mean squared error without bias). s = 1 - alpha - 2 sqrt2 mu, s0 = 1 - 2 sqrt2 mu (`squared_loss.py`),
  kp = ||w_1 + w_2||, kp ||m|| = s0. F2 = (kap^2 + kp^2)/d + 4 lam, same nu and t; the sum of the two logits is
  sg = (kp^2/4 + nu s0)/(kp^2/4 + lam + nu) and rho^2 = ((t+s)/kap)^2 + ((sg - s0)/kp)^2.

Proof of 1. phi(t) = (1-t)_+ and s = 1 give F'(r) = kap cE + 4 lam r. The slope of the objective at rho = 0 is
(eta/c)(kap cE - 4 c P), c = C/D^q: it is nonnegative iff K >= 4 P, and the objective is convex. Otherwise
nu = F' D^q/(4 C rho) = K/(4 rho) + lam G. While t < 1, phi' = -1 gives rho = P/(lam + nu), a linear equation for nu.
The function rho (nu - lam G) of rho is nonincreasing (2 rho nu = -g' and g is convex), so the root is unique: the
branch t < 1 holds it iff t = w - 1 <= 1, otherwise the kink t = 1 does, with a subgradient in [-1, 0].
Proof of 2 to 4: phi' is affine on the range used, F is an exact quadratic, and every equation is linear. The peak over
C is a completed square.
"""

import sympy as sp
from _check import identity, nonnegative, positive

PROVES = {
    "hinge-dilation": {
        "hypotheses": (
            "two classes",
            "hinge",
            "nonnegative features",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
            "noisy features without decay",
            "absolute scaling",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay) < 1",
        ),
        "definitions": {
            "D": "sqrt(2)*weight_decay**(1/4)/feature_decay**(1/4)",
        },
        "conclusion": ("ND + 1 == D*noise*Piecewise((1, slope > D/(2*sqrt(dim))), (0, True))/slope + 1",),
        "quantities": {
            "ND": "the optimal normalised dilation",
        },
    },
    "hinge-threshold": {
        "hypotheses": (
            "two classes",
            "hinge",
            "nonnegative features",
            "nonzero class means",
            "spread on a sphere",
            "unconstrained noisy features",
            "absolute scaling",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "slope > 0",
            "noisy_decay > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay) < 1",
        ),
        "definitions": {
            "mean_abs": "gamma(dim/2)/(sqrt(pi)*gamma(dim/2 + 1/2))",
        },
        "conclusion": (
            "gain == -D*kap_w*mean_abs/slope + 4*sqrt(D**2*noisy_decay**2/4 + (kap_w/2 + noisy_decay/kap_w)**2)",
        ),
        "quantities": {
            "gain": "minus the right derivative of the objective over the noise at zero memorization",
            "D": "||h_1 - h_2||",
            "kap_w": "||w_1 - w_2||",
        },
    },
    "mse-dilation": {
        "hypotheses": (
            "two classes",
            "squared error",
            "unregularised bias",
            "nonnegative features",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
            "absolute scaling",
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
            "s": "-4*sqrt(feature_decay)*sqrt(weight_decay) - smoothing + 1",
            "nu": "D**2*noise*(4*noisy_decay + kap_w**2/dim)/(4*slope**2)",
        },
        "conclusion": (
            "noisy_margin == (kap_w**2*(1 - smoothing)/4 - nu*s)/(kap_w**2/4 + noisy_decay + nu)",
            "ND == D*noise*(s - smoothing + 1)/(2*s*slope*(D**2*noise/(dim*slope**2) + 1))",
        ),
        "quantities": {
            "D": "||h_1 - h_2||",
            "kap_w": "||w_1 - w_2||",
            "noisy_margin": "the optimal noisy margin",
            "ND": "ND without decay of noisy features",
        },
    },
    "mse-dilation-without-bias": {
        "hypotheses": (
            "two classes",
            "squared error",
            "no bias",
            "free features",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
            "absolute scaling",
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
            "2*sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "definitions": {
            "s": "-2*sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) - smoothing + 1",
            "s_0": "-2*sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + 1",
            "ratio": "sqrt(2)*sqrt(weight_decay)/sqrt(feature_decay)",
            "D": "sqrt(2)*sqrt(ratio)*sqrt(s)",
            "kap_w": "sqrt(2)*sqrt(s)/sqrt(ratio)",
            "kap_p": "sqrt(2)*sqrt(s_0)/sqrt(ratio)",
            "nu": "D**2*noise*(4*noisy_decay + (kap_p**2 + kap_w**2)/dim)/(4*slope**2)",
        },
        "conclusion": (
            "noisy_margin == (kap_w**2*(1 - smoothing)/4 - nu*s)/(kap_w**2/4 + noisy_decay + nu)",
            "noisy_sum == (kap_p**2/4 + nu*s_0)/(kap_p**2/4 + noisy_decay + nu)",
            "memorization**2 == (noisy_margin + s)**2/kap_w**2 + (noisy_sum - s_0)**2/kap_p**2",
        ),
        "quantities": {
            "noisy_margin": "the difference of the noisy logits, own minus other",
            "noisy_sum": "their sum",
            "memorization": "the optimal memorization",
        },
    },
    "peak-mse": {
        "hypotheses": (
            "two classes",
            "squared error",
            "unregularised bias",
            "nonnegative features",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
            "noisy features without decay",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "conclusion": (
            "ND <= ND_max",
            "ND_max == sqrt(dim)*sqrt(noise)*(s - smoothing + 1)/(4*s)",
            "ND_max_relative == sqrt(dim)*sqrt(noise)*(s - smoothing + 1)/(4*s)",
        ),
        "quantities": {
            "s": "the margin of the class means",
            "ND": "the optimal normalised dilation",
            "ND_max": "ND at C = D sqrt(eta/d), absolute scaling",
            "ND_max_relative": "ND at C = sqrt(eta/d), relative scaling",
        },
    },
    "squared-hinge-dilation": {
        "hypotheses": (
            "two classes",
            "squared hinge",
            "nonnegative features",
            "nonzero class means",
            "isotropic spread",
            "unconstrained noisy features",
            "noisy features without decay",
            "absolute scaling",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay) < 1",
            "s*(2*ND/sqrt(dim) + 1) <= 1",
        ),
        "definitions": {
            "s": "-2*sqrt(feature_decay)*sqrt(weight_decay) + 1",
        },
        "conclusion": ("ND == D*noise*(s + 1)/(2*s*slope*(D**2*noise/(dim*slope**2) + 1))",),
        "quantities": {
            "D": "||h_1 - h_2||",
            "ND": "the optimal normalised dilation",
        },
    },
}

kap, nu, m, d, D, q, eta, c_slope, alpha, rho = sp.symbols("kap nu m d D q eta C alpha rho", positive=True)
s, lam = sp.Symbol("s", positive=True), sp.Symbol("lambda", positive=True)
t = sp.Symbol("t", real=True)
G = eta * D ** (2 * q) / c_slope**2
P = sp.sqrt(lam**2 * m**2 + (kap / 2 + lam / kap) ** 2)  # claim


def main() -> None:
    """Run every step."""
    hinge_threshold()
    hinge_sloping_branch()
    hinge_kink_branch()
    hinge_without_decay()
    squared_hinge()
    mean_squared_error_with_bias()
    mean_squared_error_without_bias()


def hinge_threshold() -> None:
    """Slopes at zero: F'(0) = kap cE and g'(0) = -2 P."""
    spread, zeta, r = sp.symbols("cE zeta r", positive=True)
    # E(1 - t)_+ at t = 1 + kap r zeta: half of E|zeta|, from the side where zeta < 0.
    identity("F' = kap cE + 4 lam r", sp.diff(2 * kap * r * spread / 2 + 2 * lam * r**2, r), kap * spread + 4 * lam * r)
    identity("violation on the side zeta = -|zeta|", 1 - (1 + kap * r * (-zeta)), kap * r * zeta)
    h2 = sp.Matrix([-1 / kap, m])  # -D/2 along w_1 - w_2, with s = kap D/2 = 1
    pull = -1 * sp.Matrix([kap, 0]) + 2 * lam * h2
    identity("||phi'(-1)(w_1 - w_2) + 2 lam h_2||^2 = 4 P^2", pull.dot(pull), 4 * P**2)
    c = c_slope / D**q
    slope = kap * spread * eta / c - 2 * eta * 2 * P  # of F(eta rho/c) + 2 eta g(rho) at 0
    identity("sign of K - 4 P", slope, eta * (kap * spread * D**q / c_slope - 4 * P))  # claim


def hinge_sloping_branch() -> None:
    """t < 1, phi' = -1."""
    big_k, big_p = sp.symbols("K P", positive=True)
    equation = t * (lam + nu) - kap**2 / 2 + nu
    w = (kap**2 / 2 + lam) / (lam + nu)
    identity("t = w - 1", equation.subs(t, w - 1))
    identity("rho = P/(lam + nu)", (lam / (lam + nu)) ** 2 * m**2 + (w / kap) ** 2, (P / (lam + nu)) ** 2)
    r = eta * rho * D**q / c_slope
    force = big_k * c_slope / D**q + 4 * lam * r  # F'(r), with kap cE = K C/D^q
    condition = eta * D ** (2 * q) / (4 * c_slope**2 * r) * force
    identity("nu = K/(4 rho) + lam G", sp.powsimp(condition), big_k / (4 * rho) + lam * G)
    level = sp.Symbol("G", positive=True)
    root = lam * (4 * big_p * level + big_k) / (4 * big_p - big_k)  # claim
    identity("nu on this branch", (nu - big_k * (lam + nu) / (4 * big_p) - lam * level).subs(nu, root))


def hinge_kink_branch() -> None:
    """t = 1, subgradient phi' in [-1, 0]."""
    big_k, level = sp.symbols("K G", positive=True)
    slope = sp.Symbol("phi1", real=True)
    subgradient = -2 * (lam + 2 * nu) / kap**2  # claim
    identity("t-equation at t = 1", ((lam + nu) + kap**2 / 2 * slope + nu).subs(slope, subgradient))
    nonnegative("phi' <= 0", -subgradient)
    # phi' >= -1 iff w >= 2 for the same nu: both say kap^2/2 >= lam + 2 nu.
    w = (kap**2 / 2 + lam) / (lam + nu)
    identity("phi' + 1 has the sign of w - 2", subgradient + 1, (w - 2) * 2 * (lam + nu) / kap**2)
    identity("distance along e is 2/kap", (1 + 1) / kap, 2 / kap)
    identity(
        "K = 4 rho (nu - lam G)", (nu - big_k / (4 * rho) - lam * level) * 4 * rho, 4 * rho * (nu - lam * level) - big_k
    )
    # 2 rho nu = -g' does not increase with rho, and lam G rho increases: the root is unique.
    positive("slope of lam G rho", sp.diff(lam * level * rho, rho))


def hinge_without_decay() -> None:
    """lam = 0: P = kap/2, the ball is straight, and the threshold in C is cE D^q/2."""
    spread = sp.Symbol("cE", positive=True)
    identity("P = kap/2", P.subs(lam, 0), kap / 2)
    big_k = kap * spread * D**q / c_slope
    gap = 2 * kap / c_slope * (c_slope - spread * D**q / 2)  # claim
    identity("4 P - K", (4 * P).subs(lam, 0) - big_k, gap)
    distance = 2 / kap  # D, as s = 1
    identity("t = 1 means rho = D", (1 + 1) / kap, distance)
    identity("ND = eta D^q/C", sp.powsimp(eta * D * D**q / c_slope / D), eta * D**q / c_slope)


def nd(rho_value):
    """ND = eta rho D^(q-1)/C with kap = 2 s/D."""
    return (eta * rho_value * D ** (q - 1) / c_slope).subs(kap, 2 * s / D)


def squared_hinge() -> None:
    """phi' = t - 1, phi'' = 1, lam = 0."""
    beta = G / d
    nu_value = 2 * kap**2 / d * G / 4  # F2 G/4
    identity("beta = 2 nu/kap^2", 2 * nu_value / kap**2, beta)
    gain = (1 + s) / (1 + beta)
    identity("beta (t+s) + phi'(t) = 0", beta * gain + (gain - s) - 1)
    stated = eta * D**q * (1 + s) / (2 * s * c_slope * (1 + beta))  # claim
    identity("ND", sp.powsimp(nd(gain / kap) / stated), 1)


def mean_squared_error_with_bias() -> None:
    """phi = (t - (1-alpha))^2/4, so phi'' = 1/2 and F is quadratic."""
    phi = (t - (1 - alpha)) ** 2 / 4
    r, zeta = sp.symbols("r zeta", real=True)
    integrand = sp.expand(2 * phi.subs(t, s + kap * r * zeta) + 2 * lam * r**2)
    identity("F2", sp.diff(integrand, r, 2).subs(zeta**2, 1 / d), kap**2 / d + 4 * lam)
    root = (kap**2 * (1 - alpha) / 4 - nu * s) / (kap**2 / 4 + lam + nu)  # claim
    identity("t", (t * (lam + nu) + kap**2 / 2 * sp.diff(phi, t) + nu * s).subs(t, root))
    gain = (root + s).subs(lam, 0).subs(nu, kap**2 / d * G / 4)
    stated = eta * D**q * (s + 1 - alpha) / (2 * s * c_slope * (1 + G / d))  # claim
    identity("ND at lam = 0", sp.powsimp(sp.cancel(nd(gain / kap) / stated)), 1)
    peak = sp.sqrt(eta * d) * (s + 1 - alpha) / (4 * s)  # claim
    best = D**q * sp.sqrt(eta / d)
    identity("ND at C = D^q sqrt(eta/d)", sp.powsimp((stated / peak).subs(c_slope, best)), 1)
    excess = peak / stated - 1 - (c_slope - best) ** 2 / (2 * c_slope * best)
    identity("elsewhere the peak is larger: its excess is a square", sp.simplify(sp.powdenest(excess, force=True)))


def mean_squared_error_without_bias() -> None:
    """Difference and sum of the logits decouple: sum sg = <w_1 + w_2, u>, with w_1 + w_2 = (kp/||m||) m, kp ||m|| =
    s0."""
    kp, s0 = sp.symbols("kp s0", positive=True)
    own, other = sp.symbols("z1 z2", real=True)
    loss = ((own - (1 - alpha / 2)) ** 2 + (other - alpha / 2) ** 2) / 2
    split = (own - other - (1 - alpha)) ** 2 / 4 + (own + other - 1) ** 2 / 4
    identity("the loss splits", loss, split)
    u1, u2 = sp.symbols("u1 u2", real=True)  # coordinates along w_1 - w_2 and along w_1 + w_2
    lagrangian = (kap * u1 - (1 - alpha)) ** 2 / 4 + (kp * u2 - 1) ** 2 / 4
    lagrangian += lam * (u1**2 + u2**2) + nu * ((u1 + s / kap) ** 2 + (u2 - s0 / kp) ** 2)
    difference = (kap**2 * (1 - alpha) / 4 - nu * s) / (kap**2 / 4 + lam + nu)
    total = (kp**2 / 4 + nu * s0) / (kp**2 / 4 + lam + nu)  # claim
    identity("t", sp.diff(lagrangian, u1).subs(u1, difference / kap))
    identity("sg", sp.diff(lagrangian, u2).subs(u2, total / kp))
    stated = ((difference + s) / kap) ** 2 + ((total - s0) / kp) ** 2
    distance = (difference / kap + s / kap) ** 2 + (total / kp - s0 / kp) ** 2
    identity("rho^2", distance, stated)
    r, zeta, other_zeta = sp.symbols("r zeta zeta2", real=True)
    clean = 2 * ((s + kap * r * zeta - (1 - alpha)) ** 2 / 4 + (s0 + kp * r * other_zeta - 1) ** 2 / 4) + 2 * lam * r**2
    second = sp.expand(sp.diff(clean, r, 2)).subs({zeta**2: 1 / d, other_zeta**2: 1 / d})
    identity("F2", second, (kap**2 + kp**2) / d + 4 * lam)  # claim


if __name__ == "__main__":
    main()
