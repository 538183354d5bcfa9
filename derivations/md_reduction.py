"""The memorization-dilation problem is a convex problem in one variable.

Setting. Two classes in a symmetric configuration: h_1, h_2 = m +- D/2 e with a unit vector e orthogonal to m,
w_1 - w_2 = kap e, and s = kap D/2. A loss that is a convex function phi of t = z_own - z_other, with phi'(-s) < 0.
Clean examples h_n + r xi with xi isotropic, symmetric, E||xi||^2 = 1, and zeta = <xi, e>. Noise eta > 0, c = C/D^q > 0,
noisy feature decay lam >= 0. The problem is

    min over u_1, u_2, r >= 0 of  sum_n E[phi + lam ||h_n + r xi||^2] + eta sum_n [phi(t(u_n)) + lam ||u_n||^2]
    subject to eta ||u_1 - h_2|| <= c r  and  eta ||u_2 - h_1|| <= c r.

At a kink of phi, phi' stands for the subgradient in the optimality condition.

Theorem. (a) It is jointly convex in (u_1, u_2, r), and equivalent to  min over rho >= 0 of
F(eta rho/c) + 2 eta g(rho), with r = eta rho/c,

    F(r) = 2 E phi(s + kap r zeta) + 2 lam (||h||^2 + r^2),
    g(rho) = min { phi(t(u)) + lam ||u||^2 : ||u - h_2|| <= rho }.

(b) F is nondecreasing and convex, g nonincreasing and convex. With the multiplier nu >= 0 of the ball, the inner
    minimiser has

    t (lam + nu) + (kap^2/2) phi'(t) + nu s = 0,       u = (nu h_2 - phi'(t) (w_1 - w_2)/2)/(lam + nu),
    rho^2 = (lam/(lam+nu))^2 ||m||^2 + ((t+s)/kap)^2,  g'(rho) = -2 nu rho.

(c) The optimum is nu = eta F'(r)/(4 c^2 r): in full, nu = eta D^(2q) F'(r)/(4 C^2 r).
(d) If phi'' > 0 on (-infinity, s] (true for every convex loss here except the hinge), F is strictly convex, the
    optimal r is unique and positive, and both balls are active.
(e) With u_n >= 0 imposed (h_n = a e_n, w_1 - w_2 = c_w (e_1 - e_2)): for each nu the solution of (b) stands if
    nu a + phi'(t) c_w/2 >= 0; otherwise u lies on the axis of its own class, t (lam + nu) + (c_w^2/2) phi'(t) = 0,
    rho^2 = a^2 + (t/c_w)^2. Still g' = -2 nu rho.

Proof.
1. The objective is a sum of convex functions composed with affine maps; each constraint is a second-order cone. Both
   balls have the radius rho = c r/eta. The isometry that reverses e swaps h_1 with h_2 and label 1 with label 2, so
   both inner minima equal g(rho). Given r, that leaves F(r) + 2 eta g(rho). g is the partial minimum of a jointly
   convex function, so convex; nonincreasing since the ball grows.
2. F'(r) = 2 kap E[zeta phi'(s + kap r zeta)] + 4 lam r, and E zeta = 0 lets phi'(s) be subtracted: every contribution
   zeta (phi'(s + kap r zeta) - phi'(s)) is nonnegative as phi' is nondecreasing. zeta takes negative values, where
   phi'' > 0 makes F'' > 0: (d).
3. The Lagrangian of the inner problem is phi(t(u)) + lam ||u||^2 + nu (||u - h_2||^2 - rho^2); its gradient gives u,
   hence t and rho (step below). The equation for t has a unique root: its left side increases in t.
4. Along the curve of minimisers d(phi(t) + lam ||u||^2)/d nu = -nu d(rho^2)/d nu, hence dg/drho = -2 nu rho.
5. d/drho of F(eta rho/c) + 2 eta g(rho) vanishes: (eta/c) F'(r) = 4 eta nu rho, and rho = c r/eta.
6. At rho = 0, F' = 0 (phi is differentiable at s under the hypothesis of (d)) and the slope of g is -||phi'(-s) kap
   e + 2 lam h_2|| < 0, its component along e being kap phi'(-s) - lam D < 0. So r > 0.
7. (e): the Lagrangian is strictly convex in u, so its minimiser over the quadrant is the free one if that is
   feasible; otherwise the violated coordinate is zero, and the remaining coordinate solves the one-dimensional
   problem of (e); it is positive because phi'(0) <= phi'(s) < 0.
"""

