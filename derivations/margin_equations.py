"""The scalar equation for the margin, loss by loss.

Let f(s) be the loss at the logits s (e_n - 1/N) with label n, and p = e^s/(e^s + N - 1) the probability of the own
class there.

Theorem 1 (slopes).

    cross-entropy, smoothing alpha     f' = p - 1 + (N-1) alpha/N
    label relaxation, p < 1 - alpha    f' = p - (1 - alpha),  and 0 beyond
    focal, gamma > 0                   f' = gamma p (1-p)^gamma log p - (1-p)^(gamma+1)
    mean squared error, bias 1/N       f' = (N-1)/N (s - (1-alpha));  without bias f is larger by the constant 1/(2N)
    hinge, squared hinge               f' = -1 and s - 1 for s < 1, and 0 beyond

so f'(s) + kappa = 0 gives 1 - p = (N-1) alpha/N + kappa (cross-entropy), 1 - p = alpha + kappa (label relaxation),
s = 1 - alpha - kappa N/(N-1) (mean squared error), s = 1 - kappa (squared hinge).

Theorem 2 (focal loss). As a function of p in (0, 1), -f' increases up to one point and decreases after it. Hence f
is concave and then convex on the whole line; on s >= 0 it is convex for every gamma when N <= 17, and not convex for
some gamma when N >= 18. The minimiser of f(s) + kappa s, as kappa grows, is nonincreasing and jumps at most once,
and then to zero.

Theorem 3 (two classes). With t = z_own - z_other each of these losses is a convex function phi(t) whose smallest
minimiser is log((2-alpha)/alpha), log((1-alpha)/alpha), 1 - alpha, 1, 1 for smoothing, relaxation, mean squared
error (with bias), hinge, squared hinge.

Proof of theorem 2. With R(p) = (1-p)(1 + 2 gamma + gamma log p) - gamma^2 p log p the derivative of -f' in p is
-(1-p)^(gamma-1) R(p). The quotient R/(1-p) has derivative gamma/p + gamma^2 (p - 1 - log p)/(1-p)^2 > 0 because
log p <= p - 1, and it tends to -infinity as p -> 0. So R changes sign at most once, from negative to positive: -f'
rises, then falls. In s (p increases with s) f is concave, then convex. Nonnegative margins are p >= 1/N, so f is
convex on s >= 0 iff R(1/N) >= 0, i.e. Q(gamma) = log N gamma^2 + (N-1)(2 - log N) gamma + (N-1) >= 0.
If log N <= 2 every term is nonnegative. Otherwise Q >= 0 for every gamma iff (N-1)(log N - 2)^2 <= 4 log N, which
holds for N = 8, ..., 17 and fails at 18 and, the ratio of the two sides being increasing in N, ever after. For a
concave-convex f the convex envelope on [0, infinity) is one segment from 0 and then f itself, so the minimiser over
s jumps once, when -kappa is the slope of that segment.
"""

import sympy as sp
from _check import holds, identity, negative, positive
from _invariant import N, n

