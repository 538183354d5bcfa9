"""Small noise and small slope: leading terms of the normalised dilation, and where the losses change places.

Setting: the reduced problem of `md_reduction.py` for a loss with phi'' > 0 on (-infinity, s] and on (-infinity, t) (not
the hinge, whose clean examples resist with a force that does not vanish at r = 0), smooth near s and near the noise-free
margin t below (one-sided from the left there is enough). Let F2 = 2 (phi''(s) kap^2/d + 2 lam), and let
t be the noise-free noisy margin: lam t + (kap^2/2) phi'(t) = 0 if lam > 0, t = t_inf (the smallest minimiser of phi)
if lam = 0; w = t + s and rho_inf^2 = ||m||^2 [lam > 0] + (w/kap)^2.

Theorem 1. If lam > 0, or lam = 0 and t_inf is finite (with phi''(t) > 0), then as eta -> 0

    ND = (eta D^(q-1)/C) (rho_inf - F2 eta D^(2q) R/(4 C^2) + O(eta^2)),
    R = [ ||m||^2/lam + w^2/(kap^2 (lam + kap^2 phi''(t)/2)) ]/rho_inf        (without ||m||^2/lam if lam = 0).

Theorem 2. Cross-entropy without smoothing, lam = 0: with y = kap rho and beta = F2 eta D^(2q)/(2 kap^2 C^2) (1 + o(1)),
y e^y + e^s y = e^s/beta exactly, and ND = (eta D^(q-1)/(C kap)) W_0(e^s/beta) (1 + o(1)).
Theorem 3. Hence for lam = 0 the ratio ND(cross-entropy)/ND(label smoothing), each at its own configuration, tends to
infinity like log(1/eta): cross-entropy dilates more once eta is small enough, whatever the other parameters.
Theorem 4. If lam = lambda_H, then rho_inf = D for every loss of this setting, for free features and for nonnegative features with
u >= 0 imposed. For nonnegative features without it, rho_inf/D = sqrt(1/4 + ((k+1)/2)^2) where mu k + phi'(k s) = 0,
k > 1.
Theorem 5. Free features, q = 0, lam = lambda_H, d > 1: as eta -> 0 label smoothing alpha dilates more than
cross-entropy if h(alpha/2 + kappa) > h(kappa), less if <, where h(e) = e (1-e) log((1-e)/e).
Theorem 6. As C -> 0: ND = 2 C b/(F2 D^(1+q)) (1 + o(1)), b = ||phi'(-s)(w_1 - w_2) + 2 lam h_2||. For cross-entropy
with smoothing alpha and lam = 0 that is C d (sigma(s) - alpha/2)/(2 s phi''(s) D^q).

Proof. 1: F'(r)/r = F2 + O(r^2) (`lambert_form.py`) and r = O(eta), so nu = F2 eta D^(2q)/(4 C^2) + O(eta^3), while
rho(nu) is smooth at nu = 0 with d rho/d nu = -R; and ND = eta rho D^(q-1)/C. 2: beta y = 1/(1 + e^(y-s)) gives the
identity; with y0 = W_0(e^s/beta) it yields y <= y0 and y e^y >= e^s (1/beta - y0), and beta y0 -> 0, so
(y + log y) - (y0 + log y0) = log(1 - beta y) -> 0 and y - y0 -> 0. 3: y -> infinity for cross-entropy, while label
smoothing has the finite limit of theorem 1. 4: with lam = lambda_H the unconstrained minimiser of phi(t(u)) + lam
||u||^2 over the feature set is the class mean of the label itself, because that is what the features model minimises
for the given W. 5 and 6: below.
"""

import sympy as sp
from _check import agrees, identity, negative, positive

