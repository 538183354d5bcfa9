"""The error rate on unseen clean examples depends on the normalised dilation alone.

Setting. Two classes in the symmetric configuration of `md_reduction.py`: kap = ||w_1 - w_2||, D = ||h_1 - h_2||,
s = kap D/2. An unseen clean example of class n is h_n + r xi, with zeta the coordinate of xi along h_1 - h_2, symmetric
with E zeta^2 = 1/d. Put ND = r/D and x = 1/(2 ND).

Theorem. The example is misclassified iff s + kap r zeta' < 0 with zeta' = +-zeta, so the error rate is P(zeta > x):
a function of ND and the spread only, nondecreasing in ND. It equals

    uniform on the unit sphere (d >= 2)         (1/2) I_{1-x^2}((d-1)/2, 1/2) for x < 1, else 0
    uniform on the ball of radius R             (1/2) I_{1-(x/R)^2}((d+1)/2, 1/2) for x < R, else 0;  R^2 = (d+2)/d
    Gaussian with covariance I/d                (1/2) erfc(sqrt(d/2) x)
    two points zeta = +-1/sqrt d                1/2 for x < 1/sqrt d, else 0

where I_y(a, b) is the regularised incomplete beta function. On the sphere E|zeta| = Gamma(d/2)/(sqrt(pi)
Gamma((d+1)/2)).

Proof. The own-minus-other logit is s + kap r zeta', negative iff zeta' < -s/(kap r) = -D/(2 r) = -x; by symmetry
that has probability P(zeta > x), which can only rise when x falls, i.e. when ND rises. The density of zeta is
proportional to (1 - z^2)^((d-3)/2) on the sphere and, the ball being sliced by balls of dimension d - 1, to
(1 - (z/R)^2)^((d-1)/2) on the ball. In each case the stated formula has minus the density as its derivative in x and
vanishes at the end of the support.
"""

import sympy as sp
from _check import identity, negative, positive

PROVES = {
    "test-error-ball": {
        "hypotheses": ("two classes", "nonzero class means", "spread in a ball"),
        "assumptions": ("normalized > 0", "dim >= 1"),
        "definitions": {
            "y_1": "Min(1, sqrt(3)/(6*normalized))",
            "y_3": "Min(1, sqrt(15)/(10*normalized))",
        },
        "conclusion": (
            "error + 1 == incomplete_beta/2 + 1",
            "in_one + 1 == 3/2 - y_1/2",
            "in_three + 1 == (1 - y_3)**2*(y_3 + 2)/4 + 1",
        ),
        "quantities": {
            "error": "Arb integration of the density",
            "in_one": "Arb integration of the density",
            "in_three": "Arb integration of the density",
            "incomplete_beta": "hypergeometric series",
        },
    },
    "test-error-gaussian": {
        "hypotheses": ("two classes", "nonzero class means", "Gaussian spread"),
        "assumptions": ("normalized > 0", "dim >= 1"),
        "conclusion": ("error == erfc(sqrt(2)*sqrt(dim)/(4*normalized))/2",),
        "quantities": {
            "error": "Arb integration of the density",
        },
    },
    "test-error-of-dilation-alone": {
        "hypotheses": ("two classes", "nonzero class means", "isotropic spread"),
        "assumptions": (
            "weight_decay > 0",
            "feature_decay > 0",
            "smoothing >= 0",
            "smoothing < 1",
            "dim >= 2",
            "normalized > 0",
            "more > 0",
            "2*sqrt(feature_decay)*sqrt(weight_decay)*(nonnegative*(2 - sqrt(2)) + sqrt(2)) + smoothing < 1",
            "normalized < more",
        ),
        "conclusion": ("error_of_more >= error", "in_three + 1 == Max(0, 1 - 1/(2*normalized))/2 + 1"),
        "quantities": {
            "error": "Arb integration of the density",
            "error_of_more": "Arb integration of the density",
            "in_three": "Arb integration of the density",
        },
    },
    "test-error-sphere": {
        "hypotheses": ("two classes", "nonzero class means", "spread on a sphere"),
        "assumptions": ("normalized > 0", "dim >= 2"),
        "definitions": {
            "threshold": "Min(1, 1/(2*normalized))",
        },
        "conclusion": (
            "error + 1 == incomplete_beta/2 + 1",
            "in_three + 1 == 3/2 - threshold/2",
            "in_five + 1 == (1 - threshold)**2*(threshold + 2)/4 + 1",
        ),
        "quantities": {
            "error": "Arb integration of the density",
            "in_three": "Arb integration of the density",
            "in_five": "Arb integration of the density",
            "incomplete_beta": "hypergeometric series",
        },
    },
    "test-error-two-point": {
        "hypotheses": ("two classes", "nonzero class means", "two-point spread"),
        "assumptions": ("normalized > 0", "dim >= 1"),
        "conclusion": ("error + 1 == Piecewise((1/2, sqrt(dim) < 2*normalized), (0, True)) + 1",),
        "quantities": {
            "error": "counting of the examples nearer to the other class mean",
        },
    },
}