PROVES = {
    "focal-profile-convex": {
        "hypotheses": ("focal loss",),
        "assumptions": (
            "num_classes >= 2",
            "focusing > 0",
            "margin >= 0",
            "num_classes <= 17",
        ),
        "definitions": {
            "p": "1/((num_classes - 1)*exp(-margin) + 1)",
        },
        "conclusion": (
            "bend >= 0",
            "bend == p*(1 - p)**focusing*(-focusing**2*p*log(p) + (1 - p)*(focusing*log(p) + 2*focusing + 1))",
        ),
        "quantities": {
            "bend": "second derivative in s of the focal loss at the logits s (e_n - 1/N) with label n",
        },
    },
    "margin-cross-entropy-nonnegative": {
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
            "rest < (num_classes - 1)/num_classes",
        ),
        "definitions": {
            "rest": "2*sqrt(feature_decay)*sqrt(weight_decay)*sqrt(num_classes - 1) + smoothing*(num_classes - 1)/num_classes",
        },
        "conclusion": ("margin == log((1 - rest)*(num_classes - 1)/rest)",),
        "quantities": {
            "margin": "the optimal margin: the minimiser of the profile plus its cost over s >= 0",
        },
    },
    "margin-hinge": {
        "hypotheses": (
            "hinge",
            "one-hot labels",
            "balanced classes",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "2*(num_classes - 1)*sqrt(weight_decay*feature_decay)/sqrt(num_classes) != 1",
            "2*sqrt(num_classes - 1)*sqrt(weight_decay*feature_decay) != 1",
        ),
        "conclusion": (
            "free == Piecewise((1, sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes) < 1), (0, True))",
            "nonnegative == Piecewise((1, sqrt(feature_decay)*sqrt(weight_decay)*sqrt(num_classes - 1) < 1/2), (0, True))",
            "value == Min(1, sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes))",
            "nonnegative_value == Min(1, 2*sqrt(feature_decay)*sqrt(weight_decay)*sqrt(num_classes - 1))",
        ),
        "quantities": {
            "free": "the optimal margin: the minimiser of the profile plus its cost over s >= 0, free features",
            "nonnegative": "the optimal margin: the minimiser of the profile plus its cost over s >= 0, nonnegative features",
            "value": "the optimal value of the features model, free features",
            "nonnegative_value": "the optimal value of the features model, nonnegative features",
        },
    },
    "margin-label-relaxation": {
        "hypotheses": (
            "label relaxation",
            "one-hot labels",
            "balanced classes",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
            "relaxation > 0",
            "relaxation < 1",
            "relaxation < (num_classes - 1)/num_classes",
        ),
        "definitions": {
            "rest": "sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes) + relaxation",
        },
        "conclusion": (
            "free == log(Max(1, (1 - rest)*(num_classes - 1)/rest))",
            "nonnegative == log(Max(1, (num_classes - 1)*(-2*sqrt(feature_decay)*sqrt(weight_decay)*sqrt(num_classes - 1) - relaxation + 1)/(2*sqrt(feature_decay)*sqrt(weight_decay)*sqrt(num_classes - 1) + relaxation)))",
            "1 + value == 1 + sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)*log(Max(1, (1 - rest)*(num_classes - 1)/rest))/sqrt(num_classes) + relaxation*log(relaxation/Min(rest, (num_classes - 1)/num_classes)) + (1 - relaxation)*log((1 - relaxation)/(1 - Min(rest, (num_classes - 1)/num_classes)))",
        ),
        "quantities": {
            "free": "the optimal margin: the minimiser of the profile plus its cost over s >= 0, free features",
            "nonnegative": "the optimal margin: the minimiser of the profile plus its cost over s >= 0, nonnegative features",
            "value": "the optimal value of the features model, free features",
        },
    },
    "margin-squared-hinge": {
        "hypotheses": (
            "squared hinge",
            "one-hot labels",
            "balanced classes",
            "enough features",
        ),
        "assumptions": (
            "num_classes >= 2",
            "weight_decay > 0",
            "feature_decay > 0",
        ),
        "definitions": {
            "cost": "Min(1, sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes))",
        },
        "conclusion": (
            "free == Max(0, -sqrt(feature_decay)*sqrt(weight_decay)*(2*num_classes - 2)/sqrt(num_classes) + 1)",
            "nonnegative == Max(0, -2*sqrt(feature_decay)*sqrt(weight_decay)*sqrt(num_classes - 1) + 1)",
            "value == -cost**2/2 + cost",
        ),
        "quantities": {
            "free": "the optimal margin: the minimiser of the profile plus its cost over s >= 0, free features",
            "nonnegative": "the optimal margin: the minimiser of the profile plus its cost over s >= 0, nonnegative features",
            "value": "the optimal value of the features model, free features",
        },
    },
}

s, alpha, gamma = sp.symbols("s alpha gamma", positive=True)
p = sp.exp(s) / (sp.exp(s) + N - 1)