import sympy as sp
from _check import identity, negative, nonnegative, positive

PROVES = {
    "conic-programme-agrees": {
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
            "noisy_decay > 0",
            "dim >= 2",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "conclusion": (
            "ND == conic_ND",
            "memorization == conic_memorization",
        ),
        "quantities": {
            "conic_ND": "ND of the convex programme in both noisy features and the dilation",
            "ND": "ND of the problem in one variable",
            "conic_memorization": "memorization of the convex programme",
            "memorization": "memorization of the problem in one variable",
        },
    },
    "constraint-tight": {
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "isotropic spread",
            "absolute scaling",
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
            "excess > 0",
            "room > 0",
            "smoothing + 2*sqrt(weight_decay*feature_decay)*(sqrt(2) + nonnegative*(2 - sqrt(2))) < 1",
        ),
        "conclusion": ("growth >= least_growth",),
        "quantities": {
            "room": "the margin of the class means",
            "growth": "the objective at given noisy features, with (1 + excess) times the least dilation, minus that with the least",
            "least_growth": "2 lambda (r'^2 - r^2)",
        },
    },
    "noisy-stationarity": {
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
            "noisy_decay > 0",
            "dim >= 2",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "conclusion": (
            "multiplier == cost_slope*mean_distance**2*noise/(4*dilation*slope**2)",
            "relative_multiplier == noise*relative_cost_slope/(4*relative_dilation*slope**2)",
        ),
        "quantities": {
            "mean_distance": "||h_1 - h_2||",
            "multiplier": "nu of the noisy feature at the optimum",
            "relative_multiplier": "the same in relative scaling",
            "cost_slope": "F' at the optimal dilation",
            "relative_cost_slope": "the same in relative scaling",
            "dilation": "the optimal dilation",
            "relative_dilation": "the same in relative scaling",
        },
    },
    "nonnegative-noisy-features": {
        "hypotheses": (
            "two classes",
            "nonnegative features",
            "nonzero class means",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "near > 0",
            "far > 0",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "conclusion": (
            "best_near + margin == mean_distance*near*weight_distance",
            "best_far == weight_distance*sqrt(far**2*mean_distance**2/2 - mean_distance**2/4)",
        ),
        "quantities": {
            "margin": "the margin of the class means",
            "weight_distance": "||w_1 - w_2||",
            "mean_distance": "||h_1 - h_2||",
            "best_near": "the largest margin of noisy features u >= 0 at distance near D at most",
            "best_far": "the same at distance far D",
        },
    },
    "reduced-objective-convex": {
        "hypotheses": (
            "two classes",
            "convex margin loss",
            "differentiable margin loss",
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
            "share > 0",
            "part > 0",
            "part < 1",
            "room > 0",
            "smoothing + 4*sqrt(weight_decay*feature_decay) < 1",
        ),
        "conclusion": (
            "rise >= tangent*(other_rho - rho)",
            "rise <= other_tangent*(other_rho - rho)",
            "tangent == dF*mean_distance*noise/slope - 4*noise*nu*rho",
        ),
        "quantities": {
            "room": "the margin of the class means",
            "rho": "memorization at share of the way",
            "nu": "the multiplier of the ball there",
            "dF": "F' at the dilation eta rho D/C",
            "other_rho": "memorization at part of that way",
            "rise": "V(other_rho) - V(rho)",
            "tangent": "V'(rho)",
            "other_tangent": "V'(other_rho)",
            "mean_distance": "||h_1 - h_2||",
        },
    },
}

