"""Balanced classes, free features: the global minimum is a simplex equiangular tight frame.

Theorem. Let N >= 2 classes have equal proportions, lW, lH > 0, mu = sqrt(lW lH), M >= N - 1. Let the loss be convex
in the logits, unchanged when all logits shift together, and unchanged when the classes are relabelled, with
f'(0+) <= 0 (a first bit of margin does no harm). Let

    f(s) = loss at the logits s (e_n - 1/N) with label n   (the profile),      kappa = 2 (N-1) mu / sqrt N.

Then the minimum of the unconstrained features model with free features is min over s >= 0 of f(s) + kappa s. If s
attains that minimum, Z = s (I - J/N) is globally optimal, with class means h_n = a (e_n - 1/N) (up to a rotation) and
W = c (I - J/N), where

    a = (N lW/lH)^(1/4) sqrt s,    c = (lH/(N lW))^(1/4) sqrt s,    ||h_n||^2 = a^2 (N-1)/N,    ||h_n - h_m|| = sqrt2 a.

An unregularised bias changes neither the minimum nor the margin. Cross-entropy (with or without smoothing), label
relaxation and both hinges satisfy the hypotheses. Mean squared error is not shift invariant, but with an
unregularised bias the same proof applies: at b = 1/N its gradient has the form of step 1. Focal loss is not convex
and is not covered.

Proof. The problem is min over Z of sum_n loss(z_n)/N + 2 mu ||Z Dpi||_* with Dpi = I/sqrt N (`nuclear_norm.py`),
convex.

1. Averaging a subgradient of loss(., y_n) at s (e_n - 1/N) over the permutations that fix n gives another
   subgradient v_n, with one value at n and one value elsewhere. Shift invariance makes its entries sum to zero. So
   V = -g N/(N-1) P with P = I - J/N, and moving along s shows that -g runs through the subgradients of f at s.
2. ||V Dpi||_op <= 2 mu holds exactly if g <= kappa, because 2 mu - ||V Dpi||_op = (sqrt N/(N-1)) (kappa - g).
3. At a minimiser s > 0 of f + kappa s choose g = kappa. At s = 0 choose g = -f'(0+) <= kappa. In both cases
   g s = kappa s and g >= 0.
4. For any Z', with X' = Z' Dpi and X = Z Dpi, convexity and the duality of the operator and nuclear norms give
       sum_n loss(z'_n)/N + 2 mu ||X'||_*  >=  f(s) - <V Dpi, X> + <V Dpi, X'> + 2 mu ||X'||_*  >=  f(s) - <V Dpi, X>,
   and -<V Dpi, X> = g s = kappa s, which is the value at Z since 2 mu ||X||_* = kappa s. So Z is optimal.
5. With an unregularised bias b the extra term is <V Dpi, b sqrt(pi)'> = <V 1, b>/N = 0, so the bound is unchanged.

Uniqueness. Equality in step 4 forces <P, X'> = ||X'||_*, hence X' = P X' P symmetric and positive semidefinite, and
equality in every subgradient inequality. Cross-entropy: its Hessian is the covariance of the softmax (step
"uniqueness" below), strictly positive off the shifts, so Z' = Z. Squared hinge: equality forces all N-1 violations
of a column to equal 1 - s. Hinge with kappa != 1: it forces Z' = P diag(s_n), and Z' 1 = 0 makes the s_n equal, so
again Z' = Z. Label relaxation is strictly convex up to shifts wherever it is positive: it is a strictly decreasing,
strictly convex function of u = z_n - lse(others), and u is strictly concave except along a common shift of the others.
"""

import sympy as sp
from _check import identity, nonnegative, positive
from _invariant import IDENTITY, ONES, Invariant, N, P, check_algebra

