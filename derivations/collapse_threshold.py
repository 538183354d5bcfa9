"""When weight decay and smoothing leave nothing: the sharp collapse-to-zero threshold.

Theorem. In the setting of `balanced_free.py` (kappa = 2 (N-1) mu/sqrt N) or `balanced_nonnegative.py`
(kappa = 2 sqrt(N-1) mu), the margin s minimises f(s) + kappa s over s >= 0 with f convex. Hence Z = 0 is globally
optimal if and only if f'(0+) + kappa >= 0, that is

    cross-entropy, smoothing alpha         e := (N-1) alpha/N + kappa >= (N-1)/N
                                           free:         alpha + 2 sqrt N mu >= 1
                                           nonnegative:  alpha + 2 N mu/sqrt(N-1) >= 1
    label relaxation alpha                 alpha + kappa >= (N-1)/N     (always, if alpha >= (N-1)/N)
    mean squared error with bias           same inequality as cross-entropy
    hinge                                  kappa >= 1   (at kappa = 1 every s in [0, 1] is optimal)
    squared hinge                          kappa >= 1
    mean squared error without bias        2 sqrt N mu >= 1   (`squared_loss.py`; if 1 - alpha <= 2 sqrt N mu < 1 the
                                           means coincide and are not zero)

Otherwise the cross-entropy margin is s = log((N-1)(1-e)/e) = log1p((N-1) Delta/e), Delta = 1 - alpha - 2 sqrt N mu
(free) or 1 - alpha - 2 N mu/sqrt(N-1) (nonnegative). Smoothing and decay enter the margin through e alone: smoothing
by alpha moves it exactly as raising kappa by (N-1) alpha/N would. Label relaxation at (N-1) alpha/N has the same
margin as label smoothing at alpha; for two classes the losses differ by the constant H2(alpha/2), the binary entropy, up
to the margin at which relaxation vanishes, and so do the optimal values. The condition e < 1 is necessary for a nonzero margin but not sufficient: on
(N-1)/N <= e < 1 the minimiser is zero.

Proof. f is convex, so s = 0 minimises f(s) + kappa s over s >= 0 iff the right derivative there is nonnegative; the
slopes f' are proved in `margin_equations.py` and `balanced_free.py`. The rest is algebra, checked for symbolic N.
"""

import sympy as sp
from _check import identity, negative, nonnegative, positive
from _invariant import N

PROVES = {
    "collapse-to-zero-free": {
        "hypotheses": (
            "cross-entropy",
            "one-hot labels",
            "balanced classes",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
        ),
        "conclusion": (
            "margin iff-positive -2*sqrt(feature_decay)*sqrt(num_classes)*sqrt(weight_decay) - smoothing + 1",
        ),
        "quantities": {
            "margin": "the optimal margin: the minimiser of the profile plus its cost over s >= 0",
        },
    },
    "collapse-to-zero-nonnegative": {
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
        "conclusion": (
            "pull iff-positive -2*sqrt(feature_decay)*num_classes*sqrt(weight_decay)/sqrt(num_classes - 1) - smoothing + 1",
        ),
        "quantities": {
            "pull": "minus the right derivative at zero margin of the profile plus its cost",
        },
    },
    "margin-cross-entropy-free": {
        "hypotheses": (
            "cross-entropy",
            "one-hot labels",
            "balanced classes",
            "free features",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "delta > 0",
        ),
        "definitions": {
            "rest": "sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes) + smoothing*(num_classes - 1)/num_classes",
            "delta": "-2*sqrt(feature_decay)*sqrt(num_classes)*sqrt(weight_decay) - smoothing + 1",
        },
        "conclusion": (
            "margin == log((1 - rest)*(num_classes - 1)/rest)",
            "margin == log(delta*(num_classes - 1)/rest + 1)",
        ),
        "quantities": {
            "margin": "the optimal margin: the minimiser of the profile plus its cost over s >= 0",
        },
    },
    "relaxation-equals-smoothing": {
        "hypotheses": ("one-hot labels", "balanced classes", "no bias", "enough features"),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing > 0",
            "smoothing < 1",
        ),
        "conclusion": (
            "free_relaxed + 1 == free + 1",
            "nonnegative_relaxed + 1 == nonnegative + 1",
            "-relaxed + smoothed == -smoothing*log(smoothing/2)/2 - (1 - smoothing/2)*log(1 - smoothing/2)",
        ),
        "quantities": {
            "free": "minimiser over the margin, by proved signs of the slope",
            "free_relaxed": "minimiser over the margin, by proved signs of the slope",
            "nonnegative": "minimiser over the margin, by proved signs of the slope",
            "nonnegative_relaxed": "minimiser over the margin, by proved signs of the slope",
            "smoothed": "general convex solver, bounds proved in ball arithmetic",
            "relaxed": "general convex solver, bounds proved in ball arithmetic",
        },
    },
    "smoothing-acts-like-decay": {
        "hypotheses": (
            "cross-entropy",
            "one-hot labels",
            "balanced classes",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "2*sqrt(feature_decay)*num_classes*sqrt(weight_decay)/sqrt(num_classes - 1) + smoothing < 1",
        ),
        "conclusion": (
            "free == sqrt(feature_decay)*sqrt(weight_decay) + smoothing/(2*sqrt(num_classes))",
            "nonnegative == sqrt(feature_decay)*sqrt(weight_decay) + smoothing*sqrt(num_classes - 1)/(2*num_classes)",
        ),
        "quantities": {
            "free": "the mean of the decays at which cross-entropy without smoothing has the margin of the smoothed problem, free features",
            "nonnegative": "the same with nonnegative features",
        },
    },
}

