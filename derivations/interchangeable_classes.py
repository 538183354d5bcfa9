"""Interchangeable classes can be averaged out of the convex problem exactly.

Theorem. Let a permutation group act on the classes and leave the problem as it is: proportions, label columns and their
rows. Let the loss be convex and commute with relabelling. Then

    F(Z) = sum_k p_k loss(z_k, y_k) + t ||X||_*,        X = Z diag(sqrt p),

has a minimiser that all these permutations leave alone. If the group contains every exchange inside each of the groups
A of n_A classes, an invariant X is

    X = sum_A x_A P_A + sum_AB b_AB u_A u_B',        u_A = 1_A/sqrt(n_A),    P_A = I_A - u_A u_A',

and its cost splits: ||X||_* = ||b||_* + sum_A (n_A - 1) |x_A|, and ||X||_F^2 = ||b||_F^2 + sum_A (n_A - 1) x_A^2. In
terms of logits with ``own`` on the diagonal of block A, ``other`` off it and the constants c_AB between the groups,

    x_A = sqrt(p_A) (own - other),
    b_AA = sqrt(p_A) (own + (n_A - 1) other),        b_AB = sqrt(n_A n_B p_B) c_AB.

Proof.
1. A permutation R of rows and columns together keeps the loss part by hypothesis, and ||.||_* is unitarily invariant, so
   F(R Z R') = F(Z). By convexity the mean of R Z R' over the group does no worse than Z; it is invariant. Below, for one
   exchange of two classes: the mean is a midpoint, and what convexity asks of the norm is the triangle inequality.
2. An invariant Z has equal entries where an exchange maps one place to the other. Inside a block that leaves one number
   on the diagonal and one off it, between blocks one number.
3. The images of P_A (sums zero inside A) and of the indicator vectors u_A are orthogonal, and X maps each to itself. So
   X X' is the direct sum of x_A^2 on n_A - 1 dimensions for each group, and of b b' in the coordinates u_A.
4. The dual point averages in the same way, so a bound from invariant dual points is as good as any.

Steps 1 and 4 are convexity in prose. Algebra of 1, 2 and 3 is checked below: for one group of symbolic size beside one
class, and with explicit matrices for two groups.
"""

import sympy as sp
from _check import holds, identity, nonnegative
from _invariant import IDENTITY, ONES, Invariant, N, P, check_algebra, n

own, other, corner, across, down = sp.symbols("own other corner across down", real=True)
share, rest = sp.symbols("p q", positive=True)


def main() -> None:
    """Run every step."""
    check_algebra()
    averaging()
    invariant_form()
    inside_one_group()
    beside_another_class()
    two_groups()