kap, s, eta, c, m, nu = sp.symbols("kap s eta c m nu", positive=True)
lam = sp.Symbol("lambda", nonnegative=True)
t = sp.Symbol("t", real=True)
slope, curvature = sp.Symbol("phi1", real=True), sp.Symbol("phi2", nonnegative=True)  # phi'(t), phi''(t)
D = 2 * s / kap
T_EQUATION = t * (lam + nu) + kap**2 / 2 * slope + nu * s  # claim
h2 = sp.Matrix([-D / 2, m])  # coordinates along e and along m
difference = sp.Matrix([kap, 0])  # w_1 - w_2


def main() -> None:
    """Run every step."""
    dilation_cost_increases()
    inner_stationarity()
    slope_of_the_inner_value()
    outer_stationarity()
    ball_is_active()
    face_of_the_quadrant()


def dilation_cost_increases() -> None:
    """Step 2, and the second moment of a clean example."""
    zeta, r = sp.Symbol("zeta", real=True), sp.Symbol("r", positive=True)
    identity(
        "own minus other logit of a clean example",
        (difference.T * (-h2 + r * sp.Matrix([zeta, 0])))[0],
        s + kap * r * zeta,
    )
    phi = sp.Function("phi")
    integrand = 2 * phi(s + kap * r * zeta) + 2 * lam * r**2
    derivative = sp.diff(integrand, r).doit()
    inner = sp.Subs(sp.Derivative(phi(t), t), t, s + kap * r * zeta).doit()
    identity("F' integrand", sp.expand((derivative - 2 * kap * zeta * inner).doit()), 4 * lam * r)
    # Monotone phi': with phi' changing by rise * zeta (rise >= 0), the contribution is zeta^2 rise.
    rise = sp.Symbol("rise", nonnegative=True)
    nonnegative("zeta (phi'(s + kap r zeta) - phi'(s)) >= 0", zeta * (rise * zeta))
    # E||h + r xi||^2 = ||h||^2 + r^2: the cross term 2 r <h, xi> has mean zero, and E||xi||^2 = 1.
    h, xi = sp.symbols("h xi", real=True)
    identity("square of a shifted coordinate", (h + r * xi) ** 2, h**2 + 2 * r * h * xi + r**2 * xi**2)


def minimiser() -> sp.Matrix:
    """u of part (b), as a function of phi'(t)."""
    return (nu * h2 - slope * difference / 2) / (lam + nu)  # claim


def inner_stationarity() -> None:
    """Step 3. The gradient of the Lagrangian vanishes at u; t and rho follow."""
    u = minimiser()
    gradient = slope * difference + 2 * lam * u + 2 * nu * (u - h2)
    identity("gradient of the Lagrangian", gradient, sp.zeros(2, 1))
    logit = (difference.T * u)[0]
    identity("t-equation", (lam + nu) * (t - logit), T_EQUATION)
    positive("the t-equation increases in t", nu + lam + kap**2 / 2 * curvature)
    shift = u - h2
    along = shift[0].subs(slope, sp.solve(T_EQUATION, slope)[0])
    identity("component along e", along, (t + s) / kap)  # claim
    identity("component along m", shift[1], -lam * m / (lam + nu))
    # Without noisy decay u moves straight towards the other class: rho = (t+s)/kap.
    identity("lam = 0: no component along m", shift[1].subs(lam, 0))


def slope_of_the_inner_value() -> None:
    """Step 4, by implicit differentiation of the t-equation."""
    t_prime = -sp.diff(T_EQUATION, nu) / (lam + nu + kap**2 / 2 * curvature)
    phi_slope = sp.solve(T_EQUATION, slope)[0]
    rho2 = (lam / (lam + nu)) ** 2 * m**2 + ((t + s) / kap) ** 2
    norm2 = (t / kap) ** 2 + (nu * m / (lam + nu)) ** 2

    def along_curve(expression):
        return sp.diff(expression, nu) + sp.diff(expression, t) * t_prime

    identity("rho^2 is the squared distance to h_2", (t / kap - h2[0]) ** 2 + (nu * m / (lam + nu) - m) ** 2, rho2)
    value_slope = phi_slope * t_prime + lam * along_curve(norm2)
    identity("d value = -nu d(rho^2), i.e. g' = -2 nu rho", value_slope, -nu * along_curve(rho2))  # claim


