r"""The mean of log sum exp over Gaussian logits of N classes as one integral, and that over a sphere from it.

Theorem. Let g_1, ..., g_N be independent standard normal variables, z = s e_1 + sigma g, Lam(x) = E exp(-e^-(x - sigma g)) and m real. Then

    E lse(z) = m + int exp(-e^-(x-m)) - Lam(x - s) Lam(x)^(N-1) dx,

and its derivatives in s and in the variance v = sigma^2 are those of the integrand, with d Lam/dv = Lam''/2. A component of z along the
vector of ones, of mean zero, changes nothing, so that z may be any isotropic Gaussian on the logits that sum to zero.

Proof. With independent Gumbel variables G_j, P(G <= x) = exp(-e^-x), the maximum of z_j + G_j for fixed z has the distribution function
prod_j exp(-e^-(x - z_j)) = exp(-e^-(x - lse z)) (step 1): it is lse z plus a Gumbel variable. Taking means over z, the maximum of the independent
z_j + G_j, with distribution function prod_j Lam(x - s [j = 1]), has the mean E lse z plus that of a Gumbel variable. So has m + G, of mean m plus the same
constant, and the difference of two means is the integral of the difference of their distribution functions. The heat equation
(step 2) is that of a Gaussian mean. Derivatives of exp(-e^-x) are polynomials in e^-x times itself (step 3); products give step 4.

Corollary. Let F(R) be the mean over the sphere of radius R in R^d, of any function of at most exponential growth, and G(v) that over a Gaussian of
variance v. Then F(R) = Gamma(d/2)/(2 pi i) int e^p p^(-d/2) G(R^2/(2p)) dp over Re p = a, for any a > 0.

Proof. A Gaussian vector is a uniform direction times sqrt(2 v t), with t of the density t^(d/2-1) e^-t/Gamma(d/2) (step 5). At v = R^2/(2p) and with
t in place of t/p: Gamma(d/2) p^(-d/2) G(R^2/(2p)) = int_0^oo e^(-p t) t^(d/2-1) F(R sqrt t) dt, a Laplace transform, analytic for Re p > 0. Its inverse at
t = 1 is F(R). Step 6 tries it on R^(2k), whose means over a Gaussian have the factor Gamma(d/2+k)/Gamma(d/2).
"""

import sympy as sp
from _check import identity

x, y, g = sp.symbols("x y g", real=True)
v, n = sp.symbols("v n", positive=True)


def main() -> None:
    """Run every step."""
    maximum_of_gumbels()
    heat_equation()
    derivatives_of_the_distribution()
    derivatives_of_the_product()
    radius_of_a_gaussian()
    powers_of_the_radius()


def maximum_of_gumbels() -> None:
    """Step 1: the exponents add up to e^-(x - lse z), for any two groups of logits, and so for any number."""
    a, b = sp.symbols("a b", real=True)
    lse = sp.log(sp.exp(a) + sp.exp(b))
    identity("two exponents are one", sp.exp(-x + a) + sp.exp(-x + b), sp.exp(-x) * sp.exp(lse))  # claim


def heat_equation() -> None:
    """Step 2: the Gaussian density p of variance v has dp/dv = p''/2, and a mean passes on both."""
    density = sp.exp(-(g**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)
    identity("dp/dv = p''/2", sp.diff(density, v), sp.diff(density, g, 2) / 2)


def derivatives_of_the_distribution() -> None:
    """Step 3: with u = e^-x, the factors of exp(-u) in its first four derivatives."""
    u = sp.Symbol("u", positive=True)
    base = sp.exp(-sp.exp(-x))
    stated = (
        u,
        u * (u - 1),  # claim
        u * (u * (u - 3) + 1),  # claim
        u * (u * (u * (u - 6) + 7) - 1),  # claim
    )
    for order, factor in enumerate(stated, 1):
        identity(f"derivative {order}", sp.simplify(sp.diff(base, x, order) / base), factor.subs(u, sp.exp(-x)))


def derivatives_of_the_product() -> None:
    """Step 4: A(x - s, v) B(x, v)^n with the heat equation for A and B; -d/ds of it is A' B^n."""
    a = [sp.Symbol(f"A{i}") for i in range(5)]
    b = [sp.Symbol(f"B{i}") for i in range(5)]

    def by_variance(expression):
        """d/dv: each derivative in x turns into half of that two orders on."""
        total = 0
        for letters in (a, b):
            total += sum(sp.diff(expression, letters[i]) * letters[i + 2] / 2 for i in range(3))
        return total

    product = a[0] * b[0] ** n
    first = by_variance(product)
    identity("d/dv", first, (a[2] * b[0] ** n + n * a[0] * b[0] ** (n - 1) * b[2]) / 2)  # claim
    second = by_variance(first)
    stated = (
        a[4] * b[0] ** n
        + 2 * n * a[2] * b[0] ** (n - 1) * b[2]
        + n * (n - 1) * a[0] * b[0] ** (n - 2) * b[2] ** 2  # claim
        + n * a[0] * b[0] ** (n - 1) * b[4]
    ) / 4
    identity("d^2/dv^2", second, stated)


def radius_of_a_gaussian() -> None:
    """Step 5: the density of r = sqrt(2 v t) of a Gaussian vector, ~ r^(d-1) e^(-r^2/2v), is that of t ~ t^(d/2-1) e^-t."""
    d, t = sp.symbols("d t", positive=True)
    r = sp.sqrt(2 * v * t)
    density = 2 / sp.gamma(d / 2) / (2 * v) ** (d / 2) * r ** (d - 1) * sp.exp(-(r**2) / (2 * v))
    stated = t ** (d / 2 - 1) * sp.exp(-t) / sp.gamma(d / 2)  # claim
    ratio = sp.powsimp(sp.expand_power_base(density * sp.diff(r, t) / stated, force=True), force=True)
    identity("density of t", sp.simplify(ratio), 1)


def powers_of_the_radius() -> None:
    """Step 6: F = R^(2k) has G = (2v)^k Gamma(d/2+k)/Gamma(d/2), and Gamma(d/2) p^(-d/2) G(R^2/2p) is the transform of t^(d/2-1) (R^2 t)^k."""
    d, k, t, p, radius = sp.symbols("d k t p R", positive=True)
    mean = (2 * v) ** k * sp.gamma(d / 2 + k) / sp.gamma(d / 2)  # claim
    left = sp.gamma(d / 2) * p ** (-d / 2) * mean.subs(v, radius**2 / (2 * p))
    right = sp.integrate(sp.exp(-p * t) * t ** (d / 2 - 1 + k), (t, 0, sp.oo), conds="none") * radius ** (2 * k)
    ratio = sp.powsimp(sp.expand_power_base(left / right, force=True), force=True)
    identity("transform of a power", sp.gammasimp(sp.simplify(ratio)), 1)


if __name__ == "__main__":
    main()
