"""Squared error with any targets: singular value thresholding, for every feature dimension.

Theorem 1. For targets Y (D x K), weights pi_k > 0 with sum 1, q = sqrt(pi), t = 2 sqrt(lW lH) and any feature dimension
M, consider

    min over W, H (, b) of sum_k pi_k [1/2 ||W h_k + b - y_k||^2 + lH ||h_k||^2] + lW ||W||^2 .

Let Y diag(q) (I - q q') = U S V' with an unregularised bias, Y diag(q) = U S V' without. The minimum is

    sum over the kept i of (t^2/2 + t tau_i)  +  1/2 sum over the other i of sigma_i^2,     tau_i = sigma_i - t,

where the M largest sigma_i are kept, and of these only those above t. It is attained at W H diag(q) = U diag(tau) V'
and b = Y pi, with W W' = sqrt(lH/lW) U diag(tau) U', and only there if sigma_M > sigma_(M+1) or sigma_(M+1) <= t
(up to rotations of the features).

Theorem 2 (one-hot labels, bias). The squared singular values of diag(q) (I - q q') are 0 and the N - 1 roots x of

    sum_k pi_k/(pi_k - x) = 0 ,

for distinct proportions; one root lies between each two consecutive proportions, and m equal proportions p give m - 1
roots p. The optimum has rank r or less iff the singular value number r + 1 is at most t.

Proof of 1. Put X = W H diag(q); its rank is at most M. The decay is at least t ||X||_*, with equality for the factors
of `nuclear_norm.py`, which fit in M = rank X dimensions; so the problem is min 1/2 ||X - B||^2 + t ||X||_* over
rank X <= M, B = Y diag(q), plus the bias.

1. The bias: minimising over b replaces X - B by (X - B)(I - q q') at b = (B - X) q. Replacing X by X (I - q q') leaves
   that unchanged, raises neither the rank nor the norm, and makes b = B q = Y pi. So B becomes B (I - q q').
2. Von Neumann's trace inequality <X, B> <= sum tau_i sigma_i, with the singular values of both in decreasing order,
   reduces the problem to sum over i <= M of 1/2 (tau_i - sigma_i)^2 + t tau_i, plus 1/2 sigma_i^2 for i > M.
   Equality needs common singular vectors.
3. Each term is minimal at tau_i = (sigma_i - t)_+, and keeping sigma_i > t gains (sigma_i - t)^2/2 over dropping it,
   more for a larger sigma_i. (With decreasing sigma the tau come out decreasing, as step 2 wants.)
Proof of 2. The matrix A = diag(q) - pi q' has A A' = diag(pi) - pi pi'; its characteristic polynomial is a product with
the secular sum, which increases from minus to plus infinity between two poles. The statement on the rank is theorem 1.
Equal proportions: a vector on their classes with zero sum is an eigenvector of diag(pi) - pi pi' with eigenvalue p.
"""

import sympy as sp
from _check import identity, positive

PROVES = {
    "free-bias-regression-spectrum": {
        "hypotheses": (
            "squared error",
            "one-hot labels",
            "free features",
            "enough features",
            "unregularised bias",
        ),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "pi_1 > pi_2",
            "pi_2 > pi_3",
        ),
        "definitions": {
            "q_1": "pi_1/(pi_1 + pi_2 + pi_3)",
            "q_2": "pi_2/(pi_1 + pi_2 + pi_3)",
            "q_3": "pi_3/(pi_1 + pi_2 + pi_3)",
        },
        "conclusion": (
            "q_1/(q_1 - x_1) == q_2/(-q_2 + x_1) + q_3/(-q_3 + x_1)",
            "q_1/(q_1 - x_2) + q_2/(q_2 - x_2) == q_3/(-q_3 + x_2)",
            "2*optimum == x_1 + x_2 - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay) + sqrt(x_1))**2 - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay) + sqrt(x_2))**2",
        ),
        "quantities": {
            "x_1": "largest squared singular value of diag(q) (I - q q')",
            "x_2": "the next one",
            "optimum": "the optimal value of the features model",
        },
    },
    "multivariate-regression": {
        "hypotheses": (
            "squared error",
            "free features",
            "enough features",
            "unregularised bias",
        ),
        "assumptions": (
            "spread_1 > 0",
            "spread_2 > 0",
            "weight_decay > 0",
            "feature_decay > 0",
        ),
        "definitions": {
            "trace": "spread_1**2 + spread_2**2",
            "gap": "sqrt(4*correlation**2*spread_1**2*spread_2**2 + (spread_1**2 - spread_2**2)**2)",
            "root_1": "sqrt(gap/2 + trace/2)",
            "root_2": "sqrt(-gap/2 + trace/2)",
        },
        "conclusion": (
            "2*optimum == trace - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay) + root_1)**2 - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay) + root_2)**2",
            "weight_square + 1 == sqrt(feature_decay)*(Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay) + root_1) + Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay) + root_2))/sqrt(weight_decay) + 1",
        ),
        "quantities": {
            "optimum": "the optimal value of the features model for four samples with that covariance",
            "weight_square": "the squared norm of the optimal weights",
        },
    },
}

