"""How far noisy examples are memorised: bounds for all noise, the critical noise, the peak over the slope, the order.

Setting of `md_reduction.py`: cross-entropy with smoothing alpha in [0, 1), phi(t) = log(1+e^-t) + alpha t/2, noisy
features without decay (lam = 0), c = C/D^q. Write w = t + s = kap rho, t_inf = log((2-alpha)/alpha) (infinite for
alpha = 0), sigma for the logistic function, cE = E|zeta|, E zeta^2 = 1/d.

Theorem 1. For all noise t <= t_inf, and t >= logit(1 - alpha/2 - cE D^q/(2C)) where the argument is positive.
Theorem 2. The noisy examples are memorised, t > 0, iff F'(eta D^(1+q)/(2C)) < C kap (1-alpha)/D^q. In particular
they are for every noise if C >= cE D^q/(1-alpha).
Theorem 3. As a function of the slope C, r (and ND = r/D) is unimodal: it rises and then falls. For alpha = 0 the peak
is where r F'(r) = 2 eta W, with W = W0(e^(s-1)) the Lambert function, and there t = 1 - s + W.
Theorem 4. Let w0 = (kap_CE/kap_LS) (D_LS/D_CE)^(q-1) (t_inf + s_LS), each loss at its own configuration. If
    eta <= 4 d C^2 sigma(s_CE - w0)/(D_CE^(2q) w0)
then cross-entropy without smoothing dilates more than with smoothing: ND_CE > ND_LS.
Theorem 5. The leading coefficient of ND as eta -> 0, (t_inf + s) D^(q-1)/(C kap) with D and kap of the features model,
grows with alpha > 0 iff (1-q/2)(t_inf + s) > s (1 + e(1-e)/(e0(1-e0))), where e0 = alpha/2 and 1 - e = sigma(s). For q in
{0, 1} the difference of both sides over s increases strictly, from -infinity to infinity as alpha runs from 0 to total
collapse: the coefficient falls, then grows, and is least where the sides are equal, at exactly one alpha.

Proof. Stationarity with lam = 0 is -phi'(t) = F'(r) D^q/(2 kap C), r = eta w D^q/(kap C) (step "stationarity").
1. F' >= 0, so phi'(t) <= 0. zeta is symmetric, so F'(r) = kap E |zeta| (phi'(s + kap r |zeta|) - phi'(s - kap r
   |zeta|)), and phi' increases from alpha/2 - 1 to alpha/2: F' < kap cE, hence -phi'(t) < cE D^q/(2C).
2. The residual F'(eta w D^q/(kap C)) D^q/C + 2 kap phi'(w - s) strictly increases in w, so its root exceeds s (that
   is, t > 0) iff it is negative at w = s, where r = eta D^(1+q)/(2C) and 2 kap phi'(0) = -kap (1-alpha). The last
   sentence: F' < kap cE.
3. The residual falls as C grows (both factors of its first term do), so the root w rises with C, from 0 to t_inf + s.
   Multiply stationarity by r: r F'(r) = 2 eta m(w), m(w) = -w phi'(w - s). r F'(r) strictly increases in r, and m is
   log-concave on (0, t_inf + s) (step "log-concave"), so unimodal; r(C) is an increasing function of m(w(C)). For
   alpha = 0, w runs through (0, inf) and m'(w) = 0 at w = 1 + W, where m = W (step "peak").
4. phi'' = sigma (1-sigma) <= 1/4, strictly below except at one point, so F'(r) < kap^2 r/(2 d) for r > 0. For
   cross-entropy the root w of sigma(s-w) = F'(r) D^q/(2 kap C) < eta D^(2q) w/(4 d C^2) therefore exceeds every w0 with
   eta D^(2q) w0/(4 d C^2) <= sigma(s-w0): were w <= w0, then sigma(s-w) >= sigma(s-w0) and the right side is at most its
   value at w0, a contradiction. So ND_CE = eta w D_CE^(q-1)/(C kap_CE) is larger than the bound of theorem 1 for label
   smoothing, eta (t_inf + s_LS) D_LS^(q-1)/(C kap_LS).
5. D and kap are proportional to sqrt(s), with factors free of alpha, and e = alpha/2 + kappa. With a = e0(1-e0),
   b = e(1-e), h(x) = x(1-x) log((1-x)/x) the difference over s is g = (1-q/2)(t_inf/s + 1) - 1 - b/a, and
   g' = (1-q/2)(h(e0) - h(e))/(a b s^2) + kappa (1 - e - e0 + 2 e e0)/a^2 (step "one zero"). The second term is positive.
   If h(e) <= h(e0), so is g'. Otherwise t_inf > 1.5434..., as h falls beyond its peak (`small_noise.py`), and a <= b s, as
   b s < a would give h(e) = b s < a < a t_inf = h(e0). Since t_inf > s, h(e) - h(e0) = b s - a t_inf < (b - a) s =
   kappa (1 - e - e0) s, so the first term exceeds -kappa (1 - e - e0)/(a b s) >= -kappa (1 - e - e0)/a^2. Ends: b/a ~
   kappa(1-kappa)/e0 outgrows t_inf ~ log(1/e0) as alpha -> 0, and s -> 0 at collapse, where t_inf stays positive.
"""

