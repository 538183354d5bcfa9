"""The small-decay limit with free features: the max-margin problem and its SELI geometry, for every proportion.

Theorem. Let N >= 2, pi_k > 0, P = diag(pi), D = P^(1/2), C = I - J/N, and consider (UF-SVM)

    min over W, H of (||W||^2 + sum_k pi_k ||h_k||^2)/2    subject to    z_kk - z_jk >= 1 (j != k),    Z = W H,

with feature dimension M >= N - 1. Its optimal logits are Z = C, and no others, whatever pi. Put L = (C P C)^+. Then

    L = P^-1 - P^-1 1 1' P^-1 / (1' P^-1 1),    value = ||C D||_* = tr (C P C)^(1/2),
    H'H = L^(1/2),    W W' = (C P C)^(1/2)    (the factors of the singular value decomposition of C D: SELI),

and the multiplier of z_kk - z_jk >= 1 is -pi_k (L^(1/2))_jk > 0. So class means make obtuse angles, and the more
weight a constraint has the wider is its angle. The sum of pi does not matter; decays lW and lH multiply the value by
2 mu. With margins 1/Delta_k asked for instead of 1, the logits are C diag(1/Delta), and pi/Delta^2 takes the place of
pi in L and in the value.

Proof. By `nuclear_norm.py` the problem is min ||Z D||_* under the constraints, a convex problem.

1. Weak duality. For beta_jk >= 0 (j != k) let V have entries beta_jk off the diagonal and -sum_j beta_jk on it. If
   ||V D^-1||_op <= 1, every feasible Z has
       ||Z D||_* >= ||Z D||_* + <V D^-1, Z D> + sum beta_jk >= sum beta_jk,
   because <V, Z> = -sum beta_jk (z_kk - z_jk).
2. C P C L = C and L 1 = 0, which makes L as given the pseudo-inverse (both matrices are symmetric and live on 1-perp).
   Off the diagonal L_jk < 0: L is the Laplacian of a complete graph.
3. The square root keeps the sign. With c = 3.14159..., c x^(1/2) = int_0^inf x/(x+s) s^(-1/2) ds gives, since
   x/(x+s) = 1 - s/(x+s) and with f_k = 1/(1 + s pi_k),
       c (L^(1/2))_jk = -int_0^inf s^(-1/2) f_j f_k / (f_1 + ... + f_N) ds  <  0        (j != k),
   by the inverse of s I + L in step `resolvent`. The integrand is like s^(-1/2)/N at 0 and like s^(-3/2) at infinity.
   (In other words, -L generates a Markov semigroup, and -L^(1/2) a subordinated one.)
4. V = -L^(1/2) P is therefore admissible: its columns sum to zero, its off-diagonal entries are positive, and
   V D^-1 (V D^-1)' = L^(1/2) P L^(1/2) = L^(1/2) C P C L^(1/2) = C has operator norm 1. Its value -tr V =
   tr L^(1/2) P = tr L^(1/2) C P C = tr (C P C)^(1/2) is the value at Z = C, which is feasible: C is optimal.
5. Uniqueness. The multipliers are positive, so an optimal Z has z_kk - z_jk = 1 for all j != k: Z = C + 1 a'.
   Equality in the duality of norms puts the range of Z D into that of V D^-1, which is 1-perp; so a = 0.
6. Geometry. For X = C D the polar factor is X'(XX')^(+1/2) = D L^(1/2), so (X'X)^(1/2) = D L^(1/2) D. The factors of
   `nuclear_norm.py` have W W' = (XX')^(1/2) and D H'H D = (X'X)^(1/2).
7. Temperatures. Z = Y diag(1/Delta) turns the constraints into y_kk - y_jk >= 1 and the cost into
   ||Y diag(sqrt(pi)/Delta)||_*.

Nonnegative features (M >= N). The optimal logits are again C, but the class means are orthogonal, and the value is
sum_k sqrt(pi_k (N-1)/N). Proof: with B = H D, G = B'B and A = V D^-1, the minimum of the Lagrangian over W leaves
tr((I - A'A) G)/2 + sum beta_jk. For beta_jk = g_k/(N-1), g_k = sqrt(pi_k (N-1)/N), the matrix I - A'A is entrywise
nonnegative with zero diagonal, so the trace is nonnegative for every entrywise nonnegative G, and sum beta_jk = sum g_k
is the cost of h_k = a_k e_k with z_k = e_k - 1/N. All beta are positive and so are the off-diagonal entries of
I - A'A: every margin is exactly 1, the class means are orthogonal, and W = -A B' makes z_k a multiple of e_k - 1/N.

The limit. Let Z_t minimise cross-entropy plus t ||Z D||_* (t = 2 mu), r = log(1/t) and v the optimal value above. At
Z = r C that objective is at most t (r v + N - 1). So ||Z_t D||_* <= r v + N - 1, and the loss of no class exceeds
t (r v + N - 1)/pi_k, which makes the margins of Z_t at least r - O(log r): every limit point of Z_t/r is feasible for
UF-SVM with value at most v, hence C. The optimality condition is Y - S = t polar(Z_t D) D^-1 (S the softmax, one column
per class); the polar factor tends to that of C D, L^(1/2) D, so S_jk/t tends to -(L^(1/2))_jk off the diagonal, and

    z_kk - z_jk = log(1/t) - log(-(L^(1/2))_jk) + o(1).

So the direction of Z_t is C only up to O(1/log(1/t)), except for two classes and for balanced ones, where the
off-diagonal entries of L^(1/2) are all equal and Z_t is a multiple of C for every t.
"""

