"""How far an answer is from the solution, from its duality gap; what a bias adds to the dual.

Setting. F(Z, b) = sum_k p_k l_k(z_k + b) + t ||Z D||_* + lb ||b||^2 with D = diag(sqrt p), l_k convex. A dual point is
V = (v_k) with ||V D||_op <= t and, if the bias is not regularised (lb = 0), V p = 0.

Theorem. Write FY_k(z, v) = l_k(z) + l_k*(v) - <v, z> >= 0 (Fenchel-Young).

1. F(Z, b) - G(V) = sum_k p_k FY_k(z_k + b, v_k) + [t ||X||_* + <V D, X>] + lb ||b + V p/(2 lb)||^2 with X = Z D and

       G(V) = -sum_k p_k l_k*(v_k) - ||V p||^2/(4 lb),

   where without regularisation the last terms vanish because V p = 0. All three summands are nonnegative.
2. So a gap bounds each of them. An optimal Z* has F(Z*) - G(V) <= gap too: both the answer and the optimum satisfy
   sum_k p_k FY_k(., v_k) <= gap, and their distance is at most the sum of their distances to what v_k points at.
3. Cross-entropy: FY_k(z, v) = KL(q || softmax z) with q = y + v; each entry obeys q log(q/s) + (1-q) log((1-q)/(1-s)) <= KL,
   which confines log s to an interval.
4. Squared error: FY_k(z, v) = ||z - y - v||^2/2. With free features of full dimension the objective is strongly convex
   in Z, and F(Z) - F(Z*) >= sum_k p_k ||z_k - z_k*||^2/2 without any dual point.
5. A point is made feasible by scaling: theta = min(1, t/||V D||_op), and for cross-entropy theta q + (1-theta) y stays
   a distribution.

Proof of 2 is the nonnegativity in 1. Proof of 3's inequality: the log-sum inequality, which is convexity of -log. The rest
is algebra, checked below; entries stand for vectors wherever the terms are sums over entries.
"""

import sympy as sp
from _check import holds, identity, negative, nonnegative, positive

p1, p2, lb, t = sp.symbols("p1 p2 lb t", positive=True)
q, s, theta, y = sp.symbols("q s theta y", positive=True)


def main() -> None:
    """Run every step."""
    decomposition()
    bias_term()
    cross_entropy()
    log_sum()
    squared_error()
    scaling()


def decomposition() -> None:
    """Step 1 with two columns of one entry each; l and l* are symbols, as nothing is used about them."""
    z1, z2, b, v1, v2, norm = sp.symbols("z1 z2 b v1 v2 norm", real=True)
    l1, l2, c1, c2 = sp.symbols("l1 l2 c1 c2", real=True)  # values of l_k at z_k + b, and of l_k* at v_k
    primal = p1 * l1 + p2 * l2 + t * norm + lb * b**2
    mean = p1 * v1 + p2 * v2
    dual = -p1 * c1 - p2 * c2 - mean**2 / (4 * lb)  # claim
    fenchel = p1 * (l1 + c1 - v1 * (z1 + b)) + p2 * (l2 + c2 - v2 * (z2 + b))
    pairing = t * norm + p1 * v1 * z1 + p2 * v2 * z2  # <V D, Z D>
    square = lb * (b + mean / (2 * lb)) ** 2
    identity("the gap is a sum of three terms", primal - dual, fenchel + pairing + square)
    nonnegative("the last is a square", square)


def bias_term() -> None:
    """The bias in the dual: inf over b of lb b^2 + <V p, b>, and what an unregularised bias demands."""
    b, pull = sp.symbols("b pull", real=True)
    inner = lb * b**2 + pull * b
    best = sp.solve(sp.diff(inner, b), b)[0]
    identity("the best bias is -V p/(2 lb)", best, -pull / (2 * lb))  # claim
    identity("and leaves -||V p||^2/(4 lb)", inner.subs(b, best), -(pull**2) / (4 * lb))
    positive("it is a minimum", sp.diff(inner, b, 2))
    holds(
        "without decay the infimum is finite only at V p = 0", sp.limit((pull * b).subs(pull, 1), b, -sp.oo) == -sp.oo
    )


