r"""The deep linear features model with cross-entropy: when the simplex ETF is stable, and when smoothing makes it optimal.

Balanced classes, p = 2/(L + 1), X = Z/sqrt N, beta = (L + 1) Lambda^(1/(L+1)). At the ETF with margin s: sigma = s/sqrt N, P and q the probabilities of the own and of another class,
qt = q - alpha/N; it is stationary iff N qt/s = beta p sigma^(p-2) (step 1).

Theorem 1. The ETF is a strict local minimum up to symmetry iff s q/qt > (1 - p) N (N >= 4), > 3 (1 - p)/(2P + q) (N = 3), > (1 - p)/P (N = 2). Below, for N >= 4, there are N(N-3)/2
directions of descent at once, for N = 3 two. Without smoothing the first reads s > N (L-1)/(L+1), and with it s* = y - W(
(1-p) alpha e^y), y = (1-p)(N - (N-1) alpha) (step 4).

Proof. In the direction E of X, S its symmetric part on the sum-zero space, A the antisymmetric one, v the part in the directions of the mean column: the second variation is
q ||E||^2 + (P - q) N q sum E_nn^2 of the loss, and beta p (p-1) sigma^(p-2) ||S||^2 + beta p sigma^(p-2) (||A||^2 + |v|^2) of the penalty: for a symmetric X, d^2 sum sigma^p has the divided
differences of p sigma^(p-1), which are (p-1) p sigma^(p-2) within one eigenspace on S and p sigma^(p-2) on A. Only S can be negative: (1-p) N qt/s per square of its norm.
Symmetric matrices with zero row sums fall into three parts under permutations: multiples of I - J/N; those of a zero-sum diagonal d, with off-diagonal entries -(d_n + d_m)/(N-2); those with zero
diagonal, of dimension N(N-3)/2. Of the first the loss has N P q per square (step 2), of the second q ((N-1) P + q) (step 3), of the third q. As P > q, N P > (N-1) P + q > 1: the third is the first to turn,
the second where there is no third (N = 3), the first where it is alone (N = 2).

Theorem 2 (bounds). (i) x^p >= (2-p) sigma^(p-1) x - (1-p) sigma^(p-2) x^2 for x >= 0 (step 5). With sum sigma_i >= tr X and sum sigma_i^2 = ||X||^2 the objective is at least a mean over columns of one function of a column,
which is the ETF's value at the ETF's columns. (ii) Of an answer as good as V every column z has CE(z)/N + beta (|z|^2/N)^(p/2) <= V - (N-1) min CE/N. (iii) At a minimum of that function over that set
all wrong logits but at most one are equal: they solve a e^t + b t = c with one a > 0, which has at most two solutions, and two coordinates on the falling branch could be moved apart at a gain of second order, along the constraint, as in its gradient
and in |z|^2 they agree. (iv) sigma^p >= S^(p-1) sigma for sigma <= S. (v) zero is as good as the best multiple of an arrangement where p (log N - f) + s f' = 0 (step 6).
"""

import sympy as sp
from _check import identity, nonnegative, positive

PROVES = {
    "deep-etf-stability": {
        "hypotheses": (
            "cross-entropy",
            "linear network",
            "balanced classes",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 4",
            "layers >= 2",
            "margin > 0",
            "smoothed >= 0",
        ),
        "definitions": {
            "other": "1/(exp(margin) + num_classes - 1)",
        },
        "conclusion": ("curvature == other*(1 - (layers - 1)/(layers + 1)*num_classes*(1 - smoothed)/margin)",),
        "quantities": {
            "curvature": "the second variation at the simplex frame along a symmetric direction of zero row sums and zero diagonal, over its square",
        },
    },
    "deep-etf-stability-of-three": {
        "hypotheses": (
            "cross-entropy",
            "linear network",
            "balanced classes",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "layers >= 2",
            "margin > 0",
            "smoothed >= 0",
        ),
        "definitions": {
            "own": "1/(1 + 2*exp(-margin))",
            "other": "1/(2 + exp(margin))",
        },
        "conclusion": ("curvature == other*(2*own + other) - (layers - 1)/(layers + 1)*3*other*(1 - smoothed)/margin",),
        "quantities": {
            "curvature": "the second variation of three classes at the simplex frame along a diagonal of sum zero, over its square",
        },
    },
}

N, s, alpha, own, other = sp.symbols("N s alpha P q", positive=True)
p, x, sigma, beta = sp.symbols("p x sigma beta", positive=True)