PROVES = {
    "ufm-simplex-etf": {
        "hypotheses": (
            "cross-entropy",
            "one-hot labels",
            "balanced classes",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
        ),
        "definitions": {
            "kappa": "2*(num_classes - 1)*sqrt(weight_decay*feature_decay)/sqrt(num_classes)",
            "others": "(num_classes - 1)*smoothing/num_classes",
            "e": "others + kappa",
            "s": "log(Max(1, (num_classes - 1)*(1 - e)/e))",
        },
        "conclusion": ("value == log(exp(s) + num_classes - 1) + (kappa - (1 - others))*s",),
        "quantities": {
            "value": "the optimal value, without a bias",
        },
    },
}

s, g, lw, lh = sp.symbols("s g lambda_W lambda_H", positive=True)
alpha, p = sp.symbols("alpha p", positive=True)
mu = sp.sqrt(lw * lh)
kappa = 2 * (N - 1) * mu / sp.sqrt(N)


def main() -> None:
    """Run every step."""
    check_algebra()
    gradients_are_multiples_of_the_centring_projector()
    dual_certificate()
    scales_of_the_configuration()
    uniqueness()


def gradients_are_multiples_of_the_centring_projector() -> None:
    """Step 1, made explicit: own, first and remaining logits (z0, z1 and N-2 copies of z2), differentiated at (s, 0,
    0).

    By shift invariance (s, 0, ..., 0) stands for s (e_n - 1/N). For each smooth loss the gradient has entry f'(s) at
    the own class and -f'(s)/(N-1) at every other, so V = f'(s) N/(N-1) P.
    """
    z0, z1, z2 = sp.symbols("z0 z1 z2", real=True)
    others = sp.exp(z1) + (N - 2) * sp.exp(z2)
    own_weight = 1 - alpha + alpha / N  # claim
    smoothed = own_weight * z0 + alpha / N * (z1 + (N - 2) * z2)
    probability = sp.exp(z0) / (sp.exp(z0) + others)
    losses = {
        "cross-entropy with smoothing": sp.log(sp.exp(z0) + others) - smoothed,
        "label relaxation": (1 - alpha) * sp.log((1 - alpha) / probability) + alpha * sp.log(alpha / (1 - probability)),
    }
    own_probability = sp.exp(s) / (sp.exp(s) + N - 1)
    slopes = {
        "cross-entropy with smoothing": own_probability - 1 + (N - 1) * alpha / N,  # claim
        "label relaxation": own_probability - (1 - alpha),
    }
    at = {z0: s, z1: 0, z2: 0}
    for name, loss in losses.items():
        own, other = sp.diff(loss, z0).subs(at), sp.diff(loss, z1).subs(at)
        gradient = Invariant.from_entries(own, other)
        identity(f"{name}: columns of V sum to zero", gradient.mean)
        identity(f"{name}: V = f'(s) N/(N-1) P", gradient.deviation, slopes[name] * N / (N - 1))
        profile = loss.subs({z0: s * (1 - 1 / N), z1: -s / N, z2: -s / N})
        identity(f"{name}: f'(s)", sp.diff(profile, s), slopes[name])
    # Mean squared error at the bias 1/N: the gradient is z_n + 1/N - y_n.
    labels = (1 - alpha) * IDENTITY + alpha / N * ONES
    squared = s * P + 1 / N * ONES - labels
    profile = (squared @ squared).diagonal / 2
    identity("mean squared error at bias 1/N: columns and rows of V sum to zero", squared.mean)
    identity(
        "mean squared error at bias 1/N: V = f'(s) N/(N-1) P", squared.deviation, sp.diff(profile, s) * N / (N - 1)
    )
    identity("mean squared error at bias 1/N: f'(s)", sp.diff(profile, s), (N - 1) / N * (s - (1 - alpha)))
    # Hinges: the average of e_j - e_n over j != n, times g, is a subgradient; its entries are -g and g/(N-1).
    hinge = Invariant.from_entries(-g, g / (N - 1))
    identity("hinges: columns of V sum to zero", hinge.mean)
    identity("hinges: V = -g N/(N-1) P", hinge.deviation, -g * N / (N - 1))