import mpmath
import sympy as sp
from _check import agrees, holds, identity, negative, positive
from _invariant import N

PROVES = {
    "seli-needs-no-step": {
        "hypotheses": ("max-margin problem", "one-hot labels", "free features", "enough features"),
        "assumptions": (),
        "conclusion": (
            "optimum == sqrt(2*pi_1/3 + 2*pi_2/3 + 2*pi_3/3 + 2*sqrt(pi_1*pi_2/3 + pi_1*pi_3/3 + pi_2*pi_3/3))",
            "of_four == cost",
            "ell > 0",
        ),
        "quantities": {
            "optimum": "between a feasible point and a dual point, both in balls",
            "of_four": "between a feasible point and a dual point, both in balls",
            "cost": "eigenvalues in balls",
            "ell": "eigenvectors in double precision",
        },
    },
}

s, p_j, p_k, total = sp.symbols("s pi_j pi_k sigma", positive=True)


def main() -> None:
    """Run every step."""
    pseudo_inverse()
    resolvent()
    two_classes()
    three_classes()
    temperatures()
    nonnegative_features()
    numbers()


def laplacian(proportions):
    """(C P C)^+ in closed form."""
    inverse = sp.Matrix([1 / p for p in proportions])
    return sp.diag(*inverse) - inverse * inverse.T / sum(inverse)  # claim


def centring(n: int):
    """C = I - J/N."""
    return sp.eye(n) - sp.ones(n, n) / n


def pseudo_inverse() -> None:
    """Step 2, entry by entry for every N: sigma = sum_k 1/pi_k."""
    # Column k of P L is e_k - 1/(pi_k sigma): a multiple of the ones away from e_k, which C removes.
    own = p_k * (1 / p_k - 1 / (p_k**2 * total))
    other = p_j * (-1 / (p_j * p_k * total))
    identity("P L = I - 1 1'P^-1/sigma: diagonal", own, 1 - 1 / (p_k * total))  # claim
    identity("P L = I - 1 1'P^-1/sigma: off the diagonal, the same in every row", other, -1 / (p_k * total))  # claim
    identity("L 1 = 0", 1 / p_k - (1 / p_k) * total / total)
    negative("off the diagonal L is negative", -1 / (p_j * p_k * total))
    for n in (2, 3):
        proportions = sp.symbols(f"pi_1:{n + 1}", positive=True)
        c, matrix = centring(n), laplacian(proportions)
        identity(f"C P C L = C for {n} classes", c * sp.diag(*proportions) * c * matrix, c)


