"""Focal loss is not convex, yet where the margin is large enough its closed form is certified globally optimal.

Focal loss is Psi(x) with x = -log p the cross-entropy of the sample and Psi(x) = x (1 - e^-x)^gamma, gamma > 0.

Theorem. Let T(p) = (1-p)^(gamma-1) (1 - p - gamma p log p), which is Psi'(x) at p = e^-x.
(a) T = 1 has exactly one root p1(gamma) in (0, 1); T < 1 to its right and T > 1 to its left.
(b) If p0 >= p1(gamma), the tangent of Psi at x0 = -log p0 lies below Psi on [0, infinity), and its slope B = T(p0)
    is at most 1.
(c) Balanced classes, either setting of the features, f(s) = Psi(-log p(s)): if s solves f'(s) + kappa = 0 (or s = 0
    and f'(0) + kappa >= 0) and p(s) >= p1(gamma), then s is a global minimum of the focal model over all features
    and weights, not just of the profile.
(d) p1(gamma) <= 1/2 for every gamma > 0, so for two classes the certificate always applies. p1(1) = 1/e.

Proof of (a). d Psi'/dx = gamma p (1-p)^(gamma-2) S(p) with S = (1-p)(2 + log p) - (gamma-1) p log p. The quotient
S/(1-p) increases from -infinity: its derivative is 1/p + (gamma-1)(p - 1 - log p)/(1-p)^2, positive for gamma >= 1
as log p <= p - 1, and for gamma < 1 because p (p - 1 - log p) <= (1-p)^2. So, in x, Psi is convex and then concave:
Psi' rises from 0 to a maximum and then falls to its limit 1, which it never reaches again. It crosses 1 exactly
once, on the rising part, at x1 = -log p1.
Proof of (b). For x <= x1 Psi is convex, so above its tangents at points x0 <= x1. For x >= x1, Psi' >= 1 >= B, so
Psi minus the tangent keeps growing.
Proof of (c). By (b) focal >= A + B * cross-entropy for every sample, with B > 0 (when B = 0 the bound is trivial
only at x0 = 0, which no finite margin attains). So the focal objective is at least A + B * (cross-entropy objective
with mu replaced by mu/B), whose minimum is known (`balanced_free.py`, `balanced_nonnegative.py`): its margin solves
p - 1 + kappa/B = 0. The chain rule f' = Psi'(x0) (p - 1) shows that s solves it, and at s the tangent touches.
Values agree, so s is optimal.
"""

import sympy as sp
from _check import agrees, holds, identity, negative, positive

PROVES = {
    "focal-certificate": {
        "hypotheses": ("focal loss",),
        "assumptions": (
            "focusing > 0",
            "p > 0",
            "p < 1",
            "stretch > 0",
            "slope <= 1",
        ),
        "definitions": {
            "tangent_point": "-log(p)",
            "slope": "(1 - p)**(focusing - 1)*(-focusing*p*log(p) - p + 1)",
        },
        "conclusion": (
            "first == slope",
            "at_tangent == tangent_point*(1 - p)**focusing",
            "reached == 1",
            "gain >= first*run",
        ),
        "quantities": {
            "at_tangent": "Psi at -log p",
            "first": "Psi' at -log p",
            "reached": "for focusing 1 the cross-entropy at which Psi' = 1, on the rising part",
            "gain": "Psi at any other cross-entropy minus Psi at -log p",
            "run": "that cross-entropy minus -log p",
        },
    },
}

gamma, x, q, u = sp.symbols("gamma x q u", positive=True)
p = sp.exp(-x)
log_q = sp.log(q)
TANGENT_SLOPE = (1 - q) ** (gamma - 1) * (1 - q - gamma * q * log_q)  # claim


def main() -> None:
    """Run every step."""
    slope_and_curvature()
    curvature_changes_sign_once()
    slope_ends_at_one()
    chain_rule_for_the_margin()
    two_classes_are_always_covered()


def slope_and_curvature() -> None:
    """Psi' = T and its derivative in x; d/dx = -p d/dp."""
    psi = x * (1 - sp.exp(-x)) ** gamma
    slope = sp.diff(psi, x) / (1 - sp.exp(-x)) ** (gamma - 1)
    stated = (TANGENT_SLOPE / (1 - q) ** (gamma - 1)).subs(q, p)
    identity("Psi'(x) = T(p)", sp.powsimp(sp.expand(slope)), sp.expand(sp.simplify(stated)))
    curvature = (1 - q) * (2 + log_q) - (gamma - 1) * q * log_q  # claim
    derivative = -q * sp.diff(TANGENT_SLOPE, q) / (1 - q) ** (gamma - 2)
    identity(
        "Psi''(x) = gamma p (1-p)^(gamma-2) S(p)", sp.powsimp(sp.expand(derivative)), sp.expand(gamma * q * curvature)
    )
    identity("S - log p -> 2 as p -> 0, so S -> -infinity", sp.limit(curvature - log_q, q, 0, "+"), 2)
    identity("S/(1-p) -> gamma + 1 as p -> 1", sp.limit(curvature / (1 - q), q, 1, "-"), gamma + 1)