d, x, r, D, kap, radius = sp.symbols("d x r D kap R", positive=True)
half = sp.Rational(1, 2)
ND = sp.Symbol("ND", positive=True)


def main() -> None:
    """Run every step."""
    threshold_depends_on_nd_alone()
    sphere()
    ball()
    gaussian_and_two_point()
    explicit_dimensions()


def beta(a, b):
    """Beta function through gamma functions."""
    return sp.gamma(a) * sp.gamma(b) / sp.gamma(a + b)


def derivative_of_half_beta(argument, a, b):
    """d/dx of (1/2) I_y(a, b) with y = argument(x), by the fundamental theorem of calculus."""
    return half * argument ** (a - 1) * (1 - argument) ** (b - 1) / beta(a, b) * sp.diff(argument, x)


def threshold_depends_on_nd_alone() -> None:
    """The logit s + kap r zeta changes sign at zeta = -1/(2 ND)."""
    s = kap * D / 2
    zeta = -1 / (2 * ND)  # claim
    identity("sign change", (s + kap * r * zeta).subs(ND, r / D))
    negative("x = 1/(2 ND) falls as ND grows", sp.diff(1 / (2 * ND), ND))


def sphere() -> None:
    """Density, second moment and first absolute moment on the unit sphere."""
    norm = beta((d - 1) / 2, half)
    density = (1 - x**2) ** ((d - 3) / 2) / norm  # claim
    slope = derivative_of_half_beta(1 - x**2, (d - 1) / 2, half)
    identity("derivative of the tail is minus the density", sp.powsimp(slope + density))
    # Integrals over (0, 1) by u = z^2: int z^k (1-z^2)^(c) dz = B((k+1)/2, c+1)/2.
    exponent = (d - 3) / 2
    identity("total mass", sp.gammasimp(beta(half, exponent + 1) / norm), 1)
    identity("E zeta^2 = 1/d", sp.gammasimp(beta(half + 1, exponent + 1) / norm), 1 / d)
    absolute = sp.gamma(d / 2) / (sp.sqrt(sp.pi) * sp.gamma((d + 1) / 2))  # claim
    identity("E|zeta|", sp.gammasimp(beta(1, exponent + 1) / norm / absolute), 1)


def ball() -> None:
    """Same for the ball; the radius makes E||xi||^2 = 1."""
    norm = radius * beta((d + 1) / 2, half)
    scaled = x / radius
    density = (1 - scaled**2) ** ((d - 1) / 2) / norm  # claim
    slope = derivative_of_half_beta(1 - scaled**2, (d + 1) / 2, half)
    identity("derivative of the tail is minus the density", sp.powsimp(slope + density))
    exponent = (d - 1) / 2
    identity("total mass", sp.gammasimp(radius * beta(half, exponent + 1) / norm), 1)
    second = sp.gammasimp(radius**3 * beta(half + 1, exponent + 1) / norm)
    identity("E zeta^2 = R^2/(d+2)", second, radius**2 / (d + 2))
    identity("which is 1/d at R^2 = (d+2)/d", second.subs(radius, sp.sqrt((d + 2) / d)), 1 / d)
    # E||xi||^2 = d E zeta^2, consistent with the radial integral R^2 d/(d+2).
    radial = sp.Symbol("u", positive=True)
    identity("E||xi||^2 = R^2 d/(d+2)", sp.integrate(d * radial ** (d + 1), (radial, 0, 1)), d / (d + 2))


def gaussian_and_two_point() -> None:
    """The remaining two spreads."""
    tail = sp.erfc(sp.sqrt(d / 2) * x) / 2
    density = sp.sqrt(d / (2 * sp.pi)) * sp.exp(-d * x**2 / 2)
    identity("Gaussian: derivative of the tail is minus the density", sp.diff(tail, x), -density)  # claim
    identity("Gaussian: the tail vanishes at infinity", sp.limit(sp.erfc(x), x, sp.oo))
    positive("the density is positive", density)
    two_points = {1 / sp.sqrt(d): half, -1 / sp.sqrt(d): half}
    identity("two-point: E zeta = 0", sum(w * z for z, w in two_points.items()))
    identity("two-point: E zeta^2 = 1/d", sum(w * z**2 for z, w in two_points.items()), 1 / d)


def explicit_dimensions() -> None:
    """Elementary cases of the sphere: tails that vanish at 1 and whose slope is minus the density."""
    cases = {
        2: sp.acos(x) / sp.pi,
        3: (1 - x) / 2,
        5: half - (3 * x - x**3) / 4,  # claim
    }
    for dimension, tail in cases.items():
        norm = beta(sp.Rational(dimension - 1, 2), half)
        density = (1 - x**2) ** sp.Rational(dimension - 3, 2) / norm
        identity(f"d = {dimension}: slope", sp.diff(tail, x), -density)
        identity(f"d = {dimension}: the tail vanishes at 1", tail.subs(x, 1))
        identity(f"d = {dimension}: half at 0", tail.subs(x, 0), half)


if __name__ == "__main__":
    main()