def main() -> None:
    """Run every step."""
    slopes()
    roots()
    focal_slope_is_unimodal()
    focal_profile_is_convex_up_to_seventeen_classes()
    two_classes()


def slopes() -> None:
    """Theorem 1. Profiles written out from the definition of each loss at z_n = s (1 - 1/N), z_j = -s/N."""
    own, other = s * (1 - 1 / N), -s / N
    lse = sp.log(sp.exp(own) + (N - 1) * sp.exp(other))
    target_own, target_other = 1 - alpha + alpha / N, alpha / N
    smoothing = lse - target_own * own - (N - 1) * target_other * other
    identity("cross-entropy with smoothing", sp.diff(smoothing, s), p - 1 + (N - 1) * alpha / N)  # claim
    log_ratio = (1 - alpha) * sp.log((1 - alpha) / p) + alpha * sp.log(alpha / (1 - p))
    identity("label relaxation", sp.diff(log_ratio, s), p - (1 - alpha))  # claim
    focal = -((1 - p) ** gamma) * sp.log(p)
    stated = gamma * p * (1 - p) ** gamma * sp.log(p) - (1 - p) ** (gamma + 1)  # claim
    identity(
        "focal", sp.powsimp(sp.diff(focal, s) / (1 - p) ** gamma), sp.powsimp(sp.expand(stated / (1 - p) ** gamma))
    )
    for name, bias, constant in (("with bias", 1 / N, 0), ("without bias", 0, 1 / (2 * N))):
        squared = ((own + bias - target_own) ** 2 + (N - 1) * (other + bias - target_other) ** 2) / 2
        stated = (N - 1) / (2 * N) * (s - (1 - alpha)) ** 2 + constant
        identity(f"mean squared error {name}", squared, stated)
        identity(f"its slope, {name}", sp.diff(squared, s), (N - 1) / N * (s - (1 - alpha)))
    # Every violation of the hinges is 1 + z_j - z_n = 1 - s.
    violation = 1 + other - own
    identity("hinge", sp.diff(violation, s), -1)
    identity("squared hinge", sp.diff(violation**2 / 2, s), s - 1)  # claim


def roots() -> None:
    """The closed forms of the root of f'(s) + kappa = 0."""
    kappa, q = sp.symbols("kappa q", positive=True)
    smoothing, relaxation = q - 1 + (N - 1) * alpha / N, q - (1 - alpha)
    identity("cross-entropy", smoothing.subs(q, 1 - (N - 1) * alpha / N - kappa) + kappa)
    identity("label relaxation", relaxation.subs(q, 1 - alpha - kappa) + kappa)
    identity("mean squared error", ((N - 1) / N * (s - (1 - alpha))).subs(s, 1 - alpha - kappa * N / (N - 1)) + kappa)
    identity("squared hinge", (s - 1).subs(s, 1 - kappa) + kappa)


def focal_slope_is_unimodal() -> None:
    """Theorem 2, first part; 0 < q < 1 is written q = 1/(1+x)."""
    q, x = sp.symbols("q x", positive=True)
    minus_slope = (1 - q) ** (gamma + 1) - gamma * q * (1 - q) ** gamma * sp.log(q)
    factor = (1 - q) * (1 + 2 * gamma + gamma * sp.log(q)) - gamma**2 * q * sp.log(q)  # claim
    derivative = sp.diff(minus_slope, q) / (1 - q) ** (gamma - 1)
    identity("d(-f')/dp = -(1-p)^(gamma-1) R", sp.powsimp(sp.expand(derivative)), sp.expand(-factor))
    quotient = sp.diff(factor / (1 - q), q)
    log_gap = q - 1 - sp.log(q)
    identity("d/dp R/(1-p)", quotient, gamma / q + gamma**2 * log_gap / (1 - q) ** 2)
    # log_gap >= 0: it vanishes at q = 1 and its derivative 1 - 1/q is negative below 1.
    identity("p - 1 - log p vanishes at 1", log_gap.subs(q, 1))
    negative("and decreases on (0, 1)", sp.factor(sp.diff(log_gap, q).subs(q, 1 / (1 + x))))
    rest = sp.limit(factor - gamma * sp.log(q), q, 0, "+")
    identity("R - gamma log p has a limit at 0, so R -> -infinity there", rest, 1 + 2 * gamma)