def resolvent() -> None:
    """Step 3, for every N: s I + L is diagonal minus rank one, so its inverse is diagonal plus rank one.

    With E = diag(s + 1/pi)^-1, q = P^-1 1 and f = E q, the inverse is E + f f'/tau. Multiplying out, the rank-one terms
    q f' have the coefficient 1/tau - 1/sigma - <q, f>/(sigma tau), and <q, f> = sigma - s (f_1 + ... + f_N).
    """
    q = 1 / p_k
    f = q / (s + q)
    identity("f_k = 1/(1 + s pi_k)", f, 1 / (1 + s * p_k))  # claim
    identity("q_k f_k = q_k - s f_k", q * f, q - s * f)  # claim
    mass = sp.Symbol("F", positive=True)  # f_1 + ... + f_N
    tau = s * mass
    coefficient = 1 / tau - 1 / total - (total - s * mass) / (total * tau)
    identity("the rank-one terms cancel for tau = s F", coefficient)
    f_j, f_k = 1 / (1 + s * p_j), 1 / (1 + s * p_k)
    # Off the diagonal L (s I + L)^-1 = I - s (s I + L)^-1 has the entry -s f_j f_k/tau.
    integrand = -f_j * f_k / mass  # claim
    identity("L (s I + L)^-1 off the diagonal", -s * f_j * f_k / tau, integrand)
    negative("the integrand of (L^(1/2))_jk", integrand / sp.sqrt(s))
    proportions = sp.symbols("pi_1:4", positive=True)
    inverse = (s * sp.eye(3) + laplacian(proportions)).inv()
    shares = [1 / (1 + s * p) for p in proportions]
    identity("the inverse of s I + L for three classes", inverse[0, 1], shares[0] * shares[1] / (s * sum(shares)))
    x = sp.Symbol("x", positive=True)
    root = sp.integrate(x / (x + s) / sp.sqrt(s), (s, 0, sp.oo)) / sp.pi
    identity("x^(1/2) as an integral", root, sp.sqrt(x))


def check_certificate(name: str, root, proportions) -> None:
    """Steps 4 and 6 for a closed form of L^(1/2)."""
    n, weights = len(proportions), sp.diag(*proportions)
    c = centring(n)
    dual = -root * weights
    identity(f"{name}: the columns of V sum to zero", sp.ones(1, n) * dual, sp.zeros(1, n))
    identity(f"{name}: V P^-1 V' = C, so the operator norm is 1", dual * weights.inv() * dual.T, c)
    identity(f"{name}: L^(1/2) inverts (C P C)^(1/2) = L^(1/2) C P C", root * (root * c * weights * c), c)
    # Value of the dual point: the sum of all multipliers.
    multipliers = [-proportions[k] * root[j, k] for j in range(n) for k in range(n) if j != k]  # claim
    identity(f"{name}: dual value = tr (C P C)^(1/2)", sum(multipliers), (root * c * weights * c).trace())


def two_classes() -> None:
    """Two classes: L^(1/2) = sqrt(2/(pi_1 + pi_2)) C, from the integral as well."""
    p_1, p_2 = sp.symbols("pi_1 pi_2", positive=True)
    root = sp.sqrt(2 / (p_1 + p_2)) * centring(2)
    identity("two classes: the square of L^(1/2)", root * root, laplacian((p_1, p_2)))
    check_certificate("two classes", root, (p_1, p_2))
    both = sp.Symbol("S", positive=True)  # pi_1 + pi_2; f_1 f_2/(f_1 + f_2) = 1/(2 + s S)
    identity("f_1 f_2/(f_1 + f_2)", 1 / ((1 + s * p_1) + (1 + s * p_2)), 1 / (2 + s * (p_1 + p_2)))
    integral = -sp.integrate(1 / (sp.sqrt(s) * (2 + s * both)), (s, 0, sp.oo)) / sp.pi
    identity("two classes: the integral", integral, -1 / sp.sqrt(2 * both))  # claim
    c = centring(2)
    value = (root * c * sp.diag(p_1, p_2) * c).trace()
    identity("two classes: value", value, sp.sqrt((p_1 + p_2) / 2))  # claim


def three_classes() -> None:
    """Three classes, any proportions: in a plane (1-perp) A^(1/2) = (A + d I)/sqrt(tr A + 2 d), d = det(A)^(1/2)."""
    proportions = sp.symbols("pi_1:4", positive=True)
    matrix, c = laplacian(proportions), centring(3)
    determinant = 3 / sum(p * q for p, q in zip(proportions, proportions[1:] + proportions[:1], strict=True))
    trace = matrix.trace()
    identity("det of L on 1-perp", (trace**2 - (matrix * matrix).trace()) / 2, determinant)  # claim
    delta = sp.sqrt(determinant)
    unscaled = matrix + delta * c  # claim
    identity("three classes: the square of L^(1/2)", unscaled * unscaled, (trace + 2 * delta) * matrix)
    negative("three classes: L^(1/2) is negative off the diagonal", unscaled[0, 1])
    check_certificate("three classes, (1, 1, 4)/6", *example(unscaled, trace, delta, proportions, (1, 1, 4)))
    check_certificate("three classes, (1, 2, 3)/6", *example(unscaled, trace, delta, proportions, (1, 2, 3)))