import sympy as sp
from _check import identity, positive

PROVES = {
    "always-memorized-slope": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
            "sqrt(dim)*slope*(1 - smoothing) >= mean_distance**(1 - relative)",
        ),
        "conclusion": ("noisy_margin > 0",),
        "quantities": {
            "mean_distance": "closed form of the configuration",
            "noisy_margin": "root of stationarity by proved signs, two-point spread",
        },
    },
    "dilation-unimodal-in-slope": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "between > 0",
            "largest > 0",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
            "slope < between",
            "between < largest",
        ),
        "conclusion": ("ND_2 >= Min(ND_1, ND_3)",),
        "quantities": {
            "ND_1": "root of stationarity by proved signs, two-point spread",
            "ND_2": "root of stationarity by proved signs, two-point spread",
            "ND_3": "root of stationarity by proved signs, two-point spread",
        },
    },
    "least-dilation-over-smoothing": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing > 0",
            "smoothing < 1",
            "smoothing < more_smoothing",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + more_smoothing < 1",
        ),
        "definitions": {
            "e_0": "smoothing/2",
            "e": "sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing/2",
            "s": "log(-1 + 1/e)",
            "reach": "s + log(-1 + 1/e_0)",
            "scale": "2*e*reach*s*(1 - e)",
            "share": "e*(1 - e)/(e_0*(1 - e_0)) + 1",
        },
        "conclusion": (
            "growth == (reach/2 - s*share)/scale",
            "relative_growth == (reach - s*share)/scale",
            "g < g_of_more",
            "relative_g < relative_g_of_more",
        ),
        "quantities": {
            "growth": "power series in ball arithmetic",
            "relative_growth": "power series in ball arithmetic",
            "g": "numerator of the rate over the margin, in balls",
            "g_of_more": "numerator of the rate over the margin, in balls",
            "relative_g": "numerator of the rate over the margin, in balls",
            "relative_g_of_more": "numerator of the rate over the margin, in balls",
        },
    },
    "memorized-below-critical-noise": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
        ),
        "definitions": {
            "reach": "margin*mean_distance**(1 - relative)*noise/(sqrt(dim)*slope)",
        },
        "conclusion": (
            "noisy_margin iff-positive sqrt(dim)*slope*(1 - smoothing) - mean_distance**(1 - relative)*sinh(reach)/(cosh(margin) + cosh(reach))",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "mean_distance": "closed form of the configuration",
            "noisy_margin": "root of stationarity by proved signs, two-point spread",
        },
    },
    "noisy-margin-at-least-for-all-noise": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
            "left_over > 0",
        ),
        "definitions": {
            "left_over": "-smoothing/2 + 1 - mean_distance**(1 - relative)/(2*sqrt(dim)*slope)",
        },
        "conclusion": ("noisy_margin >= least", "least == log(left_over/(1 - left_over))"),
        "quantities": {
            "mean_distance": "closed form of the configuration",
            "noisy_margin": "root of stationarity by proved signs, two-point spread",
            "least": "root of a balance of forces, by proved signs",
        },
    },
    "noisy-margin-at-most-the-minimiser": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing > 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
        ),
        "conclusion": (
            "noisy_margin <= minimiser",
            "minimiser == log((2 - smoothing)/smoothing)",
            "normalized == noise*(margin + noisy_margin)/(mean_distance**relative*slope*weight_distance)",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "mean_distance": "closed form of the configuration",
            "weight_distance": "closed form of the configuration",
            "noisy_margin": "root of stationarity by proved signs, two-point spread",
            "normalized": "root of stationarity by proved signs, two-point spread",
            "minimiser": "root of the slope of the loss, by proved signs",
        },
    },
    "ordering-small-noise": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing > 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
            "noise <= 4*D_CE**(2*relative - 2)*dim*slope**2/(reach*(exp(reach - s_CE) + 1))",
        ),
        "definitions": {
            "reach": "kap_CE*(D_CE/D_LS)**relative*(s_LS + log((2 - smoothing)/smoothing))/kap_LS",
        },
        "conclusion": ("ND_CE > ND_LS",),
        "quantities": {
            "s_CE": "closed form of the configuration",
            "s_LS": "closed form of the configuration",
            "kap_CE": "closed form of the configuration",
            "kap_LS": "closed form of the configuration",
            "D_CE": "closed form of the configuration",
            "D_LS": "closed form of the configuration",
            "ND_CE": "root of stationarity by proved signs, two-point spread",
            "ND_LS": "root of stationarity by proved signs, two-point spread",
        },
    },
    "peak-over-slope": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "noisy features without decay",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "noise > 0",
            "slope > 0",
            "dim >= 2",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) < 1",
        ),
        "conclusion": (
            "dilation <= largest",
            "cost_slope*largest == 2*noise*LambertW(exp(margin - 1))",
            "noisy_margin + 1 == -margin + LambertW(exp(margin - 1)) + 2",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "dilation": "root of stationarity by proved signs, two-point spread",
            "largest": "root of stationarity by proved signs, two-point spread, at the slope of the peak",
            "cost_slope": "expectation over two points, in balls",
            "noisy_margin": "root of stationarity by proved signs, two-point spread, at the same slope",
        },
    },
}

