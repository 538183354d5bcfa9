"""When nothing is learned: total collapse for any proportions and any labels; and how a gap bounds the rank.

Theorem 1. Let the loss be convex in the logits, with free features. Z = 0 (with the bias b, if there is an
unregularised one) is globally optimal iff some choice of subgradients v_k of the loss of group k at the logits 0
(at b, and then with V pi = 0) has ||V Dpi||_op <= 2 mu. With labels Y after smoothing, q = sqrt(pi), ybar = Y pi:

    cross-entropy                   V = J/N - Y
    squared error                   V = -Y
    either with a bias              V = ybar 1' - Y, and V Dpi = -Y Dpi (I - q q')
    label relaxation, one-hot       V = -(1 - alpha - 1/N)_+ N/(N-1) P,  P = I - J/N
    hinges, one-hot                 V = -N/(N-1) P is one choice, the best one for balanced classes and for N = 2

One-hot labels: the squared singular values of P Dpi are 0 and the zeros of the derivative of prod (x - pi_k), with
multiplicity: the roots of sum 1/(pi_k - x) = 0, and m - 1 times each proportion that m classes share. So the largest is
the largest proportion if two classes share it, and otherwise the largest root of the sum, between the two largest
proportions. Balanced classes give the thresholds of `collapse_threshold.py`.

Proof. Convexity: 0 must be a subgradient of the objective, and the subgradients of 2 mu ||X||_* at X = 0 are the
matrices of operator norm at most 2 mu. The bias adds V pi = 0; for cross-entropy the best constant logits have
softmax(b) = ybar (ybar > 0 is needed for b to exist), for squared error b = ybar. Hinges at equal logits: the
subgradients of class n are the convex combinations of e_j - e_n, j != n. For balanced classes the norm is convex and
does not change under relabelling, so averaging makes it no larger, and leaves only the uniform combination; for N = 2
there is only one. The spectrum: det(x I - Dpi P Dpi) = prod (x - pi_k) (1 + (1/N) sum pi_k/(x - pi_k)) by the determinant
lemma, and the bracket is (x/N) sum 1/(x - pi_k) (step "one-hot spectrum"): x/N times the derivative of the product, an
identity of polynomials, so for shared proportions too. The feature dimension does not matter: if Z = 0 is optimal among all Z, it is so among those of
any rank; and if ||V Dpi||_op > 2 mu for the unique V, the rank-one direction of its top singular vectors descends.

Theorem 2 (rank from a gap; cross-entropy, no bias). Let F be the objective, F* its minimum, F(Z) - F* <= gap,
S = softmax Z, G = (S - Y) Dpi, X = Z Dpi with columns of Z centred, and stars at the minimiser. Then

    (a) sum_k pi_k KL(s*_k || s_k) <= gap,  (b) ||G - G*||_F^2 <= gap,
    (c) rank X* <= number of singular values of G that are >= 2 mu - sqrt(gap),
    (d) |s*_ik - s_ik| <= sqrt(2 (gap/pi_k) max(s*_ik, s_ik)), so that
        |log(s*_ik/s_ik)| <= -log(1 - sqrt(2 gap/(pi_k s_ik))) where the root is below 1; this bounds ||X - X*||_F,
        and a singular value of X above that bound is a nonzero one of X* (Weyl).

Proof. (a) F minus its linearisation at the minimiser with the optimal subgradient, which vanishes, is at least the
Bregman divergence of the loss, and that of lse is KL(s*||s). (b) For a vector v with zero sum whose positive entries
sum to x, ||v||_2^2 <= 2 x^2 = ||v||_1^2/2, and Pinsker's inequality is ||v||_1^2 <= 2 KL. (c) <G*, X*> = -2 mu ||X*||_*
and ||G*||_op <= 2 mu make every singular pair of X* a singular pair of G* with the value 2 mu; Weyl. (d) KL is at least
the divergence of the two-point distributions (s*_i, 1 - s*_i), (s_i, 1 - s_i), for which the inequality is checked
below by its slope in the second argument. Upper deviations are the smaller ones. The columns of Z* and Z are centred
logarithms of S* and S, and centring is a projection.
"""

