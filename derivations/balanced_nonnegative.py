"""Balanced classes, nonnegative features: the global minimum is an orthogonal frame.

Theorem. Let N >= 2 classes have equal proportions, lW, lH > 0, mu = sqrt(lW lH), M >= N, and let the features be
entrywise nonnegative. For a loss that is convex, shift invariant and symmetric under relabelling (as in
`balanced_free.py`), with profile f, the minimum of the model is

    min over s >= 0 of f(s) + kappa s,      kappa = 2 sqrt(N-1) mu,

attained at Z = s (I - J/N), with class means h_n = a e_n (orthogonal, of equal length) and W = c (I - J/N), where

    a = (lW (N-1)/lH)^(1/4) sqrt s,     c = s/a,     ||h_n|| = a,     ||h_n - h_m|| = sqrt2 a,

and each w_n is a positive multiple of h_n minus the mean of the class means.

The value is the same for the relaxation in which the Gram matrix G of H Dpi is only asked to be doubly nonnegative
(positive semidefinite with nonnegative entries). An unregularised bias does not change value or margin.

Proof. Write B = H Dpi, G = B'B and let V = -g N/(N-1) P be the subgradient of step 1 of `balanced_free.py`, A = V Dpi.

1. For any W and B, minimising a quadratic in W,
       lW ||W||^2 + <A, W B>  =  lW ||W + A B'/(2 lW)||^2 - tr(A'A G)/(4 lW)  >=  -tr(A'A G)/(4 lW).
2. So lW ||W||^2 + lH ||B||^2 + <A, W B> >= tr((4 mu^2 I - A'A) G)/(4 lW). The trace of a doubly nonnegative G
   against a sum of a positive semidefinite and an entrywise nonnegative matrix is nonnegative. With
   L = g^2/(N-1)^2 (J - I) >= 0,
       4 mu^2 I - A'A  =  L + (4 mu^2 - g^2/(N-1)) I,
   which is such a sum exactly when g <= kappa.
3. For any Z' = W' H' the convexity of the loss gives loss(Z') >= f(s) + <A, X' - X>, so the objective is at least
   f(s) - <A, X> = f(s) + g s. Choose g = kappa if s > 0, and g = -f'(0+) <= kappa if s = 0: the bound is
   f(s) + kappa s.
4. The stated W and H have nonnegative features, logits s P, and cost kappa s: the bound is attained. Only properties
   of G shared by all doubly nonnegative matrices were used, so the relaxation has the same value.
5. <A, b sqrt(pi)'> = 0 because V 1 = 0, so a bias does not change the bound.
"""

import sympy as sp
from _check import identity, nonnegative, positive
from _invariant import IDENTITY, ONES, Invariant, N, P, check_algebra

PROVES = {
    "ufm-orthogonal-frame": {
        "hypotheses": (
            "cross-entropy",
            "one-hot labels",
            "balanced classes",
            "nonnegative features",
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
            "kappa": "2*sqrt(num_classes - 1)*sqrt(weight_decay*feature_decay)",
            "others": "(num_classes - 1)*smoothing/num_classes",
            "e": "others + kappa",
            "s": "log(Max(1, (num_classes - 1)*(1 - e)/e))",
        },
        "conclusion": ("value == log(exp(s) + num_classes - 1) + (kappa - (1 - others))*s",),
        "quantities": {
            "value": "the optimal value, without a bias",
        },
    },
}

s, g, lw, lh = sp.symbols("s g lambda_W lambda_H", positive=True)
mu = sp.sqrt(lw * lh)
kappa = 2 * sp.sqrt(N - 1) * mu


def main() -> None:
    """Run every step."""
    check_algebra()
    completing_the_square_in_the_weights()
    dual_certificate()
    configuration_attains_the_bound()
    free_features_are_cheaper()


