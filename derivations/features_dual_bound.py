"""Lower bounds for the unconstrained features model, recomputable from the answer, for every convex loss.

Setting: min over Z of sum_n pi_n l_n(z_n) + cost, with l_n convex, conjugate l_n*(v) = sup_z (<v, z> - l_n(z)), mu =
sqrt(lW lH). The cost is 2 mu ||Z Dpi||_* (free features) or the least weight decay of nonnegative factors. V has
columns v_n in the domain of l_n*, A = V Dpi.

Theorem. Let S = ||A||_op (free) or S^2 = lambda_max(A'A + L) for any symmetric entrywise nonnegative L
(nonnegative), for instance L = max(-A'A, 0). Put theta = min(1, 2 mu/S). If the l_n* are finite at theta v_n, the
optimal value is at least  -sum_n pi_n l_n*(theta v_n).

Conjugates, for v with zero sum, v_j >= 0 for j != n and tau = -v_n = sum of the others:

    cross-entropy, any label y      -l* = H(y + v)                (y + v a probability vector)
    mean squared error              -l* = -||v||^2/2 - <v, y>
    label relaxation (tau <= 1-alpha)   -l* = H2(alpha + tau) - H2(alpha) - sum_j v_j log(v_j/tau)
    hinge (tau <= 1)                -l* = tau
    squared hinge                   -l* = tau - tau^2/2

For cross-entropy with V = softmax(Z) - Y, Y + theta V = theta softmax(Z) + (1-theta) Y. The bound is exact at the
closed forms of `balanced_free.py`, `balanced_nonnegative.py` and `unequal_weights_nonnegative.py`; for the balanced
hinge, V = -kappa N/(N-1) P gives the bound kappa. With free features (M large enough) it is exact at every optimal Z of a
differentiable loss, with V its gradients there and theta = 1, also where Z = 0.

Proof. l_n(z) >= <theta v_n, z> - l_n*(theta v_n) gives sum_n pi_n l_n(z_n) + cost >= -sum_n pi_n l_n*(theta v_n) +
(theta <A, Z Dpi> + cost), and the last bracket is nonnegative. Free: <A, X> >= -||A||_op ||X||_*. Nonnegative: by
completing the square in W (`balanced_nonnegative.py`) the bracket is at least tr((4 mu^2 I - theta^2 A'A) G)/(4 lW)
with G doubly nonnegative, and 4 mu^2 I - theta^2 A'A is the sum of 4 mu^2 I - theta^2 (A'A + L), positive
semidefinite, and of theta^2 L, entrywise nonnegative.
Exactness: an optimal Z minimises a convex function, so -A is a subgradient of 2 mu ||.||_* at X = Z Dpi: ||A||_op <= 2 mu, hence
theta = 1, and <A, X> = -2 mu ||X||_*. Fenchel's equality l_n(z_n) + l_n*(v_n) = <v_n, z_n>, summed with the weights, gives
-sum pi_n l_n* = sum pi_n l_n - <A, X>, the value at Z.
"""

import sympy as sp
from _check import identity, nonnegative
from _invariant import IDENTITY, ONES, N, P, check_algebra

PROVES = {
    "entropy-lower-bound": {
        "hypotheses": (
            "cross-entropy",
            "free features",
            "no bias",
            "enough features",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "first != second",
        ),
        "definitions": {
            "rest": "sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + smoothing/2",
            "left": "Min(1/2, rest)",
        },
        "conclusion": (
            "value >= bound",
            "balanced == best",
            "balanced == -left*log(left) - (1 - left)*log(1 - left)",
        ),
        "quantities": {
            "value": "the optimal value for two classes of proportions pi with smoothed labels",
            "balanced": "the same with equal proportions",
            "bound": "sum_n pi_n H(q_n) at the logits whose columns have the margins first and second",
            "best": "the same at the optimal logits of equal proportions",
        },
    },
}

x, y, z, alpha, tau, mu, g = sp.symbols("x y z alpha tau mu g", positive=True)


def main() -> None:
    """Run every step."""
    check_algebra()
    cross_entropy()
    squared()
    label_relaxation()
    hinges()
    exact_at_the_closed_forms()


def cross_entropy() -> None:
    """sup_z <q, z> - lse(z) is attained at z = log q and equals -H(q); three classes, q = (x, y, z)/(x + y + z)."""
    total = x + y + z
    logits = [sp.log(part / total) for part in (x, y, z)]
    q = [part / total for part in (x, y, z)]
    variables = sp.symbols("z1:4", real=True)
    lse = sp.log(sum(sp.exp(v) for v in variables))
    at = dict(zip(variables, logits, strict=True))
    identity("gradient of lse at log q is q", sp.Matrix([sp.diff(lse, v).subs(at) for v in variables]), sp.Matrix(q))
    softmax = [sp.exp(v) / sum(sp.exp(w) for w in variables) for v in variables]
    mixing = -sum(p * (v - lse) for p, v in zip(softmax, variables, strict=True))  # -log p = lse - z
    fenchel = sum(p * v for p, v in zip(softmax, variables, strict=True)) + mixing  # claim
    identity("Fenchel's equality: lse(z) = <softmax z, z> + H(softmax z)", lse, fenchel)
    entropy = -sum(share * sp.log(share) for share in q)
    identity(
        "value there", sum(share * v for share, v in zip(q, logits, strict=True)) - lse.subs(at), -entropy
    )  # claim
    theta = sp.Symbol("theta", positive=True)
    identity("Y + theta (Q - Y)", y + theta * (x - y), theta * x + (1 - theta) * y)  # claim