PROVES = {
    "equal-decay-boundary": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
            "free features",
            "relative scaling",
            "noisy features with the decay of all",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing > 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "dim >= 1",
            "2*sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "definitions": {
            "kappa": "sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay)",
            "x_CE": "(1 - kappa)*log((1 - kappa)/kappa)",
            "x_LS": "(kappa + smoothing/2)*(-kappa - smoothing/2 + 1)*log((-kappa - smoothing/2 + 1)/(kappa + smoothing/2))/kappa",
        },
        "conclusion": (
            "1 + slope**3*(-ND_CE + ND_LS)/noise**2 ~ (1 + x_CE/dim)/(x_CE + 1) - (1 + x_LS/dim)/(x_LS + 1) + 1, noise to zero, rate 1",
        ),
        "quantities": {
            "ND_CE": "root of stationarity by proved signs, two-point spread",
            "ND_LS": "root of stationarity by proved signs, two-point spread",
        },
    },
    "equal-decay-memorization": {
        "hypotheses": (
            "two classes",
            "curved margin loss",
            "nonzero class means",
            "isotropic spread",
            "noisy features with the decay of all",
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
            "room > 0",
        ),
        "conclusion": (
            "rho ~ mean_distance*sqrt(nonnegative*((k + 1)**2 + 1)/4 - nonnegative + 1), noise to zero, rate 1",
            "k > nonnegative",
        ),
        "quantities": {
            "mean_distance": "closed form of the configuration",
            "room": "closed form of the configuration",
            "rho": "root of stationarity by proved signs, two-point spread",
            "k": "root of a monotone equation, by proved signs",
        },
    },
    "log-growth-of-cross-entropy": {
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
            "slope > 0",
            "dim >= 2",
            "nepers > 0",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
        ),
        "definitions": {
            "L": "nepers + s_CE + log(4*D_CE**(2*relative - 2)*dim*slope**2*cosh(s_CE/2)**2)",
        },
        "conclusion": (
            "ratio ~ kap_LS*(D_LS/D_CE)**relative*(L - log(L))/(kap_CE*(s_LS + log((2 - smoothing)/smoothing))), nepers to infinity, rate 1.9",
        ),
        "quantities": {
            "ratio": "roots of stationarity by proved signs, two-point spread",
            "s_CE": "closed form of the configuration",
            "s_LS": "closed form of the configuration",
            "kap_CE": "closed form of the configuration",
            "kap_LS": "closed form of the configuration",
            "D_CE": "closed form of the configuration",
            "D_LS": "closed form of the configuration",
        },
    },
    "small-noise-cross-entropy-lambert": {
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
        "definitions": {
            "beta": "mean_distance**(2 - 2*relative)*noise/(4*dim*slope**2*cosh(margin/2)**2)",
        },
        "conclusion": (
            "normalized ~ noise*LambertW(exp(margin)/beta)/(mean_distance**relative*slope*weight_distance), noise to zero, rate 1",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "weight_distance": "closed form of the configuration",
            "mean_distance": "closed form of the configuration",
            "normalized": "root of stationarity by proved signs, two-point spread",
        },
    },
    "small-noise-dilation": {
        "hypotheses": (
            "two classes",
            "curved margin loss",
            "nonzero class means",
            "isotropic spread",
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
            "noisy_decay > 0",
            "room > 0",
        ),
        "conclusion": (
            "normalized_with_decay ~ noise*sqrt(mean_distance**2*nonnegative/4 + (limit_margin + margin)**2/weight_distance**2)/(mean_distance**relative*slope), noise to zero, rate 1",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "weight_distance": "closed form of the configuration",
            "mean_distance": "closed form of the configuration",
            "room": "closed form of the configuration",
            "limit_margin": "root of a monotone equation, by proved signs",
            "normalized_with_decay": "root of stationarity by proved signs, two-point spread",
        },
    },
    "small-noise-second-term": {
        "hypotheses": (
            "two classes",
            "curved margin loss",
            "nonzero class means",
            "isotropic spread",
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
            "noisy_decay > 0",
            "room > 0",
        ),
        "definitions": {
            "far": "free_margin + margin",
            "centre": "mean_distance**2*nonnegative/4",
            "free_reach": "far/weight_distance",
            "free_fall": "2*far/(bend_of_free*weight_distance**3)",
            "free_stiffness": "2*bend_of_clean*weight_distance**2/dim",
            "reach": "sqrt(centre + (limit_margin + margin)**2/weight_distance**2)",
            "stiffness": "2*bend_of_clean*weight_distance**2/dim + 4*noisy_decay",
            "fall": "(centre/noisy_decay + (limit_margin + margin)**2/(weight_distance**2*(bend_of_noisy*weight_distance**2/2 + noisy_decay)))/reach",
        },
        "conclusion": (
            "normalized ~ noise*(-free_fall*free_stiffness*mean_distance**(2 - 2*relative)*noise/(4*slope**2) + free_reach)/(mean_distance**relative*slope), noise to zero, rate 2",
            "normalized_with_decay ~ noise*(-fall*mean_distance**(2 - 2*relative)*noise*stiffness/(4*slope**2) + reach)/(mean_distance**relative*slope), noise to zero, rate 2",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "weight_distance": "closed form of the configuration",
            "mean_distance": "closed form of the configuration",
            "bend_of_clean": "second derivative of the loss",
            "bend_of_noisy": "second derivative of the loss",
            "bend_of_free": "second derivative of the loss",
            "room": "closed form of the configuration",
            "limit_margin": "root of a monotone equation, by proved signs",
            "free_margin": "root of the slope of the loss, by proved signs",
            "normalized": "root of stationarity by proved signs, two-point spread",
            "normalized_with_decay": "root of stationarity by proved signs, two-point spread",
        },
    },
    "small-slope-dilation": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "isotropic spread",
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
            "noisy_decay > 0",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
        ),
        "definitions": {
            "force": "-smoothing/2 + 1/(1 + exp(-margin))",
        },
        "conclusion": (
            "normalized ~ 2*dim*force*mean_distance**(relative - 1)*slope*cosh(margin/2)**2/margin, slope to zero, rate 2",
            "normalized_with_decay ~ mean_distance**(relative - 2)*slope*sqrt(mean_distance**2*noisy_decay**2*nonnegative + (force*weight_distance + mean_distance*noisy_decay)**2)/(2*noisy_decay + weight_distance**2/(4*dim*cosh(margin/2)**2)), slope to zero, rate 2",
        ),
        "quantities": {
            "margin": "closed form of the configuration",
            "weight_distance": "closed form of the configuration",
            "mean_distance": "closed form of the configuration",
            "normalized": "root of stationarity by proved signs, two-point spread",
            "normalized_with_decay": "root of stationarity by proved signs, two-point spread",
        },
    },
    "small-slope-ordering": {
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
        "definitions": {
            "e": "kappa + smoothing/2",
            "s_CE": "log(-1 + 1/kappa)",
            "s_LS": "log(-1 + 1/e)",
        },
        "conclusion": (
            "ND_CE/ND_LS ~ e*s_LS**(3/2)*(1 - e)/(kappa*s_CE**(3/2)*(-2*e + kappa + 1)), slope to zero, rate 2",
            "relative_ND_CE/relative_ND_LS ~ e*s_LS*(1 - e)/(kappa*s_CE*(-2*e + kappa + 1)), slope to zero, rate 2",
        ),
        "quantities": {
            "kappa": "cost of a unit of margin, in balls",
            "ND_CE": "root of stationarity by proved signs, two-point spread",
            "ND_LS": "root of stationarity by proved signs, two-point spread",
            "relative_ND_CE": "root of stationarity by proved signs, two-point spread",
            "relative_ND_LS": "root of stationarity by proved signs, two-point spread",
        },
    },
}