kap, s, eta, C, D, q, d, w, r = sp.symbols("kap s eta C D q d w r", positive=True)
alpha = sp.Symbol("alpha", nonnegative=True)
t = sp.Symbol("t", real=True)
phi = sp.log(1 + sp.exp(-t)) + alpha * t / 2
slope = alpha / 2 - 1 / (1 + sp.exp(t))


def main() -> None:
    """Run every step."""
    stationarity()
    range_of_the_slope()
    critical_noise()
    log_concave()
    peak()
    order()
    least_dilation()


def stationarity() -> None:
    """nu = eta D^(2q) F'/(4 C^2 r) in the t-equation with lam = 0."""
    force, loss_slope = sp.symbols("Fprime phi1", real=True)
    nu = eta * D ** (2 * q) * force / (4 * C**2 * r)
    equation = (t * nu + kap**2 / 2 * loss_slope + nu * s).subs(t, w - s)
    stated = -force * D**q / (2 * kap * C)  # claim
    dilation = eta * w * D**q / (kap * C)
    found = sp.solve(equation.subs(r, dilation), loss_slope)[0]
    identity("phi'(t) = -F' D^q/(2 kap C)", sp.powsimp(found / stated), 1)


def range_of_the_slope() -> None:
    """phi' runs from alpha/2 - 1 to alpha/2, and t_inf is its zero."""
    identity("phi'", sp.diff(phi, t), slope)
    identity("lower end", sp.limit(slope, t, -sp.oo), alpha / 2 - 1)
    identity("upper end", sp.limit(slope, t, sp.oo), alpha / 2)
    level = sp.Symbol("level", positive=True)  # cE D^q/(2C)
    lowest = 1 - alpha / 2 - level  # claim
    identity("phi' = -level at the logit", slope.subs(t, sp.log(lowest / (1 - lowest))), -level)


def critical_noise() -> None:
    """t = 0 means rho = D/2."""
    identity("slope at zero", 2 * kap * slope.subs(t, 0), -kap * (1 - alpha))  # claim
    reach = (eta * w * D**q / (kap * C)).subs(w, s).subs(s, kap * D / 2)
    identity("dilation at t = 0", sp.powsimp(reach / (eta * D ** (1 + q) / (2 * C))), 1)
    spread = sp.Symbol("cE", positive=True)
    margin = (C * kap * (1 - alpha) / D**q).subs(C, spread * D**q / (1 - alpha))
    identity("at the threshold the bound on F' is reached", sp.simplify(margin), kap * spread)


def log_concave() -> None:
    """f = -phi' = 1 - p - alpha/2 > 0 with p = sigma(t): f'^2 - f f'' > 0; and log w is concave."""
    p, rest = sp.Symbol("p", positive=True), sp.Symbol("rest", nonnegative=True)
    f = -slope
    share = 1 / (1 + sp.exp(-t))
    first, second = sp.diff(f, t), sp.diff(f, t, 2)
    identity("f'", first, -share * (1 - share))
    identity("f''", second, -(1 - 2 * share) * share * (1 - share))
    gap = p * (1 - p) * ((1 - p) ** 2 - (1 - 2 * p) * alpha / 2)  # claim
    identity("f'^2 - f f''", (p * (1 - p)) ** 2 + (1 - p - alpha / 2) * (1 - 2 * p) * p * (1 - p), gap)
    # Either 2p - 1 = rest >= 0, or alpha/2 <= 1 - p with a bracket that falls as alpha grows.
    bracket = (1 - p) ** 2 - (1 - 2 * p) * alpha / 2
    late = sp.Symbol("late", positive=True)  # p = late/(1 + late)
    positive("p >= 1/2", (1 - late / (1 + late)) ** 2 + rest * alpha / 2)
    identity("alpha/2 = 1 - p is the worst case for p < 1/2", bracket.subs(alpha, 2 * (1 - p)), p * (1 - p))


