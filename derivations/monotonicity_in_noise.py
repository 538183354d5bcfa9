"""More noise dilates more, memorises each example less; more smoothing at a fixed configuration dilates less.

Setting: the reduced problem of `md_reduction.py`, min over r of F(r) + 2 eta g(c r/eta), c = C/D^q, with any convex
phi, phi'(-s) < 0, lam >= 0, the configuration (h, W, hence s, D, kap, m) held fixed, and r > 0 unique.

Theorem 1. In eta: r and ND = r/D are nondecreasing; rho, the noisy margin t and ND/eta are nonincreasing. (Convexity is
needed: for focal loss, gamma = 1, ND falls from .422795 to .422767 between eta = .05 and .1, in the ledger.)
Theorem 2. Cross-entropy: raising the smoothing at a fixed configuration strictly lowers ND.
Theorem 3. On the sphere ND is nondecreasing in the dimension d.
Theorem 4. Label relaxation at alpha/2 has ND at least that of smoothing at alpha, for a fixed configuration: the same if
no clean example of smoothing has a margin above t_inf = log((2-alpha)/alpha), strictly more otherwise.

Proof of 1. The optimality condition is  Psi(r, eta) := F'(r) + 2 c g'(c r/eta) = 0. F' and g' are nondecreasing
(both functions are convex), so Psi is nondecreasing in r, and nonincreasing in eta since c r/eta falls. Its zero
therefore moves up with eta: r is nondecreasing. In the variable rho the same condition reads
F'(eta rho/c) + 2 c g'(rho) = 0; now the left side is nondecreasing in rho and in eta (F' is), so rho is
nonincreasing, and ND/eta = rho D^(q-1)/C with it. Along the inner minimisers t falls and rho falls as nu grows (step
"inner" below), so t is a nondecreasing function of rho: t is nonincreasing in eta. None of this needs derivatives of
phi; where F and g are twice differentiable the same signs are read off the implicit derivatives below.
Proof of 2. phi_alpha(t) = phi_0(t) + alpha t/2. F' does not change, since E zeta = 0. For a given rho the multiplier
nu falls strictly (step "smoothing"), so -g' = 2 nu rho falls, Psi rises, and its zero r falls strictly (F is
strictly convex).
Proof of 3. For d < d' the first d coordinates of a uniform point on the d'-sphere are R times a uniform point on the
d-sphere, R in [0, 1] independent. The integrand of F' is k(R) = R z (phi'(s + kap r R z) - phi'(s)), which vanishes
at R = 0 and is nondecreasing in R. So F' falls from d to d', and r rises.
Proof of 4. phi_LR' = min(0, phi_LS') <= phi_LS', with equality up to the common minimiser of both. Noisy margins
stay below that minimiser, so g' is the same. E zeta (phi_LR' - phi_LS')(s + kap r zeta) <= 0: the bracket is zero
unless zeta > 0. So F' is smaller, r larger. At the r of smoothing the two F' agree if s + kap r zeta <= t_inf always;
then it is stationary for relaxation too, and r is unique. Otherwise the bracket is negative with positive probability, so
Psi < 0 for relaxation there, and its zero is strictly larger.
"""

import sympy as sp
from _check import identity, negative, nonnegative, positive