def averaging() -> None:
    """Step 1, for the exchange R of the last two classes and for a strictly convex loss of one entry."""
    z = sp.Matrix(3, 3, sp.symbols("z:9", real=True))
    exchange = sp.Matrix([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    proportions = sp.diag(rest, share, share)
    identity("equal proportions commute with the exchange", exchange * proportions * exchange.T, proportions)
    moved = exchange * z * exchange.T
    mean = (z + moved) / 2
    identity("the mean is invariant", exchange * mean * exchange.T, mean)
    gram = z * proportions * z.T
    identity(
        "X X' is rotated, so X keeps its singular values", moved * proportions * moved.T, exchange * gram * exchange.T
    )
    weights = (rest, share, share)
    gain = sum(weights[j] * (z[i, j] - moved[i, j]) ** 2 for i in range(3) for j in range(3)) / 4
    squares = (gram.trace() + (moved * proportions * moved.T).trace()) / 2
    identity(
        "what averaging gains in ||X||_F^2 is a sum of squares", squares - (mean * proportions * mean.T).trace(), gain
    )
    nonnegative("so it is not negative", gain)


def invariant_form() -> None:
    """Step 2: which entries exchanges force to agree, for groups of two and three classes."""
    z = sp.Matrix(5, 5, sp.symbols("z:25", real=True))
    equations = []
    for i, j in ((0, 1), (2, 3), (3, 4)):
        exchange = sp.eye(5).elementary_row_op("n<->m", row1=i, row2=j)
        equations += list(exchange * z * exchange.T - z)
    free = len(z) - sp.Matrix([[sp.diff(e, s) for s in z] for e in equations]).rank()
    holds("five classes in two groups: 2 + 2 numbers inside, 2 between", free == 6)


def inside_one_group() -> None:
    """Step 3 for one group of N classes with proportion p each."""
    logits = Invariant.from_entries(own, other)
    x = sp.sqrt(share) * logits
    identity("on sum-zero vectors: x = sqrt(p) (own - other)", x.deviation, sp.sqrt(share) * (own - other))  # claim
    total = own + (N - 1) * other  # claim
    identity("on the indicator: sqrt(p) (own + (N-1) other)", x.mean, sp.sqrt(share) * total)
    identity("I and J span these matrices", ((own - other) * IDENTITY + other * ONES).mean, logits.mean)
    identity("||X||_F^2 = (N-1) x^2 + b^2", x.squared_norm, n * x.deviation**2 + x.mean**2)
    identity("the sum-zero space has N - 1 dimensions", P.trace, N - 1)


def beside_another_class() -> None:
    """Step 3 for a group of N classes (proportion p) and one class of its own (proportion q), N symbolic.

    Vectors are (v in the group, one number). The entries across are constant along the group.
    """
    column = sp.sqrt(rest) * across  # each entry in the column of the single class
    row = sp.sqrt(share) * down  # each entry in its row
    # <u, X e> and <e, X u> for the unit indicators u = (1, ..., 1, 0)/sqrt(N) and e = (0, ..., 0, 1).
    entry, back = N * column / sp.sqrt(N), N * row / sp.sqrt(N)
    identity("b between the group and the single class", entry, sp.sqrt(N * rest) * across)
    identity("b between the single class and the group", back, sp.sqrt(N * share) * down)
    inner = sp.sqrt(share) * (own + (N - 1) * other)  # claim
    block = sp.Matrix([[inner, entry], [back, sp.sqrt(rest) * corner]])
    x = sp.sqrt(share) * (own - other)  # claim
    entries = N * share * own**2 + N * (N - 1) * share * other**2 + N * column**2 + N * row**2 + rest * corner**2
    identity("||X||_F^2 from the entries and from the blocks", entries, (block * block.T).trace() + (N - 1) * x**2)


def two_groups() -> None:
    """Step 3 with explicit matrices: two classes of proportion p and three of proportion q."""
    a, b, c, d, e, f = sp.symbols("a b c d e f", real=True)
    first = sp.Matrix(2, 2, lambda i, j: a if i == j else b)
    second = sp.Matrix(3, 3, lambda i, j: c if i == j else d)
    logits = sp.Matrix(sp.BlockMatrix([[first, e * sp.ones(2, 3)], [f * sp.ones(3, 2), second]]))
    x = logits * sp.diag(*(2 * [sp.sqrt(share)] + 3 * [sp.sqrt(rest)]))
    indicators = sp.zeros(5, 2)
    indicators[:2, 0], indicators[2:, 1] = sp.ones(2, 1) / sp.sqrt(2), sp.ones(3, 1) / sp.sqrt(3)
    between = sp.Matrix(
        [
            [sp.sqrt(share) * (a + b), sp.sqrt(6 * rest) * e],
            [sp.sqrt(6 * share) * f, sp.sqrt(rest) * (c + 2 * d)],
        ]
    )
    identity("X maps the indicators among themselves by b", x * indicators, indicators * between)
    identity("and so does its transpose", x.T * indicators, indicators * between.T)
    sums_zero = sp.Matrix([[1, 0, 0], [-1, 0, 0], [0, 1, 1], [0, -1, 1], [0, 0, -2]])
    scalars = sp.diag(sp.sqrt(share) * (a - b), *(2 * [sp.sqrt(rest) * (c - d)]))  # claim
    identity("on sum-zero vectors it is x_A", x * sums_zero, sums_zero * scalars)
    identity("which are orthogonal to the indicators", indicators.T * sums_zero, sp.zeros(2, 3))


if __name__ == "__main__":
    main()
