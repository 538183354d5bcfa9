"""Classes of different proportions never coincide, unless they vanish.

Theorem. Let W, H be a stationary point of

    sum_n p_n [loss(W h_n, y_n) + lH ||h_n||^2] + lW ||W||^2

with cross-entropy and labels smoothed by alpha < 1, no bias, any feature dimension, lW, lH > 0. If h_k = h_l for two
classes with p_k != p_l, then h_k = h_l = 0. In general p_k h_k = p_l h_l whenever h_k = h_l.

Proof. Let s_n be the softmax of W h_n. If h_k = h_l, then s_k = s_l, and the difference of the stationarity conditions
of h_k and h_l is (1 - alpha) W'(e_l - e_k) = 0: the rows k and l of W agree. So entries k and l of every logit vector, and
of every s_n, agree. The difference of the stationarity conditions of those rows is then
(1 - alpha) (p_l h_l - p_k h_k) = 0.
"""

import sympy as sp
from _check import identity

PROVES = {
    "unequal-classes-stay-apart": {
        "hypotheses": ("cross-entropy", "one-hot labels", "free features", "no bias"),
        "assumptions": (
            "larger > 0",
            "smaller > 0",
            "weight_decay > 0",
            "feature_decay > 0",
            "sqrt(larger) <= 2*sqrt(feature_decay)*sqrt(weight_decay)",
            "2*sqrt(feature_decay)*sqrt(weight_decay) < 7/20",
        ),
        "conclusion": ("distance > 0",),
        "quantities": {
            "distance": "certified optimum, with the error that its duality gap allows",
        },
    },
}

alpha = sp.Symbol("alpha", positive=True)
lw, lh = sp.symbols("lambda_W lambda_H", positive=True)
p = sp.symbols("p1:4", positive=True)
w = sp.Matrix(3, 2, sp.symbols("w1:7", real=True))
h = sp.Matrix(2, 3, sp.symbols("h1:7", real=True))


def main() -> None:
    """Run the steps for three classes, of which the last two coincide, with two features."""
    equal_means = dict(zip(h[:, 2], h[:, 1], strict=True))
    in_means = [sp.Matrix([sp.diff(objective(), x) for x in h[:, k]]) / p[k] for k in (1, 2)]
    difference = (in_means[0] - in_means[1]).subs(equal_means)
    stated = (1 - alpha) * (w[2, :] - w[1, :]).T  # claim
    identity("conditions of the two means", difference.applyfunc(sp.simplify), stated)

    equal_rows = dict(zip(w[2, :], w[1, :], strict=True))
    logits = (w * h).subs(equal_rows)
    identity("entries k and l of all logits agree", logits[2, :] - logits[1, :], sp.zeros(1, 3))
    in_rows = [sp.Matrix([sp.diff(objective(), x) for x in w[n, :]]) for n in (1, 2)]
    difference = (in_rows[0] - in_rows[1]).subs(equal_rows)
    stated = (1 - alpha) * (p[2] * h[:, 2] - p[1] * h[:, 1])  # claim
    identity("conditions of the two rows", difference.applyfunc(sp.simplify), stated)


def objective():
    """The objective."""
    z = w * h
    total = lw * sum(x**2 for x in w)
    for n in range(3):
        labels = [alpha / 3 + (1 - alpha) * int(i == n) for i in range(3)]
        fit = sum(y * x for y, x in zip(labels, z[:, n], strict=True))
        total += p[n] * (sp.log(sum(sp.exp(x) for x in z[:, n])) - fit + lh * sum(x**2 for x in h[:, n]))
    return total


if __name__ == "__main__":
    main()