PROVES = {
    "dilation-grows-with-dimension": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "spread on a sphere",
            "unconstrained noisy features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "noise > 0",
            "slope > 0",
            "noisy_decay >= 0",
            "dim >= 2",
            "dim < higher_dim",
            "smoothing + 2*sqrt(weight_decay*feature_decay)*(sqrt(2) + nonnegative*(2 - sqrt(2))) < 1",
        ),
        "conclusion": ("high >= low",),
        "quantities": {
            "low": "ND on the sphere of dim dimensions",
            "high": "ND on the sphere of higher_dim dimensions",
        },
    },
    "dilation-grows-with-noise": {
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "unique positive dilation",
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
            "noisy_decay >= 0",
            "dim >= 1",
            "noise < more_noise",
            "room > 0",
            "smoothing + 2*sqrt(weight_decay*feature_decay)*(sqrt(2) + nonnegative*(2 - sqrt(2))) < 1",
        ),
        "conclusion": (
            "high >= low",
            "curved_high >= curved_low",
        ),
        "quantities": {
            "room": "the margin of the class means",
            "low": "ND at noise, cross-entropy on the sphere",
            "high": "ND at more_noise, cross-entropy on the sphere",
            "curved_low": "ND at noise, the loss that kind numbers on two points",
            "curved_high": "ND at more_noise, the loss that kind numbers on two points",
        },
    },
    "dilation-per-noise-falls": {
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "unique positive dilation",
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
            "noisy_decay >= 0",
            "dim >= 1",
            "noise < more_noise",
            "room > 0",
            "smoothing + 2*sqrt(weight_decay*feature_decay)*(sqrt(2) + nonnegative*(2 - sqrt(2))) < 1",
        ),
        "conclusion": (
            "high/more_noise <= low/noise",
            "curved_high/more_noise <= curved_low/noise",
        ),
        "quantities": {
            "room": "the margin of the class means",
            "low": "ND at noise, cross-entropy on the sphere",
            "high": "ND at more_noise, cross-entropy on the sphere",
            "curved_low": "ND at noise, the loss that kind numbers on two points",
            "curved_high": "ND at more_noise, the loss that kind numbers on two points",
        },
    },
    "memorization-falls-with-noise": {
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "unique positive dilation",
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
            "noisy_decay >= 0",
            "dim >= 1",
            "noise < more_noise",
            "room > 0",
            "smoothing + 2*sqrt(weight_decay*feature_decay)*(sqrt(2) + nonnegative*(2 - sqrt(2))) < 1",
        ),
        "conclusion": (
            "high <= low",
            "curved_high <= curved_low",
        ),
        "quantities": {
            "room": "the margin of the class means",
            "low": "rho at noise, cross-entropy on the sphere",
            "high": "rho at more_noise, cross-entropy on the sphere",
            "curved_low": "rho at noise, the loss that kind numbers on two points",
            "curved_high": "rho at more_noise, the loss that kind numbers on two points",
        },
    },
    "noisy-margin-falls-with-noise": {
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "unique positive dilation",
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
            "noisy_decay >= 0",
            "dim >= 1",
            "noise < more_noise",
            "room > 0",
            "smoothing + 2*sqrt(weight_decay*feature_decay)*(sqrt(2) + nonnegative*(2 - sqrt(2))) < 1",
        ),
        "conclusion": (
            "high <= low",
            "curved_high <= curved_low",
        ),
        "quantities": {
            "room": "the margin of the class means",
            "low": "the noisy margin at noise, cross-entropy on the sphere",
            "high": "the noisy margin at more_noise, cross-entropy on the sphere",
            "curved_low": "the noisy margin at noise, the loss that kind numbers on two points",
            "curved_high": "the noisy margin at more_noise, the loss that kind numbers on two points",
        },
    },
    "relaxation-dilates-at-least-smoothing": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "label relaxation",
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
            "noisy_decay > 0",
            "dim >= 2",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
            "farthest > log((2 - smoothing)/smoothing)",
        ),
        "definitions": {
            "farthest": "ND_LS*mean_distance*weight_distance/sqrt(dim) + margin",
        },
        "conclusion": ("ND_LR > ND_LS",),
        "quantities": {
            "margin": "the margin of the class means",
            "weight_distance": "||w_1 - w_2||",
            "mean_distance": "||h_1 - h_2||",
            "ND_LR": "ND of label relaxation with half the smoothing",
            "ND_LS": "ND of label smoothing",
        },
    },
    "relaxation-dilates-like-smoothing": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "label relaxation",
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
            "noisy_decay > 0",
            "dim >= 2",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
            "farthest <= log((2 - smoothing)/smoothing)",
        ),
        "definitions": {
            "farthest": "ND_LS*mean_distance*weight_distance/sqrt(dim) + margin",
        },
        "conclusion": ("ND_LR == ND_LS",),
        "quantities": {
            "margin": "the margin of the class means",
            "weight_distance": "||w_1 - w_2||",
            "mean_distance": "||h_1 - h_2||",
            "ND_LR": "ND of label relaxation with half the smoothing",
            "ND_LS": "ND of label smoothing",
        },
    },
    "smoothing-dilates-less-at-fixed-configuration": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "nonzero class means",
            "fixed configuration",
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
            "noisy_decay > 0",
            "dim >= 2",
            "more_smoothing >= 0",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
            "smoothing < more_smoothing",
        ),
        "conclusion": (
            "smoother < own",
            "smoother_free < own_free",
        ),
        "quantities": {
            "own": "ND with the loss of smoothing",
            "smoother": "ND with the loss of more_smoothing on the same configuration",
            "own_free": "own with free features",
            "smoother_free": "smoother with free features",
        },
    },
}