def cross_entropy() -> None:
    """Step 3 with three classes: l(z) = lse(z) - <y, z>, l*(v) = sum q log q for q = y + v, a distribution."""
    z = sp.symbols("z1:4", real=True)
    q1, q2, y1, y2 = sp.symbols("q1 q2 y1 y2", positive=True)
    probabilities, labels = (q1, q2, 1 - q1 - q2), (y1, y2, 1 - y1 - y2)
    lse = sp.Symbol("lse", real=True)  # log softmax_j = z_j - lse
    loss = lse - sum(a * b for a, b in zip(labels, z, strict=True))
    conjugate = sum(a * sp.log(a) for a in probabilities)
    slope = [a - b for a, b in zip(probabilities, labels, strict=True)]  # claim
    divergence = sum(a * (sp.log(a) - (b - lse)) for a, b in zip(probabilities, z, strict=True))
    fenchel = loss + conjugate - sum(a * b for a, b in zip(slope, z, strict=True))
    identity("FY = KL(q || softmax z)", fenchel, divergence)


def log_sum() -> None:
    """What confines log s: the binary divergence vanishes at q = s, and grows on both sides."""
    divergence = q * sp.log(q / s) + (1 - q) * sp.log((1 - q) / (1 - s))
    identity("it vanishes at s = q", divergence.subs(s, q))
    below, gap = sp.symbols("below gap", positive=True)
    slope = sp.diff(divergence, s)
    identity("its slope is (s - q)/(s (1 - s))", slope, (s - q) / (s * (1 - s)))  # claim
    # Probabilities in (0, 1): odds o give s = o/(1 + o).
    odds, more = sp.symbols("odds more", positive=True)
    above = {s: (odds + more) / (1 + odds + more), q: odds / (1 + odds)}
    under = {s: odds / (1 + odds), q: (odds + more) / (1 + odds + more)}
    positive("so it increases where s > q", sp.factor(sp.simplify(slope.subs(above))))
    negative("and decreases where s < q", sp.factor(sp.simplify(slope.subs(under))))
    identity(
        "a start for the lower end: q log(q/s) alone is at most gap + the rest",
        q * sp.log(q / (q * sp.exp(-gap / q))),
        gap,
    )
    # Merging two entries of a divergence does not increase it: second derivative of x log x is positive.
    positive("x log x is convex, which is the log-sum inequality", sp.diff(below * sp.log(below), below, 2))


def squared_error() -> None:
    """Step 4: the conjugate, the Fenchel-Young term, and the gain of a strongly convex objective."""
    z, v, target, star, subgradient = sp.symbols("z v target star subgradient", real=True)
    loss, conjugate = (z - target) ** 2 / 2, v**2 / 2 + v * target
    identity("FY = ||z - y - v||^2/2", loss + conjugate - v * z, (z - target - v) ** 2 / 2)  # claim
    identity("its conjugate is attained at z = y + v", v * (target + v) - loss.subs(z, target + v), conjugate)
    # Stationarity: star - target + subgradient = 0 and the rest of F is convex with that subgradient at star.
    growth = loss - loss.subs(z, star) + subgradient * (z - star)
    growth = growth.subs(subgradient, target - star)
    identity("F(Z) - F(Z*) is at least ||z - z*||^2/2", growth, (z - star) ** 2 / 2)
    radius, smallest = sp.symbols("radius smallest", positive=True)
    total = 2 * radius / smallest  # sum of ||z_k - z_k*||^2 when sum p_k ||.||^2/2 <= radius and p_k >= smallest
    identity("in Frobenius norm the worst proportion counts", total * smallest / 2, radius)


def scaling() -> None:
    """Step 5: scaling toward v = 0 keeps the constraints, and mixes q with the label."""
    v = q - y
    identity("y + theta v = theta q + (1-theta) y", y + theta * v, theta * q + (1 - theta) * y)  # claim
    size, over = sp.symbols("size over", positive=True)
    identity("theta ||V D|| = t for theta = t/||V D||", (t / size) * size, t)
    nonnegative("theta <= 1 where ||V D|| >= t", (1 - t / size).subs(size, t + over))


if __name__ == "__main__":
    main()