def peak() -> None:
    """The maximiser of m(w) = w sigma(s - w) for alpha = 0: with W e^W = e^(s-1), that is s = 1 + W + log W."""
    big_w = sp.Symbol("W", positive=True)
    margin = 1 + big_w + sp.log(big_w)
    identity("W e^W = e^(s-1)", sp.simplify(sp.exp(margin - 1)), big_w * sp.exp(big_w))
    gain = -w * slope.subs({alpha: 0, t: w - s})
    at_peak = {w: 1 + big_w, s: margin}  # claim
    identity("m' = 0", sp.simplify(sp.diff(gain, w).subs(at_peak)), 0)
    identity("m = W", sp.simplify(gain.subs(at_peak)), big_w)
    identity("t = w - s", (w - s).subs(at_peak), 1 - margin + big_w)


def order() -> None:
    """The largest curvature bounds F', and the two normalised dilations at w0."""
    share = 1 / (1 + sp.exp(-t))
    curvature = sp.diff(phi, t, 2)
    square = sp.Rational(1, 4) - (share - sp.Rational(1, 2)) ** 2  # claim
    identity("phi'' = 1/4 - (sigma - 1/2)^2", curvature, square)
    zeta = sp.Symbol("zeta", real=True)
    rise = kap * r * zeta / 4  # phi'(s + kap r zeta) - phi'(s), at most this times its sign
    identity("F' <= kap^2 r/(2 d)", (2 * kap * zeta * rise).subs(zeta, 1 / sp.sqrt(d)), kap**2 * r / (2 * d))
    force = kap**2 / (2 * d) * eta * w * D**q / (kap * C)
    identity(
        "right side of stationarity",
        sp.powsimp(force * D**q / (2 * kap * C)),
        sp.powsimp(eta * D ** (2 * q) * w / (4 * d * C**2)),
    )
    kap_l, d_l, reach = sp.symbols("kap_LS D_LS reach", positive=True)
    w0 = kap / kap_l * (d_l / D) ** (q - 1) * reach
    both = eta * w0 * D ** (q - 1) / (C * kap) / (eta * reach * d_l ** (q - 1) / (C * kap_l))
    identity("equal dilations at w0", sp.powsimp(sp.expand_power_base(both, force=True)), 1)


def least_dilation() -> None:
    """The logarithmic derivative of (t_inf + s) s^(q/2 - 1) in e0 = alpha/2, with e = e0 + kappa."""
    e0, kappa = sp.symbols("e0 kappa", positive=True)
    e = e0 + kappa
    free, margin = sp.log((1 - e0) / e0), sp.log((1 - e) / e)
    coefficient = sp.log(free + margin) + (q / 2 - 1) * sp.log(margin)
    a, b = e0 * (1 - e0), e * (1 - e)
    stated = ((1 - q / 2) * (free + margin) - margin * (1 + b / a)) / (b * margin * (free + margin))  # claim
    identity("growth with the smoothing", sp.diff(coefficient, e0), stated)
    one_zero()
    lw_over_lh = sp.Symbol("R", positive=True)
    distance, weights = sp.sqrt(2 * lw_over_lh * s), sp.sqrt(2 * s / lw_over_lh)
    power = distance ** (q - 1) / weights / s ** (q / 2 - 1)
    identity("D^(q-1)/kap is a multiple of s^(q/2-1)", sp.diff(sp.log(sp.powsimp(power)), s))


def one_zero() -> None:
    """The derivative of g = (1-q/2)(t_inf/s + 1) - 1 - b/a in e0, and the bound of its first term."""
    e0, kappa, t_inf, s_ls = sp.symbols("e0 kappa t_inf s", positive=True)
    e = e0 + kappa
    a, b = e0 * (1 - e0), e * (1 - e)
    g = (1 - q / 2) * (sp.log((1 - e0) / e0) / sp.log((1 - e) / e) + 1) - 1 - b / a
    h0, h1 = a * sp.log((1 - e0) / e0), b * sp.log((1 - e) / e)
    first = (1 - q / 2) * (h0 - h1) / (a * b * sp.log((1 - e) / e) ** 2)  # claim
    second = kappa * (1 - e - e0 + 2 * e * e0) / a**2  # claim
    identity("one zero: g'", sp.diff(g, e0), first + second)
    identity("b - a", b - a, kappa * (1 - e - e0))  # claim
    identity("h(e) - h(e0) for t_inf = s", (b * s_ls - a * t_inf).subs(t_inf, s_ls), kappa * (1 - e - e0) * s_ls)
    # e0 + e < 1 as both are below 1/2: e = 1/2 - gap, e0 = e - kappa.
    gap = sp.Symbol("gap", positive=True)
    positive("1 - e - e0", (1 - e - e0).subs(e0, sp.Rational(1, 2) - gap - kappa))
    positive("what is left of g'", kappa * 2 * e * e0 / a**2 * a**2)


if __name__ == "__main__":
    main()