kap, s, c, eta, r, nu, m = sp.symbols("kap s c eta r nu m", positive=True)
lam = sp.Symbol("lambda", nonnegative=True)
gain = sp.Symbol("w", positive=True)  # t + s
bend = sp.Symbol("phi2", nonnegative=True)  # phi''(t)


def main() -> None:
    """Run every step."""
    noise()
    inner()
    smoothing()
    dimension()
    relaxation()


def noise() -> None:
    """Theorem 1 by implicit differentiation; F2, g2 stand for F''(r) > 0 and g''(rho) >= 0."""
    f, g = sp.Function("F"), sp.Function("g")
    rho = c * r / eta
    condition = sp.diff(f(r) + 2 * eta * g(rho), r).doit()
    g_slope = sp.Subs(sp.Derivative(g(gain), gain), gain, rho).doit()
    stated = sp.diff(f(r), r) + 2 * c * g_slope
    identity("optimality condition Psi", (condition - stated).doit())
    f2, g2 = sp.Symbol("F2", positive=True), sp.Symbol("g2", nonnegative=True)
    by_r = f2 + 2 * c * g2 * sp.diff(rho, r)  # claim
    by_eta = 2 * c * g2 * sp.diff(rho, eta)
    r_slope = -by_eta / by_r
    nonnegative("dr/d eta >= 0", r_slope)
    identity("dr/d eta", r_slope, 2 * c**2 * g2 * r / (eta * (f2 * eta + 2 * c**2 * g2)))
    rho_slope = sp.diff(rho, eta) + sp.diff(rho, r) * r_slope
    identity("d rho/d eta", sp.factor(rho_slope), -c * r * f2 / (eta * (f2 * eta + 2 * c**2 * g2)))  # claim
    negative("d rho/d eta < 0", sp.factor(rho_slope))
    slope, distance, q = sp.symbols("C D q", positive=True)
    ratio = (r / distance / eta).subs(r, eta * gain / (slope / distance**q))
    identity("ND/eta = rho D^(q-1)/C", sp.powsimp(ratio), gain * distance ** (q - 1) / slope)


def inner() -> None:
    """As nu grows t and rho fall. t + s > 0: at t = -s the t-equation is negative, and it increases in t."""
    pull = sp.Symbol("P", positive=True)  # -phi'(-s)
    t = gain - s
    at_start = -s * (lam + nu) - kap**2 / 2 * pull + nu * s
    negative("t-equation at t = -s", sp.expand(at_start))
    by_t = lam + nu + kap**2 / 2 * bend
    by_nu = sp.diff(t * (lam + nu) + nu * s, nu)
    identity("the t-equation changes by t + s per unit of nu", by_nu, gain)
    t_slope = -by_nu / by_t
    negative("dt/d nu < 0", t_slope)
    rho2_slope = sp.diff((lam / (lam + nu)) ** 2 * m**2, nu) + 2 * gain / kap**2 * t_slope  # claim
    stated = -2 * lam**2 * m**2 / (lam + nu) ** 3 - 2 * gain**2 / (kap**2 * by_t)  # claim
    identity("d rho^2/d nu", rho2_slope, stated)
    negative("rho falls as nu grows", stated)


