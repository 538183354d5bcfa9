"""Label noise at the two ends of expressivity: invisible, or label smoothing.

Setting. Balanced true classes m, labels n with probability T[n, m], columns summing to one. The loss is cross-entropy
with smoothing alpha: on the label n it is the cross-entropy against y_n = (1 - alpha) e_n + (alpha/N) 1.

Theorem 1 (unlimited expressivity). If every example has features of its own, the optimum is that of the features model
with the observed labels in their proportions sum_m pi_m T[n, m]: the true classes do not enter.
Theorem 2 (no expressivity). If all examples of a true class share one feature, the optimum is that of the features model
with the labels sum_n T[n, m] y_n. Symmetric noise, T = 1 - eta on the diagonal and eta/(N-1) off it, makes
them the labels smoothed by

    alpha' = alpha + (1 - alpha) eta N/(N-1).

For mean squared error theorem 2 holds up to the constant sum_n T[n, m] ||y_n - ybar_m||^2/2, ybar the mean label.

Proof. 1: the objective is a sum over the pairs (m, n) of pi_m T[n, m] (loss(W h + b, y_n) + lambda_H ||h||^2), in which m
appears only in the weight; for fixed W and b every h minimises the same function for all m, so the pairs with a common n
may share one h, and their weights add up. 2: cross-entropy is linear in the label, and the squared error is up to the
stated variance; the rest is the algebra below, with the number of classes as a symbol.
"""

import sympy as sp
from _check import identity

PROVES = {
    "label-noise-invisible": {
        "hypotheses": (
            "cross-entropy",
            "free features",
            "enough features",
            "a feature for every example",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "flipped >= 1",
        ),
        "conclusion": (
            "two == (sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + smoothing/2 - 1)*log(Max(1, (-sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) - smoothing/2 + 1)/(sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + smoothing/2))) + log(Max(1, (-sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) - smoothing/2 + 1)/(sqrt(2)*sqrt(feature_decay)*sqrt(weight_decay) + smoothing/2)) + 1)",
            "four == (3*sqrt(feature_decay)*sqrt(weight_decay) + 3*smoothing/4 - 1)*log(Max(1, (-9*sqrt(feature_decay)*sqrt(weight_decay) - 9*smoothing/4 + 3)/(3*sqrt(feature_decay)*sqrt(weight_decay) + 3*smoothing/4))) + log(Max(1, (-9*sqrt(feature_decay)*sqrt(weight_decay) - 9*smoothing/4 + 3)/(3*sqrt(feature_decay)*sqrt(weight_decay) + 3*smoothing/4)) + 3)",
        ),
        "quantities": {
            "two": "the optimal value of the features model of two true classes whose wrong labels are as frequent as flipped says",
            "four": "the optimal value of the features model of four true classes, each with wrong labels of the next",
        },
    },
    "symmetric-noise-is-smoothing": {
        "hypotheses": (
            "cross-entropy",
            "balanced classes",
            "free features",
            "enough features",
            "a feature for every true class",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "flipped >= 1",
            "doublings >= 0",
        ),
        "definitions": {
            "classes": "2**doublings + 1",
            "wrong": "flipped/1024",
            "effective": "classes*wrong*(1 - smoothing)/(classes - 1) + smoothing",
            "left": "Min(1 - 1/classes, effective*(classes - 1)/classes + sqrt(feature_decay)*sqrt(weight_decay)*(2*classes - 2)/sqrt(classes))",
        },
        "conclusion": ("value == -left*log(left/(classes - 1)) + (left - 1)*log(1 - left)",),
        "quantities": {
            "value": "the optimal value of the features model with the mean labels of symmetric noise, smoothed",
        },
    },
}

N = sp.Symbol("N", positive=True)
alpha, eta = sp.symbols("alpha eta", positive=True)


def main() -> None:
    """Run every step."""
    symmetric_noise_smooths()
    losses_of_a_mean_label()


def symmetric_noise_smooths() -> None:
    """Own and other entries of the mean label of a class under symmetric noise."""
    own, other = 1 - alpha + alpha / N, alpha / N
    mean_own = (1 - eta) * own + eta * other
    mean_other = (1 - eta) * other + eta / (N - 1) * own + eta * (N - 2) / (N - 1) * other
    effective = alpha + (1 - alpha) * eta * N / (N - 1)  # claim
    identity("own entry", mean_own, 1 - effective + effective / N)
    identity("other entries", mean_other, effective / N)
    identity("the mean label sums to one", mean_own + (N - 1) * mean_other, 1)


def losses_of_a_mean_label() -> None:
    """Two labels with weights 1 - eta and eta stand for any number: both sides are sums over entries and over labels."""
    z, first, second, normaliser = sp.symbols("z y_1 y_2 lse", real=True)
    mean = (1 - eta) * first + eta * second  # claim
    # Per entry: cross-entropy is (lse - z_j) y_j.
    mixed = (1 - eta) * (normaliser - z) * first + eta * (normaliser - z) * second
    identity("cross-entropy of the mean label", mixed, (normaliser - z) * mean)
    squared = (1 - eta) * (z - first) ** 2 / 2 + eta * (z - second) ** 2 / 2
    variance = (1 - eta) * (first - mean) ** 2 / 2 + eta * (second - mean) ** 2 / 2
    identity("squared error of the mean label, plus a variance", squared, (z - mean) ** 2 / 2 + variance)  # claim


if __name__ == "__main__":
    main()
