"""Labels that treat all classes alike: one scalar determines the optimum.

Theorem. Let groups j of samples have shares p_j > 0 (sum 1) and label columns y_j >= 0 of total m_j > 0, and let every
relabelling of the N >= 2 classes map the set of (p_j, m_j, y_j) to itself, equal columns added up. Let features be free,
M >= N - 1, t = 2 sqrt(lW lH). The minimum over W and H of

    sum_j p_j [m_j lse(W h_j) - <y_j, W h_j> + lH ||h_j||^2] + lW ||W||^2

is 0-collapsed (Z = 0) iff sum_j p_j ||y_j - m_j/N||^2 <= t^2 (N-1). Otherwise W W' is a multiple of P = I - J/N and
every column satisfies, with one scalar theta > 0,

    y_j - m_j softmax(z_j) = theta z_j,        theta^2 sum_j p_j ||z_j||^2 = t^2 (N-1),

which determine theta and Z. An unregularised bias changes nothing.

Pick-all-labels: label sets S of size m, all equally frequent within a size, shares omega_m of the sizes, y = 1_S. Then
z_S = a_m (1_S - m/N) with a_m (m e^(a_m) + N - m) = N/theta, and zero iff sum omega_m m (N-m)/(N (N-1)) <= t^2. So a_m
is the r-Lambert function W_r(N/(theta m)) with r = (N-m)/m. Size 1 alone gives the balanced closed form
e^a = sqrt N/t - (N-1).

Proof. Write F(Z) = sum_j p_j loss_j(z_j) + t ||X||_*, X = Z diag(sqrt p_j) (`nuclear_norm.py`), with columns of zero sum:
removing their means leaves the loss alone and lowers the norm. Let F~ have sqrt(N-1) ||X||_F in the place of ||X||_*.

1. X has rank N - 1 at most, so ||X||_* <= sqrt(N-1) ||X||_F by Cauchy-Schwarz, and F <= F~.
2. Both are convex and invariant: a relabelling permutes rows and, by hypothesis, columns. So both are minimised over
   the invariant Z, for which z_j is a function of y_j that commutes with relabelling.
3. For an invariant Z the matrix X X' commutes with all permutations, X X' = x P + y E, and y = 0. So all N - 1 singular
   values are equal, ||X||_* = sqrt(N-1) ||X||_F, and F = F~ there. Hence min F = min F~ with the same invariant minimiser.
4. F~ is strictly convex on columns of zero sum, so its minimiser is unique; it is stationary iff the displayed
   equations hold with theta = t sqrt(N-1)/||X||_F, and Z = 0 iff the gradient at 0 has norm at most t sqrt(N-1). For F,
   lse is strictly convex too.
5. theta is unique: u_j = theta z_j minimises, over u, the conjugate of loss_j at -u plus ||u||^2/(2 theta), so ||u_j||
   does not decrease with theta, while sum p_j ||u_j||^2 must equal t^2 (N-1). It is strictly increasing where
   y_j != m_j/N, tends to 0 with theta and to sum p_j ||y_j - m_j/N||^2 as theta grows.
6. W W' = sqrt(lH/lW) (X X')^(1/2) is a multiple of P. The gradient in the bias is -theta sum_j p_j z_j, which is
   invariant under relabelling with zero sum, so zero.

Steps 2, 4 and 5 are convexity arguments in prose; what is algebra in the others is checked below.
"""

import sympy as sp
from _check import holds, identity, negative, nonnegative, positive
from _invariant import E, N, P, check_algebra

PROVES = {
    "exchangeable-labels-one-scalar": {
        "hypotheses": (
            "cross-entropy",
            "exchangeable labels",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "mixing >= 0",
            "mixing <= 1",
            "mixed > 0",
            "mixed < 1",
            "weight_decay > 0",
            "feature_decay > 0",
            "pull > 8*feature_decay*weight_decay",
        ),
        "definitions": {
            "pull": "(1 - mixed)*2/3 + mixed*(mixing**2 + (1 - mixing)**2 - 1/3)",
        },
        "conclusion": (
            "slope_of_plain == slope_of_mixed",
            "slope_of_plain**2*squares == 8*feature_decay*weight_decay",
        ),
        "quantities": {
            "slope_of_plain": "<y - softmax z, z>/<z, z> of a one-hot column of the optimum",
            "slope_of_mixed": "the same of a mixed column",
            "squares": "sum p_k ||z_k||^2",
        },
    },
    "pick-all-labels": {
        "hypotheses": (
            "pick-all labels",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 3",
            "singles > 0",
            "singles < 1",
            "weight_decay > 0",
            "feature_decay > 0",
            "pull > t**2",
        ),
        "definitions": {
            "squares": "a_1**2*singles*(num_classes - 1)/num_classes + a_2**2*(2 - 2*singles)*(num_classes - 2)/num_classes",
            "theta": "num_classes/(a_1*(num_classes + exp(a_1) - 1))",
            "pull": "singles/num_classes + (2 - 2*singles)*(num_classes - 2)/(num_classes*(num_classes - 1))",
            "t": "2*sqrt(feature_decay*weight_decay)",
        },
        "conclusion": (
            "a_2*(num_classes + 2*exp(a_2) - 2) == num_classes/theta",
            "squares*theta**2 == t**2*(num_classes - 1)",
            "optimum == t**2*(num_classes - 1)/theta + singles*(-a_1 + log(num_classes + exp(a_1) - 1)) + (2 - 2*singles)*(-a_2 + log(num_classes + 2*exp(a_2) - 2))",
        ),
        "quantities": {
            "a_1": "the margin of sets of one class at the optimum",
            "a_2": "the margin of sets of two classes",
            "optimum": "the optimal value",
        },
    },
    "pick-all-labels-collapse": {
        "hypotheses": (
            "pick-all labels",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 3",
            "singles > 0",
            "singles < 1",
            "weight_decay > 0",
            "feature_decay > 0",
        ),
        "definitions": {
            "pull": "(singles*(num_classes - 1) + (2 - 2*singles)*(num_classes - 2))/(num_classes*(num_classes - 1))",
        },
        "conclusion": ("gain iff-positive -4*feature_decay*weight_decay + pull",),
        "quantities": {
            "gain": "how much better than Z = 0 the optimum is",
        },
    },
}

