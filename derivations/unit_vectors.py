"""Losses on the unit sphere: cross-entropy, the supervised contrastive loss, and one-vs-rest distances.

Theorem 1 (cross-entropy). For unit vectors w_k, h_k (N >= 2) and s > 0 the mean over k of log sum_j exp(s <w_j - w_k, h_k>)
is at least log(1 + (N-1) e^(-s N/(N-1))), with equality for the simplex frame w_k = h_k.

Theorem 2 (supervised contrastive loss, full batch). N classes of K >= 2 unit vectors, temperature T. The mean over anchors i
of log sum_(a != i) exp(<h_i, h_a>/T) minus the mean of <h_i, h_p>/T over the K - 1 positives p is at least
log(K - 1 + (N-1) K e^(-N/((N-1)T))), attained if classes coincide at a simplex frame. If all products are nonnegative the
exponent is -1/T, attained at an orthonormal frame.
Batches: the sum over batches of classes {1, 2} and {2, 3} is at least 2 log(K - 1 + K e^(-1/T)) for nonnegative features,
attained both at an orthonormal frame and at h_1 = h_3 orthogonal to h_2: classes that share no batch may coincide.

Theorem 3 (one-vs-rest distance). The least distance of one of N unit vectors to the hull of the others is at most N/(N-1),
attained by the simplex frame; in the plane, N >= 3, at most 1 - cos(2 pi/N), attained by the regular polygon.

Proof of 1. x -> log(1 + sum e^x) is convex and symmetric, so the term of k is at least f(mean over j != k of
s <w_j - w_k, h_k>), f(x) = log(1 + (N-1) e^x), and the mean over k at least f(s m), m the mean of all <w_j - w_k, h_k>,
as f is convex and increasing. With the mean h' of the h_k, m = -sum_k <w_k, h_k - h'>/(N-1), and Cauchy-Schwarz with
sum ||h_k - h'||^2 <= N gives m >= -N/(N-1).
Proof of 2. In the same way the term of i is at least f((mean of negatives - mean of positives)/T) with
f(x) = log(K - 1 + (N-1) K e^x): both groups are replaced by their means. With the sums S_k over classes and their sum S the
mean over i of that difference is (||S||^2 - Q)/(N (N-1) K^2) - (Q - N K)/(N K (K-1)), Q = sum ||S_k||^2 <= N K^2.
Without ||S||^2 it decreases in Q, and at Q = N K^2 it is -N/(N-1). With nonnegative products the first part, the mean of
the negatives, is nonnegative, and the second at least -1; so coinciding classes cost strictly more in the full batch, f being
strictly increasing. A batch of two classes is the case N = 2.
Proof of 3. The distance to the hull is at most that to the mean of the others, ||N w_k - S||/(N-1) with S the sum; the
squares of ||N w_k - S|| sum to N^3 - N ||S||^2 <= N^3, so the least is at most N. At the simplex frame the mean of the
others is -w_k/(N-1), all others have the same product with w_k, and so it is the nearest point.
In the plane let g_k be the gaps between neighbours, with sum 2 pi. If all are below pi, the triangle of w_k and its
neighbours, with arcs a and b, has acute angles a/2 and b/2 at the neighbours, and so height 2 sin(a/2) sin(b/2). The
product over k is 2^N prod sin(g_k/2)^2 <= (2 sin(pi/N)^2)^N, as log sin is concave on (0, pi); so the least is at most
2 sin(pi/N)^2. If one gap is pi or more, the N - 2 vectors not at its ends have arcs with sum of a + b at most 2 pi in
all, so for one of them a + b <= 2 pi/(N-2) (and <= pi), and its height is at most 2 sin(pi/(2 (N-2)))^2 for N >= 4, where
2 (N-2) >= N, and at most 2 sin(pi/4)^2 = 1 < 3/2 for N = 3. At the regular polygon the neighbours' chord is nearest.
"""

import sympy as sp
from _check import holds, identity, negative, positive

