"""Two classes and a loss of the margin that need not be convex: what the features model costs, and what bounds it.

Setting. Two classes of proportions pi_1 + pi_2 = 1, a loss phi(z) of the margin z of a sample, any number of samples with
features of their own, w = w_1 - w_2, mu = sqrt(lambda_W lambda_H). Only w counts: the weights cost lambda_W |w|^2/2.

Theorem 1 (free features, no bias). The optimum is min over all real t of phi(t) + kappa |t|, kappa = sqrt2 mu, with both
classes and all samples alike. The best t may be negative.
Theorem 2 (nonnegative features, no bias). The optimum is attained with one point for each class. Margins of the same sign
cost sum_n pi_n kappa_n |z_n| with kappa_n = sqrt2 mu/sqrt(pi_n), so that the classes separate; margins of opposite signs cost
sqrt2 mu sqrt(pi_1 z_1^2 + pi_2 z_2^2), at least sum_n pi_n sqrt2 mu |z_n|. Hence the optimum is at least the least of the
separate minima for equal signs, and of the minima over half-lines with cost sqrt2 mu for either order of opposite signs.
Theorem 3 (an unregularised bias, equal proportions). With class margins t_1, t_2 the cost is at least kappa |t_1 + t_2|/2, so
that min over t of phi(t) + kappa t, and of phi(t) - kappa t, are lower bounds.

Proof. 1: the least-norm feature with w h = x costs x^2/|w|^2, so samples with mean square S of x cost lambda_H S/v + lambda_W v/2
with v = |w|^2, and the least of that over v is sqrt2 mu sqrt(S) (first identity). By Jensen sqrt(S) >= mean |z| (second), so the
objective is at least mean (phi(z) + kappa |z|), and a minimiser of the integrand attains it. 2: h >= 0 with w h = x > 0 costs x^2/P,
where P is the squared norm of the positive part of w, and x < 0 costs x^2/Q with the negative part; P + Q = |w|^2. Each part is as
in 1, so the cost is sqrt2 mu (sqrt(S_P) + sqrt(S_Q)), where S_P collects class 1 with z > 0 and class 2 with z < 0. It is concave in
the law of the samples of each class, and the loss is linear in it: the least value is at extreme points, which are single points.
Equal signs use different parts, opposite signs the same one. 3: with a bias beta the margins are t_1 = x_1 + beta, t_2 = -x_2 - beta;
both costs are at least kappa times the mean of |x| over classes, |t_1 - beta| + |t_2 + beta| >= |t_1 + t_2| for every beta, and
|t_1 + t_2| >= +-(t_1 + t_2) separates. For nonnegative features kappa = 2 mu: opposite x use different parts and cost
mu (|x_1| + |x_2|); equal signs cost sqrt2 mu sqrt((x_1^2 + x_2^2)/2) >= mu |x_1 - x_2| = mu |t_1 + t_2|.
"""

import sympy as sp
from _check import identity, negative

decay_w, decay_h, v, S = sp.symbols("lambda_W lambda_H v S", positive=True)
mu = sp.sqrt(decay_w * decay_h)
a, b, pi_1 = sp.symbols("a b pi_1", positive=True)


def main() -> None:
    """Run every step."""
    cost_of_a_direction()
    averages()
    kappas()
    biases()


def cost_of_a_direction() -> None:
    """The decay of weights and features that give mean square S, above its least value, is a square."""
    cost = decay_w * v / 2 + decay_h * S / v  # claim
    least = sp.sqrt(2) * mu * sp.sqrt(S)
    identity("cost above its least value", cost - least, (sp.sqrt(decay_w * v / 2) - sp.sqrt(decay_h * S / v)) ** 2)
    negative("sqrt(S) is strictly concave in the law of the samples", sp.diff(sp.sqrt(S), S, 2))


def averages() -> None:
    """The root of the mean square is at least the mean absolute value, for any weights."""
    pi_2 = 1 - pi_1  # claim
    spread = pi_1 * a**2 + pi_2 * b**2 - (pi_1 * a + pi_2 * b) ** 2  # claim
    identity("mean square above squared mean", spread, pi_1 * pi_2 * (a - b) ** 2)  # claim


def kappas() -> None:
    """The costs of a unit of margin are those of the closed forms at N = 2."""
    n = 2
    identity("free", sp.sqrt(2) * mu, 2 * (n - 1) * mu / sp.sqrt(n))
    one_class = sp.sqrt(2) * mu * sp.sqrt(pi_1 * a**2)
    identity("nonnegative, one class", one_class, pi_1 * 2 * mu * sp.sqrt((n - 1) / (n * pi_1)) * a)


def biases() -> None:
    """Only the sum of the two class margins is charged."""
    t_1, t_2, beta = sp.symbols("t_1 t_2 beta", real=True)
    identity("the bias drops out of the sum", (t_1 - beta) + (t_2 + beta), t_1 + t_2)  # claim
    x_1, x_2 = t_1 - beta, -t_2 - beta
    identity("and out of the difference of the scores", x_1 - x_2, t_1 + t_2)  # claim
    above = (x_1**2 + x_2**2) / 2 - ((x_1 - x_2) / 2) ** 2
    identity("equal signs cost no less", above, ((x_1 + x_2) / 2) ** 2)


if __name__ == "__main__":
    main()