kap, s, m, nu, d, w, eta, slope, D, q = sp.symbols("kap s m nu d w eta C D q", positive=True)
lam, bend = sp.symbols("lambda phi2", positive=True)


def main() -> None:
    """Run every step."""
    second_term()
    cross_entropy_without_decay()
    equal_decays()
    boundary_for_equal_decays()
    small_slope()


def second_term() -> None:
    """Theorem 1: d rho/d nu = -R at nu = 0, and the substitution of nu."""
    t_slope = -w / (lam + nu + kap**2 * bend / 2)  # implicit derivative of the t-equation (`monotonicity_in_noise.py`)
    rho2_slope = sp.diff((lam / (lam + nu)) ** 2 * m**2, nu) + 2 * w / kap**2 * t_slope
    rho_inf = sp.sqrt(m**2 + (w / kap) ** 2)
    drop = (m**2 / lam + w**2 / (kap**2 * (lam + kap**2 * bend / 2))) / rho_inf  # claim
    identity("d rho/d nu = -R at nu = 0", (rho2_slope / (2 * rho_inf)).subs(nu, 0), -drop)
    f2, rest = sp.symbols("F2 R", positive=True)
    multiplier = f2 * eta * D ** (2 * q) / (4 * slope**2)
    dilation = eta * (w - rest * multiplier) * D**q / slope  # w stands for rho_inf here
    stated = eta * D ** (q - 1) / slope * (w - f2 * eta * D ** (2 * q) * rest / (4 * slope**2))  # claim
    identity("ND to second order", sp.powsimp(sp.expand(dilation / D)), sp.powsimp(sp.expand(stated)))
    free_of_decay = (w**2 / (kap**2 * (kap**2 * bend / 2))) / (w / kap)
    identity("lam = 0: R = 2 w/(kap^3 phi'')", free_of_decay, 2 * w / (kap**3 * bend))


