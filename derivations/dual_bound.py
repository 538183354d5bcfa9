"""A lower bound for the memorization-dilation problem that anyone can recompute from the answer.

Setting of `md_reduction.py`, phi convex with conjugate phi*(p) = sup_t (p t - phi(t)), c = C/D^q.

Theorem. For every r^ >= 0 and every slope p <= 0 with phi*(p) finite put th = F'(r^) D^q/(2 C) and
b = ||p (w_1 - w_2) + 2 lam h_2|| = sqrt((kap p - lam D)^2 + 4 lam^2 ||m||^2). If lam > 0, every feasible point of
the problem has objective at least

    LB = F(r^) - r^ F'(r^) + 2 eta [ -p s - phi*(p) + lam ||h||^2 - ((b - th)_+)^2/(4 lam) ].

If lam = 0 the same holds without the last term whenever kap |p| <= th. At the solution, with r^ = r and p = phi'(t),
LB is the optimal value. No symmetry between the two noisy examples is assumed. Conjugates, in the slope p <= 0:

    cross-entropy, smoothing alpha      -H2(alpha/2 - p)           label relaxation alpha    H2(alpha) - H2(alpha - p)
    mean squared error (bias)           p^2 + p (1 - alpha)        squared hinge             p^2/2 + p
    hinge (-1 <= p <= 0)                p

Proof. Validity. Let (u_1, u_2, r) be feasible and v_n = u_n - (mean of the other class), so r >= (eta/c) max ||v_n||
>= (eta/(2 c)) (||v_1|| + ||v_2||). F is convex with F'(r^) >= 0, so F(r) >= F(r^) - r^ F'(r^) + eta th (||v_1|| +
||v_2||). Next phi(t) >= p t - phi*(p) with t = -s + <w_own - w_other, v>, and lam ||u||^2 = lam ||h||^2 + 2 lam <h,
v> + lam ||v||^2. The part linear in v is the product with a vector of norm b (the same b for both n, by the
reflection that swaps the classes), so Cauchy-Schwarz leaves for each n at least
    -p s - phi*(p) + lam ||h||^2 + min over x = ||v|| >= 0 of ((th - b) x + lam x^2),
and the minimum is -((b - th)_+)^2/(4 lam).
Tightness. At the solution F'(r) = 4 c nu rho, so th = 2 nu rho; stationarity of the inner problem makes the vector
equal to -2 (lam + nu) v, so b = 2 (lam + nu) rho and b - th = 2 lam rho; Fenchel equality p t - phi*(p) = phi(t)
holds at p = phi'(t). Then LB minus the optimal value is the identity checked below.
"""

import sympy as sp
from _check import identity, nonnegative, positive

PROVES = {
    "md-lower-bound": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
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
            "dim >= 1",
            "guessed_dilation >= 0",
            "guessed_slope <= 0",
            "-guessed_slope + smoothing/2 < 1",
            "4*sqrt(feature_decay)*sqrt(weight_decay) + smoothing < 1",
        ),
        "conclusion": (
            "V >= lower_bound",
            "V == F_own - dF_own*r + 2*noise*(-margin*p_own + mean_distance**2*noisy_decay/2 + (p_own - smoothing/2)*log(-p_own + smoothing/2) - (p_own - smoothing/2 + 1)*log(p_own - smoothing/2 + 1) - Max(0, -dF_own*mean_distance/(2*slope) + sqrt(mean_distance**2*noisy_decay**2 + (-mean_distance*noisy_decay + p_own*weight_distance)**2))**2/(4*noisy_decay))",
        ),
        "quantities": {
            "margin": "the margin of the class means",
            "weight_distance": "||w_1 - w_2||",
            "mean_distance": "||h_1 - h_2||",
            "V": "the optimal value",
            "lower_bound": "the stated bound at guessed_dilation and guessed_slope",
            "F_own": "F at the optimal dilation",
            "dF_own": "F' there",
            "p_own": "phi' at the optimal noisy margin",
            "r": "the optimal dilation",
        },
    },
}

kap, s, m, nu, rho, eta, c, lam = sp.symbols("kap s m nu rho eta c lambda", positive=True)
D = 2 * s / kap
t, p = sp.symbols("t p", real=True)


def main() -> None:
    """Run every step."""
    inner_minimum()
    norm_of_the_slope()
    tightness()
    conjugates()


def inner_minimum() -> None:
    """min over x >= 0 of (th - b) x + lam x^2, and the split of the dilation over the two balls."""
    x, gap = sp.symbols("x gap", positive=True)  # gap = b - th > 0; for b <= th the minimum is at x = 0
    shortfall = lam * x**2 - gap * x + gap**2 / (4 * lam)  # claim
    square = lam * (x - gap / (2 * lam)) ** 2
    identity("value minus bound is a square", shortfall, square)
    nonnegative("x >= 0 and gap <= 0: no shortfall", lam * x**2 + gap * x)
    shorter, excess = sp.symbols("v excess", nonnegative=True)  # the two radii, v and v + excess
    nonnegative("max >= mean of the two radii", (shorter + excess) - (shorter + (shorter + excess)) / 2)
    force, cost = sp.symbols("Fprime Dq_over_C", positive=True)
    th = force * cost / 2  # c = 1/(D^q/C)
    identity(
        "F' r >= eta th (||v_1|| + ||v_2||)", force * eta * cost / 2 * (shorter + excess), eta * th * (shorter + excess)
    )


