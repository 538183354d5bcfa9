"""Mean squared error: the features model is soft-thresholding of singular values.

Theorem 1. Let Y be any labels (columns), pi_n > 0, Dpi = diag(sqrt pi), free features, no bias, M >= rank. The
optimal X = Z Dpi of min 1/2 ||X - Y Dpi||^2 + 2 mu ||X||_* is unique: X = SVT(Y Dpi), every singular value sigma
replaced by (sigma - 2 mu)_+.
  One-hot labels: z_n = (1 - 2 mu/sqrt(pi_n))_+ e_n, so class n collapses to zero iff sqrt(pi_n) <= 2 mu.
  Balanced, smoothing alpha: Z = A (I - J/N) + B J/N with A = (1 - alpha - 2 sqrt N mu)_+, B = (1 - 2 sqrt N mu)_+;
  the cosine between class means is (B - A)/(B + (N-1) A), so they are orthogonal iff alpha = 0 and coincide
  (nonzero) iff A = 0 < B. Since A <= B the optimum is attained by nonnegative features, so it is the optimum of the
  nonnegative setting too (M >= N).
Theorem 2. With an unregularised bias, free features: X = SVT(Y Dpi (I - q q')), q = sqrt(pi), and b = Y pi.
  Balanced: Z = s (I - J/N) with s = (1 - alpha - 2 sqrt N mu)_+. With nonnegative features, balanced:
  s = (1 - alpha - 2 N mu/sqrt(N-1))_+ (`balanced_nonnegative.py`); for N = 2 that is the mean of the two margins, and
  each split into margins >= 0 is optimal (`bias_penalty.py`).
Theorem 3. Smoothed labels (0 < alpha < 1), any proportions, no bias: the Gram matrix of H Dpi at the free optimum of
  theorem 1 is doubly nonnegative. So the doubly nonnegative relaxation has the same value as free features, and for
  N <= 4, where doubly nonnegative matrices are completely positive, so has the model with nonnegative features (M
  large enough for the factorisation).

Proof of 1. Write B0 = Y Dpi = X + Q with X = SVT(B0). Then Q has singular values min(sigma, 2 mu), so
||Q||_op <= 2 mu, and <Q, X> = 2 mu ||X||_*. For any X',
    1/2||X' - B0||^2 + 2 mu ||X'||_* - (1/2||X - B0||^2 + 2 mu ||X||_*)
        = 1/2||X' - X||^2 + (2 mu ||X'||_* - <Q, X'>)  >=  1/2 ||X' - X||^2.
Proof of 2. Minimising over b leaves the residual times I - q q'. Replacing X by X (I - q q') keeps the residual and
does not increase the nuclear norm, so X may be taken with X q = 0, which is theorem 1 for Y Dpi (I - q q'); its
solution satisfies X q = 0.
Proof of 3. With q = sqrt(pi), (Y Dpi)'(Y Dpi) = K := (1-alpha)^2 diag(pi) + alpha (2-alpha)/N q q', and the Gram
matrix is a positive multiple of f(K), f(x) = (sqrt x - 2 mu)_+. It is positive semidefinite; let i != j and d_i >
d_j be their entries of (1-alpha)^2 pi (equal ones follow by continuity). The eigenvectors of a diagonal plus a
rank-one matrix have entries proportional to q_i/(lambda_k - d_i), so the coefficient of f(lambda_k) in f(K)_ij is
negative exactly when lambda_k lies between d_j and d_i. f is nondecreasing and, as a function of y = -1/x, convex.
Let h = A + B y, B >= 0, be its chord through d_j and d_i: f <= h between them and f >= h outside. Hence f(K)_ij >=
h(K)_ij = -B (K^-1)_ij >= 0.
"""

import sympy as sp
from _check import identity, nonnegative, positive
from _invariant import IDENTITY, ONES, Invariant, N, P, check_algebra