def curvature_changes_sign_once() -> None:
    """S/(1-p) increases on (0, 1), written q = 1/(1+u)."""
    quotient = (2 + log_q) - (gamma - 1) * q * log_q / (1 - q)
    log_gap = q - 1 - log_q
    growth = 1 / q + (gamma - 1) * log_gap / (1 - q) ** 2  # claim
    identity("derivative of S/(1-p)", sp.diff(quotient, q), growth)
    identity("log p <= p - 1: equality at 1", log_gap.subs(q, 1))
    negative("log p <= p - 1: the gap decreases on (0, 1)", sp.factor(sp.diff(log_gap, q).subs(q, 1 / (1 + u))))
    # gamma < 1: growth >= 1/q - log_gap/(1-q)^2 = [(1-q)^2 - q log_gap]/(q (1-q)^2), with bracket 1 - q + q log q >= 0.
    bracket = (1 - q) ** 2 - q * log_gap
    identity("(1-p)^2 - p (p - 1 - log p)", bracket, 1 - q + q * log_q)
    identity("1 - p + p log p vanishes at 1", bracket.subs(q, 1))
    identity("its derivative is log p < 0", sp.diff(bracket, q), log_q)
    identity("growth + (1-gamma) gap = 1/p", growth + (1 - gamma) * log_gap / (1 - q) ** 2, 1 / q)


def slope_ends_at_one() -> None:
    """Psi'(0+) = 0 and Psi'(x) -> 1 as x -> infinity, from above since it is decreasing there."""
    near_one = sp.limit((TANGENT_SLOPE / (1 - q) ** gamma).subs(q, 1 - u), u, 0, "+")
    identity("T ~ (1 + gamma) (1-p)^gamma as p -> 1", near_one, 1 + gamma)
    identity("T -> 1 as p -> 0", sp.limit(1 - q - gamma * q * log_q, q, 0, "+"), 1)
    # The solitary root for gamma = 1 and the constants quoted for other values.
    identity("p1(1) = 1/e", TANGENT_SLOPE.subs(gamma, 1).subs(q, sp.exp(-1)), 1)
    quoted = {sp.Rational(1, 2): 0.421457, 2: 0.297637, 3: 0.252584, 5: 0.196803}
    for focusing, root in quoted.items():
        found = sp.nsolve(TANGENT_SLOPE.subs(gamma, focusing) - 1, q, root)
        agrees(f"p1({focusing})", found, root, 1e-6)


def chain_rule_for_the_margin() -> None:
    """f(s) = Psi(ce(s)) with ce' = p - 1, so f' + kappa = B ((p - 1) + kappa/B)."""
    kappa, slope = sp.symbols("kappa B", positive=True)
    identity("stationarity is that of cross-entropy at mu/B", slope * (q - 1) + kappa, slope * (q - 1 + kappa / slope))
    stated = gamma * q * (1 - q) ** gamma * log_q - (1 - q) ** (gamma + 1)  # claim
    product = TANGENT_SLOPE * (q - 1)
    identity(
        "Psi'(x) (p - 1) is the focal slope", *(sp.powsimp(sp.expand(e / (1 - q) ** gamma)) for e in (product, stated))
    )


def two_classes_are_always_covered() -> None:
    """T(1/2) = 2^-gamma (1 + gamma log 2) <= 1, because 2^gamma = e^(gamma log 2) >= 1 + gamma log 2."""
    half = TANGENT_SLOPE.subs(q, sp.Rational(1, 2))
    identity("T(1/2)", half, 2 ** (-gamma) * (1 + gamma * sp.log(2)))
    excess = sp.exp(u) - (1 + u)
    identity("e^u - 1 - u vanishes at 0", excess.subs(u, 0))
    identity("so does its slope", sp.diff(excess, u).subs(u, 0))
    positive("and it is convex", sp.diff(excess, u, 2))
    holds("log 2 > 0", sp.log(2) > 0)
    # Two classes and s >= 0, written e^s = 1 + u: p >= 1/2 >= p1.
    positive("p > 1/2 for two classes and s > 0", sp.factor((1 + u) / (2 + u) - sp.Rational(1, 2)))


if __name__ == "__main__":
    main()