def example(unscaled, trace, delta, proportions, counts):
    """L^(1/2) for exact proportions, which keeps the nested roots out of the simplification."""
    values = {p: sp.Rational(count, sum(counts)) for p, count in zip(proportions, counts, strict=True)}
    root = (unscaled / sp.sqrt(trace + 2 * delta)).subs(values)
    return root.applyfunc(sp.simplify), tuple(values.values())


def temperatures() -> None:
    """Step 7: the margins of Z = Y diag(1/Delta), and the weight of a column."""
    own, other, temperature = sp.symbols("y_kk y_jk Delta_k", positive=True)
    margin = own / temperature - other / temperature
    identity("Delta_k (z_kk - z_jk) = y_kk - y_jk", temperature * margin, own - other)  # claim
    weight = sp.sqrt(p_k) / temperature
    identity("the weight of a column of Y is pi_k/Delta_k^2", weight**2, p_k / temperature**2)


def nonnegative_features() -> None:
    """The dual point of the orthogonal frame, for every N."""
    gains = {p: sp.sqrt(p * (N - 1) / N) for p in (p_j, p_k)}  # claim
    # Column k of A is -(g_k/sqrt(pi_k)) N/(N-1) (e_k - 1/N).
    scales = [-gain * N / (N - 1) / sp.sqrt(p) for p, gain in gains.items()]
    own, other = 1 - 1 / N, -1 / N
    squared = own**2 + (N - 1) * other**2
    identity("diagonal of I - A'A", 1 - scales[1] ** 2 * squared)
    product = scales[0] * scales[1] * (2 * own * other + (N - 2) * other**2)
    identity("off the diagonal, -A'A = 1/(N-1)", -product, 1 / (N - 1))  # claim
    positive("which is positive", 1 / (N - 1))
    beta = gains[p_k] / (N - 1)
    identity("off-diagonal entries of V are the multipliers", scales[1] * sp.sqrt(p_k) * other, beta)
    # Cost of column k: h_k = a e_k and w = z_k/a with a^2 = ||z_k||/sqrt(pi_k).
    length = sp.sqrt(squared / p_k)
    cost = (squared / length + p_k * length) / 2
    identity("cost of a column = sum of its multipliers", cost, (N - 1) * beta)


def numbers() -> None:
    """Five classes in unequal proportions: the integral against an eigendecomposition, and the certificate."""
    with mpmath.workdps(30):
        proportions = [mpmath.mpf(count) / 100 for count in (50, 25, 15, 8, 2)]
        n = len(proportions)
        c = mpmath.eye(n) - mpmath.ones(n) / n
        weights = mpmath.diag(proportions)
        values, vectors = mpmath.eigsy(c * weights * c)
        inverse_roots = [0 if abs(v) < mpmath.mpf(10) ** -20 else 1 / mpmath.sqrt(v) for v in values]
        root = vectors * mpmath.diag(inverse_roots) * vectors.T

        def integrand(step):
            # s = step^2 removes the singularity at 0.
            shares = [1 / (1 + step**2 * p) for p in proportions]
            return 2 * shares[0] * shares[4] / mpmath.fsum(shares)

        entry = -mpmath.quad(integrand, [0, 1, 10, 100, mpmath.inf]) / mpmath.pi
        agrees(
            "five classes: (L^(1/2))_15 by the integral", sp.Float(str(entry), 25), sp.Float(str(root[0, 4]), 25), 1e-15
        )
        holds("five classes: all multipliers are positive", all(root[j, k] < 0 for j in range(n) for k in range(j)))
        largest = max(mpmath.svd_r(root * mpmath.diag([mpmath.sqrt(p) for p in proportions]), compute_uv=False))
        agrees("five classes: operator norm of the dual point", sp.Float(str(largest), 25), 1, 1e-20)


if __name__ == "__main__":
    main()
