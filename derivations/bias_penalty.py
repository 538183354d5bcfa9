"""A penalised bias with squared error, and a free bias with nonnegative features of two classes.

Theorem 1. For balanced classes, free features, M >= N, c > 0, lb > 0 and u = sqrt(N) mu/c < 1 the minimum of

    1/N sum_n [c ||W h_n + b - e_n||^2 + lH ||h_n||^2] + lW ||W||^2 + lb ||b||^2

over W, H and b has Z = A (I - J/N) + y J/N with A = 1 - u and y = (1 - u (c + lb)/lb)_+. So the class means form an
exact simplex frame iff lb <= c u/(1 - u).

Theorem 2. Two balanced classes, nonnegative features, cross-entropy, unregularised bias, mu < 1/4. For every s_1, s_2 >= 0
with s_1 + s_2 = 2s, s = log(1/(2 mu) - 1), the configuration h_n = a_n e_n, a_n^2 = s_n sqrt(lW/lH),
W h_n = s_n (e_n - 1/2), b_1 - b_2 = (s_2 - s_1)/2, is optimal, with the value log(1 + e^-s) + 2 mu s. (If s_n = 0, the
column of W is zero too.)

Proof of 1. With t = 2 mu the decay is t ||Z||_*/sqrt N at least, with equality for some factors (`nuclear_norm.py`), and
the objective in Z and b is convex and invariant under relabelling the classes; it is strictly convex in Z + b 1' and in b,
hence in Z and b. So the minimiser is invariant: Z = A (I - J/N) + y J/N, b = beta 1. The squared error and the norm split
into the parts below. A: c (N-1)/N (A - 1)^2 + t (N-1) |A|/sqrt N is minimal at A = 1 - u. Mean: minimising over beta
first leaves c lb/(c + lb) (1 - y)^2/N + t |y|/sqrt N.
Proof of 2. The objective of the family is computed below. Lower bound: `features_dual_bound.py` with a dual point V of
zero row sums (the bias is free) whose columns are tau (-1, 1) and tau (1, -1), tau = 2 mu. The entrywise positive part of
the Gram matrix of V diag(sqrt pi) is tau^2 I, so the dual norm is tau = 2 mu, as required, and the bound is
H2(tau), the binary entropy in nats. It equals the value.
"""

import sympy as sp
from _check import identity, positive
from _invariant import N

PROVES = {
    "penalised-bias-etf": {
        "hypotheses": (
            "squared error",
            "one-hot labels",
            "balanced classes",
            "free features",
            "enough features",
            "penalised bias",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "bias_decay > 0",
            "factor > 0",
            "u < 1",
        ),
        "definitions": {
            "u": "sqrt(num_classes*weight_decay*feature_decay)/factor",
            "level": "1 - u*(factor + bias_decay)/bias_decay",
        },
        "conclusion": (
            "own == 1 - u",
            "pull == 2*factor*bias_decay*level/(num_classes*(factor + bias_decay))",
            "1 + mean == 1 + Max(0, level)",
        ),
        "quantities": {
            "own": "z_11 - z_12 at the optimum",
            "mean": "1'Z1/N at the optimum",
            "pull": "minus the slope of the objective along J/N where Z has no mean part",
        },
    },
    "two-classes-nonnegative-bias-flat": {
        "hypotheses": (
            "two classes",
            "cross-entropy",
            "balanced classes",
            "nonnegative features",
            "unregularised bias",
        ),
        "assumptions": (
            "split >= 0",
            "weight_decay > 0",
            "feature_decay > 0",
            "4*sqrt(feature_decay)*sqrt(weight_decay) < 1",
        ),
        "definitions": {
            "s": "log(-1 + 1/(2*sqrt(feature_decay)*sqrt(weight_decay)))",
        },
        "conclusion": ("value == 2*sqrt(feature_decay)*s*sqrt(weight_decay) + log(1 + exp(-s))", "best == value"),
        "quantities": {
            "value": "the objective of a configuration, term by term",
            "best": "between a dual bound and the objective, in balls",
        },
    },
}

c, lb, mu, s1, s2 = sp.symbols("c lambda_b mu s_1 s_2", positive=True)


def main() -> None:
    """Run every step."""
    parts_of_the_squared_error()
    deviation()
    mean_part()
    objective_of_the_family()
    dual_point()