import sympy as sp
from _check import identity, nonnegative, positive
from _invariant import IDENTITY, ONES, E, Invariant, N, P, check_algebra

PROVES = {
    "zero-collapse-any-labels": {
        "hypotheses": ("cross-entropy", "free features", "no bias"),
        "assumptions": ("label_1 >= 0", "label_2 >= 0", "label_3 >= 0", "weight_decay > 0", "feature_decay > 0"),
        "definitions": {
            "norm_square": "2*pi_1*(label_1 - 1/2)**2 + 2*pi_2*(label_2 - 1/2)**2 + 2*pi_3*(label_3 - 1/2)**2",
        },
        "conclusion": ("size iff-positive -4*feature_decay*weight_decay + norm_square",),
        "quantities": {
            "size": "stationary point of two classes, by proved signs",
        },
    },
    "zero-collapse-proportions": {
        "hypotheses": ("cross-entropy", "one-hot labels", "free features", "no bias"),
        "assumptions": ("minority >= 1", "share > 0", "weight_decay > 0", "feature_decay > 0", "majority >= 1"),
        "definitions": {
            "a": "share/majority",
            "b": "(1 - share)/minority",
            "x": "Piecewise((a, (a >= b) & (majority >= 2)), (b, (minority >= 2) & (a <= b)), ((a*minority + b)/(minority + 1), a >= b), ((a + b*majority)/(majority + 1), True))",
            "e_2": "pi_1*pi_2 + pi_1*pi_3 + pi_2*pi_3",
        },
        "conclusion": (
            "gain iff-positive -4*feature_decay*weight_decay + steepest",
            "steepest == x",
            "steepest_of_three == pi_1/3 + pi_2/3 + pi_3/3 + sqrt(Max(0, -3*e_2 + (pi_1 + pi_2 + pi_3)**2))/3",
        ),
        "quantities": {
            "gain": "optimum of the symmetry-reduced convex problem: Newton's method, primal and dual value in balls; what is below 1e-20 counts as nothing",
            "steepest": "singular values of the gradient at zero, in balls",
            "steepest_of_three": "eigenvalues in balls",
        },
    },
}

alpha, mu, x = sp.symbols("alpha mu x", positive=True)


def main() -> None:
    """Run every step."""
    check_algebra()
    gradients_at_zero()
    bias_projects()
    one_hot_spectrum()
    balanced_thresholds()
    hinges()
    two_point_divergence()
    deviation_of_a_logarithm()


def gradients_at_zero() -> None:
    """Gradients at equal logits: own entry, and one of the N - 1 others in the position z1 (z2 are the rest)."""
    z0, z1, z2 = sp.symbols("z0 z1 z2", real=True)
    normaliser = sp.exp(z0) + sp.exp(z1) + (N - 2) * sp.exp(z2)
    own_label, other_label = 1 - alpha + alpha / N, alpha / N
    labels = Invariant.from_entries(own_label, other_label)
    entropy = sp.log(normaliser) - own_label * z0 - other_label * (z1 + (N - 2) * z2)
    zero = {z0: 0, z1: 0, z2: 0}
    found = Invariant.from_entries(*(sp.diff(entropy, z).subs(zero) for z in (z0, z1)))
    expected = 1 / N * ONES - labels  # claim
    identity("cross-entropy: V = J/N - Y", found.deviation, expected.deviation)
    identity("cross-entropy: V = J/N - Y, all-ones part", found.mean, expected.mean)
    identity("smoothing: Y = (1-alpha) I + alpha E", (labels - (1 - alpha) * IDENTITY - alpha * E).mean)
    squared = (z0 - own_label) ** 2 / 2 + (z1 - other_label) ** 2 / 2
    found = Invariant.from_entries(*(sp.diff(squared, z).subs(zero) for z in (z0, z1)))
    identity("squared error: V = -Y", sp.Matrix([(found + labels).deviation, (found + labels).mean]), sp.zeros(2, 1))
    share = sp.exp(z0) / normaliser
    relaxed = (1 - alpha) * sp.log((1 - alpha) / share) + alpha * sp.log(alpha / (1 - share))
    found = Invariant.from_entries(*(sp.diff(relaxed, z).subs(zero) for z in (z0, z1)))
    identity("label relaxation: V, zero-sum part", found.deviation, -(1 - alpha - 1 / N) * N / (N - 1))  # claim
    identity("label relaxation: V, all-ones part", found.mean)