def norm_of_the_slope() -> None:
    """b in coordinates along w_1 - w_2 and along m."""
    h2 = sp.Matrix([-D / 2, m])
    vector = p * sp.Matrix([kap, 0]) + 2 * lam * h2
    b2 = (kap * p - lam * D) ** 2 + 4 * lam**2 * m**2  # claim
    identity("b^2", vector.dot(vector), b2)
    v = sp.Matrix(sp.symbols("v1 v2", real=True))
    u = h2 + v
    left = p * (kap * u[0]) + lam * u.dot(u)
    identity(
        "linear part of p t + lam ||u||^2 at h_2", left, -p * s + lam * h2.dot(h2) + vector.dot(v) + lam * v.dot(v)
    )  # claim


def tightness() -> None:
    """LB - optimum at the solution. Unknowns: v (|v| = rho), phi(t) and F(r) cancel."""
    slope_vector = -2 * (lam + nu)  # times v
    identity("b - th = 2 lam rho", -slope_vector * rho - 2 * nu * rho, 2 * lam * rho)
    r, force = eta * rho / c, 4 * c * nu * rho
    value, cost, h_squared = sp.symbols("phi F h2", real=True)
    moved = slope_vector * rho**2  # p (t+s) + 2 lam <h_2, v>
    twice_hv = sp.Symbol("lam2hv", real=True)  # 2 lam <h_2, v>
    primal = cost + 2 * eta * (value + lam * h_squared + twice_hv + lam * rho**2)  # claim
    fenchel = value - (moved - twice_hv)  # -p s - phi*(p) = phi(t) - p (t + s)
    bound = cost - r * force + 2 * eta * (fenchel + lam * h_squared - (2 * lam * rho) ** 2 / (4 * lam))  # claim
    identity("bound = optimal value", bound, primal)
    # The vector identity behind it: stationarity p (w_1-w_2) + 2 lam u + 2 nu (u - h_2) = 0 with u = h_2 + v.
    h, v, w = sp.symbols("h v w", real=True)
    pull = sp.solve(p * w + 2 * lam * (h + v) + 2 * nu * v, w)[0]
    identity("p (w_1 - w_2) + 2 lam h_2 = -2 (lam + nu) v", p * pull + 2 * lam * h, slope_vector * v)
    # lam = 0: b = kap |p| = 2 nu rho = th, so the condition kap |p| <= th holds with equality.
    identity("lam = 0: b = th", (-slope_vector * rho - 2 * nu * rho).subs(lam, 0))


def entropy(q):
    """Binary entropy in nats."""
    return -q * sp.log(q) - (1 - q) * sp.log(1 - q)


def conjugates() -> None:
    """p t - phi(t) at the stationary t, against the stated conjugate. Concavity in t makes it the supremum."""
    x, y = sp.symbols("x y", positive=True)
    share = 1 / (1 + x)  # the free probability, and its logit
    logit = sp.log(x)  # log((1 - share)/share)
    alpha = sp.Symbol("alpha", positive=True)
    slope = alpha / 2 - share  # p of cross-entropy
    at = slope * logit - (sp.log(1 + 1 / x) + alpha * logit / 2)
    identity("cross-entropy: stationary point", alpha / 2 - 1 / (1 + sp.exp(logit)), slope)
    identity("cross-entropy: phi*(p) = -H2(alpha/2 - p)", flat(at), flat(-entropy(alpha / 2 - slope)))  # claim
    small = 1 / (1 + y)  # alpha of label relaxation
    slope = small - share
    value = sp.log(1 + x) - (1 - small) * logit - entropy(small)
    stated = entropy(small) - entropy(small - slope)  # claim
    identity("label relaxation: phi*(p) = H2(alpha) - H2(alpha - p)", flat(slope * logit - value), flat(stated))
    for name, phi, domain, stated in (
        ("mean squared error", (t - (1 - alpha)) ** 2 / 4, t, p**2 + p * (1 - alpha)),
        ("squared hinge", (1 - t) ** 2 / 2, t, p**2 / 2 + p),
    ):
        best = sp.solve(sp.diff(phi, t) - p, t)[0]
        identity(f"{name}: conjugate", (p * t - phi).subs(domain, best), stated)
        positive(f"{name}: concave objective", sp.diff(phi, t, 2))
    # Hinge: p t - (1-t)_+ has slope p + 1 >= 0 below 1 and p <= 0 above, so the supremum is at t = 1.
    below, above = (p + 1) * t - 1, p * t
    identity("hinge: both pieces give p at t = 1", sp.Matrix([below, above]).subs(t, 1), sp.Matrix([p, p]))


def flat(expression):
    """Split logarithms of the positive symbols used above."""
    together = expression.replace(sp.log, lambda a: sp.log(sp.factor(sp.together(a))))
    return sp.expand(sp.expand_log(together, force=True))


if __name__ == "__main__":
    main()
