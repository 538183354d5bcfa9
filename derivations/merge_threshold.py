"""When equal classes coincide: minority collapse, with loss weights, logit scales and unequal feature decay.

Theorem. Let k >= 2 of the N classes, the block B, share the proportion p, the loss weight omega, the logit scale
Delta, the feature decay weight rho and the entry of a logit adjustment c. With cross-entropy (or squared error, without
the adjustment) and label smoothing alpha in [0, 1), free features of dimension M >= N - 1 (squared error without a
bias: N), consider

    min over W, H, b   sum_n p_n [omega_n loss(Delta_n (W h_n + b) + c, y_n) + lH rho_n ||h_n||^2] + lW ||W||^2 .

At a global minimum the class means of B coincide, and the rows of W that belong to B coincide, if and only if

    (1 - alpha) omega Delta sqrt(p/rho)  <=  t := 2 sqrt(lW lH) .

The other classes, the adjustment and a bias (absent, free, or penalised) do not matter. Hence: equal weights give
sqrt p <= t; balanced classes give the collapse threshold mu = (1-alpha)/(2 sqrt N); a feature decay that averages per
class (rho = 1/(N p)) gives p sqrt N <= t; inverse-frequency weights omega = 1/(N p) give 1/(N sqrt p) <= t, so the
largest classes merge first; omega proportional to p^(-1/2) treats all alike; omega = 1/(N p) with Delta = sqrt(N p)
makes the problem the balanced one.

Proof. With D = diag(sqrt(p_n rho_n)) and X = Z D the problem is min over Z and b of
sum_n p_n omega_n loss(Delta_n (z_n + b) + c, y_n) + t ||X||_* (`nuclear_norm.py`), which is convex.

1. A permutation of B, applied to the rows and columns of Z and to b, changes nothing. Averaging a minimiser over these
   permutations gives a minimiser with Z_BB = a I + b J, equal columns in Z_AB and equal rows in Z_BA. X and X' then
   map the vectors u on B with zero sum to a sqrt(p rho) u, and so map the complement to the complement. Hence
   ||X||_* is a sum over the two parts, and so is its subdifferential.
2. The gradient V of the loss term has the same symmetry. On these vectors V D^-1 is g = p omega (own - other)/sqrt(p rho)
   with own and other the two entries of a column of B. Optimality is g = -t sign(a) if a != 0, |g| <= t if a = 0.
3. Cross-entropy: own - other = Delta (s_own - s_other - (1-alpha)), and s_own - s_other has the sign of a (and is 0
   if a = 0). Put T = (1-alpha) omega Delta sqrt(p/rho). If a = 0, then |g| = T, so T <= t. If a > 0, then g = -t reads
   t = T - omega Delta sqrt(p/rho) (s_own - s_other) < T. If a < 0, g = t > 0 is needed, but g < -T < 0. So
   a = 0 iff T <= t. Squared error: the same with Delta a in the place of s_own - s_other.
4. a = 0 means that the columns of B agree, and so do its rows. Two minimisers differ by (Z - beta 1', b + beta) at
   most: cross-entropy is strictly convex up to shifts of a column (`balanced_free.py`), which the norm of X excludes,
   and squared error is strictly convex. So the columns of B agree in every minimiser iff in this one. The part of beta
   on the vectors u must vanish when a = 0: X' u = 0, and rows X' u = -(u'beta) D 1 instead would raise ||X||_* alone.
   W is injective on the range of H D and H' on the range of W' (`nuclear_norm.py`), so means and rows coincide with
   the columns and rows of Z.
"""

import sympy as sp
from _check import holds, identity, negative, positive
from _invariant import N

PROVES = {
    "merge-threshold": {
        "hypotheses": ("cross-entropy", "one-hot labels", "free features", "enough features"),
        "assumptions": ("majority >= 1", "minority >= 2", "share > 0", "weight_decay > 0", "feature_decay > 0"),
        "conclusion": (
            "gain iff-positive -2*sqrt(feature_decay)*sqrt(weight_decay) + sqrt(1 - share)/sqrt(minority)",
            "pull == sqrt(1 - share)/sqrt(minority)",
        ),
        "quantities": {
            "gain": "optimum of the symmetry-reduced convex problem: Newton's method, primal and dual value in balls; what is below 1e-20 counts as nothing",
            "pull": "singular value of the gradient at the best coinciding configuration",
        },
    },
    "merge-threshold-general": {
        "hypotheses": ("cross-entropy", "one-hot labels", "free features", "enough features"),
        "assumptions": (
            "majority >= 1",
            "minority >= 2",
            "share > 0",
            "weight_decay > 0",
            "feature_decay > 0",
            "loss_weight > 0",
            "logit_scale > 0",
            "decay_weight > 0",
            "smoothing >= 0",
            "smoothing < 1",
        ),
        "definitions": {
            "threshold": "logit_scale*loss_weight*sqrt(1 - share)*(1 - smoothing)/(sqrt(decay_weight)*sqrt(minority))",
        },
        "conclusion": (
            "gain iff-positive -2*sqrt(feature_decay)*sqrt(weight_decay) + threshold",
            "pull == threshold",
        ),
        "quantities": {
            "gain": "optimum of the symmetry-reduced convex problem: Newton's method, primal and dual value in balls; what is below 1e-20 counts as nothing",
            "pull": "singular value of the gradient at the best coinciding configuration",
        },
    },
}