def bias_projects() -> None:
    """(ybar 1' - Y) Dpi = -Y Dpi (I - q q'), for three groups and two rows of arbitrary labels; V pi = 0."""
    y = sp.Matrix(2, 3, sp.symbols("y1:7", real=True))
    q1, q2 = sp.symbols("q1 q2", positive=True)
    q = sp.Matrix([q1, q2, sp.sqrt(1 - q1**2 - q2**2)])
    root, pi = sp.diag(*q), sp.Matrix([entry**2 for entry in q])
    v = y * pi * sp.ones(1, 3) - y  # claim
    identity("V Dpi", v * root, -y * root * (sp.eye(3) - q * q.T))
    identity("V pi = 0: the bias is stationary", v * pi, sp.zeros(2, 1))


def one_hot_spectrum() -> None:
    """det(x I - Dpi P Dpi) is x/N times the derivative of prod(x - pi_k): term by term for every N, and for three classes."""
    share = sp.Symbol("pi_k", positive=True)
    identity("one term of the bracket", 1 + share / (x - share), x / (x - share))  # claim
    p1, p2 = sp.symbols("p1 p2", positive=True)
    weights = [p1, p2, 1 - p1 - p2]
    root = sp.diag(*map(sp.sqrt, weights))
    gram = root * (sp.eye(3) - sp.ones(3, 3) / 3) * root
    secular = sp.diff(sp.prod(x - w for w in weights), x) * x / 3
    identity("characteristic polynomial", (x * sp.eye(3) - gram).det(), secular)
    shared = [p1, p1, 1 - 2 * p1]
    derivative = sp.diff(sp.prod(x - w for w in shared), x)
    identity("a shared proportion is an eigenvalue", derivative.subs(x, p1))
    largest = (1 + sp.sqrt(1 - 3 * (p1 * p2 + (p1 + p2) * (1 - p1 - p2)))) / 3
    identity("three classes", sp.diff(sp.prod(x - w for w in weights), x).subs(x, largest))
    a, b, k = sp.symbols("a b k", positive=True)
    single = (k * a + b) / (k + 1)  # claim
    identity("one class of a and k of b", (1 / (a - single) + k / (b - single)))


def balanced_thresholds() -> None:
    """Operator norm of V/sqrt N against 2 mu."""
    for name, v, threshold in (
        ("cross-entropy", (1 - alpha) * (E - IDENTITY), (1 - alpha) / (2 * sp.sqrt(N))),
        (
            "label relaxation",
            -(1 - alpha - 1 / N) * N / (N - 1) * P,
            (N * (1 - alpha) - 1) / (2 * sp.sqrt(N) * (N - 1)),
        ),
        ("hinges", -N / (N - 1) * P, sp.sqrt(N) / (2 * (N - 1))),
    ):
        norm = -v.deviation / sp.sqrt(N)
        identity(f"{name}: critical mu", norm / 2, threshold)
    # The free cost per unit of margin is 2 (N-1) mu/sqrt N; a hinge collapses where it is 1.
    identity("hinges collapse at kappa = 1", 2 * (N - 1) / sp.sqrt(N) * sp.sqrt(N) / (2 * (N - 1)), 1)


