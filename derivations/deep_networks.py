"""Deep networks on free features: the jump of a linear network's singular values, and a ReLU network of edges.

Theorem 1 (linear layers, squared error). For c, y > 0, L >= 2 and Lambda > 0 let

    h(s) = c (s - y)^2 + (L+1) Lambda^(1/(L+1)) s^(2/(L+1)),    s >= 0.

The minimum is at some s > 0 alone iff Lambda < Lambda* = c^(L+1) y^(2L) (L-1)^(L-1)/L^(2L), at 0 alone iff
Lambda > Lambda*, and at Lambda* exactly at 0 and at y (L-1)/L. It decides one singular value y of the targets: L linear
layers W_L ... W_1 on features H, decays lambda_1 ... lambda_L on the layers and lambda_0 on H, Lambda their product, have

    min of sum lambda_i ||W_i||^2 + lambda_0 ||H||^2  over W_L ... W_1 H = Z   =   (L+1) Lambda^(1/(L+1)) sum s_i^(2/(L+1))

with the singular values s_i of Z (and M large enough), so that squared error c ||Z - Y||^2 falls into one such problem
for each singular value.

Theorem 2 (ReLU layers, any loss). Let N = r (r-1)/2 with r >= 3, L >= 2, nonnegative features. Every multiple s I of the
identity, s > 0, can be put out by a network whose decay is (L+1) (Lambda s^2 N^3 r^(L-1)/2)^(1/(L+1)), while deep neural
collapse (every factor a multiple of an isometry on N orthogonal class means) has (L+1) (Lambda s^2 N^(L+1))^(1/(L+1)).
The ratio to the power L + 1 is r^(L-1)/(2 N^(L-2)): if it is below 1, deep neural collapse is not optimal for any
decays for which it is not zero, whatever the loss.

Proof of 1. h(s) < h(0) iff (L+1) Lambda^(1/(L+1)) < g(s) := c (2y - s) s^((L-1)/(L+1)). On (0, 2y) the logarithmic
derivative of g decreases strictly, from plus to minus infinity, and vanishes at y (L-1)/L; so g has one maximum there,
and its power L + 1 is (L+1)^(L+1) Lambda*. For Lambda < Lambda* some s > 0 is better than 0; for Lambda > Lambda* none is
as good; at equality only that one is. The formula for the decay is the variational form of the Schatten quasi-norm:
"<=" takes all factors with the singular vectors of Z and equal lambda_i ||.||^2 in each; ">=" is the arithmetic-geometric
inequality after Horn's inequality (weak log-majorization of the singular values of a product by the products of the
singular values). Von Neumann's trace inequality then aligns Z with Y, as in `label_matrix_regression.py`.
Proof of 2. Classes are the edges of the complete graph on r vertices. Features: h_e = e_i + e_j for the edge e = ij. The
next L - 2 layers are r x r identities and keep them, as they are nonnegative. Layer L - 1 has a row for each edge, 1 on its
ends and -1 elsewhere: on an edge it gives 2 if it is the edge itself, 0 if they share one end and -2 if none, so that ReLU
leaves 2 I. The last layer is the N x N identity. Rescaling factors by x_i > 0 with product s/2 and the arithmetic-geometric
inequality give (L+1) (Lambda (s/2)^2 prod ||factor||^2)^(1/(L+1)); the squared norms are 2N, r each, r N and N.
For collapse the sums of squares are N each, and the output is I.
"""

from itertools import combinations

import sympy as sp
from _check import holds, identity, negative, positive

PROVES = {
    "deep-collapse-beaten": {
        "hypotheses": (
            "ReLU network",
            "balanced classes",
            "nonnegative features",
            "enough features",
        ),
        "assumptions": (
            "vertices >= 3",
            "layers >= 2",
            "scale > 0",
        ),
        "conclusion": (
            "(by_edges/by_collapse)**(layers + 1) == vertices**(layers - 1)*(vertices*(vertices - 1)/2)**(2 - layers)/2",
        ),
        "quantities": {
            "by_edges": "the least decay of the network of edges that puts out scale times the identity, with unit decays",
            "by_collapse": "the same for deep neural collapse",
        },
    },
    "deep-linear-threshold": {
        "hypotheses": (
            "squared error",
            "linear network",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "layers >= 2",
            "target > 0",
            "factor > 0",
        ),
        "definitions": {
            "threshold": "factor**(layers + 1)*target**(2*layers)*(layers - 1)**(layers - 1)/layers**(2*layers)",
        },
        "conclusion": (
            "critical == threshold",
            "landing == target*(layers - 1)/layers",
        ),
        "quantities": {
            "critical": "the product of all decays at which the best positive singular value gains nothing over zero",
            "landing": "the best positive singular value there",
        },
    },
}