a, growth, size, total, omega, delta, p, rho, c, t = sp.symbols(
    "a growth size total omega Delta p rho c t", positive=True
)
alpha, keep = sp.Symbol("alpha", real=True), sp.Symbol("keep", positive=True)  # keep = 1 - alpha


def threshold(share, weight=1, scale=1, decay=1):
    """T for smoothing 1 - keep."""
    return keep * weight * scale * sp.sqrt(share / decay)


def main() -> None:
    """Run every step."""
    blocks_split()
    gradient_on_the_block()
    sign_of_the_multiple()
    special_cases()


def blocks_split() -> None:
    """Step 1, for two other classes and three in B: X u = X' u = a sqrt(p rho) u, entry by entry in free symbols."""
    free = sp.Matrix(2, 2, sp.symbols("f1:5"))
    columns, rows = sp.Matrix(sp.symbols("g1:3")), sp.Matrix([sp.symbols("r1:3")])
    level, depth = sp.Symbol("level"), sp.Symbol("d", positive=True)
    block = a * sp.eye(3) + level * sp.ones(3, 3)
    z = sp.Matrix(sp.BlockMatrix([[free, columns * sp.ones(1, 3)], [sp.ones(3, 1) * rows, block]]))
    x = z * sp.diag(*sp.symbols("d1:3", positive=True), depth, depth, depth)
    u1, u2 = sp.symbols("u1 u2")
    u = sp.Matrix([0, 0, u1, u2, -(u1 + u2)])
    identity("X u is a multiple of u", x * u, a * depth * u)
    identity("X' u is the same multiple of u", x.T * u, a * depth * u)


def gradient_on_the_block() -> None:
    """Step 2: entries of the gradient of a column of B by differentiation, for three classes in B."""
    z = sp.symbols("z1:4", real=True)
    rest = sp.Symbol("rest", positive=True)  # exponentials of the other classes
    labels = [1 - alpha + alpha / N, alpha / N, alpha / N]  # claim
    exponentials = [sp.exp(delta * zi + c) for zi in z]
    loss = sp.log(rest + sum(exponentials)) - sum(y * (delta * zi + c) for y, zi in zip(labels, z, strict=True))
    gap = sp.diff(loss, z[0]) - sp.diff(loss, z[1])
    softmax = [e / (rest + sum(exponentials)) for e in exponentials]
    identity("cross-entropy: own - other", gap, delta * (softmax[0] - softmax[1] - (1 - alpha)))  # claim
    bias, level = sp.symbols("bias level", real=True)
    squared = sum((delta * (zi + bias) - y) ** 2 for y, zi in zip(labels, z, strict=True)) / 2
    gap = sp.diff(squared, z[0]) - sp.diff(squared, z[1])
    at = {z[0]: a + level, z[1]: level}
    identity("squared error: own - other", gap.subs(at), delta * (delta * a - (1 - alpha)))  # claim
    coincident = p * omega * delta * (-keep) / sp.sqrt(p * rho)
    identity("at coincidence g = -T", coincident, -threshold(p, omega, delta, rho))  # claim


def sign_of_the_multiple() -> None:
    """Step 3. With e^(Delta |a|) = 1 + growth, the smaller exponential `size` and the normaliser `total`."""
    scale = p * omega * delta / sp.sqrt(p * rho)
    bound = threshold(p, omega, delta, rho)
    above = (size * (1 + growth) - size) / total
    positive("a > 0: s_own - s_other", above)
    g = scale * (above - keep)  # claim
    identity("g = -t reads t = T - omega Delta sqrt(p/rho) (s_own - s_other)", -g, bound - scale * above)
    positive("so t < T", scale * above)
    below = (size - size * (1 + growth)) / total
    negative("a < 0: s_own - s_other", below)
    negative("so g < 0, but optimality needs g = t", scale * (below - keep))
    squared = scale * (delta * a - keep)
    identity("squared error: T - t at g = -t", bound + squared, scale * delta * a)
    positive("which is positive with a", scale * delta * a)
    negative("squared error with a < 0: g", scale * (-delta * a - keep))


def special_cases() -> None:
    """What follows."""
    identity("balanced: mu = (1-alpha)/(2 sqrt N)", threshold(1 / N) / 2, keep / (2 * sp.sqrt(N)))
    averaged = threshold(p, decay=1 / (N * p))
    identity("decay averaged per class: p sqrt N", averaged, keep * p * sp.sqrt(N))
    inverse = threshold(p, weight=1 / (N * p))
    identity("inverse-frequency weights", inverse, keep / (N * sp.sqrt(p)))
    negative("their threshold falls with p, so the majority merges first", sp.diff(inverse, p))
    positive("while the unweighted one rises", sp.diff(threshold(p), p))
    identity("omega = p^(-1/2): the same for all", threshold(p, weight=1 / sp.sqrt(p)), keep)
    balanced = threshold(p, weight=1 / (N * p), scale=sp.sqrt(N * p))
    identity("omega = 1/(N p), Delta = sqrt(N p): that of balanced classes", balanced, threshold(1 / N))
    # In the logits Delta z that problem has loss weight 1/N and D/Delta = 1/sqrt N: it is the balanced problem itself.
    identity("loss weight", p * (1 / (N * p)), 1 / N)
    identity("D / Delta", sp.sqrt(p) / sp.sqrt(N * p), 1 / sp.sqrt(N))
    # The adjustment appears in no formula for T.
    holds("no adjustment in the threshold", c not in threshold(p, omega, delta, rho).free_symbols)


if __name__ == "__main__":
    main()