def cross_entropy_without_decay() -> None:
    """Theorem 2 and the lam > 0 form of the noise-free margin, alpha = 0."""
    y, beta = sp.symbols("y beta", positive=True)
    balance = beta * y - 1 / (1 + sp.exp(y - s))  # claim
    lambert = y * sp.exp(y) + sp.exp(s) * y - sp.exp(s) / beta
    identity("y e^y + e^s y = e^s/beta", balance * (1 + sp.exp(y - s)) * sp.exp(s) / beta, sp.expand(lambert))
    identity("so y e^y = (e^s/beta)(1 - beta y)", y * sp.exp(y) - lambert, sp.exp(s) / beta * (1 - beta * y))
    t = sp.Symbol("t", positive=True)
    equation = (lam * t - kap**2 / 2 / (1 + sp.exp(t))) * (1 + sp.exp(t)) / lam
    identity("lam > 0: t = W_1(kap^2/(2 lam))", sp.expand(equation), t * sp.exp(t) + t - kap**2 / (2 * lam))
    # Illustration at s = 4, beta = 1e-6: the relative error of W_0 is already below 1e-3.
    values = {s: 4, beta: sp.Rational(1, 10**6)}
    exact = sp.nsolve(lambert.subs(values), y, 15)
    leading = sp.LambertW(sp.exp(4) * 10**6).evalf(20)
    agrees("W_0 against the exact root", leading / exact, 1, 1e-3)


def equal_decays() -> None:
    """Theorem 4. N = 2, lam = lambda_H, phi'(s) = -kappa. The t-equation at nu = 0 is lam t + (kap^2/2) phi'(t) = 0.

    Free: kappa = sqrt2 mu, c^2 = s sqrt(lH/(2 lW)); nonnegative: kappa = 2 mu, c^2 = s sqrt(lH/lW); kap^2 = 2 c^2.
    """
    lw, lh, k = sp.symbols("lambda_W lambda_H k", positive=True)
    mu = sp.sqrt(lw * lh)
    slope_at = sp.Symbol("phi1", real=True)
    for name, c2, kappa, factor in (
        ("free", s * sp.sqrt(lh / (2 * lw)), sp.sqrt(2) * mu, sp.sqrt(2)),
        ("nonnegative", s * sp.sqrt(lh / lw), 2 * mu, sp.Integer(1)),
    ):
        equation = lh * (k * s) + c2 * slope_at
        identity(f"{name}: condition on t = k s", equation / c2, factor * mu * k + slope_at)  # claim
        at_margin = (factor * mu * k + slope_at).subs({k: 1, slope_at: -kappa})
        if name == "free":
            identity("free: t = s solves it, so rho_inf = D", at_margin)
        else:
            negative("nonnegative: negative at k = 1, so k > 1", at_margin)
    along = (k * s + s) / (2 * s / D)  # (t+s)/kap with kap = 2 s/D
    identity("nonnegative: rho_inf^2", D**2 / 4 + along**2, D**2 * (sp.Rational(1, 4) + ((k + 1) / 2) ** 2))  # claim
    # u >= 0: on the face t (lam) + (c_w^2/2) phi' = 0 (`md_reduction.py`), and t = s solves it.
    identity("u >= 0: t = s solves the face equation", lh * s + s * sp.sqrt(lh / lw) / 2 * (-2 * mu))


