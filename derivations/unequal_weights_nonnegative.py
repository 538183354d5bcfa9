"""Nonnegative features, any class proportions: the classes decouple.

Theorem. Let N >= 2, pi_n > 0 with sum 1, M >= N, nonnegative features, no bias, and a loss that is convex, shift
invariant and symmetric under relabelling, with profile f. Put

    kappa_n = 2 mu sqrt((N-1)/(N pi_n)).

Then the global minimum of the model is sum_n pi_n min over s_n >= 0 of (f(s_n) + kappa_n s_n), attained at
z_n = s_n (e_n - 1/N): each class solves its own scalar problem f'(s_n) + kappa_n = 0, with s_n = 0 if f'(0+) +
kappa_n >= 0. The class means are orthogonal, h_n = a_n e_n with a_n^2 = sqrt(lW/lH) s_n sqrt((N-1)/(N pi_n)), and
column n of W is z_n/a_n (zero if s_n = 0).

Proof. As in `balanced_nonnegative.py`, with B = H Dpi, G = B'B, the subgradients v_n = -g_n N/(N-1) (e_n - 1/N) and
A = V Dpi, convexity and the completed square give, for every admissible (W, H),

    objective  >=  sum_n pi_n (f(s_n) + g_n s_n)  +  tr((4 mu^2 I - A'A) G)/(4 lW).

1. For n != m the entry -(A'A)_nm = sqrt(pi_n pi_m) g_n g_m N/(N-1)^2 is nonnegative: these entries form an entrywise
   nonnegative matrix L, the KKT multiplier of G >= 0.
2. What remains, 4 mu^2 I - A'A - L, is diagonal with entries (N pi_n/(N-1)) (kappa_n^2 - g_n^2), nonnegative iff
   g_n <= kappa_n.
3. With g_n = kappa_n when s_n > 0 and g_n = -f'(0+) <= kappa_n when s_n = 0, the bound is the claimed value; the
   stated W and H reach it. The bound holds for every doubly nonnegative G, so the relaxation is exact here whatever N
   and pi.

General labels. For any label distribution let z_n minimise pi_n loss(z, y_n) + 2 mu sqrt(pi_n) ||z|| separately, and
let v_n be the subgradient of the loss in its optimality condition: v_n = -2 mu z_n/(sqrt(pi_n) ||z_n||) if z_n != 0,
||v_n|| <= 2 mu/sqrt(pi_n) otherwise. The same proof shows that decoupling is exact if

    <v_n, v_m> <= 0   for all n != m,

which for nonzero columns is <z_n, z_m> <= 0. Asking only <z_n, z_m> <= 0 is NOT enough when some columns vanish: the
last step below has two classes with equal labels whose columns both vanish separately, yet not together.
"""

import sympy as sp
from _check import holds, identity, nonnegative, positive
from _invariant import N

PROVES = {
    "minority-collapse-nonnegative": {
        "hypotheses": ("cross-entropy", "one-hot labels", "nonnegative features", "no bias", "enough features"),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "share > 0",
        ),
        "conclusion": (
            "pull iff-positive -4*feature_decay*num_classes*weight_decay/((1 - smoothing)**2*(num_classes - 1)) + share",
        ),
        "quantities": {
            "pull": "slope of the objective of the class at zero margin",
        },
    },
    "unequal-classes-nonnegative": {
        "hypotheses": ("cross-entropy", "one-hot labels", "nonnegative features", "no bias", "enough features"),
        "assumptions": ("weight_decay > 0", "feature_decay > 0", "smoothing >= 0", "smoothing < 1"),
        "conclusion": (
            "value == pi_1*((2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_1)) + 2*smoothing/3 - 1)*log(Max(1, (-4*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_1)) - 4*smoothing/3 + 2)/(2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_1)) + 2*smoothing/3))) + log(Max(1, (-4*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_1)) - 4*smoothing/3 + 2)/(2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_1)) + 2*smoothing/3)) + 2)) + pi_2*((2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_2)) + 2*smoothing/3 - 1)*log(Max(1, (-4*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_2)) - 4*smoothing/3 + 2)/(2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_2)) + 2*smoothing/3))) + log(Max(1, (-4*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_2)) - 4*smoothing/3 + 2)/(2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_2)) + 2*smoothing/3)) + 2)) + pi_3*((2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_3)) + 2*smoothing/3 - 1)*log(Max(1, (-4*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_3)) - 4*smoothing/3 + 2)/(2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_3)) + 2*smoothing/3))) + log(Max(1, (-4*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_3)) - 4*smoothing/3 + 2)/(2*sqrt(6)*sqrt(feature_decay)*sqrt(weight_decay)/(3*sqrt(pi_3)) + 2*smoothing/3)) + 2))",
        ),
        "quantities": {
            "value": "general convex solver, bounds proved in ball arithmetic",
        },
    },
}