def parts_of_the_squared_error() -> None:
    """1/N ||Z + b 1' - I||^2 for N = 3 splits into (N-1)/N (A-1)^2 + (y + N beta - 1)^2/N."""
    n = 3
    own, y, beta = sp.symbols("A y beta", real=True)
    mean = sp.ones(n, n) / n
    error = own * (sp.eye(n) - mean) + y * mean + beta * sp.ones(n, n) - sp.eye(n)
    stated = (n - 1) * (own - 1) ** 2 / n + (y + n * beta - 1) ** 2 / n  # claim
    identity("squared error", (error.T * error).trace() / n, stated)


def deviation() -> None:
    """The part off the mean."""
    own = sp.Symbol("A", positive=True)
    slope = sp.diff(c * (N - 1) / N * (own - 1) ** 2 + 2 * mu * (N - 1) * own / sp.sqrt(N), own)
    best = 1 - sp.sqrt(N) * mu / c  # claim
    identity("A = 1 - u", sp.simplify(slope.subs(own, best)))


def mean_part() -> None:
    """The part on the mean, the bias, and the threshold."""
    y, beta, u = sp.symbols("y beta u", positive=True)
    value = c / N * (y + N * beta - 1) ** 2 + lb * N * beta**2
    best = c * (1 - y) / (N * (c + lb))  # claim
    identity("beta", sp.simplify(sp.diff(value, beta).subs(beta, best)))
    left = c * lb / (c + lb) * (1 - y) ** 2 / N  # claim
    identity("what is left", sp.simplify(value.subs(beta, best) - left))
    slope = sp.diff(left, y) + 2 * mu / sp.sqrt(N)
    level = 1 - u * (c + lb) / lb  # claim
    identity("y", sp.simplify(slope.subs(y, level).subs(u, sp.sqrt(N) * mu / c)))
    below = sp.Symbol("below", positive=True)  # 1 - u
    threshold = c * u / (1 - u)  # claim
    identity("y vanishes at lb = c u/(1 - u)", sp.simplify(level.subs(lb, threshold)))
    positive("y increases with lb", sp.diff(level, lb))
    positive("the threshold is positive", threshold.subs(u, 1 - below) * below / (1 - below))


def objective_of_the_family() -> None:
    """Theorem 2: margins and decay."""
    lw, lh = sp.symbols("lambda_W lambda_H", positive=True)
    total = 0
    for own, other in ((s1, s2), (s2, s1)):
        bias = (other - own) / 2
        margin = own + bias  # claim
        identity("margin", margin, (s1 + s2) / 2)
        length = own * sp.sqrt(lw / lh)
        column = own**2 / 2 / length  # ||s_n (e_n - 1/2)||^2/a_n^2
        total += lh * length / 2 + lw * column
    identity("decay mu (s_1 + s_2)", total, sp.sqrt(lw * lh) * (s1 + s2))  # claim
    s = sp.Symbol("s", positive=True)
    value = sp.log(1 + sp.exp(-s)) + 2 * mu * s
    margin = sp.log(1 / (2 * mu) - 1)  # claim
    identity("stationary in s", sp.simplify(sp.diff(value, s).subs(s, margin)))


def dual_point() -> None:
    """Theorem 2: the Gram matrix and the entropy."""
    tau = 2 * mu
    dual = tau * sp.Matrix([[-1, 1], [1, -1]])
    identity("rows sum to zero", dual * sp.ones(2, 1), sp.zeros(2, 1))
    weighted = dual * sp.sqrt(sp.Rational(1, 2))
    stated = tau**2 * sp.Matrix([[1, -1], [-1, 1]])  # claim
    identity("Gram matrix", weighted.T * weighted, stated)
    rest = sp.Symbol("rest", positive=True)  # 1/(2 mu) - 1 = e^s
    level = 1 / (2 * (1 + rest))
    entropy = -(1 - tau) * sp.log(1 - tau) - tau * sp.log(tau)  # claim
    difference = sp.expand_log(sp.factor(entropy.subs(mu, level)), force=True)
    value = sp.expand_log(sp.log((1 + rest) / rest) + 2 * level * sp.log(rest), force=True)
    identity("value = H2(2 mu)", sp.simplify(sp.expand_log(sp.simplify(difference - value), force=True)))


if __name__ == "__main__":
    main()