def hinges() -> None:
    """The uniform combination of e_j - e_n over j != n, and the only one for N = 2."""
    uniform = Invariant.from_entries(-1, 1 / (N - 1))
    identity("V = -N/(N-1) P", uniform.deviation, -N / (N - 1))
    identity("columns sum to zero", uniform.mean)
    p1 = sp.Symbol("p1", positive=True)
    v = sp.Matrix([[-1, 1], [1, -1]]) * sp.diag(sp.sqrt(p1), sp.sqrt(1 - p1))
    identity("N = 2: V Dpi Dpi V' = 2 P whatever the proportions", v * v.T, sp.Matrix([[1, -1], [-1, 1]]))


def two_point_divergence() -> None:
    """Theorem 2 (d): kl(a, b) - (a-b)^2/(2 max(a, b)) vanishes at b = a and its slope in b has the sign of b - a."""
    a, b = sp.symbols("a b", positive=True)
    kl = a * sp.log(a / b) + (1 - a) * sp.log((1 - a) / (1 - b))
    excess, rest = sp.symbols("excess rest", positive=True)
    # 0 < b < a < 1: a = b + excess, 1 - b = excess + rest.
    below = sp.diff(kl - (a - b) ** 2 / (2 * a), b)
    inside = {a: 1 - rest, b: 1 - rest - excess}
    spare = sp.Symbol("spare", positive=True)  # b
    slope = sp.factor(sp.together(below.subs(inside)).subs(rest, 1 - excess - spare))
    claimed = -excess * (1 / (spare * (1 - spare)) - 1 / (spare + excess))  # claim
    identity("b < a: slope", slope, claimed)
    bracket = (spare + excess) - spare * (1 - spare)
    positive("b < a: minus the slope is positive", sp.expand(bracket))
    # a < b < 1: slope (b - a)/(b (1-b)) - (b - a)(b + a)/(2 b^2).
    above = sp.diff(kl - (a - b) ** 2 / (2 * b), b)
    identity("b > a: slope", above, (b - a) * (1 / (b * (1 - b)) - (b + a) / (2 * b**2)))  # claim
    numerator = 2 * b - (b + a) * (1 - b)
    identity("its bracket", 1 / (b * (1 - b)) - (b + a) / (2 * b**2), numerator / (2 * b**2 * (1 - b)))
    nonnegative("b > a: 2 b - (b+a)(1-b) > 0", sp.expand(numerator.subs(b, a + excess)))
    identity("at b = a the divergence vanishes", sp.simplify(kl.subs(b, a)))


def deviation_of_a_logarithm() -> None:
    """From s - s* <= r s with r = sqrt(2 eps/s) < 1, and from s* - s <= sqrt(2 eps s*): the logarithms.

    The upper deviation: with w = sqrt(s*), w^2 - sqrt(2 eps) w - s <= 0, and in units of sqrt s this is
    w <= r/2 + sqrt(1 + r^2/4). Then s*/s = w^2 <= 1/(1-r), because (1-r) w^2 <= 1 at the largest w.
    """
    r = sp.Symbol("r", positive=True)
    w = r / 2 + sp.sqrt(1 + r**2 / 4)
    identity("largest w solves w^2 = r w + 1", w**2, r * w + 1)
    # (1-r) w^2 = (1-r)(r w + 1) <= 1 iff (1-r) w <= 1 (divide by r), true since 1/w = sqrt(1 + r^2/4) - r/2 >= 1 - r/2.
    identity("(1-r)(r w + 1) - 1 = r ((1-r) w - 1)", (1 - r) * (r * w + 1) - 1, r * ((1 - r) * w - 1))
    identity("1/w", 1 / w, sp.sqrt(1 + r**2 / 4) - r / 2)
    identity("1 + r^2/4 > 1, so 1/w > 1 - r/2 > 1 - r", (1 - r / 2) - (1 - r), r / 2)


if __name__ == "__main__":
    main()