PROVES = {
    "margin-mean-squared-error-bias": {
        "hypotheses": (
            "squared error",
            "one-hot labels",
            "balanced classes",
            "unregularised bias",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
        ),
        "definitions": {
            "s": "Max(0, -2*sqrt(feature_decay)*sqrt(num_classes)*sqrt(weight_decay) - smoothing + 1)",
            "s_nonnegative": "Max(0, -2*sqrt(feature_decay)*num_classes*sqrt(weight_decay)/sqrt(num_classes - 1) - smoothing + 1)",
        },
        "conclusion": (
            "margin == s",
            "nonnegative_margin == s_nonnegative",
            "value == sqrt(feature_decay)*s*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes) + (num_classes - 1)*(-s - smoothing + 1)**2/(2*num_classes)",
        ),
        "quantities": {
            "margin": "minimiser over the margin, by proved signs of the slope",
            "nonnegative_margin": "minimiser over the margin, by proved signs of the slope",
            "value": "general convex solver, bounds proved in ball arithmetic",
        },
    },
    "mse-balanced-spectrum": {
        "hypotheses": ("squared error", "one-hot labels", "balanced classes", "no bias", "enough features"),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
        ),
        "definitions": {
            "spread": "Max(0, -2*sqrt(feature_decay)*sqrt(num_classes)*sqrt(weight_decay) - smoothing + 1)",
            "common": "Max(0, -2*sqrt(feature_decay)*sqrt(num_classes)*sqrt(weight_decay) + 1)",
        },
        "conclusion": (
            "value == 2*sqrt(feature_decay)*sqrt(weight_decay)*(common + spread*(num_classes - 1))/sqrt(num_classes) + ((1 - common)**2 + (num_classes - 1)*(-smoothing - spread + 1)**2)/(2*num_classes)",
            "own + 1 == 1 + (common + spread*(num_classes - 1))/num_classes",
            "other + 1 == 1 + (common - spread)/num_classes",
        ),
        "quantities": {
            "value": "general convex solver, bounds proved in ball arithmetic",
            "own": "certified logits, error from strong convexity",
            "other": "certified logits, error from strong convexity",
        },
    },
    "mse-minority-collapse": {
        "hypotheses": ("squared error", "one-hot labels", "no bias", "enough features"),
        "assumptions": ("weight_decay > 0", "feature_decay > 0"),
        "conclusion": (
            "value == 2*sqrt(feature_decay)*sqrt(pi_1)*sqrt(weight_decay)*Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_1) + 1) + 2*sqrt(feature_decay)*sqrt(pi_2)*sqrt(weight_decay)*Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_2) + 1) + 2*sqrt(feature_decay)*sqrt(pi_3)*sqrt(weight_decay)*Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_3) + 1) + pi_1*(1 - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_1) + 1))**2/2 + pi_2*(1 - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_2) + 1))**2/2 + pi_3*(1 - Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_3) + 1))**2/2",
            "own + 1 == Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)/sqrt(pi_1) + 1) + 1",
        ),
        "quantities": {
            "value": "general convex solver, bounds proved in ball arithmetic",
            "own": "certified logits, error from strong convexity",
        },
    },
    "mse-nonnegative-costs-nothing": {
        "hypotheses": ("squared error", "one-hot labels", "no bias", "enough features"),
        "assumptions": ("weight_decay > 0", "feature_decay > 0", "smoothing >= 0", "smoothing < 1"),
        "conclusion": ("nonnegative == free", "nonnegative_of_four == of_four", "nonnegative_of_six == of_six"),
        "quantities": {
            "free": "general convex solver, bounds proved in ball arithmetic",
            "nonnegative": "general convex solver, bounds proved in ball arithmetic",
            "of_four": "general convex solver, bounds proved in ball arithmetic",
            "nonnegative_of_four": "general convex solver, bounds proved in ball arithmetic",
            "of_six": "general convex solver, bounds proved in ball arithmetic",
            "nonnegative_of_six": "general convex solver, bounds proved in ball arithmetic",
        },
    },
    "mse-soft-thresholding": {
        "hypotheses": ("squared error", "free features", "no bias", "enough features"),
        "assumptions": ("weight_decay > 0", "feature_decay > 0", "y_1 > 0", "y_2 > 0", "y_3 > 0"),
        "conclusion": (
            "value == 2*sqrt(feature_decay)*sqrt(weight_decay)*(larger - Min(larger, 2*sqrt(feature_decay)*sqrt(weight_decay))) + 2*sqrt(feature_decay)*sqrt(weight_decay)*(smaller - Min(smaller, 2*sqrt(feature_decay)*sqrt(weight_decay))) + Min(larger, 2*sqrt(feature_decay)*sqrt(weight_decay))**2/2 + Min(smaller, 2*sqrt(feature_decay)*sqrt(weight_decay))**2/2",
        ),
        "quantities": {
            "value": "general convex solver, bounds proved in ball arithmetic",
            "larger": "singular values of a matrix with two rows, in balls",
            "smaller": "singular values of a matrix with two rows, in balls",
        },
    },
}