def completing_the_square_in_the_weights() -> None:
    """Step 1. The identity is bilinear, so a general 2 x 2 A, W and a 2 x 3 B already contain every kind of term."""
    a, w = (sp.Matrix(2, columns, sp.symbols(f"{x}:{2 * columns}", real=True)) for x, columns in (("a", 3), ("w", 2)))
    b = sp.Matrix(2, 3, sp.symbols("b:6", real=True))
    square = w + a * b.T / (2 * lw)  # claim
    left = lw * norm2(w) + (a.T * (w * b)).trace()
    identity("square completed in W", left, lw * norm2(square) - (a.T * a * (b.T * b)).trace() / (4 * lw))


def dual_certificate() -> None:
    """Steps 2, 3 and 5, for every N."""
    v = -g * N / (N - 1) * P
    a = 1 / sp.sqrt(N) * v
    multiplier = (g / (N - 1)) ** 2 * (ONES - IDENTITY)
    nonnegative("the multiplier is entrywise nonnegative", multiplier.off_diagonal)
    identity("and has zero diagonal", multiplier.diagonal)
    remainder = 4 * mu**2 * IDENTITY - a @ a - multiplier
    slack = 4 * mu**2 - g**2 / (N - 1)  # claim
    identity("4 mu^2 I - A'A - L is a multiple of the identity", remainder.deviation, slack)
    identity("(same multiple on the all-ones vector)", remainder.mean, slack)
    identity("that multiple has the sign of kappa - g", slack, (kappa - g) * (kappa + g) / (N - 1))  # claim
    x = 1 / sp.sqrt(N) * (s * P)
    identity("-<A, X> = g s", -(a @ x).trace, g * s)
    identity("V 1 = 0, so a bias has no slope", (v @ (IDENTITY - P)).mean)


def configuration_attains_the_bound() -> None:
    """Step 4."""
    a = (lw * (N - 1) / lh) ** sp.Rational(1, 4) * sp.sqrt(s)  # claim
    c = s / a
    w, h = c * P, a * IDENTITY
    nonnegative("features are nonnegative", h.off_diagonal)
    positive("and not zero", h.diagonal)
    identity("W H = s P", (w @ h).deviation, s)
    identity("W H has no all-ones part", (w @ h).mean)
    identity("weight part = feature part", lw * w.squared_norm, lh * h.squared_norm / N)
    identity("the decay costs kappa s", lw * w.squared_norm + lh * h.squared_norm / N, kappa * s)
    identity("class means are orthogonal", (h @ h).off_diagonal)
    identity("||h_n - h_m||^2 = 2 a^2", 2 * (h @ h).diagonal - 2 * (h @ h).off_diagonal, 2 * a**2)
    centred = h @ (IDENTITY - 1 / N * ONES)  # h_n minus the mean of all class means
    identity("w_n = (c/a) (h_n - mean)", w.deviation, c / a * centred.deviation)
    rows = Invariant(w.deviation, w.mean)
    identity("||w_n - w_m||^2 = 2 c^2", 2 * (rows @ rows).diagonal - 2 * (rows @ rows).off_diagonal, 2 * c**2)
    identity("kap D / 2 = s", sp.sqrt(2) * c * sp.sqrt(2) * a / 2, s)
    # The mean m of two class means: ||m||^2 = a^2/2 = D^2/4, used by the memorization-dilation problem.
    identity("||m||^2 = D^2/4 for two classes", ((a / 2) ** 2 + (a / 2) ** 2), 2 * a**2 / 4)


def free_features_are_cheaper() -> None:
    """kappa(nonnegative)^2 - kappa(free)^2 = 4 mu^2 (N-1)/N > 0: nonnegativity costs a factor sqrt(N/(N-1))."""
    free = 2 * (N - 1) * mu / sp.sqrt(N)
    identity("kappa ratio", (kappa / free) ** 2, N / (N - 1))
    difference = 4 * mu**2 * (N - 1) / N
    identity("difference of squares", kappa**2 - free**2, difference)  # claim
    positive("nonnegative features cost more", difference)


def norm2(matrix):
    """Squared Frobenius norm."""
    return sum(entry**2 for entry in matrix)


if __name__ == "__main__":
    main()