def squared() -> None:
    """One coordinate of ||z - y||^2/2."""
    v, target, logit = sp.symbols("v y z", real=True)
    best = v + target
    loss = (logit - target) ** 2 / 2
    identity("stationary", sp.diff(v * logit - loss, logit).subs(logit, best))
    identity("conjugate", (v * logit - loss).subs(logit, best), v**2 / 2 + v * target)  # claim


def label_relaxation() -> None:
    """l = phi(u), u = z_n - lse(others), phi(u) = log(1+e^u) - (1-alpha) u - H2(alpha).

    <v, z> = -tau z_n + sum v_j z_j = -tau u + (sum v_j z_j - tau lse(others)). The bracket has supremum sum v_j
    log(v_j/tau) (the cross-entropy step, scaled by tau) and inf_u phi(u) + tau u = H2(alpha + tau) - H2(alpha).
    """
    own, others, lse = sp.symbols("z_n S lse", real=True)
    u = own - lse
    identity("split of <v, z>", -tau * own + others, -tau * u + (others - tau * lse))  # claim
    small, share = 1 / (1 + x), 1 / (1 + x + y)  # alpha and alpha + tau, up to order: share = 1 - p_n at the minimum
    drop = share - small  # tau as a function of the stationary point u = log((1-share)/share)
    at = sp.log((1 - share) / share)

    def h2(q):
        return -q * sp.log(q) - (1 - q) * sp.log(1 - q)

    phi = sp.log(1 + sp.exp(at)) - (1 - small) * at - h2(small)
    logistic = sp.exp(at) / (1 + sp.exp(at))
    identity("stationary: phi'(u) = -tau", logistic - (1 - small) + drop)
    stated = h2(small + drop) - h2(small)
    identity("inf of phi(u) + tau u", split_logs(phi + drop * at), split_logs(stated))


def hinges() -> None:
    """v = sum_j v_j (e_j - e_n), so <v, z> = sum v_j (z_j - z_n) <= tau (a - 1) with a = max_j (1 + z_j - z_n),
    attained on ties.

    Hinge, 0 <= tau <= 1: sup over a of tau (a - 1) - max(a, 0) is -tau, at a = 0. Squared hinge: tau (a-1) - a^2/2
    is largest at a = tau.
    """
    a = sp.Symbol("a", nonnegative=True)
    room = sp.Symbol("room", nonnegative=True)  # 1 - tau
    gap = -tau - (tau * (a - 1) - a)  # claim
    nonnegative("hinge: a >= 0 gains nothing over a = 0", gap.subs(tau, 1 - room).expand())
    conjugate = -tau + tau**2 / 2  # claim
    identity("squared hinge", (tau * (a - 1) - a**2 / 2).subs(a, tau), conjugate)
    identity("squared hinge: shortfall is a square", conjugate - (tau * (a - 1) - a**2 / 2), (a - tau) ** 2 / 2)


def exact_at_the_closed_forms() -> None:
    """V = -g N/(N-1) P, A = V/sqrt N: S as stated, and theta = 1 exactly when g = kappa."""
    a = -g * N / (N - 1) / sp.sqrt(N) * P
    free = 2 * (N - 1) * mu / sp.sqrt(N)
    identity("free: S = 2 mu at g = kappa", -a.deviation.subs(g, free), 2 * mu)
    product = a @ a
    multiplier = g**2 / (N - 1) ** 2 * (ONES - IDENTITY)
    identity("max(-A'A, 0) is the multiplier", multiplier.off_diagonal, -product.off_diagonal)
    bounded = product + multiplier
    identity("A'A + L is a multiple of I", bounded.deviation, bounded.mean)
    kappa = 2 * sp.sqrt(N - 1) * mu
    identity("nonnegative: S^2 = 4 mu^2 at g = kappa", bounded.deviation.subs(g, kappa), 4 * mu**2)
    identity("hinge: tau of a column is g, so the bound is kappa", -(-g * N / (N - 1) * P).diagonal, g)


def split_logs(expression):
    """Factor the arguments of logarithms, then expand them."""
    factored = expression.replace(sp.log, lambda a: sp.log(sp.factor(sp.together(a))))
    return sp.expand(sp.expand_log(factored, force=True))


if __name__ == "__main__":
    main()