alpha, mu = sp.symbols("alpha mu", positive=True)
threshold = 2 * mu


def main() -> None:
    """Run every step."""
    check_algebra()
    gap_is_quadratic()
    one_hot_labels()
    balanced_smoothed_labels()
    nonnegative_features_are_enough()
    unregularised_bias()
    gram_matrix_is_doubly_nonnegative()


def gap_is_quadratic() -> None:
    """Theorem 1 entry by entry (the identity is a sum over entries), and the singular values of X and Q = B0 - X."""
    x, other, target = sp.symbols("x x_other b0", real=True)
    q = target - x
    gap = (other - target) ** 2 / 2 - (x - target) ** 2 / 2  # claim
    identity("gap = 1/2 (x' - x)^2 - q (x' - x)", gap, (other - x) ** 2 / 2 - q * (other - x))  # claim
    excess = sp.Symbol("excess", positive=True)
    kept = (threshold + excess) - threshold  # sigma = 2 mu + excess
    identity("kept singular values: <Q, X> gains 2 mu each", ((threshold + excess) - kept) * kept, threshold * kept)
    # Discarded ones (sigma <= 2 mu) stay in Q unchanged and contribute nothing to X.
    identity("so they leave 2 mu in Q", (threshold + excess) - kept, threshold)


def one_hot_labels() -> None:
    """Y Dpi = Dpi is diagonal with singular values sqrt(pi_n)."""
    proportion = sp.Symbol("pi_n", positive=True)
    root = sp.sqrt(proportion)
    identity("z_n", (root - threshold) / root, 1 - 2 * mu / root)  # claim
    identity("collapse iff sqrt(pi_n) <= 2 mu", (1 - 2 * mu / root) * root, root - 2 * mu)


def balanced_smoothed_labels() -> None:
    """Y = (1-alpha) P + J/N; its singular values on the two eigenspaces are thresholded separately."""
    half = 1 / sp.sqrt(N)
    labels = (1 - alpha) * IDENTITY + alpha / N * ONES
    identity("Y = (1-alpha) P + J/N", sp.Matrix([labels.deviation, labels.mean]), sp.Matrix([1 - alpha, 1]))
    x = half * labels - threshold * IDENTITY  # both eigenvalues above the threshold
    z = sp.sqrt(N) * x
    deviation, mean = 1 - alpha - 2 * sp.sqrt(N) * mu, 1 - 2 * sp.sqrt(N) * mu  # claim
    identity("A", z.deviation, deviation)
    identity("B", z.mean, mean)
    identity("B - A = alpha", mean - deviation, alpha)
    a, b = sp.symbols("A B", positive=True)
    gram = Invariant(a, b)  # H'H is a multiple of (X'X)^(1/2)
    cosine = (b - a) / (b + (N - 1) * a)  # claim
    identity("cosine between class means", gram.off_diagonal / gram.diagonal, cosine)
    identity("A = 0: all means coincide", cosine.subs(a, 0), 1)