def smoothing() -> None:
    """Theorem 2. At fixed rho, solve the two linear equations for dt and d nu per unit of alpha."""
    dt, dnu = sp.symbols("dt dnu")
    by_t = lam + nu + kap**2 / 2 * bend
    equation = by_t * dt + gain * dnu + kap**2 / 4  # claim
    constraint = -2 * lam**2 * m**2 / (lam + nu) ** 3 * dnu + 2 * gain / kap**2 * dt
    solution = sp.solve([equation, constraint], [dt, dnu], dict=True)[0]
    identity("without noisy decay: t is fixed", solution[dt].subs(lam, 0))
    stated = -(kap**2) / 4 / (gain + by_t * lam**2 * m**2 * kap**2 / ((lam + nu) ** 3 * gain))  # claim
    identity("d nu/d alpha at fixed rho", solution[dnu], stated)
    negative("is negative", sp.factor(stated))
    alpha, zeta, t = sp.symbols("alpha zeta t", real=True)
    integrand = alpha * (s + kap * r * zeta) / 2
    identity("smoothing adds a term of mean zero to F'", sp.diff(integrand, r), alpha * kap * zeta / 2)
    loss = sp.log(1 + sp.exp(-t)) + alpha * t / 2
    identity("phi_alpha = phi_0 + alpha t/2", loss - loss.subs(alpha, 0), alpha * t / 2)


def dimension() -> None:
    """Theorem 3. k'(R) = z (phi'(.) - phi'(s)) + R z^2 kap r phi''(.), both terms nonnegative."""
    shrink, z, argument = sp.Symbol("R", nonnegative=True), sp.Symbol("z", real=True), sp.Symbol("a", real=True)
    slope = sp.Function("phi1")
    k = shrink * z * (slope(s + kap * r * shrink * z) - slope(s))
    curvature = sp.Subs(sp.Derivative(slope(argument), argument), argument, s + kap * r * shrink * z).doit()
    stated = z * (slope(s + kap * r * shrink * z) - slope(s)) + shrink * z**2 * kap * r * curvature  # claim
    identity("k'(R)", sp.expand((sp.diff(k, shrink) - stated).doit()))
    identity("k(0) = 0", k.subs(shrink, 0))
    rise = sp.Symbol("rise", nonnegative=True)  # phi'(s + kap r R z) - phi'(s) = rise * z
    nonnegative("k' >= 0", z * (rise * z) + shrink * z**2 * kap * r * bend)


def relaxation() -> None:
    """Theorem 4. The slopes agree below the common minimiser t_inf = log((2-alpha)/alpha)."""
    alpha, t = sp.Symbol("alpha", positive=True), sp.Symbol("t", real=True)
    relaxed = sp.exp(t) / (1 + sp.exp(t)) - (1 - alpha / 2)
    smoothed = alpha / 2 - 1 / (1 + sp.exp(t))
    identity("same slope where relaxation is positive", relaxed, smoothed)
    identity("which vanishes at t_inf", smoothed.subs(t, sp.log((2 - alpha) / alpha)))
    positive("and increases", sp.simplify(sp.diff(smoothed, t)))
    # The bracket phi_LR' - phi_LS' = -(phi_LS')_+ is nonzero only beyond t_inf > s, where zeta > 0.
    overshoot = sp.Symbol("overshoot", positive=True)
    positive(
        "beyond t_inf zeta is positive",
        sp.solve(s + kap * r * sp.Symbol("zeta") - (s + overshoot), sp.Symbol("zeta"))[0],
    )


if __name__ == "__main__":
    main()