a, m, theta, t = sp.symbols("a m theta t", positive=True)
outside_count = sp.Symbol("outside", positive=True)  # N - m


def main() -> None:
    """Run every step."""
    check_algebra()
    cauchy_schwarz()
    invariant_gram_matrix()
    stationarity()
    pick_all_labels()
    collapse()
    single_labels()


def cauchy_schwarz() -> None:
    """Step 1 for three singular values: 3 sum s^2 - (sum s)^2 is a sum of squares of differences."""
    s = sp.symbols("s1:4", nonnegative=True)
    gap = 3 * sum(x**2 for x in s) - sum(s) ** 2  # claim
    squares = sum((s[i] - s[j]) ** 2 for i in range(3) for j in range(i))
    identity("Lagrange's identity", gap, squares)


def invariant_gram_matrix() -> None:
    """Step 3: x P with N - 1 equal singular values; the multiple of P in W W'; an explicit orbit for three classes."""
    x = sp.Symbol("x", positive=True)
    gram = x * P + 0 * E
    frobenius = sp.sqrt(gram.trace)
    identity("||X||_* = sqrt(N-1) ||X||_F", (N - 1) * sp.sqrt(x), sp.sqrt(N - 1) * frobenius)  # claim
    u, v = sp.symbols("u v", real=True)
    columns = sp.Matrix(
        [[z[i] for z in sp.utilities.iterables.multiset_permutations([u, v, -(u + v)])] for i in range(3)]
    )
    explicit = columns * columns.T
    identity("the six relabellings of one column", explicit, explicit[0, 0] * sp.Rational(3, 2) * P.matrix(3))
    identity("a sum over all relabellings of a vector with zero sum vanishes", columns * sp.ones(6, 1), sp.zeros(3, 1))


def stationarity() -> None:
    """Step 4: the gradient of the penalty, for one column z of two free entries."""
    z1, z2, share, other = sp.symbols("z1 z2 p other", positive=True)  # other: the share of ||X||_F^2 of other columns
    frobenius = sp.sqrt(share * (z1**2 + z2**2) + other)
    penalty = t * sp.sqrt(N - 1) * frobenius
    slope = t * sp.sqrt(N - 1) / frobenius
    identity("the penalty has the gradient p theta z", sp.diff(penalty, z1), share * slope * z1)
    identity("theta^2 ||X||_F^2 = t^2 (N-1)", slope**2 * frobenius**2, t**2 * (N - 1))  # claim


def pick_all_labels() -> None:
    """z = a (1_S - m/N) solves the column equation, for symbolic N and m; every set of one size has the same a."""
    n = m + outside_count
    total = m * sp.exp(a) + outside_count  # the common factor e^(-a m/N) cancels
    inside, outside = sp.exp(a) / total, 1 / total
    identity("softmax sums to one", m * inside + outside_count * outside, 1)
    slope = n / (a * (m * sp.exp(a) + n - m))  # claim
    identity("entries in S", 1 - m * inside, slope * a * (1 - m / n))  # claim
    identity("entries outside S", -m * outside, slope * a * (-m / n))  # claim
    r = (n - m) / m
    identity("r-Lambert form", a * sp.exp(a) + r * a, n / (slope * m))
    positive("a (m e^a + N - m) increases with a, so a is unique", sp.diff(a * total, a))
    negative("and a falls as theta grows", sp.diff(n / theta, theta))


def collapse() -> None:
    """||1_S - m/N||^2, and a distribution: ||y - 1/N||^2 against t^2 (N-1)."""
    n = m + outside_count
    length = m * (1 - m / n) ** 2 + (n - m) * (m / n) ** 2
    identity("||1_S - m/N||^2 = m (N-m)/N", length, m * (n - m) / n)  # claim
    nonnegative("it is not negative", length)
    alpha = sp.Symbol("alpha", positive=True)
    own, other = 1 - alpha + alpha / N, alpha / N
    smoothed = (own - 1 / N) ** 2 + (N - 1) * (other - 1 / N) ** 2
    identity(
        "smoothed labels: (1-alpha)^2 (N-1)/N, so zero iff (1-alpha)/sqrt N <= t",
        smoothed,
        (1 - alpha) ** 2 * (N - 1) / N,
    )


def single_labels() -> None:
    """Size 1: theta a = t sqrt N, and the balanced closed form."""
    margin = sp.log(sp.sqrt(N) / t - (N - 1))  # claim
    slope = N / (margin * (sp.exp(margin) + N - 1))
    identity("theta^2 a^2 (N-1)/N = t^2 (N-1)", slope**2 * margin**2 * (N - 1) / N, t**2 * (N - 1))
    # Symmetric noise eta: the columns seen by one clean class average to smoothed labels with alpha = eta N/(N-1).
    eta = sp.Symbol("eta", positive=True)
    smoothing = eta * N / (N - 1)
    identity("symmetric noise is smoothing", 1 - smoothing + smoothing / N, 1 - eta)
    holds("the margin is positive only below the threshold", sp.simplify(margin.subs(t, 1 / sp.sqrt(N))) == 0)


if __name__ == "__main__":
    main()