def nonnegative_features_are_enough() -> None:
    """H Dpi proportional to (A P + B E)^(1/2): a symmetric square root, whose entries are nonnegative because A <=
    B."""
    a, more = sp.symbols("A more", positive=True)
    b = a + more
    root = Invariant(sp.sqrt(a), sp.sqrt(b))
    identity("root squared", (root @ root).deviation, a)
    identity("root squared, all-ones part", (root @ root).mean, b)
    nonnegative("diagonal entries", root.diagonal)
    conjugate = (sp.sqrt(b) + sp.sqrt(a)) * N
    identity("off-diagonal entries are (B-A)/(N (sqrt B + sqrt A)) > 0", root.off_diagonal * conjugate, more)


def unregularised_bias() -> None:
    """Theorem 2: the optimal bias, and the balanced margins."""
    weights = sp.symbols("q1:4", positive=True)
    q = sp.Matrix(weights)
    residual = sp.Matrix([sp.symbols("e1:4", real=True)])  # one row of X - Y Dpi; add b q', with ||q|| = 1
    b = sp.Symbol("b", real=True)
    shifted = residual + b * q.T
    unit = (q.T * q)[0]
    best = -(residual * q)[0] / unit
    identity("best bias", sp.diff((shifted * shifted.T)[0], b).subs(b, best))
    projected = residual * (sp.eye(3) - q * q.T / unit)
    identity("residual left", shifted.subs(b, best), projected)
    labels = ((1 - alpha) * IDENTITY + alpha / N * ONES) @ P
    identity("Y P = (1-alpha) P", labels.deviation, 1 - alpha)
    identity("so the bias removes the all-ones part", labels.mean)
    free = sp.sqrt(N) * ((1 - alpha) / sp.sqrt(N) - threshold)
    identity("free features", free, 1 - alpha - 2 * sp.sqrt(N) * mu)  # claim
    s = 1 - alpha - 2 * N * mu / sp.sqrt(N - 1)
    kappa = 2 * sp.sqrt(N - 1) * mu
    identity("nonnegative features: f'(s) + kappa = 0", (N - 1) / N * (s - (1 - alpha)) + kappa)


def gram_matrix_is_doubly_nonnegative() -> None:
    """Theorem 3: K, its eigenvectors, the sign of its inverse, and the convexity of f in y = -1/x."""
    labels = (1 - alpha) * IDENTITY + alpha / N * ONES
    square = (1 - alpha) ** 2 * IDENTITY + alpha * (2 - alpha) / N * ONES  # claim
    identity("Y'Y on zero-sum vectors", (labels @ labels).deviation, square.deviation)
    identity("Y'Y on the all-ones vector", (labels @ labels).mean, square.mean)
    # (D + beta q q') v = lambda v for v_i = q_i/(lambda - d_i), given the secular equation beta sum q_i v_i = 1.
    d, q, eigenvalue, beta = sp.symbols("d q lambda beta", positive=True)
    v = q / (eigenvalue - d)
    identity("eigenvector, one entry", d * v + q, eigenvalue * v)
    # Sherman-Morrison: (D + beta q q')^-1 = D^-1 - beta D^-1 q q' D^-1/(1 + beta q'D^-1 q), written for three classes.
    diagonal, vector = sp.diag(*sp.symbols("d1:4", positive=True)), sp.Matrix(sp.symbols("q1:4", positive=True))
    solved = diagonal.inv() * vector
    correction = beta * solved * solved.T / (1 + beta * (vector.T * solved)[0])
    inverse = diagonal.inv() - correction  # claim
    identity("inverse of K", (diagonal + beta * vector * vector.T) * inverse, sp.eye(3))
    nonnegative("-(K^-1)_ij >= 0 off the diagonal", -inverse[0, 1])
    size = sp.Symbol("minus_y", positive=True)  # x = 1/size, y = -size; d^2/dy^2 = d^2/dsize^2
    root = 1 / sp.sqrt(size)
    positive("sqrt x is convex in y = -1/x, hence so is (sqrt x - 2 mu)_+", sp.diff(root, size, 2))
    positive("and increases with y", -sp.diff(root, size))


if __name__ == "__main__":
    main()