def boundary_for_equal_decays() -> None:
    """Theorem 5. m = 0, w = 2 s, rho_inf = D, so ND = (eta/C)(1 - eta/(4 C^2) F2 R/D) and F2 R/D depends on x =
    kap^2 phi''/(2 lam)."""
    curvature = 2 * (bend * kap**2 / d + 2 * lam)
    drop = (2 * s) ** 2 / (kap**2 * (lam + kap**2 * bend / 2)) / D
    x = sp.Symbol("x", positive=True)
    ratio = (curvature * drop / D).subs(D, 2 * s / kap).subs(bend, 2 * lam * x / kap**2)
    stated = 4 * (1 + x / d) / (1 + x)  # claim
    identity("F2 R/D", ratio, stated)
    more = sp.Symbol("more", positive=True)  # d = 1 + more > 1
    negative("falls as x grows, when d > 1", sp.factor(sp.diff(stated, x).subs(d, 1 + more)))
    lw, lh, e = sp.symbols("lambda_W lambda_H e", positive=True)
    margin = sp.log((1 - e) / e)
    size = (2 * margin * sp.sqrt(lh / (2 * lw))) * (e * (1 - e)) / (2 * lh)
    identity(
        "x is proportional to h(e), with a factor free of the loss",
        size / (e * (1 - e) * margin),
        1 / sp.sqrt(2 * lw * lh),
    )
    own = 1 / (1 + sp.exp(-s))
    identity("phi''(s) = e (1-e) with 1 - e = sigma(s)", sp.diff(sp.log(1 + sp.exp(-s)), s, 2), own * (1 - own))
    h = e * (1 - e) * margin
    peak = sp.nsolve(sp.diff(h, e), e, 0.17)
    agrees("h is largest at e = .176041", peak, 0.176041, 1e-6)
    agrees("with value .223872", h.subs(e, peak), 0.223872, 1e-6)
    identity("h' = (1-2e) s - 1, i.e. s tanh(s/2) = 1 at the peak", sp.diff(h, e), (1 - 2 * e) * margin - 1)
    identity("1 - 2 e = tanh(s/2)", (1 - 2 / (1 + sp.exp(s))), sp.tanh(s / 2).rewrite(sp.exp))


def small_slope() -> None:
    """Theorem 6. b = 2 (lam + nu) rho (`dual_bound.py`) and nu -> infinity, so b = 2 nu rho (1 + o(1)); then r = eta
    rho D^q/C."""
    f2, b = sp.symbols("F2 b", positive=True)
    multiplier = f2 * eta * D ** (2 * q) / (4 * slope**2)
    dilation = eta * (b / (2 * multiplier)) * D**q / slope / D
    identity("ND = 2 C b/(F2 D^(1+q))", sp.powsimp(dilation), 2 * slope * b / (f2 * D ** (1 + q)))
    alpha = sp.Symbol("alpha", positive=True)
    sigma = 1 / (1 + sp.exp(-s))
    phi = sp.log(1 + sp.exp(-s)) + alpha * s / 2
    pull = kap * (sigma - alpha / 2)  # claim
    x = sp.Symbol("x", real=True)
    backwards = sp.diff(sp.log(1 + sp.exp(-x)) + alpha * x / 2, x).subs(x, -s)
    identity("b = -kap phi'(-s)", pull, -kap * backwards)
    stated = slope * d * (sigma - alpha / 2) / (2 * s * sp.diff(phi, s, 2) * D**q)  # claim
    expansion = 2 * slope * pull / (2 * sp.diff(phi, s, 2) * kap**2 / d * D ** (1 + q))
    identity("cross-entropy, lam = 0", sp.powsimp((expansion / stated).subs(kap, 2 * s / D)), 1)
    gap = sp.Symbol("gap", positive=True)  # e^s = 1 + gap, s > 0
    positive("b > 0: sigma(s) > 1/2 > alpha/2", sp.factor(1 - 1 / (2 + gap) - sp.Rational(1, 2)))


if __name__ == "__main__":
    main()