def main() -> None:
    """Run every step."""
    stationary()
    multiples()
    diagonals()
    thresholds()
    parabola_below()
    zero_is_as_good()


def stationary() -> None:
    """Step 1: the slope of the objective in the margin."""
    size = sp.Symbol("n", positive=True)
    f = sp.log(1 + (size - 1) * sp.exp(-s)) + alpha * (size - 1) / size * s
    q = sp.exp(-s) / (1 + (size - 1) * sp.exp(-s))
    slope = sp.simplify(sp.diff(f, s) + (size - 1) * (q - alpha / size))  # claim
    identity("the loss falls with N - 1 times the excess", slope)
    penalty = beta * (size - 1) * (s / sp.sqrt(size)) ** p
    singular = s / sp.sqrt(size)
    # beta p sigma^(p-2) = n qt/s makes both slopes cancel.
    excess = s * beta * p * singular ** (p - 2) / size
    identity("stationary", sp.simplify(sp.diff(penalty, s) - (size - 1) * excess))


def multiples() -> None:
    """Step 2: multiples of ``I - J/N``."""
    square, diagonal = N - 1, N * (1 - 1 / N) ** 2
    loss = other * square + (own - other) * N * other * diagonal
    rest = sp.expand(loss.subs(own, 1 - (N - 1) * other) - square * N * other * (1 - (N - 1) * other))  # claim
    identity("N P q per square", rest)


def diagonals() -> None:
    """Step 3: a diagonal d of sum zero, ``sum d^2 = 1``."""
    # sum over n != m of (d_n + d_m)^2 = 2 (N - 1) - 2
    square = 1 + (2 * (N - 1) - 2) / (N - 2) ** 2
    identity("the norm", sp.cancel(square - N / (N - 2)))  # claim
    loss = other * N / (N - 2) + (own - other) * N * other
    per_square = sp.cancel(loss / (N / (N - 2)))
    identity("per square", sp.expand((per_square - other * ((N - 1) * own + other)).subs(own, 1 - (N - 1) * other)))
    gap = sp.Symbol("g", positive=True)  # P - q
    positive("multiples turn later", sp.expand((N * own - ((N - 1) * own + other)).subs(own, other + gap)))
    few = sp.expand(((N - 1) * own + other - (own + (N - 1) * other)).subs(own, other + gap).subs(N, 2 + x))
    positive("and diagonals later than the rest, as P + (N-1) q = 1", few)


def thresholds() -> None:
    """Step 4: the threshold of four classes and more in closed form."""
    share = sp.exp(s) + N - 1  # 1/q
    balance = s - (1 - p) * N * (1 - alpha / N * share)
    y = (1 - p) * (N - (N - 1) * alpha)
    identity("s + (1-p) alpha e^s = y", sp.expand(balance - (s + (1 - p) * alpha * sp.exp(s) - y)))  # claim
    w, reach = sp.symbols("w y", positive=True)  # w = W_0((1-p) alpha e^y)
    argument = w * sp.exp(w)
    smoothed = argument * sp.exp(-reach)  # (1-p) alpha
    root = reach - w  # claim
    identity("solved by y - w", sp.simplify(root + smoothed * sp.exp(root) - reach))
    layers = sp.Symbol("L", positive=True)
    identity("without smoothing", sp.cancel((N * (1 - p)).subs(p, 2 / (layers + 1)) - N * (layers - 1) / (layers + 1)))


def parabola_below() -> None:
    """Step 5: u^(p-1) - (2-p) + (1-p) u is convex in u = x/sigma, and zero with its slope at u = 1."""
    u, rest = sp.symbols("u r", positive=True)
    g = u ** (p - 1) - (2 - p) + (1 - p) * u
    identity("zero at 1", g.subs(u, 1))  # claim
    identity("its slope is zero at 1", sp.diff(g, u).subs(u, 1))
    # p = 1/(1 + r) is any number below 1.
    nonnegative("convex", sp.simplify(sp.diff(g, u, 2).subs(p, 1 / (1 + rest))))


def zero_is_as_good() -> None:
    """Step 6: value and slope of ``f + beta k s^p`` are those of zero."""
    value, slope, total, k = sp.symbols("f f1 logN k")
    cost = -slope * s ** (1 - p) / (p * k)  # stationary
    identity(
        "the balance", sp.simplify(p * (value + cost * k * s**p - total) - (p * (value - total) - s * slope))
    )  # claim


if __name__ == "__main__":
    main()