def focal_profile_is_convex_up_to_seventeen_classes() -> None:
    """Theorem 2, second part: N R(1/N) = Q(gamma), and the sign of its discriminant."""
    log_n = sp.Symbol("log_N", positive=True)
    factor = (1 - 1 / N) * (1 + 2 * gamma - gamma * log_n) + gamma**2 * log_n / N
    quadratic = log_n * gamma**2 + (N - 1) * (2 - log_n) * gamma + (N - 1)  # claim
    identity("N R(1/N) = Q(gamma)", N * factor, quadratic)
    discriminant = sp.discriminant(quadratic, gamma)
    criterion = (N - 1) * (log_n - 2) ** 2 - 4 * log_n
    identity("discriminant of Q", discriminant, (N - 1) * criterion)
    for count in range(2, 19):
        decided = sp.log(count) <= 2 or (criterion.subs(n, count - 1).subs(log_n, sp.log(count)) <= 0)
        holds(
            f"N = {count}: {'convex for every gamma' if count < 18 else 'not convex for some gamma'}",
            decided == (count < 18),
        )
    # (N-1)(log N - 2)^2/log N increases where log N > 2: with L = log N = 2 + y its logarithmic derivative in L is > 0.
    y = sp.Symbol("y", positive=True)
    level = 2 + y
    growth = sp.diff(2 * sp.log(y) - sp.log(level), y) + sp.exp(level) / (sp.exp(level) - 1)
    identity("growth = 1 + 1/(e^L - 1) + 2/y - 1/L", growth, 1 + 1 / (sp.exp(level) - 1) + 2 / y - 1 / level)
    positive("2/y - 1/L > 0", sp.factor(sp.together(2 / y - 1 / level)))
    # e^L > 1 for L > 0, so every remaining term is positive too.


def two_classes() -> None:
    """Theorem 3. phi for N = 2 and the zero of phi'."""
    t = sp.Symbol("t", real=True)
    q = sp.Symbol("q", positive=True)
    small = 1 / (1 + q)  # 0 < alpha < 1
    smoothing = sp.log(1 + sp.exp(-t)) + alpha * t / 2
    identity("smoothing: phi'", sp.diff(smoothing, t), alpha / 2 - 1 / (1 + sp.exp(t)))
    at = sp.diff(smoothing, t).subs(t, sp.log((2 - alpha) / alpha))  # claim
    identity("smoothing: minimiser", at)
    share = sp.exp(t) / (1 + sp.exp(t))
    relaxed = (1 - alpha) * sp.log((1 - alpha) / share) + alpha * sp.log(alpha / (1 - share))
    identity("relaxation: phi'", sp.diff(relaxed, t), share - (1 - alpha))
    identity("relaxation: minimiser", sp.diff(relaxed, t).subs(t, sp.log((1 - alpha) / alpha)).subs(alpha, small))
    own, other = sp.symbols("z1 z2", real=True)
    squared = ((own - (1 - alpha / 2)) ** 2 + (other - alpha / 2) ** 2) / 2
    split = (own - other - (1 - alpha)) ** 2 / 4 + (own + other - 1) ** 2 / 4  # claim
    identity("mean squared error splits into difference and sum", squared, split)
    identity("its minimiser in t", sp.diff((t - (1 - alpha)) ** 2 / 4, t).subs(t, 1 - alpha))
    # Relaxation at alpha/2 and smoothing at alpha have the same slope where relaxation is positive.
    identity("relaxation at alpha/2 = smoothing at alpha", share - (1 - alpha / 2), sp.diff(smoothing, t))


if __name__ == "__main__":
    main()