alpha, mu, s, kappa = sp.symbols("alpha mu s kappa", positive=True)
KAPPA_FREE = 2 * (N - 1) * mu / sp.sqrt(N)
KAPPA_NONNEGATIVE = 2 * sp.sqrt(N - 1) * mu
p = sp.exp(s) / (sp.exp(s) + N - 1)
e = (N - 1) * alpha / N + kappa


def main() -> None:
    """Run every step."""
    profiles_are_convex()
    slope_at_zero_decides()
    margin_depends_on_e_alone()
    weaker_condition_is_not_sufficient()


def profiles_are_convex() -> None:
    """f'' >= 0 on s > 0 for every loss of the table, so the slope at 0+ decides."""
    positive("cross-entropy and label relaxation: dp/ds > 0", sp.factor(sp.diff(p, s)))
    identity("dp/ds = p (1-p)", sp.diff(p, s), p * (1 - p))
    positive("mean squared error: slope of (N-1)/N (s - (1-alpha))", sp.diff((N - 1) / N * (s - (1 - alpha)), s))
    nonnegative("squared hinge below 1: slope of s - 1", sp.diff(s - 1, s))


def slope_at_zero_decides() -> None:
    """The slope at zero plus kappa, for each loss; it is >= 0 exactly at collapse."""
    at_zero = {s: 0}
    cross_entropy = (p - 1 + (N - 1) * alpha / N).subs(at_zero)
    identity("cross-entropy: f'(0) + kappa", cross_entropy + kappa, e - (N - 1) / N)  # claim
    free = (e - (N - 1) / N).subs(kappa, KAPPA_FREE)
    identity("free features", free, (N - 1) / N * (alpha + 2 * sp.sqrt(N) * mu - 1))  # claim
    nonneg = (e - (N - 1) / N).subs(kappa, KAPPA_NONNEGATIVE)
    identity("nonnegative features", nonneg, (N - 1) / N * (alpha + 2 * N * mu / sp.sqrt(N - 1) - 1))  # claim
    relaxation = (p - (1 - alpha)).subs(at_zero)
    identity("label relaxation: f'(0) + kappa", relaxation + kappa, alpha + kappa - (N - 1) / N)  # claim
    mse = ((N - 1) / N * (s - (1 - alpha))).subs(at_zero)
    identity("mean squared error with bias has the slope of cross-entropy", mse, cross_entropy)
    for name, slope in {"hinge": sp.Integer(-1), "squared hinge": (s - 1).subs(at_zero)}.items():
        identity(f"{name}: f'(0) + kappa", slope + kappa, kappa - 1)


def margin_depends_on_e_alone() -> None:
    """f'(s) + kappa = p - 1 + e, so p = 1 - e; then invert p, and rewrite stably."""
    slope = p - 1 + (N - 1) * alpha / N + kappa
    identity("f'(s) + kappa = p - (1 - e)", slope, p - (1 - e))
    x = sp.Symbol("e", positive=True)
    margin = sp.log((N - 1) * (1 - x) / x)
    identity("the margin solves p = 1 - e", p.subs(s, margin), 1 - x)  # claim
    shift = sp.Symbol("delta", positive=True)
    identity(
        "smoothing by alpha equals raising kappa",
        e,
        e.subs({alpha: shift, kappa: kappa + (N - 1) * (alpha - shift) / N}),
    )
    for name, cost, gap in (
        ("free", KAPPA_FREE, 1 - alpha - 2 * sp.sqrt(N) * mu),
        ("nonnegative", KAPPA_NONNEGATIVE, 1 - alpha - 2 * N * mu / sp.sqrt(N - 1)),
    ):
        total = e.subs(kappa, cost)
        stable = 1 + (N - 1) * gap / total
        identity(f"log1p form, {name} features", (N - 1) * (1 - total) / total, stable)
    relaxed = p - (1 - (N - 1) * alpha / N)
    identity("label relaxation at (N-1) alpha/N has the slope of smoothing at alpha", relaxed + kappa, slope)
    half = sp.Symbol("alpha", positive=True) / 2
    softplus = sp.log(1 + sp.exp(s))
    entropy = -half * sp.log(half) - (1 - half) * sp.log(1 - half)
    smoothed_loss = softplus - s + half * s  # log(1 + e^-s) + alpha s/2
    relaxed_loss = softplus - (1 - half) * s - entropy
    identity("two classes: the losses differ by the entropy", smoothed_loss - relaxed_loss, entropy)


def weaker_condition_is_not_sufficient() -> None:
    """1 - (N-1)/N = 1/N > 0: the interval (N-1)/N <= e < 1 is not empty, and there the slope at zero is nonnegative."""
    positive("the interval has positive length", 1 - (N - 1) / N)
    q = sp.Symbol("q", positive=True)
    inside = 1 - 1 / (N * (1 + q))  # claim
    nonnegative("f'(0) + kappa >= 0 there", sp.factor(inside - (N - 1) / N))
    negative("although e < 1", inside - 1)


if __name__ == "__main__":
    main()