c, y, s, r = sp.symbols("c y s r", positive=True)
more = sp.Symbol("more", positive=True)  # L - 1
L = 1 + more


def main() -> None:
    """Run every step."""
    logarithmic_derivative()
    value_at_the_maximum()
    equal_factors()
    edges_of_a_graph()
    ratio_of_decays()


def logarithmic_derivative() -> None:
    """Theorem 1: the maximum of g."""
    log_gain = sp.log(c) + sp.log(2 * y - s) + (L - 1) / (L + 1) * sp.log(s)
    slope = sp.diff(log_gain, s)
    best = y * (L - 1) / L  # claim
    identity("g is stationary", slope.subs(s, best))
    rest = sp.Symbol("rest", positive=True)  # 2y - s
    curvature = sp.diff(slope, s).subs(y, (rest + s) / 2)
    negative("the logarithmic derivative decreases", sp.simplify(curvature))
    identity("h(0) - h(s) = s^(2/(L+1)) (g - decay)", c * y**2 - c * (s - y) ** 2, c * s * (2 * y - s))
    identity("exponents", 1 - 2 / (L + 1), (L - 1) / (L + 1))
    positive("the jump is inside (0, 2y): from below", best)
    positive("and from above", sp.cancel(2 * y - best))


def value_at_the_maximum() -> None:
    """Theorem 1: (max g)^(L+1) = (L+1)^(L+1) Lambda*, by logarithms."""
    best = y * (L - 1) / L
    log_maximum = (L + 1) * (sp.log(c) + sp.log(sp.cancel(2 * y - best))) + (L - 1) * sp.log(best)
    threshold = (L + 1) * sp.log(c) + 2 * L * sp.log(y) + (L - 1) * sp.log(L - 1) - 2 * L * sp.log(L)  # claim
    difference = sp.expand(sp.expand_log(log_maximum - threshold - (L + 1) * sp.log(L + 1), force=True))
    identity("threshold", sp.simplify(sp.expand(difference.subs(sp.log(more + 2), sp.log(L + 1)))))


def equal_factors() -> None:
    """Factors with equal shares of the decay attain (L+1) (product)^(1/(L+1)), here for two layers."""
    decays = sp.symbols("lambda0:3", positive=True)
    common = (sp.prod(decays) * s**2) ** sp.Rational(1, 3)
    values = [sp.sqrt(common / decay) for decay in decays]
    identity("the product is s", sp.simplify(sp.prod(values)), s)
    total = sum(decay * value**2 for decay, value in zip(decays, values, strict=True))
    identity("the decay is 3 (Lambda s^2)^(1/3)", sp.simplify(total - 3 * common))


def edges_of_a_graph() -> None:
    """Theorem 2: the forward pass and the sums of squares, for five vertices and three layers."""
    count = 5
    edges = list(combinations(range(count), 2))
    features = sp.Matrix(count, len(edges), lambda v, e: int(v in edges[e]))
    separating = sp.Matrix(len(edges), count, lambda e, v: 1 if v in edges[e] else -1)
    holds("the features are nonnegative", all(x >= 0 for x in features))
    shared = sp.Symbol("shared", integer=True)
    row = shared * 1 + (2 - shared) * -1  # claim
    identity("a row on an edge with so many common ends", row, 2 * shared - 2)
    output = (separating * features).applyfunc(lambda x: max(x, 0))
    identity("ReLU leaves 2 I", output, 2 * sp.eye(len(edges)))
    squares = [sum(x**2 for x in matrix) for matrix in (features, sp.eye(count), separating, sp.eye(len(edges)))]
    n = len(edges)
    holds("sums of squares 2N, r, rN, N", squares == [2 * n, count, count * n, n])


def ratio_of_decays() -> None:
    """Theorem 2: the two decays to the power L + 1."""
    n = sp.Symbol("N", positive=True)
    graph = (s / 2) ** 2 * 2 * n * r ** (L - 2) * (r * n) * n  # claim
    collapse = s**2 * n ** (L + 1)  # claim
    identity("N^3 r^(L-1)/2", sp.powsimp(graph / (s**2 * n**3 * r ** (L - 1))), sp.Rational(1, 2))
    ratio = r ** (L - 1) / (2 * n ** (L - 2))
    identity("ratio", sp.powsimp(sp.simplify(graph / collapse / ratio)), 1)
    vertices, layers = 4, 4
    classes = vertices * (vertices - 1) // 2
    holds("four vertices, four layers: beaten", vertices ** (layers - 1) < 2 * classes ** (layers - 2))


if __name__ == "__main__":
    main()