PROVES = {
    "batching-failure": {
        "hypotheses": ("unit vectors",),
        "assumptions": ("samples >= 2", "temperature > 0"),
        "conclusion": (
            "apart == 2*log(samples + samples*exp(-1/temperature) - 1)",
            "coinciding == apart",
            "full_coinciding > full_apart",
        ),
        "quantities": {
            "apart": "the loss, term by term",
            "coinciding": "the loss, term by term",
            "full_apart": "the loss, term by term",
            "full_coinciding": "the loss, term by term",
        },
    },
    "softmax-code": {
        "hypotheses": ("unit vectors", "enough features"),
        "assumptions": ("num_classes >= 2", "disturbance > 0", "seed >= 1"),
        "conclusion": (
            "of_simplex == num_classes/(num_classes - 1)",
            "near_simplex <= of_simplex",
            "of_polygon == 1 - cos(2*pi/num_classes)",
            "near_polygon <= of_polygon",
        ),
        "quantities": {
            "of_simplex": "distance to the hull, by its nearest point",
            "near_simplex": "a random frame near it, distance to the mean of the others",
            "of_polygon": "distances to all chords",
            "near_polygon": "random angles near it, distances to all chords",
        },
    },
    "spherical-cross-entropy-value": {
        "hypotheses": ("unit vectors", "cross-entropy", "balanced classes", "enough features"),
        "assumptions": ("num_classes >= 2", "inverse_temperature > 0", "disturbance > 0", "seed >= 1"),
        "conclusion": (
            "value == log((num_classes - 1)*exp(-inverse_temperature*num_classes/(num_classes - 1)) + 1)",
            "other_value >= value",
        ),
        "quantities": {
            "value": "the loss at the simplex frame, term by term",
            "other_value": "the loss at a random frame near it, term by term",
        },
    },
    "supervised-contrastive-value": {
        "hypotheses": ("unit vectors", "balanced classes", "enough features"),
        "assumptions": ("num_classes >= 2", "samples >= 2", "temperature > 0", "disturbance > 0", "seed >= 1"),
        "conclusion": (
            "value == log(samples*(num_classes - 1)*exp(-num_classes/(temperature*(num_classes - 1))) + samples - 1)",
            "nonnegative_value == log(samples*(num_classes - 1)*exp(-1/temperature) + samples - 1)",
            "other_value >= value",
            "other_nonnegative >= nonnegative_value",
        ),
        "quantities": {
            "value": "the loss at the simplex frame, term by term",
            "nonnegative_value": "the loss at the orthogonal frame, term by term",
            "other_value": "the loss at random features near it, term by term",
            "other_nonnegative": "the loss at random features near it, term by term",
        },
    },
}

N, K, T, s, x = sp.symbols("N K T s x", positive=True)
others = sp.Symbol("others", positive=True)  # N - 1
rest = sp.Symbol("rest", positive=True)  # K - 1


def main() -> None:
    """Run every step."""
    jensen()
    cross_entropy()
    contrastive()
    batches()
    distances()
    heights()


def jensen() -> None:
    """f(x) = log(u + v e^x) is increasing and convex."""
    u, v = sp.symbols("u v", positive=True)
    f = sp.log(u + v * sp.exp(x))
    positive("f' > 0", sp.diff(f, x))
    positive("f'' > 0", sp.factor(sp.together(sp.diff(f, x, 2))))


def cross_entropy() -> None:
    """Theorem 1: the mean of the differences, for three classes, and the value of the frame."""
    n, dim = 3, 3
    w, h = (sp.Matrix(n, dim, sp.symbols(f"{name}1:10", real=True)) for name in "wh")
    total = sum(((w[j, :] - w[k, :]) * h[k, :].T)[0] for k in range(n) for j in range(n) if j != k)
    centred = h - sp.ones(n, n) * h / n  # claim
    stated = -sum((w[k, :] * centred[k, :].T)[0] for k in range(n)) / (n - 1)  # claim
    identity("m = -sum <w_k, h_k - h'>/(N-1)", total / (n * (n - 1)), stated)
    norms = sum((h[k, :] * h[k, :].T)[0] for k in range(n))
    centre = sp.ones(1, n) * h / n
    spread = sum((centred[k, :] * centred[k, :].T)[0] for k in range(n))
    identity("sum ||h_k - h'||^2 = sum ||h_k||^2 - N ||h'||^2", spread, norms - n * (centre * centre.T)[0])
    own, other = 1, -1 / (N - 1)
    gap = -N / (N - 1)  # claim
    identity("simplex frame: <w_j - w_k, h_k>", other - own, gap)


