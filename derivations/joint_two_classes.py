r"""The limited-expressivity features model of two classes, as a convex programme in two scalars.

Theorem. Let the flip probability e < 1/2 be the same for both classes, whatever their proportions, features free, the loss convex and a function
phi of the margin (or with an unregularised bias at its optimum, zero), xi isotropic with E||xi||^2 = 1, and c = eta/C with
eta = e/(1-e). The least objective over classifier, class means, noisy features and dilation is

    min over s, t of  (1-e) E phi(s + R zeta) + e phi(t) + sqrt2 mu sqrt(Q),
    R = c (s + t),   Q = (1-e)(s^2 + R^2) + e t^2,

a convex problem; its classifier is w_1 - w_2 = kap v with kap^4 = 2 lambda_H Q/lambda_W. Everything vanishes exactly if

    phi'(0)^2 (C'^2 + e (1-2e)^2)/(C'^2 + e) <= 2 mu^2,

and at the onset ND -> e C'/(C'^2 + e (1-2e)) with C' = (1-e) C.

Proof. (i) Margins depend on w_1 - w_2 alone; moving w_1 + w_2 to zero leaves them and shrinks ||W||^2 to kap^2/2. Projecting all features on
the span of w_1 - w_2 leaves the margins and shrinks norms and distances, and with the latter the dilations that the constraint asks
for. (ii) The objective grows with each r_m: the mean of a convex function grows with the scale of a centred law. So the constraint is tight,
and with features (s/kap) and -(t/kap) along v the step is (s+t)/kap. (iii) Both classes have the same scalars: for fixed kap the problem is convex in the
margins of either class, and their mean serves both (Jensen), whatever the proportions, since they face the same function. (iv) The penalties
are lambda_W kap^2/2 + lambda_H Q/kap^2, least over kap at sqrt2 mu sqrt(Q) (step 1), which is a norm of (s, t) (step 2). E phi(s + |R| zeta)
is convex in (s, R). (v) A convex L plus k times a norm ||x||_M has its minimum at zero exactly if the dual norm of grad L(0) is at most k (step 4). For any point x the bound
L(x) - grad L(x)'x holds where the dual norm of grad L(x) is at most k, and is tight at the optimum (step 3).
"""

import sympy as sp
from _check import identity, nonnegative

PROVES = {
    "joint-collapse-threshold": {
        "hypotheses": ("cross-entropy", "free features", "isotropic spread", "relative scaling"),
        "assumptions": ("decay > 0", "noise > 0", "noise < 1", "slope > 0", "smoothing >= 0", "smoothing < 1"),
        "definitions": {"flip": "noise/(1 + noise)", "theirs": "slope/(1 + noise)"},
        "conclusion": (
            "margin iff-positive (1 - smoothing)**2/4*(theirs**2 + flip*(1 - 2*flip)**2)/(theirs**2 + flip) - 2*decay**2",
        ),
        "quantities": {"margin": "the margin of jointly optimal class means, zero where everything vanishes"},
    },
}

e, c, k = sp.symbols("e c k", positive=True)
s, t, slope = sp.symbols("s t slope", real=True)


def main() -> None:
    """Run every step."""
    scale_of_the_classifier()
    the_norm()
    the_bound_is_tight()
    collapse()
    onset()


def scale_of_the_classifier() -> None:
    """Step 1: the best kap, and what is left."""
    kap, weight, feature, square = sp.symbols("kap lambda_W lambda_H Q", positive=True)
    mu = sp.sqrt(weight * feature)
    penalty = weight * kap**2 / 2 + feature * square / kap**2
    least = sp.sqrt(2) * mu * sp.sqrt(square)
    gap = (sp.sqrt(weight / 2) * kap - sp.sqrt(feature * square) / kap) ** 2
    identity("the penalty is its least value plus a square", penalty, least + gap)  # claim
    best = (2 * feature * square / weight) ** sp.Rational(1, 4)
    identity("the square vanishes at kap^4 = 2 lambda_H Q/lambda_W", gap.subs(kap, best))


def the_norm() -> None:
    """Step 2: Q is a positive definite form, with M as the solver has it in (s, w), w = s + t."""
    share, w = 1 - e, sp.Symbol("w", real=True)
    square = share * (s**2 + c**2 * (s + t) ** 2) + e * t**2
    form = share * s**2 + share * c**2 * w**2 + e * (w - s) ** 2  # claim
    identity("Q in s and w", square.subs(t, w - s), form)
    matrix = sp.Matrix([[share + e, -e], [-e, share * c**2 + e]])
    identity("its matrix", (sp.Matrix([[s, w]]) * matrix * sp.Matrix([s, w]))[0], form)
    p = sp.Symbol("p", positive=True)  # 1 - e
    nonnegative("its determinant", (p + e) * (p * c**2 + e) - e**2)


def the_bound_is_tight() -> None:
    """Step 3: where grad L = -k M x/||x||, the bound equals the objective, and the dual norm is k."""
    m11, m22, x1, x2 = sp.symbols("m11 m22 x1 x2", positive=True)
    matrix, x = sp.diag(m11, m22), sp.Matrix([x1, x2])  # any M, in its own axes
    size = sp.sqrt((x.T * matrix * x)[0])
    gradient = -k * matrix * x / size
    identity("L - g'x is L + k||x||", -(gradient.T * x)[0], k * size)  # claim
    identity("the dual norm of g", (gradient.T * matrix.inv() * gradient)[0], k**2)


def collapse() -> None:
    """Step 4: the dual norm of the gradient at zero; phi'(0) = slope, E zeta phi' = 0 there."""
    share = 1 - e
    gradient = sp.Matrix([share * slope, e * slope])
    matrix = sp.Matrix([[share * (1 + c**2), share * c**2], [share * c**2, share * c**2 + e]])
    dual = (gradient.T * matrix.inv() * gradient)[0]
    theirs = sp.Symbol("C", positive=True)
    alpha, x = sp.symbols("alpha x", real=True)
    smoothed = sp.log(1 + sp.exp(-x)) + alpha / 2 * x
    identity("the slope of cross-entropy at zero", sp.diff(smoothed, x).subs(x, 0), -(1 - alpha) / 2)
    stated = slope**2 * (theirs**2 + e * (1 - 2 * e) ** 2) / (theirs**2 + e)  # claim
    identity("the squared dual norm, with the slope C = e/c between probabilities", dual.subs(c, e / theirs), stated)


def onset() -> None:
    """Step 5: the direction M^-1 g in which features leave zero, and its normalised dilation R/(2 s)."""
    share, theirs = 1 - e, sp.Symbol("C", positive=True)
    matrix = sp.Matrix([[share * (1 + c**2), share * c**2], [share * c**2, share * c**2 + e]])
    direction = matrix.inv() * sp.Matrix([share, e])
    ratio = c * (direction[0] + direction[1]) / (2 * direction[0])
    identity("ND at the onset", ratio.subs(c, e / theirs), e * theirs / (theirs**2 + e * (1 - 2 * e)))  # claim


if __name__ == "__main__":
    main()