lw, lh = sp.symbols("lambda_W lambda_H", positive=True)
mu = sp.sqrt(lw * lh)
pi_n, pi_m, g_n, g_m, s_n, alpha = sp.symbols("pi_n pi_m g_n g_m s_n alpha", positive=True)


def kappa(proportion):
    """Cost per unit of margin of a class with this proportion."""
    return 2 * mu * sp.sqrt((N - 1) / (N * proportion))  # claim


def main() -> None:
    """Run every step."""
    multiplier_is_nonnegative()
    remainder_is_diagonal()
    configuration_attains_the_bound()
    minority_collapse()
    decoupling_needs_more_than_orthogonal_columns()


def centred_product(same: bool):
    """<e_n - 1/N, e_m - 1/N>, summed entry by entry: own entries, and the N - 2 (or N - 1) others."""
    own, other = 1 - 1 / N, -1 / N
    return own**2 + (N - 1) * other**2 if same else 2 * own * other + (N - 2) * other**2


def multiplier_is_nonnegative() -> None:
    """Step 1."""
    scale_n, scale_m = (-g * N / (N - 1) * sp.sqrt(w) for g, w in ((g_n, pi_n), (g_m, pi_m)))
    entry = scale_n * scale_m * centred_product(same=False)
    multiplier = sp.sqrt(pi_n * pi_m) * g_n * g_m * N / (N - 1) ** 2  # claim
    identity("-(A'A)_nm", -entry, multiplier)
    nonnegative("the multiplier of G_nm >= 0", multiplier)


def remainder_is_diagonal() -> None:
    """Step 2."""
    diagonal = (g_n * N / (N - 1)) ** 2 * pi_n * centred_product(same=True)
    slack = N * pi_n / (N - 1) * (kappa(pi_n) ** 2 - g_n**2)  # claim
    identity("4 mu^2 - (A'A)_nn", 4 * mu**2 - diagonal, slack)


def configuration_attains_the_bound() -> None:
    """Step 3: cost of class n, and the class problem's bound."""
    inner = g_n * N / (N - 1) * s_n * centred_product(same=True)  # -<v_n, z_n>
    identity("-<v_n, z_n> = g_n s_n", inner, g_n * s_n)
    length2 = sp.sqrt(lw / lh) * s_n * sp.sqrt((N - 1) / (N * pi_n))  # a_n^2
    weights = lw * s_n**2 * centred_product(same=True) / length2
    features = lh * pi_n * length2
    identity("column n: weight part = feature part", weights, features)
    identity("column n costs pi_n kappa_n s_n", weights + features, pi_n * kappa(pi_n) * s_n)
    balanced = kappa(1 / N)
    identity("equal proportions give kappa = 2 sqrt(N-1) mu", balanced, 2 * sp.sqrt(N - 1) * mu)


def minority_collapse() -> None:
    """When a class collapses: kappa_n >= -f'(0+).

    Cross-entropy: -f'(0) = (N-1)(1-alpha)/N, so class n collapses iff pi_n <= 4 mu^2 N/((N-1)(1-alpha)^2).
    Hinge: -f'(0) = 1, so class n collapses if pi_n < 4 mu^2 (N-1)/N (at equality any 0 <= s_n <= 1 is optimal).
    """
    keep = sp.Symbol("k", positive=True)  # 1 - alpha
    slope = (N - 1) * keep / N
    threshold = 4 * mu**2 * N / ((N - 1) * keep**2)
    margin = (slope / sp.sqrt(pi_n)) ** 2 * (threshold - pi_n)  # claim
    identity("cross-entropy: sign of kappa_n - (-f'(0))", kappa(pi_n) ** 2 - slope**2, margin)
    hinge = (4 * mu**2 * (N - 1) / N - pi_n) / pi_n
    identity("hinge: sign of kappa_n - 1", kappa(pi_n) ** 2 - 1, hinge)


def decoupling_needs_more_than_orthogonal_columns() -> None:
    """Mean squared error without bias, pi = (1/4, 1/4, 1/2), labels e_1, e_1, e_3 and 2 mu = 1/2.

    Separately z_n = (1 - 2 mu/sqrt(pi_n))_+ y_n: both columns of label e_1 vanish, so all inner products are zero.
    Together the two classes act like one of proportion 1/2, and one nonnegative feature serves both at a strictly
    smaller cost.
    """
    two_mu, quarter, half = sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(1, 2)
    separate = sp.Max(0, 1 - two_mu / sp.sqrt(quarter))
    holds("each column vanishes on its own", separate == 0)
    decoupled_value = 2 * quarter / 2
    together = 1 - two_mu / sp.sqrt(half)
    positive("the merged column does not vanish", together)
    merged_value = half / 2 * (1 - together) ** 2 + two_mu * sp.sqrt(half) * together
    identity("gain of merging", decoupled_value - merged_value, half / 2 * together**2)  # claim
    positive("so decoupling was not optimal", decoupled_value - merged_value)


if __name__ == "__main__":
    main()