def contrastive() -> None:
    """Theorem 2: the mean difference as a function of Q."""
    q = sp.Symbol("Q", positive=True)
    mean = -q / (N * (N - 1) * K**2) - (q - N * K) / (N * K * (K - 1))  # claim
    slope = sp.diff(mean, q).subs({N: others + 1, K: rest + 1})
    negative("it decreases in Q", sp.factor(sp.together(slope)))
    identity("at Q = N K^2", sp.simplify(mean.subs(q, N * K**2)), -N / (N - 1))
    positives = (q - N * K) / (N * K * (K - 1))
    identity("positives at Q = N K^2", sp.simplify(positives.subs(q, N * K**2)), 1)
    frame = -1 / (N - 1) - 1  # claim
    identity("simplex frame", sp.simplify(frame + N / (N - 1)))
    holds("orthonormal frame: difference", 0 - 1 == -1)


def batches() -> None:
    """Theorem 2: both configurations have the same value in each batch of two classes."""
    same, orthogonal = sp.exp(1 / T), 1
    value = sp.log(((K - 1) * same + K * orthogonal) / same)
    stated = sp.log(K - 1 + K * sp.exp(-1 / T))  # claim
    identity("a batch of two orthogonal classes", sp.simplify(sp.exp(value) - sp.exp(stated)))


def distances() -> None:
    """Theorem 3: the mean of the others."""
    n = 3
    w = sp.Matrix(n, 2, sp.symbols("w1:7", real=True))
    total = sp.ones(1, n) * w
    squares = sum(((n * w[k, :] - total) * (n * w[k, :] - total).T)[0] for k in range(n))
    stated = n**2 * sum((w[k, :] * w[k, :].T)[0] for k in range(n)) - n * (total * total.T)[0]  # claim
    identity("sum ||N w_k - S||^2", squares, stated)
    identity("simplex frame", 1 + 1 / (N - 1), N / (N - 1))


def heights() -> None:
    """Theorem 3 in the plane: height of a triangle inscribed in the circle; concavity of log sin."""
    a, b = sp.symbols("a b", positive=True)
    one, other = sp.Matrix([sp.cos(a), -sp.sin(a)]), sp.Matrix([sp.cos(b), sp.sin(b)])
    base = 2 * sp.sin((a + b) / 2)
    chord = other - one
    identity("length of the chord", sp.simplify(sp.expand_trig(chord.dot(chord) - base**2)))
    area = (one[0] - 1) * (other[1]) - one[1] * (other[0] - 1)
    height = 2 * sp.sin(a / 2) * sp.sin(b / 2)
    half_a, half_b = sp.symbols("p q", positive=True)
    difference = (area.subs({a: 2 * half_a, b: 2 * half_b})) ** 2
    product = (height * base).subs({a: 2 * half_a, b: 2 * half_b}) ** 2
    identity("height times base", sp.simplify(sp.expand(sp.expand_trig(difference - product))))
    identity("(log sin)'' = -1/sin^2", sp.simplify(sp.diff(sp.log(sp.sin(x)), x, 2) + 1 / sp.sin(x) ** 2))
    identity("2 sin(pi/N)^2 = 1 - cos(2 pi/N)", sp.simplify(2 * sp.sin(sp.pi / N) ** 2 - 1 + sp.cos(2 * sp.pi / N)))
    holds("2 (N-2) >= N from four on", all(2 * (n - 2) >= n for n in range(4, 50)))
    count = sp.Symbol("count", nonnegative=True)  # N - 4
    identity("2 (N-2) - N = N - 4", 2 * (count + 2) - (count + 4), count)


if __name__ == "__main__":
    main()