t, sigma, tau, excess, more = sp.symbols("t sigma tau excess more", positive=True)


def main() -> None:
    """Run every step."""
    bias_projects()
    one_singular_value()
    larger_values_gain_more()
    objective_and_weights()
    secular_equation()
    equal_proportions()


def bias_projects() -> None:
    """Step 1 for two outputs and three samples, with ||q|| = 1."""
    q1, q2 = sp.symbols("q1 q2", positive=True)
    q = sp.Matrix([q1, q2, sp.sqrt(1 - q1**2 - q2**2)])
    x, b0 = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.Matrix(2, 3, sp.symbols("b1:7", real=True))
    bias = sp.Matrix(sp.symbols("c1:3", real=True))
    residual = x + bias * q.T - b0
    best = (b0 - x) * q  # claim
    value = (residual.T * residual).trace() / 2
    slope = sp.Matrix([sp.diff(value, c) for c in bias]).subs(dict(zip(bias, best, strict=True)))
    identity("the best bias is stationary", slope, sp.zeros(2, 1))
    projector = sp.eye(3) - q * q.T
    identity("residual left", residual.subs(dict(zip(bias, best, strict=True))), (x - b0) * projector)
    identity("projecting X keeps that residual", (x * projector - b0) * projector, (x - b0) * projector)
    identity("and its bias is B q", (b0 - x * projector) * q, b0 * q)


def one_singular_value() -> None:
    """Step 3: completing the square above the threshold, and below it."""
    kept = sp.Symbol("tau", real=True)
    term = (kept - sigma) ** 2 / 2 + t * kept
    square = (kept - (sigma - t)) ** 2 / 2 + t * sigma - t**2 / 2  # claim
    identity("the term is a square plus its minimum", term, square)
    # sigma <= t: with sigma = t - gap and tau >= 0 the term exceeds its value at 0.
    gap = sp.Symbol("gap", nonnegative=True)
    rise = (term - term.subs(kept, 0)).subs(sigma, t - gap).subs(kept, tau)
    identity("below the threshold the term rises by tau^2/2 + gap tau", rise, tau**2 / 2 + gap * tau)
    positive("so zero is best there", rise)


def larger_values_gain_more() -> None:
    """Step 3: what is gained by keeping sigma = t + excess, and its growth."""
    dropped, kept = sigma**2 / 2, t * sigma - t**2 / 2  # claim
    gain = (dropped - kept).subs(sigma, t + excess)
    identity("gain", gain, excess**2 / 2)
    positive("a larger singular value gains more", gain.subs(excess, excess + more) - gain)


def objective_and_weights() -> None:
    """The minimum in terms of tau, and the factors W = (lH/lW)^(1/4) U tau^(1/2)."""
    identity("kept term", (t * sigma - t**2 / 2).subs(sigma, t + tau), t**2 / 2 + t * tau)  # claim
    lw, lh = sp.symbols("lambda_W lambda_H", positive=True)
    w, h = (lh / lw) ** sp.Rational(1, 4) * sp.sqrt(tau), (lw / lh) ** sp.Rational(1, 4) * sp.sqrt(tau)
    identity("W H diag(q) has the singular value tau", w * h, tau)
    identity("W W'", w**2, sp.sqrt(lh / lw) * tau)
    identity("decay", lw * w**2 + lh * h**2, 2 * sp.sqrt(lw * lh) * tau)


def secular_equation() -> None:
    """Theorem 2 for three classes; the factor x is the zero singular value of the bias direction."""
    p1, p2, x = sp.symbols("p1 p2 x", positive=True)
    weights = sp.Matrix([p1, p2, 1 - (p1 + p2)])
    root = weights.applyfunc(sp.sqrt)
    centred = sp.diag(*root) * (sp.eye(3) - root * root.T)
    gram = sp.diag(*weights) - weights * weights.T  # claim
    identity("A A' = diag(pi) - pi pi'", centred * centred.T, gram)
    secular = sum(w / (w - x) for w in weights)  # claim
    polynomial = sp.together(-x * secular * sp.prod(w - x for w in weights))  # claim
    identity(
        "det(diag(pi) - pi pi' - x I) = -x prod(pi_k - x) sum pi_k/(pi_k - x)", (gram - x * sp.eye(3)).det(), polynomial
    )
    p = sp.Symbol("p", positive=True)
    identity("slope of one term", sp.diff(p / (p - x), x), p / (p - x) ** 2)
    positive("so the sum increases between poles", p / (1 + x) ** 2)


def equal_proportions() -> None:
    """Two classes of proportion p among three."""
    p = sp.Symbol("p", positive=True)
    weights = sp.Matrix([p, p, 1 - 2 * p])
    u = sp.Matrix([1, -1, 0])
    identity("eigenvector with zero sum", (sp.diag(*weights) - weights * weights.T) * u, p * u)


if __name__ == "__main__":
    main()