def dual_certificate() -> None:
    """Steps 2 to 5, for every N."""
    half = 1 / sp.sqrt(N)  # Dpi is this multiple of the identity
    x = half * (s * P)
    v = -g * N / (N - 1) * P
    a = half * v
    operator_norm = -a.deviation  # the nonzero singular value, N-1 times
    identity("slack of the certificate", 2 * mu - operator_norm, sp.sqrt(N) / (N - 1) * (kappa - g))  # claim
    nuclear_norm = (N - 1) * x.deviation
    identity("regulariser at Z is kappa s", 2 * mu * nuclear_norm, kappa * s)
    identity("-<V Dpi, X> = g s", -(a @ x).trace, g * s)
    identity("the dual value at g = kappa is f(s) + kappa s", -(a @ x).trace.subs(g, kappa), 2 * mu * nuclear_norm)
    identity("V 1 = 0, so a bias has no slope", (v @ (IDENTITY - P)).mean)


def scales_of_the_configuration() -> None:
    """The factors W = c P, H = a P multiply to s P, balance and cost kappa s."""
    a = (N * lw / lh) ** sp.Rational(1, 4) * sp.sqrt(s)
    c = (lh / (N * lw)) ** sp.Rational(1, 4) * sp.sqrt(s)
    w, h = c * P, a * P
    identity("c a = s", (w @ h).deviation, s)
    identity("weight part = feature part", lw * w.squared_norm, lh * h.squared_norm / N)
    identity("the decay costs kappa s", lw * w.squared_norm + lh * h.squared_norm / N, kappa * s)
    gram = h @ h
    identity("||h_n||^2 = a^2 (N-1)/N", gram.diagonal, a**2 * (N - 1) / N)
    identity("||h_n - h_m||^2 = 2 a^2", 2 * gram.diagonal - 2 * gram.off_diagonal, 2 * a**2)  # claim
    identity("cosine between class means is -1/(N-1)", gram.off_diagonal / gram.diagonal, -1 / (N - 1))  # claim
    # ||w_1 - w_2|| ||h_1 - h_2|| / 2 = s: used for two classes by the memorization-dilation problem.
    identity("kap D / 2 = s", sp.sqrt(2) * c * sp.sqrt(2) * a / 2, s)


def uniqueness() -> None:
    """The Hessian of lse along d is the variance of d under the softmax, a sum of squares of differences.

    Written for four classes; each coefficient p_i p_j (d_i - d_j)^2 involves only two of them.
    """
    logits, direction = sp.symbols("z1:5", real=True), sp.symbols("d1:5", real=True)
    weights = [sp.Symbol(f"w{i}", positive=True) for i in range(1, 5)]  # e^{z_i}
    total = sum(weights)
    step = sp.Symbol("t", real=True)
    lse = sp.log(sum(w * sp.exp(step * d) for w, d in zip(weights, direction, strict=True)))
    second = sp.diff(lse, step, 2).subs(step, 0)
    pairs = [(i, j) for i in range(len(logits)) for j in range(i)]
    variance = sum(weights[i] * weights[j] * (direction[i] - direction[j]) ** 2 for i, j in pairs) / total**2  # claim
    identity("Hessian of lse is a sum of squares of differences", second, variance)
    nonnegative("which is nonnegative, and zero only for shifts", variance)
    # Label relaxation as a function of u = z_n - lse(others): phi = log(1+e^u) - (1-alpha) u - H2(alpha), phi'' > 0.
    u = sp.Symbol("u", real=True)
    phi = sp.log(1 + sp.exp(u)) - (1 - alpha) * u
    positive("label relaxation is strictly convex in u", sp.simplify(sp.diff(phi, u, 2)))
    share = sp.exp(u) / (1 + sp.exp(u))
    relaxed = (1 - alpha) * sp.log((1 - alpha) / share) + alpha * sp.log(alpha / (1 - share))
    entropy = -(1 - alpha) * sp.log(1 - alpha) - alpha * sp.log(alpha)
    below = {alpha: 1 / (1 + p)}  # 0 < alpha < 1
    identity("label relaxation as a function of u", sp.expand_log((relaxed - phi + entropy).subs(below), force=True))


if __name__ == "__main__":
    main()