def outer_stationarity() -> None:
    """Step 5."""
    r, force = sp.symbols("r Fprime", positive=True)
    rho = c * r / eta
    condition = eta / c * force - 2 * eta * (2 * nu * rho)  # claim
    identity("nu = eta F'/(4 c^2 r)", condition.subs(nu, eta * force / (4 * c**2 * r)))
    slope_c, exponent, distance = sp.symbols("C q D", positive=True)
    in_full = eta * distance ** (2 * exponent) * force / (4 * slope_c**2 * r)
    identity(
        "with c = C/D^q", sp.powsimp((eta * force / (4 * c**2 * r)).subs(c, slope_c / distance**exponent)), in_full
    )


def ball_is_active() -> None:
    """Step 6: the slope of g at rho = 0 is -b with b > 0."""
    pull = sp.Symbol("P", positive=True)  # -phi'(-s) > 0
    vector = -pull * difference + 2 * lam * h2
    negative("component of phi'(-s)(w_1 - w_2) + 2 lam h_2 along e", vector[0])
    b2 = (kap * pull + lam * D) ** 2 + 4 * lam**2 * m**2
    identity("b^2", vector[0] ** 2 + vector[1] ** 2, b2)  # claim
    positive("b^2 > 0", b2)


def face_of_the_quadrant() -> None:
    """Step 7; coordinates along e_1 (own class of the label) and e_2 (the class it looks like)."""
    a, cw = sp.symbols("a c_w", positive=True)
    h2q, dq = sp.Matrix([0, a]), cw * sp.Matrix([1, -1])
    interior = (nu * h2q - slope * dq / 2) / (lam + nu)
    identity("feasibility of the free minimiser", (lam + nu) * interior[1], nu * a + slope * cw / 2)
    identity("margin and width: kap^2 = 2 c_w^2", dq.dot(dq), 2 * cw**2)
    x = t / cw  # coordinate on the face
    equation = t * (lam + nu) + cw**2 / 2 * slope  # claim
    identity("stationarity on the face", cw / 2 * (cw * slope + 2 * lam * x + 2 * nu * x), equation)
    multiplier = sp.expand((slope * dq + 2 * lam * sp.Matrix([x, 0]) + 2 * nu * (sp.Matrix([x, 0]) - h2q))[1])
    identity("multiplier of u_2 >= 0", multiplier, -2 * (nu * a + slope * cw / 2))
    free = t * (lam + nu) + cw**2 * slope + nu * cw * a
    identity("both equations agree at the transition", (free - equation).subs(slope, -2 * nu * a / cw))
    rho2 = a**2 + (t / cw) ** 2
    identity("rho^2 on the face", (sp.Matrix([x, 0]) - h2q).dot(sp.Matrix([x, 0]) - h2q), rho2)
    t_prime = sp.Symbol("tprime", real=True)
    value_slope = (sp.solve(equation, slope)[0] + 2 * lam * t / cw**2) * t_prime
    identity("g' = -2 nu rho on the face", value_slope, -nu * sp.diff(rho2, t) * t_prime)
    # lam = 0: the free path t = -s + kap rho (s = a c_w) leaves the quadrant at rho = D = sqrt2 a, with t = s on both.
    margin, distance = a * cw, sp.sqrt(2) * a
    identity("free path reaches t = s at rho = D", -margin + sp.sqrt(2) * cw * distance, margin)
    identity("face path starts there", cw * sp.sqrt(distance**2 - a**2), margin)


if __name__ == "__main__":
    main()
